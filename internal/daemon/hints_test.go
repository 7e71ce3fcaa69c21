package daemon_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/hint"
	"github.com/layerd/layerd/internal/hint/sqs"
	"github.com/layerd/layerd/internal/nightly"
)

// events returns the queue as a process reads it, and its name; nil without one.
func (s *site) events(p *process) (hint.Queue, string) {
	if s.queue == "" {
		return nil, ""
	}
	key := "QUEUE" + strings.ToUpper(p.name)
	s.world.AddKey(key, accountID, fmt.Sprintf("arn:aws:iam::%s:user/%s", accountID, p.name))
	q, err := sqs.New(p.metrics.CountCalls(aws.Config{
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""), HTTPClient: &http.Client{Transport: wire{p, s.world.Transport()}},
	}), s.queue, sqs.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	return q, s.queue
}

// rounds counts the looks at an account's functions since the calls were forgotten.
func (s *site) rounds(account string) int {
	n := 0
	for _, c := range s.world.Calls() {
		if c.Operation == "ListFunctions" && c.Account == account {
			n++
		}
	}
	return n
}

// slow is a site whose rounds are ten minutes apart, so that what is seen sooner was
// seen by an event; settled after its first rounds.
func slow(t *testing.T, functions int, mangle func(string) []awssim.Delivery) *site {
	t.Helper()
	s := newSite(t, functions)
	s.interval = 10 * time.Minute
	s.queue = s.world.Forward("layerd", mangle)
	return s
}

// Whatever changes a function, it is seen and healed within five seconds; what is about
// nothing that is followed is not looked at.
func TestAnEventIsLookedAtAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		do    func(*site)
		heals bool
		looks bool
	}{
		"another version by hand": {do: func(s *site) { s.meddle(accountID, "makoto-01", 3) }, heals: true, looks: true},
		"no layers any more": {do: func(s *site) {
			s.world.EditFunction("makoto-02", func(f *awssim.Function) { f.Layers = nil })
		}, heals: true, looks: true},
		"a version of the layer deleted": {do: func(s *site) {
			s.world.DropLayerVersion(layerARN(accountID, "common", 2))
			time.Sleep(5 * time.Minute) // CloudTrail is as late
		}, looks: true},
		"a function deleted":             {do: func(s *site) { s.world.DropFunction("makoto-03") }, looks: true},
		"a function that nobody selects": {do: func(s *site) { s.world.EditFunction("other", func(f *awssim.Function) { f.Description = "x" }) }},
		"a layer that nobody wishes": {do: func(s *site) {
			s.world.DropLayerVersion(layerARN(accountID, "neighbour", 1))
			time.Sleep(5 * time.Minute)
		}},
		"an account that nobody follows":      {do: func(s *site) { s.world.Send("layerd", event("111122223333", region, "makoto-01")) }},
		"a Region that nobody follows":        {do: func(s *site) { s.world.Send("layerd", event(accountID, "eu-west-1", "makoto-01")) }},
		"text":                                {do: func(s *site) { s.world.Send("layerd", "hello") }},
		"a lie about a function that is well": {do: func(s *site) { s.world.Send("layerd", event(accountID, region, "makoto-01")) }, looks: true},
		"a lie about a function that is not":  {do: func(s *site) { s.world.Send("layerd", event(accountID, region, "makoto-99")) }, looks: true},
		"an event that names no function":     {do: func(s *site) { s.world.Send("layerd", event(accountID, region, "")) }, looks: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := slow(t, 6, nil)
				s.world.PutFunction(awssim.Function{Name: "other"})
				p := s.start("one")
				defer p.stop()
				time.Sleep(90 * time.Second)
				s.world.ResetCalls()
				tt.do(s)
				time.Sleep(5 * time.Second)
				if n := s.rounds(accountID); (n > 0) != tt.looks {
					t.Errorf("%d looks within 5 s, want any: %v", n, tt.looks)
				}
				if n := s.rounds(otherAccount); n != 0 {
					t.Errorf("%d looks at the other account", n)
				}
				time.Sleep(5 * time.Second) // and what it does about it
				if want := map[bool]int{true: 1}[tt.heals]; s.world.Writes() != want {
					t.Errorf("%d writes, want %d", s.world.Writes(), want)
				}
				if n := s.world.Waiting("layerd"); n > 1 { // one may come of what was healed
					t.Errorf("%d messages are left", n)
				}
			})
		})
	}
}

