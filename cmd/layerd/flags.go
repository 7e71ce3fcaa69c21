package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/words"
)

// repoFlags say where the desired state is.
type repoFlags struct {
	repo, ref, path               string
	tokenFile, sshKey, knownHosts string
	maxBytes                      int64
	argument                      bool // repo is the argument PATH|URL, not --repo
}

// repoName returns what the command line calls the repository.
func (a *app) repoName(f repoFlags) string {
	switch {
	case a.assumed.repo == repoVariable:
		return repoVariable
	case f.argument:
		return "PATH|URL"
	}
	return "--repo"
}

func (f *repoFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.repo, "repo", "", "desired-state repository, `PATH|URL` (default: this folder if it looks like one, else LAYERD_REPO)")
	f.addGit(cmd)
}

// addGit adds what goes with a repository that was named otherwise.
func (f *repoFlags) addGit(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.ref, "ref", "", "`BRANCH` to read (default main; a local folder is read as it lies on disk)")
	fs.StringVar(&f.path, "path", "", "`FOLDER` inside the repository")
	fs.StringVar(&f.tokenFile, "git-token-file", "", "`FILE` with the token for HTTPS (default: the variable LAYERD_GIT_TOKEN)")
	fs.StringVar(&f.sshKey, "ssh-key", "", "private key `FILE` for SSH (default: the SSH agent)")
	fs.StringVar(&f.knownHosts, "known-hosts", "", "known_hosts `FILE` for SSH (default: the user's and the machine's)")
	fs.Int64Var(&f.maxBytes, "git-max-bytes", 0, "how many `BYTES` may be fetched for a commit (default: 64 MiB)")
}

// suggest returns a command that a person can paste: words, and the flags that name
// the repository and the store as this command line does. What is a word and what are
// several is known here alone; someReason stands for what they have to write.
func suggest(repo repoFlags, s storeFlags, command ...string) string {
	text := words.Command(command...) + repo.asFlags()
	if s.store != "" {
		text += " --store " + words.ShellQuote(s.store)
	}
	return text
}

// someReason stands where whoever pastes a command has to write why.
const someReason = words.SomeReason

// asFlags returns the flags that name the repository, for commands that we suggest.
// Credentials are nobody's to see.
func (f *repoFlags) asFlags() string {
	var b strings.Builder
	for _, x := range [][2]string{{"repo", withoutPassword(f.repo)}, {"ref", f.ref}, {"path", f.path}} {
		if x[1] != "" {
			fmt.Fprintf(&b, " --%s %s", x[0], words.ShellQuote(x[1]))
		}
	}
	return b.String()
}

// storeFlags say where the past and the rulings are kept.
type storeFlags struct{ store, server string }

func (f *storeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.store, "store", "", "`STORE` of the past: sqlite:PATH, dynamodb:TABLE or memory: (default: LAYERD_STORE, else layerd.yaml's store, else a file of this user)")
	cmd.Flags().StringVar(&f.server, "server", "", "ask a daemon instead (not supported yet)")
}

func (f *storeFlags) check() error {
	if f.server != "" {
		return usage("use --store; the daemon that --server would ask comes with a later release", "--server is not supported yet")
	}
	return nil
}

// outputFlag adds --output with the forms that a command has.
func outputFlag(cmd *cobra.Command, o *oneOf, forms ...string) {
	*o = oneOf{forms[0], forms}
	cmd.Flags().VarP(o, "output", "o", "form of the result")
}

// envFlag adds --env, which may be repeated.
func (a *app) envFlag(cmd *cobra.Command, envs *[]string) {
	envsFlag(cmd, envs)
	// The flag exists, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeFlag(offerEnvironments))
}

func envsFlag(cmd *cobra.Command, envs *[]string) {
	cmd.Flags().StringArrayVar(envs, "env", nil, "only the environment `ENV` (may be repeated)")
}

// rateFlag adds --requests-per-second. AWS gives 15 a second to everybody in an
// account and Region together.
func rateFlag(cmd *cobra.Command, rate *float64, usual float64) {
	cmd.Flags().Float64Var(rate, "requests-per-second", usual, "AWS `CALLS` per account and Region, of the 15 all share")
}

func checkRate(rate float64) error {
	if !(rate > 0 && rate <= 15) { // this way round, so that NaN is refused
		return usage("AWS allows 15 requests a second per account and Region, shared with everybody else",
			"--requests-per-second %g is not above 0 and at most 15", rate)
	}
	return nil
}

// verboseFlag adds --verbose.
func verboseFlag(cmd *cobra.Command, verbose *bool) {
	cmd.Flags().BoolVarP(verbose, "verbose", "v", false, "name every function and every reason")
}

// checkEnvironments refuses names that the repository has no file for: asking
// for "prd" must not end in a calm "nothing to do".
func checkEnvironments(t desired.Tree, names []string) error {
	for _, n := range names {
		if slices.Contains(t.Names, n) {
			continue
		}
		hint := "the repository has no environment at all"
		if len(t.Names) > 0 {
			hint = "environments: " + strings.Join(t.Names, ", ")
		}
		return lacks(hint, "no environment %q%s", n, didYouMean(n, t.Names))
	}
	return nil
}

// completeValues lets the shell complete the values of flags that have a few.
func completeValues(cmd *cobra.Command) {
	complete := func(f *pflag.Flag) {
		if o, ok := f.Value.(*oneOf); ok {
			// Fails only when done twice for one flag, which changes nothing.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(o.allowed, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	cmd.LocalFlags().VisitAll(complete)
	if cmd.Flags().Lookup("store") != nil {
		_ = cmd.RegisterFlagCompletionFunc("store", cobra.FixedCompletions(
			[]string{"sqlite:", "dynamodb:", "memory:"}, cobra.ShellCompDirectiveNoSpace))
	}
}
