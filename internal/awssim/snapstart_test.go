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

func TestASnapshotTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Settle: time.Second, SnapStart: time.Minute})
		w.PutFunction(awssim.Function{Name: "f", SnapStart: true})
		c := client(w)
		_, err := c.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("f")})
		must(t, err)
		time.Sleep(time.Minute - 1) // virtual
		if v, _ := w.Function("f:1"); v.State != "Pending" {
			t.Errorf("%s before its time", v.State)
		}
		must(t, setLayers(t, c, "f")) // $LATEST is not concerned
		time.Sleep(time.Nanosecond)
		if v, _ := w.Function("f:1"); v.State != "Active" {
			t.Errorf("%s after a minute", v.State)
		}
		_, err = invoke(t, w, "f:1")
		must(t, err)

		// Published with a code update, it waits for that first.
		time.Sleep(time.Second)
		out, err := c.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{
			FunctionName: aws.String("f"), ZipFile: awssim.Zip(map[string]string{"index.py": "new"}), Publish: true})
		must(t, err)
		time.Sleep(time.Minute)
		if v, _ := w.Function("f:" + *out.Version); v.State != "Pending" {
			t.Errorf("%s a minute after the update began", v.State)
		}
		time.Sleep(time.Second)
		if v, _ := w.Function("f:" + *out.Version); v.State != "Active" {
			t.Errorf("%s a minute after the update ended", v.State)
		}
	})
}

func TestABadLayerFailsTheSnapshot(t *testing.T) {
	w := awssim.New(awssim.Options{})
	arn := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
	w.PutFunction(awssim.Function{Name: "f", SnapStart: true, Layers: []string{arn}})
	w.FailSnapshotsWith(arn, "FunctionError.RuntimeInitError", "no module named x")
	publish := func(description string) *types.FunctionConfiguration {
		c := client(w)
		w.EditFunction("f", func(f *awssim.Function) { f.Description = description })
		out, err := c.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("f")})
		must(t, err)
		got, err := c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f"), Qualifier: out.Version})
		must(t, err)
		return got.Configuration
	}
	v := publish("one")
	if v.State != types.StateFailed || v.StateReasonCode != types.StateReasonCodeFunctionErrorRuntimeInitError ||
		aws.ToString(v.StateReason) != "no module named x" || v.SnapStart.OptimizationStatus != types.SnapStartOptimizationStatusOff {
		t.Errorf("%s, %s: %s, SnapStart %s", v.State, v.StateReasonCode, aws.ToString(v.StateReason), v.SnapStart.OptimizationStatus)
	}
	_, err := invoke(t, w, "f:1")
	code(t, err, "ResourceConflictException")
	if latest, _ := w.Function("f"); latest.State != "Active" {
		t.Errorf("$LATEST is %s", latest.State)
	}
	w.FailSnapshotsWith(arn, "", "")
	if v := publish("two"); v.State != types.StateActive {
		t.Errorf("without the failure: %s", v.State)
	}
	w.FailNextVersion("f", "FunctionError", "no")
	if v := publish("three"); v.State != types.StateFailed {
		t.Errorf("the next version is %s", v.State)
	}
	if v := publish("four"); v.State != types.StateActive {
		t.Errorf("the one after is %s", v.State)
	}
}
