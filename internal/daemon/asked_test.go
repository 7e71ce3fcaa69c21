package daemon_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/present"
)

// asking is a site whose prod is closed until 02:00, and in which each commit has an
// author of its own.
type asking struct {
	*site
	hashes map[string]string // by subject
}

// prod commits prod's file with what stands behind layers, and more keys.
func (s *asking) prod(subject, layers, more string) {
	s.change(subject, map[string]string{
		"environments/prod.yaml": fmt.Sprintf("account: %q\nchange_window: \"Saturday 02:00-06:00 UTC\"\n%slayers: %s\n", otherAccount, more, layers),
	})
}

func (s *asking) change(subject string, files map[string]string) {
	s.t.Helper()
	hash, err := s.repo.Commit(gitserve.Change{Author: "author of " + subject, Subject: subject, Files: files})
	if err != nil {
		s.t.Fatal(err)
	}
	s.hashes[subject] = hash
}

// H2: the commit that is told as asking is the one since which Git has wanted this
// version on this function, with its author and subject, whenever the daemon saw it.
func TestH2WhoAskedForIt(t *testing.T) {
	t.Parallel()
	nightly.NotShort(t, "it plays hours of one daemon, as shorter stories do")
	const up, down = "{common: 1.5.0}", "{common: 1.4.0}"
	some := func(functions, version string) string {
		return fmt.Sprintf("{common: {version: %s, functions: [%q]}}", version, functions)
	}
	for i, tt := range nightly.Sample(nightly.SampleOrCI([]struct {
		name string
		play func(s *asking)
		// want has who asked, by function or layer; "" is all others. A commit, "unknown"
		// or "published".
		want map[string]string
	}{
		{"a comment came later", func(s *asking) {
			s.prod("A", up, "")
			time.Sleep(3 * time.Minute)
			s.prod("B", up, "# why\n")
		}, map[string]string{"": "A"}},
		{"both came between two looks", func(s *asking) { s.prod("A", up, ""); s.prod("B", up, "# why\n") }, map[string]string{"": "A"}},
		{"raised, lowered and raised again", func(s *asking) {
			for _, c := range [][2]string{{"A", up}, {"B", down}, {"C", up}, {"D", "{common: v1.5.0}"}} {
				s.prod(c[0], c[1], "")
				time.Sleep(3 * time.Minute)
			}
		}, map[string]string{"": "C"}},
		{"raised twice", func(s *asking) { s.prod("A", "{common: 1.3.0}", ""); s.prod("B", up, "") }, map[string]string{"": "B"}},
		{"written otherwise", func(s *asking) {
			s.prod("A", up, "")
			s.prod("B", "{common: {version: \"1.5.0\"}}", "timezone: Asia/Tokyo\n")
		}, map[string]string{"": "A"}},
		{"another environment and the defaults", func(s *asking) {
			s.prod("A", up, "")
			s.change("B", map[string]string{"environments/dev.yaml": envFile(accountID, "1.5.0", "")})
			s.change("C", map[string]string{"README.md": "x"})
		}, map[string]string{"": "A"}},
		{"an invalid commit between", func(s *asking) {
			s.prod("A", up, "")
			time.Sleep(3 * time.Minute)
			s.prod("B", "{common: no}", "")
			time.Sleep(3 * time.Minute)
			s.prod("C", up, "# mended\n")
		}, map[string]string{"": "A"}},
		{"the functions came with another commit", func(s *asking) {
			s.prod("Z", some("makoto-0[0]", "1.4.0"), "")
			s.prod("Y", some("makoto-00", "1.4.0"), "")
			s.prod("A", some("makoto-00", "1.5.0"), "")
			time.Sleep(3 * time.Minute)
			s.prod("B", some("makoto-0*", "1.5.0"), "")
			s.prod("C", some("makoto-*", "1.5.0"), "")
		}, map[string]string{"makoto-00": "A", "": "B"}},
		{"forced away and asked for anew", func(s *asking) {
			begin := s.repo.Head("")
			s.prod("A", up, "")
			time.Sleep(3 * time.Minute)
			if err := s.repo.Move("", begin); err != nil {
				s.t.Fatal(err)
			}
			s.prod("A2", up, "# anew\n")
			s.prod("B", up, "# why\n")
		}, map[string]string{"": "A2"}},
		{"too long ago to be found", func(s *asking) {
			s.prod("A", up, "")
			for i := range 40 {
				s.prod(fmt.Sprint("B", i), up, fmt.Sprintf("# %d\n", i))
			}
		}, map[string]string{"": "unknown"}},
		{"seen one by one it is known much longer", func(s *asking) {
			s.prod("A", up, "")
			for i := range 20 {
				s.prod(fmt.Sprint("B", i), up, fmt.Sprintf("# %d\n", i))
				time.Sleep(time.Minute)
			}
		}, map[string]string{"": "A"}},
		{"two layers in two commits", func(s *asking) {
			s.change("Z", map[string]string{"layers/neighbour/layer.yaml": "name: neighbour\n"})
			s.prod("A", "{common: 1.5.0, neighbour: {version: 1, functions: [makoto-01]}}", "unmanaged: []\n")
			s.prod("B", "{common: 1.5.0, neighbour: {version: 2, functions: [makoto-01]}}", "unmanaged: []\n")
		}, map[string]string{"neighbour": "B", "": "A"}},
		{"a version that a range takes in", func(s *asking) {
			s.prod("A", "{common: ^1.4}", "auto_update: true\n")
			s.prod("B", "{common: ^1.4}", "auto_update: true # why\n")
			time.Sleep(5 * time.Minute)
			s.world.PutLayerVersion(awssim.LayerVersion{Account: otherAccount, Name: "common", Description: "v1.6.0", Created: time.Now()})
		}, map[string]string{"": "published"}},
		{"a range that was written later", func(s *asking) {
			s.prod("A", "{common: ^1.5}", "auto_update: true\n")
			s.prod("B", "{common: ^1.5}", "auto_update: true # why\n")
		}, map[string]string{"": "A"}},
	}, 7), 1) {
		for when, start := range map[string]string{"running": "before", "started later": "after", "restarted": "both"} {
			if start == "both" && i > 0 && !nightly.On() {
				continue
			}
			t.Run("H2 "+tt.name+", "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { askedFor(t, tt.play, start, tt.want) })
			})
		}
	}
}

