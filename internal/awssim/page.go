package awssim

import (
	"encoding/base64"
	"strings"
)

// pageCap is what Lambda puts on a page at most, whatever was asked.
const pageCap = 50

// page cuts one page out of items, which must be in the order of less(key).
// The marker holds the last key given out, not a position: what changes
// between two pages shows or is missed, as in AWS, where nothing is a
// snapshot. next is empty on the last page.
func page[T any](c *call, items []T, key func(T) string, marker *string, maxItems *int32) (out []T, next *string, refused *apiError) {
	size := pageCap
	if maxItems != nil {
		size = min(size, int(*maxItems))
	}
	out, next, ok := cut(c, items, key, marker, size)
	if !ok {
		return nil, nil, invalidValue("Invalid marker: %s", str(marker))
	}
	return out, next, nil
}

// cut is page for any service: not ok is a marker that is none.
func cut[T any](c *call, items []T, key func(T) string, marker *string, size int) (out []T, next *string, ok bool) {
	last, wasEmpty, ok := readMarker(c.log.Operation, marker)
	if !ok {
		return nil, nil, false
	}
	if c.w.opts.EmptyPages && !wasEmpty {
		return []T{}, makeMarker(c.log.Operation, last, true), true
	}
	out = []T{}
	for _, it := range items {
		if key(it) <= last {
			continue
		}
		if len(out) == size {
			return out, makeMarker(c.log.Operation, key(out[size-1]), false), true
		}
		out = append(out, it)
	}
	return out, nil, true
}

// checkMaxItems refuses page sizes the model does not allow.
func checkMaxItems(n *int32, most int32) *apiError {
	switch {
	case n != nil && *n < 1:
		return violation(itoa(*n), "maxItems", "Member must have value greater than or equal to 1")
	case n != nil && *n > most:
		return violation(itoa(*n), "maxItems", "Member must have value less than or equal to %d", most)
	}
	return nil
}

func makeMarker(operation, last string, wasEmpty bool) *string {
	kind := "full"
	if wasEmpty {
		kind = "empty"
	}
	m := base64.URLEncoding.EncodeToString([]byte(operation + "|" + kind + "|" + last))
	return &m
}

func readMarker(operation string, marker *string) (last string, wasEmpty, ok bool) {
	if marker == nil {
		return "", false, true
	}
	b, err := base64.URLEncoding.DecodeString(*marker)
	op, rest, _ := strings.Cut(string(b), "|")
	kind, last, found := strings.Cut(rest, "|")
	if err != nil || !found || op != operation {
		return "", false, false
	}
	return last, kind == "empty", true
}
