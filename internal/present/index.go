package present

import (
	"cmp"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"
)

// Index is one layer as those see it who have no rights in its accounts: a file that is
// published as it is. Its bytes depend on nothing but what it says.
type Index struct {
	FormatVersion string         `json:"format_version"`
	Layer         string         `json:"layer"` // the name in Git
	Versions      []IndexVersion `json:"versions"`
	Applied       []IndexApplied `json:"applied"`
}

// The states of a version in an index.
const (
	IndexCurrent    = "current"
	IndexDeprecated = "deprecated"
	IndexYanked     = "yanked"
)

// IndexVersion is one semantic version, or one number that has none.
type IndexVersion struct {
	Version string     `json:"version,omitempty"` // absent = nobody knows which it is
	State   string     `json:"state"`
	Reason  string     `json:"reason,omitempty"`
	Created *time.Time `json:"created,omitempty"` // when it was first published
	SHA256  string     `json:"sha256,omitempty"`  // of its content, lower-case hex; absent = not known
	// Published has where it is live.
	Published []IndexPublished `json:"published"`
}

// IndexPublished is one live number of a version.
type IndexPublished struct {
	Environment   string   `json:"environment"`
	Account       string   `json:"account"`
	Region        string   `json:"region"`
	ARN           string   `json:"arn"`
	Number        int64    `json:"number"`
	Created       string   `json:"created,omitempty"`
	Description   string   `json:"description,omitempty"`
	Runtimes      []string `json:"runtimes"`
	Architectures []string `json:"architectures"`
	Size          int64    `json:"size,omitempty"`   // of the zip, in bytes; absent = not asked
	SHA256        string   `json:"sha256,omitempty"` // of the zip, lower-case hex; absent = not asked
}

// IndexApplied is what is applied and proven in one environment and Region.
type IndexApplied struct {
	Environment string `json:"environment"`
	StandingRegion
}

// Sort puts the index into its one order: the newest version first, numbers without a
// version behind them.
func (x *Index) Sort() {
	for i := range x.Versions {
		slices.SortFunc(x.Versions[i].Published, func(a, b IndexPublished) int {
			return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Region, b.Region), cmp.Compare(b.Number, a.Number))
		})
	}
	slices.SortFunc(x.Versions, func(a, b IndexVersion) int {
		if a.Version == "" || b.Version == "" {
			return cmp.Or(cmp.Compare(b.Version, a.Version), cmp.Compare(a.Published[0].Environment, b.Published[0].Environment),
				cmp.Compare(a.Published[0].Region, b.Published[0].Region), cmp.Compare(b.Published[0].Number, a.Published[0].Number))
		}
		return cmp.Or(compareSemver(b.Version, a.Version), cmp.Compare(b.Version, a.Version))
	})
	slices.SortFunc(x.Applied, func(a, b IndexApplied) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Region, b.Region))
	})
}

func compareSemver(a, b string) int {
	x, errA := semver.StrictNewVersion(a)
	y, errB := semver.StrictNewVersion(b)
	if errA != nil || errB != nil {
		return cmp.Compare(a, b)
	}
	return x.Compare(y)
}
