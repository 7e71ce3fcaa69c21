package awslambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"golang.org/x/sync/errgroup"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// Observe looks at the whole account and Region. The result is sorted; on an
// error there is none.
func (c *Client) Observe(ctx context.Context, q state.Query) (state.Snapshot, error) {
	place, err := c.checked(ctx)
	if err != nil {
		return state.Snapshot{}, err
	}
	s := state.Snapshot{
		Account: place.Account, Region: place.Region, Partition: place.Partition,
		ObservedAt: time.Now().UTC().Round(0), // without the monotonic reading, which would not compare
	}
	for _, l := range q.Layers {
		if owns(place, l) && !slices.ContainsFunc(s.Layers, func(have state.Layer) bool { return have.ARN == l }) {
			s.Layers = append(s.Layers, state.Layer{ARN: l})
		}
	}
	var tags map[string]map[string]string
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrent)
	g.Go(func() error { return set(&s.Functions)(c.functions(ctx, q.Settings)) })
	if q.Tags {
		g.Go(func() error { return set(&tags)(c.functionTags(ctx)) })
	}
	for i := range s.Layers {
		g.Go(func() error { return set(&s.Layers[i].Versions)(c.versions(ctx, s.Layers[i].ARN)) })
	}
	if err := g.Wait(); err != nil {
		return state.Snapshot{}, err
	}
	s.Functions, s.Temporary = apart(s.Functions)
	if q.Tags {
		for i, f := range s.Functions {
			s.Functions[i].Tags = orEmpty(tags[f.ARN])
		}
	}
	s.Sort()
	return s, nil
}

// apart takes temporary functions out of a list: whatever is asked of a fleet, selectors
// of everything included, is not asked of them.
func apart(all []state.Function) (fleet, temporary []state.Function) {
	for _, f := range all {
		if state.IsTemporary(f.Name) {
			temporary = append(temporary, f)
		}
	}
	if len(temporary) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(f state.Function) bool { return state.IsTemporary(f.Name) }), temporary
}

// set keeps the value of a call in its place and passes the error on.
func set[T any](place *T) func(T, error) error {
	return func(v T, err error) error {
		*place = v
		return err
	}
}

// owns reports whether a layer is of the place: only then may it
// be listed, and only then does its name alone mean it.
func owns(p awscall.Place, l state.LayerARN) bool {
	return l == state.NewLayerARN(p.Partition, p.Region, p.Account, l.Name())
}

// orEmpty: a function that was never tagged is not in the index; that it has
// no tags is known, and nil would say that nobody looked.
func orEmpty(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}

// functions lists every function's $LATEST. The list is read over many calls
// while others write; a function that moves to a later page meanwhile comes
// twice, and the later reading counts.
func (c *Client) functions(ctx context.Context, withSettings bool) ([]state.Function, error) {
	var all []state.Function
	index := map[string]int{}
	in := interner{}
	err := sweep(ctx, "ListFunctions", "", func(ctx context.Context, marker *string) (*string, error) {
		out, err := c.lambda.ListFunctions(ctx, &lambda.ListFunctionsInput{Marker: marker, MaxItems: aws.Int32(pageSize)})
		if err != nil {
			return nil, err
		}
		for i := range out.Functions {
			f := function(&out.Functions[i], in)
			if withSettings || f.Managed { // which is served by a version, whatever the environment says
				f.Settings = settings(&out.Functions[i])
			}
			if at, twice := index[f.Name]; twice {
				all[at] = f
				continue
			}
			index[f.Name] = len(all)
			all = append(all, f)
		}
		return out.NextMarker, nil
	})
	return all, err
}

// versions lists the live versions of one own layer. A layer that AWS does not
// know, or whose versions are all deleted, has none.
func (c *Client) versions(ctx context.Context, layer state.LayerARN) ([]state.LayerVersion, error) {
	var all []state.LayerVersion
	seen := map[int64]bool{}
	err := sweep(ctx, "ListLayerVersions", layer.Name(), func(ctx context.Context, marker *string) (*string, error) {
		out, err := c.lambda.ListLayerVersions(ctx, &lambda.ListLayerVersionsInput{
			LayerName: aws.String(layer.Name()), Marker: marker, MaxItems: aws.Int32(pageSize),
		})
		if err != nil {
			return nil, err
		}
		for i := range out.LayerVersions {
			v, err := layerVersion(&out.LayerVersions[i])
			if err != nil {
				return nil, err
			}
			if !seen[v.Number] {
				seen[v.Number] = true
				all = append(all, v)
			}
		}
		return out.NextMarker, nil
	})
	if e, ok := errors.AsType[*state.Error](err); ok && e.Kind == state.Gone {
		return nil, nil
	}
	return all, err
}

