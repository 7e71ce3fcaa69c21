package dynamostore

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/dynamostore/dynamotest"
)

// makeTable makes a table that Init knows nothing of.
func makeTable(t *testing.T, db *dynamotest.DB, hash, sort string) *dynamodb.Client {
	t.Helper()
	c := dynamodb.NewFromConfig(db.Config())
	in := &dynamodb.CreateTableInput{TableName: aws.String(tableName), BillingMode: types.BillingModePayPerRequest}
	for i, name := range []string{hash, sort} {
		if name != "" {
			in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
			in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &name, KeyType: []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[i]})
		}
	}
	if _, err := c.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return c
}

// putItem writes texts, and a number where the name is schema.
func putItem(t *testing.T, c *dynamodb.Client, attributes ...string) {
	t.Helper()
	item := map[string]types.AttributeValue{}
	for i := 0; i < len(attributes); i += 2 {
		item[attributes[i]] = &types.AttributeValueMemberS{Value: attributes[i+1]}
		if attributes[i] == "schema" {
			item[attributes[i]] = &types.AttributeValueMemberN{Value: attributes[i+1]}
		}
	}
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(tableName), Item: item}); err != nil {
		t.Fatal(err)
	}
}

// TestRefused: what is not ours, or not ours any more, is refused by name and
// never written.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, db *dynamotest.DB)
		want error
		text string
	}{
		{"no table", func(*testing.T, *dynamotest.DB) {}, fs.ErrNotExist,
			"open store in table layerd: there is no such table in ap-northeast-1 with these credentials: make it with layerd store init --store dynamodb:layerd"},
		{"a table that was never finished", func(t *testing.T, db *dynamotest.DB) { makeTable(t, db, "pk", "sk") }, nil, "run layerd store init --store dynamodb:layerd"},
		{"another program's items", func(t *testing.T, db *dynamotest.DB) {
			putItem(t, makeTable(t, db, "pk", "sk"), "pk", "value", "sk", "a")
		}, nil, "it is not a table of layerd"},
		{"another program's mark", func(t *testing.T, db *dynamotest.DB) {
			putItem(t, makeTable(t, db, "pk", "sk"), "pk", "layerd", "sk", "schema", "version", "2")
		}, nil, "it is not a table of layerd"},
		{"other keys", func(t *testing.T, db *dynamotest.DB) { makeTable(t, db, "id", "") }, nil, "it is not a table of layerd: ValidationException"},
		{"newer", func(t *testing.T, db *dynamotest.DB) {
			putItem(t, makeTable(t, db, "pk", "sk"), "pk", "layerd", "sk", "schema", "schema", "99")
		}, store.ErrNewer, "it has schema 99, this layerd knows 1; update layerd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := dynamotest.New()
			test.make(t, db)
			for name, f := range map[string]func() (*Store, error){
				"Open":         func() (*Store, error) { return Open(t.Context(), db.Config(), tableName, Options{}) },
				"OpenReadOnly": func() (*Store, error) { return OpenReadOnly(t.Context(), db.Config(), tableName, Options{}) },
			} {
				s, err := f()
				if s != nil || err == nil || !strings.Contains(err.Error(), test.text) || test.want != nil && !errors.Is(err, test.want) {
					t.Errorf("%s = %v, %v, want %v and %q", name, s, err, test.want, test.text)
				}
				if test.want == nil && errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v reads as if there were no past", name, err)
				}
			}
			if n := db.Count("UpdateItem"); n > 0 {
				t.Errorf("%d writes to a table that was refused", n)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	db := fresh(t)
	w := open(t, db)
	rev := create(t, w, "a", "one")
	writes := db.Count("UpdateItem")
	r, err := OpenReadOnly(t.Context(), db.Config(), tableName, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Create(t.Context(), "b", nil); !errors.Is(err, store.ErrReadOnly) || !strings.Contains(err.Error(), tableName) {
		t.Errorf("Create: %v, want ErrReadOnly and the table", err)
	}
	if _, err := r.Replace(t.Context(), "a", rev, nil); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("Replace: %v, want ErrReadOnly", err)
	}
	if v, err := r.Get(t.Context(), "a"); err != nil || v.Revision != rev {
		t.Errorf("Get = %+v, %v", v, err)
	}
	if n := db.Count("UpdateItem") - writes; n > 0 {
		t.Errorf("%d writes by a store for reading", n)
	}
}

// TestMayNotWrite: who may read only learns it when the daemon starts.
func TestMayNotWrite(t *testing.T) {
	db := fresh(t)
	db.OnCall(func(c dynamotest.Call) dynamotest.Fault {
		if c.Operation == "UpdateItem" {
			return dynamotest.Denied(c)
		}
		return dynamotest.Fault{}
	})
	if s, err := Open(t.Context(), db.Config(), tableName, Options{}); !errors.Is(err, store.ErrReadOnly) ||
		!strings.Contains(err.Error(), "not authorized to perform: dynamodb:UpdateItem") {
		t.Errorf("Open = %v, %v, want ErrReadOnly and the action", s, err)
	}
	if _, err := OpenReadOnly(t.Context(), db.Config(), tableName, Options{}); err != nil {
		t.Errorf("OpenReadOnly: %v", err)
	}
}

func TestRegion(t *testing.T) {
	db := fresh(t)
	cfg := db.Config()
	cfg.Region = ""
	if s, err := Open(t.Context(), cfg, tableName, Options{}); err == nil || !strings.Contains(err.Error(), "no Region: set AWS_REGION") {
		t.Errorf("Open without a Region = %v, %v", s, err)
	}
	// An ARN brings its own, whatever the profile says.
	for _, region := range []string{"", "us-east-1"} {
		cfg.Region = region
		s, err := connect(cfg, "arn:aws:dynamodb:eu-west-1:123456789012:table/layerd", Options{})
		if err != nil || s.region != "eu-west-1" || s.db.Options().Region != "eu-west-1" {
			t.Errorf("connect by ARN: Region %q, %v", s.region, err)
		}
	}
}

// TestDamaged: an item that layerd would not have written is no value, and is
// not passed over in silence either.
func TestDamaged(t *testing.T) {
	db := fresh(t)
	s := open(t, db)
	create(t, s, "a", "one")
	putItem(t, dynamodb.NewFromConfig(db.Config()), "pk", "value", "sk", "b", "note", "by hand")
	if v, err := s.Get(t.Context(), "b"); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("Get = %+v, %v, want ErrCorrupt and the key", v, err)
	}
	var last error
	for _, err := range s.List(t.Context(), store.Query{}) {
		last = err
	}
	if !errors.Is(last, store.ErrCorrupt) {
		t.Errorf("List ends with %v, want ErrCorrupt", last)
	}
}

