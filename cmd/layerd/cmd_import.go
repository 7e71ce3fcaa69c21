package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// importFlags say what is imported, and where to.
type importFlags struct {
	regions, suffixes         []string
	role, name, out, owner    string
	terraform, cloudformation []string
	rate                      float64
	output                    oneOf
}

// liveStacks is what --check-cloudformation takes in place of a file.
const liveStacks = "live"

func (a *app) importCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import --region REGION --out DIR",
		Short: "Write a desired-state repository from what is live",
		Long: `import writes a repository that asks for what the functions of an account have
now, so that layerd plan finds nothing to do. It changes nothing at AWS.

--env-suffix makes an environment of each end that names of functions have: with
-prod,-dev there are prod and dev. --name takes all the others, or, without
suffixes, all. A layer is asked for at the version that most functions have, the
others are pinned to theirs. Selectors are globs where one matches exactly the
functions that have the layer, else their names. Layers of other accounts are
listed under unmanaged. The repository is in mode observe and prunes nothing.

--check-terraform reads a state file, or what terraform show -json writes, and
--check-cloudformation a template, what aws cloudformation
describe-stack-resources prints, or with the word live the tags of functions:
both name who else writes the layers of these functions, and the lines that make
peace. Which function a template means is known by its tags, where the template
does not name it.`,
		Example: `  layerd import --region eu-west-1 --env-suffix=-prod,-staging,-dev --out layers
  layerd import --name prod --out layers --check-cloudformation live
  layerd plan --repo layers --detailed-exitcode`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.importLive(cmd.Context(), f) },
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&f.regions, "region", nil, "`REGION` to look at, or several with commas (default: the one of the SDK's configuration)")
	fs.StringVar(&f.role, "role", "", "`ARN` of the role to assume, and for the environments (default: the caller's own credentials)")
	fs.StringSliceVar(&f.suffixes, "env-suffix", nil, "ends of function names, each an environment: `-prod,-dev`")
	fs.StringVar(&f.name, "name", "", "environment `ENV` of the functions that no suffix fits (default: without suffixes, the name default)")
	fs.StringVar(&f.out, "out", "", "`DIR` to write to, new or empty")
	fs.StringVar(&f.owner, "owner", "nobody yet", "`NAME` of whom to ask about the pins")
	fs.StringArrayVar(&f.terraform, "check-terraform", nil, "name the functions that the state in `FILE` manages (may be repeated)")
	fs.StringArrayVar(&f.cloudformation, "check-cloudformation", nil, "name the functions with Layers in the template `FILE`, those in a list of stack resources, or with live those that stacks have tagged (may be repeated)")
	rateFlag(cmd, &f.rate, 5)
	outputFlag(cmd, &f.output, "text", "json")
	return cmd
}

