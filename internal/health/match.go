package health

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/redact"
)

// Match reports whether answer contains what is expected, and where it first does
// not: "$.body.ok: want true, have false". An object must have each key of the
// expected one and may have more; an array must have as many elements, each
// matching its own; numbers compare by value (1 is 1.0, and no digit is lost).
// Where anything but a text is expected, a text in the answer that is itself
// JSON counts as what it holds: API Gateway's body is one.
func Match(expect, answer json.RawMessage) (ok bool, where string) {
	want, err := decode(expect)
	if err != nil {
		return false, "$: what is expected is not JSON"
	}
	have, err := decode(answer)
	if err != nil {
		if len(bytes.TrimSpace(answer)) == 0 {
			return false, "$: the answer is empty"
		}
		return false, "$: the answer is not JSON"
	}
	where = differ("$", want, have)
	return where == "", where
}

// decode keeps numbers as they are written, and takes one value only.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// differ returns the first place where have is not what is wanted; empty = none.
func differ(at string, want, have any) string {
	if text, is := have.(string); is {
		if _, is := want.(string); !is {
			if inner, err := decode([]byte(text)); err == nil {
				have = inner
			}
		}
	}
	switch want := want.(type) {
	case map[string]any:
		if have, is := have.(map[string]any); is {
			return differKeys(at, want, have)
		}
	case []any:
		if have, is := have.([]any); is {
			return differElements(at, want, have)
		}
	case json.Number:
		if have, is := have.(json.Number); is && value(want) == value(have) {
			return ""
		}
	default: // text, bool, null
		if want == have {
			return ""
		}
	}
	return at + ": want " + short(at, want) + ", have " + short(at, have)
}

func differKeys(at string, want, have map[string]any) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		below := at + step(key)
		v, is := have[key]
		if !is {
			return below + ": want " + short(below, want[key]) + ", have nothing"
		}
		if where := differ(below, want[key], v); where != "" {
			return where
		}
	}
	return ""
}

func differElements(at string, want, have []any) string {
	if len(want) != len(have) {
		return fmt.Sprintf("%s: want %s, have %d", at, count(len(want), "element"), len(have))
	}
	for i := range want {
		if where := differ(fmt.Sprintf("%s[%d]", at, i), want[i], have[i]); where != "" {
			return where
		}
	}
	return ""
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func step(key string) string {
	if plainKey.MatchString(key) {
		return "." + key
	}
	return "[" + strconv.Quote(cut(key, longestValue)) + "]"
}

// value writes a number so that equal ones read equal: its sign, its digits
// without zeros at either end, and the power of ten. Counting it out would let
// 1e999999999 fill the memory.
func value(n json.Number) string {
	text := strings.ToLower(n.String())
	sign := ""
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = "-", rest
	}
	mantissa, exponent, _ := strings.Cut(text, "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0"
	}
	power, ok := new(big.Int).SetString(strings.TrimPrefix(exponent, "+"), 10)
	if !ok {
		power = new(big.Int) // there is no exponent
	}
	trimmed := strings.TrimRight(digits, "0")
	power.Add(power, big.NewInt(int64(len(digits)-len(trimmed)-len(fraction))))
	return sign + trimmed + "e" + power.String()
}

// longestValue is how much of a value a sentence has room for, in bytes.
const longestValue = 60

// short writes a value for a sentence. It is masked before it is cut: half a
// token looks like none.
func short(at string, v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "what cannot be written" // unreachable: it was read from JSON
	}
	if redact.Named(at) {
		if _, flag := v.(bool); v != nil && !flag {
			return redact.Masked
		}
	}
	return cut(redact.Mask(strings.TrimSpace(b.String())), longestValue)
}

// cut shortens a text to at most n bytes and marks where it did.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// count writes "1 call" and "2 calls".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
