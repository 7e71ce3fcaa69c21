package inspect

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/words"
)

// shadows finds what hides what: between layers, whose files are merged below /opt, and
// from the function's own package, which comes before all of them.
func (x *exam) shadows() {
	x.files()
	x.modules()
	x.ownModules()
}

// files finds equal paths of two layers with different content: the later layer wins.
func (x *exam) files() {
	type place struct {
		layer int
		crc   uint32
		size  int64
	}
	winner := map[string]place{}
	hidden := map[[2]int][]string{} // loser and winner
	for i, a := range slices.Backward(x.Layers) {
		if a.Archive.Contents == nil {
			continue
		}
		for _, m := range x.Layers[i].Archive.Files {
			if noise(m.Name) {
				continue
			}
			won, taken := winner[m.Name]
			if !taken {
				winner[m.Name] = place{i, m.CRC32, m.Size}
				continue
			}
			if won.layer != i && (won.crc != m.CRC32 || won.size != m.Size) {
				pair := [2]int{i, won.layer}
				hidden[pair] = append(hidden[pair], "/opt/"+m.Name)
			}
		}
	}
	for i := range x.Layers {
		for j := i + 1; j < len(x.Layers); j++ {
			list := hidden[[2]int{i, j}]
			if len(list) == 0 {
				continue
			}
			slices.Sort(list)
			x.add(Finding{Code: "shadowed_file", Severity: Warning, Subject: string(x.Layers[i].ARN), Evidence: some(list), Command: x.why(),
				Message: fmt.Sprintf("%s of it are hidden by %s, which comes later in the function's list", words.Count(len(list), "file"), x.Layers[j].Name()),
				Advice:  "move what both have into one layer, or change their order"})
		}
	}
}

// noise reports whether a file is made anew by whoever packs, and is loaded by nobody.
func noise(name string) bool {
	return strings.HasSuffix(name, ".pyc") || strings.Contains(name, ".dist-info/") || strings.Contains(name, ".egg-info/") || strings.HasPrefix(name, "META-INF/")
}

// modules finds a module that one layer has where Python looks first, and another where it
// looks later. What both have in one folder is a matter of files.
func (x *exam) modules() {
	first, later := x.roots()
	if len(later) == 0 {
		return
	}
	for i := range x.Layers {
		a := &x.Layers[i]
		if a.Archive.Contents == nil {
			continue
		}
		early := modulesIn(a.Archive.Contents, first)
		for j := range x.Layers {
			o := &x.Layers[j]
			if o.Archive.Contents == nil {
				continue
			}
			both := common(early, modulesIn(o.Archive.Contents, later))
			if len(both) > 0 {
				x.add(Finding{Code: "hidden_module", Severity: Warning, Subject: string(o.ARN), Evidence: some(both), Command: x.why(),
					Message: fmt.Sprintf("%s in %s are hidden by those of %s in %s, which is looked at first", words.Count(len(both), "module"), later[0], a.Name(), first[0]),
					Advice:  "put both into the same folder, and keep one"})
			}
		}
	}
}

// ownModules finds modules of layers that the function's own package has as well.
func (x *exam) ownModules() {
	if x.Code.Contents == nil {
		return
	}
	first, later := x.roots()
	if first == nil {
		return
	}
	own := modulesIn(x.Code.Contents, x.ownRoots())
	for _, a := range x.Layers {
		if a.Archive.Contents == nil {
			continue
		}
		both := common(own, modulesIn(a.Archive.Contents, slices.Concat(first, later)))
		if len(both) == 0 {
			continue
		}
		x.add(Finding{Code: "shadowed_by_code", Severity: Warning, Subject: string(a.ARN), Evidence: some(both), Command: x.aws("get-function", "--function-name", x.Name, "--query", "Code.Location"),
			Message: fmt.Sprintf("%s of it are in the function's own package too, which comes first: a new version of the layer changes nothing there", words.Count(len(both), "module")),
			Advice:  "leave them out of the function's package"})
	}
}

// roots returns the folders of a layer where the runtime looks for modules: where first,
// and where later.
func (x *exam) roots() (first, later []string) {
	r, ok := archive.ParseRuntime(x.Runtime)
	switch {
	case !ok:
		return nil, nil
	case r.Language == archive.Python:
		return []string{"python/lib/python" + r.Version + "/site-packages/"}, []string{"python/"}
	case r.Language == archive.Node:
		return []string{"nodejs/node" + r.Version + "/node_modules/"}, []string{"nodejs/node_modules/"}
	}
	return nil, nil
}

// ownRoots is roots for the function's own package.
func (x *exam) ownRoots() []string {
	if r, ok := archive.ParseRuntime(x.Runtime); ok && r.Language == archive.Node {
		return []string{"node_modules/"}
	}
	return []string{""}
}

// modulesIn returns the modules or packages below folders, sorted.
func modulesIn(c *archive.Contents, roots []string) (list []string) {
	seen := map[string]bool{}
	for _, m := range c.Files {
		for _, root := range roots {
			rest, below := strings.CutPrefix(m.Name, root)
			if !below {
				continue
			}
			if name := moduleOf(rest, strings.HasSuffix(root, "node_modules/")); name != "" && !seen[name] {
				seen[name] = true
				list = append(list, name)
			}
		}
	}
	slices.Sort(list)
	return list
}

// moduleOf returns the module that a file belongs to, by its path below where modules are;
// empty where it is none.
func moduleOf(file string, node bool) string {
	top, rest, folder := strings.Cut(file, "/")
	if node {
		switch {
		case !folder || strings.HasPrefix(top, "."):
			return ""
		case strings.HasPrefix(top, "@"):
			name, _, _ := strings.Cut(rest, "/")
			return top + "/" + name
		}
		return top
	}
	code := path.Ext(file) == ".py" || path.Ext(file) == ".so"
	if !code || strings.HasPrefix(rest, "python") && top == "lib" { // python/lib/python3.12/site-packages
		return ""
	}
	if !folder {
		top, _, _ = strings.Cut(top, ".")
	} else if strings.Contains(top, ".") {
		return ""
	}
	return top
}

func common(a, b []string) (both []string) {
	for _, name := range a {
		if _, found := slices.BinarySearch(b, name); found {
			both = append(both, name)
		}
	}
	return both
}
