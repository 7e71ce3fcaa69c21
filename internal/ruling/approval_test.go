package ruling

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

const repo = "github.com/acme/layers"

const layer = "arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod"

var tuesday = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// The stored forms, which TestPastIsReadWhole names.
type (
	approvalDoc   = doc[Approval]
	offerDoc      = doc[PendingPlan]
	quarantineDoc = doc[Quarantine]
	forgottenDoc  = doc[Forgotten]
)

// silent is a journal that keeps nothing.
type silent struct{}

func (silent) RecordDecision(context.Context, Decision) error { return nil }

func registry(s store.Store, repository string) *Registry { return Open(s, repository, silent{}) }

func TestLineIsTheContractsForm(t *testing.T) {
	got := ApprovalLine("ap-northeast-1", "attach", layer, "makoto-chat-handler-prod", "13")
	want := "ap-northeast-1 attach " + layer + " makoto-chat-handler-prod 13"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := ApprovalLine("ap-northeast-1", "detach", layer, "f", ""); !strings.HasSuffix(got, " f ") {
		t.Errorf("an empty target is kept as an empty field, got %q", got)
	}
}

func TestDigestIsSortedLinesHashed(t *testing.T) {
	sum := sha256.Sum256([]byte("a\nb\n"))
	if got, want := Digest([]string{"b", "a"}), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDigestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfDistinct(rapid.StringMatching(`[a-z ]{1,8}`), rapid.ID[string]).Draw(t, "lines")
		shuffled := rapid.Permutation(lines).Draw(t, "shuffled")
		if Digest(lines) != Digest(shuffled) {
			t.Fatal("order matters")
		}
		if len(lines) > 0 && Digest(lines) == Digest(lines[1:]) {
			t.Fatal("a missing line goes unseen")
		}
		before := slices.Clone(lines)
		Digest(lines)
		if !slices.Equal(before, lines) {
			t.Fatal("the argument was changed")
		}
	})
}

func calendar(t *testing.T, text string) window.Calendar {
	t.Helper()
	w, err := window.Parse(text, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return window.Calendar{Windows: []window.Window{w}, Zone: time.UTC}
}

func TestExpiry(t *testing.T) {
	weekly := calendar(t, "Saturday 02:00-06:00 UTC")
	monthly, err := window.ParseCron("0 2 1 * *", 4*time.Hour, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		cal  window.Calendar
		want time.Time
	}{
		{"always open: seven days", window.Calendar{Zone: time.UTC}, tuesday.AddDate(0, 0, 7)},
		{"a window within the week: seven days", weekly, tuesday.AddDate(0, 0, 7)},
		{"the next window ends later", window.Calendar{Windows: []window.Window{monthly}, Zone: time.UTC}, tuesday.AddDate(0, 0, 7)},
	} {
		a := Approval{At: tuesday}
		if got := a.Expires(tc.cal); got.Before(tc.want) {
			t.Errorf("%s: got %s, want at least %s", tc.name, got, tc.want)
		}
	}
	// 24 November plus seven days is 1 December, 12:00, and the monthly window
	// of that day ended at 06:00; given on 2 November, the window decides.
	a := Approval{At: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)}
	want := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	if got := a.Expires(window.Calendar{Windows: []window.Window{monthly}, Zone: time.UTC}); !got.Equal(want) {
		t.Errorf("got %s, want the end of the next window, %s", got, want)
	}
}

func TestValid(t *testing.T) {
	cal := window.Calendar{Zone: time.UTC}
	a := Approval{At: tuesday}
	end := a.Expires(cal)
	if !a.Valid(cal, end.Add(-time.Nanosecond)) || a.Valid(cal, end) {
		t.Error("an approval holds up to its expiry and not at it")
	}
	a.Begun = tuesday.Add(time.Hour)
	if !a.Valid(cal, end.AddDate(1, 0, 0)) {
		t.Error("a rollout that has begun keeps its approval")
	}
	a.Ended = tuesday.Add(2 * time.Hour)
	if a.Valid(cal, tuesday.Add(3*time.Hour)) {
		t.Error("an ended approval covers nothing, so that a later step that looks the same is asked about")
	}
}

