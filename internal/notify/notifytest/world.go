package notifytest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// Region and the layers of a World.
const (
	Region  = "ap-northeast-1"
	Common  = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod")
	Foreign = state.LayerARN("arn:aws:lambda:ap-northeast-1:464622532012:layer:Profiler")
)

// World is one environment, prod, whose layer is changed, meddled with and
// broken. Its plans are real ones: only AWS is played.
type World struct {
	Now     time.Time
	Zone    *time.Location
	Want    desired.Environment
	Version string // what Git asks for
	// Functions are the layers that functions have; images have none.
	Functions map[string][]state.LayerVersionARN
	Images    []string
	Live      map[int64]string // the layer's versions: number to semantic version
	Failing   map[string]string
	// Archives are the contents of versions that may be published, and Stamped the
	// Descriptions of those that were; nil = the layer has no artifact.
	Archives  map[string]state.Content
	Stamped   map[int64]string
	Published map[string]map[string]string
	Approvals []ruling.Approval
	Past      plan.Past
	Unread    *plan.Failure
	Invalid   []desired.Problem
	Revision  string
	Subject   string
	Observed  string
	LookedAt  time.Time
	records   int
}

// NewWorld is in sync: three functions have version 12 (1.4.1), on a Wednesday
// morning, with a window on Saturdays.
func NewWorld() *World {
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		panic(err)
	}
	saturday, err := window.Parse("Saturday 02:00-06:00", zone)
	if err != nil {
		panic(err)
	}
	w := &World{
		Now: time.Date(2026, 11, 25, 10, 30, 0, 0, zone), Zone: zone, Version: "1.4.1",
		Functions: map[string][]state.LayerVersionARN{}, Failing: map[string]string{},
		Live:     map[int64]string{10: "1.3.0", 11: "1.4.0", 12: "1.4.1", 13: "1.4.2"},
		Revision: "3f2a9c4187d2", Subject: "Raise makoto-common to 1.4.1",
		Past: plan.Past{Functions: map[string]plan.FunctionPast{}, Layers: map[state.LayerARN]plan.LayerPast{Common: {Applied: []int64{10, 11, 12}}}},
		Want: desired.Environment{
			Name: "prod", Account: "123456789012", Region: Region, Partition: "aws", Zone: zone, MaxNew: 20,
			Calendar: window.Calendar{Windows: []window.Window{saturday}, Zone: zone},
			Layers: []desired.LayerWish{{
				Name: "makoto-common", Layer: Common, Owned: true, Functions: []desired.Selector{{Name: "makoto-*"}},
			}},
		},
	}
	for _, name := range []string{"makoto-api", "makoto-chat-handler", "makoto-device-sync"} {
		w.Functions[name] = []state.LayerVersionARN{Common.Version(12)}
		w.remember(name)
	}
	return w
}

// Meddle has somebody else set other layers of a function.
func (w *World) Meddle(function string, layers ...state.LayerVersionARN) {
	w.Functions[function] = layers
}

// Commit lets Git ask for another version.
func (w *World) Commit(version, revision string) {
	w.Version, w.Revision, w.Subject = version, revision, "Raise makoto-common to "+version
}

// Approve approves the plan as it is.
func (w *World) Approve(by string) {
	p := w.decide()
	w.Approvals = append(w.Approvals, ruling.Approval{Environment: "prod", Digest: p.Digest, By: by, At: w.Now, Scope: p.Lines})
}

// Round decides, does what may be done, and returns what there is to report.
func (w *World) Round() notify.Situation {
	s := notify.Situation{
		Environment: "prod", Zone: w.Zone, Now: w.Now, Revision: w.Revision, Subject: w.Subject,
		Observed: w.Observed, Invalid: w.Invalid, LookedAt: w.LookedAt,
	}
	planned := w.decide()
	s.Plan = &planned
	if w.Unread == nil {
		s.LookedAt, w.LookedAt = w.Now, w.Now
	}
	r := &planned.Regions[0]
	for i := range r.Steps {
		s.Ended = append(s.Ended, w.do(&r.Steps[i])...)
	}
	w.learn(r.Learned)
	return s
}

func (w *World) decide() plan.Plan {
	version, err := desired.ParseVersion(w.Version)
	if err != nil {
		panic(err)
	}
	want := w.Want
	want.Layers = slices.Clone(want.Layers)
	want.Layers[0].Version = version
	in := reconcile.Input{
		Regions:   []reconcile.Region{{Want: want, Have: w.look(), Unread: w.Unread, Past: w.Past}},
		Approvals: w.Approvals, Now: w.Now, Revision: w.Revision, Published: w.Published,
	}
	if w.Archives != nil {
		want.Layers[0].Source = &desired.Source{Location: "s3://artifacts/common/${VERSION}.zip"}
		if have := in.Regions[0].Have; have != nil {
			have.Contents = map[state.Artifact]state.Content{}
			for text, c := range w.Archives {
				v, err := desired.ParseVersion(text)
				if err != nil {
					panic(err)
				}
				have.Contents[want.Layers[0].Artifact(v.Semver, w.Revision)] = c
			}
		}
	}
	if len(w.Invalid) > 0 {
		in.Stale = "the newest commit cannot be followed"
	}
	return reconcile.Decide(in)
}

