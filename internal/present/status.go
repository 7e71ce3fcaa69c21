package present

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/words"
)

// The verdicts of a Status, the worst first.
const (
	VerdictWrong    = "wrong"     // something does not work
	VerdictUnknown  = "unknown"   // nobody has looked for long, or ever
	VerdictWaits    = "waits"     // a person's word is waited for
	VerdictAllRight = "all_right" // looked at lately, and nothing is to be done
)

// statusVersion is the version of a Status as JSON.
const statusVersion = "1"

// StatusFacts is what the store knows, from which a Status is made.
type StatusFacts struct {
	Repository   string
	At           time.Time
	Zone         *time.Location // times are shown in it; nil = UTC
	Alerts       []notify.Alert // of the repository itself
	Environments []EnvironmentFacts
	// Command returns what a person can copy, of the words of a command.
	Command func(...string) string
}

// EnvironmentFacts is what the store knows of one environment.
type EnvironmentFacts struct {
	Name   string
	Alerts []notify.Alert // that are not over
	// Told reports that a daemon has looked at it: then a plan that waits is an alert.
	Told        bool
	Regions     []RegionFacts
	Quarantines []ruling.Quarantine  // that hold
	Pending     []ruling.PendingPlan // not approved, the latest first
	Applied     *history.Entry       // what was applied last; nil = nothing
	Accounts    []AccountFacts       // that its functions are in
}

// RegionFacts is what stands in one Region, and what is under way there.
type RegionFacts struct {
	Region  string
	Rollout *rollout.Rollout // nil = there never was one
	Layers  []StatusLayer
}

// AccountFacts is the lease of an account; Fence 0 = nobody ever had it.
type AccountFacts struct {
	Account string
	// ByHand reports that the holder is a layerd apply, which looks once, and no daemon.
	ByHand bool
	lease.View
}

// Status is what layerd status answers.
type Status struct {
	FormatVersion string              `json:"format_version"`
	Repository    string              `json:"repository"`
	At            time.Time           `json:"at"`
	Verdict       string              `json:"verdict"`
	Problems      []StatusProblem     `json:"problems"` // the worst first
	Environments  []StatusEnvironment `json:"environments"`
	Zone          string              `json:"zone"` // that text shows times in; the times here are in UTC
	zone          *time.Location      // the same; never nil
	// applied is when layerd apply last looked, where that is all that is not right: no
	// daemon does. Zero = it is not all.
	applied time.Time
}

// StatusProblem is one thing that is not all right.
type StatusProblem struct {
	Verdict     string    `json:"verdict"`
	Kind        string    `json:"kind"` // of an alert, or unwatched
	Environment string    `json:"environment,omitempty"`
	Region      string    `json:"region,omitempty"`
	Since       time.Time `json:"since,omitzero"` // absent = not known
	Title       string    `json:"title"`
	Names       []string  `json:"names"` // what it is about, the first of them
	Act         string    `json:"act"`   // the command that a person begins with
	words       []string  // of the command
}

// StatusEnvironment is one environment on one line, and its Regions.
type StatusEnvironment struct {
	Name     string          `json:"name"`
	Verdict  string          `json:"verdict"`
	Applied  *StatusApplied  `json:"applied,omitempty"` // absent = nothing was
	Accounts []StatusAccount `json:"accounts"`
	Regions  []StatusRegion  `json:"regions"`
	Notes    []string        `json:"notes"` // what is under way or waits by itself
}

// StatusApplied is what was applied last.
type StatusApplied struct {
	At       time.Time `json:"at"`
	Revision string    `json:"revision,omitempty"` // absent = not for a commit
}

// StatusAccount is who looks after an account.
type StatusAccount struct {
	Account string `json:"account"`
	// Watched reports that the holder of its lease was heard of within two terms, and
	// looks at the environment: not that it is well.
	Watched bool      `json:"watched"`
	Looked  time.Time `json:"looked,omitzero"`   // when AWS was last read completely; absent = not known
	By      string    `json:"by,omitempty"`      // who has the lease, or had it last
	Heard   time.Time `json:"heard,omitzero"`    // when that was last heard of; absent = never
	Fence   int64     `json:"fencing,omitempty"` // of the lease
}

// StatusRegion is one Region of an environment.
type StatusRegion struct {
	Region  string         `json:"region"`
	Layers  []StatusLayer  `json:"layers"`
	Rollout *StatusRollout `json:"rollout,omitempty"` // absent = none is under way
}

// StatusLayer is what stands of one layer.
type StatusLayer struct {
	Layer   string `json:"layer"`
	Number  int64  `json:"number"` // 0 = nothing is proven yet
	Version string `json:"version,omitempty"`
	Coming  int64  `json:"coming,omitempty"`
}

// StatusRollout is a rollout that has not ended.
type StatusRollout struct {
	Stage string    `json:"stage"`
	Since time.Time `json:"since"`
	Wave  int       `json:"wave"`
	Waves int       `json:"waves"`
}

