package slack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/layerd/layerd/internal/notify"
)

// Slack's words for a message that it will never take. Every other word for
// which it refuses is about the webhook, and a person has to mend it.
var badMessage = []string{
	"invalid_payload", "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "no_text", "msg_too_long",
	"msg_blocks_too_long", "too_many_attachments", "missing_text_or_fallback_or_attachments", "user_not_found",
}

// word is what Slack's answers begin with, and nothing that a URL would fit.
var word = regexp.MustCompile(`^[a-z]+(_[a-z]+)*\b`)

// judge returns what to do about an answer: one place that knows which code is
// tried again.
func judge(resp *http.Response, answer, address string) error {
	status := resp.StatusCode
	code := word.FindString(strings.TrimSpace(answer))
	if !strings.Contains(code, "_") || len(code) > 60 || strings.Contains(address, code) {
		code = "" // no word of Slack's; it may be anything, so nobody sees it
	}
	e := &notify.SendError{Verdict: notify.Broken, Reason: fmt.Sprintf("slack: %d", status)}
	if text := http.StatusText(status); text != "" {
		e.Reason += " " + text
	}
	if code != "" {
		e.Reason += ": " + code
	}
	switch {
	case status >= 200 && status < 300 && strings.TrimSpace(answer) == "ok":
		return nil
	case status >= 200 && status < 300 && code == "":
		// Something between us and Slack answered: a page to log in, an empty page.
		e.Verdict = notify.Later
		e.Reason += ", but the answer is not Slack's"
	case status >= 300 && status < 400:
		e.Reason += ": redirects are not followed"
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		e.Verdict, e.RetryAfter = notify.Later, retryAfter(resp.Header.Get("Retry-After"), time.Now())
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		e.Verdict = notify.Later
	case status >= 400 && slices.Contains(badMessage, code), status == http.StatusRequestEntityTooLarge:
		e.Verdict = notify.Never
	}
	return e
}

// retryAfter reads seconds or a date; 0 = there is none.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return time.Duration(min(n, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// kindOf returns an error of the network by its kind. Its own text names the
// address, the host or a proxy with its password.
func kindOf(err error, timeout time.Duration) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var errno syscall.Errno
	var netErr net.Error
	switch {
	case errors.As(err, &certificate), errors.As(err, &authority):
		return "the certificate is not trusted"
	case errors.As(err, &dns):
		return "the name of the host was not found"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return fmt.Sprintf("no answer within %s", timeout)
	case errors.As(err, &errno):
		return errno.Error() // "connection refused"
	default:
		return "the connection failed"
	}
}
