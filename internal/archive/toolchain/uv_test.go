package toolchain_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/archive/archivetest"
	"github.com/layerd/layerd/internal/archive/toolchain"
)

// program puts a shell script on the PATH of the test, in front of all else.
func program(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// wants returns a layer's folder that asks for one package.
func wants(t *testing.T, runtimes ...string) toolchain.Options {
	t.Helper()
	s := &site{dir: t.TempDir()}
	s.write(t, "python/requirements.txt", "a==1.0\n")
	return toolchain.Options{
		Dir: s.dir, Work: t.TempDir(),
		Layer: archive.Layer{Name: "common", Version: "1.0.0", Runtimes: runtimes, Architectures: []string{"x86_64"}},
	}
}

// A uv that writes down how it was called, and installs a package.
const fakeUV = `
case "$1" in --version) echo "uv 0.9.22 (82a6a66b8 2026-01-06)"; exit;; esac
printf '%s\n' "$@" > "$ASKED"
echo "downloads $UV_PYTHON_DOWNLOADS" >> "$ASKED"
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/a-1.0.dist-info" "$2/a"
printf 'Metadata-Version: 2.1\nName: a\nVersion: 1.0\n\n' > "$2/a-1.0.dist-info/METADATA"
printf 'Tag: py3-none-any\n' > "$2/a-1.0.dist-info/WHEEL"
printf 'a/__init__.py,,\n' > "$2/a-1.0.dist-info/RECORD"
: > "$2/a/__init__.py"; : > "$2/.lock"
`

// uvPlatforms are values of --python-platform that uv's reference names.
var uvPlatforms = []string{"x86_64-manylinux2014", "x86_64-manylinux_2_34", "aarch64-manylinux2014", "aarch64-manylinux_2_34"}

// TestUVIsCalledAsItsReferenceHasIt: no machine here has uv, so its command line is held
// to its documentation.
func TestUVIsCalledAsItsReferenceHasIt(t *testing.T) {
	for runtime, want := range map[string]string{"python3.11": "manylinux2014", "python3.12": "manylinux_2_34", "python3.14": "manylinux_2_34"} {
		for arch, machine := range map[string]string{"x86_64": "x86_64", "arm64": "aarch64"} {
			t.Run(runtime+" "+arch, func(t *testing.T) {
				asked := filepath.Join(t.TempDir(), "asked")
				t.Setenv("ASKED", asked)
				program(t, "uv", fakeUV)
				o := wants(t, runtime)
				o.Layer.Architectures = []string{arch}
				b, err := toolchain.Build(t.Context(), o)
				if err != nil || len(b.Problems) > 0 {
					t.Fatalf("%v, %v", err, b.Problems)
				}
				t.Cleanup(func() { _ = b.Close() })
				if got := names(b); !slices.Equal(b.Tools, []string{"uv"}) || !slices.Contains(got, "python/a/__init__.py") || slices.Contains(got, "python/.lock") {
					t.Errorf("%q with %q", got, b.Tools)
				}
				data, err := os.ReadFile(asked)
				if err != nil {
					t.Fatal(err)
				}
				args := strings.Split(strings.TrimSpace(string(data)), "\n")
				platform := machine + "-" + want
				rest := []string{
					"pip", "install", "--quiet", "--target", filepath.Join(o.Work, "python", "0", "site"), "--requirement", "python/requirements.txt",
					"--only-binary", ":all:", "--python-version", strings.TrimPrefix(runtime, "python"), "--python-platform", platform,
					"--link-mode", "copy", "--no-progress", "downloads never",
				}
				if !slices.Equal(args, rest) || !slices.Contains(uvPlatforms, platform) {
					t.Errorf("uv %q\nwant %q", args, rest)
				}
			})
		}
	}
}

// TestUVThatCannotBeUsed: pip takes its place where it is, and where it is not the error
// says what is missing.
func TestUVThatCannotBeUsed(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	for name, tc := range map[string]struct{ script, want string }{
		"a shim":           {"echo 'pyenv: uv: command not found' >&2; exit 127", "neither uv nor pip is there"},
		"something else":   {"echo 'uv 1.0'", "neither uv nor pip is there"},
		"too old":          {"echo 'uv 0.4.30 (61ed2a236 2024-11-04)'", "uv 0.4.30 is too old and pip is not there: raise uv to 0.5.14 or later"},
		"just too old":     {"echo 'uv 0.5.13'", "uv 0.5.13 is too old"},
		"a release before": {"echo 'uv 0.5.14-rc1'", "uv 0.5.14-rc1 is too old"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Symlink(sh, filepath.Join(dir, "sh")); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir) // no Python in it
			program(t, "uv", tc.script)
			if _, err := toolchain.Build(t.Context(), wants(t, "python3.12")); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := toolchain.Build(ctx, wants(t, "python3.12")); !errors.Is(err, context.Canceled) {
				t.Errorf("stopped: %v", err)
			}
		})
	}
	s := newSite(t, "python3.12") // where pip is
	program(t, "uv", "exit 127")
	s.write(t, "python/requirements.txt", "nothing==1.0\n")
	if b := s.build(t); !slices.Equal(b.Tools, []string{"pip"}) {
		t.Errorf("tools %q, %v", b.Tools, b.Problems)
	}
}

// A package that is not the one whose hash is pinned is no matter of missing wheels.
func TestAnotherHash(t *testing.T) {
	s := newSite(t, "python3.12")
	archivetest.Wheel(t, s.wheels, "a", "1.0", "py3-none-any", map[string]string{"a.py": ""})
	s.write(t, "python/requirements.txt", "a==1.0 --hash=sha256:"+strings.Repeat("0", 64)+"\n")
	if b := s.build(t); !slices.Equal(codes(b.Problems), []string{"packages_not_found"}) || !strings.Contains(b.Problems[0].Suggestion, "not to be trusted") {
		t.Errorf("%v", b.Problems)
	}
}
