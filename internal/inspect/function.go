package inspect

import (
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// Subject is one function and all that was learned of it. What was not learned says
// why, and is shown as unknown.
type Subject struct {
	state.Function              // $LATEST
	Alias          string       // what is examined: an alias or a version; empty = $LATEST
	Serves         state.Served // of Alias
	Aliases        []state.Alias
	AliasLayers    map[string]state.Layers // what each alias serves, where that was read
	AliasesUnread  string                  // why they are not all known; empty = they are
	Layers         []Attached              // of what is examined, in AWS's order
	Code           Archive                 // the function's own package
	Region         string
	Account        string
	Signing        *state.Signing // nil: it takes any layer, unless SigningUnread
	SigningUnread  string
	Variables      map[string]string // by name: what they say of a layer's version, and nothing else
	// VariablesUnread is AWS's reason why the variables are not known; empty = they are.
	VariablesUnread string
	Writer          Writer
	Now             time.Time
	// Environment is the one in Git, nil without a repository; Wants is what it asks for.
	Environment *desired.Environment
	Wants       []Want
	// Beside are the other environments of the same account and Region that select it.
	Beside []string
	// Layerd returns a command of ours as the reader's own command line would have it.
	Layerd func(parts ...string) string
}

// Archive is what is in a zip, or why that is not known.
type Archive struct {
	*archive.Contents        // nil: not known
	Unread            string // why
}

// Attached is one layer version that a function has.
type Attached struct {
	ARN           state.LayerVersionARN
	Label         string // its semantic version; empty = not known
	Gone          string // AWS's words for why it cannot be had; empty = it can
	Unread        string // why nothing is known of it; empty = something is
	Runtimes      []string
	Architectures []string
	Signer        string // ARN of a signing profile version; empty = not signed
	Imports       []string
	Archive       Archive
}

// Name returns the layer as people say it: "makoto-common 4 (1.4.2)".
func (a Attached) Name() string {
	if a.ARN.Layer() == "" {
		return string(a.ARN)
	}
	return a.ARN.Layer().Name() + " " + a.ARN.Label(a.Label)
}

// Writer is who else has last changed the function, as CloudTrail has it.
type Writer struct {
	Who    string // empty: nobody was found
	At     time.Time
	Unread string // why nobody looked
}

// Want is what Git asks of one layer for one function.
type Want struct {
	Layer    string // its name in Git
	ARN      state.LayerARN
	Number   int64  // 0 = it is to be taken off, or Problem says why there is none
	Label    string // its semantic version; empty = not known
	Selected bool
	Pinned   bool
	Problem  string // why what is asked for is not to be had
	At       desired.Position
	Yanked   string // why Git withdrew the attached version
	Advice   string // what Git advises instead of the attached version
}

func (w Want) name() string {
	if w.Number == 0 {
		return w.Layer
	}
	return w.Layer + " " + words.Version(w.Number, w.Label)
}

// WantOf returns what a wish asks for f, by what is live. applied is which number a
// semantic version stood for when it was first applied; nil = that is not known.
func WantOf(w desired.LayerWish, f state.Function, have state.LayerVersionARN, live []state.LayerVersion, applied map[string]int64) Want {
	snap := &state.Snapshot{}
	if w.Owned {
		snap.Layers = []state.Layer{{ARN: w.Layer, Versions: live}}
	}
	versions := catalog.New(w, snap, applied)
	version, pin := w.Wants(f)
	at, resolve := w.At, versions.Resolve
	if pin != nil {
		at, resolve = pin.At, versions.ResolvePin
	}
	found := resolve(version, at)
	want := Want{Layer: w.Name, ARN: w.Layer, Number: found.Number, Selected: w.Selects(f), Pinned: pin != nil, At: at}
	if want.Number > 0 {
		want.Label = versions.Label(want.Number)
	}
	switch {
	case found.Problem != nil:
		want.Number, want.Problem = 0, found.Problem.Message
	case found.Missing != nil:
		want.Problem = fmt.Sprintf("%s %s is not published yet", w.Name, found.Missing)
	}
	if have.Of(w.Layer) {
		want.Yanked, _ = versions.Yanked(have.Number())
		want.Advice, _ = versions.Deprecated(have.Number())
	}
	return want
}

// LabelOf returns the semantic version that a layer version's Description names; empty
// where it names none.
func LabelOf(v state.LayerVersionARN, description string) string {
	layer, n, ok := v.Split()
	if !ok {
		return ""
	}
	w := desired.LayerWish{Name: layer.Name(), Layer: layer, Owned: true}
	live := []state.LayerVersion{{Number: n, Description: description}}
	return catalog.New(w, &state.Snapshot{Layers: []state.Layer{{ARN: layer, Versions: live}}}, nil).Label(n)
}

// LabelIn is LabelOf with what Git, and what was applied before, say of the numbers of a
// wish's layer.
func LabelIn(w desired.LayerWish, v state.LayerVersionARN, live []state.LayerVersion, applied map[string]int64) string {
	snap := &state.Snapshot{}
	if w.Owned {
		snap.Layers = []state.Layer{{ARN: w.Layer, Versions: live}}
	}
	return catalog.New(w, snap, applied).Label(v.Number())
}

// exam is the examination of one subject.
type exam struct {
	*Subject
	Examination
}

// Function examines a function. It makes no call: a Subject is all that it knows.
func Function(s Subject) Examination {
	x := &exam{Subject: &s}
	if x.Layerd == nil {
		x.Layerd = func(parts ...string) string { return command(append([]string{"layerd"}, parts...)...) }
	}
	switch {
	case s.Image:
		x.add(Finding{Code: "image_function", Severity: Note, Subject: s.Name,
			Message: "is a container image, for which layers do not exist", Command: x.aws("get-function", "--function-name", s.Name, "--query", "Code.ImageUri")})
	case s.Edge:
		x.add(Finding{Code: "edge_function", Severity: Note, Subject: s.Name,
			Message: "is a replica of Lambda@Edge, which nobody can update; its original is in us-east-1"})
	default:
		x.health()
		x.runtime()
		x.attached()
		x.selected()
		x.wanted()
		x.served()
		for i := range x.Layers {
			x.layer(&x.Layers[i])
		}
		x.shadows()
		x.packages()
		x.size()
		x.signing()
		x.variables()
	}
	x.writers()
	x.sort()
	return x.Examination
}

// aws returns a command of the AWS CLI in the function's Region.
func (x *exam) aws(parts ...string) string {
	parts = append([]string{"aws", "lambda"}, parts...)
	if x.Region != "" {
		parts = append(parts, "--region", x.Region)
	}
	return command(parts...)
}

// why returns the command that shows more of what Git asks.
func (x *exam) why() string {
	if x.Environment == nil {
		return x.aws("get-function-configuration", "--function-name", x.Name, "--query", "Layers")
	}
	return x.Layerd("why", x.Name, "--env", x.Environment.Name)
}

// health is AWS's own word about the function.
func (x *exam) health() {
	status, last, reason := x.State, x.LastUpdateStatus, x.StatusReason
	if x.Alias != "" {
		status, last, reason = x.Serves.State, "", x.Serves.Reason
	}
	show := x.aws("get-function-configuration", "--function-name", x.Name, "--query", "[State,StateReason,LastUpdateStatus,LastUpdateStatusReason]")
	f := Finding{Subject: x.Name, Command: show, Evidence: given(reason)}
	switch {
	case status == state.StateFailed || last == state.UpdateFailed:
		f.Code, f.Severity, f.Message = "state_bad", Error, "its last update failed, and it runs what it had before"
		if status == state.StateFailed {
			f.Message = "AWS has it as Failed: it cannot be called"
		}
	case last == state.UpdateInProgress || status == state.StatePending:
		f.Code, f.Severity, f.Message = "state_changing", Note, "an update is in progress: what it has may be another thing in a minute"
	case status == state.StateInactive:
		f.Code, f.Severity, f.Message = "state_changing", Note, "it has not been called for weeks and sleeps; the next call wakes it"
	default:
		return
	}
	x.add(f)
}

func given(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// mostLayers is how many layers AWS lets a function have.
const mostLayers = 5

func (x *exam) attached() {
	switch n := len(x.Layers); {
	case n == 0:
		x.add(Finding{Code: "no_layers", Severity: Note, Subject: x.Name, Message: "has no layers" + x.through(), Command: x.why()})
	case n > mostLayers:
		x.add(Finding{Code: "too_many_layers", Severity: Error, Subject: x.Name, Command: x.why(),
			Message: fmt.Sprintf("has %d layers%s, and AWS takes no update that names more than %d", n, x.through(), mostLayers)})
	}
}

// through returns by what the function is looked at, for a sentence.
func (x *exam) through() string {
	switch {
	case x.Alias == "":
		return ""
	case x.Serves.Version == x.Alias:
		return " in version " + x.Alias
	}
	return fmt.Sprintf(" through the alias %s, which serves version %s", x.Alias, x.Serves.Version)
}

// have returns the version of a layer that what is examined has.
func (x *exam) have(layer state.LayerARN) *Attached {
	i := slices.IndexFunc(x.Layers, func(a Attached) bool { return a.ARN.Of(layer) })
	if i < 0 {
		return nil
	}
	return &x.Layers[i]
}

// wanted holds what is attached against what Git asks for.
func (x *exam) wanted() {
	for _, w := range x.Wants {
		have := x.have(w.ARN)
		f := Finding{Severity: Warning, Subject: x.Name, Command: x.why(), At: w.At}
		if w.At.File != "" {
			f.Evidence = []string{fmt.Sprintf("%s:%d asks for it", w.At.File, w.At.Line)}
		}
		switch {
		case !w.Selected && have != nil:
			f.Code, f.Message = "not_wanted", fmt.Sprintf("has %s%s, and no selector of %s chooses it", have.Name(), x.through(), w.Layer)
			f.Evidence = nil
		case !w.Selected:
			continue
		case w.Problem != "":
			f.Code, f.Severity, f.Message = "unresolved", Error, "what Git asks for is not to be had: "+w.Problem
		case w.Number == 0 && have != nil:
			f.Code, f.Message = "not_wanted", fmt.Sprintf("has %s%s, and Git asks for none", have.Name(), x.through())
		case w.Number == 0:
			continue
		case have == nil:
			f.Code, f.Severity, f.Message = "not_attached", Error, fmt.Sprintf("does not have %s%s, which Git asks for: an import from it fails", w.name(), x.through())
		case have.ARN.Number() != w.Number:
			f.Code, f.Message = "wrong_version", fmt.Sprintf("has %s%s, and Git asks for %s", have.Name(), x.through(), words.Version(w.Number, w.Label))
		default:
			x.right("%s is attached%s, as Git asks", have.Name(), x.through())
			x.withdrawn(w, have)
			continue
		}
		x.add(f)
		if have != nil {
			x.withdrawn(w, have)
		}
	}
}

// withdrawn is what Git has against an attached version. A pin keeps one that is yanked.
func (x *exam) withdrawn(w Want, have *Attached) {
	f := Finding{Subject: x.Name, Command: x.why(), At: w.At}
	switch {
	case w.Yanked != "":
		f.Code, f.Severity, f.Message = "layer_yanked", Error, fmt.Sprintf("%s is withdrawn in Git", have.Name())
		f.Evidence = given(w.Yanked)
		if w.Pinned {
			f.Severity = Warning
		}
	case w.Advice != "":
		f.Code, f.Severity, f.Message = "layer_deprecated", Warning, fmt.Sprintf("Git advises against %s", have.Name())
		f.Evidence = given(w.Advice)
	default:
		return
	}
	x.add(f)
}

// served compares $LATEST with what callers of its aliases get.
func (x *exam) served() {
	if x.Alias != "" {
		return
	}
	if x.AliasesUnread != "" {
		x.add(Finding{Code: "alias_unseen", Severity: NotSeen, Subject: x.Name, Evidence: given(x.AliasesUnread), Command: x.aws("list-aliases", "--function-name", x.Name),
			Message: "what whoever calls it through an alias gets is not known"})
	}
	if e := x.Environment; e != nil && e.Alias != "" && !slices.ContainsFunc(x.Aliases, func(a state.Alias) bool { return a.Name == e.Alias }) && x.Aliases != nil {
		x.add(Finding{Code: "alias_missing", Severity: Note, Subject: x.Name, Command: x.aws("list-aliases", "--function-name", x.Name),
			Message: fmt.Sprintf("has no alias %s, through which %s serves its functions: whoever calls it gets $LATEST", e.Alias, e.Name)})
	}
	for _, a := range x.Aliases {
		layers, read := x.AliasLayers[a.Name]
		if !read || slices.Equal(layers, x.Function.Layers) {
			continue
		}
		var evidence []string
		for _, layer := range layers.Differ(x.Function.Layers) {
			evidence = append(evidence, fmt.Sprintf("%s: %s in $LATEST, %s through %s", layer.Name(), numberOr(x.Function.Layers, layer), numberOr(layers, layer), a.Name))
		}
		if evidence == nil {
			evidence = []string{"the same versions in another order"}
		}
		x.add(Finding{Code: "alias_differs", Severity: Warning, Subject: x.Name, Evidence: some(evidence), Command: x.why(),
			Message: fmt.Sprintf("the alias %s serves version %s, which has other layers than $LATEST", a.Name, a.Version)})
	}
}

func numberOr(l state.Layers, layer state.LayerARN) string {
	if n := l.Number(layer); n > 0 {
		return fmt.Sprint(n)
	}
	return "none"
}
