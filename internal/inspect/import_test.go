package inspect

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/state"
)

const importAccount = "123456789012"

// foreignFleet is an account as one finds it: nobody knew of layerd.
func foreignFleet(r *rand.Rand, regions []string, most int) []state.Snapshot {
	envs := []string{"-prod", "-staging", "-dev", "_dev", "-prod-eu", ""}
	bases := []string{"common", "third-party", "ml", "tools"}
	styles := []func(n int) string{
		func(n int) string { return fmt.Sprintf("v1.%d.0", n) },
		func(n int) string { return fmt.Sprintf("common v1.%d.0", n/2) }, // twins
		func(n int) string { return "" },
		func(n int) string { return fmt.Sprintf("built with numpy v1.%d.0", n) },
		func(n int) string { return "共通ライブラリ: \"" + "${NAME}\" #1\ttab" },
		func(n int) string { return fmt.Sprintf("lib v2.%d.0-rc.1 sha256:0123456789ab git:0123456", n) },
		func(n int) string { return fmt.Sprintf("third-party - v3.%d.0+build.%d (requests)", n, n) },
	}
	var list []state.Snapshot
	for _, region := range regions {
		s := state.Snapshot{Account: importAccount, Region: region, Partition: "aws"}
		var versions []state.LayerVersionARN
		for _, base := range bases {
			for _, env := range append(envs, "-dev", "") {
				arn := state.NewLayerARN("aws", region, importAccount, base+env)
				if r.IntN(3) == 0 || slices.ContainsFunc(s.Layers, func(l state.Layer) bool { return l.ARN == arn }) {
					continue
				}
				l := state.Layer{ARN: arn}
				style := styles[r.IntN(len(styles))]
				for n := 1; n <= 2+r.IntN(6); n++ {
					versions = append(versions, arn.Version(int64(n)))
					if r.IntN(5) > 0 { // the others are deleted
						l.Versions = append(l.Versions, state.LayerVersion{Number: int64(n), Description: style(n),
							Runtimes: [][]string{nil, {"python3.11", "python3.12"}, {"nodejs22.x"}}[r.IntN(3)]})
					}
				}
				s.Layers = append(s.Layers, l)
			}
		}
		foreign := []state.LayerVersionARN{
			state.LayerVersionARN("arn:aws:lambda:" + region + ":464622532012:layer:Datadog-Python312:98"),
			state.LayerVersionARN("arn:aws:lambda:" + region + ":580247275435:layer:LambdaInsightsExtension:56"),
			"arn:aws:lambda:::awslayer:AmazonLinux1803",
		}
		for i := range r.IntN(most) + 1 {
			name := fmt.Sprintf("%s-%d%s", []string{"makoto", "team_b", "x"}[r.IntN(3)], i, envs[r.IntN(len(envs))])
			f := state.Function{Name: name, ARN: "arn:aws:lambda:" + region + ":" + importAccount + ":function:" + name, Runtime: "python3.12", Architecture: "x86_64", RevisionID: "r"}
			if r.IntN(20) == 0 {
				f.Image, f.Runtime = true, ""
			}
			if r.IntN(25) == 0 {
				f.Edge, f.Name = true, "us-east-1."+name
			}
			for range r.IntN(5) {
				v := foreign[r.IntN(len(foreign))]
				if len(versions) > 0 && r.IntN(3) > 0 {
					v = versions[r.IntN(len(versions))]
				}
				if l := v.Layer(); !f.Image && !slices.Contains(f.Layers, v) && (l == "" || f.Layers.Index(l) < 0) {
					f.Layers = append(f.Layers, v)
				}
			}
			if !slices.ContainsFunc(s.Functions, func(o state.Function) bool { return o.Name == f.Name }) {
				s.Functions = append(s.Functions, f)
			}
		}
		s.Sort()
		list = append(list, s)
	}
	return list
}

// looked returns what an import sees: versions of those layers only that functions have.
func looked(world []state.Snapshot) []state.Snapshot {
	var seen []state.Snapshot
	for _, s := range world {
		own := OwnLayers(s)
		s.Layers = slices.DeleteFunc(slices.Clone(s.Layers), func(l state.Layer) bool { return !slices.Contains(own, l.ARN) })
		seen = append(seen, s)
	}
	return seen
}

func repositoryOf(im Imported) fstest.MapFS {
	files := fstest.MapFS{}
	for _, f := range im.Files {
		files[f.Name] = &fstest.MapFile{Data: []byte(f.Text)}
	}
	return files
}

