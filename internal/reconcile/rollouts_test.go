package reconcile

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// theatre plays rollouts on values: what AWS has, what the history keeps and
// what people do, over virtual time. It knows of each thing what really is, and
// checks the promises about rollouts against that.
type theatre struct {
	t      *testing.T
	rnd    *rand.Rand
	in     Input
	places []*place // by Region
	now    time.Time
	events int             // how much may still happen from outside
	lines  map[string]bool // of all approvals
	calm   bool            // nothing happens any more, and all is well
	id     int
	trace  []string
}

// place is one Region as it really is.
type place struct {
	functions []*actor
	uses      state.Uses
	rollout   *Rollout
	changed   map[string]*Changed
	origin    map[string]actor // what functions were before the chain of rollouts
	touched   map[string]bool  // by somebody else since the rollout changed it
	named     map[string]bool  // as left alone
	counted   map[string]bool  // functions that this rollout has changed
	ends      map[Stage]int
}

// actor is one function with its versions and its alias.
type actor struct {
	state.Function
	versions []state.Served // by number from 1
	alias    *state.Alias
}

func (a *actor) serves() state.Served { return a.version(a.alias.Version) }

func (a *actor) version(text string) state.Served {
	n, _ := strconv.Atoi(text)
	return a.versions[n-1]
}

