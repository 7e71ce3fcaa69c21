package round

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// errNoStore: without a record nothing is changed.
var errNoStore = errors.New("apply needs a store: what is about to be done is written down first")

// Apply makes the decision Plan makes and carries it out. An error means that
// the store could not be read, or that ctx ended: then not everything was done.
// A failed step, or an environment that could not be done, is no error; it is
// in the Result.
func (r Round) Apply(ctx context.Context) (Result, error) {
	p, err := r.Begin(ctx)
	if err != nil {
		return Result{}, err
	}
	for _, env := range p.chosen {
		p.result.add(p.Apply(ctx, env))
	}
	return p.result, ctx.Err()
}

// Begin is begin for a round that may change something: nothing is looked
// at before the lease is ours, and nothing where it is not.
func (r Round) Begin(ctx context.Context) (*Run, error) {
	if r.Store == nil {
		return nil, errNoStore
	}
	leases, refused := r.takeLeases(ctx)
	return r.beginWith(ctx, leases, refused)
}

// takeLeases asks for the lease of every account that the round is about.
func (r Round) takeLeases(ctx context.Context) (map[string]Lease, map[string]*plan.Failure) {
	leases, refused := map[string]Lease{}, map[string]*plan.Failure{}
	for _, e := range r.Tree.Environments {
		if r.Lease == nil || len(r.Environments) > 0 && !slices.Contains(r.Environments, e.Name) {
			continue
		}
		if leases[e.Account] != nil || refused[e.Account] != nil {
			continue
		}
		l, err := r.Lease(ctx, e.Account)
		if err != nil {
			refused[e.Account] = leaseFailure(ctx, err)
			continue
		}
		leases[e.Account] = l
	}
	return leases, refused
}

// Apply decides about one environment and does what may be done, as long as the
// lease of its account lasts. It returns what that was decided from as well.
func (p *Run) Apply(ctx context.Context, env []desired.Environment) (d Decision) {
	d.Plan = p.contain(ctx, env, func() (plan.Plan, error) {
		bound := ctx
		if l := p.leases[env[0].Account]; l != nil {
			var cancel context.CancelFunc
			bound, cancel = l.Bind(ctx)
			defer cancel()
		}
		planned, err := p.environment(bound, env, &d.Input)
		if bound.Err() != nil && ctx.Err() == nil {
			err = context.Cause(bound) // and not that it was stopped
		}
		return planned, err
	})
	return d
}

// environment does one environment in the order of DESIGN section 3: what was
// observed is settled and decided about, rollouts are judged, the intent is written
// down, what may be done is done, and what became of it is remembered. It fills in
// what it decides from.
func (p *Run) environment(ctx context.Context, env []desired.Environment, in *reconcile.Input) (planned plan.Plan, err error) {
	if err := p.settle(ctx, env[0].Name); err != nil {
		return plan.Plan{}, err
	}
	if *in, err = p.input(ctx, env); err != nil {
		return plan.Plan{}, err
	}
	done := make([]plan.Outcome, len(in.Regions))
	tried := make([][]plan.Step, len(in.Regions))
	var d prepared
	for again := true; again && err == nil; {
		if d, err = p.prepare(ctx, in, done, tried); err == nil {
			again, err = p.publishFirst(ctx, in, d.planned, tried)
		}
		d.planned = withTried(d.planned, tried)
	}
	for i := range in.Regions {
		if err == nil {
			err = p.applyRegion(ctx, in, d.planned, d.waves[i], i, &done[i])
		}
	}
	if err == nil && p.Only == nil {
		err = p.announce(ctx, in, d.planned, done, d.quiet)
	}
	if err == nil && p.Only == nil {
		err = p.finish(ctx, in, d.planned, done, d.quiet)
	}
	for i := range done {
		done[i].Applied = done[i].Applied || len(tried[i]) > 0
	}
	return d.planned.After(done), err
}

// prepared is a decision that may be carried out.
type prepared struct {
	planned plan.Plan
	waves   [][]plan.Wave // by Region, of all steps: also of such as the round is not about
	quiet   bool          // the past stays what was read of it
}

