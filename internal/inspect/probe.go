package inspect

import (
	"archive/zip"
	"bytes"
	"context"
	_ "embed" // the code of the temporary functions
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// ProbePrefix is how the name of each temporary function begins, and ProbeTag the tag that
// it has: nothing is ever removed that has not both.
const (
	ProbePrefix = state.TemporaryPrefix
	ProbeTag    = "layerd:probe"
)

// Trial is the temporary function of a probe.
type Trial struct {
	Name, Runtime, Architecture, Role, Handler string
	Layers                                     state.Layers
	Zip                                        []byte
	Tags                                       map[string]string
}

// Trials makes, calls and removes temporary functions.
type Trials interface {
	// Create returns once AWS has taken the function; state.Unsure means that it may have.
	Create(ctx context.Context, t Trial) error
	// Ready waits until it can be called.
	Ready(ctx context.Context, name string) error
	Invoke(ctx context.Context, name string, payload []byte) (answer []byte, functionError string, err error)
	// Tags returns the function's tags; state.Gone where there is none.
	Tags(ctx context.Context, name string) (map[string]string, error)
	// Delete removes it for good; one that is not there is state.Gone.
	Delete(ctx context.Context, name string) error
	// Names lists all functions.
	Names(ctx context.Context) ([]string, error)
}

//go:embed probecode/index.py
var pythonProbe []byte

//go:embed probecode/index.js
var nodeProbe []byte

// UnsupportedError is a runtime that cannot be probed.
type UnsupportedError struct{ Runtime string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("a probe of %s is not supported: python and nodejs are", e.Runtime)
}

// NewTrial returns a temporary function of the same runtime, architecture and layers. id
// makes its name, and made is when.
func NewTrial(f state.Function, layers state.Layers, role, id string, made time.Time) (Trial, error) {
	t := Trial{
		Name: ProbePrefix + id, Runtime: f.Runtime, Architecture: f.Architecture, Role: role, Handler: "index.handler", Layers: layers,
		Tags: map[string]string{ProbeTag: made.UTC().Format(time.RFC3339)},
	}
	r, _ := archive.ParseRuntime(f.Runtime)
	file, code := "index.py", pythonProbe
	switch {
	case f.Image || r.Language != archive.Python && r.Language != archive.Node:
		name := f.Runtime
		if f.Image {
			name = "container images"
		}
		return t, &UnsupportedError{name}
	case r.Language == archive.Node:
		file, code = "index.js", nodeProbe
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(file)
	if err == nil {
		_, err = w.Write(code)
	}
	if err == nil {
		err = z.Close()
	}
	t.Zip = b.Bytes()
	return t, err
}

// Saw is what a probe answers.
type Saw struct {
	Layerd    int      `json:"layerd"`
	Runtime   string   `json:"runtime"`
	Path      []string `json:"path"`
	Variables []string `json:"variables"`
	Modules   []struct{ Name, File, Version, Error string }
}

// Intent is one temporary function that was to be made, and is not known to be gone.
type Intent struct {
	Function string    `json:"function"`
	Made     time.Time `json:"made"`
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
}

// Probes remembers, before anything is made, what has to be removed: also after a kill.
type Probes struct {
	Store           store.Store
	Account, Region string
	Trials          Trials
	Host            string
	PID             int
	Alive           func(pid int) bool // on Host
	Now             func() time.Time
	// Deadline bounds what is removed once the caller has been told to stop.
	Deadline func(context.Context) (context.Context, context.CancelFunc)
}

const (
	// LongestProbe is how long one takes at most: who began before that has ended.
	LongestProbe = 10 * time.Minute
	// settled is when a function that AWS was asked to make and that is not there never
	// will be.
	settled = 5 * time.Minute
)

func (p *Probes) key() string { return store.Key("probe", p.Account, p.Region) }

type intents struct {
	Open []Intent `json:"open"`
}

// change rewrites the list of what is open, however many do.
func (p *Probes) change(ctx context.Context, edit func([]Intent) []Intent) error {
	for {
		v, err := p.Store.Get(ctx, p.key())
		fresh := errors.Is(err, store.ErrNotFound)
		if err != nil && !fresh {
			return err
		}
		var now intents
		if !fresh {
			if err := json.Unmarshal(v.Data, &now); err != nil {
				return fmt.Errorf("%w: the list of probes: %w", store.ErrCorrupt, err)
			}
		}
		next, err := json.Marshal(intents{append([]Intent{}, edit(now.Open)...)})
		switch {
		case err != nil:
			return err
		case fresh:
			_, err = p.Store.Create(ctx, p.key(), next)
		default:
			_, err = p.Store.Replace(ctx, p.key(), v.Revision, next)
		}
		if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// Open lists what is not known to be gone.
func (p *Probes) Open(ctx context.Context) ([]Intent, error) {
	v, err := p.Store.Get(ctx, p.key())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	var now intents
	if err == nil {
		err = json.Unmarshal(v.Data, &now)
	}
	return now.Open, err
}

func (p *Probes) close(ctx context.Context, name string) error {
	return p.change(ctx, func(open []Intent) []Intent {
		return slices.DeleteFunc(open, func(i Intent) bool { return i.Function == name })
	})
}

// Run makes the function, calls it once and removes it, whatever happens in between.
func (p *Probes) Run(ctx context.Context, t Trial, payload []byte) (answer []byte, err error) {
	mine := Intent{Function: t.Name, Made: p.Now().UTC(), Host: p.Host, PID: p.PID}
	if err := p.change(ctx, func(open []Intent) []Intent { return append(open, mine) }); err != nil {
		return nil, fmt.Errorf("the probe is not made, since what has to be removed after it could not be written down: %w", err)
	}
	err = p.Trials.Create(ctx, t)
	lost := state.KindOf(err) == state.Unsure
	defer func() {
		after, cancel := p.Deadline(ctx)
		defer cancel()
		err = errors.Join(err, p.remove(after, mine, lost)) // that it is still there is said beside why it failed
	}()
	if err != nil {
		return nil, err
	}
	if err := p.Trials.Ready(ctx, t.Name); err != nil {
		return nil, err
	}
	answer, failed, err := p.Trials.Invoke(ctx, t.Name, payload)
	if err == nil && failed != "" {
		err = fmt.Errorf("it ended with %s: %s", failed, brief(answer))
	}
	return answer, err
}

// brief returns what a failed call says, without the trace.
func brief(answer []byte) string {
	var e struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal(answer, &e) != nil || e.ErrorMessage == "" {
		return "no reason"
	}
	text := strings.Join(strings.Fields(e.ErrorType+": "+e.ErrorMessage), " ")
	return text[:min(len(text), 500)]
}

// remove deletes one temporary function and forgets it once it is surely gone. lost: the
// answer to its making was lost, so that it may yet appear.
func (p *Probes) remove(ctx context.Context, i Intent, lost bool) error {
	err := p.Trials.Delete(ctx, i.Function)
	gone := state.KindOf(err) == state.Gone
	switch {
	case err != nil && !gone:
		return fmt.Errorf("%s may be left, and is removed by the next look at a function: %w", i.Function, err)
	case gone && lost && p.Now().Sub(i.Made) < settled:
		return nil // it stays on the list, and is looked for again
	}
	return p.close(ctx, i.Function)
}

// left reports whether nobody works with a temporary function any more.
func (p *Probes) left(i Intent) bool {
	switch {
	case p.Now().Sub(i.Made) > LongestProbe:
		return true
	case i.Host != p.Host:
		return false
	}
	return i.PID == p.PID || !p.Alive(i.PID)
}

// Clean removes what probes before have left, and returns its names. With all it also
// looks for those that no list has, by prefix and tag.
func (p *Probes) Clean(ctx context.Context, all bool) (removed []string, err error) {
	open, err := p.Open(ctx)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, i := range open {
		if !p.left(i) {
			continue
		}
		ours, err := p.ours(ctx, i.Function)
		switch {
		case state.KindOf(err) == state.Gone && p.Now().Sub(i.Made) < settled:
			continue // a making that was lost may yet be done
		case state.KindOf(err) == state.Gone, err == nil && ours.IsZero():
			err = p.close(ctx, i.Function)
		case err == nil:
			if err = p.remove(ctx, i, false); err == nil {
				removed = append(removed, i.Function)
			}
		}
		failed = append(failed, err)
	}
	if all {
		more, err := p.strays(ctx, open)
		removed, failed = append(removed, more...), append(failed, err)
	}
	return removed, errors.Join(failed...)
}

// ours returns when a function was made as a probe; zero: it is none of ours.
func (p *Probes) ours(ctx context.Context, name string) (time.Time, error) {
	tags, err := p.Trials.Tags(ctx, name)
	if err != nil || !state.IsTemporary(name) {
		return time.Time{}, err
	}
	made, err := time.Parse(time.RFC3339, tags[ProbeTag])
	if err != nil {
		return time.Time{}, nil // another's tag, or none
	}
	return made, nil
}

// strays removes old temporary functions that are on no list: the store is another one.
func (p *Probes) strays(ctx context.Context, open []Intent) (removed []string, err error) {
	names, err := p.Trials.Names(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		known := slices.ContainsFunc(open, func(i Intent) bool { return i.Function == name })
		if known || !state.IsTemporary(name) {
			continue
		}
		made, err := p.ours(ctx, name)
		if err != nil || made.IsZero() || p.Now().Sub(made) < LongestProbe {
			continue
		}
		if err := p.Trials.Delete(ctx, name); err != nil && state.KindOf(err) != state.Gone {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, nil
}
