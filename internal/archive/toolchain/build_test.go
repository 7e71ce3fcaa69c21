package toolchain_test

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/archive/archivetest"
	"github.com/layerd/layerd/internal/archive/toolchain"
	"github.com/layerd/layerd/internal/nightly"
)

// site is a layer's folder and a folder of wheels, which is all that pip knows.
type site struct {
	dir, wheels string
	layer       archive.Layer
	o           toolchain.Options
}

var havePip = sync.OnceValue(func() bool { return exec.Command("python3", "-c", "import pip").Run() == nil })

func newSite(t *testing.T, runtimes ...string) *site {
	t.Helper()
	if !havePip() {
		t.Skip("no pip")
	}
	s := &site{dir: t.TempDir(), wheels: t.TempDir()}
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", s.wheels)
	t.Setenv("UV_NO_INDEX", "1")
	t.Setenv("UV_FIND_LINKS", s.wheels)
	s.layer = archive.Layer{Name: "common", Version: "1.4.2", Runtimes: runtimes, Architectures: []string{"x86_64"}}
	s.write(t, "python/makoto_common/__init__.py", "")
	return s
}

func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	at := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s *site) build(t *testing.T) toolchain.Built {
	t.Helper()
	s.o.Dir, s.o.Layer, s.o.Work = s.dir, s.layer, t.TempDir()
	b, err := toolchain.Build(t.Context(), s.o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func names(b toolchain.Built) (list []string) {
	for _, f := range b.Files {
		list = append(list, f.Name)
	}
	return list
}

func codes(list []archive.Problem) (names []string) {
	for _, p := range list {
		names = append(names, p.Code)
	}
	return names
}

// compiled is a module for a C library, as a wheel has it.
func compiled(machine elf.Machine, glibc string) string {
	return string(archivetest.ELF(machine, map[string][]string{"libc.so.6": {"GLIBC_" + glibc}}))
}

func TestTheGuidesLayer(t *testing.T) {
	s := newSite(t, "python3.11", "python3.12")
	archivetest.Wheel(t, s.wheels, "pure", "1.0", "py3-none-any", map[string]string{
		"pure/__init__.py": "x = 1\n", "pure/tests/test_x.py": "", "pure-1.0.data/scripts/pure": "#!python\n", "pure-1.0.data/purelib/pure/more.py": "",
		"pure-1.0.dist-info/licenses/LICENSE": "MIT",
	}, "needed>=1")
	archivetest.Wheel(t, s.wheels, "needed", "1.2", "py2.py3-none-any", map[string]string{"needed.py": ""})
	s.write(t, "python/requirements.txt", "# what it needs\npure==1.0 ; python_version >= '3.8'\n")
	s.write(t, "python/makoto_common/__pycache__/x.pyc", "x")
	s.write(t, "README.md", "x")
	b := s.build(t)
	want := []string{
		"layerd/common.json", "python/makoto_common/__init__.py", "python/needed-1.2.dist-info/METADATA", "python/needed-1.2.dist-info/RECORD",
		"python/needed.py", "python/pure-1.0.dist-info/METADATA", "python/pure-1.0.dist-info/RECORD", "python/pure/__init__.py", "python/pure/more.py",
	}
	if got := names(b); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q: %v", got, want, b.Problems)
	}
	for _, f := range b.Files {
		if f.Name != "python/pure-1.0.dist-info/RECORD" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		want := "pure/__init__.py,sha256=LOBdo2gAX9OXA1pUwqE2ZxOIcTuPZAw25jYgh7uDBhE,6\n"
		if !strings.Contains(text.String(), "pure/more.py,sha256=") || strings.Contains(text.String(), "tests") || !strings.Contains(text.String(), "pure/__init__.py,sha256=") {
			t.Errorf("RECORD:\n%s\nwant also %s", &text, want)
		}
	}
}

// Two machines, two folders, two days: one archive.
func TestTheSameArchive(t *testing.T) {
	var sums []string
	for range 2 {
		s := newSite(t, "python3.11")
		archivetest.Wheel(t, s.wheels, "a", "1.0", "py3-none-any", map[string]string{"a/__init__.py": "x = 1\n", "a-1.0.data/scripts/a": "#!python\n"})
		archivetest.Wheel(t, s.wheels, "n", "2.0", "cp311-cp311-manylinux_2_17_x86_64", map[string]string{"n/_n.cpython-311-x86_64-linux-gnu.so": compiled(elf.EM_X86_64, "2.17")})
		s.write(t, "python/requirements.txt", "n==2.0\na==1.0\n")
		var out bytes.Buffer
		packed, err := archive.Pack(&out, s.build(t).Files, nil)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, packed.SHA256)
	}
	if sums[0] != sums[1] {
		t.Errorf("%q", sums)
	}
}

