package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// rolloutKinds are the kinds that only the status of the rollouts can open or
// resolve.
var rolloutKinds = []Kind{ChangeApplied, RolloutFailed, RolledBack, Quarantined}

// stuckAfter is in how many rounds going back has to leave something to do
// before that is reported: a function that is just being updated is no news.
const stuckAfter = 3

// maxFindings is how many sentences of a judgement are shown.
const maxFindings = 5

// rolloutStatus returns the status of the rollouts of a Region; nil = unknown.
func (f *observer) rolloutStatus(region string) *plan.RolloutStatus {
	if f.Plan == nil {
		return nil
	}
	for i := range f.Plan.Regions {
		if r := &f.Plan.Regions[i]; r.Want.Region == region {
			return r.RolloutStatus
		}
	}
	return nil
}

// lastRollout returns the rollout of a Region that is under way or was the last.
func (f *observer) lastRollout(region string) *rollout.Rollout {
	if st := f.rolloutStatus(region); st != nil {
		return st.Last
	}
	return nil
}

// rollout finds the state of a Region's rollout. A healthy one has an alert
// from its first round to its end, which reports its waves as well; an
// unhealthy one has another, which asks for a person.
func (f *observer) rollout(r *plan.Region) {
	st := r.RolloutStatus
	if st == nil || st.Last == nil {
		return
	}
	switch ro := st.Last; ro.Stage {
	case rollout.StageCanary, rollout.StageCanaryBake, rollout.StageChange, rollout.StageBake:
		f.inProgress(r, st)
	case rollout.StageHalted:
		if rolledBackByHand(st) {
			return // a person has rolled it back, which has an alert of its own
		}
		f.unknown(r.Want.Region, ro.ID, ChangeApplied) // it may go on
		f.halted(r, st)
	case rollout.StageRollingBack:
		f.rollbackStuck(r, st)
	case rollout.StageWatching:
		f.alarmAfter(r, st)
		f.succeeded(r, st)
	case rollout.StageDone:
		f.watchEnded(r, st)
		f.succeeded(r, st)
	case rollout.StageSuperseded:
		f.superseded(r, st)
	}
}

// inProgress is the alert of a rollout that goes well. That its waves go on is no
// news, so they are no part of it, and no person has to act on it.
func (f *observer) inProgress(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	x := Fact{
		ID: f.id(ChangeApplied, r.Want.Region, ro.ID), Items: items(*ro, "under way"), Closes: f.closesAtEnd(r.Want.Region, ro), NoReminder: true,
		Title: fmt.Sprintf("%s begins on %s%s", rolloutText(st), words.Count(ro.Total, "function"), inWaves(ro)),
	}
	text := fmt.Sprintf("Wave %d of %d is being changed.", ro.Wave, ro.Waves)
	until := ""
	if at := ro.VerdictDue(r.Want.Rules()); at.After(f.Now) {
		until = ", and is watched until " + words.Moment(at, f.Zone)
	}
	switch ro.Stage {
	case rollout.StageCanary:
		text = fmt.Sprintf("Wave %d of %d gets it for a share of its calls.", ro.Wave, ro.Waves)
	case rollout.StageCanaryBake:
		text = fmt.Sprintf("Wave %d of %d has it for a share of its calls%s.", ro.Wave, ro.Waves, until)
	case rollout.StageBake:
		text = fmt.Sprintf("Wave %d of %d has it%s.", ro.Wave, ro.Waves, until)
	}
	x.Sections = []Section{{Text: text + " The outcome follows in one message at the end."}, {Text: f.askedBy(ro)}}
	x.ElsewhereAsked = f.elsewhereAsked(ro)
	f.add(x)
}

// closesAtEnd are the alerts that the end of a rollout, or its taking over from
// another, is the end of.
func (f *observer) closesAtEnd(region string, ro *rollout.Rollout) []Scope {
	var list []Scope
	for _, id := range ro.Chain {
		list = append(list, Scope{Kind: ChangeApplied, Region: region, Key: id}, Scope{Kind: RolloutFailed, Region: region, Key: id})
	}
	for _, t := range ro.Targets {
		list = append(list, Scope{Kind: ChangeHeld, Region: region, Key: t.Name})
	}
	return list
}

