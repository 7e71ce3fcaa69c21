package health

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func findings(statuses ...Status) []Finding {
	var list []Finding
	for _, s := range statuses {
		list = append(list, Finding{Status: s, Sentence: string(s)})
	}
	return list
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		have []Status
		want Status
		told []string
	}{
		{nil, Good, nil},
		{[]Status{Good}, Good, []string{"good"}},
		{[]Status{Good, Good}, Good, []string{"good", "good"}},
		{[]Status{Unknown}, Unknown, []string{"unknown"}},
		{[]Status{Unknown, Unknown}, Unknown, []string{"unknown", "unknown"}},
		{[]Status{Unknown, Good}, Good, []string{"unknown"}},
		{[]Status{Good, Unknown, Bad}, Bad, []string{"bad", "unknown"}},
		{[]Status{Unknown, Bad}, Bad, []string{"bad", "unknown"}},
	} {
		v := Judge(findings(c.have...))
		if v.Status != c.want || !slices.Equal(v.Sentences(), c.told) || len(v.Findings) != len(c.have) {
			t.Errorf("Judge(%v) = %+v telling %q, want %s telling %q", c.have, v, v.Sentences(), c.want, c.told)
		}
	}
}

// TestOneMoreFindingIsNeverBetter: what is bad stays bad whatever else is seen,
// and the order of looking does not matter.
func TestOneMoreFindingIsNeverBetter(t *testing.T) {
	any := rapid.SampledFrom([]Status{Good, Bad, Unknown})
	rapid.Check(t, func(t *rapid.T) {
		list := findings(rapid.SliceOf(any).Draw(t, "statuses")...)
		was := Judge(list).Status
		if got := Judge(append(slices.Clone(list), findings(Bad)...)).Status; got != Bad {
			t.Fatalf("with a bad finding it is %s", got)
		}
		if got := Judge(append(slices.Clone(list), findings(Unknown)...)).Status; len(list) > 0 && got != was {
			t.Fatalf("with one more that is unknown it went from %s to %s", was, got)
		}
		if got := Judge(rapid.Permutation(list).Draw(t, "shuffled")).Status; got != was {
			t.Fatalf("in another order it is %s, not %s", got, was)
		}
	})
}
