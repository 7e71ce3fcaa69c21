package inspect

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"sync"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// Memory keeps what was found in layer versions, which never changes. Losing it only means
// reading again. It is safe for concurrent use.
type Memory struct {
	Store store.Store  // nil = only this process remembers
	Log   *slog.Logger // nil = no log

	mu     sync.Mutex          // guards the rest
	known  map[string]Contents // by ARN of the version, or by archiveID
	loaded map[string]bool     // keys of documents that were read
}

// shelf is how many numbers in a row of one layer share a document.
const shelf = 8

// reading is how archives are read: what was found by an older way is read again.
const reading = 1

// shelfDocument is what the store has of a few versions of one layer. Stored: names and
// meanings stay.
type shelfDocument struct {
	V     int         `json:"v"`
	Found []inVersion `json:"found"` // by number
}

// inVersion is one layer version. Packages and bare modules are KIND, name, version and
// where that is said.
type inVersion struct {
	Number   int64       `json:"number"`
	Reading  int         `json:"reading"`
	SHA256   string      `json:"sha256,omitempty"`
	Size     int64       `json:"size"`
	Unzipped int64       `json:"unzipped"`
	Packages [][4]string `json:"packages"`
	Bare     [][4]string `json:"bare,omitempty"`
	Doubts   []string    `json:"doubts,omitempty"`
}

const shelfVersion = 1

// mostShelf is how many bytes a document may have; DynamoDB's limit is a little above it.
const mostShelf = store.MaxValue - 4<<10

func shelfKey(layer state.LayerARN, number int64) string {
	return store.Key("contents", string(layer), strconv.FormatInt(number/shelf, 10))
}

func (m *Memory) docs() store.Documents[shelfDocument] {
	return store.Documents[shelfDocument]{Store: m.Store, Version: shelfVersion}
}

// mostKnown is how many are remembered in memory before all are forgotten.
const mostKnown = 1000

func archiveKey(sha256 string) string { return store.Key("contents", archiveID(sha256)) }

func archiveID(sha256 string) string { return "sha256:" + sha256 }

// Get returns what is known of a layer version.
func (m *Memory) Get(ctx context.Context, v state.LayerVersionARN) (Contents, bool) {
	layer, number, ok := v.Split()
	if !ok {
		return Contents{}, false
	}
	return m.get(ctx, string(v), shelfKey(layer, number), func(e inVersion) string { return string(layer.Version(e.Number)) })
}

// GetArchive returns what is known of a zip, which may not be a layer version yet, by the
// lower-case hex SHA-256 of its bytes.
func (m *Memory) GetArchive(ctx context.Context, sha256 string) (Contents, bool) {
	if sha256 == "" {
		return Contents{}, false
	}
	return m.get(ctx, archiveID(sha256), archiveKey(sha256), func(inVersion) string { return archiveID(sha256) })
}

// get reads the document that has it, once. Where it cannot be read nothing is known.
func (m *Memory) get(ctx context.Context, id, key string, idOf func(inVersion) string) (Contents, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.known[id]; ok {
		return c, true
	}
	if m.Store == nil || m.loaded[key] {
		return Contents{}, false
	}
	if m.loaded == nil {
		m.loaded = map[string]bool{}
	}
	m.loaded[key] = true
	doc, _, err := m.docs().Get(ctx, key)
	if err != nil {
		m.log().Debug("contents found before not read", "of", id, "err", err)
		return Contents{}, false
	}
	for _, e := range doc.Found {
		if e.Reading == reading {
			m.note(idOf(e), e.contents())
		}
	}
	c, ok := m.known[id]
	return c, ok
}

func (m *Memory) note(id string, c Contents) {
	if m.known == nil || len(m.known) >= mostKnown {
		m.known, m.loaded = map[string]Contents{}, map[string]bool{}
	}
	m.known[id] = c
}

func (m *Memory) log() *slog.Logger {
	if m.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return m.Log
}

// Put keeps what was found in a layer version. A store that takes nothing is no failure.
func (m *Memory) Put(ctx context.Context, v state.LayerVersionARN, c Contents) {
	layer, number, ok := v.Split()
	key := ""
	if ok {
		key = shelfKey(layer, number)
	}
	m.put(ctx, string(v), key, number, c)
}

// PutArchive keeps what was found in a zip, by its SHA-256.
func (m *Memory) PutArchive(ctx context.Context, sha256 string, c Contents) {
	c.SHA256 = sha256
	m.put(ctx, archiveID(sha256), archiveKey(sha256), 0, c)
}

func (m *Memory) put(ctx context.Context, id, key string, number int64, c Contents) {
	m.mu.Lock()
	m.note(id, c)
	m.mu.Unlock()
	if key == "" || m.Store == nil {
		return
	}
	err := m.docs().Update(ctx, key, func(d *shelfDocument) bool {
		d.V = shelfVersion
		d.Found = slices.DeleteFunc(d.Found, func(e inVersion) bool { return e.Number == number })
		d.Found = append(d.Found, entryOf(number, c))
		slices.SortFunc(d.Found, func(a, b inVersion) int { return cmp.Compare(a.Number, b.Number) })
		for len(d.Found) > 0 && size(d) > mostShelf {
			d.Found = d.Found[1:] // the oldest is needed least
		}
		return true
	})
	if err != nil {
		m.log().Debug("contents not remembered", "of", id, "err", err)
	}
}

func size(d *shelfDocument) int {
	data, err := json.Marshal(d)
	if err != nil {
		return mostShelf + 1 // Update returns the error
	}
	return len(data)
}

func entryOf(number int64, c Contents) inVersion {
	return inVersion{
		Number: number, Reading: reading, SHA256: c.SHA256, Size: c.Size, Unzipped: c.Unzipped,
		Packages: rows(c.Packages), Bare: rows(c.Bare), Doubts: c.Doubts,
	}
}

func (e inVersion) contents() Contents {
	return Contents{SHA256: e.SHA256, Size: e.Size, Unzipped: e.Unzipped, Packages: packagesOf(e.Packages), Bare: packagesOf(e.Bare), Doubts: e.Doubts}
}

func rows(list []Package) [][4]string {
	out := make([][4]string, 0, len(list))
	for _, p := range list {
		out = append(out, [4]string{string(p.Kind), p.Name, p.Version, p.At})
	}
	return out
}

func packagesOf(rows [][4]string) (list []Package) {
	for _, r := range rows {
		list = append(list, Package{Kind: archive.PackageKind(r[0]), Name: r[1], Version: r[2], At: r[3]})
	}
	return list
}
