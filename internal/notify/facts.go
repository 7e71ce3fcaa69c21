package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// defaultStaleAfter is after how long Git or AWS counts as unread by default
// (DESIGN section 2, isolation).
const defaultStaleAfter = 15 * time.Minute

// planKinds are the kinds that only a decision can open or resolve.
var planKinds = []Kind{Drift, ApprovalNeeded, ChangeHeld, ApplyFailed, Blocked, PruneBlocked, TugOfWar}

// observer turns a situation into facts, one method for each kind.
type observer struct {
	Situation
	out          Findings
	recordsCover map[string]bool // by Region; see byRecords
}

// Facts returns the facts of one environment. It is a
// function: equal situations give equal findings, whatever order their lists
// are in.
func Facts(s Situation) Findings {
	f := &observer{Situation: s, recordsCover: map[string]bool{}}
	if s.Removed {
		if s.Forgotten == nil {
			f.removed()
		}
		return f.out // a forgotten environment has no facts
	}
	f.invalid()
	f.aws()
	f.missed()
	f.ended()
	f.plan()
	slices.SortStableFunc(f.out.Facts, func(a, b Fact) int { return a.compare(b.ID) })
	slices.SortFunc(f.out.Unknown, Scope.compare)
	return f.out
}

func (f *observer) id(k Kind, region, key string) ID {
	return ID{Kind: k, Environment: f.Environment, Region: region, Key: key}
}

// command writes one for people to paste: what others named is quoted for the shell.
func (f *observer) command(verb string, args ...string) string {
	return strings.TrimSpace(words.Command(slices.Concat([]string{verb, f.Environment}, args)...) + " " + f.Suffix)
}

// someReason stands where whoever pastes a command has to write why.
const someReason = words.SomeReason

// add adds a fact, with its items sorted and its place in front of its title.
func (f *observer) add(x Fact) {
	where := cmp.Or(strings.TrimSpace(f.Environment+" "+x.Region), "layerd")
	x.Title = words.Truncate(where+": "+x.Title, maxTitle)
	x.Items = slices.Compact(slices.SortedFunc(slices.Values(x.Items), Item.compare))
	for i := range x.Sections {
		x.Sections[i].Text = words.Truncate(x.Sections[i].Text, maxText)
		x.Sections[i].Detail = words.Truncate(x.Sections[i].Detail, maxText)
	}
	f.out.Facts = append(f.out.Facts, x)
}

func (f *observer) unknown(region, key string, kinds ...Kind) {
	for _, k := range kinds {
		f.out.Unknown = append(f.out.Unknown, Scope{Kind: k, Region: region, Key: key})
	}
}

// plan finds the facts of a decision; where there is none, they are unknown.
func (f *observer) plan() {
	if f.Plan == nil {
		f.unknown("", "", planKinds...)
		f.unknown("", "", rolloutKinds...)
		return
	}
	for i := range f.Plan.Regions {
		r := &f.Plan.Regions[i]
		if r.ObservedAt.IsZero() {
			f.unknown(r.Want.Region, "", planKinds...)
			f.unknown(r.Want.Region, "", rolloutKinds...)
			f.unknown("", "", ApprovalNeeded) // it is of all Regions
			continue
		}
		f.out.Decided = true
		f.drift(r)
		f.held(r)
		f.blocked(r)
		f.keepUntried(r)
		f.tugOfWar(r)
		f.unannounced(r)
		if r.RolloutStatus == nil {
			f.unknown(r.Want.Region, "", rolloutKinds...)
			continue
		}
		f.rollout(r)
		f.incidents(r)
	}
	f.approval()
}

// keepUntried keeps the failures of layers that still have something to do: a step
// that was held after it failed is not fixed. One that is in quarantine is not
// tried any more.
func (f *observer) keepUntried(r *plan.Region) {
	scopes := map[ID]*Scope{}
	for _, s := range r.Steps {
		if s.Done() || s.HeldBy(plan.ByQuarantine) {
			continue
		}
		a := attemptOf(r.Want.Region, s)
		id := f.failedID(a)
		if scopes[id] == nil {
			scopes[id] = &Scope{Kind: id.Kind, Region: id.Region, Key: id.Key}
		}
		scopes[id].Names = append(scopes[id].Names, a.name)
	}
	for _, scope := range scopes {
		slices.Sort(scope.Names)
		f.out.Unknown = append(f.out.Unknown, *scope)
	}
}

func (f *observer) removed() {
	f.add(Fact{
		ID: f.id(EnvironmentRemoved, "", ""), Closes: []Scope{{}},
		Title: "the environment's file was removed from the repository",
		Sections: []Section{{Text: "layerd has stopped managing it. Nothing is detached, and its layer versions stay protected. " +
			"If that was a mistake, put the file back. If it was intended, confirm it, and the reminders end:",
			Code: f.command("forget")}},
	})
}

