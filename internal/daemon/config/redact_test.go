package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/strictyaml"
)

// everything is all that a person or a program may see of a file.
func everything(t interface{ Fatal(...any) }, data []byte) string {
	cfg, problems := Load("/etc/layerd/layerd.yaml", data)
	var b bytes.Buffer
	for _, color := range []bool{false, true} {
		if err := Format(&b, "/etc/layerd/layerd.yaml", data, problems, strictyaml.Look{Color: color}); err != nil {
			t.Fatal(err)
		}
	}
	if err := strictyaml.FormatGitHub(&b, problems); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(problems)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(list)
	if !strictyaml.Errors(problems) {
		fmt.Fprintf(&b, "%+v", cfg)
	}
	return b.String()
}

// Literals in the mistakes that people make: each is refused, and neither the
// words nor the excerpt repeat it.
func TestLiteralsAreNotRepeated(t *testing.T) {
	for _, tt := range []struct{ name, file, secret string }{
		{"plain", "git:\n  url: https://h/x\n  auth:\n    token: hunter2secret\n", "hunter2secret"},
		{"quoted", "git: {url: https://h/x, auth: {token: \"hunter2 secret\"}}", "hunter2"},
		{"with escapes", `git: {url: https://h/x, auth: {token: "hunter2\tsecret"}}`, "hunter2"},
		{"over lines", "git: {url: https://h/x, auth: {token: \"hunter2\n  geheim\", usr: x}}", "geheim"},
		{"a block", "git:\n  url: ssh://git@h/x\n  auth:\n    ssh_key: |\n      hunter2\n      secretline\n    usr: x\n", "secretline"},
		{"a folded block at the end", "git:\n  url: ssh://git@h/x\n  auth:\n    usr: x\n    ssh_key: >-\n      hunter2\n\n      secretline", "secretline"},
		{"a number", "git: {url: https://h/x, auth: {token: 4815162342}}", "4815162342"},
		{"a list", "git: {url: https://h/x, auth: {token: [hunter2secret]}}", "hunter2secret"},
		{"below a wrong key", "git: {url: https://h/x, auth: {token: {value: hunter2secret}}}", "hunter2secret"},
		{"a key of its own", "git: {url: https://h/x, auth: {token: {hunter2secret}}}", "hunter2secret"},
		{"as the name of a variable", "git: {url: https://h/x, auth: {token: {env: ghp_abcdefgh}}}", "ghp_abcdefgh"},
		{"as a file", "notify: [{slack: {webhook_url: {file: \"https://hooks.slack.com/services/T/B/x\"}}}]", "services/T"},
		{"under a misspelt key", "git: {url: https://h/x, auth: {tokn: hunter2secret}}", "hunter2secret"},
		{"one level too high", "git: {url: https://h/x, token: hunter2secret}", "hunter2secret"},
		{"a space is missing", "notify: [{slack: {webhook_url:https://h/services/T/B/x}}]", "services/T"},
		{"a space is missing, in a block", "notify:\n  - slack:\n      webhook_url:https://h/services/T/B/x\n", "services/T"},
		{"where a mapping belongs", "notify: [{slack: \"https://h/services/T/B/x\"}]", "services/T"},
		{"where a list belongs", "http: {tokens: hunter2secret}\nnotify: hunter2secret", "hunter2secret"},
		{"in what is not supported yet", "git: {url: /srv, webhook_secret: hunter2secret, verify: {k: hunter2secret}}\nhttp: {tokens: [hunter2secret]}", "hunter2secret"},
		{"a password in the URL", "git: {url: \"https://me:hunter2secret@h/x\"}", "hunter2secret"},
		{"a token as the user of the URL", "git: {url: \"https://hunter2secret@h/x\"}", "hunter2secret"},
		{"a slash in the password", "git: {url: \"https://me:hunter2/secret@h/x\"}", "hunter2"},
		{"a password for ssh", "git: {url: \"ssh://git:hunter2secret@h/x\"}", "hunter2secret"},
		{"a token in the query", "git: {url: \"https://h/x?token=hunter2secret\"}", "hunter2secret"},
		{"an alias", "git: {url: https://h/x, auth: {token: *hunter2secret }}", "hunter2secret"},
		{"an anchor", "git: {url: https://h/x, auth: {token: &hunter2secret x}}", "hunter2secret"},
		{"a tag", "git: {url: https://h/x, auth: {token: !hunter2secret x}}", "hunter2secret"},
		{"a token twice", "git: {url: https://h/x, auth: {token: {env: A}, token: hunter2secret}}", "hunter2secret"},
		{"not YAML", "git: {url: https://h/x, auth: {token: \"hunter2secret}}", "hunter2secret"},
		{"not YAML by a tab", "git:\n  auth:\n\t token: hunter2secret\n", "hunter2secret"},
		{"in a comment beside a mistake", "git: {url: /srv, brnch: x} # was ghp_hunter2secret", "hunter2secret"},
		{"before another mistake", "git: {url: https://h/x, auth: {token: hunter2secret, usr: x}}", "hunter2secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, problems := Load("f", []byte(tt.file)); !strictyaml.Errors(problems) {
				t.Fatal("it passes")
			}
			if shown := everything(t, []byte(tt.file)); strings.Contains(shown, tt.secret) {
				t.Errorf("shows %q:\n%s", tt.secret, shown)
			}
		})
	}
}

