package round_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
)

// fleetVar is how many functions there are in the fleet; 250 by default, and
// 1,000 in make bench.
const fleetVar = "LAYERD_FLEET"

// TestFleetIsChangedAtTheRateThatIsAllowed gives a layer to a fleet in waves, at
// two rates, with and without an alias. All time is virtual. From the first to
// the last write of a wave the account is asked for nearly as much as is
// allowed: nothing waits for a slot, for an update to settle or for a read.
func TestFleetIsChangedAtTheRateThatIsAllowed(t *testing.T) {
	if testing.Short() {
		t.Skip("four fleets")
	}
	functions := 250
	if v := os.Getenv(fleetVar); v != "" {
		var err error
		if functions, err = strconv.Atoi(v); err != nil || functions < 200 {
			t.Fatalf("%s is %q, and should be a number from 200", fleetVar, v)
		}
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "requests/s\talias\twave\tfunctions\tcalls\tseconds\tof what is allowed\t")
	t.Cleanup(func() {
		_ = w.Flush()
		t.Logf("\n%s", &table)
	})
	for _, perSecond := range []float64{5, 14} {
		for _, alias := range []bool{false, true} {
			t.Run(fmt.Sprintf("%.0f requests a second, alias %t", perSecond, alias), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { fleet(t, w, functions, perSecond, alias) })
			})
		}
	}
}

func fleet(t *testing.T, w *tabwriter.Writer, functions int, perSecond float64, alias bool) {
	const bake = 2 * time.Minute
	f := newFixture(t, functions, awssim.Options{Settle: 2 * time.Second})
	f.aws.RequestsPerSecond = perSecond
	f.spreads(func(e *desired.Environment) {
		e.Rollout = desired.Rollout{Waves: waves(10, 0.1, 0.5), Bake: bake}
	})
	writes := 1.0
	if alias {
		writes = 3
		f.tree.Environments[0].Alias = "live"
		for i := range functions {
			name := fmt.Sprintf("makoto-%04d", i)
			f.world.PutAlias(awssim.Alias{Function: name, Name: "live", Version: f.world.PutVersion(name)})
		}
	}
	began := time.Now()
	if r := f.through(t); statuses(r)[plan.StatusApplied] < functions || len(f.behind(5)) != 0 {
		t.Fatalf("results %v", statuses(r))
	}
	took := time.Since(began) - 4*bake
	var spans []*span
	var all []time.Time
	for _, c := range f.world.Calls() {
		if c.Service != "lambda" || c.Operation == "GetFunction" {
			continue
		}
		all = append(all, c.Time)
		if !c.Write {
			continue
		}
		if len(spans) == 0 || c.Time.Sub(spans[len(spans)-1].to) > bake/2 {
			spans = append(spans, &span{from: c.Time})
		}
		s := spans[len(spans)-1]
		s.to = c.Time
		if c.Operation == "UpdateFunctionConfiguration" {
			s.functions++
		}
	}
	if len(spans) != 4 {
		t.Fatalf("%d waves", len(spans))
	}
	// Before the first write and between two waves AWS is looked at: the shared
	// calls, and with an alias what each function serves.
	looks := spans[0].from.Sub(began)
	for i, s := range spans {
		if i > 0 {
			looks += s.from.Sub(spans[i-1].to) - bake
		}
		from, _ := slices.BinarySearchFunc(all, s.from, time.Time.Compare)
		to, _ := slices.BinarySearchFunc(all, s.to, time.Time.Compare)
		seconds := s.to.Sub(s.from).Seconds()
		share := float64(to-from) / seconds / perSecond
		_, _ = fmt.Fprintf(w, "%.0f\t%t\t%d\t%d\t%d\t%.1f\t%.1f %%\t\n", perSecond, alias, i+1, s.functions, to-from, seconds, 100*share)
		// A wave of ten is through before the first of them has settled.
		if s.functions >= 90 && share < 0.95 {
			t.Errorf("%.0f requests/s, alias %t: wave %d of %d functions used %.1f %% of what is allowed", perSecond, alias, i+1, s.functions, 100*share)
		}
	}
	most := 1.1 * max(writes*float64(functions)/perSecond, 5*float64(functions)/f.aws.GetFunctionPerSecond)
	_, _ = fmt.Fprintf(w, "%.0f\t%t\tall\t%d\t%d\t%.1f\tat most %.1f, and looks of %.1f\t\n", perSecond, alias, functions, len(all), took.Seconds(), most, looks.Seconds())
	if took-looks > time.Duration(most*float64(time.Second)) {
		t.Errorf("%.0f requests/s, alias %t: took %s beside its bakes and %s of looks, at most %.0f s are allowed", perSecond, alias, took, looks, most)
	}
}

// span is a wave as AWS sees it.
type span struct {
	from, to  time.Time // of its first and its last write
	functions int
}
