package health

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct{ expect, answer, where string }{
		{`{"ok":true}`, `{"ok":true,"more":[1,2]}`, ""},
		{`{"ok":true}`, `{"ok":false}`, "$.ok: want true, have false"},
		{`{"ok":true}`, `{}`, "$.ok: want true, have nothing"},
		{`{"ok":null}`, `{}`, "$.ok: want null, have nothing"},
		{`{"ok":null}`, `{"ok":null}`, ""},
		{`{}`, `{"a":1}`, ""},
		{`{}`, `[]`, "$: want {}, have []"},
		{`{}`, `null`, "$: want {}, have null"},
		{`null`, `null`, ""},
		{`null`, `0`, "$: want null, have 0"},
		{`{"b":2,"a":1}`, `{"a":9,"b":9}`, "$.a: want 1, have 9"}, // in the order of the keys, always the same
		{`[1,{"a":1}]`, `[1,{"a":1,"b":2}]`, ""},
		{`[1]`, `[1,2]`, "$: want 1 element, have 2"},
		{`[1,2]`, `[2,1]`, "$[0]: want 1, have 2"},
		{`{"l":[{"x":[1,2]}]}`, `{"l":[{"x":[1,3]}]}`, "$.l[0].x[1]: want 2, have 3"},
		{`1`, `1.0`, ""},
		{`100`, `1e2`, ""},
		{`0.1`, `1E-1`, ""},
		{`-0`, `0.000`, ""},
		{`1.50`, `15e-1`, ""},
		{`-1`, `1`, "$: want -1, have 1"},
		{`9007199254740993`, `9007199254740992`, "$: want 9007199254740993, have 9007199254740992"},
		{`1e999999999999`, `10e999999999998`, ""},
		{`1e999999999999`, `1e999999999998`, "$: want 1e999999999999, have 1e999999999998"},
		{`10`, `1`, "$: want 10, have 1"},
		{`{"statusCode":200,"body":{"ok":true}}`, `{"statusCode":200,"body":"{\"ok\": true, \"v\": 3}"}`, ""},
		{`{"body":{"ok":true}}`, `{"body":"{\"ok\":false}"}`, "$.body.ok: want true, have false"},
		{`{"body":[1]}`, `{"body":"[1.0]"}`, ""},
		{`{"body":1}`, `{"body":"1"}`, ""},
		{`{"body":true}`, `{"body":"true"}`, ""},
		{`{"body":null}`, `{"body":"null"}`, ""},
		{`{"body":{"in":{"ok":1}}}`, `{"body":"{\"in\":\"{\\\"ok\\\":1}\"}"}`, ""},
		{`{"body":{}}`, `{"body":"{} {}"}`, `$.body: want {}, have "{} {}"`},
		{`{"body":"{\"ok\":true}"}`, `{"body":"{\"ok\":true}"}`, ""},
		{`{"body":"1"}`, `{"body":1}`, `$.body: want "1", have 1`},
		{`"a"`, `"a"`, ""},
		{`"a"`, `"b"`, `$: want "a", have "b"`},
		{`{"a.b":{"c d":1}}`, `{"a.b":{"c d":2}}`, `$["a.b"]["c d"]: want 1, have 2`},
		{`{"a":1}`, `not json`, "$: the answer is not JSON"},
		{`{"a":1}`, `{"a":1} {"a":1}`, "$: the answer is not JSON"},
		{`{"a":1}`, ``, "$: the answer is empty"},
		{`{`, `{}`, "$: what is expected is not JSON"},
		{`{"password":"a"}`, `{"password":"hunter2"}`, "$.password: want ***, have ***"},
		{`{"has_token":true}`, `{"has_token":false}`, "$.has_token: want true, have false"},
		{`{"user":1}`, `{"user":{"password":"hunter2"}}`, `$.user: want 1, have {"password":"***"}`},
		{`1`, `"<html>"`, `$: want 1, have "<html>"`},
	} {
		ok, where := Match(json.RawMessage(c.expect), json.RawMessage(c.answer))
		if where != c.where || ok != (c.where == "") {
			t.Errorf("Match(%s, %s) = %v, %q, want %q", c.expect, c.answer, ok, where, c.where)
		}
	}
}

func TestMatchCutsLongValues(t *testing.T) {
	_, where := Match(json.RawMessage(`1`), json.RawMessage(`"`+strings.Repeat("ü", 500)+`"`))
	if len(where) > 100 || !strings.HasSuffix(where, "ü…") {
		t.Errorf("where is %q", where)
	}
}

// world draws a JSON value; inner: it may hold others.
func world(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.IntRange(-9, 9).AsAny(),
		rapid.Float64Range(-1e9, 1e9).AsAny(), rapid.StringMatching(`[a-c]{0,3}`).AsAny(),
	}
	if depth > 0 {
		leaves = append(leaves,
			rapid.SliceOfN(world(depth-1), 0, 3).AsAny(),
			rapid.MapOfN(rapid.StringMatching(`[a-c]{1,2}`), world(depth-1), 0, 3).AsAny())
	}
	return rapid.OneOf(leaves...)
}

// more adds keys to every object, and writes some values as texts, as API
// Gateway does.
func more(t *rapid.T, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{"added": rapid.Int().Draw(t, "added")}
		for k, x := range v {
			out[k] = more(t, x)
		}
		return wrapped(t, out)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = more(t, x)
		}
		return wrapped(t, out)
	case string:
		return v
	default:
		return wrapped(t, v)
	}
}

func wrapped(t *rapid.T, v any) any {
	if !rapid.Bool().Draw(t, "as text") {
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWhatHasMoreMatches: adding keys and wrapping values never ends a match,
// and a different leaf always does.
func TestWhatHasMoreMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := world(3).Draw(t, "want")
		expect, _ := json.Marshal(want)
		answer, _ := json.Marshal(more(t, want))
		if ok, where := Match(expect, answer); !ok {
			t.Fatalf("%s does not match %s: %s", answer, expect, where)
		}
		key := rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "key")
		expect = fmt.Appendf(nil, `{%q:%s,"z":1}`, key, expect)
		if ok, where := Match(expect, fmt.Appendf(nil, `{%q:%s,"z":2}`, key, answer)); ok || where != "$.z: want 1, have 2" {
			t.Fatalf("ok %v at %q", ok, where)
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x"]}`), []byte(`{"a":"[1,\"x\"]"}`))
	f.Fuzz(func(t *testing.T, expect, answer []byte) {
		ok, where := Match(expect, answer)
		if ok != (where == "") {
			t.Errorf("ok %v, where %q", ok, where)
		}
		if same, where := Match(answer, answer); json.Valid(answer) && !same {
			t.Errorf("%s is not itself: %s", answer, where)
		}
	})
}
