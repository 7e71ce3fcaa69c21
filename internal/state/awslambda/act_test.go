package awslambda

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/state"
)

func TestFunctionIsFresh(t *testing.T) {
	w := newWire()
	w.answer["GetFunction"] = jsonReply(map[string]any{
		"Configuration": with(config("f", string(layerARN("z").Version(3))), "State", "Active", "LastUpdateStatus", "InProgress", "CodeSize", 4711,
			"LastUpdateStatusReason", "The function is being created.", "LastUpdateStatusReasonCode", "Creating"),
		"Tags": map[string]string{"team": "platform"},
	})
	got, err := w.client(t).Function(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	want := state.Function{
		Name: "f", ARN: functionARN("f"), Runtime: "python3.12", Architecture: "x86_64", RevisionID: "rev-f", CodeSHA256: "sha-f",
		Layers: []state.LayerVersionARN{layerARN("z").Version(3)}, Tags: map[string]string{"team": "platform"},
		State: "Active", LastUpdateStatus: "InProgress", StatusReason: "The function is being created.",
		CodeSize: 4711, Settings: wireSettings,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("function (-want +got):\n%s", diff)
	}
}

// No tags are known to be none; refused tags are unknown.
func TestFunctionTags(t *testing.T) {
	for name, c := range map[string]struct {
		out  map[string]any
		want map[string]string
	}{
		"none":    {map[string]any{"Configuration": config("f")}, map[string]string{}},
		"refused": {map[string]any{"Configuration": config("f"), "TagsError": map[string]any{"ErrorCode": "AccessDeniedException", "Message": "no"}}, nil},
	} {
		w := newWire()
		w.answer["GetFunction"] = jsonReply(c.out)
		f, err := w.client(t).Function(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, f.Tags); diff != "" {
			t.Errorf("%s: tags (-want +got):\n%s", name, diff)
		}
	}
}

func TestFunctionWithoutConfiguration(t *testing.T) {
	w := newWire()
	w.answer["GetFunction"] = jsonReply(map[string]any{})
	_, err := w.client(t).Function(t.Context(), "f")
	kindIs(t, err, state.Again)
}

// Two fields and no more: what else is sent would be changed, too.
func TestSetLayersSendsTheListAndTheRevision(t *testing.T) {
	for name, c := range map[string]struct {
		layers   []state.LayerVersionARN
		revision string
		want     map[string]any
	}{
		"two, in order": {[]state.LayerVersionARN{"z:2", "a:1"}, "r1", map[string]any{"Layers": []any{"z:2", "a:1"}, "RevisionId": "r1"}},
		"none is []":    {nil, "r1", map[string]any{"Layers": []any{}, "RevisionId": "r1"}},
		"no revision":   {nil, "", map[string]any{"Layers": []any{}}},
	} {
		w := newWire()
		var sent map[string]any
		w.answer["UpdateFunctionConfiguration"] = func(_ *http.Request, body string) (*http.Response, error) {
			if err := json.Unmarshal([]byte(body), &sent); err != nil {
				return nil, err
			}
			b, _ := json.Marshal(config("f"))
			return reply(200, string(b), "X-Amzn-Requestid", "req-42"), nil
		}
		id, err := w.client(t).SetLayers(t.Context(), "f", c.layers, c.revision)
		if err != nil || id != "req-42" {
			t.Errorf("%s: %q, %v", name, id, err)
		}
		if diff := cmp.Diff(c.want, sent); diff != "" {
			t.Errorf("%s: body (-want +got):\n%s", name, diff)
		}
	}
}

// A write that AWS throttled was not done, and is sent again unchanged.
func TestThrottledWriteIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		var bodies []string
		throttle := func(_ *http.Request, body string) (*http.Response, error) {
			bodies = append(bodies, body)
			return failure(429, "TooManyRequestsException", ""), nil
		}
		w.answer["UpdateFunctionConfiguration"] = inTurn(throttle, throttle, func(_ *http.Request, body string) (*http.Response, error) {
			bodies = append(bodies, body)
			return reply(200, "{}"), nil
		})
		if _, err := w.client(t).SetLayers(t.Context(), "f", nil, "r1"); err != nil {
			t.Fatal(err)
		}
		if len(bodies) != 3 || bodies[0] != bodies[2] || !strings.Contains(bodies[0], "r1") {
			t.Errorf("sent %q", bodies)
		}
	})
}

