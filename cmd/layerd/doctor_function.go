package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/state/awslambda"
)

// functionView is the JSON of doctor FUNCTION.
type functionView struct {
	FormatVersion string                     `json:"format_version"`
	Function      string                     `json:"function"`
	Healthy       bool                       `json:"healthy"`
	Places        []present.ExaminedFunction `json:"places"` // one for each Region that has it
}

// functionName reads FUNCTION, FUNCTION:QUALIFIER and the ARN of either.
func functionName(text string) (q state.Qualified, region, account string, err error) {
	rest := text
	if strings.HasPrefix(text, "arn:") {
		parts := strings.SplitN(text, ":", 7)
		if len(parts) < 7 || parts[2] != "lambda" || parts[5] != "function" {
			return q, "", "", usage("name the function, FUNCTION:ALIAS, or its ARN; an archive is --layer FILE|ARN", "%s is not the ARN of a function", text)
		}
		region, account, rest = parts[3], parts[4], parts[6]
	}
	name, qualifier, cut := strings.Cut(rest, ":")
	if name == "" || cut && qualifier == "" || strings.Contains(qualifier, ":") {
		return q, "", "", usage("name the function, FUNCTION:ALIAS, or its ARN", "%q is not the name of a function", text)
	}
	if qualifier == "$LATEST" {
		qualifier = ""
	}
	return state.Qualified{Function: name, Qualifier: qualifier}, region, account, nil
}

// doctorFunction examines one function wherever it is looked for.
func (a *app) doctorFunction(ctx context.Context, cmd *cobra.Command, f *doctorFlags, text string) error {
	q, region, account, err := functionName(text)
	if err != nil {
		return err
	}
	if f.region != "" && region != "" && f.region != region {
		return usage("leave --region out", "the ARN is of %s, and --region says %s", region, f.region)
	}
	if err := cmp.Or(checkRate(f.rate), f.store.check(), checkProbe(f)); err != nil {
		return err
	}
	d := &functionDoctor{app: a, flags: f, q: q, region: cmp.Or(f.region, region)}
	places, err := d.places(ctx, cmd)
	if err != nil {
		return err
	}
	for _, at := range places {
		if account != "" && at.env.Account != account {
			return usage("use the credentials of that account, or name its environment with --env", "the ARN is of account %s, and what is looked at is account %s", account, at.env.Account)
		}
	}
	v := functionView{FormatVersion: "1", Function: q.Function, Healthy: true, Places: []present.ExaminedFunction{}}
	var missing error
	for _, at := range places {
		found, err := d.examine(ctx, at)
		if state.KindOf(err) == state.Gone {
			missing = cmp.Or(missing, d.unknown(ctx, at))
			continue
		}
		if err != nil {
			return err
		}
		v.Healthy = v.Healthy && found.Healthy && (found.Probe == nil || !found.Probe.Failed())
		v.Places = append(v.Places, found)
	}
	if len(v.Places) == 0 {
		return missing
	}
	return a.showFunction(f, v)
}

func (a *app) showFunction(f *doctorFlags, v functionView) (err error) {
	switch f.output.value {
	case "json":
		err = a.printJSON(v)
	case "sarif":
		var all []present.Finding
		for _, p := range v.Places {
			all = append(all, p.InGit()...)
		}
		err = a.printSARIF(f, all)
	default:
		var texts []string
		for _, p := range v.Places {
			texts = append(texts, p.Text(present.Options{Palette: a.palette(), Width: width(a.out)}))
		}
		err = a.print(strings.Join(texts, "\n"))
	}
	for _, p := range v.Places {
		if err == nil && erring(p.Findings) {
			err = exit(exitFailed)
		}
		if err == nil && p.Probe != nil && p.Probe.Failed() {
			err = exit(exitFailed)
		}
	}
	return err
}

func (a *app) printSARIF(f *doctorFlags, list []present.Finding) error {
	text, err := present.SARIF(list, version, f.repo.root())
	if err != nil {
		return err
	}
	return a.print(text)
}

// erring reports whether something is wrong: a warning and what is not known are not.
func erring(list []present.Finding) bool {
	return slices.ContainsFunc(list, func(f present.Finding) bool { return f.Severity == inspect.Error })
}

