package desired

import (
	"bytes"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/strictyaml"
)

const account = "account: \"123456789012\"\nregion: ap-northeast-1\n"

func only(content string) fstest.MapFS {
	return fstest.MapFS{"environments/dev.yaml": {Data: []byte(content)}}
}

func codes(t Tree) []string {
	var list []string
	for _, p := range t.Problems {
		list = append(list, p.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Bytes that no editor writes get a problem, and the environment is not read
// by half.
func TestHostileBytes(t *testing.T) {
	for _, tt := range []struct{ name, content, code string }{
		{"a deep list", strings.Repeat("[", 20_000), "yaml_too_deep"},
		{"deep mappings without an end", strings.Repeat("{a: ", 9_000), "yaml_syntax"},
		{"deep mappings", "x: " + strings.Repeat("{a: ", 60) + strings.Repeat("}", 60), "yaml_too_deep"},
		{"deep dashes", strings.Repeat("- ", 9_000) + "a", "yaml_too_deep"},
		{"UTF-16", "\xff\xfea\x00:\x00", "not_utf8"},
		{"UTF-16 the other way", "\xfe\xff\x00a", "not_utf8"},
		{"a byte order mark", "\xef\xbb\xbf" + account, "not_utf8"},
		{"NUL", account + "mode: \x00", "not_utf8"},
		{"Latin-1", account + "role: caf\xe9", "not_utf8"},
		{"a control character", account + "role: \x07", "yaml_syntax"},
		{"more than a mebibyte", account + strings.Repeat("#", strictyaml.MaxFileBytes), "file_too_large"},
		{"a tag", account + "role: !!python/object:os.system x", "yaml_tag"},
		{"documents", "---\n" + account + "---\n" + account, "several_documents"},
		{"a broken second document", account + "--- }\n", "yaml_syntax"},
		{"infinity", account + "max_new: .inf", "wrong_type"},
		{"a long number", account + "max_new: 99999999999999999999999999", "wrong_type"},
		{"a billion laughs", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n" + account, "anchor"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree := Load(only(tt.content), Options{Now: now()})
			if got := codes(tree); !slices.Contains(got, tt.code) {
				t.Errorf("codes %v, want %s among them", got, tt.code)
			}
			if len(tree.Environments) > 0 || !slices.Equal(tree.Invalid(), []string{"dev"}) {
				t.Errorf("environments %v, invalid %v", tree.Environments, tree.Invalid())
			}
		})
	}
}

func TestCarriageReturnsAreFine(t *testing.T) {
	unix := Load(only(account+"max_new: 3\n"), Options{})
	dos := Load(only(strings.ReplaceAll(account+"max_new: 3\n", "\n", "\r\n")), Options{})
	if len(unix.Environments) != 1 || len(dos.Environments) != 1 || len(dos.Problems) != 0 {
		t.Fatalf("unix %v, dos %v", unix.Problems, dos.Problems)
	}
	if dos.Environments[0].MaxNew != 3 {
		t.Errorf("max_new %d, want 3", dos.Environments[0].MaxNew)
	}
}

// Links are problems wherever they stand, and what they point to is not read.
func TestLinks(t *testing.T) {
	link := &fstest.MapFile{Data: []byte("../secret"), Mode: fs.ModeSymlink | 0o777}
	good := &fstest.MapFile{Data: []byte(account)}
	for name, files := range map[string]fstest.MapFS{
		"environments/dev.yaml":    {"environments/dev.yaml": link, "environments/ok.yaml": good},
		"layerd.yaml":              {"layerd.yaml": link, "environments/dev.yaml": good},
		"layers/common":            {"layers/common": link, "environments/dev.yaml": good},
		"layers/common/layer.yaml": {"layers/common/layer.yaml": link, "environments/dev.yaml": good},
		"environments":             {"environments": link},
		"layers":                   {"layers": link, "environments/dev.yaml": good},
	} {
		t.Run(name, func(t *testing.T) {
			files["secret"] = &fstest.MapFile{Data: []byte("account: leaked")}
			tree := Load(files, Options{Now: now()})
			i := slices.IndexFunc(tree.Problems, func(p Problem) bool { return p.Code == "symlink" })
			if i < 0 || tree.Problems[i].File != name {
				t.Fatalf("no problem about the link: %v", tree.Problems)
			}
			var b bytes.Buffer
			if err := Format(&b, files, tree.Problems, Look{}); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), "leaked") {
				t.Errorf("the excerpt followed the link:\n%s", b.String())
			}
		})
	}
}

// A broken link to a layer's folder stops only environments that may depend on
// it; a broken environment stops itself only.
func TestLinksIsolate(t *testing.T) {
	link := &fstest.MapFile{Mode: fs.ModeSymlink | 0o777}
	tree := Load(fstest.MapFS{
		"layers/b":             link,
		"layers/a/layer.yaml":  {Data: []byte("name: a\n")},
		"environments/a.yaml":  {Data: []byte(account + "layers: {a: {version: 1, functions: [x]}}\n")},
		"environments/b.yaml":  {Data: []byte(account + "layers: {b: {version: 1, functions: [x]}}\n")},
		"environments/no.yaml": link,
	}, Options{Now: now()})
	if diff := cmp.Diff(tree.Invalid(), []string{"b", "no"}); diff != "" {
		t.Errorf("invalid (-have +want):\n%s", diff)
	}
}

// endless is a folder that never ends, and counts how often it is asked.
type endless struct {
	fstest.MapFS
	served int
}

func (e *endless) Open(name string) (fs.File, error) {
	f, err := e.MapFS.Open(name)
	if err != nil || name != "environments" {
		return f, err
	}
	return &endlessFolder{File: f, e: e}, nil
}

