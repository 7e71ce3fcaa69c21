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
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// simulation plays rollouts on values: what AWS has, what the history keeps and
// what people do, over virtual time. It knows of each thing what really is, and
// checks the promises about rollouts against that.
type simulation struct {
	t        *testing.T
	rnd      *rand.Rand
	in       Input
	places   []*place // by Region
	now      time.Time
	events   int             // how much may still happen from outside
	lines    map[string]bool // of all approvals
	baseline bool            // nothing happens any more, and all is well
	id       int
	trace    []string
}

func TestRollouts(t *testing.T) {
	if s := os.Getenv("LAYERD_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		simulate(t, seed)
		return
	}
	n := uint64(100)
	if s := os.Getenv("LAYERD_WORLDS"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for _, seed := range []uint64{298, 876, 3812} { // found something once
		simulate(t, seed)
	}
	ends := map[rollout.Stage]int{}
	for seed := range n {
		for stage, count := range simulate(t, seed) {
			ends[stage] += count
		}
		if t.Failed() {
			t.Fatalf("LAYERD_SEED=%d repeats this play", seed)
		}
	}
	for _, stage := range []rollout.Stage{rollout.StageDone, rollout.StageRolledBack, rollout.StageSuperseded, rollout.StageHalted, rollout.StageCanaryBake, rollout.StageWatching} {
		if n >= 100 && ends[stage] == 0 {
			t.Errorf("only %d rollouts were %s: the plays do not show it", ends[stage], stage)
		}
	}
}

func FuzzRollouts(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { simulate(t, seed) })
}

