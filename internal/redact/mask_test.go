package redact

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMask(t *testing.T) {
	key := "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	for _, c := range []struct{ text, want string }{
		{"all is well", "all is well"},
		{"key AKIAIOSFODNN7EXAMPLE used", "key *** used"},
		{"found " + key + " there", "found *** there"},
		{"found wJalrXUtnFEMIxKjMDENGxbPxRfiCYEXAMPLEKEY there", "found *** there"},
		{"commit 5d7030e1b2c3d4e5f60718293a4b5c6d7e8f9012 deployed", "commit 5d7030e1b2c3d4e5f60718293a4b5c6d7e8f9012 deployed"},
		{"AWS_SECRET_ACCESS_KEY=" + key, "AWS_SECRET_ACCESS_KEY=***"},
		{"AWS_SESSION_TOKEN=IQoJb3JpZ2lu//a== next", "AWS_SESSION_TOKEN=*** next"},
		{`{"password":"hunter2","user":"bob"}`, `{"password":"***","user":"bob"}`},
		{`{"password":"hun\"ter2","user":"bob"}`, `{"password":"***","user":"bob"}`},
		{`{"password":"hunter2\\","user":"bob"}`, `{"password":"***","user":"bob"}`},
		{`{"body":"{\"api_key\":\"hun\\\"ter2\",\"a\":1}"}`, `{"body":"{\"api_key\":\"***\",\"a\":1}"}`},
		{`{'secret': 'hunter2', 'user': 'bob'}`, `{'secret': '***', 'user': 'bob'}`},
		{`{"tokens":["hunter2","hunter3"],"a":1}`, `{"tokens":***,"a":1}`},
		{`{"credentials":{"a":{"b":"hun}ter2"}},"a":1}`, `{"credentials":***,"a":1}`},
		{`"{\"secrets\":{\"a\":\"hun}ter2\"},\"a\":1}"`, `"{\"secrets\":***,\"a\":1}"`},
		{`{"max_tokens": 4096, "model": "m"}`, `{"max_tokens": ***, "model": "m"}`},
		{`env['DB_PASSWORD'] = 'hunter2'`, `env['DB_PASSWORD'] = '***'`},
		{"Authorization: Digest username=bob, response=hunter2\nHost: a", "Authorization: ***\nHost: a"},
		{"cookie: a=hunter2; b=hunter3", "cookie: ***"},
		{"map[Authorization:[Bearer hunter2] Host:[a]]", "map[Authorization:*** Host:[a]]"},
		{"got Bearer hunter2 from bob", "got Bearer *** from bob"},
		{"basic Ym9iOmh1bnRlcjI=", "basic ***"},
		{"db_pass=hunter2 ok", "db_pass=*** ok"},
		{"bypass=yes author: bob", "bypass=yes author: bob"},
		{"password: correct horse battery", "password: ***"},
		{"password:\n  hunter2\nuser: bob", "password:\n  ***\nuser: bob"},
		{"secret key = hunter2", "secret key = ***"},
		{"run --password hunter2 now", "run --password *** now"},
		{"<password>hunter2</password>", "<password>***"},
		{"?token=hunter2&a=1", "?token=***"},
		{"token%3Dhunter2", "token%3D***"},
		{"postgres://bob:hun/t@er2@db:5432/x", "postgres://***@db:5432/x"},
		{"https://ghx@github.com/a", "https://***@github.com/a"},
		{"https://example.com/a?mail=a@b.c", "https://example.com/a?mail=a@b.c"},
		{"https://hooks.slack.com/services/T0/B0/hunter2", "https://hooks.slack.com/***"},
		{"xoxb-123-hunter2 sent", "*** sent"},
		{"ghp_0123456789abcdefghijABCDEFGHIJ012345 sent", "*** sent"},
		{"github_pat_11AAAA_0123456789abcdef sent", "*** sent"},
		{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3 sent", "*** sent"},
		{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nnext", "***\nnext"},
		{"-----BEGIN PRIVATE KEY-----\nMIIE", "***"},
		{"it:\nMIIE\nabc=\n-----END PRIVATE KEY-----\nnext", "it:***\nnext"},
		{`{"password":"hunter2 cut here`, `{"password":"***`},
		// What a person needs stays.
		{"ExpiredTokenException: The security token is expired", "ExpiredTokenException: The security token is expired"},
		{"Runtime.ImportModuleError: No module named 'secrets'", "Runtime.ImportModuleError: No module named 'secrets'"},
		{"Unexpected token < in JSON at position 0", "Unexpected token < in JSON at position 0"},
		{"arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod:13", "arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod:13"},
		{"REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 3.42 ms", "REPORT RequestId: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\tDuration: 3.42 ms"},
		{"/opt/python/lib/python3.12/site-packages/makoto/common/helpers.py", "/opt/python/lib/python3.12/site-packages/makoto/common/helpers.py"},
	} {
		if got := Mask(c.text); got != c.want {
			t.Errorf("Mask(%q)\n got %q\nwant %q", c.text, got, c.want)
		}
	}
}

// quoted writes a text as JSON does, without the quotes.
func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}

