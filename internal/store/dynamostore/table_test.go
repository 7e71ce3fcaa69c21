package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/dynamostore/dynamotest"
)

// checkTable: all that Init promises of a table.
func checkTable(t *testing.T, db *dynamotest.DB) {
	t.Helper()
	c := dynamodb.NewFromConfig(db.Config())
	table, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(tableName)})
	if err != nil {
		t.Fatal(err)
	}
	backups, err := c.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: aws.String(tableName)})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(table.Table.BillingModeSummary.BillingMode, " ", aws.ToBool(table.Table.DeletionProtectionEnabled), " ",
		backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus, " ", checkShape(table.Table))
	if want := "PAY_PER_REQUEST true ENABLED <nil>"; got != want {
		t.Errorf("the table is %s, want %s", got, want)
	}
	s, err := Open(t.Context(), db.Config(), tableName, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for v, err := range s.List(t.Context(), store.Query{}) {
		t.Errorf("the new table lists %+v, %v", v, err)
	}
}

func TestInit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := dynamotest.New()
		db.Slow(5)
		if created, err := Init(t.Context(), db.Config(), tableName); err != nil || !created {
			t.Fatalf("Init = %t, %v, want true", created, err)
		}
		checkTable(t, db)
		writes := db.Count("UpdateItem")
		if created, err := Init(t.Context(), db.Config(), tableName); err != nil || created {
			t.Errorf("second Init = %t, %v, want false", created, err)
		}
		if db.Count("UpdateItem") != writes || db.Count("CreateTable") != 1 || db.Count("UpdateTable") != 0 {
			t.Error("the second Init wrote")
		}
	})
}

// TestInitTogether: two people at once. One of them has made the table.
func TestInitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := dynamotest.New()
		db.Slow(5)
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for range 4 {
			wg.Go(func() {
				created, err := Init(t.Context(), db.Config(), tableName)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if created {
					made++
				}
			})
		}
		wg.Wait()
		if made != 1 {
			t.Errorf("%d made the table, want 1", made)
		}
		checkTable(t, db)
	})
}

// TestInitCutOff ends Init before and after every one of its calls, as a killed
// process does, and begins again. It also loses every answer once.
func TestInitCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []bool{false, true} {
			for at, ended := 1, false; !ended; at++ {
				db := dynamotest.New()
				db.Slow(2)
				ctx, cancel := context.WithCancel(t.Context())
				calls := 0
				cfg := db.ConfigWith(func(dynamotest.Call) dynamotest.Fault {
					if calls++; calls == at {
						cancel()
						return dynamotest.Fault{Lose: true, After: after}
					}
					return good
				})
				_, err := Init(ctx, cfg, tableName)
				cancel()
				ended = err == nil // it has fewer calls
				if _, err := Init(t.Context(), db.Config(), tableName); err != nil {
					t.Errorf("Init after one that was cut off at call %d: %v", at, err)
				}
				checkTable(t, db)

				db, calls = dynamotest.New(), 0
				cfg = db.ConfigWith(func(dynamotest.Call) dynamotest.Fault {
					if calls++; calls == at {
						return dynamotest.Fault{Lose: true, After: after}
					}
					return good
				})
				if created, err := Init(t.Context(), cfg, tableName); err != nil || !created {
					t.Errorf("Init with call %d lost = %t, %v, want true", at, created, err)
				}
				checkTable(t, db)
			}
		}
	})
}

// TestInitAdopts: a table that CloudFormation or Terraform has made.
func TestInitAdopts(t *testing.T) {
	db := dynamotest.New()
	makeTable(t, db, "pk", "sk")
	if created, err := Init(t.Context(), db.Config(), tableName); err != nil || created {
		t.Errorf("Init = %t, %v, want false", created, err)
	}
	checkTable(t, db)
}

func TestInitRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, db *dynamotest.DB)
		want error
		text string
	}{
		{"other keys", func(t *testing.T, db *dynamotest.DB) { makeTable(t, db, "id", "") }, nil, `its keys are ["id HASH S"], ours are ["pk HASH S" "sk RANGE S"]`},
		{"keys the other way round", func(t *testing.T, db *dynamotest.DB) { makeTable(t, db, "sk", "pk") }, nil, "its keys are"},
		{"other items", func(t *testing.T, db *dynamotest.DB) {
			putItem(t, makeTable(t, db, "pk", "sk"), "pk", "user", "sk", "1")
		}, nil, "it holds other items; name another table"},
		{"newer", func(t *testing.T, db *dynamotest.DB) {
			putItem(t, makeTable(t, db, "pk", "sk"), "pk", "layerd", "sk", "schema", "schema", "99")
		}, store.ErrNewer, "update layerd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := dynamotest.New()
			test.make(t, db)
			created, err := Init(t.Context(), db.Config(), tableName)
			if created || err == nil || !strings.Contains(err.Error(), test.text) || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("Init = %t, %v, want %v and %q", created, err, test.want, test.text)
			}
			if n := db.Count("UpdateItem") + db.Count("UpdateTable") + db.Count("UpdateContinuousBackups"); n > 0 {
				t.Errorf("%d changes to a table that was refused", n)
			}
		})
	}
}

// TestGlobalTables: where the last writer wins there is no compare-and-swap.
func TestGlobalTables(t *testing.T) {
	table := &types.TableDescription{
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("sk"), AttributeType: "S"}, {AttributeName: aws.String("pk"), AttributeType: "S"},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
		Replicas: []types.ReplicaDescription{{RegionName: aws.String("us-east-1")}},
	}
	for mode, want := range map[types.MultiRegionConsistency]bool{"": false, types.MultiRegionConsistencyEventual: false, types.MultiRegionConsistencyStrong: true} {
		table.MultiRegionConsistency = mode
		if err := checkShape(table); (err == nil) != want {
			t.Errorf("a global table of consistency %q: %v, want accepted %t", mode, err, want)
		}
	}
}

func TestInitIsDenied(t *testing.T) {
	for _, op := range []string{"DescribeTable", "CreateTable", "Scan", "DescribeContinuousBackups", "UpdateContinuousBackups", "UpdateItem"} {
		db := dynamotest.New()
		db.OnCall(func(c dynamotest.Call) dynamotest.Fault {
			if c.Operation == op {
				return dynamotest.Denied(c)
			}
			return good
		})
		if _, err := Init(t.Context(), db.Config(), tableName); err == nil || !strings.Contains(err.Error(), "not authorized to perform: dynamodb:"+op) {
			t.Errorf("Init without %s: %v, want the action", op, err)
		}
	}
}
