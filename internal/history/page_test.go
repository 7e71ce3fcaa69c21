package history_test

import (
	"testing"

	"github.com/layerd/layerd/internal/history"
)

// H1: of a history that is long, what a page leaves out is counted only so far, and
// said to be more.
func TestH1ALongHistoryIsNotCountedToItsEnd(t *testing.T) {
	page, err := history.Open(long{n: 20_000}, repo).Page(t.Context(), history.Query{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Entries) != 3 || page.Groups != 3 || page.Left != (history.Left{Groups: 5000, Entries: 5000, More: true}) {
		t.Errorf("%d entries of %d groups, left %+v", len(page.Entries), page.Groups, page.Left)
	}
	page, err = history.Open(long{n: 100}, repo).Page(t.Context(), history.Query{Function: "f7"}, 3)
	if err != nil || len(page.Entries) != 1 || page.Left != (history.Left{}) {
		t.Errorf("%d entries, left %+v, %v", len(page.Entries), page.Left, err)
	}
}
