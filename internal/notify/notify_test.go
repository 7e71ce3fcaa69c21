package notify

import "testing"

func TestLabel(t *testing.T) {
	if got := label("arn:aws:lambda:ap-northeast-1:123456789012:layer:common:12", "1.4.1"); got != "12 (1.4.1)" {
		t.Error(got)
	}
}
