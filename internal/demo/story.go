package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/words"
)

// tell plays the chapters in order and stops at the first that fails.
func (s *story) tell() error {
	s.line("%s", "layerd demo: one week of 41 Lambda functions")
	s.says("AWS and Git are simulated inside this process; layerd is not. Nothing leaves this machine.")
	before := s.layers()
	for _, chapter := range []func() error{
		s.inSync, s.healsDrift, s.develops, s.raises, s.waitsThenChanges, s.changesNothingTwice,
	} {
		if err := s.play(chapter); err != nil {
			return err
		}
	}
	if err := s.play(func() error { return s.rollsBack(before) }); err != nil {
		return err
	}
	for _, chapter := range []func() error{s.prunes, s.breaks, s.mends} {
		if err := s.play(chapter); err != nil {
			return err
		}
	}
	s.line("")
	s.says("That is the story. Next, in a repository of your own (see the README): layerd plan --repo .")
	return nil
}

func (s *story) play(chapter func() error) error {
	if err := chapter(); err != nil {
		s.holds(false, "%v", err)
		return err
	}
	return s.truth()
}

func (s *story) inSync() error {
	s.begins(s.now, "In sync")
	s.says("A team keeps in Git which layer versions its functions run. layerd pulls the repository and looks at AWS for the first time.")
	r, err := s.round()
	if err != nil {
		return err
	}
	for _, env := range environments {
		planned := planOf(r, env)
		s.holds(planned.Regions[0].InSync, "%-7s  every function has what Git wants", env)
	}
	changed := slices.ContainsFunc(s.world.Calls(), func(c awssim.Call) bool { return c.Write && c.Service != "ssm" })
	s.holds(!changed, "AWS was asked %d times, and no function was changed", len(s.world.Calls()))
	s.holds(s.isAnnounced("1.4.1"), "who uses the layer elsewhere reads 1.4.1 in %s", announced)
	blocked := planOf(r, "prod").Regions[0].Blocked
	s.holds(len(blocked) == 1, "makoto-ocr-prod is left alone: %s", reasonOf(blocked))
	return nil
}

// announced is where prod's version of makoto-common stands for those who do not read
// this repository.
const announced = "/layerd/prod/makoto-common/version (SSM)"

func (s *story) isAnnounced(version string) bool {
	name, _, _ := strings.Cut(announced, " ")
	stands, _ := s.world.Parameter(name)
	return stands.Value == version
}

func reasonOf(blocked []plan.Blocked) string {
	if len(blocked) == 0 {
		return "(nothing is blocked)"
	}
	return blocked[0].Reason
}

func (s *story) healsDrift() error {
	const name = "makoto-api-dev"
	s.now = s.now.Add(25 * time.Minute)
	s.begins(s.now, "Somebody changes a function by hand")
	before, _ := s.world.Function(name)
	old := s.world.LayerARN("makoto-common-dev", number("dev", "1.4.0"))
	s.world.EditFunction(name, func(f *awssim.Function) { f.Layers[0] = old })
	s.says("In the console, %s goes from makoto-common 10 (1.4.1) to 9 (1.4.0).", name)
	r, err := s.round("dev")
	if err != nil {
		return err
	}
	region := planOf(r, "dev").Regions[0]
	s.holds(len(region.Drift) == 1 && region.Drift[0].Kind == plan.DriftWrongVersion,
		"found as drift, told apart from a change in Git: %s", driftReason(region))
	after, _ := s.world.Function(name)
	s.holds(slices.Equal(before.Layers, after.Layers),
		"healed with %d update; the %d other layers kept their versions and order", s.world.Writes(), len(after.Layers)-1)
	return nil
}

func driftReason(r plan.Region) string {
	if len(r.Drift) == 0 {
		return "(no drift)"
	}
	return r.Drift[0].Reason
}

func (s *story) raises() error {
	s.now = s.now.Add(time.Hour)
	s.begins(s.now, "A pull request raises makoto-common to 1.4.2")
	if err := s.commit("Raise makoto-common to 1.4.2", "1.4.1", "1.4.2", environments...); err != nil {
		return err
	}
	s.says("One line in each environment's file. layerd sees the commit.")
	r, err := s.round()
	if err != nil {
		return err
	}
	dev := planOf(r, "dev").Regions[0]
	s.holds(s.isPublished(dev, "dev", next), "dev      %s", s.published("dev", next))
	s.holds(s.all("dev", "1.4.2") && applied(dev) == len(services), "dev      %s", summary(dev))
	s.holds(len(dev.Behind) > 0, "dev      %s", behind(dev))
	s.holds(heldBy(r, "staging", plan.ByApproval) == len(services), "staging  %s", waiting(planOf(r, "staging").Regions[0]))
	s.holds(heldBy(r, "prod", plan.ByApproval) == len(services), "prod     %s", waiting(planOf(r, "prod").Regions[0]))
	unpublished := s.live("staging", next).Number == 0 && s.live("prod", next).Number == 0
	s.holds(unpublished && s.all("staging", "1.4.1") && s.all("prod", "1.4.1"), "staging and prod still run 1.4.1, and %s is not even published there", next)
	return nil
}

