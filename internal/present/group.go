package present

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// group is steps that a person reads as one: the same thing done to many
// functions, or many versions of one layer pruned.
type group struct {
	symbol string // + - ~ ↓; tells apart without colour
	verb   string
	noun   string // what is counted
	what   string // "makoto-common 12 (1.4.1) → 13 (1.4.2)"
	steps  []plan.Step
}

// waiting is groups that the same holders hold until the same time.
type waiting struct {
	held   plan.Held
	groups []group
}

// explained returns the holders whose reasons are to be written: the window's stands
// at the top of the Region already.
func (w waiting) explained(r plan.Region) []plan.Held {
	return slices.DeleteFunc(w.held.All(), func(h plan.Held) bool { return h.Reason == "" || h.Reason == r.Window.Reason })
}

// groupSteps keeps the order in which the groups first appear in the plan.
func groupSteps(steps []plan.Step) []group {
	type key struct {
		kind             plan.Kind
		cause            plan.Cause
		layer, from, to  string
		newLayer, goBack bool
		serving, sharing string
	}
	var alike grouped[key, plan.Step]
	for _, s := range steps {
		k := key{kind: s.Kind, cause: s.Cause, layer: s.Layer}
		switch {
		case s.Sharing != nil:
			k.sharing = s.Sharing.Text(s.To != "")
		case s.Kind != plan.KindPrune:
			k.from, k.to = s.From.Label(s.FromVersion), s.To.Label(s.ToVersion)
			k.newLayer, k.goBack = s.New, s.Back
			k.serving = served(s)
		}
		alike.add(k, s)
	}
	var groups []group
	for _, k := range alike.keys {
		groups = append(groups, newGroup(alike.of[k]))
	}
	return groups
}

// newGroup returns the group of steps that are alike.
func newGroup(steps []plan.Step) group {
	s := steps[0]
	from, to := s.From.Label(s.FromVersion), s.To.Label(s.ToVersion)
	g := group{symbol: "~", verb: string(s.Kind), noun: "function", what: fmt.Sprintf("%s %s → %s", s.Layer, from, to), steps: steps}
	switch {
	case s.Kind == plan.KindPrune:
		g.symbol, g.noun, g.what = "-", "version", pruned(steps)
	case s.Kind == plan.KindPublish:
		g.symbol, g.noun, g.what = "+", "version", published(s)
	case s.Sharing != nil:
		g.symbol, g.noun, g.what = "+", "version", shared(steps)
		if s.To == "" {
			g.symbol, g.verb = "-", "unshare"
		}
	case s.Kind == plan.KindServe:
		g.what = served(s)
	case s.Kind == plan.KindDetach:
		g.symbol = "-"
	case s.Kind == plan.KindRollback:
		g.symbol = "↓"
	case s.New:
		g.symbol = "+"
		g.what = fmt.Sprintf("%s %s, for the first time", s.Layer, to)
	}
	switch {
	case s.Cause == plan.CauseDrift:
		g.what += ", heals drift"
	case s.Back:
		g.what += ", was applied here before"
	}
	return g
}

// served returns what callers get by a serve step: "live", "live, 10% of the calls",
// or "live, back to a version published before". Empty for other steps.
func served(s plan.Step) string {
	if s.Kind != plan.KindServe || s.Serving == nil {
		return ""
	}
	text := s.Serving.Qualifier
	switch {
	case s.Serving.Version != "":
		text += ", back to a version published before"
	case s.Serving.Weight > 0:
		text += fmt.Sprintf(", %.4g%% of the calls", 100*s.Serving.Weight)
	}
	return text
}

// pruned lists the versions of one layer that go.
func pruned(steps []plan.Step) string {
	var versions []string
	for _, s := range steps {
		versions = append(versions, s.From.Label(s.FromVersion))
	}
	return steps[0].Layer + " " + strings.Join(versions, ", ")
}

// published returns what is published, and from what: "makoto-common 1.4.2  from
// s3://artifacts/common/1.4.2.zip, 12 MB (sha256 9f2c01234567)".
func published(s plan.Step) string {
	text := s.Layer + " " + s.Subject()
	if p := s.Publishing; p != nil {
		text += fmt.Sprintf("  from %s, %s (sha256 %s)", p.Artifact.Location, words.Bytes(p.Content.Size), words.Digest(p.Content.SHA256))
	}
	return text
}

// shared lists the versions of one layer of which one grant is made or taken back:
// "makoto-common 12 (1.4.1), 13 (1.4.2) with 210987654321".
func shared(steps []plan.Step) string {
	var versions []string
	for _, s := range steps {
		versions = append(versions, s.Subject())
	}
	return fmt.Sprintf("%s %s %s", steps[0].Layer, words.Few(versions), steps[0].Sharing.Text(steps[0].To != ""))
}

