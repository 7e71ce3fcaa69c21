package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/sqlitestore"
)

// whichStore says which store is meant: the flag, else layerd.yaml's, else a
// file of this user or of this systemd unit.
func (a *app) whichStore(f storeFlags, t desired.Tree) (store.Spec, error) {
	if err := f.check(); err != nil {
		return store.Spec{}, err
	}
	switch {
	case f.store != "":
		spec, err := store.ParseSpec(f.store)
		if err != nil {
			return spec, usage("", "--store: %w", err)
		}
		if spec.Kind == store.KindDynamoDB {
			return spec, usage("use sqlite:PATH; DynamoDB comes with a later release", "--store %s: dynamodb is not supported yet", f.store)
		}
		return spec, nil
	case t.Store != "":
		spec, err := store.ParseSpec(t.Store)
		if err == nil && spec.Kind == store.KindDynamoDB {
			err = fmt.Errorf("dynamodb is not supported yet")
		}
		if err != nil {
			return spec, &exitError{code: exitInvalid, err: fmt.Errorf("layerd.yaml, store %s: %w", t.Store, err),
				hint: "until it is changed, name another one: --store sqlite:PATH"}
		}
		return spec, nil
	}
	path, err := a.defaultStorePath()
	return store.Spec{Kind: store.KindSQLite, Location: path}, err
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

// openStore opens a store for writing and makes it where there is none.
func openStore(spec store.Spec) (store.Store, error) {
	if spec.Kind == store.KindMemory {
		return store.NewMemory(), nil
	}
	s, err := sqlitestore.Open(spec.Location)
	if err != nil {
		return nil, err // not s: a nil *Store in an interface is not nil
	}
	return s, nil
}

// openToRead opens a store and never makes one; nil where there is none.
func openToRead(spec store.Spec) (store.Store, error) {
	if spec.Kind == store.KindMemory {
		return nil, nil
	}
	s, err := sqlitestore.OpenReadOnly(spec.Location)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}
