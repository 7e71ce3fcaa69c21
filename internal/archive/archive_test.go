package archive_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/archive/archivetest"
	"github.com/layerd/layerd/internal/nightly"
)

var layer = archive.Layer{Name: "common", Version: "1.4.2", Runtimes: []string{"python3.11"}, Architectures: []string{"x86_64"}}

// pack packs what is given by name, and opens it again.
func pack(t *testing.T, files map[string]string) *archive.Contents {
	t.Helper()
	var list []archive.File
	for name, text := range files {
		list = append(list, archive.NewFile(name, []byte(text)))
	}
	var out bytes.Buffer
	if _, err := archive.Pack(&out, list, nil); err != nil {
		t.Fatal(err)
	}
	c, err := archive.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func codes(list []archive.Problem) (names []string) {
	for _, p := range list {
		names = append(names, p.Code)
	}
	return slices.Compact(names)
}

// golden is the digest of what the fixed files below make. It is part of the file
// format: whoever changes it says so in the CHANGELOG, since every layer gets another.
const golden = "c307f9d03812120e65454f37baaa0bf76e5ae7b0581e2fdb98281a4a5b4e97aa"

func TestTheSameBytesEverywhere(t *testing.T) {
	var list []archive.File
	for i := range 300 {
		list = append(list, archive.NewFile(fmt.Sprintf("python/共通/m%03d.py", i), []byte(strings.Repeat(fmt.Sprintf("x%d = %d\n", i, i*i), i))))
	}
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 0))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		var out bytes.Buffer
		packed, err := archive.Pack(&out, list, nil)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(out.Bytes())
		if packed.SHA256 != hex.EncodeToString(sum[:]) || packed.Size != int64(out.Len()) {
			t.Errorf("says %+v of %d bytes, %x", packed, out.Len(), sum)
		}
		if packed.SHA256 != golden {
			t.Errorf("another archive than before: %s", packed.SHA256)
		}
	}
}

// Two checkouts have other times, modes, and orders of their folders.
func TestACheckoutDoesNotShow(t *testing.T) {
	make := func(t *testing.T, perm fs.FileMode, names []string) string {
		dir := t.TempDir()
		for _, n := range names {
			at := filepath.Join(dir, filepath.FromSlash(n))
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			mode := perm
			if strings.HasSuffix(n, ".sh") {
				mode |= 0o100
			}
			if err := os.WriteFile(at, []byte(n), mode); err != nil {
				t.Fatal(err)
			}
			when := time.Unix(rand.Int64N(1e9), 0)
			if err := os.Chtimes(at, when, when); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("a.py", filepath.Join(dir, "python", "link.py")); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = root.Close() })
		files, problems, err := archive.Own(root.FS())
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		var out bytes.Buffer
		p, err := archive.Pack(&out, files, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p.SHA256
	}
	names := []string{"python/a.py", "python/b/c.py", "python/b/run.sh", "bin/x", "README.md", "layer.yaml", "python/requirements.txt"}
	first := make(t, 0o644, names)
	slices.Reverse(names)
	if second := make(t, 0o600, names); second != first {
		t.Errorf("%s and %s", first, second)
	}
}

