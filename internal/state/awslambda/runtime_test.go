package awslambda

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

// A function whose runtime's alias was deleted is told from one that is being
// updated, which is a 409 as well; restored, it is as it was.
func TestDeletedRuntimeAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const runtime = "arn:aws:lambda:" + testRegion + ":" + testAccount + ":runtime/r"
		w := simWorld()
		w.PutLayerVersion(awssim.LayerVersion{Name: "common"})
		w.PutFunction(awssim.Function{Name: "f", Runtime: "custom", RuntimeARN: runtime, RuntimeAlias: "live"})
		w.PutVersion("f")
		c := simClient(t, w)
		layers := []state.LayerVersionARN{layerARN("common").Version(1)}

		w.DropRuntimeAlias(runtime, "live")
		_, err := c.SetLayers(t.Context(), "f", layers, "")
		if e := kindIs(t, err, state.Human); !strings.Contains(e.Error(), "RuntimeAliasDeletedException") || !strings.Contains(e.Error(), "waiting does not help") {
			t.Errorf("%v", err)
		}

		w.RestoreRuntimeAlias(runtime, "live")
		if _, err = c.SetLayers(t.Context(), "f", layers, ""); err != nil {
			t.Fatal(err)
		}
		_, err = c.SetLayers(t.Context(), "f", nil, "")
		kindIs(t, err, state.LookAgain)
	})
}

// $LATEST that was moved to another alias of its runtime is not what a version
// serves.
func TestRuntimeAliasIsCompared(t *testing.T) {
	w := simWorld()
	w.PutFunction(awssim.Function{Name: "f", Runtime: "custom", RuntimeARN: "arn:aws:lambda:us-east-1:123456789012:runtime/r", RuntimeAlias: "live"})
	number := w.PutVersion("f")
	c := simClient(t, w)
	of := func(qualifier string) state.Settings {
		t.Helper()
		s, err := c.Served(t.Context(), state.Qualified{Function: "f", Qualifier: qualifier})
		if err != nil {
			t.Fatal(err)
		}
		return s.Settings
	}
	if differ := of("$LATEST").Differ(of(number)); differ != nil {
		t.Errorf("published: differs in %v", differ)
	}
	w.EditFunction("f", func(f *awssim.Function) { f.RuntimeAlias = "next" })
	if got := fmt.Sprint(of("$LATEST").Differ(of(number))); got != "[runtime_config]" {
		t.Errorf("moved: differs in %s", got)
	}
}
