package awscall

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/layerd/layerd/internal/state"
)

// askAgainAfter is how soon a source is asked anew that has just had nothing
// newer: another program may write its file at any time, and a source that is a
// program of its own is not to be started for each call.
const askAgainAfter = 10 * time.Second

// renewal fetches credentials anew from their source once AWS has refused them.
// The SDK keeps what a file, a program, an SSO session or a web identity gave
// until it expires by its own word, and reads a file that names no end once for
// all; whoever renewed it knows nothing of us.
type renewal struct {
	source aws.CredentialsProvider

	// asking holds one token for whoever fetches anew, so that one does it for
	// all, and guards the rest: a context must be able to end the wait.
	asking  chan struct{}
	refused [sha256.Size]byte // for which the source was asked last
	askedAt time.Time
}

func newRenewal(source aws.CredentialsProvider) *renewal {
	r := &renewal{source: source, asking: make(chan struct{}, 1)}
	r.asking <- struct{}{}
	return r
}

// retrieve asks the source. Where those are refused that it fetches others with,
// it is asked anew.
func (r *renewal) retrieve(ctx context.Context) (aws.Credentials, error) {
	if r.source == nil {
		return aws.Credentials{}, errors.New("no AWS credentials found")
	}
	creds, err := r.source.Retrieve(ctx)
	if err == nil || !refusesCredentials(err) || !r.begin(ctx) {
		return creds, err
	}
	defer r.end()
	if time.Since(r.askedAt) < askAgainAfter || !r.invalidate() {
		return creds, err
	}
	r.askedAt = time.Now()
	return r.source.Retrieve(ctx)
}

// begin takes the token; false = ctx ended meanwhile.
func (r *renewal) begin(ctx context.Context) bool {
	select {
	case <-r.asking:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *renewal) end() { r.asking <- struct{}{} }

// after fetches credentials anew if err is AWS's refusal of used, and reports
// whether there are others now, so that the call can be made once more. It does so
// once for what was refused: a source without anything newer makes no loop.
func (r *renewal) after(ctx context.Context, used aws.Credentials, err error) bool {
	if !refusesCredentials(err) || !r.begin(ctx) {
		return false
	}
	defer r.end()
	if r.others(ctx, used) {
		return true // by somebody else's call, which was refused as well
	}
	if r.refused == setOf(used) && time.Since(r.askedAt) < askAgainAfter {
		return false
	}
	if !r.invalidate() {
		return false
	}
	r.refused, r.askedAt = setOf(used), time.Now()
	return r.others(ctx, used)
}

// others reports whether the source has other credentials than used.
func (r *renewal) others(ctx context.Context, used aws.Credentials) bool {
	now, err := r.source.Retrieve(ctx)
	return err == nil && setOf(now) != setOf(used)
}

// invalidate makes the source fetch anew; false where it cannot.
func (r *renewal) invalidate() bool {
	kept, ok := r.source.(interface{ Invalidate() })
	if ok {
		kept.Invalidate()
	}
	return ok
}

// attempt is an option of a client that signs with the source: what was refused for
// its credentials is tried once more with those that are there now.
func (r *renewal) attempt(s *middleware.Stack) error {
	return BeforeAttempt("LayerdRenewal", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		used, unread := r.retrieve(ctx)
		out, meta, err := next.HandleFinalize(ctx, in)
		if err != nil && unread == nil && r.after(ctx, used, err) {
			err = &renewedError{err}
		}
		return out, meta, err
	})(s)
}

// refusesCredentials reports whether AWS refused the credentials that a call was
// signed with.
func refusesCredentials(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && state.OfCredentials(api.ErrorCode())
}

// setOf names all of a set of credentials without keeping any of it. The key alone
// is not enough: somebody may have mended its secret.
func setOf(c aws.Credentials) [sha256.Size]byte {
	return sha256.Sum256([]byte(c.AccessKeyID + "\x00" + c.SecretAccessKey + "\x00" + c.SessionToken))
}

// renewedError is a refusal of credentials in whose place there are others by now.
type renewedError struct{ err error }

func (e *renewedError) Error() string        { return e.err.Error() }
func (e *renewedError) Unwrap() error        { return e.err }
func (e *renewedError) RetryableError() bool { return true }

// refusedSet is a set of credentials that AWS has refused and that the source had no
// others for. Nothing more is signed with it until it is asked about anew.
type refusedSet struct {
	set [sha256.Size]byte
	err error
}

// newRefusedSet keeps of err what a person can use: the chain of the SDK is that of
// another call.
func newRefusedSet(used aws.Credentials, err error) *refusedSet {
	r := &refusedSet{set: setOf(used), err: err}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		r.err = &smithy.GenericAPIError{Code: api.ErrorCode(), Message: api.ErrorMessage(), Fault: smithy.FaultClient}
	}
	return r
}
