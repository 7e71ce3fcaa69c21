package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/layerd/layerd/internal/awscall"
)

// scrape returns what is served, without what Go and the kernel say of the process.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	var b strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		name, _ := strings.CutPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		if strings.HasPrefix(name, "layerd_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// full is a status in which everything has a value.
func full() Status {
	at := time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)
	return Status{
		Ready: true, Store: true, GitReadAt: at, CommitAt: at, Waiting: 3, Names: []string{"prod", "dev"},
		Accounts: []Account{{ID: "123456789012", Held: true, Epoch: 7}, {ID: "210987654321"}},
		Environments: []Environment{{
			Name: "prod", LastSuccess: at, Open: true, NextOpen: at, Turns: at.Add(4 * time.Hour),
			Figures: &Figures{
				Held: map[string]int{"window": 2, "approval": 1}, PendingSince: at, Drift: map[string]int{"missing": 4}, Blocked: 5, Approval: true,
				Layers:    []Layer{{"makoto-common", "out_of_sync", "1.4.2", "1.4.1"}},
				Functions: map[LayerVersion]int{{"makoto-common", "1.4.1"}: 12},
			},
		}},
		Problems: []Problem{{"prod", "unknown_key", "error", 2}, {"", "layer_unused", "warning", 1}},
	}
}

// played returns metrics in which everything was counted once.
func played() *Metrics {
	m := New("v1.2.3")
	m.Watch(full)
	m.Round("prod", "success", 3*time.Second)
	m.Action("prod", "attach", "applied")
	m.Poll(true, nil, time.Second)
	m.Poll(false, nil, time.Second)
	m.Poll(false, errors.New("away"), time.Second)
	m.requests.WithLabelValues("Lambda", "ListFunctions", "OK").Inc()
	m.throttles.WithLabelValues("ListFunctions").Inc()
	m.Event(EventLook)
	m.EventAge(time.Second)
	m.Message("slack", nil)
	m.Message("slack", errors.New("no_service"))
	m.Reload(true, time.Unix(1, 0))
	return m
}

// names are those that dashboards and alerts know: none of them is ever changed.
const names = `layerd_actions_total layerd_approval_pending layerd_aws_requests_total layerd_aws_throttles_total
layerd_blocked_functions layerd_build_info layerd_config_last_reload_success_timestamp_seconds layerd_config_last_reload_successful
layerd_drift_items layerd_events_oldest_seconds layerd_events_total layerd_git_commit_timestamp_seconds layerd_git_fetch_duration_seconds layerd_git_last_success_timestamp_seconds
layerd_git_poll_total layerd_held_steps layerd_layer_functions layerd_layer_info layerd_lease_epoch layerd_lease_held layerd_notify_total layerd_notify_waiting
layerd_oldest_pending_seconds layerd_problems layerd_ready layerd_reconcile_duration_seconds
layerd_reconcile_last_success_timestamp_seconds layerd_store_up layerd_window_next_open_timestamp_seconds
layerd_window_next_transition_timestamp_seconds layerd_window_open`

// TestNames holds the names, and what Prometheus says of good ones.
func TestNames(t *testing.T) {
	m := played()
	problems, err := testutil.GatherAndLint(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "layerd_") {
			got = append(got, f.GetName())
		}
	}
	if want := strings.Fields(names); !slices.Equal(got, want) {
		t.Errorf("names\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPage holds docs/metrics.md against what is served: names and labels.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); strings.HasPrefix(line, "| `layerd_") {
			written = append(written, strings.NewReplacer("`", "", ",", "").Replace(cells[1]+cells[2]))
		}
	}
	families, err := played().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var served []string
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "layerd_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		served = append(served, strings.Join(append([]string{f.GetName()}, labels...), " "))
	}
	for i, line := range written {
		fields := strings.Fields(line)
		slices.Sort(fields[1:])
		written[i] = strings.Join(fields, " ")
	}
	slices.Sort(written)
	slices.Sort(served)
	if !slices.Equal(written, served) {
		t.Errorf("the page has\n%s\nand served is\n%s", strings.Join(written, "\n"), strings.Join(served, "\n"))
	}
}

// TestValues reads what is served.
func TestValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)))
		text := scrape(t, played())
		for _, want := range []string{
			`layerd_build_info{goversion="go`, `version="v1.2.3"} 1`,
			`layerd_ready 1`, `layerd_store_up 1`, `layerd_notify_waiting 3`,
			`layerd_git_last_success_timestamp_seconds 1.7958312e+09`, `layerd_git_commit_timestamp_seconds 1.7958312e+09`,
			`layerd_lease_held{account="123456789012"} 1`, `layerd_lease_held{account="210987654321"} 0`, `layerd_lease_epoch{account="123456789012"} 7`,
			`layerd_problems{code="unknown_key",env="prod",severity="error"} 2`, `layerd_problems{code="layer_unused",env="",severity="warning"} 1`,
			`layerd_held_steps{by="window",env="prod"} 2`, `layerd_held_steps{by="approval",env="prod"} 1`,
			`layerd_oldest_pending_seconds{env="prod"} 3600`, `layerd_drift_items{env="prod",kind="missing"} 4`,
			`layerd_blocked_functions{env="prod"} 5`, `layerd_approval_pending{env="prod"} 1`, `layerd_window_open{env="prod"} 1`,
			`layerd_window_next_transition_timestamp_seconds{env="prod"} 1.7958456e+09`,
			`layerd_layer_info{desired="1.4.2",env="prod",layer="makoto-common",live="1.4.1",sync_status="out_of_sync"} 1`,
			`layerd_layer_functions{env="prod",layer="makoto-common",version="1.4.1"} 12`,
			`layerd_reconcile_duration_seconds_count{env="prod",outcome="success"} 1`,
			`layerd_actions_total{action="attach",env="prod",outcome="applied"} 1`,
			`layerd_git_poll_total{outcome="changed"} 1`, `layerd_git_poll_total{outcome="failed"} 1`, `layerd_git_poll_total{outcome="unchanged"} 1`,
			`layerd_git_fetch_duration_seconds_count 1`, `layerd_aws_requests_total{code="OK",operation="ListFunctions",service="Lambda"} 1`,
			`layerd_aws_throttles_total{operation="ListFunctions"} 1`,
			`layerd_notify_total{outcome="sent",target="slack"} 1`, `layerd_notify_total{outcome="failed",target="slack"} 1`,
			`layerd_config_last_reload_successful 1`, `layerd_config_last_reload_success_timestamp_seconds 1`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s is missing in\n%s", want, text)
			}
		}
	})
}

