package contract_test

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/awssim/contract"
)

// worldSeeds puts things into a World by hand.
func worldSeeds(w *awssim.World) *contract.Seeds {
	return &contract.Seeds{
		Alarm: func(name string, composite bool, state string) error {
			w.PutAlarm(awssim.Alarm{Name: name, Composite: composite, State: state})
			return nil
		},
		Signing: func(function string, publishers []string, enforce bool) (string, error) {
			arn := w.PutCodeSigningConfig(awssim.CodeSigningConfig{Publishers: publishers, Enforce: enforce})
			w.SetCodeSigning(function, arn)
			return arn, nil
		},
		SignedLayer: func(name, profile string) (string, error) {
			return w.LayerARN(name, w.PutLayerVersion(awssim.LayerVersion{Name: name, SigningProfile: profile, Size: 100})), nil
		},
		Runtime: func(name, alias string) (string, func() error, error) {
			arn := "arn:aws:lambda:us-east-1:123456789012:runtime/" + name
			return arn, func() error { w.DropRuntimeAlias(arn, alias); return nil }, nil
		},
		Managed: func(function string) error {
			w.EditFunction(function, func(f *awssim.Function) {
				f.CapacityProvider = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p"
			})
			return nil
		},
		BucketPolicy: func(bucket, effect, principal string) error {
			b, ok := w.Bucket(bucket)
			if !ok {
				return errors.New("no bucket " + bucket)
			}
			b.Policy = append(b.Policy, awssim.BucketStatement{Deny: effect == "Deny", Principal: principal, Action: "s3:GetObject*"})
			w.PutBucket(b)
			return nil
		},
		Metric: func(namespace, name string, dims map[string]string, at time.Time, v float64) error {
			w.PutMetric(awssim.Metric{Namespace: namespace, Name: name, Dimensions: dims, Time: at, Value: v})
			return nil
		},
	}
}

// errUnpaid is for what has to be signed or rented first.
var errUnpaid = errors.New("needs a signing profile or instances, which the suite does not pay for")

// apiSeeds puts things into an AWS through its API.
func apiSeeds(ctx context.Context, cfg aws.Config) *contract.Seeds {
	c := cloudwatch.NewFromConfig(cfg)
	return &contract.Seeds{
		Alarm: func(name string, composite bool, state string) error {
			var err error
			if composite {
				_, err = c.PutCompositeAlarm(ctx, &cloudwatch.PutCompositeAlarmInput{AlarmName: &name, AlarmRule: aws.String("FALSE")})
			} else {
				_, err = c.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{AlarmName: &name, Namespace: aws.String("Contract"),
					MetricName: aws.String("none"), Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Statistic: types.StatisticSum,
					Threshold: aws.Float64(1), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold})
			}
			if err != nil {
				return err
			}
			_, err = c.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: types.StateValue(state), StateReason: aws.String("contract")})
			return err
		},
		Signing:     func(string, []string, bool) (string, error) { return "", errUnpaid },
		SignedLayer: func(string, string) (string, error) { return "", errUnpaid },
		Runtime:     func(string, string) (string, func() error, error) { return "", nil, errUnpaid },
		Managed:     func(string) error { return errUnpaid },
		BucketPolicy: func(bucket, effect, principal string) error {
			who := `"*"`
			if principal != "*" {
				who = `{"Service":"` + principal + `"}`
			}
			_, err := s3.NewFromConfig(cfg).PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(
				`{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":` + who +
					`,"Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::` + bucket + `/*"}]}`)})
			return err
		},
		Metric: func(namespace, name string, dims map[string]string, at time.Time, v float64) error {
			d := types.MetricDatum{MetricName: &name, Timestamp: &at, Value: &v}
			for k, v := range dims {
				d.Dimensions = append(d.Dimensions, types.Dimension{Name: &k, Value: &v})
			}
			_, err := c.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: &namespace, MetricData: []types.MetricDatum{d}})
			return err
		},
	}
}
