package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/layerd/layerd/internal/daemon/config"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// daemonExam is the daemon's configuration, for the checks that follow.
type daemonExam struct {
	config  config.Config
	secrets *config.Secrets
}

// checkConfig: the daemon's configuration is valid, and every secret that it
// names can be read here. What it says of Git and the store is what the other
// checks look at.
func checkConfig(ctx context.Context, x *examination) {
	const check = "configuration"
	where := x.flags.config
	if where == "" {
		x.add(inspect.Unneeded(check, "not examined; --config FILE looks at the daemon's, and at who is told"))
		return
	}
	name, data, err := config.Read(where, x.app.lookupEnv)
	if err != nil {
		x.wrong(check, "name the file that the daemon is started with: --config FILE|env:NAME", "%v", err)
		return
	}
	c, problems := config.Load(name, data)
	for _, p := range problems {
		if p.Severity == strictyaml.Warning {
			continue
		}
		x.wrong(check, cmp.Or(p.Suggestion, "see deploy/layerd.example.yaml"), "%s", p.Brief())
	}
	if strictyaml.Errors(problems) {
		return
	}
	x.fine(check, "%s is valid", name)
	for _, p := range problems {
		x.fine(check, "warning: %s", p.Brief())
	}
	secrets, err := x.app.secrets(ctx)
	if err != nil {
		x.wrong(check, "look at the variables AWS_* and at ~/.aws", "%v", err)
		return
	}
	x.daemon = &daemonExam{config: c, secrets: secrets}
	tests := namedSecrets(c, secrets)
	for i, n := range c.Secrets() {
		if err := tests[i].Read(ctx); err != nil {
			x.wrong(n.Key, "put it there and let the daemon's user read it; doctor reads as whoever runs it", "%v", err)
			continue
		}
		x.fine(n.Key, "%s can be read", n.Secret)
	}
}

// unread reports whether a configuration was named and is of no use.
func (x *examination) unread() bool { return x.flags.config != "" && x.daemon == nil }

// source reads what the daemon follows, where --repo names nothing else.
func (x *examination) source(ctx context.Context) (source, error) {
	if x.daemon == nil || x.flags.repo.repo != "" {
		return x.app.load(ctx, x.flags.repo)
	}
	git := x.daemon.config.Git
	options, err := git.Options(ctx, x.daemon.secrets)
	if err != nil {
		return source{}, err
	}
	repo, err := gitrepo.New(options)
	if err != nil {
		return source{}, err
	}
	commit, _, err := repo.Pull(ctx, "")
	if err != nil {
		return source{}, err
	}
	src, err := x.app.sourceOf(ctx, commit, git.URL)
	if err == nil && len(x.daemon.config.Bounds) > 0 {
		src.tree, err = x.app.want(ctx, src, desired.Options{Bounds: x.daemon.config.Desired()})
	}
	return src, err
}

// spec returns which store is examined: --store, else the daemon's, which does not
// look at layerd.yaml, else that of every command.
func (x *examination) spec() (store.Spec, error) {
	if x.daemon == nil || x.flags.store.store != "" {
		return x.app.whichStore(x.flags.store, x.src.tree)
	}
	return x.app.whichStore(storeFlags{store: x.daemon.config.Store}, desired.Tree{})
}

// checkSameStore: the daemon and the commands of people keep one past. An
// approval in another store is one that nobody ever reads.
func checkSameStore(_ context.Context, x *examination) {
	if x.daemon == nil || x.src.tree.Store == "" || x.flags.store.store != "" {
		return
	}
	const check = "one store"
	daemons, err := x.spec()
	if err != nil {
		return // said by checkStore
	}
	theirs, err := x.app.whichStore(storeFlags{}, x.src.tree)
	switch {
	case err != nil:
		x.wrong(check, "see layerd validate", "%v", err)
	case theirs != daemons:
		x.wrong(check, "name the same store in both, or approvals never reach the daemon",
			"the daemon keeps its past in %s, and layerd.yaml sends every command to %s", daemons, theirs)
	default:
		x.fine(check, "layerd.yaml names the daemon's")
	}
}

// checkNotify sends a message to everybody who is told. It is the only check
// that others notice, and so the last.
func checkNotify(ctx context.Context, x *examination) {
	const check = "notify"
	switch {
	case x.flags.config == "":
		return // said by checkConfig
	case x.unread():
		x.add(inspect.Skipped(check, "the configuration is not valid"))
		return
	}
	targets, _, err := slackTargets(x.daemon.config, x.daemon.secrets)
	switch {
	case err != nil:
		x.wrong(check, "look at notify", "%v", err)
		return
	case len(targets) == 0:
		x.add(inspect.Unneeded(check, "nobody is told: the configuration names no one"))
		return
	case x.flags.noMessage:
		x.add(inspect.Unneeded(check, fmt.Sprintf("%s not tried: --no-message", words.Count(len(targets), "channel"))))
		return
	}
	s := notify.Situation{Environment: x.flags.env, Now: x.app.now()}
	if len(x.regions) > 0 {
		s.Zone = x.regions[0].Zone
	}
	hello := notify.Hello(s)
	for _, t := range targets {
		err := t.Send(ctx, hello)
		switch e, sorted := errors.AsType[*notify.SendError](err); {
		case err == nil:
			x.fine(check+" "+t.Name(), "took a test message")
		case sorted:
			x.wrong(check+" "+t.Name(), sendFix(e.Verdict), "%v", err)
		default:
			x.wrong(check+" "+t.Name(), sendFix(notify.Later), "%v", err)
		}
	}
}

func sendFix(v notify.Verdict) string {
	switch v {
	case notify.Broken:
		return "make a new incoming webhook for the channel, and put its address where webhook_url says"
	case notify.Never:
		return "Slack does not take this message at all: report it as a bug of layerd"
	}
	return "try again; look at the network, the proxy (HTTPS_PROXY) and the address"
}
