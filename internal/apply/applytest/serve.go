package applytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	smithytime "github.com/aws/smithy-go/time"

	"github.com/layerd/layerd/internal/state"
)

const (
	// Snapshot is how long a version of a function with SnapStart is Pending.
	Snapshot = 2 * time.Minute
	// Provision is how long provisioned concurrency takes to follow its alias.
	Provision = 3 * time.Minute

	latest          = "$LATEST"
	latestPublished = "$LATEST.PUBLISHED"
)

// version is a published version: it never changes, but for its state.
type version struct {
	state.Served
	until time.Time // Pending before
	fails string    // what it then fails of; empty = it becomes Active
}

type alias struct {
	state.Alias
	until time.Time // provisioned concurrency in progress before
	fails string    // what that then fails of; empty = it becomes ready
}

// PutVersion freezes $LATEST as a version with a number of the test's choice,
// but with a layer list of its own.
func (w *World) PutVersion(name, number string, list ...state.LayerVersionARN) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.functions[name].freeze(number)
	v.Layers = slices.Clone(list)
	w.versions[state.Qualified{Function: name, Qualifier: number}] = v
	if n, err := strconv.Atoi(number); err == nil {
		w.functions[name].last = max(n, w.functions[name].last)
	}
}

// PutAlias puts an alias there, unchecked, with a RevisionID of the World's.
// With Provisioned its provisioned concurrency is ready.
func (w *World) PutAlias(name string, a state.Alias) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.Weights = maps.Clone(a.Weights)
	w.aliases[state.Qualified{Function: name, Qualifier: a.Name}] = &alias{Alias: a}
	w.touchAlias(w.aliases[state.Qualified{Function: name, Qualifier: a.Name}])
}

// SnapStart makes versions of a function that are published from now on
// Pending for Snapshot.
func (w *World) SnapStart(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.functions[name].snapStart = true
}

// FailVersion makes the next version of a function that is published end as
// Failed.
func (w *World) FailVersion(name, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.functions[name].versionFail = reason
}

// FailProvisioned makes the provisioned concurrency of an alias fail when it
// next moves.
func (w *World) FailProvisioned(q state.Qualified, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aliases[q].fails = reason
}

// Aliases returns what all aliases serve.
func (w *World) Aliases() map[state.Qualified]state.Alias {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[state.Qualified]state.Alias{}
	for q, a := range w.aliases {
		all[q] = a.clone()
	}
	return all
}

// Versions returns the published versions of a function, by number.
func (w *World) Versions(name string) map[string]state.Served {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]state.Served{}
	for q, v := range w.versions {
		if q.Function == name {
			v.settle()
			all[q.Qualifier] = v.clone()
		}
	}
	return all
}

func (a *alias) clone() state.Alias {
	c := a.Alias
	c.Weights = maps.Clone(c.Weights)
	return c
}

func (v *version) clone() state.Served {
	c := v.Served
	if c.Layers = slices.Clone(c.Layers); len(c.Layers) == 0 {
		c.Layers = nil // as AWS sends it
	}
	return c
}

// settle ends what has had its time.
func (v *version) settle() {
	if v.State != state.StatePending || time.Now().Before(v.until) {
		return
	}
	v.State, v.Reason = state.StateActive, ""
	if v.fails != "" {
		v.State, v.Reason = state.StateFailed, v.fails
	}
}

// freeze makes a version of $LATEST as it is.
func (f *function) freeze(number string) *version {
	return &version{Served: state.Served{
		Version: number, Layers: slices.Clone(f.Layers), CodeSHA256: f.CodeSHA256, Settings: f.Settings, State: state.StateActive,
	}}
}

// same reports whether a version is what $LATEST would freeze to.
func (f *function) same(v *version) bool {
	return v != nil && slices.Equal(v.Layers, f.Layers) && v.CodeSHA256 == f.CodeSHA256 && v.Settings == f.Settings
}

func (w *World) touchAlias(a *alias) {
	w.revision++
	a.RevisionID = fmt.Sprint("a", w.revision)
}

