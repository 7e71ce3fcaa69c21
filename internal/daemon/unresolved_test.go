package daemon_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/notify"
)

// told counts the messages about an alert of a kind, by status.
func told(list []notify.Message, kind notify.Kind, status notify.Status) (n int, text string) {
	for _, m := range list {
		if m.Alert.Kind == kind && m.Status == status {
			n++
			text += m.Title + "\n"
			for _, s := range m.Sections {
				text += s.Text + "\n" + s.Detail + "\n"
			}
		}
	}
	return n, text
}

// unresolved are wishes of dev that load, and that live versions do not answer.
func unresolved() map[string]string {
	return map[string]string{
		"exact":  envFile(accountID, "8.8.8", ""),
		"number": envFile(accountID, "99", ""),
		"range":  envFile(accountID, "^8.8", "auto_update: true\n"),
		"pin": fmt.Sprintf("account: %q\nlayers:\n  common:\n    version: 1.4.0\n    pins: [{functions: [makoto-01], version: 8.8.8, until: 2000-02-01, reason: r, owner: o}]\n",
			accountID),
		"arn": fmt.Sprintf("account: %q\nlayers:\n  common: 1.4.0\n  vendor: {arn: \"arn:aws:lambda:ap-northeast-1:464622532012:layer:vendor\", version: 77, functions: [\"makoto-*\"]}\n",
			accountID),
		"name":       envFile(accountID, "1.4.0", "layer_name: ${NAME}-${ENVIRONMENT}\n"),
		"smoke test": envFile(accountID, "1.4.0", "rollout: {smoke_test: {function: makoto-nobody}, bake: 5m}\n"),
	}
}

// A commit whose wish live versions do not answer is an invalid one: told once
// everywhere with its place, while the last good one stays in force.
func TestQ1ACommitThatDoesNotResolve(t *testing.T) {
	for name, file := range unresolved() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, 6)
				var log logText
				s.log = &log
				p := s.start("one")
				time.Sleep(2 * time.Minute)
				s.slack.take()
				s.commit("Ask for what nobody published", map[string]string{"environments/dev.yaml": file})
				time.Sleep(10 * time.Minute)
				n, text := told(s.slack.take(), notify.DesiredInvalid, notify.Opened)
				if n != 1 || !strings.Contains(text, "environments/dev.yaml:") {
					t.Errorf("told %d times:\n%s", n, text)
				}
				if name != "smoke test" && name != "name" && name != "arn" && !strings.Contains(text, "live: 5 (1.5.0), 4 (1.4.0)") {
					t.Errorf("what is live is not told:\n%s", text)
				}
				h := p.daemon.Health()
				if h.Ready || !strings.Contains(fmt.Sprint(h.Reasons), "environments/dev.yaml:") || !strings.Contains(fmt.Sprint(h.Reasons), "since 2000-01-01") {
					t.Errorf("ready %v: %q", h.Ready, h.Reasons)
				}
				if text := scrape(t, p); !strings.Contains(text, "layerd_problems{code=") {
					t.Errorf("the metrics have no problem:\n%s", text)
				}
				if got := strings.Count(log.String(), "desired state invalid"); got != 1 || !strings.Contains(log.String(), "file=environments/dev.yaml line=") {
					t.Errorf("logged %d times", got)
				}
				// A hand moves a function: it is healed to the last good wish.
				s.meddle(accountID, "makoto-01", 3)
				time.Sleep(2 * time.Minute)
				if s.has(accountID, 4) != 6 {
					t.Errorf("%d of 6 have what the last good commit asks for", s.has(accountID, 4))
				}
				// A restart repeats nothing and forgets nothing.
				s.slack.take()
				before := p.daemon.Health().Reasons
				p.stop()
				p = s.start("one")
				defer func() { p.stop() }()
				time.Sleep(3 * time.Minute)
				if n, _ := told(s.slack.take(), notify.DesiredInvalid, notify.Opened); n != 0 {
					t.Error("told once more after a restart")
				}
				if h := p.daemon.Health(); h.Ready || !slices.Equal(h.Reasons, before) {
					t.Errorf("after a restart: ready %v: %q, and before: %q", h.Ready, h.Reasons, before)
				}
				s.meddle(accountID, "makoto-02", 2)
				time.Sleep(2 * time.Minute)
				if s.has(accountID, 4) != 6 {
					t.Errorf("after a restart, %d of 6 have what the last good commit asks for", s.has(accountID, 4))
				}
				// Mended by the next commit.
				s.slack.take()
				s.commit("Mend", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
				time.Sleep(3 * time.Minute)
				if n, _ := told(s.slack.take(), notify.DesiredInvalid, notify.Resolved); n != 1 {
					t.Errorf("resolved %d times", n)
				}
				if s.has(accountID, 5) != 6 {
					t.Errorf("%d of 6 have what the commit asks for that mends it", s.has(accountID, 5))
				}
				if h := p.daemon.Health(); !h.Ready {
					t.Errorf("not ready: %q", h.Reasons)
				}
			})
		})
	}
}