// simulate runs one play to its end and gives how often each stage was reached.
func simulate(t *testing.T, seed uint64) map[rollout.Stage]int {
	t.Helper()
	th := scenarioOf(t, rand.New(rand.NewPCG(seed, 7)))
	const most = 400
	for round := 0; ; round++ {
		if round == most/2 {
			th.baseline = true
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
	ends := map[rollout.Stage]int{}
	for _, p := range th.places {
		for stage, n := range p.ends {
			ends[stage] += n
		}
	}
	return ends
}

func (th *simulation) errorf(format string, args ...any) {
	th.t.Helper()
	th.t.Errorf("%s: "+format, append([]any{th.now.Format(time.RFC3339)}, args...)...)
}

func (th *simulation) note(format string, args ...any) {
	th.trace = append(th.trace, th.now.Format("15:04:05 ")+fmt.Sprintf(format, args...))
}

// round is one round of the daemon; false when nothing is left to happen.
func (th *simulation) round(seed uint64) bool {
	th.happen()
	planned := th.decide()
	if seed%7 == 0 {
		checkShuffled(th.t, &scenario{in: th.in}, planned, seed)
	}
	th.approve(planned)
	planned = th.decide()
	busy := false
	for i := range planned.Regions {
		busy = th.act(i, &planned.Regions[i]) || busy
	}
	th.now = th.now.Add(time.Duration(1+th.rnd.IntN(7)) * time.Minute)
	if busy || th.events > 0 || th.t.Failed() {
		if next := planned.Regions[0].Next; !busy && next.After(th.now) {
			th.now = next
		}
		return !th.t.Failed()
	}
	next := planned.Regions[0].Next
	for _, r := range planned.Regions {
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

// act carries out one Region's plan and moves its rollout on.
func (th *simulation) act(i int, r *plan.Region) bool {
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
	if b := plan.Begins(*r, p.rollout, fmt.Sprintf("%06d", th.id), "abc", th.now); b != nil {
		if len(b.Chain) == 0 {
			p.changed, p.origin, p.touched = map[string]*rollout.Changed{}, map[string]fleetFunction{}, map[string]bool{}
		}
		for _, c := range p.changed {
			c.Wave = 0
		}
		if why := slices.IndexFunc(b.Targets, func(t rollout.Target) bool { return t.Number >= unpublished }); why >= 0 {
			th.errorf("%s begins with %s %s, which has no number", b.ID, b.Targets[why].Name, b.Targets[why].Semver)
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
	if r.Applied = true; p.rollout.Open() {
		th.moves(i, *r, rollout.Applied{Facts: r.Facts(p.list())}, "applied")
	}
	th.judge(i)
	return true
}

// judge moves the rollout on as a round does: by what is known, else by a made-up
// verdict when it is due, or by what a person says where one is asked.
func (th *simulation) judge(i int) {
	p, rules := th.places[i], th.in.Regions[i].Want.Rules()
	if !p.rollout.Running() {
		return
	}
	planned := th.decide().Regions[i]
	facts := planned.Facts(p.list())
	if p.rollout.Stage == rollout.StageWatching {
		facts = planned.Facts(p.all())
	}
	if e := p.rollout.Answer(facts, th.in.Quarantines, th.in.Regions[i].Want.Region, rules, th.now); e != nil {
		th.moves(i, planned, e, "answered")
		return
	}
	bad := !th.baseline && chance(th.rnd, 12)
	switch checks := p.rollout.Checks(facts, rules, th.now); {
	case p.rollout.Stage == rollout.StageHalted && (th.baseline || chance(th.rnd, 30)):
		if bad {
			th.rollBack(i)
			return
		}
		th.moves(i, planned, rollout.Resumed{}, "resumed")
	case p.rollout.Stage == rollout.StageWatching && bad:
		th.moves(i, planned, rollout.AlarmsRead{Reason: "errors rings", Findings: []string{"errors rings"}}, "alarm")
	case checks.Smoke && !bad:
		th.moves(i, planned, rollout.SmokePassed{}, "smoke")
	case checks.Rates && bad:
		th.moves(i, planned, rollout.Failed{Reaction: pick(th.rnd, desired.RollBack, desired.RollBack, desired.Halt), Reason: "it is bad"}, "failed")
	case checks.Rates:
		th.moves(i, planned, rollout.Passed{Facts: facts, Findings: []string{"all is well"}}, "passed")
	}
}

// rollBack is a person who rolls back what a halted rollout brings: a ruling for each
// layer that was at another version here before, which the rollout then answers to.
func (th *simulation) rollBack(i int) {
	p, r := th.places[i], th.in.Regions[i]
	ruled := false
	for _, t := range p.rollout.Targets {
		applied := slices.DeleteFunc(slices.Clone(r.Past.Layers[t.Layer].Applied), func(n int64) bool { return n == t.Number || n == 0 })
		if len(applied) == 0 || t.Number == 0 {
			continue
		}
		ruled = true
		th.in.Quarantines = append(th.in.Quarantines, ruling.Quarantine{
			Environment: "prod", Region: r.Want.Region, Layer: t.Layer, Name: t.Name, Number: t.Number, RevertTo: applied[len(applied)-1],
			ByPerson: true, By: "sato", Reason: "a person says so", At: th.now,
		})
	}
	if !ruled {
		return // there is nothing to go back to
	}
	facts := th.decide().Regions[i].Facts(p.list())
	e := p.rollout.Answer(facts, th.in.Quarantines, r.Want.Region, r.Want.Rules(), th.now)
	if _, ok := e.(rollout.RolledBack); !ok {
		th.errorf("a person rolled back %s, and the rollout answers %T", p.rollout.ID, e)
		return
	}
	th.moves(i, th.decide().Regions[i], e, "by hand")
}

// ruledByHand reports whether a person has rolled back a layer in the Region.
func (th *simulation) ruledByHand(i int) bool {
	return slices.ContainsFunc(th.in.Quarantines, func(q ruling.Quarantine) bool { return q.ByPerson && q.Region == th.in.Regions[i].Want.Region })
}

// moves sends an event to the rollout and checks the transition.
func (th *simulation) moves(i int, planned plan.Region, event rollout.Event, why string) {
	p := th.places[i]
	was := *p.rollout
	next := was.Next(event, th.in.Regions[i].Want.Rules(), th.now)
	if was.Stage == next.Stage && was.Wave == next.Wave && next.Ended.IsZero() {
		p.rollout = &next
		return
	}
	th.note("%s %s: %s %d → %s %d (%s)", th.in.Regions[i].Want.Region, was.ID, was.Stage, was.Wave, next.Stage, next.Wave, why)
	p.rollout = &next
	p.ends[next.Stage]++
	wellOrUnverified := why == "passed" || why == "answered" || !planned.Want.Rollout.Verifies()
	if next.Wave != was.Wave && (!wellOrUnverified || next.Wave < was.Wave) {
		th.errorf("%s goes from wave %d to %d without having been well", was.ID, was.Wave, next.Wave)
	}
	switch next.Stage {
	case rollout.StageBake, rollout.StageCanaryBake:
		th.checkWhole(i, next, why)
	case rollout.StageSuperseded:
		if was.Stage != rollout.StageBake && was.Stage != rollout.StageHalted && planned.Want.Rollout.Verifies() && len(p.changed) > 0 {
			th.errorf("%s was taken over from in %s", was.ID, was.Stage)
		}
	case rollout.StageWatching:
		th.checkDone(i)
	case rollout.StageDone:
		th.prove(i, next)
		if was.Stage != rollout.StageWatching {
			th.checkDone(i)
		}
	case rollout.StageRollingBack:
		th.quarantine(i, next)
	case rollout.StageRolledBack:
		if why != "by hand" { // then functions go back after it, each by the ruling
			th.checkBack(i)
		}
	}
}

// checkWhole: what is watched was changed whole.
func (th *simulation) checkWhole(i int, ro rollout.Rollout, why string) {
	planned := th.decide().Regions[i]
	if planned.NewerCommit || why == "resumed" {
		return
	}
	for _, s := range planned.Steps {
		shares := ro.Stage == rollout.StageCanaryBake && s.Kind == plan.KindServe && th.places[i].function(s.Function).alias.Weights != nil
		if s.InRollout() && s.Wave <= ro.Wave && !s.WaitsAlone() && !shares {
			th.errorf("wave %d is watched, and %s of wave %d is still to be done", ro.Wave, s.ID, s.Wave)
		}
	}
}

func (th *simulation) prove(i int, ro rollout.Rollout) {
	for _, t := range ro.Targets {
		lp := th.in.Regions[i].Past.Layers[t.Layer]
		lp.Proven = t.Number
		th.in.Regions[i].Past.Layers[t.Layer] = lp
	}
}

// checkDone: nothing is left but what waits for something of its own.
func (th *simulation) checkDone(i int) {
	r := th.decide().Regions[i]
	if !slices.EqualFunc(r.Targets, th.in.Regions[i].Rollout.Targets, func(a, b rollout.Target) bool { return a.Layer == b.Layer && a.Number == b.Number }) {
		return // Git has gone on during the last bake
	}
	for _, s := range r.Steps {
		if s.InRollout() && !s.WaitsAlone() {
			th.errorf("it is done, and %s is still to be done: %+v", s.ID, s.Held)
		}
	}
}

func (th *simulation) quarantine(i int, ro rollout.Rollout) {
	for _, t := range ro.Introduced(th.places[i].all()) {
		th.in.Quarantines = append(th.in.Quarantines, ruling.Quarantine{
			Environment: "prod", Region: th.in.Regions[i].Want.Region, Layer: t.Layer, Name: t.Name, Number: t.Number, Reason: ro.Reason, At: th.now,
		})
	}
}

// quarantined reports whether Git has asked for nothing else meanwhile.
func (th *simulation) quarantined(i int, t rollout.Target) bool {
	return slices.ContainsFunc(th.in.Quarantines, func(q ruling.Quarantine) bool {
		return q.Region == th.in.Regions[i].Want.Region && q.Layer == t.Layer && q.Number == t.Number && q.Ended.IsZero()
	})
}

func (p *place) all() []rollout.Changed {
	var list []rollout.Changed
	for _, name := range slices.Sorted(maps.Keys(p.changed)) {
		list = append(list, *p.changed[name])
	}
	return list
}

// checkBack: every function that nobody else touched is exactly as it was, and
// what failed does not come again by itself.
func (th *simulation) checkBack(i int) {
	p := th.places[i]
	for name, was := range p.origin {
		a := p.function(name)
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
	planned := th.decide().Regions[i]
	for _, s := range planned.Steps {
		if !s.InRollout() || s.HeldBy(plan.ByQuarantine) {
			continue
		}
		for _, t := range p.rollout.Introduced(p.all()) {
			if s.LayerARN == t.Layer && s.To.Number() == t.Number && th.quarantined(i, t) {
				th.errorf("%s would bring back what failed: %+v", s.ID, s.Held)
			}
		}
	}
}

// carryOut does what internal/apply and internal/history do, on values.
func (th *simulation) carryOut(i int, r *plan.Region) (did bool) {
	byName := map[string][]int{}
	for j, s := range r.Steps {
		if s.Held != nil {
			r.Steps[j].Result = &plan.Result{Status: plan.StatusHeld}
			continue
		}
		if s.Kind == plan.KindPublish {
			th.checkStep(i, r, s)
			result := th.publish(i, s)
			r.Steps[j].Result, did = &result, true
			continue
		}
		if s.To != "" && s.To.Number() == 0 && s.Kind != plan.KindServe {
			th.errorf("%s attaches what has no number", s.ID)
		}
		byName[s.Function] = append(byName[s.Function], j)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		var steps []plan.Step
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
func (th *simulation) change(i int, name string, steps []plan.Step) plan.Result {
	p := th.places[i]
	a := p.function(name)
	was := *a
	record := rollout.Changed{Function: name, Before: a.Layers}
	fails := 0
	if !th.baseline && chance(th.rnd, 15) {
		fails = 1 + th.rnd.IntN(3)
	}
	var serve *plan.Step
	list := plan.Fold(a.Layers, steps)
	for j := range steps {
		if steps[j].Kind == plan.KindServe {
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
	th.note("%s %s: %s → fails %d, has %v, alias %+v", th.in.Regions[i].Want.Region, name, told(plan.Region{Steps: steps}), fails, a.Layers, a.alias)
	record.After, record.Failed = a.Layers, fails > 0
	idle := fails > 0 && slices.Equal(was.Layers, a.Layers) && !moved
	if !idle {
		th.record(i, was, record, steps)
	}
	if fails > 0 {
		return plan.Result{Status: plan.StatusFailed, Error: "it failed"}
	}
	for _, s := range steps {
		if s.LayerARN != "" {
			th.applied(i, name, s.LayerARN, s.To.Number())
		}
	}
	return plan.Result{Status: plan.StatusApplied}
}

// record keeps what a rollout did, as the history does.
func (th *simulation) record(i int, was fleetFunction, rec rollout.Changed, steps []plan.Step) {
	p := th.places[i]
	changes := slices.ContainsFunc(steps, plan.Step.InRollout)
	back := !changes && slices.ContainsFunc(steps, func(s plan.Step) bool { return s.Cause == plan.CauseRollback })
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
		c = &rollout.Changed{Function: was.Name, Before: rec.Before}
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
func (th *simulation) checkCount(i int) {
	p := th.places[i]
	ends := rollout.WaveEnds(th.in.Regions[i].Want.Rollout, p.rollout.Total, 1<<30, 0)
	if most := ends[min(p.rollout.Wave, len(ends))-1]; len(p.counted) > most {
		th.errorf("%d functions are changed in wave %d, and it ends at %d", len(p.counted), p.rollout.Wave, most)
	}
}

func (th *simulation) applied(i int, function string, layer state.LayerARN, n int64) {
	past := &th.in.Regions[i].Past
	fp := past.Functions[function]
	fp.Applied = maps.Clone(fp.Applied)
	if fp.Applied == nil {
		fp.Applied = map[state.LayerARN]int64{}
	}
	fp.Applied[layer] = n
	fp.List = th.places[i].function(function).Layers
	past.Functions[function] = fp
	lp := past.Layers[layer]
	lp.Applied = append(slices.DeleteFunc(slices.Clone(lp.Applied), func(x int64) bool { return x == n }), n)
	past.Layers[layer] = lp
}

// checkStep: what runs may run.
func (th *simulation) checkStep(i int, r *plan.Region, s plan.Step) {
	p := th.places[i]
	open := r.Want.Calendar.At(th.now).Open
	switch {
	case s.Cause == plan.CauseRollback && th.ruledByHand(i) && p.rollout.Stage != rollout.StageRollingBack:
		th.checkOnlyBack(i, s)
	case s.Cause == plan.CauseRollback && p.rollout.Stage != rollout.StageRollingBack && (s.Kind != plan.KindServe || s.Serving.Version != s.Serving.Served.Version):
		th.errorf("%s is more than a share of calls, and nothing goes back", s.ID)
	case s.Cause == plan.CauseRollback && p.rollout.Stage == rollout.StageRollingBack && p.touched[s.Function] && !slices.Equal(s.List, p.origin[s.Function].Layers):
		th.errorf("%s: somebody else has changed the function since", s.ID)
	case s.Cause == plan.CauseRollback:
		return
	case s.Kind == plan.KindPublish && s.Cause == plan.CauseChange && (!r.Want.ApprovalRequired || th.lines[plan.Line(r.Want.Region, s)]):
		return
	case !open && (!s.AnyTime || !r.Want.NewFunctionsNow || p.rollout.Open()):
		th.errorf("%s (%s) runs while the calendar is closed", s.ID, s.Cause)
	case s.Cause == plan.CauseChange && r.Want.ApprovalRequired && !s.Back && !th.lines[plan.Line(r.Want.Region, s)] && !th.lines[plan.LineBefore(r.Want.Region, s)]:
		th.errorf("%s runs without an approval", s.ID)
	case s.InRollout() && p.rollout == nil:
		th.errorf("%s runs without a rollout", s.ID)
	case s.InRollout() && p.rollout.Stage != rollout.StageCanary && p.rollout.Stage != rollout.StageChange:
		th.errorf("%s runs in stage %s", s.ID, p.rollout.Stage)
	case s.InRollout() && s.Wave > p.rollout.Wave:
		th.errorf("%s of wave %d runs in wave %d", s.ID, s.Wave, p.rollout.Wave)
	case s.InRollout() && s.Kind == plan.KindServe && (s.Serving.Weight > 0) != (p.rollout.Stage == rollout.StageCanary):
		th.errorf("%s gives a share of %v in stage %s", s.ID, s.Serving.Weight, p.rollout.Stage)
	}
	for _, q := range th.in.Quarantines {
		if q.Region == r.Want.Region && q.Ended.IsZero() && q.Layer == s.LayerARN && q.Number == s.To.Number() {
			th.errorf("%s brings what is in quarantine", s.ID)
		}
	}
	for j := range i {
		if s.InRollout() && th.places[j].rollout.Open() && th.places[j].rollout.Stage != rollout.StageHalted && !p.rollout.Open() {
			th.errorf("%s runs while the Region before is not through", s.ID)
		}
	}
}

// checkOnlyBack: what a person rolls back goes to a version that was here before, or
// that is lower than what the function has.
func (th *simulation) checkOnlyBack(i int, s plan.Step) {
	past := th.in.Regions[i].Past
	had := append(past.Here(s.LayerARN), past.Functions[s.Function].Original[s.LayerARN])
	if s.LayerARN != "" && s.To != "" && !slices.Contains(had, s.To.Number()) && s.To.Number() > s.From.Number() {
		th.errorf("%s goes forward from %s to %s", s.ID, s.From, s.To)
	}
}

// checkChange: neighbours and their order stay, and nobody's code is released.
func (th *simulation) checkChange(name string, was, is fleetFunction) {
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

// beside returns the layers of a list that are none of ours.
func beside(list []state.LayerVersionARN) []state.LayerVersionARN {
	return slices.DeleteFunc(slices.Clone(list), func(v state.LayerVersionARN) bool { return v.Layer().Account() == account })
}