// prepare decides, moves rollouts on, and writes down what has to be known before the
// plan is carried out. tried are publishes that this round has behind it.
func (p *Run) prepare(ctx context.Context, in *reconcile.Input, done []plan.Outcome, tried [][]plan.Step) (d prepared, err error) {
	d.planned = p.decide(ctx, in)
	if p.Only == nil {
		if d.planned, err = p.advanceAll(ctx, in, d.planned, done); err != nil {
			return d, err
		}
	}
	d.planned = p.checkAlarms(ctx, in, d.planned)
	for _, r := range d.planned.Regions {
		d.waves = append(d.waves, r.Waves)
	}
	d.planned = withTried(p.only(d.planned), tried)
	if p.Decided != nil {
		if err := p.Decided(ctx, d.planned); err != nil {
			return d, err
		}
	}
	if p.Only == nil { // else the wish may be of a branch that nobody has merged
		if d.quiet, err = p.learn(ctx, *in, d.planned); err != nil {
			return d, err
		}
	}
	return d, p.bindApprovals(ctx, in, d.planned)
}

// learn writes down what the look and the decision taught. quiet reports that
// the past stays what was read of it.
func (p *Run) learn(ctx context.Context, in reconcile.Input, planned plan.Plan) (quiet bool, err error) {
	quiet = true
	for i, r := range planned.Regions {
		if in.Regions[i].Have == nil {
			continue
		}
		news, err := p.history(r.Want.Account).RecordObservationsSince(ctx, planned.Environment, r.Want.Region, in.Regions[i].Past, r.Learned, in.Now)
		if err != nil {
			return false, fmt.Errorf("remember what was seen in %s: %w", planned.Environment, err)
		}
		quiet = quiet && !news && !r.Runnable()
		if err := p.liftAnswered(ctx, r, in.Now); err != nil {
			return false, err
		}
	}
	return quiet, nil
}

// applyRegion does in one Region what may be done now, and moves its rollout on
// by what became of it. waves are those of all steps, also of such as the round is
// not about.
func (p *Run) applyRegion(ctx context.Context, in *reconcile.Input, planned plan.Plan, waves []plan.Wave, i int, done *plan.Outcome) error {
	if in.Regions[i].Have == nil {
		return nil
	}
	if err := p.carryOut(ctx, in, planned, waves, i, done); err != nil {
		return err
	}
	if ctx.Err() != nil || done.Failure != nil || p.Only != nil {
		return nil // what comes of it is for whoever goes on
	}
	// A plan that failed holds what is new; what goes back was done all the same.
	return p.afterApply(ctx, in, planned.Regions[i].After(*done), i, done)
}

// carryOut begins the rollout, writes the intent down and applies the plan of one
// Region.
func (p *Run) carryOut(ctx context.Context, in *reconcile.Input, planned plan.Plan, waves []plan.Wave, i int, done *plan.Outcome) error {
	r := planned.Regions[i]
	if r.Runnable() {
		if err := p.beginRollout(ctx, in, r, waves, i); err != nil {
			return err
		}
	}
	options := p.applyOptions(ctx, *in, r, i)
	if !r.Runnable() {
		// Nothing starts, so nothing is recorded; Run only marks what is held.
		var err error
		done.Steps, err = apply.Run(ctx, r, p.cloud(r.Want), nil, options)
		return err
	}
	p.Cache.invalidateChanged(planned.Environment, r.Want.Region) // whatever comes of it
	rec, err := p.history(r.Want.Account).BeginRound(ctx, p.record(*in, planned, r, i))
	if err != nil {
		return fmt.Errorf("record the round of %s: %w", planned.Environment, err)
	}
	steps, runErr := apply.Run(ctx, r, p.cloud(r.Want), rec, options)
	done.Steps, done.Applied = steps, true
	if closed, ok := errors.AsType[*apply.ClosedError](runErr); ok {
		done.Failure, runErr = closedFailure(ctx, closed.Err), nil
	}
	for _, s := range steps {
		if s.Kind == plan.KindShare {
			p.noteStep(ctx, r.Want, s)
		}
	}
	after := r.After(*done)
	p.Cache.forgetAliases(PlaceOf(r.Want), after)
	p.Cache.forgetPolicies(PlaceOf(r.Want), after)
	if after.AnyFailed() {
		p.Cache.drop(PlaceOf(r.Want)) // what was looked up may be why
	}
	// The record is finished also when ctx has ended: an orderly stop leaves
	// nothing open.
	endCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := rec.FinishRound(endCtx); err != nil {
		return errors.Join(runErr, fmt.Errorf("finish the record of %s: %w", planned.Environment, err))
	}
	if err := p.recordAttempts(endCtx, in.Regions[i], steps); err != nil {
		return errors.Join(runErr, err)
	}
	if ctx.Err() != nil {
		return nil // whoever ended ctx says so
	}
	return runErr
}

