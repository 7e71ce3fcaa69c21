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
	w := worldOf(awssim.Options{EmptyPages: true})
	client := &http.Client{Transport: w.Transport()}
	other := config("http://aws.test", "AKIDOTHER", client)
	contract.Test(t, contract.Env{Config: config("http://aws.test", "AKIDTEST", client), Other: &other, Role: role, Seeds: worldSeeds(w)})
}

// Every fact holds over HTTP too.
func TestAwssimHandler(t *testing.T) {
	w := worldOf(awssim.Options{})
	srv := httptest.NewServer(w.Handler())
	defer srv.Close()
	other := config(srv.URL, "AKIDOTHER", srv.Client())
	contract.Test(t, contract.Env{Config: config(srv.URL, "AKIDTEST", srv.Client()), Other: &other, Role: role, Seeds: worldSeeds(w)})
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
		env.Role = motoRole(t, endpoint)
	}
	contract.Test(t, env)
}
