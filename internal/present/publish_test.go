package present

import (
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/why"
)

const contentHash = "9f2c0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"

// publishing is a plan that publishes, attaches to three functions and shares with two.
func publishing(t *testing.T) plan.Report {
	t.Helper()
	arn := layer("makoto-common-prod", 1).Layer()
	r := testRegionPlan(t, "prod")
	r.Steps = []plan.Step{{
		ID: "publish/makoto-common/1.4.2", Kind: plan.KindPublish, Layer: "makoto-common", LayerARN: arn, To: arn.Unpublished(contentHash), ToVersion: "1.4.2",
		Cause: plan.CauseChange, Reason: "Git asks for 1.4.2", Publishing: &plan.Publishing{
			Artifact:    state.Artifact{Location: "s3://makoto-artifacts/layers/common/1.4.2.zip"},
			Content:     state.Content{SHA256: contentHash, Size: 12_900_000, Unzipped: 40 << 20},
			Description: "common v1.4.2 sha256:9f2c01234567",
		},
	}}
	for _, f := range functions(3) {
		s := held(attach(f, 12, 13), plan.ByOrder, time.Time{}, "waits until makoto-common 1.4.2 is published")
		s.To = arn.Unpublished(contentHash)
		r.Steps = append(r.Steps, s)
	}
	for _, to := range []string{"210987654321", "o-abc123def4"} {
		s := held(plan.Step{
			ID: "share/makoto-common/1.4.2/" + to, Kind: plan.KindShare, Layer: "makoto-common", LayerARN: arn, To: arn.Unpublished(contentHash), ToVersion: "1.4.2",
			Cause: plan.CauseChange, Reason: "share_with names " + to, Sharing: new(plan.Sharing(state.NewGrant(to))),
		}, plan.ByOrder, time.Time{}, "waits until makoto-common 1.4.2 is published")
		r.Steps = append(r.Steps, s)
	}
	return plan.Report{Plans: []plan.Plan{{Environment: "prod", Regions: []plan.Region{r}}}}
}

func TestPublishIsShown(t *testing.T) {
	text := Text(publishing(t), testView())
	for _, part := range []string{
		"  + publish   1 version  makoto-common 1.4.2  from\n",
		"    s3://makoto-artifacts/layers/common/1.4.2.zip, 12 MB\n", "    (sha256 9f2c01234567)\n",
		"waits for order\n      order: waits until makoto-common 1.4.2 is published\n",
		"~ attach    3 functions  makoto-common 12 (1.4.1) → new (1.4.2)\n",
		"      + share       1 version  makoto-common new (1.4.2) with 210987654321\n",
		"      + share       1 version  makoto-common new (1.4.2) with o-abc123def4\n",
		"Plan: 1 to publish, 3 to attach, 2 to share; 5 of 6 wait",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len([]rune(line)) > 80 && !strings.Contains(line, "s3://") {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	md := Markdown(publishing(t), testView())
	for _, part := range []string{
		"+ publish  1 version  makoto-common 1.4.2  from s3://makoto-artifacts/layers/common/1.4.2.zip, 12 MB (sha256 9f2c01234567)\n",
		"makoto-common 12 (1.4.1) → new (1.4.2)\n", "makoto-common new (1.4.2) with 210987654321\n", "| 1 to publish, 3 to attach, 2 to share | order |",
	} {
		if !strings.Contains(md, part) {
			t.Errorf("%q is not in\n%s", part, md)
		}
	}
	if gh := GitHub(publishing(t), testView(), ""); !strings.Contains(gh, "1 to publish, 3 to attach, 2 to share, waiting for order") {
		t.Error(gh)
	}
}

func TestPublishIsShownWhenItIsDone(t *testing.T) {
	v := testView()
	v.Applied = true
	r := publishing(t)
	s := &r.Plans[0].Regions[0].Steps[0]
	s.Result = &plan.Result{Status: plan.StatusApplied, Published: layer("makoto-common-prod", 13)}
	if text := Text(r, v); !strings.Contains(text, "published  1 version  makoto-common 13 (1.4.2)") {
		t.Error(text)
	}
	s.Result = &plan.Result{Status: plan.StatusFailed, Error: "AWS refused it"}
	if text := Text(r, v); !strings.Contains(text, "makoto-common 1.4.2") || !strings.Contains(text, "AWS refused it") {
		t.Error(text)
	}
}

func TestPublishInTheHistory(t *testing.T) {
	e := history.Entry{
		ID: "1", Round: history.Round{Environment: "prod", Region: testRegion},
		Action: history.Action{Kind: plan.KindPublish, Layer: "makoto-common", To: layer("makoto-common-prod", 13), ToVersion: "1.4.2", Cause: plan.CauseChange, Reason: "Git asks for 1.4.2",
			Artifact: "s3://artifacts/1.4.2.zip", SHA256: contentHash},
		ToNumber: 13, Status: plan.StatusApplied, Started: testNow, Ended: testNow.Add(time.Second),
	}
	if got := whatOf(e); got != "makoto-common 13 (1.4.2)  sha256:9f2c01234567 from s3://artifacts/1.4.2.zip" {
		t.Error(got)
	}
	if got := subjectOf(e); got != "makoto-common 13 (1.4.2)" {
		t.Error(got)
	}
}

// The JSON has one form for what is not published, in the publish and in what waits for
// it, and what it is made of.
func TestPublishInJSON(t *testing.T) {
	r := publishing(t)
	steps := plan.NewDocument("none", "", r.Plans, []desired.Problem{}).Environments[0].Steps
	want := "arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod:sha256:" + contentHash
	for _, s := range steps {
		if s.To != want || (s.Publish != nil) != (s.Kind == plan.KindPublish) || (s.Share != nil) != (s.Kind == plan.KindShare) || s.ToVersion != "1.4.2" {
			t.Errorf("%+v", s)
		}
	}
	if p := *steps[0].Publish; p != (plan.PublishView{
		Artifact: "s3://makoto-artifacts/layers/common/1.4.2.zip", SHA256: contentHash, Size: 12_900_000, Unzipped: 40 << 20, Description: "common v1.4.2 sha256:9f2c01234567",
	}) {
		t.Errorf("%+v", p)
	}
}

// What a function should have and is not published yet is called so.
func TestWhyOfWhatIsNotPublished(t *testing.T) {
	place := whyWorld(t)
	s := &place.Region.Steps[1]
	s.To = s.LayerARN.Unpublished(contentHash)
	text := Why(why.Ask(whyFunction, []why.Place{place}), plan.Report{Past: "store"}, testView())
	if !strings.Contains(text, "has 11 (1.4.0), should have new (1.4.2)") {
		t.Error(text)
	}
}
