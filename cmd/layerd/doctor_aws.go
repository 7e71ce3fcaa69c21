package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/parameters/ssm"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/state/awslambda"
	"github.com/layerd/layerd/internal/words"
)

const (
	// triedFunctions is on how many functions the rights of functions are
	// tried: the first that each layer selects, at most so many.
	triedFunctions = 5
	// triedLayers bounds the layer versions that are read.
	triedLayers = 20
)

// checkAWS examines every Region of the environment.
func checkAWS(ctx context.Context, x *examination) {
	if len(x.regions) == 0 {
		x.add(inspect.Skipped("aws", "the environment is not known"))
		return
	}
	connect, err := connecting(ctx, x.app, daemon.AWSOptions{RequestsPerSecond: x.flags.rate, Logger: x.app.logger()}, daemon.Examiner)
	if err != nil {
		x.wrong("aws", "look at the variables AWS_* and at ~/.aws", "%v", err)
		return
	}
	for _, env := range x.regions {
		r := &regionExam{env: env, now: x.app.now, add: func(r inspect.Result) {
			r.Region = env.Region
			x.add(r)
		}}
		at, err := connect(ctx, env)
		if err != nil {
			r.add(inspect.Identity(env.Account, env.Role, "", "", err))
			continue
		}
		r.client, r.health, r.objects, r.parameters = at.Client, at.Source, at.Objects(), at.Store
		if r.examine(ctx) {
			x.probes(ctx, examinedPlace{env, true, at.Client, at})
		}
	}
}

// regionExam is the examination of one Region.
type regionExam struct {
	env        desired.Environment
	client     *awslambda.Client
	health     health.Source
	objects    artifact.Objects
	parameters *ssm.Store
	add        func(inspect.Result)
	now        func() time.Time

	functions []state.Function
	chosen    []state.Function // on which rights are tried
	total     int              // selected
	newest    map[state.LayerARN]int64
	live      map[string]bool // by name of an own layer: what Git asks for is there
}

// examine reports whether AWS was asked at all: with the wrong identity it is not.
func (r *regionExam) examine(ctx context.Context) bool {
	id, err := r.client.Identity(ctx)
	who := inspect.Identity(r.env.Account, r.env.Role, id.Account, id.ARN, err)
	r.add(who)
	if who.Verdict != inspect.OK {
		r.add(inspect.Skipped("permissions", "the identity is not right"))
		return false
	}
	r.add(inspect.Clock(id.Skew, id.SkewKnown))
	r.functions, err = r.client.Functions(ctx)
	r.functions = slices.DeleteFunc(r.functions, func(f state.Function) bool { return state.IsTemporary(f.Name) }) // in nobody's fleet
	r.add(inspect.Permission("lambda:ListFunctions", "*", err))
	r.tags(ctx)
	r.choose()
	wanted := r.layers(ctx)
	r.onFunctions(ctx)
	r.signing(ctx)
	r.readable(ctx, wanted)
	r.archives(ctx)
	r.pruning(ctx)
	r.publishing()
	r.sharing(ctx)
	r.watching(ctx)
	r.announcing(ctx)
	return true
}

// tags are read where a selector looks at them, and then known to the choice.
func (r *regionExam) tags(ctx context.Context) {
	if !r.env.NeedsTags() {
		r.add(inspect.Unneeded("tag:GetResources", "no selector looks at tags"))
		return
	}
	tags, err := r.client.Tags(ctx)
	r.add(inspect.Permission("tag:GetResources", "*", err))
	for i, f := range r.functions {
		r.functions[i].Tags = tags[f.ARN]
	}
}

// choose takes the first function of each layer, as an example for the others.
func (r *regionExam) choose() {
	for _, f := range r.functions {
		if slices.ContainsFunc(r.env.Layers, func(w desired.LayerWish) bool { return w.Selects(f) }) {
			r.total++
		}
	}
	for _, w := range r.env.Layers {
		i := slices.IndexFunc(r.functions, func(f state.Function) bool { return w.Selects(f) && !f.Image && !f.Edge })
		known := func(f state.Function) bool { return f.Name == r.functions[i].Name }
		if i >= 0 && len(r.chosen) < triedFunctions && !slices.ContainsFunc(r.chosen, known) {
			r.chosen = append(r.chosen, r.functions[i])
		}
	}
}

