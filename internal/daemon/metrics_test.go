package daemon_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
)

// scrape returns the lines of layerd's own metrics.
func scrape(t *testing.T, p *process) string {
	t.Helper()
	w := httptest.NewRecorder()
	p.daemon.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	var b strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "layerd_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// shows fails where a line is missing, or, with a - in front, is there.
func shows(t *testing.T, when, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		absent := strings.HasPrefix(line, "-")
		if line = strings.TrimPrefix(line, "-"); strings.Contains("\n"+text, "\n"+line) == absent {
			t.Errorf("%s: %q, absent %v, in\n%s", when, line, absent, text)
		}
	}
}

// TestMetricsOfAPlayedWorld holds what is served against what happens.
func TestMetricsOfAPlayedWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		one := s.start("one")
		defer one.stop()
		time.Sleep(3 * time.Minute) // Saturday 1 January 2000, 00:03; prod opens at 02:00
		shows(t, "in sync", scrape(t, one), "layerd_ready 1", "layerd_store_up 1", "layerd_notify_waiting 0",
			`layerd_lease_held{account="123456789012"} 1`, `layerd_lease_epoch{account="123456789012"} 1`,
			`layerd_window_open{env="dev"} 1`, `layerd_window_open{env="prod"} 0`,
			`layerd_window_next_transition_timestamp_seconds{env="prod"} 9.46692e+08`,
			`layerd_oldest_pending_seconds{env="prod"} 0`, `layerd_blocked_functions{env="dev"} 0`, `layerd_approval_pending{env="prod"} 0`,
			`layerd_layer_info{desired="1.4.0",env="dev",layer="common",live="1.4.0",sync_status="synced"} 1`,
			`layerd_layer_functions{env="dev",layer="common",version="1.4.0"} 3`, `layerd_layer_functions{env="prod",layer="common",version="1.4.0"} 3`,
			`layerd_reconcile_duration_seconds_count{env="dev",outcome="success"} `, `layerd_reconcile_last_success_timestamp_seconds{env="dev"} 9.466`,
			`layerd_git_poll_total{outcome="changed"} 1`, `layerd_aws_requests_total{code="OK",operation="ListFunctions",service="Lambda"} `,
			`layerd_aws_requests_total{code="OK",operation="GetCallerIdentity",service="STS"} 2`, `layerd_notify_total{outcome="sent",target="reader"} `,
			"-layerd_held_steps", "-layerd_drift_items", "-layerd_problems", "-layerd_actions_total",
			`-layerd_window_next_transition_timestamp_seconds{env="dev"}`)

		s.commit("Only report", map[string]string{"environments/dev.yaml": envFile(accountID, "1.4.0", "drift: report\n")})
		time.Sleep(2 * time.Minute)
		s.meddle(accountID, "makoto-01", 3)
		time.Sleep(2 * time.Minute)
		shows(t, "drift", scrape(t, one), `layerd_drift_items{env="dev",kind="wrong_version"} 1`, "layerd_ready 1",
			`layerd_layer_functions{env="dev",layer="common",version="1.3.0"} 1`, `layerd_layer_functions{env="dev",layer="common",version="1.4.0"} 2`)
		s.commit("Raise both", map[string]string{
			"environments/dev.yaml":  envFile(accountID, "1.5.0", "drift: report\napproval_required: true\n"),
			"environments/prod.yaml": envFile(otherAccount, "1.5.0", "change_window: \"Saturday 02:00-06:00 UTC\"\n"),
			"environments/test.yaml": "account: 1\nregoin: x\n",
		})
		time.Sleep(10 * time.Minute)
		text := scrape(t, one)
		shows(t, "waiting", text, "layerd_ready 0", `layerd_held_steps{by="window",env="prod"} 3`, `layerd_held_steps{by="approval",env="dev"} 3`,
			`layerd_approval_pending{env="dev"} 1`,
			`layerd_layer_info{desired="1.5.0",env="prod",layer="common",live="1.4.0",sync_status="out_of_sync"} 1`,
			`layerd_problems{code="unknown_key",env="test",severity="error"} 1`, "-layerd_actions_total")
		var waits float64
		for line := range strings.Lines(text) {
			if _, err := fmt.Sscanf(line, `layerd_oldest_pending_seconds{env="prod"} %g`, &waits); err == nil {
				break
			}
		}
		if waits < 8*60 || waits > 11*60 {
			t.Errorf("prod waits for %g s, and was asked ten minutes ago", waits)
		}

		time.Sleep(2 * time.Hour) // the window opened
		shows(t, "applied", scrape(t, one), `layerd_window_open{env="prod"} 1`, `layerd_actions_total{action="attach",env="prod",outcome="applied"} 3`,
			`-layerd_held_steps{by="window",env="prod"}`, `layerd_oldest_pending_seconds{env="prod"} 0`,
			`layerd_layer_info{desired="1.5.0",env="prod",layer="common",live="1.5.0",sync_status="synced"} 1`,
			`layerd_layer_functions{env="prod",layer="common",version="1.5.0"} 3`, `-layerd_layer_functions{env="prod",layer="common",version="1.4.0"}`)

		s.world.OnCall(func(awssim.Call) awssim.Fault { return awssim.ServerError() })
		time.Sleep(10 * time.Minute)
		shows(t, "AWS is away: what was known stays, and its age shows", scrape(t, one), "layerd_ready 0",
			`layerd_held_steps{by="approval",env="dev"} 3`, `layerd_reconcile_duration_seconds_count{env="dev",outcome="failed"} `,
			`layerd_aws_requests_total{code="ServiceException",operation="ListFunctions",service="Lambda"} `)
		s.world.OnCall(nil)

		gone := []string{"environments/prod.yaml", "environments/test.yaml"}
		if _, err := s.repo.Commit(gitserve.Change{Subject: "Remove two", Delete: gone}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		shows(t, "removed", scrape(t, one), `layerd_window_open{env="dev"} 1`)
		if text := scrape(t, one); strings.Contains(text, `env="prod"`) || strings.Contains(text, `env="test"`) {
			t.Errorf("environments without a file have series:\n%s", text)
		}
		if problems, err := testutil.GatherAndLint(one.metrics); err != nil || len(problems) > 0 {
			t.Errorf("lint: %v, %v", problems, err)
		}
	})
}

// Of two daemons only the holder of an account shows its environments, and together
// they show each once.
func TestMetricsComeFromTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		one := s.start("one")
		time.Sleep(2 * time.Minute)
		two := s.start("two")
		defer two.stop()
		time.Sleep(10 * time.Minute) // they share the accounts
		for _, env := range []string{"dev", "prod"} {
			line := fmt.Sprintf(`layerd_window_open{env=%q}`, env)
			if n := strings.Count(scrape(t, one)+scrape(t, two), line); n != 1 {
				t.Errorf("%s is shown by %d daemons", env, n)
			}
		}
		one.stop()
		time.Sleep(5 * time.Minute)
		shows(t, "one has stopped", scrape(t, two), `layerd_window_open{env="dev"}`, `layerd_window_open{env="prod"}`,
			`layerd_oldest_pending_seconds{env="dev"} 0`)
	})
}
