package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/catalog"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// getFlags say of which environment and Region, and in which form.
type getFlags struct {
	repo        repoFlags
	store       storeFlags
	env, region string
	fields      []string
	output      oneOf
}

func (a *app) getCommand() *cobra.Command {
	var f getFlags
	cmd := &cobra.Command{
		Use:   "get LAYER --env ENV",
		Short: "Print the version that is applied and proven, for scripts",
		Long: `get prints which version of a layer is applied and proven in an environment:
what last came through a whole rollout there, and not what is newest, or on its
way. It reads the store and asks AWS nothing. Terraform, SAM and scripts use it,
to attach the layer to functions which layerd does not manage.

With --field it prints that value and nothing else. With --output json that is a
flat object of strings, which Terraform's external data source takes; --field
may then be repeated. An environment in several Regions needs --region.

Exit codes: 0 printed, 1 nothing is proven there yet, or the field is not known.`,
		Example: `  layerd get makoto-common --env prod --repo .
  layerd get makoto-common --env prod --field arn
  layerd get makoto-common --env prod --field arn --field version --output json`,
		Args:              arguments("LAYER"),
		ValidArgsFunction: a.complete(offerAllLayers),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.get(cmd.Context(), f, args[0]) },
	}
	f.repo.add(cmd)
	f.store.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.env, "env", "", "the environment `ENV`")
	fs.StringVar(&f.region, "region", "", "only this `REGION`")
	fs.StringArrayVar(&f.fields, "field", nil, "print this `FIELD` alone: "+strings.Join(present.StandingFields(), ", "))
	// The flags exist, so none of these can fail.
	_ = cmd.RegisterFlagCompletionFunc("env", a.completeFlag(offerEnvironments))
	_ = cmd.RegisterFlagCompletionFunc("field", cobra.FixedCompletions(present.StandingFields(), cobra.ShellCompDirectiveNoFileComp))
	outputFlag(cmd, &f.output, "text", "json")
	return cmd
}

// check refuses what no repository can make right.
func (f getFlags) check() error {
	for _, field := range f.fields {
		if !slices.Contains(present.StandingFields(), field) {
			return usage("fields: "+strings.Join(present.StandingFields(), ", "), "no field %q%s", field, didYouMean(field, present.StandingFields()))
		}
	}
	if len(f.fields) > 1 && f.output.value == "text" {
		return usage("with --output json it may be repeated", "--field %s: which one?", strings.Join(f.fields, ", "))
	}
	return f.store.check()
}

func (a *app) get(ctx context.Context, f getFlags, layer string) error {
	if err := f.check(); err != nil {
		return err
	}
	src, err := a.load(ctx, f.repo)
	if err != nil {
		return err
	}
	regions, err := environmentAsked(src.tree, f.env)
	if err != nil {
		return err
	}
	if regions, err = f.chosen(regions, layer); err != nil {
		return err
	}
	spec, err := a.pastStore(f.store, src.tree)
	if err != nil {
		return err
	}
	s, err := a.openToRead(ctx, spec)
	if err != nil {
		return err
	}
	if s == nil {
		return &exitError{code: exitFailed, err: fmt.Errorf("nothing is known of what was applied: %s is not there", spec), hint: "name the store that the daemon uses with --store"}
	}
	defer s.Close()
	if err := refuseStranger(knowsRepository(ctx, s, spec, src.repository)); err != nil {
		return err
	}
	answer, err := standing(ctx, s, src.repository, regions, layer)
	if err != nil {
		return err
	}
	return a.showStanding(f, answer)
}

// chosen returns the Regions that are meant.
func (f getFlags) chosen(regions []desired.Environment, layer string) ([]desired.Environment, error) {
	var names, layers []string
	for _, e := range regions {
		names = append(names, e.Region)
	}
	for _, w := range regions[0].Layers { // all Regions of an environment have the same
		layers = append(layers, w.Name)
	}
	if !slices.Contains(layers, layer) {
		return nil, lacks("layers: "+strings.Join(layers, ", "), "%s has no layer %q%s", f.env, layer, didYouMean(layer, layers))
	}
	if f.region == "" {
		if len(regions) > 1 && len(f.fields) > 0 {
			return nil, usage("name one with --region", "%s is in %d Regions: %s", f.env, len(names), strings.Join(names, ", "))
		}
		return regions, nil
	}
	i := slices.Index(names, f.region)
	if i < 0 {
		return nil, usage("Regions: "+strings.Join(names, ", "), "%s is not in %q%s", f.env, f.region, didYouMean(f.region, names))
	}
	return regions[i : i+1], nil
}