// layers lists the versions of own layers, and finds which are wanted.
func (r *regionExam) layers(ctx context.Context) []state.LayerVersionARN {
	const action = "lambda:ListLayerVersions"
	var wanted []state.LayerVersionARN
	r.newest, r.live = map[state.LayerARN]int64{}, map[string]bool{}
	tried, failed := 0, false
	for _, w := range r.env.Layers {
		var versions []state.LayerVersion
		if w.Owned {
			var err error
			if versions, err = r.client.Versions(ctx, w.Layer); err != nil {
				failed = true
				r.add(inspect.Permission(action, "*", err))
				continue
			}
			tried++
			if len(versions) > 0 {
				r.newest[w.Layer] = versions[0].Number
			}
		}
		n, live := wantedNumber(w, versions)
		if w.Version.Kind == desired.None {
			continue
		}
		if w.Owned {
			r.add(inspect.Wanted(w.Name, w.Version.String(), live, archiveOf(w).Location))
			r.live[w.Name] = live
		}
		if live {
			wanted = append(wanted, w.Layer.Version(n))
		}
	}
	switch {
	case failed:
	case tried == 0:
		r.add(inspect.Unneeded(action, "no layer here is our own"))
	default:
		r.add(inspect.Permission(action, "*", nil))
	}
	return wanted
}

// wantedNumber returns the live number that Git asks for, which is what plan would
// find without a past. A number of somebody else's layer is taken at its word.
func wantedNumber(w desired.LayerWish, versions []state.LayerVersion) (n int64, live bool) {
	snap := &state.Snapshot{}
	if w.Owned {
		snap.Layers = []state.Layer{{ARN: w.Layer, Versions: versions}}
	}
	found := catalog.New(w, snap, nil).Resolve(w.Version, w.At)
	return found.Number, found.Problem == nil && found.Number > 0
}

// onFunctions tries what is needed of each function, on the chosen ones.
func (r *regionExam) onFunctions(ctx context.Context) {
	try := func(action string, do func(name string) error) {
		worst := inspect.Skipped(action, "no function is selected that could be tried")
		for _, f := range r.chosen {
			err := do(f.Name)
			worst = inspect.Permission(rightOf(err, action), f.ARN, err)
			if worst.Verdict != inspect.OK {
				break
			}
			worst.Reason = fmt.Sprintf("allowed on %d of %s", len(r.chosen), words.Count(r.total, "selected function"))
		}
		r.add(worst)
	}
	try("lambda:GetFunction", func(name string) error { _, err := r.client.Function(ctx, name); return err })
	try("lambda:ListAliases", func(name string) error {
		return r.client.Look(ctx, &state.Snapshot{}, state.Needs{Aliases: []string{name}})
	})
	const update = "lambda:UpdateFunctionConfiguration"
	if r.env.Observe {
		r.add(inspect.Unneeded(update, "mode: observe changes nothing"))
		return
	}
	try(update, func(name string) error { return r.client.TryUpdate(ctx, name) })
	if r.env.Alias == "" {
		return
	}
	alias := func(name string) state.Qualified { return state.Qualified{Function: name, Qualifier: r.env.Alias} }
	try("lambda:GetAlias", func(name string) error { _, err := r.client.Alias(ctx, alias(name)); return unlessGone(err) })
	try("lambda:PublishVersion", func(name string) error { return r.client.TryPublish(ctx, name) })
	try("lambda:UpdateAlias", func(name string) error { return unlessGone(r.client.TryMove(ctx, alias(name))) })
}

// unlessGone: a function without the alias is attached only, which is a note of
// the plan; to know that it has none took the right.
func unlessGone(err error) error {
	if state.KindOf(err) == state.Gone {
		return nil
	}
	return err
}

// rightOf returns the permission that an attempt was refused for: looking at aliases asks
// for their provisioned concurrency as well, and for signing configurations who
// has them.
func rightOf(err error, action string) string {
	e, ok := errors.AsType[*state.Error](err)
	if ok && (e.Op == "ListProvisionedConcurrencyConfigs" || e.Op == "ListFunctionsByCodeSigningConfig") {
		return "lambda:" + e.Op
	}
	return action
}

// signing is looked at where functions are served through an alias: an unsigned
// layer would be refused in the middle of a release.
func (r *regionExam) signing(ctx context.Context) {
	if r.env.Alias == "" {
		return
	}
	err := r.client.Look(ctx, &state.Snapshot{}, state.Needs{Signing: true})
	r.add(inspect.Permission(rightOf(err, "lambda:ListCodeSigningConfigs"), "*", err))
}

