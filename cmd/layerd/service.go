package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/daemon/config"
	"github.com/layerd/layerd/internal/daemon/config/awssecrets"
	"github.com/layerd/layerd/internal/daemon/metrics"
	"github.com/layerd/layerd/internal/daemon/systemd"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/lease"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/slack"
	"github.com/layerd/layerd/internal/reconcile"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

var errInvalidConfig = errors.New("the configuration is invalid")

// service is the process around one daemon after another: each configuration
// that is taken in has a daemon of its own. What need not change is handed on.
type service struct {
	*app
	where   string
	log     *slog.Logger
	level   *slog.LevelVar
	manager *systemd.Manager
	holder  *lease.Identity               // of all daemons, one after the other
	current atomic.Pointer[daemon.Daemon] // whom /healthz asks
	unit    *unit                         // what runs now
}

// unit is one configuration and all that was opened for it.
type unit struct {
	config   config.Config
	spec     store.Spec
	store    store.Store
	listener net.Listener
	server   *daemon.Server
	daemon   *daemon.Daemon
}

// serve runs the daemon until ctx ends.
func (a *app) serve(ctx context.Context, where string, hangup <-chan os.Signal) error {
	c, err := a.readConfig(where)
	if err != nil {
		return err
	}
	s := &service{app: a, where: where, level: &slog.LevelVar{}, manager: systemd.New(), holder: lease.ThisProcess()}
	a.metrics.Store(metrics.New(buildVersion().Version))
	s.level.Set(c.Level())
	s.log = slog.New(slog.NewJSONHandler(foreign.JSONLog(a.err), &slog.HandlerOptions{Level: s.level}))
	a.logTo(s.log)
	if s.unit, err = s.assemble(ctx, c); err != nil {
		return err
	}
	defer func() { s.unit.close(nil) }()
	for ctx.Err() == nil {
		s.life(ctx, hangup)
	}
	s.told(s.manager.Stopping())
	return nil
}

// life runs one daemon, until ctx ends or another configuration takes its
// place.
func (s *service) life(ctx context.Context, hangup <-chan os.Signal) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	s.level.Set(s.unit.config.Level())
	s.current.Store(s.unit.daemon)
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Run reports what goes wrong in the log, and ends with its context.
		_ = s.unit.daemon.Run(running)
	}()
	s.told(s.manager.Ready())
	beat, end := s.heart()
	defer end()
	s.beat()
	var coming <-chan reloaded // nil while no configuration is being read
	signals := hangup          // nil while one is: one at a time
	for {
		select {
		case <-ctx.Done():
			s.told(s.manager.Stopping())
			if coming != nil {
				if next := <-coming; next.unit != nil {
					next.unit.close(s.unit)
				}
			}
			<-done
			return
		case <-beat:
			s.beat()
		case <-signals:
			s.told(s.manager.Reloading())
			coming, signals = s.reload(ctx), nil
		case next := <-coming:
			coming, signals = nil, hangup
			if next.err != nil {
				s.metrics.Load().Reload(false, time.Now())
				s.log.Error("configuration refused, the old one stays", "config", s.where, "err", next.err)
				s.told(s.manager.Ready())
				continue
			}
			stop()
			s.told(s.manager.Watchdog()) // waiting is bounded, and healthy
			<-done
			s.takeIn(next.unit)
			return
		}
	}
}

// takeIn puts a unit in the place of the one that has ended.
func (s *service) takeIn(next *unit) {
	old := s.unit
	s.unit = next
	old.close(s.unit)
	s.metrics.Load().Reload(true, time.Now())
	s.log.Info("configuration taken in", "config", s.where)
}

// reloaded is a new configuration with all that it needs, or why there is none.
type reloaded struct {
	unit *unit
	err  error
}

// reload makes everything that a new configuration needs before anything of
// the old one is touched, which goes on meanwhile: opening a store that does
// not answer takes longer than a watchdog waits.
func (s *service) reload(ctx context.Context) <-chan reloaded {
	done := make(chan reloaded, 1)
	go func() {
		c, err := s.readConfig(s.where)
		if err != nil {
			done <- reloaded{err: err}
			return
		}
		u, err := s.assemble(ctx, c)
		done <- reloaded{u, err}
	}()
	return done
}

