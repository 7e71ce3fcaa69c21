package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/plan"

	"github.com/layerd/layerd/internal/store"
)

// memory has the four revisions of an environment, which are never the same
// thing: what was seen, decided from, begun and finished. With it a restart
// knows whether a rollout has begun, and whoever does not hold the lease can
// say what the holder last decided. Stored: names and meanings stay.
type memory struct {
	V         int    `json:"v"`
	Observed  string `json:"observed"`
	Planned   string `json:"planned"`
	Attempted string `json:"attempted"`
	Applied   string `json:"applied"`
	Decision  string `json:"decision"` // a line for a person
	// Since is when the decision was first what it is.
	Since time.Time `json:"since"`
	// InvalidSince is when what Git asks for was first found wrong; zero = it
	// is not.
	InvalidSince time.Time `json:"invalid_since,omitzero"`

	revision store.Revision
}

func (d *Daemon) memoryKey(environment string) string {
	return store.Key("revisions", d.Repository, environment)
}

// recall gives what is remembered of an environment.
func (d *Daemon) recall(ctx context.Context, environment string) (memory, error) {
	var m memory
	revision, err := d.readDoc(ctx, d.memoryKey(environment), &m)
	if err != nil {
		return m, fmt.Errorf("read the revisions of %s: %w", environment, err)
	}
	m.revision = revision
	d.keep(environment, m)
	return m, nil
}

func (d *Daemon) keep(environment string, m memory) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.memory[environment]; old == nil || old.Attempted != m.Attempted || old.Applied != m.Applied {
		d.wanted = nil // whether a rollout has begun may be another answer now
	}
	d.memory[environment] = &m
}

// note lets change alter what is remembered of an environment, and writes it
// when it is something else.
func (d *Daemon) note(ctx context.Context, environment string, change func(*memory)) error {
	d.mu.Lock()
	known := d.memory[environment]
	d.mu.Unlock()
	if known == nil {
		m, err := d.recall(ctx, environment)
		if err != nil {
			return err
		}
		known = &m
	}
	m := *known
	change(&m)
	if m == *known {
		return nil
	}
	if m.Decision != known.Decision {
		m.Since = time.Now().UTC().Round(0)
	}
	m.V = docVersion
	if err := d.writeDoc(ctx, d.memoryKey(environment), m.revision, m); err != nil {
		// Ours is the lease: nobody else writes it. Read it anew next time.
		d.mu.Lock()
		delete(d.memory, environment)
		d.mu.Unlock()
		return fmt.Errorf("keep the revisions of %s: %w", environment, err)
	}
	_, err := d.recall(ctx, environment)
	return err
}

// decision says in one line what a plan amounts to.
func decision(p plan.Plan) string {
	var steps, held, failed, drift, blocked int
	for _, r := range p.Regions {
		if r.Failure != nil {
			return "not decided: " + r.Failure.Message
		}
		drift += len(r.Drift)
		blocked += len(r.Blocked)
		for _, s := range r.Steps {
			steps++
			switch {
			case s.Held != nil:
				held++
			case s.Result != nil && s.Result.Status == plan.StatusFailed:
				failed++
			}
		}
	}
	if steps+drift+blocked == 0 {
		return "in sync"
	}
	return fmt.Sprintf("%d steps, of which %d held and %d failed; %d drifted, %d blocked", steps, held, failed, drift, blocked)
}

// changes says whether the plan is about to start something that Git asked for,
// and whether anything of that is left undone after it was carried out.
func changes(p plan.Plan) (begins, left bool) {
	for _, r := range p.Regions {
		left = left || r.Failure != nil || len(r.Problems) > 0
		for _, s := range r.Steps {
			if s.Cause != plan.CauseChange {
				continue
			}
			begins = begins || s.Held == nil
			left = left || !s.Done()
		}
	}
	return begins, left
}
