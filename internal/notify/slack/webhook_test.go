package slack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/notify"
	"github.com/layerd/layerd/internal/notify/notifytest"
	"github.com/layerd/layerd/internal/notify/slack"
)

func open(t *testing.T, transport http.RoundTripper) *slack.Webhook {
	t.Helper()
	w, err := slack.NewWebhook(slack.Options{Transport: transport, URL: func(context.Context) (string, error) { return address + "\n", nil }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// secrets are all the parts of the URL, the host included.
func secrets() []string {
	return append(strings.Split(secret, "/"), "hooks.slack.example", address)
}

func TestTarget(t *testing.T) {
	notifytest.Run(t, notifytest.Contract{
		New:     func(w http.RoundTripper) notify.Target { return open(t, w) },
		Secrets: secrets(),
		Service: func() func(*http.Request) (int, string, error) { return (&fakeSlack{}).Answer },
	})
}

func TestTheFakeRefuses(t *testing.T) {
	long := strings.Repeat("x", 3001)
	ok := block{Type: "section", Text: &text{Type: "mrkdwn", Text: "x", Verbatim: true}}
	for name, p := range map[string]payload{
		"no_text":             {Blocks: []block{ok}},
		"invalid_blocks":      {Text: "x", Blocks: []block{{Type: "section", Text: &text{Type: "mrkdwn", Text: long}}}},
		"msg_blocks_too_long": {Text: "x", Blocks: []block{big(), big(), big(), big(), big()}},
	} {
		if got := p.refuse(); got != name {
			t.Errorf("it answers %q, not %s", got, name)
		}
	}
	many := payload{Text: "x"}
	for range 51 {
		many.Blocks = append(many.Blocks, ok)
	}
	header := payload{Text: "x", Blocks: []block{{Type: "header", Text: &text{Type: "plain_text", Text: strings.Repeat("x", 151)}}}}
	for _, p := range []payload{many, header} {
		if p.refuse() != "invalid_blocks" {
			t.Error("it takes what Slack refuses")
		}
	}
	if p := (payload{Text: "<!channel>", Parse: "none"}); p.dislike() == nil {
		t.Error("it lets everybody be mentioned")
	}
}

func big() block {
	return block{Type: "section", Text: &text{Type: "mrkdwn", Text: strings.Repeat("x", 3000), Verbatim: true}}
}

// Slack's own words, from its documentation of webhooks.
func TestWords(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   notify.Verdict
		shown  string
	}{
		{400, "invalid_payload", notify.Never, "slack: 400 Bad Request: invalid_payload"},
		{400, "invalid_blocks", notify.Never, "slack: 400 Bad Request: invalid_blocks"},
		{400, "no_text", notify.Never, "slack: 400 Bad Request: no_text"},
		{400, "msg_blocks_too_long\n", notify.Never, "slack: 400 Bad Request: msg_blocks_too_long"},
		{403, "invalid_token", notify.Broken, "slack: 403 Forbidden: invalid_token"},
		{403, "action_prohibited", notify.Broken, "slack: 403 Forbidden: action_prohibited"},
		{404, "no_service", notify.Broken, "slack: 404 Not Found: no_service"},
		{404, "channel_not_found", notify.Broken, "slack: 404 Not Found: channel_not_found"},
		{410, "channel_is_archived", notify.Broken, "slack: 410 Gone: channel_is_archived"},
		{400, "Bad Request: " + address, notify.Broken, "slack: 400 Bad Request"},
		{400, "services_are_down at the proxy", notify.Broken, "slack: 400 Bad Request: services_are_down"},
		{404, "not found", notify.Broken, "slack: 404 Not Found"},
		{404, "a_word_of_the_path is not here", notify.Broken, "slack: 404 Not Found"},
		{500, "rollup_error", notify.Later, "slack: 500 Internal Server Error: rollup_error"},
		{429, "rate_limited", notify.Later, "slack: 429 Too Many Requests: rate_limited"},
		{200, "<html>please log in</html>", notify.Later, "slack: 200 OK, but the answer is not Slack's"},
		{200, `{"ok": false, "error": "invalid_auth"}`, notify.Later, "slack: 200 OK, but the answer is not Slack's"},
	} {
		synctest.Test(t, func(t *testing.T) {
			err := open(t, answer(tc.status, tc.body)).Send(t.Context(), notifytest.Plain())
			e, ok := errors.AsType[*notify.SendError](err)
			if !ok || e.Verdict != tc.want || e.Error() != tc.shown {
				t.Errorf("%d %q gives %+v", tc.status, tc.body, err)
			}
			notifytest.AssertLeaksNoSecret(t, err, secrets()...)
		})
	}
}

// P7: only `ok` is ok, whatever the code says; and an answer that does not end is
// waited for no longer than for one that does not begin.
func TestP7OnlyOkIsOk(t *testing.T) {
	for name, tt := range map[string]struct {
		body  io.Reader
		want  notify.Verdict // empty = it is taken
		shown string
	}{
		"ok":                     {strings.NewReader("ok"), "", ""},
		"ok and a line end":      {strings.NewReader("ok\n"), "", ""},
		"a refusal":              {strings.NewReader("no_service"), notify.Broken, "no_service"},
		"another refusal":        {strings.NewReader("invalid_token\n"), notify.Broken, "invalid_token"},
		"a refused message":      {strings.NewReader("invalid_payload"), notify.Broken, "invalid_payload"},
		"nothing":                {strings.NewReader(""), notify.Later, "not Slack's"},
		"OK":                     {strings.NewReader("OK"), notify.Later, "not Slack's"},
		"ok with more":           {strings.NewReader("ok, sort of"), notify.Later, "not Slack's"},
		"ok in quotes":           {strings.NewReader(`"ok"`), notify.Later, "not Slack's"},
		"JSON":                   {strings.NewReader(`{"ok":true}`), notify.Later, "not Slack's"},
		"JSON that refuses":      {strings.NewReader(`{ "ok" : false }`), notify.Later, "not Slack's"},
		"a page":                 {strings.NewReader("<html>ok</html>"), notify.Later, "not Slack's"},
		"ok and far too much":    {io.MultiReader(strings.NewReader("ok"), strings.NewReader(strings.Repeat(" ", 1<<20))), notify.Later, "does not end"},
		"no end":                 {endless{}, notify.Later, "does not end"},
		"no end of ok":           {io.MultiReader(strings.NewReader("ok"), endless{}), notify.Later, "does not end"},
		"silence":                {hanging{}, notify.Later, "does not end"},
		"ok and silence":         {io.MultiReader(strings.NewReader("ok"), hanging{}), notify.Later, "does not end"},
		"a byte every second":    {dripping{}, notify.Later, "does not end"},
		"a connection that ends": {io.MultiReader(strings.NewReader("o"), broken{}), notify.Later, "does not end"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t, roundTrip(func(r *http.Request) (*http.Response, error) {
					body := struct {
						io.Reader
						io.Closer
					}{ending{r.Context(), tt.body}, io.NopCloser(nil)}
					return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body, Request: r}, nil
				}))
				began := time.Now()
				defer time.Sleep(2 * time.Hour) // for what hangs
				err := w.Send(t.Context(), notifytest.Plain())
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %s", took)
				}
				if tt.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				e, ok := errors.AsType[*notify.SendError](err)
				if !ok || e.Verdict != tt.want || !strings.Contains(e.Error(), tt.shown) || !strings.Contains(e.Error(), "200") {
					t.Errorf("%+v", err)
				}
			})
		})
	}
	for _, status := range []int{201, 202, 204} {
		synctest.Test(t, func(t *testing.T) {
			if err := open(t, answer(status, "")).Send(t.Context(), notifytest.Plain()); err == nil {
				t.Errorf("%d without a word is taken for Slack's", status)
			}
		})
	}
}

