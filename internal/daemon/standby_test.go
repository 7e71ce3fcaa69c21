package daemon_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// Who does not have an account shows what its holder last decided.
func TestAStandbyShowsTheHoldersDecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		first := s.start("one")
		defer first.stop()
		time.Sleep(3 * time.Minute)
		second := s.start("two")
		defer second.stop()
		time.Sleep(5 * time.Minute)
		hash := s.commit("Raise both", map[string]string{
			"environments/dev.yaml":  envFile(accountID, "1.5.0", ""),
			"environments/prod.yaml": envFile(otherAccount, "1.5.0", "change_window: \"Saturday 02:00-06:00 UTC\"\n"),
		})
		time.Sleep(5 * time.Minute)
		for _, p := range []*process{first, second} {
			for _, a := range p.daemon.Health().Accounts {
				for _, e := range a.Environments {
					if e.Planned != hash || e.Decision == "" {
						t.Errorf("%s, holding %v, shows of %s: %+v", p.name, a.Holding, e.Environment, e)
					}
				}
			}
		}
	})
}
