package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/nightly"
)

// mistake is one that many commands can be called with.
type mistake struct {
	name  string
	flags []string
	want  int
	// not are commands to which it means nothing, with what they end with.
	not map[string]int
}

// The exit code is that of the kind of a mistake, whichever command meets it: 64 for
// a wrong command line, 78 for what is written in the repository, 75 for what may be
// in reach later.
func TestExitByKind(t *testing.T) {
	nightly.NotShort(t, "it calls commands one after the other, with mistakes that end them before anything begins")
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"r/environments/dev.yaml":   "account: \"123456789012\"\nregion: ap-northeast-1\nlayers: {makoto-common: {version: 1.4.1, functions: [\"makoto-*-dev\"]}}\n",
		"bad/environments/dev.yaml": "account: 12\n", "syntax/environments/dev.yaml": "a: [\n",
		"badstore/layerd.yaml": "store: foo\n", "blocked/layerd.yaml": "store: sqlite:file/x.db\n",
		"empty/x": "", "file": "x", "folder.db/x": "",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{"badstore", "blocked"} {
		if err := os.CopyFS(to, os.DirFS("r")); err != nil {
			t.Fatal(err)
		}
	}
	for key, value := range map[string]string{
		"HOME": dir, "XDG_STATE_HOME": filepath.Join(dir, "state"), "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "ap-northeast-1",
		"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, repoVariable: "", storeVariable: "", "STATE_DIRECTORY": "",
	} {
		t.Setenv(key, value)
	}
	commands := map[string][]string{
		"plan": {"plan"}, "apply": {"apply"}, "why": {"why", "x"}, "rollback": {"rollback", "dev", "makoto-common", "--reason", "x"},
		"history": {"history"}, "window": {"window", "dev"}, "retry": {"retry", "dev", "--reason", "x"}, "forget": {"forget", "gone"},
		"approve": {"approve", "dev", strings.Repeat("0", 64)}, "init": {"store", "init"}, "doctor": {"doctor", "--env", "dev"}, "usage": {"usage"},
	}
	for _, m := range mistakes() {
		for name, command := range commands {
			want, other := m.not[name]
			if !other {
				want = m.want
			}
			var out bytes.Buffer
			a := &app{out: &out, err: &out, env: os.Getenv, environ: os.Environ(), now: time.Now}
			if got := a.execute(t.Context(), slices.Concat(command, m.flags)); got != want {
				t.Errorf("%s: %v %v ends with %d, want %d:\n%s", m.name, command, m.flags, got, want, &out)
			}
		}
	}
}

func mistakes() []mistake {
	// doctor is there to find this, and ends as it does for all that it finds; what a
	// past needs is layerd.yaml alone, and an environment that is named is not there.
	found := map[string]int{"doctor": exitFailed, "history": exitOK, "init": exitOK, "forget": exitUsage}
	named := map[string]int{"history": exitOK, "init": exitOK}
	for _, name := range []string{"why", "rollback", "window", "retry", "forget", "approve", "doctor"} {
		named[name] = exitUsage
	}
	return []mistake{
		{"an unknown flag", []string{"--repoo", "r"}, exitUsage, nil},
		{"no such folder", []string{"--repo", "nowhere"}, exitUsage, nil},
		{"a file", []string{"--repo", "file"}, exitUsage, nil},
		{"no such folder in it", []string{"--repo", "r", "--path", "nowhere"}, exitUsage, nil},
		{"a way out", []string{"--repo", "r", "--path", "../r"}, exitUsage, nil},
		{"an unknown scheme", []string{"--repo", "ftp://host/x"}, exitUsage, nil},
		{"no such key", []string{"--repo", "ssh://git@127.0.0.1:1/x", "--ssh-key", "nowhere"}, exitUsage, nil},
		{"no such token", []string{"--repo", "http://127.0.0.1:1/x", "--git-token-file", "nowhere"}, exitUsage, nil},
		{"no kind of store", []string{"--repo", "r", "--store", "foo:bar"}, exitUsage, nil},
		{"a store below a file", []string{"--repo", "r", "--store", "sqlite:file/x.db"}, exitUsage, nil},
		{"a store that is a folder", []string{"--repo", "r", "--store", "sqlite:folder.db"}, exitUsage, nil},
		{"Git out of reach", []string{"--repo", "http://127.0.0.1:1/x"}, exitRetry, map[string]int{"doctor": exitFailed}},
		{"an invalid environment", []string{"--repo", "bad"}, exitInvalid, found},
		{"no YAML", []string{"--repo", "syntax"}, exitInvalid, found},
		{"no environment", []string{"--repo", "empty"}, exitInvalid, named},
		{"no store in layerd.yaml", []string{"--repo", "badstore"}, exitInvalid, map[string]int{"doctor": exitFailed}},
		{"an impossible store in layerd.yaml", []string{"--repo", "blocked"}, exitInvalid, map[string]int{"doctor": exitFailed, "window": exitOK}},
	}
}
