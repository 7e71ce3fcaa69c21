package desired

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/strictyaml"
)

// Options are what is not in the repository itself.
type Options struct {
	// Now decides whether a pin is expired and whether a calendar ever opens
	// again. When it is zero neither is checked.
	Now time.Time
	// Holders are the environments that own layers since before this commit: who
	// claims one of them as well is the newcomer. Nil = nothing is known.
	Holders map[state.LayerARN]string
	// Bounds are those of the daemon's own file, which win.
	Bounds Bounds
}

const (
	maxEntries    = 5_000    // of one folder
	maxTotalBytes = 64 << 20 // of all files together
)

// environmentName is also what may stand in a layer's name and in a metric.
var environmentName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// loader collects what one Load finds.
type loader struct {
	fsys     fs.FS
	now      time.Time
	check    *strictyaml.Checker
	bytes    int64 // read so far
	names    []string
	problems []Problem

	holders  map[state.LayerARN]string
	bounds   Bounds // of layerd.yaml
	boundsAt *node
	daemon   Bounds // of the daemon's own file
	defaults *node  // of layerd.yaml, normalised; nil without
	store    string
	layers   []*layerInfo
	byName   map[string]*layerInfo
	wishes   []built
	after    map[string]*node // by environment: the one that it waits for
}

// built is an environment in one Region, with what its validity depends on.
type built struct {
	Environment
	uses []string // names of its layers
	// loose is true when one of them has no layer.yaml we could read.
	loose  bool
	shares []shareEntry // of all layers
}

// Load reads the repository whose root is fsys. It never panics and never
// returns an error: everything wrong is a Problem, all of them at once. An
// environment that a problem makes invalid is left out of Environments and is
// in Invalid; the others are whole. Links are never followed.
func Load(fsys fs.FS, o Options) Tree {
	r := Open(fsys, o)
	var parts []Part
	for _, name := range r.Files() {
		parts = append(parts, r.Read(name))
	}
	return r.Tree(parts)
}

func (l *loader) add(list ...Problem) { l.problems = append(l.problems, list...) }

// fileProblem adds a problem about a whole file.
func (l *loader) fileProblem(code, file, env, message, suggestion string) {
	p := problemAt(code, Position{File: file, Line: 1, Column: 1, Length: 1}, message, suggestion)
	p.Environment = env
	l.add(p)
}

// list returns the entries of a folder, sorted. A missing folder has none.
func (l *loader) list(folder string) []fs.DirEntry {
	info, err := fs.Lstat(l.fsys, folder)
	switch {
	case err != nil:
		if !isMissing(err) {
			l.fileProblem("unreadable", folder, "", "cannot be read: "+reasonOf(err), "")
		}
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		l.fileProblem("symlink", folder, "", "is a link; links are not followed", "make it a folder")
		return nil
	case !info.IsDir():
		l.fileProblem("not_a_file", folder, "", "must be a folder", "")
		return nil
	}
	entries, err := readDir(l.fsys, folder, maxEntries+1)
	if err != nil {
		l.fileProblem("unreadable", folder, "", "cannot be read: "+reasonOf(err), "")
		return nil
	}
	if len(entries) > maxEntries {
		l.fileProblem("too_many_files", folder, "", fmt.Sprintf("has more than %d entries", maxEntries), "")
		return nil
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries
}

// readDir reads at most n entries, so that a folder of a billion costs no more.
func readDir(fsys fs.FS, folder string, n int) ([]fs.DirEntry, error) {
	f, err := fsys.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return fs.ReadDir(fsys, folder)
	}
	entries, err := d.ReadDir(n)
	if len(entries) > 0 || isEnd(err) {
		return entries, nil
	}
	return entries, err
}

