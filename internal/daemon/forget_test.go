package daemon_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/ruling"
)

// An environment whose file is gone is told of until a person lets it be
// forgotten, by whichever daemon is there; when its file is back everything
// begins anew, and a second removal is told like the first.
func TestForgetting(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays hours of one daemon, as shorter stories do")
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		p := s.start("a")
		said := func(after time.Duration, want ...string) {
			t.Helper()
			<-time.After(after)
			got := s.slack.titles()
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("not told: %s; told:\n%s", w, got)
				}
			}
			if len(want) == 0 && got != "" {
				t.Errorf("told:\n%s", got)
			}
		}
		remove := func() {
			t.Helper()
			if _, err := s.repo.Commit(gitserve.Change{Subject: "Remove prod", Delete: []string{"environments/prod.yaml"}}); err != nil {
				t.Fatal(err)
			}
		}
		const gone = "prod: the environment's file was removed from the repository"
		said(5*time.Minute, "prod: first look", "dev: first look")
		remove()
		said(5*time.Minute, "opened: "+gone)

		_, err := history.Open(s.store, "acme").Rulings().Forget(t.Context(), ruling.Forgotten{Environment: "prod", By: "sato", At: time.Now(), Reason: "moved"})
		if err != nil {
			t.Fatal(err)
		}
		said(3*time.Minute, "resolved: "+gone)
		said(25 * time.Hour)
		p.stop()
		p = s.start("b")
		said(time.Hour)

		s.commit("Put prod back", map[string]string{"environments/prod.yaml": envFile(otherAccount, "1.4.0", "")})
		said(10*time.Minute, "prod: first look: in sync")
		if _, ok, err := ruling.FindForgotten(t.Context(), s.store, "acme", "prod"); ok || err != nil {
			t.Errorf("it is back and still forgotten, %v", err)
		}
		remove()
		said(5*time.Minute, "opened: "+gone)
		p.stop()
	})
}
