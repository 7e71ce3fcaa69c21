package archive

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// known are the top-level folders that some runtime looks at.
var known = []string{"python", "nodejs", "ruby", "java", "dotnetcore", "dotnet", "bin", "lib", "extensions"}

// aside are files that stand beside a layer's content where all of its folder is that.
var aside = []string{"layer.yaml", "VERSION", "build.sh", "Dockerfile", "Makefile", "dist"}

// Own returns the files of a layer's own folder: what is in those folders that runtimes
// look at, and where it has none of them everything but what tells how it is built. What
// installers read is not in it: requirements.txt, and nodejs/node_modules, which npm
// makes anew.
func Own(root fs.FS) (files []File, problems []Problem, err error) {
	beside, err := besides(root)
	if err != nil {
		return nil, nil, err
	}
	files, problems, err = Collect(root, "", func(name string, _ bool) bool { return beside(name) })
	if err != nil {
		return nil, nil, fmt.Errorf("read the layer's folder: %w", err)
	}
	return files, problems, nil
}

// Takes reports whether a file of this name in a layer's own folder would be part of its
// archive.
func Takes(root fs.FS, name string) (bool, error) {
	beside, err := besides(root)
	return err == nil && !beside(name), err
}

// besides returns what reports whether a path is beside a layer's content, and no part
// of it.
func besides(root fs.FS) (func(name string) bool, error) {
	entries, err := fs.ReadDir(root, ".")
	if err != nil {
		return nil, fmt.Errorf("read the layer's folder: %w", err)
	}
	laidOut := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return slices.Contains(known, e.Name()) })
	return func(name string) bool {
		top, below, _ := strings.Cut(name, "/")
		switch {
		case laidOut && !slices.Contains(known, top):
			return true
		case !laidOut && (slices.Contains(aside, top) || strings.HasPrefix(top, ".") || strings.HasPrefix(top, "README") || strings.HasPrefix(top, "CHANGELOG")):
			return true
		}
		return top == "python" && below == "requirements.txt" || top == "nodejs" && below == "node_modules"
	}, nil
}

// Packages returns the packages of others among files, by what they say of themselves.
func Packages(files []File) (list []Package, err error) {
	for _, f := range files {
		parse := pythonPackage
		switch {
		case f.Size > maxMetadata:
			continue
		case strings.HasSuffix(f.Name, ".dist-info/METADATA"):
		case strings.HasSuffix(f.Name, "/package.json"):
			parse = nodePackage
		default:
			continue
		}
		data, err := content(f)
		if err != nil {
			return nil, err
		}
		if p, err := parse(f.Name, data); err == nil && p.Name != "" { // what says nothing of a package is none
			list = append(list, p)
		}
	}
	sortPackages(list)
	return list, nil
}

// Complete writes what an archive says of itself and of its packages, as the last thing
// before it is packed.
func Complete(l Layer, files []File) ([]File, []Problem, error) {
	files, err := Records(files)
	if err != nil {
		return nil, nil, err
	}
	packages, err := Packages(files)
	if err != nil {
		return nil, nil, err
	}
	manifest, err := NewManifest(l, packages)
	if err != nil {
		return nil, nil, err
	}
	files, problems := Merge(files, []File{manifest})
	return files, problems, nil
}
