package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// updateTimeout bounds waiting for one update, in case an adapter does not.
// Attaching to a VPC takes a minute or more.
const updateTimeout = 6 * time.Minute

// errAgain marks an attempt that came to no end: look at the function once
// more, after a pause.
var errAgain = errors.New("again")

// job is the work on one function.
type job struct {
	*run
	name      string
	index     []int       // its runnable steps in plan.Steps
	steps     []plan.Step // what is to be done, as last decided
	unplanned []plan.Step // steps that were not in the plan, with their results

	id     string // of the open record; empty = none
	intent Intent // of the open record
	// sent is true while a write was sent and its outcome is unknown. The record
	// must not be closed by guessing meanwhile.
	sent bool
	// moving is the same for the alias, which the list shows nothing about.
	moving bool
	// movedTo is what the alias was moved to, or given weight, by the open
	// record; empty = it was not.
	movedTo   string
	requestID string
	// revision is what the function was at when it was last looked at; empty = it may
	// be at another since.
	revision string
	// release frees the slot, once: when the write was accepted, or at the end.
	release func()
}

// newBackOff returns pauses of about 0.5, 1, 2, 4 seconds. An update in progress
// takes two to three seconds, and a throttled account needs rest.
func newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.Multiplier = 2
	b.MaxInterval = 10 * time.Second
	return b
}

// runOne brings the function to an end, whatever happens in between.
func (j *job) runOne(ctx context.Context, do func(ctx, finishing context.Context) plan.Result) {
	status := plan.StatusHeld
	defer func() {
		if p := recover(); p != nil {
			j.Log.ErrorContext(ctx, "panic while changing a function", "function", j.name, "panic", p, "stack", string(debug.Stack()))
			// The record, if one is open, stays open: how far it went is unknown.
			status = j.assignResults(plan.Result{Status: plan.StatusFailed, Error: fmt.Sprintf("panic: %v", p)})
		}
		j.report(j.name, status)
	}()
	defer j.release()
	if !j.mayStart(ctx, j.index) {
		status = j.plan.Steps[j.index[0]].Result.Status
		return
	}
	finishing, cancel := finishingContext(ctx)
	defer cancel()
	status = j.assignResults(do(ctx, finishing))
}

// work attempts the function until it came to an end or the tries are used up.
// ctx stops it before a write; finishing is for what was sent already.
func (j *job) work(ctx, finishing context.Context) plan.Result {
	wait := newBackOff()
	var seen Outcome // what the last attempt that got so far knew
	var last error
	for try := range maxTries {
		if try > 0 {
			pause(j.readContext(ctx, finishing), wait.NextBackOff())
		}
		if closed := j.cloud.whyClosed(); closed != nil && !j.outcomeUnknown() {
			seen.Result = j.leftOff(closed)
			return j.closeRecord(finishing, seen)
		}
		if ctx.Err() != nil && !j.outcomeUnknown() {
			seen.Result = j.stoppedResult()
			if seen.List != nil {
				seen.Result = stoppedHalfWay()
			}
			return j.closeRecord(finishing, seen)
		}
		out, err := j.attempt(ctx, finishing, try == 0)
		if !errors.Is(err, errAgain) {
			return j.closeRecord(finishing, out)
		}
		if last = err; out.List != nil {
			seen = out
		}
		level := slog.LevelDebug
		if j.firstTold(err) {
			level = slog.LevelInfo
		}
		j.Log.Log(ctx, level, "function is looked at again", "function", j.name, "try", try+1, "err", err)
	}
	j.cloud.gaveUp(j.name, last)
	seen.Result = givenUp(last)
	return j.closeRecord(finishing, seen)
}

// notTried is the result of what was left out since another function met what is of
// all.
func notTried(closed error) plan.Result {
	res := skipped("not tried: %s", closed)
	res.Untried = true
	return res
}

// leftOff is the result of a function that was begun with when that happened.
func (j *job) leftOff(closed error) plan.Result {
	res := notTried(closed)
	switch {
	case j.outcomeUnknown():
		res = failed("sent, and left off before it was known how it ended: %s", closed)
	case j.requestID != "" || j.movedTo != "":
		res = failed("left off before callers had the new layers: %s", closed)
	}
	res.Shared, res.Untried = res.Status == plan.StatusFailed, true
	return res
}

func givenUp(err error) plan.Result {
	res := failed("given up after %d tries: %s", maxTries, strings.TrimPrefix(err.Error(), errAgain.Error()+": "))
	kind := state.KindOf(err)
	res.MayBeAll = kind == state.Again || kind == state.Unsure
	return res
}

