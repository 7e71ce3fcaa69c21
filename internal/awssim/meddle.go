package awssim

import (
	"slices"
	"time"
)

// EditFunction is EditFunctionAs by a user named console.
func (w *World) EditFunction(name string, edit func(*Function)) {
	w.EditFunctionAs("console", name, edit)
}

// EditFunctionAs changes $LATEST behind everybody's back, as a person in the
// console or another tool would: unchecked, at once, with a new revision. A
// LastUpdateStatus of InProgress set here stays until it is edited again.
// CloudTrail has it as an update by user. It panics when there is no such
// function.
func (w *World) EditFunctionAs(user, name string, edit func(*Function)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, _ := w.mustFind(name)
	v := f.latest.Function
	v.Tags = f.tags
	v = v.clone()
	v.RevisionID, v.LastModified = w.newID(), time.Now()
	edit(&v)
	f.tags, v.Tags = v.Tags, nil
	f.latest.serving = f.latest.kept(v.LastUpdateStatus)
	f.latest.Function, f.latest.settles = v, time.Time{}
	w.tagged(f, time.Now())
	w.edited(f, user, v.Layers)
	w.announce(f, "$LATEST", "Active", time.Now())
}

// BlockRuntime adds to Options.BlockedRuntimes: the day has come for one more.
func (w *World) BlockRuntime(runtime string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opts.BlockedRuntimes = append(slices.Clone(w.opts.BlockedRuntimes), runtime)
}

// kept is what goes on running when v is edited into a state: what has run so
// far, unless the edit is over and done.
func (v *version) kept(status string) *Function {
	if status == "Successful" {
		return nil
	}
	return new(*v.running())
}

// FailNextUpdate lets the next update of a function be accepted and then end
// as LastUpdateStatus Failed, for example with code "InternalError".
func (w *World) FailNextUpdate(name, code, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, _ := w.mustFind(name)
	f.failNext = &updateFailure{code, reason}
}

// FailNextVersion lets the next version of a function with SnapStart be
// published and then end as State Failed.
func (w *World) FailNextVersion(name, code, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, _ := w.mustFind(name)
	f.failNextVersion = &updateFailure{code, reason}
}

// FailSnapshotsWith lets every new version with SnapStart that has a layer
// version, by its ARN, end as State Failed, for example with code
// "FunctionError.RuntimeInitError"; an empty code stops that.
func (w *World) FailSnapshotsWith(layer, code, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.snapshots[layer] = updateFailure{code, reason}
	if code == "" {
		delete(w.snapshots, layer)
	}
}

// DropFunction deletes a function, if it is there.
func (w *World) DropFunction(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, _ := w.find(name); f != nil {
		delete(w.stores[f.place].functions, f.name)
		w.tagged(f, time.Now())
		w.announce(f, "$LATEST", "Deleted", time.Now())
	}
}

// DropAlias deletes an alias, if it is there.
func (w *World) DropAlias(function, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f, _ := w.find(function); f != nil {
		delete(f.aliases, name)
	}
}

// DropLayerVersion deletes a layer version by its ARN, whoever's it is.
func (w *World) DropLayerVersion(arn string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ref, n, _ := parseLayerVersion(arn)
	if v, live := w.layerVersion(ref, n); live {
		v.deleted, v.Grants = true, nil
		w.addEvent(trailEvent{place: ref.place, source: lambdaService, name: trailNames["DeleteLayerVersion"], kind: "AWS::Lambda::LayerVersion", resource: ref.name, at: time.Now(),
			arn: "arn:" + partition(ref.region) + ":iam::" + ref.account + ":user/console", request: map[string]any{"layerName": ref.name, "versionNumber": n}})
	}
}

// SetGrants replaces who may use a layer version, by its ARN; none makes it
// private.
func (w *World) SetGrants(arn string, grants ...Grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ref, n, _ := parseLayerVersion(arn)
	if v, live := w.layerVersion(ref, n); live {
		v.Grants, v.policed, v.revision = grants, true, w.newID()
	}
}
