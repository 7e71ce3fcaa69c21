package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/state"
)

// diffFlags say where the two archives are.
type diffFlags struct {
	repo        repoFlags
	store       storeFlags
	env, region string
	rate        float64
	output      oneOf
	verbose     bool
	detailed    bool
}

func (a *app) diffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff [LAYER] A B",
		Short: "Show what changed inside a layer from one version to another",
		Long: `diff compares two archives: which packages were added, removed, raised and
lowered, which files are other ones, and how many bytes that makes.

With LAYER, A and B are its live versions, by their semantic versions or their
numbers, in the environment --env (not needed where only one has the layer).
Without, each of A and B is a zip on this machine or the ARN of a layer version,
which is read with the role of an environment in its Region.

Of an archive that AWS has, its directory and what describes packages are read.
A file is another one where its size, its CRC-32 or its mode is.

Exit codes: 0 compared (2 with --detailed-exitcode where something is
different), 1 one of them could not be read, 75 try again.`,
		Example: `  layerd diff makoto-common 1.4.1 1.4.2 --repo . --env prod
  layerd diff makoto-common 12 13 --repo . -o markdown
  layerd diff old.zip new.zip`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) <= 2 {
				return arguments("A", "B")(cmd, args)
			}
			return arguments("LAYER", "A", "B")(cmd, args)
		},
		ValidArgsFunction: a.complete(offerAllLayers),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.diff(cmd.Context(), &f, args) },
	}
	f.repo.add(cmd)
	f.store.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.env, "env", "", "the environment `ENV`")
	fs.StringVar(&f.region, "region", "", "only this `REGION`")
	fs.BoolVar(&f.detailed, "detailed-exitcode", false, "exit 2 when something is different")
	rateFlag(cmd, &f.rate, 5)
	// The flag exists, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeFlag(offerEnvironments))
	outputFlag(cmd, &f.output, "text", "json", "markdown")
	verboseFlag(cmd, &f.verbose)
	return cmd
}

func (a *app) diff(ctx context.Context, f *diffFlags, args []string) error {
	if err := checkRate(f.rate); err != nil {
		return err
	}
	if err := f.store.check(); err != nil {
		return err
	}
	x := &comparison{app: a, f: f}
	defer x.close()
	var from, to side
	var err error
	if len(args) == 3 {
		from, to, err = x.versions(ctx, args[0], args[1], args[2])
	} else if from, err = x.one(ctx, args[0]); err == nil {
		to, err = x.one(ctx, args[1])
	}
	if err != nil {
		return err
	}
	answer := present.Diff{FormatVersion: "1", From: from.DiffSide, To: to.DiffSide, Difference: inspect.Compare(from.Side, to.Side)}
	if err := a.showDiff(f, answer); err != nil {
		return err
	}
	if f.detailed && !answer.Equal() {
		return exit(exitChanges)
	}
	return nil
}

func (a *app) showDiff(f *diffFlags, answer present.Diff) error {
	switch f.output.value {
	case "json":
		return a.printJSON(answer)
	case "markdown":
		return a.print(answer.Markdown())
	}
	return a.print(answer.Text(present.Options{Palette: a.palette(), Width: width(a.out), Verbose: f.verbose}))
}

// side is one of the two archives, and what it is called.
type side struct {
	present.DiffSide
	inspect.Side
}

// comparison finds the two archives and reads them.
type comparison struct {
	app     *app
	f       *diffFlags
	src     *source         // nil until an environment is needed
	memory  *inspect.Memory // nil until then
	connect func(context.Context, desired.Environment) (daemon.Connection, error)
}

// load reads the repository, once.
func (x *comparison) load(ctx context.Context) error {
	if x.src != nil {
		return nil
	}
	src, err := x.app.load(ctx, x.f.repo)
	if err != nil {
		return err
	}
	if x.f.env != "" {
		if _, err := environmentsNamed(src.tree, x.f.env); err != nil {
			return err
		}
	}
	x.connect, err = connecting(ctx, x.app, daemon.AWSOptions{RequestsPerSecond: x.f.rate, Logger: x.app.logger()}, daemon.Examiner)
	if err != nil {
		return err
	}
	x.src = &src
	spec, err := x.app.whichStore(x.f.store, src.tree)
	if err != nil {
		return err
	}
	s, err := x.app.openMemory(ctx, spec)
	x.memory = &inspect.Memory{Store: s, Log: x.app.logger()}
	return err
}

// close lets go of the store.
func (x *comparison) close() {
	if x.memory != nil && x.memory.Store != nil {
		_ = x.memory.Store.Close() // what is in it can be read again
	}
}

// environments are those that the flags leave.
func (x *comparison) environments() (list []desired.Environment) {
	for _, e := range x.src.tree.Environments {
		if (x.f.env == "" || e.Name == x.f.env) && (x.f.region == "" || e.Region == x.f.region) {
			list = append(list, e)
		}
	}
	return list
}

