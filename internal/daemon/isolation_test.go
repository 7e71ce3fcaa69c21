package daemon_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/store/storetest"
)

const neighbourDefaults = "timezone: UTC\ndefaults:\n  account: \"123456789012\"\n  region: ap-northeast-1\n  layer_name: ${NAME}-${ENVIRONMENT}\n  layers: {common: {functions: [\"api-*-${ENVIRONMENT}\"]}}\n"

// neighbours is a site with dev, staging and prod in one account, each with a layer
// and functions of its own. prod is closed and wants approvals; it waits for 1.5.0,
// and one of its functions for its first layer.
func neighbours(t *testing.T) *site {
	t.Helper()
	s := newSite(t, 0)
	for _, env := range []string{"dev", "staging", "prod"} {
		for n := 1; n <= 5; n++ {
			s.world.PutLayerVersion(awssim.LayerVersion{Name: "common-" + env, Description: fmt.Sprintf("v1.%d.0", n), Created: time.Now().AddDate(-1, 0, n)})
		}
		for i := range 4 {
			f := awssim.Function{Name: fmt.Sprintf("api-%d-%s", i, env)}
			if i < 3 {
				f.Layers = []string{layerARN(accountID, "common-"+env, 4)}
			}
			s.world.PutFunction(f)
		}
	}
	s.commit("Neighbours", map[string]string{
		"layerd.yaml":               neighbourDefaults,
		"environments/dev.yaml":     "layers: {common: 1.4.0}\n",
		"environments/staging.yaml": "layers: {common: 1.4.0}\n",
		"environments/prod.yaml":    closedProd("1.5.0"),
	})
	return s
}

func closedProd(version string) string {
	return "approval_required: true\nchange_window: \"Saturday 02:00-06:00 UTC\"\nlayers: {common: " + version + "}\n"
}

var ofCommit = regexp.MustCompile(`commit [0-9a-f]{7} “[^”]*”`)

// bystander is all that shows of one environment: what people were told, what is
// kept, what its functions have.
func (s *site) bystander(env string, messages []notify.Message) []string {
	var lines []string
	for _, m := range messages {
		if m.Alert.Environment == env {
			text := ofCommit.ReplaceAllString(shown(m), "commit <commit>") // the newest one, whoever's it is
			lines = append(lines, "told "+strings.ReplaceAll(text, "\n", " | "))
		}
	}
	for line := range strings.Lines(storetest.Dump(s.t, s.store)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if parts := strings.Split(key, "/"); slices.Contains(parts[1:], env) && parts[0] != "desired" && parts[0] != "revisions" {
			lines = append(lines, "kept "+masked(key+" "+value))
		}
	}
	for _, f := range s.world.Functions() {
		if strings.HasSuffix(f.Name, "-"+env) {
			lines = append(lines, fmt.Sprint("has ", f.Name, f.Layers))
		}
	}
	slices.Sort(lines)
	return lines
}

// play runs a daemon for a while, has dev's file changed, and a while later prod's.
func (s *site) play(change gitserve.Change) (messages []notify.Message, health []string) {
	p := s.start("one")
	time.Sleep(3 * time.Minute)
	if len(change.Files)+len(change.Delete) > 0 {
		change.Subject, change.Author = "Reach out", "dev"
		if _, err := s.repo.Commit(change); err != nil {
			s.t.Fatal(err)
		}
	}
	s.world.PutFunction(awssim.Function{Name: "api-new-prod"})
	time.Sleep(7 * time.Minute)
	s.commit("Raise", map[string]string{"environments/prod.yaml": closedProd("1.3.0")})
	time.Sleep(7 * time.Minute)
	health = p.daemon.Health().Reasons
	p.stop()
	return s.slack.take(), health
}