// standing returns what the store knows of a layer in each of the Regions.
func standing(ctx context.Context, s store.Store, repository string, regions []desired.Environment, layer string) (present.Standing, error) {
	answer := present.Standing{FormatVersion: "1", Environment: regions[0].Name, Layer: layer}
	log := history.Open(s, repository)
	for _, e := range regions {
		known, err := log.Standing(ctx, e.Name, e.Region)
		if err != nil {
			return answer, err
		}
		w := e.Layers[slices.IndexFunc(e.Layers, func(w desired.LayerWish) bool { return w.Name == layer })]
		versions := catalog.New(w, &state.Snapshot{}, known.Past.Layers[w.Layer].Numbers)
		stands := known.Of(w.Layer)
		r := present.StandingRegion{Region: e.Region, Account: e.Account, Number: stands.Number, Coming: stands.Coming, Reason: stands.Why(versions.Show)}
		if stands.Number > 0 {
			r.ARN, r.Version = string(w.Layer.Version(stands.Number)), versions.Label(stands.Number)
			if r.SHA256, err = contentOf(ctx, log, layer, w.Layer.Version(stands.Number), r.Version, known.Past.Layers[w.Layer].Numbers); err != nil {
				return answer, err
			}
		}
		answer.Regions = append(answer.Regions, r)
	}
	return answer, nil
}

// contentOf returns the SHA-256 of a layer version, where layerd published it; empty =
// nobody knows. It may have been published under another name than Git calls it by now:
// numbers are those that it has, or had, here.
func contentOf(ctx context.Context, log *history.Log, layer string, v state.LayerVersionARN, label string, numbers map[string]int64) (string, error) {
	names := []string{label}
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		if numbers[name] == v.Number() {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		if sha256, err := log.ContentOf(ctx, layer, name, v); err != nil || sha256 != "" {
			return sha256, err
		}
	}
	return "", nil
}

func (a *app) showStanding(f getFlags, answer present.Standing) error {
	if len(f.fields) > 0 {
		return a.showFields(f, answer)
	}
	var err error
	if f.output.value == "json" {
		err = a.printJSON(answer)
	} else {
		err = a.print(answer.Text(present.Options{Palette: a.palette(), Width: width(a.out)}))
	}
	if err == nil && slices.ContainsFunc(answer.Regions, func(r present.StandingRegion) bool { return r.Number == 0 }) {
		return exit(exitFailed)
	}
	return err
}

// showFields prints what a script asked for, or nothing: half an answer would be taken
// for one.
func (a *app) showFields(f getFlags, answer present.Standing) error {
	r := answer.Regions[0]
	values := map[string]string{}
	for _, field := range f.fields {
		value := r.Field(field)
		switch {
		case r.Number == 0:
			return &exitError{code: exitFailed, err: fmt.Errorf("%s in %s · %s: %s", answer.Layer, answer.Environment, r.Region, r.Reason)}
		case value == "":
			return &exitError{code: exitFailed, err: fmt.Errorf("%s of %s is not known", field, r.ARN), hint: unknownField(field)}
		}
		values[field] = value
	}
	if f.output.value == "json" {
		return a.printJSON(values)
	}
	return a.print(foreign.Clean(values[f.fields[0]]) + "\n")
}

// unknownField returns what to do about a field that nobody wrote down.
func unknownField(field string) string {
	if field == present.FieldVersion {
		return "known in layer.yaml says which semantic version a number is"
	}
	return "layerd knows it of what it published itself; aws lambda get-layer-version-by-arn has it as CodeSha256, in base64"
}

// offerAllLayers offers the layers of all environments, or of the one that --env names.
func offerAllLayers(ctx context.Context, t typing, _ []string) []string {
	return offerLayers(ctx, t, nil)
}
