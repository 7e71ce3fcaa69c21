package reconcile

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// sharedWhenPublished is withArtifact for a version that is not live yet, of a layer that is
// shared and whose live versions have their grants.
func sharedWhenPublished(with ...state.Grant) Input {
	in := withArtifact("1.5.0", 4, 4, zip(hashA))
	shares(&in, with...)
	return in
}

// shares has the layer shared, and what is live has what Git names.
func shares(in *Input, with ...state.Grant) {
	w := &in.Regions[0].Want.Layers[0]
	w.Shared, w.ShareWith = true, nil
	for _, g := range with {
		w.ShareWith = append(w.ShareWith, desired.Share{Grant: g})
	}
	snap := *in.Regions[0].Have
	snap.Policies = map[state.LayerVersionARN]state.Policy{}
	l, _ := snap.Layer(common)
	for _, v := range l.Versions {
		snap.Policies[common.Version(v.Number)] = policyOf(with...)
	}
	in.Regions[0].Have = &snap
}

// What is to be published is shared by the same plan: the grants stand with the content,
// after the publish and the functions, and wait for its number.
func TestShareOfWhatIsToBePublished(t *testing.T) {
	public := desired.Share{Grant: everybody, Reason: "open source"}
	for name, tt := range map[string]struct {
		in   func() Input
		want []string
	}{
		"one partner": {
			func() Input { return sharedWhenPublished(partner) },
			[]string{"share/common/1.5.0/210987654321 sha256:" + hashA + " order"},
		},
		"an account and an organization": {
			func() Input { return sharedWhenPublished(partner, company) },
			[]string{"share/common/1.5.0/210987654321 sha256:" + hashA + " order", "share/common/1.5.0/o-abc123def4 sha256:" + hashA + " order"},
		},
		"everybody": {
			func() Input {
				in := sharedWhenPublished(everybody)
				in.Regions[0].Want.Layers[0].ShareWith = []desired.Share{public}
				return in
			},
			[]string{"share/common/1.5.0/public sha256:" + hashA + " order"},
		},
		"nobody": {func() Input { return sharedWhenPublished() }, nil},
		"an approval is asked for": {
			func() Input {
				in := sharedWhenPublished(partner)
				in.Regions[0].Want.ApprovalRequired = true
				return in
			},
			[]string{"share/common/1.5.0/210987654321 sha256:" + hashA + " approval,order"},
		},
		"a pin publishes too": {
			func() Input {
				in := sharedWhenPublished(partner)
				w := &in.Regions[0].Want.Layers[0]
				w.Pins = []desired.Pin{{Functions: []desired.Selector{{Name: "f"}}, Version: mustVersion("1.3.1"), Until: noon.AddDate(1, 0, 0)}}
				know(&in, 0, "1.3.1", zip(hashB))
				return in
			},
			[]string{"share/common/1.3.1/210987654321 sha256:" + hashB + " order", "share/common/1.5.0/210987654321 sha256:" + hashA + " order"},
		},
		"the layer is a new one": {
			func() Input {
				in := sharedWhenPublished(partner)
				in.Regions[0].Have.Layers[0].Versions = nil
				in.Regions[0].Have.Functions[0].Layers = nil
				return in
			},
			[]string{"share/common/1.5.0/210987654321 sha256:" + hashA + " order"},
		},
		"what is live lacks a grant as well": {
			func() Input {
				in := sharedWhenPublished(partner)
				in.Regions[0].Have.Policies[common.Version(4)] = state.Policy{}
				return in
			},
			[]string{"share/common/4/210987654321 4", "share/common/1.5.0/210987654321 sha256:" + hashA + " order"},
		},
		"the artifact is refused": {
			func() Input {
				in := withArtifact("1.5.0", 4, 4, &state.Content{Code: "artifact_missing", Message: "it is not there"})
				shares(&in, partner)
				return in
			},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := tt.in()
			p := Decide(in)
			var got []string
			lastOther := -1
			for i, line := range summary(p.Regions[0]) {
				if strings.HasPrefix(line, "share/") {
					got = append(got, line)
				} else {
					lastOther = i
				}
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("steps (-have +want):\n%s", diff)
			}
			if len(got) > 0 && lastOther >= len(p.Regions[0].Steps)-len(got) {
				t.Errorf("grants are not last: %q", summary(p.Regions[0]))
			}
			for _, s := range p.Regions[0].Steps {
				if s.Kind == plan.KindShare && (s.Cause != plan.CauseChange || s.Reason == "" || !slices.Contains(p.Lines, plan.Line(tokyo, s))) {
					t.Errorf("%+v, lines %q", s, p.Lines)
				}
				if s.Kind == plan.KindShare && s.To.Content() != "" && s.Held.All()[len(s.Held.All())-1].Reason != "waits until common "+s.ToVersion+" is published" {
					t.Errorf("%s is held: %+v", s.ID, s.Held)
				}
			}
		})
	}
}

