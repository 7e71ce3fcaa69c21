package reconcile

import (
	"testing"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// O4: a layer without any live version names the one that is live and was meant.
func TestO4AMissingLayerNamesTheOneThatIsThere(t *testing.T) {
	const foreign = "arn:aws:lambda:ap-northeast-1:999999999999:layer:"
	for _, tc := range []struct {
		name       string
		env, layer string // whose layer is called so
		attached   map[string][]string
		want       string
	}{
		{"the environment's name", "dev", "common", map[string][]string{"f": {"common-dev"}}, "there is common-dev: set layer_name: ${NAME}-${ENVIRONMENT}"},
		{"of two the one that its functions have", "dev", "common", map[string][]string{"f": {"common-dev"}, "g": {"common-prod"}, "h": {"common-prod"}},
			"there is common-dev: set layer_name: ${NAME}-${ENVIRONMENT}"},
		{"another environment's is still a hint", "dev", "common", map[string][]string{"g": {"common-prod"}}, "there is common-prod: set layer_name"},
		{"a renamed file", "stage", "common-stage", map[string][]string{"f": {"common-staging"}}, "there is common-staging: correct layer_name"},
		{"turned round, other letters", "dev", "common", map[string][]string{"f": {"Dev_Common"}}, "there is Dev_Common: set layer_name"},
		{"a slip", "dev", "comon", map[string][]string{"f": {"common"}}, "there is common: correct layer_name"},
		{"nothing alike", "dev", "common", map[string][]string{"f": {"pandas"}}, "publish it, or correct the layer's name"},
		{"of another account", "dev", "common", map[string][]string{"f": {foreign + "common-dev"}}, "publish it, or correct the layer's name"},
		{"nothing at all", "dev", "common", nil, "publish it, or correct the layer's name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := scene("1.4.0", 0, unknown)
			r := &in.Regions[0]
			r.Want.Name = tc.env
			layer := state.NewLayerARN("aws", tokyo, account, tc.layer)
			r.Want.Layers[0].Layer = layer
			r.Want.Layers[0].Functions = []desired.Selector{{Name: "f"}}
			r.Have.Layers = []state.Layer{{ARN: layer}}
			r.Have.Functions = nil
			for _, f := range []string{"f", "g", "h"} {
				fn := state.Function{Name: f, Runtime: "python3.12", Architecture: "x86_64"}
				for _, name := range tc.attached[f] {
					arn := state.NewLayerARN("aws", tokyo, account, name)
					if len(name) > len(foreign) {
						arn = state.LayerARN(name)
					}
					fn.Layers = append(fn.Layers, arn.Version(3))
				}
				r.Have.Functions = append(r.Have.Functions, fn)
			}
			got := only(t, in)
			if len(got.Problems) != 1 || got.Problems[0].Code != "version_not_found" || got.Problems[0].Suggestion != tc.want {
				t.Errorf("problems %+v, want the suggestion %q", got.Problems, tc.want)
			}
		})
	}
}

// What is wrong with an archive that is there is not answered with the name of a layer.
func TestAnArchiveKeepsItsOwnSuggestion(t *testing.T) {
	for _, code := range []string{"artifact_changed", "artifact_denied", "artifact_invalid", "artifact_missing"} {
		in := withArtifact("1.5.0", 4, 4, nil)
		know(&in, 0, "1.5.0", &state.Content{Code: code, Message: "m", Suggestion: "its own"})
		r := &in.Regions[0]
		r.Have.Layers = []state.Layer{{ARN: r.Want.Layers[0].Layer}}
		for i := range r.Have.Functions {
			r.Have.Functions[i].Layers = []state.LayerVersionARN{arnOf("common-dev").Version(3)}
		}
		want := "its own"
		if code == "artifact_missing" {
			want = "there is common-dev: set layer_name"
		}
		if got := only(t, in).Problems; len(got) != 1 || got[0].Suggestion != want {
			t.Errorf("%s: %+v", code, got)
		}
	}
}
