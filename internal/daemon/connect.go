package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/archive/s3"
	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/health/cloudwatch"
	"github.com/layerd/layerd/internal/parameters/ssm"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state/awslambda"
)

// AWSOptions is how AWS is asked.
type AWSOptions struct {
	RequestsPerSecond    float64 // per account and Region; 0 = 5
	GetFunctionPerSecond float64 // per account and Region; 0 = 60
	Logger               *slog.Logger
	HTTPClient           aws.HTTPClient // nil = the SDK's own
	Ends                 *Ends          // where ends of updates are heard of; nil = nowhere
}

// Connector returns a function that connects to the account, Region and role of
// an environment. Clients of one account and Region share their limits, and
// equal environments share a client, so that one quota has one spender.
func Connector(cfg aws.Config, o AWSOptions) func(context.Context, desired.Environment) (round.Cloud, error) {
	c := newConnections(cfg, o)
	return func(ctx context.Context, env desired.Environment) (round.Cloud, error) {
		made, err := c.connect(ctx, env)
		if err != nil {
			return nil, err // not made: an empty one in an interface is not nil
		}
		return made, nil
	}
}

// Examiner is Connector for layerd doctor, which looks closer than a round does.
func Examiner(cfg aws.Config, o AWSOptions) func(context.Context, desired.Environment) (Connection, error) {
	return newConnections(cfg, o).connect
}

// Connection is one account, Region and role: its functions, their health, the
// parameters in which others read what stands, and what it may read from S3.
type Connection struct {
	*awslambda.Client
	health.Source
	*ssm.Store
	objects *s3.Client
	http    aws.HTTPClient // for addresses that AWS hands out
	metrics *cloudwatch.Client
}

// Measure implements [round.Examiner].
func (c Connection) Measure(ctx context.Context, list []health.Measure, from, to time.Time, point time.Duration) ([]health.Sum, error) {
	return c.metrics.Measure(ctx, list, from, to, point)
}

// PutFigures implements [health.Sink].
func (c Connection) PutFigures(ctx context.Context, namespace string, figures []health.Figure) error {
	return c.metrics.PutFigures(ctx, namespace, figures)
}

var _ health.Sink = Connection{}

// Objects reads S3.
func (c Connection) Objects() artifact.Objects { return c.objects }

// While implements [round.Cloud].
func (c Connection) While(check func() error) apply.Writes { return c.Client.While(check) }

// connections are those that were made with one configuration.
type connections struct {
	cfg aws.Config
	o   AWSOptions

	mu      sync.Mutex // guards the maps: connecting twice would split a quota
	limits  map[[2]string]*awslambda.Limits
	clients map[round.Place]Connection
}

func newConnections(cfg aws.Config, o AWSOptions) *connections {
	return &connections{cfg: cfg, o: o, limits: map[[2]string]*awslambda.Limits{}, clients: map[round.Place]Connection{}}
}

func (c *connections) connect(ctx context.Context, env desired.Environment) (Connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := round.PlaceOf(env)
	if made, ok := c.clients[p]; ok {
		return made, nil
	}
	quota := [2]string{env.Account, env.Region}
	if c.limits[quota] == nil {
		c.limits[quota] = awslambda.NewLimits(c.o.RequestsPerSecond, c.o.GetFunctionPerSecond)
	}
	reach := awscall.Options{
		Account: env.Account, Region: env.Region, Role: env.Role, ExternalID: env.ExternalID,
		SessionName: sessionName(env.Name), Logger: c.o.Logger, HTTPClient: c.o.HTTPClient,
	}
	options := awslambda.Options{Options: reach, Limits: c.limits[quota]}
	if c.o.Ends != nil {
		options.Listen = c.o.Ends.Listen
	}
	client, err := awslambda.New(ctx, c.cfg, options)
	if err != nil {
		return Connection{}, err
	}
	reach.Credentials = client.Credentials()
	source, err := cloudwatch.New(c.cfg, reach)
	if err != nil {
		return Connection{}, err
	}
	kept, err := ssm.New(c.cfg, reach)
	if err != nil {
		return Connection{}, err
	}
	objects, err := s3.New(c.cfg, reach)
	if err != nil {
		return Connection{}, err
	}
	c.clients[p] = Connection{client, source, kept, objects, downloader(c.cfg, c.o), source}
	return c.clients[p], nil
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
