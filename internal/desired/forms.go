package desired

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/window"
)

// formats has one form for each format of the schema. A text with a variable in
// it is judged after the variable is expanded; the first group is never
// expanded.
func formats() map[string]strictyaml.Form {
	plain := map[string]strictyaml.Form{
		"region":        regionForm,
		"timezone":      zoneForm,
		"exact-version": exactForm,
		"store":         storeForm,
		"account":       strictyaml.Shape("bad_account", `^[0-9]{12}$`, "is not an account: 12 digits"),
		"bound-name":    strictyaml.Shape("bad_environment_name", `^(?:\*|[A-Za-z0-9][A-Za-z0-9_-]{0,63})$`, "is not the name of an environment, nor * for all others"),
		"principal":     principalForm,
		"module":        strictyaml.Shape("bad_module", `^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$`, "is not a module such as makoto_common.tenant"),
		"artifact":      artifactForm,
		"sha256":        strictyaml.Shape("bad_sha256", `^[0-9a-fA-F]{64}$`, "is not the SHA-256 of a file: 64 hex digits"),
		"runtime":       strictyaml.Shape("bad_runtime", `^[a-z][a-z0-9.]*$`, "is not a runtime such as python3.12"),
	}
	expanded := map[string]strictyaml.Form{
		"version":       versionForm,
		"length":        strictyaml.DurationForm,
		"window":        windowForm,
		"cron":          cronForm,
		"until":         untilForm,
		"freeze-date":   freezeDateForm,
		"window-length": windowLengthForm,
		"timeout":       timeoutForm,
		"retention":     retentionForm,
		"percent":       strictyaml.Shape("bad_percentage", `^(?:100(?:\.0+)?|[0-9]{1,2}(?:\.[0-9]+)?)%$`, "is not a percentage such as 10%"),
		"layer-arn":     arnForm,
		"role":          strictyaml.Shape("bad_role", `^arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+$`, "is not the ARN of a role (arn:aws:iam::123456789012:role/NAME)"),
		"external-id":   strictyaml.Shape("bad_external_id", `^[\w+=,.@:/-]{2,1000}$`, "is not an external id: 2 to 1000 of letters, digits and +=,.@:/_-"),
		"layer-name":    strictyaml.Shape("bad_layer_name", `^[A-Za-z0-9_-]{1,140}$`, "is not a layer name: up to 140 letters, digits, - and _"),
		"function-glob": strictyaml.Shape("bad_selector", `^[A-Za-z0-9_*?-]{1,140}$`, "matches no function: names have letters, digits, - and _; * and ? are wildcards"),
		"runtime-glob":  strictyaml.Shape("bad_selector", `^[a-z0-9.*?]+$`, "matches no runtime such as python3.12; * and ? are wildcards"),
		"role-glob":     strictyaml.Shape("bad_role", `^(?:arn|\*)[!-~]*$`, "is not the ARN of a role; * and ? are wildcards"),
		"bound-glob":    strictyaml.Shape("bad_selector", `^[A-Za-z0-9_*?-]{1,140}$`, "matches no name: names have letters, digits, - and _; * and ? are wildcards"),
		"layer-glob":    strictyaml.Shape("bad_layer_glob", `^[A-Za-z0-9_:*?-]+$`, "matches no layer: write an ARN or a name, with * and ? as wildcards"),
		"function-name": functionForm,
		"qualifier":     strictyaml.Shape("bad_qualifier", `^(?:\$LATEST|[A-Za-z0-9_-]{1,128})$`, "is not an alias, a version or $LATEST"),
		"alarm":         alarmForm,
		"alias":         strictyaml.Shape("bad_alias", `^[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*$`, "is not an alias: letters, digits, - and _, and not only digits"),
		"plain":         plainForm,
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

// plainForm takes what can be typed on any keyboard.
func plainForm(text string) *formError {
	return strictyaml.Shape("bad_value", `^[ -~]+$`, "is not plain ASCII text")(text)
}

// layerNameShape is AWS's rule for the name of a layer.
var layerNameShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,140}$`)

// fromWindow keeps the place and the suggestion of an error of package window.
func fromWindow(code string, err error) *formError {
	if err == nil {
		return nil
	}
	e := &formError{Code: code, Message: err.Error(), Offset: -1}
	if p, ok := errors.AsType[*window.ParseError](err); ok {
		e.Message = fmt.Sprintf("%q: %s", p.Text, p.Problem)
		e.Suggestion = p.Suggestion
		if p.Rune() > 0 { // 0 is most often the text as a whole
			e.Offset = p.Rune()
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

func freezeDateForm(text string) *formError {
	return withYear(fromWindow("bad_freeze", window.CheckPoint(text)))
}

// withYear takes away a suggestion that is right only where every is year.
func withYear(e *formError) *formError {
	if e != nil && len(e.Suggestion) == len("12-28") {
		e.Suggestion = ""
	}
	return e
}

// timeoutForm judges the form of a smoke test's timeout; its bounds are judged with the
// test.
func timeoutForm(text string) *formError {
	e := strictyaml.DurationForm(text)
	if e != nil && !inTimeout(e.Suggestion) {
		e.Suggestion = ""
	}
	return e
}

func inTimeout(text string) bool {
	d, err := strictyaml.ParseDuration(text)
	return err == nil && d >= minSmokeTimeout && d <= maxSmokeTimeout
}

// windowLengthForm judges how long a cron window may be.
func windowLengthForm(text string) *formError {
	d, err := strictyaml.ParseDuration(text)
	if err != nil {
		return strictyaml.DurationForm(text)
	}
	_, err = window.ParseCron("@daily", d, nil)
	return fromWindow("bad_window", err)
}

// parseUntil returns the first instant after text, which is an instant or a day
// that counts whole. The dates are those of a freeze, so one reader has both.
func parseUntil(text string, zone *time.Location) (time.Time, error) {
	f, err := window.ParseFreeze("1970-01-01", text, "", zone)
	return f.Until, err
}

func versionForm(text string) *formError {
	_, err := ParseVersion(text)
	if err == nil {
		return nil
	}
	if e := strictyaml.FullWidth(text); e != nil {
		return e
	}
	e := &formError{Code: "bad_version", Message: err.Error(), Offset: -1}
	for _, whole := range []string{text + ".0", strings.TrimPrefix(text, "V"), strings.TrimSpace(text)} {
		if v, err := ParseVersion(whole); err == nil && v.Kind == Exact {
			e.Suggestion = whole
		}
	}
	return e
}

func exactForm(text string) *formError {
	v, err := ParseVersion(text)
	switch {
	case err != nil:
		return versionForm(text)
	case v.Kind != Exact:
		return &formError{Code: "bad_version", Message: fmt.Sprintf("%q is not a semantic version (1.4.2)", text), Offset: -1}
	}
	return nil
}

func arnForm(text string) *formError {
	_, err := state.ParseLayerARN(text)
	if err == nil {
		return nil
	}
	if e := strictyaml.FullWidth(text); e != nil {
		return e
	}
	e := &formError{Code: "bad_arn", Message: err.Error(), Offset: -1}
	if layer, number, ok := state.LayerVersionARN(text).Split(); ok {
		e.Message += fmt.Sprintf("; that is version: %d", number)
		e.Suggestion = string(layer)
	}
	return e
}

func storeForm(text string) *formError {
	_, err := store.ParseSpec(text)
	if err == nil {
		return nil
	}
	if e := strictyaml.FullWidth(text); e != nil {
		return e
	}
	kind, rest, found := strings.Cut(text, ":")
	e := &formError{Code: "bad_store", Message: err.Error(), Offset: -1}
	if kind != store.KindSQLite && kind != store.KindDynamoDB {
		e.Message = fmt.Sprintf("%q is not sqlite:PATH, dynamodb:TABLE or memory:", text)
	}
	switch near := nearest(kind, []string{"sqlite", "dynamodb", "memory"}); {
	case near == "memory":
		e.Suggestion = "memory:"
	case near != "" && rest != "":
		e.Suggestion = near + ":" + rest
	case !found && strings.HasSuffix(text, ".db"):
		e.Suggestion = "sqlite:" + text
	}
	return e
}

func retentionForm(text string) *formError {
	if _, ok := versionsToKeep(text); ok {
		return nil
	}
	if e := strictyaml.FullWidth(text); e != nil {
		return e
	}
	e := &formError{Code: "bad_retention", Message: fmt.Sprintf("%q is not of the form \"20 versions\"", text), Offset: -1}
	digits := strings.TrimRight(text, " abcdefghijklmnopqrstuvwxyz")
	switch unit := strings.TrimSpace(strings.TrimPrefix(text, digits)); {
	case digits == "" || !strictyaml.IsWholeNumber(digits):
	case unit == "" || strings.HasPrefix(unit, "v"): // 90 days are no 90 versions
		e.Suggestion = digits + " versions"
	}
	return e
}

func versionsToKeep(text string) (int, bool) {
	digits, found := strings.CutSuffix(text, " versions")
	if !found {
		digits, found = strings.CutSuffix(text, " version")
	}
	if !found || !strictyaml.IsWholeNumber(digits) {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0 && n <= 1_000_000
}

var functionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,140}$`)

