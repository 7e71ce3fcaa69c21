package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/present"
)

const (
	// answerTimeout is how long a daemon may take, which reads its store.
	answerTimeout = 15 * time.Second
	// maxAnswer bounds what is read of an answer, which may come from anything.
	maxAnswer = 32 << 20
)

// askStatus asks the daemon at server for its status. No proxy is asked, which would
// answer for itself, and no redirect followed.
func askStatus(ctx context.Context, server string, envs []string) (present.Status, error) {
	address, err := statusURL(server, envs)
	if err != nil {
		return present.Status{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return present.Status{}, err
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return present.Status{}, outOfReach(ctx, server, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return present.Status{}, outOfReach(ctx, server, err)
	}
	return readStatus(server, response.StatusCode, body, envs)
}

// statusURL returns the address to ask, of what a person typed.
func statusURL(server string, envs []string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", usage("it looks like http://127.0.0.1:8080: the daemon's http.listen", "--server is not an address of HTTP")
	}
	u = u.JoinPath(daemon.StatusPath) // behind a proxy it may have a path before
	if len(envs) > 0 {
		u.RawQuery = url.Values{"env": envs}.Encode()
	}
	return u.String(), nil
}

// outOfReach is that a daemon did not answer, or not to the end.
func outOfReach(ctx context.Context, server string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %s", answerTimeout)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &exitError{code: exitRetry, err: fmt.Errorf("ask the daemon at %s: %w", server, err), hint: "where it does not run, the store answers: --store"}
}

// readStatus returns what an answer says.
func readStatus(server string, code int, body []byte, envs []string) (present.Status, error) {
	var no daemon.StatusError
	if code != http.StatusOK {
		_ = json.Unmarshal(body, &no) // what is none has no reason
	}
	switch {
	case code == http.StatusOK:
		s, err := present.ReadStatus(body)
		if err != nil {
			return s, noDaemon(server, err.Error())
		}
		return s, nil
	case code == http.StatusServiceUnavailable:
		reason := no.Error
		if reason == "" {
			reason, _, _ = strings.Cut(strings.TrimSpace(string(body)), "\n")
			reason = foreign.Clean(fmt.Sprintf("%.200s", reason))
		}
		return present.Status{}, &exitError{code: exitRetry, err: fmt.Errorf("the daemon at %s has no answer now: %d: %s", server, code, reason),
			hint: "what it is about: " + server + "/readyz"}
	case code == http.StatusBadRequest && len(no.Environments) > 0:
		for _, env := range envs {
			if !slices.Contains(no.Environments, env) {
				return present.Status{}, usage("environments: "+strings.Join(no.Environments, ", "), "no environment %q at %s%s", env, server, didYouMean(env, no.Environments))
			}
		}
	case code == http.StatusNotFound:
		return present.Status{}, noDaemon(server, "it has no "+daemon.StatusPath)
	}
	return present.Status{}, noDaemon(server, fmt.Sprintf("it answers %d %s", code, http.StatusText(code)))
}

// noDaemon is that something else answers where a daemon was meant.
func noDaemon(server, why string) error {
	return &exitError{code: exitFailed, err: fmt.Errorf("what answers at %s is no layerd, or an older one: %s", server, why),
		hint: "--server names the address of the daemon's http.listen"}
}