func TestCovers(t *testing.T) {
	unbound := Approval{Digest: "d"}
	if !unbound.Covers("any", "d") || unbound.Covers("any", "e") {
		t.Error("an unbound approval covers exactly the plan with its digest")
	}
	bound := Approval{Digest: "d", Scope: []string{"a", "b"}}
	if !bound.Covers("a", "what is left") || bound.Covers("c", "d") {
		t.Error("a bound approval covers its lines, whatever the plan is now, and nothing else")
	}
}

func TestApproveBindsAnOfferedPlanAtOnce(t *testing.T) {
	ctx, s := t.Context(), store.NewMemory()
	o := PendingPlan{Environment: "prod", Digest: Digest([]string{"a"}), Scope: []string{"a"}, At: tuesday}
	for range 2 { // offering again changes nothing
		if err := RecordPending(ctx, s, repo, o); err != nil {
			t.Fatal(err)
		}
	}
	first, err := registry(s, repo).Approve(ctx, Approval{Environment: "prod", Digest: o.Digest, By: "sato", At: tuesday}, window.Calendar{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.Scope, []string{"a"}) {
		t.Errorf("lines are %v", first.Scope)
	}
	again, err := registry(s, repo).Approve(ctx, Approval{Environment: "prod", Digest: o.Digest, By: "suzuki", At: tuesday}, window.Calendar{})
	if err != nil {
		t.Fatal(err)
	}
	if again.By != "sato" {
		t.Error("approving what is approved keeps the first word")
	}
	anew, err := registry(s, repo).Approve(ctx, Approval{Environment: "prod", Digest: o.Digest, By: "suzuki", At: tuesday.AddDate(0, 0, 7)}, window.Calendar{})
	if err != nil {
		t.Fatal(err)
	}
	if anew.By != "suzuki" {
		t.Error("an expired approval is given anew")
	}
	list, err := Load(ctx, s, repo, "prod")
	if err != nil || len(list) != 1 || list[0].By != "suzuki" {
		t.Errorf("got %v, %v", list, err)
	}
	if other, _ := Load(ctx, s, repo, "pro"); len(other) != 0 {
		t.Error("an environment whose name begins the same has approvals of its own")
	}
}

// Two repositories may share a store, and both may have a prod: what one of
// them offers and approves is not the other's.
func TestRepositoriesAreKeptApart(t *testing.T) {
	ctx, s := t.Context(), store.NewMemory()
	o := PendingPlan{Environment: "prod", Digest: Digest([]string{"a"}), Scope: []string{"a"}, At: tuesday}
	if err := RecordPending(ctx, s, repo, o); err != nil {
		t.Fatal(err)
	}
	if _, err := registry(s, repo).Approve(ctx, Approval{Environment: "prod", Digest: o.Digest, By: "sato", At: tuesday}, window.Calendar{}); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"github.com/acme/layer", "github.com", "github.com/acme", repo + "/prod", ""} {
		if list, err := Load(ctx, s, other, "prod"); len(list) != 0 || err != nil {
			t.Errorf("%q sees the approvals %v, %v", other, list, err)
		}
		if list, err := Pending(ctx, s, other, "prod", ""); len(list) != 0 || err != nil {
			t.Errorf("%q sees the offers %v, %v", other, list, err)
		}
		if _, ok, err := FindPending(ctx, s, other, "prod", o.Digest); ok || err != nil {
			t.Errorf("%q finds the offer, %v", other, err)
		}
		if err := Update(ctx, s, other, Approval{Environment: "prod", Digest: o.Digest}, func(*Approval) {}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q changes the approval: %v", other, err)
		}
	}
	a, err := registry(s, "github.com/acme/other").Approve(ctx, Approval{Environment: "prod", Digest: o.Digest, By: "suzuki", At: tuesday}, window.Calendar{})
	if err != nil || a.By != "suzuki" || a.Scope != nil {
		t.Errorf("the other repository's approval is %+v, %v", a, err)
	}
	if list, err := Pending(ctx, s, repo, "prod", o.Digest[:8]); err != nil || len(list) != 1 || list[0].Digest != o.Digest {
		t.Errorf("offers are %v, %v", list, err)
	}
	if list, err := Pending(ctx, s, repo, "prod", "x"); err != nil || len(list) != 0 {
		t.Errorf("offers that begin with x are %v, %v", list, err)
	}
}

