package desired

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// formError says what is wrong with the text of one value.
type formError struct {
	code       string
	message    string
	suggestion string
	offset     int // in characters, of the place; -1 = all of it
}

func (e *formError) Error() string { return e.message }

// form judges a text; the problem is a *formError, nil when there is none.
type form func(text string) *formError

// formats has one form for each format of the schema. A text with a variable in
// it is judged after the variable is expanded; the first group is never
// expanded.
func formats() map[string]form {
	plain := map[string]form{
		"region":        regionForm,
		"timezone":      zoneForm,
		"exact-version": exactForm,
		"store":         storeForm,
		"principal":     shape("bad_principal", `^(?:[0-9]{12}|o-[a-z0-9]{10,32}|\*)$`, "is neither an account (12 digits), an organization (o-…) nor *"),
		"runtime":       shape("bad_runtime", `^[a-z][a-z0-9.]*$`, "is not a runtime such as python3.12"),
	}
	expanded := map[string]form{
		"version":       versionForm,
		"length":        lengthForm,
		"window":        windowForm,
		"cron":          cronForm,
		"until":         untilForm,
		"retention":     retentionForm,
		"percent":       shape("bad_percentage", `^(?:100|[0-9]{1,2})(?:\.[0-9]+)?%$`, "is not a percentage such as 10%"),
		"layer-arn":     arnForm,
		"role":          shape("bad_role", `^arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+$`, "is not the ARN of a role (arn:aws:iam::123456789012:role/NAME)"),
		"external-id":   shape("bad_external_id", `^[\w+=,.@:/-]{2,1000}$`, "is not an external id: 2 to 1000 of letters, digits and +=,.@:/_-"),
		"layer-name":    shape("bad_layer_name", `^[A-Za-z0-9_-]{1,140}$`, "is not a layer name: up to 140 letters, digits, - and _"),
		"function-glob": shape("bad_selector", `^[A-Za-z0-9_*?-]{1,140}$`, "matches no function: names have letters, digits, - and _; * and ? are wildcards"),
		"runtime-glob":  shape("bad_selector", `^[a-z0-9.*?]+$`, "matches no runtime such as python3.12; * and ? are wildcards"),
		"layer-glob":    shape("bad_layer_glob", `^[A-Za-z0-9_:*?-]+$`, "matches no layer: write an ARN or a name, with * and ? as wildcards"),
		"alias":         shape("bad_alias", `^[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*$`, "is not an alias: letters, digits, - and _, and not only digits"),
		"plain":         shape("bad_value", `^[ -~]+$`, "is not plain ASCII text"),
	}
	for name, f := range expanded {
		plain[name] = func(text string) *formError {
			if strings.Contains(text, "${") {
				return nil
			}
			return f(text)
		}
	}
	return plain
}

// layerNameShape is AWS's rule for the name of a layer.
var layerNameShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,140}$`)

// shape is a form given by a regular expression.
func shape(code, expression, message string) form {
	re := regexp.MustCompile(expression)
	return func(text string) *formError {
		if re.MatchString(text) {
			return nil
		}
		if e := foreign(text); e != nil {
			return e
		}
		return &formError{code: code, message: fmt.Sprintf("%q %s", text, message), offset: -1}
	}
}

// foreign names the first full-width character, which looks right and is not.
// nil when there is none.
func foreign(text string) *formError {
	at := 0
	for _, r := range text {
		if a := asciiOf(r); a != "" {
			e := &formError{code: "full_width", offset: at, message: fmt.Sprintf("character %q (%U) must be the ASCII %q", r, r, a)}
			var b strings.Builder
			for _, r := range text {
				if a := asciiOf(r); a != "" {
					b.WriteString(a)
				} else {
					b.WriteRune(r)
				}
			}
			e.suggestion = b.String()
			return e
		}
		at++
	}
	return nil
}

// asciiOf gives what a full-width or typographic character was meant to be, ""
// for all others.
func asciiOf(r rune) string {
	switch {
	case r >= '！' && r <= '～':
		return string(r - '！' + '!')
	case r == '　' || r == '\u00a0':
		return " "
	case strings.ContainsRune("“”", r):
		return `"`
	case strings.ContainsRune("‘’", r):
		return "'"
	case strings.ContainsRune("〜‐‑‒–—―−", r):
		return "-"
	case r == '、':
		return ","
	}
	return ""
}

// fromWindow keeps the place and the suggestion of what package window says.
func fromWindow(code string, err error) *formError {
	if err == nil {
		return nil
	}
	e := &formError{code: code, message: err.Error(), offset: -1}
	if p, ok := errors.AsType[*window.ParseError](err); ok {
		e.message = fmt.Sprintf("%q: %s", p.Text, p.Problem)
		e.suggestion = p.Suggestion
		if p.Rune() > 0 { // 0 is most often the text as a whole
			e.offset = p.Rune()
		}
	}
	return e
}

func windowForm(text string) *formError {
	_, err := window.Parse(text, nil)
	return fromWindow("bad_window", err)
}

func cronForm(text string) *formError {
	_, err := window.ParseCron(text, time.Hour, nil)
	return fromWindow("bad_window", err)
}

func zoneForm(text string) *formError {
	_, err := window.LoadZone(text)
	return fromWindow("bad_timezone", err)
}

func untilForm(text string) *formError {
	_, err := parseUntil(text, nil)
	return fromWindow("bad_date", err)
}