// TestLawOneFileDecidesForNobodyElse: whatever becomes of dev.yaml, people are told the
// same about prod and staging, the same is kept of them, and their functions have the
// same.
func TestLawOneFileDecidesForNobodyElse(t *testing.T) {
	t.Parallel()
	dev := func(text string) gitserve.Change {
		return gitserve.Change{Files: map[string]string{"environments/dev.yaml": text}}
	}
	want := map[string][]string{}
	for _, tc := range nightly.Sample([]struct {
		name   string
		change gitserve.Change
		told   string // of dev
	}{
		{"nothing", gitserve.Change{}, ""},
		{"D1 the functions of prod", dev(`layers: {common: {version: 1.5.0, functions: ["api-*-dev", "api-*-prod"]}}`), "nvironment prod holds it: its common is on it"},
		{"D1 the functions of prod by other layers", dev(`layers: {common: {version: none, functions: ["api-*-prod"]}, common-prod: {version: 2, functions: ["api-*-prod"], arn: "arn:aws:lambda:ap-northeast-1:123456789012:layer:common-prod"}}`), "nvironment prod holds it"},
		{"D1 every function", dev(`layers: {common: {version: 1.5.0, functions: ["*"]}}`), "nvironment staging holds it"},
		{"D1 what prod waits for", dev(`layers: {common: {version: 1.5.0, functions: [api-3-prod, api-new-prod]}}`), "nvironment prod holds it: it selected the function first"},
		{"D2 a smoke test of prod's", dev("rollout: {smoke_test: {function: api-0-prod, payload: {drop: true}}}\nlayers: {common: {version: 1.5.0, functions: [\"api-*\"]}}"), "is not for this environment to call"},
		{"D2 a smoke test of prod's by tags", dev("rollout: {smoke_test: {function: api-0-prod}}\nlayers: {common: {version: 1.5.0, functions: [{runtime: \"python*\"}]}}"), "is not for this environment to call"},
		{"D2 a smoke test of a layer", dev(`layers: {common: {version: 1.5.0, functions: ["api-*-dev"], smoke_test: {function: api-0-prod}}}`), `does not select function "api-0-prod"`},
		{"D3 the layer of prod", dev("layer_name: ${NAME}-prod\nlayers: {common: 1.5.0}"), "environments/prod.yaml has owned common-prod"},
		{"D3 the layer of prod and all versions but two", dev("layer_name: common-prod\nretention: {versions_to_keep: 2, grace: 0}\nlayers: {common: 1.5.0}"), "environments/prod.yaml has owned common-prod"},
		{"D4 not YAML", dev("layers: [\n"), "is not followed: 1 problem"},
		{"D4 not UTF-8", dev("layers: {common: \xff}\n"), "is not followed: 1 problem"},
		{"D4 a pointer", dev("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"), "Git LFS"},
		{"D4 too large", dev("layers: {common: 1.4.0}\n" + strings.Repeat("#", 2<<20)), "is not followed: 1 problem"},
		{"D4 gone", gitserve.Change{Delete: []string{"environments/dev.yaml"}}, ""},
		{"another account", dev(`{account: "210987654321", layers: {common: 1.4.0}}`), ""},
	}, 4) {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := neighbours(t)
				messages, _ := s.play(tc.change)
				for _, env := range []string{"prod", "staging"} {
					got := s.bystander(env, messages)
					if want[env] == nil {
						want[env] = got
					}
					if diff := gocmp.Diff(want[env], got); diff != "" {
						t.Errorf("%s is another than with dev.yaml as it was (-as it was +now):\n%s", env, diff)
					}
				}
				var told strings.Builder
				for _, m := range messages {
					if m.Alert.Environment == "dev" {
						told.WriteString(shown(m))
					}
				}
				if !strings.Contains(told.String(), cmp.Or(tc.told, "dev")) {
					t.Errorf("dev is told\n%swhich lacks %q", told.String(), tc.told)
				}
				for _, c := range s.world.Calls() {
					if c.Operation == "Invoke" {
						t.Errorf("%s was invoked", c.Resource)
					}
				}
			})
		})
	}
}

// D4: each environment's last good commit is its own. A file of another environment
// that cannot be read does not keep this one's from being kept.
func TestD4TheLastGoodCommitIsItsOwn(t *testing.T) {
	broken := func(text string) gitserve.Change {
		return gitserve.Change{Files: map[string]string{"environments/prod.yaml": text}}
	}
	breaks := map[string]gitserve.Change{
		"a pointer": broken("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"),
		"not YAML":  broken("layers: [\n"),
		"not UTF-8": broken("layers: {common: \xff}\n"),
		"too large": broken("layers: {common: 1.5.0}\n" + strings.Repeat("# \n", 1<<20)),
		"empty":     broken(""),
		"a link":    {Links: map[string]string{"environments/prod.yaml": "dev.yaml"}},
		"a folder":  {Delete: []string{"environments/prod.yaml"}, Files: map[string]string{"environments/prod.yaml/x": "x"}},
	}
	for _, name := range nightly.Sample(slices.Sorted(maps.Keys(breaks)), 2) {
		prod := breaks[name]
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := neighbours(t)
				var down atomic.Bool
				s.wrapGit = func(to http.RoundTripper) http.RoundTripper { return outage{to, &down} }
				s.commit("Open prod", map[string]string{"environments/prod.yaml": "layers: {common: 1.4.0}\n"})
				p := s.start("one")
				time.Sleep(3 * time.Minute)
				prod.Subject = "Break prod"
				if _, err := s.repo.Commit(prod); err != nil {
					t.Fatal(err)
				}
				s.commit("Lower dev", map[string]string{"environments/dev.yaml": "layers: {common: 1.3.0}\n"})
				time.Sleep(5 * time.Minute)
				p.stop()
				down.Store(true)
				for i := range 3 {
					s.edit(fmt.Sprintf("api-%d-dev", i), "common-dev", 2)
					s.edit(fmt.Sprintf("api-%d-prod", i), "common-prod", 2)
				}
				p = s.start("two")
				defer p.stop()
				time.Sleep(10 * time.Minute)
				for _, f := range s.world.Functions() {
					want := map[string]string{"dev": layerARN(accountID, "common-dev", 3), "prod": layerARN(accountID, "common-prod", 4)}
					if v := want[f.Name[len("api-0-"):]]; v != "" && !slices.Equal(f.Layers, []string{v}) {
						t.Errorf("%s has %v, want %s", f.Name, f.Layers, v)
					}
				}
			})
		})
	}
}

