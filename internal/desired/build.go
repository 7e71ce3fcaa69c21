package desired

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/window"
	"github.com/layerd/layerd/internal/words"
)

// builder makes one environment of one Region from its merged and expanded
// file. It reports what is wrong and goes on, so that all problems come at
// once; the caller throws the environment away when one of them is an error.
type builder struct {
	name, path, region string // path is the environment's file
	now                time.Time
	root               *node
	file               environmentFile
	layers             map[string]*layerInfo // by name
	limits             limits
	zone               *time.Location // of the key timezone; nil = there is none
	problems           []Problem
	shares             []shareEntry // each entry of share_with, see sharedWithOwner
}

// problem adds an error at a place. One in another file than the
// environment's own concerns everybody who reads that file.
func (b *builder) problem(code string, at Position, message, suggestion string) {
	p := problemAt(code, at, message, suggestion)
	if at.File == b.path {
		p.Environment = b.name
	}
	b.problems = append(b.problems, p)
}

func (b *builder) warning(code string, at Position, message, suggestion string) {
	b.problem(code, at, message, suggestion)
	b.problems[len(b.problems)-1].Severity = Warning
}

// form adds the problem that a form has with the text of n.
func (b *builder) form(n *node, e *formError) {
	if e == nil {
		return
	}
	p := e.At(n)
	b.problem(p.Code, p.Position, p.Message, p.Suggestion)
}

// positionOf is the place of a value, or the head of the environment's file
// when the value came from layerd.yaml and what is wrong is this environment's
// matter.
func (b *builder) positionOf(n *node) Position {
	for _, c := range []*node{n, b.root.Get("layers"), b.root} {
		if c != nil && c.File == b.path {
			return c.Where()
		}
	}
	return Position{File: b.path, Line: 1, Column: 1, Length: 1}
}

// originOf returns where a value stands that came from layerd.yaml, for a
// problem that own puts elsewhere.
func (b *builder) originOf(n *node) string {
	if n.File == b.path {
		return ""
	}
	return fmt.Sprintf("; %s:%d gives it to every environment", n.File, n.Where().Line)
}

func (b *builder) environment() Environment {
	f := b.file
	e := Environment{
		Name: b.name, Account: f.Account, Region: b.region, Partition: state.PartitionOf(b.region),
		Role: f.Role, ExternalID: f.ExternalID, Observe: f.Mode == "observe",
		ApprovalRequired: f.ApprovalRequired, MaxNew: 20, MaxBlocked: f.MaxBlocked, NewFunctionsNow: f.NewFunctions == "now", File: b.path,
	}
	if f.MaxNew != nil {
		e.MaxNew = *f.MaxNew
	}
	for _, u := range f.Unmanaged {
		e.Unmanaged = append(e.Unmanaged, string(u))
	}
	if r := strings.Split(f.Role, ":"); len(r) > 4 && f.Account != "" && r[4] != f.Account && !strings.Contains(f.Role, "${") {
		b.problem("role_account", b.root.Get("role").Where(), fmt.Sprintf("the role is in account %s, the environment in %s", r[4], f.Account), "")
	}
	e.Calendar = b.calendar()
	e.Zone = e.Calendar.Zone
	e.Drift.Report = f.Drift.Action == "report"
	e.Drift.After = length(f.Drift.After)
	b.notices(e.Calendar)
	for _, name := range slices.Sorted(maps.Keys(f.Layers)) {
		if w, ok := b.wish(name, e); ok {
			e.Layers = append(e.Layers, w)
		}
	}
	e.Alias, e.OwnerTag = f.Alias, f.OwnerTag
	e.Rollout = b.rollout(e)
	b.inBounds(e)
	b.environmentPins(e)
	b.overrides()
	b.doubts(e)
	b.doubtRollout(e.Rollout)
	e.Unsupported = b.unsupported()
	return e
}

// length is a duration whose form the schema has checked.
func length(d durationEntry) time.Duration {
	if d == "" {
		return 0
	}
	v, err := strictyaml.ParseDuration(string(d))
	if err != nil {
		return 0
	}
	return v
}

