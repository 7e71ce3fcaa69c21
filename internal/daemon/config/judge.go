package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/hint"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/strictyaml"
)

// forms has one form for each format of the schema. Those of a secret's place
// are reported by explain, in words that repeat nothing.
func forms() map[string]strictyaml.Form {
	named := func(shape string) strictyaml.Form {
		form := strictyaml.Shape("bad_secret", shape, "is not a name of this kind")
		return func(text string) *strictyaml.FormError {
			if looksSecret(text) {
				return &strictyaml.FormError{Code: "secret_literal", Message: "looks like a secret", Offset: -1}
			}
			return form(text)
		}
	}
	all := map[string]strictyaml.Form{
		"length": strictyaml.DurationForm,
		"store":  storeForm,
		"listen": listenForm,
		"path":   pathForm,
		"queue":  queueForm,
		// The names are those that the places themselves allow.
		"secret-file":    named(`^(?:[^~\x00-\x1f]|~[^/\x00-\x1f])[^\x00-\x1f]*$`),
		"variable":       named(`^[A-Za-z_][A-Za-z0-9_]*$`),
		"credential":     named(`^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,254}$`),
		"secret-name":    named(`^[A-Za-z0-9/_+=.@:!-]+$`),
		"secret-key":     named(`^[^\x00-\x1f]{1,256}$`),
		"parameter-name": named(`^[A-Za-z0-9_./:-]+$`),
	}
	maps.Copy(all, desired.BoundForms())
	return all
}

