package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// maxUnzipped is AWS's limit on a function's code and all its layers, in bytes
// (AWS.md section 1.5). AWS tells sizes of zips only, which are smaller: what
// is above the limit zipped is above it unzipped as well.
const maxUnzipped = 262144000

// refused are the runtimes whose functions AWS does not update any more, and
// since when. Only dates that have come are here: AWS has moved the others
// again and again, and answers for itself (AWS.md section 1.10).
var refused = map[string]time.Time{
	"nodejs":         day(2016, 10, 31),
	"nodejs4.3":      day(2020, 3, 6),
	"nodejs4.3-edge": day(2019, 4, 30),
	"nodejs6.10":     day(2019, 8, 12),
	"nodejs8.10":     day(2020, 3, 6),
	"nodejs10.x":     day(2022, 2, 14),
	"nodejs12.x":     day(2023, 4, 30),
	"python2.7":      day(2022, 5, 30),
	"python3.6":      day(2022, 8, 29),
	"ruby2.5":        day(2022, 3, 31),
	"dotnetcore1.0":  day(2019, 7, 30),
	"dotnetcore2.0":  day(2019, 5, 30),
	"dotnetcore2.1":  day(2022, 4, 13),
	"dotnetcore3.1":  day(2023, 5, 3),
}

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

// noUpdates: AWS refuses any update of a function whose runtime is past the
// last of its dates; calls go on.
func (r *world) noUpdates(f *state.Function) string {
	if since, ok := refused[f.Runtime]; ok && !r.in.Now.Before(since) {
		return fmt.Sprintf("its runtime %s is too old: AWS updates no such function any more", f.Runtime)
	}
	return ""
}

// smokeTests finds the tests that would say nothing about the layer they are
// for: their function is not there, or does not get it. What names alone tell
// was found at load (desired); this needs tags, runtimes and AWS.
func (r *region) smokeTests() {
	for _, t := range r.want.Rollout.SmokeTests {
		f, ok := r.snap.Function(t.Function)
		code, message, suggestion := "", "", "name a function that the layer is attached to"
		switch {
		case !ok:
			code, message = "smoke_test_function", fmt.Sprintf("there is no function %s in %s for the smoke test", t.Function, r.want.Region)
		case f.Image || f.Edge:
			code, message = "smoke_test_function", fmt.Sprintf("the smoke test cannot tell anything of %s: %s", t.Function, kindReason(&f))
		case !slices.ContainsFunc(r.wishes, func(w *wish) bool { return (t.Layer == "" || t.Layer == w.Name) && w.Selects(f) }):
			layer := t.Layer
			if layer == "" {
				layer = "any layer of the environment"
			}
			code, message = "smoke_test_unselected", fmt.Sprintf("the smoke test's function %s does not get %s", t.Function, layer)
		case r.contest(&f).by != nil:
			suggestion = "name a function of this environment's own"
			code, message = "smoke_test_held", fmt.Sprintf("the smoke test's function %s is not for this environment to call: environment %s %s it",
				t.Function, r.contest(&f).by.Want.Name, r.contest(&f).verb())
		default:
			continue
		}
		r.plan.Problems = append(r.plan.Problems, desired.Problem{
			Position: t.At, Code: code, Message: message, Suggestion: suggestion,
			Environment: r.want.Name, Severity: desired.Error,
		})
	}
}

// unsigned: a function with a code-signing configuration that is enforced takes
// layers of the allowed signers only.
func (r *region) unsigned(_ *wish, f *state.Function, s plan.Step) string {
	if s.To == "" || s.To.Content() != "" {
		return "" // what layerd publishes is judged once it has a number
	}
	if r.snap.Signing == nil {
		r.plan.Needs.Signing = true
		return ""
	}
	rule, ok := r.snap.Signing[f.Name]
	if !ok || !rule.Enforce {
		return ""
	}
	p, known := r.snap.Probes[s.To]
	switch {
	case !known || !p.Usable:
		return "" // asked for, and judged, elsewhere
	case p.Signer == "":
		return fmt.Sprintf("it takes signed layers only, and %s is not signed", s.To)
	case !slices.Contains(rule.Allowed, p.Signer):
		return fmt.Sprintf("it takes layers of other signers than %s, who signed %s", p.Signer, s.To)
	}
	return ""
}

// oversize: code and layers together are too large for AWS. What is not known
// counts as nothing and is told as not known.
func (r *region) oversize(f *state.Function, after []state.LayerVersionARN) string {
	sum, known := f.CodeSize, f.CodeSize > 0
	for _, v := range after {
		size := r.sizeOf(v)
		sum, known = sum+size, known && size > 0
	}
	if sum > maxUnzipped {
		return fmt.Sprintf("its code and layers would be at least %d MB, and AWS allows 250 MB unzipped", sum>>20)
	}
	if !known {
		r.sizeless++
	}
	return ""
}

// sizeOf returns the size of a layer version's zip, in bytes; 0 = unknown.
func (r *region) sizeOf(v state.LayerVersionARN) int64 {
	if v.Content() == "" {
		return r.snap.Probes[v].Size
	}
	for _, w := range r.wishes {
		for _, p := range w.pending {
			if p.to == v {
				return p.publishing.Content.Size
			}
		}
	}
	return 0
}

func (r *region) sizeNote() {
	if r.sizeless == 0 {
		return
	}
	r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "size_unknown", Message: fmt.Sprintf(
		"the size of code and layers together is unknown for %s; AWS allows 250 MB unzipped", words.Plural(r.sizeless, "function", "functions"))})
}
