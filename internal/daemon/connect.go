package daemon

import (
	"context"
	"log/slog"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/health/cloudwatch"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state/awslambda"
)

// AWSOptions is how AWS is asked.
type AWSOptions struct {
	RequestsPerSecond    float64 // per account and Region; 0 = 5
	GetFunctionPerSecond float64 // per account and Region; 0 = 60
	Logger               *slog.Logger
	HTTPClient           aws.HTTPClient // nil = the SDK's own
}

// Connector returns a function that connects to the account, Region and role of
// an environment. Clients of one account and Region share their limits, and
// equal environments share a client, so that one quota has one spender.
func Connector(cfg aws.Config, o AWSOptions) func(context.Context, desired.Environment) (round.Cloud, error) {
	var mu sync.Mutex // guards the maps: connecting twice would split a quota
	limits := map[[2]string]*awslambda.Limits{}
	clients := map[round.Place]cloud{}
	return func(ctx context.Context, env desired.Environment) (round.Cloud, error) {
		mu.Lock()
		defer mu.Unlock()
		p := round.PlaceOf(env)
		if c, ok := clients[p]; ok {
			return c, nil
		}
		quota := [2]string{env.Account, env.Region}
		if limits[quota] == nil {
			limits[quota] = awslambda.NewLimits(o.RequestsPerSecond, o.GetFunctionPerSecond)
		}
		reach := awscall.Options{
			Account: env.Account, Region: env.Region, Role: env.Role, ExternalID: env.ExternalID,
			SessionName: sessionName(env.Name), Logger: o.Logger, HTTPClient: o.HTTPClient,
		}
		c, err := awslambda.New(ctx, cfg, awslambda.Options{Options: reach, Limits: limits[quota]})
		if err != nil {
			return nil, err
		}
		reach.Credentials = c.Credentials()
		h, err := cloudwatch.New(cfg, reach)
		if err != nil {
			return nil, err
		}
		clients[p] = cloud{c, h}
		return clients[p], nil
	}
}

// Examined returns the client with which a connection can be examined (layerd
// doctor); ok is false for one that Connector did not make.
func Examined(c round.Cloud) (client *awslambda.Client, ok bool) {
	made, ok := c.(cloud)
	return made.Client, ok
}

// cloud is one account, Region and role: its functions, and their health.
type cloud struct {
	*awslambda.Client
	health.Source
}

func (c cloud) While(check func() error) round.Writes { return c.Client.While(check) }

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
