package gitrepo

import (
	"fmt"
	"io/fs"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// benchFiles is a repository larger than any we know: 2,000 files of 2 KB.
func benchFiles() map[string]string {
	files := map[string]string{}
	for i := range 2000 {
		var text strings.Builder
		for x := uint32(i); text.Len() < 2000; {
			x = x*1664525 + 1013904223
			fmt.Fprintf(&text, "key_%08x: value_%08x\n", x, x>>7)
		}
		files[fmt.Sprintf("layers/team-%02d/layer-%04d/layer.yaml", i%40, i)] = text.String()
	}
	return files
}

// BenchmarkPull measures a new commit of 2,000 files: time, bytes received,
// memory that stays while the Commit is held.
func BenchmarkPull(b *testing.B) {
	dir := worktree(b, benchFiles())
	var received atomic.Int64
	remote := backend(b, dir, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			next.ServeHTTP(countingWriter{w, &received}, req)
		})
	})
	for _, where := range []struct{ name, url, path string }{
		{"http", remote, ""}, {"http, one folder of 40", remote, "layers/team-07"}, {"path", dir, ""},
	} {
		b.Run(where.name, func(b *testing.B) {
			r, err := New(Options{URL: where.url, Path: where.path})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			received.Store(0)
			var kept Commit
			before := heap()
			for b.Loop() {
				if kept, _, err = r.Pull(b.Context(), ""); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(received.Load())/float64(b.N), "wire-B/op")
			b.ReportMetric(float64(heap()-before), "kept-B")
			runtime.KeepAlive(kept)
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkUnchanged measures the look that finds nothing new.
func BenchmarkUnchanged(b *testing.B) {
	url := backend(b, worktree(b, benchFiles()), nil)
	r, err := New(Options{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	last, err := r.Tip(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, changed, err := r.Pull(b.Context(), last); err != nil || changed {
			b.Fatal(changed, err)
		}
	}
}

// BenchmarkRead measures reading every file of a Commit once.
func BenchmarkRead(b *testing.B) {
	r, err := New(Options{URL: worktree(b, benchFiles())})
	if err != nil {
		b.Fatal(err)
	}
	c, _, err := r.Pull(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		err := fs.WalkDir(c.Files, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				_, err = fs.ReadFile(c.Files, name)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
