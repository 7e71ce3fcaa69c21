package daemon_test

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/archive/archivetest"
	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
)

// fixed is a branch with one commit.
type fixed struct{ files fs.FS }

func (f fixed) Pull(_ context.Context, last string) (gitrepo.Commit, bool, error) {
	c := gitrepo.Commit{Hash: strings.Repeat("ab", 20), Author: "sato", Files: f.files}
	return c, last != c.Hash, nil
}

// codesOf lists the codes of errors: those of loading are in the page of the
// package desired (a test of its own keeps that whole), those of archives in that of
// artifact, those of resolving in the sources of catalog and reconcile.
func codesOf(t *testing.T) map[string]bool {
	t.Helper()
	codes := map[string]bool{}
	page, err := os.ReadFile("../desired/doc.go")
	archives, artifactErr := os.ReadFile("../artifact/doc.go")
	if err := errors.Join(err, artifactErr); err != nil {
		t.Fatal(err)
	}
	page = append(page, archives...)
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z_0-9]+)  +(\S.*)`).FindAllSubmatch(page, -1) {
		if !bytes.HasPrefix(m[2], []byte("(warning)")) {
			codes[string(m[1])] = true
		}
	}
	files, err := filepath.Glob("../reconcile/*.go")
	if more, globErr := filepath.Glob("../catalog/*.go"); globErr == nil {
		files = append(files, more...)
	}
	if err != nil || len(codes) == 0 || len(files) == 0 {
		t.Fatal(err, len(codes), len(files))
	}
	literal := func(e ast.Expr) {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING && l.Value != `""` {
			codes[strings.Trim(l.Value, `"`)] = true
		}
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if name, ok := n.Fun.(*ast.Ident); ok && name.Name == "problem" {
					literal(n.Args[1])
				}
			case *ast.AssignStmt:
				if name, ok := n.Lhs[0].(*ast.Ident); ok && name.Name == "code" && len(n.Lhs) == 2 && len(n.Rhs) == 2 {
					literal(n.Rhs[0])
				}
			}
			return true
		})
	}
	return codes
}

