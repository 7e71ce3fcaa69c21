package demo

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/examples"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/bump"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/words"
)

// develops is the chapter before any environment asks for a version: a file of the layer
// changes, and there is an archive.
func (s *story) develops() error {
	s.now = s.now.Add(30 * time.Minute)
	s.begins(s.now, "A developer changes a file of makoto-common")
	text, err := fs.ReadFile(examples.Repo(), edited)
	if err != nil {
		return err
	}
	const subject = "fix: hide API keys in the log"
	hash, err := s.git.Commit(gitserve.Change{
		Subject: subject, When: s.now, Files: map[string]string{edited: strings.Replace(string(text), before, after, 1)},
	})
	if err != nil {
		return err
	}
	s.says("%q is one line of %s. CI does the rest:", subject, edited)
	tree := desired.Load(examples.Repo(), desired.Options{Now: s.now})
	decided := bump.Next(bump.Input{Commits: []bump.Commit{{Hash: hash, Message: subject}}, Taken: bump.Asked(tree, "makoto-common")})
	if decided.Version == nil {
		return fmt.Errorf("there is no version to release: %s", decided.Reason)
	}
	s.holds(decided.Version.String() == next, "layerd bump makoto-common: %s → %s, a %s by the commit's own words", decided.From.Version, decided.Version, decided.Level)
	built, err := s.release(next)
	if err != nil {
		return err
	}
	s.holds(built.Files > 1, "layerd build %s: %s", folder, built)
	again, err := build(s.ctx, s.repo, built.layer.Commit, next)
	if err != nil {
		return err
	}
	s.holds(bytes.Equal(built.zip, again.zip), "built once more, it is the same, byte by byte")
	object, there := s.world.Object(bucket, key(next))
	s.holds(there && bytes.Equal(object, built.zip), "uploaded to s3://%s/%s", bucket, key(next))
	if _, err := s.round(); err != nil {
		return err
	}
	s.holds(s.world.Writes() == 0, "layerd writes nothing: no environment asks for %s yet", next)
	return nil
}

// release does what CI does with a new version: it commits the file VERSION, builds what
// the commit has, and puts it into the bucket.
func (s *story) release(version string) (packed, error) {
	hash, err := s.git.Commit(gitserve.Change{
		Subject: "chore: makoto-common " + version, When: s.now, Files: map[string]string{folder + "/VERSION": version + "\n"},
	})
	if err != nil {
		return packed{}, err
	}
	built, err := build(s.ctx, s.repo, hash, version)
	if err != nil {
		return packed{}, err
	}
	s.layer = built.layer
	s.world.PutObject(bucket, key(version), built.zip)
	return built, nil
}

// live returns the layer version that a version of makoto-common is in an environment;
// the zero value = there is none.
func (s *story) live(env, version string) awssim.LayerVersion {
	for _, v := range s.world.LayerVersions("makoto-common-" + env) {
		if slices.Contains(strings.Fields(v.Description), "v"+version) {
			return v
		}
	}
	return awssim.LayerVersion{}
}

// isPublished reports whether a version of makoto-common was published by a result's
// steps, from the bytes in the bucket.
func (s *story) isPublished(r plan.Region, env, version string) bool {
	object, _ := s.world.Object(bucket, key(version))
	return slices.ContainsFunc(r.Steps, func(st plan.Step) bool { return st.Kind == plan.KindPublish && done(st) }) &&
		bytes.Equal(s.live(env, version).Content, object)
}

// published returns in one line what was published.
func (s *story) published(env, version string) string {
	return fmt.Sprintf("publish makoto-common %s: it is number %d here", version, s.live(env, version).Number)
}

// String returns what was built, in words.
func (p packed) String() string {
	return fmt.Sprintf("%d files, %s, sha256 %s", p.Files, words.Bytes(p.Size), words.Digest(p.SHA256))
}
