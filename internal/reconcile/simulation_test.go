package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// place is one Region as it really is.
type place struct {
	functions []*fleetFunction
	rollout   *rollout.Rollout
	changed   map[string]*rollout.Changed
	origin    map[string]fleetFunction // what functions were before the chain of rollouts
	touched   map[string]bool          // by somebody else since the rollout changed it
	named     map[string]bool          // as left alone
	counted   map[string]bool          // functions that this rollout has changed
	ends      map[rollout.Stage]int
	published map[state.LayerARN][]state.LayerVersion // since the play began, by number
}

// fleetFunction is one function with its versions and its alias.
type fleetFunction struct {
	state.Function
	versions []state.Served // by number from 1
	alias    *state.Alias
}

func (a *fleetFunction) serves() state.Served { return a.version(a.alias.Version) }

func (a *fleetFunction) version(text string) state.Served {
	n, _ := strconv.Atoi(text)
	return a.versions[n-1]
}

// publish returns the last version where nothing differs from it, as AWS does.
func (a *fleetFunction) publish() string {
	next := state.Served{Layers: a.Layers, CodeSHA256: a.CodeSHA256, Settings: a.Settings, State: "Active"}
	if n := len(a.versions); n > 0 {
		last := a.versions[n-1]
		if slices.Equal(last.Layers, next.Layers) && last.CodeSHA256 == next.CodeSHA256 && last.Settings == next.Settings {
			return last.Version
		}
	}
	next.Version = strconv.Itoa(len(a.versions) + 1)
	a.versions = append(slices.Clone(a.versions), next)
	return next.Version
}

// decide answers what is asked for, as a round does.
func (th *simulation) decide() plan.Plan {
	th.in.Now = th.now
	for i, p := range th.places {
		r := &th.in.Regions[i]
		r.Rollout, r.Changed, r.Have = p.rollout, p.list(), th.look(i, p)
	}
	for range 8 {
		planned := Decide(th.in)
		done := true
		for i, r := range planned.Regions {
			if !r.Needs.Empty() {
				done = false
				th.answer(i, r.Needs)
			}
		}
		if done {
			return planned
		}
	}
	panic("the decision never stops asking")
}

// list is what the rollout has done. That of one which ended is not asked for,
// but for one that was taken over from.
func (p *place) list() []rollout.Changed {
	if p.rollout == nil || !p.rollout.Ended.IsZero() && p.rollout.Stage != rollout.StageSuperseded {
		return nil
	}
	var list []rollout.Changed
	for _, name := range slices.Sorted(maps.Keys(p.changed)) {
		list = append(list, *p.changed[name])
	}
	return list
}

func (th *simulation) look(i int, p *place) *state.Snapshot {
	e := th.in.Regions[i].Want
	snap := &state.Snapshot{Account: account, Region: e.Region, Partition: "aws", ObservedAt: th.now}
	for name, n := range map[string]int64{"common": 5, "ml": 3} {
		l := state.Layer{ARN: arnIn(e.Region, name)}
		for ; n > 0; n-- {
			l.Versions = append(l.Versions, state.LayerVersion{Number: n, Created: noon.AddDate(0, -1, 0)})
		}
		l.Versions = append(l.Versions, p.published[l.ARN]...)
		snap.Layers = append(snap.Layers, l)
	}
	for _, a := range p.functions {
		snap.Functions = append(snap.Functions, a.Function)
	}
	snap.Sort()
	return snap
}

func arnIn(region, name string) state.LayerARN {
	return state.NewLayerARN("aws", region, account, name)
}

func (th *simulation) answer(i int, n state.Needs) {
	snap, p := th.in.Regions[i].Have, th.places[i]
	if n.Tags {
		snap.Functions = slices.Clone(snap.Functions)
		for k := range snap.Functions {
			snap.Functions[k].Tags = map[string]string{}
		}
	}
	if n.Uses {
		snap.Uses = &state.Uses{}
		for _, a := range p.functions {
			for _, v := range a.versions {
				snap.Uses.Published = append(snap.Uses.Published, state.Published{Function: a.Name, Version: v.Version, Layers: v.Layers})
			}
			if len(a.versions) > 0 {
				snap.Uses.Versioned = append(snap.Uses.Versioned, a.Name)
			}
		}
		snap.Sort()
	}
	if n.Signing {
		snap.Signing = map[string]state.Signing{}
	}
	for _, v := range n.Probes {
		if snap.Probes == nil {
			snap.Probes = map[state.LayerVersionARN]state.Probe{}
		}
		snap.Probes[v] = state.Probe{Usable: true, Size: 1}
	}
	for _, a := range n.Artifacts {
		if snap.Contents == nil {
			snap.Contents = map[state.Artifact]state.Content{}
		}
		snap.Contents[a] = state.Content{SHA256: contentOf(a.Version), Size: 1}
	}
	for _, name := range n.Aliases {
		if snap.Aliases == nil {
			snap.Aliases = map[string][]state.Alias{}
		}
		snap.Aliases[name] = nil
		if a := p.function(name); a.alias != nil {
			snap.Aliases[name] = []state.Alias{*a.alias}
		}
	}
	for _, q := range n.Served {
		if snap.Served == nil {
			snap.Served = map[state.Qualified]state.Served{}
		}
		a := p.function(q.Function)
		switch {
		case q.Qualifier != "live":
			snap.Served[q] = a.version(q.Qualifier)
		case a.alias == nil:
			snap.Served[q] = state.Served{}
		default:
			snap.Served[q] = a.serves()
		}
	}
}

