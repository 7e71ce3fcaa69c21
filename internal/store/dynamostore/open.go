package dynamostore

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/layerd/layerd/internal/awscall"
)

// defaultCallTimeout is generous: DynamoDB answers within milliseconds, and the
// largest value takes a slow line a second or two.
const defaultCallTimeout = 5 * time.Second

// Options is how the table is reached. The zero Options are good.
type Options struct {
	// CallTimeout is the deadline of one HTTP attempt; 5 seconds when zero. The
	// context of a call bounds all its attempts together.
	CallTimeout time.Duration
	// HTTPClient replaces that of the aws.Config when it is not nil.
	HTTPClient aws.HTTPClient
}

// Open opens the table for reading and writing, and brings it to the present
// schema. It does not make one: see Init.
func Open(ctx context.Context, cfg aws.Config, table string, o Options) (*Store, error) {
	s, err := connect(cfg, table, o)
	if err != nil {
		return nil, s.explain("open store", err)
	}
	if err := s.prepare(ctx, migrations()); err != nil {
		return nil, s.explain("open store", err)
	}
	s.opened.Store(true)
	return s, nil
}

// OpenReadOnly opens the table for reading. Writes return store.ErrReadOnly.
// Where there is no table, the error is fs.ErrNotExist.
func OpenReadOnly(ctx context.Context, cfg aws.Config, table string, o Options) (*Store, error) {
	s, err := connect(cfg, table, o)
	if err != nil {
		return nil, s.explain("open store", err)
	}
	s.readOnly = true
	if err := s.inspect(ctx, latest(migrations())); err != nil {
		return nil, s.explain("open store", err)
	}
	return s, nil
}

// arnOfTable finds the Region in the ARN of a table.
var arnOfTable = regexp.MustCompile(`^arn:[^:]+:dynamodb:([^:]+):\d{12}:table/`)

// connect wires a Store and asks nothing. The Store is never nil, so that it
// can explain its own error.
func connect(cfg aws.Config, table string, o Options) (*Store, error) {
	s := &Store{table: table}
	if o.CallTimeout <= 0 {
		o.CallTimeout = defaultCallTimeout
	}
	cfg = cfg.Copy()
	if m := arnOfTable.FindStringSubmatch(table); m != nil {
		cfg.Region = m[1]
	}
	if cfg.Region == "" {
		return s, errors.New("no Region: set AWS_REGION, or region in ~/.aws/config, or name the table by its ARN")
	}
	s.region = cfg.Region
	// Nobody hears the SDK: it has a word about every answer of a DynamoDB that
	// sends no checksum, as those on a laptop do.
	cfg = awscall.Wire{Retryer: newRetryer, Timeout: o.CallTimeout, HTTPClient: o.HTTPClient}.Config(cfg)
	s.db = dynamodb.NewFromConfig(cfg, func(do *dynamodb.Options) {
		// It would ask for endpoints in a goroutine of its own.
		do.EndpointDiscovery.EnableEndpointDiscovery = aws.EndpointDiscoveryDisabled
	})
	return s, nil
}
