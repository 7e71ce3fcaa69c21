package daemon_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/sqlitestore"
	"github.com/layerd/layerd/internal/store/storetest"
)

var updateTexts = flag.Bool("update", false, "write the golden texts anew; never what stores hold")

// pastVar names a folder that TestPinnedBytes writes the story's store to, as
// the files that storetest.Past reads. It is for a second past beside the first,
// when a later layerd keeps something that this one did not.
const pastVar = "LAYERD_WRITE_PAST"

// A store is read by older and newer daemons than the one that wrote it. So the
// same story must leave the same keys with the same bytes as it did at commit
// 6485e27. There is no flag that makes a difference go away.
func TestPinnedBytes(t *testing.T) {
	nightly.NotShort(t, "it compares bytes of a story that others play")
	var told []string
	var dump string
	synctest.Test(t, func(t *testing.T) {
		s := pinnedSite(t)
		for _, m := range s.tellStory() {
			told = append(told, shown(m))
		}
		if dump = storetest.Dump(t, s.store); os.Getenv(pastVar) != "" {
			writePast(t, s, os.Getenv(pastVar))
		}
	})
	want := storetest.Dump(t, storetest.Past(t))
	if diff := cmp.Diff(pinned(t, want), pinned(t, dump)); diff != "" {
		t.Errorf("what is kept has changed (-commit 6485e27 +now):\n%s", diff)
	}
	slices.Sort(told) // environments are looked at together
	goldenText(t, "pinned_messages.txt", strings.Join(told, ""))
}

// masks are what differs from one run to the next: random words, and instants
// that depend on when the daemon looked at Git.
var masks = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`"cursor":"1;\d{8}T\d{6}\.\d{9}Z;[^;"]*;[A-Z2-7,]*"`), `"cursor":"<cursor>"`},
	{regexp.MustCompile(`\d{8}T\d{6}\.\d{9}Z-[A-Z2-7]{12}`), "<id>"},
	{regexp.MustCompile(`"id":"[A-Z2-7]{26}"`), `"id":"<word>"`},
	{requests, "<request>"},
	// Sentences may become better ones: those for Slack are in pinned_messages.txt,
	// the reasons of a plan in the tests of cmd/layerd.
	{regexp.MustCompile(`"(title|text|context|reason|decision|window)":"[^"]*"`), `"$1":"<words>"`},
	{regexp.MustCompile(`"findings":\["[^\]]*"\]`), `"findings":["<words>"]`},
	{regexp.MustCompile(`"beat":\d+`), `"beat":<n>`},
	{regexp.MustCompile(`2000-01-01T\d\d:\d\d:\d\d(\.\d{1,9})?Z`), "<instant>"},
	// What is kept since that commit: an earlier layerd does not read it, and a
	// later one does without.
	{regexp.MustCompile(`,"invalid_since":"<instant>"`), ""},
	{regexp.MustCompile(`("fencing":\{[^}]*\}),"since":"<instant>"`), "$1"},
	{regexp.MustCompile(`,"back":true(}\],"stage")`), "$1"},
	// How often and why a target refused a message is for people to read; nobody
	// acts on it.
	{regexp.MustCompile(`("slack":){("count":\d+)?(,"next":"<instant>")?(,"error":"no answer")?(,"since":"<instant>")?}`), `$1{}`},
	// That Slack took nothing is an alert of its own since that commit.
	{regexp.MustCompile(`(?s)^alert/[^/]*/\t{"v":1,"alerts":\[{"kind":"delivery_failed"[^}]*}\]}$`), ""},
	{regexp.MustCompile(`,"asked":\[?\{[^}]*\}\]?`), ""},
	{regexp.MustCompile(`,"interrupted":true`), ""},
	// A record has the version of the function's runtime before, which is told when
	// health breaks; nothing is decided by it.
	{regexp.MustCompile(`,"runtime":"arn:[^"]*"`), ""},
	// Since that commit a lease says when each environment was looked at.
	{regexp.MustCompile(`,"looked":\{("[^"]*":\{[^}]*\},?)*\}`), ""},
}

// moments and spans are how people are told of time.
var (
	requests = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4,12}){4}`)
	moments  = regexp.MustCompile(`(Sat 2000-01-01|Sun 2000-01-02) \d\d:\d\d (JST|UTC)`)
	spans    = regexp.MustCompile(`(\(|after )\d+[smh](?:\d+m)?( ago\)|\)| \()`)
)

// pinned is a dump without what differs from one run to the next, a line for a
// value, and what is compressed as what it is.
func pinned(t *testing.T, dump string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(dump) {
		key, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if code, ok := strings.CutPrefix(text, "base64:"); ok {
			text = unpacked(t, key, code)
		}
		if line = masked(key + "\t" + text); line != "" {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines) // their IDs were what ordered some
	return lines
}

func masked(text string) string {
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.by)
	}
	return text
}

// shown is a message with all its words.
func shown(m notify.Message) string {
	text := fmt.Sprintf("%s %s: %s\n", m.Severity, m.Status, m.Title)
	for _, part := range m.Sections {
		text += "  " + part.Text + "\n"
		if part.Detail != "" {
			text += part.Detail + "\n"
		}
		for _, item := range part.Items {
			text += "  - " + item + "\n"
		}
		if part.Code != "" {
			text += "  $ " + part.Code + "\n"
		}
	}
	text = requests.ReplaceAllString(text+"  "+m.Context+"\n\n", "<request>")
	return moments.ReplaceAllString(spans.ReplaceAllString(text, "$1<span>$2"), "<moment>")
}

func unpacked(t *testing.T, key, code string) string {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(data, []byte("PK")) {
		return unzipped(t, key, data)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return fmt.Sprintf("gzip %q", text)
}

func unzipped(t *testing.T, key string, data []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	text := "zip"
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		text += fmt.Sprintf(" %s %q", f.Name, content)
	}
	return text
}

// goldenText compares words, which may be improved: -update writes them anew.
func goldenText(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateTexts {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// writePast writes what a night left: the store as text and as a database, and
// what AWS has.
func writePast(t *testing.T, s *site, folder string) {
	t.Helper()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("past.txt", []byte(storetest.Dump(t, s.store)))
	var aws strings.Builder
	for _, f := range s.world.Functions() {
		for n := 1; ; n++ {
			v, ok := s.world.Function(fmt.Sprint(f.Name, ":", n))
			if !ok {
				break
			}
			fmt.Fprintf(&aws, "%s %s:%d %s\n", f.Region, f.Name, n, onlyLayer(v))
		}
		if a, ok := s.world.Alias(f.Name, "live"); ok {
			fmt.Fprintf(&aws, "%s %s:live %s\n", f.Region, f.Name, a.Version)
		}
		fmt.Fprintln(&aws, f.Region, f.Name, onlyLayer(f))
	}
	write("aws.txt", []byte(aws.String()))
	path := filepath.Join(t.TempDir(), "past.db")
	db, err := sqlitestore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for v, err := range s.store.List(t.Context(), store.Query{}) {
		if err == nil {
			_, err = db.Create(t.Context(), v.Key, v.Data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // of a level that there is
	_, _ = z.Write(data)                                  // a buffer never fails
	_ = z.Close()
	write("past.db.gz", b.Bytes())
}

// onlyLayer is the number of the layer version that a function of the story has.
func onlyLayer(f awssim.Function) string { return f.Layers[0][strings.LastIndex(f.Layers[0], ":")+1:] }
