package dynamotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
)

// The limits of the real service.
const (
	maxSortKey = 1024
	maxItem    = 400 << 10
	maxPage    = 1 << 20
)

// table is what minidyn does not remember of a table.
type table struct {
	made      map[string]any // the request that made it
	looks     int            // how often it was described
	protected bool
	recovery  bool
	backups   int // how often its backups were asked for
}

// attribute is a value on the wire, as far as a store of ours uses it.
type attribute struct {
	S string
	B []byte
	N string
}

func (a attribute) size() int { return len(a.S) + len(a.B) + len(a.N) }

// input is what the rules look at of a request.
type input struct {
	TableName                        string
	Key                              map[string]attribute
	ExpressionAttributeValues        map[string]attribute
	DeletionProtectionEnabled        *bool
	PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
}

func (db *DB) do(op string, in input, body []byte) answer {
	t := db.tables[in.TableName]
	if t == nil && op != "CreateTable" {
		return problem(http.StatusBadRequest, "ResourceNotFoundException", "Requested resource not found")
	}
	switch op {
	case "CreateTable":
		return db.createTable(in, body)
	case "DeleteTable":
		delete(db.tables, in.TableName)
		return db.minidyn(op, body)
	case "DescribeTable":
		return db.describeTable(t, body)
	case "UpdateTable":
		if in.DeletionProtectionEnabled != nil {
			t.protected = *in.DeletionProtectionEnabled
		}
		return db.describeTable(t, body)
	case "DescribeContinuousBackups":
		return t.describeBackups()
	case "UpdateContinuousBackups":
		if t.backups++; t.backups <= db.slow {
			return problem(http.StatusBadRequest, "ContinuousBackupsUnavailableException", "Backups are being enabled for the table: "+in.TableName)
		}
		t.recovery = in.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled
		return t.describeBackups()
	}
	if t.looks < db.slow {
		return problem(http.StatusBadRequest, "ResourceNotFoundException", "Requested resource not found: it is still being made")
	}
	if a := checkKeys(op, in); a != nil {
		return *a
	}
	a := db.minidyn(op, body)
	if op == "Query" && a.status == http.StatusOK {
		return cutPage(a)
	}
	return a
}

func (db *DB) createTable(in input, body []byte) answer {
	a := db.minidyn("CreateTable", body)
	if a.status != http.StatusOK {
		return a
	}
	t := &table{protected: in.DeletionProtectionEnabled != nil && *in.DeletionProtectionEnabled}
	if err := json.Unmarshal(body, &t.made); err != nil {
		return problem(http.StatusBadRequest, "SerializationException", err.Error())
	}
	db.tables[in.TableName] = t
	return a
}

// describeTable adds what minidyn leaves out, above all that the table is ready.
func (db *DB) describeTable(t *table, body []byte) answer {
	a := db.minidyn("DescribeTable", body)
	var out map[string]map[string]any
	if err := json.Unmarshal(a.body, &out); err != nil || a.status != http.StatusOK {
		return a
	}
	description := out["Table"]
	maps.Copy(description, map[string]any{
		"TableStatus": "ACTIVE", "AttributeDefinitions": t.made["AttributeDefinitions"],
		"BillingModeSummary":        map[string]any{"BillingMode": t.made["BillingMode"]},
		"DeletionProtectionEnabled": t.protected,
	})
	if t.looks++; t.looks <= db.slow {
		description["TableStatus"] = "CREATING"
	}
	return document(map[string]any{"Table": description})
}

func (t *table) describeBackups() answer {
	status := "DISABLED"
	if t.recovery {
		status = "ENABLED"
	}
	return document(map[string]any{"ContinuousBackupsDescription": map[string]any{
		"ContinuousBackupsStatus":        "ENABLED",
		"PointInTimeRecoveryDescription": map[string]any{"PointInTimeRecoveryStatus": status},
	}})
}

func document(v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		return problem(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	return answer{status: http.StatusOK, body: body}
}

// checkKeys refuses what the real service refuses about keys and sizes.
func checkKeys(op string, in input) *answer {
	refuse := func(format string, args ...any) *answer {
		a := invalid("One or more parameter values were invalid: " + fmt.Sprintf(format, args...))
		return &a
	}
	size := 0
	for name, value := range in.Key {
		size += value.size()
		if len(value.S) == 0 || len(value.S) > maxSortKey {
			return refuse("the key attribute %s has %d bytes", name, len(value.S))
		}
	}
	for name, value := range in.ExpressionAttributeValues {
		size += value.size()
		if op == "Query" && (len(value.S) == 0 || len(value.S) > maxSortKey) {
			return refuse("the value %s of a condition on a key has %d bytes", name, len(value.S))
		}
	}
	if op == "UpdateItem" && size > maxItem {
		return refuse("Item size to update has exceeded the maximum allowed size")
	}
	from, isFrom := in.ExpressionAttributeValues[":from"]
	to, isTo := in.ExpressionAttributeValues[":to"]
	if op == "Query" && isFrom && isTo && from.S > to.S {
		return refuse("The BETWEEN operator requires upper bound to be greater than or equal to lower bound")
	}
	return nil
}

// sizeOf is the size of a value on the wire, {"B":"…"}, without taking it apart.
func sizeOf(raw json.RawMessage) int {
	n := len(raw) - len(`{"B":""}`)
	if bytes.HasPrefix(raw, []byte(`{"B"`)) {
		n = n * 3 / 4 // base64
	}
	return n
}

// cutPage ends a page after 1 MB, with the key to go on behind.
func cutPage(a answer) answer {
	var out map[string]json.RawMessage
	var items []map[string]json.RawMessage
	if json.Unmarshal(a.body, &out) != nil || json.Unmarshal(out["Items"], &items) != nil {
		return a
	}
	size := 0
	for i, item := range items {
		for name, raw := range item {
			size += len(name) + sizeOf(raw)
		}
		if size >= maxPage && i < len(items)-1 {
			out["Count"] = json.RawMessage(fmt.Sprint(i + 1))
			return document(map[string]any{
				"Items": items[:i+1], "Count": i + 1,
				"LastEvaluatedKey": map[string]any{"pk": item["pk"], "sk": item["sk"]},
			})
		}
	}
	return a
}
