package awssim_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awssim"
)

// Of many writers with one RevisionId exactly one wins.
func TestOneOfManyConditionalWritersWins(t *testing.T) {
	w := awssim.New(awssim.Options{Limits: awssim.Unlimited()})
	w.PutFunction(awssim.Function{Name: "f"})
	f, _ := w.Function("f")
	c, errs := client(w), make([]error, 20)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
				FunctionName: aws.String("f"), RevisionId: &f.RevisionID, Layers: []string{}})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		code(t, err, "PreconditionFailedException")
	}
	if won != 1 {
		t.Errorf("%d writers won, want 1", won)
	}
}

func TestPublishersGetNumbersOfTheirOwn(t *testing.T) {
	w := awssim.New(awssim.Options{Limits: awssim.Unlimited()})
	c := client(w)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := publish(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var got []int64
	for _, v := range w.LayerVersions("l") {
		got = append(got, v.Number)
	}
	slices.Reverse(got)
	for i, n := range got {
		if n != int64(i+1) {
			t.Fatalf("numbers are %v, want 1 to 20", got)
		}
	}
	if len(got) != 20 || w.Writes() != 20 {
		t.Errorf("%d versions by %d writes, want 20", len(got), w.Writes())
	}
}