// TestListCost: a list asks once a page, in both directions, and reads no more
// than it was asked for.
func TestListCost(t *testing.T) {
	db := fresh(t)
	s := open(t, db)
	for _, key := range []string{"a/1", "a/2", "a/3", "a0", "b/1"} { // a0 is where the range of a/ ends
		create(t, s, key, "")
	}
	for _, test := range []struct {
		q     store.Query
		want  []string
		calls int
	}{
		{store.Query{Prefix: "a/"}, []string{"a/1", "a/2", "a/3"}, 1},
		{store.Query{Prefix: "a/", Limit: 2}, []string{"a/1", "a/2"}, 1},
		{store.Query{Prefix: "a/", Reverse: true}, []string{"a/3", "a/2", "a/1"}, 1},
		{store.Query{Prefix: "a/", Reverse: true, Limit: 1}, []string{"a/3"}, 2}, // the first answer holds a0 alone
		{store.Query{Prefix: "b/", Reverse: true, Limit: 1}, []string{"b/1"}, 1},
		{store.Query{Prefix: "b/", After: "c"}, nil, 0},
	} {
		before := db.Count("Query")
		var got []string
		for v, err := range s.List(t.Context(), test.q) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v.Key)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("List of %+v (-want +got):\n%s", test.q, diff)
		}
		if n := db.Count("Query") - before; n != test.calls {
			t.Errorf("List of %+v made %d calls, want %d", test.q, n, test.calls)
		}
	}
}
