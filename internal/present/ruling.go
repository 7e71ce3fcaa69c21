package present

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// Released returns what the lines of a digest stand for, one line for all
// functions to which the same is done.
func Released(lines []string) []string {
	type group struct{ what, noun string }
	var items grouped[group, string]
	var out []string // what is published comes first, as it does
	for _, line := range lines {
		f := strings.Split(line, " ") // region kind layer function target, see ruling.ApprovalLine
		if len(f) != 5 {
			continue
		}
		name, target := state.LayerARN(f[2]).Name(), shortContent(cmp.Or(f[4], "none"))
		taken, back := strings.CutPrefix(f[3], "-")
		switch kind := plan.Kind(f[1]); {
		case kind == plan.KindPublish:
			out = append(out, fmt.Sprintf("%s  %s  %s  %s", f[0], f[1], name, target))
		case kind == plan.KindShare && back:
			items.add(group{fmt.Sprintf("%s  un%s  %s no longer with %s", f[0], f[1], name, taken), "version"}, target)
		case kind == plan.KindShare:
			items.add(group{fmt.Sprintf("%s  %s  %s with %s", f[0], f[1], name, f[3]), "version"}, target)
		case f[2] == "": // a serve step, whose target is the alias
			items.add(group{fmt.Sprintf("%s  %s  %s", f[0], f[1], target), "function"}, f[3])
		default:
			items.add(group{fmt.Sprintf("%s  %s  %s → %s", f[0], f[1], name, target), "function"}, f[3])
		}
	}
	for _, g := range items.keys {
		names := items.of[g]
		text := g.what + "  " + words.Count(len(names), g.noun) + ": " + strings.Join(names[:min(len(names), someItems)], " ")
		if more := len(names) - someItems; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		out = append(out, text)
	}
	return out
}

// shortContent returns a line's target with as much of a SHA-256 as people compare.
func shortContent(target string) string {
	if digest, ok := strings.CutPrefix(target, "sha256:"); ok {
		return "sha256:" + words.Digest(digest)
	}
	return target
}

// Going is what takes a layer back in one Region.
type Going struct {
	ruling.Quarantine
	To string // what it goes back to
}

// GoesBack returns what goes back, or would, and how long that takes. planned is what
// is done for it, at the rate of the options.
func GoesBack(back []Going, planned []plan.Region, verb string, v Options) string {
	p := &Page{Palette: v.Palette, Width: v.Width}
	for _, q := range back {
		var steps []plan.Step
		var cost plan.Cost
		for _, r := range planned {
			if r.Want.Region == q.Region {
				steps, cost = r.Steps, r.Cost
			}
		}
		names, waits := map[string]bool{}, 0
		for _, s := range steps {
			names[s.Function] = true
			if s.Held != nil {
				waits++
			}
		}
		p.Linef(0, "%s · %s  %s %s: %s → %s", p.Bold(q.Environment), q.Region, q.Name, verb, words.Version(q.Number, q.Semver), q.To)
		switch n := len(names); {
		case n == 0:
			p.Linef(2, "no function runs it; it is blocked from being applied")
		case waits > 0:
			p.Linef(2, "%s, of whose steps %d must wait", words.Count(n, "function"), waits)
		default:
			p.Linef(2, "%s, about %s at %g requests/s", words.Count(n, "function"), words.Span(time.Duration(cost.Seconds*float64(time.Second))+time.Second), v.Rate)
		}
	}
	return p.String()
}
