package sqlitestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// TestMain is also the entry of the processes that the tests here start: the
// test binary again, with what to do in the environment.
func TestMain(m *testing.M) {
	switch path := os.Getenv("STORE_PATH"); os.Getenv("STORE_CHILD") {
	case "write":
		exitWith(childWrite(path, os.Getenv("STORE_NAME"), os.Stdout))
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

// childWrite writes until it is killed, or until its standard input ends, and
// says so on out after each write that was acknowledged. What it says is what
// must be found later.
func childWrite(path, name string, out io.Writer) error {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	s, err := Open(path)
	if err != nil {
		return err
	}
	if _, err := s.Create(context.Background(), "count", []byte("0")); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	for i := 0; ctx.Err() == nil; i++ {
		key := store.Key("write", name, fmt.Sprintf("%06d", i))
		if _, err := s.Create(context.Background(), key, []byte(strings.Repeat(name, i%3000))); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote", key)
		n, err := storetest.Add(context.Background(), s, "count")
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "counted", n)
	}
	return s.Close()
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

// writer is a childWrite and what it has acknowledged.
type writer struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	lines   *bufio.Scanner
	keys    []string
	counted []int
}

func startWriter(t *testing.T, path, name string) *writer {
	t.Helper()
	cmd := child(t, "write", path, name)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return &writer{cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
}

// hear takes in acknowledgements until there are so many counts, or no more.
func (w *writer) hear(t *testing.T, counts int) {
	t.Helper()
	for len(w.counted) < counts && w.lines.Scan() {
		word, rest, _ := strings.Cut(w.lines.Text(), " ")
		switch n, err := strconv.Atoi(rest); {
		case word == "wrote":
			w.keys = append(w.keys, rest)
		case word == "counted" && err == nil:
			w.counted = append(w.counted, n)
		default:
			t.Fatalf("a writer says %q", w.lines.Text())
		}
	}
}

// TestKilled has two processes write one database, kills one of them again and
// again at whatever it is doing, and looks whether anything is missing.
func TestKilled(t *testing.T) {
	const kills, perLife, forever = 8, 12, 1 << 30
	path := tempPath(t)
	steady := startWriter(t, path, "steady")
	writers := []*writer{steady}
	for life := range kills {
		w := startWriter(t, path, fmt.Sprint("life", life))
		// Acknowledgements run ahead of us in the pipe, so the kill comes at a
		// different instant of the loop each time.
		w.hear(t, perLife+life)
		if err := w.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		w.hear(t, forever) // what it said before it died was acknowledged too
		w.cmd.Wait()
		if ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled(); !ok {
			t.Fatalf("life %d ended by itself: %v", life, w.cmd.ProcessState)
		}
		writers = append(writers, w)
	}
	steady.stdin.Close()
	steady.hear(t, forever)
	if err := steady.cmd.Wait(); err != nil {
		t.Errorf("the writer that was not killed: %v", err)
	}
	checkAcknowledged(t, path, writers)
}

func checkAcknowledged(t *testing.T, path string, writers []*writer) {
	t.Helper()
	s := open(t, path)
	checkIntegrity(t, s)
	counts, highest, keys := map[int]bool{}, 0, 0
	for _, w := range writers {
		for _, key := range w.keys {
			keys++
			if _, err := s.Get(t.Context(), key); err != nil {
				t.Errorf("an acknowledged write is lost: %v", err)
			}
		}
		for _, n := range w.counted {
			if counts[n] {
				t.Errorf("two writers counted %d", n)
			}
			counts[n], highest = true, max(highest, n)
		}
	}
	v, err := s.Get(t.Context(), "count")
	n, _ := strconv.Atoi(string(v.Data))
	// Each killed writer may have counted once without having said so.
	if err != nil || n < highest || n < len(counts) || n > len(counts)+len(writers) {
		t.Errorf("the count is %d, %v; %d counts up to %d were acknowledged", n, err, len(counts), highest)
	}
	t.Logf("%d writers, %d writes and %d counts acknowledged, count is %d", len(writers), keys, len(counts), n)
}

// TestOtherProcessReads: `layerd history` beside a daemon that writes.
func TestOtherProcessReads(t *testing.T) {
	path := tempPath(t)
	w := startWriter(t, path, "daemon")
	for round := range 3 {
		w.hear(t, 5*(round+1))
		out, err := child(t, "dump", path, "").CombinedOutput()
		if err != nil {
			t.Fatalf("reader: %v\n%s", err, out)
		}
		for _, key := range w.keys {
			if !strings.Contains(string(out), key+"=") {
				t.Errorf("the reader does not see %s", key)
			}
		}
	}
	w.stdin.Close()
	w.hear(t, 1<<30)
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("the writer: %v", err)
	}
}