// assemble opens what a configuration names and wires a daemon to it.
func (s *service) assemble(ctx context.Context, c config.Config) (_ *unit, err error) {
	u := &unit{config: c}
	defer func() {
		if err != nil {
			u.close(s.unit)
		}
	}()
	if u.spec, err = s.whichStore(storeFlags{store: c.Store}, desired.Tree{}); err != nil {
		return nil, err
	}
	secrets, err := s.secrets(ctx)
	if err != nil {
		return nil, err
	}
	named := namedSecrets(c, secrets)
	if err := checkSecrets(ctx, named); err != nil {
		return nil, err
	}
	repo, identity, err := repositoryOfConfig(ctx, c, secrets)
	if err != nil {
		return nil, err
	}
	targets, repeat, err := slackTargets(c, secrets)
	if err != nil {
		return nil, err
	}
	ends := &daemon.Ends{}
	connect, err := s.connector(ctx, daemon.AWSOptions{
		RequestsPerSecond: c.AWS.RequestsPerSecond, GetFunctionPerSecond: c.AWS.GetFunctionPerSecond, Logger: s.log, Ends: ends,
	})
	if err != nil {
		return nil, err
	}
	if s.unit != nil && s.unit.spec == u.spec {
		u.store = s.unit.store // memory: would forget, and a file needs no second handle
	} else if u.store, err = s.openStore(ctx, u.spec); err != nil {
		return nil, err
	} else {
		s.holder.Reset() // beats of another store mean nothing in this one
	}
	events, queue, err := s.events(ctx, c)
	if err != nil {
		return nil, err
	}
	u.daemon, err = daemon.New(daemon.Options{
		Events: events, EventsName: queue, Ends: ends,
		Repository: identity, Source: repo, Store: u.store, StoreName: u.spec.String(), Connect: connect,
		Artifacts: daemon.NewArtifacts(daemon.ArtifactOptions{Connect: connect, Files: daemon.FilesOf(repo), Store: u.store, Repository: identity, Log: s.log}),
		Rates:     reconcile.Rates{Requests: c.AWS.RequestsPerSecond, GetFunction: c.AWS.GetFunctionPerSecond},
		Interval:  c.Interval.Duration, GitInterval: c.Git.Interval.Duration, Name: processName(), Holder: s.holder, Metrics: s.metrics.Load(),
		Bounds: c.Desired(), Targets: targets, Repeat: repeat, Suffix: commandSuffix(c, u.spec), Secrets: named, Log: s.log,
		CloudWatch: c.Metrics == config.CloudWatch,
	})
	if err != nil {
		return nil, err
	}
	return u, s.listen(ctx, u)
}

// repositoryOfConfig returns the repository that a configuration names, and the name
// under which its past is kept.
func repositoryOfConfig(ctx context.Context, c config.Config, secrets *config.Secrets) (repo *gitrepo.Repo, identity string, err error) {
	git, err := c.Git.Options(ctx, secrets)
	if err != nil {
		return nil, "", &exitError{code: exitInvalid, err: err}
	}
	if repo, err = gitrepo.New(git); err != nil {
		return nil, "", &exitError{code: exitInvalid, err: err}
	}
	identity, err = gitrepo.Identity(c.Git.URL)
	return repo, identity, err
}

// listen serves the daemon's health, at the address that is served already
// where that is the same.
func (s *service) listen(ctx context.Context, u *unit) error {
	if s.unit != nil && s.unit.config.HTTP.Listen == u.config.HTTP.Listen {
		u.listener, u.server = s.unit.listener, s.unit.server
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", u.config.HTTP.Listen)
	if err != nil {
		return &exitError{code: exitFailed, err: fmt.Errorf("serve http.listen %s: %w", u.config.HTTP.Listen, err),
			hint: "is another layerd running here? name another port in http.listen"}
	}
	u.listener = listener
	u.server = daemon.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d := s.current.Load(); d != nil {
			d.Handler().ServeHTTP(w, r)
			return
		}
		http.Error(w, "starting", http.StatusServiceUnavailable)
	}), s.log)
	s.log.Info("serving", "address", listener.Addr().String())
	go func() {
		if err := u.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("serving ended", "err", err)
		}
	}()
	return nil
}