// succeeded is the one message about all waves of a rollout. The round that made
// all changes itself reports them by their records.
func (f *observer) succeeded(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	if f.toldByRecords(r.Want.Region) {
		return
	}
	title := fmt.Sprintf("%s on %s%s", rolloutText(st), words.Count(changedBy(st), "function"), inWaves(ro))
	// Where it may continue although health is unknown, it may be unknown.
	if hasChecks(r.Want.Rollout) && ro.Reason == "" && r.Want.Rollout.OnUnknown != desired.GoOn {
		title += ", healthy"
	}
	x := Fact{
		ID: f.id(ChangeApplied, r.Want.Region, ro.ID), Items: items(*ro, "done"), OneShot: true,
		OnlyIfOpen: !f.recordedNow(r.Want.Region, ro), Title: title, Sections: findingSection("The last check said:", ro.Findings),
	}
	if ro.Reason != "" {
		x.Sections = nil // that is a matter of its own
	}
	x.Closes = append(f.closesAtEnd(r.Want.Region, ro), Scope{Kind: ChangeApplied, Region: r.Want.Region, Key: ro.ID})
	for _, t := range ro.Targets {
		x.Closes = append(x.Closes, Scope{Kind: ApplyFailed, Region: r.Want.Region, Key: t.Name}, Scope{Kind: Drift, Region: r.Want.Region, Key: t.Name})
	}
	ended := cmp.Or(ro.Ended, ro.Since)
	if ro.Stage == rollout.StageWatching {
		ended = ro.Since
		x.Sections = append(x.Sections, Section{Text: "Its alarms are watched until " + words.Moment(ro.VerdictDue(r.Want.Rules()), f.Zone) + "."})
	}
	x.Sections = append(x.Sections, Section{Text: f.askedBy(ro)}, Section{Text: f.doneText(ro.Begun, ended)})
	x.ElsewhereAsked = f.elsewhereAsked(ro)
	f.add(x)
}

// hasChecks reports whether anything is looked at before a rollout goes on.
func hasChecks(r desired.Rollout) bool {
	return len(r.SmokeTests) > 0 || len(r.Alarms) > 0 || r.MaxErrorRate != nil || r.MaxThrottles != nil
}

// rolledBackByHand reports whether a person has rolled back all that the
// rollout brings.
func rolledBackByHand(st *plan.RolloutStatus) bool {
	return !slices.ContainsFunc(introduced(st), func(t rollout.Target) bool {
		return !slices.ContainsFunc(st.Quarantines, func(q ruling.Quarantine) bool {
			return q.ByPerson && q.Functions == "" && q.Layer == t.Layer && q.Number == t.Number
		})
	})
}

// superseded ends the alert of a rollout that a newer commit took over from.
func (f *observer) superseded(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	title := fmt.Sprintf("%s ends after wave %d of %d, on %s: a newer commit takes over",
		rolloutText(st), ro.Wave, ro.Waves, words.Count(len(st.Changed), "function"))
	if len(st.Changed) == 0 {
		title = rolloutText(st) + " ends before it changed anything: a newer commit takes over"
	}
	f.add(Fact{
		ID: f.id(ChangeApplied, r.Want.Region, ro.ID), Items: items(*ro, "superseded"), OneShot: true, OnlyIfOpen: !f.recordedNow(r.Want.Region, ro),
		Title: title, Sections: []Section{{Text: f.askedBy(ro)}, {Text: f.doneText(ro.Begun, ro.Ended)}}, ElsewhereAsked: f.elsewhereAsked(ro),
		Closes: append(f.closesAtEnd(r.Want.Region, ro), Scope{Kind: ChangeApplied, Region: r.Want.Region, Key: ro.ID},
			Scope{Kind: RolloutFailed, Region: r.Want.Region, Key: ro.ID}),
	})
}