func TestHostileFolders(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(dir string) error
		want string
	}{
		"a link out":           {func(d string) error { return os.Symlink("../../../../etc/passwd", d+"/python/x") }, "link_outside"},
		"a link to the root":   {func(d string) error { return os.Symlink("/etc/passwd", d+"/python/x") }, "link_outside"},
		"a link of a folder":   {func(d string) error { return os.Symlink("../..", d+"/python/x") }, "link_outside"},
		"a pipe":               {func(d string) error { return syscall.Mkfifo(d+"/python/x", 0o600) }, "special_file"},
		"a name not in UTF-8":  {func(d string) error { return os.WriteFile(d+"/python/\xff.py", nil, 0o600) }, "bad_name"},
		"a name with a break":  {func(d string) error { return os.WriteFile(d+"/python/a\nb.py", nil, 0o600) }, "bad_name"},
		"a name with an ESC":   {func(d string) error { return os.Mkdir(d+"/python/\x1b[8m", 0o700) }, "bad_name"},
		"a backslash":          {func(d string) error { return os.WriteFile(d+`/python/..\x`, nil, 0o600) }, "bad_name"},
		"a link that is right": {func(d string) error { return os.Symlink("a.py", d+"/python/x") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(dir+"/python", 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir+"/python/a.py", []byte("1"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := tc.make(dir); err != nil {
				t.Skip("the disk does not take it: ", err)
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			files, problems, err := archive.Own(root.FS())
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(codes(problems), " "); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if len(files) == 0 || files[0].Name != "python/a.py" {
				t.Errorf("what is right got lost: %v", files)
			}
			for _, p := range problems {
				if p.Suggestion == "" || p.File == "" {
					t.Errorf("no place or no suggestion: %+v", p)
				}
			}
		})
	}
}

func TestHostileArchives(t *testing.T) {
	nightly.NotShort(t, "it reads hundreds of megabytes, one after the other")
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"above":       {map[string]string{"python/a.py": "", "../../etc/cron.d/x": "x"}, "bad_name"},
		"absolute":    {map[string]string{"python/a.py": "", "/etc/passwd": "x"}, "bad_name"},
		"in between":  {map[string]string{"python/a.py": "", "python/../../x": "x"}, "bad_name"},
		"a backslash": {map[string]string{"python/a.py": "", `python\..\..\x`: "x"}, "bad_name"},
		"not UTF-8":   {map[string]string{"python/a.py": "", "python/\xff": "x"}, "bad_name"},
		"a bomb":      {map[string]string{"python/a.py": strings.Repeat("\x00", 270_000_000)}, "too_large"},
		"bad ELF":     {map[string]string{"python/a.so": "\x7fELF" + strings.Repeat("\xff", 100)}, "bad_elf"},
		"empty":       {nil, "empty_layer"},
	} {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(t.TempDir(), "x.zip")
			archivetest.Zip(t, at, tc.files)
			f, err := os.Open(at)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			c, err := archive.Open(f, info.Size())
			if err != nil {
				t.Fatal(err)
			}
			if got := codes(c.Check(layer)); !slices.Contains(got, tc.want) {
				t.Errorf("%q, want %s", got, tc.want)
			}
		})
	}
	if _, err := archive.Open(strings.NewReader("no zip"), 6); err == nil {
		t.Error("what is no zip was opened")
	}
}

