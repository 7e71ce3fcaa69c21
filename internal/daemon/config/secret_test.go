package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/desired/gitrepo"
)

const value = "hunter2 value"

// machine is a folder with secrets, and an environment that knows it.
func machine(t *testing.T) (dir string, r *Secrets) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"token": value + "\n", "dos": value + "\r\n", "empty": "\n", "spaces": "  \n", "long": strings.Repeat("x", maxSecret+1), "most": strings.Repeat("x", maxSecret) + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"TOKEN": value, "NONE": "", "CREDENTIALS_DIRECTORY": dir}
	return dir, &Secrets{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		SecretsManager: func(_ context.Context, name string) (string, error) {
			switch name {
			case "plain":
				return value, nil
			case "json":
				return `{"token": "` + value + `", "number": 5}`, nil
			}
			return "", errors.New("ResourceNotFoundException: no such secret")
		},
		SSM: func(context.Context, string) (string, error) { return value + "\n", nil },
	}
}

func TestReadSecrets(t *testing.T) {
	dir, r := machine(t)
	for _, s := range []Secret{{File: dir + "/token"}, {File: dir + "/dos"}, {Env: "TOKEN"}, {Credential: "token"}, {SecretsManager: "plain"}, {SecretsManager: "json", Key: "token"}, {SSM: "/x"}} {
		if got, err := r.Read(t.Context(), s); err != nil || got != value {
			t.Errorf("%s: %q, %v", s, got, err)
		}
		if got, err := r.Source(s)(t.Context()); err != nil || got != value {
			t.Errorf("source of %s: %q, %v", s, got, err)
		}
	}
	if got, err := r.Read(t.Context(), Secret{File: dir + "/most"}); err != nil || len(got) != maxSecret {
		t.Errorf("the longest secret: %d bytes, %v", len(got), err)
	}
	if r.Source(Secret{}) != nil {
		t.Error("no secret has a source")
	}
}

// An error says where, and nothing of what is there.
func TestSecretErrors(t *testing.T) {
	dir, r := machine(t)
	for _, tt := range []struct {
		s    Secret
		want string
	}{
		{Secret{File: dir + "/not"}, "read secret file " + dir + "/not: no such file or directory"},
		{Secret{File: dir + "/empty"}, "read secret file " + dir + "/empty: it is empty"},
		{Secret{File: dir + "/spaces"}, "read secret file " + dir + "/spaces: it is empty"},
		{Secret{File: dir + "/long"}, "read secret file " + dir + "/long: it has more than 65536 bytes"},
		{Secret{File: dir}, "read secret file " + dir + ": is a directory"},
		{Secret{Env: "OTHER"}, "read secret env OTHER: the variable is not set"},
		{Secret{Env: "NONE"}, "read secret env NONE: it is empty"},
		{Secret{Credential: "other"}, "read secret credential other: no such file or directory"},
		{Secret{SecretsManager: "other"}, "read secret secretsmanager other: ResourceNotFoundException: no such secret"},
		{Secret{SecretsManager: "plain", Key: "token"}, "read secret secretsmanager plain key token: it is not a JSON object, so it has no keys"},
		{Secret{SecretsManager: "json", Key: "other"}, `read secret secretsmanager json key other: it has no key "other" with text`},
		{Secret{SecretsManager: "json", Key: "number"}, `read secret secretsmanager json key number: it has no key "number" with text`},
		{Secret{}, "read no secret: none is configured"},
	} {
		got, err := r.Read(t.Context(), tt.s)
		if err == nil || err.Error() != tt.want || got != "" {
			t.Errorf("%s: %q, %v; want %s", tt.s, got, err, tt.want)
		}
	}
	outside := &Secrets{Env: func(string) (string, bool) { return "", false }}
	for s, want := range map[Secret]string{
		{Credential: "token"}:     "read secret credential token: CREDENTIALS_DIRECTORY is not set: the unit has no LoadCredential=",
		{SSM: "/x"}:               "read secret ssm /x: this process was not given access to the store",
		{SecretsManager: "plain"}: "read secret secretsmanager plain: this process was not given access to the store",
	} {
		if _, err := outside.Read(t.Context(), s); err == nil || err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

// A replaced secret is seen at once where that costs nothing, within five
// minutes where it costs a call, and at once when it was refused.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, current, failing := 0, "one", false
		r := &Secrets{SecretsManager: func(ctx context.Context, _ string) (string, error) {
			calls++
			if _, ok := ctx.Deadline(); !ok {
				t.Error("a call without a deadline")
			}
			if failing {
				return "", errors.New("unreachable")
			}
			return `{"a": "` + current + `", "b": "x"}`, nil
		}}
		s := Secret{SecretsManager: "git", Key: "a"}
		expect := func(want string, wantCalls int) {
			t.Helper()
			got, err := r.Read(t.Context(), s)
			if err != nil || got != want || calls != wantCalls {
				t.Errorf("%q, %v after %d calls; want %q after %d", got, err, calls, want, wantCalls)
			}
		}
		expect("one", 1)
		if _, err := r.Read(t.Context(), Secret{SecretsManager: "git", Key: "b"}); err != nil || calls != 1 {
			t.Errorf("another key of the same secret: %v after %d calls, want none more", err, calls)
		}
		current = "two"
		time.Sleep(fresh - time.Second)
		expect("one", 1)
		time.Sleep(time.Second)
		expect("two", 2)
		current = "three"
		r.Forget(s)
		expect("three", 3)
		failing = true
		r.Forget(s)
		if _, err := r.Read(t.Context(), s); err == nil {
			t.Error("a store that does not answer gives a secret")
		}
		failing = false
		expect("three", 5) // an error is not remembered
	})
}