func text(im Imported) string {
	var b strings.Builder
	for _, f := range im.Files {
		if !strings.HasSuffix(f.Name, ".json") {
			b.WriteString("-- " + f.Name + " --\n" + f.Text)
		}
	}
	return b.String()
}

// checkImported holds that the repository is valid without a warning, and that a plan of
// it finds nothing to do, whether it may act or only observes.
func checkImported(t *testing.T, world []state.Snapshot, im Imported) {
	t.Helper()
	tree := desired.Load(repositoryOf(im), desired.Options{Now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)})
	if len(tree.Problems) > 0 {
		t.Fatalf("%v\n%s", tree.Problems, text(im))
	}
	selected := 0
	for _, env := range im.Environments {
		in := reconcile.Input{Now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
		for _, e := range tree.Environments {
			if e.Name != env.Name {
				continue
			}
			if !e.Observe {
				t.Fatalf("%s may act", e.Name)
			}
			e.Observe = false
			i := slices.IndexFunc(world, func(s state.Snapshot) bool { return s.Region == e.Region })
			in.Regions = append(in.Regions, reconcile.Region{Want: e, Have: &world[i]})
			for _, f := range world[i].Functions {
				if e.Selects(&f) {
					selected++
				}
			}
		}
		if len(in.Regions) != len(env.Regions) {
			t.Fatalf("%s is in %d Regions, not in %v\n%s", env.Name, len(in.Regions), env.Regions, text(im))
		}
		for _, region := range reconcile.Decide(in).Regions {
			if len(region.Steps) > 0 || len(region.Problems) > 0 || len(region.Blocked) > 0 || !region.InSync {
				t.Fatalf("%s in %s: steps %+v, problems %v, blocked %v, in sync %v\n%s", env.Name, region.Want.Region, region.Steps, region.Problems, region.Blocked, region.InSync, text(im))
			}
		}
	}
	total := 0
	for _, env := range im.Environments {
		total += env.Functions
	}
	if total != selected {
		t.Fatalf("%d functions are said to be selected, and %d are\n%s", total, selected, text(im))
	}
}

// checkWhole holds that every live version of an own layer on a function that can have one
// is asked for by an environment, or that the function is named among those left out.
func checkWhole(t *testing.T, world []state.Snapshot, im Imported) {
	t.Helper()
	tree := desired.Load(repositoryOf(im), desired.Options{})
	for _, s := range world {
		for _, f := range s.Functions {
			for _, v := range f.Layers {
				if !isOwn(s, v.Layer()) || f.Image || f.Edge {
					continue
				}
				wanted := slices.ContainsFunc(tree.Environments, func(e desired.Environment) bool {
					return e.Region == s.Region && slices.ContainsFunc(e.Layers, func(w desired.LayerWish) bool { return w.Layer == v.Layer() && w.Selects(f) })
				})
				left := slices.ContainsFunc(im.LeftOut, func(l LeftOut) bool {
					return l.Function == f.Name && l.Region == s.Region && (l.Layer == "" || l.Layer == v.Layer().Name())
				})
				if wanted == left {
					t.Fatalf("%s on %s in %s: asked for: %v, left out: %v\n%s", v, f.Name, s.Region, wanted, left, text(im))
				}
			}
		}
	}
}

var importChoices = []ImportOptions{
	{Suffixes: []string{"-prod", "-staging", "-dev"}, Owner: "platform"},
	{Suffixes: []string{"-prod", "-staging", "-dev", "_dev2", "-prod-eu"}, Name: "rest", Owner: "nobody yet"},
	{Name: "all", Owner: "yes", Role: "arn:aws:iam::" + importAccount + ":role/layerd"},
}

func worldsToImport() uint64 {
	if nightly.On() {
		return 3000
	}
	return 100
}

// Whatever an account has, a plan of what was imported is empty.
func TestImportedWorldsAreInSync(t *testing.T) {
	nightly.NotShort(t, "it reads worlds one after the other")
	empty := 0
	for seed := range worldsToImport() {
		r := rand.New(rand.NewPCG(seed, 13))
		regions := []string{"ap-northeast-1", "us-east-1", "eu-west-1"}[:1+r.IntN(3)]
		world := foreignFleet(r, regions, 40)
		o := importChoices[r.IntN(len(importChoices))]
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			im, err := Import(looked(world), o)
			if errors.Is(err, ErrNothingToImport) {
				empty++
				return
			}
			checkImported(t, world, im)
			checkWhole(t, world, im)
			again, _ := Import(looked(world), o)
			if !reflect.DeepEqual(im, again) {
				t.Fatal("the second time it is something else")
			}
		})
	}
	if empty*5 > int(worldsToImport()) {
		t.Errorf("%d worlds had nothing", empty)
	}
}
