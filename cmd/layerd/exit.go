package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// The exit codes are a contract: scripts and systemd units branch on them
// (DESIGN section 4).
const (
	exitOK      = 0
	exitFailed  = 1  // a step, an environment, a limit
	exitChanges = 2  // plan --detailed-exitcode: there is something to do
	exitHeld    = 3  // apply: nothing failed, something waits
	exitUsage   = 64 // the command line
	exitRetry   = 75 // the same command may succeed later
	exitInvalid = 78 // the configuration or the desired state
)

// worstFirst is the order in which one code hides another.
var worstFirst = [...]int{exitUsage, exitInvalid, exitFailed, exitRetry, exitHeld, exitChanges, exitOK}

// worst returns the code that hides all the others; a code that is not in the
// contract hides everything, so that it is seen.
func worst(codes ...int) int {
	rank := func(code int) int { return slices.Index(worstFirst[:], code) }
	out := exitOK
	for _, c := range codes {
		if rank(c) < rank(out) {
			out = c
		}
	}
	return out
}

// exitError is an error that knows how the process ends. Only main turns it
// into an exit code.
type exitError struct {
	code int
	err  error    // nil: what there was to say is on standard output already
	list []string // what it consists of, a line each; may be empty
	hint string   // what to do about it; may be empty
	repo bool     // another repository might have what is missing or wrong
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	if len(e.list) > 0 {
		return e.err.Error() + ": " + strings.Join(e.list, "; ")
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage is a wrong command line.
func usage(hint, format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

// lacks is usage for what the repository does not have: where nobody named one, the
// reader has to know which was meant.
func lacks(hint, format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint, repo: true}
}

// exit ends with a code after everything was said; nil for 0.
func exit(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

// codeOf returns the exit code of an error: what whoever started the command should
// do next.
func codeOf(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if e, ok := errors.AsType[*gitrepo.Error](err); ok {
		return gitCode(e.Kind)
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrUnreachable):
		return exitRetry
	case state.KindOf(err) == state.Again, state.KindOf(err) == state.Stopped:
		return exitRetry
	}
	return exitFailed
}

// gitCode returns the exit code of an error of Git: out of reach may pass; what is
// not in the repository is a matter of the desired state; the rest needs a person at
// the server or at the keys.
func gitCode(kind gitrepo.Kind) int {
	switch kind {
	case gitrepo.KindUnreachable:
		return exitRetry
	case gitrepo.KindInvalid:
		return exitUsage
	case gitrepo.KindEmpty, gitrepo.KindBranchGone, gitrepo.KindPathGone, gitrepo.KindTooLarge,
		gitrepo.KindSubmodule, gitrepo.KindLFS:
		return exitInvalid
	default:
		return exitFailed
	}
}

// planCode returns the exit code of plan. chosen are the environments of --env; empty = all.
func planCode(r plan.Report, chosen []string, detailed bool) int {
	code := roundCode(r, chosen)
	for _, s := range r.Steps() {
		if detailed && !(s.Kind == plan.KindPrune && s.HeldBy(plan.ByGrace)) {
			code = worst(code, exitChanges)
		}
	}
	return code
}

// applyCode returns the exit code of apply.
func applyCode(r plan.Report, chosen []string) int {
	code := roundCode(r, chosen)
	for _, s := range r.Steps() {
		if s.Result != nil && s.Result.Status == plan.StatusFailed {
			code = worst(code, exitFailed)
		}
		if s.Waits() {
			code = worst(code, exitHeld)
		}
	}
	for _, p := range r.Plans {
		for _, region := range p.Regions {
			if region.Rollout.Failed() {
				code = worst(code, exitFailed)
			}
		}
	}
	return code
}

// roundCode returns the exit code of what plan and apply have in common: the desired
// state, and the environments that could not be looked at.
func roundCode(r plan.Report, chosen []string) int {
	code := exitOK
	if len(r.Skipped) > 0 {
		code = exitInvalid
	}
	code = worst(code, problemCode(r.Problems, chosen))
	for _, p := range r.Plans {
		for _, region := range p.Regions {
			code = worst(code, problemCode(region.Problems, nil), failureCode(region.Failure))
		}
	}
	return code
}

// problemCode returns the exit code of problems. Warnings never fail a command, and
// neither does what is wrong with an environment that was not asked for.
func problemCode(problems []desired.Problem, chosen []string) int {
	code := exitOK
	for _, p := range problems {
		switch {
		case p.Severity == desired.Warning || !concerns(p, chosen):
		case p.Code == desired.CodeArtifactUnread: // it passes
			code = worst(code, exitRetry)
		default:
			return exitInvalid
		}
	}
	return code
}

func concerns(p desired.Problem, chosen []string) bool {
	return p.Environment == "" || len(chosen) == 0 || slices.Contains(chosen, p.Environment)
}

func failureCode(f *plan.Failure) int {
	switch {
	case f == nil:
		return exitOK
	case f.Retryable:
		return exitRetry
	default:
		return exitFailed
	}
}
