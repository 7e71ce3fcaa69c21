package main

import (
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
)

// app is what all commands share: where to write, what surrounds the process,
// and the flags that every command has.
type app struct {
	out, err io.Writer
	env      func(string) string
	environ  []string // the same environment, as KEY=value
	now      func() time.Time

	color    oneOf
	logLevel oneOf
	progress *statusLine // nil until a command shows progress
	// service is the log of the daemon; nil for commands that talk to a person.
	service atomic.Pointer[slog.Logger]
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "layerd",
		Short: "Keep AWS Lambda layers as a Git repository wants them",
		Long: `layerd compares the layer versions that a Git repository asks for with the
ones that AWS Lambda functions have, and makes them agree: inside the change
window, after the approval, with a reason for every step.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.DisableSuggestions = true // sayUsage words them
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(a.out)
	root.SetErr(a.err)
	a.color = oneOf{"auto", []string{"auto", "always", "never"}}
	a.logLevel = oneOf{"off", []string{"off", "error", "warn", "info", "debug"}}
	root.PersistentFlags().Var(&a.color, "color", "colour: on a terminal, always or never")
	root.PersistentFlags().Var(&a.logLevel, "log-level", "what is logged to standard error; the result says what matters")
	root.SetFlagErrorFunc(sayUsage)
	root.AddCommand(
		a.validateCommand(),
		a.planCommand(),
		a.applyCommand(),
		a.runCommand(),
		a.windowCommand(),
		a.historyCommand(),
		a.whyCommand(),
		a.doctorCommand(),
		a.approveCommand(),
		a.forgetCommand(),
		a.storeCommand(),
		a.schemaCommand(),
		a.versionCommand(),
		a.completionCommand(),
		a.demoCommand(),
		a.healthcheckCommand(),
	)
	for _, c := range allCommands(root) {
		completeValues(c)
		if run := c.RunE; run != nil {
			c.RunE = func(cmd *cobra.Command, args []string) error {
				if err := run(cmd, args); err != nil {
					return &ranError{err}
				}
				return nil
			}
		}
	}
	return root
}

// allCommands gives a command and all below it.
func allCommands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, allCommands(sub)...)
	}
	return all
}

// logger writes for people on a terminal and for machines everywhere else. By
// default it is silent: what failed and why is part of the result, and would
// be told twice.
func (a *app) logger() *slog.Logger {
	if a.logLevel.value == "off" {
		return slog.New(slog.DiscardHandler)
	}
	var level slog.Level
	// The flag admits only what slog can read.
	_ = level.UnmarshalText([]byte(strings.ToUpper(a.logLevel.value)))
	out := a.err
	if a.progress != nil {
		out = a.progress // so that a line of the log does not tear the status line
	}
	o := &slog.HandlerOptions{Level: level}
	if isTerminal(a.err) {
		return slog.New(slog.NewTextHandler(out, o))
	}
	return slog.New(slog.NewJSONHandler(out, o))
}
