package toolchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/redact"
	"github.com/layerd/layerd/internal/strictyaml"
)

// Options are what a layer is made of.
type Options struct {
	Dir    string        // the layer's folder
	Layer  archive.Layer // what it is for
	Run    string        // a command of the layer's own instead of pip and npm; empty = none
	Strip  bool          // take symbols out of native libraries
	Locked bool          // what is not pinned is an error
	Work   string        // an empty folder that is the caller's to remove
	Log    io.Writer     // what tools print; nil = nowhere
	// Progress is told what is begun: "pip for Python 3.12, arm64". Nil = nobody.
	Progress func(what string)
}

// Built is what a layer's archive is to have.
type Built struct {
	Files    []archive.File
	Cleaned  archive.Cleaned
	Problems []archive.Problem // with an error among them Files is not whole
	Tools    []string          // those that ran, by name

	roots []*os.Root // the folders that Files are opened through
}

// Close closes the folders that the files are read from, after which none can be
// opened.
func (b Built) Close() error {
	var errs []error
	for _, r := range b.roots {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// Build collects the layer's own files, gets the packages that it asks for, and leaves out
// what no layer needs. An error means that the machine is not able to; what is wrong with
// the layer is in Problems. Built is to be closed when its files are packed.
func Build(ctx context.Context, o Options) (_ Built, err error) {
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return Built{}, fmt.Errorf("read the layer's folder: %w", err)
	}
	b := &build{Options: o, Built: Built{roots: []*os.Root{root}}}
	defer func() {
		if err != nil {
			_ = b.Close() // nobody has read anything of it
		}
	}()
	own, problems, err := archive.Own(root.FS())
	if err != nil {
		return b.Built, err
	}
	b.Problems = problems
	var more []archive.File
	if o.Run != "" {
		own, err = nil, b.script(ctx, &more)
	} else {
		err = b.packages(ctx, root, &more)
	}
	if err != nil || strictyaml.Errors(b.Problems) {
		return b.Built, err
	}
	files, twice := archive.Merge(own, more)
	b.Problems = append(b.Problems, twice...)
	b.Files, b.Cleaned = archive.Clean(files, o.Layer.Exclude)
	return b.finish(ctx)
}

type build struct {
	Options
	Built
}

// finish strips, and writes what the archive says of itself.
func (b *build) finish(ctx context.Context) (Built, error) {
	if b.Strip {
		if err := b.strip(ctx); err != nil {
			return b.Built, err
		}
	}
	files, problems, err := archive.Complete(b.Layer, b.Files)
	if err != nil {
		return b.Built, err
	}
	b.Files, b.Problems = files, append(b.Problems, problems...)
	return b.Built, nil
}

// packages gets what requirements.txt and package.json ask for.
func (b *build) packages(ctx context.Context, root *os.Root, files *[]archive.File) error {
	has := func(name string) bool { _, err := root.Stat(name); return err == nil }
	if len(b.Layer.Pythons()) > 0 && has("python/requirements.txt") {
		list, problems := archive.Requirements(root.FS(), "python/requirements.txt")
		b.Problems = append(append(b.Problems, problems...), archive.Unpinned(list, b.Locked)...)
		if strictyaml.Errors(b.Problems) {
			return nil
		}
		if len(list) > 0 {
			if err := b.python(ctx, files); err != nil {
				return err
			}
		}
	}
	if has("nodejs/package.json") {
		return b.node(ctx, root, files)
	}
	return nil
}

// script runs the layer's own command, which puts the content of the archive into the
// folder that LAYERD_OUT names.
func (b *build) script(ctx context.Context, files *[]archive.File) error {
	out := filepath.Join(b.Work, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		return fmt.Errorf("make room for %s: %w", b.Run, err)
	}
	b.begin(b.Run)
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", b.Run)
	cmd.Dir = b.Dir
	cmd.Env = append(os.Environ(), "LAYERD_OUT="+out, "LAYERD_LAYER="+b.Layer.Name, "LAYERD_VERSION="+b.Layer.Version,
		"LAYERD_RUNTIMES="+strings.Join(b.Layer.Runtimes, " "), "LAYERD_ARCHITECTURES="+strings.Join(b.Layer.Machines(), " "))
	if said, err := b.run(cmd); err != nil {
		return b.failed(ctx, "script_failed", b.Run, said, err, "run it by hand in "+b.Dir+", with LAYERD_OUT set to an empty folder")
	}
	return b.collect(out, "", files)
}

// collect adds what a tool has left in a folder.
func (b *build) collect(dir, prefix string, files *[]archive.File) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("read what was built: %w", err)
	}
	b.roots = append(b.roots, root)
	list, problems, err := archive.Collect(root.FS(), prefix, nil)
	if err != nil {
		return fmt.Errorf("read what was built: %w", err)
	}
	b.Problems = append(b.Problems, problems...)
	*files = append(*files, list...)
	return nil
}

func (b *build) begin(what string) {
	if b.Progress != nil {
		b.Progress(what)
	}
}

// run runs a tool and returns the last of what it said.
func (b *build) run(cmd *exec.Cmd) (string, error) {
	last := &tail{}
	cmd.Stdout, cmd.Stderr = io.Writer(last), io.Writer(last)
	if b.Log != nil {
		both := io.MultiWriter(last, b.Log)
		cmd.Stdout, cmd.Stderr = both, both
	}
	cmd.WaitDelay = stopDelay
	ownGroup(cmd)
	err := cmd.Run()
	return last.String(), err
}

// failed makes a tool's failure a problem of the layer, in the tool's own words, but for
// what may be a secret. That it was told to stop, or is not there, is not one.
func (b *build) failed(ctx context.Context, code, tool, said string, err error, suggestion string) error {
	exited, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !ok:
		return fmt.Errorf("run %s: %w", tool, err)
	}
	why := fmt.Sprintf("%s ended with %d", tool, exited.ExitCode())
	if said != "" {
		why += ": " + redact.Mask(said)
	}
	if code == "packages_not_found" && hashes.MatchString(said) {
		suggestion = "compare with where it came from: a package that changes under its version is not to be trusted"
	}
	b.Problems = append(b.Problems, strictyaml.NewProblem(code, strictyaml.Position{}, why, suggestion))
	return nil
}

// hashes is what pip and uv say of a package that is not the one that was pinned.
var hashes = regexp.MustCompile(`(?i)not match the hashes|hash mismatch`)

// tail keeps the last lines of what is written to it.
type tail struct{ buf bytes.Buffer }

const mostTail = 4096 // bytes

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - 2*mostTail; over > 0 {
		t.buf.Next(over + mostTail)
	}
	return len(p), nil
}

// String returns up to five lines that say something, errors first.
func (t *tail) String() string {
	const most = 5
	var lines, errs []string
	for line := range strings.SplitSeq(t.buf.String(), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.Contains(line, "[notice]") {
			continue
		}
		lines = append(lines, line)
		if strings.HasPrefix(strings.ToLower(line), "error") || strings.Contains(line, "npm error") {
			errs = append(errs, line)
		}
	}
	if len(errs) > 0 {
		lines = errs
	}
	return strings.Join(lines[max(0, len(lines)-most):], "; ")
}