// What was asked for too early is good from when it is published, and waits for
// its window like any change.
func TestAVersionThatIsPublishedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 4)
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute)
		s.commit("Too early", map[string]string{
			"environments/dev.yaml":  envFile(accountID, "1.6.0", ""),
			"environments/prod.yaml": envFile(otherAccount, "1.6.0", "change_window: \"Saturday 02:00-06:00 UTC\"\n"),
		})
		time.Sleep(10 * time.Minute)
		s.slack.take()
		for _, account := range []string{accountID, otherAccount} {
			s.world.PutLayerVersion(awssim.LayerVersion{Account: account, Name: "common", Description: "v1.6.0", Created: time.Now()})
		}
		time.Sleep(3 * time.Minute)
		if n, _ := told(s.slack.take(), notify.DesiredInvalid, notify.Resolved); n != 2 {
			t.Errorf("resolved %d times", n)
		}
		if s.has(accountID, 6) != 4 || s.has(otherAccount, 6) != 0 {
			t.Errorf("dev %d, prod %d of 4", s.has(accountID, 6), s.has(otherAccount, 6))
		}
		time.Sleep(time.Until(time.Date(2000, 1, 1, 2, 1, 0, 0, time.UTC)))
		if s.has(otherAccount, 6) != 4 || !p.daemon.Health().Ready {
			t.Errorf("prod %d of 4 in its window: %q", s.has(otherAccount, 6), p.daemon.Health().Reasons)
		}
	})
}

// The first commit of an environment has no last good one before it: nothing
// of it starts, its other layers are healed once they were found as wanted, and
// the cause is what the first look begins with.
func TestTheFirstCommitDoesNotResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 4)
		s.commit("Wrong from the start", map[string]string{
			"environments/dev.yaml": fmt.Sprintf("account: %q\nlayers:\n  common: 8.8.8\n  neighbour: {version: 1, functions: [makoto-01, makoto-02]}\n", accountID),
		})
		p := s.start("one")
		defer p.stop()
		time.Sleep(5 * time.Minute)
		var first notify.Message
		for _, m := range s.slack.take() {
			if m.Alert.Environment == "dev" {
				if first.Title != "" {
					t.Errorf("a second message: %s", m.Title)
				}
				first = m
			}
		}
		if !strings.Contains(first.Title, "first look") || len(first.Sections) == 0 || !strings.Contains(first.Sections[0].Text, "8.8.8") {
			t.Errorf("the first look does not begin with the cause: %+v", first)
		}
		if p.daemon.Health().Ready || s.world.Writes() != 0 {
			t.Errorf("ready, or %d writes", s.world.Writes())
		}
		arn := fmt.Sprintf("arn:aws:lambda:%s:%s:function:makoto-02", region, accountID)
		s.world.EditFunction(arn, func(f *awssim.Function) { f.Layers = f.Layers[:1] })
		time.Sleep(2 * time.Minute)
		if f, _ := s.world.Function(arn); len(f.Layers) != 2 {
			t.Errorf("a layer that was found as wanted is not healed: %v", f.Layers)
		}
	})
}

