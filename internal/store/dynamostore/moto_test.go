package dynamostore

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"sync"
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
//     threads: eight racers give two winners. oneByOne sends it one at a time, so
//     what it says about races is about our retries and not about its locks.
//   - A call takes it 20 ms, so the model gets fewer histories.
func TestMoto(t *testing.T) {
	cfg := configOf(mototest.Start(t))
	cfg.HTTPClient = &http.Client{Transport: &oneByOne{}}
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

// oneByOne is a transport for a server that cannot do two things at once.
type oneByOne struct{ mu sync.Mutex }

// RoundTrip reads the whole answer: it is there when the server is done.
func (o *oneByOne) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
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
