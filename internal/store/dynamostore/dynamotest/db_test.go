package dynamotest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/truora/minidyn/server"
)

// bare reaches minidyn without anything of ours in front of it.
type bare struct{ http.Handler }

func (b bare) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	b.ServeHTTP(rec, r)
	return rec.Result(), nil
}

func text(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

func key(pk, sk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(pk), "sk": text(sk)}
}

func put(ctx context.Context, c *dynamodb.Client, sk string, data []byte) error {
	item := key("p", sk)
	item["bytes"] = &types.AttributeValueMemberB{Value: data}
	_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("t"), Item: item})
	return err
}

func query(ctx context.Context, c *dynamodb.Client, condition string, values map[string]string) (*dynamodb.QueryOutput, error) {
	in := &dynamodb.QueryInput{TableName: aws.String("t"), KeyConditionExpression: &condition, ExpressionAttributeValues: map[string]types.AttributeValue{}}
	for name, v := range values {
		in.ExpressionAttributeValues[name] = text(v)
	}
	return c.Query(ctx, in)
}

// told is how a call ended, in a word.
func told(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	if err != nil {
		return "error"
	}
	return "done"
}

// TestMinidyn lists where minidyn v0.8.2 is not DynamoDB: what it says, and what
// this package makes of it. When a line fails for minidyn, it has been mended,
// and what stands in front of it for that can go.
func TestMinidyn(t *testing.T) {
	for _, test := range []struct {
		name          string
		run           func(ctx context.Context, c *dynamodb.Client) string
		minidyn, ours string
	}{
		{"a table is never said to be ready", func(ctx context.Context, c *dynamodb.Client) string {
			out, err := c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("t")})
			if err != nil {
				return told(err)
			}
			return fmt.Sprintf("status %q, %d attributes", out.Table.TableStatus, len(out.Table.AttributeDefinitions))
		}, `status "", 0 attributes`, `status "ACTIVE", 2 attributes`},
		{"it has no backups", func(ctx context.Context, c *dynamodb.Client) string {
			_, err := c.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: aws.String("t")})
			return told(err)
		}, "error", "done"},
		{"an expression may hold no empty bytes", func(ctx context.Context, c *dynamodb.Client) string {
			_, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: aws.String("t"), Key: key("p", "a"),
				UpdateExpression:          aws.String("SET bytes = :b"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":b": &types.AttributeValueMemberB{Value: []byte{}}}})
			return told(err)
		}, "ValidationException", "done"},
		{"a page has no end", func(ctx context.Context, c *dynamodb.Client) string {
			for i := range 4 {
				if err := put(ctx, c, fmt.Sprint(i), make([]byte, 350<<10)); err != nil {
					return told(err)
				}
			}
			out, err := query(ctx, c, "pk = :p", map[string]string{":p": "p"})
			if err != nil {
				return told(err)
			}
			return fmt.Sprintf("%d items, more %t", len(out.Items), len(out.LastEvaluatedKey) > 0)
		}, "4 items, more false", "3 items, more true"},
		{"a bound may be empty", func(ctx context.Context, c *dynamodb.Client) string {
			_, err := query(ctx, c, "pk = :p AND sk >= :from", map[string]string{":p": "p", ":from": ""})
			return told(err)
		}, "done", "ValidationException"},
		{"a bound may be longer than a key", func(ctx context.Context, c *dynamodb.Client) string {
			_, err := query(ctx, c, "pk = :p AND sk < :to", map[string]string{":p": "p", ":to": strings.Repeat("k", 1025)})
			return told(err)
		}, "done", "ValidationException"},
		{"bounds may be turned round", func(ctx context.Context, c *dynamodb.Client) string {
			_, err := query(ctx, c, "pk = :p AND sk BETWEEN :from AND :to", map[string]string{":p": "p", ":from": "b", ":to": "a"})
			return told(err)
		}, "done", "ValidationException"},
		{"a key may be too long", func(ctx context.Context, c *dynamodb.Client) string {
			_, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: aws.String("t"), Key: key("p", strings.Repeat("k", 1025)),
				UpdateExpression: aws.String("SET a = :p"), ExpressionAttributeValues: map[string]types.AttributeValue{":p": text("p")}})
			return told(err)
		}, "done", "ValidationException"},
		{"an item may be too large", func(ctx context.Context, c *dynamodb.Client) string {
			_, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: aws.String("t"), Key: key("p", "a"),
				UpdateExpression:          aws.String("SET bytes = :b"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":b": &types.AttributeValueMemberB{Value: make([]byte, 400<<10)}}})
			return told(err)
		}, "done", "ValidationException"},
		// What dynamostore avoids, and nothing here mends.
		{"PutItem shows no old item where its condition fails", func(ctx context.Context, c *dynamodb.Client) string {
			if err := put(ctx, c, "a", []byte("old")); err != nil {
				return told(err)
			}
			_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("t"), Item: key("p", "a"), ConditionExpression: aws.String("attribute_not_exists(pk)"),
				ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld})
			failed, _ := errors.AsType[*types.ConditionalCheckFailedException](err)
			return fmt.Sprintf("%s with %d attributes", told(err), len(failed.Item))
		}, "ConditionalCheckFailedException with 0 attributes", "ConditionalCheckFailedException with 0 attributes"},
		{"a page begins only behind a key that exists", func(ctx context.Context, c *dynamodb.Client) string {
			if err := put(ctx, c, "b", []byte("x")); err != nil {
				return told(err)
			}
			out, err := c.Query(ctx, &dynamodb.QueryInput{TableName: aws.String("t"), KeyConditionExpression: aws.String("pk = :p"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":p": text("p")}, ExclusiveStartKey: key("p", "a")})
			if err != nil {
				return told(err)
			}
			return fmt.Sprintf("%d items", len(out.Items))
		}, "0 items", "0 items"},
		{"the two parts of a key run into each other", func(ctx context.Context, c *dynamodb.Client) string {
			for _, k := range []map[string]types.AttributeValue{key("p", "a.b"), key("p.a", "b")} {
				if _, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String("t"), Item: k}); err != nil {
					return told(err)
				}
			}
			out, err := c.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("t")})
			if err != nil {
				return told(err)
			}
			return fmt.Sprintf("%d items", len(out.Items))
		}, "1 items", "1 items"},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := New()
			cfg := db.Config()
			if got := test.run(t.Context(), withTable(t, cfg)); got != test.ours {
				t.Errorf("with this package: %s, want %s", got, test.ours)
			}
			cfg.HTTPClient = &http.Client{Transport: bare{server.NewServer()}}
			if got := test.run(t.Context(), withTable(t, cfg)); got != test.minidyn {
				t.Errorf("minidyn alone: %s, it was %s", got, test.minidyn)
			}
		})
	}
}

func withTable(t *testing.T, cfg aws.Config) *dynamodb.Client {
	t.Helper()
	c := dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("t"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: "S"}, {AttributeName: aws.String("sk"), AttributeType: "S"},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