// readable reads the wanted layer versions and those that the chosen functions
// have: an update names all of them, and AWS checks each.
func (r *regionExam) readable(ctx context.Context, versions []state.LayerVersionARN) {
	const action = "lambda:GetLayerVersion"
	for _, f := range r.chosen {
		versions = append(versions, f.Layers...)
	}
	slices.Sort(versions)
	versions = slices.Compact(versions)
	if len(versions) == 0 {
		r.add(inspect.Skipped(action, "no version is wanted or attached that could be tried"))
		return
	}
	tried := versions[:min(len(versions), triedLayers)]
	good := 0
	for _, v := range tried {
		res := inspect.Readable(v, r.env.Account, r.client.Readable(ctx, v))
		if res.Verdict != inspect.OK {
			r.add(res)
			continue
		}
		good++
	}
	if good == len(tried) {
		r.add(inspect.Result{Check: action, Verdict: inspect.OK, Reason: fmt.Sprintf("allowed on %d of %s, wanted or attached", good, words.Count(len(versions), "version"))})
	}
}

// sharing tries what only share_with needs. Which policies may be read was tried for
// layers with a retention already.
func (r *regionExam) sharing(ctx context.Context) {
	const policy, grant, revoke = "lambda:GetLayerVersionPolicy", "lambda:AddLayerVersionPermission", "lambda:RemoveLayerVersionPermission"
	needed := false
	for _, w := range r.env.Layers {
		if !w.Owned || !w.Shared {
			continue
		}
		needed = true
		resource := string(w.Layer) + ":*"
		if w.Retention.Keep == 0 {
			err := r.client.Look(ctx, &state.Snapshot{}, state.Needs{Policies: []state.LayerVersionARN{w.Layer.Version(max(1, r.newest[w.Layer]))}})
			r.onLayer(w, inspect.Permission(policy, resource, err))
		}
		if !r.env.Observe {
			r.onLayer(w, inspect.Permission(grant, resource, r.client.TryGrant(ctx, w.Layer)))
			r.onLayer(w, inspect.Permission(revoke, resource, r.client.TryRevoke(ctx, w.Layer)))
		}
	}
	why := "nothing is shared"
	if needed && r.env.Observe {
		why = "mode: observe changes nothing"
	}
	if !needed || r.env.Observe {
		r.add(inspect.Unneeded(grant, why))
		r.add(inspect.Unneeded(revoke, why))
	}
}

// publishing names what only an artifact needs. AWS is not known to look at the right
// before it looks at an archive, so that no request which makes nothing tells.
func (r *regionExam) publishing() {
	for _, w := range r.env.Layers {
		if w.Owned && w.Source != nil && !r.env.Observe {
			r.onLayer(w, inspect.Unneeded("lambda:PublishLayerVersion", "not tried, as that makes a version; the first publish needs it"))
		}
	}
}

// pruning tries what only retention needs.
func (r *regionExam) pruning(ctx context.Context) {
	const policy, remove = "lambda:GetLayerVersionPolicy", "lambda:DeleteLayerVersion"
	needed := false
	for _, w := range r.env.Layers {
		if !w.Owned || w.Retention.Keep == 0 {
			continue
		}
		needed = true
		resource := string(w.Layer) + ":*"
		// Of a version that does not exist AWS says so, once it is allowed.
		version := w.Layer.Version(max(1, r.newest[w.Layer]))
		err := r.client.Look(ctx, &state.Snapshot{}, state.Needs{Policies: []state.LayerVersionARN{version}})
		r.onLayer(w, inspect.Permission(policy, resource, err))
		if !r.env.Observe {
			r.onLayer(w, inspect.Permission(remove, resource, r.client.TryDelete(ctx, w.Layer)))
		}
	}
	switch {
	case !needed:
		r.add(inspect.Unneeded(policy, "no retention is set"))
		r.add(inspect.Unneeded(remove, "no retention is set"))
	case r.env.Observe:
		r.add(inspect.Unneeded(remove, "mode: observe changes nothing"))
	}
}

// onLayer adds a result that is one of several of its kind.
func (r *regionExam) onLayer(w desired.LayerWish, res inspect.Result) {
	if res.Verdict == inspect.OK {
		res.Reason += " on " + w.Layer.Name()
	}
	r.add(res)
}
