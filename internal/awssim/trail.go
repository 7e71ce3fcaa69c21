package awssim

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// trailNames are the operations CloudTrail writes down here, under the names it
// has for them. Reads are left out.
var trailNames = map[string]string{
	"CreateFunction": "CreateFunction20150331", "DeleteFunction": "DeleteFunction20150331",
	"UpdateFunctionCode": "UpdateFunctionCode20150331v2", "UpdateFunctionConfiguration": "UpdateFunctionConfiguration20150331v2",
	"PublishVersion": "PublishVersion20150331", "UpdateAlias": "UpdateAlias20150331",
	"PublishLayerVersion": "PublishLayerVersion20181031", "DeleteLayerVersion": "DeleteLayerVersion20181031",
	"AddLayerVersionPermission": "AddLayerVersionPermission20181031", "RemoveLayerVersionPermission": "RemoveLayerVersionPermission20181031", "TagResource": "TagResource20170331v2",
}

// trailPlain are those of other services, whose names have no date, by what they
// are about. What is done to objects is not among the events that can be looked up.
var trailPlain = map[string]struct{ source, kind, member string }{
	"CreateBucket":           {"s3.amazonaws.com", "AWS::S3::Bucket", "bucketName"},
	"PutBucketVersioning":    {"s3.amazonaws.com", "AWS::S3::Bucket", "bucketName"},
	"PutParameter":           {"ssm.amazonaws.com", "AWS::SSM::Parameter", "name"},
	"DeleteParameter":        {"ssm.amazonaws.com", "AWS::SSM::Parameter", "name"},
	"AddTagsToResource":      {"ssm.amazonaws.com", "AWS::SSM::Parameter", "resourceId"},
	"RemoveTagsFromResource": {"ssm.amazonaws.com", "AWS::SSM::Parameter", "resourceId"},
}

// trailKept is how far back LookupEvents can see.
const trailKept = 90 * 24 * time.Hour

// trailEvent is one line of the trail.
type trailEvent struct {
	place
	seq                      int
	id, name, user, arn, key string
	source                   string // lambda.amazonaws.com
	kind, resource           string // as AWS::Lambda::Function, its name
	error, requestID         string
	at                       time.Time
	request                  map[string]any // requestParameters; no environment is among them
}

// trailed writes down what a call wanted, whether it was allowed or not.
// Callers hold mu.
func (c *call) trailed(e *apiError) {
	if c.store == nil {
		return
	}
	ev := trailEvent{place: c.store.place, source: lambdaService, kind: "AWS::Lambda::Function", resource: c.log.Resource,
		arn: c.who.arn, key: c.who.key, at: c.now, requestID: c.id}
	if e != nil {
		ev.error = e.code
	}
	if plain, ok := trailPlain[c.log.Operation]; ok && c.log.Service != "lambda" {
		ev.name, ev.source, ev.kind, ev.request = c.log.Operation, plain.source, plain.kind, map[string]any{plain.member: ev.resource}
		c.w.addEvent(ev)
		return
	}
	name := trailNames[c.log.Operation]
	if c.log.Service != "lambda" || name == "" {
		return
	}
	ev.name = name
	if m := functionPattern.FindStringSubmatch(ev.resource); m != nil { // layers look like functions here
		ev.resource = m[3]
	}
	ev.request = map[string]any{"functionName": ev.resource}
	if strings.Contains(name, "Layer") {
		ev.kind, ev.request = "AWS::Lambda::LayerVersion", map[string]any{"layerName": ev.resource}
	}
	if in, ok := c.log.Input.(*lambda.UpdateFunctionConfigurationInput); ok && in.Layers != nil {
		ev.request["layers"] = in.Layers
	}
	c.w.addEvent(ev)
}

// edited writes down a change made behind everybody's back.
func (w *World) edited(f *function, user string, layers []string) {
	w.addEvent(trailEvent{place: f.place, source: lambdaService, name: trailNames["UpdateFunctionConfiguration"], kind: "AWS::Lambda::Function", resource: f.name, at: time.Now(),
		arn:     "arn:" + partition(f.region) + ":iam::" + f.account + ":user/" + user,
		request: map[string]any{"functionName": f.name, "layers": layers}})
}

func (w *World) addEvent(ev trailEvent) {
	ev.id, ev.seq = w.newID(), len(w.trail)
	ev.user = ev.arn[strings.LastIndex(ev.arn, "/")+1:] // of a role: its session name
	w.trail = append(w.trail, ev)
	w.called(ev)
}

