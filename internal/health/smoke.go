package health

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/redact"
	"github.com/layerd/layerd/internal/state"
)

const (
	// longestWords is how much of somebody else's words a sentence has room
	// for, in bytes.
	longestWords = 300
	// logLines and longestLine bound what a finding keeps of a log.
	logLines, longestLine = 20, 300
	// wholeLog is what Lambda sends of one at most; the first line of that many
	// bytes has lost its beginning.
	wholeLog = 4096
)

// Smoke calls the function of one test and judges its answer. It is called
// through qualifier, a canary's new version for instance; when that is empty,
// through the test's own; when that is empty too, its $LATEST. A caller who has
// nothing to say passes the alias of the environment only where the test names
// none: cmp.Or(test.Qualifier, alias).
//
// Bad: no answer within the test's time, a FunctionError, a status outside
// 200 to 299, an answer without what is expected, a function that is gone, a
// call that AWS refuses. Unknown: AWS is out of reach, throttles, or does not
// take our credentials; the function is being updated; and when ctx itself
// ends. It takes as long as the test allows and no longer.
func Smoke(ctx context.Context, src Source, test desired.SmokeTest, qualifier string) Finding {
	call := Call{Function: test.Function, Qualifier: cmp.Or(qualifier, test.Qualifier), Payload: test.Payload}
	if call.Payload == nil {
		call.Payload = []byte("{}")
	}
	limit, cancel := context.WithTimeout(ctx, test.Timeout)
	defer cancel()
	answer, err := src.Invoke(limit, call)

	f := Finding{About: subject(call.Function, call.Qualifier), Code: CodeSmoke}
	name := "smoke test of " + f.About
	if err != nil {
		var why string
		f.Status, why = unanswered(ctx, limit, test.Timeout, err)
		f.Sentence = name + ": " + why
		return f
	}
	if v := answer.ExecutedVersion; v != "" && v != cmp.Or(call.Qualifier, "$LATEST") {
		name += " (ran " + v + ")"
	}
	f.Status, f.Detail = Bad, logTail(answer.Log)
	switch {
	case answer.FunctionError != "":
		f.Sentence = name + ": the function failed" + complaint(answer)
	case answer.Status < 200 || answer.Status > 299:
		f.Sentence = fmt.Sprintf("%s: status %d", name, answer.Status)
	default:
		if test.Expect != nil {
			if ok, where := Match(test.Expect, answer.Payload); !ok {
				f.Sentence = name + ": " + where
				return f
			}
		}
		f.Status, f.Sentence, f.Detail = Good, name+" passed", ""
	}
	return f
}

// unanswered judges a call that gave no answer. A call that was never sent is
// Again also when the time ran out meanwhile: the function is not to blame.
func unanswered(ctx, limit context.Context, within time.Duration, err error) (Status, string) {
	kind := state.KindOf(err)
	ended := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	switch {
	case ctx.Err() != nil:
		return Unknown, "stopped before it answered"
	case kind == state.Again, aboutUs(err):
		return Unknown, "not known: " + words(err.Error())
	case limit.Err() != nil && (ended || kind == state.Stopped || kind == state.Unsure):
		return Bad, "no answer within " + within.String()
	case kind == state.Gone:
		return Bad, "there is no such function: " + words(err.Error())
	case kind == state.Human && !ended:
		return Bad, "refused: " + words(err.Error())
	default: // the answer was lost, or the function is being updated
		return Unknown, "not known: " + words(err.Error())
	}
}

// aboutUs reports whether an error is of our credentials: the function was never
// called, and a rollback would not mend them.
func aboutUs(err error) bool {
	if _, wrong := errors.AsType[*state.WrongAccountError](err); wrong {
		return true
	}
	e, ok := errors.AsType[*state.Error](err)
	return ok && (e.Op != "Invoke" || e.Kind == state.Barred || e.Kind == state.Human && e.Code == "" || state.OfCaller(e.Code))
}

// complaint is a failed function's own error, as all runtimes write it.
func complaint(a Answer) string {
	var said struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(a.Payload, &said) != nil || said.Type+said.Message == "" {
		return " (" + a.FunctionError + ")"
	}
	if said.Type == "" || said.Message == "" {
		return ": " + words(said.Type+said.Message)
	}
	return ": " + words(said.Type+": "+said.Message)
}

// subject names a function and through what it is looked at, the way
// CloudWatch does: "makoto-chat-prod:live".
func subject(function, qualifier string) string {
	if qualifier == "" {
		return function
	}
	return function + ":" + qualifier
}

// words makes somebody else's text fit for a sentence: one line, without
// secrets, and not for ever.
func words(text string) string {
	return cut(strings.Join(strings.Fields(redact.Mask(printable(text))), " "), longestWords)
}

// logTail is the end of a log, without secrets. They are masked in the whole
// and not line by line: a private key has many.
func logTail(log string) string {
	if len(log) >= wholeLog {
		_, log, _ = strings.Cut(log, "\n")
	}
	lines := strings.Split(strings.TrimSpace(redact.Mask(printable(log))), "\n")
	lines = lines[max(0, len(lines)-logLines):]
	for i, line := range lines {
		// Lambda's own lines have tabs, which a terminal and Slack are not shown.
		lines[i] = cut(strings.ReplaceAll(strings.TrimRight(line, " \t"), "\t", " "), longestLine)
	}
	return strings.Join(lines, "\n")
}

// paint is what colours a terminal.
var paint = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]")

// printable drops what would paint a terminal. It goes first: a colour between
// a name and its value would hide the secret.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, paint.ReplaceAllString(strings.ToValidUTF8(text, ""), ""))
}
