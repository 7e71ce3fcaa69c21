package inspect

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// layer examines one layer version by itself.
func (x *exam) layer(a *Attached) {
	get := x.aws("get-layer-version-by-arn", "--arn", string(a.ARN))
	if region := a.ARN.Layer().Region(); region != "" && x.Region != "" && region != x.Region {
		x.add(Finding{Code: "other_region", Severity: Error, Subject: string(a.ARN), Command: x.why(),
			Message: fmt.Sprintf("is of %s, and the function is in %s: an update that names it is refused", region, x.Region)})
	}
	switch {
	case a.Gone != "":
		f := Finding{Code: "version_gone", Severity: Error, Subject: string(a.ARN), Evidence: given(a.Gone), Command: get,
			Message: "does not exist any more: the function runs on AWS's copy, and every update that names it is refused",
			Advice:  "attach a version that exists; a deleted one never comes back under its number"}
		if account := a.ARN.Layer().Account(); x.Account != "" && account != x.Account {
			f.Message = "is deleted, or not shared with account " + x.Account + " any more: every update that names it is refused"
			f.Advice = "ask account " + account + ", or attach a version that may be read"
		}
		x.add(f)
		return
	case a.Unread != "":
		x.add(Finding{Code: "version_unseen", Severity: NotSeen, Subject: string(a.ARN), Evidence: given(a.Unread), Command: get,
			Message: "whether it exists and may be read is not known"})
		return
	}
	x.declared(a, get)
	if a.Archive.Contents == nil {
		x.add(Finding{Code: "archive_unread", Severity: NotSeen, Subject: string(a.ARN), Evidence: given(a.Archive.Unread),
			Message: "what is in it is not known", Command: x.Layerd("doctor", "--layer", string(a.ARN))})
		return
	}
	before := len(x.Findings)
	x.contents(a)
	switch _, placed := archive.ParseRuntime(x.Runtime); {
	case len(x.Findings) > before:
	case placed:
		x.right("%s exists, and what is in it fits %s on %s", a.Name(), x.Runtime, x.Architecture)
	default: // what such a runtime looks for is not known
		x.right("%s exists, and what is compiled in it is for %s", a.Name(), x.Architecture)
	}
}

// declared holds the function against what the version was published for. AWS compares
// nothing, and an empty list says nothing.
func (x *exam) declared(a *Attached, get string) {
	if state.OtherRuntime(x.Runtime, a.Runtimes) {
		x.add(Finding{Code: "incompatible_runtime", Severity: Warning, Subject: string(a.ARN), Command: get,
			Message:  fmt.Sprintf("is published for %s, and the function runs on %s", words.And(a.Runtimes), x.Runtime),
			Evidence: []string{"CompatibleRuntimes: " + strings.Join(a.Runtimes, ", ")}})
	}
	if len(a.Architectures) > 0 && !slices.Contains(a.Architectures, x.Architecture) {
		x.add(Finding{Code: "incompatible_architecture", Severity: Warning, Subject: string(a.ARN), Command: get,
			Message:  fmt.Sprintf("is published for %s, and the function runs on %s", words.And(a.Architectures), x.Architecture),
			Evidence: []string{"CompatibleArchitectures: " + strings.Join(a.Architectures, ", ")}})
	}
}

// contents holds what is in the archive against the function's runtime. What the layer is
// called in Git is not known here: its live name is another one.
func (x *exam) contents(a *Attached) {
	problems := a.Archive.Check(archive.Layer{Runtimes: given(x.Runtime), Architectures: given(x.Architecture), Imports: a.Imports})
	for _, f := range findingsOf(string(a.ARN), problems) {
		switch f.Code {
		case "large": // of the archive by itself, and no matter of a function's
			continue
		case "wrong_folder":
			if !hasCode(a.Archive.Contents) {
				f.Severity = Warning
			}
		}
		f.Command = x.Layerd("doctor", "--layer", string(a.ARN))
		if i := slices.IndexFunc(x.Wants, func(w Want) bool { return a.ARN.Of(w.ARN) }); i >= 0 {
			f.At = x.Wants[i].At
		}
		x.add(f)
	}
}

// hasCode reports whether there is a file that some language of Lambda's would load: then
// it is in the wrong place. Data may be read from anywhere below /opt.
func hasCode(c *archive.Contents) bool {
	return slices.ContainsFunc(c.Files, func(m archive.Member) bool { return slices.Contains(codeEndings, path.Ext(m.Name)) })
}

var codeEndings = []string{".py", ".pyc", ".so", ".js", ".mjs", ".cjs", ".node", ".rb", ".jar", ".class", ".dll"}

