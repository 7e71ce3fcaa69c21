package awssim_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"github.com/layerd/layerd/internal/awssim"
)

// config is a client's way into w without a socket. It tries once.
func config(w *awssim.World) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://aws.test"),
		HTTPClient:  &http.Client{Transport: w.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func client(w *awssim.World) *lambda.Client { return lambda.NewFromConfig(config(w)) }

// code checks how a call was refused; empty: it was not.
func code(t *testing.T, err error, want string) {
	t.Helper()
	var ae smithy.APIError
	got := ""
	if errors.As(err, &ae) {
		got = ae.ErrorCode()
	} else if err != nil {
		t.Fatalf("not an answer of the service: %v", err)
	}
	if got != want {
		t.Fatalf("got %q (%v), want %q", got, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// raw sends a request as no SDK would and returns the answer and its body.
func raw(t *testing.T, w *awssim.World, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://aws.test"+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDTEST/20261124/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.Transport().RoundTrip(req)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(b)
}

func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	var m map[string]any
	must(t, json.Unmarshal([]byte(body), &m))
	return m
}

// setLayers is the update that everything turns about.
func setLayers(t *testing.T, c *lambda.Client, name string, arns ...string) error {
	t.Helper()
	_, err := c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &name, Layers: append([]string{}, arns...)})
	return err
}
