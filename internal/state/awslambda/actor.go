package awslambda

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/layerd/layerd/internal/awscall"
)

const (
	// updateEvent is how CloudTrail calls UpdateFunctionConfiguration.
	updateEvent = "UpdateFunctionConfiguration20150331v2"
	// trailPage is CloudTrail's cap, and mostTrailPages how far back a busy
	// account is searched: a thousand updates.
	trailPage      = 50
	mostTrailPages = 20
)

// trailEvent is the part of a CloudTrail record that says who did what.
type trailEvent struct {
	ErrorCode         string
	UserAgent         string
	UserIdentity      trailIdentity
	RequestParameters struct{ FunctionName string }
}

type trailIdentity struct {
	ARN         string `json:"arn"`
	InvokedBy   string // a service that acted for somebody
	UserName    string
	PrincipalID string
}

// Actor finds in CloudTrail who else has last updated a function's
// configuration since then, and when: the ARN of the caller, with the service
// that called on its behalf. Nobody found is "" and no error: events come
// minutes late, and a busy account is searched for the last thousand updates
// only. Updates that AWS refused are not counted, nor are our own: those of
// our exact ARN, and those of our role in another session that say they come
// from layerd. It spends CloudTrail's own quota; without the right to look it
// is state.Human.
func (c *Client) Actor(ctx context.Context, function string, since time.Time) (who string, at time.Time, err error) {
	self, err := c.creds.Caller(ctx)
	if err != nil {
		return "", time.Time{}, readError("GetCallerIdentity", "", err)
	}
	in := &cloudtrail.LookupEventsInput{
		StartTime: aws.Time(since), MaxResults: aws.Int32(trailPage),
		// Of the attributes only one may be asked for. What AWS notes as the
		// resource of an update is not documented; its name is.
		LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyEventName, AttributeValue: aws.String(updateEvent)}},
	}
	for range mostTrailPages {
		out, err := c.trail.LookupEvents(ctx, in)
		if err != nil {
			return "", time.Time{}, readError("LookupEvents", function, err)
		}
		for i := range out.Events { // the newest first
			if who, ok := c.other(&out.Events[i], function, self.ARN); ok {
				return who, aws.ToTime(out.Events[i].EventTime).UTC(), nil
			}
		}
		if aws.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	return "", time.Time{}, nil
}

// other names who made an update of the function, when that was not us.
func (c *Client) other(e *types.Event, function, self string) (who string, ok bool) {
	var event trailEvent
	if json.Unmarshal([]byte(aws.ToString(e.CloudTrailEvent)), &event) != nil {
		return "", false
	}
	if event.ErrorCode != "" || !names(event.RequestParameters.FunctionName, function) || c.ours(event, self) {
		return "", false
	}
	id := event.UserIdentity
	for _, who := range []string{id.ARN, aws.ToString(e.Username), id.UserName, id.InvokedBy, id.PrincipalID} {
		if who == "" {
			continue
		}
		if id.InvokedBy != "" && who != id.InvokedBy {
			who += " through " + id.InvokedBy
		}
		return awscall.Clean(who), true
	}
	return "", false
}

// names reports whether a request named the function: by its name, or by an ARN,
// whole or in part.
func names(given, function string) bool {
	return given == function || strings.HasSuffix(given, ":"+function) || strings.Contains(given, ":function:"+function+":")
}

// ours: a restarted task has a new session of the same role, and a colleague of
// the same role may have used another tool; only both together say layerd.
func (c *Client) ours(e trailEvent, self string) bool {
	if e.UserIdentity.ARN == self {
		return true
	}
	return role(e.UserIdentity.ARN) == role(self) && strings.Contains(e.UserAgent, "app/"+c.app)
}

// role cuts the session off the ARN of an assumed role.
func role(arn string) string {
	if i := strings.LastIndexByte(arn, '/'); i > 0 && strings.Contains(arn, ":assumed-role/") {
		return arn[:i]
	}
	return arn
}
