package daemon_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
)

// logbook keeps what daemons log.
type logbook struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns the lines since the last one.
func (l *logbook) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(l.text.String()), "\n")
	l.text.Reset()
	return lines
}

func with(lines []string, word string) (list []string) {
	for _, line := range lines {
		if strings.Contains(line, word) {
			list = append(list, line)
		}
	}
	return list
}

// TestO1OneCauseIsToldOnce: the session or the account is refused in the middle of 13
// updates, for six minutes. It is one alert and one failure, one line of the log in
// each round, no function is tried for itself, and all is done and told when it is
// over.
func TestO1OneCauseIsToldOnce(t *testing.T) {
	for _, code := range []string{"ExpiredTokenException", "UnrecognizedClientException", "SubscriptionRequiredException", "AccessDeniedException"} {
		t.Run("O1 "+code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 13)
				var log logbook
				s.log = &log
				p := s.start("a")
				defer p.stop()
				time.Sleep(3 * time.Minute)
				s.slack.take()
				log.take()
				var writes, refused atomic.Int32
				s.world.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Account != accountID || c.Service != "lambda" {
						return awssim.Fault{}
					}
					if c.Write {
						writes.Add(1)
					}
					if writes.Load() <= 5 || !c.Write && code == "AccessDeniedException" {
						return awssim.Fault{}
					}
					if c.Write {
						refused.Add(1)
					}
					return awssim.Fault{Before: &awssim.Failure{Status: 403, Code: code, Message: "in AWS's own words"}}
				})
				s.commit("Raise dev", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
				for refused.Load() == 0 {
					time.Sleep(time.Second)
				}
				time.Sleep(20 * time.Second) // to the end of the round, and no further
				lines := with(with(log.take(), code), "err=")
				if len(lines) != 1 {
					t.Errorf("%d lines in the round:\n%s", len(lines), strings.Join(lines, "\n"))
				}
				time.Sleep(5 * time.Minute)
				if lines := with(with(log.take(), code), "err="); len(lines) > 6 {
					t.Errorf("%d lines in five rounds:\n%s", len(lines), strings.Join(lines, "\n"))
				}
				if n := refused.Load(); code != "AccessDeniedException" && n > 3 || n > 2*7 {
					t.Errorf("%d writes were refused", n)
				}
				var opened []string
				for _, m := range s.slack.take() {
					if m.Alert.Kind == notify.ChangeApplied {
						continue // that a rollout has begun which takes more than one round
					}
					opened = append(opened, fmt.Sprintf("%s %s: %s", m.Status, m.Alert.Kind, m.Title))
					if !strings.Contains(fmt.Sprint(m), code+": in AWS's own words") {
						t.Errorf("without AWS's words: %+v", m)
					}
				}
				want := "opened aws_stale: dev: AWS cannot be read"
				if code == "AccessDeniedException" {
					want = "opened apply_failed: dev ap-northeast-1: left off: UpdateFunctionConfiguration"
				}
				if len(opened) != 1 || !strings.HasPrefix(opened[0], want) {
					t.Errorf("told:\n%s", strings.Join(opened, "\n"))
				}
				failed := 0
				for _, e := range s.entries() {
					if e.Status == plan.StatusFailed {
						failed++
					}
				}
				if failed > 2*7 || failed > 1 && code != "AccessDeniedException" {
					t.Errorf("%d entries failed", failed)
				}
				s.world.OnCall(nil)
				time.Sleep(2 * time.Minute)
				if n := s.has(accountID, 5); n != 13 {
					t.Errorf("%d of 13 have it", n)
				}
				if told := s.slack.titles(); strings.Count(told, "resolved: "+strings.SplitN(want, ": ", 2)[1]) != 1 {
					t.Errorf("told at the end:\n%s", told)
				}
			})
		})
	}
}

// TestO3OneRefusedFunctionIsToldOnce: a function that AWS refuses for good is one
// alert, which stays open and calm for days, and ends when AWS takes it. A restart
// counts nothing anew.
func TestO3OneRefusedFunctionIsToldOnce(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays six hours with two processes, one after the other, as shorter stories do")
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 6)
		s.interval = 10 * time.Minute
		p := s.start("a")
		time.Sleep(30 * time.Minute)
		s.slack.take()
		var refused atomic.Int32
		s.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Account != accountID || c.Resource != "makoto-02" || !c.Write {
				return awssim.Fault{}
			}
			refused.Add(1)
			return awssim.Fault{Before: &awssim.Failure{Status: 502, Code: "KMSDisabledException", Message: "in AWS's own words"}}
		})
		s.commit("Raise dev", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "rollout: {waves: [2, 100%], bake: 1m}\n")})
		time.Sleep(3 * time.Hour)
		if n := s.has(accountID, 5); n != 5 {
			t.Errorf("%d of 5 have it", n)
		}
		p.stop()
		p = s.start("b")
		time.Sleep(3 * time.Hour)
		if n := refused.Load(); n != 3 {
			t.Errorf("tried %d times", n)
		}
		var about []string
		take := func() {
			for _, m := range s.slack.take() {
				if strings.Contains(fmt.Sprint(m), "makoto-02") || m.Alert.Kind == notify.Blocked || m.Alert.Kind == notify.ApplyFailed {
					about = append(about, fmt.Sprintf("%s %s: %s", m.Status, m.Alert.Kind, m.Title))
				}
			}
		}
		take()
		if len(about) != 2 || !strings.HasPrefix(about[0], "opened apply_failed") || !strings.HasPrefix(about[1], "opened blocked: dev ap-northeast-1: 1 function cannot be changed") {
			t.Errorf("told:\n%s", strings.Join(about, "\n"))
		}
		about = nil
		time.Sleep(50 * time.Hour)
		if n := refused.Load(); n != 5 {
			t.Errorf("tried %d times after two days", n)
		}
		take()
		for _, line := range about {
			if !strings.HasPrefix(line, "reminded blocked") {
				t.Errorf("told in two days: %s", line)
			}
		}
		about = nil
		s.world.OnCall(nil)
		time.Sleep(25 * time.Hour)
		take()
		if n := s.has(accountID, 5); n != 6 || !strings.Contains(strings.Join(about, "\n"), "resolved blocked") {
			t.Errorf("%d have it; told:\n%s", n, strings.Join(about, "\n"))
		}
		p.stop()
	})
}
