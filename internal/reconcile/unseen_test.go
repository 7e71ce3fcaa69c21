package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// A version that nothing but a grant keeps says which grant that is and what would let it
// go, in Kept and once in the notes; one that something else keeps as well does not.
func TestWhatAGrantKeeps(t *testing.T) {
	const bySomebody = "have that statement removed (RemoveLayerVersionPermission)"
	for name, tt := range map[string]struct {
		change func(*scenario)
		kept   string // why 1 is kept; empty = it is pruned
		note   string
	}{
		"nothing": {func(*scenario) {}, "", ""},
		"granted by layerd": {
			func(w *scenario) { w.shares(partner); w.settle() },
			"shared with 210987654321 by share_with, and who uses it there cannot be seen; to have it pruned, take 210987654321 out of share_with",
			"common 1: not among the newest 2, and kept: shared with 210987654321 by share_with, and who uses them there cannot be seen; to have them pruned, take 210987654321 out of share_with",
		},
		"with two by layerd": {
			func(w *scenario) { w.shares(partner, company); w.settle() },
			"shared with 210987654321, o-abc123def4 by share_with, and who uses it there cannot be seen; to have it pruned, take 210987654321, o-abc123def4 out of share_with",
			"to have them pruned, take 210987654321, o-abc123def4 out of share_with",
		},
		"with every account": {
			func(w *scenario) { w.shares(everybody); w.settle() },
			"shared with every AWS account by share_with", "take every AWS account out of share_with",
		},
		"granted by layerd and taken back by hand": {
			func(w *scenario) {
				w.shares(partner)
				w.settle()
				w.put(1)
				w.in.Now = noon.Add(7 * time.Hour)
			},
			"shared with 210987654321 by share_with", "take 210987654321 out of share_with",
		},
		"granted by somebody else": {
			func(w *scenario) { w.put(1, byHand) },
			"shared with 333333333333 (statement by-hand) by somebody else, and who uses it there cannot be seen; to have it pruned, " + bySomebody,
			"common 1: not among the newest 2, and kept: shared with 333333333333 (statement by-hand) by somebody else",
		},
		"granted by somebody else, of nobody knows what form": {
			func(w *scenario) {
				w.grants[arnOf("common").Version(1)] = state.Policy{Grants: []state.Grant{{Sid: "odd"}}, Principals: []string{"*"}}
			},
			"shared with somebody (statement odd) by somebody else", bySomebody,
		},
		"granted under a Sid of layerd's that nobody remembers": {
			func(w *scenario) { w.put(1, former); w.wish().Shared = false },
			"shared with 444444444444 (statement layerd-444444444444) by somebody else", bySomebody,
		},
		"granted by both": {
			func(w *scenario) { w.shares(partner); w.put(1, partner, byHand) },
			"shared with 210987654321 by share_with, and with 333333333333 (statement by-hand) by somebody else, and who uses it there cannot be seen; to have it pruned, take 210987654321 out of share_with and " + bySomebody,
			"take 210987654321 out of share_with and " + bySomebody,
		},
		"granted by both, and not read again": {
			func(w *scenario) {
				w.shares(partner)
				w.put(1, partner, byHand)
				w.settle()
				w.settle()
			},
			"shared with 210987654321 by share_with, and with 333333333333 by somebody else", bySomebody,
		},
		"taken back by Git": {
			func(w *scenario) { w.shares(partner); w.settle(); w.shares() },
			"shared with 210987654321 until that grant is taken back, and who uses it there cannot be seen", "shared with 210987654321 until that grant is taken back",
		},
		"taken back by Git and done": {
			func(w *scenario) { w.shares(partner); w.settle(); w.shares(); w.settle() }, "", "",
		},
		"to the own account": {func(w *scenario) { w.put(1, ownRoot) }, "", ""},
		"used here as well": {
			func(w *scenario) {
				w.put(1, byHand)
				w.in.Regions[0].Have.Functions = []state.Function{{Name: "f", Layers: []state.LayerVersionARN{arnOf("common").Version(1)}}}
				w.wish().Functions[0].Name = "other"
			},
			"used by f", "",
		},
		"nothing is pruned now": {
			func(w *scenario) { w.put(1, byHand); w.in.PruneStop = "a file is invalid" }, "nothing is pruned: a file is invalid", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := sharingWorld()
			tt.change(w)
			w.wish().Retention = desired.Retention{Keep: 2} // what is pruned is not shared first
			r := w.decide().Regions[0]
			kept, note := plan.Kept{}, ""
			for _, k := range r.Kept {
				if k.Version == 1 {
					kept = k
				}
			}
			for _, n := range r.Notes {
				if n.Code == "kept_shared" {
					note += n.Message
				}
			}
			pruned := slices.ContainsFunc(r.Steps, func(s plan.Step) bool { return s.Kind == plan.KindPrune && s.From.Number() == 1 })
			if !strings.HasPrefix(kept.Reason, tt.kept) || pruned != (tt.kept == "") {
				t.Errorf("pruned %v, kept %q, want %q", pruned, kept.Reason, tt.kept)
			}
			if !strings.Contains(note, tt.note) || (note == "") != (tt.note == "") || kept.Shared != (tt.note != "") {
				t.Errorf("shared %v, note %q, want %q", kept.Shared, note, tt.note)
			}
		})
	}
}

