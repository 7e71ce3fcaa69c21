package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/state/awslambda"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/words"
)

// removalTime is what removing a temporary function may take once we are told to stop.
const removalTime = 20 * time.Second

// trials makes temporary functions in one account and Region.
type trials struct{ daemon.Connection }

func (t trials) Create(ctx context.Context, x inspect.Trial) error {
	return t.CreateTrial(ctx, awslambda.Trial(x))
}

func (t trials) Ready(ctx context.Context, name string) error {
	_, err := t.WaitUpdated(ctx, name)
	return err
}

func (t trials) Invoke(ctx context.Context, name string, payload []byte) (answer []byte, failed string, err error) {
	out, err := t.Source.Invoke(ctx, health.Call{Function: name, Payload: payload})
	return out.Payload, out.FunctionError, err
}

func (t trials) Tags(ctx context.Context, name string) (map[string]string, error) {
	f, err := t.Function(ctx, name)
	if err == nil && f.Tags == nil { // else what is ours would be taken for somebody else's, and forgotten
		return nil, fmt.Errorf("the tags of %s could not be read, so that nobody knows whose it is", name)
	}
	return f.Tags, err
}

func (t trials) Delete(ctx context.Context, name string) error { return t.DeleteTrial(ctx, name) }

func (t trials) Names(ctx context.Context) (names []string, err error) {
	all, err := t.Functions(ctx)
	for _, f := range all {
		names = append(names, f.Name)
	}
	return names, err
}

// probes returns what remembers temporary functions of one place in a store.
func (a *app) probes(s store.Store, at examinedPlace) *inspect.Probes {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &inspect.Probes{
		Store: s, Account: at.env.Account, Region: at.env.Region, Trials: trials{at.cloud}, Host: host, PID: os.Getpid(), Now: a.now,
		Alive: func(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) },
		Deadline: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.WithoutCancel(ctx), removalTime)
		},
	}
}

// checkProbe refuses a probe that could do more than it has to.
func checkProbe(f *doctorFlags) error {
	switch {
	case f.probeRole != "" && !f.probe:
		return usage("add --probe, which makes a temporary function with that role", "--probe-role is for --probe")
	case f.probe && f.probeRole == "":
		return usage("name one that may do nothing: the probe runs the layers' code. The function's own works, and has its rights",
			"which role does the temporary function get? --probe-role is missing")
	case f.probe && (!strings.HasPrefix(f.probeRole, "arn:") || !strings.Contains(f.probeRole, ":role/")):
		return usage("it is such as arn:aws:iam::123456789012:role/layerd-probe", "--probe-role %s is not the ARN of a role", f.probeRole)
	}
	return nil
}

// openProbes opens the store in which the probe is written down before it is made.
func (d *functionDoctor) openProbes(ctx context.Context) (store.Store, error) {
	spec, err := d.app.pastStore(d.flags.store, d.src.tree)
	if err != nil {
		return nil, err
	}
	if spec.Kind == store.KindMemory {
		return nil, usage("name one that outlives this process, such as --store sqlite:PATH", "a probe is written down before it is made, and %s forgets it", spec)
	}
	return d.app.openStore(ctx, spec)
}

// probe makes the temporary function, and shows what it saw. What others have left is
// removed first.
func (d *functionDoctor) probe(ctx context.Context, at examinedPlace, s inspect.Subject) (*present.Probe, error) {
	kept, err := d.openProbes(ctx)
	if err != nil {
		return nil, err
	}
	defer kept.Close()
	p := d.app.probes(kept, at)
	if err := d.clean(ctx, p, true); err != nil {
		return nil, err
	}
	layers := make(state.Layers, 0, len(s.Layers))
	payload := struct {
		Imports []string `json:"imports"`
	}{[]string{}}
	for _, l := range s.Layers {
		layers = append(layers, l.ARN)
		payload.Imports = append(payload.Imports, l.Imports...)
	}
	view := &present.Probe{Path: []string{}, Modules: []present.ProbeModule{}, Variables: []string{}}
	t, err := inspect.NewTrial(s.Function, layers, d.flags.probeRole, strings.ToLower(rand.Text()[:12]), d.app.now())
	view.Function = t.Name
	if err != nil {
		view.Error = err.Error()
		return view, nil
	}
	event, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	answer, err := p.Run(ctx, t, event)
	if err != nil {
		view.Error = err.Error()
		return view, ctx.Err()
	}
	view.Removed = true
	var saw inspect.Saw
	if err := json.Unmarshal(answer, &saw); err != nil || saw.Layerd != 1 {
		view.Error = "its answer makes no sense"
		return view, nil
	}
	view.Runtime, view.Path, view.Variables = saw.Runtime, append(view.Path, saw.Path...), append(view.Variables, saw.Variables...)
	for _, m := range saw.Modules {
		view.Modules = append(view.Modules, present.ProbeModule(m))
	}
	return view, nil
}

// clean removes what probes that were killed have left.
func (d *functionDoctor) clean(ctx context.Context, p *inspect.Probes, all bool) error {
	removed, err := p.Clean(ctx, all)
	d.app.sayRemoved(removed)
	return stillLeft(err)
}

func (a *app) sayRemoved(names []string) {
	for _, name := range names {
		a.say("removed %s, which a probe that was interrupted had left", name)
	}
}

func stillLeft(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("a probe before this one may have left a function, and removing it failed: %w", err)
}

// tidy removes what the store says is left. Where there is none, nothing was ever made.
func (d *functionDoctor) tidy(ctx context.Context, at examinedPlace) error {
	removed, err := d.app.tidyProbes(ctx, d.flags.store, d.src.tree, at)
	d.app.sayRemoved(removed)
	return err
}

// tidyProbes is tidy for whoever has connected to a place. The store is written only where
// something is left.
func (a *app) tidyProbes(ctx context.Context, f storeFlags, t desired.Tree, at examinedPlace) (removed []string, err error) {
	spec, err := a.pastStore(f, t)
	if err != nil {
		return nil, err
	}
	known, err := a.openToRead(ctx, spec)
	if err != nil || known == nil {
		return nil, err
	}
	open, err := a.probes(known, at).Open(ctx)
	if err := errors.Join(err, known.Close()); err != nil || len(open) == 0 {
		return nil, err
	}
	kept, err := a.openStore(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer kept.Close()
	removed, err = a.probes(kept, at).Clean(ctx, false)
	return removed, stillLeft(err)
}

// probes removes what doctor --probe has left in a Region, and says so: where nothing is
// left there is no line.
func (x *examination) probes(ctx context.Context, at examinedPlace) {
	removed, err := x.app.tidyProbes(ctx, x.flags.store, x.src.tree, at)
	r := inspect.Result{Check: "probes", Region: at.env.Region, Verdict: inspect.OK, Reason: "removed what a probe that was interrupted had left: " + words.And(removed)}
	_, refused := errors.AsType[*state.Error](err)
	switch {
	case err != nil && !refused:
		return // of the store, whose own check has said it
	case err != nil:
		r.Verdict, r.Reason, r.Fix = inspect.Failed, err.Error(), "allow lambda:DeleteFunction on function:"+inspect.ProbePrefix+"*, or delete it by hand"
	case len(removed) == 0:
		return
	}
	x.add(r)
}
