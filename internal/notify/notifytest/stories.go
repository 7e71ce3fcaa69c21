package notifytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

// Story is something that happens to an environment, and what people are told
// of it.
type Story struct {
	Name string
	Tell func(t *Teller)
}

// Teller plays a story.
type Teller struct {
	World    *World
	book     *notify.Book
	err      error
	messages []notify.Message
}

// Name and Send make the teller a target that takes everything.
func (t *Teller) Name() string { return "teller" }

// Send implements notify.Target.
func (t *Teller) Send(_ context.Context, m notify.Message) error {
	t.messages = append(t.messages, m)
	return nil
}

// Messages returns the messages of a story, in order.
func (s Story) Messages() ([]notify.Message, error) {
	t := &Teller{World: NewWorld()}
	t.book = notify.NewBook(store.NewMemory(), "https://github.com/acme/layers.git", notify.Options{
		Targets: []notify.Target{t}, Suffix: "--repo https://github.com/acme/layers.git --store dynamodb:layerd",
	})
	s.Tell(t)
	return t.messages, t.err
}

// Later makes a round after d.
func (t *Teller) Later(d time.Duration) { t.Said(d, func(*notify.Situation) {}) }

// Said makes a round after d, in which something else is known as well.
func (t *Teller) Said(d time.Duration, what func(*notify.Situation)) {
	t.World.Now = t.World.Now.Add(d)
	s := t.World.Round()
	what(&s)
	t.tell(s)
}

func (t *Teller) tell(s notify.Situation) {
	_, err := t.book.Tell(context.Background(), s)
	t.deliver(err)
}

// deliver delivers what a round queued, as the daemon does.
func (t *Teller) deliver(err error) {
	if _, failed := t.book.Deliver(context.Background()); t.err == nil {
		t.err = errors.Join(err, failed)
	}
}

func (t *Teller) repository(d time.Duration, r notify.Repository) {
	t.World.Now = t.World.Now.Add(d)
	r.Now, r.Zone = t.World.Now, t.World.Zone
	_, err := t.book.TellRepository(context.Background(), r)
	t.deliver(err)
}

// quietly makes the first round, whose message another story shows.
func (t *Teller) quietly() {
	t.Later(0)
	t.messages = nil
}

