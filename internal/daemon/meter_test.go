package daemon_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/state"
)

// figuresPut returns what was put, by caller and in order: metric, dimensions, value.
func figuresPut(w *awssim.World, since time.Time) map[string][]string {
	all := map[string][]string{}
	for _, call := range w.Calls() {
		in, ok := call.Input.(*cloudwatch.PutMetricDataInput)
		if !ok || call.Status != 200 || call.Time.Before(since) {
			continue
		}
		for _, d := range in.MetricData {
			text := aws.ToString(in.Namespace) + " " + aws.ToString(d.MetricName)
			for _, dim := range d.Dimensions {
				text += " " + aws.ToString(dim.Name) + "=" + aws.ToString(dim.Value)
			}
			if *d.MetricName != "Rounds" {
				text += fmt.Sprint(" ", *d.Value)
			} else if *d.Value > 0 {
				text += " some"
			}
			caller := call.Caller[strings.LastIndex(call.Caller, "/")+1:]
			all[caller] = append(all[caller], text)
		}
	}
	return all
}

func counted(list []string, want string) (n int) {
	for _, text := range list {
		if text == want {
			n++
		}
	}
	return n
}

// traffic calls a function once a minute for so many minutes, from now on.
func traffic(w *awssim.World, function string, minutes, errors int) {
	for i := range minutes {
		w.PutTraffic(awssim.Traffic{Account: accountID, Region: region, Function: function, Time: time.Now().Add(time.Duration(i) * time.Minute), Invocations: 10, Errors: errors})
	}
}

// TestFiguresOfAPlayedWorld: who has the lease puts them, each period once; what nobody
// knows is not put; the calls are as few as they can be.
func TestFiguresOfAPlayedWorld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		s.cloudWatch = true
		(&inspect.Memory{Store: s.store}).Put(t.Context(), state.LayerVersionARN(layerARN(accountID, "common", 4)), inspect.Contents{Unzipped: 200 << 20})
		one := s.start("one")
		defer one.stop()
		time.Sleep(time.Minute)
		two := s.start("two")
		defer two.stop()
		traffic(s.world, "makoto-00", 60, 2)
		traffic(s.world, "makoto-01", 60, 0)
		traffic(s.world, "stranger", 60, 7) // nobody selects it
		time.Sleep(11 * time.Minute)
		began := time.Now()
		time.Sleep(30 * time.Minute)
		got := figuresPut(s.world, began)
		for who, want := range map[string][]string{ // they share the accounts out
			"one": {
				"layerd LayerErrors Environment=dev Layer=common 10", // 2 a minute
				"layerd LayerSize Layer=common 2.097152e+08",
				"layerd Rounds Environment=dev some",
			},
			"two": {"layerd Rounds Environment=prod some"}, // where nobody calls anything
		} {
			for _, text := range want {
				if n := counted(got[who], text); n != 6 {
					t.Errorf("%s: %s: %d times, want 6", who, text, n)
				}
			}
			if len(got[who]) != 6*len(want) {
				t.Errorf("%s put more: %v", who, got[who])
			}
		}
		calls := map[string]int{}
		for _, c := range s.world.Calls() {
			if c.Service == "cloudwatch" && !c.Time.Before(began) {
				calls[c.Operation]++
			}
		}
		if calls["GetMetricData"] != 2*6 || calls["PutMetricData"] != 2*6 {
			t.Errorf("calls in six periods of two environments: %v", calls)
		}
		one.stop()
		ended := time.Now()
		time.Sleep(10 * time.Minute)
		if got := figuresPut(s.world, ended); counted(got["two"], "layerd LayerErrors Environment=dev Layer=common 10") == 0 {
			t.Errorf("after the lease went over: %v", got)
		}
	})
}

// TestNobodyPutsFiguresUnasked: without the key nothing is asked of CloudWatch.
func TestNobodyPutsFiguresUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		one := s.start("one")
		defer one.stop()
		time.Sleep(20 * time.Minute)
		if n := s.world.Count("PutMetricData") + s.world.Count("GetMetricData"); n > 0 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestFiguresDisturbNoRound: refused, broken or hanging, rounds go on as they do without,
// and the log has one line about it, and one when it is over.
func TestFiguresDisturbNoRound(t *testing.T) {
	for name, tt := range map[string]struct {
		fault func(awssim.Call) awssim.Fault
		of    string
		put   bool // Rounds all the same
	}{
		"may not put":    {awssim.Denied, "PutMetricData", false},
		"may not read":   {awssim.Denied, "GetMetricData", true},
		"putting hangs":  {func(awssim.Call) awssim.Fault { return awssim.Delay(time.Hour) }, "PutMetricData", false},
		"reading breaks": {func(awssim.Call) awssim.Fault { return awssim.ServerError() }, "GetMetricData", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 3)
				s.cloudWatch = true
				log := &logbook{}
				s.log = log
				one := s.start("one")
				defer one.stop()
				traffic(s.world, "makoto-00", 120, 2)
				time.Sleep(12 * time.Minute)
				s.world.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Operation == tt.of {
						return tt.fault(c)
					}
					return awssim.Fault{}
				})
				began := time.Now()
				s.meddle(accountID, "makoto-01", 3)
				time.Sleep(40 * time.Minute)
				if n := s.has(accountID, 4); n != 3 {
					t.Errorf("drift is not healed: %d of 3 have what Git wants", n)
				}
				got := figuresPut(s.world, began.Add(10*time.Minute))["one"]
				if n := counted(got, "layerd Rounds Environment=dev some"); n > 0 != tt.put {
					t.Errorf("put %v", got)
				}
				if strings.Contains(strings.Join(got, "\n"), "LayerErrors") {
					t.Errorf("errors are put that nobody could read: %v", got)
				}
				if lines := with(log.take(), "metrics not put into CloudWatch"); len(lines) != 2 { // two accounts
					t.Errorf("in the log:\n%s", strings.Join(lines, "\n"))
				}
				s.world.OnCall(nil)
				time.Sleep(15 * time.Minute)
				if lines := with(log.take(), "metrics are put into CloudWatch again"); len(lines) != 2 {
					t.Errorf("in the log, when it is over: %v", lines)
				}
			})
		})
	}
}
