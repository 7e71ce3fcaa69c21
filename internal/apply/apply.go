package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

const (
	// finishTimeout bounds the work that goes on after ctx ended. systemd kills
	// after 90 seconds by default, ECS after 30.
	finishTimeout = 20 * time.Second
	// recordTimeout is how long one record may take, whatever happened to ctx.
	recordTimeout = 10 * time.Second
	// maxTries bounds how often one function or version is attempted in a round.
	maxTries = 5
)

// Source is the archive that a layer version is published from.
type Source = state.Source

// Cloud is what applying needs of AWS. All errors carry a state.Kind.
type Cloud interface {
	// Function reads one function anew; state.Gone when there is none.
	Function(ctx context.Context, name string) (state.Function, error)
	// SetLayers replaces the whole list, if the function still is at revision.
	// It returns once AWS accepted the change, which then takes a while.
	SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (requestID string, err error)
	// WaitUpdated waits until no update is in progress and returns the
	// function as it is then. A failed update is in its LastUpdateStatus, with
	// or without an error.
	WaitUpdated(ctx context.Context, name string) (state.Function, error)
	// DeleteLayerVersion deletes for good, and asks nobody; deleting what is
	// gone already succeeds.
	DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (requestID string, err error)
	// Served reads what a qualifier serves; state.Gone when there is none.
	Served(ctx context.Context, q state.Qualified) (state.Served, error)
	// Publish freezes $LATEST as a version, if it still is at revision and has
	// that code, and returns the version's number: an older one's when nothing
	// has changed since. For a function on managed instances with the target
	// $LATEST.PUBLISHED it renews that instead.
	Publish(ctx context.Context, q state.Qualified, code, revision string) (version, requestID string, err error)
	// PublishLayer makes a version of an own layer and returns its number and the
	// SHA-256 that AWS has of it, in lower-case hex. The same asked twice makes two
	// versions: it is sent once, and after state.Unsure LayerVersions shows whether it
	// was done.
	PublishLayer(ctx context.Context, layer state.LayerARN, r state.Release) (number int64, sha256, requestID string, err error)
	// LayerVersions lists the live versions of an own layer anew, the newest first. It may
	// lack what was published a moment ago.
	LayerVersions(ctx context.Context, layer state.LayerARN) ([]state.LayerVersion, error)
	// LayerVersion returns a version by its number, whether the list has it or not, with
	// the SHA-256 of its zip in lower-case hex; state.Gone when there is none.
	LayerVersion(ctx context.Context, v state.LayerVersionARN) (found state.LayerVersion, sha256 string, err error)
	// LayerPolicy reads who may use a version of an own layer; state.Gone when there is
	// no such version.
	LayerPolicy(ctx context.Context, v state.LayerVersionARN) (state.Policy, error)
	// GrantLayer adds one statement to the policy of a version; state.LookAgain when
	// there is one with its Sid, whatever that grants.
	GrantLayer(ctx context.Context, v state.LayerVersionARN, g state.Grant) (requestID string, err error)
	// RevokeLayer takes one statement out, if the policy still is at revision;
	// state.Gone when it is not there.
	RevokeLayer(ctx context.Context, v state.LayerVersionARN, sid, revision string) (requestID string, err error)
	// WaitActive waits until a version is no longer Pending (SnapStart takes
	// minutes) and returns it, also when it Failed.
	WaitActive(ctx context.Context, q state.Qualified) (state.Served, error)
	// Alias reads one alias, from the shared quota; state.Gone when there is
	// none.
	Alias(ctx context.Context, q state.Qualified) (state.Alias, error)
	// MoveAlias points an alias at version and sets weights of others (nil
	// clears them), if the alias still is at revision.
	MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (requestID string, err error)
	// WaitProvisioned waits until the alias's provisioned concurrency is
	// ready; nil also when there is none.
	WaitProvisioned(ctx context.Context, q state.Qualified) error
	// Users makes a complete sweep of every $LATEST and every published
	// version and names one user of each layer version in use. A sweep that is
	// not complete is an error.
	Users(ctx context.Context) (map[state.LayerVersionARN]string, error)
}

