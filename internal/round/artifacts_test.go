package round_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
)

// foundOnly has archives, by location, and counts who looks.
type foundOnly struct {
	found map[string]state.Content
	err   map[string]error // by environment
	looks []string         // environment and commit
}

func (s *foundOnly) Look(_ context.Context, env desired.Environment, a state.Artifact) (state.Content, error) {
	s.looks = append(s.looks, env.Name+" "+a.Commit)
	return s.found[a.Location], s.err[env.Name]
}

func (s *foundOnly) Inside(context.Context, string) (inspect.Contents, bool) {
	return inspect.Contents{}, false
}

func (s *foundOnly) Open(context.Context, desired.Environment, state.Artifact, state.Content) (apply.Source, error) {
	return apply.Source{}, errors.New("nothing is opened here")
}

// lookedInto is an environment that wants a version of common that AWS lacks, and has
// drifted in another layer.
func lookedInto(t *testing.T) (*fixture, round.Round, *foundOnly) {
	f := newFixture(t, 3, awssim.Options{})
	f.want("1.6.0")
	f.tree.Environments[0].Layers[0].Source = &desired.Source{Location: "layers/common.zip", At: desired.Position{File: "layers/common/layer.yaml", Line: 2}}
	dev := f.tree.Environments[0]
	dev.Name, dev.Layers = "dev", []desired.LayerWish{dev.Layers[0]}
	dev.Layers[0].Layer = state.NewLayerARN("aws", region, accountID, "common-dev")
	dev.Layers[0].Functions = []desired.Selector{{Name: "dev-*"}}
	f.tree.Names, f.tree.Environments = []string{"dev", "prod"}, append([]desired.Environment{dev}, f.tree.Environments...)
	s := &foundOnly{found: map[string]state.Content{"layers/common.zip": {SHA256: strings.Repeat("a", 64), Size: 100, Unzipped: 200}}, err: map[string]error{}}
	r := f.round()
	r.Artifacts = s
	return f, r, s
}

func regionOf(t *testing.T, r round.Result, env string) plan.Region {
	t.Helper()
	for _, p := range r.Plans {
		if p.Environment == env {
			return p.Regions[0]
		}
	}
	t.Fatalf("no plan of %s", env)
	return plan.Region{}
}

// What an archive is is part of what is decided: a good one is published, a bad one is a
// problem of the wish, and one out of reach is a problem too, that passes. Neither fails
// the Region, and neither touches the other environment of the same place, which looks
// for itself.
func TestWhatAnArchiveIsDecides(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *round.Round, s *foundOnly)
		code   string // in prod
		dev    string
		says   string
	}{
		"good": {},
		"bad": {change: func(_ *round.Round, s *foundOnly) {
			s.found["layers/common.zip"] = state.Content{Code: "artifact_wrong_platform", Message: "a.so is for arm64", Suggestion: "build it"}
		}, code: "artifact_wrong_platform", dev: "artifact_wrong_platform", says: "a.so is for arm64"},
		"out of reach": {change: func(_ *round.Round, s *foundOnly) {
			s.err["prod"] = &state.Error{Op: "HeadObject", Kind: state.Again, Message: "no answer"}
		}, code: desired.CodeArtifactUnread, says: "no answer"},
		"nothing reads": {change: func(r *round.Round, _ *foundOnly) { r.Artifacts = nil }, code: desired.CodeArtifactUnread, dev: desired.CodeArtifactUnread},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, r, s := lookedInto(t)
				if c.change != nil {
					c.change(&r, s)
				}
				result, err := r.Plan(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for env, code := range map[string]string{"prod": c.code, "dev": c.dev} {
					got := regionOf(t, result, env)
					if got.Failure != nil {
						t.Errorf("%s failed: %+v", env, got.Failure)
					}
					published := 0
					for _, step := range got.Steps {
						if step.Kind == plan.KindPublish {
							published++
						}
					}
					if code == "" && (len(got.Problems) > 0 || published != 1) || code != "" && (len(got.Problems) != 1 || got.Problems[0].Code != code || published > 0) {
						t.Errorf("%s: %d published, %+v", env, published, got.Problems)
					}
					if code != "" && env == "prod" && !strings.Contains(got.Problems[0].Message, c.says) {
						t.Errorf("%s: %+v", env, got.Problems)
					}
				}
				for _, look := range s.looks {
					if !strings.HasSuffix(look, " c0ffee") {
						t.Errorf("looked at %q", look)
					}
				}
				if len(s.looks) > 2 {
					t.Errorf("looked %d times for two environments: %v", len(s.looks), s.looks)
				}
			})
		})
	}
}

// Being told to stop while an archive is read is no problem of what is wanted.
func TestStoppedWhileAnArchiveIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r, s := lookedInto(t)
		ctx, cancel := context.WithCancel(t.Context())
		r.Artifacts = stopping{s, cancel}
		result, _ := r.Plan(ctx)
		for _, p := range result.Plans {
			for _, region := range p.Regions {
				if len(region.Problems) > 0 {
					t.Errorf("%s: %+v", p.Environment, region.Problems)
				}
			}
		}
		if !round.CutShort(result.Plans[0]) {
			t.Errorf("%+v", result.Plans[0].Regions[0].Failure)
		}
	})
}

type stopping struct {
	round.Artifacts
	stop func()
}

func (s stopping) Look(ctx context.Context, _ desired.Environment, _ state.Artifact) (state.Content, error) {
	s.stop()
	return state.Content{}, ctx.Err()
}

// An object that stalls holds a round for a minute and no longer, however many there are,
// and is a problem of who wants it.
func TestAnArchiveThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r, s := lookedInto(t)
		r.Artifacts = stalling{s}
		began := time.Now()
		result, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Minute {
			t.Errorf("the round took %s", took)
		}
		region := regionOf(t, result, "prod")
		if region.Failure != nil || len(region.Problems) != 1 || region.Problems[0].Code != desired.CodeArtifactUnread {
			t.Errorf("%+v, %+v", region.Failure, region.Problems)
		}
	})
}

type stalling struct{ round.Artifacts }

func (s stalling) Look(ctx context.Context, _ desired.Environment, _ state.Artifact) (state.Content, error) {
	<-ctx.Done()
	return state.Content{}, ctx.Err()
}
