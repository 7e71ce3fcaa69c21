package inspect

import (
	"errors"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/archive"
)

func TestParseQuery(t *testing.T) {
	for _, c := range []struct {
		text    string
		kind    archive.PackageKind
		name    string
		in, out string // versions; empty = none is tried
	}{
		{"urllib3<2.2.2", archive.PyPI, "urllib3", "2.2.1", "2.2.2"},
		{" urllib3 < 2.2.2 ", archive.PyPI, "urllib3", "2.2.1", "2.2.2"},
		{"Zope.Interface", archive.PyPI, "zope-interface", "anything at all", ""},
		{"zope__interface[test]>=1,<2", archive.PyPI, "zope-interface", "1.5", "2.0"},
		{"pypi:requests (>=2)", archive.PyPI, "requests", "2.0", "1.9"},
		{"a==1!2.*", archive.PyPI, "a", "1!2.7", "2.7"},
		{"a===weird-1", archive.PyPI, "a", "Weird-1", "weird-2"},
		{"a~=1.4.2", archive.PyPI, "a", "1.4.9", "1.5.0"},
		{"npm:lodash@<4.17.21", archive.NPM, "lodash", "4.17.21-rc.1", "4.17.21"},
		{"npm:lodash<4.17.21", archive.NPM, "lodash", "4.17.20", "4.17.21"},
		{"npm:@scope/pkg@^1.2", archive.NPM, "@scope/pkg", "1.9.0", "2.0.0-0"},
		{"@scope/pkg@1.x || >=3", archive.NPM, "@scope/pkg", "3.1.0", "2.0.0"},
		{"npm:@scope/pkg", archive.NPM, "@scope/pkg", "0.0.1-a", ""},
		{"pkg:npm/%40scope/pkg@1.0.0?x=y#z", archive.NPM, "@scope/pkg", "1.0.0", "1.0.1"},
		{"pkg:npm/@scope/pkg", archive.NPM, "@scope/pkg", "9.0.0", ""},
		{"pkg:pypi/Django@4.2%2Blocal.1", archive.PyPI, "django", "4.2+local.1", "4.2"},
		{"pkg:PyPI/django", archive.PyPI, "django", "1", ""},
	} {
		q, err := ParseQuery(c.text)
		if err != nil || q.Kind != c.kind || q.Name != c.name {
			t.Errorf("%q: %s %q, %v", c.text, q.Kind, q.Name, err)
			continue
		}
		if in, _ := q.Has(c.in); !in {
			t.Errorf("%q has no %s", c.text, c.in)
		}
		if in, known := q.Has(c.out); c.out != "" && (in || !known) {
			t.Errorf("%q has %s: %v, %v", c.text, c.out, in, known)
		}
	}
}

func TestQueriesThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"": "names no package", "<2": "names no package", "urllib3<": "no specifier", "urllib3<two": "no version", "urllib3=1": "no specifier",
		"urllib3~=2": "two numbers", "urllib3<2.*": "no version", "urllib3<1+x": "local version", "lodash@<4": "npm:lodash@<4", "lodash^4": "npm:lodash^4",
		"cargo:serde": `packages of "cargo"`, "pkg:cargo/serde": `packages of "cargo"`, "pkg:": "no package URL", "pkg:npm/%zz": "no package URL",
		"npm:": "names no package", "npm:lodash@latest": "no range of npm", "npm:a@" + strings.Repeat("1 ", 600): "more than", "a==" + strings.Repeat("9", 100): "no version",
	} {
		_, err := ParseQuery(text)
		wrong, ok := errors.AsType[*QueryError](err)
		if !ok || wrong.Suggestion == "" || !strings.Contains(wrong.Message+wrong.Suggestion, want) {
			t.Errorf("%q: %v, want %q and a suggestion", text, err, want)
		}
	}
}

// What is no version is never a silent no.
func TestVersionsNobodyCanOrder(t *testing.T) {
	for _, text := range []string{"a<2", "a==1.*", "npm:a@<2", "npm:a@1 || 2"} {
		q, err := ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{"", "two", "1.0-x y", "git+https://x"} {
			if in, known := q.Has(v); in || known {
				t.Errorf("%q of %s: %v, %v", v, text, in, known)
			}
		}
	}
}

