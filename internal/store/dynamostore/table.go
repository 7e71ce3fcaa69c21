package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/cenkalti/backoff/v5"
)

// A table is made within half a minute, and its backups can be turned on a
// little later. Minutes mean that something is wrong at AWS.
const (
	waitForTable   = 5 * time.Minute
	waitForBackups = 2 * time.Minute
	askAgain       = 2 * time.Second
)

// Init makes the table, or finishes one that is empty: on demand, with recovery
// to any point in time and protection from deletion. It reports whether it made
// one. The mark of layerd is written last, so a table that has it is
// finished, and Init changes nothing there. A table of another shape and one
// that holds something else are refused.
func Init(ctx context.Context, cfg aws.Config, table string) (created bool, err error) {
	s, err := connect(cfg, table, Options{})
	if err != nil {
		return false, s.explain("make the store", err)
	}
	created, err = s.init(ctx)
	if err != nil {
		return created, s.explain("make the store", err)
	}
	return created, nil
}

func (s *Store) init(ctx context.Context) (created bool, err error) {
	found, err := s.describe(ctx)
	if err != nil {
		return false, err
	}
	if found == nil {
		if created, err = s.create(ctx); err != nil {
			return false, err
		}
	}
	if found, err = s.waitActive(ctx, found); err != nil {
		return created, err
	}
	if err := checkShape(found); err != nil {
		return created, err
	}
	version, err := s.schema(ctx)
	if !errors.Is(err, errNotOurs) {
		return created, errors.Join(err, check(version, latest(migrations())))
	}
	if err := s.checkEmpty(ctx); err != nil {
		return created, err
	}
	if err := s.protect(ctx, found); err != nil {
		return created, err
	}
	_, version, err = s.setSchema(ctx, latest(migrations()), "attribute_not_exists(#schema)")
	return created, errors.Join(err, check(version, latest(migrations())))
}

// describe returns nil where there is no table.
func (s *Store) describe(ctx context.Context) (*types.TableDescription, error) {
	out, err := s.db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
	switch {
	case codeOf(err) == "ResourceNotFoundException":
		return nil, nil
	case err != nil:
		return nil, s.readFailed(err)
	}
	return out.Table, nil
}

func (s *Store) create(ctx context.Context) (bool, error) {
	unsure := false
	_, err := s.db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:                 &s.table,
		BillingMode:               types.BillingModePayPerRequest,
		DeletionProtectionEnabled: aws.Bool(true),
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	}, watch(&unsure))
	if codeOf(err) == "ResourceInUseException" {
		return unsure, nil // we did and the answer was lost, or somebody else did
	}
	if err != nil {
		return false, s.writeFailed(err, unsure)
	}
	return true, nil
}

// waitActive waits for a table that is being made. One that is being deleted
// would be waited for in vain.
func (s *Store) waitActive(ctx context.Context, found *types.TableDescription) (*types.TableDescription, error) {
	if found != nil {
		switch found.TableStatus {
		case types.TableStatusActive:
			return found, nil
		case types.TableStatusCreating, types.TableStatusUpdating:
		default:
			return nil, fmt.Errorf("it is %s", found.TableStatus)
		}
	}
	waiter := dynamodb.NewTableExistsWaiter(s.db, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = askAgain, askAgain
	})
	out, err := waiter.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &s.table}, waitForTable)
	if err != nil {
		return nil, fmt.Errorf("wait until it is active: %w", s.readFailed(err))
	}
	return out.Table, nil
}

// checkShape refuses a table in which our items could not lie, and one in which
// a condition guards nothing.
func checkShape(t *types.TableDescription) error {
	want := []string{"pk HASH S", "sk RANGE S"}
	var keys []string
	for _, k := range t.KeySchema {
		kind := ""
		for _, a := range t.AttributeDefinitions {
			if aws.ToString(a.AttributeName) == aws.ToString(k.AttributeName) {
				kind = string(a.AttributeType)
			}
		}
		keys = append(keys, fmt.Sprintf("%s %s %s", aws.ToString(k.AttributeName), k.KeyType, kind))
	}
	slices.Sort(keys)
	switch {
	case !slices.Equal(keys, want):
		return fmt.Errorf("%w: its keys are %q, ours are %q", errNotOurs, keys, want)
	case len(t.Replicas) > 0 && t.MultiRegionConsistency != types.MultiRegionConsistencyStrong:
		return errors.New("a global table in which the last writer wins: layerd needs one Region, or strong consistency over all of them")
	}
	return nil
}

// checkEmpty refuses to move in with somebody else.
func (s *Store) checkEmpty(ctx context.Context) error {
	out, err := s.db.Scan(ctx, &dynamodb.ScanInput{TableName: &s.table, Limit: aws.Int32(1), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return s.readFailed(err)
	}
	if len(out.Items) > 0 {
		return fmt.Errorf("%w: it holds other items; name another table", errNotOurs)
	}
	return nil
}

// protect turns on what Init promises, where it is off.
func (s *Store) protect(ctx context.Context, t *types.TableDescription) error {
	if !aws.ToBool(t.DeletionProtectionEnabled) {
		unsure := false
		_, err := s.db.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &s.table, DeletionProtectionEnabled: aws.Bool(true)}, watch(&unsure))
		// Its own update, whose answer was lost, is what a repeated one finds in use.
		if err != nil && !(unsure && codeOf(err) == "ResourceInUseException") {
			return fmt.Errorf("protect it from deletion: %w", s.readFailed(err))
		}
		if _, err := s.waitActive(ctx, nil); err != nil {
			return err
		}
	}
	if err := s.turnOnRecovery(ctx); err != nil {
		return fmt.Errorf("turn on recovery to a point in time: %w", s.readFailed(err))
	}
	return nil
}

// turnOnRecovery leaves recovery alone that is on already: who turned it on may
// have chosen how far back it goes.
func (s *Store) turnOnRecovery(ctx context.Context) error {
	out, err := s.db.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &s.table})
	if err != nil {
		return err
	}
	if d := out.ContinuousBackupsDescription; d != nil && d.PointInTimeRecoveryDescription != nil &&
		d.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
		return nil
	}
	// A new table answers for a while that its backups are not there yet.
	_, err = backoff.Retry(ctx, func() (*dynamodb.UpdateContinuousBackupsOutput, error) {
		out, err := s.db.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
			TableName:                        &s.table,
			PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
		})
		if err != nil && codeOf(err) != "ContinuousBackupsUnavailableException" {
			err = backoff.Permanent(err)
		}
		return out, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(askAgain)), backoff.WithMaxElapsedTime(waitForBackups))
	return err
}