// applyOptions returns how the plan r of the i-th Region is carried out.
func (p *Run) applyOptions(ctx context.Context, in reconcile.Input, r plan.Region, i int) apply.Options {
	have := in.Regions[i].Have
	return apply.Options{
		InHand: r.Want.Rollout.Parallel,
		Decide: func(fresh state.Function) []plan.Step { return p.redecide(in, i, fresh) },
		Permit: func(steps []plan.Step) *plan.Held { return plan.Closed(steps, r.Want.Calendar, p.Now()) },
		Unmet:  func(fresh state.Function, steps []plan.Step) string { return reconcile.Unmet(*have, fresh, steps) },
		Late:   func(function string) bool { return len(in.Regions[i].Past.Functions[function].Refusals) > 0 },
		While:  p.cloud(r.Want).While,
		Leave:  func(s plan.Step) *plan.Result { return p.refusedLately(ctx, r.Want, s) },
		KeepAway: func(ctx context.Context, s plan.Step, res plan.Result) error {
			return p.keepAway(ctx, entryOf(r.Want, s), res)
		},
		Open: p.opener(r.Want),
		Log:  p.Log.With("env", r.Want.Name, "region", r.Want.Region),
		Progress: func(a apply.Progress) {
			p.tell(Progress{Environment: r.Want.Name, Region: r.Want.Region, Phase: "apply", Done: a.Done, Total: a.Total})
		},
	}
}

// recordAttempts remembers what AWS refused, so that it is not tried for ever.
func (p *Run) recordAttempts(ctx context.Context, r reconcile.Region, steps []plan.Step) error {
	err := p.history(r.Want.Account).RecordAttempts(ctx, r.Want.Name, r.Want.Region, r.Past, plan.Attempts(steps, p.Now()))
	if err != nil {
		return fmt.Errorf("remember what AWS refused in %s: %w", r.Want.Name, err)
	}
	return nil
}

// redecide decides one function again, as it was read just now.
func (p *Run) redecide(in reconcile.Input, i int, fresh state.Function) []plan.Step {
	steps := p.chosenOf(reconcile.Redecide(in, i, fresh))
	p.attributeSteps(&in, i, steps, &fresh)
	return steps
}

// finish notes what the whole round came to: who is woken, how the rollouts stand,
// which approvals are used up, and whether the past may be taken as it was read.
func (p *Run) finish(ctx context.Context, in *reconcile.Input, planned plan.Plan, done []plan.Outcome, quiet bool) error {
	p.wakeNextRegion(planned.After(done), done)
	if err := p.addStatus(ctx, in, planned, done); err != nil {
		return err
	}
	if err := p.endApprovals(ctx, *in, planned.After(done)); err != nil || !quiet {
		return err
	}
	for _, r := range in.Regions {
		p.Cache.MarkFresh(r.Want, p.fence(r.Want.Account))
	}
	return nil
}

// cloud is where an environment is changed: only while the lease lasts.
func (p *Run) cloud(e desired.Environment) Cloud {
	cloud := p.seenFor(e).cloud
	if l := p.leases[e.Account]; l != nil {
		return leased{cloud, l}
	}
	return cloud
}

