package demo

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/words"
)

// spread is what a rollout did to an environment, over all its rounds.
type spread struct {
	plan.Region          // the last round's, with the steps of all
	updated     []string // functions that got another list, in order
	smoked      int      // smoke tests
}

// through makes rounds until nothing of a rollout is left that waits only for
// the rollout itself. Instead of waiting it moves the story's clock to when the
// next round is due.
func (s *story) through(env string) (spread, error) {
	const most = 30 // two or three a wave, and a few to go back
	var all spread
	var done []plan.Step
	for range most {
		r, err := s.round(env)
		if err != nil {
			return all, err
		}
		all.Region = planOf(r, env).Regions[0]
		all.smoked += s.world.Count("Invoke")
		for _, c := range s.world.Calls() {
			if in, ok := c.Input.(*lambda.UpdateFunctionConfigurationInput); ok && c.Applied {
				all.updated = append(all.updated, aws.ToString(in.FunctionName))
			}
		}
		var rest []plan.Step
		for _, step := range all.Steps {
			if step.Result != nil && step.Result.Status != plan.StatusHeld {
				done = append(done, step)
			} else {
				rest = append(rest, step)
			}
		}
		if all.Rollout, err = history.Open(s.store, repository).Rollout(s.ctx, env, Region); err != nil {
			return all, err // the plan does not have one that is over
		}
		if all.Failure != nil {
			return all, fmt.Errorf("%s: %s", env, all.Failure.Message)
		}
		if all.Due.IsZero() {
			all.Steps = slices.Concat(done, rest)
			return all, nil
		}
		if all.Due.After(s.now) {
			s.now = all.Due.In(tokyo)
		}
	}
	return all, errors.New("the rollout does not come to an end")
}

// isServed reports whether callers of every function that has the alias live get
// a version of makoto-common.
func (s *story) isServed(env, version string) bool {
	want := s.world.LayerARN("makoto-common-"+env, s.numberOf(env, version))
	for _, svc := range services {
		f, ok := s.world.Function("makoto-" + svc.name + "-" + env + ":live")
		if ok != svc.alias || ok && !slices.Contains(f.Layers, want) {
			return false
		}
	}
	return true
}

// numberOf returns the live number of a version of makoto-common, of one that was
// published in the story too.
func (s *story) numberOf(env, version string) int64 {
	if v := s.live(env, version); v.Number > 0 {
		return v.Number
	}
	return number(env, version)
}

// breaks is the chapter that everything else is there for: a version that
// breaks what uses it reaches two functions, for a moment.
func (s *story) breaks() error {
	const env = "staging"
	s.now = time.Date(2026, 11, 30, 10, 0, 0, 0, tokyo)
	s.begins(s.now, "1.5.0 breaks every function that imports it")
	before, all := s.layers(), len(services)
	byHand := brokenZip()
	s.world.PutObject(bucket, key(broken), byHand)
	if err := s.commit("Raise makoto-common to 1.5.0 in staging", "1.4.1", broken, env); err != nil {
		return err
	}
	s.says("Somebody zipped it by hand, in the wrong folder: its package is missing, which no review shows. In staging a change reaches 2 functions first, then the others.")
	refused := check(byHand, s.layer)
	s.holds(refused != nil && strings.Contains(refused.Error(), "import_missing"), "layerd build would have refused it: %s", firstOf(refused))
	if err := s.approved(env); err != nil {
		return err
	}
	s.slack.take()
	r, err := s.through(env)
	if err != nil {
		return err
	}
	n := s.numberOf(env, broken)
	changed := functionsOf(r.Steps, func(st plan.Step) bool { return st.Cause == plan.CauseChange && done(st) })
	back := functionsOf(r.Steps, func(st plan.Step) bool { return st.Cause == plan.CauseRollback && done(st) })
	ro := r.Rollout
	s.holds(len(changed) == 2 && ro != nil && ro.Wave == 1, "wave 1 of 2 gives %s to %s", words.Version(n, broken), strings.Join(changed, " and "))
	if ro == nil {
		return errors.New("nobody knows of a rollout")
	}
	s.holds(r.smoked == 1 && strings.Contains(ro.Reason, "No module named"), "%s", ro.Reason)
	s.holds(ro.Stage == rollout.StageRolledBack && slices.Equal(changed, back) && maps.EqualFunc(before, s.layers(), slices.Equal),
		"both go back at once, and nobody has to approve that: every list is what it was")
	others := slices.DeleteFunc(r.updated, func(name string) bool { return slices.Contains(changed, name) })
	s.holds(len(others) == 0, "the %d other functions never had it", all-len(changed))
	s.slackSays()
	next, err := s.round(env)
	if err != nil {
		return err
	}
	held := functionsOf(planOf(next, env).Regions[0].Steps, func(st plan.Step) bool { return st.Held != nil && st.Held.By == plan.ByQuarantine })
	s.holds(len(held) == all && s.world.Writes() == 0, "the next round writes nothing: %s is in quarantine, for all %d functions", words.Version(n, broken), len(held))
	return nil
}

// mends lets Git go on to a version that works.
func (s *story) mends() error {
	const env = "staging"
	s.now = s.now.Add(2 * time.Hour)
	s.begins(s.now, "Git goes on to 1.5.1, which has its package")
	built, err := s.release(fixed)
	if err != nil {
		return err
	}
	s.says("layerd build %s: %s", folder, built)
	if err := s.commit("Raise makoto-common to 1.5.1 in staging", broken, fixed, env); err != nil {
		return err
	}
	if err := s.approved(env); err != nil {
		return err
	}
	r, err := s.through(env)
	if err != nil {
		return err
	}
	quarantines, err := ruling.LoadQuarantines(s.ctx, s.store, repository, env)
	if err != nil {
		return err
	}
	s.holds(len(quarantines) == 0, "the quarantine is lifted: Git asks for another version")
	ro := r.Rollout
	s.holds(ro != nil && ro.Stage == rollout.StageDone && ro.Waves == 2 && r.smoked == 2, "2 waves, and the smoke test passes in each")
	s.holds(s.all(env, fixed) && s.isServed(env, fixed), "%s", summary(r.Region))
	s.holds(r.InSync, "staging is in sync with Git again")
	return nil
}

// approved makes a round of an environment and approves what waits.
func (s *story) approved(env string) error {
	r, err := s.round(env)
	if err != nil {
		return err
	}
	planned := planOf(r, env)
	s.says("layerd approve %s %s --repo layers", env, words.Digest(planned.Digest))
	return s.approve(planned)
}

// slackSays shows the messages about functions that were rolled back and about
// what is in quarantine, and holds that they arrived.
func (s *story) slackSays() {
	var titles []string
	back := 0
	for _, m := range s.slack.take() {
		switch m.Alert.Kind {
		case notify.RolledBack:
			back++
		case notify.Quarantined, notify.RolloutFailed:
		default:
			continue
		}
		titles = append(titles, m.Headline())
	}
	s.holds(back == 1, "Slack is told once: %s", strings.Join(titles, "; "))
}

func done(s plan.Step) bool { return s.Result != nil && s.Result.Status == plan.StatusApplied }

// functionsOf returns the functions of the steps that want accepts, sorted.
func functionsOf(steps []plan.Step, want func(plan.Step) bool) []string {
	var names []string
	for _, st := range steps {
		if st.Function != "" && want(st) {
			names = append(names, st.Function)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
