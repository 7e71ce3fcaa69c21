package archive

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/words"
)

// Item is one line of the team's checklist: what is asked, whether it is met, and the
// figure that shows it.
type Item struct {
	Code   string `json:"code"`
	Text   string `json:"text"`
	Done   bool   `json:"done"`
	Figure string `json:"figure"`
}

// Checklist answers the eight questions of the guide's last page about an archive.
func (c *Contents) Checklist() []Item {
	tests, docs, caches, compiled := tally{}, tally{}, tally{}, tally{}
	for _, m := range c.Files {
		dirs := strings.Split(path.Dir(m.Name), "/")
		switch {
		case slices.Contains(dirs, "__pycache__"):
			caches.add(m)
		case strings.HasSuffix(m.Name, ".pyc"):
			compiled.add(m)
		case slices.Contains(dirs, "tests") || slices.Contains(dirs, "test"):
			tests.add(m)
		case slices.Contains(dirs, "docs") || slices.Contains(dirs, "doc"):
			docs.add(m)
		}
	}
	own, debug := c.runtimesOwn(), 0
	for _, b := range c.Binaries {
		if b.Debug {
			debug++
		}
	}
	return []Item{
		{"dependencies", "no dependency that is not needed", len(own) == 0, dependencies(len(c.Packages), own)},
		{"tests", "no tests", tests.files == 0, tests.String()},
		{"docs", "no documentation", docs.files == 0, docs.String()},
		{"pycache", "no __pycache__", caches.files == 0, caches.String()},
		{"pyc", "no .pyc files", compiled.files == 0, compiled.String()},
		{"native", "native libraries are stripped", debug == 0, fmt.Sprintf("%d of %s with symbols", debug, words.Plural(len(c.Binaries), "library", "libraries"))},
		{"compression", "compressed as far as it goes", c.compressed(), c.ratio()},
		{"split", "no reason to make two layers of it", c.Size <= WarnZipped, fmt.Sprintf("%s zipped, %s unzipped", words.Bytes(c.Size), words.Bytes(c.Unzipped))},
	}
}

type tally struct {
	files int
	bytes int64
}

func (t *tally) add(m Member) { t.files, t.bytes = t.files+1, t.bytes+m.Size }

func (t tally) String() string {
	if t.files == 0 {
		return "none"
	}
	return fmt.Sprintf("%s, %s", words.Count(t.files, "file"), words.Bytes(t.bytes))
}

// runtimesOwn returns packages that the runtimes of Python have themselves.
func (c *Contents) runtimesOwn() (list []Package) {
	for _, p := range c.Packages {
		if p.Kind == PyPI && slices.Contains([]string{"boto3", "botocore", "s3transfer", "awslambdaric"}, p.Name) {
			list = append(list, p)
		}
	}
	return list
}

func dependencies(all int, own []Package) string {
	text := words.Count(all, "package")
	var names []string
	var size int64
	for _, p := range own {
		names, size = append(names, p.Name), size+p.Size
	}
	if len(own) > 0 {
		text += fmt.Sprintf("; the runtime has %s itself, %s", words.And(names), words.Bytes(size))
	}
	return text
}

// compressed reports whether what can be made smaller was: text and code that stand in
// the archive as they are were stored.
func (c *Contents) compressed() bool {
	var stored int64
	for _, m := range c.Files {
		if m.Size > 1024 && m.Compressed >= m.Size && slices.Contains([]string{".py", ".js", ".json", ".txt", ".so", ".md", ".html"}, path.Ext(m.Name)) {
			stored += m.Size
		}
	}
	return stored == 0
}

func (c *Contents) ratio() string {
	var compressed int64
	for _, m := range c.Files {
		compressed += m.Compressed
	}
	if c.Unzipped == 0 {
		return "nothing in it"
	}
	return fmt.Sprintf("to %d%% of its size", (min(compressed, c.Unzipped)*100+c.Unzipped/2)/c.Unzipped)
}
