package daemon

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/layerd/layerd/internal/daemon/metrics"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
)

// This file is what package metrics is told and asks.

// figures is what metrics show of an environment's last round.
type figures struct {
	metrics.Figures
	succeededAt time.Time            // when a round last ended without a failure
	pending     map[string]time.Time // the steps that wait but for prunes, and since when
}

// outcomes of a round.
const (
	outcomeSuccess     = "success"
	outcomeFailed      = "failed"
	outcomeInterrupted = "interrupted"
)

// outcomeOf returns how a round of an environment ended.
func outcomeOf(planned plan.Plan) string {
	if round.CutShort(planned) {
		return outcomeInterrupted
	}
	for _, r := range planned.Regions {
		failed := func(s plan.Step) bool { return s.Result != nil && s.Result.Status == plan.StatusFailed }
		if r.Failure != nil || slices.ContainsFunc(r.Steps, failed) {
			return outcomeFailed
		}
	}
	return outcomeSuccess
}

// countRound counts a round, and keeps its figures. A Region that could not be read
// says nothing: what was known before stays. asked is when Git asked for what is
// followed.
func (a *account) countRound(planned plan.Plan, asked time.Time, took time.Duration) {
	name, outcome, now := planned.Environment, outcomeOf(planned), time.Now()
	a.Metrics.Round(name, outcome, took)
	read := true
	for _, r := range planned.Regions {
		read = read && (r.Failure == nil || r.Failure.Code == codeMaxBlocked)
		for _, s := range r.Steps {
			if s.Result != nil && (s.Result.Status == plan.StatusApplied || s.Result.Status == plan.StatusFailed) {
				a.Metrics.Action(name, string(s.Kind), string(s.Result.Status))
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.envs[name]
	if d == nil {
		return
	}
	if outcome == outcomeSuccess {
		d.figures.succeededAt = now
	}
	if read {
		d.figures.update(planned, asked, now)
	}
}

// update counts what is in a plan that was carried out.
func (f *figures) update(planned plan.Plan, asked, now time.Time) {
	before, first := f.pending, f.pending == nil
	f.pending = map[string]time.Time{}
	f.Figures = metrics.Figures{Held: map[string]int{}, Drift: map[string]int{}}
	blocked := map[[2]string]bool{}
	for _, r := range planned.Regions {
		f.countSteps(r, func(id string) time.Time {
			if since, ok := before[id]; ok {
				return since
			}
			if first && !asked.IsZero() && asked.Before(now) {
				return asked // it may have waited long before this daemon began
			}
			return now
		})
		for _, b := range r.Blocked {
			blocked[[2]string{r.Want.Region, b.Function}] = true
		}
		f.countLayers(r)
		f.countFunctions(r)
	}
	f.Blocked = len(blocked)
	for _, since := range f.pending {
		if f.PendingSince.IsZero() || since.Before(f.PendingSince) {
			f.PendingSince = since
		}
	}
}

// countSteps counts the steps that wait, and the drift that is left.
func (f *figures) countSteps(r plan.Region, since func(id string) time.Time) {
	drifted, healed := map[[2]string]time.Time{}, map[[2]string]bool{}
	for _, d := range r.Drift {
		drifted[[2]string{d.Layer, d.Function}] = d.Since
	}
	for _, s := range r.Steps {
		if s.Held != nil {
			f.Held[string(s.Held.By)]++
		}
		of := [2]string{s.Layer, s.Function}
		healed[of] = healed[of] || s.Done()
		if s.Done() || s.Kind == plan.KindPrune {
			continue
		}
		f.Approval = f.Approval || s.HeldBy(plan.ByApproval)
		at := since(r.Want.Region + " " + s.ID)
		if d := drifted[of]; s.Cause == plan.CauseDrift && !d.IsZero() {
			at = d
		}
		f.pending[r.Want.Region+" "+s.ID] = at
	}
	for _, d := range r.Drift {
		if !healed[[2]string{d.Layer, d.Function}] {
			f.Drift[d.Kind]++
		}
	}
}

// countLayers notes for each layer whether functions are to change.
func (f *figures) countLayers(r plan.Region) {
	for _, w := range r.Want.Layers {
		l := metrics.Layer{Name: w.Name, Status: "synced", Desired: w.Version.String(), Live: w.Version.String()}
		for _, s := range r.Steps {
			if s.Layer != w.Name || s.Function == "" || s.Done() {
				continue
			}
			live := liveBefore(s)
			if l.Status != "synced" && l.Live != live {
				live = "mixed"
			}
			l.Status, l.Live = "out_of_sync", live
		}
		f.add(l)
	}
}

// countFunctions notes how many functions have each version of a layer.
func (f *figures) countFunctions(r plan.Region) {
	if r.RolloutStatus == nil {
		return
	}
	if f.Functions == nil {
		f.Functions = map[metrics.LayerVersion]int{}
	}
	for _, w := range r.Want.Layers {
		for v, n := range r.RolloutStatus.Functions {
			if v.Of(w.Layer) {
				version := cmp.Or(r.RolloutStatus.Semvers[v], strconv.FormatInt(v.Number(), 10))
				f.Functions[metrics.LayerVersion{Layer: w.Name, Version: version}] += n
			}
		}
	}
}

// add adds what another Region has of a layer.
func (f *figures) add(l metrics.Layer) {
	i := slices.IndexFunc(f.Layers, func(x metrics.Layer) bool { return x.Name == l.Name })
	if i < 0 {
		f.Layers = append(f.Layers, l)
		return
	}
	x := &f.Layers[i]
	switch {
	case l.Status == "synced":
	case x.Status == "synced":
		x.Status, x.Live = l.Status, l.Live
	case x.Live != l.Live:
		x.Live = "mixed"
	}
	if x.Desired != l.Desired {
		x.Desired = "mixed" // a map of numbers by Region
	}
}

// liveBefore returns what a function has that is to change.
func liveBefore(s plan.Step) string {
	switch {
	case s.From == "":
		return "none"
	case s.FromVersion != "":
		return s.FromVersion
	}
	return strconv.FormatInt(s.From.Number(), 10)
}

// Status returns what metrics show. It asks neither the store nor AWS.
func (d *Daemon) Status() metrics.Status {
	ready, w, now, targets := d.Health().Ready, d.desired(), time.Now(), d.book.Targets()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := metrics.Status{
		Ready: ready, Store: d.storeError == "", GitReadAt: d.head.readAt, CommitAt: d.head.commit.When,
		Problems: countProblems(d.listProblems(w, targets)),
	}
	for _, t := range targets {
		s.Waiting += t.Waiting
	}
	if !w.noEnvironments {
		s.Names = w.tree.Names
	}
	for _, id := range w.accounts() {
		if a := d.accounts[id]; a != nil {
			a.status(&s, w, now)
		}
	}
	return s
}

// status needs the daemon's mu.
func (a *account) status(s *metrics.Status, w *desiredView, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.Accounts = append(s.Accounts, metrics.Account{ID: a.id, Held: a.holding, Epoch: a.fence})
	if !a.holding {
		return
	}
	for _, name := range w.of(a.id) {
		d := a.envs[name]
		if d == nil {
			continue
		}
		e := metrics.Environment{Name: name, LastSuccess: d.figures.succeededAt}
		if d.figures.pending != nil {
			shown := d.figures.Figures // the next round writes new ones while these are shown
			e.Figures = &shown
		}
		at := named(w.tree.Environments, name)[0].Calendar.At(now)
		e.Open, e.NextOpen, e.Turns = at.Open, at.NextOpen, at.NextOpen
		if at.Open {
			e.Turns = at.ClosesAt
		}
		s.Environments = append(s.Environments, e)
	}
}

// countProblems counts problems for the metrics.
func countProblems(problems []Problem) []metrics.Problem {
	count := map[metrics.Problem]int{}
	for _, p := range problems {
		count[metrics.Problem{Environment: p.Environment, Code: p.Code, Severity: string(p.Severity)}]++
	}
	list := make([]metrics.Problem, 0, len(count))
	for p, n := range count {
		p.Count = n
		list = append(list, p)
	}
	return list
}

// countedTarget counts what a target is sent.
type countedTarget struct {
	notify.Target
	metrics *metrics.Metrics
}

// Send implements notify.Target.
func (c countedTarget) Send(ctx context.Context, m notify.Message) error {
	err := c.Target.Send(ctx, m)
	if ctx.Err() == nil || err == nil { // that we were stopped is no failure of the target
		c.metrics.Message(c.Name(), err)
	}
	return err
}

// counted returns the targets, whose messages m counts.
func counted(targets []notify.Target, m *metrics.Metrics) []notify.Target {
	list := make([]notify.Target, 0, len(targets))
	for _, t := range targets {
		list = append(list, countedTarget{t, m})
	}
	return list
}
