package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// TestMain is also the entry of the processes that the tests here start: the
// test binary again, with what to do in the environment.
func TestMain(m *testing.M) {
	switch path := os.Getenv("STORE_PATH"); os.Getenv("STORE_CHILD") {
	case "write":
		exitWith(childWrite(path, os.Getenv("STORE_NAME")))
	case "init":
		exitWith(childInit(path))
	case "dump":
		exitWith(childDump(path, os.Stdout))
	default:
		goleak.VerifyTestMain(m)
	}
}

func exitWith(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func childWrite(path, name string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	return storetest.WriteUntilKilled(s, name)
}

func childInit(path string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	_, err = s.Create(context.Background(), "a", []byte("new"))
	return errors.Join(err, s.Close())
}

func childDump(path string, out io.Writer) error {
	s, err := OpenReadOnly(path)
	if err != nil {
		return err
	}
	for v, err := range s.List(context.Background(), store.Query{}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s=%s\n", v.Key, v.Data)
	}
	return s.Close()
}

// child returns this test binary as another process.
func child(t *testing.T, what, path, name string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "STORE_CHILD="+what, "STORE_PATH="+path, "STORE_NAME="+name)
	return cmd
}

// nobody returns this test binary as a process without root's right to write
// everywhere. go test builds it in a folder that only root may enter, so that
// user gets a copy.
func nobody(t *testing.T, what, path string) *exec.Cmd {
	t.Helper()
	cmd := child(t, what, path, "")
	if os.Getuid() != 0 {
		return cmd
	}
	binary, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = filepath.Join(sharedDir(t), "store.test")
	if err := os.WriteFile(cmd.Path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// sharedDir is a t.TempDir that other users may enter.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "layerd-store-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	chmod(t, dir, 0o755)
	return dir
}

func TestKilled(t *testing.T) {
	nightly.NotShort(t, "what is killed are processes; goroutines of one write at once in TestContract")
	path := tempPath(t)
	storetest.Killed(t, func(name string) *exec.Cmd { return child(t, "write", path, name) }, func() store.Store {
		s := open(t, path)
		checkIntegrity(t, s)
		return s
	})
}

// TestOtherProcessReads: `layerd history` beside a daemon that writes.
func TestOtherProcessReads(t *testing.T) {
	path := tempPath(t)
	w := storetest.StartWriter(t, child(t, "write", path, "daemon"))
	for round := range 3 {
		w.Hear(t, 5*(round+1))
		out, err := child(t, "dump", path, "").CombinedOutput()
		if err != nil {
			t.Fatalf("reader: %v\n%s", err, out)
		}
		for _, key := range w.Keys {
			if !strings.Contains(string(out), key+"=") {
				t.Errorf("the reader does not see %s", key)
			}
		}
	}
	w.Stop(t)
}

// TestNewBesideAnOldLog: the file alone is deleted while a process has it open,
// and another one begins a new store there, as the first one advises.
func TestNewBesideAnOldLog(t *testing.T) {
	s, path, _, _ := lived(t)
	for i := range 20 { // so that the log has pages which the new file has not
		create(t, s, fmt.Sprintf("k%d", i), strings.Repeat("x", 900))
	}
	remove(t, path)
	if err := s.Check(); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("Check: %v, want ErrReplaced", err)
	}
	if out, err := child(t, "init", path, "").CombinedOutput(); err != nil {
		t.Fatalf("a new store: %v\n%s", err, out)
	}
	if err := s.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(t.Context(), "a"); err != nil || string(v.Data) != "new" {
		t.Errorf("Get after Reopen = %q, %v, want new", v.Data, err)
	}
	if _, err := os.Stat(path + ".replaced-wal"); err != nil {
		t.Errorf("what was in the old log alone: %v", err)
	}
	checkWorks(t, s, path)
}
