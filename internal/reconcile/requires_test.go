package reconcile

import (
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// A function gets only what its own tag requires, whatever the reason of the change; and
// a tag that nobody can read lets nothing through.
func TestWhatAFunctionRequires(t *testing.T) {
	for _, tc := range []struct {
		name, tag, version string
		have, past         int64
		blocked            string // "" = it gets the version
	}{
		{"satisfied", "common 1.2", "1.4.0", 3, 3, ""},
		{"by the guide's rule", "common 2.0", "1.4.0", 3, 3, "its tag layerd:requires asks for common 2.0, which 1.4.0 is not"},
		{"a range", "common ^1.2", "1.4.0", 3, 3, ""},
		{"a range that it is not in", "common ~1.2", "1.4.0", 3, 3, "asks for common ~1.2, which 1.4.0 is not"},
		{"one of several", "other 9, common 1.2", "1.4.0", 3, 3, ""},
		{"of another layer", "other 9", "1.4.0", 3, 3, ""},
		{"a lower one in Git", "common 1.3", "1.2.0", 4, 4, "which 1.2.0 is not"},
		{"a heal", "common 1.4", "1.3.0", 3, 4, "which 1.3.0 is not"},
		{"a new function", "common 1.4", "1.3.0", 0, unknown, "which 1.3.0 is not"},
		{"by its number", "common 1.4", "4", 3, 3, "which 1.3.0 is not"},
		{"detached", "common 1.4", "none", 4, 4, "and it would lose the layer"},
		{"a tag that cannot be read", "common", "1.4.0", 3, 3, `its tag layerd:requires, "common", cannot be read: "common" has no version behind it`},
		{"an empty one", "", "1.4.0", 3, 3, "cannot be read: it is empty"},
		{"what it has already", "common 2.0", "1.3.0", 4, 4, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := scene(tc.version, tc.have, tc.past)
			in.Regions[0].Have.Functions[0].Tags = map[string]string{"layerd:requires": tc.tag}
			r := only(t, in)
			if tc.blocked == "" {
				if len(r.Blocked) > 0 {
					t.Errorf("blocked: %+v", r.Blocked)
				}
				return
			}
			if len(r.Blocked) != 1 || r.Blocked[0].Function != "f" || r.Blocked[0].Layer != "common" || !strings.Contains(r.Blocked[0].Reason, tc.blocked) {
				t.Errorf("blocked: %+v, want %q", r.Blocked, tc.blocked)
			}
			if len(r.Steps) > 0 {
				t.Errorf("steps: %+v", r.Steps)
			}
		})
	}
}

// A version that nobody can name satisfies nothing.
func TestAnUnknownVersionSatisfiesNothing(t *testing.T) {
	in := scene("6", 3, 3)
	s := in.Regions[0].Have
	s.Functions[0].Tags = map[string]string{"layerd:requires": "common 1.2"}
	s.Layers[0].Versions = append([]state.LayerVersion{{Number: 6, Description: "who knows", Created: noon}}, s.Layers[0].Versions...)
	if r := only(t, in); len(r.Blocked) != 1 || !strings.Contains(r.Blocked[0].Reason, "which version 6 is nobody knows") {
		t.Errorf("blocked: %+v", r.Blocked)
	}
}

// The tags are asked for when something is about to change, and never otherwise.
func TestTagsAreAskedForOnlyBeforeAChange(t *testing.T) {
	in := scene("1.4.0", 3, 3)
	if r := only(t, in); !r.Needs.Tags || len(r.Steps) != 1 {
		t.Errorf("needs %+v, steps %v; want the tags, and the step until they are known", r.Needs, r.Steps)
	}
	in.Regions[0].Have.Functions[0].Tags = map[string]string{}
	if r := only(t, in); r.Needs.Tags || len(r.Steps) != 1 {
		t.Errorf("needs %+v although they are known", r.Needs)
	}
	if r := only(t, scene("1.4.0", 5, 5)); !r.Needs.Empty() {
		t.Errorf("needs %+v although nothing changes", r.Needs)
	}
}

// Right before a function its own tags count; what a rollout takes back is taken back.
func TestUnmet(t *testing.T) {
	step := plan.Step{Kind: plan.KindAttach, Layer: "common", LayerARN: common, To: common.Version(4), ToVersion: "1.3.0", Cause: plan.CauseChange}
	back, serve := step, step
	back.Cause, serve.Kind = plan.CauseRollback, plan.KindServe
	f := state.Function{Name: "f", Tags: map[string]string{"layerd:requires": "common 1.4"}}
	unread := state.Function{Name: "f"}
	saw := func(tags map[string]string) state.Snapshot {
		return state.Snapshot{Functions: []state.Function{{Name: "f", Tags: tags}}}
	}
	for _, f := range []state.Function{f, unread} {
		if Unmet(saw(nil), f, []plan.Step{back}) != "" || Unmet(saw(nil), f, []plan.Step{serve}) != "" {
			t.Error("what is taken back, or only served, is kept away")
		}
	}
	if got := Unmet(saw(map[string]string{}), f, []plan.Step{back, step}); !strings.Contains(got, "which 1.3.0 is not") {
		t.Errorf("got %q", got)
	}
	// Where AWS leaves the tags out, what the plan saw counts, and where that is nothing either, nobody knows.
	for _, tc := range []struct {
		seen map[string]string
		want string // "" = it may be taken
	}{
		{map[string]string{}, ""},
		{map[string]string{"layerd:requires": "common 1.2"}, ""},
		{map[string]string{"layerd:requires": "common 1.4"}, "which 1.3.0 is not"},
		{nil, "its tags cannot be read, and layerd:requires may be one of them: allow lambda:ListTags"},
	} {
		if got := Unmet(saw(tc.seen), unread, []plan.Step{step}); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("the plan saw %v: got %q, want %q", tc.seen, got, tc.want)
		}
	}
	if got := Unmet(state.Snapshot{}, unread, []plan.Step{step}); !strings.Contains(got, "cannot be read") {
		t.Errorf("the plan did not see the function: %q", got)
	}
}
