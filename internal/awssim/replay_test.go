package awssim

import (
	"io"
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

// recorded are the recordings of a service's requests, by operation.
func recorded(t *testing.T, service string) map[string]*http.Request {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/"+service).Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "request_snapshot", "*.request.snap"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	out := map[string]*http.Request{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		line, rest, _ := strings.Cut(string(b), "\n")
		head, body, _ := strings.Cut(strings.TrimPrefix(rest, "\n"), "\n\n")
		method, target, _ := strings.Cut(line, " ")
		u, err := url.Parse(strings.TrimSpace(target))
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{Method: method, URL: u, Host: "bucket.s3.us-east-1.amazonaws.com", Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		for h := range strings.SplitSeq(head, "\n") {
			if name, value, ok := strings.Cut(h, ": "); ok {
				r.Header.Add(name, value)
			}
		}
		out[strings.TrimSuffix(filepath.Base(file), ".request.snap")] = r
	}
	return out
}

// What S3 can do and is not here is refused, and taken for nothing else.
func TestTheSDKsRecordedRequestsOfS3(t *testing.T) {
	ours := map[string]bool{}
	for _, op := range s3Operations() {
		ours[op.name] = true
	}
	for name, r := range recorded(t, "s3") {
		c := &call{w: New(Options{})}
		e := c.routeS3(r, nil)
		switch {
		case ours[name] && c.log.Operation != name:
			t.Errorf("%s is taken for %s", name, c.log.Operation)
		case ours[name] && !strings.HasPrefix(c.log.Resource, "bucket"):
			t.Errorf("%s names %q", name, c.log.Resource)
		case !ours[name] && (e == nil || e.status != http.StatusNotImplemented):
			t.Errorf("%s is taken for %s: %v", name, c.log.Operation, e)
		}
		delete(ours, name)
	}
	for name := range ours {
		t.Errorf("%s is not recorded", name)
	}
}

func TestTheSDKsRecordedRequestsOfSSM(t *testing.T) {
	known := 0
	for name, r := range recorded(t, "ssm") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		c := &call{w: New(Options{})}
		c.log.Operation = target(r)
		if c.log.Operation != name {
			t.Errorf("%s is taken for %s", name, c.log.Operation)
		}
		if e := c.routeSSM(body); e == nil {
			known++
		} else if e.status != http.StatusNotImplemented {
			t.Errorf("%s: %v", name, e)
		}
	}
	if known != 8 {
		t.Errorf("%d operations are known", known)
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
