package awslambda

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// Trial is a temporary function, see inspect.Trial. None is made or removed whose name is
// not that of one.
type Trial struct {
	Name, Runtime, Architecture, Role, Handler string
	Layers                                     state.Layers
	Zip                                        []byte
	Tags                                       map[string]string
}

const (
	trialTimeout = 60  // seconds: the first import of large libraries takes its time
	trialMemory  = 512 // MB
)

const notATrial = "not the name of a temporary function"

// CreateTrial makes a temporary function, without variables and outside of any VPC. It is
// repeated only where it surely was not done; after state.Unsure it may be there.
func (c *Client) CreateTrial(ctx context.Context, t Trial) error {
	const op = "CreateFunction"
	if _, err := c.checked(ctx); err != nil {
		return err
	}
	if !state.IsTemporary(t.Name) {
		return &state.Error{Op: op, Resource: t.Name, Kind: state.Human, Message: notATrial}
	}
	in := &lambda.CreateFunctionInput{
		FunctionName: aws.String(t.Name), Runtime: types.Runtime(t.Runtime), Role: aws.String(t.Role), Handler: aws.String(t.Handler),
		Architectures: []types.Architecture{types.Architecture(t.Architecture)}, Code: &types.FunctionCode{ZipFile: t.Zip}, Tags: t.Tags,
		Timeout: aws.Int32(trialTimeout), MemorySize: aws.Int32(trialMemory), Description: aws.String("temporary, made by layerd to look into layers, and removed at once"),
	}
	for _, l := range t.Layers {
		in.Layers = append(in.Layers, string(l))
	}
	_, err := c.lambda.CreateFunction(ctx, in, c.write)
	return writeError(op, t.Name, err)
}

// DeleteTrial removes a temporary function. Asked twice it does the same, so that a lost
// answer is no matter; one that is not there is state.Gone.
func (c *Client) DeleteTrial(ctx context.Context, name string) error {
	const op = "DeleteFunction"
	place, err := c.checked(ctx)
	if err != nil {
		return err
	}
	if !state.IsTemporary(name) {
		return &state.Error{Op: op, Resource: name, Kind: state.Human, Message: notATrial}
	}
	for pause := time.Second; ; pause *= 2 {
		_, err := c.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String(place.FunctionARN(name))}, func(o *lambda.Options) {
			o.APIOptions = append(o.APIOptions, awscall.Within(publishTimeout))
		})
		err = readError(op, name, err) // what was lost is asked again, and nothing is unsure
		if state.KindOf(err) != state.LookAgain || pause > 8*time.Second || awscall.Sleep(ctx, pause) != nil {
			return err
		}
	}
}
