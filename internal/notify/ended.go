package notify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// ended finds the outcomes of steps that were begun: what was applied is an event;
// what failed last is a condition until it is fixed.
func (f *observer) ended() {
	applied := map[ID][]history.Entry{}
	failed := map[ID][]attempt{}
	elsewhere := f.leftOff() // what is told by another fact
	for _, e := range f.latest() {
		if f.coveredByRollout(e) || e.Status == plan.StatusFailed && elsewhere[[3]string{e.Region, e.Layer, subject(e)}] {
			continue
		}
		switch e.Status {
		case plan.StatusApplied:
			if e.Kind == plan.KindPublish {
				f.published(e)
				continue
			}
			id := f.id(appliedKind(e), e.Region, e.Layer)
			if e.Sharing != nil {
				id = f.id(ChangeApplied, e.Region, shareKey(e.Layer))
			}
			applied[id] = append(applied[id], e)
		case plan.StatusFailed:
			if e.Interrupted {
				continue // layerd was killed, and goes on: AWS refused nothing
			}
			a := attempt{kind: e.Kind, region: e.Region, layer: e.Layer, name: subject(e), to: string(e.To), err: e.Error, request: e.RequestID}
			failed[f.failedID(a)] = append(failed[f.failedID(a)], a)
		}
	}
	for _, r := range f.regions() {
		for _, s := range r.Steps {
			if s.Result == nil || s.Result.Status != plan.StatusFailed || s.Result.Shared || s.Refused != "" || f.rollingBack(r.Want.Region) {
				continue
			}
			a := attemptOf(r.Want.Region, s)
			failed[f.failedID(a)] = append(failed[f.failedID(a)], a)
		}
	}
	for id, list := range applied {
		if list[0].Sharing != nil {
			f.shared(id, list)
			continue
		}
		f.applied(id, list)
	}
	for id, list := range failed {
		f.failed(id, list)
	}
}

// leftOff is one fact for each Region where what one function met was of all: one
// cause has one alert, however many functions wait for its end. It returns the
// region, layer and function of the steps that are told by another fact.
func (f *observer) leftOff() map[[3]string]bool {
	shared := map[[3]string]bool{}
	for _, r := range f.regions() {
		for _, s := range r.Steps {
			if s.Result != nil && s.Result.Shared || s.Refused != "" { // refused once more: it is blocked as before
				shared[[3]string{r.Want.Region, s.Layer, attemptOf(r.Want.Region, s).name}] = true
			}
		}
		if !stopsAll(r) {
			continue
		}
		done, waiting := map[string]bool{}, map[string]bool{}
		for _, s := range r.Steps {
			switch {
			case s.Function == "":
			case s.Done():
				done[s.Function] = true
			case s.Held == nil:
				waiting[s.Function] = true
			}
		}
		if barred(r) {
			continue // no read is let through either, which is one alert with this
		}
		text := "It is about all functions, so that nothing more was tried. " +
			words.Plural(len(waiting), "function is still to be changed", "functions are still to be changed")
		if len(done) > 0 {
			text += fmt.Sprintf(", and %s changed before", words.Plural(len(done), "was", "were"))
		}
		f.add(Fact{
			ID: f.id(ApplyFailed, r.Want.Region, ""), Items: []Item{{Code: r.Failure.Code}}, Title: "left off: " + r.Failure.Message,
			Sections: []Section{{Text: text + ". layerd tries again in the next round."}},
		})
	}
	return shared
}

// stopsAll reports whether a Region was left off since a step met what is of all.
func stopsAll(r plan.Region) bool {
	return r.Failure != nil && slices.ContainsFunc(r.Steps, func(s plan.Step) bool { return s.Result != nil && s.Result.Shared })
}

// barred reports whether a Region was left off since AWS lets no call through,
// whatever it asks, or another account answers.
func barred(r plan.Region) bool {
	return stopsAll(r) && (r.Failure.Code == plan.CodeRefused || r.Failure.Code == plan.CodeWrongAccount)
}

// latest returns the last end of every step, in the order of their names: a
// failure that was fixed meanwhile is history, and no alert.
func (f *observer) latest() []history.Entry {
	last := map[[2]string]history.Entry{}
	for _, e := range f.Ended {
		key := [2]string{e.Region, e.Layer + "/" + subject(e)}
		if old, ok := last[key]; !ok || cmp.Or(old.Ended.Compare(e.Ended), cmp.Compare(old.ID, e.ID)) < 0 {
			last[key] = e
		}
	}
	return slices.SortedFunc(maps.Values(last), func(a, b history.Entry) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Layer, b.Layer), cmp.Compare(subject(a), subject(b)))
	})
}

