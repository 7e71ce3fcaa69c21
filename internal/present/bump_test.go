package present

import (
	"fmt"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/bump"
)

// What commits are called is written by anybody: it fits and it does nothing.
func TestBumpFits(t *testing.T) {
	var commits []bump.Commit
	for i := range 30 {
		commits = append(commits, bump.Commit{Hash: fmt.Sprintf("%040d", i), Message: "feat(テナント)!: " + strings.Repeat("とても長い件名 ", 9) + "\x1b[31m\u202e"})
	}
	d := bump.Next(bump.Input{Released: bump.Known{Version: semver.MustParse("1.4.2"), Where: "makoto-common/v1.4.2"}, Commits: commits})
	p := &Page{Width: 80}
	b := NewBump("makoto-common", d)
	b.Notes, b.Written, b.Tag = []string{strings.Repeat("x y ", 40)}, []string{"layers/common/VERSION"}, "makoto-common/v2.0.0"
	p.Bump(b)
	text := p.String()
	if strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, "1.4.2 → 2.0.0 (major)") || !strings.Contains(text, "… and 10 commits before") {
		t.Error(text)
	}
	for line := range strings.Lines(text) {
		if w := lipgloss.Width(strings.TrimRight(line, "\n")); w > 80 {
			t.Errorf("%d columns: %s", w, line)
		}
	}
	data, err := JSON(NewBump("x", bump.Next(bump.Input{})))
	if err != nil || strings.Contains(data, "null") {
		t.Errorf("%v: a list is null: %s", err, data)
	}
}
