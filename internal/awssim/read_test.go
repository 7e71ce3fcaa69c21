package awssim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/awssim"
)

// What stands between learns what is asked for, and sends it on as it came; the World has
// done nothing and remembers nothing.
func TestRead(t *testing.T) {
	const lambda, ssm = "https://lambda.eu-west-1.amazonaws.com", "https://ssm.eu-west-1.amazonaws.com"
	for _, tt := range []struct {
		method, url, target, signed, body string
		service, operation, resource      string
		write                             bool
	}{
		{"GET", lambda + "/2015-03-31/functions", "", "lambda", "", "lambda", "ListFunctions", "", false},
		{"POST", lambda + "/2018-10-31/layers/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Alayer%3Acommon/versions", "", "lambda", `{"Content":{}}`, "lambda", "PublishLayerVersion", "common", true},
		{"POST", lambda + "/2018-10-31/layers/common/versions/7/policy", "", "lambda", `{"StatementId":"a"}`, "lambda", "AddLayerVersionPermission", "common:7", true},
		{"GET", "https://b.s3.eu-west-1.amazonaws.com/k.zip", "", "s3", "", "s3", "GetObject", "b/k.zip", false},
		{"POST", ssm, "AmazonSSM.PutParameter", "ssm", `{"Name":"/a"}`, "ssm", "PutParameter", "/a", true},
		{"POST", ssm, "DynamoDB_20120810.GetItem", "dynamodb", `{}`, "dynamodb", "GetItem", "", false},
	} {
		w := awssim.New(awssim.Options{Account: "123456789012"})
		r, err := http.NewRequestWithContext(t.Context(), tt.method, tt.url, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/"+tt.signed+"/aws4_request, SignedHeaders=host, Signature=0")
		if tt.target != "" {
			r.Header.Set("X-Amz-Target", tt.target)
		}
		call, again, err := w.Read(r)
		if err != nil {
			t.Fatal(err)
		}
		if call.Service != tt.service || call.Operation != tt.operation || call.Resource != tt.resource || call.Write != tt.write {
			t.Errorf("%s %s: %s %s of %q, writes %v", tt.method, tt.url, call.Service, call.Operation, call.Resource, call.Write)
		}
		if body, err := io.ReadAll(again.Body); string(body) != tt.body || err != nil || again.URL.String() != tt.url {
			t.Errorf("%s %s: sent on with %q, %v", again.Method, again.URL, body, err)
		}
		if n := len(w.Calls()); n != 0 {
			t.Errorf("%s: %d calls are remembered", tt.url, n)
		}
	}
}
