package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/store"
	"github.com/layerd/layerd/internal/store/dynamostore"
	"github.com/layerd/layerd/internal/store/sqlitestore"
)

func (a *app) storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store init",
		Short: "Make the store, where the past and the rulings are kept",
		Args:  cobra.ArbitraryArgs, // so that ours is what is said about them
		RunE: func(cmd *cobra.Command, args []string) error {
			hint := "usage: layerd store init [--store dynamodb:TABLE]"
			if len(args) == 0 {
				return usage(hint, "what to do with the store is missing")
			}
			return usage(hint, "unknown command %q%s", args[0], didYouMean(args[0], []string{"init"}))
		},
	}
	cmd.AddCommand(a.storeInitCommand())
	return cmd
}

func (a *app) storeInitCommand() *cobra.Command {
	var repo repoFlags
	var f storeFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the table or the file, where there is none yet",
		Long: `init makes the store that all commands then share. A DynamoDB table is on
demand, can be recovered to any point in time of the last 35 days and is
protected from deletion. A table that is there already is left as it is; one
that was made empty by other means, with the keys pk and sk, is finished.

It needs dynamodb:CreateTable, DescribeTable, UpdateTable,
DescribeContinuousBackups, UpdateContinuousBackups, Scan, GetItem and UpdateItem
on the table. Afterwards the commands need GetItem, Query and UpdateItem.`,
		Example: `  layerd store init --store dynamodb:layerd
  layerd store init --repo .    # the store of its layerd.yaml`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.storeInit(cmd.Context(), repo, f)
		},
	}
	repo.add(cmd)
	f.add(cmd)
	return cmd
}

func (a *app) storeInit(ctx context.Context, repo repoFlags, f storeFlags) error {
	tree := desired.Tree{}
	if repo.repo != "" {
		src, err := a.load(ctx, repo)
		if err != nil {
			return err
		}
		tree = src.tree
	}
	spec, err := a.whichStore(f, tree)
	if err != nil {
		return err
	}
	switch spec.Kind {
	case store.KindMemory:
		return usage("name one that lasts: sqlite:PATH or dynamodb:TABLE", "memory: is forgotten at once, there is nothing to make")
	case store.KindDynamoDB:
		return a.makeTable(ctx, spec)
	}
	s, err := sqlitestore.Open(spec.Location)
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	return a.print(foreign.Linef("%s %s is ready\n", a.palette().Good("✓"), spec))
}

func (a *app) makeTable(ctx context.Context, spec store.Spec) error {
	cfg, err := a.storeConfig(ctx, spec)
	if err != nil {
		return err
	}
	created, err := dynamostore.Init(ctx, cfg, spec.Location)
	if created && err != nil {
		return &exitError{code: codeOf(err), err: err, hint: "the table was made and is not finished: run it again"}
	}
	if err != nil {
		return err
	}
	text := "is ready"
	if created {
		text = "was made and is ready: on demand, recoverable to any point in time, protected from deletion"
	}
	return a.print(foreign.Linef("%s %s %s\n", a.palette().Good("✓"), spec, text))
}
