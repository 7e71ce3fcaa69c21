package demo

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
)

// Where the archives of makoto-common are; examples/repo names the same.
const (
	bucket = "makoto-artifacts"
	folder = "layers/common"
)

func key(version string) string { return folder + "/" + version + ".zip" }

// The change that 1.4.2 is made of: one line of one file.
const (
	edited = folder + "/python/makoto_common/log.py"
	before = `_HIDDEN = ("authorization", `
	after  = `_HIDDEN = ("api_key", "authorization", `
)

// packed is an archive, and what it is.
type packed struct {
	archive.Packed
	zip   []byte
	layer archive.Layer
}

// build makes the archive of makoto-common of a commit, as layerd build does where there
// is nothing to install.
func build(ctx context.Context, repo *gitrepo.Repo, commit, version string) (p packed, err error) {
	files, err := daemon.FilesOf(repo)(ctx, commit, folder)
	if err != nil {
		return p, err
	}
	root, err := fs.Sub(files, folder)
	if err != nil {
		return p, err
	}
	d, problems := desired.DescribeLayer(root)
	p.layer = archive.Layer{
		Name: d.Name, Version: version, Commit: commit, License: d.License, Runtimes: d.Runtimes, Architectures: d.Architectures, Imports: d.Imports,
	}
	own, more, err := archive.Own(root)
	if problems = append(problems, more...); err != nil || desired.Errors(problems) {
		return p, errors.Join(err, wrong(problems))
	}
	kept, _ := archive.Clean(own, d.Exclude)
	list, problems, err := archive.Complete(p.layer, kept)
	if err != nil || desired.Errors(problems) {
		return p, errors.Join(err, wrong(problems))
	}
	var out bytes.Buffer
	if p.Packed, err = archive.Pack(&out, list, nil); err != nil {
		return p, err
	}
	p.zip = out.Bytes()
	return p, check(p.zip, p.layer)
}

// check returns what is wrong with an archive, as layerd build would report it.
func check(data []byte, layer archive.Layer) error {
	contents, err := archive.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	return wrong(contents.Check(layer))
}

// wrong returns the errors among problems as one; nil = there are none.
func wrong(problems []archive.Problem) error {
	var errs []error
	for _, p := range problems {
		if p.Severity == desired.Error {
			errs = append(errs, fmt.Errorf("%s [%s]", p.Message, p.Code))
		}
	}
	return errors.Join(errs...)
}

// firstOf returns the first line of an error.
func firstOf(err error) string {
	if err == nil {
		return "(nothing is wrong)"
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

// brokenZip returns an archive that was zipped by hand, from the folder beside the one
// that has the package: nothing of it can be imported, and nothing in it is wrong for AWS.
func brokenZip() []byte {
	return awssim.Zip(map[string]string{"python/requirements.txt": "# nothing\n"})
}

// hasPackage reports whether a layer version has what functions import. Those from before
// the story began have no content here, and are good.
func hasPackage(v awssim.LayerVersion) bool {
	if v.Content == nil {
		return true
	}
	z, err := zip.NewReader(bytes.NewReader(v.Content), int64(len(v.Content)))
	if err != nil {
		return false
	}
	for _, f := range z.File {
		if strings.HasPrefix(f.Name, "python/makoto_common/") {
			return true
		}
	}
	return false
}
