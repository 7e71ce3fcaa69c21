package store

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/agext/levenshtein"
)

// The kinds of a [Spec].
const (
	KindSQLite   = "sqlite"   // Location is the path of a file
	KindDynamoDB = "dynamodb" // Location is the name or the ARN of a table
	KindMemory   = "memory"   // Location is empty
)

// tableName is DynamoDB's rule for the names of tables (AWS: "Supported data
// types and naming rules"). An ARN names a table of another account.
var tableName = regexp.MustCompile(`^(arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/)?[a-zA-Z0-9_.-]{3,255}$`)

// Spec names a store, as --store and layerd.yaml do. It opens nothing.
type Spec struct{ Kind, Location string }

// String returns the text that [ParseSpec] reads.
func (s Spec) String() string { return s.Kind + ":" + s.Location }

// ParseSpec reads sqlite:PATH, dynamodb:TABLE or memory:. Its error suggests
// what was probably meant.
func ParseSpec(s string) (Spec, error) {
	kind, location, found := strings.Cut(s, ":")
	switch {
	case s == "":
		return Spec{}, errors.New("the store is empty: write sqlite:PATH, dynamodb:TABLE or memory:")
	case strings.TrimSpace(s) != s:
		return Spec{}, fmt.Errorf("store %q: spaces around it; did you mean %q?", s, strings.TrimSpace(s))
	case !found:
		return Spec{}, missingKind(s)
	}
	switch kind {
	case KindSQLite:
		return parseSQLite(location)
	case KindDynamoDB:
		if !tableName.MatchString(location) {
			return Spec{}, fmt.Errorf("store %q: a table's name has 3 to 255 of the characters a-z A-Z 0-9 _ . -, or is its ARN", s)
		}
	case KindMemory:
		if location != "" {
			return Spec{}, fmt.Errorf("store %q: the memory store has no name; did you mean %q?", s, "memory:")
		}
	default:
		return Spec{}, unknownKind(kind, location)
	}
	return Spec{Kind: kind, Location: location}, nil
}

func parseSQLite(path string) (Spec, error) {
	spec := Spec{Kind: KindSQLite, Location: path}
	switch {
	case path == "":
		return Spec{}, fmt.Errorf("store %q: the path is missing, as in sqlite:/var/lib/layerd/layerd.db", spec)
	case path == ":memory:":
		return Spec{}, fmt.Errorf("store %q: did you mean %q?", spec, "memory:")
	case strings.HasPrefix(path, "//"):
		return Spec{}, fmt.Errorf("store %q: a path, not an URL; did you mean %q?", spec, "sqlite:/"+strings.TrimLeft(path, "/"))
	case path == "~" || strings.HasPrefix(path, "~/"):
		// Neither the shell nor we expand it here, and a folder named "~" is a trap.
		return Spec{}, fmt.Errorf("store %q: ~ is not expanded here; write the whole path, or $HOME in a shell", spec)
	case strings.HasSuffix(path, "/"):
		return Spec{}, fmt.Errorf("store %q: a folder; did you mean %q?", spec, "sqlite:"+path+"layerd.db")
	case strings.ContainsRune(path, 0):
		return Spec{}, fmt.Errorf("store %q: a path cannot hold a NUL", spec)
	}
	return spec, nil
}

// missingKind answers text without a colon: a bare kind, a bare path, a bare
// table, or the wide colon of a Japanese keyboard.
func missingKind(s string) error {
	meant := ""
	switch near := nearestKind(s); {
	case strings.Contains(s, "："):
		return fmt.Errorf("store %q: the colon is the full-width ：; did you mean %q?", s, strings.Replace(s, "：", ":", 1))
	case near == KindMemory:
		meant = "memory:"
	case near != "":
		return fmt.Errorf("store %q: what follows %s: is missing; write sqlite:PATH, dynamodb:TABLE or memory:", s, near)
	case strings.ContainsAny(s, "/.~"):
		meant = "sqlite:" + s
	default:
		meant = "dynamodb:" + s
	}
	return fmt.Errorf("store %q: the kind is missing; did you mean %q?", s, meant)
}

func unknownKind(kind, location string) error {
	if near := nearestKind(kind); near != "" {
		return fmt.Errorf("store %q: no kind of store is called %q; did you mean %q?", kind+":"+location, kind, Spec{near, location})
	}
	return fmt.Errorf("store %q: no kind of store is called %q; write sqlite:PATH, dynamodb:TABLE or memory:", kind+":"+location, kind)
}

// nearestKind returns the kind that was probably meant, or "".
func nearestKind(s string) string {
	switch s = strings.ToLower(s); s {
	case "file", "db":
		return KindSQLite
	case "dynamo", "ddb", "aws":
		return KindDynamoDB
	case "mem", "ram":
		return KindMemory
	}
	for _, kind := range []string{KindSQLite, KindDynamoDB, KindMemory} {
		if levenshtein.Distance(s, kind, nil) <= 2 {
			return kind
		}
	}
	return ""
}