// shares has Git name these.
func (w *scenario) shares(with ...state.Grant) {
	w.wish().Shared, w.wish().ShareWith = true, nil
	for _, g := range with {
		w.wish().ShareWith = append(w.wish().ShareWith, desired.Share{Grant: g})
	}
}

// However many versions and grants there are, the note is one.
func TestOneNoteForAllThatGrantsKeep(t *testing.T) {
	w := sharingWorld()
	w.wish().Retention = desired.Retention{Keep: 2}
	snap := *w.in.Regions[0].Have
	snap.Layers[0].Versions = nil
	for n := int64(50); n > 0; n-- {
		snap.Layers[0].Versions = append(snap.Layers[0].Versions, state.LayerVersion{Number: n, Created: noon})
		w.put(n, state.Grant{Sid: "s" + string(rune('a'+n%26)), Principal: "333333333333"})
	}
	w.in.Regions[0].Have = &snap
	w.wish().Version = mustVersion("50")
	var notes []string
	for _, n := range w.decide().Regions[0].Notes {
		if n.Code == "kept_shared" {
			notes = append(notes, n.Message)
		}
	}
	if len(notes) != 1 || len(notes[0]) > 500 || !strings.Contains(notes[0], "1, 2, 3, 4, 5 and 43 more") {
		t.Errorf("%q", notes)
	}
}

// checkKept: what is said to be kept by a grant alone is shared, or will be again, and no
// function here has it.
func checkKept(t *testing.T, w *scenario, i int, r plan.Region) {
	t.Helper()
	for _, k := range r.Kept {
		if !k.Shared {
			continue
		}
		shared := false
		for _, lw := range r.Want.Layers {
			v := lw.Layer.Version(k.Version)
			if lw.Name != k.Layer {
				continue
			}
			for _, x := range lw.ShareWith {
				shared = shared || slices.Contains(w.in.Regions[i].Past.Layers[lw.Layer].Shares[x.Sid], k.Version)
			}
			shared = shared || len(w.grants[v].Principals) > 0
			for _, f := range w.in.Regions[i].Have.Functions {
				if slices.Contains(f.Layers, v) {
					t.Errorf("%s %d is kept by a grant, and %s has it", k.Layer, k.Version, f.Name)
				}
			}
		}
		if !shared || !strings.HasPrefix(k.Reason, "shared with ") || strings.Contains(k.Reason, "shared with ,") {
			t.Errorf("%s %d is kept: %s", k.Layer, k.Version, k.Reason)
		}
	}
}
