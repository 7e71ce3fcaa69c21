package parameters_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/parameters"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/state"
)

func layer(name, version string, announced bool) desired.LayerWish {
	v, _ := desired.ParseVersion(version) // the zero one for ""
	return desired.LayerWish{Name: name, Layer: state.NewLayerARN("aws", "eu-west-1", "123456789012", name+"-prod"), Version: v, Parameters: announced,
		Metadata: map[string]string{"team": "platform", "version": "v${VERSION}"}}
}

func TestE2WhatIsWanted(t *testing.T) {
	env := desired.Environment{Name: "prod", Layers: []desired.LayerWish{
		layer("stands", "1.4.2", true), layer("silent", "1.4.2", false), layer("nameless", "7", true), layer("nothing", "1.0.0", true),
		layer("gone", "none", true), layer("going", "none", true), layer("pinned", "none", true), layer("left", "none", false),
	}}
	stands := map[string]parameters.Stands{
		"stands":   {Standing: plan.Standing{Number: 13, Coming: 14, Rollout: &rollout.Rollout{}}, Semver: "1.4.2", InUse: true},
		"silent":   {Standing: plan.Standing{Number: 13}, Semver: "1.4.2", InUse: true},
		"nameless": {Standing: plan.Standing{Number: 7}, InUse: true},
		"going":    {Standing: plan.Standing{Rollout: &rollout.Rollout{}}},
		"pinned":   {InUse: true},
	}
	got := parameters.Want(env, func(w desired.LayerWish) parameters.Stands { return stands[w.Name] })
	tags := func(v string) map[string]string { return map[string]string{"team": "platform", "version": "v" + v} }
	want := parameters.Wanted{Path: "/layerd/prod", Put: []parameters.Parameter{
		{Name: "/layerd/prod/nameless/arn", Value: "arn:aws:lambda:eu-west-1:123456789012:layer:nameless-prod:7", Tags: tags("7"), Plain: true},
		{Name: "/layerd/prod/nameless/version", Value: "7", Tags: tags("7"), Plain: true},
		{Name: "/layerd/prod/stands/arn", Value: "arn:aws:lambda:eu-west-1:123456789012:layer:stands-prod:13", Tags: tags("1.4.2"), Plain: true},
		{Name: "/layerd/prod/stands/version", Value: "1.4.2", Tags: tags("1.4.2"), Plain: true},
	}, Gone: []string{"/layerd/prod/gone/arn", "/layerd/prod/gone/version"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// E2: once a diff is carried out nothing is to be done, and what nobody asked about is as
// it was.
func TestE2OnceCarriedOutNothingIsToBeDone(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	tags := func() map[string]string {
		all := map[string]string{}
		for range rng.IntN(3) {
			all[pick("team", "version", "cost-center")] = pick("a", "b", "")
		}
		return all
	}
	for round := range 5000 {
		have := map[string]parameters.Parameter{}
		for range rng.IntN(6) {
			p := parameters.Parameter{Name: fmt.Sprint("/layerd/prod/", rng.IntN(6)), Value: pick("1", "2"), Tags: tags(), Plain: rng.IntN(4) > 0}
			have[p.Name] = p
		}
		want := parameters.Wanted{Path: "/layerd/prod"}
		for i := range 6 {
			switch name := fmt.Sprint("/layerd/prod/", i); rng.IntN(3) {
			case 0:
				want.Put = append(want.Put, parameters.Parameter{Name: name, Value: pick("1", "2"), Tags: tags(), Plain: true})
			case 1:
				want.Gone = append(want.Gone, name)
			}
		}
		before := maps.Clone(have)
		list := func() []parameters.Parameter { return slices.Collect(maps.Values(have)) }
		first := parameters.Compare(want, list())
		for _, c := range first.Put {
			if before[c.Name].Value != c.Was {
				t.Fatalf("round %d: %s was %q, not %q", round, c.Name, before[c.Name].Value, c.Was)
			}
			merged := maps.Clone(have[c.Name].Tags)
			if merged == nil {
				merged = map[string]string{}
			}
			maps.Copy(merged, c.Tags)
			have[c.Name] = parameters.Parameter{Name: c.Name, Value: c.Value, Tags: merged, Plain: true}
		}
		for _, name := range first.Delete {
			delete(have, name)
		}
		if again := parameters.Compare(want, list()); !again.Empty() {
			t.Fatalf("round %d: %+v is still to be done", round, again)
		}
		for name, p := range before {
			if slices.Contains(want.Names(), name) || slices.Contains(want.Gone, name) {
				continue
			}
			if diff := cmp.Diff(p, have[name]); diff != "" {
				t.Fatalf("round %d: %s is nobody's matter (-before +after):\n%s", round, name, diff)
			}
		}
	}
}