// edit attaches one layer to a function by hand.
func (s *site) edit(function, layer string, version int) {
	s.world.EditFunction(fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", region, accountID, function), func(f *awssim.Function) {
		f.Layers = []string{layerARN(accountID, layer, version)}
	})
}

// The bounds of the daemon's own file bind whatever layerd.yaml says, and what was
// good before them.
func TestBoundsOfTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := neighbours(t)
		var d *daemon.Daemon
		bounded := func(o *daemon.Options) {
			o.Bounds = desired.Bounds{"*": {Functions: []string{"api-?-${ENVIRONMENT}"}}}
		}
		stop := s.startOddly(func(*daemon.Options) {}, &d)
		time.Sleep(3 * time.Minute)
		stop()
		stop = s.startOddly(bounded, &d)
		s.commit("Wider", map[string]string{"environments/dev.yaml": "layers: {common: 1.5.0}\n"})
		time.Sleep(5 * time.Minute)
		if reasons := strings.Join(d.Health().Reasons, "\n"); !strings.Contains(reasons, `"api-*-dev" is beyond what dev may reach: bounds of the daemon's configuration allow functions api-?-dev`) {
			t.Errorf("readyz: %s", reasons)
		}
		s.commit("Within", map[string]string{"environments/dev.yaml": "layers: {common: {version: 1.5.0, functions: [\"api-?-dev\"]}}\n"})
		time.Sleep(5 * time.Minute)
		stop()
		for _, f := range s.world.Functions() {
			if strings.HasSuffix(f.Name, "-dev") && !slices.Equal(f.Layers, []string{layerARN(accountID, "common-dev", 5)}) {
				t.Errorf("%s has %v", f.Name, f.Layers)
			}
		}
	})
}

// D4: what was said of a commit stays as it is while Git is away, also over a restart,
// when it is not known any more: neither over nor new.
func TestD4WhatWasToldOfACommitStaysWhileGitIsAway(t *testing.T) {
	good := map[string]string{"environments/prod.yaml": "layers: {common: 1.4.0}\n", "layerd.yaml": neighbourDefaults}
	for name, broken := range map[string]map[string]string{
		"an environment":    {"environments/prod.yaml": "layers: [\n"},
		"all environments":  {"layerd.yaml": "defaults: [\n"},
		"files of no one's": {"layers/other/layer.yaml": "nam: other\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := neighbours(t)
				var down atomic.Bool
				s.wrapGit = func(to http.RoundTripper) http.RoundTripper { return outage{to, &down} }
				s.commit("Good", good)
				p := s.start("one")
				time.Sleep(5 * time.Minute)
				s.slack.take()
				s.commit("Break it", broken)
				time.Sleep(5 * time.Minute)
				opened, _ := told(s.slack.take(), notify.DesiredInvalid, notify.Opened)
				if opened == 0 {
					t.Fatal("the broken commit is not told")
				}
				p.stop()
				down.Store(true)
				p = s.start("two")
				defer func() { p.stop() }()
				time.Sleep(10 * time.Minute)
				down.Store(false)
				time.Sleep(10 * time.Minute)
				got := s.slack.take()
				again, _ := told(got, notify.DesiredInvalid, notify.Opened)
				over, text := told(got, notify.DesiredInvalid, notify.Resolved)
				if again != 0 || over != 0 {
					t.Errorf("told %d times again, and %d times as over: %s", again, over, text)
				}
				mend := gitserve.Change{Subject: "Mend it", Files: map[string]string{}}
				for file := range broken {
					if text, ok := good[file]; ok {
						mend.Files[file] = text
					} else {
						mend.Delete = append(mend.Delete, file)
					}
				}
				if _, err := s.repo.Commit(mend); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Minute)
				if over, _ := told(s.slack.take(), notify.DesiredInvalid, notify.Resolved); over != opened {
					t.Errorf("resolved %d times, want %d", over, opened)
				}
			})
		})
	}
}
