package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// publishFlags say which version, and what it is made of.
type publishFlags struct {
	roundFlags
	env, version, artifact string
	dryRun, allowDirty     bool
	patience               time.Duration
}

func (a *app) publishCommand() *cobra.Command {
	var f publishFlags
	cmd := &cobra.Command{
		Use:   "publish LAYER --env ENV",
		Short: "Publish a version of a layer; attach it to nothing",
		Long: `publish makes a version of a layer in every Region of an environment, of the
artifact that its layer.yaml names. A version that is there already stays as it
is, so that it may be run again. It attaches nothing: what Git asks for is done
by apply and the daemon, which publish by themselves what Git wants.

The version is the one that Git asks for in the environment, or --version; the
archive is the one that layer.yaml names, or --artifact. The first publish of a
version fixes what it holds, in all environments. Freezes and approvals hold for
it as for apply, and so do the lease of the account and the history.

Exit codes: 0 it is there, 1 something failed, 3 it waits for an approval or a
freeze, 75 try again, 78 the desired state or the archive is invalid.`,
		Example: `  layerd publish makoto-common --env prod --repo .
  layerd publish makoto-common --env dev --version 1.5.0 --artifact common.zip
  layerd publish makoto-common --env prod --dry-run --output json`,
		Args:              arguments("LAYER"),
		ValidArgsFunction: a.complete(offerAllLayers),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.publish(cmd.Context(), &f, args[0]) },
	}
	f.repo.add(cmd)
	f.store.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.env, "env", "", "the environment `ENV`")
	fs.StringVar(&f.version, "version", "", "publish this semantic `VERSION` (default: the one that Git asks for)")
	fs.StringVar(&f.artifact, "artifact", "", "make it of this zip `FILE` (default: what layer.yaml names)")
	fs.BoolVar(&f.dryRun, "dry-run", false, "show what would be done; change nothing")
	fs.BoolVar(&f.allowDirty, "allow-dirty", false, "publish of a local folder also where its files are not those of a commit")
	fs.DurationVar(&f.patience, "lease-timeout", 0, "wait so long for the lease of an account that a daemon has (default: not at all)")
	rateFlag(cmd, &f.rate, 5)
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeFlag(offerEnvironments)) // the flag exists
	outputFlag(cmd, &f.output, "text", "json")
	return cmd
}

func (a *app) publish(ctx context.Context, f *publishFlags, layer string) error {
	if err := f.check(); err != nil {
		return err
	}
	src, err := a.load(ctx, f.repo)
	if err != nil {
		return err
	}
	regions, err := environmentAsked(src.tree, f.env)
	if err != nil {
		return err
	}
	if !f.allowDirty && !f.dryRun {
		if err := src.committed(); err != nil {
			return err
		}
	}
	wanted, err := f.wanted(regions[0], layer)
	if err != nil {
		return err
	}
	local, err := f.localArchive()
	if err != nil {
		return err
	}
	if local != nil {
		local.version = wanted.version.Semver.String()
	}
	sum, err := local.sum(ctx, wanted)
	if err != nil {
		return err
	}
	src.tree = wanted.in(src.tree, f.env, local)
	f.envs = []string{f.env}
	open := a.openStore
	if f.dryRun {
		open = a.openToRead
	}
	r, err := a.prepareFrom(ctx, &f.roundFlags, src, open)
	if err != nil {
		return err
	}
	defer r.close()
	if local != nil {
		local.rest = r.round.Artifacts
		r.round.Artifacts = local
	}
	r.round.Only = wanted.is
	result, err := a.publishRound(ctx, f, r)
	r.endProgress()
	return a.finishPublish(f, wanted, sum, result, err)
}