// KindUnwatched is the kind of the problem that nobody looks after an environment.
// Silence is not success: what nobody looks at is unknown.
const KindUnwatched = "unwatched"

// StatusOf returns the answer to what the store knows. It is a function: equal facts
// give equal answers.
func StatusOf(f StatusFacts) Status {
	zone := cmp.Or(f.Zone, time.UTC)
	s := Status{
		FormatVersion: statusVersion, Repository: f.Repository, At: f.At, Problems: alertProblems(f.Alerts), Environments: []StatusEnvironment{},
		Zone: zone.String(), zone: zone,
	}
	for _, e := range f.Environments {
		problems := e.problems()
		s.Problems = append(s.Problems, problems...)
		if !e.watched(f.At) {
			problems = append(problems, StatusProblem{Verdict: VerdictUnknown})
		}
		s.Environments = append(s.Environments, e.view(f.At, verdictOf(problems)))
	}
	s.Problems = append(s.Problems, f.unwatched()...)
	for i, p := range s.Problems {
		s.Problems[i].Act = f.Command(p.words...)
	}
	slices.SortStableFunc(s.Problems, func(a, b StatusProblem) int {
		return cmp.Or(cmp.Compare(verdictRank(a.Verdict), verdictRank(b.Verdict)), a.Since.Compare(b.Since),
			cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Title, b.Title))
	})
	s.Verdict = verdictOf(s.Problems)
	if len(s.Environments) == 0 && s.Verdict == VerdictAllRight {
		s.Verdict = VerdictUnknown // nothing was ever looked at
	}
	s.applied = f.applied(s.Problems)
	return s
}

func verdictRank(v string) int {
	return slices.Index([]string{VerdictWrong, VerdictUnknown, VerdictWaits, VerdictAllRight}, v)
}

// verdictOf returns the worst verdict of problems.
func verdictOf(problems []StatusProblem) string {
	worst := VerdictAllRight
	for _, p := range problems {
		if verdictRank(p.Verdict) < verdictRank(worst) {
			worst = p.Verdict
		}
	}
	return worst
}

// problems returns what is not all right in an environment: what was told of it, and
// what the store has besides for those who have no daemon.
func (e EnvironmentFacts) problems() []StatusProblem {
	list := alertProblems(e.Alerts)
	if i := slices.IndexFunc(list, func(p StatusProblem) bool { return p.Kind == string(notify.ApprovalNeeded) }); len(e.Pending) > 0 {
		if i >= 0 {
			list[i].words = approveWords(e.Pending[0])
		} else if !e.Told {
			list = append(list, waitingPlan(e.Pending[0]))
		}
	}
	for _, r := range e.Regions {
		if ro := r.Rollout; ro != nil && ro.Stage == rollout.StageHalted && !alerted(list, r.Region, notify.RolloutFailed, notify.RolledBack) {
			list = append(list, newProblem(notify.RolloutFailed, e.Name, r.Region, ro.Since, e.Name+": the rollout halted: "+ro.Reason))
		}
	}
	for _, q := range e.Quarantines {
		if alerted(list, q.Region, notify.RolledBack, notify.Quarantined, notify.RolloutFailed) {
			continue
		}
		p := newProblem(notify.Quarantined, e.Name, q.Region, q.At, e.Name+": "+q.Name+" "+words.Version(q.Number, q.Semver)+" is in quarantine: "+q.Reason)
		p.words = []string{"retry", e.Name, q.Name, "--reason", words.SomeReason}
		list = append(list, p)
	}
	return list
}

// alerted reports whether an alert of one of the kinds is about a Region.
func alerted(list []StatusProblem, region string, kinds ...notify.Kind) bool {
	return slices.ContainsFunc(list, func(p StatusProblem) bool {
		return slices.Contains(kinds, notify.Kind(p.Kind)) && (p.Region == region || p.Region == "")
	})
}

func approveWords(p ruling.PendingPlan) []string {
	return []string{"approve", p.Environment, words.Digest(p.Digest)}
}

// waitingPlan is a plan that apply left waiting where no daemon tells of it.
func waitingPlan(p ruling.PendingPlan) StatusProblem {
	w := newProblem(notify.ApprovalNeeded, p.Environment, "", p.At, p.Environment+": a plan waits for an approval")
	w.words = approveWords(p)
	return w
}

// watched reports whether somebody looks after all accounts of the environment.
func (e EnvironmentFacts) watched(now time.Time) bool {
	return len(e.Accounts) > 0 && !slices.ContainsFunc(e.Accounts, func(a AccountFacts) bool { return !a.status(e.Name, now).Watched })
}