// The numpy trap: the newest release has wheels for glibc 2.28 only.
func TestTheNewestThatLoads(t *testing.T) {
	nightly.NotShort(t, "it waits for pip")
	for name, tc := range map[string]struct {
		runtime, tag, want string
	}{
		"2.26 takes what needs 2.17":         {"python3.11", "cp311-cp311-manylinux_2_28_x86_64", "python/n-2.2.6.dist-info/METADATA"},
		"2.34 takes what needs 2.28":         {"python3.12", "cp312-cp312-manylinux_2_28_x86_64", "python/n-2.3.1.dist-info/METADATA"},
		"and what is tagged 2.24 only":       {"python3.11", "cp311-cp311-manylinux_2_24_x86_64", "python/n-2.3.1.dist-info/METADATA"},
		"and what has several tags":          {"python3.12", "cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64", "python/n-2.3.1.dist-info/METADATA"},
		"never musl":                         {"python3.12", "cp312-cp312-musllinux_1_2_x86_64", "python/n-2.2.6.dist-info/METADATA"},
		"never another architecture":         {"python3.12", "cp312-cp312-manylinux_2_17_aarch64", "python/n-2.2.6.dist-info/METADATA"},
		"never another Python":               {"python3.12", "cp313-cp313-manylinux_2_17_x86_64", "python/n-2.2.6.dist-info/METADATA"},
		"the stable ABI of an older one too": {"python3.12", "cp38-abi3-manylinux_2_17_x86_64", "python/n-2.3.1.dist-info/METADATA"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tc.runtime)
			short := "cp" + strings.ReplaceAll(strings.TrimPrefix(tc.runtime, "python"), ".", "")
			archivetest.Wheel(t, s.wheels, "n", "2.2.6", short+"-"+short+"-manylinux2014_x86_64", map[string]string{"n/__init__.py": ""})
			archivetest.Wheel(t, s.wheels, "n", "2.3.1", tc.tag, map[string]string{"n/__init__.py": ""})
			s.write(t, "python/requirements.txt", "n\n")
			b := s.build(t)
			if !slices.Contains(names(b), tc.want) || !slices.Equal(codes(b.Problems), []string{"unpinned"}) {
				t.Errorf("%q, %v", names(b), b.Problems)
			}
		})
	}
}

func TestALayerForTwo(t *testing.T) {
	s := newSite(t, "python3.11", "python3.12")
	for _, tag := range []string{"cp311-cp311", "cp312-cp312"} {
		archivetest.Wheel(t, s.wheels, "n", "2.0", tag+"-manylinux_2_17_x86_64", map[string]string{"n/__init__.py": ""})
	}
	s.write(t, "python/requirements.txt", "n==2.0\n")
	if b := s.build(t); !slices.Equal(codes(b.Problems), []string{"split_layer"}) || !strings.Contains(b.Problems[0].Suggestion, "[python3.11] and [python3.12]") {
		t.Errorf("two Pythons: %v", b.Problems)
	}
	s.layer.Runtimes, s.layer.Architectures = []string{"python3.12"}, []string{"x86_64", "arm64"}
	archivetest.Wheel(t, s.wheels, "n", "2.0", "cp312-cp312-manylinux_2_17_aarch64", map[string]string{"n/__init__.py": ""})
	if b := s.build(t); !slices.Equal(codes(b.Problems), []string{"split_layer"}) || !strings.Contains(b.Problems[0].Suggestion, "[x86_64] and [arm64]") {
		t.Errorf("two architectures: %v", b.Problems)
	}
}

func TestWhatPipRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ requirements, want string }{
		"not there":           {"nothing==1.0\n", "packages_not_found"},
		"contradicting lines": {"a==1.0\na==2.0\n", "packages_not_found"},
		"contradicting needs": {"wants==1.0\na==2.0\n", "packages_not_found"},
		"a folder":            {"./python/makoto_common\n", "local_requirement"},
		"editable":            {"-e .\n", "local_requirement"},
		"a file that is not":  {"-r more.txt\n", "unreadable"},
		"a circle":            {"-r requirements.txt\n", "unreadable"},
		"source only":         {"source==1.0\n", "packages_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "python3.11")
			archivetest.Wheel(t, s.wheels, "a", "1.0", "py3-none-any", map[string]string{"a.py": ""})
			archivetest.Wheel(t, s.wheels, "a", "2.0", "py3-none-any", map[string]string{"a.py": ""})
			archivetest.Wheel(t, s.wheels, "wants", "1.0", "py3-none-any", map[string]string{"w.py": ""}, "a<2")
			if err := os.WriteFile(filepath.Join(s.wheels, "source-1.0.tar.gz"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			s.write(t, "python/requirements.txt", tc.requirements)
			b := s.build(t)
			if got := codes(b.Problems); !slices.Contains(got, tc.want) {
				t.Errorf("%v", b.Problems)
			}
		})
	}
}

