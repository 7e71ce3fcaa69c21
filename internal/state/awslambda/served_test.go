package awslambda

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

var live = state.Qualified{Function: "f", Qualifier: "live"}

// wireSettings are those of config: python3.12 and a password.
var wireSettings = state.NewSettings(map[string]string{
	"runtime": "python3.12", "architectures": `["x86_64"]`, "environment": `{"PASSWORD":"` + planted + `"}`,
})

func TestServed(t *testing.T) {
	w := newWire()
	w.answer["GetFunction"] = func(r *http.Request, _ string) (*http.Response, error) {
		if q := r.URL.Query().Get("Qualifier"); q != "live" {
			return failure(404, "ResourceNotFoundException", "Function not found: "+q), nil
		}
		cfg := with(config("f", string(layerARN("z").Version(3)), string(layerARN("a").Version(1))),
			"Version", "7", "State", "Failed", "StateReason", "init crashed", "FunctionArn", functionARN("f")+":live")
		return jsonReply(map[string]any{"Configuration": cfg})(r, "")
	}
	c := w.client(t)
	got, err := c.Served(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	want := state.Served{
		Version: "7", Layers: []state.LayerVersionARN{layerARN("z").Version(3), layerARN("a").Version(1)},
		CodeSHA256: "sha-f", Settings: wireSettings, State: "Failed", Reason: "init crashed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("served (-want +got):\n%s", diff)
	}
	_, err = c.Served(t.Context(), state.Qualified{Function: "f", Qualifier: "9"})
	if e := kindIs(t, err, state.Gone); e.Resource != "f:9" {
		t.Errorf("resource %q", e.Resource)
	}
}

func TestManagedIsToldOfInstancesOnly(t *testing.T) {
	provider := map[string]any{"LambdaManagedInstancesCapacityProviderConfig": map[string]any{"CapacityProviderArn": "p"}}
	for _, managed := range []bool{false, true} {
		w := newWire()
		cfg := config("f")
		if managed {
			cfg["CapacityProviderConfig"] = provider
		}
		w.answer["GetFunction"] = jsonReply(map[string]any{"Configuration": cfg})
		if f, err := w.client(t).Function(t.Context(), "f"); err != nil || f.Managed != managed {
			t.Errorf("managed %v is told as %v, %v", managed, f.Managed, err)
		}
	}
}

// No version would be taken for "there is no such qualifier".
func TestServedWithoutVersion(t *testing.T) {
	w := newWire()
	w.answer["GetFunction"] = jsonReply(map[string]any{"Configuration": with(config("f"), "Version", nil)})
	_, err := w.client(t).Served(t.Context(), live)
	kindIs(t, err, state.Again)
}

// sent keeps the body of a request and answers with out.
func sent(body *map[string]any, status int, out map[string]any) handler {
	return func(_ *http.Request, b string) (*http.Response, error) {
		*body = nil
		if err := json.Unmarshal([]byte(b), body); err != nil {
			return nil, err
		}
		answer, _ := json.Marshal(out)
		return reply(status, string(answer), "X-Amzn-Requestid", "req-42"), nil
	}
}

func TestPublishSendsWhatItGuards(t *testing.T) {
	for name, c := range map[string]struct {
		qualifier, code, revision string
		want                      map[string]any
	}{
		"guarded":           {"", "sha", "r1", map[string]any{"CodeSha256": "sha", "RevisionId": "r1"}},
		"alias":             {"live", "", "r1", map[string]any{"RevisionId": "r1"}},
		"nothing to guard":  {"", "", "", map[string]any{}},
		"managed instances": {"$LATEST.PUBLISHED", "sha", "r1", map[string]any{"CodeSha256": "sha", "RevisionId": "r1", "PublishTo": "LATEST_PUBLISHED"}},
	} {
		w := newWire()
		var body map[string]any
		w.answer["PublishVersion"] = sent(&body, 201, with(config("f"), "Version", "8"))
		version, id, err := w.client(t).Publish(t.Context(), state.Qualified{Function: "f", Qualifier: c.qualifier}, c.code, c.revision)
		if err != nil || version != "8" || id != "req-42" {
			t.Errorf("%s: version %q, request %q, %v", name, version, id, err)
		}
		if diff := cmp.Diff(c.want, body); diff != "" {
			t.Errorf("%s: body (-want +got):\n%s", name, diff)
		}
	}
}

func TestPublishWithoutAnswer(t *testing.T) {
	w := newWire()
	w.answer["PublishVersion"] = always(func() *http.Response { return reply(201, "{}") })
	_, _, err := w.client(t).Publish(t.Context(), live, "", "")
	kindIs(t, err, state.Unsure)
}

// AWS says of other code in $LATEST what it says of a bad value.
func TestPublishOfOtherCodeIsForLookingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutFunction(awssim.Function{Name: "f"})
		c := simClient(t, w)
		f, err := c.Function(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		q := state.Qualified{Function: "f"}
		_, _, err = c.Publish(t.Context(), q, "b3RoZXI=", f.RevisionID)
		kindIs(t, err, state.LookAgain)
		_, _, err = c.Publish(t.Context(), q, f.CodeSHA256, never)
		kindIs(t, err, state.LookAgain)
		version, id, err := c.Publish(t.Context(), q, f.CodeSHA256, f.RevisionID)
		if err != nil || version != "1" || id == "" {
			t.Errorf("version %q, request %q, %v", version, id, err)
		}
		again, _, err := c.Publish(t.Context(), q, f.CodeSHA256, "")
		if err != nil || again != version {
			t.Errorf("nothing changed: version %q, %v", again, err)
		}
	})
	w := newWire()
	w.answer["PublishVersion"] = fails(400, "InvalidParameterValueException", "Description is too long")
	_, _, err := w.client(t).Publish(t.Context(), live, "sha", "r")
	kindIs(t, err, state.Human)
}

