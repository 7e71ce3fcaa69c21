package ruling_test

import (
	"errors"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
)

func TestForgetting(t *testing.T) {
	for kind, s := range stores(t) {
		t.Run(kind, func(t *testing.T) {
			ctx := t.Context()
			word := func(by string) ruling.Forgotten {
				t.Helper()
				f, err := registry(s, repo).Forget(ctx, ruling.Forgotten{Environment: "dev", By: by, At: noon, Reason: "closed"})
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			holds := func(by string) {
				t.Helper()
				f, ok, err := ruling.FindForgotten(ctx, s, repo, "dev")
				list, listErr := ruling.LoadForgotten(ctx, s, repo)
				if err != nil || listErr != nil || ok != (by != "") || ok && f.By != by || list["dev"].By != by {
					t.Errorf("found %+v, %v, %v; listed %v, %v; want by %q", f, ok, err, list, listErr, by)
				}
			}
			if err := ruling.Recall(ctx, s, repo, "dev", noon); err != nil {
				t.Errorf("what nobody forgot comes back: %v", err)
			}
			holds("")
			word("sato")
			if f := word("suzuki"); f.By != "sato" {
				t.Errorf("the first word does not count: %+v", f)
			}
			holds("sato")
			for range 2 {
				if err := ruling.Recall(ctx, s, repo, "dev", noon.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			holds("")
			word("suzuki")
			holds("suzuki")
			if _, ok, err := ruling.FindForgotten(ctx, s, "github.com/acme/other", "dev"); ok || err != nil {
				t.Errorf("another repository's dev is forgotten, too: %v", err)
			}
			if list, err := ruling.LoadForgotten(ctx, s, "github.com/acme/other"); len(list) != 0 || err != nil {
				t.Errorf("another repository sees %v, %v", list, err)
			}
		})
	}
}

func TestWhatANewerLayerdForgotIsRefused(t *testing.T) {
	ctx, s := t.Context(), store.NewMemory()
	if _, err := s.Create(ctx, store.Key("forgotten", repo, "dev"), []byte(`{"v":9,"environment":"dev"}`)); err != nil {
		t.Fatal(err)
	}
	_, _, findErr := ruling.FindForgotten(ctx, s, repo, "dev")
	_, loadErr := ruling.LoadForgotten(ctx, s, repo)
	_, forgetErr := registry(s, repo).Forget(ctx, ruling.Forgotten{Environment: "dev"})
	for call, err := range map[string]error{
		"Find": findErr, "Load": loadErr, "Forget": forgetErr, "Recall": ruling.Recall(ctx, s, repo, "dev", noon),
	} {
		if !errors.Is(err, store.ErrNewer) {
			t.Errorf("%s gives %v", call, err)
		}
	}
}