// read reads and parses one file and checks it against $defs/schema. root is
// nil when there is no file, and when nothing of it can be used.
func (l *loader) read(file, schema, env string) (root *node, found bool) {
	info, err := fs.Lstat(l.fsys, file)
	switch {
	case err != nil && isMissing(err):
		return nil, false
	case err != nil:
		l.fileProblem("unreadable", file, env, "cannot be read: "+reasonOf(err), "")
		return nil, true
	case info.Mode()&fs.ModeSymlink != 0:
		l.fileProblem("symlink", file, env, "is a link; links are not followed", "put the file itself here")
		return nil, true
	case !info.Mode().IsRegular():
		l.fileProblem("not_a_file", file, env, "is not a file", "")
		return nil, true
	}
	if l.bytes += counted(info); l.bytes > maxTotalBytes {
		l.fileProblem("too_many_files", file, env, fmt.Sprintf("all files together have more than %d bytes", maxTotalBytes), "")
		return nil, true
	}
	data, err := strictyaml.ReadFile(l.fsys, file)
	if err != nil {
		l.fileProblem("unreadable", file, env, "cannot be read: "+reasonOf(err), "")
		return nil, true
	}
	root, problems := strictyaml.Parse(file, data, "layerd.yaml's defaults")
	if root != nil {
		var more []Problem
		if schema == "environment" && root.Empty {
			l.fileProblem("empty_file", file, env, "the file is empty", "")
			return nil, true
		}
		root, more = l.check.Check(schema, root)
		problems = append(problems, more...)
		problems = append(problems, variables(root, schema == "layer")...)
	}
	for i := range problems {
		problems[i].Environment = env
	}
	l.add(problems...)
	return root, true
}

// counted is what a file adds to the size of all: what is read of it, so that one that
// is too large is its own matter.
func counted(info fs.FileInfo) int64 { return min(info.Size(), strictyaml.MaxFileBytes+1) }

// readLayerd reads layerd.yaml. What stands there for the whole repository
// becomes a default like the others.
func (l *loader) readLayerd() {
	l.misnamed("layerd.yml", "layerd.yaml", "")
	root, _ := l.read("layerd.yaml", "layerd", "")
	if root == nil {
		return
	}
	var f layerdFile
	if err := root.Decode(&f); err != nil {
		l.fileProblem("internal", "layerd.yaml", "", err.Error(), "")
		return
	}
	l.store = f.Store
	l.boundsAt = root.Get("bounds")
	l.readBounds(f.Bounds)
	if f.Store == "memory:" {
		p := problemAt("check_off", root.Get("store").Where(), "memory: keeps nothing: each command forgets approvals, quarantines and what was applied when it ends", "")
		p.Severity = Warning
		l.add(p)
	}
	base := &node{Position: root.Position, Kind: mapping}
	for _, key := range []string{"timezone", "freezes"} {
		if n := root.Get(key); n != nil {
			base = base.Set(n.Key, n)
		}
	}
	l.defaults = base
	if d := root.Get("defaults"); d != nil {
		l.defaults = merge(base, normalise(d))
	}
}

// misnamed reports a file under a name that is nearly right, which would
// otherwise be ignored.
func (l *loader) misnamed(file, right, env string) {
	if _, err := fs.Lstat(l.fsys, file); err == nil {
		l.fileProblem("wrong_extension", file, env, "is not read under this name", "rename it to "+path.Base(right))
	}
}

