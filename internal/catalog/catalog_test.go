package catalog

import (
	"fmt"
	"slices"
	"testing"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

const common = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:common")

// live is the layer with the Descriptions of the versions 1, 2, …; "-" = deleted.
func live(descriptions ...string) *state.Snapshot {
	l := state.Layer{ARN: common}
	for i := len(descriptions) - 1; i >= 0; i-- {
		if descriptions[i] != "-" {
			l.Versions = append(l.Versions, state.LayerVersion{Number: int64(i + 1), Description: descriptions[i]})
		}
	}
	return &state.Snapshot{Layers: []state.Layer{l}}
}

// What a name means is one answer, whoever asks: Git, --to, or a table.
func TestANameHasOneMeaning(t *testing.T) {
	for _, tt := range []struct {
		name         string
		live         []string
		known, fixed map[string]int64
		ask          string
		want, twin   int64 // want 0 = there is none
	}{
		{"what its Description says", []string{"v1.4.0", "v1.4.1"}, nil, nil, "1.4.1", 2, 0},
		{"of two the higher", []string{"v1.4.1", "v1.4.1"}, nil, nil, "1.4.1", 2, 0},
		{"of two the one that was applied", []string{"v1.4.1", "v1.4.1"}, nil, map[string]int64{"1.4.1": 1}, "1.4.1", 1, 2},
		{"which is gone", []string{"-", "v1.4.1"}, nil, map[string]int64{"1.4.1": 1}, "1.4.1", 2, 0},
		{"or which Git calls something else by now", []string{"v1.4.1", "v1.4.1"}, map[string]int64{"1.4.0": 1}, map[string]int64{"1.4.1": 1}, "1.4.1", 2, 0},
		{"and by its new name", []string{"v1.4.1", "v1.4.1"}, map[string]int64{"1.4.0": 1}, map[string]int64{"1.4.1": 1}, "1.4.0", 1, 0},
		{"the only one, which Git calls something else", []string{"v1.4.1"}, map[string]int64{"1.4.0": 1}, map[string]int64{"1.4.1": 1}, "1.4.1", 0, 0},
		{"what Git says", []string{"v1.4.1", ""}, map[string]int64{"1.4.1": 2}, nil, "1.4.1", 2, 0},
		{"what Git says, and it is gone", []string{"v1.4.1", "-"}, map[string]int64{"1.4.1": 2}, nil, "1.4.1", 0, 0},
		{"applied, and its Description says nothing", []string{"", ""}, nil, map[string]int64{"1.4.1": 1}, "1.4.1", 1, 0},
		{"applied by two names, of which the higher counts", []string{"", ""}, nil, map[string]int64{"1.4.1": 1, "1.4.0": 1, "1.3.9": 1}, "1.4.1", 1, 0},
		{"and not the lower", []string{"", ""}, nil, map[string]int64{"1.4.1": 1, "1.4.0": 1, "1.3.9": 1}, "1.4.0", 0, 0},
		{"nobody says so", []string{"v1.4.0"}, nil, nil, "1.4.1", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := New(desired.LayerWish{Name: "common", Layer: common, Known: tt.known}, live(tt.live...), tt.fixed)
			n, twin, ok := c.Find(tt.ask)
			if n, twin = n*one(ok), twin*one(ok); n != tt.want || twin != tt.twin {
				t.Errorf("found %d, twin %d, %v, want %d and %d", n, twin, ok, tt.want, tt.twin)
			}
			v, err := desired.ParseVersion(tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			r := c.Resolve(v, desired.Position{})
			if r.Number != tt.want || r.Twin != tt.twin || (r.Problem == nil) != (tt.want > 0) {
				t.Errorf("Git's %s is %+v, want %d", tt.ask, r, tt.want)
			}
			if tt.want > 0 && c.Show(tt.want) != fmt.Sprintf("%d (%s)", tt.want, tt.ask) {
				t.Errorf("%d is shown as %s", tt.want, c.Show(tt.want))
			}
		})
	}
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func TestWhatIsNotListedIsTakenAtItsWord(t *testing.T) {
	c := New(desired.LayerWish{Layer: common, Yanked: map[string]string{"1.0.0": "CVE"}, Known: map[string]int64{"1.0.0": 3}}, &state.Snapshot{}, nil)
	for text, want := range map[string]int64{"98": 98, "3": 0} {
		v, err := desired.ParseVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		if r := c.Resolve(v, desired.Position{}); r.Number != want || (r.Problem == nil) != (want > 0) {
			t.Errorf("%s is %+v", text, r)
		}
	}
	if c.Listed() || c.Live(98) || c.Label(98) != "" {
		t.Error("nothing is known of it")
	}
}

// A list may lack what was just published. What the past or Git has a number of is asked
// for by that number before it counts as missing, and nothing else is.
func TestUnlisted(t *testing.T) {
	past := map[string]int64{"1.4.0": 1, "1.4.1": 2, "1.6.0": 4}
	for _, tt := range []struct {
		ask   string
		live  []string
		known map[string]int64
		want  []int64
	}{
		{"1.6.0", []string{"v1.4.0", "v1.4.1", "v1.5.0"}, nil, []int64{4}},
		{"1.6.0", []string{"v1.4.0", "v1.4.1", "v1.5.0", "v1.6.0"}, nil, nil},
		{"1.6.0", []string{"v1.6.0"}, nil, []int64{4}}, // a twin, and not the one that stays
		{"1.6.0", []string{"v1.4.0"}, map[string]int64{"1.6.0": 9}, []int64{9}},
		{"1.6.0", []string{"v1.4.0"}, map[string]int64{"1.6.0": 1}, nil},
		{"1.7.0", []string{"v1.4.0"}, nil, nil},
		{"1.4.0", []string{"-", "v1.4.1"}, nil, []int64{1}}, // lists need not lag in order
		{"^1.4", []string{"v1.4.0", "v1.4.1"}, nil, []int64{4}},
		{"latest", []string{"v1.4.0", "-", "v1.5.0"}, nil, []int64{4}},
		{"latest", []string{"-", "-", "-", "-", "v1.7.0"}, nil, nil}, // what was deleted is older than what is there
		{"4", []string{"v1.4.0"}, nil, []int64{4}},
		{"none", []string{"v1.4.0"}, nil, nil},
	} {
		v, err := desired.ParseVersion(tt.ask)
		if err != nil {
			t.Fatal(err)
		}
		c := New(desired.LayerWish{Name: "common", Layer: common, Known: tt.known}, live(tt.live...), past)
		if got := c.Unlisted(v); !slices.Equal(got, tt.want) {
			t.Errorf("%s of %v asks for %v, want %v", tt.ask, tt.live, got, tt.want)
		}
	}
	if got := New(desired.LayerWish{Name: "common", Layer: common}, &state.Snapshot{}, past).Unlisted(desired.Version{Kind: desired.Number, Number: 4}); got != nil {
		t.Errorf("of a layer that is not listed %v is asked for", got)
	}
}
