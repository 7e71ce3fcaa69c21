package present

import (
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/window"
	"github.com/layerd/layerd/internal/words"
)

// windowView is the answer of layerd window, and its JSON. Times are RFC 3339
// in the environment's zone.
type windowView struct {
	FormatVersion string        `json:"format_version"`
	Environment   string        `json:"environment"`
	At            time.Time     `json:"at"`
	Zone          string        `json:"timezone"`
	Open          bool          `json:"open"`
	By            string        `json:"by,omitempty"` // what forbids it: window or freeze
	Reason        string        `json:"reason"`
	ClosesAt      *time.Time    `json:"closes_at,omitempty"`
	NextOpen      *time.Time    `json:"next_open,omitempty"`
	Openings      []openingView `json:"openings"`
	Notices       []noticeView  `json:"notices"`
}

// openingView is one time in which changes may start. An end that is absent
// does not come within 400 days.
type openingView struct {
	Start   time.Time  `json:"start"`
	End     *time.Time `json:"end,omitempty"`
	Seconds int64      `json:"seconds,omitempty"` // elapsed
	Note    string     `json:"note,omitempty"`    // what the clocks do meanwhile
}

type noticeView struct {
	Kind    string `json:"kind"`
	Window  string `json:"window,omitempty"`
	At      string `json:"at,omitempty"`
	Message string `json:"message"`
}

// WindowDocument returns the answer of Window for other programs.
func WindowDocument(e desired.Environment, at time.Time) any { return viewWindow(e, at) }

// viewWindow asks the calendar of one environment about one instant.
func viewWindow(e desired.Environment, at time.Time) windowView {
	const openings = 5
	s := e.Calendar.At(at)
	return windowView{
		FormatVersion: "1", Environment: e.Name, At: at.In(e.Zone), Zone: e.Zone.String(),
		Open: s.Open, By: s.By, Reason: s.Reason, ClosesAt: known(s.ClosesAt, e.Zone), NextOpen: known(s.NextOpen, e.Zone),
		Openings: plan.Views(e.Calendar.Next(at, openings), func(o window.Opening) openingView { return viewOpening(o, e.Zone) }),
		Notices:  plan.Views(e.Calendar.Check(at), func(n window.Notice) noticeView { return viewNotice(n, e.Zone) }),
	}
}

func viewNotice(n window.Notice, zone *time.Location) noticeView {
	v := noticeView{Kind: n.Kind, Window: n.Window, Message: n.Message}
	if !n.At.IsZero() {
		v.At = n.At.In(zone).Format(time.RFC3339)
	}
	return v
}

func viewOpening(o window.Opening, zone *time.Location) openingView {
	v := openingView{Start: o.Start.In(zone), End: known(o.End, zone)}
	if v.End == nil {
		return v
	}
	elapsed := o.End.Sub(o.Start)
	v.Seconds = int64(elapsed.Seconds())
	if wall := onTheWall(*v.End).Sub(onTheWall(v.Start)); wall != elapsed {
		v.Note = "the clock goes back meanwhile"
		if wall > elapsed {
			v.Note = "the clock goes forward meanwhile"
		}
	}
	return v
}

// onTheWall reads the clock's face as if it were UTC, so that two faces can be
// subtracted.
func onTheWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

func known(t time.Time, zone *time.Location) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(zone)
	return &t
}

// Window returns, for people, whether a change may start in an environment.
func Window(e desired.Environment, at time.Time, o Options) string {
	v := viewWindow(e, at)
	pg := &Page{Palette: o.Palette, Width: o.Width}
	mark, state := pg.Good("✓"), "open"
	if !v.Open {
		mark, state = pg.Held("…"), "closed"
	}
	pg.Linef(0, "%s %s is %s at %s", mark, pg.Bold(v.Environment), state, words.Moment(v.At, v.At.Location()))
	pg.Linef(2, "%s", v.Reason)
	switch {
	case v.NextOpen != nil:
		pg.Linef(2, "opens %s", words.Until(*v.NextOpen, v.At, v.At.Location()))
	case v.Open && v.ClosesAt != nil:
		pg.Linef(2, "closes %s", words.Until(*v.ClosesAt, v.At, v.At.Location()))
	}
	if len(v.Openings) > 0 {
		pg.Blank()
		pg.Linef(0, "openings (%s)", v.Zone)
	}
	for _, o := range v.Openings {
		pg.Linef(2, "%s", openingText(o))
	}
	if len(v.Notices) > 0 {
		pg.Blank()
		pg.Linef(0, "to know in advance")
	}
	for _, n := range v.Notices {
		pg.Linef(2, "%s %s", pg.Warn("!"), n.Message)
	}
	return pg.String()
}

// openingText returns "Sat 2026-11-28 02:00 JST – 06:00 JST  4h". The end names its
// day when that is another one.
func openingText(o openingView) string {
	start := words.Moment(o.Start, o.Start.Location())
	if o.End == nil {
		return start + " – without an end in sight"
	}
	layout := "15:04 MST"
	if o.End.YearDay() != o.Start.YearDay() || o.End.Year() != o.Start.Year() {
		layout = "Mon 2006-01-02 15:04 MST"
	}
	text := fmt.Sprintf("%s – %s  %s", start, o.End.Format(layout), words.Span(time.Duration(o.Seconds)*time.Second))
	if o.Note != "" {
		text += ", " + o.Note
	}
	return text
}
