package awssim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/awssim"
)

func TestProvisionedConcurrencyMovesWithItsAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Provisioning: 2 * time.Minute})
		w.PutFunction(awssim.Function{Name: "f"})
		w.PutVersion("f")
		w.PutVersion("f")
		w.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: "1"})
		w.PutProvisioned(awssim.Provisioned{Function: "f", Qualifier: "live", Requested: 5})
		c := client(w)
		move := func(to string) {
			t.Helper()
			_, err := c.UpdateAlias(t.Context(), &lambda.UpdateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: &to})
			must(t, err)
		}
		is := func(when string, status types.ProvisionedConcurrencyStatusEnum, available int32, reason string) {
			t.Helper()
			out, err := c.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{
				FunctionName: aws.String("f"), Qualifier: aws.String("live")})
			must(t, err)
			if out.Status != status || *out.AvailableProvisionedConcurrentExecutions != available ||
				*out.RequestedProvisionedConcurrentExecutions != 5 || aws.ToString(out.StatusReason) != reason {
				t.Errorf("%s: %s, %d available, %q", when, out.Status, *out.AvailableProvisionedConcurrentExecutions, aws.ToString(out.StatusReason))
			}
		}
		is("seeded", "READY", 5, "")
		move("2")
		time.Sleep(2*time.Minute - 1) // virtual
		is("on its way", "IN_PROGRESS", 0, "")
		time.Sleep(time.Nanosecond)
		is("moved", "READY", 5, "")
		w.FailNextProvisioning("f", "live", "no capacity")
		move("1")
		time.Sleep(2 * time.Minute)
		is("failed", "FAILED", 0, "no capacity")
		if p, ok := w.Provisioned("f", "live"); !ok || p.Status != "FAILED" {
			t.Errorf("the World says %+v", p)
		}
		move("2")
		time.Sleep(2 * time.Minute)
		is("moved again", "READY", 5, "")
		_, err := c.DeleteProvisionedConcurrencyConfig(t.Context(), &lambda.DeleteProvisionedConcurrencyConfigInput{
			FunctionName: aws.String("f"), Qualifier: aws.String("live")})
		must(t, err)
		if _, ok := w.Provisioned("f", "live"); ok {
			t.Error("it is still there")
		}
	})
}

func TestManagedInstancesRunTheOldUntilTheNewIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Settle: time.Second})
		arn := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
		w.PutFunction(awssim.Function{Name: "f", CapacityProvider: "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p"})
		c := client(w)
		layers := -1
		w.OnInvoke(func(i awssim.Invocation) awssim.Result { layers = len(i.Layers); return awssim.Result{} })
		publish := func() error {
			_, err := c.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("f"), PublishTo: "LATEST_PUBLISHED"})
			return err
		}
		runs := func(when string, want int) {
			t.Helper()
			_, err := invoke(t, w, "f")
			must(t, err)
			if layers != want {
				t.Errorf("%s: %d layers, want %d", when, layers, want)
			}
		}
		must(t, publish())
		_, err := invoke(t, w, "f")
		code(t, err, "ResourceConflictException") // the first one is Pending
		time.Sleep(time.Second)                   // virtual
		must(t, setLayers(t, c, "f", arn))
		time.Sleep(time.Second)
		runs("not published", 0)
		must(t, publish())
		code(t, publish(), "ResourceConflictException")
		runs("on its way", 0)
		time.Sleep(time.Second)
		runs("published", 1)
		before, _ := w.Function("f:$LATEST.PUBLISHED")
		must(t, publish()) // of what has not changed
		if after, _ := w.Function("f:$LATEST.PUBLISHED"); after.RevisionID != before.RevisionID {
			t.Error("publishing the same made another one")
		}
		out, err := c.ListVersionsByFunction(t.Context(), &lambda.ListVersionsByFunctionInput{FunctionName: aws.String("f")})
		must(t, err)
		if len(out.Versions) != 2 || aws.ToString(out.Versions[1].Version) != "$LATEST.PUBLISHED" || out.Versions[0].CapacityProviderConfig == nil {
			t.Errorf("%d versions, %+v", len(out.Versions), out.Versions)
		}
	})
}
