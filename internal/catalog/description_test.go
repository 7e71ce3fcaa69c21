package catalog

import (
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/desired"
)

const title = "MAKOTO共通ライブラリ"

func wish() desired.LayerWish {
	return desired.LayerWish{Name: "makoto-common", Layer: "arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod", Title: title}
}

// V3: a version counts where it leads, and nowhere else.
func TestV3WhereAVersionLeads(t *testing.T) {
	for _, tt := range []struct{ description, own, inside string }{
		{"v1.4.2", "1.4.2", ""},
		{"  v1.4.2 adds pandas v9.0.0", "1.4.2", ""},
		{"[v1.4.2] adds pandas v9.0.0", "1.4.2", ""},
		{"(v1.4.2)", "1.4.2", ""},
		{"「v1.4.2」を公開", "1.4.2", ""},
		{"v1.4.2: adds pandas v9.0.0", "1.4.2", ""},
		{"v1.4.2、pandas v9.0.0", "1.4.2", ""},
		{"v1.4.2,v9.0.0", "1.4.2", ""},
		{"makoto-common v1.4.2", "1.4.2", ""},
		{"makoto-common-prod v1.4.2", "1.4.2", ""},
		{"makoto-common: v1.4.2", "1.4.2", ""},
		{"makoto-common (v1.4.2)", "1.4.2", ""},
		{"makoto-common - v1.4.2", "1.4.2", ""},
		{"Makoto Common v1.4.2", "1.4.2", ""},
		{title + " v1.4.2", "1.4.2", ""},
		{title + "（v1.4.2）pandas v9.0.0", "1.4.2", ""},
		{title + "：v1.4.2", "1.4.2", ""},
		{title + "　v1.4.2", "1.4.2", ""},
		{"makoto-common " + title + " v1.4.2", "1.4.2", ""},
		{"v1.4.2-rc.1+build.5 x", "1.4.2-rc.1+build.5", ""},
		{"v2024.1.2", "2024.1.2", ""},
		{"v0.0.0", "0.0.0", ""},

		{"adds pandas v9.0.0", "", "9.0.0"},
		{"makoto-common adds pandas v9.0.0", "", "9.0.0"},
		{title + " pandas v9.0.0 を追加", "", "9.0.0"},
		{title + "に v9.0.0 の pandas", "", "9.0.0"}, // the title ends where no word does
		{title + "v9.0.0", "", "9.0.0"},
		{"makoto-common-dev v1.4.2", "", "1.4.2"}, // another environment's
		{"makoto-commonv1.4.2", "", ""},           // no word of its own
		{"libv1.0.0", "", ""},
		{"pandas-v9.0.0", "", "9.0.0"},
		{"pandas==9.0.0", "", ""},
		{"1.4.2", "", ""},
		{"V1.4.2", "", ""},
		{"v1.4", "", ""},
		{"v1.4.2.3", "", ""},
		{"v1.04.2", "", ""},
		{"v2024.01.02", "", ""},
		{"2024.1.2 v9.0.0", "", "9.0.0"},
		{"built again, v1.4.1.", "", "1.4.1"},
		{title + " - prod環境", "", ""},
		{"", "", ""},
		{title, "", ""},

		{"adds pandas v9.0.0 v1.4.2 sha256:0123456789ab git:0123abc", "1.4.2", ""},
		{"v9.0.0 v1.4.2 sha256:0123456789ab git:0123abc", "1.4.2", ""},
		{"v1.4.2 sha256:0123456789ab git:0123abc", "1.4.2", ""},
		{"x v1.4.2 sha256:0123456789ab git:0123abc and more", "", "1.4.2"}, // not at the end
	} {
		own, inside := versionIn(tt.description, titles(wish()))
		if text(own) != tt.own || text(inside) != tt.inside {
			t.Errorf("%q: own %q, inside %q, want %q and %q", tt.description, text(own), text(inside), tt.own, tt.inside)
		}
	}
}

func TestV3ATitleMayEndInABracket(t *testing.T) {
	w := wish()
	for _, w.Title = range []string{"lib (", "lib", "「lib」", "lib - "} {
		if own, _ := versionIn("lib (v1.4.2) of pandas v9.0.0", titles(w)); text(own) != "1.4.2" {
			t.Errorf("after %q: %s", w.Title, text(own))
		}
	}
}

// text is "" for none.
func text(v *semver.Version) string {
	if v == nil {
		return ""
	}
	return v.String()
}

// Whatever word that is no title comes first, what follows is not the layer's
// version, unless it is a stamp.
func TestV3AWordBeforeAVersionTakesItAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z共通]{1,8}`).Draw(t, "word")
		version := rapid.StringMatching(`(0|[1-9][0-9]?)\.(0|[1-9])\.(0|[1-9])(-rc\.[1-9])?`).Draw(t, "version")
		if own, _ := versionIn(word+" v"+version, titles(wish())); own != nil {
			t.Errorf("%s v%s is taken for %s", word, version, own)
		}
		for _, lead := range []string{"", "makoto-common ", title + " ", "[", title + "："} {
			if own, _ := versionIn(lead+"v"+version+" "+word, titles(wish())); text(own) != version {
				t.Errorf("%sv%s %s is taken for %s", lead, version, word, text(own))
			}
		}
	})
}

// V3: what is not taken is named, wherever nothing else was found.
func TestV3WhatIsNotTakenIsNamed(t *testing.T) {
	descriptions := []string{"makoto-common v1.4.1", "v1.4.2", "adds pandas v9.0.0"}
	for _, tt := range []struct {
		name, ask string
		known     map[string]int64
		live      []string
		want      int64
		says      string // in the note, or in the problem
	}{
		{"latest passes it over", "latest", nil, descriptions, 2, "version 3 names v9.0.0"},
		{"so does a range", ">=1", nil, descriptions, 2, "version 3 names v9.0.0"},
		{"a number is what it is", "3", nil, descriptions, 3, "version 3 names v9.0.0"},
		{"an exact one that is found", "1.4.2", nil, descriptions, 2, ""},
		{"an exact one that is not", "9.0.0", nil, descriptions, 0, "3 (names v9.0.0, but does not begin with it"},
		{"a range that it would match", "^9", nil, descriptions, 0, "3 (names v9.0.0"},
		{"known settles it", "latest", map[string]int64{"1.5.0": 3}, descriptions, 3, ""},
		{"even as what it says", "9.0.0", map[string]int64{"9.0.0": 3}, descriptions, 3, ""},
		{"latest of none with a version", "latest", nil, []string{"adds numpy v1.0.0", "adds pandas v9.0.0"}, 2, "version 2 names v9.0.0"},
		{"latest, and it is an old one", "latest", nil, []string{"adds pandas v9.0.0", "v1.4.2"}, 2, ""},
		{"nothing to name", "latest", nil, []string{"", "x"}, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := wish()
			w.Layer, w.Known = common, tt.known
			v, err := desired.ParseVersion(tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			r := New(w, live(tt.live...), nil).Resolve(v, desired.Position{})
			said := r.NotTaken
			if r.Problem != nil {
				said = r.Problem.Suggestion
			}
			if r.Number != tt.want || (said == "") != (tt.says == "" && tt.want > 0) || !strings.Contains(said, tt.says) {
				t.Errorf("number %d, said %q, want %d and %q", r.Number, said, tt.want, tt.says)
			}
		})
	}
}
