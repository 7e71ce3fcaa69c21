package awscall_test

import (
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

func TestPlace(t *testing.T) {
	p := awscall.NewPlace("cn-north-1", awscall.Caller{Account: ours})
	for arn, own := range map[string]bool{
		"": true, // nothing is named
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:f":         true,
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:f:$LATEST": true,
		"arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:a":        true,
		p.FunctionARN("f"): true,
		"arn:aws-cn:lambda:cn-north-1:210987654321:function:f":     false,
		"arn:aws-cn:lambda:cn-north-1:1234567890123:function:f":    false,
		"arn:aws-cn:lambda:cn-northwest-1:123456789012:function:f": false,
		"arn:aws:lambda:cn-north-1:123456789012:function:f":        false,
		"arn:aws-cn:lambda:cn-north-1:123456789012":                false,
		"arn:aws-cn:lambda:::awslayer:AmazonLinux1803":             false,
		"function:f": false,
		"x:arn:aws-cn:lambda:cn-north-1:123456789012:function:f":    false,
		" arn:aws-cn:lambda:cn-north-1:123456789012:function:f":     false,
		"arn:aws-cn:lambda:cn-north-1:12345678901:2:function:f":     false,
		"arn:aws-cn:lambda:cn-north-1::function:123456789012":       false,
		"arn:aws-cn:lambda:123456789012:cn-north-1:function:f":      false,
		"arn::lambda:cn-north-1:123456789012:function:f":            false,
		"arn:aws-cn:lambda:CN-NORTH-1:123456789012:function:f":      false,
		"arn:aws-cn:lambda:cn-north-1: 123456789012:function:f":     false,
		"arn:aws-cn-x:lambda:cn-north-1:123456789012:function:f:12": false,
	} {
		err := p.Own("ListFunctions", arn)
		if (err == nil) != own {
			t.Errorf("%q: %v, want own %v", arn, err, own)
		}
		if err != nil && (state.Elsewhere(err) == nil || !strings.Contains(err.Error(), ours) || !strings.Contains(err.Error(), arn)) {
			t.Errorf("%q: %v names not both", arn, err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = p.Own("ListFunctions", "arn:aws-cn:lambda:cn-north-1:123456789012:function:f") }); n > 0 {
		t.Errorf("%v allocations for a row", n)
	}
}
