package present

import (
	"fmt"

	"github.com/layerd/layerd/internal/foreign"
)

// Publication is what layerd publish answers about one version of a layer in one
// environment.
type Publication struct {
	FormatVersion string              `json:"format_version"`
	Environment   string              `json:"environment"`
	Layer         string              `json:"layer"`   // the name in Git
	Version       string              `json:"version"` // semantic
	Regions       []PublicationRegion `json:"regions"`
}

// The statuses of a PublicationRegion.
const (
	PublishedNow     = "published" // by this run
	PublishedBefore  = "present"   // it was there
	PublishedPlanned = "planned"   // of a dry run
	PublishedHeld    = "held"
	PublishedFailed  = "failed"
)

// PublicationRegion is what became of it in one Region. Where there is no version, ARN and
// Number are absent, and Reason is why.
type PublicationRegion struct {
	Region   string `json:"region"`
	Account  string `json:"account"`
	Status   string `json:"status"`
	ARN      string `json:"arn,omitempty"`
	Number   int64  `json:"number,omitempty"`
	SHA256   string `json:"sha256,omitempty"` // of the zip, lower-case hex; absent = not known
	Artifact string `json:"artifact,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// Text shows the answer to a person.
func (p Publication) Text(o Options) string {
	pg := &Page{Palette: o.Palette, Width: o.Width}
	for _, r := range p.Regions {
		mark, what := foreign.Styled("·"), ""
		switch r.Status {
		case PublishedNow:
			mark, what = pg.Good("✓"), fmt.Sprintf("published as version %d", r.Number)
		case PublishedBefore:
			mark, what = pg.Good("✓"), fmt.Sprintf("is version %d already", r.Number)
		case PublishedPlanned:
			what = "would be published"
		case PublishedHeld:
			mark, what = pg.Warn("!"), "waits: "+r.Reason
		default:
			mark, what = pg.Bad("✗"), "not published: "+r.Reason
		}
		pg.Hangf(0, 2, "%s %s %s in %s · %s  %s", mark, p.Layer, p.Version, p.Environment, r.Region, what)
		if r.ARN != "" {
			pg.Copy(2, r.ARN)
		}
		if r.SHA256 != "" && r.Artifact != "" {
			pg.Linef(2, "%s", pg.Faint(fmt.Sprintf("sha256:%.12s from %s", r.SHA256, r.Artifact)))
		}
	}
	return pg.String()
}
