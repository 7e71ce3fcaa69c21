package present

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// someItems is how many items of a list are shown without -v.
const someItems = 10

// drift separates what somebody changed from what Git changed.
func (p *planPage) drift(r plan.Region) {
	drift, extra := splitDrift(r.Drift)
	p.extra(extra)
	if len(drift) == 0 {
		return
	}
	p.Linef(2, "drift: changed by somebody else")
	shown := p.some(len(drift))
	for _, d := range drift[:shown] {
		layer := ""
		if d.Layer != "" {
			layer = ", " + d.Layer
		}
		since := ""
		if !d.Since.IsZero() {
			since = ", since " + words.Moment(d.Since, r.Want.Zone)
			if age := p.Now.Sub(d.Since); age > 0 {
				since += " (" + words.Span(age) + " ago)"
			}
		}
		p.Linef(4, "%s %s  %s%s: %s%s", p.Page.Warn("!"), d.Kind, d.Function, layer, d.Reason, since)
	}
	p.more(4, len(drift)-shown)
}

// splitDrift returns what somebody changed, and what is only attached as well.
func splitDrift(all []plan.Drift) (drift, extra []plan.Drift) {
	for _, d := range all {
		if d.Kind == plan.DriftExtra {
			extra = append(extra, d)
			continue
		}
		drift = append(drift, d)
	}
	return drift, extra
}

// extra groups what nobody named by layer: a team's agent is on every function, in
// many versions, and one line is enough.
func (p *planPage) extra(extra []plan.Drift) {
	if len(extra) == 0 {
		return
	}
	p.Linef(2, "also attached, named neither by Git nor by unmanaged; left as it is")
	layers := extraByLayer(extra)
	arns := slices.Sorted(maps.Keys(layers))
	shown := p.some(len(arns))
	for _, arn := range arns[:shown] {
		names, versions := map[string]bool{}, map[int64]bool{}
		for _, d := range layers[arn] {
			names[d.Function] = true
			versions[state.LayerVersionARN(d.Have).Number()] = true
		}
		what := layers[arn][0].Have // whole, for unmanaged
		if len(versions) > 1 {
			what = fmt.Sprintf("%s, versions %s", arn, someVersions(versions))
		}
		p.Linef(4, "%s extra  %s  %s", p.Page.Warn("!"), words.Count(len(names), "function"), what)
		if p.Verbose {
			p.Line(6, 0, strings.Join(slices.Sorted(maps.Keys(names)), " "))
		}
	}
	p.more(4, len(arns)-shown)
}

// extraByLayer returns what is attached besides, by the ARN of its layer.
func extraByLayer(extra []plan.Drift) map[state.LayerARN][]plan.Drift {
	layers := map[state.LayerARN][]plan.Drift{}
	for _, d := range extra {
		l := state.LayerVersionARN(d.Have).Layer()
		layers[l] = append(layers[l], d)
	}
	return layers
}

