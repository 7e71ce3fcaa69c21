package cloudwatch

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
)

// TestSmokeOnTheWire calls functions of the simulated AWS, which runs what the
// test plays and answers as Lambda does.
func TestSmokeOnTheWire(t *testing.T) {
	ok := awssim.Result{Payload: []byte(`{"statusCode":200,"body":"{\"ok\":true}"}`)}
	for _, c := range []struct {
		name      string
		function  string
		qualifier string
		result    awssim.Result
		want      health.Status
		says      string
		log       string
	}{
		{"well", "f", "", ok, health.Good, "smoke test of f passed", ""},
		{"through an alias", "f", "live", ok, health.Good, "smoke test of f:live (ran 1) passed", ""},
		{"by version", "f", "1", ok, health.Good, "smoke test of f:1 passed", ""},
		{"not ok", "f", "", awssim.Result{Payload: []byte(`{"body":"{\"ok\":false}"}`)}, health.Bad, "smoke test of f: $.body.ok: want true, have false", ""},
		{
			"failed", "f", "",
			awssim.Result{FunctionError: "Unhandled", Log: "password=hunter2", Payload: []byte(`{"errorType":"Runtime.ImportModuleError","errorMessage":"no module makoto"}`)},
			health.Bad, "smoke test of f: the function failed: Runtime.ImportModuleError: no module makoto", "password=***",
		},
		{"slow", "f", "", awssim.Result{Took: time.Minute}, health.Bad, "smoke test of f: no answer within 10s", ""},
		{"throttled", "f", "", awssim.Result{Throttled: true}, health.Unknown, "smoke test of f: not known: Invoke f: TooManyRequestsException: Rate Exceeded.", ""},
		{"gone", "g", "", ok, health.Bad, "smoke test of g: there is no such function: Invoke g: ResourceNotFoundException: ", ""},
		{"no such alias", "f", "blue", ok, health.Bad, "smoke test of f:blue: there is no such function: Invoke f: ResourceNotFoundException: ", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				w.world.PutFunction(awssim.Function{Name: "f", Runtime: "python3.12", Timeout: 300})
				w.world.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: w.world.PutVersion("f")})
				w.world.OnInvoke(func(awssim.Invocation) awssim.Result { return c.result })
				test := desired.SmokeTest{Function: c.function, Expect: json.RawMessage(`{"body":{"ok":true}}`), Timeout: 10 * time.Second}
				f := health.Smoke(t.Context(), w.client(t), test, c.qualifier)
				if f.Status != c.want || !strings.HasPrefix(f.Sentence, c.says) || !strings.Contains(f.Detail, c.log) || strings.Contains(f.Detail, "hunter2") {
					t.Errorf("got %+v", f)
				}
			})
		})
	}
}
