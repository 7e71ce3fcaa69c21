package inspect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

const someLayer = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:common")

func someContents(i int) Contents {
	return Contents{
		SHA256: strings.Repeat("a", 64), Size: 10, Unzipped: 20, Doubts: []string{"one"},
		Packages: []Package{{archive.PyPI, "urllib3", fmt.Sprint("1.", i), "python/urllib3.dist-info"}},
		Bare:     []Package{{Kind: archive.PyPI, Name: "x", At: "python/x"}},
	}
}

func TestMemoryOutlivesItsProcess(t *testing.T) {
	s := store.NewMemory()
	first := &Memory{Store: s}
	for i := range 100 {
		first.Put(t.Context(), someLayer.Version(int64(i+1)), someContents(i))
	}
	second := &Memory{Store: s}
	for i := range 100 {
		got, ok := second.Get(t.Context(), someLayer.Version(int64(i+1)))
		if diff := cmp.Diff(someContents(i), got); !ok || diff != "" {
			t.Fatalf("version %d: %v %s", i+1, ok, diff)
		}
	}
	if _, ok := second.Get(t.Context(), someLayer.Version(101)); ok {
		t.Error("what nobody put is known")
	}
	if _, ok := second.Get(t.Context(), "arn:aws:lambda:::awslayer:AmazonLinux1803"); ok {
		t.Error("what has no number is known")
	}
	if _, ok := (&Memory{}).Get(t.Context(), someLayer.Version(1)); ok {
		t.Error("it is known without a store")
	}
}

// An archive is known by its bytes, before it is a version and whatever number it gets.
func TestMemoryOfArchives(t *testing.T) {
	s := store.NewMemory()
	sum := strings.Repeat("b", 64)
	(&Memory{Store: s}).PutArchive(t.Context(), sum, someContents(1))
	next := &Memory{Store: s}
	want := someContents(1)
	want.SHA256 = sum
	got, ok := next.GetArchive(t.Context(), sum)
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("%v %s", ok, diff)
	}
	for _, other := range []string{"", strings.Repeat("c", 64)} {
		if _, ok := next.GetArchive(t.Context(), other); ok {
			t.Errorf("%q is known", other)
		}
	}
	if _, ok := next.Get(t.Context(), someLayer.Version(1)); ok {
		t.Error("an archive is a version")
	}
	if _, ok := next.Get(t.Context(), someLayer.Unpublished(sum)); ok {
		t.Error("what has no number is known as a version")
	}
	for i := range 3 * mostKnown {
		next.note(archiveID(fmt.Sprint(i)), Contents{})
	}
	if n := len(next.known); n > mostKnown {
		t.Errorf("%d are in memory", n)
	}
	if _, ok := next.GetArchive(t.Context(), sum); !ok {
		t.Error("what was forgotten is not read again")
	}
}

// A document never grows over what a store takes: what does not fit is read again.
func TestMemoryIsBounded(t *testing.T) {
	s := store.NewMemory()
	m := &Memory{Store: s}
	large := Contents{}
	for i := range 1500 {
		large.Packages = append(large.Packages, Package{archive.NPM, fmt.Sprint("package-", i), "1.0.0", "nodejs/node_modules/" + strings.Repeat("x", 40)})
	}
	huge := large
	for range 3 {
		huge.Packages = append(huge.Packages, huge.Packages...)
	}
	for n := int64(1); n < shelf; n++ {
		m.Put(t.Context(), someLayer.Version(n), large)
	}
	m.Put(t.Context(), someLayer.Version(shelf), huge)
	again := &Memory{Store: s}
	if _, ok := again.Get(t.Context(), someLayer.Version(shelf-1)); !ok {
		t.Error("the newest is not known")
	}
	if _, ok := again.Get(t.Context(), someLayer.Version(1)); ok {
		t.Error("the oldest is still known: nothing was bounded")
	}
	if _, ok := again.Get(t.Context(), someLayer.Version(shelf)); ok {
		t.Error("what fits into no document is known")
	}
	for v, err := range s.List(t.Context(), store.Query{}) {
		if err != nil || len(v.Data) > store.MaxValue {
			t.Errorf("%s has %d bytes, %v", v.Key, len(v.Data), err)
		}
	}
}

// What cannot be read, or was read by an older layerd, is read again.
func TestMemoryThatIsNoGood(t *testing.T) {
	for _, data := range []string{"nonsense", `{"v":99}`, `{"v":1,"found":[{"number":1,"reading":0,"packages":[]}]}`} {
		s := store.NewMemory()
		if _, err := s.Create(t.Context(), shelfKey(someLayer, 1), []byte(data)); err != nil {
			t.Fatal(err)
		}
		m := &Memory{Store: s}
		if _, ok := m.Get(t.Context(), someLayer.Version(1)); ok {
			t.Errorf("%s is known", data)
		}
		m.Put(t.Context(), someLayer.Version(1), someContents(1))
		if _, ok := m.Get(t.Context(), someLayer.Version(1)); !ok {
			t.Errorf("%s: this process forgot", data)
		}
	}
}

// One that is refused keeps nobody else from being read; where AWS is out of reach the
// rest is not tried, and named.
func TestLibrary(t *testing.T) {
	var versions []state.LayerVersionARN
	for i := range 50 {
		versions = append(versions, someLayer.Version(int64(i+1)))
	}
	for kind, all := range map[state.Kind]bool{state.Human: true, state.Gone: true, state.Again: false, state.Barred: false} {
		var calls atomic.Int32
		l := Library{Memory: &Memory{}, Read: func(ctx context.Context, v state.LayerVersionARN) (Contents, error) {
			calls.Add(1)
			if v.Number() == 3 {
				return Contents{}, &state.Error{Op: "GetLayerVersion", Kind: kind, Message: "no"}
			}
			if !all && v.Number() > 3 { // until the third has ended it for all
				<-ctx.Done()
				return Contents{}, ctx.Err()
			}
			return someContents(1), nil
		}}
		s, err := l.Open(t.Context(), versions)
		if (err == nil) != all || len(s.Contents)+len(s.Unread) != len(versions) || s.Unread[versions[2]] == "" || s.Fetched != len(s.Contents) {
			t.Errorf("%v: %v, %d read, %d not", kind, err, len(s.Contents), len(s.Unread))
		}
		if n := calls.Load(); all && n != 50 || !all && n > 20 {
			t.Errorf("%v: %d calls", kind, n)
		}
		if again, _ := l.Open(t.Context(), versions[:2]); all && (again.Fetched != 0 || len(again.Contents) != 2) {
			t.Errorf("%v: read again: %+v", kind, again)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := Library{Memory: &Memory{}, Read: func(ctx context.Context, _ state.LayerVersionARN) (Contents, error) { return Contents{}, ctx.Err() }}
	if s, err := l.Open(ctx, versions); !errors.Is(err, context.Canceled) || len(s.Unread) != 50 {
		t.Errorf("after the end: %v, %d", err, len(s.Unread))
	}
}
