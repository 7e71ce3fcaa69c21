package apply_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/apply/applytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

var (
	archive    = []byte("the zip of 1.4.2")
	archiveSum = sumOf(archive)
)

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func stamped(version, sum string) string {
	return "common v" + version + " sha256:" + sum[:12] + " git:c0ffee1"
}

// publish makes version of common from an archive.
func publish(version, sum string) plan.Step {
	return plan.Step{
		ID: "publish/makoto-common/" + version, Kind: plan.KindPublish, Layer: "makoto-common", LayerARN: common, To: common.Unpublished(sum),
		ToVersion: version, Cause: plan.CauseChange,
		Publishing: &plan.Publishing{
			Artifact: state.Artifact{Location: "layers/common/dist.zip", Layer: "makoto-common", Version: version},
			Content:  state.Content{SHA256: sum}, Description: stamped(version, sum),
		},
	}
}

func opening(zip []byte) func(context.Context, plan.Publishing) (apply.Source, error) {
	return func(context.Context, plan.Publishing) (apply.Source, error) { return apply.Source{Zip: zip}, nil }
}

// unlist keeps versions of common out of the list.
func unlist(w *applytest.World, numbers ...int64) {
	w.Unlisted = map[state.LayerVersionARN]bool{}
	for _, n := range numbers {
		w.Unlisted[common.Version(n)] = true
	}
}

