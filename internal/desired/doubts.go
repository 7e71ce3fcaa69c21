package desired

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/window"
	"github.com/layerd/layerd/internal/words"
)

// Values that are right and that most likely mean something else than their writer
// thought: with which a check never says no, something is held for good, or nothing
// is as it seems. Each gets a warning that says what it means; the description of its
// key in the schema has the same answer. A word that says so itself (observe, report,
// continue) gets none.

const (
	// allOfThem is from how many functions on a limit stops nobody, and ages from how
	// many versions on retention deletes nothing: ten times of what people have.
	allOfThem = 10_000
	// tooOld are the days that no layer version has been there: there were none
	// before 2018.
	tooOld = 3650
	// forGood is a wait that people take for one without an end.
	forGood = 30 * 24 * time.Hour
	// longNight is from when on a window that ends on the next day is more likely one
	// whose ends were mixed up.
	longNight = 12 * time.Hour
	// hardlyClosed is how long a week windows are closed that were meant for always:
	// a minute of each day, mostly, by people who end days at 23:59.
	hardlyClosed = time.Hour
)

// doubt adds a warning about the value of n, with a value in YAML to write instead.
func (b *builder) doubt(code string, n *node, message, instead string) {
	if n != nil {
		b.warning(code, n.Where(), message, instead)
	}
}

// doubts judges the values of an environment that none of its layers has.
func (b *builder) doubts(e Environment) {
	b.doubtNumber("always_holds", b.root.Get("max_new"), 0, 0, "0 holds every function that would get a layer for the first time, until the plan is approved")
	b.doubtNumber("check_off", b.root.Get("max_new"), allOfThem, 1<<30, "holds nobody: so many functions never get a layer for the first time at once")
	b.doubtNumber("always_holds", b.root.Get("max_blocked"), 0, 0, "0 holds all changes here as soon as one function cannot be changed; without the key there is no limit")
	b.doubtNumber("check_off", b.root.Get("max_blocked"), allOfThem, 1<<30, "is no limit: so many functions are never blocked")
	b.doubtNumber("check_off", b.root.Get("rollout", "max_throttles"), 10*allOfThem, 1<<60, "is no limit: no bake has so many throttled calls")
	if after := b.file.Drift.After; length(after) >= forGood {
		b.doubt("always_holds", b.root.Get("drift", "after"), fmt.Sprintf("drift that is not %s old is left alone; most of it never gets so old", after), "1h")
	}
	for i, u := range b.file.Unmanaged {
		if matchesEveryLayer(string(u), e) {
			b.doubt("check_off", b.root.Get("unmanaged", strconv.Itoa(i)), fmt.Sprintf("%s is every layer: none is ever reported as extra", u), "")
		}
	}
	if n := b.root.Get("change_calendar"); n != nil && n.Kind == mapping && !n.Damaged && !n.Has("file") && (n.Get("calendars") == nil || len(n.Get("calendars").Items) == 0) {
		b.doubt("check_off", n, "no calendar is named: nothing closes", "")
	}
	b.doubtApproval()
	b.doubtWindows(e.Calendar)
	b.doubtFreezes(e.Calendar)
	b.doubtRetention(b.root.Get("retention"))
}

// doubtNumber is a doubt where n is a number from low to high.
func (b *builder) doubtNumber(code string, n *node, low, high int, message string) {
	if n == nil {
		return
	}
	if v, err := strconv.Atoi(n.Text); err == nil && low <= v && v <= high {
		if v > 0 {
			message = n.Text + " " + message
		}
		b.doubt(code, n, message, "")
	}
}

// matchesEveryLayer reports whether a glob matches layers that have nothing in common
// but that functions of the environment can use them.
func matchesEveryLayer(glob string, e Environment) bool {
	place := "arn:" + e.Partition + ":lambda:" + e.Region
	return Glob(glob, place+":111122223333:layer:a") && Glob(glob, place+":444455556666:layer:Z_9")
}

