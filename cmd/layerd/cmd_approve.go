package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/window"
	"github.com/layerd/layerd/internal/words"
)

var (
	wholeDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)
	partDigest  = regexp.MustCompile(`^[0-9a-f]{8,64}$`)
)

// mostDigests is how many plans are named where a digest is of several.
const mostDigests = 5

func (a *app) approveCommand() *cobra.Command {
	var f rulingFlags
	cmd := &cobra.Command{
		Use:   "approve ENV DIGEST",
		Short: "Release a plan that waits for an approval",
		Long: `approve releases exactly the steps of one plan of one environment. DIGEST is
what plan and apply print; its first digits, 12 or at least 8, are enough once
apply or the daemon has offered the plan and no other begins so. A step that
appears later needs its own approval.

It is written to the store that apply reads, for one repository: name the same
--repo, whose layerd.yaml says which store that is, or the same --store. Without
--repo the only repository that the store knows is meant.`,
		Example:           `  layerd approve prod 3f2a9c41d5e6 --repo . --reason "release 1.4.2"`,
		Annotations:       map[string]string{withoutRepo: "yes"},
		Args:              arguments("ENV", "DIGEST"),
		ValidArgsFunction: a.complete(offerEver, offerDigests),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.approve(cmd.Context(), f, args[0], strings.ToLower(args[1]))
		},
	}
	f.add(cmd, "who approves", "why, for the history")
	return cmd
}

func (a *app) approve(ctx context.Context, f rulingFlags, env, digest string) error {
	if !partDigest.MatchString(digest) {
		return usage("plan and apply print it",
			"digest %q: 8 to 64 of the digits 0-9 and a-f are expected", digest)
	}
	tree, calendar, err := a.approveContext(ctx, f, env)
	if err != nil {
		return err
	}
	by, err := person(f.by)
	if err != nil {
		return err
	}
	s, spec, err := a.openRulings(ctx, f.store, tree, "an approval in memory: is forgotten at once", "name the store that apply reads")
	if err != nil {
		return err
	}
	defer s.Close()
	repository, err := ruledRepository(ctx, s, spec, f.repo.repo,
		"name the repository with --repo, or the store that apply offered the plan in", "offer", "approval", "history", "past")
	if err != nil {
		return err
	}
	if err := a.warnStranger(knowsRepository(ctx, s, spec, repository)); err != nil {
		return err
	}
	if err := knowsEnvironment(ctx, s, spec, repository, env, tree.Names); err != nil {
		return err
	}
	if digest, err = findDigest(ctx, s, spec, repository, env, digest); err != nil {
		return err
	}
	now := a.now().UTC()
	asked := ruling.Approval{Environment: env, Digest: digest, By: by, At: now, Reason: f.reason}
	given, err := history.Open(s, repository).Rulings().Approve(ctx, asked, calendar)
	if err != nil {
		return fmt.Errorf("approve %s: %w", env, err)
	}
	return a.tellApproved(asked, given, calendar, spec)
}

// approveContext returns the repository, which may name a store, and the calendar of
// the environment, until when an approval holds; both empty without --repo.
func (a *app) approveContext(ctx context.Context, f rulingFlags, env string) (desired.Tree, window.Calendar, error) {
	if f.repo.repo == "" {
		return desired.Tree{}, window.Calendar{}, nil
	}
	src, err := a.load(ctx, f.repo)
	if err != nil {
		return desired.Tree{}, window.Calendar{}, err
	}
	regions, err := environmentsNamed(src.tree, env)
	if err != nil {
		return desired.Tree{}, window.Calendar{}, err
	}
	return src.tree, regions[0].Calendar, nil
}

// shortest returns as much of a digest as approve needs: a plan that apply or the daemon
// has offered is known by its first digits, any other by all of them.
func shortest(ctx context.Context, s store.Store, repository, env, digest string) string {
	if s == nil {
		return digest
	}
	matches, err := ruling.Pending(ctx, s, repository, env, words.Digest(digest))
	if err != nil || len(matches) != 1 || matches[0].Digest != digest {
		return digest
	}
	return words.Digest(digest)
}

// findDigest completes a prefix from the plans that apply has offered. A whole
// digest needs no offer: plan prints it without writing anything.
func findDigest(ctx context.Context, s store.Store, spec store.Spec, repository, env, digest string) (string, error) {
	if wholeDigest.MatchString(digest) {
		return digest, nil
	}
	matches, err := ruling.Pending(ctx, s, repository, env, digest)
	if err != nil {
		return "", err
	}
	switch len(matches) {
	case 0:
		return "", usage("give all 64 digits, or name the store that apply offered it in",
			"no plan of %s that begins with %s was offered in %s", env, digest, spec)
	case 1:
		return matches[0].Digest, nil
	default:
		var digests []string
		for _, m := range matches[:min(len(matches), mostDigests)] {
			digests = append(digests, m.Digest)
		}
		more := ""
		if n := len(matches) - len(digests); n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return "", usage("give all 64 digits: "+strings.Join(digests, " or ")+more, "%d plans of %s begin with %s", len(matches), env, digest)
	}
}

func (a *app) tellApproved(asked, given ruling.Approval, calendar window.Calendar, spec store.Spec) error {
	p := &present.Page{Palette: a.palette(), Width: width(a.out)}
	verb := "approved"
	if !given.At.Equal(asked.At) || given.By != asked.By {
		verb = fmt.Sprintf("approved already by %s, %s:", given.By, words.Moment(given.At, calendar.Zone))
	}
	p.Linef(0, "%s %s the plan %s of %s, until %s", p.Good("✓"), verb, words.Digest(given.Digest), p.Bold(given.Environment),
		words.Moment(given.Expires(calendar), calendar.Zone))
	p.Linef(2, "as %s, in %s", given.By, spec)
	if len(given.Scope) == 0 {
		a.say("warning: no apply has offered this plan in %s; the approval counts once a plan has exactly this digest", spec)
		return a.print(p.String())
	}
	p.Linef(2, "it releases %s:", words.Count(len(given.Scope), "step"))
	for _, line := range present.Released(given.Scope) {
		p.Linef(4, "%s", line)
	}
	return a.print(p.String())
}
