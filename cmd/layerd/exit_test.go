package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/rollout"
	"github.com/layerd/layerd/internal/round"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

func TestWorst(t *testing.T) {
	for i, bad := range worstFirst {
		for _, better := range worstFirst[i:] {
			if got := worst(better, bad); got != bad {
				t.Errorf("worst(%d, %d) = %d", better, bad, got)
			}
		}
	}
	if got := worst(); got != exitOK {
		t.Errorf("worst() = %d", got)
	}
	if got := worst(exitUsage, 99); got != 99 {
		t.Errorf("a code outside the contract is hidden: %d", got)
	}
}

func result(steps ...plan.Step) plan.Report {
	return plan.Report{Plans: []plan.Plan{{Environment: "prod", Regions: []plan.Region{{Steps: steps}}}}}
}

func failing(f plan.Failure, steps ...plan.Step) plan.Report {
	r := result(steps...)
	r.Plans[0].Regions[0].Failure = &f
	return r
}

func rolledOut(stage rollout.Stage) plan.Report {
	r := result()
	r.Plans[0].Regions[0].Rollout = &rollout.Rollout{Stage: stage}
	return r
}

func problemIn(env string, severity desired.Severity) plan.Report {
	return plan.Report{Problems: []desired.Problem{{Environment: env, Severity: severity}}}
}

func TestExitCodes(t *testing.T) {
	step := plan.Step{Kind: plan.KindAttach, Layer: "x", Function: "f", Cause: plan.CauseChange}
	prune := plan.Step{Kind: plan.KindPrune, Layer: "x", Cause: plan.CauseRetention}
	ended := func(s plan.Step, status plan.Status, problem string) plan.Step {
		s.Result = &plan.Result{Status: status, Error: problem}
		return s
	}
	held := func(s plan.Step, first plan.By, others ...plan.By) plan.Step {
		s.Held = &plan.Held{By: first, Reason: "r"}
		for _, by := range others {
			s.Held.Also = append(s.Held.Also, plan.Held{By: by})
		}
		return s
	}
	by := func(first plan.By, others ...plan.By) plan.Step {
		return held(ended(step, plan.StatusHeld, ""), first, others...)
	}
	atPlanTime := result()
	atPlanTime.Plans[0].Regions[0].Problems = []desired.Problem{{Severity: desired.Error}}
	tests := []struct {
		name                  string
		r                     plan.Report
		chosen                []string
		plan, detailed, apply int
	}{
		{"nothing", result(), nil, 0, 0, 0},
		{"a step that may run", result(ended(step, plan.StatusApplied, "")), nil, 0, 2, 0},
		{"held by the window", result(by("window")), nil, 0, 2, 3},
		{"held by approval and window", result(by("approval", "window")), nil, 0, 2, 3},
		{"held by mode", result(by("mode")), nil, 0, 2, 3},
		{"held by limit", result(by("limit")), nil, 0, 2, 0},
		{"held by limit and grace", result(by("limit", "grace")), nil, 0, 2, 0},
		{"held by limit and lease", result(by("limit", "lease")), nil, 0, 2, 3},
		{"a heal in its grace", result(by("grace")), nil, 0, 2, 0},
		{"a prune in its grace", result(held(prune, plan.ByGrace)), nil, 0, 0, 0},
		{"a prune in its grace while closed", result(held(prune, plan.ByWindow, plan.ByGrace)), nil, 0, 0, 3},
		{"a prune that may run", result(prune), nil, 0, 2, 0},
		{"a failed step", result(ended(step, plan.StatusFailed, "x")), nil, 0, 2, 1},
		{"failed and held", result(ended(step, plan.StatusFailed, "x"), by("window")), nil, 0, 2, 1},
		{"AWS out of reach", failing(plan.Failure{Retryable: true}), nil, 75, 75, 75},
		{"AWS out of reach and held", failing(plan.Failure{Retryable: true}, by("window")), nil, 75, 75, 75},
		{"wrong account", failing(plan.Failure{Code: "wrong_account"}), nil, 1, 1, 1},
		{"an error of the tree", problemIn("", desired.Error), []string{"dev"}, 78, 78, 78},
		{"a warning", problemIn("", desired.Warning), nil, 0, 0, 0},
		{"an error elsewhere", problemIn("prod", desired.Error), []string{"dev"}, 0, 0, 0},
		{"an error here", problemIn("prod", desired.Error), []string{"dev", "prod"}, 78, 78, 78},
		{"an error, all asked for", problemIn("prod", desired.Error), nil, 78, 78, 78},
		{"not looked at", plan.Report{Skipped: []string{"prod"}}, []string{"prod"}, 78, 78, 78},
		{"a version that is not live", atPlanTime, nil, 78, 78, 78},
		{"a rollout that halted", rolledOut(rollout.StageHalted), nil, 0, 0, 1},
		{"a rollout that goes back", rolledOut(rollout.StageRollingBack), nil, 0, 0, 1},
		{"a rollout that went back", rolledOut(rollout.StageRolledBack), nil, 0, 0, 1},
		{"a rollout that is watched", rolledOut(rollout.StageWatching), nil, 0, 0, 0},
		{"invalid hides failed", plan.Report{Skipped: []string{"x"}, Plans: failing(plan.Failure{}).Plans}, nil, 78, 78, 78},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := planCode(tt.r, tt.chosen, false); got != tt.plan {
				t.Errorf("plan: %d, want %d", got, tt.plan)
			}
			if got := planCode(tt.r, tt.chosen, true); got != tt.detailed {
				t.Errorf("plan --detailed-exitcode: %d, want %d", got, tt.detailed)
			}
			if got := applyCode(tt.r, tt.chosen); got != tt.apply {
				t.Errorf("apply: %d, want %d", got, tt.apply)
			}
		})
	}
}