// outcomeUnknown reports whether something was sent of which the outcome is
// unknown.
func (j *job) outcomeUnknown() bool { return j.sent || j.moving }

// readContext returns the context for reads: once a write was sent, finding out
// how it ended belongs to finishing it.
func (j *job) readContext(ctx, finishing context.Context) context.Context {
	if j.outcomeUnknown() {
		return finishing
	}
	return ctx
}

// attempt looks, decides, writes and verifies once. An error is errAgain.
func (j *job) attempt(ctx, finishing context.Context, first bool) (Outcome, error) {
	fn, err := j.look(j.readContext(ctx, finishing))
	if err != nil {
		return j.handleError(ctx, err)
	}
	j.revision = fn.RevisionID
	if j.id != "" && slices.Equal(fn.Layers, j.intent.After) {
		// Our own write arrived although its answer did not.
		return j.continueToServe(ctx, finishing, fn)
	}
	if res := refusal(fn); res.Status != "" {
		return Outcome{Result: res}, nil
	}
	if ctx.Err() != nil {
		return Outcome{Result: j.stoppedResult()}, nil
	}
	steps, why := j.decide(fn, first)
	if reason := j.unmet(fn, steps); reason != "" {
		return Outcome{Result: skipped("%s", reason), List: listOf(fn)}, nil
	}
	target, serve := listAfter(fn, steps), serveStep(steps)
	inPlace := slices.Equal(fn.Layers, target) && fn.LastUpdateStatus != state.UpdateFailed
	if len(steps) == 0 || inPlace && serve == nil {
		return Outcome{Result: plan.Result{Status: plan.StatusSkipped, Error: why}, List: listOf(fn)}, nil
	}
	if serve != nil {
		if what := serve.Serving.Unreleased(fn); what != "" {
			return Outcome{Result: skipped("$LATEST has %s that nobody has released yet", what), List: listOf(fn)}, nil
		}
	}
	if err := j.openRecord(finishing, intent(steps, serve, listOf(fn), target, fn.RuntimeVersion)); err != nil {
		return Outcome{Result: unrecorded(err)}, nil
	}
	j.steps = steps
	if inPlace {
		return j.continueToServe(ctx, finishing, fn)
	}
	return j.write(ctx, finishing, target, fn.RevisionID)
}

// listAfter is what the function's list is to be.
func listAfter(fn state.Function, steps []plan.Step) []state.LayerVersionARN {
	for _, s := range steps {
		if s.Whole != nil {
			return s.Whole
		}
	}
	return plan.Fold(fn.Layers, steps)
}

// intent is what is about to be done; runtime is the version of the runtime of $LATEST,
// for those who call that.
func intent(steps []plan.Step, serve *plan.Step, before, after []state.LayerVersionARN, runtime string) Intent {
	in := Intent{Steps: steps, Before: before, After: after, Runtime: runtime}
	if serve != nil {
		in.Runtime = serve.Serving.Served.RuntimeVersion
		in.Alias, in.AliasBefore, in.Canary = serve.Serving.Qualifier, serve.Serving.Served.Version, serve.Serving.Weight > 0
	}
	return in
}

func (j *job) write(ctx, finishing context.Context, target []state.LayerVersionARN, revision string) (Outcome, error) {
	id, err := j.cloud.SetLayers(finishing, j.name, target, revision)
	if err != nil {
		// A write that was cut off by our own end may have been made as well.
		kind := state.KindOf(err)
		if kind == state.Unsure || kind == state.Stopped {
			j.sent, j.revision = true, ""
		}
		return j.handleError(ctx, err)
	}
	j.sent, j.requestID, j.revision = true, id, ""
	j.release()
	fn, err := j.wait(finishing)
	if err != nil {
		return j.handleError(ctx, err)
	}
	return j.continueToServe(ctx, finishing, fn)
}

// continueToServe goes on once the list is as meant: to those who call the
// function by an alias, where there is one.
func (j *job) continueToServe(ctx, finishing context.Context, fn state.Function) (Outcome, error) {
	out := j.verify(fn)
	serve := serveStep(j.steps)
	if serve == nil || out.Status != plan.StatusApplied {
		return out, nil
	}
	if out.Error != "" { // others' layers are not for us to release
		out.Status = plan.StatusFailed
		return out, nil
	}
	return j.serve(ctx, finishing, fn, serve, out)
}

// look reads the function and waits until no update is in progress. An update
// that failed is no error here: the next one repairs it.
func (j *job) look(ctx context.Context) (state.Function, error) {
	fn, err := j.cloud.Function(ctx, j.name)
	if err != nil || fn.LastUpdateStatus != state.UpdateInProgress {
		return fn, err
	}
	return j.wait(ctx)
}