func TestOSV(t *testing.T) {
	const head = `{"id":"X","affected":[{"package":{"ecosystem":`
	python := func(rest string) string { return head + `"PyPI","name":"A_b"},` + rest + `}]}` }
	npm := func(rest string) string { return head + `"npm","name":"a"},` + rest + `}]}` }
	events := func(kind, list string) string { return `"ranges":[{"type":"` + kind + `","events":[` + list + `]}]` }
	for _, c := range []struct {
		text             string
		in, out, unknown string // versions
	}{
		{python(events("ECOSYSTEM", `{"introduced":"0"},{"fixed":"2.2.2"}`)), "0 2.2.1 2.2.2rc1 2.2.2.dev0 0.dev1", "2.2.2 3 1!0 2.2.2.post1", "two"},
		{python(events("ECOSYSTEM", `{"introduced":"1.0"},{"last_affected":"1.5"}`)), "1.0 1.5 1.5.0 1.4rc1", "0.9 1.5.1 1.0rc1", "x"},
		{python(events("ECOSYSTEM", `{"fixed":"2.0.5"},{"introduced":"2.0"},{"fixed":"1.3"},{"introduced":"0"}`)), "1.2 2.0 2.0.4", "1.3 1.9 2.0.5", ""},
		{python(events("ECOSYSTEM", `{"introduced":"1.0"},{"limit":"2.0"}`)), "1.0 1.9", "0.9 2.0", ""},
		{python(`"versions":["1.0","weird"],` + events("GIT", `{"introduced":"0"}`)), "1.0 1.0.0 weird", "1.1 2", ""},
		{python(`"versions":["5.0"],` + events("ECOSYSTEM", `{"introduced":"0"},{"fixed":"2"}`)), "5.0 1", "3", ""},
		{python(events("GIT", `{"introduced":"0"}`)), "", "", "1.0 2.0"},
		{python(`"versions":[]`), "", "", "1.0"},
		{python(events("ECOSYSTEM", `{"introduced":"one"},{"fixed":"2"}`)), "", "", "1.0"},
		{npm(events("SEMVER", `{"introduced":"0"},{"fixed":"4.17.21"}`)), "0.0.0 0.0.0-0 4.17.21-rc.1 4.17.20", "4.17.21 5.0.0-0 4.17.21+x", "four"},
		{npm(events("SEMVER", `{"introduced":"1.0.0-0"},{"last_affected":"1.2.3"}`)), "1.0.0-alpha 1.2.3", "0.9.9 1.2.4-0", "1.2"},
	} {
		all, err := ParseOSV([]byte(c.text))
		if err != nil || len(all.Queries) != 1 || all.Queries[0].ID != "X" {
			t.Fatalf("%s: %+v, %v", c.text, all, err)
		}
		q := all.Queries[0]
		if q.Kind == archive.PyPI && q.Name != "a-b" {
			t.Errorf("the name is %q", q.Name)
		}
		for versions, want := range map[string][2]bool{c.in: {true, true}, c.out: {false, true}, c.unknown: {false, false}} {
			for _, v := range strings.Fields(versions) {
				if in, known := q.Has(v); in != want[0] || known != want[1] {
					t.Errorf("%s of %s: %v, %v, want %v", v, c.text, in, known, want)
				}
			}
		}
	}
	for text, want := range map[string]string{
		"": "no advisory in it", "[]": "no advisory in it", "{": "line 1: no JSON", "{\"id\":\"A\"}\n\nnonsense": "line 3: no JSON", `{"name":"x"}`: `no "id"`,
		"{\"id\":\"A\"}\n{\"id\":7}\n": "ends in line 2", "7": "no advisory", "[[]]": "no advisory",
	} {
		if _, err := ParseOSV([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("urllib3<2.2.2", "1.0", `{"id":"A","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}`)
	f.Add("npm:@a/b@^0.0.1-x || 1 - 2", "0.0.1", "[]")
	f.Fuzz(func(t *testing.T, query, version, osv string) {
		if q, err := ParseQuery(query); err == nil {
			if in, known := q.Has(version); in && !known {
				t.Errorf("%q has %q, and nobody knows it", query, version)
			}
		}
		all, err := ParseOSV([]byte(osv))
		if err != nil {
			return
		}
		for _, q := range all.Queries {
			if in, known := q.Has(version); in && !known {
				t.Errorf("%q has %q, and nobody knows it", osv, version)
			}
		}
	})
}

// A range may follow the name at once, whatever it begins with: what is taken into the
// name would be looked for as another package, and found nowhere.
func TestARangeAfterTheNameIsARange(t *testing.T) {
	for _, text := range []string{"npm:lodash~4.17.0", "npm:lodash^4.17.0", "npm:lodash<5", "npm:lodash@~4.17.0", "npm:@scope/lodash~4.17.0"} {
		q, err := ParseQuery(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		in, known := q.Has("4.17.20")
		out, _ := q.Has("6.0.0")
		if !in || !known || out {
			t.Errorf("%s: 4.17.20 %v, 6.0.0 %v", text, in, out)
		}
	}
}
