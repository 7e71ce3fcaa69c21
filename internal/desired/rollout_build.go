package desired

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rollout makes e's rollout; e has its alias and layers already.
func (b *builder) rollout(e Environment) Rollout {
	f, at := b.file.Rollout, b.root.Get("rollout")
	if f == nil {
		f = &rolloutFile{}
	}
	r := Rollout{
		Waves: b.waves(at.Get("waves")), Bake: length(f.Bake), Watch: length(f.Watch), Alarms: b.alarms(at.Get("alarms"), f.Alarms),
		OnFailure: Reaction(f.OnFailure), OnUnknown: Reaction(f.OnUnknown), MaxThrottles: f.MaxThrottles,
		Canary: b.canary(at.Get("canary"), f.Canary), MustFitWindow: f.SpanWindows != nil && !*f.SpanWindows,
	}
	if f.MaxParallel != nil {
		r.Parallel = *f.MaxParallel
	}
	if n := at.Get("max_error_rate"); n != nil {
		if v, ok := b.share(n); ok {
			r.MaxErrorRate = &v
		}
	}
	b.needsBake(at, r.Bake)
	if r.Canary != nil {
		b.canaryNeedsBake(at, r.Canary.Bake)
	}
	layers := e.Layers
	if len(layers) < len(b.file.Layers) || b.root.Get("layers") == nil || b.root.Get("layers").Damaged {
		layers = nil // what is selected is not known
	}
	r.SmokeTests = b.smokeTests("", at.Get("smoke_test"), f.SmokeTest, layers)
	for _, name := range slices.Sorted(maps.Keys(b.file.Layers)) {
		own := slices.DeleteFunc(slices.Clone(layers), func(w LayerWish) bool { return w.Name != name })
		r.SmokeTests = append(r.SmokeTests, b.smokeTests(name, b.root.Get("layers", name, "smoke_test"), b.file.Layers[name].SmokeTest, own)...)
	}
	return r
}

// waves reads counts and shares, which cannot be compared with one another
// before the number of functions is known.
func (b *builder) waves(at *node) []Wave {
	if at == nil {
		return nil
	}
	var all []Wave
	var count, share *node // the last of each kind
	var before Wave
	for _, n := range at.Items {
		var w Wave
		last, is, was := &share, 0.0, before.Share
		if n.Tag == "!!int" {
			w.Count, _ = strconv.Atoi(n.Text) // the schema has checked it
			last, is, was = &count, float64(w.Count), float64(before.Count)
			before.Count = w.Count
		} else {
			v, ok := b.share(n)
			if ok && v == 0 {
				b.problem("out_of_range", n.Where(), "a wave of "+n.Text+" has nothing", "")
			}
			if !ok || v == 0 {
				continue
			}
			w.Share, before.Share, is = v, v, v
		}
		switch {
		case before.Share == 1 && len(all) > 0 && all[len(all)-1].Share == 1:
			b.warning("wave_adds_nothing", n.Where(), "the wave before it has all functions already", "")
		case *last == nil:
		case is < was:
			b.problem("waves_decrease", n.Where(), fmt.Sprintf("%s is less than %s before it; a wave counts all that have changed when it is over", n.Text, (*last).Text), "")
		case is == was:
			b.warning("wave_adds_nothing", n.Where(), fmt.Sprintf("%s a second time adds nothing; a wave counts all that have changed when it is over", n.Text), "")
		}
		*last = n
		all = append(all, w)
	}
	return all
}

