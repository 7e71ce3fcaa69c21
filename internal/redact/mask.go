// Package redact takes secrets out of what is shown. It knows what they look like,
// wherever they stand: a token of GitHub by its beginning, a value by the name
// before it, a key of AWS by its letters.
//
//	redact.Mask(log)        // a text of others, without what may be a secret
//	redact.Index(line) >= 0 // a secret was written where none belongs
//	redact.Named("api_key") // the value of a field of this name is not shown
//
// Mask would rather take too much: what cannot be told apart from a secret goes.
// Index is sure of what it finds: a configuration is refused for it. What looks
// like nothing, a password in the middle of a sentence, is found by neither.
package redact

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Masked stands where a secret was.
const Masked = "***"

// tokens are secrets by their own looks, wherever they stand.
var tokens = []struct {
	// begins is enough for Index, be the rest cut or mistyped.
	begins string
	// whole is what Mask takes: in a text of others, words may begin like that.
	whole string
}{
	{`(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12}`, `(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}`}, // AWS access key id
	{`xox[a-z]-|xapp-`, `(?:xox[a-zA-Z]|xapp)[.-][\w.-]+`},                          // Slack
	{`gh[opusr]_[A-Za-z0-9]|github_pat_`, `gh[a-z]_\w{16,}|github_pat_\w{16,}`},     // GitHub
	{`gl(?:pat|dt|rt|oas|ft)-`, `gl[a-z]{2,5}-[\w-]{16,}`},                          // GitLab
	{`AT[AC]TT[A-Za-z0-9]`, `AT[AC]TT[\w=-]{16,}`},                                  // Atlassian
}

// secretWord is in the names of which the value must not be shown.
const secretWord = `(?:secret[ _-](?:access[ _-])?key|pass(?:word|wd|phrase|code)|pwd|secret|token|credential|authorization|cookie|signature|connection[ _-]?string` +
	`|(?:api|access|private|account|shared|master|encryption|signing|client)[ _-]?key)`