// What cannot be secret is shown: excerpts are of use.
func TestTheRestIsShown(t *testing.T) {
	shown := everything(t, []byte("git: {url: /srv, brnch: x}\ninterval: 5 min\naws: {requests_per_second: 99}\n"))
	for _, want := range []string{"git: {url: /srv, brnch: •••••", "interval: 5 min", "aws: {requests_per_second: 99}", "unknown key \"brnch\"", "help: branch"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is missing in\n%s", want, shown)
		}
	}
}

// A secret written anywhere but at an open value, in any style, is not shown.
func TestNoSecretIsShown(t *testing.T) {
	const canary = "Zq7canaryZq7"
	rapid.Check(t, func(t *rapid.T) {
		styles := []string{"%s", "%q", "'%s'", "a %s b", "\"\\u0041%s\"", "\"x\n    %s\n    y\"", "{k: %s}", "{%s: k}", "[x, %s]", "{file: {x: %s}}", "{env: A, %s}", "!%s x", "&%s x", "*%s", "\"%s", "{env: A} # ghp_%s"}
		value := func(label string) string {
			return fmt.Sprintf(rapid.SampledFrom(styles).Draw(t, label), canary)
		}
		key := rapid.SampledFrom([]string{"token", "ssh_key", "ssh_passphrase", "tokn", "password"}).Draw(t, "key")
		other := rapid.SampledFrom([]string{"", ", user: 5", ", usr: x", ", known_hosts: ~/x"}).Draw(t, "other")
		before := rapid.SampledFrom([]string{"", "interval: 1s\n", "intervl: 60s\n", "store: x\n", "aws: {a: b}\n"}).Draw(t, "before")
		after := rapid.SampledFrom([]string{"", "log_level: loud\n", "http: {listen: x}\n", "x"}).Draw(t, "after")
		data := before + "git: {url: https://h/x, auth: {" + key + ": " + value("secret") + other + "}}\nnotify:\n  - slack: {webhook_url: " + value("hook") + "}\n" + after
		if shown := everything(t, []byte(data)); strings.Contains(shown, canary) || strings.Contains(shown, "canary") {
			t.Errorf("file\n%s\nshows\n%s", data, shown)
		}
	})
}

func TestCredentialsInURLs(t *testing.T) {
	for url, want := range map[string]bool{
		"https://github.com/acme/layers.git": false, "ssh://git@github.com/acme/layers.git": false, "git@github.com:acme/layers.git": false,
		"/srv/git/layers": false, "https://h:8443/x": false, "https://h/x@y": false, "./a@b:c": false, "file:///srv/a@b": false,
		"https://u@h/x": true, "https://u:p@h/x": true, "HTTPS://u:p@h/x": true, "ssh://git:p@h/x": true, "u:p@h:x": true, "https://u:p/q@h/x": true,
		"https://h/ghp_abc": true,
	} {
		if got := hasCredentials(url); got != want {
			t.Errorf("%s: %t, want %t", url, got, want)
		}
	}
}

// places must find the secrets: a field it missed would be shown.
func TestSecretsAreFound(t *testing.T) {
	for _, path := range []string{"git/auth/token", "git/auth/ssh_key", "git/auth/ssh_passphrase", "git/webhook_secret", "notify/3/slack/webhook_url", "notify/0/slack/token"} {
		if at := secretAbove(strings.Split(path+"/env", "/")); strings.Join(at, "/") != path {
			t.Errorf("%s: %v", path, at)
		}
	}
	if at := secretAbove([]string{"git", "url"}); at != nil {
		t.Errorf("git/url is below the secret %v", at)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"", "git: {url: /srv}\n", "git: {url: https://h/x, auth: {token: {env: A}}}\nnotify: [{slack: {webhook_url: {ssm: /x}}}]\n", "git: [\n", "notify: [{slack: 1}, 2, {sns: }]\nhttp: 5\n", "git: {auth: {token: \"a\n b\"}}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range func() []strictyaml.Problem { everything(t, data); _, p := Load("f", data); return p }() {
			if p.Code == "internal" {
				t.Errorf("%q: %s", data, p.Message)
			}
		}
	})
}
