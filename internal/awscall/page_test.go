package awscall_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// A sweep that does not come to the end is an error that asks to be made again.
func TestSweep(t *testing.T) {
	for name, c := range map[string]struct {
		marker func(page int) string // of the answer to that page
		pages  int
		kind   state.Kind
	}{
		"one page":           {func(int) string { return "" }, 1, state.None},
		"three pages":        {func(page int) string { return []string{"a", "b", ""}[page] }, 3, state.None},
		"round in circles":   {func(page int) string { return []string{"a", "b", "a"}[page] }, 3, state.Again},
		"ever new markers":   {strconv.Itoa, 5, state.Again},
		"the last it may be": {func(page int) string { return []string{"a", "b", "c", "d", ""}[page] }, 5, state.None},
	} {
		t.Run(name, func(t *testing.T) {
			pages, want := 0, ""
			err := awscall.Sorter{}.Sweep(t.Context(), "ListThings", "f", 5, func(_ context.Context, marker *string) (*string, error) {
				if (marker == nil) != (pages == 0) || marker != nil && *marker != want {
					t.Errorf("page %d is asked for with another marker than %q", pages, want)
				}
				want = c.marker(pages)
				pages++
				return new(want), nil
			})
			if state.KindOf(err) != c.kind || pages != c.pages {
				t.Errorf("%v after %d pages", err, pages)
			}
			if e, ok := errors.AsType[*state.Error](err); ok && (e.Op != "ListThings" || e.Resource != "f") {
				t.Errorf("%+v", e)
			}
		})
	}
}