// parseUntil gives the first instant after text, which is an instant or a day
// that counts whole. The dates are those of a freeze, so one reader has both.
func parseUntil(text string, zone *time.Location) (time.Time, error) {
	f, err := window.ParseFreeze("0001-01-01", text, "", zone)
	return f.Until, err
}

func versionForm(text string) *formError {
	_, err := ParseVersion(text)
	if err == nil {
		return nil
	}
	if e := foreign(text); e != nil {
		return e
	}
	return &formError{code: "bad_version", message: err.Error(), offset: -1}
}

func exactForm(text string) *formError {
	v, err := ParseVersion(text)
	switch {
	case err != nil:
		return versionForm(text)
	case v.Kind != Exact:
		return &formError{code: "bad_version", message: fmt.Sprintf("%q is not a semantic version (1.4.2)", text), offset: -1}
	}
	return nil
}

func arnForm(text string) *formError {
	_, err := state.ParseLayerARN(text)
	if err == nil {
		return nil
	}
	if e := foreign(text); e != nil {
		return e
	}
	e := &formError{code: "bad_arn", message: err.Error(), offset: -1}
	if layer, number, ok := state.LayerVersionARN(text).Split(); ok {
		e.suggestion = fmt.Sprintf("%s, and version: %d", layer, number)
	}
	return e
}

func storeForm(text string) *formError {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "memory:", (kind == "sqlite" || kind == "dynamodb") && rest != "":
		return nil
	case foreign(text) != nil:
		return foreign(text)
	}
	return &formError{code: "bad_store", message: fmt.Sprintf("%q is not sqlite:PATH, dynamodb:TABLE or memory:", text),
		suggestion: nearest(kind, []string{"sqlite", "dynamodb", "memory"}), offset: -1}
}

func retentionForm(text string) *formError {
	if _, ok := versionsToKeep(text); ok {
		return nil
	}
	if e := foreign(text); e != nil {
		return e
	}
	e := &formError{code: "bad_retention", message: fmt.Sprintf("%q is not of the form \"20 versions\"", text), offset: -1}
	if digits := strings.TrimRight(text, " abcdefghijklmnopqrstuvwxyz"); digits != "" && plainInt.MatchString(digits) {
		e.suggestion = digits + " versions"
	}
	return e
}

func versionsToKeep(text string) (int, bool) {
	digits, found := strings.CutSuffix(text, " versions")
	if !found {
		digits, found = strings.CutSuffix(text, " version")
	}
	if !found || !plainInt.MatchString(digits) {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0 && n <= 1_000_000
}

// maxLength is ten years, so that no arithmetic with it can overflow.
const maxLength = 10 * 366 * 24 * time.Hour

func lengthForm(text string) *formError {
	if _, err := parseLength(text); err != nil {
		if e := foreign(text); e != nil {
			return e
		}
		return &formError{code: "bad_duration", message: err.Error(), suggestion: likelyLength(text), offset: -1}
	}
	return nil
}

// parseLength reads 0, 30m, 24h, 7d and sums such as 1d12h. A day is 24 hours.
func parseLength(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration such as 30m, 24h or 7d, up to ten years", text)
	if text == "0" {
		return 0, nil
	}
	if text == "" {
		return 0, bad
	}
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 12)
	if err != nil || strings.ContainsAny(rest, "-+.nuµμ") || strings.Contains(rest, "ms") {
		return 0, bad
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest != "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more > maxLength {
			return 0, bad
		}
		d += more
	}
	if d > maxLength {
		return 0, bad
	}
	return d, nil
}

// likelyLength guesses at "30 min", "1 hour", "7 days", "2w".
func likelyLength(text string) string {
	digits := strings.TrimRight(text, " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > 3650 {
		return ""
	}
	unit := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	switch {
	case unit == "":
		return ""
	case strings.HasPrefix(unit, "w"):
		return strconv.Itoa(n*7) + "d"
	case unit == "mo" || strings.HasPrefix(unit, "month"):
		return ""
	case strings.ContainsRune("smhd", rune(unit[0])):
		return digits + unit[:1]
	}
	return ""
}

// regionShape takes the names AWS gives in all partitions: an area, a direction
// and a number.
var regionShape = regexp.MustCompile(`^(?:af|ap|ca|cn|eu|eusc-de|eu-isoe|il|me|mx|sa|us|us-gov|us-iso[bf]?)-(?:central|(?:north|south)(?:east|west)?|east|west)-[1-9][0-9]?$`)

func regionForm(text string) *formError {
	if regionShape.MatchString(text) {
		return nil
	}
	if e := foreign(text); e != nil {
		return e
	}
	return &formError{code: "bad_region", message: fmt.Sprintf("%q is not a Region", text), suggestion: nearest(text, regions()), offset: -1}
}

// regions only feeds suggestions; a Region newer than this list is fine.
func regions() []string {
	return strings.Fields(`us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 ca-west-1 mx-central-1 sa-east-1
		eu-central-1 eu-central-2 eu-west-1 eu-west-2 eu-west-3 eu-north-1 eu-south-1 eu-south-2
		ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4
		ap-southeast-5 ap-southeast-6 ap-southeast-7 ap-south-1 ap-south-2 ap-east-1 ap-east-2
		me-south-1 me-central-1 il-central-1 af-south-1 cn-north-1 cn-northwest-1 us-gov-east-1 us-gov-west-1 eusc-de-east-1`)
}
