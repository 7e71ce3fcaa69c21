package daemon

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/notify"
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

// Problem is something that a person has to mend, as readyz, the metrics and an
// alert have it. The log has it once, when it begins.
type Problem struct {
	Environment string // empty = of none
	// Code is that of plan for what Git asks for, else the kind of the alert:
	// delivery_failed, secret_unreadable, or aws_stale for the queue of events.
	Code       string
	Severity   desired.Severity
	Place      string // file:line:column, the name of a target, the key of a secret
	Message    string
	Suggestion string
	Since      time.Time
}

// String is the problem as readyz has it.
func (p Problem) String() string {
	text := fmt.Sprintf("%s: %s (%s)", p.Place, p.Message, p.Code)
	if p.Environment != "" {
		text = p.Environment + ": " + text
	}
	if p.Suggestion != "" {
		text += "; " + p.Suggestion
	}
	return text + ", since " + p.Since.UTC().Format(time.RFC3339)
}

// Problems lists everything that is wrong and that this daemon answers for:
// what Git asks for, found in loading or in resolving, targets that take no
// messages, and secrets that cannot be read. readyz and the metrics are made of
// this list, so that nothing is in one and missing in the other.
func (d *Daemon) Problems() []Problem {
	w, targets := d.desired(), d.book.Targets()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.listProblems(w, targets)
}

// listProblems needs the daemon's mu. It returns the problems in the order of
// their environments; those of the daemon itself come first, so that no list that
// is cut loses them. Environments that another daemon looks after are left to that
// one.
func (d *Daemon) listProblems(w *desiredView, targets []notify.TargetStatus) (list []Problem) {
	for _, t := range targets {
		if !t.Since.IsZero() {
			list = append(list, Problem{
				Code: string(notify.DeliveryFailed), Severity: desired.Error, Place: t.Name, Since: t.Since,
				Message: fmt.Sprintf("it takes no messages, %s: %s", waiting(t.Waiting), t.Reason),
			})
		}
	}
	list = append(list, d.deafProblem()...)
	for _, key := range slices.Sorted(maps.Keys(d.unreadable)) {
		u := d.unreadable[key]
		list = append(list, Problem{Code: string(notify.SecretUnreadable), Severity: desired.Error, Place: key, Message: u.why, Since: u.since})
	}
	for _, name := range slices.Sorted(maps.Keys(d.problems)) {
		if name != "" && !(slices.Contains(w.tree.Names, name) && d.ours(w, name)) {
			continue
		}
		for _, p := range d.problems[name].problems {
			list = append(list, Problem{
				Environment: name, Code: p.Code, Severity: p.Severity, Place: placeOfProblem(p), Message: p.Message, Suggestion: p.Suggestion, Since: d.problems[name].since,
			})
		}
	}
	return list
}

func waiting(n int) string {
	if n == 1 {
		return "1 message waits"
	}
	return fmt.Sprintf("%d messages wait", n)
}

// maxReasons bounds the problems of one environment that readyz lists.
const maxReasons = 20

// reasons returns the errors for readyz, of each environment only the first
// ones. It needs the daemon's mu.
func (d *Daemon) reasons(w *desiredView, targets []notify.TargetStatus) (list []string) {
	shown, more := map[string]int{}, map[string]string{}
	for _, p := range d.listProblems(w, targets) {
		if p.Severity != desired.Error {
			continue
		}
		if shown[p.Environment]++; shown[p.Environment] <= maxReasons {
			list = append(list, p.String())
			continue
		}
		prefix := ""
		if p.Environment != "" {
			prefix = p.Environment + ": "
		}
		more[p.Environment] = fmt.Sprintf("%sand %d problems more, since %s", prefix, shown[p.Environment]-maxReasons, p.Since.UTC().Format(time.RFC3339))
	}
	return slices.AppendSeq(list, maps.Values(more))
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
