package daemon

import (
	"context"
	"log/slog"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/health/cloudwatch"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/state/awslambda"
)

// Cloud is what a round needs of one account, Region and role.
// awslambda.Client is one.
type Cloud interface {
	apply.Cloud
	health.Source
	// Check makes sure that the credentials belong to the account; a round begins
	// with it. A *state.WrongAccountError says they do not. Every other method
	// makes sure as well: credentials may be renewed in the middle of a round.
	Check(ctx context.Context) error
	Observe(ctx context.Context, q awslambda.Query) (state.Snapshot, error)
	Look(ctx context.Context, s *state.Snapshot, n state.Needs) error
	Calls() awslambda.Stats
	// While returns the calls that change something, each sent only while check
	// returns nil: it is asked at the last moment before each attempt.
	While(check func() error) Writes
}

// Writes are the calls that change something; see apply.Cloud.
type Writes interface {
	SetLayers(ctx context.Context, name string, layers []state.LayerVersionARN, revision string) (requestID string, err error)
	DeleteLayerVersion(ctx context.Context, v state.LayerVersionARN) (requestID string, err error)
	Publish(ctx context.Context, q state.Qualified, code, revision string) (version, requestID string, err error)
	MoveAlias(ctx context.Context, q state.Qualified, version string, weights map[string]float64, revision string) (requestID string, err error)
}

// AWSOptions is how AWS is asked.
type AWSOptions struct {
	RequestsPerSecond    float64 // per account and Region; 0 = 5
	GetFunctionPerSecond float64 // per account and Region; 0 = 60
	Logger               *slog.Logger
	HTTPClient           aws.HTTPClient // nil = the SDK's own
}

// Connector gives a function that connects to the account, Region and role of
// an environment. Clients of one account and Region share their limits, and
// equal environments share a client, so that one quota has one spender.
func Connector(cfg aws.Config, o AWSOptions) func(context.Context, desired.Environment) (Cloud, error) {
	var mu sync.Mutex // guards the maps: connecting twice would split a quota
	limits := map[[2]string]*awslambda.Limits{}
	clients := map[place]cloud{}
	return func(ctx context.Context, env desired.Environment) (Cloud, error) {
		mu.Lock()
		defer mu.Unlock()
		p := placeOf(env)
		if c, ok := clients[p]; ok {
			return c, nil
		}
		quota := [2]string{env.Account, env.Region}
		if limits[quota] == nil {
			limits[quota] = awslambda.NewLimits(o.RequestsPerSecond, o.GetFunctionPerSecond)
		}
		c, err := awslambda.New(ctx, cfg, awslambda.Options{
			Account: env.Account, Region: env.Region, Role: env.Role, ExternalID: env.ExternalID,
			SessionName: sessionName(env.Name), Limits: limits[quota], Logger: o.Logger, HTTPClient: o.HTTPClient,
		})
		if err != nil {
			return nil, err
		}
		h, err := cloudwatch.New(cfg, cloudwatch.Options{
			Account: env.Account, Region: env.Region, Role: env.Role, ExternalID: env.ExternalID,
			SessionName: sessionName(env.Name), Credentials: c.Credentials(), Logger: o.Logger, HTTPClient: o.HTTPClient,
		})
		if err != nil {
			return nil, err
		}
		clients[p] = cloud{c, h}
		return clients[p], nil
	}
}

// Examined gives the client with which a connection can be examined (layerd
// doctor); ok is false for one that Connector did not make.
func Examined(c Cloud) (client *awslambda.Client, ok bool) {
	made, ok := c.(cloud)
	return made.Client, ok
}

// cloud is one account, Region and role: its functions, and their health.
type cloud struct {
	*awslambda.Client
	health.Source
}

func (c cloud) While(check func() error) Writes { return c.Client.While(check) }

// place is what observation is shared by.
type place struct{ account, region, role, externalID string }

func placeOf(e desired.Environment) place {
	return place{e.Account, e.Region, e.Role, e.ExternalID}
}

// sessionName keeps to what sts:AssumeRole accepts: at most 64 of
// [\w+=,.@-].
func sessionName(environment string) string {
	name := []byte("layerd-" + environment)
	for i, b := range name {
		letter := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
		if !letter && b != '-' && b != '_' && b != '.' {
			name[i] = '-'
		}
	}
	return string(name[:min(len(name), 64)])
}
