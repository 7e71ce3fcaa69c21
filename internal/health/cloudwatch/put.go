package cloudwatch

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/layerd/layerd/internal/health"
)

// figuresAtOnce is how many metrics one PutMetricData takes. The SDK compresses it.
const figuresAtOnce = 1000

// compressFrom is from how many bytes on a request is compressed: the SDK's own default,
// which a configuration that was not loaded from the environment lacks.
const compressFrom = 10 << 10

var _ health.Sink = (*Client)(nil)

// PutFigures writes metrics, a thousand in a request. It makes a request again that may
// have come through: who looks at the Maximum of a period does not see that.
func (c *Client) PutFigures(ctx context.Context, namespace string, figures []health.Figure) error {
	if _, err := c.checked(ctx); err != nil {
		return err
	}
	for chunk := range slices.Chunk(figures, figuresAtOnce) {
		in := &cloudwatch.PutMetricDataInput{Namespace: &namespace}
		for _, f := range chunk {
			in.MetricData = append(in.MetricData, datum(f))
		}
		if _, err := c.metrics.PutMetricData(ctx, in); err != nil {
			return readError("PutMetricData", namespace, err)
		}
	}
	return nil
}

func datum(f health.Figure) types.MetricDatum {
	d := types.MetricDatum{MetricName: &f.Name, Timestamp: &f.At, Value: &f.Value, Unit: types.StandardUnitCount}
	if f.Bytes {
		d.Unit = types.StandardUnitBytes
	}
	for _, dim := range [][2]string{{"Environment", f.Environment}, {"Layer", f.Layer}} {
		if dim[1] != "" {
			d.Dimensions = append(d.Dimensions, types.Dimension{Name: aws.String(dim[0]), Value: aws.String(dim[1])})
		}
	}
	return d
}