// roleARN is the ARN of a role: in it the account.
var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/[A-Za-z0-9_+=,.@/-]+$`)

// check refuses what AWS need not be asked for.
func (f importFlags) check() error {
	if f.out == "" {
		return usage("it is made, or has to be empty", "where to? --out DIR is missing")
	}
	if f.role != "" && !roleARN.MatchString(f.role) {
		return usage("arn:aws:iam::ACCOUNT:role/NAME", "--role %q is not the ARN of a role", f.role)
	}
	for _, r := range f.regions {
		if err := desired.CheckRegion(r); err != nil {
			return usage("", "--region: %w", err)
		}
	}
	names := map[string]string{}
	for _, s := range f.suffixes {
		name := inspect.EnvironmentOfSuffix(s)
		if err := desired.CheckEnvironmentName(name); err != nil {
			return usage("write it as --env-suffix=-prod,-dev", "--env-suffix %q: %w", s, err)
		}
		if was, twice := names[name]; twice {
			return usage("one file is one environment", "--env-suffix: %q and %q would both be the environment %s", was, s, name)
		}
		names[name] = s
	}
	if f.name != "" {
		if err := desired.CheckEnvironmentName(f.name); err != nil {
			return usage("", "--name: %w", err)
		}
	}
	if strings.TrimSpace(f.owner) == "" {
		return usage("leave it out, or name somebody", "--owner is empty")
	}
	if err := checkRate(f.rate); err != nil {
		return err
	}
	return checkEmpty(f.out)
}

// checkEmpty refuses a folder that has something in it, but for an empty repository of
// Git.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usage("it takes a new or an empty folder", "--out %s: %w", dir, plainCause(err))
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".git" })
	if len(entries) > 0 {
		return usage("name a new folder; import never writes over files", "--out %s is not empty: it has %s", dir, foreign.Clean(entries[0].Name()))
	}
	return nil
}

func (a *app) importLive(ctx context.Context, f importFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	checks, err := f.readChecks()
	if err != nil {
		return err
	}
	if len(f.suffixes) == 0 && f.name == "" {
		f.name = "default"
	}
	regions, calls, err := a.lookAtAccount(ctx, f)
	if err != nil {
		return err
	}
	im, err := inspect.Import(regions, inspect.ImportOptions{Role: f.role, Suffixes: f.suffixes, Name: f.name, Owner: f.owner})
	if err != nil {
		return &exitError{code: exitFailed, err: fmt.Errorf("account %s: %w", regions[0].Account, err), hint: "look at --region and --env-suffix; nothing was written"}
	}
	fights, err := checks.fights(inspect.Territory{Regions: regions, Manages: im.Manages})
	if err != nil {
		return err
	}
	if err := writeNew(f.out, im.Files); err != nil {
		return err
	}
	view := present.NewImport(f.out, regions[0].Account, im, fights, calls)
	if f.output.value == "json" {
		return a.printJSON(view)
	}
	p := &present.Page{Palette: a.palette(), Width: width(a.out)}
	p.Import(view)
	p.Blank()
	p.Linef(0, "Wrote %s to %s with %s. See that nothing is to be done:", words.Count(len(im.Files), "file"), f.out, words.Count(calls, "call"))
	p.Copy(2, suggest(repoFlags{repo: f.out}, storeFlags{}, "plan", "--detailed-exitcode"))
	return a.print(p.String())
}

// lookAtAccount reads the functions of each Region, and the versions of the layers of the
// account that they have.
func (a *app) lookAtAccount(ctx context.Context, f importFlags) (list []state.Snapshot, calls int, err error) {
	cfg, err := a.awsConfig(ctx)
	if err != nil {
		return nil, 0, err
	}
	if len(f.regions) == 0 && cfg.Region != "" {
		f.regions = []string{cfg.Region}
	}
	if len(f.regions) == 0 {
		return nil, 0, usage("", "which Region? --region is missing, and the SDK's configuration has none")
	}
	connect, err := connecting(ctx, a, daemon.AWSOptions{RequestsPerSecond: f.rate, Logger: a.logger()}, daemon.Examiner)
	if err != nil {
		return nil, 0, err
	}
	var seen []string
	env := desired.Environment{Name: "import", Role: f.role}
	if m := roleARN.FindStringSubmatch(f.role); m != nil {
		env.Account = m[1]
	}
	for _, region := range f.regions {
		if slices.Contains(seen, region) {
			continue
		}
		seen, env.Region = append(seen, region), region
		if env.Account == "" {
			if env.Account, err = accountOf(ctx, connect, env); err != nil {
				return nil, 0, err
			}
		}
		at, err := connect(ctx, env)
		if err != nil {
			return nil, 0, err
		}
		s, err := lookAtRegion(ctx, at, len(f.cloudformation) > 0)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", region, err)
		}
		calls += at.Calls().Total()
		list = append(list, s)
	}
	return list, calls, nil
}

// nobodysAccount stands for one while it is not known which: only the question whose the
// credentials are is sent then.
const nobodysAccount = "000000000000"

// accountOf asks whose the credentials are that the SDK's chain finds.
func accountOf(ctx context.Context, connect func(context.Context, desired.Environment) (daemon.Connection, error), env desired.Environment) (string, error) {
	env.Account = nobodysAccount
	at, err := connect(ctx, env)
	if err != nil {
		return "", err
	}
	id, err := at.Client.Identity(ctx)
	return id.Account, err
}

func lookAtRegion(ctx context.Context, at daemon.Connection, tags bool) (state.Snapshot, error) {
	s, err := at.Client.Observe(ctx, state.Query{Tags: tags})
	if err != nil {
		return s, err
	}
	for _, arn := range inspect.OwnLayers(s) {
		versions, err := at.Client.Versions(ctx, arn)
		if err != nil {
			return s, err
		}
		s.Layers = append(s.Layers, state.Layer{ARN: arn, Versions: versions})
	}
	s.Sort()
	return s, nil
}

// otherTools are the files that say what other tools write.
type otherTools struct {
	states, templates map[string][]byte // by the name on the command line
	live              bool
}

// mostOfAState is more than states have that people can still apply.
const mostOfAState = 512 << 20

// readChecks reads the files before AWS is asked anything.
func (f importFlags) readChecks() (o otherTools, err error) {
	o = otherTools{states: map[string][]byte{}, templates: map[string][]byte{}}
	read := func(flag, name string) ([]byte, error) {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, usage("", "--%s %s: %w", flag, name, plainCause(err))
		case info.IsDir():
			return nil, usage("it takes a file; it may be repeated", "--%s %s is a folder", flag, name)
		case info.Size() > mostOfAState:
			return nil, usage("", "--%s %s has more than 512 MiB", flag, name)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, usage("", "--%s %s: %w", flag, name, plainCause(err))
		}
		return data, nil
	}
	for _, name := range f.terraform {
		if o.states[name], err = read("check-terraform", name); err != nil {
			return o, err
		}
	}
	for _, name := range f.cloudformation {
		if name == liveStacks {
			o.live = true
			continue
		}
		if o.templates[name], err = read("check-cloudformation", name); err != nil {
			return o, err
		}
	}
	// What they are is judged at once, by what an empty account would make of them.
	_, err = o.fights(inspect.Territory{Manages: func(string, string) bool { return false }})
	return o, err
}

// fights returns who else writes to the functions that are to be managed.
func (o otherTools) fights(t inspect.Territory) (all []inspect.Fight, err error) {
	for _, name := range slices.Sorted(maps.Keys(o.states)) {
		found, err := inspect.TerraformFights(o.states[name], t)
		if err != nil {
			return nil, usage("terraform state pull and terraform show -json write what it takes", "--check-terraform %s: %w", name, err)
		}
		all = append(all, found...)
	}
	for _, name := range slices.Sorted(maps.Keys(o.templates)) {
		found, err := inspect.TemplateFights(name, o.templates[name], t)
		if err != nil {
			return nil, usage("it takes a template in YAML or JSON, what describe-stack-resources prints, or the word live", "--check-cloudformation %s: %w", name, err)
		}
		all = append(all, found...)
	}
	if o.live {
		all = append(all, inspect.StackFights(t)...)
	}
	return all, nil
}

// writeNew writes files where there are none.
func writeNew(dir string, files []inspect.RepositoryFile) error {
	for _, f := range files {
		at := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, plainCause(err))
		}
		out, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("write %s: %w", f.Name, plainCause(err))
		}
		_, err = out.WriteString(f.Text)
		if err = errors.Join(err, out.Close()); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, plainCause(err))
		}
	}
	return nil
}
