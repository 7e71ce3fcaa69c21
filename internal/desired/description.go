package desired

import "io/fs"

// LayerDescription is what a layer.yaml says of a layer itself, for whoever builds and
// examines its archive. The values of variables are not known there.
type LayerDescription struct {
	Name          string
	Description   string
	License       string
	Runtimes      []string
	Architectures []string
	Imports       []string
	Exclude       []string // build.exclude
	Strip         bool     // build.strip
	Run           string   // build.run; empty = none

	artifact string
}

// Artifact returns where the archive of one version is to be, with the variables of an
// environment in it as they stand; empty = layer.yaml does not say.
func (d LayerDescription) Artifact(version string) string {
	return expandText(d.artifact, map[string]string{"NAME": d.Name, "VERSION": version})
}

// DescribeLayer reads layer.yaml at the root of fsys, which is a layer's folder, and
// checks it as Load does. With an error among the problems the description is empty.
func DescribeLayer(fsys fs.FS) (d LayerDescription, problems []Problem) {
	defer func() {
		if p := recover(); p != nil {
			d, problems = LayerDescription{}, []Problem{panicked(Position{File: "layer.yaml"}, p)}
		}
	}()
	c, err := compiled()
	if err != nil {
		return d, []Problem{problemAt("internal", Position{}, err.Error(), "please report it")}
	}
	l := &loader{fsys: fsys, check: c}
	l.misnamed("layer.yml", "layer.yaml", "")
	root, found := l.read("layer.yaml", "layer", "")
	if !found {
		l.fileProblem("no_layer", "layer.yaml", "", "there is no such file", "name the folder of a layer, and write at least its name: there")
	}
	if root == nil || Errors(l.problems) {
		return d, l.problems
	}
	root = longRetention(root, "retention_policy")
	artifact := root.Get("artifact")
	if artifact != nil && artifact.Kind == mapping {
		artifact = artifact.Get("location")
	}
	var f layerFile
	if err := root.Decode(&f); err != nil {
		l.fileProblem("internal", "layer.yaml", "", err.Error(), "")
		return d, l.problems
	}
	d = LayerDescription{
		Name: f.Name, Description: f.Description, License: f.License, Runtimes: texts(f.CompatibleRuntimes), Architectures: texts(f.CompatibleArchitectures),
		Imports: texts(f.Imports), Exclude: f.Build.Exclude, Strip: f.Build.Strip, Run: f.Build.Run,
	}
	if artifact != nil {
		d.artifact = artifact.Text
	}
	return d, l.problems
}
