package desired

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// E2: layers with an artifact are announced; the environment overrides that, and the
// layer in it the environment.
func TestE2WhichLayersAreAnnounced(t *testing.T) {
	for _, c := range []struct {
		artifact         bool
		env, layer, want string
	}{
		{artifact: true, want: "true"},
		{artifact: false, want: "false"},
		{artifact: true, env: "false", want: "false"},
		{artifact: false, env: "true", want: "true"},
		{artifact: true, env: "false", layer: "true", want: "true"},
		{artifact: false, env: "true", layer: "false", want: "false"},
		{artifact: true, layer: "false", want: "false"},
	} {
		env, layer, file := "account: '123456789012'\nregion: eu-west-1\n", "", "name: a\nmetadata: {team: platform, rank: 1.10, on: true, at: \"${REGION}/${NAME}\", version: \"v${VERSION}\"}\n"
		if c.env != "" {
			env += "parameters: " + c.env + "\n"
		}
		if c.layer != "" {
			layer = ", parameters: " + c.layer
		}
		if c.artifact {
			file += "artifact: a.zip\n"
		}
		tree := Load(fstest.MapFS{
			"environments/dev.yaml": {Data: []byte(env + "layers: {a: {version: 1.0.0, functions: [x]" + layer + "}}\n")},
			"layers/a/layer.yaml":   {Data: []byte(file)},
		}, Options{Now: time.Now()})
		if len(tree.Environments) != 1 {
			t.Fatal(tree.Problems)
		}
		w := tree.Environments[0].Layers[0]
		if fmt.Sprint(w.Parameters) != c.want {
			t.Errorf("%+v: %v", c, w.Parameters)
		}
		want := map[string]string{"team": "platform", "rank": "1.10", "on": "true", "at": "eu-west-1/a", "version": "v1.4.2"}
		if c.want == "false" {
			want = nil
		}
		if diff := cmp.Diff(want, w.Tags("1.4.2")); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c, diff)
		}
	}
}

// E2: what AWS would refuse as a tag is a warning, and left out.
func TestE2WhatCannotBeATagIsAWarning(t *testing.T) {
	for _, c := range []struct{ key, value, says string }{
		{"team", "platform", ""},
		{"チーム", "基盤 1", ""},
		{"a b", "x_y.z:1/2=3+4-5@6", ""},
		{"empty", "", ""},
		{strings.Repeat("あ", 128), strings.Repeat("い", 256), ""},
		{strings.Repeat("あ", 129), "x", "1 to 128 characters"},
		{"k", strings.Repeat("い", 257), "at most 256 characters"},
		{"aws:team", "x", "AWS's own"},
		{"AWS:team", "x", "AWS's own"},
		{"a;b", "x", "letters, digits"},
		{"k", "a,b", "letters, digits"},
		{"k", "a\\nb", "letters, digits"},
		{"k", "<b>", "letters, digits"},
	} {
		tree := Load(fstest.MapFS{
			"environments/dev.yaml": {Data: []byte("account: '123456789012'\nregions: [eu-west-1, eu-west-3]\nlayers: {a: {version: 1.0.0, functions: [x]}}\n")},
			"layers/a/layer.yaml":   {Data: fmt.Appendf(nil, "name: a\nartifact: a.zip\nmetadata: {\"%s\": \"%s\"}\n", c.key, c.value)},
		}, Options{Now: time.Now()})
		if len(tree.Environments) != 2 {
			t.Fatal(tree.Problems)
		}
		var said []Problem
		for _, p := range tree.Problems {
			if p.Code == "bad_tag" {
				said = append(said, p)
			}
		}
		tagged := len(tree.Environments[0].Layers[0].Metadata) == 1
		switch {
		case c.says == "" && (len(said) > 0 || !tagged):
			t.Errorf("%q: %q: %+v, tagged %v", c.key, c.value, said, tagged)
		case c.says != "" && (len(said) != 1 || said[0].Severity != Warning || !strings.Contains(said[0].Message, c.says) || tagged || said[0].File != "layers/a/layer.yaml"):
			t.Errorf("%q: %q: %+v, tagged %v", c.key, c.value, said, tagged)
		}
	}
}

// E2: parameters take 50 tags.
func TestE2ParametersTake50Tags(t *testing.T) {
	var pairs []string
	for i := range 52 {
		pairs = append(pairs, fmt.Sprintf("k%02d: v", i))
	}
	tree := Load(fstest.MapFS{
		"environments/dev.yaml": {Data: []byte("account: '123456789012'\nregion: eu-west-1\nlayers: {a: {version: 1.0.0, functions: [x]}}\n")},
		"layers/a/layer.yaml":   {Data: []byte("name: a\nartifact: a.zip\nmetadata: {" + strings.Join(pairs, ", ") + "}\n")},
	}, Options{Now: time.Now()})
	if len(tree.Environments) != 1 || len(tree.Problems) != 2 || len(tree.Environments[0].Layers[0].Metadata) != 50 {
		t.Fatal(tree.Problems, tree.Environments)
	}
}
