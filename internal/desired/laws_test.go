package desired

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/strictyaml"
)

// Positions differ when keys move, and parsed versions hold their own text.
func likeness() cmp.Options {
	return cmp.Options{
		cmpopts.IgnoreTypes(Position{}),
		cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b Version) bool { return a.Kind == b.Kind && a.Text == b.Text }),
		cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
	}
}

// entry is a key and what stands below it, as written.
type entry struct{ key, value string }

// shuffled writes a mapping with its keys in another order.
func shuffled(r *rand.Rand, indent string, entries ...entry) string {
	entries = slices.Clone(entries)
	r.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s%s: %s\n", indent, e.key, e.value)
	}
	return b.String()
}

// pair writes two keys of a flow mapping in some order.
func pair(r *rand.Rand, a, b string) string {
	if r.IntN(2) == 0 {
		a, b = b, a
	}
	return a + ", " + b
}

// world writes one repository, the keys of its files in an order of r.
func world(r *rand.Rand) fstest.MapFS {
	files := fstest.MapFS{
		"layerd.yaml": {Data: []byte(shuffled(r, "", entry{"timezone", "Asia/Tokyo"}, entry{"store", "sqlite:/var/lib/layerd.db"},
			entry{"freezes", "[{from: 12-28, until: 01-03, every: year, reason: new year}]"},
			entry{"defaults", "\n" + shuffled(r, "  ", entry{"region", "ap-northeast-1"}, entry{"layer_name", "${NAME}-${ENVIRONMENT}"},
				entry{"retention", "{versions_to_keep: 9, grace: 48h}"},
				entry{"layers", "\n" + shuffled(r, "    ", entry{"a", `{functions: ["a-*"], except: ["a-x"]}`}, entry{"b", "{functions: [b], position: first}"})})}))},
		"layers/one/layer.yaml": {Data: []byte(shuffled(r, "", entry{"name", "a"}, entry{"description", "層"}, entry{"known", "{1.0.0: {x: 3, y: 4}}"}, entry{"yanked", "{0.9.0: bad}"}, entry{"deprecated", "{0.8.0: use 1}"}))},
		"layers/two/layer.yaml": {Data: []byte("name: b\nretention_policy: {delete_older_than_days: 30}\n")},
	}
	for _, env := range []string{"x", "y", "z"} {
		files["environments/"+env+".yaml"] = &fstest.MapFile{Data: []byte(shuffled(r, "", entry{"account", `"123456789012"`},
			entry{"layers", "\n" + shuffled(r, "  ", entry{"a", `{version: 1.0.0, except: ["a-y"]}`}, entry{"b", "7"})},
			entry{"rollout", "\n" + shuffled(r, "  ", entry{"waves", "[1, 10%]"}, entry{"bake", "5m"}, entry{"max_error_rate", "1%"},
				entry{"smoke_test", "{function: b, payload: {" + pair(r, "x: 1.0", "y: [2, 1]") + "}}"})},
			entry{"freezes", "[{from: 2026-12-01, until: 2026-12-02}]"}, entry{"retention", "5 versions"},
			entry{"change_window", "Saturday 02:00-06:00"}, entry{"drift", "{action: report, after: 1h}"}))}
	}
	return files
}

// The order of files and keys means nothing.
func TestOrderMeansNothing(t *testing.T) {
	want := Load(world(rand.New(rand.NewPCG(1, 1))), Options{Now: now()})
	if len(want.Environments) != 3 || len(want.Problems) != 0 {
		t.Fatalf("environments %d, problems %v", len(want.Environments), want.Problems)
	}
	for seed := range uint64(20) {
		got := Load(world(rand.New(rand.NewPCG(seed, 2))), Options{Now: now()})
		if diff := cmp.Diff(got, want, likeness()); diff != "" {
			t.Fatalf("seed %d (-have +want):\n%s", seed, diff)
		}
	}
}

// Loading the same twice returns the same, positions and problems included.
func TestLoadIsAFunction(t *testing.T) {
	files := only(account + "mod: x\nlayers: {b: {version: ^1}, a: {nme: 1}}\nfreezes: [{from: 1, until: 2}]\nunmanaged: [１, ２]\n")
	want := Load(files, Options{Now: now()})
	for range 20 {
		if diff := cmp.Diff(Load(files, Options{Now: now()}).Problems, want.Problems); diff != "" {
			t.Fatalf("problems (-have +want):\n%s", diff)
		}
	}
}

