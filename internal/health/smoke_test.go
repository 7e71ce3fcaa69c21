package health

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

func TestSmoke(t *testing.T) {
	good := Answer{Status: 200, Payload: []byte(`{"ok":true}`), Log: "START\nall is well", ExecutedVersion: "8"}
	log := "START RequestId: 1\nusing \x1b[1;32mpassword\x1b[0m=\x1b[31mhunter2\a\nEND"
	for _, c := range []struct {
		name   string
		answer Answer
		err    error
		expect string
		want   Status
		says   string
		detail string
	}{
		{name: "passed", answer: good, want: Good, says: "smoke test of f:live (ran 8) passed"},
		{name: "expected", answer: good, expect: `{"ok":true}`, want: Good, says: "smoke test of f:live (ran 8) passed"},
		{name: "mismatch", answer: good, expect: `{"ok":false}`, want: Bad, says: "smoke test of f:live (ran 8): $.ok: want false, have true", detail: "START\nall is well"},
		{name: "any answer will do", answer: Answer{Status: 200, Payload: []byte("no json")}, want: Good, says: "smoke test of f:live passed"},
		{name: "expect null", answer: good, expect: `null`, want: Bad, says: `smoke test of f:live (ran 8): $: want null, have {"ok":true}`, detail: "START\nall is well"},
		{name: "status 202", answer: Answer{Status: 202}, want: Good, says: "smoke test of f:live passed"},
		{name: "status 199", answer: Answer{Status: 199}, want: Bad, says: "smoke test of f:live: status 199"},
		{name: "status 300", answer: Answer{Status: 300}, want: Bad, says: "smoke test of f:live: status 300"},
		{name: "no status", answer: Answer{}, want: Bad, says: "smoke test of f:live: status 0"},
		{name: "failed", answer: Answer{
			Status: 200, FunctionError: "Unhandled", Log: log,
			Payload: []byte(`{"errorMessage":"Unable to import\nmodule 'app', token=hunter2","errorType":"Runtime.ImportModuleError"}`),
		}, expect: `{}`, want: Bad, says: "smoke test of f:live: the function failed: Runtime.ImportModuleError: Unable to import module 'app', token=***", detail: "START RequestId: 1\nusing password=***\nEND"},
		{name: "failed without words", answer: Answer{Status: 200, FunctionError: "Handled", Payload: []byte(`"x"`)}, want: Bad, says: "smoke test of f:live: the function failed (Handled)"},
		{name: "failed without a type", answer: Answer{Status: 200, FunctionError: "Handled", Payload: []byte(`{"errorMessage":"no"}`)}, want: Bad, says: "smoke test of f:live: the function failed: no"},

		{name: "throttled", err: failed(state.Again, nil), want: Unknown, says: "smoke test of f:live: not known: ask: Invoke f: Code: password=***"},
		{name: "being updated", err: failed(state.LookAgain, nil), want: Unknown, says: "smoke test of f:live: not known: ask: Invoke f: Code: password=***"},
		{name: "lost", err: failed(state.Unsure, nil), want: Unknown, says: "smoke test of f:live: not known: ask: Invoke f: Code: password=***"},
		{name: "gone", err: failed(state.Gone, nil), want: Bad, says: "smoke test of f:live: there is no such function: ask: Invoke f: Code: password=***"},
		{name: "refused", err: failed(state.Human, nil), want: Bad, says: "smoke test of f:live: refused: ask: Invoke f: Code: password=***"},
		{name: "not ours", err: errPlain, want: Bad, says: "smoke test of f:live: refused: something else"},
		{name: "expired", err: &state.Error{Op: "Invoke", Code: "ExpiredTokenException"}, want: Unknown, says: "smoke test of f:live: not known: Invoke: ExpiredTokenException"},
		{name: "no credentials", err: &state.Error{Op: "Invoke", Message: "no AWS credentials found"}, want: Unknown, says: "smoke test of f:live: not known: Invoke: no AWS credentials found"},
		{name: "role refused", err: &state.Error{Op: "AssumeRole", Code: "AccessDenied"}, want: Unknown, says: "smoke test of f:live: not known: AssumeRole: AccessDenied"},
		{name: "another account", err: &state.WrongAccountError{Want: "1", Have: "2"}, want: Unknown, says: "smoke test of f:live: not known: credentials are for account 2, the environment names 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := &cloud{t: t, invoke: func(context.Context, Call) (Answer, error) { return c.answer, c.err }}
			test := desired.SmokeTest{Function: "f", Timeout: time.Second}
			if c.expect != "" {
				test.Expect = json.RawMessage(c.expect)
			}
			got := Smoke(t.Context(), src, test, "live")
			if want := (Finding{About: "f:live", Status: c.want, Code: CodeSmoke, Sentence: c.says, Detail: c.detail}); got != want {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestSmokeCallsWhatItIsAskedTo(t *testing.T) {
	for _, c := range []struct{ payload, own, given, wantPayload, want string }{
		{"", "", "", "{}", ""},
		{`{"a":1}`, "", "live", `{"a":1}`, "live"},
		{"null", "blue", "", "null", "blue"},
		{"", "blue", "9", "{}", "9"},
	} {
		var got Call
		src := &cloud{t: t, invoke: func(_ context.Context, call Call) (Answer, error) {
			got = call
			return Answer{Status: 200}, nil
		}}
		test := desired.SmokeTest{Function: "f", Qualifier: c.own, Timeout: time.Second}
		if c.payload != "" {
			test.Payload = json.RawMessage(c.payload)
		}
		Smoke(t.Context(), src, test, c.given)
		if got.Function != "f" || got.Qualifier != c.want || string(got.Payload) != c.wantPayload {
			t.Errorf("%+v: called %+v with %s", c, got, got.Payload)
		}
	}
}

// TestSmokeWaitsAsLongAsTheTestSays: who does not answer in time is bad, but
// not when it was we who stopped, nor when the call never went out.
func TestSmokeWaitsAsLongAsTheTestSays(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  state.Kind
		plain bool
		stop  time.Duration // when our own context ends; 0 = never
		want  Status
		after time.Duration
		says  string
	}{
		{name: "slow", kind: state.Unsure, want: Bad, after: 10 * time.Second, says: "no answer within 10s"},
		{name: "slow, by another name", kind: state.Stopped, want: Bad, after: 10 * time.Second, says: "no answer within 10s"},
		{name: "slow, no error of ours", plain: true, want: Bad, after: 10 * time.Second, says: "no answer within 10s"},
		{name: "never sent", kind: state.Again, want: Unknown, after: 10 * time.Second, says: "not known: ask: Invoke f: Code: password=***"},
		{name: "stopped", kind: state.Unsure, stop: 3 * time.Second, want: Unknown, after: 3 * time.Second, says: "stopped before it answered"},
		{name: "stopped, no error of ours", plain: true, stop: 3 * time.Second, want: Unknown, after: 3 * time.Second, says: "stopped before it answered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.stop > 0 {
					time.AfterFunc(c.stop, cancel)
				}
				src := &cloud{t: t, invoke: func(ctx context.Context, _ Call) (Answer, error) {
					<-ctx.Done()
					if c.plain {
						return Answer{}, fmt.Errorf("ask: %w", ctx.Err())
					}
					return Answer{}, failed(c.kind, ctx.Err())
				}}
				began := time.Now()
				f := Smoke(ctx, src, desired.SmokeTest{Function: "f", Timeout: 10 * time.Second}, "")
				if took := time.Since(began); f.Status != c.want || took != c.after || f.Sentence != "smoke test of f: "+c.says {
					t.Errorf("after %v: %+v", took, f)
				}
			})
		})
	}
}

