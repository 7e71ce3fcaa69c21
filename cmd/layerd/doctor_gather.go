package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/state/awslambda"
	"github.com/layerd/layerd/internal/store"
)

const (
	// mostAliases is of how many aliases it is read what they serve, one call each.
	mostAliases = 10
	// trailBack is how far back CloudTrail is asked who else has changed a function.
	trailBack = 24 * time.Hour
	// trailWait bounds an answer that is only nice to have.
	trailWait = 10 * time.Second
)

// reader returns which number a semantic version of a layer stood for when it was first
// applied; nil where nothing is known of the past.
type reader func(ctx context.Context, e desired.Environment, layer state.LayerARN) map[string]int64

// readPast opens the store where there is one: without it numbers come from what is live.
func (a *app) readPast(ctx context.Context, f storeFlags, src source) (reader, error) {
	none := func(context.Context, desired.Environment, state.LayerARN) map[string]int64 { return nil }
	spec, err := a.pastStore(f, src.tree)
	if err != nil {
		return none, err
	}
	s, err := a.openToRead(ctx, spec)
	if err != nil || s == nil {
		return none, err
	}
	defer s.Close()
	return numbersOf(ctx, s, src)
}

func numbersOf(ctx context.Context, s store.Store, src source) (reader, error) {
	type place struct{ env, region string }
	log, known := history.Open(s, src.repository), map[place]map[state.LayerARN]map[string]int64{}
	for _, e := range src.tree.Environments {
		past, err := log.Past(ctx, e.Name, e.Region)
		if err != nil {
			return nil, err
		}
		here := map[state.LayerARN]map[string]int64{}
		for layer, p := range past.Layers {
			here[layer] = p.Numbers
		}
		known[place{e.Name, e.Region}] = here
	}
	return func(_ context.Context, e desired.Environment, layer state.LayerARN) map[string]int64 {
		return known[place{e.Name, e.Region}][layer]
	}, nil
}

// keepVersion is which variables are read of a function, and what of them.
func keepVersion(name, value string) (string, bool) {
	return inspect.ShownVersion(value), inspect.NamesVersion(name)
}

// examine reads all that can be known of the function in one place, and judges it.
func (d *functionDoctor) examine(ctx context.Context, at examinedPlace) (present.ExaminedFunction, error) {
	s, err := d.subject(ctx, at)
	if err != nil {
		return present.ExaminedFunction{}, err
	}
	found := present.NewExaminedFunction(s, inspect.Function(s))
	if d.flags.probe {
		found.Probe, err = d.probe(ctx, at, s)
	} else {
		err = d.tidy(ctx, at)
	}
	return found, cmp.Or(err, ctx.Err())
}

func (d *functionDoctor) subject(ctx context.Context, at examinedPlace) (inspect.Subject, error) {
	latest, err := at.client.Examine(ctx, state.Qualified{Function: d.q.Function}, keepVersion)
	if err != nil {
		return inspect.Subject{}, err
	}
	s := inspect.Subject{
		Function: latest.Function, Region: at.env.Region, Account: at.env.Account, Now: d.app.now(), Variables: latest.Variables, VariablesUnread: latest.VariablesUnread,
		Layerd: func(parts ...string) string { return suggest(d.flags.repo, storeFlags{}, parts...) },
	}
	if at.inGit {
		s.Environment = &at.env
		for _, e := range d.src.tree.Environments {
			if e.Account == at.env.Account && e.Region == at.env.Region && e.Selects(&latest.Function) {
				s.Beside = append(s.Beside, e.Name)
			}
		}
	} else {
		s.Layerd = func(parts ...string) string {
			return suggest(repoFlags{}, storeFlags{}, parts...) + " --region " + at.env.Region
		}
	}
	looked := latest
	if d.q.Qualifier != "" {
		if looked, err = at.client.Examine(ctx, d.q, keepVersion); err != nil {
			return s, err
		}
		s.Alias, s.Variables, s.VariablesUnread = d.q.Qualifier, looked.Variables, looked.VariablesUnread
		s.Serves = state.Served{Version: looked.Version, Layers: looked.Layers, CodeSHA256: looked.CodeSHA256, State: looked.State, Reason: looked.StatusReason}
	}
	if !latest.Image && !latest.Edge {
		d.layers(ctx, at, &s, looked)
		d.aliases(ctx, at, &s)
		d.signing(ctx, at, &s)
		s.Code = fetchArchive(ctx, at.cloud, looked.Location, looked.CodeSize, archive.Skim)
	}
	d.writer(ctx, at, &s)
	return s, ctx.Err()
}

