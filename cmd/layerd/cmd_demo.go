package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/demo"
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	var listen, serve string
	cmd := &cobra.Command{
		Use:   "demo --once",
		Short: "Play the main job on a simulated AWS, all on this machine",
		Long: `demo --once tells a story: a team releases a layer to a simulated AWS, somebody
meddles, layerd notices. It needs no account, no network and no files.

demo --serve-aws ADDR serves only the simulated AWS, for the AWS CLI and for
layerd itself, until Ctrl-C.`,
		Example: `  layerd demo --once
  layerd demo --serve-aws 127.0.0.1:4599`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case listen != "":
				return usage("see the story with: layerd demo --once", "--listen is not supported yet: the page comes with a later release")
			case once && serve != "":
				return usage("", "--once and --serve-aws exclude each other")
			case serve != "":
				return a.serveAWS(cmd.Context(), serve)
			case !once:
				return usage("see the story with: layerd demo --once",
					"demo without --once shows the daemon with its page, which comes with a later release")
			}
			return demo.Run(cmd.Context(), demo.Options{Out: a.out, Color: a.palette().on, Width: width(a.out), Log: a.logger()})
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "tell the story and exit")
	cmd.Flags().StringVar(&listen, "listen", "", "address of the daemon's page (not supported yet)")
	cmd.Flags().StringVar(&serve, "serve-aws", "", "serve only the simulated AWS on this address")
	return cmd
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

// serveText is ready to be copied: the dummy keys are there because the SDKs
// sign every request with something.
func serveText(address string) string {
	env := fmt.Sprintf("AWS_ENDPOINT_URL=http://%s AWS_REGION=%s AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo", address, demo.Region)
	return fmt.Sprintf(`A simulated AWS with the demo's fleet listens on http://%s; end it with Ctrl-C.

  %s \
    aws lambda list-functions --query 'Functions[].[FunctionName,Layers[].Arn]'
  %s \
    aws lambda list-layer-versions --layer-name makoto-common-prod
  %s \
    layerd plan --repo examples/repo
`, address, env, env, env)
}
