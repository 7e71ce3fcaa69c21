package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/window"
)

// Situation is what a round found out about one environment.
type Situation struct {
	Environment string
	Zone        *time.Location // times are shown in it; nil = UTC
	Now         time.Time
	// Plan is what was decided, with results where it was carried out. Nil: no
	// decision could be made, and Error says why; alerts about functions then
	// stay as they are, since nothing is known about them.
	Plan *plan.Plan
	// Revision and Subject are of the commit the plan was made from.
	Revision, Subject string
	// Observed is the newest commit seen, when it is another one.
	Observed string
	// Invalid says why the newest commit is not followed here, or why what is
	// followed cannot be carried out whole. Warnings are left out.
	Invalid []desired.Problem
	// Missed are openings that passed while nobody could act. One that was
	// told before may be given again.
	Missed []Missed
	// Ended are the steps that ended between the cursors From and To of the
	// history. From is [Book.Cursor], or where nothing was told yet, where the
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
	// writer, as far as anybody knows.
	Actors []Actor
	// Removed says that the repository has no file of the environment any
	// more. All else is ignored.
	Removed bool
	// Forgotten is the word of a person that this was meant; nil = nobody said
	// so. It counts with Removed only.
	Forgotten *ruling.Forgotten
	// Suffix ends each command in the text. [Book.Tell] sets it.
	Suffix string
}

// Missed is an opening that passed while nobody could act.
type Missed struct {
	window.Opening
	Why  string    // "layerd was not running"
	Next time.Time // the next opening; zero = none is known
}

// Repository is what is so of the whole desired-state repository and of the
// daemon that follows it, rather than of one environment.
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
	// Store says why the store cannot be used. It is told without it.
	Store string
	// Lost are the accounts whose lease ended before this daemon renewed it,
	// and that nobody is known to hold.
	Lost []LostLease
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

// Fact is something that is so, or that happened.
type Fact struct {
	ID
	// Once says that it happened: it is told one time and never resolved.
	Once bool
	// Quiet says that nobody needs to be reminded of it.
	Quiet bool
	// Items are what it is made of. Only they and the ID decide whether the
	// fact is the same as before; the text may change freely.
	Items []Item
	// Ending says that it happened to an alert: it is told only where one of
	// those that it Ends is open, and is the end of that.
	Ending bool
	// Ends are alerts that this fact is the end of, so that they need no
	// message of their own.
	Ends []Scope

	Title    string    // one line
	Sections []Section // what, since when, and what comes next
}

// Item is one thing that a fact is about. Its fields are compared, not shown.
type Item struct {
	Name  string // a function, a version, a file with line and column
	Layer string
	Code  string // the kind of drift, who holds it, the code of a problem
	Have  string
	Want  string
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

func (s Scope) has(a Alert) bool {
	return (s.Kind == "" || s.Kind == a.Kind) && (s.Region == "" || s.Region == a.Region) && (s.Key == "" || s.Key == a.Key) &&
		(s.Names == nil || a.Count > len(a.Names) || slices.ContainsFunc(a.Names, func(n string) bool { return slices.Contains(s.Names, n) }))
}

func (s Scope) compare(o Scope) int {
	return cmp.Or(cmp.Compare(s.Kind, o.Kind), cmp.Compare(s.Region, o.Region), cmp.Compare(s.Key, o.Key), slices.Compare(s.Names, o.Names))
}

// Findings are the facts of one situation, and what nothing is known about.
type Findings struct {
	Facts []Fact // sorted
	// Unknown are alerts that must neither be opened nor resolved: AWS was not
	// read, or the step that failed was not tried again yet.
	Unknown []Scope
	// Whole says that a decision was made for at least one Region, so that
	// there is something to make a baseline of.
	Whole bool
}

// Alert is a fact that was told and is not over, as it is kept. Stored: names
// and meanings stay.
type Alert struct {
	ID
	Fingerprint string `json:"fingerprint"` // when last told
	Title       string `json:"title"`       // when last told
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

// Event is something to tell about one alert.
type Event struct {
	Status Status
	Alert  Alert // as it is after the event
	Fact   *Fact // nil when it is over
	// Before is the alert as it was told last; nil for a new one.
	Before *Alert
	// Ended are alerts that are over with this event, without one of their own.
	Ended []Alert
}
