package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/dynamostore"
	"github.com/layerd/layerd/internal/store/sqlitestore"
)

// whichStore returns which store is meant: the flag, else the variable LAYERD_STORE,
// which assume has put there, else layerd.yaml's, else a file of this user or of this
// systemd unit.
func (a *app) whichStore(f storeFlags, t desired.Tree) (store.Spec, error) {
	if err := f.check(); err != nil {
		return store.Spec{}, err
	}
	switch {
	case f.store != "":
		spec, err := store.ParseSpec(f.store)
		if err != nil {
			return spec, usage("", "%s: %w", a.storeName(), err)
		}
		return spec, nil
	case t.Store != "":
		spec, err := store.ParseSpec(t.Store)
		if err != nil {
			return spec, &exitError{code: exitInvalid, err: fmt.Errorf("layerd.yaml, store %s: %w", t.Store, err),
				hint: "until it is changed, name another one: --store sqlite:PATH"}
		}
		a.assumed.store = layerdYAML
		return spec, nil
	}
	path, err := a.defaultStorePath()
	a.assumed.store = "this user, since neither --store nor " + storeVariable + " nor layerd.yaml names one"
	return store.Spec{Kind: store.KindSQLite, Location: path}, err
}

// pastStore is whichStore for commands that show nothing else than what a store has, or
// write to it: where layerd.yaml names one that cannot be understood, the usual one is
// not what was meant, and it would say that it knows nothing.
func (a *app) pastStore(f storeFlags, t desired.Tree) (store.Spec, error) {
	spec, err := a.whichStore(f, t)
	if err != nil || f.store != "" {
		return spec, err
	}
	for _, p := range t.Problems {
		if p.Code == "bad_store" && p.Environment == "" {
			return store.Spec{}, &exitError{code: exitInvalid, err: errors.New(p.Brief()), hint: "until it is changed, name another one: --store sqlite:PATH"}
		}
	}
	return spec, nil
}

// defaultStorePath follows systemd (StateDirectory=) and the XDG rules.
func (a *app) defaultStorePath() (string, error) {
	const file = "layerd.db"
	if dirs := filepath.SplitList(a.env("STATE_DIRECTORY")); len(dirs) > 0 && dirs[0] != "" {
		return filepath.Join(dirs[0], file), nil
	}
	// The specification says to ignore a relative path.
	if dir := a.env("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "layerd", file), nil
	}
	home := a.env("HOME")
	if home == "" {
		return "", usage("pass --store sqlite:PATH", "no place for the store: HOME, XDG_STATE_HOME and STATE_DIRECTORY are not set")
	}
	return filepath.Join(home, ".local", "state", "layerd", file), nil
}

// openStore opens a store for writing. It makes a file where there is none; a
// table costs money and is made by store init alone.
func (a *app) openStore(ctx context.Context, spec store.Spec) (store.Store, error) {
	s, err := a.openToWrite(ctx, spec)
	return s, a.fromStore(spec, err)
}

func (a *app) openToWrite(ctx context.Context, spec store.Spec) (store.Store, error) {
	switch spec.Kind {
	case store.KindMemory:
		return store.NewMemory(), nil
	case store.KindDynamoDB:
		cfg, err := a.storeConfig(ctx, spec)
		if err != nil {
			return nil, err
		}
		return opened(dynamostore.Open(ctx, cfg, spec.Location, dynamostore.Options{}))
	}
	return opened(sqlitestore.Open(spec.Location))
}

// openToRead opens a store and never makes one; nil where there is none.
func (a *app) openToRead(ctx context.Context, spec store.Spec) (store.Store, error) {
	var s store.Store
	var err error
	switch spec.Kind {
	case store.KindMemory:
		return nil, nil
	case store.KindDynamoDB:
		cfg, cfgErr := a.storeConfig(ctx, spec)
		if cfgErr != nil {
			return nil, a.fromStore(spec, cfgErr)
		}
		s, err = opened(dynamostore.OpenReadOnly(ctx, cfg, spec.Location, dynamostore.Options{}))
	default:
		s, err = opened(sqlitestore.OpenReadOnly(spec.Location))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return s, a.fromStore(spec, err)
}

// opened returns a nil store for a nil adapter, which in an interface is not nil.
func opened[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// storeConfig returns the configuration for the table: the SDK's usual chain, without a
// role, whatever the environments say.
func (a *app) storeConfig(ctx context.Context, spec store.Spec) (aws.Config, error) {
	cfg, err := a.awsConfig(ctx)
	if err != nil {
		return cfg, err
	}
	if err := a.credentials(ctx, cfg); err != nil {
		return cfg, &exitError{code: exitFailed, err: fmt.Errorf("open store %s: %w", spec, err), hint: credentialsHint}
	}
	return cfg, nil
}
