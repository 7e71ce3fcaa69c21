package bump

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"
)

// hashOf returns a whole hash that begins with a number's digits.
func hashOf(n int) string { return fmt.Sprintf("%07d%033d", n, n) }

// history returns commits with these messages, of which the last is the newest; the
// first is commit 1.
func history(messages ...string) (list []Commit) {
	for i, m := range messages {
		list = append([]Commit{{Hash: hashOf(i + 1), Message: m}}, list...)
	}
	return list
}

func at(version, where string) Known {
	if version == "" {
		return Known{}
	}
	return Known{semver.MustParse(version), where}
}

func TestNextVersion(t *testing.T) {
	revert := func(n int) string {
		return "Revert \"something\"\n\nThis reverts commit " + hashOf(n) + "."
	}
	for _, tt := range []struct {
		name     string
		messages []string
		from     string // "" = 1.4.2, "-" = none
		taken    []string
		same     bool
		want     string // "" = nothing to release
	}{
		{name: "nothing", want: ""},
		{name: "a fix", messages: []string{"fix: x"}, want: "1.4.3"},
		{name: "a feature", messages: []string{"feat: x", "fix: y"}, want: "1.5.0"},
		{name: "with a scope", messages: []string{"feat(tenant): x"}, want: "1.5.0"},
		{name: "an empty scope", messages: []string{"feat(): x"}, want: "1.5.0"},
		{name: "a scope in Japanese", messages: []string{"feat(テナント): 追加"}, want: "1.5.0"},
		{name: "whatever its case", messages: []string{"FEAT: x"}, want: "1.5.0"},
		{name: "without a space", messages: []string{"feat:x"}, want: "1.5.0"},
		{name: "not another word", messages: []string{"feature: x", "featx: y", "a feat: z"}, want: "1.4.3"},
		{name: "not in the body", messages: []string{"fix: x\n\nfeat: not this"}, want: "1.4.3"},
		{name: "breaking by !", messages: []string{"fix!: x"}, want: "2.0.0"},
		{name: "breaking by ! behind a scope", messages: []string{"chore(deps)!: x"}, want: "2.0.0"},
		{name: "breaking by a footer", messages: []string{"fix: x\n\nbody\n\nBREAKING CHANGE: y"}, want: "2.0.0"},
		{name: "with a hyphen", messages: []string{"fix: x\n\nBREAKING-CHANGE: y"}, want: "2.0.0"},
		{name: "with Windows line ends", messages: []string{"fix: x\r\n\r\nBREAKING CHANGE: y\r\n"}, want: "2.0.0"},
		{name: "among other footers", messages: []string{"fix: x\n\nReviewed-by: Z\nBREAKING CHANGE: y\nRefs: #1"}, want: "2.0.0"},
		{name: "without a type", messages: []string{"Drop Python 3.9\n\nBREAKING CHANGE: y"}, want: "2.0.0"},
		{name: "as the subject", messages: []string{"BREAKING CHANGE: y"}, want: "2.0.0"},
		{name: "not in lower case", messages: []string{"fix: x\n\nbreaking change: y"}, want: "1.4.3"},
		{name: "not in a sentence", messages: []string{"fix: x\n\nThis is no BREAKING CHANGE at all"}, want: "1.4.3"},
		{name: "whatever else", messages: []string{"docs: x", "Update requirements", "chore(deps): bump", ""}, want: "1.4.3"},
		{name: "an address is no type", messages: []string{"https://example.com!: x"}, want: "1.4.3"},
		{name: "0.x has no rule of its own", messages: []string{"feat!: x"}, from: "0.9.1", want: "1.0.0"},
		{name: "nor for features", messages: []string{"feat: x"}, from: "0.9.1", want: "0.10.0"},
		{name: "the first", messages: []string{"feat: x"}, from: "-", want: "1.0.0"},
		{name: "the first, and something is live", messages: []string{"feat: x"}, from: "-", taken: []string{"3.1.4"}, want: "3.2.0"},
		{name: "above what is live", messages: []string{"feat: x"}, taken: []string{"1.6.3", "1.4.0"}, want: "1.7.0"},
		{name: "above what is live already as that", messages: []string{"fix: x"}, taken: []string{"1.4.3"}, want: "1.4.4"},
		{name: "not above what is lower", messages: []string{"fix: x"}, taken: []string{"1.4.2"}, want: "1.4.3"},
		{name: "after a prerelease its release", messages: []string{"fix: x"}, from: "2.0.0-rc.1", want: "2.0.0"},
		{name: "also with a feature", messages: []string{"feat!: x"}, from: "2.0.0-rc.1", want: "2.0.0"},
		{name: "if that is enough", messages: []string{"feat: x"}, from: "1.4.3-rc.1", want: "1.5.0"},
		{name: "a prerelease that is live", messages: []string{"fix: x"}, taken: []string{"1.4.3-rc.1"}, want: "1.4.3"},
		{name: "a build counts for nothing", messages: []string{"fix: x"}, from: "1.4.2+5", want: "1.4.3"},
		{name: "a feature that was reverted", messages: []string{"feat: x", "fix: y", revert(1)}, want: "1.4.3"},
		{name: "and came again", messages: []string{"feat: x", "fix: y", revert(1), revert(3)}, want: "1.5.0"},
		{name: "all of it reverted", messages: []string{"feat!: x", revert(1)}, same: true, want: ""},
		{name: "all of it, and the folder is another", messages: []string{"feat!: x", revert(1)}, want: "1.4.3"},
		{name: "of what was released", messages: []string{revert(99)}, want: "1.4.3"},
		{name: "as Conventional Commits have it", messages: []string{"feat: x", "fix: y", "revert: x\n\nRefs: " + hashOf(1)[:9]}, want: "1.4.3"},
		{name: "several of them", messages: []string{"feat: x", "feat!: y", "fix: z", "revert: both\n\nRefs: " + hashOf(1) + ", " + hashOf(2)[:8]}, want: "1.4.3"},
		{name: "wrapped by hand", messages: []string{"feat: x", "fix: z", "Revert x\n\nThis reverts commit\n" + hashOf(1) + "."}, want: "1.4.3"},
		{name: "a revert that breaks", messages: []string{"feat: x", "revert!: x\n\nRefs: " + hashOf(1)}, want: "2.0.0"},
		{name: "a revert of a merge", messages: []string{"feat: x", "fix: y", "Revert \"Merge\"\n\nThis reverts commit " + hashOf(1) + ", reversing\nchanges made to " + hashOf(2) + "."}, want: "1.4.3"},
		{name: "Refs of others revert nothing", messages: []string{"feat: x", "fix: y\n\nRefs: " + hashOf(1)}, want: "1.5.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Commits: history(tt.messages...), Released: at("1.4.2", "tag"), Unchanged: tt.same}
			if tt.from != "" {
				in.Released = at(strings.TrimPrefix(tt.from, "-"), "tag")
			}
			for _, v := range tt.taken {
				in.Taken = append(in.Taken, at(v, "live"))
			}
			d := Next(in)
			got := ""
			if d.Version != nil {
				got = d.Version.String()
			}
			if got != tt.want || (got == "") != (d.Reason != "" && d.Version == nil) {
				t.Errorf("got %q (%s, %q), want %q", got, d.Level, d.Reason, tt.want)
			}
		})
	}
}

