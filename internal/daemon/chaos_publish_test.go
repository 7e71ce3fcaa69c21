package daemon_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/store"
)

// publishRegions are where the story publishes: functions are in the first only.
var publishRegions = []string{region, "us-east-1"}

// TestChaosOfPublishing kills the daemon at every call it makes from the commit that
// wants a version which AWS lacks until that is published in two Regions and attached.
// Each time there is one version in each Region in the end: AWS itself would make two of
// what is asked twice, and what one killed process asked for may come after the next one
// has looked.
func TestChaosOfPublishing(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of kills take a minute")
	}
	var first, last int
	var baseline outcome
	run := func(t *testing.T, n int, after bool) outcome { o, _, _ := publishStory(t, n, after); return o }
	synctest.Test(t, func(t *testing.T) { baseline, first, last = publishStory(t, 0, false) })
	want := map[string]int{"makoto-a 4→5": 1, "makoto-b 4→5": 1, "makoto-c 4→5": 1}
	for _, r := range publishRegions {
		want["publish arn:aws:lambda:"+r+":"+accountID+":layer:makoto-common-dev"] = 1
	}
	if !maps.Equal(baseline.applied, want) || baseline.late != 0 {
		t.Fatalf("the story is not what is meant: %+v", baseline)
	}
	for _, call := range []string{"aws PublishLayerVersion", "aws GetObject", "store create published"} {
		if !slices.Contains(baseline.calls[first-1:last], call) {
			t.Errorf("%s is not among the calls that are killed: %v", call, baseline.calls[first-1:last])
		}
	}
	killEach(t, baseline, first, last, run)
}

// publishStory runs it once; first and last are the calls of the first process from the
// commit to the end of what follows.
func publishStory(t *testing.T, n int, after bool) (out outcome, first, last int) {
	time.Sleep(time.Until(begin()))
	sim := &simulation{
		T: t, world: awssim.New(awssim.Options{Account: accountID, Region: region, Settle: 2 * time.Second}),
		git: gitserve.New(), store: store.NewMemory(), slack: &reader{},
	}
	sim.repo = sim.git.Add("acme/layers")
	for _, r := range publishRegions {
		for v := 1; v <= 4; v++ {
			sim.world.PutLayerVersion(awssim.LayerVersion{
				Region: r, Name: "makoto-common-dev", Description: fmt.Sprintf("v1.%d.0", v), Created: time.Now().AddDate(-1, 0, v),
			})
		}
		bucket := "artifacts-" + r
		sim.world.PutBucket(awssim.Bucket{Region: r, Name: bucket, Versioning: "Enabled"})
		sim.world.PutObject(bucket, "1.5.0.zip", archiveOf("1.5.0"))
	}
	for _, name := range []string{"makoto-a", "makoto-b", "makoto-c"} {
		sim.world.PutFunction(awssim.Function{Name: name, Layers: []string{sim.world.LayerARN("makoto-common-dev", 4)}})
	}
	sim.publishing("1.4.0")
	before := sim.lists()
	dead, restarted := sim.firstProcess(n, after)
	sim.at(7)
	first = len(dead.list()) + 1
	sim.publishing("1.5.0")
	sim.at(14)
	last = len(dead.list())
	sim.at(45) // a publish that was begun is looked for, for fifteen units
	out = sim.outcome(before)
	for _, r := range publishRegions {
		for _, v := range sim.world.LayerVersions("arn:aws:lambda:" + r + ":" + accountID + ":layer:makoto-common-dev") {
			out.live = append(out.live, fmt.Sprintf("%s %d %s", r, v.Number, v.CodeSha256))
		}
		past, err := history.Open(sim.store, "demo").Past(t.Context(), "dev", r)
		if err != nil {
			t.Fatal(err)
		}
		for layer, p := range past.Layers {
			out.live = append(out.live, fmt.Sprintf("%s is remembered as %d", layer, p.Numbers["1.5.0"]))
		}
	}
	sim.world.ResetCalls()
	sim.at(53)
	out.late = sim.world.Writes()
	sim.close(restarted)
	out.calls, out.killed = dead.list(), dead.died()
	return out, first, last
}

// archiveOf returns a small archive of a layer.
func archiveOf(text string) []byte { return awssim.Zip(map[string]string{"python/common.py": text}) }

// publishing asks for a version of makoto-common that may have to be published.
func (sim *simulation) publishing(version string) {
	sim.Helper()
	_, err := sim.repo.Commit(gitserve.Change{Subject: "Want " + version, Author: "sato", Files: map[string]string{
		"layerd.yaml": "timezone: UTC\ndefaults:\n  layer_name: ${NAME}-${ENVIRONMENT}\n" +
			"  layers: {makoto-common: {functions: [\"makoto-*\"]}}\n",
		"layers/common/layer.yaml": "name: makoto-common\nartifact: s3://artifacts-${REGION}/${VERSION}.zip\n",
		"environments/dev.yaml":    "account: \"" + accountID + "\"\nregions: [" + publishRegions[0] + ", " + publishRegions[1] + "]\nlayers: {makoto-common: " + version + "}\n",
	}})
	if err != nil {
		sim.Fatal(err)
	}
}

// Two daemons and a laptop come at once, each with the archive: one version, whoever has
// the lease.
func TestPublishAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(begin()))
		sim := &simulation{
			T: t, world: awssim.New(awssim.Options{Account: accountID, Region: region, Settle: 2 * time.Second}),
			git: gitserve.New(), store: store.NewMemory(), slack: &reader{},
		}
		sim.repo = sim.git.Add("acme/layers")
		for _, r := range publishRegions {
			sim.world.PutBucket(awssim.Bucket{Region: r, Name: "artifacts-" + r})
			sim.world.PutObject("artifacts-"+r, "1.5.0.zip", archiveOf("1.5.0"))
		}
		sim.world.PutFunction(awssim.Function{Name: "makoto-a"})
		sim.publishing("1.5.0")
		for range 3 {
			sim.start(0, false)
		}
		sim.at(20)
		publishes := 0
		for _, c := range sim.world.Calls() {
			if _, ok := c.Input.(*lambda.PublishLayerVersionInput); ok {
				publishes++
			}
		}
		if publishes != 2 {
			t.Errorf("%d publishes in two Regions", publishes)
		}
		none := make(chan struct{})
		close(none)
		sim.close(none)
	})
}
