package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

// The pinned story is one night of a daemon over eleven environments in which
// every kind of document is written that a store can hold. It is told twice:
// once, at commit 6485e27, into the store that storetest.Past holds, and again in
// each run of TestPinnedBytes. Do not alter it: add another night beside it.

// pinnedIdentity is what a clone of https://github.com/acme/layers has.
const pinnedIdentity = "github.com/acme/layers"

const otherRegion = "us-east-1"

// pinnedEnvironments are the files at the beginning, without their version.
var pinnedEnvironments = map[string]string{
	"dev":     "regions: [ap-northeast-1, us-east-1]\nretention: {versions_to_keep: 2, grace: 1m}\n",
	"prod":    "change_window: \"Saturday 02:00-06:00 UTC\"\napproval_required: true\n",
	"staging": "approval_required: true\nalias: live\nrollout: {waves: [1, 100%], bake: 23h, canary: {weight: 10%, bake: 10m}}\n",
	"qa":      "rollout: {waves: [1, 100%], bake: 1m, smoke_test: {function: makoto-a-qa}}\n",
	"halt":    "rollout: {waves: [1, 100%], bake: 1m, on_failure: halt, smoke_test: {function: makoto-a-halt}}\n",
	"hand":    "",
	"watch":   "drift: report\n",
	"wait":    "approval_required: true\n",
	"old":     "",
	"gone":    "",
	"crash":   "",
}

