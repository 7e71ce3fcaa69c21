package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/layerd/layerd/internal/store"
)

// The item that marks a table as ours. It is in every table that exists: never
// change where it is.
const (
	metaPartition = "layerd"
	metaKey       = "schema"
)

// A migration leads the items of a table from one version of the schema to the
// next. DynamoDB has no transaction over a whole table, so a migration may end
// halfway, and two processes may do it at once: it must be possible to do it
// again, and to do it together.
type migration func(ctx context.Context, s *Store) error

// migrations returns the steps from schema 1 on. Tables with these versions
// exist: append, never edit.
func migrations() []migration { return nil }

// latest is the version that the last step leads to.
func latest(steps []migration) int { return 1 + len(steps) }

// errNotOurs: there is a table, and no sign that it was made for layerd.
var errNotOurs = errors.New("it is not a table of layerd")

// schema reads which schema the table has.
func (s *Store) schema(ctx context.Context) (int, error) {
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: keyOf(metaPartition, metaKey), ConsistentRead: aws.Bool(true),
	})
	if codeOf(err) == "ValidationException" {
		// The only thing about this request that a table can find wrong is its key.
		return 0, fmt.Errorf("%w: %w", errNotOurs, told(err))
	}
	if err != nil {
		return 0, s.readFailed(err)
	}
	version := schemaOf(out.Item)
	if version == 0 {
		return 0, fmt.Errorf("%w, or was never finished; if it is meant for layerd, run layerd store init --store dynamodb:%s", errNotOurs, s.table)
	}
	return version, nil
}

// schemaOf reads the version out of the meta item; 0 when it is not one.
func schemaOf(item map[string]types.AttributeValue) int {
	n, ok := item["schema"].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	version, err := strconv.Atoi(n.Value)
	if err != nil || version < 1 {
		return 0
	}
	return version
}

// check returns why a table with this version must be left alone by a layerd
// that knows so many.
func check(version, known int) error {
	if version > known {
		return fmt.Errorf("%w: it has schema %d, this layerd knows %d; update layerd", store.ErrNewer, version, known)
	}
	return nil
}

// inspect decides whether the table can be read as it is.
func (s *Store) inspect(ctx context.Context, known int) error {
	version, err := s.schema(ctx)
	if err != nil {
		return err
	}
	if version < known {
		return fmt.Errorf("it has schema %d, this layerd reads %d; open it once for writing, as the daemon does", version, known)
	}
	return check(version, known)
}

// prepare brings the table to the present schema.
func (s *Store) prepare(ctx context.Context, steps []migration) error {
	version, err := s.schema(ctx)
	if err != nil {
		return err
	}
	if version == latest(steps) {
		return s.tryWrite(ctx)
	}
	return s.migrate(ctx, version, steps)
}

// tryWrite changes nothing, but needs the right to write: without it the first
// to notice would be the daemon in the middle of a rollout.
func (s *Store) tryWrite(ctx context.Context) error {
	_, _, err := s.setSchema(ctx, 0, "#schema < :new") // versions begin at 1
	return err
}

// migrate carries out the steps that are missing. The version is written after
// its step, so that a step that was cut off is done again.
func (s *Store) migrate(ctx context.Context, version int, steps []migration) error {
	for version < latest(steps) {
		next := version + 1
		if err := steps[version-1](ctx, s); err != nil {
			return fmt.Errorf("migrate to schema %d: %w", next, err)
		}
		set, found, err := s.setSchema(ctx, next, "#schema < :new")
		switch {
		case err != nil:
			return fmt.Errorf("migrate to schema %d: %w", next, err)
		case set:
			version = next
		default:
			version = found // another process was faster
		}
	}
	return check(version, latest(steps))
}

// setSchema writes the version if the condition holds, and reports whether it did;
// if not, found is the version that is there. Doing it twice does no harm.
func (s *Store) setSchema(ctx context.Context, version int, condition string) (set bool, found int, err error) {
	unsure := false
	_, err = s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: keyOf(metaPartition, metaKey),
		UpdateExpression: aws.String("SET #schema = :new"), ConditionExpression: &condition,
		ExpressionAttributeNames: map[string]string{"#schema": "schema"}, // a reserved word
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":new": &types.AttributeValueMemberN{Value: strconv.Itoa(version)},
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, watch(&unsure))
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return false, schemaOf(failed.Item), nil
	}
	if err != nil {
		return false, 0, s.writeFailed(err, unsure)
	}
	return true, version, nil
}
