package present

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// annotations are GitHub's workflow commands. It shows at most ten of a kind
// per step, so that few and whole ones are better than one per function.
type annotations struct{ strings.Builder }

// GitHub returns annotations and then the text, for the log of a job. root is the
// folder of the desired state inside the repository. Only the annotations are commands:
// no line of the text is one.
func GitHub(r plan.Report, v Options, root string) string {
	var a annotations
	a.problems(r.Problems, root)
	for _, planned := range r.Plans {
		for _, region := range planned.Regions {
			a.region(region, v, root)
		}
	}
	v.Palette = Palette{}
	return a.String() + foreign.Workflow(Text(r, v))
}

func (a *annotations) region(r plan.Region, v Options, root string) {
	title := r.Want.Name + " " + r.Want.Region
	a.problems(r.Problems, root)
	if r.Failure != nil {
		a.add("error", title, r.Failure.Message)
	}
	if ro := r.Rollout; ro.Failed() {
		a.add("error", title, rolloutText(r))
	}
	failed := map[string]int{}
	for _, s := range r.Steps {
		if s.Result != nil && s.Result.Status == plan.StatusFailed {
			failed[s.Result.Error]++
		}
	}
	for _, why := range slices.Sorted(maps.Keys(failed)) {
		a.add("error", title, fmt.Sprintf("%s failed: %s", words.Count(failed[why], "step"), why))
	}
	if drift, _ := splitDrift(r.Drift); len(drift) > 0 {
		a.add("warning", title, fmt.Sprintf("%s drifted, first %s: %s", words.Count(len(drift), "item"), drift[0].Function, drift[0].Reason))
	}
	blocked := blockedByReason(r)
	for _, reason := range blocked.keys {
		a.add("warning", title, fmt.Sprintf("%s blocked: %s", words.Count(len(blocked.of[reason]), "function"), reason))
	}
	if text := tally(r.Steps); text != "" {
		if w := waitingFor(r, v); w != "" {
			text += ", waiting for " + w
		}
		a.add("notice", title, text)
	}
}

// Annotations returns problems of a repository as GitHub shows them beside the lines.
// root is the folder of the desired state inside the repository.
func Annotations(problems []desired.Problem, root string) string {
	var a annotations
	a.problems(problems, root)
	return a.String()
}

// problems names files as the pull request knows them.
func (a *annotations) problems(list []desired.Problem, root string) {
	moved := slices.Clone(list)
	for i := range moved {
		if moved[i].File != "" {
			moved[i].File = path.Join(root, moved[i].File)
		}
	}
	_ = desired.FormatGitHub(a, moved) // a builder never fails
}

func (a *annotations) add(kind, title, text string) {
	fmt.Fprintf(a, "::%s title=%s::%s\n", kind, foreign.WorkflowProperty(title), foreign.WorkflowData(text))
}