// listEnvironments finds the environments and the files to be read.
func (l *loader) listEnvironments() []environmentPath {
	entries := l.list("environments")
	var files []environmentPath
	bytes := l.bytes
	for _, e := range entries {
		base, full := e.Name(), "environments/"+e.Name()
		ext := path.Ext(base)
		name := strings.TrimSuffix(base, ext)
		lower := strings.ToLower(ext)
		switch {
		case strings.HasPrefix(base, "."), lower != ".yaml" && lower != ".yml" && !e.IsDir():
			continue // a README, an editor's backup
		case e.IsDir() && ext == ".yaml" && environmentName.MatchString(name):
			// A folder or a submodule in its place does not remove an environment.
			l.fileProblem("not_a_file", full, name, "is not a file", "put the file itself here")
		case e.IsDir():
			p := problemAt("not_a_file", Position{File: full, Line: 1, Column: 1, Length: 1}, "folders in here are not read; each environment is a file", "")
			p.Severity = Warning
			l.add(p)
			continue
		case !environmentName.MatchString(name):
			l.fileProblem("bad_environment_name", full, "", fmt.Sprintf("%q is not a name for an environment: up to 64 letters, digits, - and _", name), "")
			continue
		case ext != ".yaml":
			l.fileProblem("wrong_extension", full, name, "is not read under this name", "rename it to "+name+".yaml")
		default:
			files = append(files, environmentPath{name, full, bytes})
			if info, err := e.Info(); err == nil {
				bytes += counted(info)
			}
		}
		l.names = append(l.names, name)
	}
	slices.Sort(l.names)
	l.names = slices.Compact(l.names)
	if len(l.names) == 0 {
		l.fileProblem("no_environment", "environments", "", "the repository has no environment", "write environments/dev.yaml")
	}
	return files
}

// environment builds one environment for each of its Regions.
func (l *loader) environment(name, file string, root *node) {
	report := func(code string, at Position, message, suggestion string) {
		p := problemAt(code, at, message, suggestion)
		if at.File == file {
			p.Environment = name
		}
		l.add(p)
	}
	if root.Get("region") != nil && root.Get("regions") != nil {
		report("region_and_regions", root.Get("regions").Key.Position, "region and regions at once", "keep one of them")
	}
	if !root.Has("account") {
		report("missing_account", Position{File: file, Line: 1, Column: 1, Length: 1}, "the environment has no account", `account: "123456789012"`)
	}
	if a := root.Get("after", "environment"); a != nil {
		l.after[name] = a
		if !slices.Contains(l.names, a.Text) {
			report("unknown_environment", a.Where(), fmt.Sprintf("there is no environment %q", a.Text), nearest(a.Text, slices.DeleteFunc(slices.Clone(l.names), func(other string) bool { return other == name })))
		}
	}
	var places []*node
	if r := root.Get("region"); r != nil {
		places = append(places, r)
	} else if r := root.Get("regions"); r != nil {
		places = r.Items
	} else if !root.Has("region") && !root.Has("regions") {
		report("missing_region", Position{File: file, Line: 1, Column: 1, Length: 1}, "the environment has no region", "")
	}
	seen := map[string]bool{}
	for _, r := range places {
		if seen[r.Text] {
			report("duplicate_region", r.Where(), fmt.Sprintf("Region %s a second time", r.Text), "")
			continue
		}
		seen[r.Text] = true
		if p := state.PartitionOf(places[0].Text); p != state.PartitionOf(r.Text) {
			report("mixed_partitions", r.Where(), fmt.Sprintf("%s is not in partition %s like %s; no account has both", r.Text, p, places[0].Text), "")
		}
		l.region(name, file, r.Text, root)
	}
}

func (l *loader) region(name, file, region string, root *node) {
	values := map[string]string{"ENVIRONMENT": name, "REGION": region, "PARTITION": state.PartitionOf(region)}
	if a := root.Get("account"); a != nil {
		values["ACCOUNT"] = a.Text
	}
	// What was right with its variables may be wrong with their values.
	expanded, problems := l.check.Check("environment", expandEnvironment(root, values))
	b := &builder{name: name, path: file, region: region, now: l.now, root: expanded, layers: l.byName, limits: limits{l.bounds.entry(name, values), l.daemon.entry(name, values)}}
	for _, p := range problems {
		b.problem(p.Code, p.Position, p.Message, p.Suggestion)
	}
	if err := expanded.Decode(&b.file); err != nil {
		b.problem("internal", expanded.Position, err.Error(), "")
	}
	e := built{Environment: b.environment()}
	for layer := range b.file.Layers {
		e.uses = append(e.uses, layer)
		e.loose = e.loose || !expanded.Get("layers", layer).Has("arn") && l.byName[layer] == nil
	}
	e.shares = b.shares
	l.wishes = append(l.wishes, e)
	l.add(b.problems...)
}
