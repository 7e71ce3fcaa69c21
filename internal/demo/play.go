package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/sqlitestore"
)

// PlayOptions are how the daemon is kept running to play with. Options.Log is
// the daemon's whole log; without it what the log warns of is a line like any
// other.
type PlayOptions struct {
	Options
	Health net.Listener // where /healthz and /readyz are served; nil = a free port of loopback
	// Program is the path of layerd where a shell does not find it by this name;
	// empty = it does.
	Program string
	// Proxied is true when the environment names a proxy for HTTP, which git and
	// the AWS CLI would ask for addresses of this machine too.
	Proxied bool
}

const (
	// Somebody watches, and everything is on this machine.
	playInterval = 3 * time.Second
	// About what an update of a small function takes.
	playSettle = time.Second
	// Lambda takes 15 a second; what is left over is for the commands that are
	// tried beside the daemon.
	playRequests, playGetFunction = 10, 60
)

// shorter is for somebody who does not want to wait: a wave is judged by its
// smoke test at once. It is also watched for minutes in examples/repo.
var shorter = strings.NewReplacer("bake: 2m\n", "bake: 0\n", "bake: 10m\n", "bake: 0\n")

// place is where everything is while the daemon runs.
type place struct {
	aws, git, health string // URLs
	store            store.Spec
}

// Play keeps a daemon running over a simulated AWS and a Git server that others
// can use, until ctx ends. Then it releases the leases and leaves nothing
// behind.
func Play(ctx context.Context, o PlayOptions) error {
	dir, err := os.MkdirTemp("", "layerd-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the store: %w", err)
	}
	defer os.RemoveAll(dir)
	at := place{store: store.Spec{Kind: store.KindSQLite, Location: filepath.Join(dir, "layerd.db")}}

	world := NewWorld(time.Now(), playSettle)
	address, stop, err := serve(ctx, nil, world.Handler())
	if err != nil {
		return fmt.Errorf("serve the simulated AWS: %w", err)
	}
	defer stop()
	at.aws = "http://" + address

	git := gitserve.New()
	if err := seed(git.Add("acme/layers"), shorter, time.Now()); err != nil {
		return err
	}
	if address, stop, err = serve(ctx, nil, git); err != nil {
		return fmt.Errorf("serve Git: %w", err)
	}
	defer stop()
	at.git = "http://" + address + "/acme/layers"

	if err := putArchives(ctx, world, at.git); err != nil {
		return err
	}
	kept, err := sqlitestore.Open(at.store.Location)
	if err != nil {
		return err
	}
	defer kept.Close()
	s := newScreen(o)
	d, err := follower(o, at, kept, s)
	if err != nil {
		return err
	}
	if address, stop, err = serve(ctx, o.Health, d.Handler()); err != nil {
		return fmt.Errorf("serve health: %w", err)
	}
	defer stop()
	at.health = "http://" + address

	s.begin(at, world)
	err = d.Run(ctx)
	s.end()
	return err
}

// putArchives builds what the repository has under the versions that can be tried, but
// for the one that breaks what uses it.
func putArchives(ctx context.Context, world *awssim.World, url string) error {
	repo, err := gitrepo.New(gitrepo.Options{URL: url})
	if err != nil {
		return err
	}
	commit, _, err := repo.Pull(ctx, "")
	if err != nil {
		return err
	}
	for _, version := range []string{next, fixed} {
		built, err := build(ctx, repo, commit.Hash, version)
		if err != nil {
			return fmt.Errorf("build makoto-common %s: %w", version, err)
		}
		world.PutObject(bucket, key(version), built.zip)
	}
	world.PutObject(bucket, key(broken), brokenZip())
	return nil
}

// follower returns the daemon, wired as layerd run does it, with a screen in place
// of Slack.
func follower(o PlayOptions, at place, kept store.Store, s *screen) (*daemon.Daemon, error) {
	identity, err := gitrepo.Identity(at.git)
	if err != nil {
		return nil, err
	}
	repo, err := gitrepo.New(gitrepo.Options{URL: at.git})
	if err != nil {
		return nil, err
	}
	log := o.Log
	if log == nil {
		log = slog.New(warnings{screen: s})
	}
	connect := daemon.Connector(aws.Config{
		Credentials:  credentials.NewStaticCredentialsProvider(keyID, keySecret, ""),
		BaseEndpoint: aws.String(at.aws),
	}, daemon.AWSOptions{RequestsPerSecond: playRequests, GetFunctionPerSecond: playGetFunction, Logger: log})
	return daemon.New(daemon.Options{
		Repository: identity, Source: watched{repo, s}, Store: kept, Connect: connect,
		Artifacts: daemon.NewArtifacts(daemon.ArtifactOptions{Connect: connect, Files: daemon.FilesOf(repo), Store: kept, Repository: identity, Log: log}),
		Rates:     reconcile.Rates{Requests: playRequests, GetFunction: playGetFunction},
		Interval:  playInterval, GitInterval: playInterval, Name: "demo", Targets: []notify.Target{s}, Log: log,
		Suffix: "--repo $REPO --store $STORE", // which setup exports
	})
}

// watched prints the commits that the daemon sees.
type watched struct {
	daemon.Source
	screen *screen
}

func (w watched) Pull(ctx context.Context, last string) (gitrepo.Commit, bool, error) {
	commit, changed, err := w.Source.Pull(ctx, last)
	if err == nil && changed {
		w.screen.commit(commit)
	}
	return commit, changed, err
}

// serve serves at a listener, or at a free port of loopback, until stop is
// called.
func serve(ctx context.Context, l net.Listener, handler http.Handler) (address string, stop func(), err error) {
	if l == nil {
		if l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return "", nil, err
		}
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // ends with Close
	}()
	return l.Addr().String(), func() { _ = server.Close(); <-done }, nil // nobody waits for an answer of a simulation
}
