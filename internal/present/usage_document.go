package present

import (
	"encoding/csv"
	"math"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
)

// usageView is the JSON of layerd usage. What is not known is null or absent, and never 0.
type usageView struct {
	FormatVersion string            `json:"format_version"`
	From          string            `json:"from"`
	To            string            `json:"to"`
	Environments  []usageRegionView `json:"environments"`
	Problems      []desired.Problem `json:"problems"`
}

type usageRegionView struct {
	Environment string           `json:"environment"`
	Account     string           `json:"account"`
	Region      string           `json:"region"`
	OwnerTag    string           `json:"owner_tag,omitempty"`
	Layers      []usageLayerView `json:"layers"`
	Uses        []useView        `json:"uses"`
	Behind      []behindView     `json:"behind"`
	Owners      []ownerView      `json:"owners"`
	Storage     *storageView     `json:"storage,omitempty"`
	Unread      []inspect.Unread `json:"unread"`
	Error       *plan.ErrorView  `json:"error,omitempty"`
}

type totalView struct {
	Functions int          `json:"functions"`
	Latest    int          `json:"latest"`
	Published int          `json:"published"`
	Aliases   int          `json:"aliases"`
	Traffic   *trafficView `json:"traffic"`  // null = not measured, or no data came
	Complete  bool         `json:"complete"` // false: something of the traffic could not be read
}

type trafficView struct {
	Invocations int64    `json:"invocations"`
	Errors      int64    `json:"errors"`
	Throttles   int64    `json:"throttles"`
	AverageMS   *float64 `json:"average_ms"`
	P99MS       *float64 `json:"p99_ms"`
}

type usageLayerView struct {
	Layer    string             `json:"layer"`
	ARN      string             `json:"arn"`
	Wanted   string             `json:"wanted"`
	Behind   int                `json:"behind"`
	Versions []usageVersionView `json:"versions"`
	totalView
}

type usageVersionView struct {
	Number     int64  `json:"number"`
	Version    string `json:"version,omitempty"`
	Live       bool   `json:"live"`
	Wanted     bool   `json:"wanted"`
	CreatedAt  string `json:"created_at,omitempty"`
	Yanked     string `json:"yanked,omitempty"`
	Deprecated string `json:"deprecated,omitempty"`
	SizeBytes  *int64 `json:"size_bytes"`
	Prune      bool   `json:"prune"`
	Kept       string `json:"kept,omitempty"` // why it is not pruned: with whom it is shared
	totalView
}

type useView struct {
	Layer           string       `json:"layer"`
	Number          int64        `json:"number"`
	Function        string       `json:"function"`
	Kind            string       `json:"kind"`
	Qualifier       string       `json:"qualifier"`
	FunctionVersion string       `json:"function_version"`
	Share           float64      `json:"share"`
	Owner           string       `json:"owner,omitempty"`
	Traffic         *trafficView `json:"traffic"`
	Complete        bool         `json:"complete"`
}

