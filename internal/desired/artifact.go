package desired

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/state"
)

// CodeArtifactUnread is of the one problem that passes by itself: what an archive holds is
// not known, since what has it is out of reach.
const CodeArtifactUnread = "artifact_unread"

// Source is what versions of a layer are published from, and what they are published
// with. ${VERSION} stands in its texts where the semantic version does; all other
// variables are filled in.
type Source struct {
	Location    string            // s3://BUCKET/KEY, or a path in the repository
	SHA256      map[string]string // by canonical semantic version, lower-case hex
	Description string
	License     string
	At          Position // of the location
	// Elsewhere has the location of versions that are not at Location, by canonical
	// semantic version: a file that layerd publish names is of one version alone.
	Elsewhere map[string]string
}

// Has reports whether it is known where the archive of a version is.
func (s *Source) Has(version *semver.Version) bool {
	return s != nil && (s.Location != "" || s.Elsewhere[version.String()] != "")
}

// Artifact returns the archive of one version of the layer, which must have a Source.
// commit is where a path in the repository is read.
func (w LayerWish) Artifact(version *semver.Version, commit string) state.Artifact {
	a := state.Artifact{
		Location: cmp.Or(w.Source.Elsewhere[version.String()], expandVersion(w.Source.Location, version)), SHA256: w.Source.SHA256[version.String()],
		Layer: w.Name, Version: version.String(),
		Runtimes: strings.Join(w.Runtimes, ","), Architectures: strings.Join(w.Architectures, ","),
	}
	if _, _, s3 := a.S3(); !s3 {
		a.Commit = commit
	}
	return a
}

// DescriptionOf returns what layer.yaml says of one version of the layer.
func (s Source) DescriptionOf(version *semver.Version) string {
	return expandVersion(s.Description, version)
}

// Archives returns the paths in the repository that its layers are published from, each
// once and in order. ${VERSION} stands in them where a version does.
func (t Tree) Archives() []string {
	var list []string
	for _, e := range t.Environments {
		for _, w := range e.Layers {
			if w.Source != nil && w.Source.Location != "" && !strings.HasPrefix(w.Source.Location, "s3://") {
				list = append(list, w.Source.Location)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func expandVersion(text string, version *semver.Version) string {
	return expandText(text, map[string]string{"VERSION": version.String()})
}

// source fills in what the layer's versions are published from. values has all
// variables but the version.
func (b *builder) source(w *LayerWish, info *layerInfo, values map[string]string) {
	f := info.file.Artifact
	if f.Location == "" {
		return
	}
	at := info.root.Get("artifact")
	if at.Kind == mapping {
		at = at.Get("location")
	}
	s := &Source{Location: expandText(f.Location, values), SHA256: map[string]string{}, At: at.Where()}
	if e := artifactForm(s.Location); e != nil { // that of this environment alone: the file was judged before
		b.problem(e.Code, b.positionOf(b.root.Get("layers", w.Name)), fmt.Sprintf("artifact of layer %q: here %s", w.Name, e.Message), "")
		return
	}
	for version, hash := range f.SHA256 {
		if v, err := ParseVersion(version); err == nil && v.Kind == Exact {
			s.SHA256[v.Semver.String()] = strings.ToLower(string(hash))
		}
	}
	s.Description, s.License = expandText(info.file.Description, values), expandText(info.file.License, values)
	w.Source = s
}

// bucketShape is S3's rule for the name of a bucket, but for its least length: a name
// that is too short is found missing like any other.
var bucketShape = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// maxKey is how many bytes S3 allows a key.
const maxKey = 1024

// artifactForm judges where an archive is. Variables may stand in it; what they stand
// for is judged again once it is known.
func artifactForm(text string) *formError {
	if e := plainForm(text); e != nil {
		return e
	}
	fault := artifactFault(text)
	if fault == "" {
		return nil
	}
	e := &formError{Code: "bad_artifact", Message: fmt.Sprintf("%q %s", text, fault), Offset: -1}
	if guess := likelyArtifact(text); guess != text && guess != "" && artifactFault(guess) == "" {
		e.Suggestion = guess
	}
	return e
}

// artifactFault returns what is wrong with the location of an archive; empty = nothing.
func artifactFault(text string) string {
	bare := variable.ReplaceAllString(text, "x0x")
	rest, s3 := strings.CutPrefix(bare, "s3://")
	if s3 {
		return objectFault(rest)
	}
	segments := strings.Split(bare, "/")
	switch {
	case strings.Contains(bare, ":"):
		return "is neither s3://BUCKET/KEY nor a path in the repository"
	case strings.HasPrefix(bare, "/") || strings.HasPrefix(bare, "~"):
		return "is no path in the repository: it must begin at the folder of layerd.yaml"
	case strings.Contains(bare, `\`):
		return "has a backslash; folders are divided by /"
	case slices.Contains(segments, ".."):
		return "has .. in it, which may lead out of the repository"
	case slices.Contains(segments, "") || slices.Contains(segments, ".") || strings.TrimSpace(bare) != bare:
		return "is not a plain path: a part of it is empty, a dot, or a space"
	}
	return ""
}

// objectFault is artifactFault for what follows s3://.
func objectFault(rest string) string {
	bucket, key, _ := strings.Cut(rest, "/")
	switch {
	case !bucketShape.MatchString(bucket):
		return "names no bucket: up to 63 lower-case letters, digits, dots and hyphens"
	case strings.HasPrefix(key, "/"):
		return "has two slashes after the bucket"
	case strings.TrimSpace(key) == "" || strings.HasSuffix(key, "/"):
		return "names no object in the bucket: write s3://BUCKET/KEY"
	case len(key) > maxKey:
		return fmt.Sprintf("has a key of more than %d bytes", maxKey)
	}
	return ""
}

// objectAddress is the address of an object as browsers have it: the bucket in the
// name of the host, or in the path.
var objectAddress = regexp.MustCompile(`^https?://(?:([a-z0-9.-]+)\.s3[a-z0-9.-]*\.amazonaws\.com(?:\.cn)?|s3[a-z0-9.-]*\.amazonaws\.com(?:\.cn)?/([a-z0-9.-]+))/(.+)$`)

// likelyArtifact returns what the writer of a wrong location most likely meant; empty =
// nobody knows.
func likelyArtifact(text string) string {
	if m := objectAddress.FindStringSubmatch(text); m != nil {
		return "s3://" + m[1] + m[2] + "/" + m[3]
	}
	if _, object, ok := strings.Cut(text, ":s3:::"); ok {
		return "s3://" + object
	}
	if len(text) > len("s3://") && strings.EqualFold(text[:len("s3://")], "s3://") {
		bucket, key, _ := strings.Cut(strings.TrimLeft(text[len("s3://"):], "/"), "/")
		return "s3://" + bucket + "/" + strings.TrimLeft(key, "/")
	}
	if strings.HasPrefix(text, "/") {
		return "" // of this machine, most likely
	}
	parts := strings.FieldsFunc(strings.TrimSpace(text), func(r rune) bool { return r == '/' || r == '\\' })
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "." }), "/")
}