type endlessFolder struct {
	fs.File
	e *endless
}

func (f *endlessFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		return nil, io.ErrUnexpectedEOF // all of an endless list
	}
	f.e.served += n
	info, err := f.e.MapFS.Stat("environments/dev.yaml")
	if err != nil {
		return nil, err
	}
	return slices.Repeat([]fs.DirEntry{fs.FileInfoToDirEntry(info)}, n), nil
}

func TestEndlessFolder(t *testing.T) {
	e := &endless{MapFS: only(account)}
	tree := Load(e, Options{Now: now()})
	if !slices.Contains(codes(tree), "too_many_files") || len(tree.Environments) != 0 {
		t.Errorf("codes %v, environments %v", codes(tree), tree.Environments)
	}
	if e.served > maxEntries+1 {
		t.Errorf("%d entries were read, want at most %d", e.served, maxEntries+1)
	}
}

// Names that a shell, a terminal or a metric could choke on.
func TestOddFileNames(t *testing.T) {
	for _, name := range []string{"..", "a b", "ä", "-x", "\x1b[31m", "a\nb", strings.Repeat("x", 65)} {
		files := fstest.MapFS{"environments/" + name + ".yaml": {Data: []byte(account)}}
		if !fs.ValidPath("environments/" + name + ".yaml") {
			t.Fatalf("%q is no path", name)
		}
		tree := Load(files, Options{})
		if len(tree.Environments) != 0 || !Errors(tree.Problems) {
			t.Errorf("%q: environments %v, problems %v", name, tree.Environments, tree.Problems)
		}
	}
}

// A parser bug must end as a problem, and no environment may come out.
type panicking struct{ fs.FS }

func (panicking) Open(string) (fs.File, error) { panic("boom") }

func TestPanicIsAProblem(t *testing.T) {
	tree := Load(panicking{}, Options{})
	if diff := cmp.Diff(codes(tree), []string{"internal"}); diff != "" || len(tree.Environments) != 0 {
		t.Errorf("codes (-have +want):\n%s", diff)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "a", account, "c:\n  1: 2\n  <<: {? [a] : 1}\n", strings.Repeat("[", 20_000), strings.Repeat("{a: ", 9_000),
		"\xff\xfea\x00", "a: \x00", "x: !!python/object y", "a: 1\n---\nb: 2\n", "a: 1\r\nb: 2\r\n", "a:\n\t- b", "\xef\xbb\xbfa: 1",
		account + "change_window: [\"Saturday 02:00-06:00 JST\", {cron: \"0 2 * * SAT\", duration: 4h}]\nretention: 5 versions\n",
		account + "layers: {common: 1.4.2, x: {arn: \"arn:aws:lambda:${REGION}:1:layer:x\", version: {ap-northeast-1: 3}, functions: [{tags: {a: b}}]}}\n",
		account + "pins: [{layer: common, functions: [a], version: 1.0.0, until: 2026-12-31}]\nfreezes: [{from: 12-28, until: 01-03, every: year}]\n",
		account + "alias: live\nrollout: {waves: [1, 10%, 5], bake: 5m, max_error_rate: 1.0, canary: {weight: 10%}, smoke_test: [{function: x, payload: {a: [1.0, no]}}]}\n",
		account + "rollout: {max_throttles: 1, smoke_test: {function: \"${NAME}\", expect: 0x1, timeout: 0}}\nlayers: {c: {version: 1, functions: [y], smoke_test: {function: x, payload: ~}}}\n",
		"name: common\nretention_policy: {versions_to_keep: 1}\nknown: {1.4.2: {dev: 1}}\nyanked: {1.4.1: x}\n",
		"timezone: Asia/Tokyo\nstore: memory:\ndefaults: {layers: {common: {functions: [x]}}, region: us-east-1}\n",
		"account： 1\n", "a: *-b", "a: \"\\u0000\\x1b\"\n", "layers: {\"\\n\": {\"${\": ${}}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		environment, layer, rest := []byte(account+"layers: {common: {version: 1.4.2, functions: [x]}}\n"), []byte("name: common\n"), []byte("timezone: UTC\n")
		for i, files := range []fstest.MapFS{
			{"environments/dev.yaml": {Data: data}, "layers/c/layer.yaml": {Data: layer}, "layerd.yaml": {Data: rest}},
			{"environments/dev.yaml": {Data: environment}, "layers/c/layer.yaml": {Data: data}, "layerd.yaml": {Data: rest}},
			{"environments/dev.yaml": {Data: environment}, "layers/c/layer.yaml": {Data: layer}, "layerd.yaml": {Data: data}},
		} {
			start := time.Now()
			tree := Load(files, Options{Now: now()})
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("file %d took %s", i, d)
			}
			inside(t, files, tree.Problems)
			if valid := len(tree.Environments) > 0; valid != (len(tree.Invalid()) == 0) {
				t.Errorf("file %d: environments %d, invalid %v", i, len(tree.Environments), tree.Invalid())
			}
			if err := Format(io.Discard, files, tree.Problems, Look{Color: true}); err != nil {
				t.Error(err)
			}
		}
	})
}

// inside checks that problems are complete and point into their files.
func inside(t *testing.T, files fstest.MapFS, problems []Problem) {
	t.Helper()
	for _, p := range problems {
		if p.Code == "internal" || p.Message == "" || p.Severity == "" || p.Length < 1 {
			t.Errorf("problem %+v", p)
		}
		f, ok := files[p.File]
		if !ok {
			continue // a folder
		}
		lines := strings.Split(string(f.Data), "\n")
		if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > utf8.RuneCountInString(lines[p.Line-1])+1 {
			t.Errorf("outside the file: %+v", p)
		}
	}
}