// Q2: a renamed file makes a layer's name that has no live version.
func TestQ2ARenamedEnvironmentNamesTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2)
		for i := range 4 {
			s.world.PutFunction(awssim.Function{Account: accountID, Name: fmt.Sprintf("makoto-image-%d", i), PackageType: "Image"})
		}
		var log logText
		s.log = &log
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute)
		s.slack.take()
		if _, err := s.repo.Commit(gitserve.Change{
			Subject: "Rename", Delete: []string{"environments/dev.yaml"},
			Files: map[string]string{"environments/stage.yaml": envFile(accountID, "1.4.0", "layer_name: ${NAME}-${ENVIRONMENT}\n")},
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		const cause = "common-stage has no live version"
		var first string
		for _, m := range s.slack.take() {
			if m.Alert.Environment == "stage" && strings.Contains(m.Title, "first look") {
				first = m.Sections[0].Text
				if m.Severity != notify.Failure {
					t.Errorf("the first look is only %s", m.Severity)
				}
			}
		}
		if !strings.Contains(first, cause) {
			t.Errorf("the first look begins with %q", first)
		}
		if !strings.Contains(log.String(), cause) || !strings.Contains(fmt.Sprint(p.daemon.Health().Reasons), cause) {
			t.Errorf("not in the log or not in %q", p.daemon.Health().Reasons)
		}
	})
}

// A version that was applied and then deleted: no other commit is better, and
// people hear of it all the same.
func TestAVersionThatIsDeletedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute)
		s.slack.take()
		s.world.DropLayerVersion(layerARN(accountID, "common", 4))
		time.Sleep(5 * time.Minute)
		got := s.slack.take()
		if n, text := told(got, notify.DesiredInvalid, notify.Opened); n != 1 || !strings.Contains(text, "environments/dev.yaml:2:") {
			t.Errorf("told %d times: %s", n, text)
		}
		if h := p.daemon.Health(); h.Ready || !strings.Contains(fmt.Sprint(h.Reasons), "environments/dev.yaml:2:") {
			t.Errorf("%q", h.Reasons)
		}
	})
}

// A version that exists in one of two Regions only is followed in neither.
func TestAVersionOfOneRegionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		const other = "us-east-1"
		for n := 1; n <= 4; n++ {
			s.world.PutLayerVersion(awssim.LayerVersion{Account: accountID, Region: other, Name: "common", Description: fmt.Sprintf("v1.%d.0", n)})
		}
		regions := "regions: [ap-northeast-1, us-east-1]\n"
		s.commit("Two Regions", map[string]string{"environments/dev.yaml": envFile(accountID, "1.4.0", regions)})
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute)
		s.slack.take()
		s.commit("Of one only", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", regions)})
		time.Sleep(5 * time.Minute)
		if s.has(accountID, 4) != 3 {
			t.Errorf("%d of 3 stayed", s.has(accountID, 4))
		}
		if n, text := told(s.slack.take(), notify.DesiredInvalid, notify.Opened); n != 1 || !strings.Contains(text, other) {
			t.Errorf("told %d times: %s", n, text)
		}
	})
}

// What is wrong in files that no environment follows is told as well, and is
// over when the files are gone: nothing was managed, so nothing was removed.
func TestAnEnvironmentThatWasNeverValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2)
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute)
		s.slack.take()
		s.commit("Two more", map[string]string{
			"environments/test.yaml":  "acount: 1\n",
			"layers/other/layer.yaml": "nome: other\n",
		})
		time.Sleep(3 * time.Minute)
		if n, text := told(s.slack.take(), notify.DesiredInvalid, notify.Opened); n == 0 || !strings.Contains(text, "environments/test.yaml:1:1") || !strings.Contains(text, "layers/other/layer.yaml:") {
			t.Errorf("told %d times:\n%s", n, text)
		}
		if got := fmt.Sprint(p.daemon.Health().Reasons); !strings.Contains(got, "environments/test.yaml:1:1") {
			t.Errorf("readyz: %s", got)
		}
		if _, err := s.repo.Commit(gitserve.Change{Subject: "Away", Delete: []string{"environments/test.yaml", "layers/other"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(12 * time.Minute)
		got := s.slack.take()
		if n, _ := told(got, notify.DesiredInvalid, notify.Resolved); n == 0 {
			t.Error("not resolved")
		}
		if n, text := told(got, notify.EnvironmentRemoved, notify.Opened); n != 0 {
			t.Errorf("told as removed: %s", text)
		}
		if h := p.daemon.Health(); !h.Ready {
			t.Errorf("not ready: %q", h.Reasons)
		}
	})
}

