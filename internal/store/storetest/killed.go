package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/layerd/layerd/internal/store"
)

// WriteUntilKilled is the part of a child process in [Killed]. It writes until
// it is killed, or until its standard input ends, and says so on standard output
// after each write that was acknowledged. What it says is what must be found later.
func WriteUntilKilled(s store.Store, name string) error {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is what counts
		stop()
	}()
	if _, err := s.Create(context.Background(), "count", []byte("0")); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	for i := 0; ctx.Err() == nil; i++ {
		key := store.Key("write", name, fmt.Sprintf("%06d", i))
		if _, err := s.Create(context.Background(), key, []byte(strings.Repeat(name, i%3000))); err != nil {
			return err
		}
		fmt.Println("wrote", key)
		n, err := Add(context.Background(), s, "count")
		if err != nil {
			return err
		}
		fmt.Println("counted", n)
	}
	return s.Close()
}

// Writer is a child process in [WriteUntilKilled] and what it has acknowledged.
type Writer struct {
	Keys    []string
	Counted []int

	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

// StartWriter starts a command that does WriteUntilKilled.
func StartWriter(t *testing.T, cmd *exec.Cmd) *Writer {
	t.Helper()
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
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // most are dead by then
	return &Writer{cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
}

// Hear takes in acknowledgements until there are so many counts, or no more.
func (w *Writer) Hear(t *testing.T, counts int) {
	t.Helper()
	for len(w.Counted) < counts && w.lines.Scan() {
		word, rest, _ := strings.Cut(w.lines.Text(), " ")
		switch n, err := strconv.Atoi(rest); {
		case word == "wrote":
			w.Keys = append(w.Keys, rest)
		case word == "counted" && err == nil:
			w.Counted = append(w.Counted, n)
		default:
			t.Fatalf("a writer says %q", w.lines.Text())
		}
	}
}

// Stop ends the writer in peace.
func (w *Writer) Stop(t *testing.T) {
	t.Helper()
	if err := w.stdin.Close(); err != nil {
		t.Error(err)
	}
	w.Hear(t, forever)
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("a writer that was not killed: %v", err)
	}
}

// kill ends the writer at whatever it is doing.
func (w *Writer) kill(t *testing.T) {
	t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.Hear(t, forever) // what it said before it died was acknowledged too
	_ = w.cmd.Wait()   // it was killed
	if ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled(); !ok {
		t.Fatalf("a writer ended by itself: %v", w.cmd.ProcessState)
	}
}

const forever = 1 << 30

// Killed has two processes write one store, kills one of them again and again
// at whatever it is doing, and looks whether anything is missing. child returns
// a process that opens the store and does [WriteUntilKilled] with the name; open
// opens the same store when all of them are gone.
func Killed(t *testing.T, child func(name string) *exec.Cmd, open func() store.Store) {
	const kills, perLife = 8, 12
	steady := StartWriter(t, child("steady"))
	writers := []*Writer{steady}
	for life := range kills {
		w := StartWriter(t, child(fmt.Sprint("life", life)))
		// Acknowledgements run ahead of us in the pipe, so the kill comes at a
		// different instant of the loop each time.
		w.Hear(t, perLife+life)
		w.kill(t)
		writers = append(writers, w)
	}
	steady.Stop(t)
	checkAcknowledged(t, open(), writers)
}

func checkAcknowledged(t *testing.T, s store.Store, writers []*Writer) {
	t.Helper()
	counts, highest, keys := map[int]bool{}, 0, 0
	for _, w := range writers {
		for _, key := range w.Keys {
			keys++
			if _, err := s.Get(t.Context(), key); err != nil {
				t.Errorf("an acknowledged write is lost: %v", err)
			}
		}
		for _, n := range w.Counted {
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
