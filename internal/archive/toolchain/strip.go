package toolchain

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/strictyaml"
)

// strip takes symbols out of copies of the native libraries. What it cannot read, as one
// for another machine, stays as it is, and is named.
func (b *build) strip(ctx context.Context) error {
	strip, err := exec.LookPath("strip")
	if err != nil {
		b.warn("not_stripped", "", "strip is not there", "install binutils, or drop strip: true from layer.yaml")
		return nil
	}
	dir := filepath.Join(b.Work, "strip")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("make room for strip: %w", err)
	}
	b.begin("strip")
	b.Tools = append(b.Tools, "strip")
	for i, f := range b.Files {
		base := filepath.Base(f.Name)
		if f.Link != "" || !strings.HasSuffix(base, ".so") && !strings.Contains(base, ".so.") && !strings.HasSuffix(base, ".node") {
			continue
		}
		to := filepath.Join(dir, fmt.Sprint(i))
		if err := copyFile(f, to); err != nil {
			return err
		}
		if said, err := b.run(exec.CommandContext(ctx, strip, "--strip-unneeded", to)); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.warn("not_stripped", f.Name, strings.ReplaceAll(said, to, base), "use a strip that knows its architecture, or drop strip: true from layer.yaml")
			continue
		}
		stripped, err := archive.FileAt(f, to)
		if err != nil {
			return err
		}
		b.Files[i] = stripped
	}
	return nil
}

func (b *build) warn(code, file, message, suggestion string) {
	p := strictyaml.NewProblem(code, strictyaml.Position{File: file}, message, suggestion)
	p.Severity = strictyaml.Warning
	b.Problems = append(b.Problems, p)
}

func copyFile(f archive.File, to string) error {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("copy %s: %w", f.Name, err)
	}
	defer r.Close()
	w, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("copy %s: %w", f.Name, err)
	}
	if _, err := io.Copy(w, r); err != nil {
		_ = w.Close() // the first error is the one that counts
		return fmt.Errorf("copy %s: %w", f.Name, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("copy %s: %w", f.Name, err)
	}
	return nil
}
