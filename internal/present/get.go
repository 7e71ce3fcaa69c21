package present

import (
	"slices"
	"strconv"

	"github.com/layerd/layerd/internal/foreign"
)

// Standing is what layerd get answers about one layer in one environment.
type Standing struct {
	FormatVersion string           `json:"format_version"`
	Environment   string           `json:"environment"`
	Layer         string           `json:"layer"` // the name in Git
	Regions       []StandingRegion `json:"regions"`
}

// StandingRegion is what is applied and proven in one Region. Where nothing is, ARN,
// Number, Version and SHA256 are absent and Reason is why.
type StandingRegion struct {
	Region  string `json:"region"`
	Account string `json:"account"` // the environment's
	ARN     string `json:"arn,omitempty"`
	Number  int64  `json:"number,omitempty"`
	Version string `json:"version,omitempty"` // semantic; absent = not known
	SHA256  string `json:"sha256,omitempty"`  // of the zip, lower-case hex; absent = not known
	Reason  string `json:"reason,omitempty"`
	// Coming is the number that a rollout under way brings.
	Coming int64 `json:"coming,omitempty"`
}

// The fields of a StandingRegion that a script asks for.
const (
	FieldARN     = "arn"
	FieldNumber  = "number"
	FieldVersion = "version"
	FieldSHA256  = "sha256"
)

// StandingFields are all of them.
func StandingFields() []string { return []string{FieldARN, FieldNumber, FieldVersion, FieldSHA256} }

// Field returns one of StandingFields; empty = not known.
func (r StandingRegion) Field(name string) string {
	switch name {
	case FieldARN:
		return r.ARN
	case FieldVersion:
		return r.Version
	case FieldSHA256:
		return r.SHA256
	}
	if r.Number == 0 {
		return ""
	}
	return strconv.FormatInt(r.Number, 10)
}

// Text shows the answer to a person.
func (s Standing) Text(o Options) string {
	p := &Page{Palette: o.Palette, Width: o.Width}
	for i, r := range s.Regions {
		if i > 0 {
			p.Blank()
		}
		p.Linef(0, "%s · %s · %s", p.Bold(s.Layer), s.Environment, r.Region)
		if r.Number == 0 {
			p.Linef(2, "%s", r.Reason)
			continue
		}
		fields := StandingFields()
		width := len(slices.MaxFunc(fields, func(a, b string) int { return len(a) - len(b) }))
		for _, field := range fields {
			p.Line(2, width+2, Pad(field, width)+"  "+valueOr(r.Field(field), "not known"))
		}
		if r.Coming > 0 {
			p.Linef(2, "a rollout under way brings %d", r.Coming)
		}
	}
	return p.String()
}

func valueOr(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return foreign.Clean(value)
}