// functionDoctor examines one function in one or several Regions.
type functionDoctor struct {
	app    *app
	flags  *doctorFlags
	q      state.Qualified
	region string
	src    source // zero without a repository
	past   reader
}

// examinedPlace is where a function is looked for.
type examinedPlace struct {
	env    desired.Environment // of a repository, or made up of the caller's account
	inGit  bool
	client *awslambda.Client
	cloud  daemon.Connection
}

// places connects to where the function may be.
func (d *functionDoctor) places(ctx context.Context, cmd *cobra.Command) ([]examinedPlace, error) {
	connect, err := connecting(ctx, d.app, daemon.AWSOptions{RequestsPerSecond: d.flags.rate, Logger: d.app.logger()}, daemon.Examiner)
	if err != nil {
		return nil, err
	}
	if d.flags.env == "" {
		if cmd.Flags().Changed("repo") {
			return nil, usage("name the environment with --env, or leave --repo out to look at AWS alone", "which environment? --env is missing")
		}
		at, err := d.live(ctx, connect)
		return []examinedPlace{at}, err
	}
	if d.src, err = d.app.load(ctx, d.flags.repo); err != nil {
		return nil, err
	}
	regions, err := environmentsNamed(d.src.tree, d.flags.env)
	if err != nil {
		return nil, err
	}
	if d.region != "" {
		var names []string
		for _, e := range regions {
			names = append(names, e.Region)
		}
		regions = slices.DeleteFunc(slices.Clone(regions), func(e desired.Environment) bool { return e.Region != d.region })
		if len(regions) == 0 {
			return nil, usage("Regions: "+strings.Join(names, ", "), "%s is not in %s%s", d.flags.env, d.region, didYouMean(d.region, names))
		}
	}
	if d.past, err = d.app.readPast(ctx, d.flags.store, d.src); err != nil {
		return nil, err
	}
	var list []examinedPlace
	for _, e := range regions {
		c, err := connect(ctx, e)
		if err != nil {
			return nil, err
		}
		if err := c.Check(ctx); err != nil {
			return nil, err
		}
		list = append(list, examinedPlace{e, true, c.Client, c})
	}
	return list, nil
}

// nobody is an account that no credentials are of: who we are is asked before that is known.
const nobody = "000000000000"

// live connects to the caller's own account.
func (d *functionDoctor) live(ctx context.Context, connect func(context.Context, desired.Environment) (daemon.Connection, error)) (examinedPlace, error) {
	region := d.region
	if region == "" {
		cfg, err := d.app.awsConfig(ctx)
		if err != nil {
			return examinedPlace{}, err
		}
		region = cfg.Region
	}
	if region == "" {
		return examinedPlace{}, usage("name it with --region, or set AWS_REGION; with --env and --repo the environment says it", "which Region?")
	}
	env := desired.Environment{Name: "doctor", Account: nobody, Region: region, Partition: state.PartitionOf(region)}
	asking, err := connect(ctx, env)
	if err != nil {
		return examinedPlace{}, err
	}
	who, err := asking.Identity(ctx)
	if err != nil {
		return examinedPlace{}, err
	}
	env.Account = who.Account
	c, err := connect(ctx, env)
	if err == nil {
		err = c.Check(ctx)
	}
	return examinedPlace{env, false, c.Client, c}, err
}

// unknown is the error of a function, or a qualifier, that is not there.
func (d *functionDoctor) unknown(ctx context.Context, at examinedPlace) error {
	where := fmt.Sprintf("account %s in %s", at.env.Account, at.env.Region)
	all, err := at.client.Functions(ctx)
	if err != nil {
		return &exitError{code: exitFailed, err: fmt.Errorf("there is no %s in %s", d.q.Function, where)}
	}
	var names []string
	for _, f := range all {
		if f.Name == d.q.Function {
			return &exitError{code: exitFailed, err: fmt.Errorf("%s in %s has no alias or version %s", f.Name, where, d.q.Qualifier),
				hint: "aws lambda list-aliases --function-name " + f.Name + " --region " + at.env.Region}
		}
		names = append(names, f.Name)
	}
	return &exitError{code: exitFailed, err: fmt.Errorf("there is no function %s in %s%s", d.q.Function, where, didYouMean(d.q.Function, names)),
		hint: "look at the account, the Region and the name"}
}