func TestPublish(t *testing.T) {
	kind := func(k state.Kind) error { return &state.Error{Op: "PublishLayerVersion", Kind: k, Message: k.String()} }
	open := opening(archive)
	for _, tt := range []struct {
		name   string
		world  func(w *applytest.World)
		open   func(context.Context, plan.Publishing) (apply.Source, error)
		begin  error
		status plan.Status
		text   string
		number int64 // that is told; 0 = none
		sent   int
		live   int // versions at the end
		open2  int // records without an end
		lines  int // of the record
	}{
		{name: "not there", status: plan.StatusApplied, number: 1, sent: 1, live: 1, lines: 2},
		{
			name:   "there already",
			world:  func(w *applytest.World) { w.PutLayer(common, stamped("1.4.2", archiveSum), archiveSum) },
			status: plan.StatusSkipped, number: 1, live: 1,
		},
		{
			name: "there already, among others",
			world: func(w *applytest.World) {
				w.PutLayer(common, stamped("1.4.1", archiveSum), archiveSum)
				w.PutLayer(common, stamped("1.4.2", archiveSum), archiveSum)
				w.PutLayer(common, stamped("1.4.3", sumOf(nil)), sumOf(nil))
			},
			status: plan.StatusSkipped, number: 2, live: 3,
		},
		{
			name:   "there with other content",
			world:  func(w *applytest.World) { w.PutLayer(common, stamped("1.4.2", sumOf(nil)), sumOf(nil)) },
			status: plan.StatusFailed, text: "artifact_changed: makoto-common 1.4.2 is published with other content, as version 1", live: 1,
		},
		{
			name:   "there with our stamp and other content",
			world:  func(w *applytest.World) { w.PutLayer(common, stamped("1.4.2", archiveSum), sumOf(nil)) },
			status: plan.StatusFailed, text: "artifact_changed", live: 1,
		},
		{
			name:   "the same bytes under another version are another version",
			world:  func(w *applytest.World) { w.PutLayer(common, stamped("1.4.1", archiveSum), archiveSum) },
			status: plan.StatusApplied, number: 2, sent: 1, live: 2, lines: 2,
		},
		{
			name:   "another layer's is none",
			world:  func(w *applytest.World) { w.PutLayer(extra, stamped("1.4.2", archiveSum), archiveSum) },
			status: plan.StatusApplied, number: 1, sent: 1, live: 1, lines: 2,
		},
		{
			name: "a version that was deleted while it was looked at",
			world: func(w *applytest.World) {
				w.PutLayer(common, stamped("1.4.2", archiveSum), archiveSum)
				w.Hook = once("LayerVersion", false, &state.Error{Op: "GetLayerVersion", Kind: state.Gone})
			},
			status: plan.StatusApplied, number: 2, sent: 1, live: 2, lines: 2,
		},
		{
			name:   "there already, and the list lacks it",
			world:  func(w *applytest.World) { unlist(w, w.PutLayer(common, stamped("1.4.2", archiveSum), archiveSum)) },
			status: plan.StatusSkipped, number: 1, live: 1,
		},
		{
			name: "there already, and the list lacks it and the one before",
			world: func(w *applytest.World) {
				w.PutLayer(common, stamped("1.4.0", archiveSum), archiveSum)
				unlist(w, w.PutLayer(common, stamped("1.4.1", sumOf(nil)), sumOf(nil)), w.PutLayer(common, stamped("1.4.2", archiveSum), archiveSum))
			},
			status: plan.StatusSkipped, number: 3, live: 3,
		},
		{
			name:   "there with other content, and the list lacks it",
			world:  func(w *applytest.World) { unlist(w, w.PutLayer(common, stamped("1.4.2", sumOf(nil)), sumOf(nil))) },
			status: plan.StatusFailed, text: "artifact_changed: makoto-common 1.4.2 is published with other content, as version 1", live: 1,
		},
		{
			name:   "what the list may lack cannot be read",
			world:  func(w *applytest.World) { w.Hook = once("LayerVersion", false, kind(state.Human)) },
			status: plan.StatusFailed, text: "not known whether it is there",
		},
		{
			name:   "the list cannot be read",
			world:  func(w *applytest.World) { w.Hook = once("LayerVersions", false, kind(state.Human)) },
			status: plan.StatusFailed, text: "not known whether it is there",
		},
		{
			name: "the content cannot be read",
			world: func(w *applytest.World) {
				w.PutLayer(common, stamped("1.4.2", archiveSum), archiveSum)
				w.Hook = once("LayerVersion", false, kind(state.Again))
			},
			status: plan.StatusFailed, text: "not known whether it is there", live: 1,
		},
		{
			name:   "the answer is lost, and it was done",
			world:  func(w *applytest.World) { w.Hook = once("PublishLayer", true, kind(state.Unsure)) },
			status: plan.StatusApplied, number: 1, sent: 1, live: 1, lines: 2,
		},
		{
			name: "the answer is lost, and it shows late",
			world: func(w *applytest.World) {
				w.Hook = once("PublishLayer", false, kind(state.Unsure))
				time.AfterFunc(20*time.Second, func() { w.PutLayer(common, stamped("1.4.2", archiveSum), archiveSum) })
			},
			status: plan.StatusApplied, number: 1, sent: 1, live: 1, lines: 2,
		},
		{
			name:   "the answer is lost, and it was not done",
			world:  func(w *applytest.World) { w.Hook = once("PublishLayer", false, kind(state.Unsure)) },
			status: plan.StatusFailed, text: "it may have happened", sent: 1, open2: 1, lines: 1,
		},
		{
			name:   "refused",
			world:  func(w *applytest.World) { w.Hook = once("PublishLayer", false, kind(state.Human)) },
			status: plan.StatusFailed, text: "refused", sent: 1, lines: 2,
		},
		{
			name:   "throttled for good",
			world:  func(w *applytest.World) { w.Hook = once("PublishLayer", false, kind(state.Again)) },
			status: plan.StatusFailed, text: "try again", sent: 1, lines: 2,
		},
		{
			name: "the archive cannot be opened",
			open: func(context.Context, plan.Publishing) (apply.Source, error) {
				return apply.Source{}, errors.New("the bucket is away")
			},
			status: plan.StatusFailed, text: "not published: the bucket is away",
		},
		{
			name: "there is no archive",
			open: func(context.Context, plan.Publishing) (apply.Source, error) {
				return apply.Source{Bucket: "b"}, nil
			},
			status: plan.StatusFailed, text: "there is no archive",
		},
		{
			name: "the archive is another one by now", open: opening([]byte("another")),
			status: plan.StatusFailed, text: "artifact_changed",
		},
		{
			name: "Lambda found another object than was looked at",
			open: func(context.Context, plan.Publishing) (apply.Source, error) {
				return apply.Source{Bucket: "b", Key: "k"}, nil
			},
			status: plan.StatusFailed, text: "AWS has other content than was decided about: version 1", number: 1, sent: 1, live: 1, lines: 2,
		},
		{
			name: "another content was first", begin: &apply.RefusedError{Reason: "artifact_changed: of prod"},
			status: plan.StatusFailed, text: "of prod",
		},
		{
			name: "the intent cannot be recorded", begin: errors.New("disk full"),
			status: plan.StatusFailed, text: "nothing was changed: record the intent: disk full",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := applytest.New(map[string][]state.LayerVersionARN{})
				if tt.world != nil {
					tt.world(w)
				}
				rec := &notebook{}
				if tt.begin != nil {
					rec.begin = func(apply.Intent) error { return tt.begin }
				}
				if tt.open == nil {
					tt.open = open
				}
				planned := &plan.Region{Steps: []plan.Step{publish("1.4.2", archiveSum)}}
				_ = carryOut(t.Context(), planned, w, rec, apply.Options{Open: tt.open})
				res := planned.Steps[0].Result
				if res.Status != tt.status || !strings.Contains(res.Error, tt.text) || tt.text == "" && res.Error != "" {
					t.Errorf("%s: %s", res.Status, res.Error)
				}
				if res.Published.Number() != tt.number {
					t.Errorf("published %q", res.Published)
				}
				if sent := len(w.Calls("PublishLayer")); sent != tt.sent {
					t.Errorf("sent %d times", sent)
				}
				if live := len(w.LiveLayers(common)); live != tt.live {
					t.Errorf("%d versions are live", live)
				}
				if len(rec.open) != tt.open2 || len(rec.lines) != tt.lines {
					t.Errorf("%d records are open, and the notebook has %q", len(rec.open), rec.lines)
				}
				// What comes after finds it, and writes nothing.
				w.Hook = nil
				if tt.status != plan.StatusApplied {
					return
				}
				before := len(w.Calls("PublishLayer"))
				again := &plan.Region{Steps: []plan.Step{publish("1.4.2", archiveSum)}}
				if err := carryOut(t.Context(), again, w, rec, apply.Options{Open: open}); err != nil {
					t.Fatal(err)
				}
				if res := again.Steps[0].Result; !again.Steps[0].Done() || res.Published.Number() != tt.number || len(w.Calls("PublishLayer")) != before {
					t.Errorf("the second run: %+v", res)
				}
			})
		})
	}
}

