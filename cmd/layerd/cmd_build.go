package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/archive/toolchain"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// buildFlags are the flags of build.
type buildFlags struct {
	out, version string
	locked       bool
	output       oneOf
}

func (a *app) buildCommand() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build DIR",
		Short: "Make the archive of a layer: the same bytes on every machine",
		Long: `build makes the zip of a layer from its folder, the one that has layer.yaml.
What python/requirements.txt asks for comes from pip, or from uv where it is
there: wheels for the layer's runtimes and architecture; nothing is compiled.
npm does the same for nodejs/package.json. What no layer needs is left out, and
what would fail at the first import is an error: another architecture, a newer
glibc, a folder where no runtime looks.

The version is that of the file VERSION in the folder, or of --version. Beside
the zip stands its SBOM (CycloneDX).`,
		Example: `  layerd build layers/common
  layerd build layers/common --out dist/common.zip --locked --output github`,
		Args: arguments("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.build(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "the zip that is written (default NAME-VERSION.zip here)")
	flags.StringVar(&f.version, "version", "", "the semantic version of the layer (default the file VERSION)")
	flags.BoolVar(&f.locked, "locked", false, "refuse requirements that are not pinned")
	outputFlag(cmd, &f.output, "text", "json", "github")
	return cmd
}

func (a *app) build(ctx context.Context, dir string, f buildFlags) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usage("name the folder of a layer, such as layers/common", "there is no folder %s", dir)
	case err != nil:
		return err
	case !info.IsDir():
		return usage("name the folder that has it", "%s is no folder", dir)
	}
	d, problems := desired.DescribeLayer(os.DirFS(dir))
	view := present.Build{FormatVersion: "1", Layer: d.Name, Packages: []archive.ManifestPackage{}, Checklist: []archive.Item{}, Problems: problems}
	if !desired.Errors(problems) {
		if err := a.buildLayer(ctx, dir, f, d, &view); err != nil {
			return err
		}
	}
	view.Problems = append([]archive.Problem{}, view.Problems...)
	if view.Layer == "" {
		view.Layer = filepath.Base(dir)
	}
	if err := a.showBuild(f, dir, view); err != nil {
		return err
	}
	return exit(problemCode(view.Problems, nil))
}

func (a *app) showBuild(f buildFlags, dir string, view present.Build) error {
	if f.output.value == "json" {
		return a.printJSON(view)
	}
	p := &present.Page{Palette: a.palette(), Width: width(a.out)}
	if f.output.value == "github" {
		p.Palette = present.Palette{}
	}
	p.Build(view)
	p.BuildSummary(view)
	text := p.String()
	if f.output.value == "github" {
		text = present.Annotations(view.Problems, dir) + foreign.Workflow(text)
	}
	return a.printFor(f.output.value, text)
}

// buildLayer makes the archive in a temporary file beside the one that is asked for, and
// gives it its name only when nothing is wrong with it: what is there is right.
func (a *app) buildLayer(ctx context.Context, dir string, f buildFlags, d desired.LayerDescription, view *present.Build) error {
	layer := archive.Layer{
		Name: d.Name, License: d.License, Runtimes: d.Runtimes, Architectures: d.Architectures, Imports: d.Imports, Exclude: d.Exclude,
	}
	var err error
	if layer.Version, err = layerVersion(dir, f.version); err != nil {
		return err
	}
	view.Version, view.Artifact = layer.Version, d.Artifact(layer.Version)
	if layer.Version == "" {
		view.Problems = append(view.Problems, unversioned())
	}
	out := f.out
	if out == "" {
		out = strings.TrimSuffix(layer.Name+"-"+layer.Version, "-") + ".zip"
	}
	if err := checkOut(dir, out); err != nil {
		return err
	}
	commit, doubts, err := layerCommit(dir, layer)
	if err != nil {
		return err
	}
	layer.Commit, view.Commit, view.Problems = commit, commit, append(view.Problems, doubts...)
	work, err := os.MkdirTemp("", "layerd-build-")
	if err != nil {
		return fmt.Errorf("make room for the build: %w", err)
	}
	defer os.RemoveAll(work)
	o := toolchain.Options{Dir: dir, Layer: layer, Run: d.Run, Strip: d.Strip, Locked: f.locked, Work: work}
	_, end := a.startProgress()
	defer end()
	o.Progress = func(what string) { a.shown.wait(what, time.Time{}) }
	o.Log = &toolLog{log: a.logger()}
	built, err := toolchain.Build(ctx, o)
	if err != nil {
		return err
	}
	defer built.Close() // what it has was read by then
	view.Problems, view.Cleaned = append(view.Problems, built.Problems...), built.Cleaned
	if desired.Errors(view.Problems) {
		return nil
	}
	return a.pack(layer, built.Files, out, view)
}