// doubtApproval is about keys that only count where changes wait for an approval.
func (b *builder) doubtApproval() {
	if b.file.ApprovalRequired || b.root.Lost["approval_required"] {
		return
	}
	for _, key := range []string{"approvers", "four_eyes", "approve_by"} {
		if n := b.root.Get(key); n != nil && n.Text != "false" && !n.Damaged {
			b.doubt("check_off", n, key+" asks nobody: changes wait for an approval only with approval_required: true", "")
		}
	}
}

func (b *builder) doubtWindows(c window.Calendar) {
	at := b.root.Get("change_window")
	placeOf := func(i int) *node {
		if at != nil && at.Kind == list {
			return at.Items[min(i, len(at.Items)-1)]
		}
		return at
	}
	damaged := at != nil && at.Damaged
	for i, w := range c.Windows {
		other, overnight := w.Swapped()
		if overnight && w.Length() > longNight {
			b.doubt("means_otherwise", placeOf(i), fmt.Sprintf("%s is open for %s, into the next day; did you mean %s?", w, words.Duration(w.Length()), other), strictyaml.Source(other.String()))
		}
		if len(c.Windows) > 1 && c.Cutoff >= w.Length() {
			b.doubt("always_holds", placeOf(i), fmt.Sprintf("nothing ever starts in %s: it is no longer than the cutoff of %s", w, words.Duration(c.Cutoff)), "")
		}
	}
	switch closed := closedInAWeek(c); {
	case len(c.Windows) == 0 || closed > hardlyClosed:
	case closed == 0:
		b.doubt("check_off", at, "the windows together never close, as without the key", "")
	default:
		b.doubt("check_off", at, fmt.Sprintf("the windows together are closed for no more than %s a week: hardly a change ever waits", words.Duration(closed)), "")
	}
	if c.Cutoff > 0 && at == nil && len(b.file.Freezes) == 0 && !damaged && !b.root.Has("freezes") {
		b.doubt("means_otherwise", b.root.Get("cutoff"), "a cutoff without a change_window or freezes holds nothing: there is no end to keep away from", "")
	}
}

// closedInAWeek returns for how long the windows of a calendar are closed in a week, or
// so much of it as is more than hardly. Any week will do to ask, as long as no clock is
// set back or forward in it: what recurs is open always or not.
func closedInAWeek(c window.Calendar) (closed time.Duration) {
	c.Freezes, c.Cutoff = nil, 0
	at := time.Date(2027, time.January, 4, 0, 0, 0, 0, time.UTC)
	for end := at.AddDate(0, 0, 7); at.Before(end) && closed <= hardlyClosed; {
		now := c.At(at)
		next := now.ClosesAt
		if !now.InWindow {
			if next = now.NextOpen; next.IsZero() {
				return 7 * 24 * time.Hour
			}
			closed += next.Sub(at)
		}
		if !next.After(at) {
			return closed // it stays open
		}
		at = next
	}
	return closed
}

// doubtFreezes is about freezes that are over, and those that hardly end.
func (b *builder) doubtFreezes(c window.Calendar) {
	at := b.root.Get("freezes")
	for i := range b.file.Freezes {
		if at == nil || len(at.Items) != len(c.Freezes) {
			return // one of them is wrong, and which is which is not known
		}
		f, until := c.Freezes[i], at.Items[i].Get("until")
		switch {
		case f.Every != "":
		case !b.now.IsZero() && !b.now.Before(f.Until):
			b.doubt("means_otherwise", until, "the freeze ended "+words.Moment(f.Until, b.timeZone())+" and holds nothing; remove it, or correct the year", "")
		case f.Until.Sub(f.From) > 366*24*time.Hour:
			days := (f.Until.Unix() - f.From.Unix()) / (24 * 60 * 60) // a time.Duration ends after 292 years
			b.doubt("always_holds", until, fmt.Sprintf("the freeze lasts %d days; nothing changes here until then", days), "")
		}
	}
}

