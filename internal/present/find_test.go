package present

import (
	"fmt"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/state"
)

// Versions of a layer that are unknown for one cause are one paragraph, whatever the cause
// says of each; other layers, accounts and causes are others.
func TestFindGroupsWhatIsUnknown(t *testing.T) {
	const layer = "arn:aws:lambda:ap-northeast-1:123456789012:layer:common"
	unknown := func(n int64, reason string, users ...string) inspect.Carrier {
		v := state.LayerARN(layer).Version(n)
		c := inspect.Carrier{Account: "123456789012", Region: "ap-northeast-1", Layer: v, Number: n, Live: true, Reason: strings.ReplaceAll(reason, "ARN", string(v))}
		for _, u := range users {
			c.Users = append(c.Users, inspect.User{Function: u, Qualifier: "$LATEST"})
		}
		return c
	}
	var list []inspect.Carrier
	for n := int64(20); n > 2; n-- {
		switch {
		case n == 18:
			list = append(list, unknown(n, "read ARN: not a zip"))
		case n != 19:
			list = append(list, unknown(n, "read ARN: AccessDenied: no lambda:GetLayerVersion on resource: ARN", fmt.Sprintf("f%d", n)))
		}
	}
	old := inspect.Carrier{Account: "123456789012", Region: "ap-northeast-1", Layer: "arn:aws:lambda:::awslayer:AmazonLinux1803", Reason: "not a zip"}
	text := FindDocument(inspect.Findings{Unknown: append(list, old, old), Looked: 99}, 0).Text(Options{Width: 80})
	for _, want := range []string{"? common 3-17, 20  ", "? common 18  ", "    20: f20  in no environment\n", "    and 11 more: all with -v\n", "no function has it", "lambda:GetLayerVersion on resource:\n      " + layer + "\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "AccessDenied"); n != 1 {
		t.Errorf("one cause stands %d times in\n%s", n, text)
	}
	for line := range strings.Lines(text) {
		if len([]rune(line)) > 81 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
}
