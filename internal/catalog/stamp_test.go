package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/desired"
)

const hash = "9f2c0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"

// Whatever people say of a version, its Description is within AWS's limit, ends with a
// stamp that is read as it was written, and keeps what fits of their words.
func TestStampIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		description := rapid.OneOf(rapid.String(), rapid.StringMatching(`(共通|a|😀| ){0,300}`), rapid.Just("x v9.0.0 sha256:0123456789ab git:0123abc")).Draw(t, "description")
		version := rapid.StringMatching(`(0|[1-9][0-9]?)\.(0|[1-9])\.(0|[1-9])(-rc\.[1-9])?(\+b[1-9])?`).Draw(t, "version")
		revision := rapid.SampledFrom([]string{"", "c0ffee1", "c0ffee123456789abcdef0123456789abcdef012", "c0ffee123456789abcdef0123456789abcdef012+dirty", "HEAD", "none"}).Draw(t, "revision")
		v := semver.MustParse(version)
		s := NewStamp(v, hash, revision)
		got, ok := s.Describe(description)
		if !ok || length(got) > 256 {
			t.Fatalf("%d characters: %q", length(got), got)
		}
		read, found := ReadStamp(got)
		if !found || read.Version.String() != version || !read.Is(hash) || read.Is("00"+hash[2:]) {
			t.Fatalf("%q is read as %+v", got, read)
		}
		if want := map[bool]string{true: "c0ffee1"}[strings.HasPrefix(revision, "c0ffee1") && !strings.HasSuffix(revision, "dirty")]; read.Commit != want {
			t.Fatalf("commit %q of %q, want %q", read.Commit, revision, want)
		}
		if own, _ := versionIn(got, titles(wish())); text(own) != version {
			t.Fatalf("%q is taken for %s", got, text(own))
		}
		short := length(description)+length(s.String())+1 <= 256
		if short && !strings.HasPrefix(description, " ") && !strings.HasSuffix(got, s.String()) {
			t.Fatalf("%q lost its stamp", got)
		}
	})
}

func TestDescribe(t *testing.T) {
	s := NewStamp(semver.MustParse("1.4.2"), hash, "c0ffee123456789abcdef0123456789abcdef012")
	const end = "v1.4.2 sha256:9f2c01234567 git:c0ffee1"
	room := 256 - len(end) - 1
	for description, want := range map[string]string{
		"":                          end,
		" \n":                       end,
		title:                       title + " " + end,
		"two\nlines\n":              "two lines " + end,
		strings.Repeat("x", room):   strings.Repeat("x", room) + " " + end,
		strings.Repeat("共", room+1): strings.Repeat("共", room-1) + "… " + end,
		strings.Repeat("😀", room):   strings.Repeat("😀", (room-1)/2) + "… " + end,
	} {
		if got, ok := s.Describe(description); got != want || !ok {
			t.Errorf("%q: %q, want %q", description, got, want)
		}
	}
	long := NewStamp(semver.MustParse("1.4.2-"+strings.Repeat("r", 240)), hash, "")
	if _, ok := long.Describe("x"); ok {
		t.Error("a stamp that AWS does not take is taken")
	}
}

// A version that is not live is missing where it can be published, and found once it
// was; what Git says of numbers must not have it published again and again.
func TestMissing(t *testing.T) {
	stamped := "v1.4.2 sha256:9f2c01234567"
	for _, tt := range []struct {
		name, ask string
		known     map[string]int64
		source    bool
		live      []string
		number    int64
		missing   string
		problem   string
	}{
		{"not live", "1.4.2", nil, true, []string{"v1.4.1"}, 0, "1.4.2", ""},
		{"nothing is live", "1.4.2", nil, true, nil, 0, "1.4.2", ""},
		{"a prerelease", "1.4.2-rc.1", nil, true, []string{"v1.4.2"}, 0, "1.4.2-rc.1", ""},
		{"only as a dependency", "9.0.0", nil, true, []string{"adds pandas v9.0.0"}, 0, "9.0.0", ""},
		{"without an artifact", "1.4.2", nil, false, []string{"v1.4.1"}, 0, "", "version_not_found"},
		{"published by layerd", "1.4.2", nil, true, []string{"v1.4.1", stamped}, 2, "", ""},
		{"published by others", "1.4.2", nil, true, []string{"v1.4.2"}, 1, "", ""},
		{"a range", "^2", nil, true, []string{"v1.4.1"}, 0, "", "version_not_found"},
		{"latest", "latest", nil, true, nil, 0, "", "version_not_found"},
		{"a number", "7", nil, true, []string{"v1.4.1"}, 0, "", "version_not_found"},
		{"none", "none", nil, true, nil, 0, "", ""},
		{"known as what is gone", "1.4.2", map[string]int64{"1.4.2": 12}, true, []string{"v1.4.1", stamped}, 0, "", "version_not_found"},
		{"stamped, and known as another", "1.4.2", map[string]int64{"1.3.0": 1}, true, []string{stamped}, 0, "", "version_not_found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := wish()
			if w.Layer, w.Known = common, tt.known; tt.source {
				w.Source = &desired.Source{Location: "s3://b/${VERSION}.zip"}
			}
			v, err := desired.ParseVersion(tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			r := New(w, live(tt.live...), nil).Resolve(v, desired.Position{})
			code := ""
			if r.Problem != nil {
				code = r.Problem.Code
			}
			if got, want := fmt.Sprint(r.Number, text(r.Missing), code), fmt.Sprint(tt.number, tt.missing, tt.problem); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
