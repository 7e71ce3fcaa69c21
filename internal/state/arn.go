package state

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/layerd/layerd/internal/words"
)

// LayerARN names a layer without a version, for example
// arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod.
// It is comparable and safe as a map key.
type LayerARN string

// LayerVersionARN names one version of a layer: a LayerARN, a colon and a
// decimal number.
type LayerVersionARN string

// NewLayerARN builds the ARN of the layer name in one account and Region.
func NewLayerARN(partition, region, account, name string) LayerARN {
	return LayerARN("arn:" + partition + ":lambda:" + region + ":" + account + ":layer:" + name)
}

// Version returns the ARN of version n of the layer.
func (a LayerARN) Version(n int64) LayerVersionARN {
	return LayerVersionARN(string(a) + ":" + strconv.FormatInt(n, 10))
}

// part returns the i-th colon-separated field, or "" when there are fewer.
func (a LayerARN) part(i int) string {
	fields := strings.SplitN(string(a), ":", 7)
	if i >= len(fields) {
		return ""
	}
	return fields[i]
}

// Region returns the Region field; empty for AWS's own old-form layers
// (arn:aws:lambda:::awslayer:AmazonLinux1803).
func (a LayerARN) Region() string { return a.part(3) }

// Account returns the owning account; empty for AWS's own old-form layers.
func (a LayerARN) Account() string { return a.part(4) }

// Name returns the layer's name.
func (a LayerARN) Name() string { return a.part(6) }

// ParseLayerARN checks that s is a layer ARN without a version.
func ParseLayerARN(s string) (LayerARN, error) {
	fields := strings.Split(s, ":")
	if len(fields) == 8 && isNumber(fields[7]) {
		return "", fmt.Errorf("layer ARN %q ends in a version number", s)
	}
	if !isLayerARN(s) {
		return "", fmt.Errorf("%q is not a layer ARN (arn:PARTITION:lambda:REGION:ACCOUNT:layer:NAME)", s)
	}
	return LayerARN(s), nil
}

// Split parses a layer version ARN into the layer and the number. ok is false
// when the text has another shape; AWS's own old form has no number and is not
// ok, so that such an entry is kept as it is and never taken for one of ours.
func (v LayerVersionARN) Split() (layer LayerARN, number int64, ok bool) {
	s := string(v)
	i := strings.LastIndexByte(s, ':')
	if i < 0 || !isNumber(s[i+1:]) || !isLayerARN(s[:i]) {
		return "", 0, false
	}
	n, err := strconv.ParseInt(s[i+1:], 10, 64)
	if err != nil {
		return "", 0, false
	}
	return LayerARN(s[:i]), n, true
}

// isLayerARN reports whether s has the seven fields of a layer ARN. It is called
// for every entry of every function and does not allocate.
func isLayerARN(s string) bool {
	for field := range 6 {
		i := strings.IndexByte(s, ':')
		if i < 0 {
			return false
		}
		switch part := s[:i]; {
		case field == 0 && part != "arn",
			field == 2 && part != "lambda",
			field == 5 && part != "layer" && part != "awslayer":
			return false
		}
		s = s[i+1:]
	}
	return s != "" && strings.IndexByte(s, ':') < 0
}

// Of reports whether v is a version of layer. It compares whole names, so that
// foo is not found in foobar, and it does not allocate: it is asked for every
// entry of every function.
func (v LayerVersionARN) Of(layer LayerARN) bool {
	n := len(layer)
	return n > 0 && len(v) > n+1 && v[n] == ':' && string(v[:n]) == string(layer) && isNumber(string(v[n+1:]))
}

// Layer returns the layer of a version ARN, or "" when the text has another
// shape.
func (v LayerVersionARN) Layer() LayerARN {
	l, _, _ := v.Split()
	return l
}

// Number returns the version number, or 0 when the text has another shape; AWS
// numbers versions from 1.
func (v LayerVersionARN) Number() int64 {
	_, n, _ := v.Split()
	return n
}

// Label returns the version as people compare it, see words.Version: "new (1.4.2)" while
// it has no number; what has another shape as it stands.
func (v LayerVersionARN) Label(semver string) string {
	n := v.Number()
	if n == 0 && v.Content() != "" {
		return words.NewVersion(semver)
	}
	if n == 0 && v != "" {
		return string(v)
	}
	return words.Version(n, semver)
}

func isNumber(s string) bool {
	if s == "" || len(s) > 18 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s[0] != '0'
}

// PartitionOf returns the AWS partition of a Region by its prefix, from the
// SDK's own table: cn-, us-gov-, eusc-, us-iso… and aws for
// all else.
func PartitionOf(region string) string {
	for _, p := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"eusc-", "aws-eusc"},
		{"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"},
		{"eu-isoe-", "aws-iso-e"},
		{"us-iso-", "aws-iso"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}