// publish gives the last version where nothing differs from it, as AWS does.
func (a *actor) publish() string {
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

func TestRollouts(t *testing.T) {
	if s := os.Getenv("LAYERD_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		play(t, seed)
		return
	}
	n := uint64(100)
	if s := os.Getenv("LAYERD_WORLDS"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	ends := map[Stage]int{}
	for seed := range n {
		for stage, count := range play(t, seed) {
			ends[stage] += count
		}
		if t.Failed() {
			t.Fatalf("LAYERD_SEED=%d repeats this play", seed)
		}
	}
	for _, stage := range []Stage{StageDone, StageRolledBack, StageSuperseded, StageHalted, StageCanaryBake, StageWatching} {
		if n >= 100 && ends[stage] == 0 {
			t.Errorf("only %d rollouts were %s: the plays do not show it", ends[stage], stage)
		}
	}
}

func FuzzRollouts(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { play(t, seed) })
}

// play runs one play to its end and gives how often each stage was reached.
func play(t *testing.T, seed uint64) map[Stage]int {
	t.Helper()
	th := stage(t, rand.New(rand.NewPCG(seed, 7)))
	const most = 400
	for round := 0; ; round++ {
		if round == most/2 {
			th.calm = true
		}
		if round == most {
			th.errorf("it does not end: %+v", th.places[0].rollout)
			break
		}
		if !th.round(seed + uint64(round)) {
			break
		}
	}
	if t.Failed() {
		for _, line := range th.trace {
			t.Log(line)
		}
	}
	ends := map[Stage]int{}
	for _, p := range th.places {
		for stage, n := range p.ends {
			ends[stage] += n
		}
	}
	return ends
}

func (th *theatre) errorf(format string, args ...any) {
	th.t.Helper()
	th.t.Errorf("%s: "+format, append([]any{th.now.Format(time.RFC3339)}, args...)...)
}

func (th *theatre) note(format string, args ...any) {
	th.trace = append(th.trace, th.now.Format("15:04:05 ")+fmt.Sprintf(format, args...))
}

// round is one round of the daemon; false when nothing is left to happen.
func (th *theatre) round(seed uint64) bool {
	th.happen()
	plan := th.decide()
	if seed%7 == 0 {
		checkShuffled(th.t, &world{in: th.in}, plan, seed)
	}
	th.approve(plan)
	plan = th.decide()
	busy := false
	for i := range plan.Regions {
		busy = th.act(i, &plan.Regions[i]) || busy
	}
	th.now = th.now.Add(time.Duration(1+th.rnd.IntN(7)) * time.Minute)
	if busy || th.events > 0 || th.t.Failed() {
		if next := plan.Regions[0].Next; !busy && next.After(th.now) {
			th.now = next
		}
		return !th.t.Failed()
	}
	next := plan.Regions[0].Next
	for _, r := range plan.Regions {
		if r.Next.After(th.now) && (next.IsZero() || r.Next.Before(next)) {
			next = r.Next
		}
		if r.Rollout.Open() && !next.After(th.now) {
			return true
		}
	}
	if !next.After(th.now) {
		return false
	}
	th.now = next
	return true
}

// decide answers what is asked for, as a round does.
func (th *theatre) decide() Plan {
	th.in.Now = th.now
	th.in.Rollouts, th.in.Changed, th.in.Have = nil, nil, nil
	for i, p := range th.places {
		th.in.Rollouts = append(th.in.Rollouts, p.rollout)
		th.in.Changed = append(th.in.Changed, p.list())
		th.in.Have = append(th.in.Have, th.look(i, p))
	}
	for range 8 {
		plan := Decide(th.in)
		done := true
		for i, r := range plan.Regions {
			if !r.Needs.Empty() {
				done = false
				th.answer(i, r.Needs)
			}
		}
		if done {
			return plan
		}
	}
	panic("the decision never stops asking")
}

// list is what the rollout has done. That of one which ended is not asked for,
// but for one that was taken over from.
func (p *place) list() []Changed {
	if p.rollout == nil || !p.rollout.Ended.IsZero() && p.rollout.Stage != StageSuperseded {
		return nil
	}
	var list []Changed
	for _, name := range slices.Sorted(maps.Keys(p.changed)) {
		list = append(list, *p.changed[name])
	}
	return list
}

func (th *theatre) look(i int, p *place) *state.Snapshot {
	e := th.in.Want[i]
	snap := &state.Snapshot{Account: account, Region: e.Region, Partition: "aws", ObservedAt: th.now}
	for name, n := range map[string]int64{"common": 5, "ml": 3} {
		l := state.Layer{ARN: arnIn(e.Region, name)}
		for ; n > 0; n-- {
			l.Versions = append(l.Versions, state.LayerVersion{Number: n, Created: noon.AddDate(0, -1, 0)})
		}
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

func (th *theatre) answer(i int, n state.Needs) {
	snap, p := th.in.Have[i], th.places[i]
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
	for _, name := range n.Aliases {
		if snap.Aliases == nil {
			snap.Aliases = map[string][]state.Alias{}
		}
		snap.Aliases[name] = nil
		if a := p.actor(name); a.alias != nil {
			snap.Aliases[name] = []state.Alias{*a.alias}
		}
	}
	for _, q := range n.Served {
		if snap.Served == nil {
			snap.Served = map[state.Qualified]state.Served{}
		}
		a := p.actor(q.Function)
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

func (p *place) actor(name string) *actor {
	i := slices.IndexFunc(p.functions, func(a *actor) bool { return a.Name == name })
	return p.functions[i]
}

// approve gives a person's word sometimes, and in the end always.
func (th *theatre) approve(plan Plan) {
	if !th.in.Want[0].ApprovalRequired || len(plan.Lines) == 0 || !th.calm && !chance(th.rnd, 40) {
		return
	}
	th.in.Approvals = append(th.in.Approvals, ruling.Approval{
		Environment: "prod", Digest: plan.Digest, By: "sato", At: th.now, Lines: plan.Lines, Begun: th.now,
	})
	for _, l := range plan.Lines {
		th.lines[l] = true
	}
}

// act carries out one Region's plan and moves its rollout on.
func (th *theatre) act(i int, r *RegionPlan) bool {
	p := th.places[i]
	if len(r.Lifted) > 0 {
		for j := range th.in.Quarantines {
			if slices.Contains(r.Lifted, th.in.Quarantines[j]) {
				th.in.Quarantines[j].Ended = th.now
			}
		}
	}
	for _, a := range r.Learned.Adopted {
		th.applied(i, a.Function, a.Layer, a.Number)
	}
	th.id++
	if b := Begins(*r, p.rollout, fmt.Sprintf("%06d", th.id), "abc", th.now); b != nil {
		if len(b.Chain) == 0 {
			p.changed, p.origin, p.touched = map[string]*Changed{}, map[string]actor{}, map[string]bool{}
		}
		for _, c := range p.changed {
			c.Wave = 0
		}
		p.rollout, p.named, p.counted = b, map[string]bool{}, map[string]bool{}
		th.note("%s begins %s of %d in %d waves, chain %v, %+v", r.Want.Region, b.ID, b.Total, b.Waves, b.Chain, b.Targets)
	}
	did := th.carryOut(i, r)
	for _, name := range r.LeftAlone {
		p.named[name] = true
	}
	if p.rollout == nil || !p.rollout.Ended.IsZero() {
		return did
	}
	if r.Carried = true; p.rollout.Open() {
		th.moves(i, *r, p.rollout.Carried(*r, th.now), "carried")
	}
	th.judge(i)
	return true
}

// judge gives the verdict of what was watched, when it is due, and what a person
// says where one is asked.
func (th *theatre) judge(i int) {
	p, rules := th.places[i], th.in.Want[i].Rollout
	bad := !th.calm && chance(th.rnd, 12)
	switch due := Judged(p.rollout, rules); {
	case !p.rollout.Ended.IsZero():
	case p.rollout.Stage == StageHalted && (th.calm || chance(th.rnd, 30)):
		if bad {
			th.moves(i, RegionPlan{}, p.rollout.Unwell(desired.RollBack, "a person says so", th.now), "by hand")
			return
		}
		th.moves(i, RegionPlan{}, p.rollout.Resumed(th.now), "resumed")
	case due.IsZero() || th.now.Before(due):
	case bad:
		react := pick(th.rnd, desired.RollBack, desired.RollBack, desired.Halt)
		th.moves(i, RegionPlan{}, p.rollout.Unwell(react, "it is bad", th.now), "unwell")
	default:
		plan := th.decide().Regions[i]
		th.moves(i, plan, p.rollout.Well(plan, th.now), "well")
	}
}

// moves makes next the rollout and checks the transition.
func (th *theatre) moves(i int, plan RegionPlan, next Rollout, why string) {
	p := th.places[i]
	was := *p.rollout
	if was.Stage == next.Stage && was.Wave == next.Wave && next.Ended.IsZero() {
		p.rollout = &next
		return
	}
	th.note("%s %s: %s %d → %s %d (%s)", th.in.Want[i].Region, was.ID, was.Stage, was.Wave, next.Stage, next.Wave, why)
	p.rollout = &next
	p.ends[next.Stage]++
	wellOrUnverified := why == "well" || !verified(plan.Want.Rollout)
	if next.Wave != was.Wave && (!wellOrUnverified || next.Wave < was.Wave) {
		th.errorf("%s goes from wave %d to %d without having been well", was.ID, was.Wave, next.Wave)
	}
	switch next.Stage {
	case StageBake, StageCanaryBake:
		th.checkWhole(i, next, why)
	case StageSuperseded:
		if was.Stage != StageBake && was.Stage != StageHalted && verified(plan.Want.Rollout) && len(p.changed) > 0 {
			th.errorf("%s was taken over from in %s", was.ID, was.Stage)
		}
	case StageWatching:
		th.checkDone(i)
	case StageDone:
		th.prove(i, next)
		if was.Stage != StageWatching {
			th.checkDone(i)
		}
	case StageRollingBack:
		th.quarantine(i, next)
	case StageRolledBack:
		th.checkBack(i)
	}
}

// checkWhole: what is watched was changed whole.
func (th *theatre) checkWhole(i int, ro Rollout, why string) {
	plan := th.decide().Regions[i]
	if plan.Superseding || why == "resumed" {
		return
	}
	for _, s := range plan.Steps {
		shares := ro.Stage == StageCanaryBake && s.Kind == Serve && th.places[i].actor(s.Function).alias.Weights != nil
		if s.inRollout() && s.Wave <= ro.Wave && !s.waits() && !shares {
			th.errorf("wave %d is watched, and %s of wave %d is still to be done", ro.Wave, s.ID, s.Wave)
		}
	}
}

func (th *theatre) prove(i int, ro Rollout) {
	for _, t := range ro.Targets {
		lp := th.in.Past[i].Layers[t.Layer]
		lp.Proven = t.Number
		th.in.Past[i].Layers[t.Layer] = lp
	}
}

// checkDone: nothing is left but what waits for something of its own.
func (th *theatre) checkDone(i int) {
	for _, s := range th.decide().Regions[i].Steps {
		if s.inRollout() && !s.waits() {
			th.errorf("it is done, and %s is still to be done: %+v", s.ID, s.Held)
		}
	}
}

func (th *theatre) quarantine(i int, ro Rollout) {
	for _, t := range ro.Brought(th.places[i].all()) {
		th.in.Quarantines = append(th.in.Quarantines, ruling.Quarantine{
			Environment: "prod", Region: th.in.Want[i].Region, Layer: t.Layer, Name: t.Name, Number: t.Number, Reason: ro.Reason, At: th.now,
		})
	}
}

// quarantined says that Git has asked for nothing else meanwhile.
func (th *theatre) quarantined(i int, t Target) bool {
	return slices.ContainsFunc(th.in.Quarantines, func(q ruling.Quarantine) bool {
		return q.Region == th.in.Want[i].Region && q.Layer == t.Layer && q.Number == t.Number && q.Ended.IsZero()
	})
}

func (p *place) all() []Changed {
	var list []Changed
	for _, name := range slices.Sorted(maps.Keys(p.changed)) {
		list = append(list, *p.changed[name])
	}
	return list
}

// checkBack: every function that nobody else touched is exactly as it was, and
// what failed does not come again by itself.
func (th *theatre) checkBack(i int) {
	p := th.places[i]
	for name, was := range p.origin {
		a := p.actor(name)
		if p.touched[name] {
			same := slices.Equal(a.Layers, was.Layers)
			if !same && !p.named[name] {
				th.errorf("%s was touched by somebody else, is not as it was and not named", name)
			}
			continue
		}
		if !slices.Equal(a.Layers, was.Layers) {
			th.errorf("%s had %v and has %v", name, was.Layers, a.Layers)
		}
		if a.alias != nil && (a.alias.Version != was.alias.Version || len(a.alias.Weights) > 0) {
			th.errorf("%s served version %s and serves %+v", name, was.alias.Version, *a.alias)
		}
	}
	plan := th.decide().Regions[i]
	for _, s := range plan.Steps {
		if !s.inRollout() || s.Held != nil && (s.Held.By == ByQuarantine || heldBy(s, ByQuarantine)) {
			continue
		}
		for _, t := range p.rollout.Brought(p.all()) {
			if s.LayerARN == t.Layer && s.To.Number() == t.Number && th.quarantined(i, t) {
				th.errorf("%s would bring back what failed: %+v", s.ID, s.Held)
			}
		}
	}
}

// carryOut does what internal/apply and internal/history do, on values.
func (th *theatre) carryOut(i int, r *RegionPlan) (did bool) {
	byName := map[string][]int{}
	for j, s := range r.Steps {
		if s.Held != nil {
			r.Steps[j].Result = &Result{Status: Waiting}
			continue
		}
		byName[s.Function] = append(byName[s.Function], j)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		var steps []Step
		for _, j := range byName[name] {
			steps = append(steps, r.Steps[j])
		}
		for _, s := range steps {
			th.checkStep(i, r, s)
		}
		result := th.change(i, name, steps)
		for _, j := range byName[name] {
			r.Steps[j].Result = &result
		}
		did = true
	}
	return did
}

// change changes one function; sometimes it fails before, half way, or in the
// end.
func (th *theatre) change(i int, name string, steps []Step) Result {
	p := th.places[i]
	a := p.actor(name)
	was := *a
	record := Changed{Function: name, Before: a.Layers}
	fails := 0
	if !th.calm && chance(th.rnd, 15) {
		fails = 1 + th.rnd.IntN(3)
	}
	var serve *Step
	list := Fold(a.Layers, steps)
	for j := range steps {
		if steps[j].Kind == Serve {
			serve = &steps[j]
		}
		if steps[j].Whole != nil {
			list = slices.Clone(steps[j].Whole)
		}
	}
	record.After = list
	moved := false
	if serve != nil {
		record.Alias, record.AliasBefore, record.Canary = "live", a.alias.Version, serve.Serving.Weight > 0
	}
	move := func(version string) {
		next := *a.alias
		if serve.Serving.Weight > 0 {
			next.Weights = map[string]float64{version: serve.Serving.Weight}
		} else {
			next.Version, next.Weights = version, nil
		}
		a.alias, moved, record.AliasAfter = &next, true, version
	}
	if fails != 1 {
		if serve != nil && serve.Serving.Version != "" {
			move(serve.Serving.Version)
		}
		if fails != 2 || serve == nil || !moved {
			a.Layers = list
		}
		if fails != 2 && serve != nil && serve.Serving.Version == "" {
			move(a.publish())
		}
	}
	th.checkChange(name, was, *a)
	th.note("%s %s: %s → fails %d, has %v, alias %+v", th.in.Want[i].Region, name, told(RegionPlan{Steps: steps}), fails, a.Layers, a.alias)
	record.After, record.Failed = a.Layers, fails > 0
	idle := fails > 0 && slices.Equal(was.Layers, a.Layers) && !moved
	if !idle {
		th.record(i, was, record, steps)
	}
	if fails > 0 {
		return Result{Status: Failed, Error: "it failed"}
	}
	for _, s := range steps {
		if s.LayerARN != "" {
			th.applied(i, name, s.LayerARN, s.To.Number())
		}
	}
	return Result{Status: Applied}
}

// record keeps what a rollout did, as the history does.
func (th *theatre) record(i int, was actor, rec Changed, steps []Step) {
	p := th.places[i]
	back := slices.ContainsFunc(steps, func(s Step) bool { return s.Cause == Rollback })
	changes := slices.ContainsFunc(steps, Step.inRollout)
	c := p.changed[was.Name]
	if c != nil && !back {
		// What another writer did is healed; what stands beside our layers is not.
		p.touched[was.Name] = !slices.Equal(beside(rec.After), beside(p.origin[was.Name].Layers))
	}
	if back || p.rollout == nil || !p.rollout.Open() {
		return
	}
	if c == nil {
		if !changes {
			return
		}
		c = &Changed{Function: was.Name, Before: rec.Before}
		p.changed[was.Name] = c
		p.origin[was.Name] = was
	}
	if changes {
		p.counted[was.Name] = true
		th.checkCount(i)
	}
	if changes {
		c.Wave = p.rollout.Wave
	}
	c.After, c.Failed = rec.After, rec.Failed
	if rec.Alias == "" {
		return
	}
	if c.Alias == "" {
		c.Alias, c.AliasBefore = rec.Alias, rec.AliasBefore
	}
	c.Canary, c.AliasServes = rec.Canary, ""
	if rec.Canary && rec.AliasBefore != c.AliasBefore {
		c.AliasServes = rec.AliasBefore
	}
	if rec.AliasAfter != "" {
		c.AliasAfter = rec.AliasAfter
	}
}

// checkCount: no more functions are changed than the wave is to have in the end.
func (th *theatre) checkCount(i int) {
	p := th.places[i]
	ends := cuts(th.in.Want[i].Rollout, p.rollout.Total, 1<<30)
	if most := ends[min(p.rollout.Wave, len(ends))-1]; len(p.counted) > most {
		th.errorf("%d functions are changed in wave %d, and it ends at %d", len(p.counted), p.rollout.Wave, most)
	}
}

func (th *theatre) applied(i int, function string, layer state.LayerARN, n int64) {
	past := &th.in.Past[i]
	fp := past.Functions[function]
	fp.Applied = maps.Clone(fp.Applied)
	if fp.Applied == nil {
		fp.Applied = map[state.LayerARN]int64{}
	}
	fp.Applied[layer] = n
	fp.List = th.places[i].actor(function).Layers
	past.Functions[function] = fp
	lp := past.Layers[layer]
	lp.Applied = append(slices.DeleteFunc(slices.Clone(lp.Applied), func(x int64) bool { return x == n }), n)
	past.Layers[layer] = lp
}

// checkStep: what runs may run.
func (th *theatre) checkStep(i int, r *RegionPlan, s Step) {
	p := th.places[i]
	open := r.Want.Calendar.At(th.now).Open
	switch {
	case s.Cause == Rollback && p.touched[s.Function] && !slices.Equal(s.List, p.origin[s.Function].Layers):
		th.errorf("%s: somebody else has changed the function since", s.ID)
	case s.Cause == Rollback:
		return
	case !open && (!s.AnyTime || !r.Want.NewAtOnce || p.rollout.Open()):
		th.errorf("%s (%s) runs while the calendar is closed", s.ID, s.Cause)
	case s.Cause == Change && r.Want.ApprovalRequired && !s.Back && !th.lines[Line(r.Want.Region, s)]:
		th.errorf("%s runs without an approval", s.ID)
	case s.inRollout() && p.rollout == nil:
		th.errorf("%s runs without a rollout", s.ID)
	case s.inRollout() && p.rollout.Stage != StageCanary && p.rollout.Stage != StageChange:
		th.errorf("%s runs in stage %s", s.ID, p.rollout.Stage)
	case s.inRollout() && s.Wave > p.rollout.Wave:
		th.errorf("%s of wave %d runs in wave %d", s.ID, s.Wave, p.rollout.Wave)
	case s.inRollout() && s.Kind == Serve && (s.Serving.Weight > 0) != (p.rollout.Stage == StageCanary):
		th.errorf("%s gives a share of %v in stage %s", s.ID, s.Serving.Weight, p.rollout.Stage)
	}
	for _, q := range th.in.Quarantines {
		if q.Region == r.Want.Region && q.Ended.IsZero() && q.Layer == s.LayerARN && q.Number == s.To.Number() {
			th.errorf("%s brings what is in quarantine", s.ID)
		}
	}
	for j := range i {
		if s.inRollout() && th.places[j].rollout.Open() && th.places[j].rollout.Stage != StageHalted && !p.rollout.Open() {
			th.errorf("%s runs while the Region before is not through", s.ID)
		}
	}
}

// checkChange: neighbours and their order stay, and nobody's code is released.
func (th *theatre) checkChange(name string, was, is actor) {
	if !slices.Equal(beside(was.Layers), beside(is.Layers)) {
		th.errorf("%s: the neighbours were %v and are %v", name, beside(was.Layers), beside(is.Layers))
	}
	if is.alias == nil {
		return
	}
	if was.serves().CodeSHA256 != is.serves().CodeSHA256 {
		th.errorf("%s: code %s was served, and now %s", name, was.serves().CodeSHA256, is.serves().CodeSHA256)
	}
	if !slices.Equal(beside(was.serves().Layers), beside(is.serves().Layers)) {
		th.errorf("%s: other neighbours are served", name)
	}
}

// beside gives the layers of a list that are none of ours.
func beside(list []state.LayerVersionARN) []state.LayerVersionARN {
	return slices.DeleteFunc(slices.Clone(list), func(v state.LayerVersionARN) bool { return v.Layer().Account() == account })
}

// happen lets something come from outside: a commit, another writer, a new
// function.
func (th *theatre) happen() {
	if th.events == 0 || !chance(th.rnd, 25) && !th.calm {
		return
	}
	th.events--
	if th.calm {
		return
	}
	i := th.rnd.IntN(len(th.places))
	p := th.places[i]
	switch a := pick(th.rnd, p.functions...); th.rnd.IntN(5) {
	case 0, 1:
		th.commit()
	case 2: // another writer of our layer
		layer := arnIn(th.in.Want[i].Region, "common")
		list := Fold(a.Layers, []Step{{Function: a.Name, LayerARN: layer, To: layer.Version(int64(1 + th.rnd.IntN(5)))}})
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
		a := th.newActor(th.in.Want[i].Region, len(p.functions))
		p.functions = append(p.functions, a)
		th.note("%s comes with %v", a.Name, a.Layers)
	}
}

func (th *theatre) touch(p *place, a *actor) {
	if p.changed[a.Name] != nil {
		p.touched[a.Name] = true
	}
}

func (th *theatre) commit() {
	common, ml := pick(th.rnd, "1", "2", "3", "4", "5"), pick(th.rnd, "1", "2", "3", "none")
	for i := range th.in.Want {
		layers := slices.Clone(th.in.Want[i].Layers)
		layers[0].Version = mustVersion(common)
		if chance(th.rnd, 30) || layers[1].Version.Text == "" {
			layers[1].Version = mustVersion(ml)
		}
		th.in.Want[i].Layers = layers
	}
	th.note("Git asks for common %s and perhaps ml %s", common, ml)
}

func (th *theatre) newActor(region string, n int) *actor {
	r := th.rnd
	a := &actor{Function: state.Function{
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

// stage sets a play up.
func stage(t *testing.T, r *rand.Rand) *theatre {
	th := &theatre{t: t, rnd: r, now: noon, events: r.IntN(6), lines: map[string]bool{}}
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
		Name: "prod", Account: account, Partition: "aws", Zone: time.UTC, MaxNew: 100, NewAtOnce: chance(r, 30), Rollout: rules,
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
				Name: name, Layer: arnIn(region, name), Owned: true,
				Functions: []desired.Selector{{Name: pick(r, "*", "makoto-*")}},
			})
		}
		e.Unmanaged = []string{string(foreignLayer) + "*"}
		th.in.Want = append(th.in.Want, e)
		th.in.Past = append(th.in.Past, Past{Functions: map[string]FunctionPast{}, Layers: map[state.LayerARN]LayerPast{}})
		p := &place{changed: map[string]*Changed{}, origin: map[string]actor{}, touched: map[string]bool{}, named: map[string]bool{}, counted: map[string]bool{}, ends: map[Stage]int{}}
		for n := range 1 + r.IntN(9) {
			p.functions = append(p.functions, th.newActor(region, n))
		}
		th.places = append(th.places, p)
	}
	th.commit()
	return th
}