func functionForm(text string) *formError {
	if functionName.MatchString(text) {
		return nil
	}
	if e := strictyaml.FullWidth(text); e != nil {
		return e
	}
	e := &formError{Code: "bad_function", Message: fmt.Sprintf("%q is not the name of one function: letters, digits, - and _", text), Offset: -1}
	if _, after, ok := strings.Cut(text, ":function:"); ok {
		text = after
	}
	name, qualifier, qualified := strings.Cut(text, ":")
	switch {
	case !functionName.MatchString(name):
	case qualified:
		e.Message += fmt.Sprintf("; after it stands qualifier: %q", qualifier)
		e.Suggestion = name
	default:
		e.Suggestion = name
	}
	return e
}

// alarmForm takes what CloudWatch takes: names have any script and any
// punctuation.
func alarmForm(text string) *formError {
	n := utf8.RuneCountInString(text)
	if strings.HasPrefix(text, "arn:") {
		e := &formError{Code: "bad_alarm", Message: fmt.Sprintf("%q is the ARN of an alarm, not its name", text), Offset: -1}
		_, e.Suggestion, _ = strings.Cut(text, ":alarm:")
		return e
	}
	if n < 1 || n > 255 || strings.ContainsFunc(text, unicode.IsControl) {
		return &formError{Code: "bad_alarm", Message: fmt.Sprintf("%q is not the name of an alarm: 1 to 255 characters", text), Offset: -1}
	}
	return nil
}

