package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/window"
)

// Situation is what a round found out about one environment.
type Situation struct {
	Environment string
	Zone        *time.Location // times are shown in it; nil = UTC
	Now         time.Time
	// Plan is what was decided, with results where it was carried out. Nil: no
	// decision could be made, for the reason in Error; alerts about functions then
	// stay as they are, since nothing is known about them.
	Plan *plan.Plan
	// Revision and Subject are of the commit the plan was made from.
	Revision, Subject string
	// Observed is the newest commit seen, when it is another one.
	Observed string
	// Invalid is why the newest commit is not followed here, or why what is
	// followed cannot be carried out whole. Warnings are left out.
	Invalid []desired.Problem
	// Unread: the newest commit is not known, as after a start without Git. Then it is
	// not known either whether it is followed.
	Unread bool
	// Missed are openings in which no daemon could act. One that was reported
	// before may be passed again.
	Missed []Missed
	// Ended are the steps that ended between the cursors From and To of the
	// history. From is [Book.Cursor], or where nothing was reported yet, where the
	// history stood before the round.
	Ended    []history.Entry
	From, To history.Cursor
	// LookedAt is when AWS was last read completely; while that never
	// happened, when somebody first tried to. It is what aws_stale counts from.
	LookedAt time.Time
	// StaleAfter is after how long that counts as stale; 0 = 15 minutes.
	StaleAfter time.Duration
	Error      string // why there is no Plan
	// Actors are those who changed functions that layerd leaves to another
	// writer, as far as that is known.
	Actors []Actor
	// Removed is true when the repository has no file of the environment any
	// more. All else is ignored.
	Removed bool
	// Forgotten is a person's confirmation that this was meant; nil = there is
	// none. It counts with Removed only.
	Forgotten *ruling.Forgotten
	// Suffix ends each command in the text. [Book.Tell] sets it.
	Suffix string
}

// Missed is an opening in which no daemon could act.
type Missed struct {
	window.Opening
	Why  string    // "layerd was not running"
	Next time.Time // the next opening; zero = none is known
}

// Repository is the state of the whole desired-state repository and of the daemon
// that follows it, rather than of one environment.
type Repository struct {
	// Instance names the daemon among several on one store, so that one that
	// reads Git does not resolve the alert of one that does not; empty = there
	// is only one.
	Instance string
	Zone     *time.Location
	Now      time.Time
	ReadAt   time.Time // when Git was last read; while it never was, when somebody first tried to
	Error    string    // why the last attempt failed
	// StaleAfter is after how long Git counts as stale; 0 = 15 minutes.
	StaleAfter time.Duration
	Revision   string            // the commit that is followed
	Observed   string            // the newest one, when it is another
	Invalid    []desired.Problem // of the whole tree, or of files of no environment, so that no environment has them
	Followed   bool              // the environments are followed in spite of Invalid
	Unread     bool              // the newest commit is not known, nor whether it is followed
	// Store is why the store cannot be used. It is reported without the store.
	Store string
	// Lost are the accounts whose lease ended before this daemon renewed it,
	// and that no daemon is known to hold.
	Lost []LostLease
	// Targets are those that take no messages. The others are told.
	Targets []TargetStatus
	// Secrets are those that the configuration names and that cannot be read.
	Secrets []UnreadableSecret
	// Deaf is the queue of events, if it cannot be read.
	Deaf *DeafQueue
}

// DeafQueue is a queue in which it stands what happens in AWS, and that cannot be read.
type DeafQueue struct {
	Queue  string
	Since  time.Time
	Reason string
	// Interval is between two rounds, which look all the same.
	Interval time.Duration
}

// UnreadableSecret is a secret that the configuration names.
type UnreadableSecret struct {
	Key    string // "git.auth.token"
	Since  time.Time
	Reason string // names the place, and nothing of the secret
}

// LostLease is an account that this daemon had to leave alone.
type LostLease struct {
	Account string
	Since   time.Time
	Reason  string
}

// ID tells one alert from all others.
type ID struct {
	Kind        Kind   `json:"kind"`
	Environment string `json:"environment,omitempty"`
	Region      string `json:"region,omitempty"`
	Key         string `json:"key,omitempty"` // a layer's name, or what else there are several of
}

