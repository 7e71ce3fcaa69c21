package awslambda

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/state"
)

func TestObserveMapsWhatDecidingNeeds(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = page("Functions", []map[string]any{
		with(config("b", string(layerARN("z").Version(2)), "arn:aws:lambda:::awslayer:AmazonLinux1803"), "Architectures", []string{"arm64"}),
		with(config("a"), "Layers", []any{}),
		with(config("image"), "PackageType", "Image", "Runtime", nil),
		with(config("edge"), "MasterArn", functionARN("master")),
		config("us-east-1.replica"),
		config("layerd-probe-x"),
		with(config("managed"), "FunctionArn", functionARN("managed")+":$LATEST.PUBLISHED"),
	}, "")
	w.answer["ListLayerVersions"] = page("LayerVersions", []map[string]any{layerItem("z", 1), layerItem("z", 2)}, "")
	got := observe(t, w.client(t), state.Query{Layers: []state.LayerARN{layerARN("z")}})

	if age := time.Since(got.ObservedAt); age < 0 || age > time.Minute {
		t.Errorf("observed %v ago", age)
	}
	got.ObservedAt = time.Time{}
	fn := func(name string) state.Function {
		return state.Function{Name: name, ARN: functionARN(name), Runtime: "python3.12", Architecture: "x86_64", RevisionID: "rev-" + name, CodeSHA256: "sha-" + name}
	}
	b, image, edge, replica := fn("b"), fn("image"), fn("edge"), fn("us-east-1.replica")
	b.Architecture, b.Layers = "arm64", []state.LayerVersionARN{layerARN("z").Version(2), "arn:aws:lambda:::awslayer:AmazonLinux1803"}
	image.Image, image.Runtime = true, ""
	edge.Edge, replica.Edge = true, true
	created := time.Date(2026, 9, 15, 1, 3, 12, 0, time.UTC)
	want := state.Snapshot{
		Account: testAccount, Region: testRegion, Partition: "aws",
		Functions: []state.Function{fn("a"), b, edge, image, fn("managed"), replica},
		Temporary: []state.Function{fn("layerd-probe-x")},
		Layers: []state.Layer{{ARN: layerARN("z"), Versions: []state.LayerVersion{
			{Number: 2, Description: "build v1.0.2", Created: created, Runtimes: []string{"python3.12"}},
			{Number: 1, Description: "build v1.0.1", Created: created, Runtimes: []string{"python3.12"}},
		}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
}

// A no-op look costs exactly ceil(F/50) + Σceil(V/50), and one identity call
// per client.
func TestObserveCallCount(t *testing.T) {
	for _, c := range []struct{ functions, versions, want int }{
		{0, 0, 2}, {1, 1, 2}, {50, 50, 2}, {51, 50, 3}, {100, 101, 5}, {120, 49, 4},
	} {
		w := newWire()
		w.answer["ListFunctions"] = paged("Functions", functionPages(c.functions))
		w.answer["ListLayerVersions"] = paged("LayerVersions", versionPages("z", c.versions))
		cl := w.client(t)
		for round := range 2 {
			s := observe(t, cl, state.Query{Layers: []state.LayerARN{layerARN("z"), layerARN("z")}})
			if len(s.Functions) != c.functions || len(s.Layers[0].Versions) != c.versions {
				t.Fatalf("read %d functions, %d versions, want %d, %d", len(s.Functions), len(s.Layers[0].Versions), c.functions, c.versions)
			}
			if want := 1 + c.want*(round+1); w.total() != want {
				t.Errorf("%d functions, %d versions: %d calls after round %d, want %d", c.functions, c.versions, w.total(), round+1, want)
			}
		}
		if got := cl.Calls().Total(); got != w.total() {
			t.Errorf("Calls() counts %d, the wire saw %d", got, w.total())
		}
	}
}

func functionPages(n int) []map[string]any {
	var all []map[string]any
	for i := range n {
		all = append(all, config(fmt.Sprintf("f-%05d", i), string(layerARN("z").Version(1))))
	}
	return all
}

func versionPages(layer string, n int) []map[string]any {
	var all []map[string]any
	for i := n; i > 0; i-- {
		all = append(all, layerItem(layer, i))
	}
	return all
}

func TestEmptyPagesWithMarkersAreFollowed(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = inTurn(
		page("Functions", nil, "1"), page("Functions", []map[string]any{config("a")}, "2"),
		page("Functions", nil, "3"), page("Functions", []map[string]any{config("b")}, ""))
	if s := observe(t, w.client(t), state.Query{}); len(s.Functions) != 2 || w.count("ListFunctions") != 4 {
		t.Errorf("%d functions after %d pages", len(s.Functions), w.count("ListFunctions"))
	}
}

// A marker that comes back, at once or after others, would go round for ever.
func TestRepeatedMarkerIsAnError(t *testing.T) {
	a := []map[string]any{config("a")}
	for name, h := range map[string]handler{
		"at once": page("Functions", a, "1"),
		"later":   inTurn(page("Functions", a, "1"), page("Functions", a, "2"), page("Functions", a, "1"), page("Functions", a, "")),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire()
			w.answer["ListFunctions"] = h
			s, err := w.client(t).Observe(t.Context(), state.Query{})
			kindIs(t, err, state.Again)
			if s.Functions != nil {
				t.Error("part of a list was given")
			}
		})
	}
}

func TestEndlessMarkersEnd(t *testing.T) {
	n := 0
	err := sweep(t.Context(), "ListFunctions", "", func(context.Context, *string) (*string, error) {
		n++
		next := fmt.Sprint(n)
		return &next, nil
	})
	kindIs(t, err, state.Again)
	if n != mostPages {
		t.Errorf("%d pages, want %d", n, mostPages)
	}
}

// The function moved to a later page while we read: it comes twice, and the
// later reading counts.
func TestFunctionThatMovesBetweenPagesComesOnce(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = inTurn(
		page("Functions", []map[string]any{config("a"), config("b")}, "1"),
		page("Functions", []map[string]any{with(config("a"), "RevisionId", "newer"), config("c")}, ""))
	s := observe(t, w.client(t), state.Query{})
	if len(s.Functions) != 3 || s.Functions[0].RevisionID != "newer" {
		t.Errorf("got %+v", s.Functions)
	}
}

func TestOneFailedPageMeansNoSnapshot(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = inTurn(page("Functions", []map[string]any{config("a")}, "1"),
		always(func() *http.Response { return failure(403, "AccessDeniedException", "no") }))
	s, err := w.client(t).Observe(t.Context(), state.Query{})
	kindIs(t, err, state.Human)
	if diff := cmp.Diff(state.Snapshot{}, s); diff != "" {
		t.Errorf("a snapshot came with the error:\n%s", diff)
	}
}

// Listing the layers of others is their right; those are absent, not empty.
func TestForeignLayersAreNotListed(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = page("Functions", nil, "")
	w.answer["ListLayerVersions"] = page("LayerVersions", nil, "")
	foreign := []state.LayerARN{
		state.NewLayerARN("aws", testRegion, "464622532012", "z"),
		state.NewLayerARN("aws", "us-east-1", testAccount, "z"),
		state.NewLayerARN("aws-cn", testRegion, testAccount, "z"),
		"arn:aws:lambda:::awslayer:AmazonLinux1803",
	}
	s := observe(t, w.client(t), state.Query{Layers: append(foreign, layerARN("z"))})
	if len(s.Layers) != 1 || s.Layers[0].ARN != layerARN("z") || w.count("ListLayerVersions") != 1 {
		t.Errorf("layers %+v after %d calls", s.Layers, w.count("ListLayerVersions"))
	}
}

func TestUnknownLayerHasNoVersions(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = page("Functions", nil, "")
	w.answer["ListLayerVersions"] = always(func() *http.Response { return failure(404, "ResourceNotFoundException", "no such layer") })
	s := observe(t, w.client(t), state.Query{Layers: []state.LayerARN{layerARN("z")}})
	if l, ok := s.Layer(layerARN("z")); !ok || len(l.Versions) != 0 {
		t.Errorf("layer %+v, %v: want found and empty", l, ok)
	}
}

// A version whose age cannot be read would look like the oldest there is.
func TestUnreadableDateIsAnError(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = page("Functions", nil, "")
	w.answer["ListLayerVersions"] = page("LayerVersions", []map[string]any{with(layerItem("z", 1), "CreatedDate", "yesterday")}, "")
	_, err := w.client(t).Observe(t.Context(), state.Query{Layers: []state.LayerARN{layerARN("z")}})
	if e := kindIs(t, err, state.Human); !strings.Contains(e.Message, "yesterday") {
		t.Errorf("message %q does not show the date", e.Message)
	}
}

func TestTagsComeFromTheIndex(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = page("Functions", []map[string]any{config("a"), config("b"), config("never")}, "")
	var asked []map[string]any
	w.answer["GetResources"] = func(_ *http.Request, body string) (*http.Response, error) {
		var in map[string]any
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			return nil, err
		}
		asked = append(asked, in)
		switch in["PaginationToken"] {
		case nil, "":
			return reply(200, `{"PaginationToken":"t1","ResourceTagMappingList":[{"ResourceARN":"`+functionARN("a")+`","Tags":[{"Key":"team","Value":"platform"}]}]}`), nil
		case "t1": // short pages, and empty ones, may still carry a token
			return reply(200, `{"PaginationToken":"t2","ResourceTagMappingList":[]}`), nil
		}
		return reply(200, `{"PaginationToken":"","ResourceTagMappingList":[{"ResourceARN":"`+functionARN("b")+`","Tags":[]},{"ResourceARN":"`+functionARN("deleted")+`","Tags":[{"Key":"x","Value":""}]}]}`), nil
	}
	s := observe(t, w.client(t), state.Query{Tags: true})
	var got []map[string]string
	for _, f := range s.Functions {
		got = append(got, f.Tags)
	}
	want := []map[string]string{{"team": "platform"}, {}, {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if len(asked) != 3 || fmt.Sprint(asked[0]["ResourceTypeFilters"]) != "[lambda:function]" || fmt.Sprint(asked[0]["ResourcesPerPage"]) != "100" {
		t.Errorf("asked %v", asked)
	}
}

func TestRepeatedTagTokenIsAnError(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = page("Functions", nil, "")
	w.answer["GetResources"] = always(func() *http.Response {
		return reply(200, `{"PaginationToken":"same","ResourceTagMappingList":[]}`)
	})
	_, err := w.client(t).Observe(t.Context(), state.Query{Tags: true})
	kindIs(t, err, state.Again)
}

func TestTagsNotAskedForStayUnknown(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = page("Functions", []map[string]any{config("a")}, "")
	if s := observe(t, w.client(t), state.Query{}); s.Functions[0].Tags != nil || w.count("GetResources") != 0 {
		t.Errorf("tags %v after %d calls", s.Functions[0].Tags, w.count("GetResources"))
	}
}

func TestUnqualified(t *testing.T) {
	for in, want := range map[string]string{
		functionARN("f"):                        functionARN("f"),
		functionARN("f") + ":7":                 functionARN("f"),
		functionARN("f") + ":$LATEST":           functionARN("f"),
		functionARN("f") + ":$LATEST.PUBLISHED": functionARN("f"),
		"":                                      "",
	} {
		if got := unqualified(in); got != want {
			t.Errorf("unqualified(%q) = %q, want %q", in, got, want)
		}
	}
}

// BenchmarkObserve reads 5,000 functions with one layer each; the answers are
// built beforehand.
func BenchmarkObserve(b *testing.B) {
	const n = 5000
	bodies := map[string]string{}
	all := functionPages(n)
	for from := 0; from < n; from += 50 {
		next, marker := "", ""
		if from+50 < n {
			next = fmt.Sprintf("at-%d", from+50)
		}
		if from > 0 {
			marker = fmt.Sprintf("at-%d", from)
		}
		body, _ := json.Marshal(map[string]any{"Functions": all[from : from+50], "NextMarker": next})
		bodies[marker] = string(body)
	}
	w := newWire()
	w.answer["ListFunctions"] = func(r *http.Request, _ string) (*http.Response, error) {
		return reply(200, bodies[r.URL.Query().Get("Marker")]), nil
	}
	c := w.client(b, func(o *Options) { o.Limits, o.Logger = NewLimits(1e6, 1e6), nil })
	b.ReportAllocs()
	for b.Loop() {
		s, err := c.Observe(b.Context(), state.Query{})
		if err != nil || len(s.Functions) != n {
			b.Fatal(len(s.Functions), err)
		}
	}
}
