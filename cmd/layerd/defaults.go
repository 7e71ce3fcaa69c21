package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/store"
)

// What stands for flags that a person would type all day: the repository's own file and
// two variables.
const (
	layerdYAML    = "layerd.yaml"
	repoVariable  = "LAYERD_REPO"
	storeVariable = "LAYERD_STORE"
)

// withoutRepo marks commands that find the only repository of a store by themselves:
// where a store is typed, and nothing else, that one is meant.
const withoutRepo = "without-repo"

// assumption is where a value came from that nobody typed, for the errors that follow
// from it; empty: it was typed, or there is none.
type assumption struct {
	repo, store string
	read        bool // the repository was
}

// assume fills in --repo and --store where they were not typed: the folder that
// layerd is called in where it looks like a desired-state repository, else the
// variable; for the store the variable, and after that whichStore decides. What the
// daemon's configuration names is not filled in.
func (a *app) assume(cmd *cobra.Command) {
	if f := cmd.Flags().Lookup("config"); f != nil && f.Changed {
		return
	}
	typedStore := cmd.Flags().Changed("store") && cmd.Annotations[withoutRepo] != ""
	if f := cmd.Flags().Lookup("repo"); f != nil && !f.Changed && !typedStore {
		path, _ := cmd.Flags().GetString("path") // every command with --repo has it
		var value string
		value, a.assumed.repo = a.usualRepo(path)
		_ = f.Value.Set(value) // a string takes any
	}
	if f := cmd.Flags().Lookup("store"); f != nil && !f.Changed {
		if value := a.env(storeVariable); value != "" {
			_ = f.Value.Set(value)
			a.assumed.store = storeVariable
		}
	}
}

// usualRepo returns the repository of a command line that names none, and where that
// is from; both empty where there is none.
func (a *app) usualRepo(path string) (repo, from string) {
	if looksLikeRepo(filepath.Join(".", path)) {
		return ".", "this folder"
	}
	if value := a.env(repoVariable); value != "" {
		return value, repoVariable
	}
	return "", ""
}

// looksLikeRepo reports whether a folder has what desired state begins with.
func looksLikeRepo(folder string) bool {
	if info, err := os.Stat(filepath.Join(folder, layerdYAML)); err == nil && info.Mode().IsRegular() {
		return true
	}
	return isFolder(filepath.Join(folder, "environments"))
}

// assumedLine returns what an error about the repository does not say by itself: which was
// meant where nobody named one.
func (a *app) assumedLine() string {
	switch {
	case a.assumed.repo == "" || !a.assumed.read:
		return ""
	case a.assumed.repo == repoVariable:
		return foreign.Linef("  the repository is that of the variable %s, %s; --repo names another\n", repoVariable, withoutPassword(a.env(repoVariable)))
	}
	return "  the repository is this folder, since it looks like one; --repo names another\n"
}

// fromStore adds to an error about a store which of four places named it. A path that
// no store can have is that place's mistake.
func (a *app) fromStore(spec store.Spec, err error) error {
	if err == nil {
		return nil
	}
	if a.assumed.store != "" {
		err = fmt.Errorf("%w (the store is that of %s)", err, a.assumed.store)
	}
	switch a.assumed.store {
	case "", storeVariable, layerdYAML:
		if impossible(spec) {
			code := map[bool]int{true: exitInvalid, false: exitUsage}[a.assumed.store == layerdYAML]
			return &exitError{code: code, err: err, hint: "sqlite: takes the path of a file"}
		}
	}
	return err
}

// impossible reports whether a store's path is that of something else than a file, or
// leads through one.
func impossible(spec store.Spec) bool {
	if spec.Kind != store.KindSQLite {
		return false
	}
	info, err := os.Stat(spec.Location)
	return errors.Is(err, syscall.ENOTDIR) || err == nil && !info.Mode().IsRegular()
}

// storeName returns what a person wrote the store after.
func (a *app) storeName() string { return cmp.Or(a.assumed.store, "--store") }
