package awscall

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/layerd/layerd/internal/state"
)

// renewBefore is how long before its end an assumed role is renewed; without
// it a call could be signed with seconds left.
const renewBefore = 5 * time.Minute

// Caller is who AWS answered that a set of credentials belongs to.
type Caller struct {
	Account, ARN string
	Partition    string // of ARN; empty when AWS named none
	// Skew is how far this machine's clock is ahead of AWS's, to the second;
	// SkewKnown is false when AWS did not say what time it is.
	Skew      time.Duration
	SkewKnown bool
}

// Credentials is an aws.CredentialsProvider that returns credentials only
// after AWS has answered that they belong to the account. It is safe for
// concurrent use.
type Credentials struct {
	account, region string

	renewal *renewal    // of the source
	sts     *sts.Client // signs with what the source returns, unproven

	last atomic.Pointer[proof]
	// refused is the set that AWS refused last, while there is none newer. One call
	// that was refused is enough to know it: the others are not sent.
	refused atomic.Pointer[refusedSet]
	// where is the place of the last credentials that were the account's. Its
	// partition is a guess until the first ones were proven, before which nothing
	// is asked.
	where atomic.Pointer[Place]
	// asking holds one token: who has it asks AWS. A renewal would else be
	// asked about once for each call that is under way.
	asking chan struct{}
}

// proof is AWS's answer about one set of credentials. An access key belongs to
// one account for ever, so that the answer holds as long as the key is used,
// be it the right account or another.
type proof struct {
	key    [sha256.Size]byte
	caller Caller
	place  Place
}

// keyOf names a set of credentials without keeping any of it.
func keyOf(c aws.Credentials) [sha256.Size]byte {
	return sha256.Sum256([]byte(c.AccessKeyID + "\x00" + c.SessionToken))
}

// newCredentials makes no call. cfg is what the adapter's own clients are made
// of, but for the credentials that this returns.
func newCredentials(cfg aws.Config, o Options) *Credentials {
	c := &Credentials{account: o.Account, region: cfg.Region, asking: make(chan struct{}, 1)}
	c.asking <- struct{}{}
	c.where.Store(new(NewPlace(cfg.Region, Caller{Account: o.Account})))
	if o.Role != "" {
		cfg = cfg.Copy()
		cfg.Credentials = assumed(cfg, o)
	}
	c.renewal = newRenewal(cfg.Credentials)
	c.sts = sts.NewFromConfig(cfg)
	return c
}

func assumed(cfg aws.Config, o Options) aws.CredentialsProvider {
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(renewing(cfg)), o.Role, func(a *stscreds.AssumeRoleOptions) {
		a.RoleSessionName = "layerd"
		if o.SessionName != "" {
			a.RoleSessionName = o.SessionName
		}
		if o.ExternalID != "" {
			a.ExternalID = &o.ExternalID
		}
	})
	return aws.NewCredentialsCache(provider, func(co *aws.CredentialsCacheOptions) { co.ExpiryWindow = renewBefore })
}

// Retrieve returns the credentials of the source when they are the account's.
// Those of another are a *state.WrongAccountError; an answer that did not come
// is the error of GetCallerIdentity, which the calls that need the credentials
// do not repeat: it was repeated already.
func (c *Credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, _, err := c.proven(ctx)
	return creds, err
}

// Check proves the present credentials and returns who they belong to. Ones
// that were met as another account's, or that AWS refused, are fetched anew first,
// so that a source that keeps them until they expire cannot keep us from the right
// ones. Those that AWS refused and that are still the same are asked about again:
// a refusal is not remembered longer than a round.
func (c *Credentials) Check(ctx context.Context) (Caller, error) {
	p := c.last.Load()
	if refused := c.refused.Swap(nil); refused != nil || p != nil && p.caller.Account != c.account {
		c.renewal.invalidate()
	}
	return c.Caller(ctx)
}

// Caller proves the present credentials and returns who they belong to.
func (c *Credentials) Caller(ctx context.Context) (Caller, error) {
	_, p, err := c.proven(ctx)
	return p.caller, err
}

// Place proves the present credentials and returns where they look. An adapter
// does it before each call, so that an error of the credentials is not taken for
// the call's.
func (c *Credentials) Place(ctx context.Context) (Place, error) {
	_, p, err := c.proven(ctx)
	return p.place, err
}

// Where is what Place returned last, without asking.
func (c *Credentials) Where() Place { return *c.where.Load() }