// doubtRetention judges one place that a retention may be written at.
func (b *builder) doubtRetention(at *node) {
	b.doubtNumber("always_holds", at.Get("versions_to_keep"), allOfThem, 1<<30, "versions are more than a layer has: nothing is pruned, as without the key")
	b.doubtNumber("means_otherwise", at.Get("delete_older_than_days"), 0, 0, "0 days: age does not count, as without the key")
	b.doubtNumber("always_holds", at.Get("delete_older_than_days"), tooOld, 1<<30, "days are older than any version: nothing is pruned")
	b.doubtNumber("check_off", at.Get("function_versions"), 0, 0, "0: a version is pruned although a function version that layerd published, and may go back to, uses it")
	b.doubtNumber("always_holds", at.Get("function_versions"), allOfThem, 1<<30, "function versions protect whatever was ever used: nothing of it is pruned")
	grace := at.Get("grace")
	if grace == nil {
		return
	}
	switch d, err := strictyaml.ParseDuration(grace.Text); {
	case err != nil:
	case d == 0:
		b.doubt("check_off", grace, "without a grace a version is pruned the moment that nothing needs it, and cannot be had again", "24h")
	case d >= 12*forGood:
		b.doubt("always_holds", grace, fmt.Sprintf("a grace of %s: hardly anything is ever pruned", grace.Text), "24h")
	}
}

// doubtLayer judges the values of one layer of the environment.
func (b *builder) doubtLayer(w LayerWish, at *node, info *layerInfo) {
	b.doubtRetention(at.Get("retention"))
	if info != nil && w.Owned {
		b.doubtRetention(info.root.Get("retention_policy"))
		for key, each := range map[string]string{"compatible_runtimes": "every runtime", "compatible_architectures": "every architecture"} {
			if n := info.root.Get(key); n != nil && len(n.Items) == 0 && !n.Damaged {
				b.doubt("means_otherwise", n, "an empty list is "+each+", as without the key", "")
			}
		}
		b.doubtSource(w.Source)
	}
	for _, s := range slices.Concat(w.Functions, w.Except) {
		if s.Name == "" && len(s.Tags) == 0 && s.Runtime == "" && s.Architecture == "" && !s.Attached {
			b.warning("no_functions", s.At, "a selector without a condition matches no function", "")
		}
	}
	if functions := at.Get("functions"); len(w.Functions) > 0 && !slices.ContainsFunc(w.Functions, func(s Selector) bool { return !takenAway(s, w.Except) }) {
		b.doubt("no_functions", functions, fmt.Sprintf("except takes away all functions of layer %q: it goes nowhere", w.Name), "")
	}
}

// doubtSource warns of one object for all versions.
func (b *builder) doubtSource(s *Source) {
	if s != nil && strings.HasPrefix(s.Location, "s3://") && !strings.Contains(s.Location, "${") {
		b.warning("means_otherwise", s.At, "without ${VERSION} all versions are published from one object, whatever it holds by then", "")
	}
}

// takenAway reports whether each function that s may select is surely in except.
func takenAway(s Selector, except []Selector) bool {
	return slices.ContainsFunc(except, func(e Selector) bool {
		name := s.Name
		if name == "" {
			name = "*"
		}
		only := len(e.Tags) == 0 && e.Runtime == "" && e.Architecture == "" && !e.Attached
		return only && Glob(e.Name, name) && !(strings.Contains(e.Name, "?") && strings.ContainsAny(name, "*"))
	})
}

