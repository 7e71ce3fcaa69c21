package main

import (
	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/desired"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Write the JSON Schema of the desired-state files, for editors",
		Example: `  layerd schema > layerd.schema.json
  # then, as the first line of environments/prod.yaml:
  # yaml-language-server: $schema=../layerd.schema.json`,
		Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			return a.print(string(desired.Schema()))
		},
	}
}
