package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

const (
	commit = "c0ffee123456789abcdef0123456789abcdef012"
	hashA  = "aaaa0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
	hashB  = "bbbb0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
)

// withArtifact is scene, whose layer has an artifact of which content is known; nil =
// nothing is.
func withArtifact(version string, have, past int64, content *state.Content) Input {
	in := scene(version, have, past)
	in.Revision = commit
	w := &in.Regions[0].Want.Layers[0]
	w.At = desired.Position{File: "environments/prod.yaml", Line: 7, Column: 9, Length: 5}
	w.Source = &desired.Source{Location: "s3://artifacts/common/${VERSION}.zip", Description: "common of ${VERSION}", License: "MIT"}
	w.Runtimes, w.Architectures = []string{"python3.12"}, []string{"x86_64"}
	know(&in, 0, version, content)
	return in
}

// know adds what the artifact of a version is to the snapshot of a Region.
func know(in *Input, i int, version string, content *state.Content) {
	if v := mustVersion(version); content != nil && v.Kind == desired.Exact {
		snap := *in.Regions[i].Have
		snap.Contents = map[state.Artifact]state.Content{in.Regions[i].Want.Layers[0].Artifact(v.Semver, in.Revision): *content}
		for a, c := range in.Regions[i].Have.Contents {
			snap.Contents[a] = c
		}
		in.Regions[i].Have = &snap
	}
}

func zip(sha256 string) *state.Content { return &state.Content{SHA256: sha256, Size: 12 << 20} }

// summary returns a plan's steps as "id to holder,holder", in order.
func summary(r plan.Region) []string {
	var list []string
	for _, s := range r.Steps {
		var by []string
		for _, h := range s.Held.All() {
			by = append(by, string(h.By))
		}
		list = append(list, strings.TrimSpace(s.ID+" "+strings.TrimPrefix(string(s.To), string(s.LayerARN)+":")+" "+strings.Join(by, ",")))
	}
	return list
}

func TestPublishBeforeAttach(t *testing.T) {
	in := withArtifact("1.5.0", 4, 4, zip(hashA))
	r := only(t, in)
	want := []string{"publish/common/1.5.0 sha256:" + hashA, "attach/common/f sha256:" + hashA + " order"}
	if got := summary(r); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	publish, attach := r.Steps[0], r.Steps[1]
	if publish.Cause != plan.CauseChange || publish.Function != "" || publish.Reason == "" || publish.ToVersion != "1.5.0" {
		t.Errorf("%+v", publish)
	}
	p := publish.Publishing
	if p.Description != "common of 1.5.0 v1.5.0 sha256:aaaa01234567 git:c0ffee1" || p.License != "MIT" || p.Content.SHA256 != hashA ||
		p.Artifact.Location != "s3://artifacts/common/1.5.0.zip" || !slices.Equal(p.Runtimes, []string{"python3.12"}) {
		t.Errorf("%+v", p)
	}
	if attach.Kind != plan.KindAttach || attach.ToVersion != "1.5.0" || attach.From.Number() != 4 ||
		attach.Held.Reason != "waits until common 1.5.0 is published" || attach.Reason != "Git asks for 1.5.0, which is not published yet, and the function has 4 (1.3.0)" {
		t.Errorf("%+v held by %+v", attach, attach.Held)
	}
	if r.InSync || len(r.Problems) > 0 || !r.Needs.Empty() && len(r.Needs.Artifacts) > 0 {
		t.Errorf("in sync %v, problems %v, needs %+v", r.InSync, r.Problems, r.Needs)
	}
	lines := Decide(in).Lines
	if want := []string{
		tokyo + " attach " + string(common) + " f sha256:" + hashA, tokyo + " publish " + string(common) + "  sha256:" + hashA,
	}; !slices.Equal(lines, want) {
		t.Errorf("lines %q, want %q", lines, want)
	}
}

// Only an exact version is published, and only one that is nowhere yet.
func TestWhatIsPublished(t *testing.T) {
	for version, want := range map[string]int{"1.5.0": 1, "1.5.0-rc.1": 1, "1.4.0": 0, "1.0.0": 0, "^2": 0, "^1": 0, "latest": 0, "5": 0, "9": 0, "none": 0} {
		in := withArtifact(version, 4, 4, zip(hashA))
		n := 0
		for _, s := range only(t, in).Steps {
			if s.Kind == plan.KindPublish {
				n++
			}
		}
		if n != want {
			t.Errorf("%s: %d publishes, want %d", version, n, want)
		}
	}
}

