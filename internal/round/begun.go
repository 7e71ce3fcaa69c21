package round

import (
	"context"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// beside is what a round that holds no lease knows of a layerd that may be at work
// meanwhile. AWS is observed between two looks at the store, or what that layerd
// does in between would look like somebody else's.
type beside struct {
	since history.Cursor
	pasts map[[2]string]plan.Past                 // by environment and Region, as they were before AWS was observed
	begun map[[2]string]map[string][]state.Layers // by the same and function: the lists that it left or was about to
}

// lookBefore reads the past before AWS is observed: whatever is newer in AWS was begun
// after it, or before it and not ended.
func (p *Run) lookBefore(ctx context.Context) error {
	b := &beside{pasts: map[[2]string]plan.Past{}, begun: map[[2]string]map[string][]state.Layers{}}
	var err error
	if b.since, err = p.log.Now(ctx); err != nil {
		return fmt.Errorf("read how far the history goes: %w", err)
	}
	for _, env := range p.chosen {
		for _, e := range env {
			past, err := p.log.Past(ctx, e.Name, e.Region)
			if err != nil {
				continue // it is read again, and is that environment's failure
			}
			b.pasts[placeName(e)] = past
		}
	}
	p.beside = b
	return nil
}

// lookAgain reads what was begun by the time that AWS has been observed.
func (p *Run) lookAgain(ctx context.Context) error {
	b := p.beside
	open, err := p.log.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("read what is under way: %w", err)
	}
	b.note(open)
	for {
		ended, next, err := p.log.CompletedSince(ctx, b.since)
		if err != nil {
			return fmt.Errorf("read what has ended meanwhile: %w", err)
		}
		if len(ended) == 0 {
			break
		}
		b.note(ended)
		b.since = next
	}
	p.setUnfinished(open)
	return nil
}

// note adds what entries left on their functions, or were about to.
func (b *beside) note(entries []history.Entry) {
	for _, e := range entries {
		if e.Function == "" || e.Status == plan.StatusSkipped {
			continue
		}
		at := [2]string{e.Environment, e.Region}
		if b.begun[at] == nil {
			b.begun[at] = map[string][]state.Layers{}
		}
		for _, list := range [][]state.LayerVersionARN{e.After, e.Found} {
			if list != nil {
				b.begun[at][e.Function] = append(b.begun[at][e.Function], list)
			}
		}
	}
}

// begunIn returns what another layerd has begun in an environment's Region; nil =
// nothing, or none can be at work.
func (p *Run) begunIn(e desired.Environment) map[string][]state.Layers {
	if p.beside == nil {
		return nil
	}
	return p.beside.begun[placeName(e)]
}

func placeName(e desired.Environment) [2]string { return [2]string{e.Name, e.Region} }

// setUnfinished keeps those records without an end that are of the round's environments.
func (p *Run) setUnfinished(open []history.Entry) {
	p.result.Unfinished = slices.DeleteFunc(open, func(e history.Entry) bool { return !p.has(e.Environment) })
	p.result.Interrupted = len(p.result.Unfinished)
}