// one reads a zip on this machine, or a layer version by its ARN.
func (x *comparison) one(ctx context.Context, name string) (side, error) {
	v := state.LayerVersionARN(name)
	layer, number, ok := v.Split()
	switch {
	case ok:
	case strings.HasPrefix(name, "arn:"):
		return side{}, usage("write it as arn:aws:lambda:REGION:ACCOUNT:layer:NAME:NUMBER", "%s is no ARN of a layer version", name)
	default:
		return readZip(name)
	}
	if err := x.load(ctx); err != nil {
		return side{}, err
	}
	envs := slices.DeleteFunc(x.environments(), func(e desired.Environment) bool { return e.Region != layer.Region() })
	if len(envs) == 0 {
		return side{}, usage("name one with --env", "no environment is in %s, where %s is", layer.Region(), name)
	}
	own := slices.IndexFunc(envs, func(e desired.Environment) bool { return e.Account == layer.Account() })
	env := envs[max(own, 0)]
	conn, err := x.connect(ctx, env)
	if err != nil {
		return side{}, err
	}
	s, err := x.readVersion(ctx, conn, v)
	s.DiffSide = present.DiffSide{Name: layer.Name(), Number: number, ARN: name, SHA256: s.Side.SHA256}
	return s, err
}

// readZip reads an archive on this machine.
func readZip(name string) (side, error) {
	file, err := os.Open(name)
	if err != nil {
		return side{}, usage("A and B are zips, or with LAYER in front its versions: layerd diff LAYER A B", "%s: %w", name, plainCause(err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		return side{}, usage("pack it with layerd build", "%s is no file", name)
	}
	var contents *archive.Contents
	if err == nil {
		contents, err = archive.Skim(file, info.Size())
	}
	if err != nil {
		return side{}, &exitError{code: exitFailed, err: fmt.Errorf("%s: %w", name, plainCause(err))}
	}
	return side{DiffSide: present.DiffSide{Name: name}, Side: inspect.SideOf(contents, "")}, nil
}

// readVersion reads what is compared of a layer version, and keeps what packages it has
// for those who come later, a plan among them.
func (x *comparison) readVersion(ctx context.Context, conn daemon.Connection, v state.LayerVersionARN) (s side, err error) {
	err = conn.ReadLayer(ctx, v, func(a daemon.LayerArchive) error {
		contents, err := archive.Skim(a, a.Size)
		if err == nil {
			s.Side = inspect.SideOf(contents, a.SHA256)
		}
		return err
	})
	if err == nil {
		x.memory.Put(ctx, v, s.Contents)
	}
	return s, err
}

// versions reads two live versions of a layer.
func (x *comparison) versions(ctx context.Context, layer, a, b string) (from, to side, err error) {
	if err := x.load(ctx); err != nil {
		return from, to, err
	}
	env, wish, err := x.wish(layer)
	if err != nil {
		return from, to, err
	}
	conn, err := x.connect(ctx, env)
	if err != nil {
		return from, to, err
	}
	live, err := conn.LayerVersions(ctx, wish.Layer)
	if err != nil {
		return from, to, err
	}
	known := catalog.New(wish, &state.Snapshot{Layers: []state.Layer{{ARN: wish.Layer, Versions: live}}}, nil)
	var numbers [2]int64
	for i, text := range []string{a, b} {
		if numbers[i], err = numberOf(known, env, wish, text); err != nil {
			return from, to, err
		}
	}
	var sides [2]side
	for i, n := range numbers {
		v := wish.Layer.Version(n)
		if sides[i], err = x.readVersion(ctx, conn, v); err != nil {
			return from, to, err
		}
		sides[i].DiffSide = present.DiffSide{Name: wish.Layer.Name(), Number: n, Version: known.Label(n), ARN: string(v), SHA256: sides[i].Side.SHA256}
	}
	return sides[0], sides[1], nil
}

// wish returns the environment and Region whose layer is meant.
func (x *comparison) wish(layer string) (desired.Environment, desired.LayerWish, error) {
	type place struct {
		env  desired.Environment
		wish desired.LayerWish
	}
	var found []place
	var names, where []string
	for _, e := range x.environments() {
		for _, w := range e.Layers {
			names = append(names, w.Name)
			// The same live layer in two environments is one.
			twin := slices.ContainsFunc(found, func(p place) bool { return p.wish.Layer == w.Layer })
			if (w.Name == layer || w.Layer.Name() == layer) && !twin {
				found = append(found, place{e, w})
				where = append(where, e.Name+" · "+e.Region)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch len(found) {
	case 0:
		return desired.Environment{}, desired.LayerWish{}, lacks("layers: "+strings.Join(names, ", "), "no environment has a layer %q%s", layer, didYouMean(layer, names))
	case 1:
		return found[0].env, found[0].wish, nil
	}
	return desired.Environment{}, desired.LayerWish{}, usage("name one with --env, and with --region where it is in several",
		"%s is a layer of its own in each of %s", layer, strings.Join(where, ", "))
}

// numberOf returns the live number that is meant by a version or a number.
func numberOf(known catalog.Catalog, env desired.Environment, w desired.LayerWish, text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if known.Live(n) || w.Layer.Account() != env.Account {
			return n, nil
		}
		return 0, notLive(known, env, w, text)
	}
	n, _, ok := known.Find(strings.TrimPrefix(text, "v"))
	if !ok {
		return 0, notLive(known, env, w, text)
	}
	return n, nil
}

func notLive(known catalog.Catalog, env desired.Environment, w desired.LayerWish, text string) error {
	var live []string
	for _, v := range known.Versions() {
		live = append(live, known.Show(v.Number))
	}
	hint := "it has no live version"
	if len(live) > 0 {
		hint = "live are " + strings.Join(live[:min(len(live), 10)], ", ")
	}
	return usage(hint, "%s %s is not live in %s · %s", w.Layer.Name(), text, env.Name, env.Region)
}