// pinnedSite has three functions of each environment, and six versions of its
// layer, of which 1.4.0 is what they run and 1.6.0 what nobody asks for.
func pinnedSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		t: t, world: awssim.New(awssim.Options{Account: accountID, Region: region, Settle: 2 * time.Second}),
		git: gitserve.New(), store: store.NewMemory(), slack: &reader{}, identity: pinnedIdentity,
	}
	s.repo = s.git.Add("acme/layers")
	files := map[string]string{
		"layerd.yaml": "timezone: Asia/Tokyo\ndefaults:\n  account: \"" + accountID + "\"\n  region: ap-northeast-1\n" +
			"  layer_name: ${NAME}-${ENVIRONMENT}\n  layers: {common: {functions: [\"makoto-*-${ENVIRONMENT}\"]}}\n",
		"layers/common/layer.yaml": "name: common\n",
	}
	for env, more := range pinnedEnvironments {
		files["environments/"+env+".yaml"] = pinnedFile(more, "1.4.0")
		s.seed(env, region)
	}
	s.seed("dev", otherRegion)
	for _, f := range []string{"makoto-a-staging", "makoto-b-staging"} {
		s.world.PutAlias(awssim.Alias{Function: f, Name: "live", Version: s.world.PutVersion(f)})
	}
	s.world.OnInvoke(func(in awssim.Invocation) awssim.Result {
		if slices.ContainsFunc(in.Layers, func(l string) bool { return strings.HasSuffix(l, ":5") }) {
			return awssim.Result{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"No module named 'common'"}`)}
		}
		return awssim.Result{}
	})
	s.commit("Begin", files)
	return s
}

func pinnedFile(more, version string) string { return more + "layers: {common: " + version + "}\n" }

func (s *site) seed(env, region string) {
	for n := 1; n <= 6; n++ {
		s.world.PutLayerVersion(awssim.LayerVersion{
			Region: region, Name: "common-" + env, Description: fmt.Sprintf("common v1.%d.0", n), Created: time.Now().AddDate(-1, 0, n),
		})
	}
	functions := []string{"a", "b", "c"}
	if env == "crash" {
		functions = functions[:1] // of several nobody knows which the kill meets
	}
	for _, f := range functions {
		s.world.PutFunction(awssim.Function{Region: region, Name: "makoto-" + f + "-" + env, Layers: []string{pinnedARN(region, env, 4)}})
	}
}

func pinnedARN(region, env string, n int) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:layer:common-%s:%d", region, accountID, env, n)
}

// sets has somebody else give a function another version.
func (s *site) sets(region, function, env string, version int) {
	s.world.EditFunction(fmt.Sprintf("arn:aws:lambda:%s:%s:function:makoto-%s-%s", region, accountID, function, env), func(f *awssim.Function) {
		f.Layers = []string{pinnedARN(region, env, version)}
	})
}

func (s *site) want(version string, environments ...string) {
	s.t.Helper()
	files := map[string]string{}
	for _, env := range environments {
		files["environments/"+env+".yaml"] = pinnedFile(pinnedEnvironments[env], version)
	}
	s.commit("Raise common to "+version, files)
}

// closableTarget is a Slack that takes what it is told until it is shut.
type closableTarget struct {
	reader
	shut atomic.Bool
}

func (c *closableTarget) Name() string { return "slack" }

func (c *closableTarget) Send(ctx context.Context, m notify.Message) error {
	if c.shut.Load() {
		return errors.New("no answer")
	}
	return c.reader.Send(ctx, m)
}

// tellStory tells the story and returns what Slack was told until it was shut.
func (s *site) tellStory() []notify.Message {
	slack := &closableTarget{}
	s.target = slack
	p := s.start("one")
	s.until(0, 5)
	s.sets(region, "b", "dev", 6)
	s.until(0, 10)
	s.want("1.5.0", "dev", "prod", "staging", "qa", "halt", "hand", "wait")
	s.until(0, 20)
	s.approve("prod")
	s.approve("staging")
	s.sets(region, "c", "watch", 2)
	s.until(0, 50)
	s.people()
	s.until(2, 20) // prod's window has opened
	if _, err := s.repo.Commit(gitserve.Change{Subject: "Remove two", Author: "suzuki", Delete: []string{"environments/old.yaml", "environments/gone.yaml"}}); err != nil {
		s.t.Fatal(err)
	}
	s.until(2, 30)
	s.check(history.Open(s.store, pinnedIdentity).Rulings().Forget(s.t.Context(), ruling.Forgotten{Environment: "old", By: "suzuki", At: time.Now().UTC(), Reason: "closed"}))
	for i := range 4 { // somebody insists
		s.until(2, 40+10*i)
		s.sets(otherRegion, "a", "dev", 4)
	}
	slack.shut.Store(true)
	s.until(3, 30)
	s.sets(region, "a", "hand", 1)
	s.until(3, 36)
	s.commit("Break dev", map[string]string{"environments/dev.yaml": "chnage_window: x\n" + pinnedFile(pinnedEnvironments["dev"], "1.6.0")})
	s.until(3, 50)
	p.stop()
	s.dies()
	s.leases()
	return slack.take()
}

// until sleeps until a time of the first morning.
func (s *site) until(hour, minute int) {
	time.Sleep(time.Until(time.Date(2000, 1, 1, 0, minute+60*hour, 0, 0, time.UTC)))
}

// check fails the test for the error that comes with any value.
func (s *site) check(_ any, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// approve says yes to what an environment offers.
func (s *site) approve(env string) {
	s.t.Helper()
	offers, err := ruling.Pending(s.t.Context(), s.store, pinnedIdentity, env, "")
	if err != nil || len(offers) != 1 {
		s.t.Fatalf("%s offers %v, %v", env, offers, err)
	}
	s.check(history.Open(s.store, pinnedIdentity).Rulings().Approve(s.t.Context(), ruling.Approval{
		Environment: env, Digest: offers[0].Digest, By: "佐藤", At: time.Now().UTC(), Reason: "release 1.5.0",
	}, window.Calendar{}))
}

// people decide: what hand has goes back, on one function of it further; qa may
// try again; what halted goes on; and a plan too large for one value is approved.
func (s *site) people() {
	s.t.Helper()
	ctx, log := s.t.Context(), history.Open(s.store, pinnedIdentity)
	rulings := log.Rulings()
	q := ruling.Quarantine{
		Environment: "hand", Region: region, Layer: state.NewLayerARN("aws", region, accountID, "common-hand"), Name: "common",
		Number: 5, Semver: "1.5.0", RevertTo: 4, ByPerson: true, By: "鈴木", Reason: "it times out", At: time.Now().UTC(),
	}
	s.check(rulings.Quarantine(ctx, q))
	q.Functions, q.RevertTo, q.At = "makoto-c-*", 3, time.Now().UTC()
	s.check(rulings.Quarantine(ctx, q))
	s.until(1, 0)
	s.check(rulings.Lift(ctx, q, "佐藤", "c is well", time.Now()))
	held, err := ruling.LoadQuarantines(ctx, s.store, pinnedIdentity, "qa")
	if err != nil || len(held) != 1 {
		s.t.Fatalf("qa has %v in quarantine, %v", held, err)
	}
	s.check(rulings.Lift(ctx, held[0], "佐藤", "once more", time.Now()))
	ro, err := log.Rollout(ctx, "halt", region)
	if err != nil || ro == nil {
		s.t.Fatalf("the rollout of halt is %v, %v", ro, err)
	}
	if ok, err := log.Resume(ctx, "halt", region, ro.ID, "佐藤", "the test was wrong"); !ok || err != nil {
		s.t.Fatalf("it does not go on: %v", err)
	}
	var lines []string
	for i := range 600 {
		lines = append(lines, ruling.ApprovalLine(region, "attach", q.Layer, fmt.Sprintf("makoto-%04d-wait", i), "5"))
	}
	digest := ruling.Digest(lines)
	s.check(nil, ruling.RecordPending(ctx, s.store, pinnedIdentity, ruling.PendingPlan{Environment: "wait", Digest: digest, Scope: lines, At: time.Now().UTC()}))
	s.check(rulings.Approve(ctx, ruling.Approval{Environment: "wait", Digest: digest, By: "佐藤", At: time.Now().UTC()}, window.Calendar{}))
}

// dies has a daemon begin with crash and die before it hears that its write was
// done, which is a record without an end. All other environments are through
// with their round by then.
func (s *site) dies() {
	s.want("1.5.0", "crash")
	p := s.start("two")
	s.world.OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation != "UpdateFunctionConfiguration" {
			return awssim.Fault{}
		}
		time.AfterFunc(10*time.Second, p.kill)
		return awssim.Fault{Linger: 20 * time.Second}
	})
	<-p.done
	s.world.OnCall(nil)
}

// leases has one that was given back by whoever came after the dead, one that
// somebody has and another one wants, and one that is kept for who asked.
func (s *site) leases() {
	s.t.Helper()
	ctx := s.t.Context()
	keeper := func(name string) *lease.Keeper {
		return lease.New(s.store, lease.Holder{Name: name, Repository: pinnedIdentity}, 0)
	}
	laptop, other := keeper("laptop (apply)"), keeper("another")
	for _, account := range []string{accountID, otherAccount, "345678901234"} {
		l, err := laptop.Acquire(ctx, account, time.Hour, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if account != accountID {
			s.check(nil, other.Ask(ctx, account))
		}
		if account != otherAccount {
			s.check(nil, l.Release(ctx))
			continue
		}
		v, err := s.store.Get(ctx, "lease/"+account)
		s.check(nil, err)
		s.check(nil, l.Release(ctx)) // every lease must be, and the store has to show one that was not
		now, err := s.store.Get(ctx, "lease/"+account)
		s.check(nil, err)
		s.check(s.store.Replace(ctx, v.Key, now.Revision, v.Data))
	}
}
