package toolchain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// stopDelay is how long the output of a tool that was killed is still waited for. It is
// less than the grace that layerd itself has.
const stopDelay = 2 * time.Second

// target is one of the things that a layer's packages are got for.
type target struct {
	python, machine string
	libc            archive.Libc
}

func (t target) String() string { return "Python " + t.python + ", " + t.machine }

// targets returns all pairs of the layer's Pythons and architectures. Each is held to
// the oldest C library of all: what is compiled for it loads on the newer ones.
func (b *build) targets() (list []target) {
	libc, _ := b.Layer.OldestLibc()
	for _, python := range b.Layer.Pythons() {
		for _, machine := range b.Layer.Machines() {
			list = append(list, target{python, machine, libc})
		}
	}
	return list
}

// python gets the packages of requirements.txt for each target, and takes them if they
// are the same for all.
func (b *build) python(ctx context.Context, files *[]archive.File) error {
	get, tool, err := b.installer(ctx)
	if err != nil {
		return err
	}
	b.Tools = append(b.Tools, tool)
	var first map[string]string
	targets := b.targets()
	for i, t := range targets {
		b.begin(fmt.Sprintf("%s for %s", tool, t))
		dir := filepath.Join(b.Work, "python", fmt.Sprint(i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make room for packages: %w", err)
		}
		got, err := get(ctx, t, dir)
		if err != nil || strictyaml.Errors(b.Problems) {
			return err
		}
		if first == nil {
			first = got
		}
		if names := differ(first, got); len(names) > 0 {
			b.Problems = append(b.Problems, split(targets[0], t, names))
			return nil
		}
	}
	return b.collect(filepath.Join(b.Work, "python", "0", "site"), "python", files)
}

// differ returns the packages that are not the same file in both.
func differ(a, b map[string]string) (names []string) {
	for name := range maps.Keys(a) {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	for name := range maps.Keys(b) {
		if _, in := a[name]; !in {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func split(a, b target, names []string) archive.Problem {
	verb := "differs"
	if len(names) > 1 {
		verb = "differ"
	}
	how := fmt.Sprintf("make two layers of it, with compatible_architectures: [%s] and [%s]", a.machine, b.machine)
	if a.machine == b.machine {
		how = fmt.Sprintf("make two layers of it, with compatible_runtimes: [python%s] and [python%s]", a.python, b.python)
	}
	return strictyaml.NewProblem("split_layer", strictyaml.Position{File: "python/requirements.txt"},
		fmt.Sprintf("%s %s between %s and %s: one archive cannot be for both", words.And(names), verb, a, b), how)
}

// getter gets the packages for a target into dir/site and returns which they are: by
// name, what tells two files of one package apart.
type getter func(ctx context.Context, t target, dir string) (map[string]string, error)

// errNoInstaller is the error of a machine without pip and uv.
var errNoInstaller = errors.New("neither uv nor pip is there")

// installer returns what gets packages: uv where it is, else pip. A uv that does not
// start, as the shim of one that is not installed, is not there.
func (b *build) installer(ctx context.Context) (getter, string, error) {
	uv, old := findUV(ctx)
	if uv != "" {
		return func(ctx context.Context, t target, dir string) (map[string]string, error) {
			return b.uv(ctx, uv, t, dir)
		}, "uv", nil
	}
	for _, name := range []string{"python3", "python"} {
		python, err := exec.LookPath(name)
		if err == nil && exec.CommandContext(ctx, python, "-c", "import pip").Run() == nil {
			return func(ctx context.Context, t target, dir string) (map[string]string, error) {
				return b.pip(ctx, []string{python, "-m", "pip"}, t, dir)
			}, "pip", nil
		}
	}
	if pip, err := exec.LookPath("pip3"); err == nil && exec.CommandContext(ctx, pip, "--version").Run() == nil {
		return func(ctx context.Context, t target, dir string) (map[string]string, error) {
			return b.pip(ctx, []string{pip}, t, dir)
		}, "pip", nil
	}
	switch {
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case old != "":
		return nil, "", fmt.Errorf("uv %s is too old and pip is not there: raise uv to %s or later (uv self update), or build with run: in layer.yaml", old, oldestUV)
	}
	return nil, "", fmt.Errorf("%w: install one of them, or build with run: in layer.yaml", errNoInstaller)
}

// pip downloads wheels and unpacks them itself.
func (b *build) pip(ctx context.Context, pip []string, t target, dir string) (map[string]string, error) {
	wheels := filepath.Join(dir, "wheels")
	args := slices.Concat(pip[1:], []string{
		"download", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet",
		"--dest", wheels, "--requirement", filepath.Join("python", "requirements.txt"),
		"--only-binary=:all:", "--implementation", "cp", "--python-version", t.python,
	})
	for _, tag := range archive.PlatformTags(t.libc, t.machine) {
		args = append(args, "--platform", tag)
	}
	cmd := exec.CommandContext(ctx, pip[0], args...)
	cmd.Dir = b.Dir
	if said, err := b.run(cmd); err != nil {
		return nil, b.failed(ctx, "packages_not_found", "pip", said, err, b.notFound(t))
	}
	list, err := filepath.Glob(filepath.Join(wheels, "*"))
	if err != nil {
		return nil, fmt.Errorf("read what pip downloaded: %w", err)
	}
	site := filepath.Join(dir, "site")
	if err := os.Mkdir(site, 0o755); err != nil {
		return nil, fmt.Errorf("make room for packages: %w", err)
	}
	got := map[string]string{}
	u := &unpacker{}
	for _, wheel := range list {
		name := filepath.Base(wheel)
		if !strings.HasSuffix(name, ".whl") {
			b.Problems = append(b.Problems, strictyaml.NewProblem("not_a_wheel", strictyaml.Position{File: "python/requirements.txt"},
				name+" is no wheel, and nothing is compiled", "name a version that has a wheel, or put the package itself beside requirements.txt"))
			continue
		}
		got[strings.ToLower(strings.SplitN(name, "-", 2)[0])] = name
		b.Problems = append(b.Problems, u.wheel(wheel, site)...)
		if u.err != nil {
			return nil, u.err
		}
	}
	return got, nil
}

func (b *build) notFound(t target) string {
	return fmt.Sprintf("see that each version has a wheel for %s and glibc %s or older, or for any platform", t, t.libc)
}
