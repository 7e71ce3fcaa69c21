package present

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

func shareStep(n int64, g state.Grant, granting bool) plan.Step {
	s := plan.Step{
		ID: fmt.Sprintf("share/makoto-common/%d/%s", n, g.Key()), Kind: plan.KindShare, Layer: "makoto-common", Cause: plan.CauseChange,
		Reason: "share_with names " + g.Whom(), To: layer("makoto-common-prod", n), Sharing: new(plan.Sharing(g)),
	}
	if !granting {
		s.From, s.To = s.To, ""
	}
	return s
}

// Hundreds of grants are a line for each of those that they are for.
func TestSharesAreGrouped(t *testing.T) {
	partner, everybody, former := state.NewGrant("210987654321"), state.NewGrant(state.Everybody), state.NewGrant("o-abc123def4")
	var steps []plan.Step
	for n := range int64(200) {
		steps = append(steps, shareStep(n+1, partner, true), shareStep(n+1, everybody, true))
	}
	steps = append(steps, shareStep(12, former, false), shareStep(13, former, false))
	r := plan.Report{Plans: []plan.Plan{{Environment: "prod", Regions: []plan.Region{{Steps: steps, ObservedAt: testNow}}}}}
	v := Options{Now: testNow}
	for name, text := range map[string]string{"text": Text(r, v), "markdown": Markdown(r, v)} {
		for _, want := range []string{
			"makoto-common 1, 2, 3, 4, 5 and 195 more with 210987654321", "5 and 195 more with every AWS account", "makoto-common 12, 13 no longer with o-abc123def4",
			"400 to share, 2 to unshare",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
		if n := strings.Count(text, "\n"); n > 40 {
			t.Errorf("%s has %d lines", name, n)
		}
	}
	data, err := json.Marshal(plan.NewDocument("store", "", r.Plans, nil))
	if err != nil || !strings.Contains(string(data), `"share":{"with":"210987654321","sid":"layerd-210987654321"}`) || !strings.Contains(string(data), `"with":"*"`) {
		t.Errorf("%v, %.2000s", err, data)
	}
}

func TestSharesInTheHistory(t *testing.T) {
	var entries []history.Entry
	for _, n := range []int64{12, 13} {
		s := shareStep(n, state.NewGrant("210987654321"), n == 12 || n == 13)
		entries = append(entries, history.Entry{
			ID: fmt.Sprint(n), RoundID: "r", Round: history.Round{Environment: "prod", Region: testRegion},
			Action: history.Action{Step: s.ID, Kind: s.Kind, Layer: s.Layer, To: s.To, Cause: s.Cause, Reason: s.Reason, Sharing: s.Sharing},
			Status: plan.StatusApplied, Started: testNow, Ended: testNow.Add(time.Second),
		})
	}
	page := history.Page{Entries: entries}
	if text := History(page, "", time.UTC, Options{}); !strings.Contains(text, "applied share  2 versions  makoto-common with 210987654321\n") {
		t.Errorf("text:\n%s", text)
	}
	data, err := json.Marshal(HistoryDocument(page, 0, ""))
	if err != nil || strings.Count(string(data), `"with":"210987654321"`) != 2 {
		t.Errorf("json: %s, %v", data, err)
	}
	if table := HistoryCSV(entries); !strings.Contains(table, ",210987654321\n") {
		t.Errorf("csv: %s", table)
	}
}
