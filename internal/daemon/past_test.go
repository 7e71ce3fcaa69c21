package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/storetest"
)

// again reads a value as a D and writes that.
func again[D any](docs store.Documents[D]) func(store.Value) ([]byte, error) {
	return func(v store.Value) ([]byte, error) {
		doc, _, err := docs.Get(context.Background(), v.Key)
		if err != nil {
			return nil, err
		}
		return json.Marshal(doc)
	}
}

// What an earlier daemon kept is read whole, and written as it was.
func TestPastIsReadWhole(t *testing.T) {
	s := storetest.Past(t)
	d := &Daemon{Options: Options{Repository: storetest.PastRepository, Store: s, Log: slog.New(slog.DiscardHandler)}}
	storetest.Reread(t, store.Prefix("revisions", storetest.PastRepository), again(d.revisionsDocs()))
	storetest.Reread(t, store.Prefix("desired", storetest.PastRepository), again(d.lastGoodDocs()))
}

// The last good commits are there after a start without Git, and packing one
// again returns the bytes that were kept.
func TestPastCommitsAreRemembered(t *testing.T) {
	s := storetest.Past(t)
	d := &Daemon{
		Options:  Options{Repository: storetest.PastRepository, Store: s, Log: slog.New(slog.DiscardHandler)},
		lastGood: map[string]*lastGood{}, revisions: map[string]*revisions{},
	}
	names, err := d.lastGoodNames(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := d.loadLastGoodOf(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		g := d.lastGood[name]
		if gone := name == "old" || name == "gone"; gone != (g == nil) {
			t.Errorf("%s is remembered: %v", name, g != nil)
		}
		if g == nil {
			continue
		}
		tree := desired.Load(g.files, desired.Options{})
		if !slices.ContainsFunc(tree.Environments, func(e desired.Environment) bool { return e.Name == name }) {
			t.Errorf("the last good commit of %s does not have it", name)
		}
		sameArchive(t, s, name, g.files)
	}
	if len(names) != 11 {
		t.Errorf("remembered are %v of eleven", names)
	}
}

// sameArchive compares with what is kept in either slot.
func sameArchive(t *testing.T, s store.Store, name string, files fs.FS) {
	t.Helper()
	data, err := archive(files, name)
	if err != nil {
		t.Fatal(err)
	}
	for v, err := range s.List(t.Context(), store.Query{Prefix: store.Prefix("desired", storetest.PastRepository, name)}) {
		if err == nil && strings.HasSuffix(v.Key, "/0") && bytes.Equal(v.Data, data) {
			return
		}
	}
	t.Errorf("%s is packed into other bytes", name)
}
