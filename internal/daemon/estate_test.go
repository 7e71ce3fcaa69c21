package daemon_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/store"
)

const estateFunctions, estatePartner = 200, "210987654321"

var estate = []string{"dev", "staging", "prod"}

// One commit publishes a version in three environments, attaches it to 200 functions and
// shares it. Whatever goes wrong on the way, the end is the same: each environment has
// the version once and each function has it, every version is shared once, the parameters
// have it, and what follows writes nothing.
func TestAnEstateIsPublishedAttachedAndShared(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("600 functions")
	}
	for name, trouble := range map[string]func(*simulation){
		"all is well":   func(sim *simulation) { sim.start(0, false) },
		"AWS throttles": func(sim *simulation) { sim.world.OnCall(every(5, awssim.Throttle())); sim.start(0, false) },
		"AWS throttles all for a minute": func(sim *simulation) {
			sim.world.OnCall(againAndAgain(30, time.Minute, awssim.Throttle()))
			sim.start(0, false)
		},
		"answers are lost":              func(sim *simulation) { sim.world.OnCall(everyWrite(9)); sim.start(0, false) },
		"killed again and again":        func(sim *simulation) { sim.mortal() },
		"throttled, lost, and killed":   func(sim *simulation) { sim.world.OnCall(everyWrite(11)); sim.mortal() },
		"three come at once, and share": func(sim *simulation) { sim.start(0, false); sim.start(0, false); sim.start(0, false) },
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { playEstate(t, trouble) }) })
	}
}

func playEstate(t *testing.T, trouble func(*simulation)) {
	time.Sleep(time.Until(begin()))
	sim := newEstate(t)
	sim.wantEstate("1.5.0", estate...)
	trouble(sim)
	sim.at(120)
	sim.checkEstate()
	sim.world.ResetCalls()
	sim.at(140)
	if n := sim.world.Writes(); n > 0 {
		t.Errorf("%d writes follow", n)
	}

	// Another environment asks for the same version when other bytes are under its name.
	sim.world.PutObject("artifacts", "1.5.0.zip", archiveOf("other bytes"))
	sim.world.PutFunction(awssim.Function{Name: "makoto-000-late"})
	sim.wantEstate("1.5.0", append(slices.Clone(estate), "late")...)
	sim.at(160)
	if live := sim.world.LayerVersions("common-late"); len(live) > 0 {
		t.Errorf("other bytes are published under one version: %+v", live)
	}
	told := sim.slack.take()
	if !slices.ContainsFunc(told, func(m notify.Message) bool {
		return strings.Contains(fmt.Sprintf("%+v", m), "and what was published first as 1.5.0 is sha256:")
	}) {
		t.Errorf("nobody is told that the bytes have changed: %+v", told)
	}
	sim.checkEstate()
	none := make(chan struct{})
	close(none)
	sim.close(none)
}

// newEstate has functions of three environments with the version before, and the archive
// of the next one in a bucket that keeps no versions.
func newEstate(t *testing.T) *simulation {
	sim := &simulation{
		T: t, world: awssim.New(awssim.Options{Account: accountID, Region: region, Settle: 2 * time.Second}),
		git: gitserve.New(), store: store.NewMemory(), slack: &reader{},
	}
	sim.repo = sim.git.Add("acme/layers")
	for i, env := range estate {
		for v := 3; v <= 4+i; v++ { // numbers differ, as they do
			sim.world.PutLayerVersion(awssim.LayerVersion{Name: "common-" + env, Description: fmt.Sprintf("v1.%d.0", v-i), Created: time.Now().AddDate(-1, 0, v)})
		}
	}
	for i := range estateFunctions {
		env := estate[i%len(estate)]
		live := sim.world.LayerVersions("common-" + env)
		sim.world.PutFunction(awssim.Function{
			Name: fmt.Sprintf("makoto-%03d-%s", i, env), Layers: []string{sim.world.LayerARN("common-"+env, live[0].Number)},
		})
	}
	sim.world.PutBucket(awssim.Bucket{Name: "artifacts"})
	sim.world.PutObject("artifacts", "1.5.0.zip", archiveOf("1.5.0"))
	return sim
}

func (sim *simulation) wantEstate(version string, environments ...string) {
	sim.Helper()
	files := map[string]string{
		"layerd.yaml": "timezone: UTC\ndefaults:\n  account: \"" + accountID + "\"\n  region: " + region + "\n  layer_name: ${NAME}-${ENVIRONMENT}\n" +
			"  layers: {common: {functions: [\"makoto-*-${ENVIRONMENT}\"]}}\n",
		"layers/common/layer.yaml": "name: common\nartifact: s3://artifacts/${VERSION}.zip\nshare_with: [\"" + estatePartner + "\"]\nmetadata: {team: platform}\n",
	}
	for _, env := range environments {
		files["environments/"+env+".yaml"] = "layers: {common: " + version + "}\n"
	}
	if _, err := sim.repo.Commit(gitserve.Change{Subject: "Want " + version, Author: "sato", Files: files}); err != nil {
		sim.Fatal(err)
	}
}