func (p *place) function(name string) *fleetFunction {
	i := slices.IndexFunc(p.functions, func(a *fleetFunction) bool { return a.Name == name })
	return p.functions[i]
}

// contentOf is what the artifact of a version has.
func contentOf(version string) string {
	sum := sha256.Sum256([]byte(version))
	return hex.EncodeToString(sum[:])
}

// publish does what AWS does for a publish; sometimes nothing, and sometimes its answer
// is lost.
func (th *simulation) publish(i int, s plan.Step) plan.Result {
	p := th.places[i]
	if s.Publishing.Content.SHA256 != contentOf(s.ToVersion) {
		th.errorf("%s has another content", s.ID)
	}
	fails := !th.baseline && chance(th.rnd, 20)
	if fails && chance(th.rnd, 50) {
		th.note("%s %s fails", th.in.Regions[i].Want.Region, s.ID)
		return plan.Result{Status: plan.StatusFailed, Error: "it failed"}
	}
	for _, v := range p.published[s.LayerARN] {
		if v.Description == s.Publishing.Description {
			th.errorf("%s was published already, as %d", s.ID, v.Number)
		}
	}
	v := state.LayerVersion{Number: int64(6 + len(p.published[s.LayerARN])), Description: s.Publishing.Description, Created: th.now}
	p.published[s.LayerARN] = append(p.published[s.LayerARN], v)
	th.in.Published[s.Layer][s.ToVersion] = s.Publishing.Content.SHA256
	th.note("%s %s: it is %d, the answer is lost: %t", th.in.Regions[i].Want.Region, s.ID, v.Number, fails)
	if fails {
		return plan.Result{Status: plan.StatusFailed, Error: "no answer came"}
	}
	return plan.Result{Status: plan.StatusApplied}
}

// approve gives a person's word sometimes, and in the end always.
func (th *simulation) approve(planned plan.Plan) {
	if !th.in.Regions[0].Want.ApprovalRequired || len(planned.Lines) == 0 || !th.baseline && !chance(th.rnd, 40) {
		return
	}
	th.in.Approvals = append(th.in.Approvals, ruling.Approval{
		Environment: "prod", Digest: planned.Digest, By: "sato", At: th.now, Scope: planned.Lines, Begun: th.now,
	})
	for _, l := range planned.Lines {
		th.lines[l] = true
	}
}

// happen lets something come from outside: a commit, another writer, a new
// function.
func (th *simulation) happen() {
	if th.events == 0 || !chance(th.rnd, 25) && !th.baseline {
		return
	}
	th.events--
	if th.baseline {
		return
	}
	i := th.rnd.IntN(len(th.places))
	p := th.places[i]
	switch a := pick(th.rnd, p.functions...); th.rnd.IntN(5) {
	case 0, 1:
		th.commit()
	case 2: // another writer of our layer
		layer := arnIn(th.in.Regions[i].Want.Region, "common")
		list := plan.Fold(a.Layers, []plan.Step{{Function: a.Name, LayerARN: layer, To: layer.Version(int64(1 + th.rnd.IntN(5)))}})
		if !slices.Equal(list, a.Layers) {
			th.touch(p, a)
		}
		a.Layers = list
		th.note("somebody gives %s %v", a.Name, a.Layers)
	case 3: // another layer beside ours
		if len(a.Layers) < 4 {
			th.touch(p, a)
			a.Layers = append(slices.Clone(a.Layers), foreignLayer.Version(int64(1+th.rnd.IntN(9))))
			th.note("somebody gives %s %v", a.Name, a.Layers)
		}
	default:
		a := th.newFunction(th.in.Regions[i].Want.Region, len(p.functions))
		p.functions = append(p.functions, a)
		th.note("%s comes with %v", a.Name, a.Layers)
	}
}

