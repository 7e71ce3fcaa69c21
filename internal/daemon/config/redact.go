package config

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/layerd/layerd/internal/redact"
	"github.com/layerd/layerd/internal/strictyaml"
)

// This file keeps secrets out of what is printed. A literal may stand anywhere:
// where the place of a secret belongs, under a misspelt key, in a URL, or as a
// key, when a space is missing. So what may be shown is listed and not what may
// not: the known keys, and the values of keys that are not secret.

// places maps the path of each value that a configuration can have, list
// indices as *, to its Go type.
var places = sync.OnceValue(func() map[string]reflect.Type {
	found := map[string]reflect.Type{}
	var walk func(path string, t reflect.Type)
	walk = func(path string, t reflect.Type) {
		switch {
		case t.Kind() == reflect.Pointer:
			walk(path, t.Elem())
		case t.Kind() == reflect.Slice:
			walk(path+"/*", t.Elem())
		case t.Kind() != reflect.Struct || t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[Duration]():
			found[path] = t
		default:
			for f := range t.Fields() {
				key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				walk(strings.TrimPrefix(path+"/"+key, "/"), f.Type)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	return found
})

// pattern is a path as places knows it.
func pattern(path []string) string {
	p := slices.Clone(path)
	for i, step := range p {
		if _, err := strconv.Atoi(step); err == nil {
			p[i] = "*"
		}
	}
	return strings.Join(p, "/")
}

// secretAbove returns the part of path that leads to a secret; nil when the path
// neither is that of a secret nor lies below one.
func secretAbove(path []string) []string {
	for i := range path {
		if places()[pattern(path[:i+1])] == reflect.TypeFor[Secret]() {
			return path[:i+1]
		}
	}
	return nil
}

// wherein are the keys of a secret.
func wherein() []string { return []string{"file", "env", "credential", "secretsmanager", "key", "ssm"} }

// explain speaks for everything that is wrong with the place of a secret, once,
// and repeats no part of the text.
func explain(keyword string, path []string, root *strictyaml.Node) (*strictyaml.Node, *strictyaml.FormError) {
	say := func(n *strictyaml.Node, code, message, advice string) (*strictyaml.Node, *strictyaml.FormError) {
		return n, &strictyaml.FormError{Code: code, Message: message, Advice: advice, Offset: -1}
	}
	if strings.HasSuffix(keyword, "Properties") && keyword != "additionalProperties" && len(path) == 2 && path[0] == "notify" {
		return say(root.Get(path...), "one_target", "must have exactly one of slack, webhook and sns", "")
	}
	at := secretAbove(path)
	if at == nil {
		return nil, nil
	}
	n := root.Get(at...)
	all := "write {file: PATH}, {env: NAME}, {credential: NAME}, {secretsmanager: NAME} or {ssm: NAME}"
	if n.Kind == strictyaml.Scalar && n.Tag == "!!null" {
		return say(n, "bad_secret", "does not say where the secret is", all)
	}
	if n.Kind != strictyaml.Mapping {
		return say(n, "secret_literal", "a secret is not written into this file; say where it is", all)
	}
	one := 0
	for i, k := range n.Keys {
		switch {
		case looksSecret(k.Text) || looksSecret(n.Items[i].Text):
			return say(n, "secret_literal", "this looks like the secret itself; say where it is", all)
		case !slices.Contains(wherein(), k.Text):
			return say(n, "bad_secret", "a secret is at exactly one of file, env, credential, secretsmanager and ssm", all)
		case k.Text != "key":
			one++
		}
	}
	if one != 1 || n.Get("key") != nil && n.Get("secretsmanager") == nil {
		return say(n, "bad_secret", "a secret is at exactly one of file, env, credential, secretsmanager (with key, for one field of JSON) and ssm", all)
	}
	what := map[string]string{"file": "the path of a file (~ is not expanded)", "env": "the name of a variable", "credential": "the name of a credential of the unit",
		"secretsmanager": "the name or ARN of a secret, and key one of its fields", "ssm": "the name or ARN of a parameter"}
	for _, k := range n.Keys {
		if what[k.Text] != "" {
			return say(n, "bad_secret", k.Text+" takes "+what[k.Text], "")
		}
	}
	return nil, nil
}

func looksSecret(text string) bool { return redact.Index(text) >= 0 }

// hasCredentials reports whether a URL holds more than the user of ssh. It errs on
// the side of yes: a password may hold a slash.
func hasCredentials(url string) bool {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		scheme, rest = "", url
	}
	authority, after, _ := strings.Cut(rest, "/")
	user, _, at := cutLast(authority, "@")
	web := strings.HasPrefix(strings.ToLower(scheme), "http")
	switch {
	case looksSecret(url):
		return true
	case at:
		return web || strings.Contains(user, ":")
	case !found:
		return false
	}
	_, port, colon := cutLast(authority, ":")
	_, err := strconv.Atoi(port)
	return colon && strings.Contains(after, "@") || web && colon && err != nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// keyLike is what keys look like; a token has digits, or is longer.
var keyLike = regexp.MustCompile(`^[A-Za-z][A-Za-z_.-]{0,23}$`)

// isKey reports whether text was meant as a key, be it one that does not exist.
func isKey(text string) bool {
	if e := strictyaml.FullWidth(text); e != nil {
		text = e.Suggestion
	}
	return keyLike.MatchString(text) && !looksSecret(text)
}

// text is a piece of the file, in its order.
type text struct {
	*strictyaml.Node
	secret bool
}

// texts lists all keys and values below n.
func texts(n *strictyaml.Node, path []string) []text {
	if n.Kind == strictyaml.Scalar {
		return []text{{n, n.Tag != "!!null" && !open(path, n)}}
	}
	var all []text
	for i, item := range n.Items {
		step := strconv.Itoa(i)
		if n.Kind == strictyaml.Mapping {
			k := n.Keys[i]
			step = k.Text
			all = append(all, text{k, !isKey(step)})
		}
		all = append(all, texts(item, append(slices.Clip(path), step))...)
	}
	return all
}

// open reports whether the value at path may be shown.
func open(path []string, n *strictyaml.Node) bool {
	if looksSecret(n.Text) {
		return false
	}
	if at := secretAbove(path); at != nil {
		return len(path) == len(at)+1 && slices.Contains(wherein(), path[len(at)])
	}
	if pattern(path) == "git/url" {
		return !hasCredentials(n.Text) && !strings.ContainsAny(n.Text, "?#")
	}
	t := places()[pattern(path)]
	return t != nil && t.Kind() != reflect.Interface
}

const hidden = "•••••"

// withoutSecrets returns the lines of a file that may be shown: each is cut where
// something begins that may be secret, so that not even its length shows.
func withoutSecrets(data []byte, root *strictyaml.Node) []byte {
	lines := strings.Split(string(data), "\n")
	cut := func(line, column int) {
		if r := []rune(lines[line-1]); column-1 <= len(r) {
			lines[line-1] = string(r[:column-1]) + hidden
		}
	}
	all := texts(root, nil)
	// Backwards, so that the first secret of a line cuts last.
	for i, t := range slices.Backward(all) {
		if !t.secret {
			continue
		}
		if t.Inner == 0 { // not as it stands, so perhaps over several lines: all up to the next text
			end := len(lines)
			if i+1 < len(all) {
				end = all[i+1].Line
				if strings.Trim(string([]rune(lines[end-1])[:all[i+1].Column-1]), " -") == "" {
					end-- // no part on the line of the next one
				}
			}
			for line := t.Line + 1; line <= end; line++ {
				lines[line-1] = hidden
			}
		}
		cut(t.Line, t.Column)
	}
	for i, line := range lines { // in a comment, say
		if at := redact.Index(line); at >= 0 {
			lines[i] = line[:at] + hidden
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// withoutTexts replaces the words of problems that repeat what may be secret.
func withoutTexts(problems []strictyaml.Problem, root *strictyaml.Node) []strictyaml.Problem {
	var secrets []string
	for _, t := range texts(root, nil) {
		// Shorter ones are in every sentence, and no secret.
		if t.secret && len(t.Text) > 3 {
			quoted := strconv.Quote(t.Text)
			secrets = append(secrets, t.Text, quoted[1:len(quoted)-1])
		}
	}
	repeats := func(text string) bool {
		return slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(text, s) })
	}
	for i := range problems {
		p := &problems[i]
		if repeats(p.Message) {
			p.Message = "what stands here is not right, and not repeated because it may be a secret"
			if p.Code == "unknown_key" {
				p.Message = "unknown key, not repeated because it may be a secret; is a space missing after a colon?"
			}
		}
		if repeats(p.Suggestion) {
			p.Suggestion = ""
		}
	}
	return problems
}

// discreet rewrites the problems of a file that could not be read as a whole,
// where the reader repeats what it stumbled over.
func discreet(problems []strictyaml.Problem) []strictyaml.Problem {
	for i := range problems {
		p := &problems[i]
		switch p.Code {
		case "anchor":
			p.Message, p.Suggestion = "anchors and aliases are not used here", "put text that begins with * or & in quotes"
		case "yaml_tag":
			p.Message, p.Suggestion = "tags are not used here", "put text that begins with ! in quotes"
		case "duplicate_key":
			p.Message = "a key a second time"
		case "yaml_syntax":
			if strings.Contains(p.Message, "anchor") {
				p.Message = "not YAML near this line"
			}
		}
	}
	return problems
}
