package reconcile

import (
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// A version of which AWS has other content than layerd's stamp in its Description names is
// brought to no function, whatever the store knows of it; unless Git itself names the
// number, a function has it already, or nobody knows what it holds.
func TestOtherContentThanItsStampIsKeptAway(t *testing.T) {
	const stamp, content = "common v1.5.0 sha256:aaaa01234567 git:c0ffee1", "aaaa01234567"
	for name, c := range map[string]struct {
		description, content string
		edit                 func(*Input, *desired.LayerWish)
		kept                 bool
	}{
		"other content":    {stamp, "bbbb01234567", nil, true},
		"nearly the same":  {stamp, "aaaa01234568", nil, true},
		"without a commit": {"v1.5.0 sha256:aaaa01234567", "bbbb01234567", nil, true},
		"by its number":    {stamp, "bbbb01234567", func(_ *Input, w *desired.LayerWish) { w.Version = mustVersion("5") }, true},
		"by latest":        {stamp, "bbbb01234567", func(_ *Input, w *desired.LayerWish) { w.Version = mustVersion("latest") }, true},
		"by a pin": {stamp, "bbbb01234567", func(_ *Input, w *desired.LayerWish) {
			w.Version, w.Pins = mustVersion("1.3.0"), []desired.Pin{{Version: mustVersion("1.5.0"), Functions: []desired.Selector{{Name: "*"}}}}
		}, true},
		"what it is":               {stamp, content, nil, false},
		"not known":                {stamp, "", nil, false},
		"no stamp":                 {"common v1.5.0", "bbbb01234567", nil, false},
		"Git names the number":     {stamp, "bbbb01234567", func(_ *Input, w *desired.LayerWish) { w.Known = map[string]int64{"1.5.0": 5} }, false},
		"Git names another number": {stamp, "bbbb01234567", func(_ *Input, w *desired.LayerWish) { w.Known = map[string]int64{"1.3.0": 4} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := scene("1.5.0", 4, 4)
			in.Regions[0].Have.Layers[0].Versions[0].Description = c.description
			sum := ""
			if c.content != "" {
				sum = c.content + strings.Repeat("0", 52)
			}
			in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{common.Version(5): {Usable: true, SHA256: sum}}
			if c.edit != nil {
				c.edit(&in, &in.Regions[0].Want.Layers[0])
			}
			r := only(t, in)
			if c.kept != (len(r.Blocked) > 0 && strings.Contains(r.Blocked[0].Reason, "other content")) || c.kept == (len(r.Steps) > 0) {
				t.Errorf("blocked %+v, steps %+v, problems %+v", r.Blocked, r.Steps, r.Problems)
			}
		})
	}
	in := scene("1.5.0", 5, 5)
	in.Regions[0].Have.Layers[0].Versions[0].Description = stamp
	in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{common.Version(5): {Usable: true, SHA256: strings.Repeat("b", 64)}}
	if r := only(t, in); len(r.Blocked)+len(r.Steps) > 0 {
		t.Errorf("of functions that have it: blocked %+v, steps %+v", r.Blocked, r.Steps)
	}
}

// Nor is it shared with anybody whom it is not shared with yet, approved or not: those who
// have a layer from another account see nothing of it but its name.
func TestOtherContentThanItsStampIsNotShared(t *testing.T) {
	for _, approval := range []bool{false, true} {
		for sum, want := range map[string]int{"": 2, hashA: 2, hashB: 0} {
			in := sharedWhenPublished(partner, company)
			in.Regions[0].Want.ApprovalRequired = approval
			before := Decide(in)
			in.Approvals = []ruling.Approval{{Environment: "prod", Digest: before.Digest, By: "sato", At: noon, Scope: before.Lines, Begun: noon}}
			in = numbered(in, hashA)
			in.Published = published("common", "1.5.0", hashA)
			in.Regions[0].Have.Policies[common.Version(6)] = state.Policy{}
			if sum != "" {
				in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{common.Version(6): {Usable: true, SHA256: sum}}
			}
			r := only(t, in)
			granted, noted := 0, 0
			for _, s := range r.Steps {
				if s.Kind == plan.KindShare && s.To == common.Version(6) && s.Held == nil {
					granted++
				}
			}
			for _, n := range r.Notes {
				if n.Code == "other_content" {
					noted++
				}
			}
			if granted != want || (noted == 1) != (want == 0) {
				t.Errorf("approval %v, content %.4q: %d grants, want %d; notes %+v", approval, sum, granted, want, r.Notes)
			}
			if asks := slices.Contains(r.Needs.Probes, common.Version(6)); asks != (sum == "") {
				t.Errorf("content %.4q: asks %v", sum, asks)
			}
		}
	}
}