// event is a state event of a function, forged.
func event(account, region, function string) string {
	resources := []string{}
	if function != "" {
		resources = append(resources, fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", region, account, function))
	}
	body, _ := json.Marshal(map[string]any{
		"detail-type": "Lambda Function State Change", "source": "aws.lambda", "account": account, "region": region, "resources": resources, "detail": map[string]string{},
	})
	return string(body)
}

// A flood is bounded: however many events come, an environment is looked at no more than
// every few seconds, the queue is emptied, and nobody else is looked at more.
func TestAFloodIsBounded(t *testing.T) {
	nightly.NotShort(t, "it plays hours of one daemon, as shorter stories do")
	synctest.Test(t, func(t *testing.T) {
		s := slow(t, 6, nil)
		p := s.start("one")
		defer p.stop()
		time.Sleep(90 * time.Second)
		s.world.ResetCalls()
		for i := range 600 {
			for range 20 {
				s.world.Send("layerd", event(accountID, region, fmt.Sprintf("makoto-%02d", i%6)))
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.rounds(accountID); n < 10 || n > 16 {
			t.Errorf("%d looks in a minute", n)
		}
		if n := s.rounds(otherAccount); n != 0 {
			t.Errorf("%d looks at the other account", n)
		}
		if n := s.world.Writes(); n != 0 {
			t.Errorf("%d writes", n)
		}
		time.Sleep(4 * time.Minute)
		if n := s.world.Waiting("layerd"); n != 0 {
			t.Errorf("%d messages are left", n)
		}
	})
}

// What a rollout itself does makes no more looks than a few: all its events are one.
func TestOurOwnEventsAreFew(t *testing.T) {
	for _, queue := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := slow(t, 60, nil)
			if !queue {
				s.queue = ""
			}
			p := s.start("one")
			defer p.stop()
			time.Sleep(90 * time.Second)
			s.world.ResetCalls()
			s.commit("Raise", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
			time.Sleep(15 * time.Minute)
			if n := s.has(accountID, 5); n != 60 {
				t.Fatalf("%d of 60 have 5", n)
			}
			// A look of 60 functions is two pages. Without events: one for the commit, and
			// the next ten minutes later.
			if n := s.rounds(accountID); n > 16 {
				t.Errorf("queue %v: %d pages were read", queue, n)
			}
			n := map[string]int{}
			for _, c := range s.world.Calls() {
				n[c.Service+" "+c.Operation]++
			}
			// A look before each change, and one after its end was heard of.
			if looks := n["lambda GetFunction"]; queue && looks > 2*60 {
				t.Errorf("%d looks at 60 functions", looks)
			}
		})
	}
}

// Where the ends of updates are not told, or told wrongly, AWS is asked as without events:
// what is lost costs some seconds once, and no change counts before AWS says that it is over.
func TestEndsThatAreNotTold(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays hours of one daemon, as shorter stories do")
	for name, mangle := range map[string]func(string) []awssim.Delivery{
		"no events": func(string) []awssim.Delivery { return nil },
		"late":      func(body string) []awssim.Delivery { return []awssim.Delivery{{Body: body, After: time.Minute}} },
		"too early": func(body string) []awssim.Delivery {
			return []awssim.Delivery{{Body: strings.ReplaceAll(body, "InProgress", "Active")}}
		},
		"many times": func(body string) []awssim.Delivery { return slices.Repeat([]awssim.Delivery{{Body: body}}, 20) },
		"of no function": func(body string) []awssim.Delivery {
			return []awssim.Delivery{{Body: strings.ReplaceAll(body, "makoto-", "other-")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := slow(t, 60, mangle)
				p := s.start("one")
				defer p.stop()
				time.Sleep(90 * time.Second)
				s.world.ResetCalls()
				s.interval = time.Minute
				s.commit("Raise", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
				began, took := time.Time{}, time.Duration(0)
				for s.has(accountID, 5) < 60 && took < 15*time.Minute {
					time.Sleep(time.Second)
					if began.IsZero() && s.has(accountID, 5) > 0 {
						began = time.Now()
					}
					if !began.IsZero() {
						took = time.Since(began)
					}
				}
				looks := 0
				for _, c := range s.world.Calls() {
					if c.Operation == "GetFunction" {
						looks++
					}
				}
				if n := s.has(accountID, 5); n != 60 || took > 20*time.Second || looks > 5*60 {
					t.Errorf("%d of 60 have 5 after %v and %d looks", n, took, looks)
				}
			})
		})
	}
}

// Who stands by takes no message from who acts, and what one of two daemons receives for
// an account of the other comes to that one.
func TestNoMessageIsLostToAnotherDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slow(t, 6, nil)
		one := s.start("one")
		defer one.stop()
		time.Sleep(30 * time.Second)
		two := s.start("two")
		defer two.stop()
		time.Sleep(5 * time.Minute) // they share the accounts by now
		held := 0
		for _, a := range one.daemon.Health().Accounts {
			if a.Holding {
				held++
			}
		}
		if held != 1 {
			t.Fatalf("one holds %d of 2 accounts", held)
		}
		for i := range 10 {
			s.world.ResetCalls()
			s.world.Send("layerd", event(accountID, region, "makoto-01"))
			s.world.Send("layerd", event(otherAccount, region, "makoto-01"))
			// Who gets a message that was left is chance, each five seconds anew.
			for range 40 {
				if time.Sleep(sqs.Hidden); s.rounds(accountID) > 0 && s.rounds(otherAccount) > 0 {
					break
				}
			}
			if s.rounds(accountID) == 0 || s.rounds(otherAccount) == 0 {
				t.Errorf("%d: %d and %d looks", i, s.rounds(accountID), s.rounds(otherAccount))
			}
		}
		if n := s.world.Waiting("layerd"); n != 0 {
			t.Errorf("%d messages are left", n)
		}
	})
}

func TestAStandbyReceivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slow(t, 3, nil)
		s.repo = s.git.Add("acme/layers")
		s.commit("One account", map[string]string{
			"layerd.yaml":              "timezone: UTC\ndefaults:\n  region: ap-northeast-1\n  layers: {common: {functions: [\"makoto-*\"]}}\n",
			"layers/common/layer.yaml": "name: common\n", "environments/dev.yaml": envFile(accountID, "1.4.0", ""),
		})
		one := s.start("one")
		time.Sleep(30 * time.Second)
		two := s.start("two")
		defer two.stop()
		time.Sleep(time.Minute)
		for _, c := range s.world.Calls() {
			if c.Service == "sqs" && strings.HasSuffix(c.Caller, "/two") {
				t.Fatalf("the standby has asked %s", c.Operation)
			}
		}
		one.kill()
		time.Sleep(3 * time.Minute) // the lease runs out
		s.meddle(accountID, "makoto-01", 3)
		time.Sleep(10 * time.Second)
		if n := s.has(accountID, 4); n != 3 {
			t.Errorf("%d of 3 have 4: it was not seen by who took over", n)
		}
	})
}

// A queue that cannot be read is told, once in the log, in readyz and by an alert, and so
// is its return; rounds look meanwhile as they do without one.
func TestAQueueThatStops(t *testing.T) {
	for name, fault := range map[string]func(awssim.Call) awssim.Fault{
		"denied": awssim.Denied,
		"away":   func(awssim.Call) awssim.Fault { return awssim.ServerError() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := slow(t, 3, nil)
				s.interval = time.Minute
				var log logText
				s.log = &log
				var broken atomic.Bool
				s.world.OnCall(func(c awssim.Call) awssim.Fault {
					if broken.Load() && c.Service == "sqs" {
						return fault(c)
					}
					return awssim.Fault{}
				})
				p := s.start("one")
				defer p.stop()
				time.Sleep(3 * time.Minute)
				s.slack.take()
				broken.Store(true)
				time.Sleep(30 * time.Minute)
				h := p.daemon.Health()
				if h.Ready || !slices.ContainsFunc(h.Reasons, func(r string) bool { return strings.HasPrefix(r, "aws.events.queue: ") }) {
					t.Errorf("ready %v: %q", h.Ready, h.Reasons)
				}
				if got := s.slack.titles(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "no events of AWS can be read") {
					t.Errorf("told: %s", got)
				}
				if n := log.count("events cannot be read"); n != 1 {
					t.Errorf("%d lines in the log", n)
				}
				s.meddle(accountID, "makoto-01", 3)
				time.Sleep(90 * time.Second)
				if n := s.has(accountID, 4); n != 3 {
					t.Errorf("%d of 3 have 4 without the queue", n)
				}
				s.slack.take()
				broken.Store(false)
				time.Sleep(5 * time.Minute)
				if h := p.daemon.Health(); !h.Ready {
					t.Errorf("after its return: %q", h.Reasons)
				}
				if got := s.slack.titles(); !strings.Contains(got, "no events of AWS can be read") {
					t.Errorf("its return: %s", got)
				}
			})
		})
	}
}