// subject is the function of an entry, or the version that was published or pruned.
func subject(e history.Entry) string {
	if e.Sharing != nil {
		return grantOf(e.From, e.To, e.Sharing)
	}
	if e.Function == "" {
		return versionOf(e.Kind, e.From, e.FromVersion, e.ToVersion)
	}
	return e.Function
}

func appliedKind(e history.Entry) Kind {
	switch {
	case e.Kind == plan.KindPublish:
		return Published
	case e.Kind == plan.KindPrune:
		return Pruned
	case e.Cause == plan.CauseDrift:
		return Drift
	case e.Cause == plan.CauseRollback:
		return RolledBack
	default:
		return ChangeApplied
	}
}

// applied is one fact for everything that was done to one layer.
func (f *observer) applied(id ID, list []history.Entry) {
	x := Fact{ID: id, OneShot: true}
	descriptions, moved := groups{}, []string{}
	first, last := list[0].Started, list[0].Ended
	for _, e := range list {
		x.Items = append(x.Items, Item{Name: subject(e), Layer: e.Layer, Have: string(e.From), Want: string(e.To)})
		move := e.From.Label(e.FromVersion) + " → " + e.To.Label(e.ToVersion)
		descriptions.add(move+f.reasonText(e), subject(e))
		moved = append(moved, move)
		x.ElsewhereAsked = x.ElsewhereAsked || e.Cause == plan.CauseChange && e.Revision != f.Revision
		if e.Started.Before(first) {
			first = e.Started
		}
		if e.Ended.After(last) {
			last = e.Ended
		}
	}
	slices.Sort(moved)
	on := words.Count(names(x.Items), "function")
	what := "a change of " + id.Key + " was"
	if len(slices.Compact(moved)) == 1 {
		what = id.Key + " " + moved[0] + " was"
	}
	noun := "function"
	text := func(n int, story string) string { return words.Count(n, "function") + ": " + story }
	switch id.Kind {
	case Published:
		noun = "version"
		x.Title = fmt.Sprintf("%s published", versionsOf(id.Key, list))
		x.Closes = []Scope{{Kind: ApplyFailed, Region: id.Region, Key: id.Key}}
		text = func(_ int, story string) string { return story }
		descriptions = groups{}
		for _, e := range list {
			descriptions.add(fmt.Sprintf("%s is version %d now, made of %s (sha256:%.12s)%s", e.ToVersion, e.ToNumber, e.Artifact, e.SHA256, f.reasonText(e)), e.ToVersion)
		}
	case Pruned:
		noun = "version"
		x.Title = fmt.Sprintf("%s of %s pruned", words.Count(names(x.Items), "version"), id.Key)
		x.Closes = []Scope{{Kind: PruneBlocked, Region: id.Region, Key: id.Key}}
		text = func(n int, _ string) string { return fmt.Sprintf("%s deleted for good.", words.Count(n, "version")) }
		descriptions = groups{}
		for _, e := range list {
			descriptions.add("", subject(e))
		}
	case Drift:
		x.Title = fmt.Sprintf("%s was changed by somebody else on %s, and layerd restored it", id.Key, on)
		x.Closes = []Scope{{Kind: Drift, Region: id.Region, Key: id.Key}, {Kind: ApplyFailed, Region: id.Region, Key: id.Key}}
	case RolledBack:
		x.Title = fmt.Sprintf("%s rolled back on %s", what, on)
	default:
		x.Title = fmt.Sprintf("%s applied to %s", what, on)
		x.Closes = []Scope{
			{Kind: ChangeHeld, Region: id.Region, Key: id.Key}, {Kind: ApplyFailed, Region: id.Region, Key: id.Key},
			{Kind: Drift, Region: id.Region, Key: id.Key},
		}
		if ro := f.lastRollout(id.Region); f.toldByRecords(id.Region) {
			x.Closes = append(x.Closes, Scope{Kind: ChangeApplied, Region: id.Region, Key: ro.ID})
		}
	}
	x.Sections = append(descriptions.sections(noun, text), Section{Text: f.doneText(first, last)})
	f.add(x)
}

// versionsOf names the versions of a layer that were published.
func versionsOf(layer string, list []history.Entry) string {
	if len(list) == 1 {
		return layer + " " + list[0].ToVersion + " was"
	}
	return words.Count(len(list), "version") + " of " + layer + " were"
}

