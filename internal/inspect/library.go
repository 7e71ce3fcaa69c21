package inspect

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/state"
)

// Library knows what is in layer versions, and reads what it does not know.
type Library struct {
	Memory *Memory
	// Read returns what is in a layer version.
	Read func(ctx context.Context, v state.LayerVersionARN) (Contents, error)
	// Progress is called after each that was read; nil = by nobody.
	Progress func(done, of int)
}

// Shelf is what a Library found.
type Shelf struct {
	Contents map[state.LayerVersionARN]Contents
	Unread   map[state.LayerVersionARN]string // why
	Fetched  int                              // of Contents, how many were read now
}

// readers is how many archives are read at once: the limiter decides the pace, this only
// hides latency.
const readers = 4

// Open returns what is in layer versions. Of one that is refused it returns why; an error
// means that AWS is out of reach, or lets nothing through, and that the rest was not tried.
func (l Library) Open(ctx context.Context, versions []state.LayerVersionARN) (Shelf, error) {
	s := Shelf{Contents: map[state.LayerVersionARN]Contents{}, Unread: map[state.LayerVersionARN]string{}}
	var missing []state.LayerVersionARN
	for _, v := range versions {
		if c, ok := l.Memory.Get(ctx, v); ok {
			s.Contents[v] = c
		} else {
			missing = append(missing, v)
		}
	}
	var mu sync.Mutex // guards s
	done := 0
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, v := range missing {
		g.Go(func() error {
			if gctx.Err() != nil {
				return gctx.Err()
			}
			c, err := l.Read(gctx, v)
			if err == nil {
				l.Memory.Put(ctx, v, c)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				s.Contents[v] = c
				s.Fetched++
			} else if gctx.Err() == nil { // else it was cut off by the one that could not be read
				s.Unread[v] = err.Error()
			}
			if done++; l.Progress != nil {
				l.Progress(done, len(missing))
			}
			return lasting(err)
		})
	}
	err := g.Wait()
	for _, v := range missing {
		if _, ok := s.Contents[v]; !ok && s.Unread[v] == "" {
			s.Unread[v] = "it was not read, since another could not be"
		}
	}
	return s, err
}

// lasting returns an error that would meet every other call as well, and nil for one that
// is about this layer version.
func lasting(err error) error {
	switch state.KindOf(err) {
	case state.Again, state.Stopped, state.Barred:
		return err
	}
	if state.Elsewhere(err) != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
