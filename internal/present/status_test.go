package present_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
)

var statusNow = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// heldLease is a lease whose holder was heard of so long ago.
func heldLease(ago time.Duration, released bool) present.AccountFacts {
	return present.AccountFacts{Account: "123456789012", View: lease.View{
		By: lease.Holder{Name: "ip-10-0-1-7:1"}, Fence: 7, Renewed: statusNow.Add(-ago), Term: time.Minute, Released: released,
		Looked: map[string]lease.Look{"prod": {At: statusNow.Add(-ago - 30*time.Second), Until: statusNow.Add(15*time.Minute - ago)}},
	}}
}

// silent is a lease that is renewed, with a look of prod.
func silent(look lease.Look) present.AccountFacts {
	a := heldLease(0, false)
	a.Looked = map[string]lease.Look{"prod": look}
	return a
}

func openAlert(kind notify.Kind, env, title string) notify.Alert {
	return notify.Alert{ID: notify.ID{Kind: kind, Environment: env, Region: "ap-northeast-1"}, Title: title, Opened: statusNow.Add(-3 * time.Hour)}
}

func statusOf(envs ...present.EnvironmentFacts) present.Status {
	return present.StatusOf(present.StatusFacts{
		Repository: "github.com/acme/layers", At: statusNow, Environments: envs,
		Command: func(parts ...string) string { return "layerd " + strings.Join(parts, " ") },
	})
}

