package state

import (
	"strings"
	"testing"
)

const commonARN = LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod")

func TestLayerVersionARNSplit(t *testing.T) {
	for _, c := range []struct {
		in    LayerVersionARN
		layer LayerARN
		n     int64
		ok    bool
	}{
		{"arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod:13", commonARN, 13, true},
		{"arn:aws-cn:lambda:cn-north-1:123456789012:layer:a:1", "arn:aws-cn:lambda:cn-north-1:123456789012:layer:a", 1, true},
		// AWS's own old form has no number: it stays what it is.
		{"arn:aws:lambda:::awslayer:AmazonLinux1803", "", 0, false},
		{"arn:aws:lambda:::awslayer:AmazonLinux1803:2", "arn:aws:lambda:::awslayer:AmazonLinux1803", 2, true},
		{LayerVersionARN(commonARN), "", 0, false},
		{LayerVersionARN(commonARN) + ":", "", 0, false},
		{LayerVersionARN(commonARN) + ":0", "", 0, false},
		{LayerVersionARN(commonARN) + ":07", "", 0, false},
		{LayerVersionARN(commonARN) + ":+7", "", 0, false},
		{LayerVersionARN(commonARN) + ":1234567890123456789", "", 0, false},
		{"arn:aws:lambda:ap-northeast-1:123456789012:function:f:3", "", 0, false},
		{"arn:aws:lambda:ap-northeast-1:123456789012:function:f:$LATEST.PUBLISHED", "", 0, false},
		{"makoto-common-prod:13", "", 0, false},
		{"13", "", 0, false},
		{"", "", 0, false},
	} {
		layer, n, ok := c.in.Split()
		if layer != c.layer || n != c.n || ok != c.ok {
			t.Errorf("%q.Split() = %q, %d, %v, want %q, %d, %v", c.in, layer, n, ok, c.layer, c.n, c.ok)
		}
		if c.in.Layer() != c.layer || c.in.Number() != c.n {
			t.Errorf("%q: Layer() = %q, Number() = %d, want %q, %d", c.in, c.in.Layer(), c.in.Number(), c.layer, c.n)
		}
	}
}

func TestVersionAndSplitAreInverse(t *testing.T) {
	for _, n := range []int64{1, 9, 10, 999999} {
		layer, got, ok := commonARN.Version(n).Split()
		if !ok || layer != commonARN || got != n {
			t.Errorf("Version(%d) splits into %q, %d, %v", n, layer, got, ok)
		}
	}
}

func TestLayerARNParts(t *testing.T) {
	a := NewLayerARN("aws", "ap-northeast-1", "123456789012", "makoto-common-prod")
	if a != commonARN {
		t.Fatalf("NewLayerARN = %q", a)
	}
	if a.Region() != "ap-northeast-1" || a.Account() != "123456789012" || a.Name() != "makoto-common-prod" {
		t.Errorf("parts = %q, %q, %q", a.Region(), a.Account(), a.Name())
	}
	old := LayerARN("arn:aws:lambda:::awslayer:AmazonLinux1803")
	if old.Region() != "" || old.Account() != "" || old.Name() != "AmazonLinux1803" {
		t.Errorf("parts of AWS's own = %q, %q, %q", old.Region(), old.Account(), old.Name())
	}
	if LayerARN("x").Name() != "" {
		t.Error("a text that is no ARN has a name")
	}
}

func TestParseLayerARN(t *testing.T) {
	if got, err := ParseLayerARN(string(commonARN)); err != nil || got != commonARN {
		t.Errorf("ParseLayerARN = %q, %v", got, err)
	}
	for in, want := range map[string]string{
		string(commonARN.Version(3)):                        "ends in a version number",
		"makoto-common-prod":                                "is not a layer ARN",
		"arn:aws:s3:::bucket:layer:x":                       "is not a layer ARN",
		"arn:aws:lambda:r:1:function:f":                     "is not a layer ARN",
		"arn:aws:lambda:ap-northeast-1:123456789012:layer:": "is not a layer ARN",
	} {
		if _, err := ParseLayerARN(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseLayerARN(%q) = %v, want %q", in, err, want)
		}
	}
}

func TestLabel(t *testing.T) {
	for want, got := range map[string]string{
		"12 (1.4.1)": commonARN.Version(12).Label("1.4.1"), "12": commonARN.Version(12).Label(""), "none": LayerVersionARN("").Label(""),
		"arn:aws:lambda:::awslayer:AmazonLinux1803": LayerVersionARN("arn:aws:lambda:::awslayer:AmazonLinux1803").Label(""),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPartitionOf(t *testing.T) {
	for region, want := range map[string]string{
		"ap-northeast-1": "aws", "mx-central-1": "aws", "cn-north-1": "aws-cn",
		"us-gov-west-1": "aws-us-gov", "eusc-de-east-1": "aws-eusc", "us-iso-east-1": "aws-iso",
		"us-isob-east-1": "aws-iso-b", "eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f",
	} {
		if got := PartitionOf(region); got != want {
			t.Errorf("PartitionOf(%q) = %q, want %q", region, got, want)
		}
	}
}

// A layer is matched whole: foo is not foobar, and a layer of the same name
// elsewhere is another layer.
func TestPeer3_HasMatchesTheWholeARN(t *testing.T) {
	f := Function{Layers: []LayerVersionARN{
		"arn:aws:lambda:ap-northeast-1:123456789012:layer:foobar:1",
		"arn:aws:lambda:ap-northeast-1:999999999999:layer:foo:2",
		"arn:aws:lambda:us-east-1:123456789012:layer:foo:3",
		"arn:aws:lambda:::awslayer:AmazonLinux1803",
		"arn:aws:lambda:ap-northeast-1:123456789012:layer:foo:4",
	}}
	v, i, ok := f.Has("arn:aws:lambda:ap-northeast-1:123456789012:layer:foo")
	if !ok || i != 4 || v.Number() != 4 {
		t.Errorf("Has = %q, %d, %v, want number 4 at index 4", v, i, ok)
	}
	if v, i, ok := f.Has("arn:aws:lambda:ap-northeast-1:123456789012:layer:fo"); ok || i != -1 || v != "" {
		t.Errorf("a prefix matches: %q, %d, %v", v, i, ok)
	}
	if _, _, ok := f.Has(""); ok {
		t.Error("the empty ARN matches an entry of another shape")
	}
}