// Nothing is published once we are told to stop; what was sent is looked for.
func TestPublishStopped(t *testing.T) {
	for _, tt := range []struct {
		name   string
		at     string // the call at which we are told to
		do     bool   // it has its effect
		status plan.Status
		sent   int
		open   int
	}{
		{"before the look", "", false, plan.StatusSkipped, 0, 0},
		{"while it looks", "LayerVersions", true, plan.StatusSkipped, 0, 0},
		{"while it sends", "PublishLayer", true, plan.StatusApplied, 1, 0},
		{"while it sends, in vain", "PublishLayer", false, plan.StatusFailed, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := applytest.New(map[string][]state.LayerVersionARN{})
				if tt.at == "" {
					cancel()
				}
				w.Hook = func(op, _ string) (bool, error) {
					if op != tt.at {
						return true, nil
					}
					cancel()
					if op == "PublishLayer" {
						return tt.do, &state.Error{Op: op, Kind: state.Stopped}
					}
					return false, &state.Error{Op: op, Kind: state.Stopped}
				}
				rec := &notebook{}
				planned := &plan.Region{Steps: []plan.Step{publish("1.4.2", archiveSum), publish("1.4.3", archiveSum)}}
				err := carryOut(ctx, planned, w, rec, apply.Options{Open: opening(archive)})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error %v", err)
				}
				if s := planned.Steps[0].Result; s.Status != tt.status {
					t.Errorf("%s: %s", s.Status, s.Error)
				}
				if s := planned.Steps[1].Result; s.Status != plan.StatusSkipped || !s.Untried {
					t.Errorf("the other: %+v", s)
				}
				if len(w.Calls("PublishLayer")) != tt.sent || len(rec.open) != tt.open {
					t.Errorf("sent %d, open %d", len(w.Calls("PublishLayer")), len(rec.open))
				}
			})
		})
	}
}

// What is of all closes the run for the other publishes and for the functions; what is
// of one archive does not.
func TestPublishErrorsOfAll(t *testing.T) {
	for _, tt := range []struct {
		kind  state.Kind
		code  string
		bars  bool
		after plan.Status // of what comes after
	}{
		{state.Barred, "ExpiredToken", true, plan.StatusSkipped},
		{state.Human, "AccessDeniedException", false, plan.StatusApplied},
		{state.Human, "CodeStorageExceededException", false, plan.StatusApplied},
	} {
		t.Run(tt.code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := list{common.Version(9)}
				w := applytest.New(map[string][]state.LayerVersionARN{"chat": before})
				w.Hook = once("PublishLayer", false, &state.Error{Op: "PublishLayerVersion", Kind: tt.kind, Code: tt.code})
				planned := &plan.Region{Steps: []plan.Step{publish("1.4.2", archiveSum), publish("1.4.3", archiveSum), step("chat", common, 10, before)}}
				err := carryOut(t.Context(), planned, w, &notebook{}, apply.Options{Open: opening(archive)})
				if _, closed := errors.AsType[*apply.ClosedError](err); closed != tt.bars {
					t.Errorf("error %v", err)
				}
				if s := planned.Steps[0].Result; s.Status != plan.StatusFailed || s.Shared != tt.bars {
					t.Errorf("the first: %+v", s)
				}
				for _, s := range planned.Steps[1:] {
					if s.Result.Status != tt.after {
						t.Errorf("%s: %+v", s.ID, s.Result)
					}
				}
			})
		})
	}
}

// The JSON of a plan that was applied names the number.
func TestPublishedNumberIsShown(t *testing.T) {
	s := publish("1.4.2", archiveSum)
	want := string(common.Unpublished(archiveSum))
	for range 2 {
		d := plan.NewDocument("store", "", []plan.Plan{{Regions: []plan.Region{{Steps: []plan.Step{s}}}}}, nil)
		if got := d.Environments[0].Steps[0].To; got != want {
			t.Errorf("to is %q, want %q", got, want)
		}
		s.Result, want = &plan.Result{Status: plan.StatusApplied, Published: common.Version(8)}, string(common.Version(8))
	}
}
