package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/store"
)

// revisions are the four revisions of an environment, which are never the same
// thing: what was seen, decided from, begun and finished. With them a
// restarted daemon knows whether a rollout has begun, and a standby shows what
// the holder last decided. Stored: names and meanings stay.
type revisions struct {
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

func (d *Daemon) revisionsKey(environment string) string {
	return store.Key("revisions", d.Repository, environment)
}

func (d *Daemon) revisionsDocs() store.Documents[revisions] {
	return store.Documents[revisions]{Store: d.Store, Version: docVersion}
}

// loadRevisions reads the revisions of an environment from the store.
func (d *Daemon) loadRevisions(ctx context.Context, environment string) (revisions, error) {
	m, v, err := d.revisionsDocs().Get(ctx, d.revisionsKey(environment))
	if err != nil {
		return m, fmt.Errorf("read the revisions of %s: %w", environment, err)
	}
	m.revision = v.Revision
	d.cacheRevisions(environment, m)
	return m, nil
}

func (d *Daemon) cacheRevisions(environment string, m revisions) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.revisions[environment]; old == nil || old.Attempted != m.Attempted || old.Applied != m.Applied {
		d.view = nil // whether a rollout has begun may be another answer now
	}
	d.revisions[environment] = &m
}

// updateRevisions has change alter the revisions of an environment, and writes
// them when they differ.
func (d *Daemon) updateRevisions(ctx context.Context, environment string, change func(*revisions)) error {
	d.mu.Lock()
	known := d.revisions[environment]
	d.mu.Unlock()
	if known == nil {
		m, err := d.loadRevisions(ctx, environment)
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
	revision, err := d.revisionsDocs().Write(ctx, d.revisionsKey(environment), m.revision, &m)
	if err != nil {
		// Ours is the lease: nobody else writes it. Read it anew next time.
		d.mu.Lock()
		delete(d.revisions, environment)
		d.mu.Unlock()
		return fmt.Errorf("keep the revisions of %s: %w", environment, err)
	}
	m.revision = revision
	d.cacheRevisions(environment, m)
	return nil
}

// summaryLine returns in one line what a plan amounts to.
func summaryLine(p plan.Plan) string {
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

// changeProgress reports whether the plan is about to start something that Git
// asked for, and whether anything of that is left undone after it was carried
// out.
func changeProgress(p plan.Plan) (begins, left bool) {
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
