package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/daemon/config"
	"github.com/layerd/layerd/internal/foreign"
)

type healthFlags struct {
	config, url string
	timeout     time.Duration
}

func (a *app) healthcheckCommand() *cobra.Command {
	var f healthFlags
	cmd := &cobra.Command{
		Use:   "healthcheck [--config FILE|env:NAME | --url URL]",
		Short: "Ask the daemon of this machine whether it is alive",
		Long: `healthcheck asks /healthz at the address that the daemon's configuration names,
and exits 0 when it answers 200 and 1 when it does not. It is the health check
of a container that has no other programs in it.

The configuration is --config, else the variable LAYERD_CONFIG, else
` + usualConfig + `. Only http.listen of it is used, so that a
configuration that became invalid does not make a daemon look dead which still
runs on the old one.`,
		Example: `  layerd healthcheck
  layerd healthcheck --url http://127.0.0.1:8080/readyz`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.healthcheck(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.config, "config", "", "read the configuration from `FILE|env:NAME`")
	cmd.Flags().StringVar(&f.url, "url", "", "ask this `URL` instead")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 4*time.Second, "how long to wait for the answer")
	cmd.MarkFlagsMutuallyExclusive("config", "url")
	return cmd
}

func (a *app) healthcheck(ctx context.Context, f healthFlags) error {
	if f.timeout <= 0 {
		return usage("", "--timeout %s: it must be more than 0", f.timeout)
	}
	address, err := a.healthURL(f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if err := askHealth(ctx, address); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", f.timeout)
		}
		return fmt.Errorf("unhealthy: %s: %w", address, err)
	}
	return a.print(foreign.Linef("healthy: %s\n", address))
}

// healthURL returns the address to ask.
func (a *app) healthURL(f healthFlags) (string, error) {
	if f.url != "" {
		u, err := url.Parse(f.url)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return "", usage("it looks like http://127.0.0.1:8080", "--url is not an address of HTTP")
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = "/healthz"
		}
		return u.String(), nil
	}
	name, data, err := config.Read(a.whichConfig(f.config), a.lookupEnv)
	if err != nil && (f.config != "" || !errors.Is(err, os.ErrNotExist)) {
		return "", err
	}
	return "http://" + reachable(config.Listen(name, data)) + "/healthz", nil
}

// reachable turns an address to listen on into one to ask: "every address" is
// none that can be dialled everywhere.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
		if addr.Is6() {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}

// askHealth is nil for an answer of 200. No proxy is asked, which would answer
// for itself, and no redirect followed.
func askHealth(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	reason := bufio.NewScanner(io.LimitReader(response.Body, 500))
	if reason.Scan() && reason.Text() != "" {
		return fmt.Errorf("%d: %s", response.StatusCode, foreign.Clean(reason.Text()))
	}
	return fmt.Errorf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))
}
