package awslambda

import (
	"testing"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

// The quota is AWS's own figure, and whoever may not read it is told.
func TestCodeQuota(t *testing.T) {
	w := awssim.New(awssim.Options{Account: testAccount, Region: testRegion, Limits: awssim.Unlimited(), CodeStorage: 5000})
	w.PutLayerVersion(awssim.LayerVersion{Name: "l", Size: 1200})
	w.PutFunction(awssim.Function{Name: "f", Code: make([]byte, 300)})
	c := simClient(t, w)
	got, err := c.CodeQuota(t.Context())
	if want := (state.CodeQuota{Limit: 5000, Used: 1500, Unzipped: 262144000, Functions: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	w.OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation == "GetAccountSettings" {
			return awssim.Denied(c)
		}
		return awssim.Fault{}
	})
	if got, err := c.CodeQuota(t.Context()); state.KindOf(err) != state.Human || got != (state.CodeQuota{}) {
		t.Errorf("got %+v, %v", got, err)
	}
}
