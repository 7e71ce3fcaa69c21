package awslambda

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// Look reads what a decision still wants to know and adds it to the snapshot.
// What one answer refuses does not keep the others from being read: each
// refusal is part of the returned error, and what it was about stays unread.
// When AWS is out of reach or throttles for good, the rest is not tried.
func (c *Client) Look(ctx context.Context, s *state.Snapshot, n state.Needs) error {
	if n.Empty() {
		return nil
	}
	place, err := c.checked(ctx)
	if err != nil {
		return err
	}
	l := &look{
		client: c, place: place,
		aliases:  map[string][]state.Alias{},
		policies: map[state.LayerVersionARN]state.Policy{},
		probes:   map[state.LayerVersionARN]state.Probe{},
		served:   map[state.Qualified]state.Served{},
		denied:   map[state.LayerARN]error{},
		live:     map[state.LayerVersionARN]state.LayerVersion{},
		absent:   map[state.LayerVersionARN]bool{},
	}
	// Functions behind an alias: what is asked of the shared quota about their
	// provisioned concurrency concerns nobody else.
	behind := map[string]bool{}
	for _, q := range slices.AppendSeq(slices.Clone(n.Served), maps.Keys(s.Served)) {
		behind[q.Function] = true
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrent)
	if n.Uses {
		g.Go(func() error { return l.uses(gctx) })
	}
	if n.Signing {
		g.Go(func() error { return l.signing(gctx) })
	}
	if n.Tags {
		g.Go(func() error { return l.tags(gctx) })
	}
	for _, name := range n.Aliases {
		g.Go(func() error { return l.aliasesOf(gctx, name, behind[name]) })
	}
	for _, v := range n.Policies {
		g.Go(func() error { return l.policyOf(gctx, v) })
	}
	for _, v := range n.Numbers {
		g.Go(func() error { return l.numberOf(gctx, v) })
	}
	for _, v := range n.Probes {
		g.Go(func() error { return l.probeOf(gctx, v) })
	}
	for _, q := range n.Served {
		g.Go(func() error { return l.servedBy(gctx, q) })
	}
	err = g.Wait()
	l.into(s)
	s.Sort()
	return errors.Join(err, summary(l.refused))
}

// summary returns one error of each operation and code, with the number of its
// like: a missing right would else fill a screen with one line per function.
func summary(refused []error) error {
	slices.SortFunc(refused, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	type kind struct{ op, code string }
	more := map[kind]int{}
	var first []*state.Error
	for _, err := range refused {
		e, _ := errors.AsType[*state.Error](err)
		if k := (kind{e.Op, e.Code}); more[k] == 0 {
			first = append(first, e)
		}
		more[kind{e.Op, e.Code}]++
	}
	var all []error
	for _, e := range first {
		if n := more[kind{e.Op, e.Code}] - 1; n > 0 {
			all = append(all, fmt.Errorf("%w (and %d more)", e, n))
			continue
		}
		all = append(all, e)
	}
	return errors.Join(all...)
}

// look collects what the calls of one Look bring, from several goroutines.
type look struct {
	client *Client
	place  awscall.Place

	mu       sync.Mutex // guards all below
	swept    *state.Uses
	aliases  map[string][]state.Alias
	policies map[state.LayerVersionARN]state.Policy
	probes   map[state.LayerVersionARN]state.Probe
	served   map[state.Qualified]state.Served
	signed   map[string]state.Signing     // nil: not read
	tagged   map[string]map[string]string // by ARN of the function; nil: not read
	refused  []error
	denied   map[state.LayerARN]error // of whose versions no policy may be read
	live     map[state.LayerVersionARN]state.LayerVersion
	absent   map[state.LayerVersionARN]bool
}

func (l *look) into(s *state.Snapshot) {
	if l.swept != nil {
		s.Uses = l.swept
	}
	merge(&s.Aliases, l.aliases)
	merge(&s.Policies, l.policies)
	merge(&s.Probes, l.probes)
	merge(&s.Served, l.served)
	merge(&s.Absent, l.absent)
	for arn, v := range l.live {
		s.AddVersion(arn.Layer(), v)
	}
	if l.signed != nil {
		s.Signing = l.signed
	}
	if l.tagged != nil {
		s.Functions = slices.Clone(s.Functions) // which other snapshots share
		for i, f := range s.Functions {
			s.Functions[i].Tags = orEmpty(l.tagged[f.ARN])
		}
	}
}

// tags reads the tags of all functions from the index of tags, a service of its own.
// Whatever it refuses, or that it is out of reach, keeps nothing else from being read:
// each function's own tags are read once more before it is changed.
func (l *look) tags(ctx context.Context) error {
	all, err := l.client.functionTags(ctx)
	_, known := errors.AsType[*state.Error](err)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.tagged = all
	case ctx.Err() != nil, state.Elsewhere(err) != nil, !known:
		return err
	default:
		l.refused = append(l.refused, err)
	}
	return nil
}