// layers reads each attached layer version, and what Git asks for.
func (d *functionDoctor) layers(ctx context.Context, at examinedPlace, s *inspect.Subject, looked awslambda.Examined) {
	var wishes []desired.LayerWish
	if at.inGit {
		wishes = at.env.Layers
	}
	live := map[state.LayerARN][]state.LayerVersion{}
	for _, w := range wishes {
		if !w.Selects(s.Function) && looked.Layers.Index(w.Layer) < 0 {
			continue
		}
		var err error
		if w.Owned {
			live[w.Layer], err = at.client.Versions(ctx, w.Layer)
		}
		want := inspect.WantOf(w, s.Function, looked.Layers.Of(w.Layer), live[w.Layer], d.past(ctx, at.env, w.Layer))
		if err != nil {
			want.Number, want.Problem = 0, "its versions were not read: "+err.Error()
		}
		s.Wants = append(s.Wants, want)
	}
	for _, v := range looked.Layers {
		a := describeLayer(ctx, at.cloud, v, at.env.Account)
		for _, w := range wishes {
			if !v.Of(w.Layer) {
				continue
			}
			if label := inspect.LabelIn(w, v, live[w.Layer], d.past(ctx, at.env, w.Layer)); label != "" {
				a.Label = label
			}
			a.Imports = d.imports(w.Name)
		}
		s.Layers = append(s.Layers, a)
	}
}

// describeLayer reads one layer version and what is in it. Of one that AWS does not let
// this account have, only who owns it can tell whether it is gone.
func describeLayer(ctx context.Context, c daemon.Connection, v state.LayerVersionARN, account string) inspect.Attached {
	a := inspect.Attached{ARN: v}
	if _, _, ok := v.Split(); !ok {
		a.Unread = "its ARN has no number, so that AWS cannot be asked for it"
		return a
	}
	p, refused, err := c.Describe(ctx, v)
	switch {
	case err != nil:
		a.Unread = err.Error()
	case refused != "" && v.Layer().Account() == account && strings.HasPrefix(refused, "AccessDenied"):
		a.Unread = refused // of an own layer that is a right which is missing, and no answer
	case refused != "":
		a.Gone = refused
	default:
		a.Label = inspect.LabelOf(v, p.Description)
		a.Runtimes, a.Architectures, a.Signer = p.Runtimes, p.Architectures, p.Signer
		a.Archive = fetchLayer(ctx, c, v, p)
	}
	return a
}

// imports returns what the layer's description in Git says can be imported.
func (d *functionDoctor) imports(layer string) []string {
	found, ok := describedAs(d.src.files, layer)
	if !ok {
		return nil
	}
	return found.Imports
}

// describedAs finds the description of a layer by its name.
func describedAs(files fs.FS, layer string) (desired.LayerDescription, bool) {
	if files == nil {
		return desired.LayerDescription{}, false
	}
	names, _ := fs.Glob(files, "layers/*/layer.yaml") // the pattern is right
	for _, name := range names {
		folder, err := fs.Sub(files, path.Dir(name))
		if err != nil {
			continue
		}
		if found, _ := desired.DescribeLayer(folder); found.Name == layer {
			return found, true
		}
	}
	return desired.LayerDescription{}, false
}

// aliases reads what callers get who name an alias.
func (d *functionDoctor) aliases(ctx context.Context, at examinedPlace, s *inspect.Subject) {
	if d.q.Qualifier != "" {
		return
	}
	snap := state.Snapshot{}
	if err := at.client.Look(ctx, &snap, state.Needs{Aliases: []string{s.Name}}); err != nil {
		s.AliasesUnread = err.Error()
		return
	}
	s.Aliases, s.AliasLayers = append([]state.Alias{}, snap.Aliases[s.Name]...), map[string]state.Layers{}
	list := slices.Clone(s.Aliases)
	slices.SortStableFunc(list, func(x, y state.Alias) int { // the environment's own first
		switch at.env.Alias {
		case x.Name:
			return -1
		case y.Name:
			return 1
		}
		return 0
	})
	for _, alias := range list[:min(len(list), mostAliases)] {
		served, err := at.client.Served(ctx, state.Qualified{Function: s.Name, Qualifier: alias.Name})
		if err != nil {
			s.AliasesUnread = err.Error()
			continue
		}
		s.AliasLayers[alias.Name] = served.Layers
	}
	if len(list) > mostAliases {
		s.AliasesUnread = fmt.Sprintf("it has %d aliases, and %d were looked at", len(list), mostAliases)
	}
}

func (d *functionDoctor) signing(ctx context.Context, at examinedPlace, s *inspect.Subject) {
	snap := state.Snapshot{}
	if err := at.client.Look(ctx, &snap, state.Needs{Signing: true}); err != nil {
		s.SigningUnread = err.Error()
		return
	}
	if asks, ok := snap.Signing[s.Name]; ok {
		s.Signing = &asks
	}
}

// writer asks CloudTrail who else has changed the function.
func (d *functionDoctor) writer(ctx context.Context, at examinedPlace, s *inspect.Subject) {
	ctx, cancel := context.WithTimeout(ctx, trailWait)
	defer cancel()
	who, when, err := at.client.Actor(ctx, s.Name, d.app.now().Add(-trailBack))
	s.Writer = inspect.Writer{Who: who, At: when}
	if err != nil {
		s.Writer.Unread = err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			s.Writer.Unread = "CloudTrail did not answer in time"
		}
	}
}
