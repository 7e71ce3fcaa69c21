package demo

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
)

// Only what has the broken version fails, and an alias that serves an older
// function version still answers.
func TestCodeImportsItsLayer(t *testing.T) {
	w := newWorld(begin(), awssim.Options{Limits: awssim.Unlimited()})
	client := lambda.NewFromConfig(aws.Config{
		Region: Region, HTTPClient: &http.Client{Transport: w.Transport()}, Credentials: credentials.NewStaticCredentialsProvider(keyID, keySecret, ""),
	})
	fails := func(function, qualifier string) bool {
		t.Helper()
		out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &function, Qualifier: &qualifier})
		if err != nil {
			t.Fatal(err)
		}
		bad := out.FunctionError != nil
		if bad != strings.Contains(string(out.Payload), "ImportModuleError") || bad == strings.Contains(string(out.Payload), `"statusCode":200`) {
			t.Errorf("%s answers %s", function, out.Payload)
		}
		return bad
	}
	const name = "makoto-chat-handler-staging"
	has := func(n int64) {
		w.EditFunction(name, func(f *awssim.Function) {
			i := slices.IndexFunc(f.Layers, func(l string) bool { return strings.Contains(l, ":makoto-common-") })
			f.Layers[i] = w.LayerARN("makoto-common-staging", n)
		})
	}
	if fails(name, "$LATEST") {
		t.Error("1.4.1 fails")
	}
	has(w.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-staging", Content: brokenZip()}))
	if !fails(name, "$LATEST") || fails(name, "live") || fails("makoto-api-staging", "$LATEST") {
		t.Error("it is not $LATEST alone that fails with a layer without its package")
	}
	has(w.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-staging", Content: awssim.Zip(map[string]string{"python/makoto_common/__init__.py": ""})}))
	if fails(name, "$LATEST") {
		t.Error("a layer with its package fails")
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 8, []string{""}},
		{"dev      one two", 12, []string{"dev      one", "two"}},
		{"makoto-chat-handler-dev is", 10, []string{"makoto-chat-handler-dev", "is"}},
		{"層 層 層", 5, []string{"層 層", "層"}},
		{"one\ntwo", 80, []string{"one", "two"}},
		{"one   two", 5, []string{"one", "two"}},
	} {
		if diff := cmp.Diff(wrap(c.text, c.width), c.want); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}
