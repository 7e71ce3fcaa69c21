package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

// However the file of an environment is written: the pin takes nothing away, all bytes of
// before are still there in their order, and the function is left alone from then on.
func TestAdoptOverSpellings(t *testing.T) {
	const head = "account: \"123456789012\" # é\nregion: ap-northeast-1\n"
	const pin = "{layer: common, functions: [b], version: 1.1.0, owner: x}"
	files := map[string]string{
		"block":           head + "layers:\n  common:\n    version: 1.2.0 # bump me\n    functions: ['*']\n",
		"flow layer":      head + "layers: {common: {version: 1.2.0, functions: ['*']}}",
		"quoted":          head + "layers:\n  \"common\":\n    \"version\": 'v1.2.0'\n    functions:\n    - \"*\"\n",
		"number":          head + "layers:\n  common: {version: 3, functions: ['*']}\n\n\n# the end",
		"all flow":        "{account: \"123456789012\", region: ap-northeast-1, layers: {common: {version: 1.2.0, functions: ['*']}}}\n",
		"pins":            head + "pins:\n  # b is slow\n  - layer: common\n    functions: [b]\n    version: 1.1.0\nlayers: {common: {version: 1.2.0, functions: ['*']}}\n",
		"pins flush":      head + "pins: # some\n- layer: common\n  functions: [b]\n  version: 1.1.0\nlayers: {common: {version: 1.2.0, functions: ['*']}}\n",
		"pins in flow":    head + "pins: [" + pin + "]\nlayers: {common: {version: 1.2.0, functions: ['*']}}\n",
		"no pins":         head + "pins: []\nlayers: {common: {version: 1.2.0, functions: ['*']}}\n",
		"pinned already":  head + "pins:\n  - {layer: common, functions: [a*], version: 1.2.0}\nlayers: {common: {version: 1.1.0, functions: ['*']}}\n",
		"pinned by layer": head + "layers:\n  common:\n    version: 1.1.0\n    functions: ['*']\n    pins:\n      - functions: [b]\n        version: 1.2.0\n      - functions: [a]\n        version: 1.2.0\n",
		"layer in flow":   head + "layers: {common: {version: 1.1.0, functions: ['*'], pins: [{functions: [a], version: 1.2.0}]}}\n",
	}
	for name, text := range files {
		for _, end := range []string{"\n", "\r\n"} {
			t.Run(fmt.Sprintf("%s %q", name, end), func(t *testing.T) {
				checkAdoption(t, strings.ReplaceAll(text, "\n", end))
			})
		}
	}
}

func checkAdoption(t *testing.T, text string) {
	const file = "environments/prod.yaml"
	repo := fstest.MapFS{file: {Data: []byte(text)}, "layers/common/layer.yaml": {Data: []byte("name: common\n")}}
	a := &app{}
	a.now = func() time.Time { return testNow }
	want := func() desired.Tree {
		tree := desired.Load(repo, desired.Options{Now: testNow})
		if len(tree.Problems) > 0 || len(tree.Environments) != 1 {
			t.Fatalf("%v\n%s", tree.Problems, repo[file].Data)
		}
		return tree
	}
	before := want()
	env := before.Environments[0]
	layer := env.Layers[0].Layer
	have := state.Snapshot{Account: env.Account, Region: env.Region, Partition: "aws", Layers: []state.Layer{{ARN: layer}}}
	for n := int64(3); n >= 1; n-- {
		have.Layers[0].Versions = append(have.Layers[0].Versions, state.LayerVersion{Number: n, Description: fmt.Sprintf("v1.%d.0", n-1)})
	}
	f := state.Function{Name: "a", ARN: "arn:aws:lambda:ap-northeast-1:123456789012:function:a", Runtime: "python3.12", Architecture: "x86_64", RevisionID: "r", Layers: state.Layers{layer.Version(1)}}
	have.Functions = []state.Function{f}
	x := &adopting{adoptFlags: adoptFlags{env: "prod", owner: "sato: # x", reason: "it's \"slow\", {really}", until: "2099-01-01 18:00"}, function: "a", file: file,
		src: source{files: repo, tree: before}, worlds: []inspect.AdoptWorld{{Want: env, Function: f, Have: &have}}}
	pins, err := inspect.Adopt(x.worlds)
	if err != nil || len(pins) != 1 || pins[0].Version != "1.0.0" {
		t.Fatalf("%+v, %v", pins, err)
	}
	now, err := x.edit(pins)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.checkAdopted(t.Context(), x, pins, now); err != nil {
		t.Fatalf("%v\n%s", err, now)
	}
	if !inserted([]byte(text), now) || strings.Contains(text, "\r\n") && bytes.Count(now, []byte("\n")) != bytes.Count(now, []byte("\r\n")) {
		t.Fatalf("more than an insertion:\n%s\n%s", text, now)
	}
	repo[file].Data = now
	after := want()
	if plan := reconcile.Decide(reconcile.Input{Now: testNow, Regions: []reconcile.Region{{Want: after.Environments[0], Have: &have}}}); len(plan.Regions[0].Steps) > 0 || len(plan.Regions[0].Problems) > 0 {
		t.Fatalf("%+v %v\n%s", plan.Regions[0].Steps, plan.Regions[0].Problems, now)
	}
	w := after.Environments[0].Layers[0]
	if _, p := w.Wants(f); p.Reason != x.reason || p.Owner != x.owner || p.Until.IsZero() {
		t.Fatalf("%+v", p)
	}
	x.src.tree, x.worlds[0].Want = after, after.Environments[0]
	if _, err := inspect.Adopt(x.worlds); err == nil {
		t.Fatal("it may be adopted twice")
	}
}

// inserted reports whether now is was with one text put in somewhere.
func inserted(was, now []byte) bool {
	i := 0
	for i < len(was) && i < len(now) && was[i] == now[i] {
		i++
	}
	return len(now) > len(was) && bytes.HasSuffix(now, was[i:])
}
