package awssecrets

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
)

const (
	secretARN    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:layerd/git-AbCdEf"
	parameterARN = "arn:aws:ssm:eu-west-1:123456789012:parameter/layerd/slack"
)

// world is as much of the two services as matters here: it refuses what they
// refuse, in the words they use.
type world struct {
	mu       sync.Mutex
	calls    []string // service, Region and operation
	failures int      // answer this many calls with 500 first
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	service, rest, _ := strings.Cut(r.URL.Host, ".")
	region, _, _ := strings.Cut(rest, ".")
	w.calls = append(w.calls, service+" "+region+" "+r.Header.Get("X-Amz-Target"))
	refuse := func(status int, code, message string) (*http.Response, error) {
		return answer(r, status, map[string]string{"__type": code, "message": message})
	}
	if w.failures > 0 {
		w.failures--
		return refuse(500, "InternalServiceError", "try again")
	}
	if !strings.Contains(r.Header.Get("Authorization"), "/"+region+"/"+service+"/aws4_request") {
		return refuse(403, "InvalidSignatureException", "signed for another place")
	}
	var in struct {
		SecretId, Name string
		WithDecryption bool
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return refuse(400, "SerializationException", err.Error())
	}
	switch r.Header.Get("X-Amz-Target") {
	case "secretsmanager.GetSecretValue":
		switch {
		case region == "eu-west-1" && in.SecretId == secretARN, region == "ap-northeast-1" && in.SecretId == "layerd/git":
			return answer(r, 200, map[string]any{"ARN": secretARN, "SecretString": "hunter2"})
		case in.SecretId == "binary":
			return answer(r, 200, map[string]any{"SecretBinary": base64.StdEncoding.EncodeToString([]byte("hunter2"))})
		case in.SecretId == "denied":
			return refuse(400, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/layerd/task is not authorized to perform: secretsmanager:GetSecretValue on resource: denied because no identity-based policy allows the secretsmanager:GetSecretValue action")
		case in.SecretId == "marked":
			return refuse(400, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
		case in.SecretId == "mistyped":
			return refuse(400, "InvalidSignatureException", "The signature does not match.\n\nThe Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:session'")
		}
		return refuse(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	case "AmazonSSM.GetParameter":
		if region == "eu-west-1" && in.Name == parameterARN || region == "ap-northeast-1" && in.Name == "/layerd/slack" {
			if !in.WithDecryption {
				return answer(r, 200, map[string]any{"Parameter": map[string]string{"Value": "AQICAHh..."}})
			}
			return answer(r, 200, map[string]any{"Parameter": map[string]string{"Value": "hunter2"}})
		}
		return refuse(400, "ParameterNotFound", "")
	}
	return refuse(400, "UnknownOperationException", "")
}

func answer(r *http.Request, status int, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: io.NopCloser(strings.NewReader(string(data))), ContentLength: int64(len(data))}, nil
}

func (w *world) config() aws.Config {
	return aws.Config{Region: "ap-northeast-1", HTTPClient: &http.Client{Transport: w}, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "x", "")}
}

func TestLookups(t *testing.T) {
	w := &world{}
	for _, name := range []string{"layerd/git", secretARN, "binary"} {
		if got, err := Manager(w.config())(t.Context(), name); err != nil || got != "hunter2" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"/layerd/slack", parameterARN} {
		if got, err := Parameters(w.config())(t.Context(), name); err != nil || got != "hunter2" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	want := []string{"secretsmanager ap-northeast-1 secretsmanager.GetSecretValue", "secretsmanager eu-west-1 secretsmanager.GetSecretValue",
		"secretsmanager ap-northeast-1 secretsmanager.GetSecretValue", "ssm ap-northeast-1 AmazonSSM.GetParameter", "ssm eu-west-1 AmazonSSM.GetParameter"}
	if fmt.Sprint(w.calls) != fmt.Sprint(want) {
		t.Errorf("calls %q, want %q", w.calls, want)
	}
}

// What AWS refuses is told in its words, once, and asked once.
func TestRefusals(t *testing.T) {
	for name, want := range map[string]string{
		"denied": "AccessDeniedException", "marked": "InvalidRequestException", "other": "ResourceNotFoundException",
	} {
		w := &world{}
		_, err := Manager(w.config())(t.Context(), name)
		e, ok := errors.AsType[smithy.APIError](err)
		if !ok || e.ErrorCode() != want || !strings.Contains(err.Error(), want+": ") || len(w.calls) != 1 {
			t.Errorf("%s: %v after %d calls, want %s after one", name, err, len(w.calls), want)
		}
	}
	w := &world{}
	_, err := Parameters(w.config())(t.Context(), "/other")
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "ParameterNotFound" {
		t.Errorf("%v, want ParameterNotFound", err)
	}
}

// What AWS says of a signature that it refuses goes on with the session token.
func TestARefusedSignatureIsNotShown(t *testing.T) {
	_, err := Manager((&world{}).config())(t.Context(), "mistyped")
	if want := "GetSecretValue: api error InvalidSignatureException: The signature does not match."; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestAHiccupIsNoFailure(t *testing.T) {
	w := &world{failures: 1}
	if got, err := Manager(w.config())(t.Context(), "layerd/git"); err != nil || got != "hunter2" || len(w.calls) != 2 {
		t.Errorf("%q, %v after %d calls", got, err, len(w.calls))
	}
}
