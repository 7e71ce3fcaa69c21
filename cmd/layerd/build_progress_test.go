package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/archive"
)

// While an archive is packed a terminal shows how far it has come, also within a large
// file, on one line without colour; where there is none nothing is shown that takes
// less than ten seconds.
func TestPackingIsShown(t *testing.T) {
	files := []archive.File{
		archive.NewFile("python/a.py", []byte("x")),
		archive.NewFile("python/large.bin", bytes.Repeat([]byte("layerd"), 1<<20)),
		archive.NewFile("python/z.py", []byte("x")),
	}
	now := time.Now()
	clock := func() time.Time { now = now.Add(refresh); return now }
	var terminal bytes.Buffer
	a := &app{shown: &statusLine{out: &terminal, width: 60, now: clock}}
	if _, err := archive.Pack(io.Discard, files, a.packing(files)); err != nil {
		t.Fatal(err)
	}
	a.shown.clear()
	lines := strings.Split(terminal.String(), "\r\x1b[K")
	for at, want := range map[int]string{
		1: "packing 1/3 files, 1 byte of 6.0 MB", 2: "packing 1/3 files, 1.0 MB of 6.0 MB", len(lines) - 2: "packing 3/3 files, 6.0 MB of 6.0 MB", len(lines) - 1: "",
	} {
		if at >= len(lines) || lines[at] != want {
			t.Errorf("line %d is not %q in %q", at, want, lines)
		}
	}
	if rest := strings.ReplaceAll(terminal.String(), "\r\x1b[K", ""); strings.ContainsAny(rest, "\x1b\n") {
		t.Errorf("more than one line, or colour: %q", rest)
	}

	var said []string
	a = &app{shown: newProgressLines(clock, func(text string) { said = append(said, text) })}
	if _, err := archive.Pack(io.Discard, files, a.packing(files)); err != nil || len(said) > 0 {
		t.Errorf("%q, %v", said, err)
	}
	now = now.Add(leastBetween)
	if _, err := archive.Pack(io.Discard, files, a.packing(files)); err != nil || len(said) != 1 {
		t.Errorf("%q, %v", said, err)
	}
}