// doubtRollout judges checks that are there and never say no.
func (b *builder) doubtRollout(r Rollout) {
	at := b.root.Get("rollout")
	if at == nil || at.Damaged {
		return
	}
	if waves := at.Get("waves"); waves != nil && len(waves.Items) == 0 {
		b.doubt("check_off", waves, "no waves: all functions change at once, as without the key", "[1, 10%, 100%]")
	}
	for key, what := range map[string]string{"alarms": "no alarm is looked at", "smoke_test": "nothing is tried"} {
		if n := at.Get(key); n != nil && n.Kind == list && len(n.Items) == 0 {
			b.doubt("check_off", n, "an empty list: "+what+", as without the key", "")
		}
	}
	if r.MaxErrorRate != nil && *r.MaxErrorRate >= 1 {
		b.doubt("check_off", at.Get("max_error_rate"), "no rate of errors is above "+at.Get("max_error_rate").Text+": the check never fails", "1%")
	}
	looks := len(r.SmokeTests) > 0 || len(r.Alarms) > 0 || at.Has("max_error_rate") || at.Has("max_throttles")
	const blind = "nothing is looked at meanwhile: write alarms, smoke_test or max_error_rate"
	switch bake := at.Get("bake"); {
	case r.Bake > 0 && !looks:
		b.doubt("check_off", bake, "a bake of "+bake.Text+" only lets time pass, "+blind, "")
	case bake != nil && r.Bake == 0 && len(r.Alarms) > 0:
		b.doubt("check_off", bake, "without a bake the alarms are looked at before they can ring", "10m")
	}
	if canary := at.Get("canary"); r.Canary != nil && r.Canary.Weight > 0 && r.Canary.Weight < 1 && !looks && r.Bake == 0 {
		b.doubt("check_off", canary.Get("weight"), "a canary that cannot fail, "+blind, "")
	}
	if watch := at.Get("watch"); r.Watch > 0 && len(r.Alarms) == 0 {
		b.doubt("check_off", watch, "watch looks at alarms, and there are none", "")
	}
}

// doubtTest judges what a smoke test sends and expects.
func (b *builder) doubtTest(n *node) {
	if expect := n.Get("expect"); expect != nil && expect.Kind == mapping && len(expect.Items) == 0 && !expect.Damaged {
		b.doubt("check_off", expect, "{} is in every answer that is an object: write what it must contain", "")
	}
	for _, key := range []string{"payload", "expect"} {
		text := n.Get(key)
		if text == nil || text.Kind != scalar || text.Tag != "!!str" {
			continue
		}
		written := strings.TrimSpace(text.Text)
		does := map[string]string{"payload": "is sent as text, which few functions take", "expect": "is a text that the answer has to be"}[key]
		if json.Valid([]byte(written)) && !strings.ContainsAny(written[:1], "{[") {
			b.doubt("means_otherwise", text, fmt.Sprintf("JSON in quotes %s; write it without them", does), written)
			continue
		}
		if !strings.HasPrefix(written, "{") && !strings.HasPrefix(written, "[") {
			continue
		}
		instead := strings.Join(strings.Fields(written), " ")
		root, problems := strictyaml.Parse("", []byte("x: "+instead), "")
		if root == nil || len(problems) > 0 || root.Items[0].Kind == scalar {
			continue // it only begins like one
		}
		if _, problems := root.Items[0].JSON(); len(problems) > 0 || strings.Contains(text.Text, "\"\n") {
			instead = ""
		}
		b.doubt("means_otherwise", text, fmt.Sprintf("JSON in quotes %s; write the mapping or list itself", does), instead)
	}
}

// nothingRemoved warns of an empty list that is meant to take away what defaults have,
// where lists add up.
func (l *loader) nothingRemoved(env string, root *node) {
	say := func(n, base *node) {
		if n == nil || base == nil || n.Kind != list || len(n.Items) > 0 || n.Damaged || len(base.Items) == 0 {
			return
		}
		p := problemAt("means_otherwise", n.Where(), fmt.Sprintf("an empty list takes nothing away: %s of all files add up, and layerd.yaml has %d", n.Key.Text, len(base.Items)), "")
		p.Severity, p.Environment = Warning, env
		l.add(p)
	}
	say(root.Get("freezes"), l.defaults.Get("freezes"))
	layers := root.Get("layers")
	if layers == nil || layers.Kind != mapping {
		return
	}
	for _, k := range layers.Keys {
		say(layers.Get(k.Text, "except"), l.defaults.Get("layers", k.Text, "except"))
	}
}

// doubtPins warns of pins of functions that the layer does not select.
func (b *builder) doubtPins(w LayerWish) {
	for _, p := range w.Pins {
		for _, s := range p.Functions {
			if s.Name != "" && !strings.ContainsAny(s.Name, "*?") && len(w.Functions) > 0 && !w.maySelect(s.Name) {
				b.warning("means_otherwise", s.At, fmt.Sprintf("layer %q does not select function %q, so that the pin holds nothing", w.Name, s.Name), "")
			}
		}
	}
}
