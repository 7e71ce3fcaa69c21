package awslambda

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

// What is read of a function to examine it, and of its variables nothing but what was
// asked for.
func TestExamine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: "v1.4.2", Runtimes: []string{"python3.12"}, Architectures: []string{"arm64"}, Content: []byte("zip")})
		w.PutFunction(awssim.Function{Name: "f", Runtime: "python3.12", Layers: []string{w.LayerARN("common", 1)}, Tags: map[string]string{"a": "b"}, Code: []byte("code"),
			Environment: map[string]string{"LAYER_VERSION": "1", "PASSWORD": "hunter2", "LAYER_VERSION_B": "secret"}})
		w.PutVersion("f")
		w.EditFunction("f", func(f *awssim.Function) { f.Layers = nil })
		c := simClient(t, w)
		keep := func(name, value string) (string, bool) {
			return strings.TrimPrefix(value, "secret"), strings.HasPrefix(name, "LAYER_VERSION")
		}
		x, err := c.Examine(t.Context(), state.Qualified{Function: "f", Qualifier: "1"}, keep)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"LAYER_VERSION": "1", "LAYER_VERSION_B": ""}, x.Variables); diff != "" {
			t.Error(diff)
		}
		if x.Version != "1" || len(x.Layers) != 1 || x.Tags["a"] != "b" || x.Role == "" || x.State != state.StateActive {
			t.Errorf("%+v", x)
		}
		if got := fetched(t, w, x.Location); got != "code" {
			t.Errorf("its package is %q", got)
		}
		if x, err = c.Examine(t.Context(), state.Qualified{Function: "f"}, keep); err != nil || len(x.Layers) != 0 {
			t.Errorf("$LATEST: %+v, %v", x, err)
		}
		if _, err := c.Examine(t.Context(), state.Qualified{Function: "f", Qualifier: "live"}, keep); state.KindOf(err) != state.Gone {
			t.Errorf("no alias: %v", err)
		}
		p, refused, err := c.Describe(t.Context(), state.LayerVersionARN(w.LayerARN("common", 1)))
		if err != nil || refused != "" || p.Description != "v1.4.2" || p.Runtimes[0] != "python3.12" || p.Architectures[0] != "arm64" || p.Size != 3 || len(p.SHA256) != 64 {
			t.Errorf("%+v, %q, %v", p, refused, err)
		}
		if got := fetched(t, w, p.Location); got != "zip" {
			t.Errorf("the layer is %q", got)
		}
		if _, refused, err = c.Describe(t.Context(), layerARN("common").Version(9)); err != nil || !strings.Contains(refused, "ResourceNotFoundException") {
			t.Errorf("gone: %q, %v", refused, err)
		}
	})
}

func fetched(t *testing.T, w *awssim.World, location string) string {
	t.Helper()
	r, err := (&http.Client{Transport: w.Transport()}).Get(location)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	data, _ := io.ReadAll(r.Body)
	return string(data)
}
