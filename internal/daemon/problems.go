package daemon

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
)

// environmentProblems is what is wrong with what Git asks for, as last logged
// and as readyz shows it.
type environmentProblems struct {
	problems []desired.Problem
	since    time.Time
}

// problemsOf returns all that plan would print as an error about an
// environment: why the newest commit is not followed, and why what is followed
// cannot be carried out whole. The log, readyz and the alert are made from this
// list. known is false where AWS was not read and there may be more.
func (w *desiredView) problemsOf(planned plan.Plan) (list []desired.Problem, known bool) {
	list, known = w.invalid[planned.Environment], true
	for _, r := range planned.Regions {
		list = appendNew(list, errorsOnly(r.Problems))
		known = known && !r.ObservedAt.IsZero()
	}
	return list, known
}

// noteProblems logs the problems that are new, and keeps all for readyz.
// since is when they were first found according to the store; zero = unknown.
func (d *Daemon) noteProblems(environment string, problems []desired.Problem, since time.Time) {
	d.mu.Lock()
	before, revision := d.problems[environment], d.head.commit.Hash
	now := environmentProblems{problems: problems, since: before.since}
	if now.since.IsZero() {
		now.since = time.Now()
	}
	if !since.IsZero() {
		now.since = since // before this daemon started, or while another one acted
	}
	if len(errorsOnly(problems)) == 0 {
		now.since = time.Time{}
	}
	if d.problems[environment] = now; len(problems) == 0 {
		delete(d.problems, environment)
	}
	d.mu.Unlock()
	known := map[string]bool{}
	for _, p := range before.problems {
		known[identity(p)] = true
	}
	log := d.Log.With("revision", revision)
	if environment != "" {
		log = log.With("env", environment)
	}
	for _, p := range problems {
		if known[identity(p)] {
			continue
		}
		say, message := log.Error, "desired state invalid"
		if p.Severity == desired.Warning {
			say, message = log.Warn, "desired state doubtful"
		}
		say(message, "file", p.File, "line", p.Line, "column", p.Column, "code", p.Code, "err", p.Message, "suggestion", p.Suggestion)
	}
	if len(errorsOnly(problems)) == 0 && len(errorsOnly(before.problems)) > 0 {
		log.Info("desired state valid again")
	}
}

// identity is equal for equal problems. What is live is left out: a version
// that is published does not make another problem.
func identity(p desired.Problem) string {
	return fmt.Sprintf("%s %s %q\n", placeOfProblem(p), p.Code, p.Message)
}

// signature is equal for equal lists of problems.
func signature(problems []desired.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(identity(p))
	}
	return b.String()
}

// noteOtherProblems is noteProblems for what no round is about: problems in files
// of no environment, warnings, and environments that were never valid.
func (d *Daemon) noteOtherProblems(w *desiredView) {
	warnings := slices.DeleteFunc(slices.Clone(w.tree.Problems), func(p desired.Problem) bool { return p.Severity != desired.Warning })
	d.mu.Lock()
	maps.DeleteFunc(d.problems, func(name string, _ environmentProblems) bool {
		return name != "" && !slices.Contains(w.tree.Names, name)
	})
	d.mu.Unlock()
	d.noteProblems("", appendNew(slices.Clone(w.unattributed), warnings), time.Time{})
	for _, name := range w.unfollowed() {
		d.noteProblems(name, w.invalid[name], time.Time{})
	}
}

// unfollowed lists environments that have a file and were never valid.
func (w *desiredView) unfollowed() []string {
	return slices.DeleteFunc(slices.Clone(w.tree.Names), func(name string) bool { return len(named(w.tree.Environments, name)) > 0 })
}

// maxReasons bounds the problems of one environment that readyz lists.
const maxReasons = 20

// reasons returns why not all that Git asks for is followed, for readyz. It
// needs the daemon's mu. Environments that another daemon looks after are left
// to that one.
func (d *Daemon) reasons(w *desiredView) []string {
	var list []string
	for name, t := range d.problems {
		errs := errorsOnly(t.problems)
		if len(errs) == 0 || name != "" && !(slices.Contains(w.tree.Names, name) && d.ours(w, name)) {
			continue
		}
		prefix, since := "", t.since.UTC().Format(time.RFC3339)
		if name != "" {
			prefix = name + ": "
		}
		for _, p := range errs[:min(len(errs), maxReasons)] {
			text := fmt.Sprintf("%s%s: %s (%s)", prefix, placeOfProblem(p), p.Message, p.Code)
			if p.Suggestion != "" {
				text += "; " + p.Suggestion
			}
			list = append(list, text+", since "+since)
		}
		if more := len(errs) - maxReasons; more > 0 {
			list = append(list, fmt.Sprintf("%sand %d problems more, since %s", prefix, more, since))
		}
	}
	return list
}

// ours reports whether an environment is in an account whose lease we have, or
// in none. It needs the daemon's mu.
func (d *Daemon) ours(w *desiredView, name string) bool {
	envs := named(w.tree.Environments, name)
	if len(envs) == 0 {
		return true
	}
	a := d.accounts[envs[0].Account]
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.holding
}