// What an answer may be made of.
type (
	endless  struct{} // as much as one likes
	hanging  struct{} // nothing, for ever
	dripping struct{} // a byte a second
	broken   struct{} // the connection ends
	ending   struct { // what a transport does when the context ends
		ctx  context.Context
		body io.Reader
	}
)

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func (hanging) Read([]byte) (int, error) {
	time.Sleep(time.Hour)
	return 0, nil
}

func (dripping) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	p[0] = ' '
	return 1, nil
}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (e ending) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done, own := make(chan result, 1), make([]byte, len(p))
	go func() {
		n, err := e.body.Read(own)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		copy(p, own[:r.n])
		return r.n, r.err
	case <-e.ctx.Done():
		return 0, e.ctx.Err()
	}
}

// Q4: a webhook that Slack refuses has its address read anew; one that is away has
// not.
func TestQ4ARefusedAddressIsReadAnew(t *testing.T) {
	for status, want := range map[int]int{404: 1, 403: 1, 410: 1, 500: 0, 429: 0, 200: 0} {
		synctest.Test(t, func(t *testing.T) {
			refused := 0
			w, err := slack.NewWebhook(slack.Options{
				Transport: answer(status, "ok"), Refused: func() { refused++ },
				URL: func(context.Context) (string, error) { return address, nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Send(t.Context(), notifytest.Plain()); (err == nil) != (status == 200) {
				t.Errorf("%d: %v", status, err)
			}
			if refused != want {
				t.Errorf("%d: read anew %d times, want %d", status, refused, want)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

// What the system says of a connection holds no address.
func TestConnectionRefused(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	err := open(t, roundTrip(func(*http.Request) (*http.Response, error) { return nil, refused })).Send(t.Context(), notifytest.Plain())
	if err == nil || err.Error() != "slack: connection refused" {
		t.Errorf("%v", err)
	}
}

// What does not fit is counted to the last name, and a command always fits.
func TestNothingIsCutSilently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, m := &fakeSlack{}, notifytest.Monsters()["many"]
		w := open(t, fake)
		one := m
		one.Sections = m.Sections[:1]
		for _, m := range []notify.Message{one, m} {
			if err := w.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		text := fake.took[0].Blocks[1].Text.Text
		shown := strings.Count(text, "makoto-chat-handler")
		if want := fmt.Sprintf(" and %d more", 1987-shown); shown < 30 || !strings.HasSuffix(text, want) {
			t.Errorf("%d names and no %q:\n%s", shown, want, text)
		}
		all := render(fake.took[1])
		if !strings.Contains(all, "```layerd approve prod 0123456789abcdef```") || !strings.Contains(all, "more paragraphs that do not fit here.") {
			t.Errorf("the command or the count is missing:\n%s", all)
		}
	})
}

func TestOneMessageASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &fakeSlack{}
		w := open(t, fake)
		start := time.Now()
		for range 5 {
			if err := w.Send(t.Context(), notifytest.Plain()); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took < 4*time.Second || took > 5*time.Second || len(fake.took) != 5 {
			t.Errorf("%d messages in %s", len(fake.took), took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := w.Send(ctx, notifytest.Plain()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for its turn it ignores the context: %v", err)
		}
	})
}

// The address is read before each message, and never trusted.
func TestAddress(t *testing.T) {
	fake := &fakeSlack{}
	for _, tc := range []struct {
		address string
		err     error
		want    notify.Verdict
		shown   string
	}{
		{"", errors.New("no such file: /run/secrets/slack"), notify.Later, "slack: read the address of the webhook: no such file: /run/secrets/slack"},
		{address, fmt.Errorf("bad line %q", address), notify.Later, fmt.Sprintf("slack: read the address of the webhook: bad line \"<%d characters>\"", len(address))},
		{"http://hooks.slack.example/services/" + secret, nil, notify.Broken, "slack: the address of the webhook is no https URL"},
		{"https://%zz/" + secret, nil, notify.Broken, "slack: the address of the webhook is no https URL"},
		{secret, nil, notify.Broken, "slack: the address of the webhook is no https URL"},
		{"", nil, notify.Broken, "slack: the address of the webhook is no https URL"},
	} {
		w, err := slack.NewWebhook(slack.Options{Name: "ops", Transport: fake, URL: func(context.Context) (string, error) { return tc.address, tc.err }})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Send(t.Context(), notifytest.Plain())
		if e, ok := errors.AsType[*notify.SendError](err); !ok || e.Verdict != tc.want || e.Error() != tc.shown {
			t.Errorf("%q gives %+v", tc.address, err)
		}
		notifytest.AssertLeaksNoSecret(t, err, secrets()...)
	}
	if len(fake.took) != 0 {
		t.Error("something was sent")
	}
	if _, err := slack.NewWebhook(slack.Options{}); err == nil {
		t.Error("a webhook without an address")
	}
}
