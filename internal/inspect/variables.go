package inspect

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

var (
	versionVariable = regexp.MustCompile(`(?i)^([A-Z0-9_]*_)?LAYERS?_?(VERSION|VERSION_ARN|ARN)(_[A-Z0-9_]+)?$`)
	versionValue    = regexp.MustCompile(`^v?[0-9]{1,9}(\.[0-9]{1,9}){0,2}(-[0-9A-Za-z.-]{1,40})?(\+[0-9A-Za-z.-]{1,40})?$`)
)

// NamesVersion reports whether a variable of this name is meant to name the version of a
// layer. The value of no other variable is anybody's to read.
func NamesVersion(variable string) bool { return versionVariable.MatchString(variable) }

// ShownVersion returns the value of such a variable, and nothing where it does not look
// like a version: then it may be a secret under an odd name.
func ShownVersion(value string) string {
	value = strings.TrimSpace(value)
	if _, _, ok := state.LayerVersionARN(value).Split(); ok && len(value) < 300 || versionValue.MatchString(value) {
		return value
	}
	return ""
}

// variables holds what variables say of layers against what is attached.
func (x *exam) variables() {
	if x.VariablesUnread != "" {
		x.add(Finding{Code: "variable_unread", Severity: Note, Subject: x.Name, Evidence: given(x.VariablesUnread), Message: "its variables are not known: AWS could not decrypt them for this caller",
			Command: x.aws("get-function-configuration", "--function-name", x.Name, "--query", "Environment.Error")})
	}
	for _, name := range slices.Sorted(maps.Keys(x.Variables)) {
		value := x.Variables[name]
		candidates := x.meant(name)
		if len(candidates) == 0 {
			continue // there is no layer that it could speak of
		}
		f := Finding{Subject: x.Name, Command: x.aws("get-function-configuration", "--function-name", x.Name, "--query", "Environment.Variables."+name)}
		if value == "" {
			f.Code, f.Severity, f.Message = "variable_unread", Note, fmt.Sprintf("the variable %s has a value that is no version, which is not shown", name)
			x.add(f)
			continue
		}
		var evidence []string
		agrees, unknown := false, false
		for _, a := range candidates {
			says, known := saysVersion(value, a)
			agrees, unknown = agrees || says, unknown || !known
			evidence = append(evidence, "attached: "+a.Name())
		}
		switch {
		case agrees:
			x.right("%s=%s agrees with what is attached", name, value)
			continue
		case unknown:
			f.Code, f.Severity, f.Message = "variable_unread", Note, fmt.Sprintf("whether %s=%s is right is not known: nothing names the semantic version of what is attached", name, value)
		default:
			f.Code, f.Severity, f.Message = "variable_lies", Warning, fmt.Sprintf("%s=%s, and that is not attached: logs and dashboards that use it show the wrong version", name, value)
			f.Advice = "remove the variable: nothing keeps it in step with the layer"
		}
		f.Evidence = some(evidence)
		x.add(f)
	}
}

// meant returns the layers that a variable may speak of: those whose names its own name
// has, else all.
func (x *exam) meant(variable string) []Attached {
	flat := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == '-' || r == '_' {
				return -1
			}
			return r
		}, strings.ToLower(s))
	}
	prefix, suffix := "", ""
	if m := versionVariable.FindStringSubmatch(variable); m != nil {
		prefix, suffix = flat(m[1]), flat(m[3])
	}
	var named []Attached
	for _, a := range x.Layers {
		layer := flat(a.ARN.Layer().Name())
		if prefix != "" && strings.Contains(layer, prefix) || suffix != "" && strings.Contains(layer, suffix) {
			named = append(named, a)
		}
	}
	if len(named) > 0 {
		return named
	}
	return x.Layers
}

// saysVersion reports whether a value names a layer version; known is false where its
// semantic version would decide and is not known.
func saysVersion(value string, a Attached) (says, known bool) {
	if _, _, ok := state.LayerVersionARN(value).Split(); ok {
		return value == string(a.ARN), true
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return n == a.ARN.Number(), true
	}
	want, err := semver.NewVersion(value)
	if err != nil || a.Label == "" {
		return false, a.Label != ""
	}
	have, err := semver.NewVersion(a.Label)
	return err == nil && have.Equal(want), true
}

// signing holds the layers against what the function's code signing trusts.
func (x *exam) signing() {
	show := x.aws("get-function-code-signing-config", "--function-name", x.Name)
	switch {
	case x.SigningUnread != "":
		x.add(Finding{Code: "signing_unknown", Severity: NotSeen, Subject: x.Name, Evidence: given(x.SigningUnread), Command: show,
			Message: "whether it takes signed layers only is not known"})
		return
	case x.Signing == nil:
		return
	}
	for _, a := range x.Layers {
		if a.Gone != "" || a.Unread != "" || slices.Contains(x.Signing.Allowed, a.Signer) {
			continue
		}
		f := Finding{Code: "unsigned_layer", Severity: Error, Subject: string(a.ARN), Command: show,
			Message: "is not signed, and the function takes signed layers only: an update that names it is refused",
			Advice:  "publish it signed by a profile that the function trusts"}
		if a.Signer != "" {
			f.Message = "is signed by a profile that the function does not trust: an update that names it is refused"
			f.Evidence = []string{"signed by " + a.Signer}
		}
		if !x.Signing.Enforce {
			f.Severity = Warning
			f.Message, _, _ = strings.Cut(f.Message, ":")
			f.Message += ": AWS only warns"
		}
		f.Evidence = append(f.Evidence, "trusted: "+words.And(x.Signing.Allowed))
		x.add(f)
	}
}