// Ask returns whose credentials the source has, whatever the account.
func (c *Credentials) Ask(ctx context.Context) (Caller, error) { return c.ask(ctx) }

func (c *Credentials) proven(ctx context.Context) (aws.Credentials, proof, error) {
	creds, p, err := c.ofSource(ctx)
	if err != nil && creds.HasKeys() && c.renewal.after(ctx, creds, err) {
		creds, p, err = c.ofSource(ctx)
	}
	if err != nil {
		if creds.HasKeys() && refusesCredentials(err) {
			c.refused.Store(newRefusedSet(creds, err))
		}
		return aws.Credentials{}, proof{}, &finalError{err}
	}
	if p.caller.Account != c.account {
		return aws.Credentials{}, proof{}, &state.WrongAccountError{Want: c.account, Have: p.caller.Account}
	}
	return creds, *p, nil
}

// ofSource returns what the source has and AWS's answer about it. With an error,
// the credentials are those that AWS has just answered about, if any.
func (c *Credentials) ofSource(ctx context.Context) (aws.Credentials, *proof, error) {
	creds, err := c.retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, nil, err
	}
	if r := c.refused.Load(); r != nil && r.set == setOf(creds) {
		return aws.Credentials{}, nil, r.err // it is known, and nothing is fetched for it
	}
	key := keyOf(creds)
	p := c.last.Load()
	if p == nil || p.key != key {
		if p, err = c.prove(ctx, creds, key); err != nil {
			return creds, nil, err
		}
	}
	return creds, p, nil
}

// retrieve asks the source. Its error looks as if GetCallerIdentity had found
// no credentials to sign with: adapters tell by the operations in a chain
// which call it really was that failed.
func (c *Credentials) retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := c.renewal.retrieve(ctx)
	if err != nil {
		err = &smithy.OperationError{ServiceID: sts.ServiceID, OperationName: "GetCallerIdentity", Err: fmt.Errorf("get identity: %w", err)}
	}
	return creds, err
}

// prove asks AWS whose these very credentials are.
func (c *Credentials) prove(ctx context.Context, creds aws.Credentials, key [sha256.Size]byte) (*proof, error) {
	select {
	case <-c.asking:
		defer func() { c.asking <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p := c.last.Load(); p != nil && p.key == key {
		return p, nil // somebody else has asked meanwhile
	}
	caller, err := c.ask(ctx, func(o *sts.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return creds, nil })
	})
	if err != nil {
		return nil, err
	}
	p := &proof{key, caller, NewPlace(c.region, caller)}
	if caller.Account == c.account {
		c.where.Store(&p.place)
	}
	c.last.Store(p)
	return p, nil
}

func (c *Credentials) ask(ctx context.Context, options ...func(*sts.Options)) (Caller, error) {
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, options...)
	if err != nil {
		return Caller{}, err
	}
	caller := Caller{Account: aws.ToString(out.Account), ARN: strings.Clone(aws.ToString(out.Arn))}
	if a, err := arn.Parse(caller.ARN); err == nil {
		caller.Partition = a.Partition
	}
	theirs, told := awsmiddleware.GetServerTime(out.ResultMetadata)
	ours, read := awsmiddleware.GetResponseAt(out.ResultMetadata)
	if told && read {
		caller.Skew, caller.SkewKnown = ours.Sub(theirs).Truncate(time.Second), true
	}
	return caller, nil
}

// guard is an option of every client that signs with c. It proves the
// credentials of an attempt before the attempt takes its turn at the limiter:
// what else has to hold at the moment of sending is asked after it, and is not
// made old by waiting for STS. The signature itself is safe without it, since
// signing retrieves from c. It has to be the last BeforeAttempt.
func (c *Credentials) guard(s *middleware.Stack) error {
	return BeforeAttempt("LayerdIdentity", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		used, err := c.Retrieve(ctx)
		if err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		out, meta, err := next.HandleFinalize(ctx, in)
		switch {
		case err == nil || !refusesCredentials(err):
		case c.renewal.after(ctx, used, err):
			err = &renewedError{err}
		default:
			c.refused.Store(newRefusedSet(used, err))
		}
		return out, meta, err
	})(s)
}

// finalError keeps the retries of a call from repeating those of the call for
// its identity: eight times eight would take an hour.
type finalError struct{ err error }

func (e *finalError) Error() string        { return e.err.Error() }
func (e *finalError) Unwrap() error        { return e.err }
func (e *finalError) RetryableError() bool { return false }
