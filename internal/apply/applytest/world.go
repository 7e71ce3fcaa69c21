// Package applytest is an AWS of one account and Region, small and strict, for
// testing what uses apply.Cloud. It keeps AWS's rules (RevisionID, update in
// progress, five layers, deleted versions cannot be named, lists replace;
// published versions are frozen and may take a while, an alias has a RevisionID
// of its own and rules for its weights), counts calls, and can fail before and
// after doing a thing. Time is the test's: run it in a testing/synctest bubble.
package applytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	smithytime "github.com/aws/smithy-go/time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/state"
)

// Settle is how long an update of a function takes.
const Settle = 2 * time.Second

// World implements apply.Cloud. Fill the fields before use.
type World struct {
	// Hook, when not nil, is asked at every call: do is whether the call has
	// its effect, err what it answers; do with an error is a lost answer.
	Hook func(op, name string) (do bool, err error)
	// Unlisted are live layer versions that the list lacks.
	Unlisted map[state.LayerVersionARN]bool

	mu        sync.Mutex // guards all below
	functions map[string]*function
	deleted   map[state.LayerVersionARN]bool
	versions  map[state.Qualified]*version
	aliases   map[state.Qualified]*alias
	layers    map[state.LayerARN][]made
	policies  map[state.LayerVersionARN]state.Policy
	calls     []string // "SetLayers chat", in order
	revision  int
	fault     []string
}

type function struct {
	state.Function
	until    time.Time // in progress before
	willFail string    // the reason why the next update fails; empty = it does not

	last        int    // the highest version number ever given
	snapStart   bool   // versions are Pending for a while
	versionFail string // the reason why the next version fails; empty = it does not
}

var _ apply.Cloud = (*World)(nil)

// New returns a world of functions and their lists.
func New(lists map[string][]state.LayerVersionARN) *World {
	w := &World{
		functions: map[string]*function{}, deleted: map[state.LayerVersionARN]bool{},
		versions: map[state.Qualified]*version{}, aliases: map[state.Qualified]*alias{},
		layers: map[state.LayerARN][]made{}, policies: map[state.LayerVersionARN]state.Policy{},
	}
	for name, list := range lists {
		f := &function{Function: state.Function{
			Name: name, State: state.StateActive, LastUpdateStatus: state.UpdateSuccessful, Layers: slices.Clone(list),
			CodeSHA256: "code of " + name, Settings: state.NewSettings(map[string]string{"handler": "index.handler"}),
		}}
		w.functions[name] = f
		w.touch(f)
	}
	return w
}

// Change lets another writer alter a function, RevisionID included.
func (w *World) Change(name string, change func(*state.Function)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.functions[name].Function)
	w.touch(w.functions[name])
}

// FailNext makes the next update of a function end as Failed.
func (w *World) FailNext(name, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.functions[name].willFail = reason
}

// Remove deletes a function with all its versions and aliases.
func (w *World) Remove(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.functions, name)
	maps.DeleteFunc(w.versions, func(q state.Qualified, _ *version) bool { return q.Function == name })
	maps.DeleteFunc(w.aliases, func(q state.Qualified, _ *alias) bool { return q.Function == name })
}

// Lists returns what all functions have.
func (w *World) Lists() map[string][]state.LayerVersionARN {
	w.mu.Lock()
	defer w.mu.Unlock()
	lists := map[string][]state.LayerVersionARN{}
	for name, f := range w.functions {
		lists[name] = slices.Clone(f.Layers)
	}
	return lists
}

// Deleted reports whether a version was deleted.
func (w *World) Deleted(v state.LayerVersionARN) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deleted[v]
}

// Calls returns every call of one operation, in order; all of them for "".
func (w *World) Calls(op string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, c := range w.calls {
		if op == "" || len(c) > len(op) && c[:len(op)+1] == op+" " {
			list = append(list, c)
		}
	}
	return list
}

// Faults returns what was asked that must never be: a version in use deleted, a
// nil list sent.
func (w *World) Faults() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.fault)
}

// enter counts the call and asks Hook; the caller must then hold mu itself.
func (w *World) enter(ctx context.Context, op, name string) (bool, error) {
	w.mu.Lock()
	w.calls = append(w.calls, op+" "+name)
	hook := w.Hook
	w.mu.Unlock()
	if ctx.Err() != nil {
		return false, &state.Error{Op: op, Resource: name, Kind: state.Stopped, Err: ctx.Err()}
	}
	if hook == nil {
		return true, nil
	}
	return hook(op, name)
}

func (w *World) touch(f *function) {
	w.revision++
	f.RevisionID = fmt.Sprint("r", w.revision)
}

