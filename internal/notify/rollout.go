package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// ofRollouts are the kinds that only the standing of the rollouts can say
// anything about.
var ofRollouts = []Kind{ChangeApplied, RolloutFailed, RolledBack, Quarantined}

// loudAfter is in how many rounds going back has to leave something to do
// before that is told: a function that is just being updated is no news.
const loudAfter = 3

// mostFindings is how many sentences of a judgement are shown.
const mostFindings = 5

// standing gives how the rollouts of a Region stand; nil = nobody knows.
func (f *finder) standing(region string) *plan.RolloutStatus {
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

// last gives the rollout of a Region that is under way or was the last.
func (f *finder) last(region string) *rollout.Rollout {
	if st := f.standing(region); st != nil {
		return st.Last
	}
	return nil
}

// rollout says how the rollout of a Region goes on. One that goes well has an
// alert from its first round to its end, and its waves are told with that end;
// one that is not well has another, which asks for somebody.
func (f *finder) rollout(r *plan.Region) {
	st := r.RolloutStatus
	if st == nil || st.Last == nil {
		return
	}
	switch ro := st.Last; ro.Stage {
	case rollout.StageCanary, rollout.StageCanaryBake, rollout.StageChange, rollout.StageBake:
		f.underWay(r, st)
	case rollout.StageHalted:
		if answered(st) {
			return // a person has rolled it back, and that is what is told
		}
		f.unknown(r.Want.Region, ro.ID, ChangeApplied) // it may go on
		f.halted(r, st)
	case rollout.StageRollingBack:
		f.stuck(r, st)
	case rollout.StageWatching:
		f.ringing(r, st)
		f.wentWell(r, st)
	case rollout.StageDone:
		f.unwatched(r, st)
		f.wentWell(r, st)
	case rollout.StageSuperseded:
		f.overtaken(r, st)
	}
}

// underWay is the alert of a rollout that goes well. That its waves go on is no
// news, so they are no part of it, and nobody has to do anything about it.
func (f *finder) underWay(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	x := Fact{
		ID: f.id(ChangeApplied, r.Want.Region, ro.ID), Items: items(*ro, "under way"), Ends: f.whole(r.Want.Region, ro), Quiet: true,
		Title: fmt.Sprintf("%s begins on %s%s", brings(st), count(ro.Total, "function"), inWaves(ro)),
	}
	text := fmt.Sprintf("Wave %d of %d is being changed.", ro.Wave, ro.Waves)
	until := ""
	if at := ro.VerdictDue(r.Want.Rules()); at.After(f.Now) {
		until = ", and is watched until " + moment(at, f.Zone)
	}
	switch ro.Stage {
	case rollout.StageCanary:
		text = fmt.Sprintf("Wave %d of %d gets it for a share of its calls.", ro.Wave, ro.Waves)
	case rollout.StageCanaryBake:
		text = fmt.Sprintf("Wave %d of %d has it for a share of its calls%s.", ro.Wave, ro.Waves, until)
	case rollout.StageBake:
		text = fmt.Sprintf("Wave %d of %d has it%s.", ro.Wave, ro.Waves, until)
	}
	x.Sections = []Section{{Text: text + " What comes of it is told at the end."}, {Text: f.askedBy(ro)}}
	f.add(x)
}

// whole are the alerts that the end of a rollout, or its taking over from
// another, is the end of.
func (f *finder) whole(region string, ro *rollout.Rollout) []Scope {
	var list []Scope
	for _, id := range ro.Chain {
		list = append(list, Scope{Kind: ChangeApplied, Region: region, Key: id}, Scope{Kind: RolloutFailed, Region: region, Key: id})
	}
	for _, t := range ro.Targets {
		list = append(list, Scope{Kind: ChangeHeld, Region: region, Key: t.Name})
	}
	return list
}

// wentWell is the one message about all waves of a rollout. The round that made
// all changes itself tells them by their records.
func (f *finder) wentWell(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	if f.byRecords(r.Want.Region) {
		return
	}
	title := fmt.Sprintf("%s on %s%s", brings(st), count(changedBy(st), "function"), inWaves(ro))
	// Where going on is allowed although nobody knows, nobody may know.
	if checked(r.Want.Rollout) && ro.Reason == "" && r.Want.Rollout.OnUnknown != desired.GoOn {
		title += ", healthy"
	}
	x := Fact{
		ID: f.id(ChangeApplied, r.Want.Region, ro.ID), Items: items(*ro, "done"), Once: true,
		Ending: !f.records(r.Want.Region, ro), Title: title, Sections: findings("The last look said:", ro.Findings),
	}
	if ro.Reason != "" {
		x.Sections = nil // that is a matter of its own
	}
	x.Ends = append(f.whole(r.Want.Region, ro), Scope{Kind: ChangeApplied, Region: r.Want.Region, Key: ro.ID})
	for _, t := range ro.Targets {
		x.Ends = append(x.Ends, Scope{Kind: ApplyFailed, Region: r.Want.Region, Key: t.Name}, Scope{Kind: Drift, Region: r.Want.Region, Key: t.Name})
	}
	ended := cmp.Or(ro.Ended, ro.Since)
	if ro.Stage == rollout.StageWatching {
		ended = ro.Since
		x.Sections = append(x.Sections, Section{Text: "Its alarms are looked at until " + moment(ro.VerdictDue(r.Want.Rules()), f.Zone) + "."})
	}
	x.Sections = append(x.Sections, Section{Text: f.askedBy(ro)}, Section{Text: f.took(ro.Begun, ended)})
	f.add(x)
}

// checked says that anything is looked at before a rollout goes on.
func checked(r desired.Rollout) bool {
	return len(r.SmokeTests) > 0 || len(r.Alarms) > 0 || r.MaxErrorRate != nil || r.MaxThrottles != nil
}

// answered says that a person has rolled back all that the rollout brings.
func answered(st *plan.RolloutStatus) bool {
	return !slices.ContainsFunc(brought(st), func(t rollout.Target) bool {
		return !slices.ContainsFunc(st.Quarantines, func(q ruling.Quarantine) bool {
			return q.ByPerson && q.Functions == "" && q.Layer == t.Layer && q.Number == t.Number
		})
	})
}

// overtaken ends the alert of a rollout that a newer commit took over from.
func (f *finder) overtaken(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	title := fmt.Sprintf("%s ends after wave %d of %d, on %s: a newer commit takes over",
		brings(st), ro.Wave, ro.Waves, count(len(st.Changed), "function"))
	if len(st.Changed) == 0 {
		title = brings(st) + " ends before it changed anything: a newer commit takes over"
	}
	f.add(Fact{
		ID: f.id(ChangeApplied, r.Want.Region, ro.ID), Items: items(*ro, "superseded"), Once: true, Ending: !f.records(r.Want.Region, ro),
		Title: title, Sections: []Section{{Text: f.askedBy(ro)}, {Text: f.took(ro.Begun, ro.Ended)}},
		Ends: append(f.whole(r.Want.Region, ro), Scope{Kind: ChangeApplied, Region: r.Want.Region, Key: ro.ID},
			Scope{Kind: RolloutFailed, Region: r.Want.Region, Key: ro.ID}),
	})
}

// halted asks a person.
func (f *finder) halted(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	has := "No function has it yet."
	if n := len(st.Changed); n > 0 {
		has = fmt.Sprintf("%d of %s have it, and keep it until somebody decides. Nothing more is changed.", n, count(ro.Total, "function"))
	}
	x := Fact{
		ID: f.id(RolloutFailed, r.Want.Region, ro.ID), Items: items(*ro, "halted"),
		Title:    fmt.Sprintf("%s halted in wave %d of %d", brings(st), ro.Wave, ro.Waves),
		Sections: append(said(ro), Section{Text: has + " " + f.askedBy(ro)}),
	}
	x.Sections = append(x.Sections, Section{Text: "To look once more and go on:", Code: f.command("retry", "--reason", `"…"`)})
	for _, t := range ro.Introduced(st.Changed) {
		x.Sections = append(x.Sections, Section{Text: "To go back to " + before(t, st) + ":", Code: f.command("rollback", t.Name, "--reason", `"…"`)})
	}
	f.add(x)
}

// stuck says that going back does not get there, which nobody else will mend.
func (f *finder) stuck(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	if ro.Attempts < loudAfter {
		return
	}
	x := Fact{ID: f.id(RolloutFailed, r.Want.Region, ro.ID)}
	whys := tally{}
	for _, s := range r.Steps {
		if s.Cause != plan.CauseRollback || s.Done() {
			continue
		}
		x.Items = append(x.Items, Item{Name: s.Function, Code: "going back"})
		why, name := "not tried yet", s.Function
		if s.Result != nil && s.Result.Error != "" {
			why = clip(s.Result.Error, longestText/2)
			if s.Result.RequestID != "" {
				name += " (request " + clip(s.Result.RequestID, 60) + ")"
			}
		}
		whys.add(sentence(why), name)
	}
	x.Title = fmt.Sprintf("going back does not get there: %s not back from %s", count(names(x.Items), "function"), versions(ro.Targets, st))
	if len(x.Items) == 0 {
		x.Items = items(*ro, "going back")
		x.Title = "going back does not get there: AWS does not say what is left"
	}
	x.Sections = append(whys.sections("function", func(n int, why string) string { return count(n, "function") + ": " + why }),
		Section{Text: fmt.Sprintf("layerd tried in %d rounds and goes on trying. Until it succeeds they run what was not well: %s", ro.Attempts, sentence(clip(ro.Reason, longestText/2)))})
	f.add(x)
}

// ringing says that an alarm rings after a rollout that was complete and well.
// Nothing goes back by itself any more, so the command is there.
func (f *finder) ringing(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	if ro.Reason == "" {
		return
	}
	x := Fact{
		ID: f.id(RolloutFailed, r.Want.Region, ro.ID), Items: items(*ro, "watching"),
		Title: fmt.Sprintf("an alarm rings after %s on %s", brings(st), count(changedBy(st), "function")),
		Sections: append(said(ro), Section{Text: fmt.Sprintf("The rollout was complete and well %s; its alarms are looked at until %s. layerd changes nothing by itself. %s",
			moment(ro.Since, f.Zone), moment(ro.VerdictDue(r.Want.Rules()), f.Zone), f.askedBy(ro))}),
	}
	for _, t := range brought(st) {
		args := []string{t.Name}
		if t.From > 0 {
			args = append(args, "--to", strconv.FormatInt(t.From, 10))
		}
		x.Sections = append(x.Sections, Section{
			Text: "To go back to " + before(t, st) + ":", Code: f.command("rollback", append(args, "--reason", `"…"`)...),
		})
	}
	f.add(x)
}

// unwatched ends the alert of an alarm that rang to the end: that nobody looks
// any more does not mean that it is well.
func (f *finder) unwatched(r *plan.Region, st *plan.RolloutStatus) {
	ro := st.Last
	if ro.Reason == "" {
		return
	}
	f.add(Fact{
		ID: f.id(RolloutFailed, r.Want.Region, ro.ID), Items: items(*ro, "unwatched"), Once: true, Ending: true,
		Title: fmt.Sprintf("the alarms of %s are not looked at any more", brings(st)), Ends: []Scope{{Kind: RolloutFailed, Region: r.Want.Region, Key: ro.ID}},
		Sections: append([]Section{{Text: "The time to watch it is over. When looked at last, it was not well:"}}, said(ro)...),
	})
}

// records says whether what a rollout did is among what ended just now.
func (f *finder) records(region string, ro *rollout.Rollout) bool {
	return slices.ContainsFunc(f.Ended, func(e history.Entry) bool {
		return e.Region == region && e.Status == plan.StatusApplied && partOf(e, ro)
	})
}

// partOf says whether a record is of a rollout, or of one that it took over
// from, and no heal beside it.
func partOf(e history.Entry, ro *rollout.Rollout) bool {
	return ro != nil && e.Rollout != "" && e.Cause == plan.CauseChange && e.Wave > 0 && (e.Rollout == ro.ID || slices.Contains(ro.Chain, e.Rollout))
}

// byRecords says that all that the last rollout of a Region changed is among
// what ended just now: then nothing was told of it, and its records tell it.
func (f *finder) byRecords(region string) bool {
	known, asked := f.recorded[region]
	if !asked {
		known = f.allRecorded(region)
		f.recorded[region] = known
	}
	return known
}

func (f *finder) allRecorded(region string) bool {
	st := f.standing(region)
	if st == nil || st.Last == nil || st.Last.Open() || len(st.Changed) == 0 || len(st.Last.Chain) > 0 {
		return false
	}
	seen := map[string]bool{}
	for _, e := range f.Ended {
		if e.Region == region && e.Status == plan.StatusApplied && partOf(e, st.Last) {
			seen[e.Function] = true
		}
	}
	return !slices.ContainsFunc(st.Changed, func(c rollout.Changed) bool { return !seen[c.Function] })
}

// gathered says that a record is told by the rollout it is of.
func (f *finder) gathered(e history.Entry) bool {
	st := f.standing(e.Region)
	if st == nil {
		return false
	}
	going := st.Last != nil && st.Last.Stage == rollout.StageRollingBack
	switch {
	case e.Cause == plan.CauseRollback && e.Status == plan.StatusFailed:
		return going
	case e.Cause == plan.CauseRollback:
		return going || slices.ContainsFunc(strings.Split(e.Layer, "+"), func(name string) bool { return pins(st, name) })
	case e.Status == plan.StatusFailed:
		return going && partOf(e, st.Last)
	}
	return partOf(e, st.Last) && !(wellDone(st.Last) && f.byRecords(e.Region))
}

func wellDone(ro *rollout.Rollout) bool {
	return ro.Stage == rollout.StageDone || ro.Stage == rollout.StageWatching
}

// askedBy names the commit of a rollout.
func (f *finder) askedBy(ro *rollout.Rollout) string {
	subject := ""
	if ro.Revision == f.Revision {
		subject = f.Subject
	}
	return "Asked for by " + commit(ro.Revision, subject) + "."
}

// items name what a rollout brings, and what is said of it.
func items(ro rollout.Rollout, code string) []Item {
	list := []Item{{Code: code}}
	for _, t := range ro.Targets {
		if t.From != t.Number {
			list = append(list, Item{Layer: t.Name, Have: strconv.FormatInt(t.From, 10), Want: strconv.FormatInt(t.Number, 10)})
		}
	}
	return list
}

// brought are the targets that are news to functions; all that may be where
// nothing was changed yet.
func brought(st *plan.RolloutStatus) []rollout.Target {
	list := st.Last.Introduced(st.Changed)
	if len(list) == 0 {
		list = slices.DeleteFunc(slices.Clone(st.Last.Targets), func(t rollout.Target) bool { return t.From == t.Number })
	}
	if len(list) == 0 {
		list = st.Last.Targets
	}
	return list
}

// brings writes what a rollout is about: "makoto-common 12 → 13 (1.4.2)".
func brings(st *plan.RolloutStatus) string {
	var parts []string
	for _, t := range brought(st) {
		text := t.Name + " "
		if from := before(t, st); from != "what they had" {
			text += from + " → "
		}
		parts = append(parts, text+target(t))
	}
	return strings.Join(parts, " and ")
}

// versions writes what a rollout brings, without what was there before.
func versions(targets []rollout.Target, st *plan.RolloutStatus) string {
	var parts []string
	for _, t := range targets {
		if slices.Contains(brought(st), t) {
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
	return label(layer.Version(n), semver)
}

// before is what the functions of a rollout had: one number, or none that could
// be said in a word.
func before(t rollout.Target, st *plan.RolloutStatus) string {
	had := map[int64]bool{}
	for _, c := range st.Changed {
		v, _, _ := state.Function{Layers: c.Before}.Has(t.Layer)
		had[v.Number()] = true
	}
	switch {
	case len(had) == 1:
		for n := range had {
			return number(t.Layer, n, st.Semver(t.Layer, n))
		}
	case len(had) == 0 && t.From > 0:
		return number(t.Layer, t.From, st.Semver(t.Layer, t.From))
	}
	return "what they had"
}

// changedBy counts the functions of a rollout that is through.
func changedBy(st *plan.RolloutStatus) int {
	if len(st.Changed) == 0 {
		return st.Last.Total // nobody read what it did any more
	}
	return len(st.Changed)
}

func inWaves(ro *rollout.Rollout) string {
	if ro.Waves <= 1 {
		return ""
	}
	return ", " + count(ro.Waves, "wave")
}

// said is what the last judgement said of a rollout; never empty.
func said(ro *rollout.Rollout) []Section {
	if len(ro.Findings) == 0 {
		return []Section{{Text: sentence(clip(cmp.Or(ro.Reason, "nobody said why"), longestText-2))}}
	}
	return findings("The checks said:", ro.Findings)
}

// findings are the sentences of a judgement, each on its own.
func findings(text string, list []string) []Section {
	var sections []Section
	for i, line := range list[:min(len(list), mostFindings)] {
		line = clip(line, longestText/2)
		if i == 0 {
			line = text + "\n" + line
		}
		sections = append(sections, Section{Text: line})
	}
	if left := len(list) - mostFindings; left > 0 {
		sections = append(sections, Section{Text: fmt.Sprintf("And %d more.", left)})
	}
	return sections
}

// goingBack says that a rollout of the Region goes back: what fails meanwhile is
// tried again in seconds, and told when that does not help.
func (f *finder) goingBack(region string) bool {
	ro := f.last(region)
	return ro != nil && ro.Stage == rollout.StageRollingBack
}