// regionShape takes the names AWS uses in all partitions: an area, a direction
// and a number.
var regionShape = regexp.MustCompile(`^(?:af|ap|ca|cn|eu|eusc-de|eu-isoe|il|me|mx|sa|us|us-gov|us-iso[bf]?)-(?:central|(?:north|south)(?:east|west)?|east|west)-[1-9][0-9]?$`)

func regionForm(text string) *formError {
	if regionShape.MatchString(text) {
		return nil
	}
	if e := strictyaml.FullWidth(text); e != nil {
		return e
	}
	return &formError{Code: "bad_region", Message: fmt.Sprintf("%q is not a Region", text), Suggestion: nearest(text, regions()), Offset: -1}
}

// regions only feeds suggestions; a Region newer than this list is fine.
func regions() []string {
	return strings.Fields(`us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 ca-west-1 mx-central-1 sa-east-1
		eu-central-1 eu-central-2 eu-west-1 eu-west-2 eu-west-3 eu-north-1 eu-south-1 eu-south-2
		ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4
		ap-southeast-5 ap-southeast-6 ap-southeast-7 ap-south-1 ap-south-2 ap-east-1 ap-east-2
		me-south-1 me-central-1 il-central-1 af-south-1 cn-north-1 cn-northwest-1 us-gov-east-1 us-gov-west-1 eusc-de-east-1`)
}

// CheckRegion returns what is wrong with the name of a Region; nil = it has the form of
// one.
func CheckRegion(text string) error {
	e := regionForm(text)
	switch {
	case e == nil:
		return nil
	case e.Suggestion != "":
		return fmt.Errorf("%s; did you mean %s?", e.Message, e.Suggestion)
	}
	return errors.New(e.Message)
}

// CheckEnvironmentName returns what is wrong with the name of an environment; nil = a
// file may have it.
func CheckEnvironmentName(name string) error {
	if !environmentName.MatchString(name) {
		return fmt.Errorf("%q is no name of an environment: 1 to 64 letters, digits, - and _, the first a letter or digit", name)
	}
	return nil
}
