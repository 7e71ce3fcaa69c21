package metrics

import (
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// maxScrapes is how many answers are made at once.
const maxScrapes = 4

// Metrics are those of one process. All methods may be called from many goroutines.
type Metrics struct {
	registry *prometheus.Registry

	rounds    *prometheus.HistogramVec
	actions   *prometheus.CounterVec
	polls     *prometheus.CounterVec
	fetches   prometheus.Histogram
	requests  *prometheus.CounterVec
	throttles *prometheus.CounterVec
	messages  *prometheus.CounterVec
	events    *prometheus.CounterVec
	eventAge  prometheus.Gauge
	reloaded  prometheus.Gauge
	reloadAt  prometheus.Gauge

	mu      sync.Mutex // guards the rest
	status  func() Status
	counted map[string]bool // environments that have counters
}

// New returns the metrics of a process with this version of layerd.
func New(version string) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(), counted: map[string]bool{},
		rounds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "layerd_reconcile_duration_seconds", Help: "How long rounds of an environment took, its changes included.",
			Buckets: []float64{.5, 1, 2, 5, 10, 30, 60, 180, 600, 1800, 3600},
		}, []string{"env", "outcome"}),
		actions: counter("layerd_actions_total", "Steps that were begun.", "env", "action", "outcome"),
		polls:   counter("layerd_git_poll_total", "Looks at the branch.", "outcome"),
		fetches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "layerd_git_fetch_duration_seconds", Help: "How long looks at the branch took that brought a new commit.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		requests:  counter("layerd_aws_requests_total", "Attempts of calls to AWS, by the code of the answer.", "service", "operation", "code"),
		throttles: counter("layerd_aws_throttles_total", "Attempts of calls that AWS refused as too many.", "operation"),
		messages:  counter("layerd_notify_total", "Messages that a target was sent.", "target", "outcome"),
		events:    counter("layerd_events_total", "Messages of the queue of events, by what became of them.", "outcome"),
		eventAge:  gauge("layerd_events_oldest_seconds", "How old the oldest message was that the queue of events had last; 0 when it had none."),
		reloaded:  gauge("layerd_config_last_reload_successful", "Whether the last configuration that was read was taken in."),
		reloadAt:  gauge("layerd_config_last_reload_success_timestamp_seconds", "When a configuration was last taken in."),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "layerd_build_info", Help: "Always 1; which layerd this is.",
		ConstLabels: prometheus.Labels{"version": text(version), "goversion": runtime.Version()},
	})
	build.Set(1)
	m.Reload(true, time.Now()) // the one that the process began with
	m.registry.MustRegister(build, m.rounds, m.actions, m.polls, m.fetches, m.requests, m.throttles, m.messages, m.events, m.eventAge, m.reloaded, m.reloadAt,
		gauges{m}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Watch shows the state that status returns from now on.
func (m *Metrics) Watch(status func() Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = status
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

// Gather implements prometheus.Gatherer.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	m.dropRemoved()
	return m.registry.Gather()
}

// now returns the state that is shown.
func (m *Metrics) now() Status {
	m.mu.Lock()
	status := m.status
	m.mu.Unlock()
	if status == nil {
		return Status{}
	}
	return status()
}

// dropRemoved drops the counters of environments that have no file in Git any more.
func (m *Metrics) dropRemoved() {
	names := m.now().Names
	if names == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.counted {
		if slices.Contains(names, name) {
			continue
		}
		delete(m.counted, name)
		m.rounds.DeletePartialMatch(prometheus.Labels{"env": text(name)})
		m.actions.DeletePartialMatch(prometheus.Labels{"env": text(name)})
	}
}

// Round counts a round of an environment that took so long.
func (m *Metrics) Round(environment, outcome string, took time.Duration) {
	m.count(environment)
	m.rounds.WithLabelValues(text(environment), outcome).Observe(took.Seconds())
}

// Action counts a step that was begun: what kind it is, and how it ended.
func (m *Metrics) Action(environment, kind, outcome string) {
	m.count(environment)
	m.actions.WithLabelValues(text(environment), kind, outcome).Inc()
}

func (m *Metrics) count(environment string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counted[environment] = true
}

// Poll counts a look at the branch.
func (m *Metrics) Poll(changed bool, err error, took time.Duration) {
	outcome := "unchanged"
	switch {
	case err != nil:
		outcome = "failed"
	case changed:
		outcome = "changed"
		m.fetches.Observe(took.Seconds())
	}
	m.polls.WithLabelValues(outcome).Inc()
}

// Message counts a message that a target was sent.
func (m *Metrics) Message(target string, err error) {
	outcome := "sent"
	if err != nil {
		outcome = "failed"
	}
	m.messages.WithLabelValues(text(target), outcome).Inc()
}

// EventOutcome is what became of a message of the queue of events.
type EventOutcome string

// What may become of one.
const (
	EventLook      EventOutcome = "look"      // an environment is looked at
	EventNothing   EventOutcome = "nothing"   // it is about nothing that is followed
	EventLeft      EventOutcome = "left"      // to the daemon that has the account
	EventMalformed EventOutcome = "malformed" // it is no event of Lambda
)

// Event counts a message of the queue of events.
func (m *Metrics) Event(outcome EventOutcome) { m.events.WithLabelValues(string(outcome)).Inc() }

// EventAge notes how old the oldest message was that the queue had last.
func (m *Metrics) EventAge(age time.Duration) { m.eventAge.Set(max(0, age.Seconds())) }

// Reload notes whether a configuration was taken in.
func (m *Metrics) Reload(taken bool, at time.Time) {
	if !taken {
		m.reloaded.Set(0)
		return
	}
	m.reloaded.Set(1)
	m.reloadAt.Set(seconds(at))
}

// text makes a label of what others wrote: a label that is no text is a panic.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// seconds is an instant as Prometheus counts it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
