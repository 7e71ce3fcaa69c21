package treefs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const fileLimit = 1 << 10

// errUnreadable is what a file answers that cannot be delivered.
var errUnreadable = errors.New("no content here")

func text(path, content string) File {
	return File{Path: path, Mode: 0o444, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte(content))), nil
	}}
}

func buildTree(t *testing.T) *Tree {
	t.Helper()
	link := text("layers/link.yaml", "/etc/passwd")
	link.Mode, link.Link = fs.ModeSymlink|0o777, "/etc/passwd"
	folder := text("linked", "layers")
	folder.Mode, folder.Link = fs.ModeSymlink|0o777, "layers"
	tree, err := Build([]File{
		text("layerd.yaml", "timezone: Asia/Tokyo\n"),
		text("layers/common/layer.yaml", "name: makoto-common\n"),
		text("environments/本番.yaml", "account: \"123456789012\"\n"),
		link, folder,
	}, time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func buildDisk(t *testing.T) *Disk {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("layerd.yaml", "timezone: Asia/Tokyo\n")
	write("layers/common/layer.yaml", "name: makoto-common\n")
	write("environments/本番.yaml", "account: \"123456789012\"\n")
	write(".git/config", "[remote \"origin\"]\n")
	for name, target := range map[string]string{"layers/link.yaml": "/etc/passwd", "linked": "layers"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	disk, err := OpenDisk(dir, fileLimit)
	if err != nil {
		t.Fatal(err)
	}
	return disk
}

// both runs a check over the two file systems: they must not differ.
func both(t *testing.T, check func(t *testing.T, fsys fs.FS)) {
	t.Run("tree", func(t *testing.T) { check(t, buildTree(t)) })
	t.Run("disk", func(t *testing.T) { check(t, buildDisk(t)) })
}

func TestFS(t *testing.T) {
	both(t, func(t *testing.T, fsys fs.FS) {
		err := fstest.TestFS(fsys, "layerd.yaml", "layers/common/layer.yaml", "layers/link.yaml", "linked", "environments/本番.yaml")
		if err != nil {
			t.Error(err)
		}
	})
}

func TestListing(t *testing.T) {
	both(t, func(t *testing.T, fsys fs.FS) {
		var got []string
		err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
			got = append(got, path+" "+d.Type().String())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{". d---------", "environments d---------", "environments/本番.yaml ----------", "layerd.yaml ----------",
			"layers d---------", "layers/common d---------", "layers/common/layer.yaml ----------", "layers/link.yaml L---------", "linked L---------"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("listing (-want +got):\n%s", diff)
		}
	})
}

func TestReadFile(t *testing.T) {
	both(t, func(t *testing.T, fsys fs.FS) {
		got, err := fs.ReadFile(fsys, "layers/common/layer.yaml")
		if err != nil || string(got) != "name: makoto-common\n" {
			t.Errorf("read %q, %v", got, err)
		}
		got[0] = 'X' // the reader owns what it got
		again, err := fs.ReadFile(fsys, "layers/common/layer.yaml")
		if err != nil || string(again) != "name: makoto-common\n" {
			t.Errorf("second read %q, %v", again, err)
		}
	})
}

func TestLinksAreShownAndNotFollowed(t *testing.T) {
	both(t, func(t *testing.T, fsys fs.FS) {
		for _, name := range []string{"layers/link.yaml", "linked"} {
			info, err := fs.Lstat(fsys, name)
			if err != nil || info.Mode().Type() != fs.ModeSymlink {
				t.Errorf("%s: mode %v, %v", name, info, err)
			}
			if info, err := fs.Stat(fsys, name); err != nil || info.Mode().Type() != fs.ModeSymlink {
				t.Errorf("%s: stat follows the link: %v, %v", name, info, err)
			}
			if _, err := fs.ReadFile(fsys, name); !errors.Is(err, ErrLink) {
				t.Errorf("%s: read file: %v", name, err)
			}
			f, err := fsys.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Read(make([]byte, 1)); !errors.Is(err, ErrLink) {
				t.Errorf("%s: read: %v", name, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, name := range []string{"linked/common/layer.yaml", "linked/common"} {
			if _, err := fs.Stat(fsys, name); !errors.Is(err, ErrLink) {
				t.Errorf("%s: a path through a link: %v", name, err)
			}
		}
		if target, err := fs.ReadLink(fsys, "layers/link.yaml"); err != nil || target != "/etc/passwd" {
			t.Errorf("link points to %q, %v", target, err)
		}
		if _, err := fs.ReadLink(fsys, "layerd.yaml"); err == nil {
			t.Error("a plain file was read as a link")
		}
	})
}

func TestWhatIsNotThere(t *testing.T) {
	both(t, func(t *testing.T, fsys fs.FS) {
		for _, name := range []string{"nothing", "layers/nothing", ".git", ".git/config", "layerd.yaml/x"} {
			if _, err := fs.ReadFile(fsys, name); err == nil {
				t.Errorf("%s was read", name)
			}
			if _, err := fs.ReadDir(fsys, name); err == nil {
				t.Errorf("%s was listed", name)
			}
		}
		for _, name := range []string{"../x", "/etc/passwd", "", "a/../b", "layers/"} {
			if _, err := fs.ReadFile(fsys, name); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%q: %v", name, err)
			}
		}
		if _, err := fs.ReadFile(fsys, "nothing"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("nothing: %v", err)
		}
		if _, err := fs.ReadFile(fsys, "layers"); err == nil {
			t.Error("a folder was read as a file")
		}
		if _, err := fs.ReadDir(fsys, "layerd.yaml"); err == nil {
			t.Error("a file was listed as a folder")
		}
	})
}

func TestUnreadableFileIsListed(t *testing.T) {
	tree, err := Build([]File{{Path: "big.zip", Mode: 0o444, Size: 130, Open: func() (io.ReadCloser, error) {
		return nil, errUnreadable
	}}}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := fs.Stat(tree, "big.zip"); err != nil || info.Size() != 130 {
		t.Errorf("stat: %v, %v", info, err)
	}
	if _, err := fs.ReadFile(tree, "big.zip"); !errors.Is(err, errUnreadable) {
		t.Errorf("read file: %v", err)
	}
	f, err := tree.Open("big.zip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, errUnreadable) {
		t.Errorf("read: %v", err)
	}
}

func TestReadAfterClose(t *testing.T) {
	f, err := buildTree(t).Open("layerd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, paths := range map[string][]string{
		"climbing":        {"../x"},
		"absolute":        {"/x"},
		"the root":        {"."},
		"twice":           {"x", "x"},
		"file, folder":    {"x", "x/y"},
		"folder, file":    {"x/y", "x"},
		"not valid UTF-8": {"\x83\x65"},
	} {
		var files []File
		for _, p := range paths {
			files = append(files, text(p, "x"))
		}
		if _, err := Build(files, time.Time{}); err == nil {
			t.Errorf("%s: %q was built", name, paths)
		}
	}
}

func TestDiskLimits(t *testing.T) {
	disk := buildDisk(t)
	dir := disk.root.Name()
	if err := os.WriteFile(filepath.Join(dir, "big.zip"), make([]byte, fileLimit+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.ReadFile("big.zip"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file above the limit: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "full.zip"), make([]byte, fileLimit), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := disk.ReadFile("full.zip"); err != nil || len(got) != fileLimit {
		t.Errorf("a file at the limit: %d bytes, %v", len(got), err)
	}
}

// A pipe in the folder must not stop the daemon: opening one waits for a writer.
func TestDiskDoesNotOpenPipes(t *testing.T) {
	disk := buildDisk(t)
	if err := syscall.Mkfifo(filepath.Join(disk.root.Name(), "pipe.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.ReadFile("pipe.yaml"); !errors.Is(err, errIrregular) {
		t.Errorf("a pipe: %v", err)
	}
}

func TestOpenDiskNeedsAFolder(t *testing.T) {
	if _, err := OpenDisk(filepath.Join(t.TempDir(), "nothing"), fileLimit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// G5: a folder whose content is elsewhere is listed, in both; reading it, or anything
// below it, fails with the reason, which is not "does not exist".
func TestG5SealedFolders(t *testing.T) {
	disk := buildDisk(t)
	disk.Seal(map[string]error{"layers/common": errUnreadable})
	tree, err := Build([]File{
		text("layerd.yaml", "x"),
		{Path: "layers/common", Mode: fs.ModeDir, Open: func() (io.ReadCloser, error) { return nil, errUnreadable }},
		{Path: "docs", Mode: fs.ModeDir},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, fsys := range map[string]fs.FS{"disk": disk, "tree": tree} {
		info, err := fs.Stat(fsys, "layers/common")
		if err != nil || !info.IsDir() {
			t.Errorf("%s: the folder is %v, %v", name, info, err)
		}
		_, list := fs.ReadDir(fsys, "layers/common")
		_, open := fsys.Open("layers/common")
		_, below := fs.Lstat(fsys, "layers/common/layer.yaml")
		_, read := fs.ReadFile(fsys, "layers/common/layer.yaml")
		for what, err := range map[string]error{"list": list, "open": open, "below": below, "read": read} {
			if !errors.Is(err, errUnreadable) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
	if entries, err := fs.ReadDir(tree, "docs"); err != nil || len(entries) > 0 {
		t.Errorf("a folder without files: %v, %v", entries, err)
	}
	if err := fstest.TestFS(must(Build([]File{text("a/b", "x"), {Path: "docs", Mode: fs.ModeDir}}, time.Now())), "a/b", "docs"); err != nil {
		t.Error(err)
	}
}

func must(t *Tree, err error) *Tree {
	if err != nil {
		panic(err)
	}
	return t
}
