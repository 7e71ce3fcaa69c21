// Package cloudwatch is where health looks in one AWS account and Region: the
// alarms and metrics of CloudWatch, and Lambda's own Invoke.
//
//	c, err := cloudwatch.New(cfg, awscall.Options{Account: "123456789012", Region: "ap-northeast-1"})
//	findings := health.Alarms(ctx, c, []string{"makoto-errors"})
//
// It needs lambda:InvokeFunction on the functions of the smoke tests,
// cloudwatch:DescribeAlarms on * (composite alarms are given to nobody who has
// less), cloudwatch:GetMetricData, and cloudwatch:PutMetricData for the namespace
// of what is put, for what of these is used.
//
// What it promises:
//
//   - Every request is signed with credentials that AWS said to be those of
//     Options.Account: GetCallerIdentity is asked once for each set of them,
//     and nothing else with another account's, which are a
//     *state.WrongAccountError. See internal/awscall.
//   - An alarm of another account, Region or partition is a
//     *state.ForeignError. Functions are invoked by their whole ARN.
//   - Invoke runs a function once. It asks again only after an answer, or a
//     missing connection, that proves that nothing ran; a lost answer is
//     state.Unsure. How long it may take is for ctx alone to say.
//   - Alarms, Sums and Measure follow markers to the end or return an error; a marker that
//     comes twice is one. Sums asks for 500 series at once and takes a series
//     for known only when CloudWatch says that it is complete.
//   - PutFigures puts a thousand metrics at once. It may put one twice, with the
//     same value and time.
//   - DescribeAlarms, which AWS counts apart, is asked three times a second at
//     most. Every HTTP attempt of a read has a deadline of its own.
//   - Errors are *state.Error, sorted by what to do next and masked; causes that
//     could hold a request or a response are left behind.
//
// What it does not: it judges nothing, and it cannot tell a metric that comes
// late from one that does not come (health.MetricDelay). Spans that began more
// than 15 days ago have no minutes left to add up.
package cloudwatch