// Compiled when the first text is masked: most commands never do, and it takes
// milliseconds of their start.
var (
	// secretName finds such a name anywhere. The short ones count only as whole
	// words: a bypass and an author are no secrets.
	secretName = compiled(`(?i)` + secretWord + `|(?:^|[^a-z])(?:pass|auth|pw)(?:$|[^a-z])`)

	// secretField is a name and what stands between it and its value: key=value,
	// key: value, "key":"value" however often it was escaped, 'key' => 'value',
	// <key>value, env['KEY'] = 'value', --key value.
	secretField = compiled(`(?i)(?:[\w.-]*` + secretWord + `[\w.-]*|(?:^|[^a-z])(?:pass|auth|pw))` +
		`(?:["'\\\])]*[ \t]*(?:=>|:=|[:=>]|%3a|%3d)|[ \t]+)`)

	privateKey = compiled(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)`)
	// keyEnd is the end of one whose beginning fell off the log.
	keyEnd = compiled(`(?:[A-Za-z0-9+/=\s]|\\+[nr])*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----`)

	// Of these the first group stays.
	slackHook     = compiled(`(?i)(https?://hooks\.slack(?:-gov)?\.com/)[^\s"'<>]+`)
	userOfAddress = compiled(`(?i)([a-z][a-z0-9+.-]*://)(?:[^\s/?#"'<>@]*:[^\s"'<>]*|[^\s/"'<>]*)@`)
	scheme        = compiled(`(?i)\b((?:bearer|basic)(?:[ \t:=]+|%20))[\w.~+/=%-]+`)

	// whole finds a token to its end, or one whose beginning is not sure enough for
	// Index: of a JWT, of Stripe and those who copied it, of npm, of Google.
	whole = compiled(alternatives(func(i int) string { return tokens[i].whole }) +
		`|eyJ[\w-]{6,}(?:\.[\w-]*)+|[sr]k_(?:live|test)_\w{8,}|sk-[\w-]{16,}|npm_\w{20,}|AIza[\w-]{30,35}`)
	beginning = compiled(alternatives(func(i int) string { return tokens[i].begins }) +
		`|-----BEGIN |(?i:hooks\.slack(?:-gov)?\.com)`)

	// literal is a number or a word of JSON with more fields behind it.
	literal = compiled(`^(?:-?[0-9][0-9.eE+-]*|true|false|null|None)[,}\]\r\n]`)
	// done is what was masked before.
	done = compiled(`^\*\*\*(?:[\s,}\])"'<]|\z)`)

	// blob is what an AWS secret access key (40 characters) and a session token
	// (hundreds) look like.
	blob = compiled(`[A-Za-z0-9+/]{40,}={0,2}`)
)

func compiled(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func alternatives(of func(i int) string) string {
	var all []string
	for i := range tokens {
		all = append(all, of(i))
	}
	return strings.Join(all, "|")
}

// Named reports whether the value of a field of this name, or at this path of
// names, is not to be shown.
func Named(name string) bool { return secretName().MatchString(name) }

// Index returns where in text the first secret begins that is one by its own
// looks, -1 = there is none: a token of GitHub, GitLab, Slack or Atlassian, an
// access key of AWS, a private key, an address that lets whoever knows it write.
func Index(text string) int {
	if at := beginning().FindStringIndex(text); at != nil {
		return at[0]
	}
	return -1
}

// Mask takes what looks like a secret out of a text that somebody else wrote, a
// function's log above all: AWS access keys and session tokens, values of
// fields named like a secret, bearer and basic tokens, JWTs, private keys, the
// user part of addresses, tokens of Slack, GitHub and some others. Masking twice
// changes nothing.
func Mask(text string) string {
	text = privateKey().ReplaceAllString(text, Masked)
	text = keyEnd().ReplaceAllString(text, Masked)
	text = maskFields(text)
	text = slackHook().ReplaceAllString(text, "${1}"+Masked)
	text = userOfAddress().ReplaceAllString(text, "${1}"+Masked+"@")
	text = scheme().ReplaceAllString(text, "${1}"+Masked)
	text = whole().ReplaceAllString(text, Masked)
	return blob().ReplaceAllStringFunc(text, func(run string) string {
		if random(run) {
			return Masked
		}
		return run
	})
}

// random tells a key from a commit's hash, which has one case only, and from a
// long word or path, which has no digit.
func random(run string) bool {
	has := func(from, to byte) bool {
		return slices.ContainsFunc([]byte(run), func(c byte) bool { return from <= c && c <= to })
	}
	return has('a', 'z') && has('A', 'Z') && (has('0', '9') || len(run) == 40)
}

// maskFields masks the values of fields with a secret name.
func maskFields(text string) string {
	var b strings.Builder
	for text != "" {
		at := secretField().FindStringIndex(text)
		if at == nil {
			break
		}
		field, rest := text[at[0]:at[1]], text[at[1]:]
		b.WriteString(text[:at[1]])
		text = rest
		if !strings.ContainsAny(field, ":=>%") && !strings.HasPrefix(field, "--") || saysWhy(field, rest) {
			continue
		}
		before, after := valueOf(field, rest)
		if before < after {
			b.WriteString(rest[:before] + Masked)
			text = rest[after:]
		}
	}
	return b.String() + text
}

// saysWhy tells "ExpiredTokenException: The security token …" from a field: what
// follows is what a person needs.
func saysWhy(field, rest string) bool {
	name, colon := strings.CutSuffix(strings.ToLower(field), ":")
	return colon && (strings.HasSuffix(name, "exception") || strings.HasSuffix(name, "error")) && strings.HasPrefix(rest, " ")
}

// valueOf returns where in rest the value of a field begins and ends. Quotes stay
// outside.
func valueOf(field, rest string) (from, to int) {
	from = len(rest) - len(strings.TrimLeft(rest, " \t=>"))
	lines := strings.HasSuffix(field, ":")
	if lines {
		// YAML may have it on the next line.
		from = len(rest) - len(strings.TrimLeft(rest, " \t\r\n|>"))
	}
	value := rest[from:]
	slashes := len(value) - len(strings.TrimLeft(value, `\`))
	if quoted := value[slashes:]; quoted != "" && strings.ContainsRune("\"'`", rune(quoted[0])) {
		from += slashes + 1
		return from, from + quotedEnd(quoted[1:], quoted[0], slashes)
	}
	switch {
	case value == "":
		return from, from
	case done().MatchString(value):
		return from, from + len(Masked)
	case strings.ContainsAny(field, "\"'") && literal().MatchString(value):
		return from, from + until(value, ",}]\r\n")
	case value[0] == '{' || value[0] == '[':
		return from, from + bracketEnd(value)
	case lines || from > 0:
		// A header or a line of YAML: the value has spaces.
		return from, from + until(value, "\r\n")
	default:
		return from, from + until(value, " \t\r\n")
	}
}

func until(text, any string) int {
	if i := strings.IndexAny(text, any); i >= 0 {
		return i
	}
	return len(text)
}

// quotedEnd finds the closing quote of a text whose opening one had so many
// backslashes before it. JSON within JSON doubles them: one that belongs to the
// text has 2×slashes+1 of them, and a backslash of its own 2×slashes+2. Without
// an end everything belongs to it: the log was cut.
func quotedEnd(text string, quote byte, slashes int) int {
	run := 0
	for i := range len(text) {
		switch text[i] {
		case '\\':
			run++
			continue
		case quote:
			if run%(2*(slashes+1)) == slashes {
				return i - slashes
			}
		}
		run = 0
	}
	return len(text)
}

// bracketEnd finds what closes the bracket that text begins with.
func bracketEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			i += 1 + quotedEnd(text[i+1:], '"', slashesBefore(text[:i]))
			// Where the closing quote is escaped its backslashes come first.
			for i < len(text) && text[i] == '\\' {
				i++
			}
		}
	}
	return len(text)
}

func slashesBefore(text string) int { return len(text) - len(strings.TrimRight(text, `\`)) }