func TestCodeOf(t *testing.T) {
	git := func(k gitrepo.Kind) error { return fmt.Errorf("pull: %w", &gitrepo.Error{Kind: k}) }
	tests := []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{errors.New("anything"), exitFailed},
		{usage("", "x"), exitUsage},
		{&ranError{usage("", "x")}, exitUsage},
		{exit(exitHeld), exitHeld},
		{context.Canceled, exitRetry},
		{fmt.Errorf("open: %w", store.ErrBusy), exitRetry},
		{fmt.Errorf("open: %w", store.ErrCorrupt), exitFailed},
		{&state.Error{Kind: state.Again}, exitRetry},
		{&state.Error{Kind: state.Human}, exitFailed},
		{git(gitrepo.KindUnreachable), exitRetry},
		{git(gitrepo.KindInvalid), exitUsage},
		{git(gitrepo.KindBranchGone), exitInvalid},
		{git(gitrepo.KindEmpty), exitInvalid},
		{git(gitrepo.KindAuth), exitFailed},
		{git(gitrepo.KindHostKey), exitFailed},
	}
	for _, tt := range tests {
		if got := codeOf(tt.err); got != tt.want {
			t.Errorf("codeOf(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

// What was refused ends as 64 but where the command line is right, and says what to
// do in its words.
func TestRefusal(t *testing.T) {
	for _, tt := range []struct {
		refused   round.Refusal
		code      int
		err, hint string
	}{
		{round.Refusal{Code: round.RefusedLayer, Asked: "comon", Message: `prod has no layer "comon"`, Names: []string{"common", "ml"}}, 64, `prod has no layer "comon"; did you mean common?`, "layers: common, ml"},
		{round.Refusal{Code: round.RefusedFunctions, Message: `"g*" matches no function`}, 64, `--functions "g*" matches no function`, "for the names see layerd plan --env prod -v"},
		{round.Refusal{Code: round.RefusedGlob, Message: "bad"}, 64, "--functions bad", "quote it for the shell: --functions 'makoto-chat-*'"},
		{round.Refusal{Code: round.RefusedText, Message: `"x" is no version`}, 64, `--to "x" is no version`, "a semantic version such as 1.4.1, or an AWS version number such as 12"},
		{round.Refusal{Code: round.RefusedText, Message: `"-1" is no version`, Others: []string{"3", "2"}}, 64, `--to "-1" is no version`, "may be gone back to: 3, 2"},
		{round.Refusal{Code: round.RefusedVersion, Message: "it is gone", Others: []string{}, Foreign: true}, 64, "it is gone", "its versions are not ours to list: give an AWS version number with --to"},
		{round.Refusal{Code: round.RefusedThere, Message: "prod has it", Others: []string{}}, 64, "prod has it", "there is no other version to go back to"},
		{round.Refusal{Code: round.RefusedUnknown, Message: "none", Others: []string{"3"}}, 64, "none", "say which one with --to; may be gone back to: 3"},
		{round.Refusal{Code: round.RefusedAsked, Message: "x", Others: []string{"3"}}, 64, "x", "what Git asks for comes by itself, or by a retry; may be gone back to: 3"},
		{round.Refusal{Code: round.RefusedQuarantined, Asked: "my layer", Message: "x", Others: []string{"3"}}, 64, "x", `to let it come again: layerd retry prod 'my layer' --reason "…"; may be gone back to: 3`},
		{round.Refusal{Code: round.RefusedForward, Message: "x", Region: "eu-west-1", Since: "f has 3", Others: []string{"2"}}, 64, "x", "in eu-west-1 f has 3; may be gone back to: 2"},
		{round.Refusal{Code: round.RefusedInvalid, Message: "x"}, 78, "x", "see layerd plan --env prod"},
		{round.Refusal{Code: round.RefusedUnread, Message: "x", Failure: &plan.Failure{Retryable: true}}, 75, "x", ""},
		{round.Refusal{Code: round.RefusedUnread, Message: "x", Failure: &plan.Failure{Code: "wrong_account"}}, 1, "x", "use a profile of that account (AWS_PROFILE), or give the environment a role to assume"},
	} {
		err := refusal(&tt.refused, "prod", "g*", func(words ...string) string { return suggest(repoFlags{}, storeFlags{}, words...) })
		e, ok := errors.AsType[*exitError](err)
		if !ok || e.code != tt.code || e.Error() != tt.err || e.hint != tt.hint {
			t.Errorf("%s: %d %v (%s), want %d %s (%s)", tt.refused.Code, codeOf(err), err, e.hint, tt.code, tt.err, tt.hint)
		}
	}
}