// names lists the functions of the group.
func (g group) names() []string {
	var names []string
	for _, s := range g.steps {
		if s.Function != "" {
			names = append(names, s.Function)
		}
	}
	return names
}

// reason returns the one reason that all steps of the group share, or "".
func (g group) reason() string {
	for _, s := range g.steps[1:] {
		if s.Reason != g.steps[0].Reason {
			return ""
		}
	}
	return g.steps[0].Reason
}

// done returns the verb of a group that was carried out.
func (g group) done() string {
	switch g.steps[0].Kind {
	case plan.KindRollback:
		return "rolled back"
	case plan.KindPrune:
		return "pruned"
	case plan.KindServe, plan.KindShare:
		return g.verb + "d"
	default:
		return g.verb + "ed"
	}
}

// split separates what may run from what waits; of a carried out plan the
// first are those that were begun. Steps that something else than their wave
// holds are not told apart by it: the waves stand at the top of the Region.
func split(steps []plan.Step) (runs []plan.Step, waits []waiting) {
	var held grouped[string, plan.Step]
	for _, s := range steps {
		if s.Held == nil {
			runs = append(runs, s)
			continue
		}
		held.add(heldKey(butWave(*s.Held)), s)
	}
	var order [][]plan.Step
	for _, k := range held.keys {
		order = append(order, held.of[k])
	}
	sortWaves(order)
	for _, list := range order {
		waits = append(waits, waiting{held: butWave(*list[0].Held), groups: groupSteps(list)})
	}
	return runs, waits
}

// butWave leaves out the wave where something else holds the step too.
func butWave(h plan.Held) plan.Held {
	others := slices.DeleteFunc(h.All(), func(x plan.Held) bool { return x.By == plan.ByWave })
	if len(others) == 0 {
		return h
	}
	return plan.Held{By: others[0].By, Until: h.Until, Reason: others[0].Reason, Also: others[1:]}
}

// sortWaves puts those that wait for nothing but their wave in the order of the
// waves, which is not the one of the functions' names. The others keep their
// places.
func sortWaves(order [][]plan.Step) {
	var places []int
	var waves [][]plan.Step
	for i, list := range order {
		if list[0].Held.By == plan.ByWave && len(list[0].Held.Also) == 0 {
			places, waves = append(places, i), append(waves, list)
		}
	}
	slices.SortStableFunc(waves, func(a, b []plan.Step) int { return cmp.Compare(a[0].Wave, b[0].Wave) })
	for i, place := range places {
		order[place] = waves[i]
	}
}

func heldKey(h plan.Held) string {
	var key strings.Builder
	fmt.Fprintf(&key, "%s %d %s", h.By, h.Until.UnixNano(), h.Reason)
	for _, also := range h.Also {
		fmt.Fprintf(&key, "\n%s %s", also.By, also.Reason)
	}
	return key.String()
}

// waitsFor returns who holds and until when: "waits for approval, window, not
// before Sat 2026-11-28 02:00 JST (in 3d4h)". "Not before" is said when one of
// the holders has no end that anybody knows.
func waitsFor(h plan.Held, now time.Time, zone *time.Location) string {
	var by []string
	for _, x := range h.All() {
		by = append(by, string(x.By))
	}
	text := "waits for " + strings.Join(by, ", ")
	switch {
	case h.Until.IsZero():
		return text
	case h.NotBefore():
		return text + ", not before " + words.Until(h.Until, now, zone)
	default:
		return text + ", until " + words.Until(h.Until, now, zone)
	}
}

// tally counts steps by verb in a fixed order: "212 to attach (3 new), 2 to
// prune".
func tally(steps []plan.Step) string {
	counts := map[plan.Kind]int{}
	fresh := 0
	const unshare plan.Kind = "unshare"
	for _, s := range steps {
		if s.Kind == plan.KindShare && s.To == "" {
			counts[unshare]++
			continue
		}
		counts[s.Kind]++
		if s.New {
			fresh++
		}
	}
	var parts []string
	for _, k := range []struct {
		kind plan.Kind
		verb string
	}{{plan.KindPublish, "publish"}, {plan.KindAttach, "attach"}, {plan.KindRollback, "roll back"}, {plan.KindDetach, "detach"}, {plan.KindServe, "serve"},
		{plan.KindShare, "share"}, {unshare, "unshare"}, {plan.KindPrune, "prune"}} {
		if n := counts[k.kind]; n > 0 {
			part := fmt.Sprintf("%d to %s", n, k.verb)
			if k.kind == plan.KindAttach && fresh > 0 {
				part += fmt.Sprintf(" (%d new)", fresh)
			}
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// approvable reports whether an approval of the plan would release something.
func approvable(p plan.Plan) bool {
	return slices.ContainsFunc(p.Regions, func(r plan.Region) bool { return slices.ContainsFunc(r.Steps, r.Approvable) })
}