// Stories are what messages are shown with.
func Stories() []Story {
	return append(rolloutStories(), []Story{
		{"first-look-in-sync", func(t *Teller) { t.Later(0) }},
		{"first-look", func(t *Teller) {
			t.World.Want.ApprovalRequired = true
			t.World.Commit("1.4.2", "a1b2c3d4e5f6")
			t.World.Meddle("makoto-api", Common.Version(10), Foreign.Version(3))
			t.World.Functions["makoto-ocr"] = nil
			t.World.Images = []string{"makoto-ocr"}
			t.Later(0)
		}},
		{"a-version-is-published", func(t *Teller) {
			t.quietly()
			t.World.Archives = map[string]state.Content{"1.5.0": {SHA256: strings.Repeat("9f2c", 16), Size: 12 << 20}}
			t.World.Commit("1.5.0", "a1b2c3d4e5f6")
			t.World.Failing = map[string]string{"1.5.0": "PublishLayerVersion: CodeStorageExceededException: Code storage limit exceeded."}
			t.Later(time.Minute)
			t.World.Failing = nil
			t.Later(time.Hour)
			t.Later(time.Minute)
			t.Later(64 * time.Hour)
		}},
		{"a-version-is-approved-before-it-has-a-number", func(t *Teller) {
			t.quietly()
			t.World.Want.ApprovalRequired = true
			t.World.Archives = map[string]state.Content{"1.5.0": {SHA256: strings.Repeat("9f2c", 16), Size: 12 << 20}}
			t.World.Commit("1.5.0", "a1b2c3d4e5f6")
			t.Later(time.Minute)
			t.World.Approve("sato")
			t.Later(time.Hour)
			t.Later(time.Minute)
			t.Later(64 * time.Hour)
		}},
		{"a-publish-waits-for-the-end-of-a-freeze", func(t *Teller) {
			t.quietly()
			freeze, err := window.ParseFreeze("2026-11-20", "2026-12-05", "", t.World.Zone)
			t.err = errors.Join(t.err, err)
			t.World.Want.Calendar.Freezes = []window.Freeze{freeze}
			t.World.Archives = map[string]state.Content{"1.5.0": {SHA256: strings.Repeat("9f2c", 16), Size: 12 << 20}}
			t.World.Functions = map[string][]state.LayerVersionARN{}
			t.World.Commit("1.5.0", "a1b2c3d4e5f6")
			t.Later(time.Minute)
			t.World.Want.Calendar.Freezes = nil
			t.Later(time.Hour)
		}},
		{"first-look-reaches-too-far", func(t *Teller) {
			for i := range 30 {
				t.World.Functions[fmt.Sprintf("makoto-new-%02d", i)] = nil
			}
			t.World.Meddle("makoto-api", Common.Version(10))
			t.Later(0)
		}},
		{"drift-waits-for-the-window", func(t *Teller) {
			t.quietly()
			t.World.Meddle("makoto-api", Common.Version(11))
			t.Later(time.Minute) // opened
			t.World.Meddle("makoto-chat-handler")
			t.Later(time.Minute)                  // too soon
			t.Later(4 * time.Minute)              // updated
			t.Later(24 * time.Hour)               // reminded
			t.Later(2*24*time.Hour - 8*time.Hour) // healed
		}},
		{"drift-healed-at-once", func(t *Teller) {
			t.World.Want.Calendar = window.Calendar{Zone: t.World.Zone}
			t.quietly()
			t.World.Meddle("makoto-api", Common.Version(11))
			t.Later(time.Minute)
			t.Later(time.Minute) // nothing more
		}},
		{"drift-after-a-grace", func(t *Teller) {
			t.World.Want.Calendar = window.Calendar{Zone: t.World.Zone}
			t.World.Want.Drift.After = time.Hour
			t.quietly()
			t.World.Meddle("makoto-api", Common.Version(11))
			t.Later(time.Minute)
			t.Later(time.Hour)
		}},
		{"drift-reported", func(t *Teller) {
			t.World.Want.Drift.Report = true
			t.quietly()
			t.World.Meddle("makoto-api", Common.Version(11))
			t.World.Meddle("makoto-device-sync", Common.Version(12), Foreign.Version(3))
			t.Later(time.Minute)
			t.World.Meddle("makoto-api", Common.Version(12))
			t.Later(time.Hour)
		}},
		{"approval-then-window-then-applied", func(t *Teller) {
			t.World.Want.ApprovalRequired = true
			t.quietly()
			t.World.Commit("1.4.2", "a1b2c3d4e5f6")
			t.Later(time.Minute)
			t.World.Approve("sato")
			t.Later(time.Hour)
			t.World.Now = time.Date(2026, 11, 28, 2, 0, 0, 0, t.World.Zone)
			t.Later(0)
			t.Later(time.Minute)
		}},
		{"apply-fails", func(t *Teller) {
			t.World.Want.Calendar = window.Calendar{Zone: t.World.Zone}
			t.quietly()
			t.World.Commit("1.4.2", "a1b2c3d4e5f6")
			t.World.Failing["makoto-api"] = "set layers of makoto-api: AccessDeniedException: not authorized to perform lambda:GetLayerVersion"
			t.Later(time.Minute)
			t.Later(time.Minute)
			t.World.Failing = nil
			t.Later(time.Hour)
		}},
		{"pruned", func(t *Teller) {
			t.World.Want.Layers[0].Retention = desired.Retention{Keep: 2}
			t.World.Live[8], t.World.Live[9] = "1.1.0", "1.2.0"
			t.World.Failing["9"] = "delete version 9 of makoto-common: ThrottlingException: rate exceeded"
			t.World.Want.Observe = true
			t.quietly()
			t.World.Want.Observe = false
			t.World.Now = time.Date(2026, 11, 28, 2, 0, 0, 0, t.World.Zone)
			t.Later(0)
			t.World.Failing = nil
			t.Later(10 * time.Minute)
		}},
		{"newest-commit-is-invalid", func(t *Teller) {
			t.quietly()
			at := desired.Position{File: "environments/prod.yaml", Line: 4, Column: 3}
			t.World.Observed = "deadbeef0123"
			t.World.Invalid = []desired.Problem{{
				Position: at, Code: "unknown_key", Message: `unknown key "chnage_window"`, Suggestion: "change_window", Severity: desired.Error, Environment: "prod",
			}}
			t.Later(time.Minute)
			t.World.Observed, t.World.Invalid = "", nil
			t.Later(20 * time.Minute)
		}},
		{"aws-is-not-read", func(t *Teller) {
			t.quietly()
			t.World.Unread = &plan.Failure{Code: "aws_unreachable", Message: "list functions: dial tcp: i/o timeout", Retryable: true}
			for range 16 {
				t.Later(time.Minute)
			}
			t.World.Unread = nil
			t.Later(time.Minute)
			t.World.Unread = &plan.Failure{Code: "aws_refused", Message: "list functions: AccessDeniedException: not authorized to perform lambda:ListFunctions"}
			t.Later(time.Hour)
		}},
		{"window-missed", func(t *Teller) {
			t.World.Commit("1.4.2", "a1b2c3d4e5f6")
			t.quietly()
			zone := t.World.Zone
			t.Said(4*24*time.Hour, func(s *notify.Situation) {
				s.Missed = []notify.Missed{{
					Opening: window.Opening{Start: time.Date(2026, 11, 28, 2, 0, 0, 0, zone), End: time.Date(2026, 11, 28, 6, 0, 0, 0, zone)},
					Why:     "layerd was not running", Next: time.Date(2026, 12, 5, 2, 0, 0, 0, zone),
				}}
			})
		}},
		{"environment-removed", func(t *Teller) {
			t.quietly()
			t.World.Meddle("makoto-api", Common.Version(11))
			t.Later(time.Minute)
			t.Said(time.Hour, func(s *notify.Situation) {
				*s = notify.Situation{Environment: "prod", Zone: s.Zone, Now: s.Now, Removed: true}
			})
		}},
		{"environment-forgotten", func(t *Teller) {
			t.quietly()
			gone := notify.Situation{Environment: "prod", Zone: t.World.Zone, Removed: true}
			say := func(s *notify.Situation) { gone.Now = s.Now; *s = gone }
			t.Said(time.Hour, say)
			gone.Forgotten = &ruling.Forgotten{Environment: "prod", By: "sato", At: t.World.Now, Reason: "moved to another account"}
			t.Said(10*time.Minute, say)
			t.Said(48*time.Hour, say)
			t.Later(time.Hour) // the file is back
			gone.Forgotten = nil
			t.Said(time.Hour, say)
		}},
		{"names-of-others", func(t *Teller) {
			t.World.Want.Calendar = window.Calendar{Zone: t.World.Zone}
			t.quietly()
			t.World.Commit("1.4.2", "a1b2c3d4e5f6")
			t.World.Subject = "Raise it <!channel> & *now* <https://evil.example|here>"
			t.Later(time.Minute)
		}},
		{"a-thousand-functions", func(t *Teller) {
			for i := range 1000 {
				name := fmt.Sprintf("makoto-worker-%04d", i)
				t.World.Functions[name] = t.World.Functions["makoto-api"]
				t.World.remember(name)
			}
			t.quietly()
			t.World.Commit("1.4.2", "a1b2c3d4e5f6")
			t.Later(time.Minute)
			t.World.Now = time.Date(2026, 11, 28, 2, 0, 0, 0, t.World.Zone)
			t.Later(0)
		}},
		{"git-store-and-lease", func(t *Teller) {
			now := t.World.Now
			fine := notify.Repository{ReadAt: now.Add(6 * time.Hour), Revision: "3f2a9c4187d2"}
			t.repository(20*time.Minute, notify.Repository{ReadAt: now, Error: "fetch https://github.com/acme/layers.git: 503 Service Unavailable", Revision: "3f2a9c4187d2"})
			t.repository(time.Hour, fine)
			t.repository(time.Hour, notify.Repository{ReadAt: now.Add(2 * time.Hour), Store: "write /var/lib/layerd/layerd.db: no space left on device"})
			t.repository(time.Hour, fine)
			lost := fine
			lost.Lost = []notify.LostLease{{Account: "123456789012", Since: now.Add(3 * time.Hour), Reason: "it could not be renewed for 30s: write lease: connection refused"}}
			t.repository(time.Hour, lost)
			t.repository(time.Hour, fine)
		}},
		{"a-plan-that-is-larger-than-expected", func(t *Teller) {
			t.quietly()
			for i := range 30 {
				t.World.Functions[fmt.Sprintf("makoto-new-%02d", i)] = nil
			}
			t.Later(time.Minute)
			t.World.Approvals = []ruling.Approval{}
		}},
	}...)
}
