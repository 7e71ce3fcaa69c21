package awssim_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awssim"
)

// trail looks events up by one attribute.
func trail(t *testing.T, w *awssim.World, key types.LookupAttributeKey, value string) []types.Event {
	t.Helper()
	out, err := cloudtrail.NewFromConfig(config(w)).LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{
		LookupAttributes: []types.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}})
	must(t, err)
	return out.Events
}

func TestCloudTrailIsFiveMinutesBehindAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.PutFunction(awssim.Function{Name: "f"})
		must(t, setLayers(t, client(w), "f"))
		seen := func(when string, want int) {
			t.Helper()
			time.Sleep(time.Second) // virtual; no more than 2 a second
			if got := len(trail(t, w, types.LookupAttributeKeyResourceName, "f")); got != want {
				t.Errorf("%s: %d events, want %d", when, got, want)
			}
		}
		time.Sleep(5*time.Minute - time.Second - 1)
		seen("too early", 0)
		seen("after five minutes", 1)
		time.Sleep(90*24*time.Hour - 6*time.Minute)
		seen("before 90 days", 1)
		time.Sleep(6 * time.Minute)
		seen("after 90 days", 0)
	})
}

func TestCloudTrailTellsWritersApart(t *testing.T) {
	w := awssim.New(awssim.Options{TrailLag: -1, Limits: awssim.Unlimited()})
	w.PutFunction(awssim.Function{Name: "f"})
	w.AddKey("AKIDCI", "123456789012", "arn:aws:sts::123456789012:assumed-role/deploy/terraform")
	cfg := config(w)
	cfg.Credentials = credentials.NewStaticCredentialsProvider("AKIDCI", "secret", "")
	arn := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
	must(t, setLayers(t, lambda.NewFromConfig(cfg), w.FunctionARN("f"), arn))
	w.EditFunctionAs("alice", "f", func(f *awssim.Function) { f.Layers = nil })
	w.EditFunction("f", func(f *awssim.Function) { f.Layers = []string{arn} })
	code(t, setLayers(t, client(w), "f", w.LayerARN("l", 9)), "InvalidParameterValueException")

	var users, errs []string
	for _, e := range trail(t, w, types.LookupAttributeKeyEventName, "UpdateFunctionConfiguration20150331v2") {
		users = append(users, aws.ToString(e.Username))
		if aws.ToString(e.Resources[0].ResourceName) != "f" || aws.ToString(e.Resources[0].ResourceType) != "AWS::Lambda::Function" {
			t.Errorf("resource is %+v", e.Resources)
		}
		if strings.Contains(*e.CloudTrailEvent, "InvalidParameterValueException") {
			errs = append(errs, *e.Username)
		}
	}
	if got := strings.Join(users, " "); got != "awssim console alice terraform" {
		t.Errorf("writers, newest first: %s", got)
	}
	if got := strings.Join(errs, " "); got != "awssim" {
		t.Errorf("refused were those of %q, want one of awssim", got)
	}
	if got := trail(t, w, types.LookupAttributeKeyUsername, "terraform"); len(got) != 1 || aws.ToString(got[0].AccessKeyId) != "AKIDCI" ||
		!strings.Contains(*got[0].CloudTrailEvent, arn) {
		t.Errorf("of terraform: %+v", got)
	}
	if got := trail(t, w, types.LookupAttributeKeyResourceName, "g"); len(got) != 0 {
		t.Errorf("%d of another function", len(got))
	}
	_, err := client(w).DeleteLayerVersion(t.Context(), &lambda.DeleteLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(1)})
	must(t, err)
	if got := trail(t, w, types.LookupAttributeKeyResourceType, "AWS::Lambda::LayerVersion"); len(got) != 1 || *got[0].EventName != "DeleteLayerVersion20181031" {
		t.Errorf("of layers: %+v", got)
	}
}

func TestTwoLookupsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cloudtrail.NewFromConfig(config(awssim.New(awssim.Options{})))
		if n := answered(t, 5, "ThrottlingException", func() error { _, err := c.LookupEvents(t.Context(), nil); return err }); n != 2 {
			t.Errorf("%d, want 2", n)
		}
	})
}
