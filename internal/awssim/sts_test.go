package awssim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/layerd/layerd/internal/awssim"
)

const spoke = "arn:aws:iam::210987654321:role/path/layerd"

func assume(t *testing.T, cfg aws.Config, change func(*sts.AssumeRoleInput)) (*types.Credentials, error) {
	t.Helper()
	in := &sts.AssumeRoleInput{RoleArn: aws.String(spoke), RoleSessionName: aws.String("layerd-prod")}
	if change != nil {
		change(in)
	}
	out, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), in)
	if err != nil {
		return nil, err
	}
	return out.Credentials, nil
}

// as is cfg with the keys of an assumed role.
func as(cfg aws.Config, c *types.Credentials) aws.Config {
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	return cfg
}

func TestAnAssumedRoleActsInItsAccount(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutRole(awssim.Role{ARN: spoke})
	w.PutFunction(awssim.Function{Name: "home"})
	w.PutFunction(awssim.Function{Name: "there", Account: "210987654321"})
	c, err := assume(t, config(w), nil)
	must(t, err)
	who, err := sts.NewFromConfig(as(config(w), c)).GetCallerIdentity(t.Context(), nil)
	must(t, err)
	if *who.Account != "210987654321" || *who.Arn != "arn:aws:sts::210987654321:assumed-role/layerd/layerd-prod" {
		t.Errorf("caller is %s %s", *who.Account, *who.Arn)
	}
	out, err := lambda.NewFromConfig(as(config(w), c)).ListFunctions(t.Context(), nil)
	must(t, err)
	if len(out.Functions) != 1 || *out.Functions[0].FunctionArn != "arn:aws:lambda:us-east-1:210987654321:function:there" {
		t.Errorf("functions are %v", out.Functions)
	}
	calls := w.Calls()
	if last := calls[len(calls)-1]; last.Account != "210987654321" || last.Caller != *who.Arn {
		t.Errorf("the log says %s %s", last.Account, last.Caller)
	}
}

func TestAssumeRoleIsDenied(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutRole(awssim.Role{ARN: spoke, ExternalID: "secret", Trusted: []string{"123456789012"}})
	w.AddKey("AKIDSTRANGER", "999999999999", "")
	stranger := config(w)
	stranger.Credentials = credentials.NewStaticCredentialsProvider("AKIDSTRANGER", "secret", "")
	knows := func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("secret") }
	for _, c := range []struct {
		name   string
		cfg    aws.Config
		change func(*sts.AssumeRoleInput)
		want   string
	}{
		{"with the external id", config(w), knows, ""},
		{"without an external id", config(w), nil, "AccessDenied"},
		{"with a wrong external id", config(w), func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("guess") }, "AccessDenied"},
		{"by an account not trusted", stranger, knows, "AccessDenied"},
		{"of a role that is not there", config(w), func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String(spoke + "2") }, "AccessDenied"},
		{"of what is no role", config(w), func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::210987654321:user/u") }, "ValidationError"},
		{"with a session name too short", config(w), func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("x") }, "ValidationError"},
		{"for too short", config(w), func(in *sts.AssumeRoleInput) { knows(in); in.DurationSeconds = aws.Int32(60) }, "ValidationError"},
		{"for longer than the role allows", config(w), func(in *sts.AssumeRoleInput) { knows(in); in.DurationSeconds = aws.Int32(7200) }, "ValidationError"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := assume(t, c.cfg, c.change)
			code(t, err, c.want)
		})
	}
}

func TestRoleChainingIsOneHour(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutRole(awssim.Role{ARN: spoke, MaxSession: 12 * time.Hour})
	first, err := assume(t, config(w), func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43200) })
	must(t, err)
	_, err = assume(t, as(config(w), first), func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3601) })
	code(t, err, "ValidationError")
	_, err = assume(t, as(config(w), first), nil)
	must(t, err)
}

func TestSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.PutRole(awssim.Role{ARN: spoke})
		c, err := assume(t, config(w), func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(900) })
		must(t, err)
		if got := time.Until(*c.Expiration); got != 15*time.Minute {
			t.Errorf("expires in %s, want 15m", got)
		}
		list := func() error {
			_, err := lambda.NewFromConfig(as(config(w), c)).ListFunctions(t.Context(), nil)
			return err
		}
		must(t, list())
		time.Sleep(15 * time.Minute) // virtual
		code(t, list(), "ExpiredTokenException")
	})
}

func TestATokenBelongsToItsKey(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutRole(awssim.Role{ARN: spoke})
	c, err := assume(t, config(w), nil)
	must(t, err)
	c.SessionToken = aws.String("another")
	_, err = lambda.NewFromConfig(as(config(w), c)).ListFunctions(t.Context(), nil)
	code(t, err, "UnrecognizedClientException")
	_, err = sts.NewFromConfig(as(config(w), c)).GetCallerIdentity(t.Context(), nil)
	code(t, err, "InvalidClientTokenId")
}
