package desired

import (
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/layerd/layerd/internal/state"
)

func load(t *testing.T, archive string) Tree {
	t.Helper()
	files, _ := repository(txtar.Parse([]byte(archive)))
	tree := Load(files, Options{Now: now()})
	for _, p := range tree.Problems {
		t.Logf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Code, p.Message)
	}
	return tree
}

// The contract's own example, value by value.
func TestContractExample(t *testing.T) {
	a, err := txtar.ParseFile("testdata/valid.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := repository(a)
	tree := Load(files, Options{Now: now()})
	if len(tree.Environments) != 2 {
		t.Fatalf("environments %v, problems %v", tree.Environments, tree.Problems)
	}
	if tree.Store != "dynamodb:layerd" {
		t.Errorf("store %q", tree.Store)
	}
	dev, prod := tree.Environments[0], tree.Environments[1]
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	want := Environment{Name: "prod", Account: "123456789012", Region: "ap-northeast-1", Partition: "aws", Zone: tokyo,
		ApprovalRequired: true, MaxNew: 20, File: "environments/prod.yaml",
		Layers: []LayerWish{
			{Name: "datadog", Layer: "arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog-Python312",
				Version: Version{Kind: Number, Text: "98"}, Functions: []Selector{{Tags: map[string]string{"team": "platform"}}}},
			{Name: "makoto-common", Owned: true, Layer: "arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod",
				Version: Version{Kind: Exact, Text: "1.4.2"}, Functions: []Selector{{Name: "makoto-*-prod"}},
				Retention: Retention{Keep: 20, OlderThan: 90 * 24 * time.Hour, Grace: 24 * time.Hour, FunctionVersions: 5},
				Runtimes:  []string{"python3.11", "python3.12"}, Architectures: []string{"x86_64", "arm64"},
				Description: "MAKOTO共通ライブラリ", Title: "MAKOTO共通ライブラリ", Known: map[string]int64{"1.4.2": 12}, Yanked: map[string]string{"1.4.1": "CVE-2026-1234"},
				Source:     &Source{Location: "s3://makoto-artifacts/layers/common/${VERSION}.zip", SHA256: map[string]string{}, Description: "MAKOTO共通ライブラリ", License: "MIT"},
				Parameters: true, Metadata: map[string]string{"team": "platform", "environment": "prod", "version": "${VERSION}"}},
		},
	}
	calendar := prod.Calendar
	prod.Calendar = want.Calendar
	if diff := cmp.Diff(prod, want, likeness()); diff != "" {
		t.Errorf("prod (-have +want):\n%s", diff)
	}
	if len(calendar.Windows) != 1 || calendar.Windows[0].String() != "Saturday 02:00-06:00 Asia/Tokyo" {
		t.Errorf("windows %v", calendar.Windows)
	}
	if v := dev.Layers[0].Version; v.Kind != Latest || dev.Layers[0].Retention.Keep != 5 {
		t.Errorf("dev wants %v and keeps %d, want latest and 5", v, dev.Layers[0].Retention.Keep)
	}
	if at := prod.Layers[1].At; at != (Position{File: "environments/prod.yaml", Line: 6, Column: 18, Length: 5}) {
		t.Errorf("the version of makoto-common stands at %+v", at)
	}
}

func TestRegions(t *testing.T) {
	tree := load(t, `
-- environments/dev.yaml --
account: "123456789012"
regions: [us-east-1, ap-northeast-1]
layer_name: ${NAME}-${REGION}-${ACCOUNT}
role: arn:${PARTITION}:iam::${ACCOUNT}:role/layerd-${ENVIRONMENT}
layers:
  a: {version: {us-east-1: 3, ap-northeast-1: 1.4.2}, functions: [{name: "${ENVIRONMENT}-${NAME}", tags: {v: "${VERSION}"}}], position: first, allow_runtime: true}
-- environments/gov.yaml --
account: "123456789012"
region: us-gov-west-1
`)
	var got []string
	for _, e := range tree.Environments {
		got = append(got, e.Name+" "+e.Region+" "+e.Partition+" "+e.Role)
		for _, w := range e.Layers {
			got = append(got, string(w.Layer)+" "+w.Version.Text+" "+w.Functions[0].Name+" "+w.Functions[0].Tags["v"])
			if !w.First || !w.AllowRuntime {
				t.Errorf("first %v, allow_runtime %v", w.First, w.AllowRuntime)
			}
		}
	}
	want := []string{
		"dev us-east-1 aws arn:aws:iam::123456789012:role/layerd-dev",
		string(state.NewLayerARN("aws", "us-east-1", "123456789012", "a-us-east-1-123456789012")) + " 3 dev-a 3",
		"dev ap-northeast-1 aws arn:aws:iam::123456789012:role/layerd-dev",
		string(state.NewLayerARN("aws", "ap-northeast-1", "123456789012", "a-ap-northeast-1-123456789012")) + " 1.4.2 dev-a 1.4.2",
		"gov us-gov-west-1 aws-us-gov ",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("environments (-have +want):\n%s", diff)
	}
}

// Dates count whole, in the environment's zone; pins of the layer come first.
func TestPinsAndFreezes(t *testing.T) {
	tree := load(t, `
-- layerd.yaml --
timezone: Asia/Tokyo
freezes: [{from: 2026-12-28, until: 2027-01-03, reason: year end, owner: ops}]
defaults:
  freezes: [{from: 2026-12-01, until: 2026-12-01}]
-- environments/dev.yaml --
account: "123456789012"
region: us-east-1
freezes: [{from: "2026-11-30 18:00", until: 2026-11-30T20:00:00Z}]
cutoff: 1d12h
drift: report
mode: observe
max_new: 0
max_blocked: 3
new_functions: now
owner_tag: 担当/team
layers:
  a: {version: 1.0.0, functions: [x], except: [y], pins: [{functions: [p], version: 3, until: 2026-11-24, reason: r, owner: o}]}
pins: [{layer: a, functions: [q, {runtime: "python*"}], version: v0.9.0}]
`)
	if len(tree.Environments) != 1 {
		t.Fatal("no environment")
	}
	e := tree.Environments[0]
	var froze []string
	for _, f := range e.Calendar.Freezes {
		froze = append(froze, f.From.UTC().Format(time.RFC3339)+" "+f.Until.UTC().Format(time.RFC3339)+" "+f.Reason+f.Owner)
	}
	slices.Sort(froze)
	want := []string{"2026-11-30T09:00:00Z 2026-11-30T20:00:00Z ", "2026-11-30T15:00:00Z 2026-12-01T15:00:00Z ", "2026-12-27T15:00:00Z 2027-01-03T15:00:00Z year endops"}
	if diff := cmp.Diff(froze, want); diff != "" {
		t.Errorf("freezes (-have +want):\n%s", diff)
	}
	pins := e.Layers[0].Pins
	if len(pins) != 2 || pins[0].Version.Number != 3 || pins[1].Version.Text != "0.9.0" || len(pins[1].Functions) != 2 {
		t.Fatalf("pins %+v", pins)
	}
	if got := pins[0].Until.UTC().Format(time.RFC3339); got != "2026-11-24T15:00:00Z" || !pins[1].Until.IsZero() {
		t.Errorf("until %s and %s", got, pins[1].Until)
	}
	if !e.Drift.Report || !e.Observe || e.MaxNew != 0 || *e.MaxBlocked != 3 || !e.NewFunctionsNow || e.Calendar.Cutoff != 36*time.Hour || e.OwnerTag != "担当/team" || e.NeedsTags() {
		t.Errorf("environment %+v", e)
	}
}

// The values of the environment replace, field by field, those of defaults.
func TestDefaults(t *testing.T) {
	tree := load(t, `
-- layerd.yaml --
defaults:
  region: us-east-1
  max_new: 5
  new_functions: now
  unmanaged: [a, b]
  change_window: ["Sat 02:00-06:00", "Sun 02:00-06:00"]
  layers: {l: {version: 1.0.0, functions: [x], except: [y], position: first}}
-- environments/dev.yaml --
account: "123456789012"
regions: [us-west-2, us-east-2]
timezone: Europe/Berlin
unmanaged: [c]
new_functions: window
change_window: "Mon 02:00-06:00"
layers: {l: {version: none, except: [z]}}
-- environments/prod.yaml --
account: "210987654321"
`)
	if len(tree.Environments) != 3 {
		t.Fatal("not three environments")
	}
	dev, prod := tree.Environments[0], tree.Environments[2]
	if dev.Region != "us-west-2" || dev.MaxNew != 5 || dev.NewFunctionsNow || !slices.Equal(dev.Unmanaged, []string{"c"}) || dev.Zone.String() != "Europe/Berlin" {
		t.Errorf("dev %+v", dev)
	}
	l := dev.Layers[0]
	if l.Version.Kind != None || !l.First || len(l.Except) != 2 || l.Functions[0].Name != "x" {
		t.Errorf("layer %+v", l)
	}
	if len(dev.Calendar.Windows) != 1 || dev.Calendar.Windows[0].String() != "Monday 02:00-06:00 Europe/Berlin" {
		t.Errorf("windows %v", dev.Calendar.Windows)
	}
	if prod.Region != "us-east-1" || !prod.NewFunctionsNow || len(prod.Calendar.Windows) != 2 || prod.Layers[0].Version.Text != "1.0.0" || prod.Zone != time.UTC {
		t.Errorf("prod %+v", prod)
	}
}

// Without a clock nothing is expired and no calendar is searched.
func TestNoClock(t *testing.T) {
	files := fstest.MapFS{"environments/dev.yaml": {Data: []byte(account +
		"change_window: \"Sat 02:00-02:30\"\ncutoff: 1h\nlayers: {a: {version: 1, functions: [x], pins: [{functions: [x], version: 2, until: 2020-01-01}]}}\n")}}
	if tree := Load(files, Options{}); Errors(tree.Problems) {
		t.Errorf("problems %v", tree.Problems)
	}
	if got, want := codes(Load(files, Options{Now: now()})), []string{"expired", "never_opens"}; !slices.Equal(got, want) {
		t.Errorf("codes %v, want %v", got, want)
	}
}

func TestRegionShape(t *testing.T) {
	for _, r := range append(regions(), "us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1", "ap-southeast-42") {
		if e := regionForm(r); e != nil {
			t.Errorf("%s: %s", r, e.Message)
		}
	}
	for _, r := range []string{"", "us-east", "useast-1", "us-east-0", "us-east-1a", "US-EAST-1", "${REGION}", "aws-global", "us-midwest-1"} {
		if regionForm(r) == nil {
			t.Errorf("%q passes for a Region", r)
		}
	}
}

// V3: what a Description may begin with before its version is the layer's
// description up to ${VERSION}.
func TestV3Title(t *testing.T) {
	for description, want := range map[string]string{
		"MAKOTO共通": "MAKOTO共通", "": "", "lib v${VERSION}": "lib", "lib ${VERSION} for ${ENVIRONMENT}": "lib",
		"lib of ${ENVIRONMENT} (v${VERSION})": "lib of dev (", "${NAME}": "a", "v${VERSION}": "", "pandas v2.2.0": "pandas v2.2.0",
	} {
		tree := Load(fstest.MapFS{
			"layers/a/layer.yaml":   {Data: []byte("name: a\ndescription: \"" + description + "\"\n")},
			"environments/dev.yaml": {Data: []byte(account + "layers: {a: {version: 1.4.2, functions: [x]}}\n")},
		}, Options{})
		if len(tree.Environments) != 1 || tree.Environments[0].Layers[0].Title != want {
			t.Errorf("%q: %+v, problems %v, want %q", description, tree.Environments, tree.Problems, want)
		}
	}
}

// O6: an arn by Region is each Region's own, and maps of defaults and environment
// are one.
func TestO6ArnByRegion(t *testing.T) {
	tree := load(t, `
-- layerd.yaml --
defaults:
  layers: {vendor: {arn: {us-east-1: "arn:aws:lambda:us-east-1:111122223333:layer:vendor"}, functions: ["*"]}}
-- environments/dev.yaml --
account: "123456789012"
regions: [us-east-1, eu-west-1]
layers: {vendor: {arn: {eu-west-1: "arn:${PARTITION}:lambda:${REGION}:444455556666:layer:vendor"}, version: {us-east-1: 3, eu-west-1: 7}}}
`)
	var got []string
	for _, e := range tree.Environments {
		got = append(got, string(e.Layers[0].Layer)+" "+e.Layers[0].Version.Text)
		if e.Layers[0].Owned {
			t.Errorf("%s owns it", e.Region)
		}
	}
	want := []string{"arn:aws:lambda:us-east-1:111122223333:layer:vendor 3", "arn:aws:lambda:eu-west-1:444455556666:layer:vendor 7"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("layers (-have +want):\n%s", diff)
	}
}

// O6: an ARN of another Region is one problem, and not that of two layers besides.
func TestO6ArnOfAnotherRegionIsSaidOnce(t *testing.T) {
	tree := load(t, `
-- environments/dev.yaml --
account: "123456789012"
regions: [ap-northeast-1, us-east-1]
layers: {vendor: {arn: {ap-northeast-1: "arn:aws:lambda:us-east-1:111122223333:layer:vendor", us-east-1: "arn:aws:lambda:us-east-1:111122223333:layer:vendor"}, version: 3, functions: [f]}}
`)
	if len(tree.Problems) != 1 || tree.Problems[0].Code != "arn_region" {
		t.Errorf("got %v, want arn_region once", tree.Problems)
	}
}
