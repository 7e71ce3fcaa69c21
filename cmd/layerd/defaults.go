package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/foreign"
)

// The variables that stand for flags which a person would type all day.
const (
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
	if info, err := os.Stat(filepath.Join(folder, "layerd.yaml")); err == nil && info.Mode().IsRegular() {
		return true
	}
	return isFolder(filepath.Join(folder, "environments"))
}

// assumedLine returns what an error does not say by itself: which repository was meant
// where nobody named one.
func (a *app) assumedLine() string {
	switch {
	case a.assumed.repo == "" || !a.assumed.read:
		return ""
	case a.assumed.repo == repoVariable:
		return foreign.Linef("  the repository is that of the variable %s, %s; --repo names another\n", repoVariable, withoutPassword(a.env(repoVariable)))
	}
	return "  the repository is this folder, since it looks like one; --repo names another\n"
}

// fromStore adds to an error about a store which of four places named it.
func (a *app) fromStore(err error) error {
	if err == nil || a.assumed.store == "" {
		return err
	}
	return fmt.Errorf("%w (the store is that of %s)", err, a.assumed.store)
}

// storeName returns what a person wrote the store after.
func (a *app) storeName() string { return cmp.Or(a.assumed.store, "--store") }