func (b *builder) calendar() window.Calendar {
	if b.file.Timezone != "" {
		b.zone, _ = window.LoadZone(b.file.Timezone) // the schema has checked it
	}
	c := window.Calendar{Cutoff: length(b.file.Cutoff), Zone: b.zone}
	windows := b.root.Get("change_window")
	if windows != nil && (windows.Kind == list || !windows.Damaged) {
		for i, w := range b.file.ChangeWindow {
			at := windows
			if windows.Kind == list {
				at = windows.Items[i]
			}
			parsed, err := b.window(w)
			if err != nil {
				b.form(placeOf(at, err), fromWindow("bad_window", err))
				continue
			}
			c.Windows = append(c.Windows, parsed)
		}
	}
	if c.Zone == nil && len(c.Windows) > 0 {
		c.Zone = c.Windows[0].Zone()
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	c.Freezes = freezes(b.root.Get("freezes"), b.file.Freezes, c.Zone, b.form)
	return c
}

func (b *builder) window(w windowEntry) (window.Window, error) {
	if w.text != "" {
		return window.Parse(w.text, b.zone)
	}
	zone := b.zone
	if w.Timezone != "" {
		zone, _ = window.LoadZone(w.Timezone)
	}
	return window.ParseCron(w.Cron, length(durationEntry(w.Duration)), zone)
}

// placeOf is the key that a problem of package window is about, in a mapping.
func placeOf(n *node, err error) *node {
	e := err.(*window.ParseError) // package window has no others
	if at := n.Get(e.Field); at != nil {
		return at
	}
	return n
}

// freezes reads a list of freezes; whole elements only are left in it.
func freezes(at *node, files []freezeFile, zone *time.Location, report func(*node, *formError)) []window.Freeze {
	var all []window.Freeze
	for i, f := range files {
		freeze, err := window.ParseFreeze(f.From, f.Until, f.Every, zone)
		if err != nil {
			report(placeOf(at.Items[i], err), fromWindow("bad_freeze", err))
			continue
		}
		freeze.Reason, freeze.Owner = f.Reason, f.Owner
		all = append(all, freeze)
	}
	return all
}

// notices adds warnings of what people should know before it happens. That an
// opening is an hour shorter in spring is for the window command, not for each
// load.
func (b *builder) notices(c window.Calendar) {
	at := b.root.Get("change_window")
	if at == nil {
		at = b.root.Nearest("freezes")
	}
	for _, n := range c.Check(b.now) {
		switch n.Kind {
		case window.NeverOpens:
			b.problem("never_opens", b.positionOf(at), n.Message, "")
		case window.Overlap:
			if closedInAWeek(c) > hardlyClosed { // less is said
				b.warning("window_notice", at.Where(), n.Message, "")
			}
		case window.LongClosed, window.EitherDay, window.Skipped:
			b.warning("window_notice", at.Where(), n.Message, "")
		}
	}
}

// until is the first instant after a date or time, zero for none.
func (b *builder) until(at *node, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := parseUntil(text, b.timeZone())
	if err != nil {
		b.form(at, fromWindow("bad_date", err))
	}
	return t
}

// timeZone is the zone in which the file writes its times, and in which they are
// shown.
func (b *builder) timeZone() *time.Location {
	if b.zone != nil {
		return b.zone
	}
	return b.calendarZone()
}

// calendarZone is the zone of the first window, else UTC.
func (b *builder) calendarZone() *time.Location {
	for _, w := range b.file.ChangeWindow {
		if parsed, err := b.window(w); err == nil {
			return parsed.Zone()
		}
	}
	return time.UTC
}

// environmentPins checks that each names a layer of the environment; wish takes
// what is about its layer.
func (b *builder) environmentPins(e Environment) {
	for i, p := range b.file.Pins {
		at := b.root.Get("pins", strconv.Itoa(i))
		if p.Layer == "" {
			b.problem("missing_key", at.Where(), "a pin of an environment has no layer", "")
		} else if !b.root.Get("layers").Has(p.Layer) {
			b.problem("unknown_layer", at.Get("layer").Where(), fmt.Sprintf("the environment has no layer %q", p.Layer), nearest(p.Layer, slices.Sorted(maps.Keys(b.file.Layers))))
		}
	}
}

func (b *builder) overrides() {
	for i, o := range b.file.Overrides {
		at := b.root.Get("overrides", strconv.Itoa(i))
		for j, name := range o.Layers {
			if !b.root.Get("layers").Has(string(name)) {
				b.problem("unknown_layer", at.Get("layers", strconv.Itoa(j)).Where(), fmt.Sprintf("the environment has no layer %q", name), nearest(string(name), slices.Sorted(maps.Keys(b.file.Layers))))
			}
		}
		if t := b.until(at.Get("until"), o.Until); b.expired(t) {
			b.doubt("means_otherwise", at.Get("until"), "the override ended "+words.Moment(t, b.timeZone())+" and ignores nothing any more", "")
		}
	}
}

func (b *builder) expired(t time.Time) bool {
	return !t.IsZero() && !b.now.IsZero() && !b.now.Before(t)
}

// unsupported lists the keys that are right and that nothing acts on.
func (b *builder) unsupported() []Problem {
	var list []Problem
	add := func(n *node) {
		if n == nil {
			return
		}
		p := problemAt("not_supported_yet", n.Key.Position, n.Key.Text+" is not supported yet", "")
		p.Environment = b.name
		list = append(list, p)
	}
	for _, key := range []string{"approvers", "four_eyes", "approve_by", "change_calendar", "overrides", "after"} {
		add(b.root.Get(key))
	}
	strictyaml.Sort(list)
	return list
}
