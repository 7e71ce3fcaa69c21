package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// indexFlags say what goes into which folder.
type indexFlags struct {
	repo    repoFlags
	store   storeFlags
	out     string
	content bool
	rate    float64
}

func (a *app) indexCommand() *cobra.Command {
	var f indexFlags
	cmd := &cobra.Command{
		Use:   "index [LAYER]... --out DIR",
		Short: "Write what is published as one static file per layer",
		Long: `index writes DIR/LAYER/index.json for each layer of the repository that layerd
owns: all live versions with their numbers in each environment and Region, which
are deprecated or yanked and why, and what is applied and proven where. Put on a
web server or into a bucket, Renovate and other accounts follow it without any
right in these ones.

It lists the versions in AWS. What only the store knows is left out where there
is none. A file that is as it has to be is not written again.`,
		Example: `  layerd index --repo . --out public
  layerd index makoto-common --repo . --out public --content`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			return a.completeFlag(offerAllLayers)(cmd, args, begun)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.index(cmd.Context(), f, args) },
	}
	f.repo.add(cmd)
	f.store.add(cmd)
	cmd.Flags().StringVar(&f.out, "out", "", "`DIR` that the files are written below (default: this folder, unless it is a repository)")
	cmd.Flags().BoolVar(&f.content, "content", false, "ask AWS for size and SHA-256 of each version, one call each")
	rateFlag(cmd, &f.rate, 5)
	return cmd
}

func (a *app) index(ctx context.Context, f indexFlags, layers []string) error {
	if err := errors.Join(checkRate(f.rate), f.store.check()); err != nil {
		return err
	}
	src, err := a.load(ctx, f.repo)
	if err != nil {
		return err
	}
	if code := problemCode(src.tree.Problems, nil); code != exitOK {
		return &exitError{code: code, err: errors.New("the repository has errors, and an index of a part of it would look like the whole"), hint: "see " + validateLine(f.repo), repo: true}
	}
	if layers, err = indexed(src.tree, layers); err != nil {
		return err
	}
	if f.out, err = f.folder(); err != nil {
		return err
	}
	spec, err := a.whichStore(f.store, src.tree)
	if err != nil {
		return err
	}
	s, err := a.openToRead(ctx, spec)
	if err != nil {
		return err
	}
	if s != nil {
		defer s.Close()
	}
	connect, err := connecting(ctx, a, daemon.AWSOptions{RequestsPerSecond: f.rate, Logger: a.logger()}, daemon.Examiner)
	if err != nil {
		return err
	}
	x := indexer{source: src, store: s, connect: connect, content: f.content}
	p := &present.Page{Palette: a.palette(), Width: width(a.out)}
	for _, layer := range layers {
		index, err := x.index(ctx, layer)
		if err != nil {
			return err
		}
		to := filepath.Join(f.out, layer, "index.json")
		wrote, err := writeIndex(to, index)
		if err != nil {
			return err
		}
		done := "as it was"
		if wrote {
			done = "written"
		}
		p.Linef(0, "%s %s  %s, %s", p.Good("✓"), to, words.Count(len(index.Versions), "version"), done)
	}
	return a.print(p.String())
}

// folder returns where the files are written below: this folder where nobody says, but
// for a repository's, in which they would stand beside layers/ and environments/.
func (f indexFlags) folder() (string, error) {
	switch info, err := os.Stat(f.out); {
	case f.out == "" && looksLikeRepo("."):
		return "", usage("such as --out public: DIR/LAYER/index.json is written, and this folder is the repository", "where to? --out DIR is missing")
	case f.out == "":
		return ".", nil
	case err == nil && !info.IsDir():
		return "", usage("it takes a folder, in which each layer has its own: DIR/LAYER/index.json", "--out %s is a file", f.out)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", usage("it takes a folder, which is made where there is none", "--out %s: %w", f.out, plainCause(err))
	}
	return f.out, nil
}

// indexed returns the layers that are meant, sorted: those of layerd's own, or the named.
func indexed(t desired.Tree, named []string) ([]string, error) {
	own := map[string]bool{}
	for _, e := range t.Environments {
		for _, w := range e.Layers {
			if w.Owned {
				own[w.Name] = true
			}
		}
	}
	all := slices.Sorted(maps.Keys(own))
	for _, name := range named {
		if !own[name] {
			return nil, lacks("layers: "+strings.Join(all, ", "), "no environment owns a layer %q%s", name, didYouMean(name, all))
		}
	}
	if len(named) == 0 {
		return all, nil
	}
	named = slices.Sorted(slices.Values(named))
	return slices.Compact(named), nil
}

// indexer gathers what is known of layers.
type indexer struct {
	source  source
	store   store.Store // nil = none
	connect func(context.Context, desired.Environment) (daemon.Connection, error)
	content bool
}

