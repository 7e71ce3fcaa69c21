package dynamostore

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/dynamostore/dynamotest"
	"github.com/layerd/layerd/internal/store/storetest"
)

const tableName = "layerd"

// fresh returns a DB with a table that Init has made.
func fresh(t *testing.T) *dynamotest.DB {
	t.Helper()
	db := dynamotest.New()
	if _, err := Init(t.Context(), db.Config(), tableName); err != nil {
		t.Fatal(err)
	}
	return db
}

func open(t *testing.T, db *dynamotest.DB) *Store {
	t.Helper()
	s, err := Open(t.Context(), db.Config(), tableName, Options{CallTimeout: time.Minute}) // a busy machine's pages take seconds
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func create(t *testing.T, s store.Store, key, data string) store.Revision {
	t.Helper()
	rev, err := s.Create(t.Context(), key, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, fresh(t)) })
}

func TestContractShared(t *testing.T) {
	storetest.Shared(t, func(t *testing.T) (store.Store, store.Store) {
		db := fresh(t)
		return open(t, db), open(t, db)
	})
}

// TestContractUnreliable has every other attempt go wrong: requests and answers
// are lost, or come too late, and the table is busy.
func TestContractUnreliable(t *testing.T) {
	storetest.Unreliable(t, func(t *testing.T) (bad, good store.Store) {
		db := fresh(t)
		good = open(t, db)
		cfg := db.ConfigWith(func(c dynamotest.Call) dynamotest.Fault {
			switch fate := rand.N(10); {
			case c.Key == metaKey: // Open
			case fate == 0:
				return dynamotest.Fault{Lose: true}
			case fate <= 2:
				return dynamotest.Fault{Lose: true, After: true}
			case fate == 3:
				return dynamotest.Fault{Hang: true, After: true}
			case fate == 4:
				return dynamotest.Throttled()
			}
			return dynamotest.Fault{}
		})
		bad, err := Open(t.Context(), cfg, tableName, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return bad, good
	})
}
