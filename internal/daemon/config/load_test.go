package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/strictyaml"
)

// told writes problems as the tests below want them, a line each.
func told(problems []strictyaml.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%d:%d %s: %s", p.Line, p.Column, p.Code, p.Message)
		if p.Suggestion != "" {
			b.WriteString(" | " + p.Suggestion)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestDefaults(t *testing.T) {
	got, problems := Load("f", []byte("git: {url: https://github.com/acme/layers.git}\nnotify: [{slack: {webhook_url: {env: HOOK}}}]\n"))
	if len(problems) > 0 {
		t.Fatal(told(problems))
	}
	want := Config{
		Interval: Duration{time.Minute},
		Git:      Git{URL: "https://github.com/acme/layers.git", Branch: "main", Path: ".", Interval: Duration{time.Minute}, Timeout: Duration{time.Minute}, MaxBytes: 64 << 20},
		AWS:      AWS{RequestsPerSecond: 5, GetFunctionPerSecond: 60},
		HTTP:     HTTP{Listen: "127.0.0.1:8080"},
		Notify:   []Notify{{Slack: &Slack{WebhookURL: Secret{Env: "HOOK"}, RepeatInterval: Duration{24 * time.Hour}}}},
		LogLevel: "info",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("config (-have +want):\n%s", diff)
	}
	if got.Level() != slog.LevelInfo {
		t.Errorf("level %s, want info", got.Level())
	}
}

// Every value reaches its field.
func TestValues(t *testing.T) {
	got, problems := Load("f", []byte(`
interval: 90s
git:
  url: ssh://git@github.com/acme/layers.git
  branch: live
  path: fleet
  interval: 2m
  timeout: 30s
  max_bytes: 268435456
  auth: {ssh_key: {credential: key}, ssh_passphrase: {secretsmanager: layerd/git, key: passphrase}, known_hosts: /etc/layerd/known_hosts}
store: dynamodb:layerd
aws: {requests_per_second: 7.5, get_function_per_second: 20}
http: {listen: "0.0.0.0:9000"}
notify:
  - slack: {webhook_url: {ssm: /layerd/slack}, repeat_interval: 7d}
  - slack: {webhook_url: {file: /run/secrets/slack}}
log_level: debug
`))
	if len(problems) > 0 {
		t.Fatal(told(problems))
	}
	want := Config{
		Interval: Duration{90 * time.Second},
		Git: Git{URL: "ssh://git@github.com/acme/layers.git", Branch: "live", Path: "fleet", Interval: Duration{2 * time.Minute}, Timeout: Duration{30 * time.Second}, MaxBytes: 256 << 20,
			Auth: GitAuth{SSHKey: Secret{Credential: "key"}, SSHPassphrase: Secret{SecretsManager: "layerd/git", Key: "passphrase"}, KnownHosts: "/etc/layerd/known_hosts"}},
		Store: "dynamodb:layerd",
		AWS:   AWS{RequestsPerSecond: 7.5, GetFunctionPerSecond: 20},
		HTTP:  HTTP{Listen: "0.0.0.0:9000"},
		Notify: []Notify{{Slack: &Slack{WebhookURL: Secret{SSM: "/layerd/slack"}, RepeatInterval: Duration{7 * 24 * time.Hour}}},
			{Slack: &Slack{WebhookURL: Secret{File: "/run/secrets/slack"}, RepeatInterval: Duration{24 * time.Hour}}}},
		LogLevel: "debug",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("config (-have +want):\n%s", diff)
	}
	if got.Level() != slog.LevelDebug {
		t.Errorf("level %s, want debug", got.Level())
	}
}

const places5 = "write {file: PATH}, {env: NAME}, {credential: NAME}, {secretsmanager: NAME} or {ssm: NAME}"

// Each mistake gets its place, its code and a way out; nothing else is said.
func TestMistakes(t *testing.T) {
	const git = "git: {url: /srv/layers}\n"
	for _, tt := range []struct{ name, file, want string }{
		{"nothing", "", "1:1 missing_key: has no git\n"},
		{"no url", "git: {branch: main}", "1:1 missing_key: has no url\n"},
		{"an empty url", `git: {url: ""}`, "1:12 bad_url: no URL or path given\n"},
		{"a misspelt key", git + "intervall: 60s", "2:1 unknown_key: unknown key \"intervall\" | interval\n"},
		{"a number for a time", git + "interval: 60", "2:11 unquoted_number: YAML reads 60 as a number; text must be in quotes | 60s\n"},
		{"a time in words", git + "interval: 5 min", "2:11 bad_duration: \"5 min\" is not a duration such as 30m, 24h or 7d, up to ten years | 5m\n"},
		{"too often", git + "interval: 9s", "2:11 out_of_range: 9s is less than 10s | 10s\n"},
		{"too seldom", git + "interval: 61m", "2:11 out_of_range: 61m is more than 1h | 1h\n"},
		{"git too often", "git: {url: /srv, interval: 1s, timeout: 11m}", "1:28 out_of_range: 1s is less than 10s | 10s\n1:41 out_of_range: 11m is more than 10m | 10m\n"},
		{"G4 too small", "git: {url: /srv, max_bytes: 1000}", "1:29 out_of_range: 1000 is less than 1048576\n"},
		{"G4 without a limit", "git: {url: /srv, max_bytes: 0}", "1:29 out_of_range: 0 is less than 1048576\n"},
		{"G4 more than a machine has", "git: {url: /srv, max_bytes: 5000000000}", "1:29 out_of_range: 5000000000 is more than 4294967296\n"},
		{"too fast", git + "aws: {requests_per_second: 16, get_function_per_second: 101}", "2:28 out_of_range: 16 is more than 15\n2:57 out_of_range: 101 is more than 100\n"},
		{"not at all", git + "aws: {requests_per_second: 0, get_function_per_second: 0.0}", "2:28 out_of_range: 0 is less than 0.01\n2:56 out_of_range: 0.0 is less than 0.01\n"},
		{"a bad branch", "git: {url: /srv, branch: a..b}", "1:26 bad_branch: \"a..b\" is no name of a branch\n"},
		{"a path that leads out", "git: {url: /srv, path: ../x}", "1:24 bad_path: path \"../x\" is no folder inside the repository\n"},
		{"a scheme that is not read", "git: {url: \"ftp://x/y\"}", "1:12 bad_url: scheme \"ftp\" is not supported: use https, ssh or a path\n"},
		{"a token in the clear", "git: {url: \"http://git.example/x\", auth: {token: {env: T}}}", "1:12 bad_url: a token is not sent over plain http to another machine; use https\n"},
		{"auth that is not used", "git: {url: \"ssh://git@h/x\", auth: {token: {env: T}, user: me}}", "1:36 auth_not_used: token is for https, which git.url is not\n1:53 auth_not_used: user is for https, which git.url is not\n"},
		{"a bad store", git + "store: sqlte:/x", "2:8 bad_store: store \"sqlte:/x\": no kind of store is called \"sqlte\"; did you mean \"sqlite:/x\"?\n"},
		{"a port only", git + "http: {listen: 8080}", "2:16 unquoted_number: YAML reads 8080 as a number; text must be in quotes | 127.0.0.1:8080\n"},
		{"no host", git + "http: {listen: \":8080\"}", "2:16 bad_address: \":8080\" names no host; 0.0.0.0 is every address | 127.0.0.1:8080\n"},
		{"no port", git + "http: {listen: localhost}", "2:16 bad_address: \"localhost\" is not HOST:PORT | 127.0.0.1:8080\n"},
		{"a large port", git + "http: {listen: \"localhost:65536\"}", "2:16 bad_address: \"localhost:65536\" is not HOST:PORT | 127.0.0.1:8080\n"},
		{"an empty list element", git + "notify: [{}]", "2:10 one_target: must have exactly one of slack, webhook and sns\n"},
		{"a channel that is nowhere", git + "notify: [{slack: {}}]", "2:11 missing_key: has no webhook_url | webhook_url: {env: SLACK_WEBHOOK_URL}\n"},
		{"reminders too often", git + "notify: [{slack: {webhook_url: {env: X}, repeat_interval: 1m}}]", "2:59 out_of_range: 1m is less than 10m | 10m\n"},
		{"a log level", git + "log_level: warning", "2:12 not_allowed: \"warning\" is not debug or info or warn or error | warn\n"},
		{"not yet", "git: {url: /srv, verify: {keys: [x]}, webhook_secret: {env: X}}\nhttp: {tokens: [{a: b}]}\nnotify: [{slack: {token: {env: T}, channel: ops}}, {webhook: {url: x}}, {sns: {topic: x}}]",
			"1:18 not_supported_yet: verify is not supported yet\n1:39 not_supported_yet: webhook_secret is not supported yet\n2:8 not_supported_yet: tokens is not supported yet\n" +
				"3:19 not_supported_yet: token is not supported yet\n3:36 not_supported_yet: channel is not supported yet\n3:53 not_supported_yet: webhook is not supported yet\n3:74 not_supported_yet: sns is not supported yet\n"},
		{"a literal", "git: {url: https://h/x, auth: {token: hunter2}}", "1:39 secret_literal: a secret is not written into this file; say where it is | " + places5 + "\n"},
		{"a secret that is nowhere", "git: {url: https://h/x, auth: {token: }}", "1:32 bad_secret: does not say where the secret is | " + places5 + "\n"},
		{"a secret at two places", "git: {url: https://h/x, auth: {token: {env: A, file: /b}}}", "1:32 bad_secret: a secret is at exactly one of file, env, credential, secretsmanager (with key, for one field of JSON) and ssm | " + places5 + "\n"},
		{"a key of a file", "git: {url: https://h/x, auth: {token: {file: /b, key: x}}}", "1:32 bad_secret: a secret is at exactly one of file, env, credential, secretsmanager (with key, for one field of JSON) and ssm | " + places5 + "\n"},
		{"a place that does not exist", "git: {url: https://h/x, auth: {token: {vault: x}}}", "1:32 bad_secret: a secret is at exactly one of file, env, credential, secretsmanager and ssm | " + places5 + "\n"},
		{"not a variable", "git: {url: https://h/x, auth: {token: {env: \"a-b\"}}}", "1:32 bad_secret: env takes the name of a variable\n"},
		{"a home folder", "git: {url: https://h/x, auth: {token: {file: ~/x}}}", "1:32 bad_secret: file takes the path of a file (~ is not expanded)\n"},
		{"a credential that climbs", "git: {url: https://h/x, auth: {token: {credential: ../x}}}", "1:32 bad_secret: credential takes the name of a credential of the unit\n"},
		{"an anchor", "git: &g {url: /srv}", "1:6 anchor: anchors and aliases are not used here | put text that begins with * or & in quotes\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := Load("f.yaml", []byte(tt.file))
			if diff := cmp.Diff(told(problems), tt.want); diff != "" {
				t.Errorf("problems (-have +want):\n%s", diff)
			}
			if strictyaml.Errors(problems) && !cmp.Equal(got, Config{}) {
				t.Errorf("a config in spite of errors: %+v", got)
			}
		})
	}
}

// All at once, in the order of the file.
func TestAllProblemsAtOnce(t *testing.T) {
	_, problems := Load("f", []byte("intervl: 1s\ngit: {url: \"https://me:pw@h/x\", auth: {token: pw}}\nstore: x\naws: {requests_per_second: 99}\nhttp: {listen: x}\nlog_level: loud\n"))
	var codes []string
	for _, p := range problems {
		codes = append(codes, p.Code)
		if p.File != "f" || p.Line == 0 || p.Column == 0 {
			t.Errorf("%+v has no place", p)
		}
	}
	want := []string{"unknown_key", "secret_literal", "secret_literal", "bad_store", "out_of_range", "bad_address", "not_allowed"}
	if diff := cmp.Diff(codes, want); diff != "" {
		t.Errorf("codes (-have +want):\n%s", diff)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "layerd.yaml")
	if err := os.WriteFile(file, []byte("git: {url: /srv}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) { return "git: {url: /env}\n", name == "LAYERD_CONFIG" }
	for where, want := range map[string]string{file: "git: {url: /srv}\n", "env:LAYERD_CONFIG": "git: {url: /env}\n"} {
		name, data, err := Read(where, env)
		if err != nil || name != where || string(data) != want {
			t.Errorf("Read(%q) = %q, %q, %v", where, name, data, err)
		}
	}
	for where, want := range map[string]string{
		"env:OTHER":  "read the configuration: the variable OTHER is not set",
		dir + "/not": "read the configuration " + dir + "/not: no such file or directory",
		dir:          "read the configuration " + dir + ": is a directory",
	} {
		if _, _, err := Read(where, env); err == nil || err.Error() != want {
			t.Errorf("Read(%q): %v, want %s", where, err, want)
		}
	}
}

// A health check asks where the daemon listens, whatever else is wrong.
func TestListen(t *testing.T) {
	for file, want := range map[string]string{
		"":                                    "127.0.0.1:8080",
		"git: {url: /srv}":                    "127.0.0.1:8080",
		"http: {listen: \"[::1]:9000\"}":      "[::1]:9000",
		"http: {listen: \"h:9\", x: 1}\ny: 2": "h:9",
		"http: {listen: here}":                "127.0.0.1:8080",
		"http: {listen: \"h:9\"":              "127.0.0.1:8080",
	} {
		if got := Listen("f", []byte(file)); got != want {
			t.Errorf("%q: %s, want %s", file, got, want)
		}
	}
}

// What is printed of a problem: the line with a mark below the place.
func TestFormat(t *testing.T) {
	data := []byte("git: {url: /srv}\ninterval: 5 min\n")
	_, problems := Load("/etc/layerd/layerd.yaml", data)
	var b bytes.Buffer
	if err := Format(&b, "/etc/layerd/layerd.yaml", data, problems, strictyaml.Look{}); err != nil {
		t.Fatal(err)
	}
	want := `error[bad_duration]: "5 min" is not a duration such as 30m, 24h or 7d, up to ten years
 --> /etc/layerd/layerd.yaml:2:11
  |
2 | interval: 5 min
  |           ^^^^^ help: 5m

`
	if diff := cmp.Diff(b.String(), want); diff != "" {
		t.Errorf("text (-have +want):\n%s", diff)
	}
}

// A configuration can be logged and dumped: it holds places only, and a
// Secret shows itself as one.
func TestSecretShowsItsPlace(t *testing.T) {
	s := Secret{SecretsManager: "layerd/git", Key: "token"}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "token", s)
	for _, shown := range []string{s.String(), fmt.Sprintf("%v %s", s, s), b.String()} {
		if !strings.Contains(shown, "secret secretsmanager layerd/git key token") {
			t.Errorf("shown as %s", shown)
		}
	}
	data, err := json.Marshal(s)
	if err != nil || string(data) != `{"secretsmanager":"layerd/git","key":"token"}` {
		t.Errorf("JSON %s, %v", data, err)
	}
	if got := (Secret{}).String(); got != "no secret" {
		t.Errorf("the zero Secret is %q", got)
	}
}
