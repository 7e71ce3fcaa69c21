package contract_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/awssim/contract"
)

// The suite is not a portrait of awssim: what can hold elsewhere holds in
// moto, and what does not is listed with the reason.
func TestMoto(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Python server")
	}
	bin, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed")
	}
	endpoint := startMoto(t, bin)
	contract.Test(t, contract.Env{Config: config(endpoint, "test", http.DefaultClient), Role: motoRole(t, endpoint), Deviations: motoDeviations()})
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

// motoRole makes an execution role: moto wants it to exist.
func motoRole(t *testing.T, endpoint string) string {
	t.Helper()
	form := url.Values{"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {"function"},
		"AssumeRolePolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusConflict {
		t.Fatal(fmt.Errorf("create role: %s: %s", resp.Status, body))
	}
	return "arn:aws:iam::123456789012:role/function"
}