// find returns what a number or $LATEST.PUBLISHED names. Callers hold mu.
func (w *World) find(name, number string) *version {
	v := w.versions[state.Qualified{Function: name, Qualifier: number}]
	if v != nil {
		v.settle()
	}
	return v
}

func refusal(op, resource string, kind state.Kind, code, message string) error {
	return &state.Error{Op: op, Resource: resource, Kind: kind, Code: code, Message: message, RequestID: "refused"}
}

func gone(op, resource string) error {
	return refusal(op, resource, state.Gone, "ResourceNotFoundException", "not found: "+resource)
}

// Served implements apply.Cloud.
func (w *World) Served(ctx context.Context, q state.Qualified) (state.Served, error) {
	do, err := w.enter(ctx, "Served", q.String())
	if err != nil || !do {
		return state.Served{}, err
	}
	return w.serves(q)
}

func (w *World) serves(q state.Qualified) (state.Served, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, number := w.functions[q.Function], q.Qualifier
	if a := w.aliases[q]; a != nil {
		number = a.Version
	}
	if f != nil && number == latest {
		w.settle(f)
		v := f.freeze(latest)
		v.State, v.Reason = f.State, f.StatusReason
		return v.clone(), nil
	}
	v := w.find(q.Function, number)
	if f == nil || v == nil {
		return state.Served{}, gone("GetFunction", q.String())
	}
	return v.clone(), nil
}

