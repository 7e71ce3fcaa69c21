package daemon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/words"
)

// Health is the state of the daemon.
type Health struct {
	// Alive is true while its loops run. Nothing else may restart it: a restart
	// mends neither Git nor AWS.
	Alive bool `json:"alive"`
	// Ready is true while it follows all that it should.
	Ready bool `json:"ready"`
	// Reasons are why it is not ready, sorted; never null.
	Reasons []string `json:"reasons"`
	// Accounts are the accounts and who holds them, sorted; never null.
	Accounts []AccountHealth `json:"accounts"`
}

// AccountHealth is one account as this daemon sees it.
type AccountHealth struct {
	Account string `json:"account"`
	Holding bool   `json:"holding"` // this daemon has its lease
	// Environments are those of the account, sorted; never null.
	Environments []EnvironmentHealth `json:"environments"`
}

// EnvironmentHealth is one environment. Ages are in seconds; -1 = never.
type EnvironmentHealth struct {
	Environment string `json:"environment"`
	// Decision is the last one that was made, by whoever had the lease, and
	// Since how long it has been the same.
	Decision  string  `json:"decision"`
	Since     float64 `json:"since_seconds"`
	LookedAt  float64 `json:"looked_seconds"` // since AWS was last read completely, by this daemon
	Observed  string  `json:"observed"`
	Planned   string  `json:"planned"`
	Attempted string  `json:"attempted"`
	Applied   string  `json:"applied"`
}

// Health returns the state of the daemon right now. It asks neither the store nor
// AWS.
func (d *Daemon) Health() Health {
	h := Health{Alive: true, Reasons: []string{}, Accounts: []AccountHealth{}}
	w, targets := d.desired(), d.book.Targets()
	d.mu.Lock()
	defer d.mu.Unlock()
	reason := func(format string, args ...any) { h.Reasons = append(h.Reasons, fmt.Sprintf(format, args...)) }
	if d.started.IsZero() {
		reason("not started")
	} else if why := d.head.staleReason(); why != "" {
		reason("%s, since %s", why, stamp(later(d.head.readAt, d.head.triedSince)))
	}
	if d.head.unread {
		reason("the newest commit %s is still being read", words.Commit(d.head.commit.Hash))
	}
	if d.storeError != "" {
		reason("the store does not work: %s", d.storeError)
	}
	if len(w.accounts()) == 0 && d.head.commit.Hash != "" {
		reason("the repository has no environment that could be followed")
	}
	for _, id := range w.accounts() {
		a := d.accounts[id]
		if a == nil {
			reason("account %s is about to be looked after", id)
			continue
		}
		view, alive := a.health(d, reason)
		h.Alive = h.Alive && alive
		h.Accounts = append(h.Accounts, view)
	}
	h.Reasons = append(h.Reasons, d.reasons(w, targets)...)
	slices.Sort(h.Reasons)
	h.Ready = h.Alive && len(h.Reasons) == 0
	return h
}

// health needs the daemon's mu.
func (a *account) health(d *Daemon, reason func(string, ...any)) (view AccountHealth, alive bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	view = AccountHealth{Account: a.id, Holding: a.holding, Environments: []EnvironmentHealth{}}
	// A loop waits for the store at most a third of a term, and sleeps at most
	// a tick.
	alive = time.Since(a.loopedAt) < d.keeper.Term()+2*tick
	if !alive {
		reason("the loop of account %s stands still since %s", a.id, age(a.loopedAt))
	}
	if alive && !a.holding && !a.elsewhere {
		reason("nobody is known to look after account %s since %s", a.id, stamp(a.alone))
	}
	for name, x := range a.envs {
		e := EnvironmentHealth{Environment: name, Since: -1, LookedAt: -1}
		if m := d.revisions[name]; m != nil {
			e.Decision, e.Observed, e.Planned, e.Attempted, e.Applied = m.Decision, m.Observed, m.Planned, m.Attempted, m.Applied
			if !m.Since.IsZero() {
				e.Since = time.Since(m.Since).Round(time.Second).Seconds()
			}
		}
		if !x.look.at.IsZero() {
			e.LookedAt = time.Since(x.look.at).Round(time.Second).Seconds()
		}
		view.Environments = append(view.Environments, e)
		if !a.holding {
			continue
		}
		if overdue := time.Since(x.progressAt) - 3*d.Interval; overdue > 0 && !x.progressAt.IsZero() {
			reason("the round of %s is overdue since %s", name, overdue.Round(time.Second))
		}
		if why := x.look.reason(name, d.Interval); why != "" {
			reason("%s", why)
		}
	}
	slices.SortFunc(view.Environments, func(x, y EnvironmentHealth) int {
		if x.Environment < y.Environment {
			return -1
		}
		return 1
	})
	return view, alive
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func age(t time.Time) time.Duration { return time.Since(t).Round(time.Second) }

// Handler serves /healthz and /readyz, each with Health as JSON and 200, or 503
// when it is not alive or not ready, /metrics, and StatusPath.
func (d *Daemon) Handler() http.Handler {
	mux := http.NewServeMux()
	answer := func(good func(Health) bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			h := d.Health()
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			if !good(h) {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			// The client may have left; nobody can be told of the error.
			_ = json.NewEncoder(foreign.JSONLog(w)).Encode(h)
		}
	}
	mux.HandleFunc("GET /healthz", answer(func(h Health) bool { return h.Alive }))
	mux.HandleFunc("GET /readyz", answer(func(h Health) bool { return h.Ready }))
	mux.Handle("GET /metrics", d.Metrics.Handler())
	mux.HandleFunc("GET "+StatusPath, d.serveStatus)
	return mux
}
