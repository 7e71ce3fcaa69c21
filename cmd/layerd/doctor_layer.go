package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/state"
)

// doctorLayer examines an archive: a zip here, or that of a layer version.
func (a *app) doctorLayer(ctx context.Context, cmd *cobra.Command, f *doctorFlags) error {
	if f.layer == "" {
		return usage("--layer takes a zip, or the ARN of a layer version", "--layer is empty")
	}
	if err := checkTargets(f); err != nil {
		return err
	}
	var l archive.Layer
	var found inspect.Archive
	var err error
	if strings.HasPrefix(f.layer, "arn:") {
		l, found, err = a.layerVersion(ctx, cmd, f)
	} else {
		l, found, err = a.layerFile(ctx, f)
	}
	if err != nil {
		return err
	}
	if len(f.runtimes) > 0 {
		l.Runtimes = f.runtimes
	}
	if len(f.architectures) > 0 {
		l.Architectures = f.architectures
	}
	v := present.NewExaminedArchive(f.layer, l, found.Contents, inspect.ArchiveOf(f.layer, l, found))
	switch f.output.value {
	case "json":
		err = a.printJSON(v)
	case "sarif":
		if filepath.IsLocal(f.layer) {
			for i := range v.Findings {
				v.Findings[i].File, v.Findings[i].Line = filepath.ToSlash(f.layer), 1
			}
		}
		err = a.printSARIF(f, v.Findings)
	default:
		err = a.print(v.Text(present.Options{Palette: a.palette(), Width: width(a.out)}))
	}
	if err == nil && erring(v.Findings) {
		err = exit(exitFailed)
	}
	return err
}

// checkTargets refuses a runtime and an architecture that do not exist: nothing would be
// held against them.
func checkTargets(f *doctorFlags) error {
	for _, r := range f.runtimes {
		if r == state.CustomRuntime {
			return usage("name a runtime that it is made like, such as python3.12", "--runtime %s names no language that a layer could be held against", r)
		}
		if known, ok := archive.ParseRuntime(r); !ok || known.Version == "" && known.Language != archive.Provided {
			return usage("write it as Lambda does, such as python3.12 or nodejs24.x", "--runtime %s is not a runtime", r)
		}
	}
	machines := []string{"x86_64", "arm64"}
	for _, m := range f.architectures {
		if !slices.Contains(machines, m) {
			return usage("architectures: "+strings.Join(machines, ", "), "--architecture %s is none%s", m, didYouMean(m, machines))
		}
	}
	return nil
}

// layerFile opens a zip on this machine. What it is for says the layer.yaml of the layer
// that its name begins with, where a repository is at hand.
func (a *app) layerFile(ctx context.Context, f *doctorFlags) (l archive.Layer, found inspect.Archive, err error) {
	if found.Contents, err = openArchive(f.layer); err != nil {
		return l, found, err
	}
	if !isFolder(f.repo.repo) {
		return l, found, nil
	}
	src, err := a.load(ctx, f.repo)
	if err != nil {
		return l, found, err
	}
	best := ""
	for _, e := range src.tree.Environments {
		for _, w := range e.Layers {
			rest, ok := strings.CutPrefix(filepath.Base(f.layer), w.Name)
			if ok && len(w.Name) > len(best) && (strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, ".")) {
				best = w.Name
			}
		}
	}
	return describedLayer(src, best), found, nil
}

// describedLayer returns what layer.yaml says of a layer; zero where there is none.
func describedLayer(src source, name string) archive.Layer {
	d, ok := describedAs(src.files, name)
	if !ok {
		return archive.Layer{}
	}
	return archive.Layer{Name: d.Name, License: d.License, Runtimes: d.Runtimes, Architectures: d.Architectures, Imports: d.Imports}
}

// layerVersion reads the archive of a layer version. It is for what it was published for.
func (a *app) layerVersion(ctx context.Context, cmd *cobra.Command, f *doctorFlags) (l archive.Layer, found inspect.Archive, err error) {
	arn := state.LayerVersionARN(f.layer)
	layer, _, ok := arn.Split()
	if !ok {
		return l, found, usage("an ARN of a layer version ends in its number: arn:aws:lambda:REGION:ACCOUNT:layer:NAME:NUMBER", "--layer %s is not the ARN of a layer version", f.layer)
	}
	if f.region != "" && f.region != layer.Region() {
		return l, found, usage("leave --region out", "the ARN is of %s, and --region says %s", layer.Region(), f.region)
	}
	if err := checkRate(f.rate); err != nil {
		return l, found, err
	}
	d := &functionDoctor{app: a, flags: f, region: layer.Region()}
	places, err := d.places(ctx, cmd)
	if err != nil {
		return l, found, err
	}
	at := places[0]
	p, refused, err := at.client.Describe(ctx, arn)
	if err != nil {
		return l, found, err
	}
	if refused != "" {
		return l, found, &exitError{code: exitFailed, err: fmt.Errorf("%s cannot be had: %s", arn, refused), hint: "it is deleted, or not shared with account " + at.env.Account}
	}
	if at.inGit {
		for _, w := range at.env.Layers {
			if arn.Of(w.Layer) {
				l = describedLayer(d.src, w.Name)
			}
		}
	}
	l.Name = layer.Name()
	if len(p.Runtimes) > 0 {
		l.Runtimes = p.Runtimes
	}
	if len(p.Architectures) > 0 {
		l.Architectures = p.Architectures
	}
	return l, fetchLayer(ctx, at.cloud, arn, p), nil
}