// What an artifact is has to be known first, and nothing is guessed until then.
func TestArtifactsAreAskedFor(t *testing.T) {
	in := withArtifact("1.5.0", 4, 3, nil)
	r := only(t, in)
	want := state.Artifact{Location: "s3://artifacts/common/1.5.0.zip", Layer: "common", Version: "1.5.0", Runtimes: "python3.12", Architectures: "x86_64"}
	if !slices.Equal(r.Needs.Artifacts, []state.Artifact{want}) {
		t.Errorf("needs %+v", r.Needs.Artifacts)
	}
	if len(r.Problems) != 1 || r.Problems[0].Code != "artifact_unread" || r.Problems[0].Line != 7 || len(r.Steps) > 0 || r.InSync {
		t.Errorf("problems %v, steps %v", r.Problems, summary(r))
	}
	if _, needs := Resolve(in); !slices.Equal(needs[0].Artifacts, []state.Artifact{want}) {
		t.Errorf("resolving needs %+v", needs)
	}
	in.Regions[0].Want.Layers[0].Source.Location = "layers/common"
	if a := only(t, in).Needs.Artifacts[0]; a.Commit != commit {
		t.Errorf("a path in the repository is read at %q", a.Commit)
	}
}

// What is wrong with an artifact is a problem where the version stands; heals go on.
func TestArtifactProblems(t *testing.T) {
	elsewhere := func(description string) func(*Input) {
		return func(in *Input) {
			other := in.Regions[0]
			other.Want.Region = "us-east-1"
			layer := state.NewLayerARN("aws", "us-east-1", account, "common")
			other.Want.Layers = slices.Clone(other.Want.Layers)
			other.Want.Layers[0].Layer = layer
			other.Have = &state.Snapshot{Account: account, Region: "us-east-1", Layers: []state.Layer{{ARN: layer, Versions: []state.LayerVersion{{Number: 9, Description: description}}}}}
			in.Regions = append(in.Regions, other)
		}
	}
	beside := func(description string) func(*Input) {
		return func(in *Input) {
			dev := in.Regions[0].Want
			dev.Name, dev.Layers = "dev", slices.Clone(dev.Layers)
			dev.Layers[0].Layer = arnOf("common-dev")
			dev.Layers[0].Functions = nil
			in.Others = append(in.Others, Other{Want: dev})
			in.Regions[0].Have.Layers = append(in.Regions[0].Have.Layers, state.Layer{ARN: arnOf("common-dev"), Versions: []state.LayerVersion{{Number: 2, Description: description}}})
			in.Regions[0].Have.Sort()
		}
	}
	stamp := func(version, sha256 string) string {
		return catalog.NewStamp(mustVersion(version).Semver, sha256, commit).String()
	}
	for _, tt := range []struct {
		name    string
		content state.Content
		change  func(*Input)
		code    string
		says    string
	}{
		{"all is well", *zip(hashA), func(*Input) {}, "", ""},
		{"what was found out", state.Content{Code: "artifact_missing", Message: "there is no such object", Suggestion: "upload it"}, func(*Input) {}, "artifact_missing", "common 1.5.0 cannot be published: there is no such object"},
		{"other bytes than the first publish", *zip(hashA), func(in *Input) { in.Published = published("common", "1.5.0", hashB) }, "artifact_changed", "sha256:bbbb01234567"},
		{"the same bytes", *zip(hashA), func(in *Input) { in.Published = published("common", "1.5.0", hashA) }, "", ""},
		{"another version's", *zip(hashA), func(in *Input) { in.Published = published("common", "1.4.0", hashB) }, "", ""},
		{"another layer's", *zip(hashA), func(in *Input) { in.Published = published("ml", "1.5.0", hashB) }, "", ""},
		{"other than Git says", *zip(hashA), func(in *Input) { setHash(in, hashB) }, "artifact_changed", "layer.yaml says"},
		{"just as Git says", *zip(hashA), func(in *Input) { setHash(in, hashA) }, "", ""},
		{"other than in another Region", *zip(hashA), elsewhere("x " + stamp("1.5.0", hashB)), "artifact_changed", "us-east-1"},
		{"as in another Region", *zip(hashA), elsewhere(stamp("1.5.0", hashA)), "", ""},
		{"another version in another Region", *zip(hashA), elsewhere(stamp("1.4.0", hashB)), "", ""},
		{"a Description without a stamp", *zip(hashA), elsewhere("common v1.5.0"), "", ""},
		{"other than in another environment", *zip(hashA), beside(stamp("1.5.0", hashB)), "artifact_changed", "common-dev:2"},
		{"as in another environment", *zip(hashA), beside(stamp("1.5.0", hashA)), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := withArtifact("1.5.0", 4, 4, nil)
			tt.change(&in)
			know(&in, 0, "1.5.0", &tt.content)
			p := Decide(in).Regions[0]
			code, says := "", ""
			if len(p.Problems) > 0 {
				code, says = p.Problems[0].Code, p.Problems[0].Message
			}
			if code != tt.code || !strings.Contains(says, tt.says) || code != "" && (p.Problems[0].Line != 7 || p.Problems[0].Environment != "prod" || p.Problems[0].Asked != "1.5.0") {
				t.Errorf("%v, want %s: %s", p.Problems, tt.code, tt.says)
			}
			if publishes := slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Kind == plan.KindPublish }); publishes != (tt.code == "") {
				t.Errorf("steps %v", summary(p))
			}
		})
	}
}

