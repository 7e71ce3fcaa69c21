package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/strictyaml"
)

// usageFlags say what is counted.
type usageFlags struct {
	roundFlags
	layers  []string
	period  string
	savings string
	sizes   int
}

func (a *app) usageCommand() *cobra.Command {
	var f usageFlags
	cmd := &cobra.Command{
		Use:   "usage --repo PATH|URL",
		Short: "Count who uses which layer version, how much, and what it takes",
		Long: `usage counts for each layer and version the functions that use it ($LATEST,
published versions, aliases) and what was called of them, names who is behind
and since when, by owner where the environment has an owner_tag, and shows what
zips take of the account's quota, what the plan's prunes would free and what
sharing saves. It changes nothing, neither AWS nor the store.

Calls are CloudWatch's. A function that was not called has no data, which is not
shown as 0. The average is of all invocations; p99 is the highest of any
function in any hour (of a period up to 3h: in any minute). Calls through an
alias count with the version that it leads to, calls of a version by its number
with that, and the rest with $LATEST.

With --savings, functions, size and layer it makes the guide's calculation and
asks AWS nothing; with deployments alone it makes it for the real fleet.

Exit codes: 0 all was read, 1 something could not be, which is shown as unknown
with the reason, 75 try again, 78 the desired state is invalid somewhere.`,
		Example: `  layerd usage --repo .
  layerd usage --repo . --env prod --layer 'makoto-*' --period 7d -v
  layerd usage --repo . --output csv
  layerd usage --savings functions=50,deployments=100,size=20MB,layer=15MB`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.countUsage(cmd.Context(), &f) },
	}
	f.addTo(a, cmd, "text", "json", "csv")
	verboseFlag(cmd, &f.verbose)
	fs := cmd.Flags()
	fs.StringArrayVar(&f.layers, "layer", nil, "only layers whose name matches this `GLOB` (may be repeated)")
	fs.StringVar(&f.period, "period", "24h", "how far back calls are counted, `TIME` from 1m to 455d: 3h, 24h, 7d")
	fs.StringVar(&f.savings, "savings", "", "what layers save: `KEY=VALUE,…` of functions, deployments, size, layer")
	fs.IntVar(&f.sizes, "sizes", 100, "ask AWS for the sizes of at most so `NUMBER` versions that no function has")
	// The flag exists, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("layer", a.completeFlag(offerAllLayers))
	return cmd
}

func (a *app) countUsage(ctx context.Context, f *usageFlags) error {
	fleet, err := f.fleet()
	if err != nil {
		return err
	}
	if fleet.Functions > 0 {
		return a.showSavings(f, fleet)
	}
	period, err := f.span()
	if err != nil {
		return err
	}
	r, err := a.prepare(ctx, &f.roundFlags, a.openToRead)
	if err != nil {
		return err
	}
	defer r.close()
	if err := checkLayers(r.round.Tree, f.envs, f.layers); err != nil {
		return err
	}
	report := present.UsageReport{Span: inspect.SpanOf(a.now(), period), Period: f.period, Deployments: fleet.Deployments, ASCII: !a.unicode()}
	places, result, err := r.round.Usage(ctx, round.UsageQuery{Layers: f.layers, Span: report.Span, Sizes: f.sizes, Examine: examiner(r.round)})
	r.endProgress()
	if err != nil {
		return err
	}
	for _, place := range places {
		report.Regions = append(report.Regions, present.UsageRegion{Place: place, Usage: inspect.CountUsage(place)})
	}
	report.Problems = result.Document().Problems
	for _, p := range result.Plans {
		report.Failed = append(report.Failed, slices.DeleteFunc(slices.Clone(p.Regions), func(r plan.Region) bool { return r.Failure == nil })...)
	}
	if err := a.showUsage(f, r, report); err != nil {
		return err
	}
	code := planCode(result.Report, f.envs, false)
	if report.Unread() {
		code = worst(code, exitFailed)
	}
	return exit(code)
}

// examiner returns who examines the places of a round, with its own clients: one quota has
// one spender.
func examiner(r round.Round) func(context.Context, desired.Environment) (round.Examiner, error) {
	return func(ctx context.Context, env desired.Environment) (round.Examiner, error) {
		cloud, err := r.Connect(ctx, env)
		if err != nil {
			return nil, err
		}
		return cloud.(daemon.Connection), nil // which is what Connect makes
	}
}

func (a *app) showUsage(f *usageFlags, r prepared, report present.UsageReport) error {
	switch f.output.value {
	case "json":
		return a.printJSON(present.UsageDocument(report))
	case "csv":
		for _, u := range report.Regions {
			for _, x := range u.Place.Unread {
				a.say("%s in %s is not known: %s: %s", u.Place.Plan.Want.Name, u.Place.Plan.Want.Region, x.What, x.Reason) // a table has no place for it
			}
		}
		for _, x := range report.Failed {
			a.say("%s in %s was not read: %s", x.Want.Name, x.Want.Region, x.Failure.Message)
		}
		return a.print(present.UsageCSV(report))
	}
	return a.print(present.Usage(report, a.options(&f.roundFlags, r)))
}