func TestRotatedFile(t *testing.T) {
	dir, r := machine(t)
	source := r.Source(Secret{File: dir + "/token"})
	if err := os.WriteFile(dir+"/token", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := source(t.Context()); err != nil || got != "new" {
		t.Errorf("%q, %v", got, err)
	}
}

// A configuration becomes what gitrepo takes, and gitrepo takes it.
func TestGitOptions(t *testing.T) {
	dir, r := machine(t)
	load := func(auth, url string) Git {
		t.Helper()
		c, problems := Load("f", []byte("git: {url: \""+url+"\", branch: live, path: a/b, timeout: 5s, auth: "+auth+"}"))
		if len(problems) > 0 {
			t.Fatal(told(problems))
		}
		return c.Git
	}
	o, err := load("{token: {env: TOKEN}, user: me}", "https://h/x").Options(t.Context(), r)
	if err != nil || o.URL != "https://h/x" || o.Branch != "live" || o.Path != "a/b" || o.Timeout != 5*time.Second || o.Auth.User != "me" {
		t.Errorf("options %+v, %v", o, err)
	}
	if got, err := o.Auth.Token(t.Context()); err != nil || got != value {
		t.Errorf("token %q, %v", got, err)
	}
	for auth, want := range map[string]gitrepo.Auth{
		"{}":                                 {},
		"{ssh_key: {file: " + dir + "/key}}": {SSHKeyFile: dir + "/key"},
		"{ssh_key: {credential: key}, known_hosts: /h}":                            {SSHKeyFile: dir + "/key", KnownHosts: "/h"},
		"{ssh_key: {ssm: /x}, ssh_passphrase: {secretsmanager: json, key: token}}": {SSHKey: []byte(value + "\n"), Passphrase: value},
	} {
		o, err := load(auth, "ssh://git@h/x").Options(t.Context(), r)
		if err != nil || string(o.Auth.SSHKey) != string(want.SSHKey) || o.Auth.SSHKeyFile != want.SSHKeyFile || o.Auth.KnownHosts != want.KnownHosts || o.Auth.Passphrase != want.Passphrase || o.Auth.Token != nil {
			t.Errorf("%s: %+v, %v", auth, o.Auth, err)
		}
		if _, err := gitrepo.New(o); err != nil {
			t.Errorf("gitrepo refuses %s: %v", auth, err)
		}
	}
	if _, err := load("{ssh_key: {env: OTHER}}", "ssh://git@h/x").Options(t.Context(), r); err == nil || err.Error() != "read secret env OTHER: the variable is not set" {
		t.Errorf("a key that is not there: %v", err)
	}
}
