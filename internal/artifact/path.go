package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// maxSent is how large a zip may be that is sent to Lambda without S3 (AWS.md section
// 2.3).
const maxSent = archive.WarnZipped

// UseS3 is the advice about an archive that is too much for the repository.
const UseS3 = "let CI upload it, and name it as s3://BUCKET/KEY in layer.yaml"

// lookAtPath returns what lies at a path of the repository, and with bytes the zip. A
// folder on a disk may change at any time, and so nothing of it is remembered.
func (r *Reader) lookAtPath(ctx context.Context, a state.Artifact, bytes bool) (state.Content, []byte, error) {
	what := judgedFor(a)
	what.location, what.commit, what.layer, what.version = a.Location, a.Commit, a.Layer, a.Version
	fixed := a.Commit != "" && !strings.Contains(a.Commit, "+")
	if fixed && !bytes {
		if found, known := r.known(ctx, a, what); known {
			return found, nil, nil
		}
	}
	if r.Files == nil {
		return state.Content{}, nil, errors.New("there is no repository to read it from")
	}
	release, err := r.take(ctx, repositoryTurn)
	if err != nil {
		return state.Content{}, nil, err
	}
	defer release()
	found, zip, err := r.readPath(ctx, a)
	if err == nil && fixed {
		r.remember(ctx, a, what, found)
	}
	return found, zip, err
}

func (r *Reader) readPath(ctx context.Context, a state.Artifact) (state.Content, []byte, error) {
	files, err := r.Files(ctx, a.Commit, a.Location)
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refuse(state.Content{}, refused.Code, a.Location+": "+refused.Message, refused.Suggestion), nil, nil
	}
	if err != nil {
		return state.Content{}, nil, err
	}
	info, err := fs.Stat(files, a.Location)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Missing(a), nil, nil
	case err != nil:
		return unreadable(a, err), nil, nil
	case info.IsDir():
		found, zip := packFolder(a, files)
		return found, zip, nil
	case !info.Mode().IsRegular():
		return refuse(state.Content{}, "artifact_invalid", a.Location+" is neither a file nor a folder; links are not followed", "put the zip itself there"), nil, nil
	case info.Size() > maxSent:
		return tooLarge(a, info.Size(), maxSent, UseS3), nil, nil
	}
	data, err := fs.ReadFile(files, a.Location)
	if err != nil {
		return unreadable(a, err), nil, nil
	}
	return judgeBytes(a, data), data, nil
}

// Missing is the content of a path where the repository has nothing.
func Missing(a state.Artifact) state.Content {
	at := "in the folder"
	if a.Commit != "" {
		at = "in commit " + words.Commit(a.Commit)
	}
	return refuse(state.Content{}, "artifact_missing", fmt.Sprintf("%s: there is no such file or folder %s", a.Location, at),
		"commit it, or correct artifact in layer.yaml; a path begins at the folder of layerd.yaml")
}

func unreadable(a state.Artifact, err error) state.Content {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return refuse(state.Content{}, "artifact_invalid", fmt.Sprintf("%s cannot be read: %s", a.Location, err), "commit the file itself; "+UseS3)
}

func judgeBytes(a state.Artifact, zip []byte) state.Content {
	sum := sha256.Sum256(zip)
	return judge(a, bytes.NewReader(zip), int64(len(zip)), hex.EncodeToString(sum[:]))
}
