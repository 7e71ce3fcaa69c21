package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges is the collector of what Status has.
type gauges struct{ of *Metrics }

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("layerd_"+name, help, labels, nil)
}

// descriptions of the gauges, by their field.
func descriptions() map[string]*prometheus.Desc {
	return map[string]*prometheus.Desc{
		"ready":    described("ready", "Whether /readyz is green."),
		"store":    described("store_up", "Whether the store works."),
		"gitRead":  described("git_last_success_timestamp_seconds", "When the branch was last read."),
		"commit":   described("git_commit_timestamp_seconds", "Of when the newest commit of the branch is."),
		"waiting":  described("notify_waiting", "Messages that a target has not taken yet."),
		"held":     described("lease_held", "Whether this daemon acts on the account.", "account"),
		"epoch":    described("lease_epoch", "The fencing number of the lease that this daemon has.", "account"),
		"problems": described("problems", "What a person has to mend, by its code: what Git asks for, targets, secrets; env is empty for what is of no environment.", "env", "code", "severity"),
		"success":  described("reconcile_last_success_timestamp_seconds", "When AWS was last read and decided on completely.", "env"),
		"steps":    described("held_steps", "Steps that wait, by who holds them first.", "env", "by"),
		"pending":  described("oldest_pending_seconds", "How long the oldest step has been waiting, prunes left out; 0 when none does.", "env"),
		"drift":    described("drift_items", "What was changed by others, by its kind.", "env", "kind"),
		"blocked":  described("blocked_functions", "Functions that cannot be changed.", "env"),
		"approval": described("approval_pending", "Whether steps wait for an approval.", "env"),
		"open":     described("window_open", "Whether a change may start now.", "env"),
		"turns":    described("window_next_transition_timestamp_seconds", "When the change window opens or closes next, if it does within 400 days.", "env"),
		"nextOpen": described("window_next_open_timestamp_seconds", "When the change window opens next, while it is closed.", "env"),
		"has":      described("layer_functions", "Functions whose $LATEST has a version of a layer.", "env", "layer", "version"),
		"layer":    described("layer_info", "Always 1; what is wanted of a layer and what functions have that are to change.", "env", "layer", "sync_status", "desired", "live"),
	}
}

// Describe implements prometheus.Collector.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descriptions() {
		ch <- d
	}
}

// sink sends values of the gauges.
type sink struct {
	ch    chan<- prometheus.Metric
	descs map[string]*prometheus.Desc
}

func (s sink) set(name string, value float64, labels ...string) {
	for i, l := range labels {
		labels[i] = text(l)
	}
	s.ch <- prometheus.MustNewConstMetric(s.descs[name], prometheus.GaugeValue, value, labels...)
}

func (s sink) flag(name string, yes bool, labels ...string) {
	value := 0.0
	if yes {
		value = 1
	}
	s.set(name, value, labels...)
}

// at sends an instant, unless it is not known.
func (s sink) at(name string, t time.Time, labels ...string) {
	if !t.IsZero() {
		s.set(name, seconds(t), labels...)
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	g.of.mu.Lock()
	known := g.of.status != nil
	g.of.mu.Unlock()
	if !known {
		return
	}
	now, s := g.of.now(), sink{ch, descriptions()}
	s.flag("ready", now.Ready)
	s.flag("store", now.Store)
	s.at("gitRead", now.GitReadAt)
	s.at("commit", now.CommitAt)
	s.set("waiting", float64(now.Waiting))
	for _, a := range now.Accounts {
		s.flag("held", a.Held, a.ID)
		if a.Held {
			s.set("epoch", float64(a.Epoch), a.ID)
		}
	}
	for _, p := range now.Problems {
		s.set("problems", float64(p.Count), p.Environment, p.Code, p.Severity)
	}
	for _, e := range now.Environments {
		s.environment(e)
	}
}

func (s sink) environment(e Environment) {
	s.flag("open", e.Open, e.Name)
	s.at("turns", e.Turns, e.Name)
	s.at("nextOpen", e.NextOpen, e.Name)
	s.at("success", e.LastSuccess, e.Name)
	if e.Figures == nil {
		return
	}
	for by, n := range e.Held {
		s.set("steps", float64(n), e.Name, by)
	}
	pending := time.Duration(0)
	if !e.PendingSince.IsZero() {
		pending = max(0, time.Since(e.PendingSince))
	}
	s.set("pending", pending.Seconds(), e.Name)
	for kind, n := range e.Drift {
		s.set("drift", float64(n), e.Name, kind)
	}
	s.set("blocked", float64(e.Blocked), e.Name)
	s.flag("approval", e.Approval, e.Name)
	for v, n := range e.Functions {
		s.set("has", float64(n), e.Name, v.Layer, v.Version)
	}
	for _, l := range e.Layers {
		s.set("layer", 1, e.Name, l.Name, l.Status, l.Desired, l.Live)
	}
}