// A stream with losses, duplicates, delays and lies comes to the same world as rounds
// alone, and nothing is changed that a round would not have changed.
func TestHintsConvergeAsSweepsDo(t *testing.T) {
	t.Parallel()
	seeds := uint64(4)
	switch {
	case testing.Short():
		seeds = 1
	case nightly.On():
		seeds = 24
	}
	for seed := range seeds {
		want, wrote := playHints(t, seed, false)
		got, wroteByHints := playHints(t, seed, true)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: with events\n%v\nwithout\n%v", seed, got, want)
		}
		for f := range wroteByHints {
			if !wrote[f] {
				t.Errorf("seed %d: %s was changed only with events", seed, f)
			}
		}
	}
}

// playHints plays a day of hands and commits, and returns what the functions have then and
// which were ever changed by layerd.
func playHints(t *testing.T, seed uint64, queue bool) (lists map[string]string, wrote map[string]bool) {
	lists, wrote = map[string]string{}, map[string]bool{}
	synctest.Test(t, func(t *testing.T) {
		story, noise := rand.New(&lockedSource{Source: rand.NewPCG(seed, 1)}), rand.New(&lockedSource{Source: rand.NewPCG(seed, 2)})
		s := newSite(t, 6)
		if queue {
			s.queue = s.world.Forward("layerd", mangled(noise))
		}
		p := s.start("one")
		defer p.stop()
		time.Sleep(3 * time.Minute)
		for range 12 {
			account := []string{accountID, otherAccount}[story.IntN(2)]
			switch story.IntN(5) {
			case 0:
				s.commit("Raise", map[string]string{"environments/dev.yaml": envFile(accountID, fmt.Sprintf("1.%d.0", 3+story.IntN(3)), "")})
			case 1:
				s.world.DropLayerVersion(layerARN(account, "common", 1))
			default:
				s.meddle(account, fmt.Sprintf("makoto-%02d", story.IntN(6)), 1+story.IntN(2)+1)
			}
			time.Sleep(time.Duration(3+story.IntN(20)) * time.Minute)
			if queue {
				s.world.Send("layerd", lie(noise))
			}
		}
		time.Sleep(30 * time.Minute)
		for _, f := range s.world.Functions() {
			lists[f.Account+" "+f.Name] = strings.Join(f.Layers, " ")
		}
		for _, c := range s.world.Calls() {
			if c.Write && c.Service == "lambda" {
				wrote[c.Operation+" "+c.Account+" "+c.Resource] = true
			}
		}
		if n := s.world.Waiting("layerd"); queue && n > 2 {
			t.Errorf("seed %d: %d messages are left", seed, n)
		}
	})
	return lists, wrote
}

// mangled loses, doubles, delays and falsifies events.
func mangled(r *rand.Rand) func(string) []awssim.Delivery {
	return func(body string) []awssim.Delivery {
		late := time.Duration(r.IntN(400)) * time.Second
		switch r.IntN(6) {
		case 0:
			return nil
		case 1:
			return []awssim.Delivery{{Body: body}, {Body: body, After: late}, {Body: body}}
		case 2:
			return []awssim.Delivery{{Body: body, After: late}}
		case 3:
			return []awssim.Delivery{{Body: lie(r)}, {Body: body}}
		case 4:
			return []awssim.Delivery{{Body: body[:r.IntN(len(body))+1]}}
		}
		return []awssim.Delivery{{Body: body}}
	}
}

// lie is a message that is not true, or not even an event.
func lie(r *rand.Rand) string {
	account := []string{accountID, otherAccount, "111122223333", "", "x"}[r.IntN(5)]
	switch r.IntN(4) {
	case 0:
		return strings.Repeat("{", 1+r.IntN(5000))
	case 1:
		return strings.Replace(event(account, region, "makoto-01"), "aws.lambda", cmp.Or([]string{"aws.ec2", "acme"}[r.IntN(2)], "x"), 1)
	}
	return event(account, []string{region, "us-east-1"}[r.IntN(2)], fmt.Sprintf("makoto-%02d", r.IntN(9)))
}

// lockedSource is drawn from by the test and by whatever calls the simulated AWS.
type lockedSource struct {
	mu sync.Mutex // guards Source
	rand.Source
}

func (s *lockedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Source.Uint64()
}
