package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/layerd/layerd/internal/store"
)

// valuePartition holds all values: see the page of the package.
const valuePartition = "value"

// pageRows is how many values a page of a list has at most. DynamoDB ends it
// after 1 MB if that is less.
const pageRows = 256

// Store is an open table. It implements store.Store.
type Store struct {
	table, region string
	readOnly      bool
	db            *dynamodb.Client
	closed        atomic.Bool
	opened        atomic.Bool // that there is no table means from now on that it was deleted
	gone          atomic.Bool // the table was; until Reopen
}

var _ store.Replaceable = (*Store)(nil)

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (store.Value, error) {
	v, err := s.get(ctx, key)
	if err != nil {
		return store.Value{}, s.explain("get "+key, err)
	}
	return v, nil
}

func (s *Store) get(ctx context.Context, key string) (store.Value, error) {
	if err := s.check(ctx, store.CheckKey(key)); err != nil {
		return store.Value{}, err
	}
	out, err := s.db.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &s.table, Key: keyOf(valuePartition, key), ConsistentRead: aws.Bool(true),
	})
	switch {
	case err != nil:
		return store.Value{}, s.readFailed(err)
	case len(out.Item) == 0:
		return store.Value{}, store.ErrNotFound
	}
	return valueOf(out.Item)
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, key string, data []byte) (store.Revision, error) {
	rev, err := s.write(ctx, key, data, "attribute_not_exists(rev)", nil, store.ErrExists)
	if err != nil {
		return "", s.explain("create "+key, err)
	}
	return rev, nil
}

// Replace implements store.Store.
func (s *Store) Replace(ctx context.Context, key string, old store.Revision, data []byte) (store.Revision, error) {
	rev, err := s.write(ctx, key, data, "rev = :old", &old, store.ErrChanged)
	if err != nil {
		return "", s.explain("replace "+key, err)
	}
	return rev, nil
}

// write compares and swaps with one UpdateItem, which the SDK may send several
// times. It is not a PutItem, which would take attributes away that a person or
// a newer layerd has added.
func (s *Store) write(ctx context.Context, key string, data []byte, condition string, old *store.Revision, lost error) (store.Revision, error) {
	if err := s.check(ctx, store.CheckWrite(key, data)); err != nil {
		return "", err
	}
	if s.readOnly {
		return "", store.ErrReadOnly
	}
	rev := store.NewRevision()
	values := map[string]types.AttributeValue{
		":data": &types.AttributeValueMemberB{Value: bytesOf(data)},
		":rev":  &types.AttributeValueMemberS{Value: string(rev)},
	}
	if old != nil {
		values[":old"] = &types.AttributeValueMemberS{Value: string(*old)}
	}
	unsure := false
	_, err := s.db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: keyOf(valuePartition, key),
		UpdateExpression: aws.String("SET #data = :data, rev = :rev"), ConditionExpression: &condition,
		ExpressionAttributeNames:            map[string]string{"#data": "data"}, // a reserved word
		ExpressionAttributeValues:           values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, watch(&unsure))
	failed, conditional := errors.AsType[*types.ConditionalCheckFailedException](err)
	switch {
	case err == nil:
		return rev, nil
	case !conditional:
		return "", s.writeFailed(err, unsure)
	case textOf(failed.Item, "rev") == string(rev):
		return rev, nil // an attempt before this one did it, and its answer was lost
	case unsure:
		// It may have been done, and written over since.
		return "", fmt.Errorf("%w, and the write may have happened: the value has changed since", store.ErrUnreachable)
	}
	return "", lost
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, q store.Query) iter.Seq2[store.Value, error] {
	return store.Pages(ctx, q, s.page)
}

