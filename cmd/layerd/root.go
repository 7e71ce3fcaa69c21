package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/layerd/layerd/internal/daemon/metrics"
	"github.com/layerd/layerd/internal/foreign"
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
	progress *statusLine // nil where there is none: no terminal, or nothing to show yet
	shown    progress    // nil until a command shows progress
	end      func(int)   // of the process, at once
	assumed  assumption  // what the command line leaves to us
	// inHand is true while a command runs that may have a change in hand.
	inHand atomic.Bool
	// service is the log of the daemon; nil for commands that talk to a person.
	service atomic.Pointer[slog.Logger]
	// metrics are the daemon's; nil for commands.
	metrics atomic.Pointer[metrics.Metrics]
}

// groupAct are the commands that change something.
const groupAct = "Act:"

// grace returns how long what runs may take to stop.
func (a *app) grace() time.Duration {
	if a.inHand.Load() {
		return graceInHand
	}
	return graceElse
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "layerd",
		Short: "Keep AWS Lambda layers as a Git repository wants them",
		Long: `layerd compares the layer versions that a Git repository asks for with the
ones that AWS Lambda functions have, and makes them agree: inside the change
window, after the approval, with a reason for every step.`,
		Example: `  layerd demo --once               a release on a simulated AWS
  layerd validate                  is this folder a desired-state repository?
  layerd plan --repo .             what would be done, and why`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.Version = buildVersion().Version
	root.Flags().Bool("version", false, "say which layerd this is, as layerd version does") // cobra acts on it; -v is --verbose
	root.SetVersionTemplate(buildVersion().line())
	root.DisableSuggestions = true // sayUsage words them
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(a.out)
	root.SetErr(a.err)
	a.color = oneOf{"auto", []string{"auto", "always", "never"}}
	a.logLevel = oneOf{"off", []string{"off", "error", "warn", "info", "debug"}}
	root.PersistentFlags().Var(&a.color, "color", "colour: on a terminal, always or never")
	root.PersistentFlags().Var(&a.logLevel, "log-level", "what is logged to standard error")
	root.SetFlagErrorFunc(sayUsage)
	a.addCommands(root)
	for _, c := range allCommands(root) {
		completeValues(c)
		hideNotYet(c)
		if run := c.RunE; run != nil {
			c.RunE = func(cmd *cobra.Command, args []string) error {
				a.inHand.Store(cmd.GroupID == groupAct)
				a.assume(cmd)
				if err := run(cmd, args); err != nil {
					return &ranError{err}
				}
				return nil
			}
		}
	}
	return root
}

// addCommands adds them in the order of a newcomer's days: try, look, act, ask.
func (a *app) addCommands(root *cobra.Command) {
	for _, group := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Look, and change nothing:", []*cobra.Command{a.demoCommand(), a.validateCommand(), a.planCommand(), a.windowCommand()}},
		{groupAct, []*cobra.Command{a.applyCommand(), a.publishCommand(), a.runCommand(), a.approveCommand(), a.rollbackCommand(), a.retryCommand(), a.adoptCommand(), a.forgetCommand()}},
		{"Ask:", []*cobra.Command{a.statusCommand(), a.whyCommand(), a.historyCommand(), a.usageCommand(), a.findCommand(), a.diffCommand(), a.doctorCommand(), a.healthcheckCommand()}},
		{"Make layers, and hand them on:", []*cobra.Command{a.buildCommand(), a.bumpCommand(), a.getCommand(), a.indexCommand()}},
		{"Set up:", []*cobra.Command{a.importCommand(), a.storeCommand(), a.schemaCommand(), a.completionCommand(), a.versionCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, c := range group.commands {
			c.GroupID = group.title
			root.AddCommand(c)
		}
		root.SetHelpCommandGroupID(group.title) // the last
	}
	// cobra's own template does not know how wide the terminal is.
	columns := min(max(width(a.out), 60), 100)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprint(".FlagUsagesWrapped ", columns)))
}

// hideNotYet keeps flags out of the help that only say that they do not act
// yet. Who uses one is told so.
func hideNotYet(c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		f.Hidden = f.Hidden || strings.Contains(f.Usage, "(not supported yet)")
	})
}

// allCommands returns a command and all below it.
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
		return slog.New(slog.NewTextHandler(foreign.TextLog(out), o))
	}
	return slog.New(slog.NewJSONHandler(foreign.JSONLog(out), o))
}
