// Package contract is what AWS does, written down as cases that go through the
// real SDK and nothing else. Whatever claims to be an AWS runs it:
//
//	contract.Test(t, contract.Env{Config: cfg, Role: "arn:aws:iam::123456789012:role/function"})
//
// Each case states one fact. Where an implementation is known to be wrong its
// Env says so, fact by fact and with the reason; a listed fact that has come
// true fails the suite, so that the list cannot rot.
//
// The suite leaves functions and layers behind under names of its own; it is
// not for an account that matters.
package contract

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Env is an AWS to be examined.
type Env struct {
	Config aws.Config // endpoint, Region and credentials
	Role   string     // an execution role that functions may have

	// Other is another account in the same Region; nil leaves the facts about
	// two accounts out.
	Other *aws.Config

	// Seeds puts things there that layerd has no call for; nil leaves out the
	// facts that need some.
	Seeds *Seeds

	// NoCode leaves out the facts that need functions to run.
	NoCode bool

	// Deviations are the facts that are known not to hold here, and why.
	Deviations map[string]string

	// Sample names the facts to examine where not all are worth their time; nil
	// is all of them.
	Sample []string
}

// Seeds makes what a fact is about.
type Seeds struct {
	Alarm func(name string, composite bool, state string) error
	// Signing gives a function a code signing configuration and returns its ARN.
	Signing func(function string, publishers []string, enforce bool) (string, error)
	// SignedLayer makes a layer version signed by a profile and returns its ARN.
	SignedLayer func(name, profile string) (string, error)
	// Runtime makes a customer-managed runtime with this alias and one called next,
	// and returns its ARN and a way to delete this one.
	Runtime func(name, alias string) (arn string, drop func() error, err error)
	// Managed lets a function run on managed instances.
	Managed func(function string) error
	// BucketPolicy adds a statement about reading a bucket's objects: effect is
	// Allow or Deny, principal * or a service.
	BucketPolicy func(bucket, effect, principal string) error
	Metric       func(namespace, name string, dimensions map[string]string, at time.Time, value float64) error
}

// fact is one sentence about AWS and how to see it.
type fact struct {
	name   string
	two    bool // needs Env.Other
	seeded bool // needs Env.Seeds
	runs   bool // needs functions that run
	check  func(*probe)
}

// Test examines env, each fact a subtest.
func Test(t *testing.T, env Env) {
	each(t, env, func(t *testing.T, f fact) { examine(t, env, f) })
}

// TestVirtual examines an AWS in memory in virtual time, where what takes a
// second takes none: each fact has one that open returns to it alone.
func TestVirtual(t *testing.T, open func() Env) {
	each(t, open(), func(t *testing.T, f fact) {
		synctest.Test(t, func(t *testing.T) { examine(t, open(), f) })
	})
}

// each has the facts examined that can be in env.
func each(t *testing.T, env Env, examine func(*testing.T, fact)) {
	known := map[string]bool{}
	for _, group := range [][]fact{functionFacts(), updateFacts(), runtimeFacts(), versionFacts(), snapStartFacts(), provisionedFacts(), signingFacts(), trailFacts(), aliasFacts(), layerFacts(), policyFacts(), tagFacts(), accountFacts(),
		alarmFacts(), metricFacts(), invokeFacts(), objectFacts(), fromObjectFacts(), parameterFacts(), queueFacts()} {
		for _, f := range group {
			if known[f.name] {
				t.Errorf("two facts are called %q", f.name)
			}
			known[f.name] = true
			if env.Sample != nil && !slices.Contains(env.Sample, f.name) {
				continue
			}
			if f.two && env.Other == nil || f.seeded && env.Seeds == nil || f.runs && env.NoCode {
				continue
			}
			t.Run(f.name, func(t *testing.T) { examine(t, f) })
		}
	}
	for name := range env.Deviations {
		if !known[name] {
			t.Errorf("a deviation is listed for %q, which is no fact", name)
		}
	}
	for _, name := range env.Sample {
		if !known[name] {
			t.Errorf("the sample has %q, which is no fact", name)
		}
	}
}

func examine(t *testing.T, env Env, f fact) {
	reason, deviates := env.Deviations[f.name]
	if !deviates {
		f.check(newProbe(t.Context(), t, env, f.name))
		return
	}
	r := &recorder{}
	done := make(chan struct{})
	go func() { // Fatalf ends its goroutine
		defer close(done)
		f.check(newProbe(t.Context(), r, env, f.name))
	}()
	<-done
	if len(r.failures) == 0 {
		t.Errorf("this holds now; take it off the list of deviations (%s)", reason)
		return
	}
	t.Logf("known to deviate: %s; seen: %s", reason, r.failures[0])
}

// reporter is the part of testing.T that facts use.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// recorder takes failures that are expected.
type recorder struct{ failures []string }

func (*recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// probe is what a fact is examined with: clients, and names nobody else uses.
type probe struct {
	reporter
	ctx        context.Context
	env        Env
	lambda     *lambda.Client
	tagging    *resourcegroupstaggingapi.Client
	sts        *sts.Client
	trail      *cloudtrail.Client
	cloudwatch *cloudwatch.Client
	s3         *s3.Client
	ssm        *ssm.Client
	sqs        *sqs.Client
	prefix     string
}

func newProbe(ctx context.Context, r reporter, env Env, fact string) *probe {
	sum := sha256.Sum256([]byte(fact))
	return &probe{
		reporter: r, ctx: ctx, env: env,
		lambda:     lambda.NewFromConfig(env.Config),
		tagging:    resourcegroupstaggingapi.NewFromConfig(env.Config),
		sts:        sts.NewFromConfig(env.Config),
		trail:      cloudtrail.NewFromConfig(env.Config),
		cloudwatch: cloudwatch.NewFromConfig(env.Config),
		s3:         s3.NewFromConfig(env.Config),
		ssm:        ssm.NewFromConfig(env.Config),
		sqs:        sqs.NewFromConfig(env.Config),
		prefix:     "contract-" + hex.EncodeToString(sum[:4]) + "-",
	}
}

// name makes s a name of this fact alone.
func (p *probe) name(s string) string { return p.prefix + s }

// must ends the fact when a call that should work does not.
func (p *probe) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatalf("unexpected refusal: %v", err)
	}
}

// refused checks that err is this refusal: the status, the code, and words of
// the message (empty: any).
func (p *probe) refused(err error, status int, code, words string) {
	p.Helper()
	var ae smithy.APIError
	var re *smithyhttp.ResponseError
	if !errors.As(err, &ae) || !errors.As(err, &re) {
		p.Fatalf("want %d %s, got %v", status, code, err)
	}
	if re.HTTPStatusCode() != status || ae.ErrorCode() != code {
		p.Errorf("want %d %s, got %d %s: %s", status, code, re.HTTPStatusCode(), ae.ErrorCode(), ae.ErrorMessage())
	}
	if !strings.Contains(ae.ErrorMessage(), words) {
		p.Errorf("message is %q, want %q in it", ae.ErrorMessage(), words)
	}
}

const (
	invalid    = "InvalidParameterValueException"
	validation = "ValidationException"
	missing    = "ResourceNotFoundException"
	conflict   = "ResourceConflictException"
	stale      = "PreconditionFailedException"
	denied     = "AccessDeniedException"
)