// bindApprovals binds what was approved to the lines it covers before the first
// step starts, and offers what waits for an approval.
func (p *Run) bindApprovals(ctx context.Context, in *reconcile.Input, planned plan.Plan) error {
	begins, uses := map[string]bool{}, map[string]bool{}
	waits := false
	for _, r := range planned.Regions {
		for _, s := range r.Steps {
			if s.Cause == plan.CauseChange && s.Held == nil {
				lines := uses
				if s.Function != "" {
					lines = begins
				}
				lines[plan.Line(r.Want.Region, s)] = true
				lines[plan.LineBefore(r.Want.Region, s)] = true
			}
			waits = waits || s.HeldBy(plan.ByApproval) || s.HeldBy(plan.ByLimit)
		}
	}
	if waits {
		offer := ruling.PendingPlan{Environment: planned.Environment, Digest: planned.Digest, Scope: planned.Lines, At: in.Now.UTC()}
		if err := ruling.RecordPending(ctx, p.Store, p.Repository, offer); err != nil {
			return fmt.Errorf("record the plan that waits for approval: %w", err)
		}
	}
	for i, a := range in.Approvals {
		if !a.Valid(in.Regions[0].Want.Calendar, in.Now) {
			continue
		}
		lines := a.Scope
		if len(lines) == 0 && a.Digest == planned.Digest {
			lines = planned.Lines
		}
		begun, used := a.Begun, a.Used
		for _, line := range lines {
			if begun.IsZero() && begins[line] {
				begun = in.Now.UTC()
			}
			if used.IsZero() && uses[line] {
				used = in.Now.UTC()
			}
		}
		if len(lines) == len(a.Scope) && begun.Equal(a.Begun) && used.Equal(a.Used) {
			continue
		}
		err := ruling.Update(ctx, p.Store, p.Repository, a, func(now *ruling.Approval) { now.Scope, now.Begun, now.Used = lines, begun, used })
		if err != nil {
			return fmt.Errorf("bind the approval by %s: %w", a.By, err)
		}
		in.Approvals[i].Scope, in.Approvals[i].Begun, in.Approvals[i].Used = lines, begun, used
	}
	return nil
}

// endApprovals ends those approvals of which nothing is left to do. A Region
// that was not read may still hold some of it, and ends nothing.
func (p *Run) endApprovals(ctx context.Context, in reconcile.Input, planned plan.Plan) error {
	left := map[string]bool{}
	blocked := map[string]bool{} // what AWS refuses is tried again, under the same word
	for i, r := range planned.Regions {
		if in.Regions[i].Have == nil {
			return nil
		}
		for _, s := range r.Steps {
			if !s.Done() {
				left[plan.Line(r.Want.Region, s)] = true
				left[plan.LineBefore(r.Want.Region, s)] = true
			}
		}
		for _, b := range r.Blocked {
			if b.Refused {
				blocked[r.Want.Region+" "+b.Function] = true
			}
		}
	}
	for _, a := range in.Approvals {
		for _, line := range a.Scope {
			region, function := ruling.Subject(line)
			unknown := func(r plan.Region) bool { return grantUnknown(r, line) }
			if blocked[region+" "+function] || slices.ContainsFunc(planned.Regions, unknown) {
				left[line] = true
			}
		}
		if len(a.Scope) == 0 || !a.Ended.IsZero() || a.Begun.IsZero() && a.Used.IsZero() || anyLeft(a.Scope, left) {
			continue
		}
		err := ruling.Update(ctx, p.Store, p.Repository, a, func(now *ruling.Approval) { now.Ended = in.Now.UTC() })
		if err != nil {
			return fmt.Errorf("end the approval by %s: %w", a.By, err)
		}
	}
	return nil
}

func anyLeft(lines []string, left map[string]bool) bool {
	for _, line := range lines {
		if left[line] {
			return true
		}
	}
	return false
}

// record is what the history says of a round before its first change.
func (p *Run) record(in reconcile.Input, planned plan.Plan, r plan.Region, i int) history.Round {
	made := history.Round{
		Environment: planned.Environment, Region: r.Want.Region, Account: r.Want.Account,
		Digest: planned.Digest, Window: r.Window.Reason,
	}
	if in.Regions[i].Rollout.Open() {
		made.Rollout = in.Regions[i].Rollout.ID
	}
	origin := p.origin(planned.Environment)
	made.Revision, made.Author = origin.Revision, origin.Author
	if l := p.leases[r.Want.Account]; l != nil {
		made.Fencing = l.Fence()
	}
	for _, a := range in.Approvals {
		if a.Ended.IsZero() && !(a.Begun.IsZero() && a.Used.IsZero()) {
			made.Approval, made.ApprovedBy = a.Digest, a.By
		}
	}
	return made
}
