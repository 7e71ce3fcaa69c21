package awssim_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/awssim"
)

func invoke(t *testing.T, w *awssim.World, name string) (*lambda.InvokeOutput, error) {
	t.Helper()
	return client(w).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"a":1}`), LogType: types.LogTypeTail})
}

func TestTheCodeIsScripted(t *testing.T) {
	w := awssim.New(awssim.Options{})
	arn := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
	w.PutFunction(awssim.Function{Name: "f", Layers: []string{arn}})
	w.PutVersion("f")
	w.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: "1"})
	w.OnInvoke(func(i awssim.Invocation) awssim.Result {
		if i.Function != "f" || i.Qualifier != "live" || i.Version != "1" || !slices.Equal(i.Layers, []string{arn}) || string(i.Payload) != `{"a":1}` {
			t.Errorf("invoked with %+v", i)
		}
		w.PutAlarm(awssim.Alarm{Name: "a"}) // the World may be used
		return awssim.Result{Payload: []byte(`{"errorType":"ImportError"}`), FunctionError: "Unhandled", Log: strings.Repeat("x", 5000)}
	})
	out, err := invoke(t, w, "f:live")
	must(t, err)
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	must(t, err)
	if out.StatusCode != 200 || aws.ToString(out.FunctionError) != "Unhandled" || string(out.Payload) != `{"errorType":"ImportError"}` ||
		aws.ToString(out.ExecutedVersion) != "1" || len(log) != 4096 || !strings.Contains(string(log), "xxx\nEND RequestId: ") {
		t.Errorf("got %d %q %s %q, %d bytes of log", out.StatusCode, aws.ToString(out.FunctionError), out.Payload, aws.ToString(out.ExecutedVersion), len(log))
	}
	if w.Writes() != 0 || w.Calls()[0].Operation != "Invoke" || !w.Calls()[0].Applied || w.Calls()[0].Status != 200 {
		t.Errorf("log is %+v, %d writes", w.Calls()[0], w.Writes())
	}
}

func TestWeightsAreDealtOutEvenly(t *testing.T) {
	for _, weight := range []float64{0, 0.01, 0.1, 0.3, 0.5, 1} {
		w := awssim.New(awssim.Options{})
		w.PutFunction(awssim.Function{Name: "f"})
		w.PutVersion("f")
		w.PutVersion("f")
		w.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: "1", Weights: map[string]float64{"2": weight}})
		ran := map[string]int{}
		w.OnInvoke(func(i awssim.Invocation) awssim.Result { ran[i.Version]++; return awssim.Result{} })
		for range 100 {
			_, err := invoke(t, w, "f:live")
			must(t, err)
		}
		if second := int(100*weight + 0.5); ran["2"] != second || ran["1"] != 100-second {
			t.Errorf("at %v: %v", weight, ran)
		}
	}
}

func TestCallsGetTheOldLayersUntilAnUpdateHasSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Settle: 3 * time.Second})
		old := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
		next := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
		w.PutFunction(awssim.Function{Name: "f", Layers: []string{old}})
		var got []string
		w.OnInvoke(func(i awssim.Invocation) awssim.Result { got = i.Layers; return awssim.Result{} })
		runs := func(when, want string) {
			t.Helper()
			_, err := invoke(t, w, "f")
			must(t, err)
			if !slices.Equal(got, []string{want}) {
				t.Errorf("%s: runs with %v, want %s", when, got, want)
			}
		}
		c := client(w)
		w.FailNextUpdate("f", "InternalError", "no")
		must(t, setLayers(t, c, "f", next))
		runs("during an update", old)
		time.Sleep(3 * time.Second) // virtual
		runs("after an update that failed", old)
		must(t, setLayers(t, c, "f", next))
		runs("during the next", old)
		time.Sleep(3 * time.Second)
		runs("after it", next)
		w.EditFunction("f", func(f *awssim.Function) { f.Layers = []string{old} })
		runs("after an edit", old)
		w.EditFunction("f", func(f *awssim.Function) { f.Layers, f.LastUpdateStatus = []string{next}, "InProgress" })
		runs("during an edit", old)
	})
}

func TestAnInvocationTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.PutFunction(awssim.Function{Name: "f", Timeout: 5})
		took := 2 * time.Second
		w.OnInvoke(func(awssim.Invocation) awssim.Result { return awssim.Result{Took: took} })
		began := time.Now()
		out, err := invoke(t, w, "f")
		must(t, err)
		if d := time.Since(began); d != took || out.FunctionError != nil {
			t.Errorf("after %v, %v", d, aws.ToString(out.FunctionError))
		}
		took, began = time.Minute, time.Now()
		out, err = invoke(t, w, "f")
		must(t, err)
		if d := time.Since(began); d != 5*time.Second || aws.ToString(out.FunctionError) != "Unhandled" ||
			!strings.Contains(string(out.Payload), "Task timed out after 5.00 seconds") {
			t.Errorf("after %v: %v %s", d, aws.ToString(out.FunctionError), out.Payload)
		}
	})
}

func TestInvocationsAreCounted(t *testing.T) {
	w := awssim.New(awssim.Options{MetricLag: -1})
	w.PutFunction(awssim.Function{Name: "f"})
	for _, r := range []awssim.Result{{}, {}, {FunctionError: "Handled"}, {Throttled: true}} {
		w.OnInvoke(func(awssim.Invocation) awssim.Result { return r })
		_, err := invoke(t, w, "f")
		want := ""
		if r.Throttled {
			want = "TooManyRequestsException"
		}
		code(t, err, want)
	}
	for metric, want := range map[string]float64{"Invocations": 3, "Errors": 1, "Throttles": 1, "Duration": 0} {
		if got := total(lambdaSum(t, w, metric, map[string]string{"FunctionName": "f"})); got != want {
			t.Errorf("%s is %v, want %v", metric, got, want)
		}
	}
}

func TestInvokeHasNoPartInTheControlPlanesRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.PutFunction(awssim.Function{Name: "f"})
		if n := answered(t, 50, "TooManyRequestsException", func() error { _, err := invoke(t, w, "f"); return err }); n != 50 {
			t.Errorf("%d of 50", n)
		}
		if n := answered(t, 20, "TooManyRequestsException", func() error { _, err := client(w).ListLayers(t.Context(), nil); return err }); n != 15 {
			t.Errorf("%d of the control plane, want its 15", n)
		}
	})
}

func TestWhatCannotRunIsNotInvoked(t *testing.T) {
	for state, want := range map[string]string{
		"Active": "", "Pending": "ResourceConflictException", "Failed": "ResourceConflictException",
		"ActiveNonInvocable": "ResourceConflictException", "Inactive": "ResourceNotReadyException",
	} {
		w := awssim.New(awssim.Options{})
		w.PutFunction(awssim.Function{Name: "f", State: state})
		w.OnInvoke(func(awssim.Invocation) awssim.Result {
			if want != "" {
				t.Errorf("%s: it ran", state)
			}
			return awssim.Result{}
		})
		_, err := invoke(t, w, "f")
		code(t, err, want)
		if state == "Inactive" {
			want = "" // it has woken up
			_, err = invoke(t, w, "f")
			must(t, err)
		}
	}
}
