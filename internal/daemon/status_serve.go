package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/words"
)

// StatusPath is where a daemon serves the status of its repository.
const StatusPath = "/api/v1/status"

const (
	// statusAge is how old what is served may be: whoever asks, and however often, the
	// store is read once in that time.
	statusAge = 5 * time.Second
	// statusTimeout bounds that reading, below answerTimeout.
	statusTimeout = 8 * time.Second
)

// StatusError is what is served where there is no status.
type StatusError struct {
	Error string `json:"error"`
	// Environments are those that there are, where an unknown one was asked for.
	Environments []string `json:"environments,omitempty"`
}

// statusFacts is what the store had lately.
type statusFacts struct {
	mu      sync.Mutex    // guards the rest; never held over a call to the store
	reading chan struct{} // closed when the reading under way has ended; nil = none is
	at      time.Time     // when it was read last; zero = never
	facts   present.StatusFacts
	err     error
}

// statusNow returns what the store knows of the repository. The caller must not change
// the facts. However many ask, one reads, and whoever waits for a store that hangs does
// so no longer than statusTimeout: the connections are needed for health checks.
func (d *Daemon) statusNow(ctx context.Context) (present.StatusFacts, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	s := &d.status
	s.mu.Lock()
	if s.at.IsZero() || time.Since(s.at) >= statusAge {
		if s.reading == nil {
			s.reading = make(chan struct{})
			go d.refreshStatus(s.reading)
		}
		reading := s.reading
		s.mu.Unlock()
		select {
		case <-reading:
		case <-ctx.Done():
			return present.StatusFacts{}, fmt.Errorf("the store does not answer within %s", statusTimeout)
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	return s.facts, s.err
}

// refreshStatus reads the store for all who wait for reading.
func (d *Daemon) refreshStatus(reading chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	facts, err := d.readStatus(ctx)
	s := &d.status
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts, s.err, s.at, s.reading = facts, err, time.Now(), nil
	close(reading)
}

func (d *Daemon) readStatus(ctx context.Context) (present.StatusFacts, error) {
	g := StatusReader{Store: d.Store, Repository: d.Repository, Tree: d.desired().tree, Now: time.Now()}
	var err error
	if g.Chosen, err = g.All(ctx); err != nil {
		return present.StatusFacts{}, fmt.Errorf("read the store: %w", err)
	}
	f, err := g.Facts(ctx)
	if err != nil {
		return f, fmt.Errorf("read the store: %w", err)
	}
	f.Zone = g.Tree.Zone(nil)
	f.Command = d.command
	return f, nil
}

// command returns a command that a person can paste.
func (d *Daemon) command(parts ...string) string {
	return strings.TrimSpace(words.Command(parts...) + " " + d.Suffix)
}

// serveStatus serves the present.Status as JSON, of the environments that the query
// names with env, else of all; 400 where one is unknown, 503 where the store does not
// answer. It asks AWS nothing and changes nothing.
func (d *Daemon) serveStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	// The client may have left; nobody can be told of an error of writing.
	answer := json.NewEncoder(foreign.JSONLog(w))
	facts, err := d.statusNow(r.Context())
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = answer.Encode(StatusError{Error: err.Error()})
		return
	}
	chosen := r.URL.Query()["env"]
	var names []string
	for _, e := range facts.Environments {
		names = append(names, e.Name)
	}
	for _, env := range chosen {
		if !slices.Contains(names, env) {
			w.WriteHeader(http.StatusBadRequest)
			_ = answer.Encode(StatusError{Error: fmt.Sprintf("no environment %q of %s", env, d.Repository), Environments: names})
			return
		}
	}
	if len(chosen) > 0 {
		facts.Environments = slices.DeleteFunc(slices.Clone(facts.Environments), func(e present.EnvironmentFacts) bool { return !slices.Contains(chosen, e.Name) })
	}
	_ = answer.Encode(present.StatusOf(facts))
}
