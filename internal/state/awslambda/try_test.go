package awslambda

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

// tryWorld has a function, two layers and what is attached.
func tryWorld() *awssim.World {
	w := simWorld()
	w.PutLayerVersion(awssim.LayerVersion{Name: "common"})
	w.PutFunction(awssim.Function{Name: "f", Layers: []string{w.LayerARN("common", 1)}, Tags: map[string]string{"a": "b"}})
	w.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: "$LATEST"})
	return w
}

// Trying to write changes nothing: not the function, not its revision, not its
// versions or aliases, not the layer, also while an update is in progress.
func TestTryingChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tryWorld()
		c := simClient(t, w)
		before, _ := w.Function("f")
		aliasBefore, _ := w.Alias("f", "live")
		for _, busy := range []bool{false, true} {
			if busy {
				w.EditFunction("f", func(f *awssim.Function) { f.Description = "new" })
				if _, err := c.SetLayers(t.Context(), "f", []state.LayerVersionARN{layerARN("common").Version(1)}, ""); err != nil {
					t.Fatal(err)
				}
				before, _ = w.Function("f")
			}
			if err := c.TryUpdate(t.Context(), "f"); err != nil {
				t.Errorf("busy %v: update: %v", busy, err)
			}
			if err := c.TryDelete(t.Context(), layerARN("common")); err != nil {
				t.Errorf("busy %v: delete: %v", busy, err)
			}
			if err := c.TryPublish(t.Context(), "f"); err != nil {
				t.Errorf("busy %v: publish: %v", busy, err)
			}
			if err := c.TryMove(t.Context(), live); err != nil {
				t.Errorf("busy %v: move: %v", busy, err)
			}
			if alias, _ := w.Alias("f", "live"); !cmp.Equal(aliasBefore, alias) {
				t.Errorf("busy %v: the alias is %+v", busy, alias)
			}
			if v, ok := w.Function("f:1"); ok {
				t.Errorf("busy %v: published %+v", busy, v)
			}
			after, _ := w.Function("f")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("busy %v: the function (-before +after):\n%s", busy, diff)
			}
			if n := len(w.LayerVersions("common")); n != 1 {
				t.Errorf("busy %v: %d versions are left", busy, n)
			}
		}
		<-time.After(time.Minute)
	})
}

// Each right that is missing is found by the attempt that needs it, and by no
// other.
func TestEachDenialIsFoundByItsAttempt(t *testing.T) {
	layer := layerARN("common")
	attempts := map[string]func(*testing.T, *Client) error{
		"ListFunctions":               func(t *testing.T, c *Client) error { _, err := c.Functions(t.Context()); return err },
		"ListLayerVersions":           func(t *testing.T, c *Client) error { _, err := c.Versions(t.Context(), layer); return err },
		"GetResources":                func(t *testing.T, c *Client) error { _, err := c.Tags(t.Context()); return err },
		"GetFunction":                 func(t *testing.T, c *Client) error { _, err := c.Function(t.Context(), "f"); return err },
		"GetLayerVersionByArn":        func(t *testing.T, c *Client) error { return c.Readable(t.Context(), layer.Version(1)) },
		"UpdateFunctionConfiguration": func(t *testing.T, c *Client) error { return c.TryUpdate(t.Context(), "f") },
		"DeleteLayerVersion":          func(t *testing.T, c *Client) error { return c.TryDelete(t.Context(), layer) },
		"GetAlias":                    func(t *testing.T, c *Client) error { _, err := c.Alias(t.Context(), live); return err },
		"PublishVersion":              func(t *testing.T, c *Client) error { return c.TryPublish(t.Context(), "f") },
		"UpdateAlias":                 func(t *testing.T, c *Client) error { return c.TryMove(t.Context(), live) },
		"ListAliases": func(t *testing.T, c *Client) error {
			return c.Look(t.Context(), &state.Snapshot{}, state.Needs{Aliases: []string{"f"}})
		},
		"GetLayerVersionPolicy": func(t *testing.T, c *Client) error {
			return c.Look(t.Context(), &state.Snapshot{}, state.Needs{Policies: []state.LayerVersionARN{layer.Version(1)}})
		},
	}
	for denied := range attempts {
		synctest.Test(t, func(t *testing.T) {
			w := tryWorld()
			w.OnCall(func(c awssim.Call) awssim.Fault {
				if c.Operation == denied {
					return awssim.Denied(c)
				}
				return awssim.Fault{}
			})
			c := simClient(t, w)
			for name, try := range attempts {
				if err := try(t, c); (err != nil) != (name == denied) {
					t.Errorf("%s is denied: %s gives %v", denied, name, err)
				}
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tryWorld()
		id, err := simClient(t, w, func(o *Options) { o.Account = "999999999999" }).Identity(t.Context())
		if err != nil || id.Account != testAccount || id.ARN == "" {
			t.Errorf("whoever we are is told, without a guard: %+v, %v", id, err)
		}
		const role = "arn:aws:iam::123456789012:role/layerd"
		if _, err := simClient(t, w, func(o *Options) { o.Role = role }).Identity(t.Context()); err == nil {
			t.Error("a role that cannot be assumed has an identity")
		}
		w.PutRole(awssim.Role{ARN: role})
		id, err = simClient(t, w, func(o *Options) { o.Role, o.SessionName = role, "layerd-prod" }).Identity(t.Context())
		if want := "arn:aws:sts::123456789012:assumed-role/layerd/layerd-prod"; err != nil || id.ARN != want {
			t.Errorf("got %+v, %v, want %s", id, err, want)
		}
	})
}

func TestVersionsOfAnotherAccountAreNotAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tryWorld()
		if _, err := simClient(t, w).Versions(t.Context(), "arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog"); err == nil {
			t.Error("its name was taken for our own layer's")
		}
		if n := w.Count("ListLayerVersions"); n != 0 {
			t.Errorf("%d calls", n)
		}
	})
}