func TestCheck(t *testing.T) {
	glibc := func(v ...string) string {
		return string(archivetest.ELF(elf.EM_X86_64, map[string][]string{"libc.so.6": v, "libm.so.6": {"GLIBC_2.9"}}))
	}
	on := func(runtimes string, arch ...string) archive.Layer {
		return archive.Layer{Name: "l", Runtimes: strings.Fields(runtimes), Architectures: arch}
	}
	meta := func(name, version string, requires ...string) string {
		s := "Name: " + name + "\nVersion: " + version + "\n"
		for _, r := range requires {
			s += "Requires-Dist: " + r + "\n"
		}
		return s
	}
	for name, tc := range map[string]struct {
		layer archive.Layer
		files map[string]string
		want  string
	}{
		"right":                           {on("python3.11"), map[string]string{"python/a.py": ""}, ""},
		"glibc 2.26 is there":             {on("python3.11"), map[string]string{"python/a.abi3.so": glibc("GLIBC_2.17", "GLIBC_2.26")}, ""},
		"glibc 2.28 is not":               {on("python3.11"), map[string]string{"python/a.abi3.so": glibc("GLIBC_2.28")}, "glibc"},
		"as numbers":                      {on("python3.11"), map[string]string{"python/a.abi3.so": glibc("GLIBC_2.9", "GLIBC_2.2.5")}, ""},
		"glibc 2.28 on 2023":              {on("python3.12"), map[string]string{"python/a.abi3.so": glibc("GLIBC_2.28")}, ""},
		"glibc 2.35 on 2023":              {on("python3.13"), map[string]string{"python/a.abi3.so": glibc("GLIBC_2.35")}, "glibc"},
		"the oldest of all runtimes":      {on("python3.12 python3.11"), map[string]string{"python/a.abi3.so": glibc("GLIBC_2.34")}, "glibc"},
		"nodejs18 is on 2":                {on("nodejs18.x"), map[string]string{"nodejs/node_modules/a/a.node": glibc("GLIBC_2.28")}, "glibc"},
		"nodejs20 is on 2023":             {on("nodejs20.x"), map[string]string{"nodejs/node_modules/a/a.node": glibc("GLIBC_2.28")}, ""},
		"java17 is on 2":                  {on("java17"), map[string]string{"java/lib/a.jar": "", "lib/a.so": glibc("GLIBC_2.28")}, "glibc"},
		"java17.al2023":                   {on("java17.al2023"), map[string]string{"java/lib/a.jar": "", "lib/a.so": glibc("GLIBC_2.28")}, ""},
		"provided.al2":                    {on("provided.al2"), map[string]string{"bin/x": glibc("GLIBC_2.33")}, "glibc"},
		"an unknown runtime":              {on("custom"), map[string]string{"x/y": glibc("GLIBC_2.99")}, ""},
		"musl":                            {on("python3.12"), map[string]string{"python/a.abi3.so": string(archivetest.ELF(elf.EM_X86_64, map[string][]string{"libc.musl-x86_64.so.1": {"V"}}))}, "musl"},
		"arm64 for x86_64":                {on("python3.12", "x86_64"), map[string]string{"python/a.abi3.so": string(archivetest.ELF(elf.EM_AARCH64, nil))}, "wrong_architecture"},
		"no architecture is x86_64":       {on("python3.12"), map[string]string{"python/a.abi3.so": string(archivetest.ELF(elf.EM_AARCH64, nil))}, "wrong_architecture"},
		"arm64 for arm64":                 {on("python3.12", "arm64"), map[string]string{"python/a.abi3.so": string(archivetest.ELF(elf.EM_AARCH64, nil))}, ""},
		"compiled for one of two":         {on("python3.12", "x86_64", "arm64"), map[string]string{"python/a.abi3.so": glibc("GLIBC_2.17")}, "one_architecture"},
		"i386":                            {on("python3.12"), map[string]string{"python/a.abi3.so": string(archivetest.ELF(elf.EM_386, nil))}, "wrong_architecture"},
		"any file may be ELF":             {on("python3.11"), map[string]string{"python/tool": glibc("GLIBC_2.28")}, "glibc"},
		"site-packages at the top":        {on("python3.11"), map[string]string{"site-packages/a.py": ""}, "wrong_folder"},
		"one folder too deep":             {on("python3.11"), map[string]string{"dist/python/a.py": ""}, "wrong_folder"},
		"capitals":                        {on("python3.11"), map[string]string{"Python/a.py": ""}, "wrong_folder"},
		"node_modules at the top":         {on("nodejs20.x"), map[string]string{"node_modules/a/index.js": ""}, "wrong_folder"},
		"python for node":                 {on("nodejs20.x"), map[string]string{"python/a.py": ""}, "wrong_folder"},
		"bin does for all":                {on("python3.11"), map[string]string{"bin/tool": "x"}, ""},
		"cp311 on 3.11":                   {on("python3.11"), map[string]string{"python/p/a.cpython-311-x86_64-linux-gnu.so": glibc()}, ""},
		"cp311 on 3.12":                   {on("python3.12"), map[string]string{"python/p/a.cpython-311-x86_64-linux-gnu.so": glibc()}, "python_version"},
		"both":                            {on("python3.11 python3.12"), map[string]string{"python/p/a.cpython-311-x86_64-linux-gnu.so": glibc(), "python/p/a.cpython-312-x86_64-linux-gnu.so": glibc()}, ""},
		"built on a Mac":                  {on("python3.11"), map[string]string{"python/p/a.cpython-311-darwin.so": "x"}, "python_version"},
		"PyPy":                            {on("python3.11"), map[string]string{"python/p/a.pypy39-pp73-x86_64-linux-gnu.so": glibc()}, "python_version"},
		"a DLL":                           {on("python3.11"), map[string]string{"python/p/a.pyd": "x"}, "foreign_binary"},
		"types.py":                        {on("python3.11"), map[string]string{"python/types.py": ""}, "shadows_stdlib"},
		"a package typing":                {on("python3.11"), map[string]string{"python/typing/__init__.py": ""}, "shadows_stdlib"},
		"types within":                    {on("python3.11"), map[string]string{"python/makoto_common/types.py": ""}, ""},
		"distutils left":                  {on("python3.12"), map[string]string{"python/distutils/__init__.py": ""}, ""},
		"distutils is there":              {on("python3.11 python3.12"), map[string]string{"python/distutils/__init__.py": ""}, "shadows_stdlib"},
		"tomllib came":                    {on("python3.10"), map[string]string{"python/tomllib.py": ""}, ""},
		"boto3":                           {on("python3.11"), map[string]string{"python/boto3/__init__.py": ""}, "shadows_runtime"},
		"in site-packages":                {on("python3.11"), map[string]string{"python/lib/python3.11/site-packages/enum.py": ""}, "shadows_stdlib"},
		"what it says it has":             {archive.Layer{Runtimes: []string{"python3.11"}, Imports: []string{"m.tenant", "m", "q"}}, map[string]string{"python/m/tenant.py": "", "python/q.abi3.so": glibc()}, ""},
		"what it does not have":           {archive.Layer{Runtimes: []string{"python3.11"}, Imports: []string{"m.tenants"}}, map[string]string{"python/m/tenant.py": ""}, "import_missing"},
		"needs another version":           {on("python3.11"), map[string]string{"python/a-1.dist-info/METADATA": meta("A_a", "1", "b.B (<2,>=1)"), "python/b-2.dist-info/METADATA": meta("b-b", "2.1")}, "requirement_conflict"},
		"needs what is there":             {on("python3.11"), map[string]string{"python/a-1.dist-info/METADATA": meta("a", "1", "b>=2"), "python/b-2.dist-info/METADATA": meta("b", "2.1rc1")}, ""},
		"1.10 is more than 1.9":           {on("python3.11"), map[string]string{"python/a-1.dist-info/METADATA": meta("a", "1", "b>1.9"), "python/b-2.dist-info/METADATA": meta("b", "1.10")}, ""},
		"for an extra":                    {on("python3.11"), map[string]string{"python/a-1.dist-info/METADATA": meta("a", "1", `b<2; extra == "x"`), "python/b-2.dist-info/METADATA": meta("b", "2.1")}, ""},
		"the same package twice":          {on("python3.11"), map[string]string{"python/a-1.dist-info/METADATA": meta("a", "1"), "python/a-2.dist-info/METADATA": meta("a", "2")}, "package_twice"},
		"METADATA that says nothing":      {on("python3.11"), map[string]string{"python/a-1.dist-info/METADATA": "\xff\x00"}, ""},
		"a version that nobody can read":  {on("python3.11"), map[string]string{"python/a-1.dist-info/METADATA": meta("a", "1", "b<2"), "python/b-2.dist-info/METADATA": meta("b", "today")}, ""},
		"a package.json that says little": {on("nodejs20.x"), map[string]string{"nodejs/node_modules/a/package.json": `{"name": 1}`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			problems := pack(t, tc.files).Check(tc.layer)
			if got := strings.Join(codes(problems), " "); got != tc.want {
				t.Errorf("%q, want %q: %v", got, tc.want, problems)
			}
			for _, p := range problems {
				if p.Suggestion == "" || p.Message == "" {
					t.Errorf("no suggestion: %+v", p)
				}
			}
		})
	}
}

// A zip's directory may name millions of files, or say that it names few: it is not
// read into memory to find out.
func TestADirectoryIsBounded(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range 300_000 {
		if _, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("python/%d", i), Method: zip.Store}); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	lies := bytes.Clone(data)
	end := bytes.LastIndex(lies, []byte("PK\x05\x06"))
	copy(lies[end+8:], []byte{1, 0, 1, 0}) // one file
	for name, data := range map[string][]byte{"honest": data, "lies": lies} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := archive.Open(bytes.NewReader(data), int64(len(data)))
		runtime.ReadMemStats(&after)
		if name == "honest" && (err != nil || len(c.Problems) == 0 || c.Problems[0].Code != "too_many_files") {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		if held := after.TotalAlloc - before.TotalAlloc; held > 256<<20 {
			t.Errorf("%s: %d MB were allocated", name, held>>20)
		}
	}
}

// What is no zip is told once, and in no library's words.
func TestNoZip(t *testing.T) {
	_, err := archive.Open(strings.NewReader("<html>404</html>"), 16)
	if err == nil || err.Error() != "not a zip, or cut off" {
		t.Errorf("%v", err)
	}
}