// findingsOf makes one finding of all problems of an archive with one code: what was
// built for another machine has a hundred files and one reason.
func findingsOf(subject string, problems []archive.Problem) (list []Finding) {
	index := map[string]int{}
	for _, p := range problems {
		line := p.Message
		if p.File != "" {
			line = p.File + " " + p.Message
		}
		i, known := index[p.Code]
		if !known {
			i = len(list)
			index[p.Code] = i
			list = append(list, Finding{Code: p.Code, Severity: Warning, Subject: subject, Message: line, Advice: p.Suggestion})
		}
		if p.Severity == strictyaml.Error {
			list[i].Severity = Error
		}
		list[i].Evidence = append(list[i].Evidence, line)
	}
	for i, f := range list {
		if f.Code == "not_examined" {
			list[i].Severity = NotSeen
		}
		switch n := len(f.Evidence); {
		case n == 1:
			list[i].Evidence = []string{}
		default:
			list[i].Message = fmt.Sprintf("%s: %s", words.Count(n, "problem"), codeText(f.Code))
			list[i].Evidence = some(f.Evidence)
		}
	}
	return list
}

// codeText returns what a code means.
func codeText(name string) string {
	i := slices.IndexFunc(codes, func(c Code) bool { return c.Name == name })
	if i < 0 {
		return name
	}
	return codes[i].Text
}

// packages finds one package in two layers in two versions: which is imported depends on
// the order of the layers, and on the files of both.
func (x *exam) packages() {
	type at struct{ layer, version string }
	type key struct {
		kind archive.PackageKind
		name string
	}
	found := map[key][]at{}
	var keys []key
	for _, a := range x.Layers {
		if a.Archive.Contents == nil {
			continue
		}
		for _, p := range a.Archive.Packages {
			k, here := key{p.Kind, p.Name}, at{a.Name(), p.Version}
			if found[k] == nil {
				keys = append(keys, k)
			}
			if !slices.Contains(found[k], here) {
				found[k] = append(found[k], here)
			}
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name)) })
	for _, k := range keys {
		list := found[k]
		differs := slices.ContainsFunc(list, func(o at) bool { return o.layer != list[0].layer && o.version != list[0].version })
		if !differs {
			continue
		}
		var evidence []string
		for _, o := range list {
			evidence = append(evidence, fmt.Sprintf("%s has %s %s", o.layer, k.name, o.version))
		}
		last := list[len(list)-1]
		x.add(Finding{Code: "package_twice", Severity: Warning, Subject: x.Name, Evidence: some(evidence), Command: x.why(),
			Message: fmt.Sprintf("%s is in %s in different versions: %s of %s wins where both have a file, and the rest is mixed", k.name, words.Count(len(list), "layer"), last.version, last.layer),
			Advice:  "keep it in one layer, or pin the same version in both"})
	}
}

// size adds up what the function and its layers take unzipped.
func (x *exam) size() {
	var sum int64
	var lines, unknown []string
	add := func(name string, a Archive) {
		if a.Contents == nil {
			unknown = append(unknown, name+": "+cmp.Or(a.Unread, "unknown"))
			return
		}
		sum += a.Unzipped
		lines = append(lines, fmt.Sprintf("%s: %s", name, words.Bytes(a.Unzipped)))
	}
	add("the function's own package", x.Code)
	for _, l := range x.Layers {
		a := l.Archive
		a.Unread = cmp.Or(a.Unread, l.Gone, l.Unread)
		add(l.Name(), a)
	}
	f := Finding{Subject: x.Name, Evidence: append(lines, unknown...), Command: x.aws("get-function", "--function-name", x.Name, "--query", "Configuration.[CodeSize,Layers]")}
	least := "together"
	if len(unknown) > 0 {
		least = "at least, with what is known"
	}
	figure := fmt.Sprintf("%s of %s unzipped %s", words.Bytes(sum), words.Bytes(archive.MaxUnzipped), least)
	switch {
	case sum > archive.MaxUnzipped:
		f.Code, f.Severity, f.Message = "too_large", Error, "the function and its layers take "+figure+": every update that names them is refused"
		f.Advice = "leave out what is not needed: tests, symbols, what the runtime has itself"
	case len(unknown) > 0:
		f.Code, f.Severity, f.Message = "size_unknown", NotSeen, "how much the function and its layers take is not known: "+figure
	case sum > archive.MaxUnzipped/10*9:
		f.Code, f.Severity, f.Message = "unpacked_at_limit", Warning, "the function and its layers take "+figure+": the next version may not fit"
	default:
		x.right("the function and its layers take %s", figure)
		return
	}
	x.add(f)
	if x.Code.Contents == nil {
		x.add(Finding{Code: "code_unread", Severity: NotSeen, Subject: x.Name, Evidence: given(x.Code.Unread), Command: x.aws("get-function", "--function-name", x.Name),
			Message: "what is in its own package is not known, nor what of its layers that hides"})
	}
}