func (a *app) showSavings(f *usageFlags, fleet inspect.Fleet) error {
	switch f.output.value {
	case "json":
		return a.printJSON(present.SavingsDocument(fleet))
	case "csv":
		return usage("use text or json", "--output csv: a calculation is no table")
	}
	return a.print(present.Savings(fleet, present.Options{Palette: a.palette(), Width: width(a.out)}))
}

// span reads --period, and --sizes with it.
func (f *usageFlags) span() (time.Duration, error) {
	period, err := strictyaml.ParseDuration(f.period)
	switch {
	case err != nil:
		return 0, usage("write 3h, 24h or 7d", "--period: %w", err)
	case period < time.Minute || period > inspect.MostPeriod:
		return 0, usage("write 3h, 24h or 7d: CloudWatch has no sums of less than a minute, and keeps them for 455 days", "--period %s is not from 1m to 455d", f.period)
	case f.sizes < 0:
		return 0, usage("0 asks for none", "--sizes %d is negative", f.sizes)
	}
	return period, nil
}

// checkLayers refuses a glob that no layer of the environments matches: "nobody uses it"
// would be taken for an answer.
func checkLayers(t desired.Tree, envs, globs []string) error {
	var names []string
	for _, e := range t.Environments {
		for _, w := range e.Layers {
			if len(envs) == 0 || slices.Contains(envs, e.Name) {
				names = append(names, w.Name)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, glob := range globs {
		if !slices.ContainsFunc(names, func(name string) bool { return desired.Glob(glob, name) }) {
			return lacks("layers: "+cmp.Or(strings.Join(names, ", "), "none"), "no layer matches --layer %q%s", glob, didYouMean(glob, names))
		}
	}
	return nil
}

// savingsKeys are those of --savings.
func savingsKeys() []string {
	return []string{"functions", "deployments", "size", "layer"}
}

// fleet reads --savings. Without functions it is about the real fleet.
func (f *usageFlags) fleet() (fleet inspect.Fleet, err error) {
	const hint = "write functions=50,deployments=100,size=20MB,layer=15MB, or deployments=100 for the real fleet"
	if f.savings == "" {
		return fleet, nil
	}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(f.savings, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		switch {
		case !ok || !slices.Contains(savingsKeys(), key):
			return fleet, usage(hint, "--savings: no key %q%s", key, didYouMean(key, savingsKeys()))
		case seen[key]:
			return fleet, usage(hint, "--savings: %s stands there twice", key)
		}
		seen[key] = true
		switch key {
		case "functions":
			fleet.Functions, err = wholeNumber(value)
		case "deployments":
			fleet.Deployments, err = wholeNumber(value)
		case "size":
			fleet.Function, err = parseSize(value)
		default:
			fleet.Layer, err = parseSize(value)
		}
		if err != nil {
			return fleet, usage(hint, "--savings: %s: %w", key, err)
		}
	}
	whole := seen["functions"] || seen["size"] || seen["layer"]
	switch {
	case whole && !(seen["functions"] && seen["size"] && seen["layer"]):
		return fleet, usage(hint, "--savings: functions, size and layer belong together")
	case whole && fleet.Functions == 0:
		return fleet, usage(hint, "--savings: functions=0 saves nothing")
	case whole && len(f.layers)+len(f.envs) > 0:
		return fleet, usage("leave them out, or write deployments=100 alone for the real fleet", "--savings with sizes is about no real layer: --layer and --env choose nothing")
	case fleet.Layer > fleet.Function:
		return fleet, usage("size is that of a whole function, the layer in it included", "--savings: layer is more than size")
	}
	return fleet, nil
}

func wholeNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1_000_000_000 {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}

// parseSize reads 20MB, 512KB, 0.5GB or 20, which is MB as in the guide; 1 MB is
// 1,048,576 bytes, as in AWS's limits.
func parseSize(text string) (int64, error) {
	number, unit := text, int64(1<<20)
	for suffix, n := range map[string]int64{"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30} {
		for _, form := range []string{suffix, suffix[:1] + "iB"} {
			if rest, ok := strings.CutSuffix(strings.ToUpper(text), strings.ToUpper(form)); ok {
				number, unit = rest, n
			}
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(v >= 0 && v <= 1e6) { // this way round, so that NaN is refused
		return 0, fmt.Errorf("%q is not a size such as 20MB", text)
	}
	return int64(v * float64(unit)), nil
}

// unicode reports whether the terminal shows more than ASCII. Where nothing is said of it
// it does, as all else that is shown takes for granted.
func (a *app) unicode() bool {
	locale := strings.ToLower(cmp.Or(a.env("LC_ALL"), a.env("LC_CTYPE"), a.env("LANG")))
	return locale == "" || strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
}
