package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/daemon/config"
)

// secretStores is Secrets Manager and Parameter Store: what ends in -gone is not
// there, what ends in -denied is nobody's to read, and what ends in -down makes
// the store fail.
func secretStores(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		missing, value := "ResourceNotFoundException", `{"SecretString": "{\"url\": \"https://hooks.slack.example/x\"}"}`
		if strings.Contains(r.Header.Get("X-Amz-Target"), "AmazonSSM") {
			missing, value = "ParameterNotFound", `{"Parameter": {"Value": "https://hooks.slack.example/x"}}`
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		refuse := func(status int, code string) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"__type": %q, "message": "no"}`, code)
		}
		switch text := string(body); {
		case strings.Contains(text, "-gone"):
			refuse(400, missing)
		case strings.Contains(text, "-denied"):
			refuse(400, "AccessDeniedException")
		case strings.Contains(text, "-slow"):
			refuse(400, "ThrottlingException")
		case strings.Contains(text, "-down"):
			refuse(500, "InternalServiceError")
		default:
			fmt.Fprint(w, value)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// withStores lets processes reach the stores of secrets.
func (r *runs) withStores(url string) {
	r.env = append(r.env, "AWS_ENDPOINT_URL_SECRETS_MANAGER="+url, "AWS_ENDPOINT_URL_SSM="+url, "CREDENTIALS_DIRECTORY=", "SLACK_WEBHOOK_URL=")
}

// Q3: a secret that cannot be read ends the start, whatever kind it is of and
// whoever needs it; what is wrong is said of all of them at once, with what to do.
// A store that may answer in a moment is worth another try.
func TestQ3AnUnreadableSecretEndsTheStart(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	stores := secretStores(t)
	r.withStores(stores.URL)
	nobody, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "\n", "words": "not a URL\n", "fine": "https://hooks.slack.example/x\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	webhook := func(secret string) string { return "notify: [{slack: {webhook_url: " + secret + "}}]\n" }
	for name, tt := range map[string]struct {
		more, git string
		env       string
		code      int
		says      []string
	}{
		"env":                      {more: webhook("{env: SLACK_WEBHOOK_URL_NOT}"), code: exitInvalid, says: []string{"notify[0].slack.webhook_url: read secret env SLACK_WEBHOOK_URL_NOT: the variable is not set"}},
		"an empty env":             {more: webhook("{env: SLACK_WEBHOOK_URL}"), code: exitInvalid, says: []string{"SLACK_WEBHOOK_URL: it is empty"}},
		"file":                     {more: webhook("{file: " + dir + "/gone}"), code: exitInvalid, says: []string{dir + "/gone: no such file or directory"}},
		"an empty file":            {more: webhook("{file: " + dir + "/empty}"), code: exitInvalid, says: []string{"it is empty"}},
		"a folder":                 {more: webhook("{file: " + dir + "}"), code: exitInvalid, says: []string{"is a directory"}},
		"a pipe":                   {more: webhook("{file: " + dir + "/pipe}"), code: exitInvalid, says: []string{"it is not a regular file"}},
		"what is no address":       {more: webhook("{file: " + dir + "/words}"), code: exitInvalid, says: []string{"words: it is not an https URL"}},
		"credential":               {more: webhook("{credential: slack}"), code: exitInvalid, says: []string{"the unit has no LoadCredential="}},
		"a missing credential":     {more: webhook("{credential: slack}"), env: "CREDENTIALS_DIRECTORY=" + dir, code: exitInvalid, says: []string{"credential slack: no such file"}},
		"secretsmanager":           {more: webhook("{secretsmanager: layerd-gone}"), code: exitInvalid, says: []string{"secretsmanager layerd-gone", "ResourceNotFoundException"}},
		"secretsmanager, denied":   {more: webhook("{secretsmanager: layerd-denied}"), code: exitInvalid, says: []string{"AccessDeniedException"}},
		"secretsmanager, its key":  {more: webhook("{secretsmanager: layerd, key: uri}"), code: exitInvalid, says: []string{`it has no key "uri" with text`}},
		"secretsmanager, no JSON":  {more: webhook("{secretsmanager: layerd}"), code: exitInvalid, says: []string{"it is not an https URL"}},
		"ssm":                      {more: webhook("{ssm: /layerd/slack-gone}"), code: exitInvalid, says: []string{"ssm /layerd/slack-gone", "ParameterNotFound"}},
		"ssm, denied":              {more: webhook("{ssm: /layerd/slack-denied}"), code: exitInvalid, says: []string{"AccessDeniedException"}},
		"ssm that fails":           {more: webhook("{ssm: /layerd/slack-down}"), code: exitRetry, says: []string{"InternalServiceError"}},
		"ssm that is slow":         {more: webhook("{ssm: /layerd/slack-slow}"), code: exitRetry, says: []string{"ThrottlingException"}},
		"ssm out of reach":         {more: webhook("{ssm: /layerd/slack}"), env: "AWS_ENDPOINT_URL_SSM=http://" + nobody.Addr().String(), code: exitRetry, says: []string{"ssm /layerd/slack"}},
		"one of each":              {more: webhook("{env: SLACK_WEBHOOK_URL_NOT}") + "", git: "auth: {token: {ssm: /layerd/git-gone}}", code: exitInvalid, says: []string{"notify[0].slack.webhook_url: ", "git.auth.token: "}},
		"the second of two places": {more: "notify: [{slack: {webhook_url: {file: " + dir + "/fine}}}, {slack: {webhook_url: {file: " + dir + "/gone}}}]\n", code: exitInvalid, says: []string{"notify[1].slack.webhook_url: "}},
		"the token of Git":         {git: "auth: {token: {file: " + dir + "/gone}}", code: exitInvalid, says: []string{"git.auth.token: "}},
		"a token from env":         {git: "auth: {token: {env: GIT_TOKEN_NOT}}", code: exitInvalid, says: []string{"git.auth.token: "}},
		"the key of SSH":           {git: "ssh auth: {ssh_key: {file: " + dir + "/gone}}", code: exitInvalid, says: []string{"git.auth.ssh_key: "}},
		"a key from ssm":           {git: "ssh auth: {ssh_key: {ssm: /layerd/key-gone}}", code: exitInvalid, says: []string{"git.auth.ssh_key: "}},
		"the passphrase of SSH":    {git: "ssh auth: {ssh_key: {file: " + dir + "/fine}, ssh_passphrase: {env: PASS_NOT}}", code: exitInvalid, says: []string{"git.auth.ssh_passphrase: "}},
		"webhooks of Git":          {git: "webhook_secret: {file: " + dir + "/gone}", code: exitInvalid, says: []string{"webhook_secret is not supported yet"}},
		"keys to verify with":      {git: "verify: {keys: [{file: " + dir + "/gone}]}", code: exitInvalid, says: []string{"verify is not supported yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// None lives until it listens.
			r := &runs{t: t, env: slices.Concat(r.env, []string{"AWS_MAX_ATTEMPTS=1"}), git: r.git, config: filepath.Join(t.TempDir(), "layerd.yaml"), listen: r.listen}
			url, git := r.git, tt.git
			if rest, ok := strings.CutPrefix(git, "ssh "); ok {
				url, git = "ssh://git@git.example/acme/layers", rest
			}
			if git != "" {
				git = ", " + git
			}
			text := fmt.Sprintf("git: {url: %q%s}\nstore: \"memory:\"\nhttp: {listen: %q}\n%s", url, git, r.listen, tt.more)
			if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.env != "" {
				r.env = append(r.env, tt.env)
			}
			p := r.start("--config", r.config)
			_ = p.Wait() // says what ExitCode says
			if code := p.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.says {
				if !strings.Contains(p.err.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, &p.err)
				}
			}
			if strings.Contains(p.err.String(), "not a URL") || strings.Contains(p.err.String(), "hooks.slack.example") {
				t.Errorf("it shows the secret:\n%s", &p.err)
			}
		})
	}
}

// Q3: a reload to a configuration whose secret cannot be read is refused and said;
// the daemon goes on with the one that it has.
func TestQ3AnUnreadableSecretIsNoReload(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.withStores(secretStores(t).URL)
	fine := filepath.Join(t.TempDir(), "slack")
	if err := os.WriteFile(fine, []byte("http://127.0.0.1:9/x"), 0o600); err != nil {
		t.Fatal(err)
	}
	webhook := func(secret string) string {
		return "notify: [{slack: {webhook_url: " + secret + "}}]\n"
	}
	r.configure("memory:", webhook("{file: "+fine+"}"))
	p := r.start("--config", r.config)
	p.err.wait(t, `"msg":"lease taken"`)
	for _, bad := range []string{"{env: SLACK_WEBHOOK_URL_NOT}", "{file: " + fine + "-gone}", "{credential: slack}", "{secretsmanager: layerd-gone}", "{ssm: /layerd/slack-gone}"} {
		r.configure("memory:", webhook(bad))
		if err := p.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(bad[strings.Index(bad, ": ")+2:], "}")
		p.err.wait(t, `"msg":"configuration refused, the old one stays".*notify\[0\].slack.webhook_url: read secret [a-z]+ `+name)
	}
	if code, body := r.ask("/healthz"); code != http.StatusOK || !strings.Contains(body, `"holding":true`) {
		t.Errorf("/healthz %d %s", code, body)
	}
	r.stops(p, syscall.SIGTERM)
}

// Q3: a secret of any kind that is gone later, and is back, is noticed where the
// daemon looks every minute: at once where it lies on this machine, and within the
// five minutes for which an answer of a store is good.
func TestQ3ASecretThatGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, there := t.TempDir(), true
		file := filepath.Join(dir, "slack")
		const address = "https://hooks.slack.example/x"
		lookup := func(context.Context, string) (string, error) {
			if !there {
				return "", os.ErrNotExist
			}
			return address, nil
		}
		put := func() {
			if err := os.WriteFile(file, []byte(address), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		secrets := &config.Secrets{SecretsManager: lookup, SSM: lookup, Env: func(name string) (string, bool) {
			if name == "CREDENTIALS_DIRECTORY" {
				return dir, true
			}
			return address, there
		}}
		var c config.Config
		for _, s := range []config.Secret{{File: file}, {Env: "SLACK"}, {Credential: "slack"}, {SecretsManager: "layerd"}, {SSM: "/layerd/slack"}} {
			c.Notify = append(c.Notify, config.Notify{Slack: &config.Slack{WebhookURL: s}})
		}
		named := namedSecrets(c, secrets)
		read := func() (bad int) {
			for _, s := range named {
				if err := s.Read(t.Context()); err != nil {
					bad++
				}
			}
			return bad
		}
		put()
		if n := read(); n != 0 {
			t.Fatalf("%d cannot be read", n)
		}
		there = false
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if n := read(); n != 3 {
			t.Errorf("%d of the three of this machine are gone", n)
		}
		time.Sleep(5 * time.Minute)
		if n := read(); n != 5 {
			t.Errorf("after five minutes %d of five are gone", n)
		}
		there = true
		put()
		if n := read(); n != 0 {
			t.Errorf("all are back, and %d cannot be read", n)
		}
	})
}
