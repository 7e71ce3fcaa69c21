package main

import (
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion " + strings.Join(shells, "|"),
		Short: "Write the completion script of a shell",
		Example: `  source <(layerd completion bash)
  layerd completion zsh > "${fpath[1]}/_layerd"
  layerd completion fish > ~/.config/fish/completions/layerd.fish`,
		Args:      arguments("SHELL"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			var b strings.Builder
			var err error
			switch root := cmd.Root(); args[0] {
			case "bash":
				err = root.GenBashCompletionV2(&b, true)
			case "zsh":
				err = root.GenZshCompletion(&b)
			case "fish":
				err = root.GenFishCompletion(&b, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(&b)
			default:
				return usage("shells: "+strings.Join(shells, ", "), "no completion for %q%s", args[0], didYouMean(args[0], shells))
			}
			if err != nil {
				return err
			}
			return a.print(b.String())
		},
	}
}