func TestStatusVerdicts(t *testing.T) {
	healthy := heldLease(10*time.Second, false)
	pending := ruling.PendingPlan{Environment: "prod", Digest: "0123456789abcdef", At: statusNow.Add(-time.Hour)}
	halted := present.RegionFacts{Region: "ap-northeast-1", Rollout: &rollout.Rollout{Stage: rollout.StageHalted, Since: statusNow.Add(-time.Hour), Reason: "an alarm is on"}}
	tests := map[string]struct {
		facts   present.EnvironmentFacts
		verdict string
		kinds   string
		act     string // of the first
	}{
		"looked at and well":        {present.EnvironmentFacts{Told: true}, present.VerdictAllRight, "", ""},
		"what happened is no fault": {present.EnvironmentFacts{Alerts: []notify.Alert{openAlert(notify.ChangeHeld, "prod", "held")}}, present.VerdictAllRight, "", ""},
		"drift":                     {present.EnvironmentFacts{Alerts: []notify.Alert{openAlert(notify.Drift, "prod", "drifted")}}, present.VerdictWrong, "drift", "layerd plan --env prod"},
		"an approval":               {present.EnvironmentFacts{Told: true, Alerts: []notify.Alert{openAlert(notify.ApprovalNeeded, "prod", "waits")}, Pending: []ruling.PendingPlan{pending}}, present.VerdictWaits, "approval_needed", "layerd approve prod 0123456789ab"},
		"an approval, no daemon":    {present.EnvironmentFacts{Pending: []ruling.PendingPlan{pending}}, present.VerdictWaits, "approval_needed", "layerd approve prod 0123456789ab"},
		"one that waited once":      {present.EnvironmentFacts{Told: true, Pending: []ruling.PendingPlan{pending}}, present.VerdictAllRight, "", ""},
		"halted, no daemon":         {present.EnvironmentFacts{Regions: []present.RegionFacts{halted}}, present.VerdictWrong, "rollout_failed", `layerd retry prod --reason "…"`},
		"halted, and told": {present.EnvironmentFacts{Regions: []present.RegionFacts{halted}, Alerts: []notify.Alert{openAlert(notify.RolloutFailed, "prod", "halted")}},
			present.VerdictWrong, "rollout_failed", `layerd retry prod --reason "…"`},
		"a quarantine, no daemon": {present.EnvironmentFacts{Quarantines: []ruling.Quarantine{{Region: "ap-northeast-1", Name: "common", Number: 4, At: statusNow}}},
			present.VerdictWrong, "quarantined", `layerd retry prod common --reason "…"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.facts.Name, tt.facts.Accounts = "prod", []present.AccountFacts{healthy}
			s := statusOf(tt.facts)
			var kinds []string
			act := ""
			for i, p := range s.Problems {
				kinds = append(kinds, p.Kind)
				if i == 0 {
					act = p.Act
				}
			}
			if s.Verdict != tt.verdict || strings.Join(kinds, ",") != tt.kinds || act != tt.act {
				t.Errorf("got %s %v %q, want %s %s %q", s.Verdict, kinds, act, tt.verdict, tt.kinds, tt.act)
			}
		})
	}
}

// TestStatusSilence: what nobody looks at is not known, however well it was.
func TestStatusSilence(t *testing.T) {
	tests := map[string]struct {
		accounts []present.AccountFacts
		verdict  string
		text     string
	}{
		"heard of":          {[]present.AccountFacts{heldLease(20*time.Second, false)}, present.VerdictAllRight, "looked at 50s ago by ip-10-0-1-7:1"},
		"two terms":         {[]present.AccountFacts{heldLease(2*time.Minute, false)}, present.VerdictAllRight, "looked at 3m ago"},
		"a clock ahead":     {[]present.AccountFacts{heldLease(-time.Minute, false)}, present.VerdictAllRight, "looked at 0s ago"},
		"more than that":    {[]present.AccountFacts{heldLease(2*time.Minute+time.Second, false)}, present.VerdictUnknown, "unknown since Sat 2026-11-28 11:57 UTC"},
		"an earlier layerd": {[]present.AccountFacts{silent(lease.Look{})}, present.VerdictUnknown, "unknown since Sat 2026-11-28 12:00 UTC"},
		"alive, and looks no more": {[]present.AccountFacts{silent(lease.Look{At: statusNow.Add(-16 * time.Minute), Until: statusNow.Add(-time.Minute)})},
			present.VerdictUnknown, "prod: unknown, ip-10-0-1-7:1 has account 123456789012 and does not look, for 16m"},
		"given back":       {[]present.AccountFacts{heldLease(5*time.Second, true)}, present.VerdictUnknown, "unknown since"},
		"one of two":       {[]present.AccountFacts{heldLease(5*time.Second, false), {Account: "210987654321"}}, present.VerdictUnknown, "never looked after"},
		"never":            {[]present.AccountFacts{{Account: "123456789012"}}, present.VerdictUnknown, "never looked after"},
		"no account known": {nil, present.VerdictUnknown, "never looked after"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := statusOf(present.EnvironmentFacts{Name: "prod", Told: true, Accounts: tt.accounts})
			if text := s.Text(present.Options{Width: 200}); s.Verdict != tt.verdict || !strings.Contains(text, tt.text) {
				t.Errorf("got %s, want %s and %q in:\n%s", s.Verdict, tt.verdict, tt.text, text)
			}
		})
	}
	if s := statusOf(); s.Verdict != present.VerdictUnknown {
		t.Errorf("a store without environments: %s", s.Verdict)
	}
}

// TestStatusFitsOneScreen: three environments that have every kind of trouble.
func TestStatusFitsOneScreen(t *testing.T) {
	var envs []present.EnvironmentFacts
	for _, name := range []string{"dev", "production-of-japan", "staging"} {
		e := present.EnvironmentFacts{Name: name, Told: true, Accounts: []present.AccountFacts{heldLease(time.Hour, false)},
			Applied: &history.Entry{Round: history.Round{Revision: "a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9d0"}, Ended: statusNow.Add(-50 * time.Hour)}}
		for _, kind := range []notify.Kind{notify.Drift, notify.ApplyFailed, notify.RolloutFailed, notify.Blocked} {
			e.Alerts = append(e.Alerts, openAlert(kind, name, name+": 層の共通部分 "+strings.Repeat("is something else than Git asks for, ", 4)))
		}
		e.Regions = []present.RegionFacts{{Region: "ap-northeast-1",
			Rollout: &rollout.Rollout{Stage: rollout.StageRollingBack, Wave: 2, Waves: 5, Since: statusNow.Add(-time.Minute)},
			Layers:  []present.StatusLayer{{Layer: "makoto-common-" + name, Number: 12, Version: "1.4.2"}, {Layer: "makoto-extra-" + name}}}}
		envs = append(envs, e)
	}
	text := statusOf(envs...).Text(present.Options{Width: 80})
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 23 { // the prompt is the last
		t.Errorf("%d lines:\n%s", len(lines), text)
	}
	for _, line := range lines {
		if foreign.Width(line) > 80 {
			t.Errorf("%d columns: %s", foreign.Width(line), line)
		}
	}
	if all := statusOf(envs...).Text(present.Options{Width: 80, Verbose: true}); strings.Count(all, "layerd ") != 13 {
		t.Errorf("-v leaves something out:\n%s", all)
	}
}

// TestStatusLayers: no layer is cut in two, those that have no room are counted, and -v has
// all.
func TestStatusLayers(t *testing.T) {
	for n := range 12 {
		region := present.RegionFacts{Region: "ap-northeast-1"}
		for i := range n {
			region.Layers = append(region.Layers, present.StatusLayer{Layer: fmt.Sprintf("makoto-共通-%d-prod", i), Number: int64(10 + i), Version: "1.4.2"})
		}
		s := statusOf(present.EnvironmentFacts{Name: "prod", Told: true, Accounts: []present.AccountFacts{heldLease(0, false)}, Regions: []present.RegionFacts{region}})
		text := s.Text(present.Options{Width: 80})
		shown, more := strings.Count(text, "(1.4.2)"), 0
		if _, rest, ok := strings.Cut(text, "and "); ok {
			fmt.Sscanf(rest, "%d more: all with -v", &more)
		}
		if shown+more != n || n <= 3 && more > 0 || strings.Contains(text, "…") || strings.Count(text, "\n") > 5 {
			t.Errorf("%d layers, %d shown, %d more:\n%s", n, shown, more, text)
		}
		for line := range strings.Lines(text) {
			if foreign.Width(strings.TrimSuffix(line, "\n")) > 80 {
				t.Errorf("%d columns: %s", foreign.Width(line), line)
			}
		}
		if all := s.Text(present.Options{Width: 80, Verbose: true}); strings.Count(all, "(1.4.2)") != n {
			t.Errorf("-v leaves something out:\n%s", all)
		}
	}
}

// TestStatusWithoutADaemon: where layerd apply is all that looks, the headline says since
// when nobody has, unless something else is not right.
func TestStatusWithoutADaemon(t *testing.T) {
	byHand := heldLease(time.Hour, true)
	byHand.ByHand = true
	other := byHand
	other.Looked = nil
	halted := present.RegionFacts{Region: "ap-northeast-1", Rollout: &rollout.Rollout{Stage: rollout.StageHalted, Since: statusNow.Add(-time.Hour)}}
	for name, tt := range map[string]struct {
		facts   present.EnvironmentFacts
		verdict string
		text    string
	}{
		"applied":            {present.EnvironmentFacts{Accounts: []present.AccountFacts{byHand}}, present.VerdictUnknown, "? no daemon looks; the last apply did 1h1m ago · "},
		"nothing to apply":   {present.EnvironmentFacts{Accounts: []present.AccountFacts{byHand}}, present.VerdictUnknown, "prod  no change applied so far · unknown since"},
		"never looked at":    {present.EnvironmentFacts{Accounts: []present.AccountFacts{other}}, present.VerdictUnknown, "? not known whether all is right"},
		"a daemon that died": {present.EnvironmentFacts{Accounts: []present.AccountFacts{heldLease(time.Hour, false)}}, present.VerdictUnknown, "? not known whether all is right"},
		"halted":             {present.EnvironmentFacts{Accounts: []present.AccountFacts{byHand}, Regions: []present.RegionFacts{halted}}, present.VerdictWrong, "✗ not all is right"},
		"waits": {present.EnvironmentFacts{Accounts: []present.AccountFacts{byHand}, Pending: []ruling.PendingPlan{{Environment: "prod", Digest: "0123456789abcdef", At: statusNow}}},
			present.VerdictUnknown, "? not known whether all is right"},
	} {
		tt.facts.Name = "prod"
		s := statusOf(tt.facts)
		if text := s.Text(present.Options{Width: 200}); s.Verdict != tt.verdict || !strings.Contains(text, tt.text) {
			t.Errorf("%s: got %s, want %s and %q in:\n%s", name, s.Verdict, tt.verdict, tt.text, text)
		}
	}
}

// TestStatusListsAreNeverNull: scripts go over them without asking.
func TestStatusListsAreNeverNull(t *testing.T) {
	for _, s := range []present.Status{statusOf(), statusOf(present.EnvironmentFacts{Name: "prod", Regions: []present.RegionFacts{{Region: "us-east-1"}},
		Alerts: []notify.Alert{openAlert(notify.Drift, "prod", "drifted \x1b[2J")}})} {
		text, err := present.JSON(s)
		if err != nil || strings.Contains(text, "null") || strings.Contains(text, "\x1b") {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

// What a daemon serves is shown as what it was made of; anything else is no status.
func TestStatusIsReadAsItWasWritten(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for _, envs := range [][]present.EnvironmentFacts{nil, {
		{Name: "dev", Accounts: []present.AccountFacts{heldLease(10*time.Second, false)}},
		{Name: "prod", Alerts: []notify.Alert{openAlert(notify.Drift, "prod", "drifted \x1b[2J")}, Regions: []present.RegionFacts{{Region: "ap-northeast-1",
			Layers:  []present.StatusLayer{{Layer: "common", Number: 4, Version: "1.4.0"}},
			Rollout: &rollout.Rollout{Stage: rollout.StageHalted, Since: statusNow.Add(-time.Hour), Wave: 1, Waves: 3, Reason: "an alarm is on"}}}},
	}} {
		was := present.StatusOf(present.StatusFacts{
			Repository: "github.com/acme/layers", At: statusNow, Zone: zone, Environments: envs,
			Command: func(parts ...string) string { return "layerd " + strings.Join(parts, " ") },
		})
		document, err := present.JSON(was)
		if err != nil {
			t.Fatal(err)
		}
		is, err := present.ReadStatus([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		again, err := present.JSON(is)
		if err != nil || again != document {
			t.Errorf("%v: %s, was %s", err, again, document)
		}
		for _, o := range []present.Options{{Width: 80}, {Width: 80, Verbose: true}} {
			if got, want := is.Text(o), was.Text(o); got != want {
				t.Errorf("shown as\n%swas\n%s", got, want)
			}
		}
	}
	for _, other := range []string{"", "null", "[]", "{}", `"x"`, `{"alive": true}`, `{"format_version": "1"}`, `{"format_version": "2", "verdict": "wrong"}`, "<html>"} {
		if s, err := present.ReadStatus([]byte(other)); err == nil {
			t.Errorf("%s is read as %+v", other, s)
		}
	}
}