// leak is one secret in one place, and what must not be seen of it.
type leak struct{ text, secret string }

func leaks() *rapid.Generator[leak] {
	names := rapid.SampledFrom([]string{
		"password", "DB_PASSWORD", "userPassword", "passwd", "token", "access_token", "X-Auth-Token", "secret", "client_secret",
		"SecretAccessKey", "aws_secret_access_key", "aws_session_token", "api_key", "apiKey", "x-api-key", "API-KEY", "private_key", "Authorization",
	})
	known := rapid.OneOf( // secret by their looks, wherever they stand
		rapid.StringMatching(`(AKIA|ASIA)[A-Z2-7]{16}`),
		rapid.StringMatching(`[a-z][A-Z][0-9][A-Za-z0-9/+]{37}`),
		rapid.StringMatching(`IQoJb3JpZ2lu[A-Za-z0-9/+]{100,300}`),
		rapid.StringMatching(`eyJ[A-Za-z0-9_-]{10,40}\.[A-Za-z0-9_-]{10,60}\.[A-Za-z0-9_-]{20,40}`),
		rapid.StringMatching(`xox[abprs]-[0-9]{6,12}-[0-9]{6,12}-[A-Za-z0-9]{24}`),
		rapid.StringMatching(`(ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36}`),
		rapid.StringMatching(`github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}`),
		rapid.StringMatching(`-----BEGIN (RSA |EC |OPENSSH |ENCRYPTED |)PRIVATE KEY-----\n([A-Za-z0-9+/]{64}\n){1,9}[A-Za-z0-9+/]{10,60}==\n-----END (RSA |)PRIVATE KEY-----`),
	)
	// No stars: what stands where a secret was must not be taken for a part of it.
	words := rapid.StringMatching(`[!-)+-~]{8,40}`).Filter(func(s string) bool { return !strings.ContainsAny(s[:1], "\"'`\\{[|>=") })
	texts := rapid.StringMatching(`[ -)+-~]{8,40}`).Filter(func(s string) bool { return strings.TrimSpace(s) == s })
	return rapid.Custom(func(t *rapid.T) leak {
		name := names.Draw(t, "name")
		switch rapid.IntRange(0, 9).Draw(t, "form") {
		case 0:
			s := known.Draw(t, "known")
			return leak{s, s}
		case 1:
			s := words.Draw(t, "word")
			return leak{name + "=" + s, s}
		case 2:
			s := words.Draw(t, "word") + " " + words.Draw(t, "word")
			return leak{name + ": " + s, s}
		case 3:
			s := quoted(texts.Draw(t, "text"))
			return leak{fmt.Sprintf(`{"a":1,"%s":"%s","b":2}`, name, s), s}
		case 4:
			s := quoted(quoted(texts.Draw(t, "text")))
			return leak{fmt.Sprintf(`{"body":"{\"%s\": \"%s\",\"b\":2}"}`, name, s), s}
		case 5:
			s := quoted(quoted(quoted(texts.Draw(t, "text"))))
			return leak{fmt.Sprintf(`"{\"body\":\"{\\\"%s\\\":\\\"%s\\\"}\"}"`, name, s), s}
		case 6:
			s := rapid.StringMatching(`[A-Za-z0-9._~+/-]{8,60}={0,2}`).Draw(t, "bearer")
			return leak{rapid.SampledFrom([]string{"Bearer ", "bearer ", "Basic ", "basic "}).Draw(t, "scheme") + s, s}
		case 7:
			s := url.UserPassword("bob", texts.Draw(t, "text")).String()
			return leak{"postgres://" + s + "@db.example.com/x", s[4:]}
		case 8:
			s := rapid.StringMatching(`T[A-Z0-9]{8}/B[A-Z0-9]{8}/[A-Za-z0-9]{24}`).Draw(t, "hook")
			return leak{"https://hooks.slack.com/services/" + s, s}
		default:
			s := rapid.StringMatching(`[A-Za-z0-9]{8,20}`).Draw(t, "item")
			return leak{fmt.Sprintf(`{"%ss":["%s",{"k":"%s"}],"b":2}`, name, s, s), s}
		}
	})
}

