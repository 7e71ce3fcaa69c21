package desired

import (
	"testing"

	"github.com/Masterminds/semver/v3"
)

// Where an archive is, by version: a file that was named for one is no other one's.
func TestSourceElsewhere(t *testing.T) {
	one, other := semver.MustParse("1.9.0"), semver.MustParse("1.9.5")
	for name, tt := range map[string]struct {
		source      *Source
		one, other  string
		hasOne, has bool
	}{
		"none":             {nil, "", "", false, false},
		"a location":       {&Source{Location: "s3://b/${VERSION}.zip"}, "s3://b/1.9.0.zip", "s3://b/1.9.5.zip", true, true},
		"a file and it":    {&Source{Location: "s3://b/${VERSION}.zip", Elsewhere: map[string]string{"1.9.5": "n.zip"}}, "s3://b/1.9.0.zip", "n.zip", true, true},
		"a file by itself": {&Source{Elsewhere: map[string]string{"1.9.5": "n.zip"}}, "", "n.zip", false, true},
	} {
		if tt.source.Has(one) != tt.hasOne || tt.source.Has(other) != tt.has {
			t.Errorf("%s: has %v, %v", name, tt.source.Has(one), tt.source.Has(other))
		}
		if w := (LayerWish{Source: tt.source}); tt.source != nil && (w.Artifact(one, "").Location != tt.one || w.Artifact(other, "").Location != tt.other) {
			t.Errorf("%s: %q, %q", name, w.Artifact(one, "").Location, w.Artifact(other, "").Location)
		}
	}
}
