package awssim

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Zip makes an archive of name → content: the content layers and functions are
// published with. The same files give the same bytes.
func Zip[T string | []byte](files map[string]T) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range sortedKeys(files) {
		f, _ := z.Create(name) // a buffer never fails
		_, _ = f.Write([]byte(files[name]))
	}
	_ = z.Close()
	return b.Bytes()
}

// anySize is how large the zip of a layer version is of which nobody said: AWS
// knows no empty ones.
const anySize = 1 << 10

// PutFunction puts a function there as if it had always been, replacing the
// $LATEST of one that is; its versions and aliases stay. Nothing is checked
// and no call is logged: a function may hold layers that are gone.
func (w *World) PutFunction(fn Function) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn = fn.clone()
	w.fill(&fn)
	s := w.store(fn.Account, fn.Region)
	f := s.functions[fn.Name]
	if f == nil {
		f = newFunction(s.place, fn.Name)
		s.functions[fn.Name] = f
	}
	f.tags, fn.Tags = fn.Tags, nil
	fn.RuntimeMoves = w.moved[w.runtimeOf(fn)]
	f.latest = &version{Function: fn}
	w.tagged(f, time.Now())
}

// fill gives a seeded function its defaults.
func (w *World) fill(f *Function) {
	f.Account, f.Region = cmp.Or(f.Account, w.opts.Account), cmp.Or(f.Region, w.opts.Region)
	f.PackageType, f.Version = cmp.Or(f.PackageType, "Zip"), "$LATEST"
	f.Role = cmp.Or(f.Role, "arn:"+partition(f.Region)+":iam::"+f.Account+":role/function")
	f.Timeout, f.MemorySize = cmp.Or(f.Timeout, 3), cmp.Or(f.MemorySize, 128)
	f.State, f.LastUpdateStatus = cmp.Or(f.State, "Active"), cmp.Or(f.LastUpdateStatus, "Successful")
	f.RevisionID = cmp.Or(f.RevisionID, w.newID())
	if len(f.Architectures) == 0 {
		f.Architectures = []string{"x86_64"}
	}
	if f.LastModified.IsZero() {
		f.LastModified = time.Now()
	}
	if f.PackageType == "Zip" {
		f.Runtime, f.Handler = cmp.Or(f.Runtime, "python3.12"), cmp.Or(f.Handler, "index.handler")
		if f.Code == nil {
			f.Code = Zip(map[string]string{"index.py": "# " + f.Name})
		}
		f.CodeSize = cmp.Or(f.CodeSize, int64(len(f.Code)))
	}
	f.CodeSha256 = cmp.Or(f.CodeSha256, sum(append([]byte(f.ImageURI), f.Code...)))
}

// PutVersion publishes $LATEST as a new version and returns its number.
func (w *World) PutVersion(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, _ := w.mustFind(name)
	return w.publish(f, nil, time.Now()).Version
}

// PutAlias puts an alias there, unchecked.
func (w *World) PutAlias(a Alias) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a = a.clone()
	a.Account, a.Region = cmp.Or(a.Account, w.opts.Account), cmp.Or(a.Region, w.opts.Region)
	a.RevisionID = cmp.Or(a.RevisionID, w.newID())
	f, _ := w.mustFind(functionARN(place{a.Account, a.Region}, a.Function, ""))
	f.aliases[a.Name] = &a
}

// PutLayerVersion puts a layer version there and returns its number. It may be
// another account's: with Grants that let it be used.
func (w *World) PutLayerVersion(v LayerVersion) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	v = v.clone()
	v.Account, v.Region = cmp.Or(v.Account, w.opts.Account), cmp.Or(v.Region, w.opts.Region)
	if v.Created.IsZero() {
		v.Created = time.Now()
	}
	v.Size = cmp.Or(v.Size, int64(len(v.Content)), anySize)
	for i := range v.Grants {
		v.Grants[i].Sid = cmp.Or(v.Grants[i].Sid, fmt.Sprintf("grant-%d", i+1))
	}
	lv := &layerVersion{LayerVersion: v, described: v.Description != "", revision: w.newID(), policed: len(v.Grants) > 0}
	w.store(v.Account, v.Region).add(lv)
	if lv.CodeSha256 == "" && v.Content != nil {
		lv.CodeSha256 = sum(v.Content)
	} else if lv.CodeSha256 == "" {
		lv.CodeSha256 = sum([]byte(lv.arn())) // versions without content still differ
	}
	return lv.Number
}

// Function returns a copy of a function, one of its versions ("f:3") or what
// an alias points at ("f:live"), by name or ARN.
func (w *World) Function(name string) (Function, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, v := w.find(name)
	if v == nil {
		return Function{}, false
	}
	out := v.clone()
	out.Tags = maps.Clone(f.tags)
	return out, true
}

// Functions returns copies of all functions' $LATEST in all accounts and
// Regions, in the order of their ARNs.
func (w *World) Functions() []Function {
	w.mu.Lock()
	defer w.mu.Unlock()
	byARN := map[string]Function{}
	for _, s := range w.stores {
		for _, f := range s.functions {
			f.settle(time.Now())
			v := f.latest.clone()
			v.Tags = maps.Clone(f.tags)
			byARN[f.arn("")] = v
		}
	}
	var out []Function
	for _, arn := range sortedKeys(byARN) {
		out = append(out, byARN[arn])
	}
	return out
}

// Alias returns a copy of an alias of a function, given by name or ARN.
func (w *World) Alias(function, name string) (Alias, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, _ := w.find(function)
	if f == nil || f.aliases[name] == nil {
		return Alias{}, false
	}
	return f.aliases[name].clone(), true
}

// LayerVersions returns copies of the live versions of a layer, given by name
// or unversioned ARN, newest first.
func (w *World) LayerVersions(layer string) []LayerVersion {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, name := w.home(layer)
	var out []LayerVersion
	for _, v := range w.store(p.account, p.region).layers[name].live() {
		out = append(out, v.clone())
	}
	return out
}

// home reads account and Region from an ARN; a name lives at home.
func (w *World) home(nameOrARN string) (place, string) {
	if parts := strings.SplitN(nameOrARN, ":", 7); len(parts) == 7 && parts[0] == "arn" {
		return place{parts[4], parts[3]}, parts[6]
	}
	return place{w.opts.Account, w.opts.Region}, nameOrARN
}

func (w *World) find(nameOrARN string) (*function, *version) {
	p, rest := w.home(nameOrARN)
	name, qualifier, _ := strings.Cut(rest, ":")
	f := w.store(p.account, p.region).functions[name]
	if f == nil {
		return nil, nil
	}
	f.settle(time.Now())
	v, _ := f.find(qualifier)
	return f, v
}

func (w *World) mustFind(nameOrARN string) (*function, *version) {
	f, v := w.find(nameOrARN)
	if v == nil {
		panic("awssim: no function " + strconv.Quote(nameOrARN))
	}
	return f, v
}
