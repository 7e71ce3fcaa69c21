package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// lookAtObject returns what an object is: the version that is pinned, or the newest.
func (r *Reader) lookAtObject(ctx context.Context, env desired.Environment, a state.Artifact, bucket, key string) (state.Content, error) {
	objects, err := r.Objects(ctx, env)
	if err != nil {
		return state.Content{}, err
	}
	pinned, err := r.pinned(ctx, a)
	if err != nil {
		return state.Content{}, err
	}
	if a.SHA256 != "" && pinned.content.SHA256 != a.SHA256 {
		pinned = good{} // somebody may have put the right one there since
	}
	o := pinned.object
	if o.Version == "" || !r.saw(env, o) {
		if o, err = objects.Head(ctx, bucket, key, o.Version); state.KindOf(err) == state.Gone && pinned.object.Version != "" {
			r.unpin(a)
			o, err = objects.Head(ctx, bucket, key, "")
		}
		if err != nil {
			return refusedBy(env, a, err)
		}
		r.note(env, o)
	}
	what := judgedFor(a)
	what.object = o
	if found, known := r.known(ctx, a, what); known {
		return found, nil
	}
	if o.Size > archive.MaxUnzipped {
		return tooLarge(a, o.Size, archive.MaxUnzipped, "leave out what is not needed, or make two layers of it for different functions"), nil
	}
	found, err := r.readObject(ctx, objects, env, a, o)
	if err != nil {
		return refusedBy(env, a, err)
	}
	r.remember(ctx, a, what, found)
	return found, nil
}

// readObject reads an object once, into a file that is gone afterwards.
func (r *Reader) readObject(ctx context.Context, objects Objects, env desired.Environment, a state.Artifact, o archive.Object) (found state.Content, err error) {
	release, err := r.take(ctx, env.Name)
	if err != nil {
		return found, err
	}
	defer release()
	tmp, err := os.CreateTemp("", "layerd-artifact-")
	if err != nil {
		return found, fmt.Errorf("make room for %s: %w", o.URL(), err)
	}
	defer os.Remove(tmp.Name()) // where an open file could not be removed
	defer tmp.Close()
	_ = os.Remove(tmp.Name()) // so that a kill leaves nothing behind
	sum := sha256.New()
	if err := objects.Read(ctx, o, io.MultiWriter(tmp, sum)); err != nil {
		return found, err
	}
	r.Log.Debug("archive read", "location", a.Location, "version", o.Version, "bytes", o.Size)
	found = r.judge(ctx, a, tmp, o.Size, hex.EncodeToString(sum.Sum(nil)))
	found.ObjectVersion = o.Version
	return found, nil
}

// refusedBy sorts an error of S3: what is wrong with the object or the rights to it is
// its content, and what passes is an error.
func refusedBy(env desired.Environment, a state.Artifact, err error) (state.Content, error) {
	if region, ok := errors.AsType[*archive.RegionError](err); ok {
		return refuse(state.Content{}, "artifact_region", fmt.Sprintf("%s: %s, and Lambda copies an archive only from a bucket in its own Region", a.Location, region),
			"keep a copy in a bucket there, with ${REGION} in the bucket's name, as in s3://artifacts-${REGION}/…"), nil
	}
	e, ok := errors.AsType[*state.Error](err)
	if !ok || e.Op != "HeadObject" && e.Op != "GetObject" {
		return state.Content{}, err // of the credentials, or of this machine
	}
	switch e.Kind {
	case state.Gone:
		return refuse(state.Content{}, "artifact_missing", a.Location+": there is no such object, or no such bucket",
			"upload the archive, or correct artifact in layer.yaml; CI uploads before the pull request is merged"), nil
	case state.Human:
		return refuse(state.Content{}, "artifact_denied", fmt.Sprintf("%s: S3 does not let %s read it: %s", a.Location, reader(env), said(e)), deniedAdvice(e)), nil
	default:
		return state.Content{}, err
	}
}

// reader is who reads for an environment.
func reader(env desired.Environment) string {
	if env.Role != "" {
		return env.Role
	}
	return "layerd"
}

// said returns S3's words. A HEAD has none but its status.
func said(e *state.Error) string {
	if e.Message == "" || e.Message == e.Code {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

func deniedAdvice(e *state.Error) string {
	if e.Code == "InvalidObjectState" {
		return "restore it from its archive storage class, or upload it again"
	}
	return "allow s3:GetObject and s3:GetObjectVersion on it, and kms:Decrypt where its bucket has a key; without s3:ListBucket a missing object looks the same"
}
