package round

import (
	"cmp"
	"context"
	"fmt"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

// fewPackages is how many packages a note names.
const fewPackages = 12

// inside notes which packages change where a layer goes from one version to another, if
// it is known already what is in both: of an archive that is to be published since it was
// looked into, of what was published from one by its content, and of others since layerd
// find and diff remember what they read. No archive is read for it.
func (p *Run) inside(ctx context.Context, planned *plan.Plan) {
	memory := &inspect.Memory{Store: p.Store, Log: p.Log}
	type move struct{ from, to state.LayerVersionARN }
	for i := range planned.Regions {
		r := &planned.Regions[i]
		seen := map[move]bool{}
		for _, s := range r.Steps {
			m := move{s.From, s.To}
			if m.from == m.to || m.from == "" || m.to == "" || seen[m] {
				continue
			}
			seen[m] = true
			was, ok := p.contentsOf(ctx, memory, r.Want, s.Layer, m.from)
			if !ok {
				continue
			}
			will, ok := p.contentsOf(ctx, memory, r.Want, s.Layer, m.to)
			if !ok {
				continue
			}
			r.Notes = append(r.Notes, plan.Note{Code: "packages_change", Message: fmt.Sprintf("%s %s → %s: %s",
				s.Layer, m.from.Label(s.FromVersion), m.to.Label(s.ToVersion), packagesChange(was, will))})
		}
	}
}

// contentsOf returns what is known of a version of a layer: by its number, or by the
// content that its archive has, or had when it was published.
func (p *Run) contentsOf(ctx context.Context, memory *inspect.Memory, e desired.Environment, layer string, v state.LayerVersionARN) (inspect.Contents, bool) {
	if c, ok := memory.Get(ctx, v); ok {
		return c, true
	}
	content := cmp.Or(v.Content(), p.publishedAs(ctx, e, layer, v))
	if p.Artifacts == nil {
		return memory.GetArchive(ctx, content)
	}
	return p.Artifacts.Inside(ctx, content)
}

// publishedAs returns the SHA-256 of the zip that layerd published as a live version;
// empty where somebody else did, or nobody knows. What a version is for all accounts is
// not enough: another may have published other bytes here, under the same name.
func (p *Run) publishedAs(ctx context.Context, e desired.Environment, layer string, v state.LayerVersionARN) string {
	arn, number, ok := v.Split()
	at := p.seenFor(e)
	if !ok || at == nil || at.snapshot() == nil || p.log == nil {
		return ""
	}
	live, _ := at.snapshot().Layer(arn)
	version, _ := live.Version(number)
	stamp, ok := catalog.ReadStamp(version.Description)
	if !ok {
		return ""
	}
	semver := stamp.Version.String()
	fixed, err := p.log.Published(ctx, layer, semver)
	if err != nil {
		p.Log.Debug("content of a version not read", "layer", layer, "version", semver, "err", err)
	}
	if !stamp.Is(fixed[semver]) {
		return ""
	}
	return fixed[semver]
}

func packagesChange(was, will inspect.Contents) string {
	text := "no package is another"
	if changes := inspect.ComparePackages(was, will); len(changes) > 0 {
		text = inspect.Line(changes, fewPackages)
	}
	if len(was.Doubts)+len(will.Doubts)+len(was.Bare)+len(will.Bare) > 0 {
		text += "; not all that is in them is known"
	}
	return text
}