func (s *story) waitsThenChanges() error {
	s.now = s.now.Add(3 * time.Hour)
	s.begins(s.now, "sato approves the plans of staging and prod")
	r, err := s.round("staging", "prod")
	if err != nil {
		return err
	}
	for _, env := range []string{"staging", "prod"} {
		planned := planOf(r, env)
		s.says("layerd approve %s %s --repo layers", env, words.Digest(planned.Digest))
		if err := s.approve(planned); err != nil {
			return err
		}
	}
	staging, err := s.through("staging")
	if err != nil {
		return err
	}
	s.holds(s.isPublished(staging.Region, "staging", next), "staging  %s", s.published("staging", next))
	s.holds(s.all("staging", "1.4.2") && s.isServed("staging", "1.4.2"), "staging  %s", summary(staging.Region))
	s.holds(staging.smoked == 2, "staging  2 functions, then 13: each wave was tried and watched for 2 minutes")
	if r, err = s.round("prod"); err != nil {
		return err
	}
	s.holds(s.isPublished(planOf(r, "prod").Regions[0], "prod", next), "prod     %s, which changes no function and waits for no window", s.published("prod", next))
	s.holds(heldBy(r, "prod", plan.ByWindow) == len(services) && s.all("prod", "1.4.1"),
		"prod     %s", waiting(planOf(r, "prod").Regions[0]))

	s.now = time.Date(2026, 11, 28, 2, 5, 0, 0, tokyo)
	s.begins(s.now, "The change window of prod opens")
	prod, err := s.through("prod")
	if err != nil {
		return err
	}
	s.holds(s.all("prod", "1.4.2") && s.isServed("prod", "1.4.2"), "prod     %s", summary(prod.Region))
	s.holds(prod.smoked == 3 && prod.Rollout != nil && prod.Rollout.Waves == 3, "prod     1 function, then 4, then 13, each watched for 10 minutes: done at %s", s.now.Format("15:04"))
	s.holds(s.isAnnounced("1.4.2"), "who uses the layer elsewhere reads %s in %s", next, announced)
	same := s.live("dev", next).CodeSha256 == s.live("staging", next).CodeSha256 && s.live("dev", next).CodeSha256 == s.live("prod", next).CodeSha256
	s.holds(same, "dev, staging and prod run the same bytes")
	s.holds(s.keptForeign(), "every function still has the layers that other teams attached, in their places")
	return nil
}

func (s *story) changesNothingTwice() error {
	s.now = s.now.Add(time.Minute)
	s.begins(s.now, "The next round")
	r, err := s.round("staging", "prod")
	if err != nil {
		return err
	}
	s.holds(s.world.Writes() == 0 && planOf(r, "prod").Regions[0].InSync, "nothing is left to do, and nothing is written")
	return nil
}

func (s *story) rollsBack(before map[string][]string) error {
	s.now = s.now.Add(30 * time.Minute)
	s.begins(s.now, "1.4.2 was a mistake: the pull request is reverted")
	if err := s.commit("Revert \"Raise makoto-common to 1.4.2\"", "1.4.2", "1.4.1", environments...); err != nil {
		return err
	}
	s.says("Going back to what already ran here needs the window, and no second approval.")
	for _, env := range []string{"staging", "prod"} {
		r, err := s.through(env)
		if err != nil {
			return err
		}
		back := len(r.Steps) > 0 && r.Steps[0].Kind == plan.KindRollback
		s.holds(back && s.all(env, "1.4.1") && s.isServed(env, "1.4.1"), "%-7s  %s", env, summary(r.Region))
	}
	same := true
	for name, list := range s.layers() {
		if strings.HasSuffix(name, "-prod") || strings.HasSuffix(name, "-staging") {
			same = same && slices.Equal(list, before[name])
		}
	}
	s.holds(same, "every list is exactly what it was on Tuesday")
	return nil
}

