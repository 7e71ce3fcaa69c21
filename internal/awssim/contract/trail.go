package contract

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func trailFacts() []fact {
	return []fact{
		{name: "CloudTrail has an update under its dated name and who made it", check: trailedUpdate},
		{name: "two lookup attributes are refused", check: twoAttributes},
		{name: "more than fifty events on a page are refused", check: manyEvents},
		{name: "a StartTime of events after EndTime is refused", check: eventsBackwards},
		{name: "a NextToken of events that is none is refused", check: badEventToken},
	}
}

const updateEvent = "UpdateFunctionConfiguration20150331v2"

// events returns the updates of one function, newest first.
func (p *probe) events(name string) []types.Event {
	p.Helper()
	in := &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(2), StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now().Add(time.Hour)),
		LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyResourceName, AttributeValue: &name}}}
	var found []types.Event
	for pages := cloudtrail.NewLookupEventsPaginator(p.trail, in); pages.HasMorePages(); {
		out, err := pages.NextPage(p.ctx)
		p.must(err)
		for _, e := range out.Events {
			if aws.ToString(e.EventName) == updateEvent {
				found = append(found, e)
			}
		}
	}
	return found
}

func trailedUpdate(p *probe) {
	name := p.create("f")
	for _, text := range []string{"one", "two", "three"} {
		p.describe(name, text)
	}
	arn := p.layer("l")
	p.must(p.setLayers(name, []string{arn}))
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Minute) // it is some minutes behind
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	events := p.events(name)
	for len(events) < 4 {
		select {
		case <-tick.C:
			events = p.events(name)
		case <-ctx.Done():
			p.Fatalf("%d events, want 4", len(events))
		}
	}
	me, err := p.sts.GetCallerIdentity(p.ctx, &sts.GetCallerIdentityInput{})
	p.must(err)
	e := events[0]
	if user := aws.ToString(e.Username); user == "" || !strings.HasSuffix(aws.ToString(me.Arn), "/"+user) {
		p.Errorf("Username is %q of %s", user, aws.ToString(me.Arn))
	}
	if !strings.Contains(aws.ToString(e.CloudTrailEvent), arn) || time.Since(aws.ToTime(e.EventTime)).Abs() > time.Hour {
		p.Errorf("at %v: %s; want the newest first, with its layers", e.EventTime, aws.ToString(e.CloudTrailEvent))
	}
}

func (p *probe) lookup(change func(*cloudtrail.LookupEventsInput)) error {
	in := &cloudtrail.LookupEventsInput{}
	change(in)
	_, err := p.trail.LookupEvents(p.ctx, in)
	return err
}

func twoAttributes(p *probe) {
	p.refused(p.lookup(func(in *cloudtrail.LookupEventsInput) {
		a := types.LookupAttribute{AttributeKey: types.LookupAttributeKeyUsername, AttributeValue: aws.String("x")}
		in.LookupAttributes = []types.LookupAttribute{a, a}
	}), 400, "InvalidLookupAttributesException", "")
}

func manyEvents(p *probe) {
	p.refused(p.lookup(func(in *cloudtrail.LookupEventsInput) { in.MaxResults = aws.Int32(51) }), 400, "InvalidMaxResultsException", "")
}

func eventsBackwards(p *probe) {
	p.refused(p.lookup(func(in *cloudtrail.LookupEventsInput) {
		in.StartTime, in.EndTime = aws.Time(time.Now()), aws.Time(time.Now().Add(-time.Hour))
	}), 400, "InvalidTimeRangeException", "")
}

func badEventToken(p *probe) {
	p.refused(p.lookup(func(in *cloudtrail.LookupEventsInput) { in.NextToken = aws.String("none") }), 400, "InvalidNextTokenException", "")
}
