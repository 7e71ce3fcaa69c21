package rollout

import (
	"slices"
	"testing"

	"github.com/layerd/layerd/internal/state"
)

func TestIntroduced(t *testing.T) {
	common := state.NewLayerARN("aws", "eu-west-1", "123456789012", "common")
	ml := state.NewLayerARN("aws", "eu-west-1", "123456789012", "ml")
	ro := Rollout{Targets: []Target{{Layer: common, Number: 5}, {Layer: ml, Number: 2}}}
	list := func(v ...state.LayerVersionARN) []state.LayerVersionARN { return v }
	for _, tc := range []struct {
		name          string
		before, after []state.LayerVersionARN
		want          []state.LayerARN
	}{
		{"one layer of two", list(common.Version(4), ml.Version(2)), list(common.Version(5), ml.Version(2)), []state.LayerARN{common}},
		{"both", nil, list(common.Version(5), ml.Version(2)), []state.LayerARN{common, ml}},
		{"what an earlier one brought is not of this one", list(common.Version(4)), list(common.Version(3)), nil},
		{"nothing", list(common.Version(5)), list(common.Version(5)), nil},
	} {
		var got []state.LayerARN
		for _, t := range ro.Introduced([]Changed{{Function: "f", Before: tc.before, After: tc.after}}) {
			got = append(got, t.Layer)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}