func (w *World) look() *state.Snapshot {
	if w.Unread != nil {
		return nil
	}
	snap := &state.Snapshot{
		Account: "123456789012", Region: Region, Partition: "aws", ObservedAt: w.Now,
		Uses: &state.Uses{SweptAt: w.Now}, Policies: map[state.LayerVersionARN]state.Policy{},
		Probes: map[state.LayerVersionARN]state.Probe{Foreign.Version(3): {Usable: true}},
	}
	for _, name := range slices.Sorted(maps.Keys(w.Functions)) {
		snap.Functions = append(snap.Functions, state.Function{
			Name: name, Runtime: "python3.12", Architecture: "x86_64", Layers: w.Functions[name], Image: slices.Contains(w.Images, name),
		})
	}
	layer := state.Layer{ARN: Common}
	for n, semver := range w.Live {
		description := "v" + semver
		if stamped := w.Stamped[n]; stamped != "" {
			description = stamped
		}
		layer.Versions = append(layer.Versions, state.LayerVersion{Number: n, Description: description, Created: w.Now.AddDate(-1, 0, int(n))})
		snap.Policies[Common.Version(n)] = state.Policy{}
	}
	snap.Layers = []state.Layer{layer}
	snap.Sort()
	return snap
}

// do carries out one step, unless it is held, and returns its record.
func (w *World) do(s *plan.Step) []history.Entry {
	if s.Held != nil {
		s.Result = &plan.Result{Status: plan.StatusHeld}
		return nil
	}
	w.records++
	name := s.Function
	request := fmt.Sprintf("0a1b2c3d-%04d", w.records)
	s.Result = &plan.Result{Status: plan.StatusApplied, RequestID: request}
	if name == "" {
		name = s.Subject()
	}
	if s.Kind == plan.KindPrune {
		name = fmt.Sprint(s.From.Number())
	}
	why := w.Failing[name]
	switch {
	case why != "":
		s.Result.Status, s.Result.Error = plan.StatusFailed, why
	case s.Kind == plan.KindPrune:
		delete(w.Live, s.From.Number())
	case s.Kind == plan.KindPublish:
		s.Result.Published = w.publish(s)
	default:
		w.Functions[name] = plan.Fold(w.Functions[name], []plan.Step{*s})
		w.remember(name)
	}
	e := history.Entry{
		Round: history.Round{Environment: "prod", Region: Region, Revision: w.Revision, Author: "tanaka"},
		Action: history.Action{
			Step: s.ID, Kind: s.Kind, Cause: s.Cause, Layer: s.Layer, LayerARN: s.LayerARN, Function: s.Function, From: s.From,
			To: cmp.Or(s.Result.Published, s.To), FromVersion: s.FromVersion, ToVersion: s.ToVersion,
		},
		ID: fmt.Sprintf("%s-%04d", w.Now.UTC().Format("20060102T150405.000000000Z"), w.records), Status: s.Result.Status,
		Error: s.Result.Error, RequestID: request, Started: w.Now.UTC(), Ended: w.Now.UTC(),
	}
	if len(w.Approvals) > 0 && s.Cause == plan.CauseChange {
		e.ApprovedBy = w.Approvals[len(w.Approvals)-1].By
	}
	return []history.Entry{e}
}

// publish makes the next number, and what the history knows of it.
func (w *World) publish(s *plan.Step) state.LayerVersionARN {
	n := slices.Max(slices.Collect(maps.Keys(w.Live))) + 1
	w.Live[n], w.Stamped = s.ToVersion, map[int64]string{n: s.Publishing.Description}
	w.Published = map[string]map[string]string{s.Layer: {s.ToVersion: s.Publishing.Content.SHA256}}
	return Common.Version(n)
}

// remember makes what a function has the past.
func (w *World) remember(name string) {
	p := plan.FunctionPast{List: w.Functions[name], Applied: map[state.LayerARN]int64{Common: 0}}
	for _, v := range w.Functions[name] {
		if v.Of(Common) {
			p.Applied[Common] = v.Number()
		}
	}
	w.Past.Functions[name] = p
}

// learn keeps since when drift and candidates were seen.
func (w *World) learn(l plan.Learned) {
	for name, p := range w.Past.Functions {
		p.Drift = nil
		w.Past.Functions[name] = p
	}
	for _, s := range l.Sightings {
		p := w.Past.Functions[s.Function]
		if p.Drift == nil {
			p.Drift = map[state.LayerARN]plan.Sighting{}
		}
		p.Drift[s.Layer] = s
		w.Past.Functions[s.Function] = p
	}
	for _, a := range l.Adopted {
		w.remember(a.Function)
	}
	layer := w.Past.Layers[Common]
	layer.Candidates = map[int64]time.Time{}
	for _, c := range l.Candidates {
		layer.Candidates[c.Number] = c.Since
	}
	w.Past.Layers[Common] = layer
}

// Stir lets something happen: hands meddle, Git asks for something else, AWS
// refuses or is not read, somebody approves, time goes by.
func Stir(r *rand.Rand, w *World) {
	w.Now = w.Now.Add(time.Duration(r.IntN(30)) * time.Minute)
	names := slices.Sorted(maps.Keys(w.Functions))
	name := names[r.IntN(len(names))]
	switch r.IntN(9) {
	case 0:
		w.Meddle(name, Common.Version(int64(9+r.IntN(5))))
	case 1:
		w.Meddle(name, Foreign.Version(3), Common.Version(12))
	case 2:
		w.Meddle(name)
	case 3:
		w.Commit([]string{"1.4.0", "1.4.1", "1.4.2", "9.9.9"}[r.IntN(4)], fmt.Sprintf("%07x", r.IntN(1<<28)))
	case 4:
		w.Failing = map[string]string{name: "AccessDeniedException: no"}
	case 5:
		w.Failing = nil
		w.Images = append(w.Images[:0:0], name)
	case 6:
		w.Unread = &plan.Failure{Code: "aws_unreachable", Message: "timeout", Retryable: r.IntN(2) == 0}
	case 7:
		w.Unread = nil
		w.Approve("sato")
	case 8:
		w.Now = w.Now.Add(time.Duration(r.IntN(72)) * time.Hour)
	}
	if r.IntN(3) == 0 {
		w.Unread = nil
	}
}