// detail is what CloudTrail wrote.
func (ev trailEvent) detail() map[string]any {
	return map[string]any{
		"eventVersion": "1.10", "eventSource": ev.source, "eventName": ev.name, "eventID": ev.id,
		"eventTime": ev.at.UTC().Format(time.RFC3339), "awsRegion": ev.region, "recipientAccountId": ev.account,
		"userIdentity": map[string]string{"arn": ev.arn, "accountId": ev.account}, "requestID": ev.requestID,
		"requestParameters": ev.request, "errorCode": ev.error, "readOnly": false,
	}
}

type lookupInput struct {
	StartTime, EndTime *float64
	LookupAttributes   []struct{ AttributeKey, AttributeValue string }
	MaxResults         *int32
	NextToken          *string
	EventCategory      string
}

type trailDoc struct {
	EventId, EventName, EventSource, Username, ReadOnly string
	AccessKeyId                                         string `json:",omitempty"`
	EventTime                                           float64
	Resources                                           []trailResource
	CloudTrailEvent                                     string

	key string
}

type trailResource struct{ ResourceType, ResourceName string }

func (c *call) routeTrail(body []byte) *apiError {
	if c.log.Operation != "LookupEvents" {
		return unsupported("cloudtrail:" + c.log.Operation)
	}
	var in lookupInput
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return refuse(400, "SerializationException", "%v", err)
		}
	}
	c.log.Input = in
	c.do = func(c *call) (any, *apiError) { return c.lookupEvents(in) }
	return nil
}

// lookupEvents is newest first, and some minutes behind.
func (c *call) lookupEvents(in lookupInput) (any, *apiError) {
	size := 50
	if in.MaxResults != nil {
		size = int(*in.MaxResults)
	}
	switch {
	case size < 1 || size > 50:
		return nil, refuse(400, "InvalidMaxResultsException", "The specified value for MaxResults is invalid. Please specify a value between 1 and 50.")
	case in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime:
		return nil, refuse(400, "InvalidTimeRangeException", "The specified start time is after the specified end time.")
	case len(in.LookupAttributes) > 1:
		return nil, refuse(400, "InvalidLookupAttributesException", "Only one lookup attribute can be specified.")
	case in.EventCategory != "":
		return nil, unsupported("the member EventCategory")
	}
	docs := []trailDoc{}
	for _, ev := range slices.Backward(c.w.trail) {
		at := float64(ev.at.Unix())
		if ev.place != c.store.place || ev.at.Add(c.w.opts.TrailLag).After(c.now) || ev.at.Add(trailKept).Before(c.now) ||
			in.StartTime != nil && at < *in.StartTime || in.EndTime != nil && at > *in.EndTime {
			continue
		}
		matches, e := in.matches(ev)
		if e != nil {
			return nil, e
		}
		if matches {
			docs = append(docs, ev.doc())
		}
	}
	docs, next, ok := cut(c, docs, func(d trailDoc) string { return d.key }, in.NextToken, size)
	if !ok {
		return nil, refuse(400, "InvalidNextTokenException", "Invalid token.")
	}
	return struct {
		Events    []trailDoc
		NextToken *string `json:",omitempty"`
	}{docs, next}, nil
}

func (in lookupInput) matches(ev trailEvent) (bool, *apiError) {
	for _, a := range in.LookupAttributes {
		has, ok := map[string]string{
			"EventId": ev.id, "EventName": ev.name, "Username": ev.user, "ResourceName": ev.resource, "AccessKeyId": ev.key,
			"ResourceType": ev.kind, "EventSource": ev.source, "ReadOnly": "false",
		}[a.AttributeKey]
		if !ok {
			return false, refuse(400, "InvalidLookupAttributesException", "%s is not a lookup attribute.", a.AttributeKey)
		}
		if has != a.AttributeValue {
			return false, nil
		}
	}
	return true, nil
}

func (ev trailEvent) doc() trailDoc {
	raw, _ := json.Marshal(ev.detail()) // strings and lists of them only
	return trailDoc{EventId: ev.id, EventName: ev.name, EventSource: ev.source, Username: ev.user, ReadOnly: strconv.FormatBool(false),
		AccessKeyId: ev.key, EventTime: float64(ev.at.Unix()), CloudTrailEvent: string(raw),
		Resources: []trailResource{{ev.kind, ev.resource}}, key: fmt.Sprintf("%020d", math.MaxInt64-ev.seq)}
}