// Lambda parts the fields of its own lines by tabs, and a tab is a control character
// wherever the log is shown.
func TestSmokeKeepsNoTabs(t *testing.T) {
	src := &cloud{t: t, invoke: func(context.Context, Call) (Answer, error) {
		return Answer{Status: 500, Log: "\tat app.py\nREPORT RequestId: 1\tDuration: 2 ms\t\n"}, nil
	}}
	f := Smoke(t.Context(), src, desired.SmokeTest{Function: "f", Timeout: time.Second}, "")
	if want := "at app.py\nREPORT RequestId: 1 Duration: 2 ms"; f.Detail != want {
		t.Errorf("got %q, want %q", f.Detail, want)
	}
}

func TestSmokeKeepsTheEndOfTheLog(t *testing.T) {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "line %d %s\n", i, strings.Repeat("x", 400))
	}
	log := b.String()
	log = log[len(log)-wholeLog:]
	src := &cloud{t: t, invoke: func(context.Context, Call) (Answer, error) { return Answer{Status: 500, Log: log}, nil }}
	f := Smoke(t.Context(), src, desired.SmokeTest{Function: "f", Timeout: time.Second}, "")
	lines := strings.Split(f.Detail, "\n")
	if !strings.HasPrefix(lines[0], "line 30 ") || !strings.HasPrefix(lines[len(lines)-1], "line 39 ") {
		t.Errorf("it goes from %.10q to %.10q", lines[0], lines[len(lines)-1])
	}
	for _, line := range lines {
		if len(line) > longestLine+len("…") {
			t.Errorf("a line of %d bytes", len(line))
		}
	}

	if got := logTail(strings.Repeat("a\n", 100)); strings.Count(got, "\n") != logLines-1 {
		t.Errorf("%d lines", strings.Count(got, "\n")+1)
	}
	// A token whose name fell off with the beginning of the log.
	if got := logTail("ken=" + strings.Repeat("hunter2", 600) + "\nend"); got != "end" {
		t.Errorf("kept %.40q", got)
	}
}
