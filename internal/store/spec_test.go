package store_test

import (
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/store"
)

func TestParseSpec(t *testing.T) {
	for _, test := range []struct {
		in   string
		want store.Spec
	}{
		{"sqlite:/var/lib/layerd/layerd.db", store.Spec{Kind: "sqlite", Location: "/var/lib/layerd/layerd.db"}},
		{"sqlite:layerd.db", store.Spec{Kind: "sqlite", Location: "layerd.db"}},
		{"sqlite:a b?c#d:e%20.db", store.Spec{Kind: "sqlite", Location: "a b?c#d:e%20.db"}},
		{"dynamodb:layerd", store.Spec{Kind: "dynamodb", Location: "layerd"}},
		{"dynamodb:arn:aws:dynamodb:ap-northeast-1:123456789012:table/layerd", store.Spec{Kind: "dynamodb", Location: "arn:aws:dynamodb:ap-northeast-1:123456789012:table/layerd"}},
		{"memory:", store.Spec{Kind: "memory"}},
	} {
		got, err := store.ParseSpec(test.in)
		if got != test.want || err != nil {
			t.Errorf("ParseSpec(%q) = %+v, %v, want %+v", test.in, got, err, test.want)
		}
		if got.String() != test.in {
			t.Errorf("ParseSpec(%q).String() = %q", test.in, got)
		}
	}
}

func TestParseSpecSuggests(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", "write sqlite:PATH, dynamodb:TABLE or memory:"},
		{"sqlite:", "the path is missing, as in sqlite:/"},
		{"sqlite", "what follows sqlite: is missing"},
		{"memory", `did you mean "memory:"?`},
		{"mem", `did you mean "memory:"?`},
		{"memory:x", `did you mean "memory:"?`},
		{"/var/lib/layerd.db", `did you mean "sqlite:/var/lib/layerd.db"?`},
		{"layerd.db", `did you mean "sqlite:layerd.db"?`},
		{"layerd", `did you mean "dynamodb:layerd"?`},
		{"sqlite3:/x.db", `did you mean "sqlite:/x.db"?`},
		{"SQLite:/x.db", `did you mean "sqlite:/x.db"?`},
		{"file:/x.db", `did you mean "sqlite:/x.db"?`},
		{"sqlite:///x.db", `did you mean "sqlite:/x.db"?`},
		{"sqlite::memory:", `did you mean "memory:"?`},
		{"sqlite:~/x.db", "~ is not expanded here"},
		{"sqlite:/var/lib/layerd/", `did you mean "sqlite:/var/lib/layerd/layerd.db"?`},
		{"sqlite:a\x00b", "cannot hold a NUL"},
		{"sqlite：/x.db", `did you mean "sqlite:/x.db"?`},
		{" memory:", `did you mean "memory:"?`},
		{"dynamo:layerd", `did you mean "dynamodb:layerd"?`},
		{"dynamdb:layerd", `did you mean "dynamodb:layerd"?`},
		{"dynamodb:", "3 to 255"},
		{"dynamodb:la", "3 to 255"},
		{"dynamodb:lay erd", "3 to 255"},
		{"dynamodb", "what follows dynamodb: is missing"},
		{"postgres://h/db", `no kind of store is called "postgres"; write sqlite:PATH`},
	} {
		got, err := store.ParseSpec(test.in)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("ParseSpec(%q) = %+v, error %v, want one with %q", test.in, got, err, test.want)
		}
	}
}