func published(layer, version, sha256 string) map[string]map[string]string {
	return map[string]map[string]string{layer: {version: sha256}}
}

func setHash(in *Input, sha256 string) {
	in.Regions[0].Want.Layers[0].Source.SHA256 = map[string]string{"1.5.0": sha256}
}

// Who holds a publish: as it changes no function, no window; but a freeze, an approval
// and whoever stops everything.
func TestWhoHoldsAPublish(t *testing.T) {
	saturday, err := window.Parse("Saturday 02:00-06:00 JST", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	freeze, err := window.ParseFreeze("2026-11-20", "2026-12-05", "", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*Input)
		want   string // holders of the publish
		attach string
	}{
		"nothing":     {func(*Input) {}, "", "order"},
		"a window":    {func(in *Input) { in.Regions[0].Want.Calendar.Windows = []window.Window{saturday} }, "", "window,order"},
		"a freeze":    {func(in *Input) { in.Regions[0].Want.Calendar.Freezes = []window.Freeze{freeze} }, "freeze", "freeze,order"},
		"an approval": {func(in *Input) { in.Regions[0].Want.ApprovalRequired = true }, "approval", "approval,order"},
		"observe":     {func(in *Input) { in.Regions[0].Want.Observe = true }, "mode", "mode,order"},
		"stale Git":   {func(in *Input) { in.Stale = "Git was not read" }, "desired", "desired,order"},
		"no lease":    {func(in *Input) { in.Unleased = "held elsewhere" }, "lease", "order,lease"},
		"an alarm":    {func(in *Input) { in.Regions[0].Unwell = "an alarm rings" }, "", "health,order"},
	} {
		in := withArtifact("1.5.0", 4, 4, zip(hashA))
		tt.change(&in)
		want := []string{strings.TrimSpace("publish/common/1.5.0 sha256:" + hashA + " " + tt.want), "attach/common/f sha256:" + hashA + " " + tt.attach}
		if got := summary(only(t, in)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// A publish is in each Region by itself, and no Region waits with it for another.
func TestPublishInEachRegion(t *testing.T) {
	in := withArtifact("1.5.0", 4, 4, zip(hashA))
	other := in.Regions[0]
	other.Want.Region = "us-east-1"
	layer := state.NewLayerARN("aws", "us-east-1", account, "common")
	other.Want.Layers = slices.Clone(other.Want.Layers)
	other.Want.Layers[0].Layer = layer
	snap := *other.Have
	snap.Region, snap.Layers = "us-east-1", []state.Layer{{ARN: layer}}
	snap.Functions = slices.Clone(snap.Functions)
	snap.Functions[0].Layers = nil
	other.Have = &snap
	in.Regions = append(in.Regions, other)
	p := Decide(in)
	if got := summary(p.Regions[1]); len(got) != 2 || got[0] != "publish/common/1.5.0 sha256:"+hashA || !strings.HasSuffix(got[1], " order") {
		t.Errorf("%q", got)
	}
}

// A pin publishes too: each version once, whoever names it, and the functions that do
// not need it go on.
func TestPublishForPins(t *testing.T) {
	in := withArtifact("1.4.0", 4, 4, nil)
	snap := in.Regions[0].Have
	for _, name := range []string{"g", "h"} {
		f := snap.Functions[0]
		f.Name = name
		snap.Functions = append(snap.Functions, f)
	}
	w := &in.Regions[0].Want.Layers[0]
	for _, name := range []string{"g", "h"} {
		w.Pins = append(w.Pins, desired.Pin{Functions: []desired.Selector{{Name: name}}, Version: mustVersion("1.3.1"), Until: noon.AddDate(1, 0, 0)})
	}
	know(&in, 0, "1.3.1", zip(hashA))
	want := []string{
		"publish/common/1.3.1 sha256:" + hashA, "attach/common/f 5",
		"attach/common/g sha256:" + hashA + " order", "attach/common/h sha256:" + hashA + " order",
	}
	if got := summary(only(t, in)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Layers of one commit wait for each other: what is live is not attached before what is
// not; heals go on.
func TestWhatIsLiveWaits(t *testing.T) {
	in := withArtifact("1.5.0", 4, 4, zip(hashA))
	snap, ml := in.Regions[0].Have, arnOf("ml")
	snap.Layers = append(snap.Layers, state.Layer{ARN: ml, Versions: []state.LayerVersion{{Number: 2}, {Number: 1}}})
	snap.Functions[0].Layers = append(snap.Functions[0].Layers, ml.Version(1))
	g := snap.Functions[0]
	g.Name = "g"
	snap.Functions = append(snap.Functions, g)
	in.Regions[0].Want.Layers = append(in.Regions[0].Want.Layers, desired.LayerWish{
		Name: "ml", Layer: ml, Owned: true, Version: mustVersion("2"), Functions: []desired.Selector{{Name: "*"}},
	})
	in.Regions[0].Past.Functions["f"].Applied[ml] = 1
	in.Regions[0].Past.Functions["g"] = plan.FunctionPast{Applied: map[state.LayerARN]int64{common: 4, ml: 2}}
	var got []string
	for _, s := range only(t, in).Steps {
		reason := ""
		if s.Held != nil {
			reason = " " + s.Held.Reason
		}
		got = append(got, s.ID+" "+string(s.Cause)+reason)
	}
	want := []string{
		"publish/common/1.5.0 change",
		"attach/common/f change waits until common 1.5.0 is published", "attach/common/g change waits until common 1.5.0 is published",
		"attach/ml/f change layers of one commit wait for each other: common 1.5.0 is not published yet", "attach/ml/g drift",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// numbered is the world after a publish: the version has a number, whose Description has
// the stamp of these bytes.
func numbered(in Input, sha256 string) Input {
	in.Regions = slices.Clone(in.Regions)
	snap := *in.Regions[0].Have
	snap.Layers = slices.Clone(snap.Layers)
	snap.Layers[0].Versions = append([]state.LayerVersion{{
		Number: 6, Description: catalog.NewStamp(mustVersion("1.5.0").Semver, sha256, commit).String(), Created: noon,
	}}, snap.Layers[0].Versions...)
	in.Regions[0].Have = &snap
	return in
}

// An approval that was given before the version had a number covers the steps that
// bring it, where its content is sure to be what was approved, and no other.
func TestApprovalOfAContentCoversItsNumber(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*Input)
		covered bool
	}{
		"what was published is what was approved": {func(in *Input) { in.Published = published("common", "1.5.0", hashA) }, true},
		"nobody knows what was published":         {func(*Input) {}, false},
		"the history knows of another content":    {func(in *Input) { in.Published = published("common", "1.5.0", hashB) }, false},
		"of another version":                      {func(in *Input) { in.Published = published("common", "1.4.0", hashA) }, false},
		"of another layer":                        {func(in *Input) { in.Published = published("ml", "1.5.0", hashA) }, false},
		"the live version has another stamp": {func(in *Input) {
			in.Published = published("common", "1.5.0", hashA)
			in.Regions[0].Have.Layers[0].Versions[0].Description = "v1.5.0 sha256:bbbb01234567 git:c0ffee1"
		}, false},
		"the live version has no stamp": {func(in *Input) {
			in.Published = published("common", "1.5.0", hashA)
			in.Regions[0].Have.Layers[0].Versions[0].Description = "v1.5.0"
		}, false},
		"another number is asked for": {func(in *Input) {
			in.Published = published("common", "1.5.0", hashA)
			in.Regions[0].Want.Layers[0].Version = mustVersion("5")
		}, false},
		"the approval has ended": {func(in *Input) {
			in.Published = published("common", "1.5.0", hashA)
			in.Approvals[0].Ended = noon
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := withArtifact("1.5.0", 4, 4, zip(hashA))
			in.Regions[0].Want.ApprovalRequired = true
			before := Decide(in)
			for _, s := range before.Regions[0].Steps {
				if !s.HeldBy(plan.ByApproval) {
					t.Errorf("%s needs no approval", s.ID)
				}
			}
			in.Approvals = []ruling.Approval{{Environment: "prod", Digest: before.Digest, By: "sato", At: noon, Scope: before.Lines, Begun: noon}}
			for _, s := range only(t, in).Steps {
				if s.HeldBy(plan.ByApproval) {
					t.Errorf("%s is not covered", s.ID)
				}
			}
			in = numbered(in, hashA)
			tt.change(&in)
			steps := only(t, in).Steps
			if len(steps) != 1 || steps[0].To.Number() == 0 {
				t.Fatalf("%+v", steps)
			}
			if (steps[0].Held == nil) != tt.covered {
				t.Errorf("%s is held by %+v", steps[0].ID, steps[0].Held)
			}
		})
	}
}

// What is not published begins no rollout, belongs to no quarantine, and stands with no
// number in what is remembered.
func TestUnpublishedHasNoNumber(t *testing.T) {
	in := withArtifact("1.5.0", 4, 4, zip(hashA))
	in.Quarantines = []ruling.Quarantine{{Environment: "prod", Region: tokyo, Layer: common, Name: "common", Number: 0, By: "sato", ByPerson: true, RevertTo: 3, At: noon}}
	in.Regions[0].Past.Layers = map[state.LayerARN]plan.LayerPast{common: {Applied: []int64{3, 4}}}
	r := only(t, in)
	if got := fmt.Sprint(summary(r)); !strings.Contains(got, "attach/common/f sha256:"+hashA+" order]") {
		t.Error(got)
	}
	for _, s := range r.Steps {
		if s.To.Number() != 0 || s.Content != "" || s.Back || s.Held == nil && s.InRollout() {
			t.Errorf("%+v", s)
		}
	}
	if len(r.Learned.Numbers) > 0 || len(r.Learned.Adopted) > 0 {
		t.Errorf("%+v", r.Learned)
	}
	ret := Returns(in.Regions[0].Want, in.Regions[0].Want.Layers[0], in.Regions[0].Have, in.Regions[0].Past)
	if ret.Asked != 0 || ret.Missing != "1.5.0" {
		t.Errorf("a rollback starts from %d, missing %q", ret.Asked, ret.Missing)
	}
}

// Callers behind an alias get what is published, and the step for that is in the plan,
// and in what is approved, from the beginning.
func TestServeWaitsForThePublish(t *testing.T) {
	for _, have := range []int64{0, 4} {
		in := withArtifact("1.5.0", have, unknown, zip(hashA))
		in.Regions[0].Want.Alias = "live"
		f := in.Regions[0].Have.Functions[0]
		in.Regions[0].Have.Served = map[state.Qualified]state.Served{{Function: "f", Qualifier: "live"}: {Version: "1", Layers: f.Layers}}
		in.Regions[0].Have.Aliases = map[string][]state.Alias{"f": {{Name: "live", Version: "1"}}}
		got := summary(only(t, in))
		if len(got) != 3 || !strings.HasPrefix(got[2], "serve/live/f") || !strings.HasSuffix(got[2], "order") {
			t.Errorf("with %d: %q", have, got)
		}
	}
}

// A layer that is not there yet is made by its first publish; where another of nearly
// the same name is, somebody may have forgotten layer_name.
func TestPublishANewLayer(t *testing.T) {
	for have, want := range map[string]bool{"common-prod": true, "ml": false} {
		in := withArtifact("1.5.0", 0, unknown, zip(hashA))
		in.Regions[0].Have.Layers[0].Versions = nil
		in.Regions[0].Have.Functions[0].Layers = []state.LayerVersionARN{arnOf(have).Version(3)}
		r := only(t, in)
		noted := slices.ContainsFunc(r.Notes, func(n plan.Note) bool { return n.Code == "new_layer" && strings.Contains(n.Message, have) })
		if noted != want || len(r.Steps) != 2 {
			t.Errorf("%s: %v, steps %v", have, r.Notes, summary(r))
		}
	}
}
