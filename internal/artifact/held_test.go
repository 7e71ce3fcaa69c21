package artifact_test

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/apply/applytest"
	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// unrecorded is a history that takes all and keeps nothing.
type unrecorded struct{}

func (unrecorded) Begin(context.Context, apply.Intent) (string, error) { return "1", nil }
func (unrecorded) Finish(context.Context, string, apply.Outcome) error { return nil }

// Archives of the repository are in memory one at a time, until AWS has them and not only
// until they are read, however many accounts publish at once and however that ends.
func TestOneArchiveIsHeldUntilItIsSent(t *testing.T) {
	refused := &state.Error{Op: "PublishLayerVersion", Kind: state.Human, Message: "refused"}
	lost := &state.Error{Op: "PublishLayerVersion", Kind: state.Unsure, Message: "lost"}
	for name, answer := range map[string]error{"sent": nil, "refused": refused, "its answer is lost": lost} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := inRepository(layerFiles(), nil)
				found, err := r.Look(t.Context(), prod, inFolder)
				if err != nil || found.Code != "" {
					t.Fatalf("%+v, %v", found, err)
				}
				var held, most atomic.Int32
				var wg sync.WaitGroup
				began := time.Now()
				var sent [3]time.Duration
				for i := range sent {
					layer := state.NewLayerARN("aws", region, accountID, "common")
					w := applytest.New(nil)
					w.Hook = func(op, _ string) (bool, error) {
						if op != "PublishLayer" {
							return true, nil
						}
						most.Store(max(most.Load(), held.Add(1)))
						time.Sleep(40 * time.Second)
						held.Add(-1)
						sent[i] = time.Since(began)
						return answer == nil, answer
					}
					step := plan.Step{
						ID: "publish", Kind: plan.KindPublish, Layer: "common", LayerARN: layer, To: layer.Unpublished(found.SHA256), ToVersion: "1.4.2",
						Publishing: &plan.Publishing{Artifact: inFolder, Content: found, Description: "common"},
					}
					open := func(ctx context.Context, p plan.Publishing) (apply.Source, error) {
						return r.Open(ctx, prod, p.Artifact, p.Content)
					}
					wg.Go(func() {
						_, _ = apply.Run(t.Context(), plan.Region{Steps: []plan.Step{step}}, w, unrecorded{}, apply.Options{Open: open})
					})
				}
				wg.Wait()
				if most.Load() != 1 {
					t.Errorf("%d archives were being sent at once", most.Load())
				}
				// The next one waits for the sending, and not for what is looked for afterwards.
				if last := max(sent[0], sent[1], sent[2]); last != 2*time.Minute {
					t.Errorf("the last one was sent after %s", last)
				}
			})
		})
	}
}

// While an archive is held, what needs no room for another one goes on: objects of S3, and
// what is remembered. Whatever ends Open with nothing to be sent holds nothing.
func TestWhatWaitsForAnArchiveThatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := inFolder
		other.Location = "layers/other"
		r := inRepository(layerFiles(), nil)
		found, err := r.Look(t.Context(), prod, inFolder)
		if err != nil {
			t.Fatal(err)
		}
		src, err := r.Open(t.Context(), prod, inFolder, found)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := r.Look(t.Context(), prod, inFolder); err != nil || again != found {
			t.Errorf("what is remembered: %+v, %v", again, err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := r.Look(short, prod, other); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another one is read while one is held: %v", err)
		}
		src.Close()
		src.Close() // a second time ends nobody else's turn
		for range 3 {
			if _, err := r.Look(t.Context(), prod, other); err != nil {
				t.Error(err)
			}
			if _, err := r.Open(t.Context(), prod, inFolder, state.Content{SHA256: "another"}); state.KindOf(err) != state.LookAgain {
				t.Errorf("another one than was found: %v", err)
			}
			missing := inFolder
			missing.Location = "layers/none"
			if _, err := r.Open(t.Context(), prod, missing, found); err == nil {
				t.Error("what is not there is opened")
			}
		}
	})
}

// A repository that panics keeps nobody else from being read.
func TestAPanicHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := artifact.New(artifact.Options{Files: func(context.Context, string, string) (fs.FS, error) {
			if calls++; calls == 1 {
				panic("of the repository")
			}
			return layerFiles(), nil
		}})
		func() {
			defer func() { _ = recover() }()
			_, _ = r.Open(t.Context(), prod, inFolder, state.Content{})
		}()
		if found, err := r.Look(t.Context(), prod, inFolder); err != nil || found.Code != "" {
			t.Errorf("%+v, %v", found, err)
		}
	})
}