// TestNoSecretComesThrough: whatever stands around it, and whichever form it
// has, not even six bytes of a secret are left.
func TestNoSecretComesThrough(t *testing.T) {
	around := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[ -~\n\t]{0,30}[ \n\t]`), rapid.StringMatching("[\\pL\\pS \n]{0,10} "))
	rapid.Check(t, func(t *rapid.T) {
		l := leaks().Draw(t, "leak")
		before, after := around.Draw(t, "before"), around.Draw(t, "after")
		got := Mask(before + l.text + "\n" + after)
		for i := 0; i+6 <= len(l.secret); i++ {
			part := l.secret[i : i+6]
			// The surroundings may say the same by themselves, and so may the name.
			if strings.Contains(got, part) && !strings.Contains(before+after+strings.ReplaceAll(l.text, l.secret, ""), part) {
				t.Fatalf("%q of %q is left in %q", part, l.text, got)
			}
		}
	})
}

// TestMaskingTwiceChangesNothing: what was masked for a finding is masked again
// by whoever quotes it.
func TestMaskingTwiceChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := leaks().Draw(t, "leak")
		once := Mask(l.text + "\nthe rest")
		if twice := Mask(once); twice != once {
			t.Fatalf("first %q\nthen  %q", once, twice)
		}
	})
}

func FuzzMask(f *testing.F) {
	f.Add(`x {"token":"`, `"} y`)
	f.Fuzz(func(t *testing.T, before, after string) {
		secret := "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
		if got := Mask(before + "\nAWS_SECRET_ACCESS_KEY=" + secret + "\n" + after); strings.Contains(got, secret) {
			t.Errorf("%q", got)
		}
	})
}

// What a configuration is refused for is masked in a log, and the other way round
// for the tokens that have a beginning of their own: there were two lists.
func TestATokenIsFoundAndMasked(t *testing.T) {
	long := strings.Repeat("AB3", 12)
	for _, begin := range []string{
		"AKIA0123456789AB", "ASIA0123456789AB", "ABIA0123456789AB", "ACCA0123456789AB", "xoxb-", "xapp-", "ghp_", "ghs_",
		"github_pat_", "glpat-", "gldt-", "ATATT3", "ATCTT3", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "https://hooks.slack.com/services/",
	} {
		text := "the text " + begin + long + " goes on"
		at := Index(text)
		if want := strings.Index(text, begin); at != want && text[max(at, 0):] != text[strings.Index(text, "hooks"):] {
			t.Errorf("Index(%q) = %d, want %d", text, at, want)
		}
		if got := Mask(text); strings.Contains(got, long) {
			t.Errorf("Mask(%q) = %q", text, got)
		}
	}
	for _, text := range []string{"", "a GitHub page", "sk-learn", "glue-jobs-of-the-night-shift", "ghost_of_a_chance", "ATTACH"} {
		if at := Index(text); at >= 0 {
			t.Errorf("Index(%q) = %d: it is no secret", text, at)
		}
	}
}