// wrongWorlds are repositories with errors: those of the tests of desired, and
// what those do not have.
func wrongWorlds(t *testing.T) map[string]fs.FS {
	t.Helper()
	worlds := map[string]fs.FS{}
	archives, err := filepath.Glob("../desired/testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal(err)
	}
	for _, path := range archives {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files := fstest.MapFS{}
		for _, f := range a.Files {
			files[f.Name] = &fstest.MapFile{Data: bytes.TrimSuffix(f.Data, []byte("\n"))}
		}
		delete(files, "want")
		worlds[filepath.Base(path)] = files
	}
	dev := func(layer, text string) fstest.MapFS {
		text = fmt.Sprintf("account: %q\nregion: ap-northeast-1\n", accountID) + text
		return fstest.MapFS{"environments/dev.yaml": {Data: []byte(text)}, "layers/common/layer.yaml": {Data: []byte("name: common\n" + layer)}}
	}
	wish := func(version string) string {
		return "layers: {common: {version: " + version + ", functions: [\"makoto-*\"]}}\n"
	}
	many := dev("", wish("1.4.0"))
	for n := range 5001 {
		many[fmt.Sprintf("environments/%04d.yaml", n)] = &fstest.MapFile{}
	}
	linked := dev("", wish("1.4.0"))
	linked["layerd.yaml"] = &fstest.MapFile{Mode: fs.ModeSymlink | 0o777}
	held := dev("", wish("1.4.0"))
	held["environments/qa.yaml"] = &fstest.MapFile{Data: []byte(fmt.Sprintf("account: %q\nregion: ap-northeast-1\nrollout: {smoke_test: {function: makoto-00}}\n"+
		"layers: {neighbour: {version: 1, functions: [makoto-00], arn: %q}}\n", accountID, strings.TrimSuffix(layerARN(accountID, "neighbour", 1), ":1")))}
	bounded := dev("", wish("1.4.0"))
	bounded["layerd.yaml"] = &fstest.MapFile{Data: []byte("bounds: {dev: {functions: [\"*-dev\"]}}\n")}
	maps.Copy(worlds, map[string]fs.FS{
		"beyond_bounds":         bounded,
		"smoke_test_held":       held,
		"version_not_found":     dev("", wish("8.8.8")),
		"version_yanked":        dev("yanked: {1.4.0: CVE-2026-1}\n", wish("4")),
		"bad_artifact":          dev("artifact: ../secrets.zip\n", wish("1.4.0")),
		"bad_sha256":            dev("artifact: {location: layers/common, sha256: {1.4.0: abc}}\n", wish("1.4.0")),
		"artifact":              dev("artifact: s3://b/${VERSION}.zip\n", wish("8.8.8")),
		"artifact_denied":       dev("artifact: s3://denied/${VERSION}.zip\n", wish("8.8.8")),
		"artifact_region":       dev("artifact: s3://elsewhere/${VERSION}.zip\n", wish("8.8.8")),
		"smoke_test_function":   dev("", wish("1.4.0")+"rollout: {smoke_test: {function: makoto-nobody}}\n"),
		"smoke_test_unselected": dev("", "layers: {common: {version: 1.4.0, functions: [{runtime: java21}]}}\nrollout: {smoke_test: {function: makoto-00}}\n"),
		"bad_external_id":       dev("", wish("1.4.0")+"external_id: \"?\"\n"),
		"bad_layer_glob":        dev("", wish("1.4.0")+"unmanaged: [\"a b\"]\n"),
		"bad_module":            dev("imports: [\"a b\"]\n", wish("1.4.0")),
		"bad_principal":         dev("share_with: [\"nobody\"]\n", wish("1.4.0")),
		"bad_value":             dev("", wish("1.4.0")+"pins: [{layer: \"共通\", functions: [a], version: 1.4.0, until: 2027-01-01, reason: r, owner: o}]\n"),
		"not_a_file":            fstest.MapFS{"environments": {Data: []byte("a file")}},
		"file_too_large":        dev("", wish("1.4.0")+strings.Repeat("#", 1<<20)),
		"internal":              panickingFiles{},
		"not_utf8":              dev("", "role: caf\xe9\n"),
		"symlink":               linked,
		"too_many_files":        many,
		"unreadable":            unreadable{dev("", wish("1.4.0"))},
		"yaml_too_deep":         dev("", "x: "+strings.Repeat("{a: ", 60)+strings.Repeat("}", 60)),
	})
	maps.Copy(worlds, wrongArchives(t, dev, wish("8.8.8")))
	return worlds
}

// wrongArchives are repositories with archives that are no good.
func wrongArchives(t *testing.T, dev func(layer, text string) fstest.MapFS, wish string) map[string]fs.FS {
	t.Helper()
	worlds := map[string]fs.FS{}
	with := func(code, layer, name string, data []byte) {
		files := dev(layer, wish)
		files[name] = &fstest.MapFile{Data: data}
		worlds[code] = files
	}
	zipped := func(name string, data []byte) []byte { return awssim.Zip(map[string][]byte{name: data}) }
	const at, python = "dist/8.8.8.zip", "artifact: dist/${VERSION}.zip\ncompatible_runtimes: [python3.12]\n"
	with("artifact_missing", python, "dist/other.zip", nil)
	with("artifact_invalid", python, at, []byte("no zip"))
	with("artifact_too_large", python, at, make([]byte, 51<<20))
	with("artifact_wrong_folder", python, at, zipped("common.py", nil))
	with("artifact_wrong_platform", python, at, zipped("python/a.so", archivetest.ELF(elf.EM_AARCH64, nil)))
	with("artifact_needs_build", "artifact: layers/common\n", "layers/common/python/requirements.txt", []byte("requests\n"))
	with("artifact_changed", fmt.Sprintf("artifact: {location: \"dist/${VERSION}.zip\", sha256: {8.8.8: %q}}\n", strings.Repeat("a", 64)), at, zipped("python/a.py", nil))
	return worlds
}

// strictBuckets is an S3 whose buckets say what they are like.
type strictBuckets struct{ artifact.Objects }

