package awssim_test

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/nightly"
)

func TestNothingIsWrittenAsNull(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f"})
	_, body := raw(t, w, "GET", "/2015-03-31/functions/f/configuration", "")
	doc := decode(t, body)
	for _, member := range []string{"Layers", "VpcConfig", "MasterArn", "StateReason", "Environment"} {
		if v, there := doc[member]; !there || v != nil {
			t.Errorf("%s is %v (%t), want null", member, v, there)
		}
	}
}

func TestListedFunctionsHaveNullStates(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f"})
	_, body := raw(t, w, "GET", "/2015-03-31/functions/", "") // the old model has the slash
	if !strings.Contains(body, `"LastUpdateStatus":null`) || !strings.Contains(body, `"State":null`) || strings.Contains(body, "Successful") {
		t.Errorf("states are told: %s", body)
	}
}

func TestImagesHaveNoLayersAndNoRuntime(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f", PackageType: "Image", ImageURI: "repo:1"})
	arn := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
	_, body := raw(t, w, "GET", "/2015-03-31/functions/f/configuration", "")
	doc := decode(t, body)
	if _, there := doc["Runtime"]; there || doc["Layers"] != nil || doc["PackageType"] != "Image" {
		t.Errorf("configuration is %s", body)
	}
	code(t, setLayers(t, client(w), "f", arn), "InvalidParameterValueException")
}

// requestID is the shape of AWS's: a random UUID.
var requestID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestEveryAnswerHasARequestID(t *testing.T) {
	w := awssim.New(awssim.Options{})
	seen := map[string]bool{}
	for _, path := range []string{"/2015-03-31/functions", "/2015-03-31/functions/absent", "/nowhere"} {
		resp, _ := raw(t, w, "GET", path, "")
		id := resp.Header.Get("X-Amzn-Requestid")
		if !requestID.MatchString(id) || seen[id] {
			t.Errorf("%s: request id %q", path, id)
		}
		seen[id] = true
	}
}

func TestErrorsNameTheirTypeInAHeader(t *testing.T) {
	w := awssim.New(awssim.Options{})
	resp, body := raw(t, w, "GET", "/2015-03-31/functions/absent", "")
	doc := decode(t, body)
	if resp.StatusCode != 404 || resp.Header.Get("X-Amzn-ErrorType") != "ResourceNotFoundException" ||
		doc["Type"] != "User" || doc["Message"] != "Function not found: arn:aws:lambda:us-east-1:123456789012:function:absent" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
}

func TestWhatIsNotBuiltIs501(t *testing.T) {
	w := awssim.New(awssim.Options{})
	for _, c := range []struct {
		method, path, body string
		header             []string
	}{
		{"GET", "/2019-09-25/functions/f/event-invoke-config", "", nil},
		{"POST", "/2014-11-13/functions/f/invoke-async", "{}", nil},
		{"POST", "/", "Action=GetSessionToken", []string{"Content-Type", "application/x-www-form-urlencoded",
			"Authorization", "Credential=AKID/20261124/us-east-1/sts/aws4_request"}},
		{"POST", "/", "{}", []string{"X-Amz-Target", "ResourceGroupsTaggingAPI_20170126.GetTagKeys",
			"Authorization", "Credential=AKID/20261124/us-east-1/tagging/aws4_request"}},
		{"POST", "/", "{}", []string{"X-Amz-Target", "GraniteServiceVersion20100801.DescribeAlarms",
			"Authorization", "Credential=AKID/20261124/us-east-1/monitoring/aws4_request"}},
	} {
		resp, body := raw(t, w, c.method, c.path, c.body, c.header...)
		if resp.StatusCode != 501 || !strings.Contains(body, "awssim does not implement") {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, resp.StatusCode, body)
		}
	}
}

// A member that would be ignored is worse than one that is refused.
func TestMembersThatWouldBeIgnoredAreRefused(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f"})
	resp, body := raw(t, w, "PUT", "/2015-03-31/functions/f/configuration", `{"VpcConfig":{"SubnetIds":["s"]}}`)
	if resp.StatusCode != 501 || !strings.Contains(body, "VpcConfig") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	nightly.NotShort(t, "it sends requests one after the other")
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f"})
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
	}{
		{"no signature", "GET", "/2015-03-31/functions", "", []string{"Authorization", ""}, 403},
		{"signed for another service", "GET", "/2015-03-31/functions", "", []string{"Authorization", "Credential=AKID/20261124/us-east-1/sts/aws4_request"}, 403},
		{"not JSON", "PUT", "/2015-03-31/functions/f/configuration", "{", nil, 400},
		{"not a number", "GET", "/2018-10-31/layers/l/versions/one", "", nil, 400},
		{"page of none", "GET", "/2015-03-31/functions?MaxItems=0", "", nil, 400},
		{"empty body", "POST", "/2018-10-31/layers/l/versions", "", nil, 400},
		{"nothing to create", "POST", "/2015-03-31/functions", "{}", nil, 400},
		{"too large", "POST", "/2018-10-31/layers/l/versions", strings.Repeat(" ", 70_167_212), nil, 413},
	} {
		if resp, body := raw(t, w, c.method, c.path, c.body, c.header...); resp.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, resp.StatusCode, body, c.status)
		}
	}
}

func TestContentCanBeDownloadedForTenMinutes(t *testing.T) {
	w := awssim.New(awssim.Options{})
	content := awssim.Zip(map[string]string{"python/a.py": "x = 1"})
	w.PutLayerVersion(awssim.LayerVersion{Name: "l", Content: content})
	out, err := client(w).GetLayerVersion(t.Context(), &lambda.GetLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(1)})
	must(t, err)
	resp, err := (&http.Client{Transport: w.Transport()}).Get(*out.Content.Location) // no signature
	must(t, err)
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != string(content) {
		t.Errorf("%d bytes, want %d", len(b), len(content))
	}
	if n := len(w.Calls()); n != 1 {
		t.Errorf("%d calls; a download is none", n)
	}
}
