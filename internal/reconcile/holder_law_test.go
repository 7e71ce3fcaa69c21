package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// estate is some environments of one account and Region as they have been for a
// while: each has functions of its own, and no file reaches for another's.
type estate struct {
	snap  state.Snapshot
	wants map[string]desired.Environment
	pasts map[string]plan.Past
}

var estateNames = []string{"dev", "prod", "staging"}

// generateEstate makes functions in every state that one may be in: applied to,
// waiting for its first layer, with a layer after the store was lost, just made.
func generateEstate(r *rand.Rand) estate {
	e := estate{wants: map[string]desired.Environment{}, pasts: map[string]plan.Past{}}
	e.snap = state.Snapshot{Account: account, Region: tokyo, Partition: "aws", ObservedAt: noon, Uses: &state.Uses{},
		Probes: map[state.LayerVersionARN]state.Probe{}, Policies: map[state.LayerVersionARN]state.Policy{}, Signing: map[string]state.Signing{}}
	for n := range int64(9) {
		e.snap.Probes[foreignLayer.Version(n)] = state.Probe{Usable: true}
	}
	for _, name := range estateNames {
		own := state.Layer{ARN: arnOf("common-" + name)}
		for n := int64(1); n <= 5; n++ {
			own.Versions = append(own.Versions, state.LayerVersion{Number: n, Description: fmt.Sprintf("common v1.%d.0", n), Created: noon.AddDate(0, 0, -int(n))})
			e.snap.Probes[own.ARN.Version(n)] = state.Probe{Usable: true}
		}
		e.snap.Layers = append(e.snap.Layers, own)
		past := plan.Past{Functions: map[string]plan.FunctionPast{}, Layers: map[state.LayerARN]plan.LayerPast{own.ARN: {Applied: []int64{1, 2}}}}
		for i := range 5 {
			f := state.Function{Name: fmt.Sprintf("%s-%d", name, i), Runtime: "python3.12", Architecture: "x86_64", RevisionID: "r"}
			n := int64(1 + r.IntN(3))
			with := state.Layers{own.ARN.Version(n)}
			if chance(r, 30) {
				with = append(with, foreignLayer.Version(2))
			}
			how := r.IntN(4)
			switch {
			case i == 4:
				f.Name = name + "-new"
			case i == 0 || how == 0:
				f.Layers, past.Functions[f.Name] = with, plan.FunctionPast{Applied: map[state.LayerARN]int64{own.ARN: n}, List: with}
			case how == 1: // somebody took it off
				past.Functions[f.Name] = plan.FunctionPast{Applied: map[state.LayerARN]int64{own.ARN: n}}
			case how == 2:
				past.Functions[f.Name] = plan.FunctionPast{Kept: true, Since: noon}
			default: // the store was lost
				f.Layers = with
			}
			e.snap.Functions = append(e.snap.Functions, f)
		}
		e.pasts[name] = past
		e.wants[name] = e.want(r, name, []string{name + "-*"})
	}
	e.snap.Sort()
	return e
}

// want is what an environment may write: of its own layer, with any selectors.
func (e estate) want(r *rand.Rand, name string, selectors []string) desired.Environment {
	w := generateEnvironment(r, name)
	w.MaxNew, w.Layers = 20, []desired.LayerWish{{
		Name: "common", Layer: arnOf("common-" + name), Owned: true, Version: mustVersion(pick(r, "1.1.0", "1.2.0", "1.3.0", "3", "latest")),
		Retention: desired.Retention{Keep: pick(r, 0, 2)},
	}}
	if chance(r, 40) {
		w.Layers = append(w.Layers, desired.LayerWish{Name: "datadog", Layer: foreignLayer, Version: mustVersion(pick(r, "1", "2"))})
	}
	for i := range w.Layers {
		for _, s := range selectors {
			w.Layers[i].Functions = append(w.Layers[i].Functions, desired.Selector{Name: s})
		}
	}
	return w
}

// intrude writes one environment's file anew, as anybody may who may merge it.
func (e estate) intrude(r *rand.Rand, name string) desired.Environment {
	var selectors []string
	for range 1 + r.IntN(3) {
		selectors = append(selectors, pick(r, name+"-*", "*", "prod-*", "staging-*", "dev-*", "*-new", "prod-new", "prod-0", "staging-2", "dev-3", "*-1", "p*"))
	}
	w := e.want(r, name, selectors)
	layer := &w.Layers[0]
	switch r.IntN(6) {
	case 0: // another's layer, by its ARN
		layer.Layer, layer.Owned, layer.Version = arnOf("common-"+pick(r, estateNames...)), false, mustVersion(pick(r, "none", "1", "4"))
	case 1:
		layer.Functions = append(layer.Functions, desired.Selector{Attached: true}, desired.Selector{Runtime: "python*"})
	case 2:
		layer.Version = mustVersion("none")
	case 3:
		w.Alias = "live"
	case 4:
		w.Rollout.SmokeTests = []desired.SmokeTest{{Function: pick(r, "prod-0", "prod-new", "staging-1", "nobody")}}
	}
	return w
}

