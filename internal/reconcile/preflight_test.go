package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/state"
)

func TestPreflight(t *testing.T) {
	const signer, other = "arn:aws:signer:ap-northeast-1:123456789012:/signing-profiles/p/abc", "arn:aws:signer:ap-northeast-1:123456789012:/signing-profiles/q/def"
	probe := func(in *Input, p state.Probe) {
		p.Usable = true
		in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{common.Version(5): p}
	}
	signing := func(in *Input, enforce bool) {
		in.Regions[0].Have.Signing = map[string]state.Signing{"f": {Enforce: enforce, Allowed: []string{signer}}}
	}
	for _, tc := range []struct {
		name string
		edit func(*Input, *state.Function)
		want string // part of why it is blocked; empty = it is not
	}{
		{"a runtime that is not updated any more", func(_ *Input, f *state.Function) { f.Runtime = "python3.6" }, "its runtime python3.6 is too old"},
		{"on the day before", func(in *Input, f *state.Function) {
			f.Runtime, in.Now = "python3.6", time.Date(2022, 8, 28, 23, 59, 0, 0, time.UTC)
		}, ""},
		{"on the day", func(in *Input, f *state.Function) {
			f.Runtime, in.Now = "python3.6", time.Date(2022, 8, 29, 0, 0, 0, 0, time.UTC)
		}, "too old"},
		{"signed layers only, not signed", func(in *Input, _ *state.Function) { signing(in, true); probe(in, state.Probe{Size: 1}) }, "is not signed"},
		{"signed layers only, signed", func(in *Input, _ *state.Function) { signing(in, true); probe(in, state.Probe{Size: 1, Signer: signer}) }, ""},
		{"signed layers only, by another", func(in *Input, _ *state.Function) { signing(in, true); probe(in, state.Probe{Size: 1, Signer: other}) }, "it takes layers of other signers than " + other},
		{"AWS only warns", func(in *Input, _ *state.Function) { signing(in, false); probe(in, state.Probe{Size: 1}) }, ""},
		{"just small enough", func(in *Input, f *state.Function) { f.CodeSize = 262143999; probe(in, state.Probe{Size: 1}) }, ""},
		{"too large", func(in *Input, f *state.Function) { f.CodeSize = 262144000; probe(in, state.Probe{Size: 1}) }, "at least 250 MB"},
		{"the layers alone are too large", func(in *Input, _ *state.Function) { probe(in, state.Probe{Size: 262144001}) }, "at least 250 MB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := scene("1.4.0", 4, 4)
			in.Regions[0].Have.Signing = map[string]state.Signing{}
			probe(&in, state.Probe{Size: 1})
			tc.edit(&in, &in.Regions[0].Have.Functions[0])
			r := only(t, in)
			switch {
			case tc.want == "" && (len(r.Blocked) > 0 || len(r.Steps) != 1):
				t.Errorf("blocked %+v, steps %s", r.Blocked, told(r))
			case tc.want != "" && (len(r.Blocked) != 1 || !strings.Contains(r.Blocked[0].Reason, tc.want) || len(r.Steps) > 0):
				t.Errorf("blocked %+v, want %q", r.Blocked, tc.want)
			}
		})
	}
}

func TestDetachingNeedsNoSignature(t *testing.T) {
	in := scene("none", 4, 4)
	in.Regions[0].Have.Signing = map[string]state.Signing{"f": {Enforce: true}}
	if got := told(only(t, in)); got != "detach change 4>0" {
		t.Error(got)
	}
}

func TestUnknownSizesAreNoted(t *testing.T) {
	note := func(in Input) string {
		for _, n := range only(t, in).Notes {
			if n.Code == "size_unknown" {
				return n.Message
			}
		}
		return ""
	}
	in := scene("1.4.0", 4, 4)
	if got := note(in); !strings.Contains(got, "unknown for 1 function;") {
		t.Errorf("note %q", got)
	}
	in.Regions[0].Have.Functions[0].CodeSize = 1
	in.Regions[0].Have.Probes = map[state.LayerVersionARN]state.Probe{common.Version(5): {Usable: true, Size: 1}}
	if got := note(in); got != "" {
		t.Errorf("all is known, and the note is %q", got)
	}
	if n := only(t, in).Needs; !n.Signing || slices.Contains(n.Probes, common.Version(5)) {
		t.Errorf("needs %+v", n)
	}
}