// merge leaves a map nil when nothing was found: not looked at.
func merge[K comparable, V any](into *map[K]V, found map[K]V) {
	if *into == nil && len(found) > 0 {
		*into = found
		return
	}
	maps.Copy(*into, found)
}

// failed keeps an error that concerns one thing only, and returns one that
// would meet every other call as well: AWS is out of reach, or another account
// answers.
func (l *look) failed(err error) error {
	switch state.KindOf(err) {
	case state.Again, state.Stopped, state.Barred:
		return err
	}
	if state.Elsewhere(err) != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = append(l.refused, err)
	return nil
}

// uses sweeps all published versions. $LATEST rows are left out: the snapshot
// has them.
func (l *look) uses(ctx context.Context) error {
	u := &state.Uses{SweptAt: time.Now().UTC().Round(0), Sizes: map[state.LayerVersionARN]int64{}}
	type version struct{ function, version string }
	seen := map[version]bool{}
	versioned := map[string]bool{}
	in := interner{}
	err := sweep(ctx, "ListFunctions", "", func(ctx context.Context, marker *string) (*string, error) {
		out, err := l.client.lambda.ListFunctions(ctx, &lambda.ListFunctionsInput{
			FunctionVersion: types.FunctionVersionAll, Marker: marker, MaxItems: aws.Int32(pageSize),
		})
		if err != nil {
			return nil, err
		}
		for i := range out.Functions {
			cfg := &out.Functions[i]
			for _, layer := range cfg.Layers {
				u.Sizes[state.LayerVersionARN(in.text(layer.Arn))] = layer.CodeSize
			}
			v := version{in.text(cfg.FunctionName), in.text(cfg.Version)}
			if v.version == "$LATEST" {
				continue
			}
			versioned[v.function] = true
			if seen[v] || len(cfg.Layers) == 0 {
				continue // one that comes twice is the same: versions never change
			}
			seen[v] = true
			u.Published = append(u.Published, state.Published{
				Function: v.function, Version: v.version, Layers: layerARNs(cfg.Layers, in),
			})
		}
		return out.NextMarker, nil
	})
	if err != nil {
		return l.failed(err)
	}
	for name := range versioned {
		u.Versioned = append(u.Versioned, name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.swept = u
	return nil
}

// aliasesOf lists the aliases of a function, and of one behind an alias also
// which of them have provisioned concurrency.
func (l *look) aliasesOf(ctx context.Context, name string, behind bool) error {
	var all []state.Alias
	seen := map[string]bool{}
	err := sweep(ctx, "ListAliases", name, func(ctx context.Context, marker *string) (*string, error) {
		out, err := l.client.lambda.ListAliases(ctx, &lambda.ListAliasesInput{
			FunctionName: aws.String(name), Marker: marker, MaxItems: aws.Int32(pageSize),
		})
		if err != nil {
			return nil, err
		}
		for _, a := range out.Aliases {
			if alias := alias(a); !seen[alias.Name] {
				seen[alias.Name] = true
				all = append(all, alias)
			}
		}
		return out.NextMarker, nil
	})
	// A function that was deleted meanwhile has no aliases; that is no reason
	// to fail the others.
	if err == nil && behind {
		err = l.client.provisioned(ctx, name, all)
	}
	if err != nil && state.KindOf(err) != state.Gone {
		return l.failed(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.aliases[name] = all
	return nil
}

// provisioned marks the aliases that have provisioned concurrency, with one
// call for the function. None can be had on $LATEST, so that a function whose
// aliases serve nothing else costs no call.
func (c *Client) provisioned(ctx context.Context, name string, aliases []state.Alias) error {
	if !slices.ContainsFunc(aliases, func(a state.Alias) bool { return !strings.HasPrefix(a.Version, "$") }) {
		return nil
	}
	err := sweep(ctx, "ListProvisionedConcurrencyConfigs", name, func(ctx context.Context, marker *string) (*string, error) {
		out, err := c.lambda.ListProvisionedConcurrencyConfigs(ctx, &lambda.ListProvisionedConcurrencyConfigsInput{
			FunctionName: aws.String(name), Marker: marker, MaxItems: aws.Int32(pageSize),
		})
		if err != nil {
			return nil, err
		}
		for _, cfg := range out.ProvisionedConcurrencyConfigs {
			// Its ARN ends in what has it: an alias, or a version, which keeps it
			// when an alias moves away.
			arn := aws.ToString(cfg.FunctionArn)
			for i := range aliases {
				if arn == unqualified(arn)+":"+aliases[i].Name {
					aliases[i].Provisioned = true
				}
			}
		}
		return out.NextMarker, nil
	})
	if state.KindOf(err) == state.Gone {
		return nil // the function is gone, or an emulator does not know the call
	}
	return err
}

// servedBy reads what a qualifier serves. One that does not exist is known to
// serve nothing.
func (l *look) servedBy(ctx context.Context, q state.Qualified) error {
	s, err := l.client.Served(ctx, q)
	if err != nil && state.KindOf(err) != state.Gone {
		return l.failed(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.served[q] = s
	return nil
}

func alias(a types.AliasConfiguration) state.Alias {
	s := state.Alias{Name: aws.ToString(a.Name), Version: aws.ToString(a.FunctionVersion), RevisionID: aws.ToString(a.RevisionId)}
	if a.RoutingConfig != nil && len(a.RoutingConfig.AdditionalVersionWeights) > 0 {
		s.Weights = maps.Clone(a.RoutingConfig.AdditionalVersionWeights)
	}
	return s
}

// policyOf reads who else may read an own layer version; one that is not there is
// private.
func (l *look) policyOf(ctx context.Context, v state.LayerVersionARN) error {
	l.mu.Lock()
	denied := l.denied[v.Layer()]
	l.mu.Unlock()
	if denied != nil { // a right is of a layer: hundreds of versions would be denied alike
		return l.failed(denied)
	}
	p, err := l.client.LayerPolicy(ctx, v)
	if err != nil && state.KindOf(err) != state.Gone {
		l.notePolicyDenied(v, err)
		return l.failed(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.policies[v] = p
	return nil
}

func (l *look) notePolicyDenied(v state.LayerVersionARN, err error) {
	if e, ok := errors.AsType[*state.Error](err); ok && state.Denied(e.Code) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.denied[v.Layer()] = err
	}
}

// probeOf asks whether an update may name a layer version. AWS answers for one
// of another account that is deleted, in another Region or not granted alike,
// with "access denied"; all mean that an update naming it would be refused.
func (l *look) probeOf(ctx context.Context, v state.LayerVersionARN) error {
	p := state.Probe{Usable: true}
	// AWS's own old form has no number and cannot be asked for.
	if _, _, ok := v.Split(); ok {
		out, err := l.client.lambda.GetLayerVersionByArn(ctx, &lambda.GetLayerVersionByArnInput{Arn: aws.String(string(v))})
		switch {
		case err != nil:
			err = readError("GetLayerVersionByArn", string(v), err)
			if !unusable(err) {
				return l.failed(err)
			}
			p = state.Probe{Reason: reason(err)}
		case out.Content != nil:
			p.Size, p.Signer = out.Content.CodeSize, strings.Clone(aws.ToString(out.Content.SigningProfileVersionArn))
			p.SHA256, _ = hexOf(out.Content.CodeSha256) // what cannot be read is not known
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probes[v] = p
	return nil
}

func unusable(err error) bool {
	e, ok := errors.AsType[*state.Error](err)
	if !ok {
		return false
	}
	switch e.Code {
	case "ResourceNotFoundException", "AccessDeniedException", "InvalidParameterValueException", "ValidationException":
		// An AssumeRole that was denied says AccessDenied, about us.
		return strings.HasPrefix(e.Op, "GetLayerVersion")
	}
	return false
}

func reason(err error) string {
	e, _ := errors.AsType[*state.Error](err)
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}