// decide returns the plan of one environment, without what DESIGN lets the others
// have a say in: which versions are kept.
func (e estate) decide(name string, unread string) plan.Plan {
	in := Input{Now: noon, Regions: []Region{{Want: e.wants[name], Have: &e.snap, Past: e.pasts[name]}}}
	for other, want := range e.wants {
		switch {
		case other == name:
		case other == unread:
			in.Others = append(in.Others, Other{Want: desired.Environment{Name: other, Account: account, Region: tokyo}, Past: e.pasts[other], Unread: true})
		default:
			in.Others = append(in.Others, Other{Want: want, Past: e.pasts[other]})
		}
	}
	p := Decide(in)
	r := &p.Regions[0]
	r.Kept, r.Learned.Candidates, r.Learned.Kept = nil, nil, nil
	r.Steps = slices.DeleteFunc(r.Steps, func(s plan.Step) bool { return s.Kind == plan.KindPrune })
	return p
}

// TestLawOneFileDecidesForNobodyElse: of two worlds that differ in one environment's
// file only, all other environments have the same plan; and what those hold is in no
// step of that one's.
func TestLawOneFileDecidesForNobodyElse(t *testing.T) {
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 7))
		before := generateEstate(r)
		intruder := pick(r, estateNames...)
		after := before
		after.wants = map[string]desired.Environment{}
		for name, want := range before.wants {
			after.wants[name] = want
		}
		unread := ""
		switch r.IntN(8) {
		case 0:
			delete(after.wants, intruder) // the file is removed
		case 1:
			unread = intruder
		default:
			after.wants[intruder] = after.intrude(r, intruder)
		}
		for _, name := range estateNames {
			if name == intruder {
				continue
			}
			if diff := cmp.Diff(documentOf(before.decide(name, "")), documentOf(after.decide(name, unread))); diff != "" {
				t.Fatalf("seed %d: what %s asks for changes the plan of %s:\n%s", seed, intruder, name, diff)
			}
		}
		if unread != "" || after.wants[intruder].Name == "" {
			continue
		}
		p := after.decide(intruder, "").Regions[0]
		for _, s := range p.Steps {
			if !strings.HasPrefix(s.Function, intruder) {
				t.Fatalf("seed %d: %s has %s", seed, intruder, s.ID)
			}
		}
		for _, d := range p.Learned.Adopted {
			if !strings.HasPrefix(d.Function, intruder) {
				t.Fatalf("seed %d: %s takes %s for its own", seed, intruder, d.Function)
			}
		}
	}
}

