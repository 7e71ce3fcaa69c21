package awssim_test

import (
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/layerd/layerd/internal/awssim"
)

func parameters(w *awssim.World) *ssm.Client { return ssm.NewFromConfig(config(w)) }

func TestParametersCanBeSeeded(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutParameter(awssim.Parameter{Name: "/layerd/prod/common/version", Value: "1.4.2", Tags: map[string]string{"team": "platform"}})
	w.PutParameter(awssim.Parameter{Name: "/layerd/prod/common/version", Value: "1.5.0", Region: "eu-west-1"})
	w.PutParameter(awssim.Parameter{Name: "plain", Value: "x"})
	out, err := parameters(w).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/layerd/prod/common/version")})
	must(t, err)
	if aws.ToString(out.Parameter.Value) != "1.4.2" || out.Parameter.Version != 1 {
		t.Errorf("parameter is %+v", out.Parameter)
	}
	for name, want := range map[string]string{
		"/layerd/prod/common/version": "1.4.2", "plain": "x",
		"arn:aws:ssm:eu-west-1:123456789012:parameter/layerd/prod/common/version": "1.5.0",
		"arn:aws:ssm:us-east-1:123456789012:parameter/plain":                      "x",
	} {
		if p, ok := w.Parameter(name); !ok || p.Value != want {
			t.Errorf("%s is %+v, %v", name, p, ok)
		}
	}
	w.PutParameter(awssim.Parameter{Name: "plain", Value: "y"}) // a person
	if p, _ := w.Parameter("plain"); p.Version != 2 || p.Value != "y" {
		t.Errorf("after an edit: %+v", p)
	}
	if n := len(w.Parameters()); n != 3 {
		t.Errorf("%d parameters", n)
	}
	w.DropParameter("plain")
	w.DropParameter("plain")
	_, err = parameters(w).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("plain")})
	code(t, err, "ParameterNotFound")
}

func TestFortyCallsOfParametersASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.PutParameter(awssim.Parameter{Name: "a", Value: "x"})
		get := func() error {
			_, err := parameters(w).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("a")})
			return err
		}
		if n := answered(t, 50, "ThrottlingException", get); n != 40 {
			t.Errorf("%d answered at once, want 40", n)
		}
	})
}

// What would be ignored is refused.
func TestWhatParametersCannotBe(t *testing.T) {
	w := awssim.New(awssim.Options{})
	for name, change := range map[string]func(*ssm.PutParameterInput){
		"SecureString": func(in *ssm.PutParameterInput) { in.Type = ssmtypes.ParameterTypeSecureString },
		"a pattern":    func(in *ssm.PutParameterInput) { in.AllowedPattern = aws.String(".*") },
		"a data type":  func(in *ssm.PutParameterInput) { in.DataType = aws.String("aws:ec2:image") },
		"a tier":       func(in *ssm.PutParameterInput) { in.Tier = ssmtypes.ParameterTierAdvanced },
	} {
		t.Run(name, func(t *testing.T) {
			in := &ssm.PutParameterInput{Name: aws.String("a"), Value: aws.String("x"), Type: ssmtypes.ParameterTypeString}
			change(in)
			_, err := parameters(w).PutParameter(t.Context(), in)
			code(t, err, "NotImplementedException")
		})
	}
	for _, name := range []string{"a:3", "arn:aws:ssm:us-east-1:123456789012:parameter/a"} {
		_, err := parameters(w).GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
		code(t, err, "NotImplementedException")
	}
	_, err := parameters(w).DescribeParameters(t.Context(), nil)
	code(t, err, "NotImplementedException")
	if got := w.Writes(); got != 4 {
		t.Errorf("%d writes", got)
	}
}

// A lost answer to a put is one that happened, and the trail has it.
func TestFaultsAndTrailOfParameters(t *testing.T) {
	w := awssim.New(awssim.Options{TrailLag: -1})
	w.OnCall(func(c awssim.Call) awssim.Fault {
		switch c.Operation {
		case "PutParameter":
			return awssim.LostAnswer()
		case "DeleteParameter":
			return awssim.Denied(c)
		}
		return awssim.Fault{}
	})
	_, err := parameters(w).PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/a/b"), Value: aws.String("secret"), Type: ssmtypes.ParameterTypeString})
	if _, there := w.Parameter("/a/b"); err == nil || !there {
		t.Errorf("put: %v, there: %v", err, there)
	}
	_, err = parameters(w).DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/a/b")})
	code(t, err, "AccessDeniedException")
	w.OnCall(nil)
	c := s3.NewFromConfig(config(w))
	_, err = c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("artifacts")})
	must(t, err)
	_, err = c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("artifacts"),
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "us-east-1"}})
	code(t, err, "InvalidLocationConstraint")
	for resource, want := range map[string]string{"/a/b": "PutParameter", "artifacts": "CreateBucket"} {
		events := trail(t, w, types.LookupAttributeKeyResourceName, resource)
		if len(events) == 0 || aws.ToString(events[0].EventName) != want || aws.ToString(events[0].EventSource) == "lambda.amazonaws.com" {
			t.Errorf("%s: %+v", resource, events)
		}
	}
	if call := w.Calls()[0]; call.Service != "ssm" || call.Resource != "/a/b" || !call.Write || !call.Applied || call.Status != 0 {
		t.Errorf("call is %+v", call)
	}
}
