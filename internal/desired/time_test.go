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

	"github.com/layerd/layerd/internal/nightly"
)

// anyTime writes a repository with all that has to do with time: windows, cutoffs,
// freezes of every kind and length, in one environment and for all, and overrides.
func anyTime(r *rand.Rand) fstest.MapFS {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	date := func(from int) string {
		return time.Date(2024+r.IntN(from), time.Month(1+r.IntN(12)), 1+r.IntN(31), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	}
	freezes := func() string {
		var list []string
		for range r.IntN(3) {
			from := date(4)
			year := from[:4]
			list = append(list, pick("{from: "+from+", until: "+date(30), "{from: "+from+" 18:00, until: 2099-12-31", "{from: "+from+"T18:00+09:00, until: 9999-12-31", "{from: "+from+", until: 2060-02-29T09:00Z",
				"{from: 12-20, until: 01-05, every: year", "{from: "+year+"-03-01, until: "+year+"-03-20, every: year", "{from: "+from+", until: 2058-01-01", "{from: "+year+"-01-01, until: "+year+"-12-30, every: year")+", reason: x}")
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	zone := func() string {
		return pick("UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia")
	}
	files := fstest.MapFS{"layerd.yaml": {Data: fmt.Appendf(nil, "timezone: %s\nfreezes: %s\n", zone(), freezes())}}
	for _, name := range []string{"a", "b"} {
		windows := pick(`"Saturday 02:00-06:00"`, `"first Saturday 22:00-04:00"`, `["Sat 22:00-24:00", "Sun 00:00-00:30"]`, `{cron: "0 2 29 2 *", duration: 1h}`, `{cron: "0 2 * 2 SAT#5", duration: 1h}`, `"fifth Monday 02:00-03:00"`, `{cron: "7 * * * *", duration: 1m}`, `"daily 00:00-24:00"`)
		files["environments/"+name+".yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil, "account: \"%012d\"\nregion: us-east-1\ntimezone: %s\nchange_window: %s\ncutoff: %s\nfreezes: %s\noverrides: [{layers: [l], ignore: [window], until: %s, reason: x}]\nlayers: {l: {version: 1, functions: [f]}}\n",
			len(files), zone(), windows, pick("0", "0", "0", "0", "30m", "2m", "3h", "400d"), freezes(), date(6))}
	}
	return files
}

// O5, R3: one commit means one thing at any time: no file becomes invalid, or valid
// again, by the clock alone, whatever it has of windows, freezes and overrides.
func TestO5OneCommitMeansOneThingAtAnyTime(t *testing.T) {
	nightly.NotShort(t, "it reads files one after the other")
	instants := []time.Time{now(), time.Date(2037, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC), time.Date(2096, 2, 29, 12, 0, 0, 0, time.UTC), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9998, 12, 31, 0, 0, 0, 0, time.UTC)}
	valid, invalid, seeds := 0, 0, uint64(10)
	if nightly.On() {
		seeds = 200
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 5))
		files := anyTime(r)
		at := slices.Clone(instants)
		for range 3 {
			at = append(at, time.Date(2024+r.IntN(30), time.Month(1+r.IntN(12)), 1+r.IntN(31), r.IntN(24), r.IntN(60), 0, 0, time.UTC))
		}
		meaning := func(now time.Time) []string {
			tree := Load(files, Options{Now: now})
			var list []string
			for _, p := range tree.Problems {
				if p.Severity == Error {
					list = append(list, p.Brief()+" ("+p.Code+") "+p.Suggestion)
				}
			}
			for _, e := range tree.Environments {
				list = append(list, fmt.Sprintf("%s %v %v %s", e.Name, e.Calendar.Windows, e.Calendar.Freezes, e.Calendar.Cutoff))
			}
			return list
		}
		want := meaning(at[0])
		if tree := Load(files, Options{Now: at[0]}); Errors(tree.Problems) {
			invalid++
		} else {
			valid++
		}
		for _, now := range at[1:] {
			if diff := cmp.Diff(meaning(now), want); diff != "" {
				t.Fatalf("seed %d at %s and at %s (-have +want):\n%s\n%s\n%s", seed, now, at[0], diff, files["layerd.yaml"].Data, files["environments/a.yaml"].Data)
			}
		}
	}
	if valid < 2 || invalid < 2 {
		t.Errorf("%d valid and %d invalid repositories prove little", valid, invalid)
	}
}

// R3: a freeze lasts as long as it says, in every file, whenever it is read.
func TestR3AFreezeMayLastAsLongAsItSays(t *testing.T) {
	for _, until := range []string{"2036-12-20", "2037-01-01", "2099-12-31", "2999-12-31", "9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31 23:59", "9999-12-31T23:59+09:00"} {
		freeze := "freezes: [{from: 2026-12-20, until: " + until + ", reason: moved}]\n"
		for _, files := range []fstest.MapFS{only(account + freeze), {"layerd.yaml": {Data: []byte(freeze)}, "environments/dev.yaml": {Data: []byte(account)}}} {
			for _, at := range []time.Time{now(), time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC), time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)} {
				tree := Load(files, Options{Now: at})
				if Errors(tree.Problems) || len(tree.Environments) != 1 {
					t.Errorf("until %s at %s: %v", until, at, tree.Problems)
					continue
				}
				over := !at.Before(tree.Environments[0].Calendar.Freezes[0].Until)
				frozen := tree.Environments[0].Calendar.At(at).Frozen
				if want := !over && !at.Before(tree.Environments[0].Calendar.Freezes[0].From); frozen != want {
					t.Errorf("until %s at %s: frozen is %v", until, at, frozen)
				}
			}
		}
	}
}
