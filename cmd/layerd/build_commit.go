package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// layerCommit returns the last commit that touched a layer's folder, for its manifest:
// not HEAD, with which one layer would have other bytes after each commit elsewhere. It
// is empty, with a warning that says why, where the folder is not as a commit has it.
func layerCommit(dir string, layer archive.Layer) (string, []archive.Problem, error) {
	warn := func(code, file, message, suggestion string) []archive.Problem {
		p := strictyaml.NewProblem(code, strictyaml.Position{File: file}, message, suggestion)
		p.Severity = strictyaml.Warning
		return []archive.Problem{p}
	}
	change, err := gitrepo.LastChange(dir)
	if err != nil {
		return "", nil, err
	}
	if !change.Found() {
		return "", warn("not_committed", "", "the folder is in no commit: the archive names none", "commit it, before somebody publishes the archive"), nil
	}
	edited, err := notIn(change, dir, layer)
	switch {
	case err != nil:
		return "", nil, err
	case edited != "":
		return "", warn("not_committed", edited, "is not as a commit has it: the archive names none", "commit it, before somebody publishes the archive"), nil
	case change.Hash == "":
		return "", warn("commit_unknown", "", "the clone is shallow: which commit last touched the folder is not known, and the archive names none", "fetch the whole history (fetch-depth: 0)"), nil
	}
	return change.Hash, nil, nil
}

// notIn returns the first file that makes the archive and is not so in a commit.
func notIn(change gitrepo.Change, dir string, layer archive.Layer) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("read the layer's folder: %w", err)
	}
	defer root.Close()
	own, _, err := archive.Own(root.FS()) // what is wrong is found by the build
	if err != nil {
		return "", err
	}
	own, _ = archive.Clean(own, layer.Exclude)
	for _, name := range []string{"layer.yaml", "VERSION", "python/requirements.txt"} {
		data, err := root.ReadFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", fmt.Errorf("read the layer's folder: %w", err)
		case !change.Holds(name, data):
			return name, nil
		}
	}
	for _, f := range own {
		r, err := f.Open()
		if err != nil {
			return "", fmt.Errorf("read %s: %w", words.Truncate(f.Name, 200), err)
		}
		data, err := io.ReadAll(r)
		_ = r.Close() // it was only read
		if err != nil {
			return "", fmt.Errorf("read %s: %w", words.Truncate(f.Name, 200), err)
		}
		if !change.Holds(f.Name, data) {
			return f.Name, nil
		}
	}
	return "", nil
}