func (j *job) wait(ctx context.Context) (state.Function, error) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	fn, err := j.cloud.WaitUpdated(ctx, j.name)
	switch {
	case fn.LastUpdateStatus == state.UpdateFailed:
		return fn, nil
	case fn.LastUpdateStatus == state.UpdateInProgress, errors.Is(ctx.Err(), context.DeadlineExceeded):
		// Waiting once more would only double the wait: it is for a person.
		return fn, &state.Error{Op: "wait for " + j.name, Kind: state.Human, Message: "an update is in progress that does not end"}
	}
	return fn, err
}

// refusal returns why a function cannot be changed in its state; the zero Result
// when it can. An idle function is woken by an update. Emulators know no
// states: empty is fine.
func refusal(fn state.Function) plan.Result {
	reason := fn.StatusReason
	if reason == "" {
		reason = "AWS gives no reason"
	}
	switch fn.State {
	case "", state.StateActive, state.StateInactive:
		return plan.Result{}
	case state.StateFailed:
		return failed("the function is in state Failed: %s", reason)
	default:
		return skipped("the function is in state %s: %s", fn.State, reason)
	}
}

// decide returns what is to be done to fn: what was planned while its list is
// what the plan saw, else a new decision. why is the reason should that be
// nothing; empty when the function already is as wanted.
func (j *job) decide(fn state.Function, first bool) (steps []plan.Step, why string) {
	if first && slices.Equal(fn.Layers, j.steps[0].List) {
		return j.steps, ""
	}
	if !slices.Equal(fn.Layers, listAfter(fn, j.steps)) || serveStep(j.steps) != nil {
		why = "the function changed since the plan, and nothing may be done to it now"
	}
	if j.Decide == nil {
		return nil, why
	}
	for _, s := range j.Decide(fn) {
		if s.Held == nil && s.Function == j.name && s.Kind != plan.KindPrune && !s.Points() {
			steps = append(steps, s)
		}
	}
	return steps, why
}

// unmet returns why the steps must not be taken, by what the function requires.
func (j *job) unmet(fn state.Function, steps []plan.Step) string {
	if j.Unmet == nil {
		return ""
	}
	return j.Unmet(fn, steps)
}

// openRecord records the intent, unless exactly this one is open already. An older
// one is closed first: what it meant to write is not what is written now.
func (j *job) openRecord(ctx context.Context, in Intent) error {
	if j.id != "" && slices.Equal(in.Before, j.intent.Before) && slices.Equal(in.After, j.intent.After) {
		return nil
	}
	if j.id != "" {
		old := Outcome{Result: skipped("the function changed meanwhile and was decided again"), List: in.Before}
		if j.requestID != "" || j.outcomeUnknown() {
			// A rollback must know of it: skipped would mean that it never was.
			old.Result = failed("another writer changed the function before this was through, and it was decided again")
		}
		if err := j.finish(ctx, j.id, old); err != nil {
			return err
		}
		j.id, j.requestID, j.movedTo, j.sent, j.moving = "", "", "", false, false
	}
	id, err := j.begin(ctx, in)
	j.id, j.intent = id, in
	return err
}

// verify compares what the function has with what was meant.
func (j *job) verify(fn state.Function) Outcome {
	j.sent, j.revision = false, fn.RevisionID
	out := Outcome{List: listOf(fn), Result: plan.Result{Status: plan.StatusApplied, RequestID: j.requestID}}
	if fn.LastUpdateStatus == state.UpdateFailed {
		out.Status = plan.StatusFailed
		out.Error = "the update failed and the function runs as before: " + fn.StatusReason
		return out
	}
	if slices.Equal(fn.Layers, j.intent.After) {
		return out
	}
	for _, s := range j.steps {
		if s.Kind == plan.KindServe {
			continue
		}
		if v := fn.Layers.Of(s.LayerARN); v != s.To {
			out.Status = plan.StatusFailed
			out.Error = fmt.Sprintf("another writer changed the function meanwhile: it has %s, not %s", orNone(v), orNone(s.To))
			return out
		}
	}
	out.Error = "another writer changed other layers of the function meanwhile"
	return out
}

// handleError turns an error into an end or, as errAgain, into another attempt.
func (j *job) handleError(ctx context.Context, err error) (Outcome, error) {
	if closed, ok := errors.AsType[*ClosedError](err); ok {
		return Outcome{Result: j.leftOff(closed)}, nil
	}
	res := failed("%s", err)
	res.Shared = closes(err)
	if e, ok := errors.AsType[*state.Error](err); ok {
		res.RequestID, res.MayBeAll = e.RequestID, mayBeAll(e.Code)
	}
	switch state.KindOf(err) {
	case state.Again, state.LookAgain, state.Unsure:
		return Outcome{}, fmt.Errorf("%w: %w", errAgain, err)
	case state.Gone:
		j.sent, j.moving, j.requestID = false, false, "" // whatever was sent, the function is gone with it
		res = skipped("the function is gone")
	case state.Stopped:
		if ctx.Err() != nil {
			res = j.stoppedResult()
		}
	}
	return Outcome{Result: res}, nil
}

