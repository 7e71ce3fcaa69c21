package ssm

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/parameters"
	"github.com/layerd/layerd/internal/state"
)

const (
	// writesPerSecond is below the 3 that AWS gives all who write parameters, and
	// readsPerSecond far below the 40 of all who read them: a round that only looks is
	// not to wait as one that writes.
	writesPerSecond, readsPerSecond = 2, 10
	// mostPages of ten parameters each; an environment has two of each layer.
	mostPages = 1000
)

var _ parameters.Store = (*Store)(nil)

// Store is one account and Region. It is safe for concurrent use.
type Store struct {
	writes, reads *rate.Limiter

	client *ssm.Client
	creds  *awscall.Credentials
}

// New wires a Store; it makes no call.
func New(cfg aws.Config, o awscall.Options) (*Store, error) {
	s := &Store{writes: rate.NewLimiter(writesPerSecond, 5), reads: rate.NewLimiter(readsPerSecond, readsPerSecond)}
	turn := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		pace := s.writes
		switch awsmiddleware.GetOperationName(ctx) {
		case "GetParametersByPath", "ListTagsForResource":
			pace = s.reads
		}
		if err := awscall.Turn(ctx, pace); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		return next.HandleFinalize(ctx, in)
	}
	cfg, creds, err := awscall.Wire{Pace: awscall.BeforeAttempt("LayerdPace", turn), Own: answers}.Connect(cfg, o)
	if err != nil {
		return nil, err
	}
	s.client, s.creds = ssm.NewFromConfig(cfg), creds
	return s, nil
}

// answers calls own for each parameter of an answer.
func answers(_, out any, own func(*string)) {
	page, ok := out.(*ssm.GetParametersByPathOutput)
	if !ok {
		return
	}
	for i := range page.Parameters {
		own(page.Parameters[i].ARN)
	}
}

// checked keeps an error of the credentials from looking like one of the call.
func (s *Store) checked(ctx context.Context) error {
	_, err := s.creds.Place(ctx)
	return sorter.Read("GetCallerIdentity", "", err)
}

// Parameters implements [parameters.Store].
func (s *Store) Parameters(ctx context.Context, path string, tagged []string) ([]parameters.Parameter, error) {
	if err := s.checked(ctx); err != nil {
		return nil, err
	}
	var list []parameters.Parameter
	err := sorter.Sweep(ctx, "GetParametersByPath", path, mostPages, func(ctx context.Context, marker *string) (*string, error) {
		out, err := s.client.GetParametersByPath(ctx, &ssm.GetParametersByPathInput{Path: &path, Recursive: aws.Bool(true), NextToken: marker})
		if err != nil {
			return nil, err
		}
		for _, p := range out.Parameters {
			list = append(list, parameters.Parameter{Name: aws.ToString(p.Name), Value: aws.ToString(p.Value), Plain: p.Type == types.ParameterTypeString})
		}
		return out.NextToken, nil
	})
	for i := range list {
		if err == nil && slices.Contains(tagged, list[i].Name) {
			list[i].Tags, err = s.tags(ctx, list[i].Name)
		}
	}
	if state.KindOf(err) == state.Gone && err != nil {
		err = nil // one was deleted in between; what is missing is written anew
	}
	return list, err
}

func (s *Store) tags(ctx context.Context, name string) (map[string]string, error) {
	out, err := s.client.ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &name})
	if err != nil {
		return nil, sorter.Read("ListTagsForResource", name, err)
	}
	tags := map[string]string{}
	for _, t := range out.TagList {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags, nil
}

// PutParameter implements [parameters.Store].
func (s *Store) PutParameter(ctx context.Context, p parameters.Parameter, check func() error) error {
	if err := s.checked(ctx); err != nil {
		return err
	}
	in := &ssm.PutParameterInput{
		Name: &p.Name, Value: &p.Value, Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
		Description: aws.String("Written by layerd: the version that is applied and proven."),
	}
	if _, err := s.client.PutParameter(ctx, in, asking(check)); err != nil {
		return sorter.Write("PutParameter", p.Name, err)
	}
	if len(p.Tags) == 0 {
		return nil
	}
	tags := &ssm.AddTagsToResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &p.Name}
	for _, key := range slices.Sorted(maps.Keys(p.Tags)) {
		tags.Tags = append(tags.Tags, types.Tag{Key: aws.String(key), Value: aws.String(p.Tags[key])})
	}
	_, err := s.client.AddTagsToResource(ctx, tags, asking(check))
	return sorter.Write("AddTagsToResource", p.Name, err)
}

// DeleteParameter implements [parameters.Store].
func (s *Store) DeleteParameter(ctx context.Context, name string, check func() error) error {
	if err := s.checked(ctx); err != nil {
		return err
	}
	_, err := s.client.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &name}, asking(check))
	return unlessGone(sorter.Write("DeleteParameter", name, err))
}

// TryTag asks to tag a parameter that is not there, and returns what AWS says but that:
// to know it takes the right.
func (s *Store) TryTag(ctx context.Context, name string) error {
	_, err := s.client.AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{
		ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &name, Tags: []types.Tag{{Key: aws.String("layerd"), Value: aws.String("doctor")}},
	})
	return unlessGone(sorter.Write("AddTagsToResource", name, err))
}

// TryTags is TryTag for reading them.
func (s *Store) TryTags(ctx context.Context, name string) error {
	_, err := s.tags(ctx, name)
	return unlessGone(err)
}

// TryPut asks to make a parameter that is there, which AWS refuses to whoever may.
func (s *Store) TryPut(ctx context.Context, p parameters.Parameter) error {
	_, err := s.client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &p.Name, Value: &p.Value, Type: types.ParameterTypeString, Overwrite: aws.Bool(false),
	})
	if _, there := errors.AsType[*types.ParameterAlreadyExists](err); there {
		return nil
	}
	return sorter.Write("PutParameter", p.Name, err)
}

// unlessGone: that it is not there is known to whoever may.
func unlessGone(err error) error {
	if err != nil && state.KindOf(err) == state.Gone {
		return nil
	}
	return err
}

// asking asks check before each attempt.
func asking(check func() error) func(*ssm.Options) {
	return func(o *ssm.Options) {
		if check == nil {
			return
		}
		ask := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
			middleware.FinalizeOutput, middleware.Metadata, error,
		) {
			if err := check(); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, &awscall.UnsentError{Err: err}
			}
			return next.HandleFinalize(ctx, in)
		}
		o.APIOptions = append(o.APIOptions, awscall.BeforeAttempt("LayerdCheck", ask))
	}
}

var sorter = awscall.Sorter{Kind: kindOf}

// kindOf is the table: the code decides, the status where the code is unknown. Every
// write may be repeated, so that one that is lost is like a read.
func kindOf(code string, err error, _ bool) state.Kind {
	switch code {
	case "ParameterNotFound", "InvalidResourceId":
		return state.Gone
	case "TooManyUpdates", "InternalServerError":
		return state.Again
	}
	return awscall.KindByStatus(err)
}