func storeForm(text string) *strictyaml.FormError {
	if _, err := store.ParseSpec(text); err != nil {
		if e := strictyaml.FullWidth(text); e != nil {
			return e
		}
		return &strictyaml.FormError{Code: "bad_store", Message: err.Error(), Offset: -1}
	}
	return nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// listenForm wants the host too: what binds to every address should name them.
func listenForm(text string) *strictyaml.FormError {
	bad := &strictyaml.FormError{Code: "bad_address", Message: fmt.Sprintf("%q is not HOST:PORT", text), Suggestion: "127.0.0.1:8080", Offset: -1}
	host, port, err := net.SplitHostPort(text)
	if e := strictyaml.FullWidth(text); err != nil && e != nil {
		return e
	}
	if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || strconv.FormatUint(n, 10) != port {
		return bad
	}
	if host == "" {
		bad.Message = fmt.Sprintf("%q names no host", text)
		bad.Message += "; 0.0.0.0 is every address"
		bad.Suggestion = "127.0.0.1:" + port
		return bad
	}
	if _, err := netip.ParseAddr(host); err != nil && !hostName.MatchString(host) {
		return bad
	}
	return nil
}

func queueForm(text string) *strictyaml.FormError {
	if _, err := hint.ParseURL(text); err != nil {
		if e := strictyaml.FullWidth(text); e != nil {
			return e
		}
		return &strictyaml.FormError{Code: "bad_queue", Message: err.Error(), Offset: -1, Suggestion: hint.MeantURL(text)}
	}
	return nil
}

func pathForm(text string) *strictyaml.FormError {
	if text != "" && text != "~" && !strings.HasPrefix(text, "~/") && !strings.ContainsRune(text, 0) {
		return nil
	}
	return &strictyaml.FormError{Code: "bad_path", Message: fmt.Sprintf("%q is not a path; ~ is not expanded here", text), Offset: -1}
}

// withUnit returns what may be meant by a number where text belongs: seconds for a
// length of time, a port for an address.
func withUnit(n *strictyaml.Node) []string {
	if n.Tag != "!!int" && n.Tag != "!!float" {
		return nil
	}
	return []string{n.Text + "s", "127.0.0.1:" + n.Text}
}

// judge finds what the schema cannot express.
func (d *document) judge() {
	for _, b := range []struct {
		low, high time.Duration
		path      []string
	}{
		{10 * time.Second, time.Hour, []string{"interval"}},
		{10 * time.Second, time.Hour, []string{"git", "interval"}},
		{time.Second, 10 * time.Minute, []string{"git", "timeout"}},
	} {
		d.between(b.path, b.low, b.high)
	}
	d.doubts()
	for _, key := range []string{"verify", "webhook_secret"} {
		d.notYet(d.root.Get("git", key))
	}
	d.notYet(d.root.Get("http", "tokens"))
	d.judgeGit(d.good.Get("git"))
	if notify := d.root.Get("notify"); notify != nil {
		for i, n := range notify.Items {
			d.judgeNotify(n)
			d.between([]string{"notify", strconv.Itoa(i), "slack", "repeat_interval"}, 10*time.Minute, 30*24*time.Hour)
		}
	}
}

func (d *document) add(code string, at strictyaml.Position, message, suggestion string) {
	d.problems = append(d.problems, strictyaml.NewProblem(code, at, message, suggestion))
}

func (d *document) notYet(n *strictyaml.Node) {
	if n != nil {
		d.add("not_supported_yet", n.Key.Position, n.Key.Text+" is not supported yet", "")
	}
}

// doubts warns of values that are right, and that switch off or hold more than their
// writer may have thought. The description of each key has the same answer.
func (d *document) doubts() {
	doubt := func(code string, n *strictyaml.Node, message, instead string) {
		p := strictyaml.NewProblem(code, n.Where(), message, instead)
		p.Severity = strictyaml.Warning
		d.problems = append(d.problems, p)
	}
	if n := d.good.Get("git", "interval"); n != nil {
		if interval, err := strictyaml.ParseDuration(n.Text); err == nil && interval >= staleGit && interval <= time.Hour {
			doubt("always_holds", n, n.Text+" is as long as Git may be away: between two looks no change begins", "1m")
		}
	}
	if n := d.good.Get("notify"); n != nil && len(n.Items) == 0 && !n.Damaged {
		doubt("check_off", n, "an empty list: nobody is told, as without the key", "")
	}
}

// staleGit is how long Git may be away before no change begins any more.
const staleGit = 15 * time.Minute

// between checks the bounds of a length of time whose form is right, and of what is
// offered in place of a wrong one.
func (d *document) between(path []string, low, high time.Duration) {
	n := d.good.Get(path...)
	if n == nil {
		d.offerBetween(d.root.Get(path...), low, high)
		return
	}
	length, err := strictyaml.ParseDuration(n.Text)
	switch {
	case err != nil: // is reported already
	case length < low:
		d.add("out_of_range", n.Where(), fmt.Sprintf("%s is less than %s", n.Text, short(low)), short(low))
	case length > high:
		d.add("out_of_range", n.Where(), fmt.Sprintf("%s is more than %s", n.Text, short(high)), short(high))
	}
}

func (d *document) offerBetween(n *strictyaml.Node, low, high time.Duration) {
	for i := range d.problems {
		p := &d.problems[i]
		if n == nil || p.Line != n.Line || p.Column < n.Column || p.Column >= n.Column+max(1, n.Length) {
			continue
		}
		if length, err := strictyaml.ParseDuration(strings.Trim(p.Suggestion, `"`)); err == nil && (length < low || length > high) {
			p.Suggestion = ""
		}
	}
}

// short writes a length as a file would: 1h, not 1h0m0s.
func short(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return d.String()
}

func (d *document) judgeGit(git *strictyaml.Node) {
	if b := git.Get("branch"); b != nil {
		if message := refused(gitrepo.Options{URL: "/", Branch: b.Text}); message != "" {
			d.add("bad_branch", b.Where(), message, "")
		}
	}
	if p := git.Get("path"); p != nil {
		if message := refused(gitrepo.Options{URL: "/", Path: p.Text}); message != "" {
			d.add("bad_path", p.Where(), message, "")
		}
	}
	url := git.Get("url")
	if url == nil {
		return
	}
	if hasCredentials(url.Text) {
		d.add("secret_literal", url.Where(), "the URL holds a user or a password, which would appear in logs", "put them into git.auth: user, and token: {file: PATH}, {env: NAME}, …")
		return
	}
	o := gitrepo.Options{URL: url.Text}
	token := git.Get("auth", "token")
	if token != nil {
		o.Auth.Token = func(context.Context) (string, error) { return "", nil }
	}
	if message := refused(o); message != "" {
		d.add("bad_url", url.Where(), message, "")
		return
	}
	scheme := "ssh"
	switch {
	case strings.HasPrefix(url.Text, "https://"), strings.HasPrefix(url.Text, "http://"):
		scheme = "https"
	case strings.HasPrefix(url.Text, "ssh://"):
	case strings.HasPrefix(url.Text, "file://"), !strings.Contains(url.Text, ":"):
		scheme = "path"
	}
	for key, of := range map[string]string{"token": "https", "user": "https", "ssh_key": "ssh", "ssh_passphrase": "ssh", "known_hosts": "ssh"} {
		if n := git.Get("auth", key); n != nil && of != scheme {
			p := strictyaml.NewProblem("auth_not_used", n.Key.Position, fmt.Sprintf("%s is for %s, which git.url is not", key, of), "")
			p.Severity = strictyaml.Warning
			d.problems = append(d.problems, p)
		}
	}
}

// refused is gitrepo's objection to some options, in words without a URL;
// "" when nothing.
func refused(o gitrepo.Options) string {
	_, err := gitrepo.New(o)
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*gitrepo.Error](err); ok {
		return cmp.Or(e.Message, "it is refused")
	}
	return "it is refused"
}

func (d *document) judgeNotify(n *strictyaml.Node) {
	d.notYet(n.Get("webhook"))
	d.notYet(n.Get("sns"))
	slack := n.Get("slack")
	if slack == nil || slack.Kind != strictyaml.Mapping {
		return
	}
	d.notYet(slack.Get("token"))
	d.notYet(slack.Get("channel"))
	misspelt := false
	for _, k := range slack.Keys {
		misspelt = misspelt || strictyaml.Nearest(k.Text, []string{"webhook_url"}) != ""
	}
	if !misspelt && !slack.Has("token") {
		d.add("missing_key", slack.Where(), "has no webhook_url", "webhook_url: {env: SLACK_WEBHOOK_URL}")
	}
}