// page asks until there is a value or nothing more: what DynamoDB read may be
// only what lies at an edge and was not asked for.
func (s *Store) page(ctx context.Context, q store.Query) ([]store.Value, bool, error) {
	if err := s.check(ctx, nil); err != nil {
		return nil, false, s.explain("read a page", err)
	}
	from, to := q.Range()
	if to != "" && from >= to {
		return nil, false, nil // as two ends of BETWEEN it would be an error
	}
	input := s.queryInput(q, from, to)
	for {
		out, err := s.db.Query(ctx, input)
		if err != nil {
			return nil, false, s.explain("read a page", s.readFailed(err))
		}
		var values []store.Value
		for _, item := range out.Items {
			v, err := valueOf(item)
			if err != nil {
				return nil, false, s.explain("read a page", err)
			}
			if from <= v.Key && (to == "" || v.Key < to) {
				values = append(values, v)
			}
		}
		more := len(out.LastEvaluatedKey) > 0
		if len(values) > 0 || !more {
			return values, more, nil
		}
		input.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// queryInput selects at least what is between the bounds. It is more than that
// where DynamoDB has no words for it: a condition on a key has one comparison,
// BETWEEN has both its ends, and no bound may be empty or longer than a key.
func (s *Store) queryInput(q store.Query, from, to string) *dynamodb.QueryInput {
	if len(from) > store.MaxKey {
		from = cut(from)
	}
	if len(to) > store.MaxKey {
		_, to = store.Query{Prefix: cut(to)}.Range()
	}
	limit := pageRows
	if q.Limit > 0 {
		limit = min(limit, q.Limit)
	}
	condition := "pk = :pk"
	values := map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: valuePartition}}
	switch {
	case from != "" && to != "":
		condition += " AND sk BETWEEN :from AND :to"
	case from != "":
		condition += " AND sk >= :from"
	case to != "":
		condition += " AND sk < :to"
	}
	if from != "" {
		values[":from"] = &types.AttributeValueMemberS{Value: from}
	}
	if to != "" {
		values[":to"] = &types.AttributeValueMemberS{Value: to}
	}
	return &dynamodb.QueryInput{
		TableName: &s.table, KeyConditionExpression: &condition, ExpressionAttributeValues: values,
		ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(!q.Reverse), Limit: aws.Int32(int32(limit)),
	}
}

// cut returns the beginning of a text that is longer than a key. It leaves room
// for a last rune that grows by a byte.
func cut(s string) string {
	return strings.ToValidUTF8(s[:store.MaxKey-utf8.UTFMax], "")
}

// Close implements store.Store. There is nothing to give back: the connections
// belong to the HTTP client of whoever opened the store.
func (s *Store) Close() error {
	s.closed.Store(true)
	return nil
}

// Check implements store.Replaceable. It asks nobody: that the table was deleted
// shows in an answer, and that it was made anew in what is not in it.
func (s *Store) Check() error {
	if s.gone.Load() {
		return s.explain("check", s.noTable())
	}
	return nil
}

// Reopen implements store.Replaceable. A table that was made anew and not
// finished by layerd store init is not ours.
func (s *Store) Reopen(ctx context.Context) error {
	if err := s.prepare(ctx, migrations()); err != nil {
		if !errors.Is(err, store.ErrReplaced) {
			err = fmt.Errorf("%w: %w", store.ErrReplaced, err)
		}
		return s.explain("open store again", err)
	}
	s.gone.Store(false)
	return nil
}

// check returns why a call must not go on.
func (s *Store) check(ctx context.Context, invalid error) error {
	switch {
	case invalid != nil:
		return invalid
	case s.closed.Load():
		return errClosed
	case s.gone.Load():
		return s.noTable()
	}
	return ctx.Err()
}

func keyOf(partition, key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: partition},
		"sk": &types.AttributeValueMemberS{Value: key},
	}
}

// valueOf reads an item of the partition of values.
func valueOf(item map[string]types.AttributeValue) (store.Value, error) {
	v := store.Value{Key: textOf(item, "sk"), Revision: store.Revision(textOf(item, "rev"))}
	data, ok := item["data"].(*types.AttributeValueMemberB)
	if !ok || v.Revision == "" {
		return store.Value{}, fmt.Errorf("%w: the item %q has no data or no rev, as layerd writes them; restore the table to a point in time before", store.ErrCorrupt, v.Key)
	}
	v.Data = data.Value
	return v, nil
}

// textOf returns an attribute that is a text, or "".
func textOf(item map[string]types.AttributeValue, name string) string {
	if s, ok := item[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// bytesOf makes nil an empty value: the SDK would send null for it.
func bytesOf(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}