type behindView struct {
	Layer     string `json:"layer"`
	Function  string `json:"function"`
	Qualifier string `json:"qualifier"`
	Owner     string `json:"owner,omitempty"`
	Have      string `json:"have"`
	Want      string `json:"want"`
	Pinned    bool   `json:"pinned"`
	Since     string `json:"since,omitempty"`
	SinceOf   string `json:"since_of,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

type ownerView struct {
	Owner  string `json:"owner"` // empty: no tag
	Behind int    `json:"behind"`
	totalView
}

type storageView struct {
	UsedBytes     *int64       `json:"used_bytes"`
	LimitBytes    *int64       `json:"limit_bytes"`
	UnzippedBytes *int64       `json:"unzipped_limit_bytes"`
	LayerBytes    int64        `json:"layer_bytes"`
	Unknown       int          `json:"unknown_sizes"`
	Prunes        int          `json:"prunes"`
	PruneBytes    int64        `json:"prune_bytes"`
	PruneUnknown  int          `json:"prune_unknown_sizes"`
	Shares        int          `json:"kept_shared"`
	SharedBytes   int64        `json:"kept_shared_bytes"`
	Savings       *savingsView `json:"savings"`
}

type savingsView struct {
	Functions int      `json:"functions"`
	Unknown   int      `json:"unknown_sizes"`
	WithoutGB float64  `json:"without_gb"`
	WithGB    float64  `json:"with_gb"`
	USD       float64  `json:"usd_per_month"`
	Percent   float64  `json:"percent"`
	Minutes   *float64 `json:"deployment_minutes_per_month"`
}

// UsageDocument returns a report for other programs.
func UsageDocument(r UsageReport) any {
	v := usageView{FormatVersion: "1", From: plan.Timestamp(r.Span.From), To: plan.Timestamp(r.Span.To), Environments: []usageRegionView{}, Problems: append([]desired.Problem{}, r.Problems...)}
	for _, u := range r.Regions {
		v.Environments = append(v.Environments, r.view(u))
	}
	for _, f := range r.Failed {
		v.Environments = append(v.Environments, usageRegionView{
			Environment: f.Want.Name, Account: f.Want.Account, Region: f.Want.Region, OwnerTag: f.Want.OwnerTag,
			Layers: []usageLayerView{}, Uses: []useView{}, Behind: []behindView{}, Owners: []ownerView{}, Unread: []inspect.Unread{},
			Error: &plan.ErrorView{Code: f.Failure.Code, Message: f.Failure.Message, Retryable: f.Failure.Retryable},
		})
	}
	return v
}

func (r UsageReport) view(u UsageRegion) usageRegionView {
	want, measured := u.Place.Plan.Want, u.Place.Calls != nil
	v := usageRegionView{
		Environment: want.Name, Account: want.Account, Region: want.Region, OwnerTag: want.OwnerTag, Storage: r.storageView(u.Usage.Storage),
		Layers: []usageLayerView{}, Uses: []useView{}, Owners: []ownerView{}, Unread: append([]inspect.Unread{}, u.Place.Unread...),
	}
	names := map[string]string{}
	for _, l := range u.Usage.Layers {
		names[string(l.ARN)] = l.Name
		layer := usageLayerView{Layer: l.Name, ARN: string(l.ARN), Wanted: l.Wanted, Behind: l.Behind, Versions: []usageVersionView{}, totalView: viewTotal(l.Total, measured)}
		for _, x := range l.Versions {
			layer.Versions = append(layer.Versions, usageVersionView{
				Number: x.Number, Version: x.Version, Live: x.Live, Wanted: x.Wanted, CreatedAt: plan.Timestamp(x.Created), Yanked: x.Yanked,
				Deprecated: x.Deprecated, SizeBytes: nonzero(x.Size), Prune: x.Prune, Kept: x.Kept, totalView: viewTotal(x.Total, measured),
			})
		}
		v.Layers = append(v.Layers, layer)
	}
	for _, x := range u.Usage.Uses {
		traffic, complete := viewTraffic(x.Traffic, measured)
		v.Uses = append(v.Uses, useView{names[string(x.Layer)], x.Number, x.Function, x.Kind, x.Qualifier, x.Version, x.Share, x.Owner, traffic, complete})
	}
	v.Behind = plan.Views(u.Usage.Behind, func(b inspect.Behind) behindView {
		return behindView{b.Layer, b.Function, b.Qualifier, b.Owner, b.Have, b.Want, b.Pinned, plan.Timestamp(b.Since), b.SinceOf, b.Reason}
	})
	for _, o := range u.Usage.Owners {
		v.Owners = append(v.Owners, ownerView{o.Owner, o.Behind, viewTotal(o.Total, measured)})
	}
	return v
}

func viewTotal(t inspect.Total, measured bool) totalView {
	traffic, complete := viewTraffic(t.Traffic, measured)
	return totalView{t.Functions, t.Latest, t.Published, t.Aliases, traffic, complete}
}

func viewTraffic(t inspect.Traffic, measured bool) (v *trafficView, complete bool) {
	if !measured || !t.Known {
		return nil, measured && !t.Unread
	}
	v = &trafficView{Invocations: t.Invocations, Errors: t.Errors, Throttles: t.Throttles}
	if ms, ok := t.Average(); ok {
		v.AverageMS = rounded(ms)
	}
	if t.P99 > 0 {
		v.P99MS = rounded(t.P99)
	}
	return v, !t.Unread
}

// rounded returns milliseconds to the hundredth: AWS bills them whole.
func rounded(ms float64) *float64 {
	ms = math.Round(ms*100) / 100
	return &ms
}

// nonzero returns a number of which 0 means that it is not known.
func nonzero(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

func (r UsageReport) storageView(s inspect.Storage) *storageView {
	v := &storageView{LayerBytes: s.Layers, Unknown: s.Unknown, Prunes: s.Prunes, PruneBytes: s.Prune, PruneUnknown: s.PruneUnknown, Shares: s.Shares, SharedBytes: s.Shared}
	if q := s.Quota; q != nil {
		v.UsedBytes, v.LimitBytes, v.UnzippedBytes = &q.Used, nonzero(q.Limit), nonzero(q.Unzipped)
	}
	if s.SavedFunctions > s.SavedUnknown {
		x := savingsOf(s.Saved, r.Deployments)
		x.Functions, x.Unknown = s.SavedFunctions, s.SavedUnknown
		v.Savings = &x
	}
	return v
}

func savingsOf(s inspect.Savings, deployments int) savingsView {
	v := savingsView{WithoutGB: s.Without, WithGB: s.With, USD: s.Dollars, Percent: s.Percent}
	if deployments > 0 {
		minutes := s.Minutes(deployments)
		v.Minutes = &minutes
	}
	return v
}

// SavingsDocument returns the guide's calculation for other programs.
func SavingsDocument(f inspect.Fleet) any {
	v := savingsOf(f.Savings(), f.Deployments)
	v.Functions = f.Functions
	return struct {
		FormatVersion string      `json:"format_version"`
		Savings       savingsView `json:"savings"`
	}{"1", v}
}

// UsageCSV returns a row for each way in which a function uses a version of a layer. An
// empty cell of what was called is no data, or not known: complete tells which.
func UsageCSV(r UsageReport) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	rows := [][]string{{"environment", "account", "region", "layer", "number", "version", "function", "kind", "qualifier", "function_version", "share", "owner",
		"wanted", "behind_since", "invocations", "errors", "throttles", "average_ms", "p99_ms", "complete", "size_bytes", "yanked", "deprecated"}}
	for _, u := range r.Regions {
		rows = append(rows, r.csvRows(u)...)
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = foreign.Cell(cell)
		}
		_ = w.Write(row) // a builder never fails
	}
	w.Flush()
	return b.String()
}

func (r UsageReport) csvRows(u UsageRegion) (rows [][]string) {
	want, measured := u.Place.Plan.Want, u.Place.Calls != nil
	versions := map[string]map[int64]inspect.VersionUsage{}
	layers := map[string]inspect.LayerUsage{}
	for _, l := range u.Usage.Layers {
		layers[string(l.ARN)], versions[string(l.ARN)] = l, map[int64]inspect.VersionUsage{}
		for _, v := range l.Versions {
			versions[string(l.ARN)][v.Number] = v
		}
	}
	behind := map[[3]string]inspect.Behind{}
	for _, b := range u.Usage.Behind {
		behind[[3]string{b.Layer, b.Function, b.Qualifier}] = b
	}
	for _, x := range u.Usage.Uses {
		l := layers[string(x.Layer)]
		v, late := versions[string(x.Layer)][x.Number], behind[[3]string{l.Name, x.Function, x.Qualifier}]
		row := []string{want.Name, want.Account, want.Region, l.Name, number(x.Number), v.Version, x.Function, x.Kind, x.Qualifier, x.Version,
			strconv.FormatFloat(x.Share, 'f', -1, 64), x.Owner, late.Want, plan.Timestamp(late.Since)}
		traffic, complete := viewTraffic(x.Traffic, measured)
		cells := []string{"", "", "", "", ""}
		if traffic != nil {
			cells = []string{count(traffic.Invocations), count(traffic.Errors), count(traffic.Throttles), decimal(traffic.AverageMS), decimal(traffic.P99MS)}
		}
		row = append(append(row, cells...), strconv.FormatBool(complete), number(v.Size), v.Yanked, v.Deprecated)
		rows = append(rows, row)
	}
	return rows
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func decimal(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}
