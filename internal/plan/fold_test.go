package plan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/layerd/layerd/internal/state"
)

func foldLayer(name string) state.LayerARN {
	return state.NewLayerARN("aws", "ap-northeast-1", "123456789012", name)
}

func foldStep(layer state.LayerARN, to int64, first bool) Step {
	s := Step{Kind: KindAttach, LayerARN: layer, Function: "chat", First: first}
	if to == 0 {
		s.Kind = KindDetach
	} else {
		s.To = layer.Version(to)
	}
	return s
}

func TestFold(t *testing.T) {
	foo, foobar, x, y := foldLayer("foo"), foldLayer("foobar"), foldLayer("x"), foldLayer("y")
	type list = []state.LayerVersionARN
	for _, tt := range []struct {
		name  string
		list  list
		steps []Step
		want  list
	}{
		{"in place", list{x.Version(1), foo.Version(3), y.Version(2)}, []Step{foldStep(foo, 4, false)}, list{x.Version(1), foo.Version(4), y.Version(2)}},
		{"in place although it says first", list{x.Version(1), foo.Version(3)}, []Step{foldStep(foo, 4, true)}, list{x.Version(1), foo.Version(4)}},
		{"at the end", list{x.Version(1)}, []Step{foldStep(foo, 4, false)}, list{x.Version(1), foo.Version(4)}},
		{"in front, in the order of the steps", list{x.Version(1)}, []Step{foldStep(foo, 4, true), foldStep(y, 1, true)}, list{foo.Version(4), y.Version(1), x.Version(1)}},
		{"a name that begins alike", list{foobar.Version(9)}, []Step{foldStep(foo, 4, false)}, list{foobar.Version(9), foo.Version(4)}},
		{"detach", list{x.Version(1), foo.Version(3), y.Version(2)}, []Step{foldStep(foo, 0, false)}, list{x.Version(1), y.Version(2)}},
		{"detach the last one", list{foo.Version(3)}, []Step{foldStep(foo, 0, false)}, list{}},
		{"detach what is not there", nil, []Step{foldStep(foo, 0, false)}, list{}},
		{"AWS's own old form stays", list{"arn:aws:lambda:::awslayer:AmazonLinux1803", foo.Version(1)}, []Step{foldStep(foo, 2, false)}, list{"arn:aws:lambda:::awslayer:AmazonLinux1803", foo.Version(2)}},
		{"a prune changes no list", list{foo.Version(3)}, []Step{{Kind: KindPrune, LayerARN: foo, From: foo.Version(3)}}, list{foo.Version(3)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.list)
			got := Fold(tt.list, tt.steps)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Fold (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.list); diff != "" {
				t.Errorf("Fold changed its argument:\n%s", diff)
			}
		})
	}
}

// Peers sorted, appended or prefixed lists and so changed which file wins
// below /opt.
func TestPeer2_NeighboursKeepTheirIndex(t *testing.T) {
	names := []string{"a", "ab", "b", "c", "d", "e"}
	rapid.Check(t, func(t *rapid.T) {
		var list []state.LayerVersionARN
		for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 5, rapid.ID).Draw(t, "attached") {
			list = append(list, foldLayer(n).Version(rapid.Int64Range(1, 99).Draw(t, "number")))
		}
		var steps []Step
		ours := map[state.LayerARN]state.LayerVersionARN{}
		detaches := false
		for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID).Draw(t, "ours") {
			s := foldStep(foldLayer(n), rapid.Int64Range(0, 99).Draw(t, "to"), rapid.Bool().Draw(t, "first"))
			detaches = detaches || s.To == ""
			steps, ours[s.LayerARN] = append(steps, s), s.To
		}
		got := Fold(list, steps)
		if got == nil {
			t.Fatal("the result is nil, which means: leave the layers alone")
		}

		foreign := func(l []state.LayerVersionARN) []state.LayerVersionARN {
			return slices.DeleteFunc(slices.Clone(l), func(v state.LayerVersionARN) bool { _, own := ours[v.Layer()]; return own })
		}
		if diff := cmp.Diff(append([]state.LayerVersionARN{}, foreign(list)...), foreign(got)); diff != "" {
			t.Fatalf("other layers changed:\n%s", diff)
		}
		for layer, to := range ours {
			if v := state.Layers(got).Of(layer); v != to {
				t.Fatalf("%s: has %q, want %q", layer, v, to)
			}
		}
		inFront := slices.ContainsFunc(steps, func(s Step) bool {
			return s.First && state.Layers(list).Index(s.LayerARN) < 0
		})
		for i, v := range list {
			if detaches || inFront {
				break // every index behind moves
			}
			if got[i].Layer() != v.Layer() {
				t.Fatalf("place %d held %s and holds %s", i, v, got[i])
			}
		}
		if again := Fold(got, steps); !slices.Equal(again, got) {
			t.Fatalf("folding twice: %v, then %v", got, again)
		}
	})
}