func (id ID) compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Environment, other.Environment), cmp.Compare(id.Kind, other.Kind),
		cmp.Compare(id.Region, other.Region), cmp.Compare(id.Key, other.Key))
}

// Fact is a condition that lasts, or an event that happened.
type Fact struct {
	ID
	// OneShot is true for an event: it is reported one time and never resolved.
	OneShot bool
	// NoReminder is true for what no person has to act on: it is not repeated.
	NoReminder bool
	// Items are what it is made of. Only they and the ID decide whether the
	// fact is the same as before; title and sections may change freely.
	Items []Item
	// OnlyIfOpen is true for the end of an alert: it is reported only where one of
	// those that it Closes is open.
	OnlyIfOpen bool
	// Closes are alerts that this fact is the end of, so that they need no
	// message of their own.
	Closes []Scope

	// ElsewhereAsked reports that another commit than the newest asked for it: that one
	// is named in the sections, and the newest would look like it below them.
	ElsewhereAsked bool
	// Severity is how loud it is, where that is not its kind's.
	Severity Severity
	Title    string    // one line
	Sections []Section // what, since when, and what comes next
}

// Item is one thing that a fact is about. Its fields are compared, not shown.
type Item struct {
	Name  string // a function, a version, a file with line and column
	Layer string
	Code  string // the kind of drift, who holds it, the code of a problem
	Have  string
	// Want is what should be there; of a problem what was asked for, if the file alone
	// does not say what is wrong.
	Want string
}

func (i Item) compare(o Item) int {
	return cmp.Or(cmp.Compare(i.Name, o.Name), cmp.Compare(i.Layer, o.Layer), cmp.Compare(i.Code, o.Code),
		cmp.Compare(i.Have, o.Have), cmp.Compare(i.Want, o.Want))
}

// Fingerprint is equal for equal facts, and does not depend on any text, time
// or order.
func (f Fact) Fingerprint() string {
	h := sha256.New()
	for _, i := range slices.SortedFunc(slices.Values(f.Items), Item.compare) {
		// Quoted, so that no two lists of fields give the same bytes.
		h.Write([]byte(strings.Join([]string{quote(i.Name), quote(i.Layer), quote(i.Code), quote(i.Have), quote(i.Want)}, ",") + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Scope is a set of alerts; what is empty does not matter.
type Scope struct {
	Kind        Kind
	Region, Key string
	Names       []string // an alert must be about one of them
}

func (s Scope) matches(a Alert) bool {
	return (s.Kind == "" || s.Kind == a.Kind) && (s.Region == "" || s.Region == a.Region) && (s.Key == "" || s.Key == a.Key) &&
		(s.Names == nil || a.Count > len(a.Names) || slices.ContainsFunc(a.Names, func(n string) bool { return slices.Contains(s.Names, n) }))
}

func (s Scope) compare(o Scope) int {
	return cmp.Or(cmp.Compare(s.Kind, o.Kind), cmp.Compare(s.Region, o.Region), cmp.Compare(s.Key, o.Key), slices.Compare(s.Names, o.Names))
}

// Findings are the facts of one situation, and what is unknown.
type Findings struct {
	Facts []Fact // sorted
	// Unknown are alerts that must neither be opened nor resolved: AWS was not
	// read, or the step that failed was not tried again yet.
	Unknown []Scope
	// Decided is true when a decision was made for at least one Region, so that
	// there is something to make a baseline of.
	Decided bool
}

// Alert is a fact that was reported and is not over, as it is kept. Stored: names
// and meanings stay.
type Alert struct {
	ID
	Fingerprint string `json:"fingerprint"` // when last reported
	Title       string `json:"title"`       // when last reported
	// Count is how many names it is about, and Names the first of them.
	Count  int       `json:"count"`
	Names  []string  `json:"names,omitempty"`
	Opened time.Time `json:"opened"`
	Told   time.Time `json:"told"` // last
	Quiet  bool      `json:"quiet,omitempty"`
	// Resolved is when it was over. It is remembered for a while, so that what
	// comes and goes does not open every minute.
	Resolved time.Time `json:"resolved,omitzero"`
}

// Event is something to report about one alert.
type Event struct {
	Status Status
	Alert  Alert // as it is after the event
	Fact   *Fact // nil when it is over
	// Before is the alert as last reported; nil for a new one.
	Before *Alert
	// Ended are alerts that are over with this event, without one of their own.
	Ended []Alert
}