func askedFor(t *testing.T, play func(*asking), start string, want map[string]string) {
	s := &asking{newSite(t, 3), map[string]string{}}
	s.world.PutLayerVersion(awssim.LayerVersion{Account: otherAccount, Name: "neighbour"})
	var p *process
	if start != "after" {
		p = s.start("one")
		time.Sleep(3 * time.Minute)
	}
	play(s)
	if start == "both" {
		time.Sleep(3 * time.Minute)
		p.stop()
	}
	if start != "before" {
		p = s.start("two")
	}
	s.slack.take()
	time.Sleep(time.Until(time.Date(2000, 1, 1, 2, 10, 0, 0, time.UTC)))
	defer p.stop()
	var said strings.Builder
	for _, m := range s.slack.take() {
		said.WriteString(shown(m))
		newest := s.repo.Head("")
		if told := shown(m); !strings.Contains(told, "first look") && strings.Contains(told, "asked for by commit") && !strings.Contains(told, "asked for by commit "+newest[:7]) && strings.Contains(told, newest[:7]) && want[""] != "unknown" {
			t.Errorf("Slack names the newest commit %.7s as well:\n%s", newest, told)
		}
	}
	changes := 0
	for _, e := range s.entries() {
		if e.Environment != "prod" || e.Cause != plan.CauseChange {
			continue
		}
		changes++
		subject := want[""]
		for _, key := range []string{e.Function, e.Layer} {
			if w, ok := want[key]; ok {
				subject = w
			}
		}
		s.checkAsked(e, subject, said.String())
	}
	if changes == 0 {
		t.Error("nothing was changed")
	}
}

func (s *asking) checkAsked(e history.Entry, want, said string) {
	s.t.Helper()
	text := present.History(history.Page{Entries: []history.Entry{e}}, "", time.UTC, present.Options{})
	got := fmt.Sprintf("%s of %s “%s”", e.Revision, e.Author, e.Subject)
	expected, line := fmt.Sprintf("%s of author of %s “%s”", s.hashes[want], want, want), fmt.Sprintf("revision %.7s by author of %s, “%s”", s.hashes[want], want, want)
	slack := fmt.Sprintf("sked for by commit %.7s “%s” of author of %s", s.hashes[want], want, want)
	switch want {
	case "unknown":
		expected, line, slack = " of  “”", "or one before it", "or one before it"
	case "published":
		expected, line, slack = " of  “”", "for change, a new version of the range in Git", "a new version in the range that Git names"
	}
	if got != expected || !strings.Contains(text, line) {
		s.t.Errorf("%s %s: %s, want %s\n%s", e.Layer, e.Function, got, expected, text)
	}
	if !strings.Contains(said, slack) && !strings.Contains(said, strings.TrimPrefix(slack, "sked for by ")) {
		s.t.Errorf("Slack does not hear %q:\n%s", slack, said)
	}
}

// H2: a heal is asked for by no commit, and so is a rollback by health.
func TestH2AHealNamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		p := s.start("one")
		defer p.stop()
		time.Sleep(2 * time.Minute)
		s.slack.take()
		s.meddle(accountID, "makoto-01", 3)
		time.Sleep(3 * time.Minute)
		list := s.entries()
		if len(list) != 1 || list[0].Cause != plan.CauseDrift || list[0].Revision+list[0].Author != "" || list[0].Planned == "" {
			t.Errorf("entries: %+v", list)
		}
		page := history.Page{Entries: list}
		if text := present.History(page, "", time.UTC, present.Options{}); strings.Contains(text, "revision") {
			t.Errorf("history:\n%s", text)
		}
		for _, m := range s.slack.take() {
			if text := shown(m); strings.Contains(text, "asked for") || strings.Contains(text, "commit") || strings.Contains(text, "Begin") {
				t.Errorf("Slack: %s", text)
			}
		}
	})
}