// reasonText returns who asked for a step.
func (f *observer) reasonText(e history.Entry) string {
	text := ""
	switch e.Cause {
	case plan.CauseDrift:
		return ", restored to what layerd had applied."
	case plan.CauseChange:
		asked := desired.Asked{Revision: e.Revision, Author: e.Author, Subject: e.Subject}
		if e.Asked != nil {
			asked = *e.Asked
		}
		text = ", asked for by " + f.askedText(asked)
	}
	if e.ApprovedBy != "" {
		text += ", approved by " + e.ApprovedBy
	}
	return text + "."
}

// askedText names who asked for a change.
func (f *observer) askedText(a desired.Asked) string {
	switch {
	case a.Published:
		return "a new version in the range that Git names"
	case a.Earlier:
		return commit(a.Revision, "") + " or one before it"
	case a.Subject == "" && a.Revision == f.Revision:
		a.Subject = f.Subject
	}
	text := commit(a.Revision, a.Subject)
	if a.Author != "" {
		text += " of " + a.Author
	}
	return text
}

// doneText returns when the steps were done.
func (f *observer) doneText(first, last time.Time) string {
	if d := last.Sub(first); d >= time.Minute {
		return fmt.Sprintf("Done %s, in %s.", words.Moment(last, f.Zone), words.Span(d))
	}
	return fmt.Sprintf("Done %s.", words.Moment(last, f.Zone))
}

// attempt is one thing that was tried and failed.
type attempt struct {
	kind                                  plan.Kind
	region, layer, name, to, err, request string
}

func attemptOf(region string, s plan.Step) attempt {
	a := attempt{kind: s.Kind, region: region, layer: s.Layer, name: s.Function, to: string(s.To)}
	if s.Sharing != nil {
		a.name = grantOf(s.From, s.To, s.Sharing)
	} else if s.Function == "" {
		a.name = versionOf(s.Kind, s.From, s.FromVersion, s.ToVersion)
	}
	if s.Result != nil {
		a.err, a.request = s.Result.Error, s.Result.RequestID
	}
	return a
}

func (f *observer) failedID(a attempt) ID {
	switch a.kind {
	case plan.KindPrune:
		return f.id(PruneBlocked, a.region, a.layer)
	case plan.KindPublish:
		return f.id(ApplyFailed, a.region, publishKey(a.layer, a.name))
	case plan.KindShare:
		return f.id(ApplyFailed, a.region, shareKey(a.layer))
	}
	return f.id(ApplyFailed, a.region, a.layer)
}

// failed is one fact for everything of one layer whose last attempt failed.
func (f *observer) failed(id ID, list []attempt) {
	x := Fact{ID: id}
	if list[0].kind == plan.KindPublish {
		publishFailed(&x, list)
		f.add(x)
		return
	}
	reasons := groups{}
	seen := map[string]bool{} // a step of this round has a record as well
	for _, a := range list {
		if seen[a.name] {
			continue
		}
		seen[a.name] = true
		x.Items = append(x.Items, Item{Name: a.name, Layer: a.layer, Want: a.to})
		name := a.name
		if a.request != "" {
			name += " (request " + words.Truncate(a.request, 60) + ")"
		}
		reasons.add(words.Sentence(words.Truncate(a.err, maxText/2)), name)
	}
	noun := "function"
	x.Title = fmt.Sprintf("%s could not be changed on %s", id.Key, words.Count(len(x.Items), noun))
	switch publishes := slices.ContainsFunc(list, func(a attempt) bool { return a.kind == plan.KindPublish }); {
	case publishes && len(x.Items) == 1: // what needs it waits, and is told by this
		noun = "version"
		x.Title = fmt.Sprintf("%s %s could not be published", id.Key, x.Items[0].Name)
	case publishes:
		noun = "version"
		x.Title = fmt.Sprintf("%s of %s could not be published", words.Count(len(x.Items), noun), id.Key)
	case list[0].kind == plan.KindShare:
		noun = "grant"
		x.Title = fmt.Sprintf("the %s could not be changed: %s", id.Key, words.Count(len(x.Items), noun))
	case id.Kind == PruneBlocked:
		noun = "version"
		x.Title = fmt.Sprintf("%s of %s could not be pruned", words.Count(len(x.Items), noun), id.Key)
	}
	x.Sections = append(reasons.sections(noun, func(n int, why string) string { return words.Count(n, noun) + ": " + why }),
		Section{Text: "The others are not affected. layerd tries again as soon as it is allowed to."})
	f.add(x)
}
