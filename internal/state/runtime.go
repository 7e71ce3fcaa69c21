package state

import (
	"slices"
	"strings"
)

// CustomRuntime is Lambda's name for every customer-managed runtime. It names no
// language and no Linux: both are its publisher's choice, and may change.
const CustomRuntime = "custom"

// OSOnly reports whether Lambda brings no language with a runtime, so that a
// layer may hold what runs the function's code.
func OSOnly(runtime string) bool {
	return runtime == CustomRuntime || strings.HasPrefix(runtime, "provided")
}

// OtherRuntime reports whether a function's runtime is none of those that a
// layer is for; an empty list is for all. It is never one that names no
// language: whether the layer fits there is not known.
func OtherRuntime(runtime string, meant []string) bool {
	return runtime != CustomRuntime && len(meant) > 0 && !slices.Contains(meant, runtime)
}
