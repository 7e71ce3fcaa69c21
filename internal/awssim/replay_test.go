package awssim

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The SDK carries a recording of the request of every operation. Each one of
// ours is recognised, and everything in the path and query arrives.
func TestTheSDKsRecordedRequests(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/lambda").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range lambdaOperations() {
		t.Run(op.name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "request_snapshot", op.name+".request.snap"))
			if err != nil {
				t.Fatal(err)
			}
			head, body, _ := strings.Cut(string(b), "\n")
			_, body, _ = strings.Cut(body, "\n\n") // headers, then a blank line
			if i := strings.Index(body, "{"); i >= 0 {
				body = body[i:]
			} else {
				body = ""
			}
			method, target, _ := strings.Cut(head, " ")
			u, err := url.Parse(strings.TrimSpace(target))
			if err != nil {
				t.Fatal(err)
			}
			c := &call{w: New(Options{})}
			if e := c.routeLambda(&http.Request{Method: method, URL: u}, []byte(body)); e != nil {
				t.Fatalf("%s %s: %v", method, u, e)
			}
			if c.log.Operation != op.name {
				t.Errorf("taken for %s", c.log.Operation)
			}
			for _, part := range strings.Split(u.Path, "/") {
				if strings.HasPrefix(part, "__") && !strings.Contains(c.log.Resource, part) {
					t.Errorf("%s is not in the resource %q", part, c.log.Resource)
				}
			}
		})
	}
}

func TestRoutesDoNotOverlap(t *testing.T) {
	seen := map[string]string{}
	for _, op := range lambdaOperations() {
		key := op.method + " " + strings.Join(op.path, "/") + "?" + op.query.Encode()
		if other, twice := seen[key]; twice {
			t.Errorf("%s and %s are both %s", op.name, other, key)
		}
		seen[key] = op.name
	}
}
