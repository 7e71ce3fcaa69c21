package awssim

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Alarm is a CloudWatch alarm: in the state a test wants it in, or, with a Rule, in the
// one that its series puts it in whenever somebody asks.
type Alarm struct {
	Account, Region string // default: the World's
	Name            string
	Composite       bool
	State           string // OK (default), ALARM or INSUFFICIENT_DATA
	Reason          string
	Since           time.Time // of the state; default: now
	// Rule is what it looks at; nil = the State stays as it was put. A new alarm with a
	// rule is at INSUFFICIENT_DATA.
	Rule *AlarmRule
}

func (a Alarm) arn() string {
	return "arn:" + partition(a.Region) + ":cloudwatch:" + a.Region + ":" + a.Account + ":alarm:" + a.Name
}

// PutAlarm puts an alarm there, or changes the state of one that is: names are
// unique, whatever the kind.
func (w *World) PutAlarm(a Alarm) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.Account, a.Region = cmp.Or(a.Account, w.opts.Account), cmp.Or(a.Region, w.opts.Region)
	if a.Rule != nil {
		a.State = cmp.Or(a.State, "INSUFFICIENT_DATA")
	}
	a.State = cmp.Or(a.State, "OK")
	if a.Since.IsZero() {
		a.Since = time.Now()
	}
	w.store(a.Account, a.Region).alarms[a.Name] = a
}

// DropAlarm deletes an alarm of the World's own account and Region, if it is
// there.
func (w *World) DropAlarm(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.store(w.opts.Account, w.opts.Region).alarms, name)
}

// describeAlarms passes over names that do not exist, and over composite
// alarms unless they are asked for by type, named or not.
func (c *call) describeAlarms(in *cloudwatch.DescribeAlarmsInput) (any, *apiError) {
	if e := checkAlarmFilters(in); e != nil {
		return nil, e
	}
	c.look()
	var alarms []Alarm
	for _, name := range sortedKeys(c.store.alarms) {
		if a := c.store.alarms[name]; wantsAlarm(in, a) {
			alarms = append(alarms, a)
		}
	}
	size := 50
	if in.MaxRecords != nil {
		size = int(*in.MaxRecords)
	}
	alarms, next, ok := cut(c, alarms, func(a Alarm) string { return a.Name }, in.NextToken, size)
	if !ok {
		return nil, refuse(400, "InvalidNextToken", "The next token specified is invalid.")
	}
	out := &cloudwatch.DescribeAlarmsOutput{MetricAlarms: []types.MetricAlarm{}, CompositeAlarms: []types.CompositeAlarm{}, NextToken: next}
	for _, a := range alarms {
		if a.Composite {
			out.CompositeAlarms = append(out.CompositeAlarms, types.CompositeAlarm{
				AlarmName: &a.Name, AlarmArn: aws.String(a.arn()), ActionsEnabled: aws.Bool(true),
				StateValue: types.StateValue(a.State), StateReason: &a.Reason,
				StateUpdatedTimestamp: &a.Since, StateTransitionedTimestamp: &a.Since})
			continue
		}
		out.MetricAlarms = append(out.MetricAlarms, types.MetricAlarm{
			AlarmName: &a.Name, AlarmArn: aws.String(a.arn()), ActionsEnabled: aws.Bool(true),
			StateValue: types.StateValue(a.State), StateReason: &a.Reason,
			StateUpdatedTimestamp: &a.Since, StateTransitionedTimestamp: &a.Since})
	}
	return out, nil
}

func checkAlarmFilters(in *cloudwatch.DescribeAlarmsInput) *apiError {
	switch {
	case in.ActionPrefix != nil || in.ChildrenOfAlarmName != nil || in.ParentsOfAlarmName != nil:
		return unsupported("ActionPrefix, ChildrenOfAlarmName and ParentsOfAlarmName")
	case len(in.AlarmNames) > 100:
		return wrongInput("The collection AlarmNames must not have a size greater than 100.")
	case len(in.AlarmNames) > 0 && in.AlarmNamePrefix != nil:
		return wrongInput("AlarmNamePrefix and AlarmNames are mutually exclusive.")
	case in.MaxRecords != nil && (*in.MaxRecords < 1 || *in.MaxRecords > 100):
		return wrongInput("The value %d for parameter MaxRecords is invalid. Valid range: 1 to 100.", *in.MaxRecords)
	case in.StateValue != "" && !slices.Contains(in.StateValue.Values(), in.StateValue):
		return wrongInput("The value %s for parameter StateValue is invalid.", in.StateValue)
	}
	for _, t := range in.AlarmTypes {
		switch {
		case !slices.Contains(t.Values(), t):
			return wrongInput("The value %s for parameter AlarmTypes is invalid.", t)
		case t != types.AlarmTypeMetricAlarm && t != types.AlarmTypeCompositeAlarm:
			return unsupported("alarms of type " + string(t))
		}
	}
	return nil
}

func wantsAlarm(in *cloudwatch.DescribeAlarmsInput, a Alarm) bool {
	kind := types.AlarmTypeMetricAlarm
	if a.Composite {
		kind = types.AlarmTypeCompositeAlarm
	}
	asked := slices.Contains(in.AlarmTypes, kind) || len(in.AlarmTypes) == 0 && !a.Composite
	named := len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, a.Name)
	return asked && named && strings.HasPrefix(a.Name, str(in.AlarmNamePrefix)) &&
		(in.StateValue == "" || string(in.StateValue) == a.State)
}
