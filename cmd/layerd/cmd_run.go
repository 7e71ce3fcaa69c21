package main

import (
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon/config"
)

func (a *app) runCommand() *cobra.Command {
	var where string
	cmd := &cobra.Command{
		Use:   "run --config FILE|env:NAME",
		Short: "Follow the repository for years: the daemon",
		Long: `run follows one desired-state repository: it pulls the branch, compares it with
AWS and makes the two agree inside the change windows, until SIGTERM. Then it
finishes the functions in hand, writes down what it did, gives its leases back
and stops, within 25 seconds.

SIGHUP reads the configuration again. One that is invalid is refused and the old
one stays. The log is JSON on standard error. /healthz and /readyz are served at
http.listen.`,
		Example: `  layerd run --config /etc/layerd/layerd.yaml
  layerd run --config env:LAYERD_CONFIG`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			return a.serve(cmd.Context(), where, hangup)
		},
	}
	cmd.Flags().StringVar(&where, "config", "", "the daemon's configuration: a file, or env:NAME")
	return cmd
}

// readConfig reads the daemon's configuration. What is wrong with it is shown,
// all at once.
func (a *app) readConfig(where string) (config.Config, error) {
	if where == "" {
		return config.Config{}, usage("an example is deploy/layerd.example.yaml", "which configuration? --config is missing")
	}
	name, data, err := config.Read(where, a.lookupEnv)
	if err != nil {
		return config.Config{}, &exitError{code: exitInvalid, err: err}
	}
	c, problems := config.Load(name, data)
	if len(problems) > 0 {
		var b strings.Builder
		if err := config.Format(&b, name, data, problems, a.palette().on && isTerminal(a.err)); err != nil {
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