// publishRound makes the round, or only the plan of it.
func (a *app) publishRound(ctx context.Context, f *publishFlags, r prepared) (round.Result, error) {
	if f.dryRun {
		r.round.Asked = nil // a plan names nobody, and looking for them costs a fetch
		return r.round.Plan(ctx)
	}
	leases := a.newLeases(r, f.patience)
	defer leases.release(ctx)
	r.round.Lease = leases.take
	return r.round.Apply(ctx)
}

// wantedVersion is the version of a layer that is to be published.
type wantedVersion struct {
	layer   string
	version desired.Version
	wish    desired.LayerWish
}

// wanted returns which version is meant, or how it was asked for wrongly.
func (f *publishFlags) wanted(e desired.Environment, layer string) (w wantedVersion, err error) {
	var names []string
	for _, wish := range e.Layers {
		names = append(names, wish.Name)
	}
	i := slices.Index(names, layer)
	if i < 0 {
		return w, lacks("layers: "+strings.Join(names, ", "), "%s has no layer %q%s", f.env, layer, didYouMean(layer, names))
	}
	w = wantedVersion{layer: layer, version: e.Layers[i].Version, wish: e.Layers[i]}
	switch {
	case !w.wish.Owned:
		return w, usage("its owner publishes it", "%s is the layer of somebody else: %s", layer, w.wish.Layer)
	case w.wish.Source == nil && f.artifact == "":
		return w, usage("name a zip with --artifact FILE, or artifact in its layer.yaml", "there is nothing that %s could be made of: its layer.yaml has no artifact", layer)
	case f.version != "":
		if w.version, err = desired.ParseVersion(f.version); err != nil {
			return w, usage("", "--version: %w", err)
		}
		if w.version.Kind != desired.Exact {
			return w, usage("numbers are given by AWS; write --version 1.4.2", "--version %s is no semantic version", f.version)
		}
	case w.version.Kind != desired.Exact:
		return w, usage("name one with --version 1.4.2", "%s asks for %s of %s, which is no version that could be published", f.env, w.version, layer)
	}
	if reason, yanked := w.wish.Yanked[w.version.Semver.String()]; yanked {
		return w, &exitError{code: exitInvalid, err: fmt.Errorf("%s %s was yanked: %s", layer, w.version.Semver, reason), hint: "publish another version"}
	}
	return w, nil
}

// is is round.Round.Only.
func (w wantedVersion) is(s plan.Step) bool {
	return s.Kind == plan.KindPublish && s.Layer == w.layer && s.ToVersion == w.version.Semver.String()
}

// in returns the tree with the version asked for: pinned on no function, so that it is
// published and nothing else is decided otherwise than Git asks for.
func (w wantedVersion) in(t desired.Tree, env string, local *localArchive) desired.Tree {
	t.Environments = slices.Clone(t.Environments)
	for i, e := range t.Environments {
		if e.Name != env {
			continue
		}
		layers := slices.Clone(e.Layers)
		for n := range layers {
			l := &layers[n]
			if l.Name != w.layer {
				continue
			}
			if local != nil {
				source := desired.Source{Description: l.Description, SHA256: map[string]string{}, At: l.At}
				if l.Source != nil {
					source = *l.Source
				}
				source.Elsewhere = map[string]string{local.version: local.location}
				l.Source = &source
			}
			// By their texts: semver takes two that differ in their build metadata for equal.
			if l.Version.Kind != desired.Exact || l.Version.Semver.String() != w.version.Semver.String() {
				l.Pins = append(slices.Clone(l.Pins), desired.Pin{Version: w.version, Reason: "layerd publish", At: l.At})
			}
		}
		t.Environments[i].Layers = layers
	}
	return t
}

// localArchive reads one layer's archive from a file of this machine.
type localArchive struct {
	location string // its name
	version  string // that it is, and no other
	reader   *artifact.Reader
	rest     round.Artifacts
}