// Writes are those calls of a Cloud that change something.
type Writes interface {
	SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (requestID string, err error)
	DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (requestID string, err error)
	Publish(ctx context.Context, q state.Qualified, code, revision string) (version, requestID string, err error)
	MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (requestID string, err error)
	PublishLayer(ctx context.Context, layer state.LayerARN, r state.Release) (number int64, sha256, requestID string, err error)
	GrantLayer(ctx context.Context, v state.LayerVersionARN, g state.Grant) (requestID string, err error)
	RevokeLayer(ctx context.Context, v state.LayerVersionARN, sid, revision string) (requestID string, err error)
}

// Recorder keeps what is about to be done and how it ended. When Begin returns
// an error nothing is done; after a *RefusedError that is so of this intent alone. Both may be called from many goroutines.
type Recorder interface {
	Begin(ctx context.Context, in Intent) (id string, err error)
	Finish(ctx context.Context, id string, out Outcome) error
}

// Intent is one write that is about to be made.
type Intent struct {
	// Steps are all of one function, or exactly one publish, grant or prune.
	Steps []plan.Step
	// Before is the function's whole list, After what it is about to be; both
	// nil for a step of no function.
	Before, After []state.LayerVersionARN
	// Alias is what is about to be moved as well, and AliasBefore the version
	// it serves; empty = no alias is touched. Canary: it will only be
	// given weights.
	Alias, AliasBefore string
	Canary             bool
	// Runtime is the ARN of the version of its runtime that callers of the function
	// get before the write; empty = unknown. It changes without a write.
	Runtime string
}

// Function names the function that the intent changes; empty for a step of none.
func (in Intent) Function() string {
	if len(in.Steps) == 0 {
		return ""
	}
	return in.Steps[0].Function
}

// Outcome is how an intent ended.
type Outcome struct {
	plan.Result
	// List is what the function had at the end; nil = not seen.
	List []state.LayerVersionARN
	// AliasAfter is the function version that the alias was moved to, or, in a
	// canary, given weight; empty = it was not.
	AliasAfter string
	// Interrupted reports that whoever made the intent was killed before its end, which
	// somebody else found out by looking: that it was not done is no failure of AWS.
	Interrupted bool
}

// Progress is how far a round is.
type Progress struct {
	Done, Total int // functions, grants, and versions to publish or prune
	Name        string
	Status      plan.Status
}

// Options changes how Run works; the zero value is usable.
type Options struct {
	// Parallel is how many functions are looked at and written at once; 0 =
	// 16. It is what may still be written after a window closed, so it is
	// small; functions whose write was accepted and that settle do not count,
	// or a slow update would hold up the rest.
	Parallel int
	// InHand is how many functions are worked on at once, from the first look at
	// one to its end; 0 = 256. It is rollout.max_parallel.
	InHand int
	// Decide decides one function again whose list is not what the plan saw,
	// and returns only the steps that may run now. It is called from several
	// goroutines at once. Nil: such a function is left for the next round.
	Decide func(fresh state.Function) []plan.Step
	// Unmet returns why the steps of a function that was read just now must not be
	// taken, by what its own tags require; "" = they may. Nil: nothing is required.
	Unmet func(fresh state.Function, steps []plan.Step) string
	// Leave returns how a grant ended that AWS has refused a short while ago and that is not
	// yet to be tried again; nil = it is. Nil: each is tried.
	Leave func(s plan.Step) *plan.Result
	// KeepAway is called with a publish that AWS made of other content than was decided
	// about, before that is recorded: it has the version come to no function. While it
	// fails the record stays open. Nil: nothing is kept away.
	KeepAway func(ctx context.Context, s plan.Step, res plan.Result) error
	// Late reports whether a function goes after the others: AWS has refused it before,
	// and they are not to wait for it. Nil: none does.
	Late func(function string) bool
	// Permit is asked before each function and each prune whether its steps may
	// still be started; what it returns holds them, nil lets them go on. Nil:
	// always.
	Permit func(steps []plan.Step) *plan.Held
	// While returns the writes of the Cloud, each sent only while check returns nil:
	// it is asked at the last moment before each attempt, when what waits for the
	// quota has its turn. Nil: the Cloud's own, which are asked for once.
	While func(check func() error) Writes
	// Open returns the archive that a publish step is made of. It is asked right before
	// the version is published, and an error is why it is not. Nil: nothing can be
	// published.
	Open func(ctx context.Context, p plan.Publishing) (Source, error)
	// Progress, when not nil, is called for every function and prune that is
	// done, one call at a time.
	Progress func(Progress)
	Log      *slog.Logger // nil: no log
}