func statusHandler(status string, kv ...any) handler {
	return jsonReply(map[string]any{"Configuration": with(with(config("f"), "State", "Active", "LastUpdateStatus", status), kv...)})
}

func TestWaitUpdated(t *testing.T) {
	for name, c := range map[string]struct {
		answers []handler
		reads   int
		took    time.Duration
		kind    state.Kind // with err
		err     string
	}{
		"at once":    {[]handler{statusHandler("Successful")}, 1, 300 * time.Millisecond, 0, ""},
		"typical":    {[]handler{statusHandler("InProgress"), statusHandler("InProgress"), statusHandler("Successful")}, 3, 2100 * time.Millisecond, 0, ""},
		"not told":   {[]handler{statusHandler("")}, 1, 300 * time.Millisecond, 0, ""},
		"created":    {[]handler{statusHandler("Successful", "State", "Pending"), statusHandler("Successful")}, 2, 900 * time.Millisecond, 0, ""},
		"failed":     {[]handler{statusHandler("InProgress"), statusHandler("Failed", "LastUpdateStatusReason", "no ENI left")}, 2, 900 * time.Millisecond, state.Human, "update failed: no ENI left"},
		"never ends": {[]handler{statusHandler("InProgress")}, 103, 301500 * time.Millisecond, state.Again, "still in progress"},
		"deleted":    {[]handler{statusHandler("InProgress"), fails(404, "ResourceNotFoundException", "Function not found")}, 2, 900 * time.Millisecond, state.Gone, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				w.answer["GetFunction"] = inTurn(c.answers...)
				began := time.Now()
				f, err := w.client(t).WaitUpdated(t.Context(), "f")
				if took := time.Since(began); took != c.took || w.count("GetFunction") != c.reads {
					t.Errorf("took %v and %d reads, want %v and %d", took, w.count("GetFunction"), c.took, c.reads)
				}
				if c.err == "" {
					if err != nil || f.RevisionID != "rev-f" {
						t.Errorf("got %+v, %v", f, err)
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

func TestDeleteLayerVersion(t *testing.T) {
	w := newWire()
	var path string
	w.answer["DeleteLayerVersion"] = func(r *http.Request, _ string) (*http.Response, error) {
		path = r.URL.Path
		return reply(204, ""), nil
	}
	c := w.client(t)
	id, err := c.DeleteLayerVersion(t.Context(), layerARN("z").Version(7))
	if err != nil || id != "req-1" || path != "/2018-10-31/layers/"+string(layerARN("z"))+"/versions/7" {
		t.Errorf("%q, %v, path %q", id, err, path)
	}
	// Another account's is refused before anything is asked.
	for _, v := range []state.LayerVersionARN{
		state.NewLayerARN("aws", testRegion, "464622532012", "z").Version(7),
		state.NewLayerARN("aws", "us-east-1", testAccount, "z").Version(7),
		state.LayerVersionARN(layerARN("z")), "z:7", "",
	} {
		_, err := c.DeleteLayerVersion(t.Context(), v)
		kindIs(t, err, state.Human)
	}
	if n := w.count("DeleteLayerVersion"); n != 1 {
		t.Errorf("%d deletes were sent, want 1", n)
	}
}

func TestLostDeleteIsUnsure(t *testing.T) {
	w := newWire()
	w.answer["DeleteLayerVersion"] = always(func() *http.Response { return reply(503, "") })
	_, err := w.client(t).DeleteLayerVersion(t.Context(), layerARN("z").Version(7))
	kindIs(t, err, state.Unsure)
}
