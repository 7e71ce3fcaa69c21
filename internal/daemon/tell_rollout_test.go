package daemon_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/state"
)

// said returns the messages about dev since it was last called, a line each.
func (s *site) said() []string {
	s.t.Helper()
	var list []string
	for _, m := range s.slack.take() {
		if m.Alert.Environment == "dev" {
			list = append(list, string(m.Alert.Kind)+" "+string(m.Status)+": "+m.Headline())
		}
	}
	return list
}

// expect compares what was said with beginnings of lines.
func (s *site) expect(why string, want ...string) {
	s.t.Helper()
	got := s.said()
	if !slices.EqualFunc(got, want, func(g, w string) bool { return strings.HasPrefix(g, w) }) {
		s.t.Errorf("%s: it says\n  %s\nwant\n  %s", why, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// breaks has every function fail that runs a number of common.
func (s *site) breaks(version int) {
	s.world.OnInvoke(func(in awssim.Invocation) awssim.Result {
		if slices.Contains(in.Layers, layerARN(in.Account, "common", version)) {
			return awssim.Result{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"No module named 'common'"}`)}
		}
		return awssim.Result{}
	})
}

// bump commits a version for dev with a rollout.
func (s *site) bump(version, rollout string) {
	s.t.Helper()
	s.commit("Raise common to "+version, map[string]string{"environments/dev.yaml": envFile(accountID, version, rollout)})
}

const spread = "rollout: {waves: [1, 50%], bake: 10m, smoke_test: {function: makoto-03}}\n"

// A rollout that goes well is two messages, however many waves it has, and also
// when another daemon goes on with it half way.
func TestWavesAreToldOnce(t *testing.T) {
	nightly.NotShort(t, "it plays hours of one daemon, as shorter stories do")
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 6)
		s.interval = 4 * time.Minute
		p := s.start("one")
		time.Sleep(2 * time.Minute)
		s.said()
		s.bump("1.5.0", spread)
		time.Sleep(9 * time.Minute)
		s.expect("it begins", "change_applied opened: dev ap-northeast-1: common 4 (1.4.0) → 5 (1.5.0) begins on 6 functions, 3 waves")
		p.stop()
		p = s.start("two")
		defer p.stop()
		time.Sleep(20 * time.Minute)
		s.expect("its waves go on")
		time.Sleep(20 * time.Minute)
		s.expect("it ends", "change_applied resolved: dev ap-northeast-1: common 4 (1.4.0) → 5 (1.5.0) on 6 functions, 3 waves, healthy")
		time.Sleep(25 * time.Hour)
		s.expect("a day later")
	})
}

// TestBadLayerIsOneIncident: what a person on call hears of a bad version, from
// the first function to the commit that mends it.
func TestBadLayerIsOneIncident(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 6)
		s.interval = 4 * time.Minute
		p := s.start("one")
		time.Sleep(2 * time.Minute)
		s.said()
		s.breaks(5)
		s.bump("1.5.0", spread)
		time.Sleep(30 * time.Minute)
		s.expect("a bad layer",
			"change_applied opened: dev ap-northeast-1: common 4 (1.4.0) → 5 (1.5.0) begins on 6 functions, 3 waves",
			"rolled_back opened: dev ap-northeast-1: common 5 (1.5.0) was rolled back on 1 of 6 functions")
		p.stop()
		p = s.start("two")
		defer p.stop()
		time.Sleep(23 * time.Hour)
		s.expect("a restart is no news")
		time.Sleep(time.Hour)
		s.expect("a day later", "rolled_back reminded: Reminder: dev ap-northeast-1: common 5 (1.5.0) was rolled back on 1 of 6 functions")
		s.world.PutLayerVersion(awssim.LayerVersion{Account: accountID, Name: "common", Description: "v1.6.0"})
		s.bump("1.6.0", spread)
		time.Sleep(50 * time.Minute)
		s.expect("Git answers",
			"rolled_back resolved: Resolved: dev ap-northeast-1: common 5 (1.5.0) was rolled back",
			"change_applied opened: dev ap-northeast-1: common 4 (1.4.0) → 6 (1.6.0) begins",
			"change_applied resolved: dev ap-northeast-1: common 4 (1.4.0) → 6 (1.6.0) on 6 functions, 3 waves, healthy")
	})
}

// A rollout that halts asks a person, and a person's rollback is told again
// every day until Git agrees.
func TestHaltAndHandRollback(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays hours of one daemon, as shorter stories do")
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 6)
		s.interval = 4 * time.Minute
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute)
		s.said()
		s.breaks(5)
		s.bump("1.5.0", strings.Replace(spread, "bake", "on_failure: halt, bake", 1))
		time.Sleep(30 * time.Minute)
		messages := s.slack.take()
		var halt notify.Message
		for _, m := range messages {
			if m.Alert.Kind == notify.RolloutFailed {
				halt = m
			}
		}
		if len(messages) != 2 || halt.Severity != notify.Failure || !strings.Contains(halt.Title, "halted in wave 1 of 3") {
			t.Fatalf("a halt: %+v", messages)
		}
		text := ""
		for _, section := range halt.Sections {
			text += section.Text + " " + section.Detail + " " + section.Code + "\n"
		}
		for _, want := range []string{"No module named", "1 of 6 functions have it", `layerd retry dev --reason "…"`, `layerd rollback dev common --reason "…"`} {
			if !strings.Contains(text, want) {
				t.Errorf("a halt does not say %q:\n%s", want, text)
			}
		}
		q := ruling.Quarantine{
			Environment: "dev", Region: region, Layer: state.NewLayerARN("aws", region, accountID, "common"), Name: "common", Number: 5, Semver: "1.5.0",
			RevertTo: 4, ByPerson: true, By: "sato", Reason: "it fails", At: time.Now(),
		}
		log := history.Open(s.store, "acme")
		if _, err := log.Rulings().Quarantine(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if s.has(accountID, 5) != 0 {
			t.Errorf("%d functions still have 5", s.has(accountID, 5))
		}
		s.expect("a rollback by hand", "rolled_back opened: dev ap-northeast-1: common is pinned at 4 (1.4.0), rolled back from 5 (1.5.0) by sato")
		time.Sleep(24 * time.Hour)
		s.expect("a day later", "rolled_back reminded: Reminder: dev ap-northeast-1: common is pinned at 4")
		s.world.OnInvoke(nil)
		if ok, err := log.Rulings().Lift(t.Context(), q, "sato", "it was the test", time.Now()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		time.Sleep(time.Hour)
		s.expect("a word is lifted, and what Git asks for begins anew",
			"rolled_back resolved: Resolved: dev ap-northeast-1: common is pinned at 4",
			"change_applied opened: dev ap-northeast-1: common 4 (1.4.0) → 5 (1.5.0) begins",
			"change_applied resolved: dev ap-northeast-1: common 4 (1.4.0) → 5 (1.5.0) on 6 functions, 3 waves, healthy")
	})
}

// TestTugOfWarIsTold: another writer that changes a layer back is healed three
// times, then told of, once, by name.
func TestTugOfWarIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute)
		s.said()
		for range 4 {
			s.terraform(t, "makoto-00", layerARN(accountID, "common", 3))
			time.Sleep(20 * time.Minute)
		}
		messages := s.slack.take()
		last := messages[len(messages)-1]
		if n := s.world.Count("LookupEvents"); n != 1 {
			t.Errorf("CloudTrail was asked %d times in 20 minutes", n)
		}
		text := ""
		for _, section := range last.Sections {
			text += section.Text + " " + section.Detail + " " + strings.Join(section.Items, " ") + "\n"
		}
		if len(messages) != 4 || last.Alert.Kind != notify.TugOfWar || !strings.Contains(last.Title, "another writer keeps changing common on 1 function") {
			t.Fatalf("four times: %+v", messages)
		}
		for _, want := range []string{"makoto-00", "user/terraform", "ignore_changes", "3 (1.3.0) instead of 4 (1.4.0)"} {
			if !strings.Contains(text, want) {
				t.Errorf("it does not say %q:\n%s", want, text)
			}
		}
		s.commit("Agree", map[string]string{"environments/dev.yaml": envFile(accountID, "1.3.0", "")})
		time.Sleep(10 * time.Minute)
		s.expect("Git changes", "tug_of_war resolved: Resolved: dev ap-northeast-1: another writer",
			"change_applied told: dev ap-northeast-1: common 4 (1.4.0) → 3 (1.3.0) was applied to 2 functions")
	})
}

// terraform is another writer, who is in CloudTrail.
func (s *site) terraform(t *testing.T, function string, layers ...string) {
	t.Helper()
	s.world.AddKey("TERRAFORM", accountID, "arn:aws:iam::"+accountID+":user/terraform")
	c := lambda.New(lambda.Options{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider("TERRAFORM", "secret", ""),
		HTTPClient: &http.Client{Transport: s.world.Transport()},
	})
	in := &lambda.UpdateFunctionConfigurationInput{FunctionName: &function, Layers: layers}
	if _, err := c.UpdateFunctionConfiguration(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}
