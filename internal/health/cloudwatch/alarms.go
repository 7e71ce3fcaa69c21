package cloudwatch

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/layerd/layerd/internal/health"
)

const alarmsAtOnce = 100 // names in one DescribeAlarms, and alarms on one page

// Alarms returns the alarms of these names, metric and composite; a name that
// does not exist is missing.
func (c *Client) Alarms(ctx context.Context, names []string) (map[string]health.Alarm, error) {
	if _, err := c.checked(ctx); err != nil {
		return nil, err
	}
	found := map[string]health.Alarm{}
	for chunk := range slices.Chunk(names, alarmsAtOnce) {
		err := sweep(ctx, "DescribeAlarms", func(ctx context.Context, token *string) (*string, error) {
			out, err := c.metrics.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
				AlarmNames: chunk, NextToken: token, MaxRecords: aws.Int32(alarmsAtOnce),
				// Without it composite alarms are silently left out.
				AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
			})
			if err != nil {
				return nil, err
			}
			for _, a := range out.MetricAlarms {
				keep(found, a.AlarmName, a.StateValue, a.StateReason, a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
			}
			for _, a := range out.CompositeAlarms {
				keep(found, a.AlarmName, a.StateValue, a.StateReason, a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
			}
			return out.NextToken, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// keep notes one alarm. Since is when its state last became another one; old
// alarms know only when it was last written.
func keep(found map[string]health.Alarm, name *string, value types.StateValue, reason *string, since, updated *time.Time) {
	if since == nil {
		since = updated
	}
	found[aws.ToString(name)] = health.Alarm{
		Name: aws.ToString(name), State: string(value), Reason: aws.ToString(reason), Since: aws.ToTime(since),
	}
}