// mortal runs one process after another, of which the first few die in the middle of what
// they do, before a call has its effect and after.
func (sim *simulation) mortal() {
	deaths := []int{60, 75, 110, 170, 260, 400}
	go func() {
		for i, n := range append(deaths, 0) {
			p := sim.start(n, i%2 == 1)
			<-p.done
			if !p.died() {
				return
			}
			time.Sleep(5 * time.Second)
		}
	}()
}

// every is a fault of each n-th call.
func every(n int, fault awssim.Fault) func(awssim.Call) awssim.Fault {
	calls := 0
	return func(awssim.Call) awssim.Fault {
		if calls++; calls%n == 0 {
			return fault
		}
		return awssim.Fault{}
	}
}

// againAndAgain is a fault of each call but GetFunction for so long, whenever n more
// functions have been written to and dozens wait for their turn.
func againAndAgain(n int, d time.Duration, fault awssim.Fault) func(awssim.Call) awssim.Fault {
	var attaches int
	var until time.Time
	return func(c awssim.Call) awssim.Fault {
		if c.Operation == "UpdateFunctionConfiguration" && !c.Time.Before(until) {
			if attaches++; attaches%n == 0 {
				until = c.Time.Add(d)
			}
		}
		if c.Time.Before(until) && c.Operation != "GetFunction" {
			return fault
		}
		return awssim.Fault{}
	}
}

// everyWrite loses the answer of each n-th write and, between them, breaks the connection
// before another one is begun; the first publish of all is among the former.
func everyWrite(n int) func(awssim.Call) awssim.Fault {
	writes, publishes := 0, 0
	return func(c awssim.Call) awssim.Fault {
		if !c.Write {
			return awssim.Fault{}
		}
		if _, ok := c.Input.(*lambda.PublishLayerVersionInput); ok {
			if publishes++; publishes == 1 {
				return awssim.LostAnswer()
			}
			return awssim.Fault{}
		}
		switch writes++; writes % n {
		case 0:
			return awssim.LostAnswer()
		case n / 2:
			return awssim.Reset()
		case n / 3:
			return awssim.Throttle()
		}
		return awssim.Fault{}
	}
}

// checkEstate looks at everything that was to be done.
func (sim *simulation) checkEstate() {
	sim.Helper()
	zip := archiveOf("1.5.0")
	have := map[string]int{}
	for _, f := range sim.world.Functions() {
		for _, l := range f.Layers {
			have[l]++
		}
	}
	want := map[string]int{}
	for i, env := range estate {
		live := sim.world.LayerVersions("common-" + env)
		if len(live) != 3+i || string(live[0].Content) != string(zip) {
			sim.Errorf("%s has %d versions, the newest of %d bytes", env, len(live), len(live[0].Content))
		}
		for _, v := range live {
			if len(v.Grants) != 1 || v.Grants[0].Principal != estatePartner || !strings.HasPrefix(v.Grants[0].Sid, "layerd-") {
				sim.Errorf("%s %d is shared as %+v", env, v.Number, v.Grants)
			}
		}
		arn := sim.world.LayerARN("common-"+env, live[0].Number)
		want[arn] = (estateFunctions + len(estate) - 1 - i) / len(estate)
		p, _ := sim.world.Parameter("/layerd/" + env + "/common/arn")
		version, _ := sim.world.Parameter("/layerd/" + env + "/common/version")
		if p.Value != arn || version.Value != "1.5.0" || p.Tags["team"] != "platform" {
			sim.Errorf("%s announces %+v and %+v", env, p, version)
		}
	}
	if !maps.Equal(have, want) {
		sim.Errorf("functions have %v, want %v", have, want)
	}
	log := history.Open(sim.store, "demo")
	if open, err := log.Unfinished(sim.Context()); err != nil || len(open) > 0 {
		sim.Errorf("open: %+v, %v", open, err)
	}
	applied := map[plan.Kind]int{}
	for e, err := range log.Entries(sim.Context(), history.Query{}) {
		if err != nil {
			sim.Fatal(err)
		}
		switch {
		case e.Status == plan.StatusApplied:
			applied[e.Kind]++
		case e.Status == plan.StatusFailed && e.Kind == plan.KindAttach:
			sim.Errorf("%s: %s", e.Function, e.Error) // three of these, and it is left alone for a day
		}
	}
	if applied[plan.KindPublish] != len(estate) || applied[plan.KindAttach] != estateFunctions {
		sim.Errorf("the history has %v", applied)
	}
}
