package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// publishedDoc is what the content of one semantic version of a layer is, in all
// environments: the first publish fixes it. One document a version, since a layer has
// thousands of them in the end. Stored: names and meanings stay.
type publishedDoc struct {
	head
	SHA256 string `json:"sha256,omitempty"` // lower-case hex; empty = nothing is fixed
	// The publish that fixed it.
	Environment string    `json:"environment,omitempty"`
	Region      string    `json:"region,omitempty"`
	Commit      string    `json:"commit,omitempty"`
	At          time.Time `json:"at,omitzero"`
	// Published: one of them came through. Until then the content is fixed only as long
	// as a record that wants it has no end, and what AWS refused may be mended.
	Published bool                 `json:"published,omitempty"`
	Claims    map[string]time.Time `json:"claims,omitempty"` // by record, while Published is false
	// Versions are those that came of it, of every account and Region: what else is called
	// by this name, as known in Git may, need not have this content.
	Versions []state.LayerVersionARN `json:"versions,omitempty"`
}

func (l *Log) publishedKey(layer, semver string) string {
	return store.Key("published", l.repository, layer, semver)
}

// Published returns the SHA-256 of those semantic versions of a layer, by its name in
// Git, of which the content is fixed: they were published somewhere, or are about to be.
func (l *Log) Published(ctx context.Context, layer string, semvers ...string) (map[string]string, error) {
	found := map[string]string{}
	for _, semver := range semvers {
		d, _, err := docs[publishedDoc](l).Get(ctx, l.publishedKey(layer, semver))
		if err != nil {
			return nil, fmt.Errorf("read what %s %s is: %w", layer, semver, err)
		}
		if d.SHA256 != "" {
			found[semver] = d.SHA256
		}
	}
	return found, nil
}

// ContentOf returns the SHA-256 of a layer version that was published under a semantic
// version of the layer, by its name in Git; empty = nobody knows, since layerd did not
// publish it, or under another one.
func (l *Log) ContentOf(ctx context.Context, layer, semver string, v state.LayerVersionARN) (sha256 string, err error) {
	d, _, err := docs[publishedDoc](l).Get(ctx, l.publishedKey(layer, semver))
	if err != nil {
		return "", fmt.Errorf("read what %s %s is: %w", layer, semver, err)
	}
	if !slices.Contains(d.Versions, v) {
		return "", nil
	}
	return d.SHA256, nil
}

// publishes returns the publish that a record is about; nil = it is about something
// else.
func (rec record) publishes() *Action {
	if len(rec.Steps) == 1 && rec.Steps[0].Kind == plan.KindPublish {
		return &rec.Steps[0]
	}
	return nil
}

// claim fixes what the version is whose publish is about to be tried. Two that try at
// once, in whatever account, meet here: the error is an *apply.RefusedError for whoever
// comes second with another content.
func (l *Log) claim(ctx context.Context, id string, rec record) error {
	s := rec.publishes()
	if s == nil {
		return nil
	}
	var refused error
	err := docs[publishedDoc](l).Update(ctx, l.publishedKey(s.Layer, s.ToVersion), func(d *publishedDoc) bool {
		refused = nil
		switch {
		case d.SHA256 == "":
			*d = publishedDoc{SHA256: s.SHA256, Environment: rec.Environment, Region: rec.Region, Commit: rec.asking(), At: rec.Started}
		case d.SHA256 != s.SHA256:
			refused = d.refuse(*s)
			return false
		case d.Published:
			return false
		}
		if d.Claims == nil {
			d.Claims = map[string]time.Time{}
		}
		d.V, d.Claims[id] = version, rec.Started
		return true
	})
	if err != nil {
		return fmt.Errorf("fix what %s %s is: %w", s.Layer, s.ToVersion, err)
	}
	return refused
}

// asking is the commit that asked for what a record does.
func (rec record) asking() string {
	if s := rec.Steps[0]; s.Asked != nil && s.Asked.Revision != "" {
		return s.Asked.Revision
	}
	return rec.Revision
}

func (d publishedDoc) refuse(s Action) error {
	what := "is being published"
	if d.Published {
		what = "was first published"
	}
	from := ""
	if d.Commit != "" {
		from = " from commit " + words.Commit(d.Commit)
	}
	return &apply.RefusedError{Reason: fmt.Sprintf(
		"%s: %s %s %s in %s (%s) on %s%s as sha256:%.12s, and this archive is sha256:%.12s; a version is the same everywhere, so give the change a version of its own",
		apply.CodeArtifactChanged, s.Layer, s.ToVersion, what, d.Environment, d.Region, d.At.UTC().Format("2006-01-02 15:04 MST"), from, d.SHA256, s.SHA256)}
}

// settleClaim notes how a publish ended. What came through fixes the content for good;
// what did not lets go of it.
func (l *Log) settleClaim(ctx context.Context, id string, rec record, out apply.Outcome) error {
	s := rec.publishes()
	if s == nil {
		return nil
	}
	err := docs[publishedDoc](l).Update(ctx, l.publishedKey(s.Layer, s.ToVersion), func(d *publishedDoc) bool {
		_, claimed := d.Claims[id]
		switch {
		case out.Status == plan.StatusApplied && (d.SHA256 == "" || d.SHA256 == s.SHA256):
			if !d.came(rec, out.Published) {
				return false
			}
		case !claimed:
			return false
		default:
			delete(d.Claims, id)
			if len(d.Claims) == 0 && !d.Published {
				*d = publishedDoc{}
			}
		}
		d.V = version
		return true
	})
	if err != nil {
		return fmt.Errorf("note what %s %s is: %w", s.Layer, s.ToVersion, err)
	}
	return nil
}

// came notes that a publish came through, and reports whether that was news.
func (d *publishedDoc) came(rec record, v state.LayerVersionARN) bool {
	listed := v == "" || slices.Contains(d.Versions, v)
	if d.Published && listed {
		return false
	}
	if d.SHA256 == "" {
		*d = publishedDoc{SHA256: rec.Steps[0].SHA256, Environment: rec.Environment, Region: rec.Region, Commit: rec.asking(), At: rec.Started}
	}
	d.Published, d.Claims = true, nil
	if !listed {
		d.Versions = append(d.Versions, v)
	}
	return true
}

// applyPublishToPast notes which number the semantic version is, so that it stays this
// one. That a version was published makes it none that was applied to a function.
func (l *Log) applyPublishToPast(ctx context.Context, rec record, number state.LayerVersionARN) error {
	s := rec.publishes()
	by := l.fenceOf(rec)
	err := docs[layerDoc](l).Update(ctx, l.layerKey(rec.Environment, rec.Region, s.LayerARN), func(d *layerDoc) bool {
		if d.Fences.staleFor(by) {
			return false
		}
		changed := d.Fences.advance(by)
		changed = d.pinNumber(s.ToVersion, number.Number()) || changed
		d.trim()
		return changed
	})
	if err != nil {
		return fmt.Errorf("remember %s: %w", number, err)
	}
	return nil
}