// someVersions returns the newest numbers of a layer that are attached, and how many
// more there are.
func someVersions(versions map[int64]bool) string {
	const most = 5
	list := slices.Sorted(maps.Keys(versions))
	slices.Reverse(list)
	var texts []string
	for _, n := range list[:min(len(list), most)] {
		texts = append(texts, strconv.FormatInt(n, 10))
	}
	text := strings.Join(texts, ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// blocked groups functions by why they cannot be changed. Those that never can
// be are counted only: nobody waits for them.
func (p *planPage) blocked(r plan.Region) {
	byReason := blockedByReason(r)
	if len(byReason.keys) > 0 {
		p.Linef(2, "blocked")
	}
	for _, reason := range byReason.keys {
		names := byReason.of[reason]
		p.Linef(4, "%s %s: %s", p.Page.Bad("✗"), words.Count(len(names), "function"), reason)
		shown := p.some(len(names))
		p.Line(6, 0, strings.Join(names[:shown], " "))
		p.more(6, len(names)-shown)
	}
}

// blockedByReason returns the functions that wait for something, by their reason.
func blockedByReason(r plan.Region) grouped[string, string] {
	var byReason grouped[string, string]
	for _, b := range r.Blocked {
		if b.Permanent {
			continue
		}
		reason := b.Reason
		if b.Layer != "" {
			reason = b.Layer + ": " + reason
		}
		byReason.add(reason, b.Function)
	}
	return byReason
}

// aliases warns where $LATEST will have the layer and callers will not.
func (p *planPage) aliases(r plan.Region) {
	type key struct{ alias, serves, latest string }
	var behind grouped[key, string]
	for _, b := range r.Behind {
		behind.add(key{b.Alias, layerServed(b), layerLatest(b)}, b.Function+":"+b.Version)
	}
	for _, k := range behind.keys {
		functions := behind.of[k]
		p.Linef(2, "%s alias %s serves %s while $LATEST gets %s: %s", p.Page.Warn("!"), k.alias, k.serves, k.latest,
			words.Count(len(functions), "function"))
		if p.Verbose || len(functions) == 1 {
			p.Line(6, 0, strings.Join(functions, " "))
		}
	}
}

// layerLatest returns what $LATEST will have, which may have no number yet.
func layerLatest(b plan.Behind) string {
	if b.Latest.Content() != "" {
		return "the one to be published"
	}
	return b.Latest.Label("")
}

// layerServed returns "makoto-common 6", or "no makoto-common".
func layerServed(b plan.Behind) string {
	if b.Serves == "" {
		return "no " + b.Layer
	}
	return b.Layer + " " + b.Serves.Label("")
}

// asides are worth a line and change nothing.
func (p *planPage) asides(r plan.Region) {
	for _, n := range r.Notes {
		p.Linef(2, "· %s", n.Message)
	}
	if r.Unselected > 0 {
		p.Linef(2, "· %s no longer selected, left as it is", words.Count(r.Unselected, "function"))
	}
	permanent := map[string][]string{}
	for _, b := range r.Blocked {
		if b.Permanent {
			permanent[b.Reason] = append(permanent[b.Reason], b.Function)
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(permanent)) {
		names := permanent[reason]
		if p.Verbose {
			p.Linef(2, "· %s left out, %s: %s", words.Count(len(names), "function"), reason, strings.Join(names, " "))
		} else {
			p.Linef(2, "· %s left out: %s", words.Count(len(names), "function"), reason)
		}
	}
}

// kept writes why versions stay: the commonest reasons, or all. Only where
// something is pruned does anybody ask.
func (p *planPage) kept(r plan.Region) {
	prunes := slices.ContainsFunc(r.Steps, func(s plan.Step) bool { return s.Kind == plan.KindPrune })
	if len(r.Kept) == 0 || !prunes && !p.Verbose {
		return
	}
	type key struct{ layer, reason string }
	var kept grouped[key, string]
	for _, k := range r.Kept {
		kept.add(key{k.Layer, k.Reason}, words.Version(k.Version, k.Semver))
	}
	order := kept.keys
	p.Linef(2, "kept: %s", words.Count(len(r.Kept), "version"))
	shown := len(order)
	if !p.Verbose {
		slices.SortStableFunc(order, func(a, b key) int { return len(kept.of[b]) - len(kept.of[a]) })
		shown = min(shown, 5)
	}
	for _, k := range order[:shown] {
		versions := strings.Join(kept.of[k], ", ")
		if n := len(kept.of[k]); !p.Verbose && n > 3 {
			versions = words.Count(n, "version")
		}
		p.Linef(4, "= %s %s: %s", k.layer, versions, k.reason)
	}
	p.more(4, len(order)-shown)
}

func (p *planPage) cost(r plan.Region) {
	if r.Cost.Calls == 0 || p.Applied {
		return
	}
	p.Linef(2, "%s", p.Page.Faint(costText(r.Cost, p.Rate)))
}

// costText returns "21 calls, about 4 s at 5 requests/s".
func costText(c plan.Cost, rate float64) string {
	text := words.Count(c.Calls, "call")
	if c.Seconds >= 0.5 {
		length := fmt.Sprintf("%.0f s", c.Seconds)
		if c.Seconds >= 120 {
			length = fmt.Sprintf("%.0f min", c.Seconds/60)
		}
		text += ", about " + length
	}
	if rate > 0 {
		text += fmt.Sprintf(" at %g requests/s", rate)
	}
	return text
}

// some returns how many of n items to show.
func (p *planPage) some(n int) int {
	if p.Verbose || n <= someItems {
		return n
	}
	return someItems
}

func (p *planPage) more(indent, n int) {
	if n <= 0 {
		return
	}
	text := fmt.Sprintf("… and %d more", n)
	if p.Commands.All != "" {
		text += " (" + p.Commands.All + ")"
	}
	p.Linef(indent, "%s", text)
}

// sums are what the last line is made of.
type sums struct {
	steps, held, drift, blocked, errors, unread int
	applied, failed, skipped                    int
}

func totals(r plan.Report) sums {
	var t sums
	t.errors = Errors(r.Problems)
	for _, planned := range r.Plans {
		for _, region := range planned.Regions {
			drift, _ := splitDrift(region.Drift)
			t.drift += len(drift)
			t.errors += Errors(region.Problems)
			if region.Failure != nil {
				t.unread++
			}
			for _, b := range region.Blocked {
				if !b.Permanent {
					t.blocked++
				}
			}
		}
	}
	for _, s := range r.Steps() {
		t.steps++
		if s.Held != nil {
			t.held++
		}
		if s.Result == nil {
			continue
		}
		switch s.Result.Status {
		case plan.StatusApplied:
			t.applied++
		case plan.StatusFailed:
			t.failed++
		case plan.StatusSkipped:
			t.skipped++
		}
	}
	return t
}

// Errors returns how many of the problems are errors.
func Errors(problems []desired.Problem) int {
	n := 0
	for _, p := range problems {
		if p.Severity != desired.Warning {
			n++
		}
	}
	return n
}

// outcome returns the result of an apply: "12 done, 1 failed".
func (t sums) outcome() string {
	if t.steps == 0 {
		return "nothing to do"
	}
	parts := []string{fmt.Sprintf("%d done", t.applied)}
	for _, x := range []struct {
		n    int
		what string
	}{{t.failed, "failed"}, {t.held, "waiting"}, {t.skipped, "skipped"}} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return strings.Join(parts, ", ")
}
