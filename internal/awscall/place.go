package awscall

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/layerd/layerd/internal/state"
)

// Place is the account, Region and partition that answers have to be about.
type Place struct{ Partition, Region, Account string }

// NewPlace is where the caller looks: in the partition of the caller's own ARN,
// which an emulator may have of its own, else in that of the Region.
func NewPlace(region string, caller Caller) Place {
	p := Place{Partition: caller.Partition, Region: region, Account: caller.Account}
	if p.Partition == "" {
		p.Partition = state.PartitionOf(region)
	}
	return p
}

// refuse is an option of a client that refuses answers about any place but
// where it looks. arns is Wire.Own.
func refuse(where func() Place, arns func(in, out any, own func(*string))) func(*middleware.Stack) error {
	check := func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		middleware.InitializeOutput, middleware.Metadata, error,
	) {
		out, meta, err := next.HandleInitialize(ctx, in)
		if err != nil {
			return out, meta, err
		}
		place, op := where(), awsmiddleware.GetOperationName(ctx)
		arns(in.Parameters, out.Result, func(arn *string) {
			if err == nil {
				err = place.Own(op, aws.ToString(arn))
			}
		})
		if err != nil {
			out.Result = nil
		}
		return out, meta, err
	}
	return func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("LayerdPlace", check), middleware.After)
	}
}

// Own returns a *state.ForeignError when an ARN in the answer to op is not of
// this place. An empty one names nothing and is nothing to refuse.
func (p Place) Own(op, arn string) error {
	if arn == "" || p.has(arn) {
		return nil
	}
	return &state.ForeignError{Op: op, ARN: arn, Account: p.Account, Region: p.Region, Partition: p.Partition}
}

// has reports whether arn:PARTITION:SERVICE:REGION:ACCOUNT:… is of the place.
// It is asked for every row of every list, and allocates nothing.
func (p Place) has(arn string) bool {
	rest, ok := strings.CutPrefix(arn, "arn:")
	if !ok {
		return false
	}
	partition, rest, _ := strings.Cut(rest, ":")
	_, rest, _ = strings.Cut(rest, ":") // the service
	region, rest, _ := strings.Cut(rest, ":")
	account, _, ok := strings.Cut(rest, ":")
	return ok && partition == p.Partition && region == p.Region && account == p.Account
}

// FunctionARN returns the ARN of a function of this place. Naming it whole in a
// write means that no other account's function of the same name can take it.
func (p Place) FunctionARN(name string) string {
	return "arn:" + p.Partition + ":lambda:" + p.Region + ":" + p.Account + ":function:" + name
}
