package contract_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/awssim/contract"
	"github.com/layerd/layerd/internal/awssim/mototest"
	"github.com/layerd/layerd/internal/nightly"
)

const role = "arn:aws:iam::123456789012:role/function"

func config(endpoint, key string, client *http.Client) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint), HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""),
	}
}

// worldOf is a World of quick updates and no rates.
func worldOf(o awssim.Options) *awssim.World {
	o.Settle, o.MetricLag, o.TrailLag, o.Limits = 80*time.Millisecond, -1, -1, awssim.Unlimited()
	o.SnapStart, o.Provisioning = 200*time.Millisecond, 200*time.Millisecond // long enough to be seen
	w := awssim.New(o)
	w.AddKey("AKIDOTHER", "210987654321", "")
	return w
}

// Every fact holds without a socket, and every list is preceded by an empty
// page.
func TestAwssimTransport(t *testing.T) {
	open := func() contract.Env {
		w := worldOf(awssim.Options{EmptyPages: true})
		client := &http.Client{Transport: w.Transport()}
		other := config("http://aws.test", "AKIDOTHER", client)
		return contract.Env{Config: config("http://aws.test", "AKIDTEST", client), Other: &other, Role: role, Seeds: worldSeeds(w)}
	}
	contract.TestVirtual(t, open)
	t.Run("all in one world", func(t *testing.T) {
		nightly.Only(t, "real time")
		contract.Test(t, open())
	})
}

// overHTTP are the facts that a socket could break: headers, streams, errors,
// what stands in paths and queries, and one of each protocol.
var overHTTP = []string{
	"an invocation gives what the function returns and the version that ran", // a header and a body as it is
	"an invocation has the end of the log when it asks for it",               // a header that a header asks for
	"a dry run answers 204 and runs nothing",                                 // no body
	"an invocation with more than six megabytes is refused",                  // a long body, left unread
	"an invocation with a payload that is no JSON is refused",
	"a missing function is 404 and the message names its ARN",
	"a second update during an update is a conflict",
	"publishing what is no zip is refused",
	"an alias qualifier gives the ARN of the alias and the version behind it", // an ARN in a path
	"GetLayerVersionByArn is GetLayerVersion",                                 // and in a query
	"ListLayerVersions follows markers to the end",                            // a marker in a query
	"a foreign layer version without a grant is denied to read and to attach", // who signed
	"the caller's account is the one in the ARNs",                             // query and XML
	"a parameter is read as it was put",                                       // SSM
	"an object is read as it was put",                                         // S3: keys in a path, XML
	"a HEAD of what is not there is 404 without words",                        // a length without a body
	"a range of an object is that part of it",                                 // 206
	"GetResources finds functions by tag",                                     // JSON 1.1
	"two lookup attributes are refused",                                       // and its errors
	"more points than MaxDatapoints come in pages, partial until the end",     // CBOR
	"a NextToken of DescribeAlarms that is none is refused",                   // and its errors
}

// Facts hold over HTTP too.
func TestAwssimHandler(t *testing.T) {
	w := worldOf(awssim.Options{})
	srv := httptest.NewServer(w.Handler())
	defer srv.Close()
	other := config(srv.URL, "AKIDOTHER", srv.Client())
	env := contract.Env{Config: config(srv.URL, "AKIDTEST", srv.Client()), Other: &other, Role: role, Seeds: worldSeeds(w), Sample: overHTTP}
	if nightly.On() {
		env.Sample = nil
	}
	contract.Test(t, env)
}

// An AWS somewhere else: LAYERD_TEST_ENDPOINT is its address,
// LAYERD_TEST_ENDPOINT_KIND=moto says that moto's mistakes are to be expected.
func TestEndpoint(t *testing.T) {
	endpoint := os.Getenv("LAYERD_TEST_ENDPOINT")
	if endpoint == "" {
		t.Skip("LAYERD_TEST_ENDPOINT is not set")
	}
	cfg := config(endpoint, "test", http.DefaultClient)
	env := contract.Env{Config: cfg, Role: role, Seeds: apiSeeds(t.Context(), cfg)}
	if os.Getenv("LAYERD_TEST_ENDPOINT_KIND") == "moto" {
		env.Deviations, env.NoCode = motoDeviations(), true // it needs Docker to run code
		env.Role = mototest.Role(t, endpoint)
	}
	contract.Test(t, env)
}
