package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/store"
)

// archivesOf returns what reads the archives of a repository's layers. A store that takes
// nothing remembers nothing.
func archivesOf(src source, connect connector, s store.Store, log *slog.Logger) *artifact.Reader {
	return daemon.NewArtifacts(daemon.ArtifactOptions{Connect: connect, Files: src.archives, Store: s, Repository: src.repository, Log: log})
}

// archiveDoubts looks into the archives in the repository that its environments would be
// published from. They are warnings: a version that is live needs no archive any more,
// and only AWS can show which one is.
func archiveDoubts(ctx context.Context, src source) ([]desired.Problem, error) {
	reader := archivesOf(src, nil, nil, nil)
	var list []desired.Problem
	seen := map[string]bool{}
	for _, e := range src.tree.Environments {
		for _, w := range e.Layers {
			if w.Source == nil || w.Version.Kind != desired.Exact {
				continue
			}
			a := w.Artifact(w.Version.Semver, src.revision)
			if _, _, inS3 := a.S3(); inS3 || seen[a.Location+" "+a.Version] {
				continue
			}
			seen[a.Location+" "+a.Version] = true
			found, err := reader.Look(ctx, e, a)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", a.Location, err)
			}
			if found.Code != "" {
				list = append(list, desired.Problem{
					Position: w.Source.At, Severity: desired.Warning, Code: found.Code, Environment: e.Name, Suggestion: found.Suggestion,
					Message: fmt.Sprintf("%s %s could not be published, should it not be live: %s", a.Layer, a.Version, found.Message),
				})
			}
		}
	}
	return list, nil
}
