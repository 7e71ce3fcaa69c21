package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/layerd/layerd/internal/store"
)

// TestSchema1 reads a table as schema 1 left it, item by item. It must pass for
// ever.
func TestSchema1(t *testing.T) {
	db := fresh(t)
	c := dynamodb.NewFromConfig(db.Config())
	for sk, data := range map[string]string{"history/prod/1": `{"v":1}`, "layer/層%2F1": ""} {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(tableName), Item: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "value"}, "sk": &types.AttributeValueMemberS{Value: sk},
			"rev":  &types.AttributeValueMemberS{Value: "REV OF " + sk},
			"data": &types.AttributeValueMemberB{Value: []byte(data)},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	putItem(t, c, "pk", "layerd", "sk", "schema", "schema", "1")
	s := open(t, db)
	var got []string
	for v, err := range s.List(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s=%s at %s", v.Key, v.Data, v.Revision))
	}
	want := []string{`history/prod/1={"v":1} at REV OF history/prod/1`, "layer/層%2F1= at REV OF layer/層%2F1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values of schema 1 (-want +got):\n%s", diff)
	}
	if _, err := s.Replace(t.Context(), "layer/層%2F1", "REV OF layer/層%2F1", []byte("new")); err != nil {
		t.Error(err)
	}
}

// TestItemIsPinned: what is written is what schema 1 says, attribute by
// attribute. Who changes it must add a migration.
func TestItemIsPinned(t *testing.T) {
	db := fresh(t)
	rev := create(t, open(t, db), "a/1", "one")
	out, err := dynamodb.NewFromConfig(db.Config()).Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(tableName)})
	if err != nil {
		t.Fatal(err)
	}
	s := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	want := []map[string]types.AttributeValue{
		{"pk": s("layerd"), "sk": s("schema"), "schema": &types.AttributeValueMemberN{Value: "1"}},
		{"pk": s("value"), "sk": s("a/1"), "rev": s(string(rev)), "data": &types.AttributeValueMemberB{Value: []byte("one")}},
	}
	if diff := cmp.Diff(fmt.Sprint(readable(want)), fmt.Sprint(readable(out.Items))); diff != "" {
		t.Errorf("the items of a table (-want +got):\n%s", diff)
	}
}

// readable shows values rather than where they are.
func readable(items []map[string]types.AttributeValue) []map[string]string {
	var all []map[string]string
	for _, item := range items {
		m := map[string]string{}
		for name, v := range item {
			switch v := v.(type) {
			case *types.AttributeValueMemberS:
				m[name] = "S " + v.Value
			case *types.AttributeValueMemberN:
				m[name] = "N " + v.Value
			case *types.AttributeValueMemberB:
				m[name] = "B " + string(v.Value)
			}
		}
		all = append(all, m)
	}
	return all
}

// TestMigrate takes a table through steps that do not exist yet: one that
// works, one that fails halfway, and one that another process has done already.
func TestMigrate(t *testing.T) {
	db := fresh(t)
	s := open(t, db)
	create(t, s, "a", "one")
	want := func(version int, data string) {
		t.Helper()
		got, err := s.schema(t.Context())
		v, getErr := s.Get(t.Context(), "a")
		if err != nil || getErr != nil || got != version || string(v.Data) != data {
			t.Errorf("schema %d with %q, %v, %v, want %d with %q", got, v.Data, err, getErr, version, data)
		}
	}
	rewrite := func(ctx context.Context, s *Store) error {
		v, err := s.Get(ctx, "a")
		if err != nil || strings.HasSuffix(string(v.Data), "!") { // it must be possible to do it again
			return err
		}
		_, err = s.Replace(ctx, "a", v.Revision, append(v.Data, '!'))
		return err
	}
	broken := errors.New("broken")
	half := []migration{func(ctx context.Context, s *Store) error { return errors.Join(rewrite(ctx, s), broken) }}
	if err := s.prepare(t.Context(), half); !errors.Is(err, broken) || !strings.Contains(err.Error(), "migrate to schema 2") {
		t.Errorf("a migration that fails: %v, want an error that names schema 2", err)
	}
	want(1, "one!")

	nothing := func(context.Context, *Store) error { return nil }
	whole := []migration{rewrite, nothing}
	for range 2 { // the second time there is nothing to do
		if err := s.prepare(t.Context(), whole); err != nil {
			t.Fatal(err)
		}
		want(3, "one!")
	}
	if err := s.migrate(t.Context(), 1, whole); err != nil { // looked before the other process was done
		t.Errorf("a migration that was done meanwhile: %v", err)
	}
	want(3, "one!")
	if err := s.migrate(t.Context(), 1, whole[:1]); !errors.Is(err, store.ErrNewer) { // a newer one was faster
		t.Errorf("a migration beside a newer layerd: %v, want ErrNewer", err)
	}
	if err := s.inspect(t.Context(), 4); err == nil || !strings.Contains(err.Error(), "open it once for writing") {
		t.Errorf("reading an older schema: %v, want advice", err)
	}
	if s, err := Open(t.Context(), db.Config(), tableName, Options{}); !errors.Is(err, store.ErrNewer) {
		t.Errorf("Open by the older layerd = %v, %v, want ErrNewer", s, err)
	}
}