// halted asks a person.
func (f *observer) halted(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	has := "No function has it yet."
	if n := len(st.Changed); n > 0 {
		has = fmt.Sprintf("%d of %s have it, and keep it until a person decides. Nothing more is changed.", n, words.Count(ro.Total, "function"))
	}
	x := Fact{
		ID: f.id(RolloutFailed, r.Want.Region, ro.ID), Items: items(*ro, "halted"),
		Title:    fmt.Sprintf("%s halted in wave %d of %d", rolloutText(st), ro.Wave, ro.Waves),
		Sections: append(verdictSections(ro), Section{Text: has + " " + f.askedBy(ro)}), ElsewhereAsked: f.elsewhereAsked(ro),
	}
	x.Sections = append(x.Sections, Section{Text: "To check again and continue:", Code: f.command("retry", "--reason", someReason)})
	for _, t := range ro.Introduced(st.Changed) {
		x.Sections = append(x.Sections, Section{Text: "To roll back to " + previousText(t, st) + ":", Code: f.command("rollback", t.Name, "--reason", someReason)})
	}
	f.add(x)
}

// rollbackStuck finds a rollback that makes no progress, which needs a person.
func (f *observer) rollbackStuck(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	if ro.Attempts < stuckAfter {
		return
	}
	x := Fact{ID: f.id(RolloutFailed, r.Want.Region, ro.ID)}
	reasons := groups{}
	for _, s := range r.Steps {
		if s.Cause != plan.CauseRollback || s.Done() {
			continue
		}
		x.Items = append(x.Items, Item{Name: s.Function, Code: "going back"})
		why, name := "not tried yet", s.Function
		if s.Result != nil && s.Result.Error != "" {
			why = words.Truncate(s.Result.Error, maxText/2)
			if s.Result.RequestID != "" {
				name += " (request " + words.Truncate(s.Result.RequestID, 60) + ")"
			}
		}
		reasons.add(words.Sentence(why), name)
	}
	x.Title = fmt.Sprintf("the rollback is stuck: %s still on %s", words.Count(names(x.Items), "function"), newVersions(ro.Targets, st))
	if len(x.Items) == 0 {
		x.Items = items(*ro, "going back")
		x.Title = "the rollback is stuck, and what is left to do is unknown"
	}
	x.Sections = append(reasons.sections("function", func(n int, why string) string { return words.Count(n, "function") + ": " + why }),
		Section{Text: fmt.Sprintf("layerd tried in %d rounds and keeps trying. Until it succeeds they run the unhealthy version: %s", ro.Attempts, words.Sentence(words.Truncate(ro.Reason, maxText/2)))})
	f.add(x)
}

// alarmAfter finds an alarm that fired after a rollout that was complete and
// healthy. Nothing is rolled back automatically any more, so the command is there.
func (f *observer) alarmAfter(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	if ro.Reason == "" {
		return
	}
	x := Fact{
		ID: f.id(RolloutFailed, r.Want.Region, ro.ID), Items: items(*ro, "watching"),
		Title: fmt.Sprintf("an alarm fired after %s on %s", rolloutText(st), words.Count(changedBy(st), "function")),
		Sections: append(verdictSections(ro), Section{Text: fmt.Sprintf("The rollout was complete and healthy %s; its alarms are watched until %s. layerd changes nothing by itself. %s",
			words.Moment(ro.Since, f.Zone), words.Moment(ro.VerdictDue(r.Want.Rules()), f.Zone), f.askedBy(ro))}), ElsewhereAsked: f.elsewhereAsked(ro),
	}
	for _, t := range introduced(st) {
		args := []string{t.Name}
		if t.From > 0 {
			args = append(args, "--to", strconv.FormatInt(t.From, 10))
		}
		x.Sections = append(x.Sections, Section{
			Text: "To roll back to " + previousText(t, st) + ":", Code: f.command("rollback", append(args, "--reason", someReason)...),
		})
	}
	f.add(x)
}