// $LATEST listed, $LATEST read and a version published from it are one; a
// change of any setting shows, one of the layers does not.
func TestSettingsAreTheSameHoweverTheyAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutLayerVersion(awssim.LayerVersion{Name: "z"})
		w.PutFunction(awssim.Function{
			Name: "f", Environment: map[string]string{"PASSWORD": planted, "A": "1"}, DeadLetterARN: "arn:aws:sqs:ap-northeast-1:123456789012:q",
		})
		version := w.PutVersion("f")
		c := simClient(t, w)
		read, err := c.Function(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		frozen, err := c.Served(t.Context(), state.Qualified{Function: "f", Qualifier: version})
		if err != nil {
			t.Fatal(err)
		}
		listed := observe(t, c, state.Query{Settings: true}).Functions[0]
		if read.Settings == "" || read.Settings != frozen.Settings || read.Settings != listed.Settings {
			t.Errorf("read    %s\nfrozen  %s\nlisted  %s", read.Settings, frozen.Settings, listed.Settings)
		}
		if f := observe(t, c, state.Query{}).Functions[0]; f.Settings != "" || f.CodeSize == 0 || f.CodeSize != read.CodeSize {
			t.Errorf("settings that nobody asked for, or no size: %+v", f)
		}
		w.EditFunction("f", func(f *awssim.Function) { f.Layers, f.Description = []string{w.LayerARN("z", 1)}, "new" })
		if f, err := c.Function(t.Context(), "f"); err != nil || f.Settings != frozen.Settings {
			t.Errorf("%v, a new layer differs in %v", err, f.Settings.Differ(frozen.Settings))
		}
		w.EditFunction("f", func(f *awssim.Function) { f.Environment["A"] = "2" })
		f, err := c.Function(t.Context(), "f")
		if diff := cmp.Diff([]string{"environment"}, f.Settings.Differ(frozen.Settings)); err != nil || diff != "" {
			t.Errorf("%v, differs (-want +got):\n%s", err, diff)
		}
	})
}

func stateHandler(status string, kv ...any) handler {
	return jsonReply(map[string]any{"Configuration": with(with(config("f"), "Version", "7", "State", status), kv...)})
}

func TestWaitActive(t *testing.T) {
	for name, c := range map[string]struct {
		answers []handler
		reads   int
		took    time.Duration
		state   string
		kind    state.Kind // with err
		err     string
	}{
		"at once":    {[]handler{stateHandler("Active")}, 1, 0, "Active", 0, ""},
		"not told":   {[]handler{stateHandler("")}, 1, 0, "", 0, ""},
		"snapshot":   {[]handler{stateHandler("Pending"), stateHandler("Pending"), stateHandler("Pending"), stateHandler("Active")}, 4, 2100 * time.Millisecond, "Active", 0, ""},
		"failed":     {[]handler{stateHandler("Pending"), stateHandler("Failed", "StateReason", "init crashed")}, 2, 300 * time.Millisecond, "Failed", 0, ""},
		"never ends": {[]handler{stateHandler("Pending")}, 185, 904300 * time.Millisecond, "Pending", state.Again, "still Pending after 15m0s"},
		"deleted":    {[]handler{stateHandler("Pending"), fails(404, "ResourceNotFoundException", "Function not found")}, 2, 300 * time.Millisecond, "", state.Gone, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				w.answer["GetFunction"] = inTurn(c.answers...)
				began := time.Now()
				s, err := w.client(t).WaitActive(t.Context(), state.Qualified{Function: "f", Qualifier: "7"})
				if took := time.Since(began); took != c.took || w.count("GetFunction") != c.reads || s.State != c.state {
					t.Errorf("took %v, %d reads, state %q; want %v, %d, %q", took, w.count("GetFunction"), s.State, c.took, c.reads, c.state)
				}
				if c.err == "" {
					if err != nil || s.Version != "7" || c.state == "Failed" && s.Reason != "init crashed" {
						t.Errorf("got %+v, %v", s, err)
					}
					return
				}
				if e := kindIs(t, err, c.kind); !strings.Contains(e.Message, c.err) {
					t.Errorf("message %q, want %q", e.Message, c.err)
				}
			})
		})
	}
}