func TestLocked(t *testing.T) {
	s := newSite(t, "python3.11")
	for _, v := range []string{"1.0"} {
		archivetest.Wheel(t, s.wheels, "a", v, "py3-none-any", map[string]string{"a.py": ""})
	}
	for line, pinned := range map[string]bool{
		"a": false, "a>=1": false, "a==1.*": false, "a~=1.0": false, "a==1.0,!=1.1": false, "a!=1.0": false, "a<=1.0": false,
		"a==1.0": true, "a===1.0": true, "A == 1.0": true, "a==1.0 # why": true, "a==1.0 ; python_version > '3'": true,
		"a==1.0 \\\n    --hash=sha256:" + strings.Repeat("0", 64): true, "a (==1.0)": true,
	} {
		s.write(t, "python/requirements.txt", line+"\n")
		list, _ := archive.Requirements(os.DirFS(s.dir), "python/requirements.txt")
		if got := len(archive.Unpinned(list, true)) == 0; got != pinned || len(list) != 1 {
			t.Errorf("%q: pinned %t, want %t (%+v)", line, got, pinned, list)
		}
	}
	s.write(t, "python/requirements.txt", "a\n")
	s.o.Locked = true
	if b := s.build(t); !slices.Equal(codes(b.Problems), []string{"unpinned"}) || b.Problems[0].Severity != "error" || b.Problems[0].Line != 1 || len(b.Files) > 0 {
		t.Errorf("%v", b.Problems)
	}
}

func TestHostileWheels(t *testing.T) {
	nightly.NotShort(t, "it reads hundreds of megabytes, one after the other")
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"above":          {map[string]string{"../../../../evil.py": "x"}, "bad_name"},
		"absolute":       {map[string]string{"/evil.py": "x"}, "bad_name"},
		"above in .data": {map[string]string{"w-1.0.data/purelib/../../../evil.py": "x"}, "bad_name"},
		"a backslash":    {map[string]string{`w\..\..\evil.py`: "x"}, "bad_name"},
		"a bomb":         {map[string]string{"w/bomb": strings.Repeat("\x00", 2*archive.MaxUnzipped+1)}, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, "python3.11")
			archivetest.Wheel(t, s.wheels, "w", "1.0", "py3-none-any", tc.files)
			s.write(t, "python/requirements.txt", "w==1.0\n")
			if b := s.build(t); !slices.Contains(codes(b.Problems), tc.want) {
				t.Errorf("%v", b.Problems)
			}
			for _, at := range []string{filepath.Dir(s.o.Work), filepath.Dir(s.dir), "/"} {
				if _, err := os.Stat(filepath.Join(at, "evil.py")); err == nil {
					t.Errorf("written to %s", at)
				}
			}
		})
	}
}

func TestOwnScript(t *testing.T) {
	s := newSite(t, "provided.al2023")
	s.o.Run = `mkdir -p "$LAYERD_OUT/bin" && echo "$LAYERD_LAYER $LAYERD_VERSION $LAYERD_RUNTIMES $LAYERD_ARCHITECTURES" > "$LAYERD_OUT/bin/x" && chmod 755 "$LAYERD_OUT/bin/x"`
	b := s.build(t)
	if got := names(b); !slices.Equal(got, []string{"bin/x", "layerd/common.json"}) || !b.Files[0].Executable {
		t.Errorf("%q %v", got, b.Problems)
	}
	s.o.Run = "echo it went wrong; exit 3"
	if b := s.build(t); !slices.Equal(codes(b.Problems), []string{"script_failed"}) || !strings.Contains(b.Problems[0].Message, "ended with 3: it went wrong") {
		t.Errorf("%v", b.Problems)
	}
	s.o.Run = `ln -s /etc/passwd "$LAYERD_OUT/x"`
	if b := s.build(t); !slices.Equal(codes(b.Problems), []string{"link_outside"}) {
		t.Errorf("%v", b.Problems)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.o.Work = t.TempDir()
	if _, err := toolchain.Build(ctx, s.o); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

func TestNode(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("no npm")
	}
	s := newSite(t, "nodejs20.x")
	s.write(t, "nodejs/dep/package.json", `{"name": "dep", "version": "1.2.3", "license": "MIT", "scripts": {"install": "touch /tmp/evil-script"}}`)
	s.write(t, "nodejs/dep/index.js", "module.exports = 1\n")
	s.write(t, "nodejs/package.json", `{"name": "layer", "version": "1.0.0", "dependencies": {"dep": "file:dep"}}`)
	b := s.build(t)
	if !slices.Equal(codes(b.Problems), []string{"unpinned"}) || !slices.Contains(names(b), "nodejs/node_modules/dep") && !slices.Contains(names(b), "nodejs/node_modules/dep/index.js") {
		t.Errorf("%q %v", names(b), b.Problems)
	}
	s.o.Locked = true
	if b := s.build(t); len(b.Files) > 0 || b.Problems[0].Severity != "error" {
		t.Errorf("locked: %v", b.Problems)
	}
}

func TestStrip(t *testing.T) {
	if _, err := exec.LookPath("strip"); err != nil {
		t.Skip("no strip")
	}
	s := newSite(t, "python3.11")
	s.o.Strip = true
	s.write(t, "python/makoto_common/a.abi3.so", "no library")
	if b := s.build(t); !slices.Equal(codes(b.Problems), []string{"not_stripped"}) || len(b.Files) != 3 {
		t.Errorf("%q %v", names(b), b.Problems)
	}
}
