package desired

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// trapped panics when one file is opened, as a bug in what reads it would.
type trapped struct {
	fstest.MapFS
	file string
}

func (t trapped) Open(name string) (fs.File, error) {
	if name == t.file {
		panic("a bug in the reader")
	}
	return t.MapFS.Open(name)
}

func twenty() fstest.MapFS {
	files := fstest.MapFS{"layerd.yaml": {Data: []byte("timezone: Asia/Tokyo\nfreezes: [{from: 12-28, until: 01-03, every: year, reason: x}]\ndefaults:\n  layer_name: ${NAME}-${ENVIRONMENT}\n  freezes: [{from: 2027-04-29, until: 2027-05-05, reason: y}]\n")}}
	for i := range 20 {
		files[fmt.Sprintf("environments/e%02d.yaml", i)] = &fstest.MapFile{Data: []byte(account + "freezes: [{from: 2026-12-20, until: 2027-12-01, reason: z}]\nlayers: {a: {version: 1.0.0, functions: [x]}}\n")}
	}
	return files
}

// A panic while one environment is read is that one's problem, with its file.
func TestAPanicInOneEnvironmentIsThatOnesAlone(t *testing.T) {
	tree := Load(trapped{twenty(), "environments/e07.yaml"}, Options{Now: now()})
	if got := tree.Invalid(); !slices.Equal(got, []string{"e07"}) {
		t.Errorf("invalid %v", got)
	}
	if len(tree.Problems) != 1 || tree.Problems[0].Code != "internal" || tree.Problems[0].File != "environments/e07.yaml" || tree.Problems[0].Environment != "e07" {
		t.Errorf("problems %+v", tree.Problems)
	}
}

// Read at once and in any order, environments are what they are one by one.
func TestReadAtOnce(t *testing.T) {
	files := twenty()
	want := Load(files, Options{Now: now()})
	if Errors(want.Problems) || len(want.Environments) != 20 {
		t.Fatalf("%d environments, problems %v", len(want.Environments), want.Problems)
	}
	r := Open(files, Options{Now: now()})
	parts := make([]Part, 20)
	var wg sync.WaitGroup
	for i, name := range r.Files() {
		wg.Go(func() { parts[i] = r.Read(name) })
	}
	wg.Wait()
	slices.Reverse(parts)
	got := r.Tree(parts)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// One whose reading is given up is invalid by itself.
func TestOneThatIsGivenUp(t *testing.T) {
	r := Open(twenty(), Options{Now: now()})
	var parts []Part
	for _, name := range r.Files() {
		if name == "e03" {
			parts = append(parts, r.Unread(name, "was not read within 10s"))
			continue
		}
		parts = append(parts, r.Read(name))
	}
	tree := r.Tree(parts)
	if got := tree.Invalid(); !slices.Equal(got, []string{"e03"}) || len(tree.Names) != 20 {
		t.Errorf("invalid %v of %v", got, tree.Names)
	}
	if p := tree.Problems[0]; p.Code != "read_timeout" || p.Environment != "e03" || p.File != "environments/e03.yaml" || p.Line != 1 {
		t.Errorf("problem %+v", p)
	}
}

// A long freeze is as valid while it lasts as before it begins, in the file of one
// environment and in layerd.yaml.
func TestALongFreezeIsValidAtAnyTime(t *testing.T) {
	for _, until := range []string{"2030-12-31", "2040-12-31", "2099-12-31", "9999-12-31"} {
		freeze := "freezes: [{from: 2026-12-20, until: " + until + ", reason: moved to another account}]\n"
		for name, files := range map[string]fstest.MapFS{
			"one":         {"environments/dev.yaml": {Data: []byte(account + "timezone: America/New_York\n" + freeze)}},
			"with window": {"environments/dev.yaml": {Data: []byte(account + "change_window: \"Saturday 02:00-06:00 Europe/Berlin\"\n" + freeze)}},
			"all":         {"layerd.yaml": {Data: []byte("timezone: Australia/Sydney\n" + freeze)}, "environments/dev.yaml": {Data: []byte(account)}},
		} {
			for _, at := range []time.Time{now(), time.Date(2026, 12, 20, 16, 0, 0, 0, time.UTC), time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC)} {
				if tree := Load(files, Options{Now: at}); Errors(tree.Problems) || len(tree.Environments) != 1 {
					t.Errorf("%s until %s at %s: %v", name, until, at, tree.Problems)
				}
			}
		}
	}
}

// D4: a file that is too large is that environment's problem, wherever it stands in the
// order in which the sizes of files are added up.
func TestD4AFileThatIsTooLargeIsItsOwnProblem(t *testing.T) {
	files := estate("", "layers: {common: 1.4.1}\n"+strings.Repeat("#", maxTotalBytes))
	tree := Load(files, Options{Now: now()})
	if got := tree.Invalid(); !slices.Equal(got, []string{"dev"}) {
		t.Errorf("invalid %v: %v", got, tree.Problems)
	}
	if codes := codesOf(tree, "dev"); !slices.Equal(codes, []string{"file_too_large"}) {
		t.Errorf("dev has %v", codes)
	}
}

// noted notes which files are opened.
type noted struct {
	fstest.MapFS
	mu     *sync.Mutex
	opened map[string]bool
}

func (n noted) Open(name string) (fs.File, error) {
	f, err := n.MapFS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		n.mu.Lock()
		n.opened[name] = true
		n.mu.Unlock()
	}
	return f, nil
}

// G4, G5: ReadPaths is all that is read, so that all else may be left out, be a
// submodule, or be as large as it likes.
func TestG5NothingButReadPathsIsRead(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	used := map[string]bool{}
	for _, archive := range archives {
		a, err := txtar.ParseFile(archive)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := repository(a)
		files := text.(fstest.MapFS)
		for _, more := range []string{"README.md", "docs/layer.yaml", "layers/README.md", "layers/common/1.4.2.zip", "layers/common/deep/layer.yaml", "environments/README.md", "environments/prod.yml", "environments/.prod.yaml.swp", "environments/old/prod.yaml"} {
			files[more] = &fstest.MapFile{Data: []byte("x")}
		}
		n := noted{files, &sync.Mutex{}, map[string]bool{}}
		Load(n, Options{Now: now()})
		for name := range n.opened {
			i := slices.IndexFunc(ReadPaths(), func(pattern string) bool { ok, err := path.Match(pattern, name); return ok && err == nil })
			if i < 0 {
				t.Errorf("%s: %s is read", archive, name)
				continue
			}
			used[ReadPaths()[i]] = true
		}
	}
	if len(used) != len(ReadPaths()) {
		t.Errorf("only %v are ever read", used)
	}
}
