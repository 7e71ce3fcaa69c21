package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

func TestRenderDoctor(t *testing.T) {
	denial := &state.Error{Op: "ListAliases", Resource: "f", Code: "AccessDeniedException", Message: "User: arn:aws:sts::123456789012:assumed-role/layerd/layerd-prod is not authorized to perform: lambda:ListAliases"}
	checks := []inspect.Result{
		{Check: "git", Verdict: inspect.OK, Reason: "revision ab12ab1, 3h12m ago by 佐藤"},
		{Check: "window", Verdict: inspect.OK, Reason: "closed, opens Sat 2026-11-28 02:00 JST (Saturday 02:00-06:00 Asia/Tokyo), in 2d15h"},
		inspect.Identity("123456789012", "", "123456789012", "arn:aws:sts::123456789012:assumed-role/layerd/layerd-prod", nil),
		inspect.Clock(2*time.Minute, true), inspect.Permission("lambda:ListFunctions", "*", nil), inspect.Unneeded("tag:GetResources", "no selector looks at tags"),
		inspect.Permission("lambda:ListAliases", "arn:aws:lambda:ap-northeast-1:123456789012:function:makoto-会話-prod", denial),
		inspect.Skipped("lambda:GetLayerVersion", "no version is wanted or attached that could be tried"),
	}
	for i := range checks[2:] {
		checks[i+2].Region = testRegion
	}
	golden(t, "doctor.txt", renderDoctor(doctorView{Environment: "prod", Checks: checks}, present.Palette{}, 80))
}

// lastWriterWins is a store that writes whatever revision is named.
type lastWriterWins struct{ store.Store }

func (d lastWriterWins) Replace(ctx context.Context, key string, _ store.Revision, data []byte) (store.Revision, error) {
	v, err := d.Get(ctx, key)
	if err != nil {
		return "", err
	}
	return d.Store.Replace(ctx, key, v.Revision, data)
}

func TestTryStore(t *testing.T) {
	s := store.NewMemory()
	for range 3 { // the first makes the value, the others write over it
		if _, err := tryStore(t.Context(), s, "doctor/x", testNow); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tryStore(t.Context(), lastWriterWins{s}, "doctor/x", testNow); err == nil {
		t.Error("a store without compare-and-swap passes")
	}
	_ = s.Close()
	if _, err := tryStore(t.Context(), s, "doctor/x", testNow); err == nil {
		t.Error("a closed store passes")
	}
	for _, err := range []error{store.ErrNewer, store.ErrCorrupt, store.ErrReadOnly, store.ErrBusy, errors.New("x")} {
		if storeFix(err) == "" {
			t.Errorf("%v: nothing to do about it", err)
		}
	}
}

func TestWantedNumber(t *testing.T) {
	versions := []state.LayerVersion{{Number: 9, Description: "v1.4.2 x"}, {Number: 8, Description: "v1.4.2 x"}, {Number: 7, Description: "x"}, {Number: 6, Description: "v1.4.0 x"}}
	for _, tt := range []struct {
		text  string
		owned bool
		known map[string]int64
		want  int64
		live  bool
	}{
		{"1.4.2", true, nil, 9, true}, {"1.4.2", true, map[string]int64{"1.4.2": 7}, 7, true}, {"1.4.2", true, map[string]int64{"1.4.2": 70}, 0, false},
		{"1.4.1", true, nil, 0, false}, {"6", true, nil, 6, true}, {"5", true, nil, 0, false}, {"^1.4", true, nil, 9, true}, {"latest", true, nil, 9, true},
		{"98", false, nil, 98, true},
	} {
		v, err := desired.ParseVersion(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		list := versions
		if !tt.owned {
			list = nil
		}
		n, live := wantedNumber(desired.LayerWish{Owned: tt.owned, Version: v, Known: tt.known}, list)
		if live != tt.live || live && n != tt.want {
			t.Errorf("%s known %v: %d, %v, want %d, %v", tt.text, tt.known, n, live, tt.want, tt.live)
		}
	}
}

// Doctor looks for the number that plan would find: it had a rule of its own, which
// took the newest version for any range and knew nothing of Git's other numbers.
func TestDoctorResolvesAsPlanDoes(t *testing.T) {
	versions := []state.LayerVersion{ // the newest first
		{Number: 14, Description: "v2.0.0"}, {Number: 13, Description: "v1.4.1"}, {Number: 12, Description: "v1.4.1"},
	}
	own := desired.LayerWish{Name: "common", Layer: "arn:aws:lambda:eu-west-1:123456789012:layer:common", Owned: true, Known: map[string]int64{"1.4.0": 12}}
	vendor := desired.LayerWish{Name: "datadog", Layer: "arn:aws:lambda:eu-west-1:464622532012:layer:Datadog"}
	for _, tc := range []struct {
		wish desired.LayerWish
		text string
		n    int64
		live bool
	}{
		{own, "1.4.1", 13, true}, {own, "1.4.0", 12, true}, {own, "^1.4", 13, true}, {own, "latest", 14, true},
		{own, "13", 13, true}, {own, "99", 0, false}, {own, "8.8.8", 0, false}, {vendor, "98", 98, true},
	} {
		version, err := desired.ParseVersion(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		tc.wish.Version = version
		if n, live := wantedNumber(tc.wish, versions); live != tc.live || live && n != tc.n {
			t.Errorf("%s %s: %d, %t, want %d, %t", tc.wish.Name, tc.text, n, live, tc.n, tc.live)
		}
	}
}