// An approval of the plan that publishes a version covers its grants once it has a
// number, where its content is sure to be what was approved, and only to whom it named.
func TestApprovalOfAContentCoversItsGrants(t *testing.T) {
	known := func(in *Input) { in.Published = published("common", "1.5.0", hashA) }
	for name, tt := range map[string]struct {
		change  func(*Input)
		covered []string
	}{
		"what was published is what was approved": {known, []string{partner.Sid, company.Sid}},
		"nobody knows what was published":         {func(*Input) {}, nil},
		"the history knows of another content":    {func(in *Input) { in.Published = published("common", "1.5.0", hashB) }, nil},
		"of another version":                      {func(in *Input) { in.Published = published("common", "1.4.0", hashA) }, nil},
		"the live version has another stamp": {func(in *Input) {
			known(in)
			in.Regions[0].Have.Layers[0].Versions[0].Description = "v1.5.0 sha256:bbbb01234567 git:c0ffee1"
		}, nil},
		"the live version has no stamp": {func(in *Input) {
			known(in)
			in.Regions[0].Have.Layers[0].Versions[0].Description = "v1.5.0"
		}, nil},
		"the approval has ended": {func(in *Input) {
			known(in)
			in.Approvals[0].Ended = noon
		}, nil},
		"the approval has expired": {func(in *Input) {
			known(in)
			in.Approvals[0].At, in.Approvals[0].Begun = noon.AddDate(0, 0, -8), time.Time{}
		}, nil},
		"Git names one more in the meantime": {func(in *Input) {
			known(in)
			w := &in.Regions[0].Want.Layers[0]
			w.ShareWith = append(w.ShareWith, desired.Share{Grant: everybody, Reason: "open source"})
		}, []string{partner.Sid, company.Sid}},
		"Git names others in the meantime": {func(in *Input) {
			known(in)
			in.Regions[0].Want.Layers[0].ShareWith = []desired.Share{{Grant: former}}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := sharedWhenPublished(partner, company)
			in.Regions[0].Want.ApprovalRequired = true
			before := Decide(in)
			in.Approvals = []ruling.Approval{{Environment: "prod", Digest: before.Digest, By: "sato", At: noon, Scope: before.Lines, Begun: noon}}
			for _, s := range only(t, in).Steps {
				if s.HeldBy(plan.ByApproval) {
					t.Errorf("%s is not covered", s.ID)
				}
			}
			in = numbered(in, hashA)
			in.Regions[0].Have.Policies[common.Version(6)] = state.Policy{}
			tt.change(&in)
			var covered []string
			for _, s := range only(t, in).Steps {
				if s.Kind != plan.KindShare || s.To != common.Version(6) {
					continue
				}
				if s.Held == nil {
					covered = append(covered, s.Sharing.Sid)
				} else if !s.HeldBy(plan.ByApproval) {
					t.Errorf("%s is held by %+v", s.ID, s.Held)
				}
			}
			if !slices.Equal(covered, tt.covered) {
				t.Errorf("covered %q, want %q", covered, tt.covered)
			}
		})
	}
}

// checkApprovedOnce: whoever has approved a plan is not asked again for what comes of it
// once what it publishes has a number, neither to share nor to attach it.
func checkApprovedOnce(t *testing.T, seed uint64) {
	t.Helper()
	w := generate(rand.New(rand.NewPCG(seed, 1)))
	w.openGates()
	w.in.Regions[0].Want.ApprovalRequired = true
	p := w.decide()
	if !slices.ContainsFunc(p.Regions[0].Steps, func(s plan.Step) bool { return s.Kind == plan.KindPublish }) {
		return
	}
	checkSharedWhenPublished(t, p.Regions[0])
	w.in.Approvals = []ruling.Approval{{Environment: "prod", Digest: p.Digest, By: "sato", At: w.in.Now, Scope: p.Lines}}
	p = w.decide()
	w.apply(0, p.Regions[0])
	w.publish(t, 0, p.Regions[0])
	asked := map[string]bool{}
	for _, s := range p.Regions[0].Steps {
		asked[subjectOf(s)] = true
	}
	for _, s := range w.decide().Regions[0].Steps {
		if s.To.Number() > 100 && s.HeldBy(plan.ByApproval) && asked[subjectOf(s)] {
			t.Errorf("%s needs a second approval: %s", s.ID, s.Held.Reason)
		}
		if s.To.Number() > 100 && s.Kind == plan.KindShare && !asked[subjectOf(s)] {
			t.Errorf("%s was not in the plan that was approved", s.ID)
		}
	}
}

// subjectOf returns what a step is about, whatever number it has by now.
func subjectOf(s plan.Step) string {
	text := strings.Join([]string{string(s.LayerARN), s.Function, s.ToVersion}, " ")
	if s.Sharing != nil {
		text += " " + s.Sharing.Text(s.To != "")
	}
	return text
}

// checkSharedWhenPublished: a version that is published is shared by the same plan, once
// with each whom Git names.
func checkSharedWhenPublished(t *testing.T, r plan.Region) {
	t.Helper()
	for _, publish := range r.Steps {
		if publish.Kind != plan.KindPublish {
			continue
		}
		var want, got []string
		for _, lw := range r.Want.Layers {
			if lw.Layer == publish.LayerARN {
				for _, x := range lw.ShareWith {
					want = append(want, x.Sid)
				}
			}
		}
		for _, s := range r.Steps {
			if s.Kind == plan.KindShare && s.To == publish.To && s.ToVersion == publish.ToVersion {
				got = append(got, s.Sharing.Sid)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s is shared with %q, and Git names %q", publish.ID, got, want)
		}
	}
}
