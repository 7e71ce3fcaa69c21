package contract_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/awssim/contract"
	"github.com/layerd/layerd/internal/awssim/mototest"
)

// The suite is not a portrait of awssim: what can hold elsewhere holds in
// moto, and what does not is listed with the reason.
func TestMoto(t *testing.T) {
	endpoint := mototest.Start(t)
	cfg := config(endpoint, "test", http.DefaultClient)
	contract.Test(t, contract.Env{Config: cfg, Seeds: apiSeeds(t.Context(), cfg), NoCode: true, Role: motoRole(t, endpoint), Deviations: motoDeviations()})
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