// awsTime is how Lambda writes times: not RFC 3339, the zone has no colon.
const awsTime = "2006-01-02T15:04:05.000-0700"

func layerVersion(v *types.LayerVersionsListItem) (state.LayerVersion, error) {
	created, err := parseTime(aws.ToString(v.CreatedDate))
	if err != nil {
		// A zero time would make it the oldest version there is, and prunable.
		return state.LayerVersion{}, fmt.Errorf("created date of version %d: %w", v.Version, err)
	}
	lv := state.LayerVersion{Number: v.Version, Description: aws.ToString(v.Description), Created: created}
	for _, r := range v.CompatibleRuntimes {
		lv.Runtimes = append(lv.Runtimes, string(r))
	}
	for _, a := range v.CompatibleArchitectures {
		lv.Architectures = append(lv.Architectures, string(a))
	}
	return lv, nil
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(awsTime, s)
	if err != nil {
		t, err = time.Parse(time.RFC3339, s) // what some emulators write
	}
	return t.UTC(), err
}

// functionTags reads the tag index: tags by unqualified function ARN. It has
// only what is or once was tagged, and may still have what is deleted.
func (c *Client) functionTags(ctx context.Context) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	err := sweep(ctx, "GetResources", "", func(ctx context.Context, token *string) (*string, error) {
		out, err := c.tags.GetResources(ctx, &resourcegroupstaggingapi.GetResourcesInput{
			PaginationToken: token, ResourcesPerPage: aws.Int32(tagPage), ResourceTypeFilters: []string{"lambda:function"},
		})
		if err != nil {
			return nil, err
		}
		for _, r := range out.ResourceTagMappingList {
			tags := make(map[string]string, len(r.Tags))
			for _, t := range r.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			all[aws.ToString(r.ResourceARN)] = tags
		}
		return out.PaginationToken, nil
	})
	return all, err
}

// function keeps of a configuration what deciding needs; the rest, environment
// variables among it, goes with the page.
func function(cfg *types.FunctionConfiguration, in interner) state.Function {
	f := state.Function{
		ARN:          unqualified(strings.Clone(aws.ToString(cfg.FunctionArn))),
		Runtime:      in.text((*string)(&cfg.Runtime)),
		Architecture: string(types.ArchitectureX8664),
		Image:        cfg.PackageType == types.PackageTypeImage,
		RevisionID:   strings.Clone(aws.ToString(cfg.RevisionId)),
		CodeSHA256:   strings.Clone(aws.ToString(cfg.CodeSha256)),
		CodeSize:     cfg.CodeSize,
		Managed:      cfg.CapacityProviderConfig != nil,
	}
	f.Name = nameIn(f.ARN, aws.ToString(cfg.FunctionName))
	// A name cannot contain a dot: us-east-1.fn is a replica.
	f.Edge = aws.ToString(cfg.MasterArn) != "" || strings.Contains(f.Name, ".")
	if len(cfg.Architectures) > 0 {
		f.Architecture = in.text((*string)(&cfg.Architectures[0]))
	}
	f.Layers = layerARNs(cfg.Layers, in)
	return f
}

func layerARNs(layers []types.Layer, in interner) []state.LayerVersionARN {
	if len(layers) == 0 {
		return nil
	}
	arns := make([]state.LayerVersionARN, len(layers))
	for i, l := range layers {
		arns[i] = state.LayerVersionARN(in.text(l.Arn))
	}
	return arns
}

// unqualified cuts a version or alias off a function ARN:
// arn:aws:lambda:REGION:ACCOUNT:function:NAME:$LATEST.PUBLISHED.
func unqualified(arn string) string {
	rest := arn
	for range 7 {
		i := strings.IndexByte(rest, ':')
		if i < 0 {
			return arn
		}
		rest = rest[i+1:]
	}
	return arn[:len(arn)-len(rest)-1]
}

// nameIn returns name as a part of its ARN, which costs no memory of its own.
func nameIn(arn, name string) string {
	if strings.HasSuffix(arn, ":"+name) {
		return arn[len(arn)-len(name):]
	}
	return strings.Clone(name)
}