func (j *job) stoppedResult() plan.Result {
	j.noteStopped()
	res := skipped("stopped before it was changed")
	if j.outcomeUnknown() {
		res = failed("stopped before AWS had finished")
	}
	res.Untried = true
	return res
}

func stoppedHalfWay() plan.Result {
	res := failed("stopped before callers had the new layers")
	res.Untried = true
	return res
}

// unrecorded is the result of a function that was left alone since what was to be
// done could not be written down.
func unrecorded(err error) plan.Result {
	res := failed("nothing was changed: %s", err)
	res.Untried = true
	return res
}

// closeRecord closes the open record, if there is one and its end is known.
func (j *job) closeRecord(ctx context.Context, out Outcome) plan.Result {
	if j.id != "" && j.requestID != "" && out.Status == plan.StatusSkipped {
		// Skipped would mean that nothing was changed, and a rollback leave it.
		out.Status, out.Error = plan.StatusFailed, cmp.Or(out.Error, "another writer changed the function before this was through")
	}
	out.Revision = j.revision
	switch {
	case j.id == "":
	case j.outcomeUnknown():
		out.Error += "; it may have happened, and the next round settles the record"
	default:
		if err := j.finish(ctx, j.id, out); err != nil {
			out.Error = strings.TrimPrefix(out.Error+"; "+err.Error(), "; ")
		}
	}
	j.logEnd(ctx, out.Result)
	return out.Result
}

// logEnd logs how the function ended, but for what is of all functions: whoever
// started the run has one line about that. Where it may be, that is known at the
// end.
func (j *job) logEnd(ctx context.Context, res plan.Result) {
	log := j.Log.With("function", j.name, "changes", j.changes(), "status", res.Status, "request_id", res.RequestID)
	warn := func() { log.WarnContext(ctx, "function is done", "err", res.Error) }
	switch {
	case res.Error == "":
		log.InfoContext(ctx, "function is done")
	case res.Shared, res.Status == plan.StatusSkipped && j.cloud.whyClosed() != nil:
		log.DebugContext(ctx, "function is done", "err", res.Error)
	case res.MayBeAll:
		j.atEnd(warn)
	default:
		warn()
	}
}

// changes returns for the log what was to be done to the function, and why:
// "common 4 to 5 (wanted)". 0 stands for nothing.
func (j *job) changes() []string {
	list := make([]string, len(j.steps))
	for i, s := range j.steps {
		if s.Kind == plan.KindServe {
			list[i] = fmt.Sprintf("%s from version %s (%s)", s.Serving.Qualifier, s.Serving.Served.Version, s.Cause)
			continue
		}
		list[i] = fmt.Sprintf("%s %d to %d (%s)", s.Layer, s.From.Number(), s.To.Number(), s.Cause)
	}
	return list
}

// assignResults sets the results of the steps of the plan. A step that was decided
// anew takes the place of the planned one of the same layer.
func (j *job) assignResults(res plan.Result) plan.Status {
	taken := make([]bool, len(j.steps))
	for _, i := range j.index {
		s := &j.plan.Steps[i]
		at := slices.IndexFunc(j.steps, func(d plan.Step) bool {
			return d.LayerARN == s.LayerARN && (d.Kind == plan.KindServe) == (s.Kind == plan.KindServe)
		})
		if at < 0 {
			s.Result = new(skipped("decided again: not to be done any more"))
			continue
		}
		taken[at] = true
		*s = j.steps[at]
		s.Result = new(res)
	}
	for at, s := range j.steps {
		if !taken[at] {
			s.Result = new(res)
			j.unplanned = append(j.unplanned, s)
		}
	}
	return res.Status
}

// listOf returns the function's list for a record: seen and empty is not nil.
func listOf(fn state.Function) []state.LayerVersionARN {
	return append([]state.LayerVersionARN{}, fn.Layers...)
}

func orNone(v state.LayerVersionARN) string {
	if v == "" {
		return "none"
	}
	return string(v)
}

func failed(format string, args ...any) plan.Result {
	return plan.Result{Status: plan.StatusFailed, Error: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) plan.Result {
	return plan.Result{Status: plan.StatusSkipped, Error: fmt.Sprintf(format, args...)}
}