// checkOut refuses to write an archive in place of what is no file, as a device, and to
// where the next build would take it for a part of the layer.
func checkOut(dir, out string) error {
	for _, name := range []string{out, billOf(out)} {
		if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
			return usage("name a file, such as dist/layer.zip", "cannot write %s: it is there and is no file", name)
		}
	}
	folder, err1 := realPath(dir)
	at, err2 := realPath(filepath.Dir(out))
	if err := errors.Join(err1, err2); err != nil {
		return usage("make the folder first, or name another one", "cannot write %s: %v", out, err)
	}
	rel, err := filepath.Rel(folder, filepath.Join(at, filepath.Base(out)))
	if err != nil || !filepath.IsLocal(rel) {
		return nil // it is elsewhere
	}
	taken, err := archive.Takes(os.DirFS(dir), filepath.ToSlash(rel))
	if err == nil && taken {
		return usage("name another folder, or dist/ in the layer's own, with --out", "%s would be a part of the layer in the next build", out)
	}
	return err
}

func realPath(name string) (string, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(name)
}

// billOf returns the name of the SBOM that stands beside an archive.
func billOf(out string) string { return strings.TrimSuffix(out, ".zip") + ".cdx.json" }

// unversioned is the warning about an archive that nobody can publish yet.
func unversioned() archive.Problem {
	p := strictyaml.NewProblem("no_version", strictyaml.Position{File: "VERSION"}, "there is no such file: the archive does not say which version it is", "write the semantic version into it, or name it with --version")
	p.Severity = strictyaml.Warning
	return p
}

// layerVersion returns the version that a layer's archive is of: what was asked for, or
// what its folder says; "" where neither says any.
func layerVersion(dir, asked string) (string, error) {
	text, from := asked, "--version"
	if asked == "" {
		data, err := os.ReadFile(filepath.Join(dir, "VERSION"))
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("read the layer's version: %w", err)
		}
		text, from = strings.TrimSpace(string(data)), filepath.Join(dir, "VERSION")
	}
	v, err := semver.StrictNewVersion(strings.TrimPrefix(text, "v"))
	if err != nil {
		return "", usage("write a semantic version, such as 1.4.2", "%s: %q is no version", from, words.Truncate(text, 40))
	}
	return v.String(), nil
}

// pack writes the archive and its SBOM, and checks what it has written.
func (a *app) pack(layer archive.Layer, files []archive.File, out string, view *present.Build) error {
	tmp, err := os.CreateTemp(filepath.Dir(out), "."+filepath.Base(out)+"-")
	if err != nil {
		return usage("make the folder first, or name another one", "cannot write %s: %v", out, err)
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	defer tmp.Close()
	packed, err := archive.Pack(tmp, files, a.packing(files))
	if err != nil {
		return err
	}
	a.shown.work("checking what is in the archive", true)
	contents, err := archive.Open(tmp, packed.Size)
	if err != nil {
		return err
	}
	view.SHA256, view.Size, view.UnzippedSize, view.Files = packed.SHA256, packed.Size, packed.Unzipped, packed.Files
	view.Checklist, view.Largest = contents.Checklist(), contents.Largest(5)
	for _, p := range contents.Packages {
		view.Packages = append(view.Packages, archive.ManifestPackage{Kind: p.Kind, Name: p.Name, Version: p.Version, License: p.License})
	}
	view.Problems = append(view.Problems, contents.Check(layer)...)
	if desired.Errors(view.Problems) {
		return nil
	}
	bill, err := archive.SBOM(layer, contents, packed)
	if err != nil {
		return err
	}
	sbom := billOf(out)
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync(), tmp.Close(), os.WriteFile(sbom, bill, 0o644), os.Rename(tmp.Name(), out)); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	view.Archive, view.SBOM = out, sbom
	return nil
}

// packing returns what shows how far an archive of files has come.
func (a *app) packing(files []archive.File) func(done int, bytes int64) {
	var all int64
	for _, f := range files {
		all += f.Size
	}
	return func(done int, bytes int64) {
		a.shown.work(fmt.Sprintf("packing %d/%d files, %s of %s", done, len(files), words.Bytes(bytes), words.Bytes(all)), done == len(files))
	}
}

// toolLog logs what a tool prints, line by line.
type toolLog struct {
	log  *slog.Logger
	rest []byte // of a line that has no end yet
}

func (t *toolLog) Write(p []byte) (int, error) {
	t.rest = append(t.rest, p...)
	for {
		line, rest, ok := bytes.Cut(t.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		t.log.Debug("build", "line", string(line))
		t.rest = bytes.Clone(rest)
	}
}
