package toolchain

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/strictyaml"
)

// node has npm make node_modules in a copy of what it reads, so that the layer's own
// folder stays as it is in Git.
func (b *build) node(ctx context.Context, root *os.Root, files *[]archive.File) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("npm is not there: install it, or build with run: in layer.yaml: %w", err)
	}
	dir := filepath.Join(b.Work, "nodejs")
	if err := b.copyNode(root, dir); err != nil {
		return err
	}
	locked := false
	for _, name := range []string{"package-lock.json", "npm-shrinkwrap.json"} {
		_, err := os.Stat(filepath.Join(dir, name))
		locked = locked || err == nil
	}
	command := "ci"
	if !locked {
		command = "install"
		p := strictyaml.NewProblem("unpinned", strictyaml.Position{File: "nodejs/package.json"},
			"there is no package-lock.json: another day's build may have other versions", "commit the one that npm install writes")
		if !b.Locked {
			p.Severity = strictyaml.Warning
		}
		if b.Problems = append(b.Problems, p); b.Locked {
			return nil
		}
	}
	machine := b.Layer.Machines()[0]
	b.begin("npm for " + machine)
	b.Tools = append(b.Tools, "npm")
	cmd := exec.CommandContext(ctx, npm, command, "--omit=dev", "--ignore-scripts", "--install-links", "--no-audit", "--no-fund", "--loglevel=error",
		"--os=linux", "--cpu="+map[string]string{"x86_64": "x64", "arm64": "arm64"}[machine], "--libc=glibc")
	cmd.Dir = dir
	if said, err := b.run(cmd); err != nil {
		return b.failed(ctx, "packages_not_found", "npm", said, err, "run npm "+command+" by hand in nodejs/")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		return nil // it asks for nothing
	}
	return b.collect(filepath.Join(dir, "node_modules"), "nodejs/node_modules", files)
}

// copyNode copies the layer's nodejs folder: a dependency may be a folder or an archive
// in it.
func (b *build) copyNode(root *os.Root, dir string) error {
	from, err := fs.Sub(root.FS(), "nodejs")
	if err != nil {
		return fmt.Errorf("copy nodejs: %w", err)
	}
	if err := os.CopyFS(dir, from); err != nil {
		return fmt.Errorf("copy nodejs: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "node_modules")); err != nil {
		return fmt.Errorf("copy nodejs: %w", err)
	}
	return nil
}
