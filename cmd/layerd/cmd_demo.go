package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/demo"
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	var listen, serve string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play with layerd on a simulated AWS, all on this machine",
		Long: `demo keeps a daemon running over a simulated AWS and a Git server of its own,
and prints commands to try: push a commit, change a function by hand, break what
all functions import, and watch what becomes of it. It needs no account and no
network, and ends with Ctrl-C.

demo --once tells a story instead and exits: a team releases a layer, somebody
meddles, layerd notices; a version breaks what uses it, and goes back.

demo --serve-aws ADDR serves only the simulated AWS, for the AWS CLI and for
layerd itself.`,
		Example: `  layerd demo
  layerd demo --once
  layerd demo --serve-aws 127.0.0.1:4599`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := demo.Options{Out: a.out, Color: a.palette().On, Width: width(a.out)}
			switch {
			case serve != "":
				return a.serveAWS(cmd.Context(), serve)
			case once:
				o.Log = a.logger()
				return demo.Run(cmd.Context(), o)
			}
			return a.play(cmd.Context(), o, listen)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "tell the story and exit")
	cmd.Flags().StringVar(&listen, "listen", "", "address of the daemon's /healthz and /readyz (default: a free port of this machine)")
	cmd.Flags().StringVar(&serve, "serve-aws", "", "serve only the simulated AWS on this address")
	cmd.MarkFlagsMutuallyExclusive("once", "listen", "serve-aws")
	return cmd
}

// play keeps the daemon running until ctx ends.
func (a *app) play(ctx context.Context, o demo.Options, listen string) error {
	p := demo.PlayOptions{Options: o, Proxied: a.env("http_proxy") != ""}
	if a.logLevel.value != "off" {
		p.Log = a.logger()
	}
	if listen != "" {
		if strings.HasPrefix(listen, ":") {
			listen = "127.0.0.1" + listen // nothing of a demo is for the network unless somebody says so
		}
		var err error
		if p.Health, err = (&net.ListenConfig{}).Listen(ctx, "tcp", listen); err != nil {
			return usage("an address is HOST:PORT, as in 127.0.0.1:8080; port 0 takes a free one", "--listen %s: %w", listen, err)
		}
		defer p.Health.Close()
	}
	var err error
	if p.Program, err = unlessFound(); err != nil {
		return err
	}
	return demo.Play(ctx, p)
}

// unlessFound returns the path of this program, or "" where a shell finds it as
// layerd.
func unlessFound() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	found, err := exec.LookPath("layerd")
	if err != nil {
		return self, nil // also in the folder we are in, which the second terminal may not be
	}
	us, err := os.Stat(self)
	if err != nil {
		return "", err
	}
	if them, err := os.Stat(found); err != nil || !os.SameFile(us, them) {
		return self, nil
	}
	return "", nil
}

// serveAWS serves the demo's fleet until ctx ends.
func (a *app) serveAWS(ctx context.Context, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return usage("an address is HOST:PORT, as in 127.0.0.1:4599; port 0 takes a free one", "--serve-aws %s: %w", address, err)
	}
	const settle = 2 * time.Second // about what an update of a small function takes
	world := demo.NewWorld(a.now(), settle)
	server := &http.Server{Handler: world.Handler(), ReadHeaderTimeout: 10 * time.Second}
	if err := a.print(serveText(listener.Addr().String())); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // nobody waits for an answer of a simulation
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveText returns commands to be copied: the dummy keys are there because the SDKs
// sign every request with something, and the Region has two names because
// version 1 of the AWS CLI does not know the first.
func serveText(address string) string {
	return fmt.Sprintf(`A simulated AWS with the demo's fleet listens on http://%s.
Ctrl-C ends it.

  export AWS_ENDPOINT_URL=http://%[1]s AWS_PAGER=
  export AWS_REGION=%[2]s AWS_DEFAULT_REGION=%[2]s
  export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo
  aws lambda list-functions --query 'Functions[].[FunctionName,Layers[].Arn]'
  aws lambda list-layer-versions --layer-name makoto-common-prod
  layerd plan --repo examples/repo
`, address, demo.Region)
}