// retentionAt writes a retention with some of its fields.
func retentionAt(t *rapid.T, label string) (map[string]int, string) {
	fields := map[string]int{}
	var parts []string
	for _, f := range []string{"versions_to_keep", "delete_older_than_days", "function_versions"} {
		if rapid.Bool().Draw(t, label+" has "+f) {
			fields[f] = rapid.IntRange(2, 50).Draw(t, label+" "+f)
			parts = append(parts, fmt.Sprintf("%s: %d", f, fields[f]))
		}
	}
	return fields, "{" + strings.Join(parts, ", ") + "}"
}

// Each field of a retention comes from the nearest place that has it: the
// layer in the environment, the environment, layerd.yaml's two, layer.yaml.
func TestRetentionMergesPerField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var fields [5]map[string]int
		var text [5]string
		for i := range fields {
			fields[i], text[i] = retentionAt(t, fmt.Sprint("place ", i))
		}
		files := fstest.MapFS{
			"layers/a/layer.yaml":   {Data: []byte("name: a\nretention_policy: " + text[4] + "\n")},
			"layerd.yaml":           {Data: []byte("defaults:\n  retention: " + text[3] + "\n  layers: {a: {retention: " + text[1] + "}}\n")},
			"environments/dev.yaml": {Data: []byte(account + "retention: " + text[2] + "\nlayers: {a: {version: 1, functions: [x], retention: " + text[0] + "}}\n")},
		}
		tree := Load(files, Options{Now: now()})
		if len(tree.Environments) != 1 {
			t.Fatalf("problems %v", tree.Problems)
		}
		pick := func(field string, otherwise int) int {
			for _, f := range fields {
				if v, ok := f[field]; ok {
					return v
				}
			}
			return otherwise
		}
		want := Retention{}
		if keep := pick("versions_to_keep", 0); keep > 0 {
			want = Retention{Keep: keep, OlderThan: time.Duration(pick("delete_older_than_days", 0)) * 24 * time.Hour,
				Grace: 24 * time.Hour, FunctionVersions: pick("function_versions", 5)}
		}
		if diff := cmp.Diff(tree.Environments[0].Layers[0].Retention, want); diff != "" {
			t.Errorf("retention (-have +want):\n%s", diff)
		}
	})
}

// Merging is associative, nothing is its neutral element, and merging a thing
// with itself changes nothing but the lists that add up.
func TestMergeLaws(t *testing.T) {
	draw := func(t *rapid.T, label string) *node {
		var tree func(depth int) string
		tree = func(depth int) string {
			if depth == 0 || rapid.Bool().Draw(t, label+" leaf") {
				return rapid.SampledFrom([]string{"1", "x", "[a, b]", "[c]"}).Draw(t, label)
			}
			var parts []string
			for _, k := range []string{"a", "except", "freezes", "z"} {
				if rapid.Bool().Draw(t, label+" "+k) {
					parts = append(parts, k+": "+tree(depth-1))
				}
			}
			return "{" + strings.Join(parts, ", ") + "}"
		}
		root, problems := strictyaml.Parse("f", []byte("top: {"+"in: "+tree(3)+"}"), "")
		if root == nil {
			t.Fatalf("problems %v", problems)
		}
		return root
	}
	show := func(n *node) string { return fmt.Sprint(n.Value()) }
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := draw(t, "a"), draw(t, "b"), draw(t, "c")
		if x, y := show(merge(merge(a, b), c)), show(merge(a, merge(b, c))); x != y && sameKinds(a, b, c) {
			t.Errorf("(a b) c = %s, a (b c) = %s", x, y)
		}
		if x := show(merge(nil, a)); x != show(a) {
			t.Errorf("merge with nothing below: %s, want %s", x, show(a))
		}
		if x := show(merge(a, nil)); x != show(a) {
			t.Errorf("merge with nothing above: %s, want %s", x, show(a))
		}
	})
}

// sameKinds reports whether no value of one kind replaces one of another: where
// that happens in the middle, the order of merging is seen, and files have but
// two levels.
func sameKinds(list ...*node) bool {
	for _, a := range list {
		for _, b := range list {
			if !alike(a, b) {
				return false
			}
		}
	}
	return true
}

func alike(a, b *node) bool {
	if a.Kind != b.Kind {
		return false
	}
	for i, k := range a.Keys {
		if other := b.Get(k.Text); other != nil && !alike(a.Items[i], other) {
			return false
		}
	}
	return true
}
