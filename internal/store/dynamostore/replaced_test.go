package dynamostore

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/dynamostore/dynamotest"
	"github.com/layerd/layerd/internal/store/storetest"
)

func deleteTable(t *testing.T, db *dynamotest.DB) {
	t.Helper()
	_, err := dynamodb.NewFromConfig(db.Config()).DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String(tableName)})
	if err != nil {
		t.Fatal(err)
	}
}

func TestContractReplaced(t *testing.T) {
	storetest.Replaced(t, func(t *testing.T) (s store.Replaceable, lose, mend func()) {
		db := fresh(t)
		return open(t, db), func() { deleteTable(t, db) }, func() {
			if _, err := Init(t.Context(), db.Config(), tableName); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestReplacedByAnother: a table of that name that layerd did not make is not
// opened in the place of ours.
func TestReplacedByAnother(t *testing.T) {
	db := fresh(t)
	s := open(t, db)
	deleteTable(t, db)
	if _, err := s.Create(t.Context(), "a", nil); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Create without a table: %v, want ErrReplaced", err)
	}
	makeTable(t, db, "pk", "sk")
	for range 2 {
		if err := s.Reopen(t.Context()); !errors.Is(err, store.ErrReplaced) || !errors.Is(err, errNotOurs) {
			t.Errorf("Reopen: %v, want ErrReplaced and whose it is", err)
		}
	}
	if _, err := s.Create(t.Context(), "a", nil); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Create in another's table: %v, want ErrReplaced", err)
	}
}
