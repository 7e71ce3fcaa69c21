package daemon_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/notify"
)

// Whoever pushes the second commit that is not followed hears of it as the first
// did, however little time lies between them.
func TestASecondCommitThatIsNotFollowed(t *testing.T) {
	for name, tc := range map[string]struct {
		commits []string
		wait    time.Duration
		want    string
	}{
		"another version in the same place":    {[]string{"8.8.8", "9.9.9"}, time.Minute, "9.9.9"},
		"the same, after a while":              {[]string{"8.8.8", "9.9.9"}, 20 * time.Minute, "9.9.9"},
		"good in between":                      {[]string{"8.8.8", "1.4.0", "9.9.9"}, time.Minute, "9.9.9"},
		"the same version, good in between":    {[]string{"8.8.8", "1.4.0", "8.8.8"}, 3 * time.Minute, "8.8.8"},
		"other good in between, after a while": {[]string{"8.8.8", "1.5.0", "9.9.9"}, 4 * time.Minute, "9.9.9"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 3)
				p := s.start("one")
				defer p.stop()
				time.Sleep(2 * time.Minute)
				s.slack.take()
				for i, v := range tc.commits {
					if i > 0 {
						time.Sleep(tc.wait)
						s.slack.take() // what is told from here on is about the next
					}
					s.commit("Ask for "+v, map[string]string{"environments/dev.yaml": envFile(accountID, v, "")})
				}
				time.Sleep(10 * time.Minute)
				text := ""
				for _, m := range s.slack.take() {
					if m.Alert.Kind == notify.DesiredInvalid && m.Status != notify.Resolved {
						text += m.Title + "\n"
						for _, x := range m.Sections {
							text += x.Text + "\n"
						}
					}
				}
				if !strings.Contains(text, tc.want) {
					t.Errorf("told:\n%s", text)
				}
			})
		})
	}
}

// A commit with a role that AWS does not give is not ready from the first round
// on, and not after a quarter of an hour.
func TestARoleThatIsRefusedIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		p := s.start("one")
		defer func() { p.stop() }()
		time.Sleep(2 * time.Minute)
		s.commit("Another role", map[string]string{
			"environments/dev.yaml": envFile(accountID, "1.4.0", "role: arn:aws:iam::"+accountID+":role/nobody\n"),
		})
		time.Sleep(3 * time.Minute)
		if h := p.daemon.Health(); h.Ready || !strings.Contains(strings.Join(h.Reasons, "\n"), "nothing is read or changed for dev: AssumeRole: AccessDenied") {
			t.Errorf("ready %t: %q", h.Ready, h.Reasons)
		}
		s.commit("The old one", map[string]string{"environments/dev.yaml": envFile(accountID, "1.4.0", "")})
		time.Sleep(3 * time.Minute)
		if h := p.daemon.Health(); !h.Ready {
			t.Errorf("not ready: %q", h.Reasons)
		}
	})
}
