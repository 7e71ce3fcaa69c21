package gitrepo

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	token := Auth{Token: StaticToken(testToken)}
	for name, o := range map[string]Options{
		"no URL":              {},
		"control character":   {URL: "https://x:" + testToken + "@example.com/\n"},
		"unreadable":          {URL: "https://x:" + testToken + "@exa mple.com/%zz"},
		"no host":             {URL: "https:///acme/x"},
		"no repository":       {URL: "https://github.com/"},
		"git protocol":        {URL: "git://example.com/x"},
		"ftp":                 {URL: "ftp://example.com/x"},
		"query":               {URL: "https://example.com/x?private_token=" + testToken},
		"fragment":            {URL: "https://example.com/x#" + testToken},
		"dash":                {URL: "ssh://-oProxyCommand=x/acme"},
		"password over ssh":   {URL: "ssh://git:" + testToken + "@example.com/x"},
		"token over http":     {URL: "http://example.com/x", Auth: token},
		"user over http":      {URL: "http://" + url.QueryEscape(testToken) + "@example.com/x"},
		"remote file URL":     {URL: "file://example.com/x"},
		"branch with a space": {URL: "https://example.com/x", Branch: "a b"},
		"branch that climbs":  {URL: "https://example.com/x", Branch: "a..b"},
		"tag":                 {URL: "https://example.com/x", Branch: "refs/tags/v1"},
		"path that climbs":    {URL: "https://example.com/x", Path: "../x"},
		"absolute path":       {URL: "https://example.com/x", Path: "/x"},
		"negative timeout":    {URL: "https://example.com/x", Timeout: -time.Second},
		"negative size":       {URL: "https://example.com/x", MaxBytes: -1},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := New(o)
			if r != nil {
				t.Error("a repository came back")
			}
			assertKind(t, err, KindInvalid)
			if strings.Contains(err.Error(), "private_token") {
				t.Errorf("the error repeats the query: %v", err)
			}
		})
	}
}

func TestNewDefaults(t *testing.T) {
	r, err := New(Options{URL: "https://me:" + "pw" + "@example.com/acme/x.git", Branch: "refs/heads/a/b"})
	if err != nil {
		t.Fatal(err)
	}
	if r.timeout != 60*time.Second || r.max != 64<<20 || r.path != "." || r.branch.Short() != "a/b" {
		t.Errorf("defaults %+v", r)
	}
	if r.String() != "https://example.com/acme/x.git" {
		t.Errorf("shown as %q", r)
	}
	r, err = New(Options{URL: "git@example.com:acme/x.git"})
	if err != nil || r.branch != "refs/heads/main" || r.String() != "ssh://git@example.com/acme/x.git" {
		t.Errorf("%v on %v, %v", r, r.branch, err)
	}
	for _, url := range []string{"http://127.0.0.1:3000/x", "http://localhost/x", "http://[::1]:8080/x"} {
		if _, err := New(Options{URL: url, Auth: Auth{Token: StaticToken(testToken)}}); err != nil {
			t.Errorf("a token on loopback: %v", err)
		}
	}
	if _, err := New(Options{URL: "http://gitea:3000/x"}); err != nil {
		t.Errorf("http without a token: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	for want, spellings := range map[string][]string{
		"github.com/acme/x": {
			"https://github.com/acme/x", "https://github.com/acme/x.git", "https://github.com/acme/x/", "http://github.com/acme/x",
			"https://me:" + url.QueryEscape(testToken) + "@github.com/acme/x.git", "https://GitHub.com:443/Acme/X.git", "https://www.github.com/acme/x",
			"git@github.com:acme/x.git", "github.com:acme/x", "git@github.com:/acme/x.git", "ssh://git@github.com/acme/x.git",
			"ssh://git@github.com:22/acme/x", "ssh://git@ssh.github.com:443/acme/x.git",
		},
		"gitlab.com/group/sub/x":      {"https://gitlab.com/group/sub/x.git", "git@gitlab.com:group/sub/x.git"},
		"git.example.com/Acme/X":      {"https://git.example.com/Acme/X.git", "git@GIT.example.com:Acme/X.git", "ssh://git.example.com./Acme/X"},
		"git.example.com:2222/acme/x": {"ssh://git@git.example.com:2222/acme/x.git"},
		"127.0.0.1:8080/layers":       {"http://127.0.0.1:8080/layers", "http://127.0.0.1:8080/layers.git"},
		"/srv/layers":                 {"/srv/layers", "/srv/layers/", "/srv/x/../layers", "file:///srv/layers"},
	} {
		for _, spelling := range spellings {
			got, err := Identity(spelling)
			if err != nil || got != want {
				t.Errorf("Identity(%q) = %q, %v; want %q", spelling, got, err, want)
			}
		}
	}
	for _, bad := range []string{"", " ", "git://x/y", "https://" + url.QueryEscape(testToken) + "@/x", "https://h/?" + testToken} {
		_, err := Identity(bad)
		assertKind(t, err, KindInvalid)
	}
}

func TestIdentityOfAFolder(t *testing.T) {
	dir := worktree(t, desiredFiles())
	want := func(path, want string) {
		t.Helper()
		if got, err := Identity(path); err != nil || got != want {
			t.Errorf("Identity(%q) = %q, %v; want %q", path, got, err, want)
		}
	}
	want(dir, dir)
	t.Chdir(dir)
	want(".", dir)
	clone := filepath.Join(t.TempDir(), "clone")
	gitCLI(t, dir, "clone", "-q", dir, clone)
	want(clone, dir) // an origin on the same machine
	gitCLI(t, clone, "remote", "set-url", "origin", "git@github.com:acme/x.git")
	want(clone, "github.com/acme/x")
	want(filepath.Join(clone, "teams"), "github.com/acme/x")
	gitCLI(t, clone, "remote", "set-url", "origin", "../"+filepath.Base(dir))
	want(clone, filepath.Join(filepath.Dir(clone), filepath.Base(dir)))
	gitCLI(t, clone, "remote", "set-url", "origin", "https://x:"+testToken+"@github.com/acme/x?")
	_, err := Identity(clone)
	assertNoSecret(t, err)
}

func TestSecretsAreTakenOut(t *testing.T) {
	var s secrets
	s.add("me", testToken)
	s.add("me", "")
	for _, form := range s {
		if got := s.clean("before " + form + " after"); got != "before *** after" {
			t.Errorf("%q became %q", form, got)
		}
	}
	if got := s.clean("a\x1b[31m\r\n\tb\x00\xff"); got != "a [31m b \uFFFD" && got != "a [31m b" {
		t.Errorf("control characters became %q", got)
	}
	if got := s.clean(strings.Repeat("あ", 500)); len(got) > messageLimit+len("…") || !strings.HasSuffix(got, "あ…") {
		t.Errorf("a long text became %d bytes: %q", len(got), got)
	}
}