func TestWhatATagElsewhereTakes(t *testing.T) {
	in := Input{Released: at("1.4.2", "tag"), Commits: history("feat: x"), Tagged: []Known{at("1.5.0", "tag common/v1.5.0 on another branch"), at("1.5.1", "b")}}
	if d := Next(in); d.Version.String() != "1.5.2" || !strings.Contains(d.Reason, "1.5.1 is taken") {
		t.Errorf("got %s, %q", d.Version, d.Reason)
	}
}

func TestReadingACommit(t *testing.T) {
	got := Read("  Feat( api )!:  send an e-mail \n\nbody\n\nReviewed-by: Z\n")
	if diff := cmp.Diff(got, Change{Type: "feat", Scope: "api", Description: "send an e-mail", Breaking: true}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

// The promises of the package, over generated histories.
func TestTheNextVersionIsHigherThanAll(t *testing.T) {
	messages := []string{"feat: x", "fix: y", "docs!: z", "whatever", "chore: a\n\nBREAKING CHANGE: b", ""}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 12))
		version := func() string {
			v := fmt.Sprintf("%d.%d.%d", r.IntN(4), r.IntN(4), r.IntN(4))
			if r.IntN(3) == 0 {
				v += fmt.Sprintf("-rc.%d", r.IntN(3))
			}
			return v
		}
		var in Input
		if r.IntN(4) > 0 {
			in.Released = at(version(), "tag")
		}
		for range r.IntN(5) {
			in.Taken = append(in.Taken, at(version(), fmt.Sprint(r.IntN(3))))
		}
		for range r.IntN(3) {
			in.Tagged = append(in.Tagged, at(version(), fmt.Sprint(r.IntN(3))))
		}
		var list []string
		for i := range r.IntN(5) {
			m := messages[r.IntN(len(messages))]
			if i > 0 && r.IntN(4) == 0 {
				m = "Revert\n\nThis reverts commit " + hashOf(1+r.IntN(i)) + "."
			}
			list = append(list, m)
		}
		in.Commits, in.Unchanged = history(list...), r.IntN(2) == 0
		d := Next(in)
		if d.Version == nil {
			if len(list) > 0 && !(in.Unchanged && d.Level == None) || d.Reason == "" {
				t.Fatalf("seed %d: nothing for %q: %q", seed, list, d.Reason)
			}
			continue
		}
		for _, k := range append(slices.Clone(in.Taken), in.Released) {
			if k.Version != nil && !d.Version.GreaterThan(k.Version) {
				t.Fatalf("seed %d: %s is not above %s", seed, d.Version, k.Version)
			}
		}
		if d.Version.Prerelease() != "" || slices.ContainsFunc(in.Tagged, func(k Known) bool { return k.Version.Equal(d.Version) }) || len(d.Commits) != len(list) {
			t.Fatalf("seed %d: got %s", seed, d.Version)
		}
		slices.Reverse(in.Taken)
		slices.Reverse(in.Tagged)
		if again := Next(in); !again.Version.Equal(d.Version) || again.From.Where != d.From.Where {
			t.Fatalf("seed %d: %s from %s, and in another order %s from %s", seed, d.Version, d.From.Where, again.Version, again.From.Where)
		}
	}
}
