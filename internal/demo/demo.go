package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/examples"
	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
)

// Options are where the story is shown.
type Options struct {
	Out   io.Writer
	Color bool
	Width int          // columns; 80 when zero
	Log   *slog.Logger // nil = no log
}

// repository is the identity under which the story's past is kept.
const repository = "demo"

// Every request to AWS is signed with something; the simulator takes anything.
const keyID, keySecret = "demo", "demo"

// The story's clock runs ahead of ours, and so its AWS takes ten times as many
// requests in one of our seconds as the real one does.
var quick = awssim.Limits{Control: 150, GetFunction: 1000}

// errUntrue is returned when the story did not come true.
var errUntrue = errors.New("the story did not come true")

var tokyo = time.FixedZone("JST", 9*60*60)

// begin is the story's first instant: a Tuesday morning.
func begin() time.Time { return time.Date(2026, 11, 24, 10, 0, 0, 0, tokyo) }

// story is the demo under way.
type story struct {
	*teller
	ctx   context.Context
	now   time.Time
	world *awssim.World
	git   *gitserve.Repo
	repo  *gitrepo.Repo
	store store.Store
	book  *notify.Book
	slack *slack
	layer archive.Layer // makoto-common as it was released last

	connect   func(context.Context, desired.Environment) (round.Cloud, error)
	artifacts round.Artifacts
	log       *slog.Logger
}

// Run plays the story. It returns an error as soon as something in it does not
// come true, or when ctx ends.
func Run(ctx context.Context, o Options) error {
	server := gitserve.New()
	address, stop, err := serve(ctx, nil, server)
	if err != nil {
		return fmt.Errorf("serve Git: %w", err)
	}
	defer stop()

	s := &story{
		teller: newTeller(o), ctx: ctx, now: begin(), world: newWorld(begin(), awssim.Options{Settle: 100 * time.Millisecond, Limits: quick}),
		git: server.Add("acme/layers"), store: store.NewMemory(), slack: &slack{}, log: o.Log,
	}
	defer s.store.Close()
	s.book = notify.NewBook(s.store, repository, notify.Options{Targets: []notify.Target{s.slack}, Suffix: "--repo layers"})
	if s.repo, err = gitrepo.New(gitrepo.Options{URL: "http://" + address + "/acme/layers"}); err != nil {
		return err
	}
	s.connect = daemon.Connector(aws.Config{
		Credentials: credentials.NewStaticCredentialsProvider(keyID, keySecret, ""),
		HTTPClient:  &http.Client{Transport: s.world.Transport()},
	}, daemon.AWSOptions{RequestsPerSecond: 0.9 * quick.Control, GetFunctionPerSecond: 0.9 * quick.GetFunction, Logger: o.Log})
	s.artifacts = daemon.NewArtifacts(daemon.ArtifactOptions{Connect: s.connect, Files: daemon.FilesOf(s.repo), Store: s.store, Repository: repository, Log: s.log})
	if err := seed(s.git, strings.NewReplacer(), s.now); err != nil {
		return err
	}
	return s.tell()
}

// seed commits examples/repo as it is embedded, but for what edit changes.
func seed(repo *gitserve.Repo, edit *strings.Replacer, at time.Time) error {
	files := map[string]string{}
	err := fs.WalkDir(examples.Repo(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(examples.Repo(), name)
		files[name] = edit.Replace(string(data))
		return err
	})
	if err != nil {
		return err
	}
	_, err = repo.Commit(gitserve.Change{Subject: "Describe the fleet", Files: files, When: at})
	return err
}

// commit changes makoto-common's version in some environments.
func (s *story) commit(subject, from, to string, environments ...string) error {
	files := map[string]string{}
	for _, env := range environments {
		name := "environments/" + env + ".yaml"
		data, err := fs.ReadFile(examples.Repo(), name)
		if err != nil {
			return err
		}
		// The files on the branch differ from the embedded ones in this line only.
		text := strings.Replace(string(data), "makoto-common: 1.4.1", "makoto-common: "+to, 1)
		if !strings.Contains(text, "makoto-common: "+to) {
			return fmt.Errorf("%s does not ask for makoto-common %s", name, from)
		}
		files[name] = text
	}
	_, err := s.git.Commit(gitserve.Change{Subject: subject, Files: files, When: s.now})
	return err
}

// round pulls and makes one round over some environments; none = all.
func (s *story) round(environments ...string) (round.Result, error) {
	commit, _, err := s.repo.Pull(s.ctx, "")
	if err != nil {
		return round.Result{}, err
	}
	tree := desired.Load(commit.Files, desired.Options{Now: s.now})
	for _, p := range tree.Problems {
		if p.Severity == desired.Error {
			return round.Result{}, fmt.Errorf("%s:%d: %s", p.File, p.Line, p.Message)
		}
	}
	s.world.ResetCalls()
	from, err := s.toldUpTo()
	if err != nil {
		return round.Result{}, err
	}
	r, err := round.Round{
		Tree: tree, Revision: commit.Hash, Author: commit.Author, Repository: repository, Environments: environments,
		Store: s.store, Connect: s.connect, Artifacts: s.artifacts, Now: func() time.Time { return s.now }, Log: s.log,
	}.Apply(s.ctx)
	if err != nil {
		return r, err
	}
	return r, s.tellSlack(r, commit, from)
}

// approve approves what a plan of the environment waits for.
func (s *story) approve(planned plan.Plan) error {
	_, err := history.Open(s.store, repository).Rulings().Approve(s.ctx, ruling.Approval{
		Environment: planned.Environment, Digest: planned.Digest, By: "sato", At: s.now, Reason: "reviewed in the demo",
	}, window.Calendar{})
	return err
}

// layers returns every function's layer list, by name.
func (s *story) layers() map[string][]string {
	out := map[string][]string{}
	for _, f := range s.world.Functions() {
		out[f.Name] = f.Layers
	}
	return out
}

// planOf returns one environment's plan of a result.
func planOf(r round.Result, env string) plan.Plan {
	for _, p := range r.Plans {
		if p.Environment == env {
			return p
		}
	}
	return plan.Plan{Regions: []plan.Region{{}}}
}