// inHand bounds how many functions may be settling at once, if nothing smaller
// is asked for: each is polled.
const inHand = 256

// run is one call of Run.
type run struct {
	Options
	slots chan struct{} // one token a function that is looked at and written
	plan  *plan.Region
	cloud *gate
	rec   Recorder
	total int

	// mu guards what follows, which all functions that are worked on share.
	mu        sync.Mutex
	done      int
	recordErr error           // why a record could not be written; nothing starts any more
	stopped   bool            // something was left undone because ctx ended
	told      map[string]bool // what was logged already, see firstTold
	unlogged  []func()        // lines that are for the log unless the run was closed
}

// Run carries out the steps of plan that nothing holds and sets every step's
// Result; those that have one stay as they are. Steps that were decided anew replace those they stand for; ones that
// nobody planned are added at the end. Failed steps are no error of Run: it
// returns one when the record could not be written, a *ClosedError when what one
// function met is of all of them, and ctx's when ctx ended before all was done.
func Run(ctx context.Context, planned plan.Region, cloud Cloud, rec Recorder, o Options) ([]plan.Step, error) {
	if o.Parallel <= 0 {
		o.Parallel = 16
	}
	if o.InHand <= 0 {
		o.InHand = max(inHand, o.Parallel)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	planned.Steps = slices.Clone(planned.Steps)
	r := &run{Options: o, slots: make(chan struct{}, o.Parallel), plan: &planned, cloud: newGate(cloud, o.While, ctx.Done()), rec: rec, told: map[string]bool{}}
	publishes, repoints, jobs, shares, prunes := r.groupSteps()
	r.total = len(publishes) + len(repoints) + len(jobs) + len(shares) + len(prunes)
	r.publishAll(ctx, publishes)
	r.each(repoints, func(j *job) { j.runOne(ctx, j.repoint) })
	r.each(jobs, func(j *job) { j.runOne(ctx, j.work) })
	for _, j := range jobs {
		planned.Steps = append(planned.Steps, j.unplanned...)
	}
	r.shareAll(ctx, shares)
	r.pruneAll(ctx, prunes)
	closed := r.cloud.whyClosed()
	if closed != nil {
		shareErrors(planned.Steps)
	} else {
		for _, line := range r.unlogged {
			line()
		}
	}
	err := cmp.Or(r.recordErr, closed)
	if err == nil && r.stopped {
		err = ctx.Err()
	}
	return planned.Steps, err
}

// shareErrors marks what may have been of one function only and turned out to be
// of all.
func shareErrors(steps []plan.Step) {
	for _, s := range steps {
		if s.Result != nil && s.Result.MayBeAll {
			s.Result.Shared = true
		}
	}
}

// each works on all jobs, several at a time, and waits for them.
func (r *run) each(jobs []*job, do func(*job)) {
	var g errgroup.Group
	g.SetLimit(r.InHand)
	for _, j := range jobs {
		// Here and not in the goroutine, so that functions begin in the order
		// of the plan. What is before us is bounded by its own deadlines.
		r.slots <- struct{}{}
		j.release = sync.OnceFunc(func() { <-r.slots })
		g.Go(func() error {
			do(j)
			return nil
		})
	}
	_ = g.Wait() // jobs return no errors, only results
}

// groupSteps groups the steps that may run by function, in the order of the plan,
// and marks those that are held. Aliases that are pointed back at a version
// that is there already are jobs of their own: they come first, since one call
// each brings all callers back to what worked before.
func (r *run) groupSteps() (publishes []int, repoints, jobs []*job, shares, prunes []int) {
	byName := map[string]*job{}
	for i := range r.plan.Steps {
		s := &r.plan.Steps[i]
		switch {
		case s.Result != nil: // the round has done it already
		case s.Held != nil:
			s.Result = &plan.Result{Status: plan.StatusHeld}
		case s.Kind == plan.KindPublish:
			publishes = append(publishes, i)
		case s.Kind == plan.KindPrune:
			prunes = append(prunes, i)
		case s.Kind == plan.KindShare:
			shares = append(shares, i)
		case s.Points():
			repoints = append(repoints, &job{run: r, name: s.Function, index: []int{i}, steps: []plan.Step{*s}})
		default:
			j := byName[s.Function]
			if j == nil {
				j = &job{run: r, name: s.Function}
				byName[s.Function] = j
				jobs = append(jobs, j)
			}
			j.index = append(j.index, i)
			j.steps = append(j.steps, *s)
		}
	}
	if r.Late != nil {
		order := func(a, b *job) int {
			late := func(j *job) int {
				if r.Late(j.name) {
					return 1
				}
				return 0
			}
			return cmp.Compare(late(a), late(b))
		}
		slices.SortStableFunc(repoints, order)
		slices.SortStableFunc(jobs, order)
	}
	return publishes, repoints, jobs, shares, prunes
}

// mayStart reports whether one more thing may be started; otherwise it marks the
// steps with why not.
func (r *run) mayStart(ctx context.Context, index []int) bool {
	r.mu.Lock()
	lost := r.recordErr
	r.mu.Unlock()
	closed := r.cloud.whyClosed()
	var held *plan.Held
	result := plan.Result{Status: plan.StatusSkipped, Untried: true}
	switch {
	case lost != nil:
		result.Error = "not begun: " + lost.Error()
	case closed != nil:
		result = notTried(closed)
	case ctx.Err() != nil:
		r.noteStopped()
		result.Error = "not begun: stopped"
	default:
		if r.Permit != nil {
			steps := make([]plan.Step, len(index))
			for i, at := range index {
				steps[i] = r.plan.Steps[at]
			}
			held = r.Permit(steps)
		}
		if held == nil {
			return true
		}
		result.Status = plan.StatusHeld
	}
	for _, i := range index {
		r.plan.Steps[i].Held = held
		r.plan.Steps[i].Result = new(result)
	}
	return false
}

func (r *run) noteStopped() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
}

