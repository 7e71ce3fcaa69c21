package store

import (
	"fmt"
	"net/url"
	"strings"
)

// Key joins segments to a key. A segment may hold any UTF-8: what would end or
// change it is escaped, everything else stays as it is, so that a person can
// read the keys in the database. Different segments never give the same key.
//
// Keys are ordered by their bytes, not segment by segment: "a!" comes before
// "a/x". Within one parent, segments without '/', '%' and NUL are in the order
// of their own bytes.
func Key(segments ...string) string {
	escaped := make([]string, len(segments))
	for i, s := range segments {
		escaped[i] = escape(s)
	}
	return strings.Join(escaped, "/")
}

// Prefix returns what the keys below these segments begin with, for
// [Query].Prefix. It never matches half a segment: Prefix("a", "b") finds
// Key("a", "b", "c") and not Key("a", "bc"), and not Key("a", "b") itself.
// Without segments it is empty and matches everything.
func Prefix(segments ...string) string {
	if len(segments) == 0 {
		return ""
	}
	return Key(segments...) + "/"
}

// Split returns the segments of a key that [Key] made. Other text, which Key
// would have written differently, is an error rather than a guess.
func Split(key string) ([]string, error) {
	if key == "" {
		return nil, fmt.Errorf("%w: the key is empty", ErrInvalid)
	}
	segments := strings.Split(key, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil || escape(plain) != s {
			return nil, fmt.Errorf("%w: the segment %q of the key %q is not escaped as it must be", ErrInvalid, s, key)
		}
		segments[i] = plain
	}
	return segments, nil
}

// escape is url.PathEscape for the three bytes that matter here. The whole of
// PathEscape would make nine bytes of each Japanese character, and keys are
// limited to [MaxKey].
func escape(segment string) string {
	if !strings.ContainsAny(segment, "%/\x00") {
		return segment
	}
	return escapes.Replace(segment)
}

// escapes is made once: a layer's ARN or the address of a repository is escaped
// in every key, and making the table costs more than everything else about it.
var escapes = strings.NewReplacer("%", "%25", "/", "%2F", "\x00", "%00")
