package slack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/notify"
)

const (
	// pace is how far apart messages are: Slack takes about one a second for
	// each channel.
	pace = time.Second
	// timeout is how long one message may take.
	timeout = 10 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 4 << 10
)

// Options are where a Webhook sends to. URL is required.
type Options struct {
	Name string // among the targets; empty = "slack"
	// URL returns the webhook's address. It is asked before each message, so that
	// a new address needs no restart.
	URL func(context.Context) (string, error)
	// Refused is called when Slack refuses the address; nil = nobody is. Whoever
	// remembers it for a while should read it again.
	Refused   func()
	Transport http.RoundTripper // nil = http.DefaultTransport
	Timeout   time.Duration     // for one message; 0 = 10 s
}

// Webhook is a notify.Target. Use it from as many goroutines as you like.
type Webhook struct {
	name    string
	url     func(context.Context) (string, error)
	client  *http.Client
	timeout time.Duration
	refused func()

	// turn holds one token for whoever may send, and guards next: a mutex would
	// be held while waiting, which a context must be able to end.
	turn chan struct{}
	next time.Time // no message before it
}

var _ notify.Target = (*Webhook)(nil)

// NewWebhook returns a target. It sends and reads nothing.
func NewWebhook(o Options) (*Webhook, error) {
	if o.URL == nil {
		return nil, errors.New("slack: the address of the webhook is missing")
	}
	w := &Webhook{
		name: o.Name, url: o.URL, timeout: o.Timeout, refused: o.Refused, turn: make(chan struct{}, 1),
		client: &http.Client{
			Transport:     o.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if w.name == "" {
		w.name = "slack"
	}
	if w.timeout <= 0 {
		w.timeout = timeout
	}
	return w, nil
}

// Name implements notify.Target.
func (w *Webhook) Name() string { return w.name }

// Send implements notify.Target.
func (w *Webhook) Send(ctx context.Context, m notify.Message) error {
	body, err := payload(m)
	if err != nil {
		return &notify.SendError{Verdict: notify.Never, Reason: "the message cannot be written as JSON"}
	}
	release, err := w.wait(ctx)
	if err != nil {
		return err
	}
	defer release()
	err = w.post(ctx, body)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := errors.AsType[*notify.SendError](err); ok && e.Verdict == notify.Broken && w.refused != nil {
		w.refused()
	}
	return err
}

// wait waits for its turn, one message a second.
func (w *Webhook) wait(ctx context.Context) (release func(), err error) {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	t := time.NewTimer(time.Until(w.next))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		<-w.turn
		return nil, ctx.Err()
	}
	return func() {
		w.next = time.Now().Add(pace)
		<-w.turn
	}, nil
}

// post makes the one call. None of its errors wraps another: what net/http
// says names the address.
func (w *Webhook) post(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	address, err := w.url(ctx)
	if err != nil {
		// The reader of the secret words its errors without the secret; this
		// makes sure that what it read anyway is not in it.
		return &notify.SendError{Verdict: notify.Later, Reason: "slack: read the address of the webhook: " + without(err.Error(), address)}
	}
	address = strings.TrimSpace(address)
	if !safe(address) {
		return &notify.SendError{Verdict: notify.Broken, Reason: "slack: the address of the webhook is no https URL"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return &notify.SendError{Verdict: notify.Broken, Reason: "slack: the address of the webhook cannot be used"}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "layerd")
	resp, err := w.client.Do(req)
	if err != nil {
		return &notify.SendError{Verdict: notify.Later, Reason: "slack: " + kindOf(err, w.timeout)}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if resp.StatusCode < 300 && (err != nil || len(answer) > maxAnswer) {
		// Whatever it began with, nobody knows what it would have said. That
		// the message arrives twice is the lesser evil.
		return &notify.SendError{Verdict: notify.Later, Reason: fmt.Sprintf("slack: %d, but the answer does not end", resp.StatusCode)}
	}
	return judge(resp, string(answer), address)
}

// Usable returns why the address of a webhook cannot be used, without a word of
// it; nil when it may be.
func Usable(address string) error {
	if !safe(strings.TrimSpace(address)) {
		return errors.New("it is not an https URL, as the address of a webhook is")
	}
	return nil
}

// safe reports whether the secret may be sent to the address: encrypted, or not
// leaving this machine.
func safe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}

// without takes a secret out of a text.
func without(text, secret string) string {
	if secret = strings.TrimSpace(secret); secret == "" {
		return text
	}
	return strings.ReplaceAll(text, secret, fmt.Sprintf("<%d characters>", len(secret)))
}