// TestD1WhoHoldsAFunction: the claimant alone is blocked, and told who holds it.
func TestD1WhoHoldsAFunction(t *testing.T) {
	const free, blocked = "", "blocked"
	had := func(layer state.LayerARN, n int64) plan.FunctionPast {
		return plan.FunctionPast{Applied: map[state.LayerARN]int64{layer: n}}
	}
	prods, devs := arnOf("common-prod"), arnOf("common-dev")
	for _, tc := range []struct {
		name      string
		layers    state.Layers
		prod, dev plan.FunctionPast // of the function
		more      bool              // prod has another function by the same selector
		selectors string            // prod's
		unread    bool              // prod's file
		wantProd  string
		wantDev   string
		because   string
	}{
		{"applied there", state.Layers{prods.Version(2)}, had(prods, 2), plan.FunctionPast{}, false, "f", false, free, blocked, "environment prod holds it: it applied or found common-prod there first; take it out of environments/dev.yaml"},
		{"applied there, and taken off by hand", nil, had(prods, 2), plan.FunctionPast{}, false, "f", false, free, blocked, "environment prod holds it: it applied or found common-prod there first"},
		{"another layer than the claimant's", state.Layers{foreignLayer.Version(1)}, had(foreignLayer, 1), plan.FunctionPast{}, false, "f", false, free, blocked, "it applied or found Datadog-Python312 there first"},
		{"found there, the store is lost", state.Layers{prods.Version(2)}, plan.FunctionPast{}, plan.FunctionPast{}, false, "f", false, free, blocked, "its common is on it"},
		{"waits there for its window", nil, plan.FunctionPast{Kept: true, Since: noon}, plan.FunctionPast{}, false, "f", false, free, blocked, "it selected the function first"},
		{"it appears among those of the holder", nil, plan.FunctionPast{}, plan.FunctionPast{}, true, "*", false, free, blocked, "it has the other functions that the same selector matches"},
		{"both claim it and neither has had it", nil, plan.FunctionPast{}, plan.FunctionPast{}, false, "f", false, blocked, blocked, "both select it, and neither has had it"},
		{"the holder selects it no more", state.Layers{prods.Version(2)}, had(prods, 2), plan.FunctionPast{}, false, "g", false, free, free, ""},
		{"the holder let it go, the claimant took it, the holder comes back", state.Layers{prods.Version(2)}, had(prods, 2), plan.FunctionPast{Applied: map[state.LayerARN]int64{devs: 1}, Since: noon}, false, "f", false, blocked, free, "environment dev holds it"},
		{"the holder let it go and comes back first", state.Layers{}, plan.FunctionPast{Applied: map[state.LayerARN]int64{prods: 2}, Since: noon}, plan.FunctionPast{Applied: map[state.LayerARN]int64{devs: 1}, Since: noon.AddDate(0, 0, -1), Released: true}, false, "f", false, free, blocked, "environment prod holds it"},
		{"both have changed it since long ago", state.Layers{prods.Version(2), devs.Version(1)}, had(prods, 2), had(devs, 1), false, "f", false, free, free, ""},
		{"the holder's file cannot be read", state.Layers{prods.Version(2)}, had(prods, 2), plan.FunctionPast{}, false, "f", true, free, blocked, "what that file asks for now cannot be read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := generateEstate(rand.New(rand.NewPCG(1, 1)))
			e.snap.Functions = []state.Function{{Name: "f", Runtime: "python3.12", Architecture: "x86_64", Layers: tc.layers}}
			for _, name := range []string{"prod", "dev"} {
				e.wants[name] = desired.Environment{Name: name, Account: account, Region: tokyo, MaxNew: 20, File: "environments/" + name + ".yaml", Layers: []desired.LayerWish{
					{Name: "common", Layer: arnOf("common-" + name), Owned: true, Version: mustVersion("1.3.0"), Functions: []desired.Selector{{Name: "f"}}},
				}}
				e.pasts[name] = plan.Past{Functions: map[string]plan.FunctionPast{}}
			}
			delete(e.wants, "staging")
			e.wants["prod"].Layers[0].Functions[0].Name = tc.selectors
			if tc.more {
				e.snap.Functions = append(e.snap.Functions, state.Function{Name: "g", Runtime: "python3.12", Architecture: "x86_64", Layers: state.Layers{prods.Version(2)}})
				e.pasts["prod"].Functions["g"] = had(prods, 2)
			}
			for name, p := range map[string]plan.FunctionPast{"prod": tc.prod, "dev": tc.dev} {
				if p.Applied != nil || p.Kept {
					e.pasts[name].Functions["f"] = p
				}
			}
			unread := ""
			if tc.unread {
				unread = "prod"
			}
			for name, want := range map[string]string{"prod": tc.wantProd, "dev": tc.wantDev} {
				if name == unread {
					continue
				}
				r := e.decide(name, unread).Regions[0]
				is := ""
				for _, b := range r.Blocked {
					if b.Function == "f" {
						is = blocked
						if !strings.Contains(b.Reason, tc.because) {
							t.Errorf("%s is told %q, which lacks %q", name, b.Reason, tc.because)
						}
					}
				}
				if is != want {
					t.Errorf("%s is %q, want %q: %+v", name, is, want, r.Blocked)
				}
			}
		})
	}
}

// D1: what an environment had in one account it does not have in another, where
// functions may have the same names.
func TestD1WhatWasHeldInAnotherAccountIsNot(t *testing.T) {
	e := generateEstate(rand.New(rand.NewPCG(1, 1)))
	e.snap.Functions = []state.Function{{Name: "f", Runtime: "python3.12", Architecture: "x86_64", Layers: state.Layers{arnOf("common-prod").Version(2)}}}
	delete(e.wants, "staging")
	for name, past := range map[string]plan.FunctionPast{
		"prod": {Applied: map[state.LayerARN]int64{arnOf("common-prod"): 2}, Account: account, Since: noon.AddDate(0, 0, -9)},
		"dev":  {Applied: map[state.LayerARN]int64{state.NewLayerARN("aws", tokyo, "210987654321", "common-dev"): 2}, Account: "210987654321", Since: noon},
	} {
		w := e.wants[name]
		w.Layers = w.Layers[:1]
		w.Layers[0].Functions = []desired.Selector{{Name: "f"}}
		e.wants[name], e.pasts[name] = w, plan.Past{Functions: map[string]plan.FunctionPast{"f": past}}
	}
	if b := e.decide("dev", "").Regions[0].Blocked; len(b) != 1 || !strings.Contains(b[0].Reason, "environment prod holds it") {
		t.Errorf("dev is not blocked: %+v", b)
	}
	if b := e.decide("prod", "").Regions[0].Blocked; len(b) != 0 {
		t.Errorf("prod is blocked: %+v", b)
	}
}