func (s *story) prunes() error {
	s.now = time.Date(2026, 11, 29, 10, 0, 0, 0, tokyo)
	s.begins(s.now, "Retention in dev: keep 5 versions, and what is needed")
	live := len(s.world.LayerVersions("makoto-common-dev"))
	r, err := s.round("dev")
	if err != nil {
		return err
	}
	region := planOf(r, "dev").Regions[0]
	var gone []string
	for _, step := range region.Steps {
		if step.Kind == plan.KindPrune && step.Result != nil && step.Result.Status == plan.StatusApplied {
			gone = append(gone, words.Version(step.From.Number(), step.FromVersion))
		}
	}
	s.says("dev follows the revert as well: %s.", summary(region))
	s.holds(s.all("dev", "1.4.1"), "dev runs 1.4.1 again")
	s.holds(len(gone) == 4 && len(s.world.LayerVersions("makoto-common-dev")) == live-len(gone),
		"pruned, after a day as candidates: %s", strings.Join(gone, ", "))
	for _, k := range region.Kept {
		if k.Layer == "makoto-common" && !strings.HasPrefix(k.Reason, "one of the newest") {
			s.says("kept %s: %s", words.Version(k.Version, k.Semver), k.Reason)
		}
	}
	s.holds(keptFor(region, "used by makoto-chat-handler-dev:1") && keptFor(region, "shared with "+partner),
		"what a published version runs, and what is shared, stays")
	return nil
}

func keptFor(r plan.Region, reason string) bool {
	return slices.ContainsFunc(r.Kept, func(k plan.Kept) bool { return strings.HasPrefix(k.Reason, reason) })
}

// all reports whether every function of an environment has a version of
// makoto-common.
func (s *story) all(env, version string) bool {
	want := s.world.LayerARN("makoto-common-"+env, s.numberOf(env, version))
	for _, svc := range services {
		f, _ := s.world.Function("makoto-" + svc.name + "-" + env)
		if !slices.Contains(f.Layers, want) {
			return false
		}
	}
	return true
}

// keptForeign reports whether the other team's layer is where it was when the fleet
// was made.
func (s *story) keptForeign() bool {
	fresh := NewWorld(begin(), 0)
	for _, f := range fresh.Functions() {
		now, _ := s.world.Function(f.Name)
		if slices.Index(f.Layers, datadog) != slices.Index(now.Layers, datadog) || len(f.Layers) != len(now.Layers) {
			return false
		}
	}
	return true
}

// applied returns how many functions something was done to.
func applied(r plan.Region) int {
	return len(functionsOf(r.Steps, done))
}

// summary returns in one line what was done to functions.
func summary(r plan.Region) string {
	served := functionsOf(r.Steps, func(st plan.Step) bool { return st.Kind == plan.KindServe && done(st) })
	for _, step := range r.Steps {
		if done(step) && step.Function != "" && step.Kind != plan.KindServe {
			text := fmt.Sprintf("%s %d functions: %s %s → %s", step.Kind, applied(r), step.Layer,
				words.Version(step.From.Number(), step.FromVersion), words.Version(step.To.Number(), step.ToVersion))
			if len(served) > 0 {
				text += fmt.Sprintf("; alias %s of %s serves it", r.Want.Alias, strings.Join(served, ", "))
			}
			return text
		}
	}
	for _, step := range r.Steps {
		if step.Result != nil && step.Result.Error != "" {
			return fmt.Sprintf("%s %s: %s", step.ID, step.Result.Status, step.Result.Error)
		}
	}
	return "nothing was done"
}

// heldBy returns how many functions wait for somebody or something.
func heldBy(r round.Result, env string, by plan.By) int {
	return len(functionsOf(planOf(r, env).Regions[0].Steps, func(st plan.Step) bool { return st.HeldBy(by) }))
}

// waiting returns in one line what waits, for what and until when. Later waves
// wait for the earlier ones as well, and all for the publish, which goes without
// saying.
func waiting(r plan.Region) string {
	for _, step := range r.Steps {
		if step.Held == nil || step.Function == "" || step.Wave > 1 {
			continue
		}
		functions := functionsOf(r.Steps, func(st plan.Step) bool { return st.Held != nil })
		var by []string
		for _, h := range step.Held.All() {
			if h.By != plan.ByOrder {
				by = append(by, string(h.By))
			}
		}
		text := fmt.Sprintf("%d functions wait for %s", len(functions), strings.Join(by, " and "))
		if !step.Held.Until.IsZero() {
			text += ", " + step.Held.Until.In(tokyo).Format("Mon 2 Jan 15:04 MST") + " at the earliest"
		}
		return text
	}
	return "nothing waits"
}

func behind(r plan.Region) string {
	if len(r.Behind) == 0 {
		return "(no alias is behind)"
	}
	b := r.Behind[0]
	return fmt.Sprintf("the plan says that %s is called through alias %s, which serves version %s with makoto-common %d", b.Function, b.Alias, b.Version, b.Serves.Number())
}