// What is not known is not shown as 0: that would be "in sync since 1970".
func TestUnknownIsNotShown(t *testing.T) {
	m := New("")
	if text := scrape(t, m); strings.Contains(text, "layerd_ready") || strings.Contains(text, "layerd_store_up") {
		t.Errorf("without a daemon:\n%s", text)
	}
	m.Watch(func() Status { return Status{Environments: []Environment{{Name: "dev"}}} })
	text := scrape(t, m)
	for _, bad := range []string{"layerd_reconcile_last_success", "layerd_git_last_success", "next_transition", "layerd_drift", "layerd_oldest_pending", "layerd_blocked"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s is shown before anything is known:\n%s", bad, text)
		}
	}
	m.Reload(false, time.Now())
	if text := scrape(t, m); !strings.Contains(text, "layerd_config_last_reload_successful 0") {
		t.Errorf("a configuration that was refused:\n%s", text)
	}
}

// Whoever is removed from Git has no series any more, and whoever another daemon
// looks after keeps what this one has counted.
func TestARemovedEnvironmentVanishes(t *testing.T) {
	m := played()
	m.Round("dev", "failed", time.Second)
	status := full()
	m.Watch(func() Status { return status })
	status.Environments = nil
	if text := scrape(t, m); !strings.Contains(text, `env="prod",outcome="success"`) || strings.Contains(text, "layerd_drift_items") {
		t.Errorf("looked after elsewhere:\n%s", text)
	}
	status.Names = nil // Git was not read, which removes nothing
	if text := scrape(t, m); !strings.Contains(text, `env="prod"`) {
		t.Errorf("Git was not read:\n%s", text)
	}
	status.Names, status.Problems = []string{"dev"}, nil
	if text := scrape(t, m); strings.Contains(text, `env="prod"`) || !strings.Contains(text, `env="dev",outcome="failed"`) {
		t.Errorf("removed:\n%s", text)
	}
}

// Text of others is a label and nothing else.
func TestForeignText(t *testing.T) {
	m := New("v1\xff")
	name := "a\"b\\c\n\xffd"
	m.Watch(func() Status {
		return Status{
			Environments: []Environment{{Name: name, Figures: &Figures{Layers: []Layer{{name, name, name, name}}}}},
			Problems:     []Problem{{name, name, name, 1}}, Accounts: []Account{{ID: name}},
		}
	})
	m.Round(name, "success", time.Second)
	m.Action(name, "attach", "applied")
	m.Message(name, nil)
	for line := range strings.Lines(scrape(t, m)) {
		if !strings.HasPrefix(line, "layerd_") && !strings.HasPrefix(line, "# ") {
			t.Errorf("a line of its own: %q", line)
		}
	}
}

// TestCalls counts attempts, whatever answers.
func TestCalls(t *testing.T) {
	m := New("")
	answers := []func() (int, string){
		func() (int, string) {
			return 200, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
		},
		func() (int, string) {
			return 400, `<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>`
		},
		func() (int, string) {
			return 403, `<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>`
		},
		func() (int, string) { return 502, `<html>a proxy</html>` },
		func() (int, string) {
			return 400, `<ErrorResponse><Error><Code>arn:aws:iam::123456789012:role/x {"}</Code></Error></ErrorResponse>`
		},
		func() (int, string) { return 0, "" },
	}
	var wg sync.WaitGroup
	for _, answer := range answers {
		wg.Go(func() {
			code, body := answer()
			cfg := awscall.Wire{Retryer: func() aws.Retryer { return aws.NopRetryer{} }}.Config(m.CountCalls(aws.Config{
				Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
				HTTPClient: client(func(*http.Request) (*http.Response, error) {
					if code == 0 {
						return nil, errors.New("connection refused")
					}
					w := httptest.NewRecorder()
					w.WriteHeader(code)
					_, _ = w.WriteString(body)
					return w.Result(), nil
				}),
			}))
			_, _ = sts.NewFromConfig(cfg).GetCallerIdentity(context.Background(), nil)
		})
	}
	wg.Wait()
	text := scrape(t, m)
	for _, code := range []string{"OK", "Throttling", "ExpiredToken", "HTTP_502", "HTTP_400", "no_answer"} {
		if want := `layerd_aws_requests_total{code="` + code + `",operation="GetCallerIdentity",service="STS"} 1`; !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if !strings.Contains(text, `layerd_aws_throttles_total{operation="GetCallerIdentity"} 1`) || strings.Contains(text, "arn:") {
		t.Errorf("throttles, and no ARN:\n%s", text)
	}
}

type client func(*http.Request) (*http.Response, error)

func (c client) Do(r *http.Request) (*http.Response, error) { return c(r) }