// noteRecordError remembers that the record failed; from then on nothing starts.
func (r *run) noteRecordError(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.recordErr == nil {
		r.recordErr = err
	}
}

// atEnd keeps a line for the log until it is known whether it is of all.
func (r *run) atEnd(line func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unlogged = append(r.unlogged, line)
}

// firstTold reports whether what an error is about has not been logged in this run
// yet: a thousand functions that meet the same are one line.
func (r *run) firstTold(err error) bool {
	key := ""
	if e, ok := errors.AsType[*state.Error](err); ok {
		key = e.Op + " " + e.Code
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.told[key]
	r.told[key] = true
	return first
}

// report reports one function or prune as done.
func (r *run) report(name string, status plan.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if r.Progress != nil {
		r.Progress(Progress{Done: r.done, Total: r.total, Name: name, Status: status})
	}
}

// begin records an intent, and stops everything when that cannot be done.
func (r *run) begin(ctx context.Context, in Intent) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	id, err := r.rec.Begin(ctx, in)
	if _, refused := errors.AsType[*RefusedError](err); err != nil && !refused {
		err = fmt.Errorf("record the intent: %w", err)
		r.noteRecordError(err)
	}
	return id, err
}

// finish records an outcome. The change was made, so it is tried again before
// everything stops.
func (r *run) finish(ctx context.Context, id string, out Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	wait := newBackOff()
	var err error
	for range 3 {
		if err = r.rec.Finish(ctx, id, out); err == nil {
			return nil
		}
		pause(ctx, wait.NextBackOff())
	}
	err = fmt.Errorf("record the outcome: %w", err)
	r.noteRecordError(err)
	return err
}

// finishingContext returns a context that ends only some time after ctx did,
// for finishing what was begun. A deadline of ctx counts as its end.
func finishingContext(ctx context.Context) (context.Context, context.CancelFunc) {
	finishing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() { time.AfterFunc(finishTimeout, cancel) })
	return finishing, func() { unhook(); cancel() }
}

// pause waits for d or for the end of ctx, whichever is first.
func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}
