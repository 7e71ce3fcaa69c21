package main

import (
	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon/config"
	"github.com/layerd/layerd/internal/desired"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [daemon]",
		Short: "Write the JSON Schema of the desired-state files, for editors",
		Long: `schema writes the JSON Schema of the files of a desired-state repository, or
with the word daemon that of the daemon's configuration.`,
		Example: `  layerd schema > layerd.schema.json
  # then, as the first line of environments/prod.yaml:
  # yaml-language-server: $schema=../layerd.schema.json
  layerd schema daemon > layerd-daemon.schema.json`,
		Args:      arguments("[daemon]"),
		ValidArgs: []string{"daemon"},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.print(string(desired.Schema()))
			}
			if args[0] != "daemon" {
				return usage("write layerd schema, or layerd schema daemon", "there is no schema %q", args[0])
			}
			return a.print(string(config.Schema()))
		},
	}
}
