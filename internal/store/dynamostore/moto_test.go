package dynamostore

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

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
	if testing.Short() {
		t.Skip("starts a Python server")
	}
	if os.Getenv("CI") == "" {
		t.Skip("takes a minute or two: set CI=true to run it")
	}
	bin, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed: pip install 'moto[server]'")
	}
	cfg := configOf(startMoto(t, bin))
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

// startMoto runs moto on a free port of the loopback until the test is over.
func startMoto(t *testing.T, bin string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	cmd := exec.Command(bin, "-H", "127.0.0.1", "-p", port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it keeps nothing
		_ = cmd.Wait()
	})
	endpoint := "http://127.0.0.1:" + port
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := http.Get(endpoint + "/moto-api/data.json"); err == nil {
			resp.Body.Close()
			return endpoint
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("moto_server does not answer")
		}
	}
}
