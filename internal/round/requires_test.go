package round_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
)

// silentCloud is AWS that leaves the tags out of its answers about functions, as it is
// documented to do without lambda:ListTags.
type silentCloud struct{ round.Cloud }

func (c silentCloud) Function(ctx context.Context, name string) (state.Function, error) {
	f, err := c.Cloud.Function(ctx, name)
	f.Tags = nil
	return f, err
}

func (c silentCloud) WaitUpdated(ctx context.Context, name string) (state.Function, error) {
	f, err := c.Cloud.WaitUpdated(ctx, name)
	f.Tags = nil
	return f, err
}

// What a function requires holds whichever of the two ways its tags are read by: the index
// of all tags or its own answer. Where both are refused nobody knows what it requires, and
// it is left as it is, with what is missing; those whose tags can be read, one way or the
// other, and that require nothing, get what they are to get.
func TestRequiredWhateverMayBeRead(t *testing.T) {
	for _, tc := range []struct {
		name          string
		index, answer bool // can be read
		tag           string
		gets          bool
		reason        string
	}{
		{"both", true, true, "", true, ""},
		{"no answer", true, false, "", true, ""},
		{"no index", false, true, "", true, ""},
		{"neither", false, false, "", false, "its tags cannot be read, and layerd:requires may be one of them: allow lambda:ListTags on the function, or tag:GetResources"},
		{"both, satisfied", true, true, "common 1.4", true, ""},
		{"no answer, satisfied", true, false, "common 1.4", true, ""},
		{"no index, satisfied", false, true, "common 1.4", true, ""},
		{"neither, satisfied", false, false, "common 1.4", false, "its tags cannot be read"},
		{"both, unsatisfied", true, true, "common 2.0", false, ""},
		{"no answer, unsatisfied", true, false, "common 2.0", false, ""},
		{"no index, unsatisfied", false, true, "common 2.0", false, "which 1.5.0 is not"},
		{"neither, unsatisfied", false, false, "common 2.0", false, "its tags cannot be read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, 2, awssim.Options{Settle: time.Second})
				if tc.tag != "" {
					f.world.EditFunction("makoto-0001", func(fn *awssim.Function) { fn.Tags = map[string]string{"layerd:requires": tc.tag} })
				}
				f.world.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Operation == "GetResources" && !tc.index {
						return awssim.Denied(c)
					}
					return awssim.Fault{}
				})
				r := f.round()
				connect := r.Connect
				r.Connect = func(ctx context.Context, e desired.Environment) (round.Cloud, error) {
					c, err := connect(ctx, e)
					if err == nil && !tc.answer {
						c = silentCloud{c}
					}
					return c, err
				}
				result, err := r.Apply(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				left := strings.Join(f.behind(5), " ")
				if got := !strings.Contains(left, "makoto-0001"); got != tc.gets {
					t.Errorf("left behind %q", left)
				}
				if others := !tc.index && !tc.answer; strings.Contains(left, "makoto-0000") != others {
					t.Errorf("left behind %q; nothing is known of any function: %v", left, others)
				}
				for _, s := range result.Plans[0].Regions[0].Steps {
					if s.Function == "makoto-0001" && tc.reason != "" && (s.Result == nil || s.Result.Status != plan.StatusSkipped || !strings.Contains(s.Result.Error, tc.reason)) {
						t.Errorf("%s ended with %+v", s.ID, s.Result)
					}
				}
			})
		})
	}
}