// close closes what was opened, but for what heir goes on using.
func (u *unit) close(heir *unit) {
	if u.server != nil && (heir == nil || heir.server != u.server) {
		_ = u.server.Close() // health checks may be cut off
	}
	if u.store != nil && (heir == nil || heir.store != u.store) {
		_ = u.store.Close() // everything was written; nothing can be lost here
	}
}

// secrets reads what a configuration names, wherever that is.
func (a *app) secrets(ctx context.Context) (*config.Secrets, error) {
	cfg, err := a.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	return &config.Secrets{SecretsManager: awssecrets.Manager(cfg), SSM: awssecrets.Parameters(cfg)}, nil
}

// slackTargets returns the targets of messages, and the shortest of their repeat
// intervals, which counts for all.
func slackTargets(c config.Config, secrets *config.Secrets) ([]notify.Target, time.Duration, error) {
	var targets []notify.Target
	var repeat time.Duration
	for i, n := range c.Notify {
		if n.Slack == nil {
			continue
		}
		name := "slack"
		if i > 0 {
			name = fmt.Sprintf("slack-%d", i+1)
		}
		t, err := slack.NewWebhook(slack.Options{
			Name: name, URL: secrets.Source(n.Slack.WebhookURL), Refused: func() { secrets.Forget(n.Slack.WebhookURL) },
		})
		if err != nil {
			return nil, 0, err
		}
		targets = append(targets, t)
		if d := n.Slack.RepeatInterval.Duration; repeat == 0 || d < repeat {
			repeat = d
		}
	}
	return targets, repeat, nil
}

// commandSuffix returns the flags that name the repository and the store of a configuration, for
// commands that people paste on another machine or as another user. The store is
// named also where the configuration does not: who pastes has another default.
// Credentials are nobody's to see.
func commandSuffix(c config.Config, spec store.Spec) string {
	f := followed(c)
	text := strings.TrimSpace(f.asFlags())
	switch spec.Kind {
	case store.KindMemory: // there is nothing that another process could write to
		return text
	case store.KindSQLite:
		spec.Location = absolute(spec.Location)
	}
	return text + " --store " + words.ShellQuote(spec.String())
}

// followed returns the repository of a configuration as a command line names it.
func followed(c config.Config) repoFlags {
	f := repoFlags{repo: withoutPassword(c.Git.URL), ref: c.Git.Branch, path: c.Git.Path}
	if !remote.MatchString(f.repo) {
		f.repo = absolute(f.repo)
	}
	if f.ref == "main" {
		f.ref = ""
	}
	if f.path == "." {
		f.path = ""
	}
	return f
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// withoutPassword takes out of an address what might be a secret. The user of
// ssh is none, and belongs to the address.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	user := u.User.Username()
	if u.User = nil; u.Scheme == "ssh" && user != "" {
		u.User = url.User(user)
	}
	return u.String()
}

// processName returns host:pid, by which people find the process.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// heart returns the watchdog's rhythm, and half a minute where there is none: the
// status line wants news as well.
func (s *service) heart() (<-chan time.Time, func()) {
	every := 30 * time.Second
	if w := s.manager.WatchdogInterval(); w > 0 {
		every = min(every, w)
	}
	t := time.NewTicker(every)
	return t.C, t.Stop
}

// beat feeds the watchdog only while the loops turn.
func (s *service) beat() {
	h := s.unit.daemon.Health()
	if h.Alive {
		s.told(s.manager.Watchdog())
	} else {
		s.log.Error("not alive", "reasons", h.Reasons)
	}
	s.told(s.manager.Status(statusLineOf(h)))
}

func statusLineOf(h daemon.Health) string {
	held := 0
	for _, a := range h.Accounts {
		if a.Holding {
			held++
		}
	}
	text := fmt.Sprintf("%d of %d accounts are ours", held, len(h.Accounts))
	if len(h.Reasons) > 0 {
		text += "; not ready: " + h.Reasons[0]
	}
	return text
}

// told: that the service manager was not told changes nothing.
func (s *service) told(err error) {
	if err != nil {
		s.log.Warn("service manager not told", "err", err)
	}
}
