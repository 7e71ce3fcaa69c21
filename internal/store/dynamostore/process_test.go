package dynamostore

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"

	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// TestMain is also the entry of the processes that the tests here start: the
// test binary again, with what to do in the environment.
func TestMain(m *testing.M) {
	endpoint := os.Getenv("STORE_ENDPOINT")
	if endpoint == "" {
		goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
		return
	}
	s, err := Open(context.Background(), configOf(endpoint), tableName, Options{})
	if err == nil {
		err = storetest.WriteUntilKilled(s, os.Getenv("STORE_NAME"))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// TestKilled: processes that share a table over the loopback, and are killed
// while they write it.
func TestKilled(t *testing.T) {
	nightly.Only(t, "ten processes; what a kill leaves is the server's in any case")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	db := fresh(t)
	server := httptest.NewServer(db)
	defer server.Close()
	storetest.Killed(t, func(name string) *exec.Cmd {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), "STORE_ENDPOINT="+server.URL, "STORE_NAME="+name)
		return cmd
	}, func() store.Store { return open(t, db) })
}