// invalid finds why the newest commit is not followed.
func (f *observer) invalid() {
	items, sections := problems(f.Invalid)
	if len(items) == 0 && f.Unread {
		f.unknown("", "", DesiredInvalid)
		return
	}
	if len(items) == 0 {
		for _, r := range f.regions() {
			if r.ObservedAt.IsZero() {
				f.unknown("", "", DesiredInvalid) // whether it resolves is not known there
			}
		}
		return
	}
	text := fmt.Sprintf("layerd stays with %s: no change starts, drift is healed.", commit(f.Revision, f.Subject))
	switch {
	case f.Plan == nil || f.Revision == "":
		text = "Nothing is done here until that is fixed."
	case f.Observed == "":
		text = "No earlier commit takes its place: no change starts here until that is fixed. Drift of the other layers is healed."
	}
	newest := cmp.Or(f.Observed, f.Revision)
	f.add(Fact{
		ID: f.id(DesiredInvalid, "", ""), Items: items, Sections: append(sections, Section{Text: text}),
		Title: fmt.Sprintf("%s is not followed: %s", commit(newest, ""), words.Count(len(items), "problem")),
	})
}

// problems returns an item for each error, and paragraphs for the first ones in
// the order of the files.
func problems(list []desired.Problem) (items []Item, sections []Section) {
	list = slices.DeleteFunc(slices.Clone(list), func(p desired.Problem) bool { return p.Severity == desired.Warning })
	slices.SortFunc(list, func(a, b desired.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	for i, p := range list {
		at := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
		items = append(items, Item{Name: at, Code: p.Code, Want: p.Asked})
		if i >= maxGroups {
			continue
		}
		section := Section{Text: at + ": " + p.Message}
		if p.Suggestion != "" {
			section.Detail = "Suggestion: " + p.Suggestion
		}
		sections = append(sections, section)
	}
	if left := len(list) - maxGroups; left > 0 {
		sections = append(sections, Section{Text: fmt.Sprintf("And %s more; validate lists them all.", words.Count(left, "problem"))})
	}
	return items, sections
}

// aws finds that AWS was not read for too long, or cannot be until a person acts.
func (f *observer) aws() {
	after := cmp.Or(f.StaleAfter, defaultStaleAfter)
	late := !f.LookedAt.IsZero() && f.Now.Sub(f.LookedAt) >= after
	var items []Item
	var sections []Section
	refused, damaged := false, true
	for _, r := range f.regions() {
		if r.Failure == nil || !r.ObservedAt.IsZero() && !barred(r) {
			continue
		}
		damaged = damaged && r.Failure.Code == "store_failed"
		refused = refused || !r.Failure.Retryable
		items = append(items, Item{Name: r.Want.Region, Code: r.Failure.Code})
		sections = append(sections, Section{Text: words.Sentence(r.Want.Region + ": " + words.Truncate(r.Failure.Message, maxText-40))})
	}
	if !late && !refused {
		return
	}
	if f.Error != "" {
		sections = append(sections, Section{Text: words.Sentence(words.Truncate(f.Error, maxText-2))})
	}
	title, since := "AWS cannot be read", ""
	switch {
	case refused && damaged:
		title = "layerd's records of it cannot be read"
	case !refused:
		title = "AWS was not read for " + words.Span(f.Now.Sub(f.LookedAt))
	}
	if !f.LookedAt.IsZero() {
		since = fmt.Sprintf("It was last read completely %s. ", words.Moment(f.LookedAt, f.Zone))
	}
	f.add(Fact{
		ID: f.id(AWSStale, "", ""), Items: items, Title: title,
		Sections: append(sections, Section{Text: since + "Until it can be read nothing is changed there, and drift is not seen."}),
	})
}

// regions are those of the plan, in the order of their names.
func (f *observer) regions() []plan.Region {
	if f.Plan == nil {
		return nil
	}
	return slices.SortedFunc(slices.Values(f.Plan.Regions), func(a, b plan.Region) int {
		return cmp.Compare(a.Want.Region, b.Want.Region)
	})
}

// missed finds the openings in which no daemon could act.
func (f *observer) missed() {
	if len(f.Missed) == 0 {
		return
	}
	list := slices.SortedFunc(slices.Values(f.Missed), func(a, b Missed) int { return a.Start.Compare(b.Start) })
	last := list[len(list)-1]
	x := Fact{
		ID: f.id(WindowMissed, "", ""), OneShot: true,
		Title: fmt.Sprintf("the change window of %s was missed", words.Opening(last.Start, last.End, f.Zone)),
	}
	for _, m := range list {
		x.Items = append(x.Items, Item{Name: m.Start.UTC().Format(time.RFC3339)})
	}
	if len(list) > 1 {
		x.Title = fmt.Sprintf("%d change windows were missed, the last one %s", len(list), words.Opening(last.Start, last.End, f.Zone))
		shown := Section{Text: "All of them:"}
		for _, m := range list[:min(len(list), maxItems)] {
			shown.Items = append(shown.Items, words.Opening(m.Start, m.End, f.Zone))
		}
		shown.More = len(list) - len(shown.Items)
		x.Sections = append(x.Sections, shown)
	}
	text := words.Sentence(last.Why)
	if last.Next.IsZero() {
		text += " No further opening is known."
	} else {
		text += fmt.Sprintf(" What waited for it now waits for the next one, %s.", words.Moment(last.Next, f.Zone))
	}
	x.Sections = append(x.Sections, Section{Text: text})
	f.add(x)
}
