package reconcile

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// notes returns the messages of a code.
func notes(t *testing.T, in Input, code string) []string {
	t.Helper()
	var list []string
	for _, n := range only(t, in).Notes {
		if n.Code == code {
			list = append(list, n.Message)
		}
	}
	return list
}

// What Git has taken back, or advises against, is named as long as a function has it;
// it stands in the way of nothing.
func TestWithdrawnVersionsAreNamed(t *testing.T) {
	yanked, deprecated := map[string]string{"1.2.0": "CVE-2026-1"}, map[string]string{"1.3.0": "use 1.4"}
	for _, tc := range []struct {
		name                      string
		version                   string
		have                      int64
		selected                  string
		served                    int64 // by the alias; 0 = there is none
		pin                       string
		wantYanked, wantDeprecate []string
		steps                     int
	}{
		{name: "a yanked one that runs", version: "1.4.0", have: 3, steps: 1, wantYanked: []string{"common 3 (1.2.0) was yanked (CVE-2026-1), and 1 function has it: f"}},
		{name: "also on a function that nothing selects", version: "1.4.0", have: 3, selected: "g", wantYanked: []string{"common 3 (1.2.0) was yanked (CVE-2026-1), and 1 function has it: f"}},
		{name: "also behind an alias only", version: "1.4.0", have: 5, served: 3, steps: 1, wantYanked: []string{"common 3 (1.2.0) was yanked (CVE-2026-1), and 1 function has it: f"}},
		{name: "not where nobody has it", version: "1.4.0", have: 5},
		{name: "a deprecated one that runs", version: "1.4.0", have: 4, steps: 1, wantDeprecate: []string{"common 4 (1.3.0) is deprecated (use 1.4), and 1 function has it: f"}},
		{name: "a deprecated one that Git asks for", version: "1.3.0", have: 5, steps: 1, wantDeprecate: []string{"common 4 (1.3.0) is deprecated (use 1.4), and Git asks for it"}},
		{name: "by its number too", version: "4", have: 5, steps: 1, wantDeprecate: []string{"common 4 (1.3.0) is deprecated (use 1.4), and Git asks for it"}},
		{name: "and by a range", version: "~1.3", have: 4, wantDeprecate: []string{"common 4 (1.3.0) is deprecated (use 1.4), and 1 function has it: f"}},
		{name: "a pin forces what was yanked", version: "1.4.0", have: 5, pin: "1.2.0", steps: 1},
		{name: "by its number too", version: "1.4.0", have: 5, pin: "3", steps: 1},
		{name: "and a pin keeps it", version: "1.4.0", have: 3, pin: "3", wantYanked: []string{"common 3 (1.2.0) was yanked (CVE-2026-1), and 1 function has it: f"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := scene(tc.version, tc.have, tc.have)
			want := &in.Regions[0].Want
			w := &want.Layers[0]
			w.Yanked, w.Deprecated = yanked, deprecated
			if tc.selected != "" {
				w.Functions = []desired.Selector{{Name: tc.selected}}
			}
			if tc.pin != "" {
				w.Pins = []desired.Pin{{Version: mustVersion(tc.pin), Functions: []desired.Selector{{Name: "f"}}}}
			}
			if tc.served > 0 {
				want.Alias = "live"
				in.Regions[0].Have.Served = map[state.Qualified]state.Served{{Function: "f", Qualifier: "live"}: {
					Version: "1", Layers: state.Layers{common.Version(tc.served)}, State: state.StateActive,
				}}
			}
			if diff := cmp.Diff(notes(t, in, "yanked_in_use"), tc.wantYanked); diff != "" {
				t.Errorf("yanked (-got +want):\n%s", diff)
			}
			if diff := cmp.Diff(notes(t, in, "deprecated_version"), tc.wantDeprecate); diff != "" {
				t.Errorf("deprecated (-got +want):\n%s", diff)
			}
			r := only(t, in)
			if len(r.Steps) != tc.steps || len(r.Problems) > 0 || len(r.Blocked) > 0 {
				t.Errorf("steps %v, problems %v, blocked %v, want %d steps", r.Steps, r.Problems, r.Blocked, tc.steps)
			}
			if tc.pin != "" && slices.ContainsFunc(r.Steps, func(s plan.Step) bool { return s.To.Number() != 3 }) {
				t.Errorf("steps are %v, want what the pin names", r.Steps)
			}
		})
	}
}
