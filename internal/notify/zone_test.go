package notify_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

var (
	// instants are how a time may be written: as it must, and as it must not.
	worded = regexp.MustCompile(`(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d{4}-\d\d-\d\d \d\d:\d\d(?:-\d\d:\d\d)?(?: [A-Z][A-Z0-9]+(?:[+-]\d\d:\d\d)?)?`)
	bare   = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d`)
	right  = regexp.MustCompile(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) .* [A-Z][A-Z0-9]+(?:[+-]\d\d:\d\d)?$`)
)

// zones returns the zones of the times in a message, and those that are written
// without a weekday or a zone.
func zones(m notify.Message) (zones, wrong []string) {
	text := m.Title + "\n" + text(m) + m.Context
	for _, at := range worded.FindAllString(text, -1) {
		if !right.MatchString(at) {
			wrong = append(wrong, at)
			continue
		}
		if zone := at[strings.LastIndex(at, " ")+1:]; !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	return zones, append(wrong, bare.FindAllString(text, -1)...)
}

// Every time in a message is in one zone, with weekday and zone: in all stories.
func TestAMessageHasOneZone(t *testing.T) {
	times := 0
	for _, s := range notifytest.Stories() {
		messages, err := s.Messages()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			if zones, wrong := zones(m); !slices.Equal(zones, []string{"JST"}) || len(wrong) > 0 {
				t.Errorf("%s: %q has the zones %q and %q", s.Name, m.Title, zones, wrong)
			}
			times++
		}
	}
	if times < 60 {
		t.Errorf("only %d messages were looked at", times)
	}
}

// Nor is a window that is written in another zone than the environment's a second
// one, or a freeze, an expired approval or a fight.
func TestAMessageHasTheEnvironmentsZone(t *testing.T) {
	for name, shown := range map[string]string{
		"UTC": "UTC", "America/New_York": "EST", "Europe/Berlin": "CET", "Asia/Tokyo": "JST", "Asia/Kolkata": "IST",
		"America/Sao_Paulo": "UTC-03:00", "Asia/Kathmandu": "UTC+05:45",
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			w := notifytest.NewWorld() // its window is written in JST
			w.Zone, w.Want.Zone, w.Want.Calendar.Zone = zone, zone, zone
			w.Want.ApprovalRequired, w.Want.Rollout.Waves = true, nil
			w.Want.Calendar.Freezes = []window.Freeze{{From: time.Date(2026, 12, 1, 0, 0, 0, 0, zone), Until: time.Date(2026, 12, 9, 0, 0, 0, 0, zone), Reason: "peak"}}
			c := &channel{name: "c"}
			b := book(store.NewMemory(), c)
			tell := func(after time.Duration) {
				t.Helper()
				w.Now = w.Now.Add(after)
				if _, err := b.Tell(t.Context(), w.Round()); err != nil {
					t.Fatal(err)
				}
				if _, err := b.Deliver(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			tell(0)
			w.Commit("1.4.2", "a1b2c3d4e5f6")
			tell(time.Minute)
			w.Approve("sato")
			tell(10 * time.Minute)
			tell(9 * 24 * time.Hour) // frozen, and the approval expired
			tug := w.Past.Functions["makoto-api"]
			tug.Heals = map[state.LayerARN]plan.Heals{notifytest.Common: {Count: 3, Last: w.Now}}
			w.Past.Functions["makoto-api"] = tug
			w.Meddle("makoto-api", notifytest.Common.Version(11))
			tell(10 * time.Minute)
			if len(c.took) < 4 {
				t.Fatalf("only %q", c.titles())
			}
			for _, m := range c.took {
				got, wrong := zones(m)
				if whole, _ := json.Marshal(m); name != "Asia/Tokyo" && (strings.Contains(string(whole), "JST") || strings.Contains(string(whole), "Tokyo")) {
					wrong = append(wrong, "JST")
				}
				if len(wrong) > 0 || !slices.Equal(got, []string{shown}) {
					t.Errorf("%q has %q and %q:\n%s", m.Title, got, wrong, text(m))
				}
			}
		})
	}
}
