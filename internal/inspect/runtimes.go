package inspect

import (
	"fmt"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
)

// lifetime is when AWS stops caring for a runtime, and when it takes no more updates of
// functions with it. A zero date is not known.
type lifetime struct{ deprecated, frozen time.Time }

func day(text string) time.Time {
	t, _ := time.Parse(time.DateOnly, text) // literals of the table, and "" for what is not known
	return t
}

// lifetimes is dated data: of 2026-08-22 (AWS.md section 1.12). The truth is what AWS
// answers, so that nothing is refused by it.
var lifetimes = func() map[string]lifetime {
	all := map[string]lifetime{}
	for _, row := range []struct{ names, deprecated, frozen string }{
		{"go1.x java8 provided nodejs14.x python3.7 ruby2.7", "2024-01-08", "2027-03-03"},
		{"nodejs16.x nodejs18.x nodejs20.x python3.8 python3.9 dotnet6 ruby3.2", "2026-04-30", "2027-03-03"},
		{"provided.al2", "2026-07-31", "2027-03-03"},
		{"python3.10", "2026-10-31", "2027-03-03"},
		{"dotnet8", "2026-11-10", "2027-03-03"},
		{"ruby3.3", "2027-03-31", "2027-05-31"},
		{"nodejs22.x", "2027-04-30", "2027-07-01"},
		{"java8.al2 java11 java17 python3.11", "2027-06-30", "2027-08-31"},
		{"ruby3.4", "2028-03-31", "2028-05-31"},
		{"nodejs24.x", "2028-04-30", "2028-07-01"},
		{"python3.12", "2028-10-31", "2029-01-10"},
		{"dotnet10", "2028-11-14", "2029-01-15"},
		{"ruby4.0", "2029-03-31", "2029-05-31"},
		{"python3.13 python3.14 java21 java25 provided.al2023", "2029-06-30", "2029-08-31"},
		{"python3.15 nodejs26.x java8.al2023 java11.al2023 java17.al2023", "", ""},
	} {
		for name := range strings.FieldsSeq(row.names) {
			all[name] = lifetime{day(row.deprecated), day(row.frozen)}
		}
	}
	return all
}()

// soon is how long ahead of its date a runtime is spoken of.
const soon = 180 * 24 * time.Hour

func (x *exam) runtime() {
	f := x.Function
	l, known := lifetimes[f.Runtime]
	show := x.aws("get-function-configuration", "--function-name", f.Name, "--query", "Runtime")
	advice := "move the function to a newer runtime, and build its layers for both until all have moved"
	switch {
	case f.Runtime == state.CustomRuntime:
		x.add(Finding{Code: "runtime_unknown", Severity: Note, Subject: f.Name,
			Command: x.aws("get-function-configuration", "--function-name", f.Name, "--query", "[Runtime,RuntimeConfig]"),
			Message: "its runtime is customer-managed, which names no language: what its layers need was not judged",
			Advice:  "its publisher can change it under the function at any time, and knows what is in it"})
	case !known:
		x.add(Finding{Code: "runtime_unknown", Severity: Note, Subject: f.Name, Command: show,
			Message: fmt.Sprintf("nothing is known of the runtime %q: what its layers need was not judged", f.Runtime)})
	case !l.frozen.IsZero() && !x.Now.Before(l.frozen):
		x.add(Finding{Code: "runtime_frozen", Severity: Warning, Subject: f.Name, Command: show, Advice: advice,
			Message:  fmt.Sprintf("AWS takes no updates of functions with %s since %s: its layers may be stuck", f.Runtime, l.frozen.Format(time.DateOnly)),
			Evidence: []string{datedBy}})
	case !l.deprecated.IsZero() && !x.Now.Before(l.deprecated.Add(-soon)):
		verb := "ends"
		if !x.Now.Before(l.deprecated) {
			verb = "ended"
		}
		x.add(Finding{Code: "runtime_deprecated", Severity: Warning, Subject: f.Name, Command: show, Advice: advice,
			Message:  fmt.Sprintf("%s %s on or before %s, and takes no updates from %s", f.Runtime, verb, l.deprecated.Format(time.DateOnly), l.frozen.Format(time.DateOnly)),
			Evidence: []string{datedBy}})
	}
}

const datedBy = "AWS's dates as of 2026-08-22; AWS's own answer decides"
