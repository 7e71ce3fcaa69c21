package daemon_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/awssim"
)

// renewed are credentials that another program renews: after some retrievals
// they turn out to be another account's, until somebody mends it.
type renewed struct {
	mu    sync.Mutex // guards all below
	right aws.Credentials
	wrong aws.Credentials
	asked int
	at    int  // the retrieval from which on they are wrong; 0 = never
	turns bool // back and forth with each retrieval from then on
}

func (r *renewed) Retrieve(context.Context) (aws.Credentials, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.at > 0 && r.asked >= r.at && (!r.turns || r.asked%2 == 0) {
		return r.wrong, nil
	}
	return r.right, nil
}

func (r *renewed) set(at int, turns bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked, r.at, r.turns = 0, at, turns
}

// count is how often they were asked for since they were set.
func (r *renewed) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// astray is a site whose daemon signs in dev with credentials that may become
// those of prod's account, where functions have the same names.
func astray(t *testing.T) (*site, *renewed) {
	s := newSite(t, 6)
	s.world.AddKey("RIGHT", accountID, "arn:aws:iam::"+accountID+":user/right")
	s.world.AddKey("STRAY", otherAccount, "arn:aws:iam::"+otherAccount+":user/stray")
	keys := &renewed{
		right: aws.Credentials{AccessKeyID: "RIGHT", SecretAccessKey: "s"},
		wrong: aws.Credentials{AccessKeyID: "STRAY", SecretAccessKey: "s"},
	}
	s.credentials = func(account string) aws.CredentialsProvider {
		if account != accountID {
			return nil
		}
		return keys
	}
	return s, keys
}

// strayed lists what was asked of the other account with credentials that were
// not meant for it, but for who they belong to.
func strayed(s *site) (calls []string) {
	for _, c := range s.world.Calls() {
		if strings.HasSuffix(c.Caller, ":user/stray") && c.Operation != "GetCallerIdentity" {
			calls = append(calls, c.Operation+" "+c.Resource)
		}
	}
	return calls
}

// TestCredentialsThatBecomeAnotherAccounts renews them at every instant of the
// rounds that change dev: in a look, between an intent and its write, while an
// update settles. Nothing goes to the other account; it is told; and it goes on
// when the right ones are back.
func TestCredentialsThatBecomeAnotherAccounts(t *testing.T) {
	t.Parallel()
	var total int
	synctest.Test(t, func(t *testing.T) {
		s, keys := astray(t)
		p := s.start("a")
		defer p.stop()
		time.Sleep(3 * time.Minute)
		keys.set(0, false)
		s.commit("Raise dev", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
		time.Sleep(90 * time.Second)
		total = keys.count()
		if n := s.has(accountID, 5); n != 6 {
			t.Fatalf("%d functions were changed", n)
		}
	})
	points := 40
	if testing.Short() {
		points = 4
	}
	for at := 1; at <= total; at += max(1, total/points) {
		for _, turns := range []bool{false, true} {
			t.Run(fmt.Sprintf("retrieval %d of %d, turns %v", at, total, turns), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { goAstray(t, at, turns) })
			})
		}
	}
}

func goAstray(t *testing.T, at int, turns bool) {
	s, keys := astray(t)
	p := s.start("a")
	defer p.stop()
	time.Sleep(3 * time.Minute)
	s.slack.take()
	keys.set(at, turns)
	s.commit("Raise dev", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
	time.Sleep(4 * time.Minute)
	if calls := strayed(s); len(calls) > 0 {
		t.Fatalf("asked of the other account: %v", calls)
	}
	if !turns {
		saidAstray(t, s, p)
	}
	keys.set(0, false)
	time.Sleep(3 * time.Minute)
	if right, other := s.has(accountID, 5), s.has(otherAccount, 4); right != 6 || other != 6 {
		t.Errorf("at the end %d functions of dev are changed, and %d of prod are as they were", right, other)
	}
	for _, e := range s.entries() {
		if e.Ended.IsZero() {
			t.Errorf("a record without an end: %+v", e)
		}
	}
	if h := p.daemon.Health(); !h.Ready {
		t.Errorf("not ready at the end: %v", h.Reasons)
	}
	if calls := strayed(s); len(calls) > 0 {
		t.Errorf("asked of the other account: %v", calls)
	}
}

// saidAstray: the alert and readyz name the account that is meant and the one
// that was met.
func saidAstray(t *testing.T, s *site, p *process) {
	t.Helper()
	h := p.daemon.Health()
	if told := strings.Join(h.Reasons, "\n"); h.Ready || !strings.Contains(told, accountID) || !strings.Contains(told, otherAccount) || !strings.Contains(told, "dev") {
		t.Errorf("readyz: ready %v, %q", h.Ready, told)
	}
	var told []string
	for _, m := range s.slack.take() {
		text := fmt.Sprint(m)
		if strings.Contains(text, accountID) && strings.Contains(text, otherAccount) {
			return
		}
		told = append(told, m.Title)
	}
	t.Errorf("nobody was told which accounts: %q", told)
}

// TestARightThatIsGrantedActsInTheNextRound: AWS refuses one call for less than
// a round, and what waited for it is done in the next, whatever is kept of what
// was looked up.
func TestARightThatIsGrantedActsInTheNextRound(t *testing.T) {
	for _, op := range []string{"GetLayerVersionByArn", "ListFunctions", "ListLayerVersions", "GetFunction", "UpdateFunctionConfiguration", "ListCodeSigningConfigs"} {
		for _, long := range []time.Duration{25 * time.Second, 5 * time.Minute} {
			t.Run(fmt.Sprint(op, " ", long), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newSite(t, 3)
					p := s.start("one")
					defer p.stop()
					time.Sleep(2 * time.Minute)
					var refused atomic.Int32
					s.world.OnCall(func(c awssim.Call) awssim.Fault {
						if c.Operation != op || c.Account != accountID {
							return awssim.Fault{}
						}
						refused.Add(1)
						return awssim.Denied(c)
					})
					s.commit("Raise dev", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
					time.Sleep(time.Minute + long) // Git is looked at once a minute
					s.world.OnCall(nil)
					if refused.Load() == 0 {
						t.Error("nothing was refused")
					}
					time.Sleep(90 * time.Second) // a round, its jitter, and its updates
					if n := s.has(accountID, 5); n != 3 {
						t.Errorf("%d of 3 have 5 a round after the right was granted", n)
					}
				})
			})
		}
	}
}

// TestWhoChangedAFunctionIsAskedAgain: that CloudTrail may not be asked is not
// kept as an answer is.
func TestWhoChangedAFunctionIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		p := s.start("one")
		defer p.stop()
		s.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "LookupEvents" {
				return awssim.Denied(c)
			}
			return awssim.Fault{}
		})
		time.Sleep(2 * time.Minute)
		for range 4 {
			s.terraform(t, "makoto-00", layerARN(accountID, "common", 3))
			time.Sleep(10 * time.Minute)
		}
		refused := s.world.Count("LookupEvents")
		s.world.OnCall(nil)
		time.Sleep(10 * time.Minute)
		if n := s.world.Count("LookupEvents"); refused < 5 || n != refused+1 {
			t.Errorf("asked %d times while it was refused, and %d times in ten minutes after", refused, n-refused)
		}
	})
}