func (x indexer) index(ctx context.Context, layer string) (present.Index, error) {
	index := present.Index{FormatVersion: "1", Layer: layer, Versions: []present.IndexVersion{}, Applied: []present.IndexApplied{}}
	for _, e := range x.source.tree.Environments {
		i := slices.IndexFunc(e.Layers, func(w desired.LayerWish) bool { return w.Name == layer && w.Owned })
		if i < 0 {
			continue
		}
		if err := x.add(ctx, &index, e, e.Layers[i]); err != nil {
			return index, fmt.Errorf("%s in %s · %s: %w", layer, e.Name, e.Region, err)
		}
	}
	index.Sort()
	return index, nil
}

// add adds what one environment has in one Region.
func (x indexer) add(ctx context.Context, index *present.Index, e desired.Environment, w desired.LayerWish) error {
	at, err := x.connect(ctx, e)
	if err != nil {
		return err
	}
	if err := at.Check(ctx); err != nil {
		return err
	}
	live, err := at.Versions(ctx, w.Layer)
	if err != nil {
		return err
	}
	var known history.Standing
	var words []ruling.Quarantine
	if x.store != nil {
		if known, err = history.Open(x.store, x.source.repository).Standing(ctx, e.Name, e.Region); err != nil {
			return err
		}
		if words, err = ruling.LoadQuarantines(ctx, x.store, x.source.repository, e.Name); err != nil {
			return err
		}
	}
	versions := catalog.New(w, &state.Snapshot{Layers: []state.Layer{{ARN: w.Layer, Versions: live}}}, known.Past.Layers[w.Layer].Numbers)
	for _, v := range live {
		p := present.IndexPublished{
			Environment: e.Name, Account: e.Account, Region: e.Region, ARN: string(w.Layer.Version(v.Number)), Number: v.Number,
			Created: v.Created.UTC().Format(time.RFC3339), Description: v.Description,
			Runtimes: append([]string{}, v.Runtimes...), Architectures: append([]string{}, v.Architectures...),
		}
		if x.content {
			found, err := at.Content(ctx, w.Layer.Version(v.Number))
			if err != nil {
				return err
			}
			p.Size, p.SHA256 = found.Size, found.SHA256
		}
		to, err := x.put(ctx, index, versions, v, p)
		if err != nil {
			return err
		}
		if q := ruling.OtherContent(words, e.Region, w.Layer, v.Number); q != nil && to.State != present.IndexYanked {
			// Who follows the index knows no more of a version than its name.
			to.State, to.Reason = present.IndexYanked, fmt.Sprintf("%s · %s: %s", e.Name, e.Region, q.Reason)
		}
	}
	if stands := known.Of(w.Layer); stands.Number > 0 {
		index.Applied = append(index.Applied, present.IndexApplied{Environment: e.Name, StandingRegion: present.StandingRegion{
			Region: e.Region, Account: e.Account, ARN: string(w.Layer.Version(stands.Number)), Number: stands.Number,
			Version: versions.Label(stands.Number), Coming: stands.Coming,
		}})
	}
	return nil
}

// put puts a number to the version that it is, and returns that.
func (x indexer) put(ctx context.Context, index *present.Index, versions catalog.Catalog, v state.LayerVersion, p present.IndexPublished) (*present.IndexVersion, error) {
	label, created := versions.Label(v.Number), v.Created.UTC()
	i := -1
	if label != "" {
		i = slices.IndexFunc(index.Versions, func(old present.IndexVersion) bool { return old.Version == label })
	}
	if i < 0 {
		one := present.IndexVersion{Version: label, State: present.IndexCurrent}
		if advice, ok := versions.Deprecated(v.Number); ok {
			one.State, one.Reason = present.IndexDeprecated, advice
		}
		if reason, ok := versions.Yanked(v.Number); ok {
			one.State, one.Reason = present.IndexYanked, reason
		}
		if x.store != nil && label != "" {
			fixed, err := history.Open(x.store, x.source.repository).Published(ctx, index.Layer, label)
			if err != nil {
				return nil, err
			}
			one.SHA256 = fixed[label]
		}
		i, index.Versions = len(index.Versions), append(index.Versions, one)
	}
	to := &index.Versions[i]
	if s, stamped := catalog.ReadStamp(v.Description); to.SHA256 != "" && !(stamped && s.Is(to.SHA256)) {
		to.SHA256 = "" // one of those that are called so is something else, or may be
	}
	if to.Created == nil || created.Before(*to.Created) {
		to.Created = &created
	}
	to.Published = append(to.Published, p)
	return to, nil
}

// writeIndex writes the file where it is not as it has to be: beside it first, so that
// nobody reads half of it.
func writeIndex(name string, index present.Index) (wrote bool, err error) {
	text, err := present.JSON(index)
	if err != nil {
		return false, err
	}
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, []byte(text)) {
		return false, nil
	}
	if err := replaceIndex(name, text); err != nil {
		return false, fmt.Errorf("write %s: %w", foreign.Clean(name), plainCause(err))
	}
	return true, nil
}

func replaceIndex(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".index-*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(text)
	if err = cmp.Or(err, tmp.Chmod(0o644), tmp.Sync()); err == nil {
		err = tmp.Close()
	} else {
		_ = tmp.Close() // what went wrong before is the reason
	}
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}