// share reads 10% and 0.1 from the text: what a file type would get of 1.0 is
// not 1. ok is false where something else was wrong already.
func (b *builder) share(n *node) (v float64, ok bool) {
	text, percent := strings.CutSuffix(n.Text, "%")
	if percent {
		text += "e-2" // 99.9 / 100 is 0.9990000000000001
	} else {
		raw, problems := n.JSON()
		for _, p := range problems { // in quotes it would be no number at all
			b.problem(p.Code, p.Position, p.Message, "")
		}
		text = string(raw)
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// passOn adds problems that were found by somebody who does not know the
// environment.
func (b *builder) passOn(problems []Problem) {
	for _, p := range problems {
		b.problem(p.Code, p.Position, p.Message, p.Suggestion)
	}
}

func (b *builder) alarms(at *node, names []alarmName) []string {
	var all []string
	for i, name := range names {
		if slices.Contains(all, string(name)) {
			b.warning("duplicate_alarm", at.Items[i].Where(), fmt.Sprintf("alarm %q a second time", name), "")
			continue
		}
		all = append(all, string(name))
	}
	return all
}

func (b *builder) canary(at *node, f *canaryFile) *Canary {
	if at == nil || f == nil {
		return nil
	}
	if !b.root.Has("alias") {
		b.problem("canary_needs_alias", b.positionOf(at), "a canary is a share of the calls of an alias, and the environment has no alias"+b.originOf(at), "alias: live")
	}
	weight := at.Get("weight")
	if weight == nil { // reported by the schema
		return nil
	}
	c := &Canary{Bake: length(f.Bake)}
	var ok bool
	if c.Weight, ok = b.share(weight); ok && (c.Weight <= 0 || c.Weight >= 1) {
		b.problem("out_of_range", weight.Where(), weight.Text+" of the calls is no canary; write more than 0 and less than 100%", "")
	}
	return c
}

// canaryNeedsBake wants the same of a canary, which is judged over its own bake.
func (b *builder) canaryNeedsBake(at *node, bake time.Duration) {
	canary := at.Get("canary")
	if bake >= time.Minute || canary.Has("bake") && canary.Get("bake") == nil || at.Get("max_error_rate") == nil && at.Get("max_throttles") == nil {
		return
	}
	b.tooShort(canary.Get("bake"), canary.Get("weight"), "metrics are judged over the bake of a canary too, which needs a whole minute at least", "5m")
}

// needsBake wants time for metrics to be in: they come a minute at a time.
func (b *builder) needsBake(at *node, bake time.Duration) {
	if bake >= time.Minute || at.Has("bake") && at.Get("bake") == nil {
		return
	}
	for _, key := range []string{"max_error_rate", "max_throttles"} {
		if n := at.Get(key); n != nil {
			b.tooShort(at.Get("bake"), n, "metrics are judged over the bake, which needs a whole minute at least", "10m")
		}
	}
}

// tooShort is the problem of a bake that is too short, at its place, or at that of the
// value beside which it is missing.
func (b *builder) tooShort(bake, beside *node, message, enough string) {
	if bake != nil {
		b.problem("needs_bake", b.positionOf(bake), message+b.originOf(bake), enough)
		return
	}
	b.problem("needs_bake", b.positionOf(beside.Key), message+b.originOf(beside), "bake: "+enough)
}

const (
	smokeTimeout    = 30 * time.Second
	minSmokeTimeout = time.Second
	maxSmokeTimeout = 15 * time.Minute // Lambda's own limit
)

// smokeTests are those of one layer, or with layer "" of the whole
// environment; wishes are the layers that may select their functions, none when
// that is not to be judged.
func (b *builder) smokeTests(layer string, at *node, files []smokeTestFile, wishes []LayerWish) []SmokeTest {
	var all []SmokeTest
	for i, f := range files {
		n := at
		if at.Kind == list {
			n = at.Items[i]
		}
		t := SmokeTest{Layer: layer, Function: f.Function, Qualifier: f.Qualifier, Timeout: smokeTimeout, At: n.Where()}
		if p := n.Get("payload"); p != nil {
			raw, problems := p.JSON()
			b.passOn(problems)
			t.Payload = raw
		}
		if p := n.Get("expect"); p != nil {
			raw, problems := p.JSON()
			b.passOn(problems)
			t.Expect = raw
		}
		if f.Timeout != "" {
			t.Timeout = length(durationEntry(f.Timeout))
		}
		if t.Timeout < minSmokeTimeout || t.Timeout > maxSmokeTimeout {
			b.problem("out_of_range", n.Get("timeout").Where(), fmt.Sprintf("a timeout of %s is not between 1s and 15m", f.Timeout), "")
		}
		if function := n.Get("function"); function != nil && !strings.Contains(f.Function, "${") {
			b.selected(t, function, wishes)
		}
		b.doubtTest(n)
		all = append(all, t)
	}
	return all
}

// selected reports a test of a function that none of wishes can select,
// whatever the function is like.
func (b *builder) selected(t SmokeTest, at *node, wishes []LayerWish) {
	if len(wishes) == 0 {
		return
	}
	var names []string
	for _, w := range wishes {
		if w.maySelect(t.Function) {
			return
		}
		for _, s := range w.Functions {
			if w.maySelect(s.Name) { // a pattern matches itself
				names = append(names, s.Name)
			}
		}
	}
	near := nearest(t.Function, names)
	if strings.ContainsAny(near, "*?") {
		near = "a name that " + near + " matches"
	}
	who := "no layer of the environment selects"
	if t.Layer != "" {
		who = fmt.Sprintf("layer %q does not select", t.Layer)
	}
	b.problem("smoke_test_unselected", b.positionOf(at), fmt.Sprintf("%s function %q, so it never changes%s", who, t.Function, b.originOf(at)), near)
}

// maySelect reports whether the wish chooses a function of this name, as far as
// the name alone can show.
func (w LayerWish) maySelect(name string) bool {
	matches := func(s Selector) bool { return s.Name == "" || Glob(s.Name, name) }
	surely := func(s Selector) bool {
		return s.Name != "" && Glob(s.Name, name) && len(s.Tags) == 0 && s.Runtime == "" && s.Architecture == "" && !s.Attached
	}
	return slices.ContainsFunc(w.Functions, matches) && !slices.ContainsFunc(w.Except, surely)
}