// settle ends an update whose time has come; AWS then changes the RevisionID
// once more.
func (w *World) settle(f *function) {
	if f.LastUpdateStatus != state.UpdateInProgress || time.Now().Before(f.until) {
		return
	}
	f.LastUpdateStatus = state.UpdateSuccessful
	if f.willFail != "" {
		f.LastUpdateStatus, f.StatusReason, f.willFail = state.UpdateFailed, f.willFail, ""
	}
	w.touch(f)
}

// Function implements apply.Cloud.
func (w *World) Function(ctx context.Context, name string) (state.Function, error) {
	do, err := w.enter(ctx, "Function", name)
	if err != nil || !do {
		return state.Function{}, err
	}
	return w.read(name)
}

func (w *World) read(name string) (state.Function, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.functions[name]
	if f == nil {
		return state.Function{}, &state.Error{Op: "GetFunction", Resource: name, Kind: state.Gone, Code: "ResourceNotFoundException"}
	}
	w.settle(f)
	fn := f.Function
	if fn.Layers = slices.Clone(fn.Layers); len(fn.Layers) == 0 {
		fn.Layers = nil // as AWS sends it
	}
	return fn, nil
}

// SetLayers implements apply.Cloud.
func (w *World) SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (string, error) {
	do, err := w.enter(ctx, "SetLayers", name)
	if !do {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if layers == nil {
		w.fault = append(w.fault, "a nil list was sent to "+name)
	}
	f := w.functions[name]
	if f == nil {
		return "", &state.Error{Op: "UpdateFunctionConfiguration", Resource: name, Kind: state.Gone, Code: "ResourceNotFoundException"}
	}
	w.settle(f)
	if refused := w.refuse(f, layers, revision); refused != nil {
		return "", refused
	}
	f.Layers, f.LastUpdateStatus, f.until = slices.Clone(layers), state.UpdateInProgress, time.Now().Add(Settle)
	w.touch(f)
	if err != nil {
		return "", err
	}
	return fmt.Sprint("request-", w.revision), nil
}

func (w *World) refuse(f *function, layers []state.LayerVersionARN, revision string) error {
	no := func(kind state.Kind, code, message string) error {
		return &state.Error{Op: "UpdateFunctionConfiguration", Resource: f.Name, Kind: kind, Code: code, Message: message, RequestID: "refused"}
	}
	if f.LastUpdateStatus == state.UpdateInProgress {
		return no(state.LookAgain, "ResourceConflictException", "an update is in progress")
	}
	if revision != f.RevisionID {
		return no(state.LookAgain, "PreconditionFailedException", "the revision does not match")
	}
	if len(layers) > 5 {
		return no(state.Human, "InvalidParameterValueException", "Cannot reference more than 5 layers.")
	}
	seen := map[state.LayerARN]bool{}
	for _, v := range layers {
		if w.deleted[v] || seen[v.Layer()] {
			return no(state.Human, "InvalidParameterValueException", "Layer version "+string(v)+" does not exist or is there twice.")
		}
		seen[v.Layer()] = true
	}
	return nil
}

// WaitUpdated implements apply.Cloud.
func (w *World) WaitUpdated(ctx context.Context, name string) (state.Function, error) {
	for {
		do, err := w.enter(ctx, "WaitUpdated", name)
		if err != nil || !do {
			return state.Function{}, err
		}
		fn, err := w.read(name)
		if err != nil || fn.LastUpdateStatus != state.UpdateInProgress {
			return fn, err
		}
		_ = smithytime.SleepWithContext(ctx, time.Second) // the next call returns the end of ctx
	}
}

// DeleteLayerVersion implements apply.Cloud. Like AWS it asks nobody; unlike
// AWS it remembers that something in use was deleted.
func (w *World) DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (string, error) {
	do, err := w.enter(ctx, "DeleteLayerVersion", string(v))
	if !do {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if user := w.users()[v]; user != "" {
		w.fault = append(w.fault, fmt.Sprintf("%s was deleted while %s uses it", v, user))
	}
	w.deleted[v] = true
	if err != nil {
		return "", err
	}
	return "request-delete", nil
}

// Users implements apply.Cloud.
func (w *World) Users(ctx context.Context) (map[state.LayerVersionARN]string, error) {
	do, err := w.enter(ctx, "Users", "all")
	if err != nil || !do {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.users(), nil
}

func (w *World) users() map[state.LayerVersionARN]string {
	users := map[state.LayerVersionARN]string{}
	byName := func(a, b state.Qualified) int { return strings.Compare(a.String(), b.String()) }
	for _, q := range slices.SortedFunc(maps.Keys(w.versions), byName) {
		for _, v := range w.versions[q].Layers {
			users[v] = q.String()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.functions)) {
		for _, v := range w.functions[name].Layers {
			users[v] = name
		}
	}
	return users
}
