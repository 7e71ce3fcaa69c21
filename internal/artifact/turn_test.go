package artifact_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
)

// An object that stalls is no matter of other environments: each reads its own in the
// time that it has, in whichever account, Region or role they are, however many stall.
func TestAnObjectThatStallsHoldsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture("")
		f.world.PutObject(bucket, "stalls.zip", plain("x = 1"))
		f.world.PutObject(bucket, key, plain("x = 2"))
		f.world.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "GetObject" && c.Resource == bucket+"/stalls.zip" {
				return awssim.Delay(time.Hour)
			}
			return awssim.Fault{}
		})
		stalls := common
		stalls.Location = "s3://" + bucket + "/stalls.zip"
		within, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, name := range []string{"dev", "staging", "qa"} {
			go func() {
				if found, err := f.Look(within, desired.Environment{Name: name, Account: accountID, Region: region}, stalls); err == nil {
					t.Errorf("%s: %+v", name, found)
				}
			}()
		}
		synctest.Wait()
		found, err := f.Look(within, prod, common)
		if err != nil || found.SHA256 != hexOf(plain("x = 2")) {
			t.Errorf("%+v, %v", found, err)
		}
		cancel()
		synctest.Wait()
	})
}