// While what the newest commit asks for is not whole nothing is pruned, not
// even by an environment that resolves.
func TestNothingIsPrunedWhileACommitDoesNotResolve(t *testing.T) {
	nightly.NotShort(t, "it plays hours of one daemon, as shorter stories do")
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 2)
		keep := "retention: {versions_to_keep: 2, grace: 1h}\n"
		s.commit("Keep two", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", keep)})
		p := s.start("one")
		defer p.stop()
		time.Sleep(30 * time.Minute)
		s.commit("Ask for what nobody published", map[string]string{"environments/prod.yaml": envFile(otherAccount, "8.8.8", "")})
		time.Sleep(3 * time.Hour)
		if n := s.world.Count("DeleteLayerVersion"); n != 0 {
			t.Errorf("%d versions were pruned", n)
		}
		s.commit("Mend", map[string]string{"environments/prod.yaml": envFile(otherAccount, "1.4.0", "")})
		time.Sleep(3 * time.Hour)
		if n := s.world.Count("DeleteLayerVersion"); n == 0 {
			t.Error("nothing is pruned after it was mended")
		}
	})
}

// Whoever takes over while a commit does not resolve stays with the last good
// one too, and tells nothing twice.
func TestATakeoverWhileACommitDoesNotResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		one := s.start("one")
		time.Sleep(2 * time.Minute)
		two := s.start("two")
		defer two.stop()
		time.Sleep(2 * time.Minute)
		s.commit("Ask for what nobody published", map[string]string{
			"environments/dev.yaml":  envFile(accountID, "8.8.8", ""),
			"environments/prod.yaml": envFile(otherAccount, "8.8.8", ""),
		})
		time.Sleep(10 * time.Minute)
		if n, text := told(s.slack.take(), notify.DesiredInvalid, notify.Opened); n != 2 {
			t.Errorf("told %d times:\n%s", n, text)
		}
		one.kill()
		time.Sleep(5 * time.Minute)
		s.meddle(accountID, "makoto-01", 3)
		s.meddle(otherAccount, "makoto-02", 2)
		time.Sleep(3 * time.Minute)
		if dev, prod := s.has(accountID, 4), s.has(otherAccount, 4); dev != 3 || prod != 2 {
			t.Errorf("dev %d of 3, prod %d (no window is open, and the last good commit has one)", dev, prod)
		}
		if n, text := told(s.slack.take(), notify.DesiredInvalid, notify.Opened); n != 0 {
			t.Errorf("told again:\n%s", text)
		}
		if h := two.daemon.Health(); h.Ready || len(h.Reasons) != 2 {
			t.Errorf("%q", h.Reasons)
		}
	})
}

// Two thousand problems are two thousand lines, once: a problem more is one line
// more, and one that is mended none.
func TestAProblemIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 1)
		var log logText
		s.log = &log
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute)
		logged := func(problems int) int {
			synctest.Wait()
			before := strings.Count(log.String(), "desired state invalid")
			file := envFile(accountID, "1.4.0", "")
			for i := range problems {
				file += fmt.Sprintf("key%d: 1\n", i)
			}
			s.commit(fmt.Sprint(problems, " keys that do not exist"), map[string]string{"environments/dev.yaml": file})
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			return strings.Count(log.String(), "desired state invalid") - before
		}
		for _, tt := range []struct{ problems, want int }{{40, 40}, {41, 1}, {30, 0}, {0, 0}, {30, 30}} {
			if got := logged(tt.problems); got != tt.want {
				t.Errorf("%d problems: %d new lines, want %d", tt.problems, got, tt.want)
			}
		}
	})
}