// watchEnded ends the alert of an alarm that was on to the end: that the watch is
// over does not mean that it is healthy.
func (f *observer) watchEnded(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	if ro.Reason == "" {
		return
	}
	f.add(Fact{
		ID: f.id(RolloutFailed, r.Want.Region, ro.ID), Items: items(*ro, "unwatched"), OneShot: true, OnlyIfOpen: true,
		Title: fmt.Sprintf("the alarms of %s are no longer watched", rolloutText(st)), Closes: []Scope{{Kind: RolloutFailed, Region: r.Want.Region, Key: ro.ID}},
		Sections: append([]Section{{Text: "The watch is over. At the last check it was not healthy:"}}, verdictSections(ro)...),
	})
}

// recordedNow reports whether what a rollout did is among what ended just now.
func (f *observer) recordedNow(region string, ro *rollout.Rollout) bool {
	return slices.ContainsFunc(f.Ended, func(e history.Entry) bool {
		return e.Region == region && e.Status == plan.StatusApplied && ofRollout(e, ro)
	})
}

// ofRollout reports whether a record is of a rollout, or of one that it took over
// from, and no heal beside it.
func ofRollout(e history.Entry, ro *rollout.Rollout) bool {
	return ro != nil && e.Rollout != "" && e.Cause == plan.CauseChange && e.Wave > 0 && (e.Rollout == ro.ID || slices.Contains(ro.Chain, e.Rollout))
}

// toldByRecords reports whether all that the last rollout of a Region changed
// is among what ended just now: then it was never reported, and its records do
// that.
func (f *observer) toldByRecords(region string) bool {
	known, asked := f.recordsCover[region]
	if !asked {
		known = f.allChangesRecorded(region)
		f.recordsCover[region] = known
	}
	return known
}

func (f *observer) allChangesRecorded(region string) bool {
	st := f.rolloutStatus(region)
	if st == nil || st.Last == nil || st.Last.Open() || len(st.Changed) == 0 || len(st.Last.Chain) > 0 {
		return false
	}
	seen := map[string]bool{}
	for _, e := range f.Ended {
		if e.Region == region && e.Status == plan.StatusApplied && ofRollout(e, st.Last) {
			seen[e.Function] = true
		}
	}
	return !slices.ContainsFunc(st.Changed, func(c rollout.Changed) bool { return !seen[c.Function] })
}

// coveredByRollout reports whether a record is covered by the alert of its
// rollout.
func (f *observer) coveredByRollout(e history.Entry) bool {
	st := f.rolloutStatus(e.Region)
	if st == nil || e.Sharing != nil { // a grant is of no rollout, whenever it is made
		return false
	}
	going := st.Last != nil && st.Last.Stage == rollout.StageRollingBack
	switch {
	case e.Cause == plan.CauseRollback && e.Status == plan.StatusFailed:
		return going
	case e.Cause == plan.CauseRollback:
		return going || slices.ContainsFunc(strings.Split(e.Layer, "+"), func(name string) bool { return inQuarantine(st, name) })
	case e.Status == plan.StatusFailed:
		return going && ofRollout(e, st.Last)
	}
	return ofRollout(e, st.Last) && !(completed(st.Last) && f.toldByRecords(e.Region))
}

func completed(ro *rollout.Rollout) bool {
	return ro.Stage == rollout.StageDone || ro.Stage == rollout.StageWatching
}

// elsewhereAsked reports whether another commit than the newest asked for a rollout.
func (f *observer) elsewhereAsked(ro *rollout.Rollout) bool {
	return ro.Revision != f.Revision || len(ro.Asked) > 1
}

// askedBy names the commits of a rollout.
func (f *observer) askedBy(ro *rollout.Rollout) string {
	if len(ro.Asked) == 0 {
		return "Asked for by " + f.askedText(desired.Asked{Revision: ro.Revision}) + "."
	}
	var list []string
	for _, a := range ro.Asked {
		list = append(list, f.askedText(a))
	}
	return "Asked for by " + strings.Join(list, ", and by ") + "."
}

