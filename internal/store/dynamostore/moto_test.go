package dynamostore

import (
	"flag"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/awssim/mototest"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// TestMoto is the second opinion: what holds with minidyn holds in a DynamoDB
// that somebody else has written. Where moto 5.2.1 is not DynamoDB:
//
//   - It looks at a condition and writes in two steps, and serves requests on
//     threads: eight racers give two winners. mototest sends it one at a time, so
//     what it says about races is about our retries and not about its locks.
//   - A call takes it 20 ms, so the model gets fewer histories.
func TestMoto(t *testing.T) {
	endpoint := mototest.Start(t)
	cfg := configOf(endpoint)
	cfg.HTTPClient = &http.Client{Transport: mototest.Transport(endpoint)}
	fewerHistories(t)
	var tables atomic.Int32
	open := func(t *testing.T, handles int) []store.Store {
		table := fmt.Sprintf("layerd-%d", tables.Add(1))
		if created, err := Init(t.Context(), cfg, table); err != nil || !created {
			t.Fatalf("Init = %t, %v", created, err)
		}
		var all []store.Store
		for range handles {
			s, err := Open(t.Context(), cfg, table, Options{CallTimeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		return all
	}
	t.Run("contract", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return open(t, 1)[0] })
	})
	t.Run("shared", func(t *testing.T) {
		storetest.Shared(t, func(t *testing.T) (store.Store, store.Store) {
			two := open(t, 2)
			return two[0], two[1]
		})
	})
}

func configOf(endpoint string) aws.Config {
	return aws.Config{
		Region: "ap-northeast-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("TEST", "secret", ""),
	}
}

// fewerHistories tells rapid, which has a flag and no option for it.
func fewerHistories(t *testing.T) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if err := checks.Value.Set("10"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checks.Value.Set(before) })
}
