package desired

import (
	"fmt"
	"maps"
	"slices"
)

// layerInfo is one layer.yaml.
type layerInfo struct {
	path string
	root *node
	file layerFile
}

func (l *loader) readLayers() {
	for _, e := range l.list("layers") {
		full := "layers/" + e.Name()
		info := &layerInfo{path: full + "/layer.yaml"}
		switch {
		case e.Type()&fsLink != 0:
			l.fileProblem("symlink", full, "", "is a link; links are not followed", "make it a folder")
			l.layers = append(l.layers, info)
			continue
		case !e.IsDir():
			continue
		}
		l.misnamed(full+"/layer.yml", "layer.yaml", "")
		root, found := l.read(info.path, "layer", "")
		if !found {
			continue
		}
		l.layers = append(l.layers, info)
		if root == nil {
			continue
		}
		root = longRetention(root, "retention_policy")
		info.root = root
		if err := root.Decode(&info.file); err != nil {
			l.fileProblem("internal", info.path, "", err.Error(), "")
			continue
		}
		l.layer(info)
	}
}

// layer checks one layer.yaml against the others and in itself.
func (l *loader) layer(info *layerInfo) {
	name := info.file.Name
	if name == "" {
		return
	}
	if other, ok := l.byName[name]; ok {
		l.add(problemAt("duplicate_layer", info.root.Get("name").Where(), fmt.Sprintf("layer %q is already in %s", name, other.path), ""))
		return
	}
	l.byName[name] = info
	// One live number is one version, in each environment and Region.
	seen := map[string]string{}
	for _, version := range slices.Sorted(maps.Keys(info.file.Known)) {
		for _, env := range slices.Sorted(maps.Keys(info.file.Known[version])) {
			entry := info.file.Known[version][env]
			numbers := map[string]int64{"": entry.number}
			if entry.byRegion != nil {
				numbers = entry.byRegion
			}
			for _, region := range slices.Sorted(maps.Keys(numbers)) {
				key := fmt.Sprintf("%s %s %d", env, region, numbers[region])
				if first, twice := seen[key]; twice {
					l.add(problemAt("known_twice", info.root.Get("known", version, env).Where(),
						fmt.Sprintf("number %d in %s is already known as %s", numbers[region], env, first), ""))
				}
				seen[key] = version
			}
		}
	}
}

// knownNames warns about known numbers of environments that do not exist: most
// often a misspelt name, and the number is then not used at all.
func (l *loader) knownNames() {
	for _, info := range l.layers {
		for version, envs := range info.file.Known {
			for env := range envs {
				if slices.Contains(l.names, env) {
					continue
				}
				p := problemAt("unknown_environment", info.root.Get("known", version, env).Key.Position,
					fmt.Sprintf("there is no environment %q", env), nearest(env, l.names))
				p.Severity = Warning
				l.add(p)
			}
		}
	}
}

// known returns the live numbers of one environment and Region.
func (info *layerInfo) known(env, region string) map[string]int64 {
	m := map[string]int64{}
	for version, envs := range info.file.Known {
		entry, ok := envs[env]
		number := entry.number
		if entry.byRegion != nil {
			number, ok = entry.byRegion[region]
		}
		if v, err := ParseVersion(version); err == nil && ok {
			m[v.Text] = number
		}
	}
	return m
}

// byVersion returns what a layer.yaml says of exact versions, by their canonical form.
func byVersion(of map[string]string) map[string]string {
	m := map[string]string{}
	for version, reason := range of {
		if v, err := ParseVersion(version); err == nil {
			m[v.Text] = reason
		}
	}
	return m
}