// items are what a rollout brings, and its state.
func items(ro rollout.Rollout, code string) []Item {
	list := []Item{{Code: code}}
	for _, t := range ro.Targets {
		if t.From != t.Number {
			list = append(list, Item{Layer: t.Name, Have: strconv.FormatInt(t.From, 10), Want: strconv.FormatInt(t.Number, 10)})
		}
	}
	return list
}

// introduced are the targets that are news to functions; all that may be where
// nothing was changed yet.
func introduced(st *plan.RolloutStatus) []rollout.Target {
	list := st.Last.Introduced(st.Changed)
	if len(list) == 0 {
		list = slices.DeleteFunc(slices.Clone(st.Last.Targets), func(t rollout.Target) bool { return t.From == t.Number })
	}
	if len(list) == 0 {
		list = st.Last.Targets
	}
	return list
}

// rolloutText returns what a rollout is about: "makoto-common 12 → 13 (1.4.2)".
func rolloutText(st *plan.RolloutStatus) string {
	var parts []string
	for _, t := range introduced(st) {
		text := t.Name + " "
		if from, known := previous(t, st); known {
			text += from + " → "
		}
		parts = append(parts, text+target(t))
	}
	return strings.Join(parts, " and ")
}

// newVersions writes what a rollout brings, without what was there before.
func newVersions(targets []rollout.Target, st *plan.RolloutStatus) string {
	var parts []string
	for _, t := range targets {
		if slices.Contains(introduced(st), t) {
			parts = append(parts, t.Name+" "+target(t))
		}
	}
	return strings.Join(parts, " and ")
}

func target(t rollout.Target) string { return number(t.Layer, t.Number, t.Semver) }

// number is label for one that is not known to be of a live version.
func number(layer state.LayerARN, n int64, semver string) string {
	if n == 0 {
		return "none"
	}
	return layer.Version(n).Label(semver)
}

// previous returns what the functions of a rollout had, as one version; known is
// false when they had several, or none that is known.
func previous(t rollout.Target, st *plan.RolloutStatus) (text string, known bool) {
	had := map[int64]bool{}
	for _, c := range st.Changed {
		had[c.Before.Number(t.Layer)] = true
	}
	n := t.From
	for only := range had {
		n = only
	}
	if len(had) > 1 || len(had) == 0 && n == 0 {
		return "", false
	}
	return number(t.Layer, n, st.Semver(t.Layer, n)), true
}

// previousText is previous for a sentence.
func previousText(t rollout.Target, st *plan.RolloutStatus) string {
	text, known := previous(t, st)
	if !known {
		return "what they had"
	}
	return text
}

// changedBy counts the functions of a rollout that is through.
func changedBy(st *plan.RolloutStatus) int {
	if len(st.Changed) == 0 {
		return st.Last.Total // what it changed is not read any more
	}
	return len(st.Changed)
}

func inWaves(ro *rollout.Rollout) string {
	if ro.Waves <= 1 {
		return ""
	}
	return ", " + words.Count(ro.Waves, "wave")
}

// verdictSections returns the last verdict on a rollout; never empty.
func verdictSections(ro *rollout.Rollout) []Section {
	if len(ro.Findings) == 0 {
		return []Section{{Text: words.Sentence(words.Truncate(cmp.Or(ro.Reason, "no reason is known"), maxText-2))}}
	}
	return findingSection("The checks said:", ro.Findings)
}

// findingSection are the sentences of a judgement, each on its own.
func findingSection(text string, list []string) []Section {
	var sections []Section
	for i, line := range list[:min(len(list), maxFindings)] {
		section := Section{Text: words.Truncate(line, maxText/2)}
		if i == 0 {
			section = Section{Text: text, Detail: section.Text}
		}
		sections = append(sections, section)
	}
	if left := len(list) - maxFindings; left > 0 {
		sections = append(sections, Section{Text: fmt.Sprintf("And %d more.", left)})
	}
	return sections
}

// rollingBack reports whether a rollout of the Region is rolled back: what
// fails meanwhile is tried again in seconds, and reported when that does not
// help.
func (f *observer) rollingBack(region string) bool {
	ro := f.lastRollout(region)
	return ro != nil && ro.Stage == rollout.StageRollingBack
}
