package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon/config"
	"github.com/layerd/layerd/internal/strictyaml"
)

// usualConfig is where a package puts the configuration.
const usualConfig = "/etc/layerd/layerd.yaml"

// whichConfig returns which configuration is meant, for the daemon and for those
// who ask about it.
func (a *app) whichConfig(named string) string {
	switch {
	case named != "":
		return named
	case a.env("LAYERD_CONFIG") != "":
		return "env:LAYERD_CONFIG"
	}
	return usualConfig
}

func (a *app) runCommand() *cobra.Command {
	var where string
	cmd := &cobra.Command{
		Use:   "run [--config FILE|env:NAME]",
		Short: "The daemon: follow the repository until it is told to stop",
		Long: `run follows one desired-state repository: it pulls the branch, compares it with
AWS and makes the two agree inside the change windows, until SIGTERM. Then it
finishes the functions in hand, writes down what it did, gives its leases back
and stops, within 25 seconds.

The configuration is --config, else the text in the variable LAYERD_CONFIG, else
` + usualConfig + `. layerd doctor --config examines it.

SIGHUP reads the configuration again. One that is invalid is refused and the old
one stays. The log is JSON on standard error. /healthz, /readyz and /metrics are
served at http.listen.`,
		Example: `  layerd run
  layerd run --config ./layerd-daemon.yaml`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			return a.serve(cmd.Context(), where, hangup)
		},
	}
	cmd.Flags().StringVar(&where, "config", "", "read the configuration from `FILE|env:NAME`")
	return cmd
}

// readConfig reads the daemon's configuration. What is wrong with it is shown,
// all at once.
func (a *app) readConfig(where string) (config.Config, error) {
	named := where
	where = a.whichConfig(named)
	name, data, err := config.Read(where, a.lookupEnv)
	if named == "" && errors.Is(err, os.ErrNotExist) {
		return config.Config{}, usage("pass --config FILE; an example is deploy/layerd.example.yaml",
			"which configuration? there is no --config, no variable LAYERD_CONFIG and no %s", where)
	}
	if err != nil {
		return config.Config{}, &exitError{code: exitInvalid, err: err, hint: "an example is deploy/layerd.example.yaml; layerd schema daemon names every key"}
	}
	c, problems := config.Load(name, data)
	if log := a.service.Load(); log != nil {
		logProblems(log, problems)
	} else if len(problems) > 0 {
		var b strings.Builder
		if err := config.Format(&b, name, data, problems, strictyaml.Look{Color: a.palette().On && isTerminal(a.err), Width: width(a.err)}); err != nil {
			return c, err
		}
		a.sayRaw(b.String())
	}
	if len(problems) > 0 && c.Git.URL == "" {
		return c, &exitError{code: exitInvalid, err: errInvalidConfig}
	}
	return c, nil
}

// lookupEnv is os.LookupEnv; an empty variable is none.
func (a *app) lookupEnv(name string) (string, bool) {
	v := a.env(name)
	return v, v != ""
}

// logProblems keeps a log that machines read what it is: a line for each.
func logProblems(log *slog.Logger, problems []strictyaml.Problem) {
	for _, p := range problems {
		level := slog.LevelError
		if p.Severity == strictyaml.Warning {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, "configuration", "code", p.Code, "at", p.Place(),
			"problem", p.Message, "help", p.Suggestion)
	}
}