// localArchive returns what --artifact names; nil = nothing.
func (f *publishFlags) localArchive() (*localArchive, error) {
	if f.artifact == "" {
		return nil, nil
	}
	info, err := os.Stat(f.artifact)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage("layerd build makes one", "--artifact %s: there is no such file", f.artifact)
	case err != nil:
		return nil, fmt.Errorf("--artifact: %w", err)
	case !info.Mode().IsRegular():
		return nil, usage("layerd build makes a zip of a folder", "--artifact %s is not a file", f.artifact)
	}
	path, err := filepath.Abs(f.artifact)
	if err != nil {
		return nil, fmt.Errorf("--artifact: %w", err)
	}
	folder := os.DirFS(filepath.Dir(path))
	files := func(context.Context, string, string) (fs.FS, error) { return folder, nil }
	return &localArchive{location: filepath.Base(path), reader: artifact.New(artifact.Options{Files: files})}, nil
}

func (l *localArchive) of(a state.Artifact) round.Artifacts {
	if a.Location == l.location && a.Version == l.version {
		return l.reader
	}
	return l.rest
}

// Look is round.Artifacts.
func (l *localArchive) Look(ctx context.Context, e desired.Environment, a state.Artifact) (state.Content, error) {
	return l.of(a).Look(ctx, e, a)
}

// Open is round.Artifacts.
func (l *localArchive) Open(ctx context.Context, e desired.Environment, a state.Artifact, found state.Content) (apply.Source, error) {
	return l.of(a).Open(ctx, e, a, found)
}

// Inside is round.Artifacts.
func (l *localArchive) Inside(ctx context.Context, sha256 string) (inspect.Contents, bool) {
	if c, ok := l.reader.Inside(ctx, sha256); ok || l.rest == nil {
		return c, ok
	}
	return l.rest.Inside(ctx, sha256)
}

// finishPublish shows what became of it, and ends with the exit code.
func (a *app) finishPublish(f *publishFlags, w wantedVersion, sum string, result round.Result, err error) error {
	if len(result.Decisions) == 0 {
		if err == nil {
			err = &exitError{code: roundCode(result.Report, f.envs), err: fmt.Errorf("environment %s is left out", f.env)}
		}
		return err
	}
	answer, code := f.published(w, sum, result.Decisions[0])
	if f.output.value == "json" {
		err = errors.Join(a.printJSON(answer), err)
	} else {
		err = errors.Join(a.print(answer.Text(present.Options{Palette: a.palette(), Width: width(a.out)})), err)
	}
	if err != nil {
		return &exitError{code: worst(code, codeOf(err)), err: err}
	}
	return exit(worst(code, problemCode(result.Problems, f.envs)))
}

// published returns what became of the version in each Region, and the exit code. sum is
// the SHA-256 of the archive that was named; empty = none was.
func (f *publishFlags) published(w wantedVersion, sum string, d round.Decision) (answer present.Publication, code int) {
	answer = present.Publication{FormatVersion: "1", Environment: f.env, Layer: w.layer, Version: w.version.Semver.String()}
	for i, r := range d.Plan.Regions {
		view := present.PublicationRegion{Region: r.Want.Region, Account: r.Want.Account, Status: present.PublishedFailed}
		step := slices.IndexFunc(r.Steps, w.is)
		switch {
		case step >= 0:
			code = worst(code, showPublish(&view, r.Steps[step], f.dryRun))
		case r.Failure != nil:
			view.Reason = r.Failure.Message
			code = worst(code, failureCode(r.Failure))
		case len(r.Problems) > 0:
			view.Reason = r.Problems[0].Message
			code = worst(code, problemCode(r.Problems, nil))
		default:
			code = worst(code, f.showPresent(&view, w, sum, d, i))
		}
		answer.Regions = append(answer.Regions, view)
	}
	return answer, code
}