// What a newer layerd wrote, or what is damaged, is an error everywhere and
// never half of an approval; what was written without a version is read.
func TestStoredValuesHaveAVersion(t *testing.T) {
	ctx := t.Context()
	a := Approval{Environment: "prod", Digest: "d"}
	for _, tc := range []struct {
		data string
		want error
	}{
		{`{"v":1,"environment":"prod","digest":"d","by":"sato","at":"2026-11-24T12:00:00Z"}`, nil},
		{`{"environment":"prod","digest":"d","by":"sato","at":"2026-11-24T12:00:00Z"}`, nil},
		{`{"v":3,"environment":"prod","digest":"d","by":["sato","suzuki"]}`, store.ErrNewer},
		{`{"v":1,"environment":"prod"`, store.ErrCorrupt},
		{`{"v":1,"digest":7}`, store.ErrCorrupt},
	} {
		s := store.NewMemory()
		for _, kind := range []string{"approval", "offer"} {
			if _, err := s.Create(ctx, store.Key(kind, repo, "prod", "d"), []byte(tc.data)); err != nil {
				t.Fatal(err)
			}
		}
		list, err := Load(ctx, s, repo, "prod")
		if !errors.Is(err, tc.want) || tc.want == nil && (len(list) != 1 || list[0].By != "sato") {
			t.Errorf("%s: Load gives %v, %v", tc.data, list, err)
		}
		_, _, findErr := FindPending(ctx, s, repo, "prod", "d")
		_, offersErr := Pending(ctx, s, repo, "prod", "d")
		updateErr := Update(ctx, s, repo, a, func(a *Approval) { a.Begun = tuesday })
		_, approveErr := registry(s, repo).Approve(ctx, a, window.Calendar{})
		for call, err := range map[string]error{"FindOffer": findErr, "Offers": offersErr, "Update": updateErr, "Approve": approveErr} {
			if !errors.Is(err, tc.want) {
				t.Errorf("%s: %s gives %v, want %v", tc.data, call, err, tc.want)
			}
		}
		if tc.want != nil {
			continue
		}
		v, err := s.Get(ctx, store.Key("approval", repo, "prod", "d"))
		if err != nil || !strings.HasPrefix(string(v.Data), `{"v":1,`) {
			t.Errorf("written as %s, %v", v.Data, err)
		}
	}
}

func TestUpdateSurvivesAnotherWriter(t *testing.T) {
	ctx, s := t.Context(), store.NewMemory()
	a, err := registry(s, repo).Approve(ctx, Approval{Environment: "prod", Digest: "d", At: tuesday}, window.Calendar{})
	if err != nil {
		t.Fatal(err)
	}
	met := false
	err = Update(ctx, s, repo, a, func(now *Approval) {
		if !met { // somebody else writes between our read and our write
			met = true
			if err := Update(ctx, s, repo, a, func(other *Approval) { other.Reason = "theirs" }); err != nil {
				t.Fatal(err)
			}
		}
		now.Begun = tuesday
	})
	if err != nil {
		t.Fatal(err)
	}
	list, _ := Load(ctx, s, repo, "prod")
	if len(list) != 1 || list[0].Reason != "theirs" || list[0].Begun.IsZero() {
		t.Errorf("one of the two writes is lost: %+v", list)
	}
}
