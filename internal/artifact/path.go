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

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// maxSent is how large a zip may be that is sent to Lambda without S3 (AWS.md section
// 2.3).
const maxSent = archive.WarnZipped

// UseS3 is the advice about an archive that is too much for the repository.
const UseS3 = "let CI upload it, and name it as s3://BUCKET/KEY in layer.yaml"

// lookAtPath returns what lies at a path of the repository. A folder on a disk may change at
// any time, and so nothing of it is remembered.
func (r *Reader) lookAtPath(ctx context.Context, a state.Artifact) (state.Content, error) {
	if what, fixed := judgedAt(a); fixed {
		if found, known := r.known(ctx, a, what); known {
			return found, nil
		}
	}
	found, zip, err := r.openPath(ctx, a)
	zip.Close()
	return found, err
}

// openPath returns what lies at a path with its bytes. The turn to hold an archive in
// memory ends with their Close: sending them takes longer than reading them, and while they
// are sent there is a second copy of them in the request.
func (r *Reader) openPath(ctx context.Context, a state.Artifact) (found state.Content, zip apply.Source, err error) {
	if r.Files == nil {
		return found, zip, errors.New("there is no repository to read it from")
	}
	release, err := r.take(ctx, repositoryTurn)
	if err != nil {
		return found, zip, err
	}
	defer func() {
		if zip.Done == nil { // there is nothing to be sent, or the repository panicked
			release()
		}
	}()
	if found, zip.Zip, err = r.readPath(ctx, a); zip.Zip != nil {
		zip.Done = release
	}
	if what, fixed := judgedAt(a); err == nil && fixed {
		r.remember(ctx, a, what, found)
	}
	return found, zip, err
}

// judgedAt returns what a path is remembered by; fixed is false where it may change.
func judgedAt(a state.Artifact) (what judged, fixed bool) {
	what = judgedFor(a)
	what.location, what.commit, what.layer, what.version = a.Location, a.Commit, a.Layer, a.Version
	return what, a.Commit != "" && !strings.Contains(a.Commit, "+")
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
		found, zip := r.packFolder(ctx, a, files)
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
	return r.judgeBytes(ctx, a, data), data, nil
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

func (r *Reader) judgeBytes(ctx context.Context, a state.Artifact, zip []byte) state.Content {
	sum := sha256.Sum256(zip)
	return r.judge(ctx, a, bytes.NewReader(zip), int64(len(zip)), hex.EncodeToString(sum[:]))
}