func (th *simulation) touch(p *place, a *fleetFunction) {
	if p.changed[a.Name] != nil {
		p.touched[a.Name] = true
	}
}

func (th *simulation) commit() {
	common, ml := pick(th.rnd, "1", "2", "3", "4", "5", "2.0.0", "2.1.0", "2.2.0"), pick(th.rnd, "1", "2", "3", "none")
	for i := range th.in.Regions {
		layers := slices.Clone(th.in.Regions[i].Want.Layers)
		layers[0].Version = mustVersion(common)
		if chance(th.rnd, 30) || layers[1].Version.Text == "" {
			layers[1].Version = mustVersion(ml)
		}
		th.in.Regions[i].Want.Layers = layers
	}
	th.note("Git asks for common %s and perhaps ml %s", common, ml)
}

func (th *simulation) newFunction(region string, n int) *fleetFunction {
	r := th.rnd
	a := &fleetFunction{Function: state.Function{
		Name: fmt.Sprintf("%s-%02d", pick(r, "makoto-chat", "makoto-api", "other-x"), n), Runtime: "python3.12", Architecture: "x86_64",
		CodeSHA256: "code", CodeSize: 1, Settings: "memory=1;",
	}}
	for _, v := range []state.LayerVersionARN{arnIn(region, "common").Version(int64(1 + r.IntN(3))), foreignLayer.Version(1), arnIn(region, "ml").Version(1)} {
		if chance(r, 70) {
			a.Layers = append(a.Layers, v)
		}
	}
	if chance(r, 60) {
		a.publish()
		a.alias = &state.Alias{Name: "live", Version: a.publish()}
	}
	if chance(r, 8) {
		a.CodeSHA256 = "newer"
	}
	return a
}

// scenarioOf sets a play up.
func scenarioOf(t *testing.T, r *rand.Rand) *simulation {
	th := &simulation{t: t, rnd: r, now: noon, events: r.IntN(6), lines: map[string]bool{}}
	th.in.Revision, th.in.Published = commit, map[string]map[string]string{"common": {}}
	rules := desired.Rollout{Bake: pick(r, 0, 0, 10*time.Minute)}
	for range r.IntN(4) {
		rules.Waves = append(rules.Waves, pick(r, desired.Wave{Count: 1}, desired.Wave{Count: 3}, desired.Wave{Share: 0.3}, desired.Wave{Share: 0.6}))
	}
	if chance(r, 40) {
		rules.Canary = &desired.Canary{Weight: 0.1, Bake: 5 * time.Minute}
	}
	if chance(r, 20) {
		rules.SmokeTests = []desired.SmokeTest{{Function: "makoto-chat-00"}}
	}
	if chance(r, 30) {
		rules.Alarms, rules.Watch = []string{"errors"}, time.Hour
	}
	e := desired.Environment{
		Name: "prod", Account: account, Partition: "aws", Zone: time.UTC, MaxNew: 100, NewFunctionsNow: chance(r, 30), Rollout: rules,
		ApprovalRequired: chance(r, 30), Calendar: window.Calendar{Zone: time.UTC}, Drift: desired.DriftPolicy{Report: chance(r, 10)},
	}
	if chance(r, 40) {
		e.Calendar.Windows = []window.Window{mustWindow("daily 11:00-13:00 UTC")}
	}
	if chance(r, 70) {
		e.Alias = "live"
	}
	for _, region := range []string{tokyo, "us-east-1"}[:1+r.IntN(2)] {
		e.Region, e.Layers = region, nil
		for _, name := range []string{"common", "ml"} {
			e.Layers = append(e.Layers, desired.LayerWish{
				Name: name, Layer: arnIn(region, name), Owned: true, Source: &desired.Source{Location: "layers/" + name},
				Functions: []desired.Selector{{Name: pick(r, "*", "makoto-*")}},
			})
		}
		e.Unmanaged = []string{string(foreignLayer) + "*"}
		past := plan.Past{Functions: map[string]plan.FunctionPast{}, Layers: map[state.LayerARN]plan.LayerPast{}}
		th.in.Regions = append(th.in.Regions, Region{Want: e, Past: past})
		p := &place{changed: map[string]*rollout.Changed{}, origin: map[string]fleetFunction{}, touched: map[string]bool{}, named: map[string]bool{}, counted: map[string]bool{}, ends: map[rollout.Stage]int{}, published: map[state.LayerARN][]state.LayerVersion{}}
		for n := range 1 + r.IntN(9) {
			p.functions = append(p.functions, th.newFunction(region, n))
		}
		th.places = append(th.places, p)
	}
	th.commit()
	return th
}
