package daemon_test

import (
	"context"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/notify"
)

// panickingLog is a log that panics where a round of dev is written down: in what
// comes after the round, where nothing else can be made to.
type panickingLog struct {
	slog.Handler
	armed bool
}

func (panickingLog) Enabled(context.Context, slog.Level) bool { return true }

func (l panickingLog) Handle(ctx context.Context, r slog.Record) error {
	if l.armed && r.Message == "round" {
		panic("boom")
	}
	return l.Handler.Handle(ctx, r)
}

func (l panickingLog) WithAttrs(list []slog.Attr) slog.Handler {
	dev := slices.ContainsFunc(list, func(a slog.Attr) bool { return a.Key == "env" && a.Value.String() == "dev" })
	return panickingLog{l.Handler.WithAttrs(list), l.armed || dev}
}

// startOdd runs a daemon over the site with a part of it replaced, and gives
// what stops it.
func (s *site) startOdd(replace func(*daemon.Options)) (stop func()) {
	s.t.Helper()
	var d *daemon.Daemon
	return s.startOddly(replace, &d)
}

// startOddly is startOdd for whoever asks the daemon itself.
func (s *site) startOddly(replace func(*daemon.Options), started **daemon.Daemon) (stop func()) {
	s.t.Helper()
	p := &process{name: "one"}
	source, err := gitrepo.New(gitrepo.Options{URL: "http://git.test/acme/layers", HTTP: wire{p, s.git.Transport()}})
	if err != nil {
		s.t.Fatal(err)
	}
	o := daemon.Options{
		Repository: "acme", Source: source, Store: s.store, Connect: s.connector(p),
		Targets: []notify.Target{s.slack}, Log: slog.New(slog.DiscardHandler),
	}
	replace(&o)
	d, err := daemon.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	*started = d
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}
}

// A panic after the round of one environment ends neither the process nor the
// rounds of the others.
func TestAPanicAfterARoundIsThatRoundsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		stop := s.startOdd(func(o *daemon.Options) { o.Log = slog.New(panickingLog{Handler: slog.DiscardHandler}) })
		time.Sleep(3 * time.Minute)
		s.commit("Raise", map[string]string{"environments/prod.yaml": envFile(otherAccount, "1.5.0", "")})
		time.Sleep(3 * time.Minute)
		if n := s.has(otherAccount, 5); n != 3 {
			t.Errorf("prod: %d of 3 have 5", n)
		}
		stop()
	})
}

// panickingSource is a repository whose commits of one subject cannot be read
// without a panic, as a bug in the reader would.
type panickingSource struct {
	daemon.Source
	subject string
}

func (s panickingSource) Pull(ctx context.Context, last string) (gitrepo.Commit, bool, error) {
	c, changed, err := s.Source.Pull(ctx, last)
	if c.Subject == s.subject {
		c.Files = panickingFiles{}
	}
	return c, changed, err
}

type panickingFiles struct{}

func (panickingFiles) Open(string) (fs.File, error) { panic("a bug in the reader") }

// A commit that makes the reader panic is an invalid commit: drift is healed as
// the last good one says, people are told, and the next commit is followed.
func TestACommitThatCannotBeReadWithoutAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		stop := s.startOdd(func(o *daemon.Options) { o.Source = panickingSource{o.Source, "Panic"} })
		time.Sleep(3 * time.Minute)
		s.commit("Panic", map[string]string{"environments/prod.yaml": envFile(otherAccount, "1.5.0", "")})
		time.Sleep(3 * time.Minute)
		s.meddle(accountID, "makoto-01", 3)
		time.Sleep(5 * time.Minute)
		if n := s.has(accountID, 3); n != 0 {
			t.Error("drift was not healed")
		}
		if told := s.slack.titles(); !strings.Contains(told, "is not followed") {
			t.Errorf("nobody was told:\n%s", told)
		}
		s.commit("Raise", map[string]string{"environments/prod.yaml": envFile(otherAccount, "1.5.0", "# again\n")})
		time.Sleep(3 * time.Minute)
		if n := s.has(otherAccount, 5); n != 3 {
			t.Errorf("prod: %d of 3 have 5", n)
		}
		stop()
	})
}
