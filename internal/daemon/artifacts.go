package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/store"
)

// ArtifactOptions are where archives of layers are read from.
type ArtifactOptions struct {
	// Connect reaches S3 as it reaches Lambda: with an environment's role.
	Connect func(context.Context, desired.Environment) (round.Cloud, error)
	// Files returns what lies at a path of the repository; nil = no archive is there. See
	// FilesOf and FilesOnDisk.
	Files      func(ctx context.Context, commit, name string) (fs.FS, error)
	Store      store.Store // nil = nothing is remembered
	Repository string      // identity
	Log        *slog.Logger
}

// NewArtifacts returns what reads archives of layers, with what Connector connects to.
func NewArtifacts(o ArtifactOptions) *artifact.Reader {
	return artifact.New(artifact.Options{
		Files: o.Files, Store: o.Store, Repository: o.Repository, Log: o.Log,
		Objects: func(ctx context.Context, env desired.Environment) (artifact.Objects, error) {
			cloud, err := o.Connect(ctx, env)
			if err != nil {
				return nil, err
			}
			reads, ok := cloud.(interface{ Objects() artifact.Objects })
			if !ok {
				return nil, fmt.Errorf("a %T reads nothing from S3", cloud)
			}
			return reads.Objects(), nil
		},
	})
}

// FilesOf returns ArtifactOptions.Files of a branch that is followed. Only what lies at
// the path is fetched.
func FilesOf(repo interface {
	At(ctx context.Context, hash string, paths ...string) (gitrepo.Commit, error)
},
) func(ctx context.Context, commit, name string) (fs.FS, error) {
	return func(ctx context.Context, commit, name string) (fs.FS, error) {
		c, err := repo.At(ctx, commit, name)
		e, ok := errors.AsType[*gitrepo.Error](err)
		switch {
		case err == nil:
			return c.Files, nil
		case ok && errors.Is(e, gitrepo.KindTooLarge):
			return nil, &artifact.RefusedError{Code: "artifact_too_large", Message: e.Message, Suggestion: artifact.UseS3}
		case ok && (errors.Is(e, gitrepo.KindSubmodule) || errors.Is(e, gitrepo.KindPathGone)):
			return nil, &artifact.RefusedError{Code: "artifact_missing", Message: e.Message, Suggestion: "put the archive into the repository itself; or " + artifact.UseS3}
		}
		return nil, err
	}
}

// FilesOnDisk returns ArtifactOptions.Files of a folder that is read as it lies there.
func FilesOnDisk(files fs.FS) func(ctx context.Context, commit, name string) (fs.FS, error) {
	return func(context.Context, string, string) (fs.FS, error) { return files, nil }
}
