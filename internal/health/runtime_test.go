package health

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRuntimesMoved(t *testing.T) {
	own := func(hash string) string { return "arn:aws:lambda:ap-northeast-1::runtime:" + strings.Repeat(hash, 16) }
	custom := func(n string) string {
		return "arn:aws:lambda:ap-northeast-1:123456789012:runtime/acme/version/" + n
	}
	got := RuntimesMoved([]Runtime{
		{"same", own("aaaa"), own("aaaa")},
		{"unknown-before", "", own("aaaa")},
		{"unknown-now", own("aaaa"), ""},
		{"chat", own("aaaa"), own("bbbb")},
		{"theirs", custom("3"), custom("4")},
		{"mail", own("aaaa"), own("bbbb")},
		{"back", custom("4"), custom("3")},
	})
	want := []string{
		"chat (and 1 more): another version of the runtime than before the rollout, aaaaaaaaaaaa… → bbbbbbbbbbbb… (AWS brings another by itself, or with any update of a function); look at that before the layer is blamed",
		"theirs: another version of the runtime than before the rollout, runtime/acme/version/3 → runtime/acme/version/4 (its publisher moves an alias and updates no function); look at that before the layer is blamed",
		"back: another version of the runtime than before the rollout, runtime/acme/version/4 → runtime/acme/version/3 (its publisher moves an alias and updates no function); look at that before the layer is blamed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if list := RuntimesMoved(nil); len(list) != 0 {
		t.Errorf("of nothing: %q", list)
	}
}