func (strictBuckets) Head(_ context.Context, bucket, _, _ string) (archive.Object, error) {
	switch bucket {
	case "denied":
		return archive.Object{}, &state.Error{Op: "HeadObject", Kind: state.Human, Code: "Forbidden"}
	case "elsewhere":
		return archive.Object{}, &archive.RegionError{Bucket: bucket, Region: "eu-west-1", Asked: "ap-northeast-1"}
	default:
		return archive.Object{}, &state.Error{Op: "HeadObject", Kind: state.Again, Message: "no answer"}
	}
}

// archivesIn reads the archives of a repository, and of an S3 that has none.
func archivesIn(files fs.FS) *artifact.Reader {
	return artifact.New(artifact.Options{Files: daemon.FilesOnDisk(files), Objects: func(context.Context, desired.Environment) (artifact.Objects, error) {
		return strictBuckets{}, nil
	}})
}

// unreadable has an environment that cannot be opened.
type unreadable struct{ fstest.MapFS }

func (u unreadable) Open(name string) (fs.File, error) {
	if name == "environments/dev.yaml" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.MapFS.Open(name)
}

// Every error that plan prints is in the daemon's log, in readyz, in the metrics and
// in an alert. What else a person has to mend is in
// problems_test.go. A code that no world here has fails the test.
func TestEveryProblemIsHeardOf(t *testing.T) {
	left := codesOf(t)
	for name, files := range wrongWorlds(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
				for _, p := range heard(t, files) {
					delete(left, p.Code)
				}
			})
		})
	}
	delete(left, "invalid_value") // for a rule of the schema without a code of its own, and there is none
	delete(left, "no_layer")      // of a folder that layerd build is given
	delete(left, "read_timeout")  // of files that take longer than ten seconds: see load_test.go
	if len(left) > 0 {
		t.Errorf("no world here has these codes: %v", slices.Sorted(maps.Keys(left)))
	}
}

// heard runs a daemon over the files and returns the errors of its plan, each of
// which it looks for where people see it.
func heard(t *testing.T, files fs.FS) []desired.Problem {
	s := newSite(t, 2)
	tree := desired.Load(files, desired.Options{Now: time.Now()})
	made := round.Round{Tree: tree, Revision: strings.Repeat("ab", 20), Repository: "acme", Connect: s.connector(&process{name: "cli"}), Artifacts: archivesIn(files)}
	result, err := made.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []desired.Problem
	for _, p := range result.Document().Problems {
		if p.Severity == desired.Error {
			want = append(want, p)
		}
	}
	var log strings.Builder
	var d *daemon.Daemon
	stop := s.startOddly(func(o *daemon.Options) {
		o.Source, o.Log, o.Artifacts = fixed{files}, slog.New(slog.NewTextHandler(&log, nil)), archivesIn(files)
	}, &d)
	time.Sleep(4 * time.Minute)
	reasons, listed, scraped := strings.Join(d.Health().Reasons, "\n"), d.Problems(), scrape(t, &process{daemon: d})
	stop()
	var told []string
	names, more := append([]string{""}, tree.Names...), false
	for _, env := range names {
		alerts, err := notify.NewBook(s.store, "acme", notify.Options{}).Alerts(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			if a.Kind == notify.DesiredInvalid {
				told, more = append(told, a.Names...), more || a.Count > len(a.Names)
			}
		}
	}
	for _, p := range want {
		place := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
		if line := fmt.Sprintf("line=%d column=%d code=%s", p.Line, p.Column, p.Code); !strings.Contains(log.String(), line) {
			t.Errorf("the log has no %s", line)
		}
		if !strings.Contains(reasons, place+": "+p.Message+" ("+p.Code+")") && !strings.Contains(reasons, "problems more, since") {
			t.Errorf("readyz has no %s: %s (%s)\nbut %s", place, p.Message, p.Code, reasons)
		}
		if !slices.ContainsFunc(listed, func(x daemon.Problem) bool {
			return x.Place == place && x.Code == p.Code && x.Message == p.Message && !x.Since.IsZero()
		}) {
			t.Errorf("the list has no %s: %s (%s)", place, p.Message, p.Code)
		}
		if !strings.Contains(scraped, fmt.Sprintf("layerd_problems{code=%q,", p.Code)) {
			t.Errorf("the metrics have no %s", p.Code)
		}
		if !slices.Contains(told, place) && !more {
			t.Errorf("no alert is about %s (%s), but about %v", place, p.Code, told)
		}
	}
	return want
}
