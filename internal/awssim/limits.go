package awssim

import (
	"time"

	"golang.org/x/time/rate"
)

// Limits are the request rates of one account in one Region, in requests a
// second; the burst is one second's worth. The zero Limits are those of AWS:
// 15 for everything in Lambda together, but 100 for GetFunction, 15 for the
// tagging API, 9 for DescribeAlarms, 500 for GetMetricData, 2 for LookupEvents and
// 40 for Parameter Store. S3 has none worth telling. In any other Limits a zero field means no limit.
type Limits struct {
	Control     float64 // all Lambda calls without a bucket of their own, but Invoke
	GetFunction float64
	Tagging     float64
	Trail       float64 // LookupEvents
	Alarms      float64 // DescribeAlarms
	MetricData  float64 // GetMetricData
	Parameters  float64 // all calls of SSM

	off bool
}

// Unlimited returns Limits that never throttle.
func Unlimited() Limits { return Limits{off: true} }

type limiters struct{ control, getFunction, tagging, alarms, metricData, trail, parameters *rate.Limiter }

func newLimiters(l Limits) *limiters {
	if l == (Limits{}) {
		l = Limits{Control: 15, GetFunction: 100, Tagging: 15, Alarms: 9, MetricData: 500, Trail: 2, Parameters: 40}
	}
	return &limiters{tokens(l.Control), tokens(l.GetFunction), tokens(l.Tagging), tokens(l.Alarms), tokens(l.MetricData), tokens(l.Trail), tokens(l.Parameters)}
}

func tokens(perSecond float64) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
}

// admit spends one request, or refuses as the service would.
func (l *limiters) admit(service, operation string, now time.Time) *apiError {
	switch {
	case service == "sts" || service == "s3" || service == "sqs": // thousands a second
		return nil
	case service == "tagging":
		if !l.tagging.AllowN(now, 1) {
			return refuse(400, "ThrottledException", "Rate exceeded")
		}
	case service == "cloudtrail":
		if !l.trail.AllowN(now, 1) {
			return refuse(400, "ThrottlingException", "Rate exceeded")
		}
	case service == "ssm":
		if !l.parameters.AllowN(now, 1) {
			return refuse(400, "ThrottlingException", "Rate exceeded")
		}
	case service == "cloudwatch":
		if b := l.cloudwatch(operation); b != nil && !b.AllowN(now, 1) {
			return refuse(400, "Throttling", "Rate exceeded")
		}
	case operation == "Invoke": // has limits of its own: Result.Throttled
	case operation == "GetFunction":
		if !l.getFunction.AllowN(now, 1) {
			return tooMany()
		}
	case !l.control.AllowN(now, 1):
		return tooMany()
	}
	return nil
}

func (l *limiters) cloudwatch(operation string) *rate.Limiter {
	return map[string]*rate.Limiter{"DescribeAlarms": l.alarms, "GetMetricData": l.metricData}[operation]
}

// tooMany carries Retry-After because Lambda does; the SDK's own backoff does
// not look at it.
func tooMany() *apiError {
	return &apiError{status: 429, code: "TooManyRequestsException", message: "Rate exceeded",
		reason: "CallerRateLimitExceeded", retryAfter: "1"}
}
