package awssim

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
)

// custom is the Runtime of a function that has a customer-managed one.
const custom = "custom"

// setRuntime changes the runtime. One of AWS's own takes the place of a
// customer-managed one.
func (f *Function) setRuntime(name string) {
	f.Runtime = name
	if name != custom {
		f.RuntimeARN, f.RuntimeAlias = "", ""
	}
}

// runtimeAlias is the ARN of an alias of a customer-managed runtime.
func runtimeAlias(runtime, alias string) string { return runtime + "/alias/" + alias }

// checkRuntime refuses runtimes past their block dates, customer-managed ones
// that are not named, and those whose alias is deleted, whatever the request
// changes.
func (c *call) checkRuntime(f *Function) *apiError {
	switch {
	case slices.Contains(c.w.opts.BlockedRuntimes, f.Runtime):
		return invalidValue("The runtime parameter of %s is no longer supported for creating or updating AWS Lambda functions. "+
			"We recommend you use a supported runtime while creating or updating functions.", f.Runtime)
	case f.Runtime == custom && (f.RuntimeARN == "" || f.RuntimeAlias == ""):
		return invalidValue("RuntimeConfig with RuntimeArn and RuntimeAlias is mandatory for the runtime custom.")
	case f.Runtime != custom && f.RuntimeARN != "":
		return invalidValue("RuntimeConfig is for the runtime custom, not for %s.", f.Runtime)
	case c.w.runtimes[runtimeAlias(f.RuntimeARN, f.RuntimeAlias)]:
		return deletedAlias()
	}
	return nil
}

func deletedAlias() *apiError {
	return refuse(409, "RuntimeAliasDeletedException",
		"The runtime alias for your function is no longer available. Update your function to use an available runtime alias.")
}

// DropRuntimeAlias deletes an alias of a customer-managed runtime, by the
// runtime's ARN: its functions are neither called nor updated from now on, but
// for an update that points them at another.
func (w *World) DropRuntimeAlias(runtime, alias string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runtimes[runtimeAlias(runtime, alias)] = true
}

// RestoreRuntimeAlias takes a deletion back.
func (w *World) RestoreRuntimeAlias(runtime, alias string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.runtimes, runtimeAlias(runtime, alias))
}

// MoveRuntime lets the functions of a runtime start with another version of it from
// now on, as AWS does with its own (python3.12, in the World's Region) and a publisher
// with an alias of a customer-managed one (by the ARN of the alias). No RevisionId
// changes.
func (w *World) MoveRuntime(runtime string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved[runtime]++
}

// runtimeOf names what MoveRuntime moves for a function.
func (w *World) runtimeOf(f Function) string {
	if f.RuntimeARN != "" {
		return runtimeAlias(f.RuntimeARN, f.RuntimeAlias)
	}
	return f.Runtime
}

// runtimeVersion is the ARN of the version of its runtime that f starts with; empty:
// an image, which has none.
func (w *World) runtimeVersion(f Function) string {
	moves := w.moved[w.runtimeOf(f)]
	if f.RuntimeOnUpdate {
		moves = f.RuntimeMoves
	}
	switch {
	case f.Runtime == "":
		return ""
	case f.RuntimeARN != "":
		return fmt.Sprintf("%s/version/%d", f.RuntimeARN, moves+1)
	}
	region := cmp.Or(f.Region, w.opts.Region)
	return fmt.Sprintf("arn:%s:lambda:%s::runtime:%x", partition(region), region, sha256.Sum256(fmt.Append(nil, f.Runtime, moves)))
}
