package inspect

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/state"
)

func refused(code string, kind state.Kind) error {
	return &state.Error{Op: "ListAliases", Resource: "f", Code: code, Kind: kind, Message: "words of AWS"}
}

func TestPermission(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     error
		verdict Verdict
		says    string
		fix     string
	}{
		{"done", nil, OK, "allowed", ""},
		{"denied", refused("AccessDeniedException", state.Human), Failed, "denied: words of AWS", "allow lambda:ListAliases on arn:f"},
		{"denied by sts", refused("AccessDenied", state.Human), Failed, "denied", "allow lambda:ListAliases on arn:f"},
		{"gone", refused("ResourceNotFoundException", state.Gone), Failed, "allowed, but it does not exist: f", "publish"},
		{"invalid", refused("ValidationException", state.Human), Failed, "refused: ListAliases f: ValidationException", "AWS says"},
		{"throttled", refused("TooManyRequestsException", state.Again), Unknown, "no answer", "try again"},
		{"lost", refused("", state.Unsure), Unknown, "no answer", "try again"},
		{"stopped", refused("", state.Stopped), Unknown, "no answer", "try again"},
		{"another account", &state.WrongAccountError{Want: "1", Have: "2"}, Unknown, "not tried", "above"},
		{"not ours", errors.New("odd"), Unknown, "not tried: odd", "above"},
	} {
		r := Permission("lambda:ListAliases", "arn:f", tt.err)
		if r.Verdict != tt.verdict || !strings.Contains(r.Reason, tt.says) || !strings.Contains(r.Fix, tt.fix) || (r.Fix == "") != (tt.verdict == OK) {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}

func TestReadable(t *testing.T) {
	const own, vendor = state.LayerVersionARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:common:7"), state.LayerVersionARN("arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog:98")
	denial := refused("AccessDeniedException", state.Human)
	if r := Readable(own, "123456789012", denial); r.Fix != "allow lambda:GetLayerVersion on "+string(own) {
		t.Errorf("own: %+v", r)
	}
	if r := Readable(vendor, "123456789012", denial); !strings.Contains(r.Fix, "not shared with this account") {
		t.Errorf("another account's: %+v", r)
	}
	if r := Readable(vendor, "123456789012", nil); r.Verdict != OK || !strings.Contains(r.Reason, string(vendor)) {
		t.Errorf("readable: %+v", r)
	}
}

func TestIdentity(t *testing.T) {
	const role, session = "arn:aws:iam::123456789012:role/path/layerd", "arn:aws:sts::123456789012:assumed-role/layerd/layerd-prod"
	for _, tt := range []struct {
		name, role, account, arn string
		err                      error
		verdict                  Verdict
		fix                      string
	}{
		{"a user", "", "123456789012", "arn:aws:iam::123456789012:user/sato", nil, OK, ""},
		{"a session of the role", role, "123456789012", session, nil, OK, ""},
		{"a session of another", role + "x", "123456789012", session, nil, Failed, "the environment's role"},
		{"no session", role, "123456789012", "arn:aws:iam::123456789012:user/layerd", nil, Failed, "the environment's role"},
		{"another account", "", "999999999999", "arn:aws:iam::999999999999:user/sato", nil, Failed, "credentials of that account"},
		{"not trusted", role, "", "", refused("AccessDenied", state.Human), Failed, "allow sts:AssumeRole on " + role},
		{"no credentials", "", "", "", refused("", state.Human), Failed, "aws sso login"},
		{"out of reach", "", "", "", refused("", state.Again), Unknown, "network"},
	} {
		r := Identity("123456789012", tt.role, tt.account, tt.arn, tt.err)
		if r.Verdict != tt.verdict || !strings.Contains(r.Fix, tt.fix) || (r.Fix == "") != (tt.verdict == OK) {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}

func TestClock(t *testing.T) {
	for _, tt := range []struct {
		skew    time.Duration
		known   bool
		verdict Verdict
		says    string
	}{
		{0, true, OK, "to 1s"}, {-29 * time.Second, true, OK, "to 29s"}, {mostSkew, true, OK, "to 30s"},
		{time.Hour, true, Failed, "1h0m0s ahead"}, {-31 * time.Second, true, Failed, "31s behind"}, {0, false, Unknown, "did not say"},
	} {
		if r := Clock(tt.skew, tt.known); r.Verdict != tt.verdict || !strings.Contains(r.Reason, tt.says) {
			t.Errorf("%s: %+v", tt.skew, r)
		}
	}
}

// Unknown is not healthy, and neither is nothing.
func TestHealthy(t *testing.T) {
	ok, no, unknown, unneeded := Result{Verdict: OK}, Result{Verdict: Failed}, Skipped("x", "y"), Unneeded("x", "y")
	for _, tt := range []struct {
		list []Result
		want bool
	}{
		{nil, false}, {[]Result{ok}, true}, {[]Result{ok, unneeded}, true}, {[]Result{unneeded}, false},
		{[]Result{ok, unknown}, false}, {[]Result{ok, no}, false}, {[]Result{ok, {}}, false},
	} {
		if got := Healthy(tt.list); got != tt.want {
			t.Errorf("%+v: %v", tt.list, got)
		}
	}
}

func TestWanted(t *testing.T) {
	if r := Wanted("common", "1.4.2", true, "s3://b/k"); r.Verdict != OK || r.Fix != "" {
		t.Errorf("%+v", r)
	}
	if r := Wanted("common", "1.4.2", false, "s3://b/k"); r.Verdict != OK || !strings.Contains(r.Reason, "s3://b/k") {
		t.Errorf("%+v", r)
	}
	if r := Wanted("common", "1.4.2", false, ""); r.Verdict != Failed || r.Fix == "" {
		t.Errorf("%+v", r)
	}
}
