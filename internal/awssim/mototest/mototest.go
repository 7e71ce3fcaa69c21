// Package mototest starts moto, the emulator of AWS that others have written,
// for tests that want a second opinion.
//
//	endpoint := mototest.Start(t)   // skips the test but at night
//	client := &http.Client{Transport: mototest.Transport(endpoint)}
//
// moto is wrong about much of Lambda (internal/awssim/contract says where); what
// it agrees with is a second pair of eyes, and never the truth.
package mototest

import (
	"context"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/nightly"
)

// Start runs moto_server on a free port of the loopback until the test is over,
// and returns its URL. It is a slow Python program: second opinions are for the
// night.
func Start(t *testing.T) string {
	t.Helper()
	nightly.Only(t, "a second opinion from a Python server")
	bin := nightly.Program(t, "moto_server", "pip install 'moto[server]'")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "-H", "127.0.0.1", "-p", port)
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
		if answers(ctx, endpoint+"/moto-api/data.json") {
			return endpoint
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("moto_server does not answer")
		}
	}
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil
}