// showPublish fills in what became of a publish step.
func showPublish(view *present.PublicationRegion, s plan.Step, dryRun bool) int {
	view.SHA256, view.Artifact = s.Publishing.Content.SHA256, s.Publishing.Artifact.Location
	switch {
	case s.Done():
		view.Status = present.PublishedNow
		if s.Result.Status == plan.StatusSkipped {
			view.Status = present.PublishedBefore
		}
		view.ARN, view.Number = string(s.Result.Published), s.Result.Published.Number()
		return exitOK
	case s.Held != nil:
		view.Status, view.Reason = present.PublishedHeld, s.Held.Reason
		if dryRun {
			return exitOK
		}
		return exitHeld
	case s.Result == nil && dryRun:
		view.Status = present.PublishedPlanned
		return exitOK
	case s.Result == nil:
		view.Reason = "it was not begun"
		return exitRetry
	}
	view.Reason = s.Result.Error
	if s.Result.Untried {
		return exitRetry
	}
	return exitFailed
}

// showPresent fills in the version that is there already.
func (f *publishFlags) showPresent(view *present.PublicationRegion, w wantedVersion, sum string, d round.Decision, i int) int {
	known, ok := d.Region(i)
	if !ok {
		view.Reason = "the Region was not read"
		return exitRetry
	}
	wish := w.wish
	for _, l := range known.Want.Layers {
		if l.Name == w.layer {
			wish = l
		}
	}
	n, _, found := catalog.New(wish, known.Have, known.Past.Layers[wish.Layer].Numbers).Find(w.version.Semver.String())
	if !found {
		view.Reason = "nothing was decided about it"
		return exitFailed
	}
	if q := ruling.OtherContent(d.Input.Quarantines, view.Region, wish.Layer, n); q != nil {
		view.Reason = q.Reason
		return exitFailed
	}
	first := d.Input.Published[w.layer][w.version.Semver.String()]
	view.Status, view.ARN, view.Number = present.PublishedBefore, string(wish.Layer.Version(n)), n
	live, _ := known.Have.Layer(wish.Layer)
	version, _ := live.Version(n)
	// What was published first as this version, somewhere, need not be what is called so
	// here: known in layer.yaml calls things what it likes.
	stamp, stamped := catalog.ReadStamp(version.Description)
	if stamped && stamp.Is(first) {
		view.SHA256 = first
	}
	if sum == "" {
		return exitOK
	}
	reason, code := f.differs(n, sum, first, stamp, stamped)
	if reason != "" {
		view.Status, view.Reason, view.Artifact, view.SHA256 = present.PublishedFailed, reason, f.artifact, sum
	}
	return code
}

// differs returns why the file that was named is not known to be what version n holds, and
// the exit code; "" = it is. first is the SHA-256 of what was published first under the
// version's name.
func (f *publishFlags) differs(n int64, sum, first string, stamp catalog.Stamp, stamped bool) (reason string, code int) {
	switch {
	case stamped && !stamp.Is(sum):
		return fmt.Sprintf("%s: it is version %d already, and %s holds something else (sha256:%.12s); give the change a version of its own",
			apply.CodeArtifactChanged, n, f.artifact, sum), exitInvalid
	case first != "" && first != sum:
		return fmt.Sprintf("%s: what was published first under that name is sha256:%.12s, and %s holds something else (sha256:%.12s); give the change a version of its own",
			apply.CodeArtifactChanged, first, f.artifact, sum), exitInvalid
	case !stamped: // silence is not that it is the same
		return fmt.Sprintf("it is version %d already, which layerd did not publish, and nothing says whether that holds %s; compare it with the CodeSha256 of aws lambda get-layer-version, or give the change a version of its own",
			n, f.artifact), exitFailed
	}
	return "", exitOK
}

// sum is the SHA-256 of the file that a version is to be made of; empty where none is
// named.
func (l *localArchive) sum(ctx context.Context, w wantedVersion) (string, error) {
	if l == nil {
		return "", nil
	}
	a := state.Artifact{Location: l.location, Layer: w.layer, Version: w.version.Semver.String()}
	found, err := l.reader.Look(ctx, desired.Environment{}, a)
	return found.SHA256, err
}