// Publish implements apply.Cloud.
func (w *World) Publish(ctx context.Context, q state.Qualified, code, revision string) (string, string, error) {
	do, err := w.enter(ctx, "Publish", q.Function)
	if !do {
		return "", "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.functions[q.Function]
	if f == nil {
		return "", "", gone("PublishVersion", q.Function)
	}
	w.settle(f)
	if refused := f.refusePublish(q.Qualifier, code, revision); refused != nil {
		return "", "", refused
	}
	number := w.publish(f, q.Qualifier == latestPublished)
	if err != nil {
		return "", "", err
	}
	w.revision++
	return number, fmt.Sprint("request-", w.revision), nil
}

func (f *function) refusePublish(qualifier, code, revision string) error {
	no := func(kind state.Kind, code, message string) error {
		return refusal("PublishVersion", f.Name, kind, code, message)
	}
	switch {
	case f.State == state.StatePending || f.LastUpdateStatus == state.UpdateInProgress:
		return no(state.LookAgain, "ResourceConflictException", "an update is in progress")
	case revision != f.RevisionID:
		return no(state.LookAgain, "PreconditionFailedException", "the revision does not match")
	case code != "" && code != f.CodeSHA256:
		return no(state.LookAgain, "InvalidParameterValueException", "CodeSHA256 is different from current CodeSHA256 in $LATEST")
	case qualifier == latestPublished && !f.Managed:
		return no(state.Human, "InvalidParameterValueException", "PublishTo is for functions on managed instances")
	}
	return nil
}

// publish returns the newest version when nothing has changed since.
func (w *World) publish(f *function, managed bool) string {
	number := strconv.Itoa(f.last + 1)
	newest := strconv.Itoa(f.last)
	if managed {
		number, newest = latestPublished, latestPublished
	}
	if f.same(w.find(f.Name, newest)) {
		return newest
	}
	if !managed {
		f.last++
	}
	v := f.freeze(number)
	v.fails, f.versionFail = f.versionFail, ""
	switch {
	case f.snapStart:
		v.State, v.until = state.StatePending, time.Now().Add(Snapshot)
	case managed || v.fails != "":
		v.State, v.until = state.StatePending, time.Now().Add(Settle)
	}
	w.versions[state.Qualified{Function: f.Name, Qualifier: number}] = v
	return number
}

// WaitActive implements apply.Cloud.
func (w *World) WaitActive(ctx context.Context, q state.Qualified) (state.Served, error) {
	for {
		do, err := w.enter(ctx, "WaitActive", q.String())
		if err != nil || !do {
			return state.Served{}, err
		}
		if s, err := w.serves(q); err != nil || s.State != state.StatePending {
			return s, err
		}
		_ = smithytime.SleepWithContext(ctx, 5*time.Second)
	}
}

// Alias implements apply.Cloud. Like the adapter's it does not tell of
// provisioned concurrency.
func (w *World) Alias(ctx context.Context, q state.Qualified) (state.Alias, error) {
	do, err := w.enter(ctx, "Alias", q.String())
	if err != nil || !do {
		return state.Alias{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.aliases[q]
	if a == nil {
		return state.Alias{}, gone("GetAlias", q.String())
	}
	c := a.clone()
	c.Provisioned = false
	return c, nil
}

// MoveAlias implements apply.Cloud. Like AWS it serves what Failed; unlike AWS
// it remembers that somebody had it do so.
func (w *World) MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (string, error) {
	do, err := w.enter(ctx, "MoveAlias", q.String())
	if !do {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.aliases[q]
	if a == nil {
		return "", gone("UpdateAlias", q.String())
	}
	if revision != a.RevisionID {
		return "", refusal("UpdateAlias", q.String(), state.LookAgain, "PreconditionFailedException", "the revision does not match")
	}
	if refused := w.refuseRouting(q, version, weights); refused != nil {
		return "", refused
	}
	if a.Provisioned && a.Version != version {
		a.until = time.Now().Add(Provision)
	}
	a.Version, a.Weights = version, maps.Clone(weights)
	if len(weights) == 0 {
		a.Weights = nil
	}
	w.touchAlias(a)
	if err != nil {
		return "", err
	}
	return fmt.Sprint("request-", w.revision), nil
}

// refuseRouting holds an alias to the rules of weighted routing, and to
// versions that can be served.
func (w *World) refuseRouting(q state.Qualified, primary string, weights map[string]float64) error {
	no := func(kind state.Kind, code, message string) error {
		return refusal("UpdateAlias", q.String(), kind, code, message)
	}
	if len(weights) > 1 {
		return no(state.Human, "InvalidParameterValueException", "Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	if primary == latest && len(weights) > 0 {
		return no(state.Human, "InvalidParameterValueException", "$LATEST is not supported for an alias pointing to more than 1 version")
	}
	for number, share := range weights {
		switch _, err := strconv.Atoi(number); {
		case err != nil, share < 0, share > 1:
			return no(state.Human, "ValidationException", "weights are 0 to 1, of numbered versions")
		case number == primary:
			return no(state.Human, "InvalidParameterValueException", "the version is already included in routing configuration")
		}
	}
	for _, number := range append(slices.Sorted(maps.Keys(weights)), primary) {
		if number == latest {
			continue
		}
		v := w.find(q.Function, number)
		switch {
		case v == nil:
			return gone("UpdateAlias", q.Function+":"+number)
		case v.State == state.StatePending:
			return no(state.LookAgain, "ResourceConflictException", "version "+number+" is Pending")
		case v.State == state.StateFailed:
			w.fault = append(w.fault, fmt.Sprintf("%s was moved to version %s, which Failed", q, number))
		}
	}
	return nil
}

// WaitProvisioned implements apply.Cloud.
func (w *World) WaitProvisioned(ctx context.Context, q state.Qualified) error {
	for {
		do, err := w.enter(ctx, "WaitProvisioned", q.String())
		if err != nil || !do {
			return err
		}
		if done, err := w.provisioned(q); done || err != nil {
			return err
		}
		_ = smithytime.SleepWithContext(ctx, 15*time.Second)
	}
}

func (w *World) provisioned(q state.Qualified) (done bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.aliases[q]
	switch {
	case a == nil || !a.Provisioned || a.until.IsZero():
		return true, nil
	case time.Now().Before(a.until):
		return false, nil
	case a.fails != "":
		return true, refusal("GetProvisionedConcurrencyConfig", q.String(), state.Human, "", "provisioned concurrency failed: "+a.fails)
	}
	return true, nil
}