// unwatched returns a problem for each account that nobody looks after: it is one for
// all of its environments. The account of those whose account nobody knows is empty.
func (f StatusFacts) unwatched() []StatusProblem {
	list := map[string]*StatusProblem{}
	for _, e := range f.Environments {
		accounts := e.Accounts
		if len(accounts) == 0 {
			accounts = []AccountFacts{{}}
		}
		for _, a := range accounts {
			v := a.status(e.Name, f.At)
			if v.Watched {
				continue
			}
			p := list[a.Account]
			if p == nil {
				p = &StatusProblem{Verdict: VerdictUnknown, Kind: KindUnwatched, Since: cmp.Or(v.Looked, v.Heard), words: []string{"doctor"}}
				list[a.Account] = p
			}
			p.Names = append(p.Names, e.Name)
			p.Title = unwatchedTitle(v, a.alive(f.At), p.Names)
		}
	}
	var all []StatusProblem
	for _, account := range slices.Sorted(maps.Keys(list)) {
		all = append(all, *list[account])
	}
	return all
}

func unwatchedTitle(a StatusAccount, heard bool, envs []string) string {
	about := words.Few(envs) + ": "
	switch {
	case a.Account == "":
		return about + "unknown, nobody has looked yet"
	case a.Heard.IsZero():
		return about + "unknown, no daemon ever had account " + a.Account
	case heard:
		return about + "unknown, " + a.By + " has account " + a.Account + " and does not look"
	}
	return about + "unknown, no daemon has account " + a.Account
}

// alertProblems returns the alerts that a person should know of: what is good to know
// is none.
func alertProblems(alerts []notify.Alert) []StatusProblem {
	list := []StatusProblem{}
	for _, a := range alerts {
		if a.Kind.Severity() == notify.Info {
			continue
		}
		p := newProblem(a.Kind, a.Environment, a.Region, a.Opened, a.Title)
		p.Names = append(p.Names, a.Names...)
		if a.Kind == notify.TugOfWar && len(a.Names) > 0 {
			p.words = []string{"why", a.Names[0]}
		}
		list = append(list, p)
	}
	return list
}

func newProblem(kind notify.Kind, env, region string, since time.Time, title string) StatusProblem {
	p := StatusProblem{Verdict: VerdictWrong, Kind: string(kind), Environment: env, Region: region, Since: since, Title: title, Names: []string{}, words: act(kind, env)}
	if kind == notify.ApprovalNeeded || kind == notify.RulingEnding {
		p.Verdict = VerdictWaits
	}
	return p
}

// act returns the command that a person begins with.
func act(kind notify.Kind, env string) []string {
	doctor := []string{"doctor"}
	if env != "" {
		doctor = append(doctor, "--env", env)
	}
	switch kind {
	case notify.DesiredInvalid:
		return []string{"validate"}
	case notify.EnvironmentRemoved:
		return []string{"forget", env}
	case notify.WindowMissed:
		return []string{"window", env}
	case notify.ApplyFailed, notify.RolledBack:
		return []string{"history", "--env", env}
	case notify.RolloutFailed, notify.Quarantined:
		return []string{"retry", env, "--reason", words.SomeReason}
	case notify.Drift, notify.ApprovalNeeded, notify.Blocked, notify.PruneBlocked, notify.TugOfWar, notify.RulingEnding:
		return []string{"plan", "--env", env}
	}
	return doctor
}

// status returns who looks after an environment in an account. The holder's clock is another one than
// ours, so that two terms may pass before its silence means anything.
func (a AccountFacts) status(env string, now time.Time) StatusAccount {
	if a.Fence == 0 {
		return StatusAccount{Account: a.Account}
	}
	look := a.Looked[env]
	return StatusAccount{
		Account: a.Account, By: a.By.Name, Heard: a.Renewed, Fence: a.Fence, Looked: look.At,
		Watched: a.alive(now) && now.Before(look.Until),
	}
}

// alive reports whether the lease has a holder that was heard of.
func (a AccountFacts) alive(now time.Time) bool {
	return a.Fence > 0 && !a.Released && now.Sub(a.Renewed) <= 2*a.Term
}

func (e EnvironmentFacts) view(now time.Time, verdict string) StatusEnvironment {
	v := StatusEnvironment{Name: e.Name, Verdict: verdict, Accounts: []StatusAccount{}, Regions: []StatusRegion{}, Notes: []string{}}
	if e.Applied != nil {
		v.Applied = &StatusApplied{At: e.Applied.Ended, Revision: e.Applied.Revision}
	}
	for _, a := range e.Accounts {
		v.Accounts = append(v.Accounts, a.status(e.Name, now))
	}
	for _, r := range e.Regions {
		view := StatusRegion{Region: r.Region, Layers: append([]StatusLayer{}, r.Layers...)}
		if r.Rollout.Running() {
			view.Rollout = &StatusRollout{Stage: string(r.Rollout.Stage), Since: r.Rollout.Since, Wave: r.Rollout.Wave, Waves: r.Rollout.Waves}
		}
		v.Regions = append(v.Regions, view)
	}
	for _, a := range e.Alerts {
		if a.Kind.Severity() == notify.Info {
			v.Notes = append(v.Notes, a.Title)
		}
	}
	return v
}
