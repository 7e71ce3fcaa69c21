package awssim_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"github.com/layerd/layerd/internal/awssim"
)

// answered counts how many of n calls at one instant are answered.
func answered(t *testing.T, n int, refusal string, call func() error) int {
	t.Helper()
	ok := 0
	for range n {
		err := call()
		if err == nil {
			ok++
			continue
		}
		code(t, err, refusal)
	}
	return ok
}

func TestFifteenRequestsASecondForAllButGetFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.PutFunction(awssim.Function{Name: "f"})
		c := client(w)
		config := func() error {
			_, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")})
			return err
		}
		list := func() error { _, err := c.ListLayers(t.Context(), nil); return err }
		get := func() error {
			_, err := c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
			return err
		}
		const throttled = "TooManyRequestsException"
		if n := answered(t, 20, throttled, config); n != 15 {
			t.Errorf("%d answered at once, want 15", n)
		}
		if n := answered(t, 5, throttled, list); n != 0 {
			t.Errorf("%d of another operation, want none: the bucket is shared", n)
		}
		if n := answered(t, 120, throttled, get); n != 100 {
			t.Errorf("%d GetFunction answered, want 100", n)
		}
		time.Sleep(400 * time.Millisecond) // virtual
		if n := answered(t, 20, throttled, list); n != 6 {
			t.Errorf("%d after 0.4 s, want 6", n)
		}
	})
}

func TestThrottlingTellsWhenToComeBack(t *testing.T) {
	w := awssim.New(awssim.Options{Limits: awssim.Limits{Control: 1}})
	c := client(w)
	_, err := c.ListLayers(t.Context(), nil)
	must(t, err)
	_, err = c.ListLayers(t.Context(), nil)
	var e *types.TooManyRequestsException
	if !errors.As(err, &e) || aws.ToString(e.RetryAfterSeconds) != "1" || e.Reason != types.ThrottleReasonCallerRateLimitExceeded {
		t.Fatalf("got %+v", err)
	}
	if w.Calls()[1].Status != 429 {
		t.Errorf("the log says %d", w.Calls()[1].Status)
	}
}

func TestOtherRegionsAndAccountsHaveBucketsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Limits: awssim.Limits{Control: 2}})
		for _, region := range []string{"us-east-1", "eu-west-1"} {
			cfg := config(w)
			cfg.Region = region
			c := lambda.NewFromConfig(cfg)
			if n := answered(t, 5, "TooManyRequestsException", func() error { _, err := c.ListLayers(t.Context(), nil); return err }); n != 2 {
				t.Errorf("%s: %d, want 2", region, n)
			}
		}
	})
}

func TestZeroIsNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, limits := range map[string]awssim.Limits{"unlimited": awssim.Unlimited(), "a zero field": {GetFunction: 1}} {
			c := client(awssim.New(awssim.Options{Limits: limits}))
			if n := answered(t, 200, "", func() error { _, err := c.ListLayers(t.Context(), nil); return err }); n != 200 {
				t.Errorf("%s: %d of 200", name, n)
			}
		}
	})
}

func TestTaggingThrottlesInItsOwnWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := resourcegroupstaggingapi.NewFromConfig(config(awssim.New(awssim.Options{})))
		if n := answered(t, 20, "ThrottledException", func() error { _, err := c.GetResources(t.Context(), nil); return err }); n != 15 {
			t.Errorf("%d, want 15", n)
		}
	})
}
