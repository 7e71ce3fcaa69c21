package contract

import (
	"archive/zip"
	"bytes"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// archive is a zip with one file.
func archive(content string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, _ := z.Create("index.py") // a buffer never fails
	_, _ = f.Write([]byte(content))
	_ = z.Close()
	return b.Bytes()
}

// layer publishes a version of the fact's layer s and returns its ARN.
func (p *probe) layer(s string) string {
	p.Helper()
	return aws.ToString(p.publish(s, nil).LayerVersionArn)
}

func (p *probe) publish(s string, change func(*lambda.PublishLayerVersionInput)) *lambda.PublishLayerVersionOutput {
	p.Helper()
	in := &lambda.PublishLayerVersionInput{
		LayerName: aws.String(p.name(s)),
		Content:   &types.LayerVersionContentInput{ZipFile: archive(s)},
	}
	if change != nil {
		change(in)
	}
	out, err := p.lambda.PublishLayerVersion(p.ctx, in)
	p.must(err)
	return out
}

func (p *probe) unpublish(s string, n int64) {
	p.Helper()
	_, err := p.lambda.DeleteLayerVersion(p.ctx, &lambda.DeleteLayerVersionInput{LayerName: aws.String(p.name(s)), VersionNumber: &n})
	p.must(err)
}

// create makes a function and waits until it is active.
func (p *probe) create(s string, layers ...string) string {
	p.Helper()
	name := p.name(s)
	_, err := p.lambda.CreateFunction(p.ctx, p.createInput(name, layers))
	p.must(err)
	p.must(lambda.NewFunctionActiveV2Waiter(p.lambda).Wait(p.ctx, &lambda.GetFunctionInput{FunctionName: &name}, time.Minute,
		func(o *lambda.FunctionActiveV2WaiterOptions) {
			o.MinDelay, o.MaxDelay = 5*time.Millisecond, 3*time.Second
		}))
	return name
}

// handler is code that runs; what follows makes it a function's own.
const handler = "def handler(event, context):\n    return {'statusCode': 200}\n# "

func (p *probe) createInput(name string, layers []string) *lambda.CreateFunctionInput {
	return &lambda.CreateFunctionInput{
		FunctionName: &name, Role: &p.env.Role, Runtime: types.RuntimePython312, Handler: aws.String("index.handler"),
		Code: &types.FunctionCode{ZipFile: archive(handler + name)}, Layers: layers,
	}
}

// updated waits until the last update is over and returns what is there then.
func (p *probe) updated(name string) *types.FunctionConfiguration {
	p.Helper()
	out, err := lambda.NewFunctionUpdatedV2Waiter(p.lambda).WaitForOutput(p.ctx, &lambda.GetFunctionInput{FunctionName: &name}, time.Minute,
		func(o *lambda.FunctionUpdatedV2WaiterOptions) {
			o.MinDelay, o.MaxDelay = 5*time.Millisecond, 3*time.Second
		})
	p.must(err)
	return out.Configuration
}

// setLayers sends a list of layers: nil is none sent, empty is an empty list.
func (p *probe) setLayers(name string, layers []string) error {
	_, err := p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Layers: layers})
	return err
}

// describe makes an update that has nothing to do with layers.
func (p *probe) describe(name, text string) *types.FunctionConfiguration {
	p.Helper()
	_, err := p.lambda.UpdateFunctionConfiguration(p.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Description: &text})
	p.must(err)
	return p.updated(name)
}

func (p *probe) config(name string) *lambda.GetFunctionConfigurationOutput {
	p.Helper()
	out, err := p.lambda.GetFunctionConfiguration(p.ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	p.must(err)
	return out
}

// version publishes a version and returns its number.
func (p *probe) version(name string) string {
	p.Helper()
	out, err := p.lambda.PublishVersion(p.ctx, &lambda.PublishVersionInput{FunctionName: &name})
	p.must(err)
	return aws.ToString(out.Version)
}

// attached returns the ARNs a configuration has, in order.
func attached(layers []types.Layer) []string {
	var out []string
	for _, l := range layers {
		out = append(out, aws.ToString(l.Arn))
	}
	return out
}
