package demo

import (
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
)

func TestTheStoryComesTrue(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := Run(t.Context(), Options{Out: &out, Width: 80})
	t.Log("\n" + out.String())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "✗") || strings.Contains(out.String(), "\x1b") {
		t.Error("a claim failed, or there is colour where none was asked for")
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if lipgloss.Width(line) > 80 {
			t.Errorf("%d columns: %s", lipgloss.Width(line), line)
		}
	}
}

func TestTheStoryCanFail(t *testing.T) {
	tell := newTeller(Options{Out: &strings.Builder{}})
	tell.holds(true, "so")
	if tell.truth() != nil {
		t.Error("a true story is an error")
	}
	tell.holds(false, "not so")
	if tell.truth() == nil {
		t.Error("an untrue story is no error")
	}
}
