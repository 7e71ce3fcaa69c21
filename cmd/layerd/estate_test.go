package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/awssim/mototest"
	"github.com/layerd/layerd/internal/nightly"
)

// From a folder to functions that run it, in three environments, by the commands that a
// person types; then the AWS CLI reads what layerd wrote, and a second run writes nothing.
func TestTheAWSCLIReadsWhatIsPublished(t *testing.T) {
	nightly.Only(t, "Python starts ten times")
	nightly.Program(t, "aws", "pip install awscli")
	t.Run("awssim", func(t *testing.T) {
		w := awssim.New(awssim.Options{Account: "123456789012", Region: testRegion, Settle: time.Millisecond, Limits: awssim.Unlimited()})
		publishedIsRead(t, w.Transport(), "arn:aws:iam::123456789012:role/function", 9)
	})
	t.Run("moto", func(t *testing.T) {
		endpoint := mototest.Start(t)
		publishedIsRead(t, mototest.Transport(endpoint), mototest.Role(t, endpoint), 200)
	})
}

// newEstate surrounds the processes that a test starts with an AWS at endpoint and a
// folder ESTATE, a repository that wants common 1.5.0 in the environments it returns.
func newEstate(t *testing.T, endpoint string) (environments []string) {
	t.Helper()
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "ESTATE": filepath.Join(home, "r"), "AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_S3": endpoint, "AWS_REGION": testRegion, "AWS_DEFAULT_REGION": testRegion,
		"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	environments = []string{"dev", "staging", "prod"}
	writeEstate(t, os.Getenv("ESTATE"), environments)
	return environments
}

func publishedIsRead(t *testing.T, to http.RoundTripper, role string, functions int) {
	m := newMeter(to)
	environments := newEstate(t, mototest.Serve(t, m))
	repo := os.Getenv("ESTATE")
	createFunctions(t, role, functions, environments)
	layerdIn(t, "build", repo+"/layers/common", "--version", "1.5.0", "--out", repo+"/dist/1.5.0.zip")
	layerdIn(t, "apply", "--repo", repo, "--allow-dirty", "--requests-per-second", "15")

	for _, env := range environments {
		layer := "common-" + env
		sum := strings.TrimSpace(layerdIn(t, "get", "common", "--env", env, "--repo", repo, "--field", "sha256"))
		version := awsCLI(t, "lambda get-layer-version --layer-name "+layer+" --version-number 1")
		if d, _ := version["Description"].(string); len(sum) != 64 || !strings.Contains(d, "v1.5.0 sha256:"+sum[:12]) {
			t.Errorf("%s: sha256 %q, %+v", layer, sum, version)
		}
		policy := awsCLI(t, "lambda get-layer-version-policy --layer-name "+layer+" --version-number 1")
		if text, _ := policy["Policy"].(string); !strings.Contains(text, "layerd-") || !strings.Contains(text, "210987654321") {
			t.Errorf("%s: %+v", layer, policy)
		}
		parameter := awsCLI(t, "ssm get-parameter --name /layerd/"+env+"/common/version")
		if got := fmt.Sprint(parameter["Parameter"]); !strings.Contains(got, "Value:1.5.0") {
			t.Errorf("%s: %s", env, got)
		}
		if list := awsCLI(t, "lambda list-layer-versions --layer-name "+layer); len(list["LayerVersions"].([]any)) != 1 {
			t.Errorf("%s: %+v", layer, list)
		}
	}
	before := m.writes()
	again := layerdIn(t, "apply", "--repo", repo, "--allow-dirty")
	if !strings.Contains(again, "nothing to do") {
		t.Errorf("a second run: %s", again)
	}
	if diff := gocmp.Diff(before, m.writes()); diff != "" {
		t.Errorf("writes of a second run (-before +after):\n%s", diff)
	}
}

// writeEstate writes a repository that wants common 1.5.0 in each environment.
func writeEstate(t *testing.T, repo string, environments []string) {
	t.Helper()
	files := map[string]string{
		"layerd.yaml": "defaults:\n  account: \"123456789012\"\n  region: " + testRegion + "\n  layer_name: ${NAME}-${ENVIRONMENT}\n  max_new: 1000\n" +
			"  layers: {common: {version: 1.5.0, functions: [\"makoto-*-${ENVIRONMENT}\"]}}\n",
		"layers/common/layer.yaml":                       "name: common\ncompatible_runtimes: [python3.12]\nartifact: dist/${VERSION}.zip\nshare_with: [\"210987654321\"]\nmetadata: {team: platform}\n",
		"layers/common/python/makoto_common/__init__.py": "x = 1\n", "dist/README": "archives\n",
	}
	for _, env := range environments {
		files["environments/"+env+".yaml"] = "layers: {common: 1.5.0}\n"
	}
	for name, text := range files {
		path := filepath.Join(repo, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func layerdIn(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "layerd", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("layerd %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func awsCLI(t *testing.T, args string) (answer map[string]any) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "aws", append(strings.Fields(args), "--output", "json")...).Output()
	if err == nil {
		err = json.Unmarshal(out, &answer)
	}
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", args, err, out)
	}
	return answer
}

// createFunctions makes them as a user does.
func createFunctions(t *testing.T, role string, n int, environments []string) {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := lambda.NewFromConfig(cfg)
	for i := range n {
		_, err := client.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: aws.String(fmt.Sprintf("makoto-%03d-%s", i, environments[i%len(environments)])), Runtime: lambdatypes.RuntimePython312,
			Handler: aws.String("a.b"), Role: &role,
			Code: &lambdatypes.FunctionCode{ZipFile: awssim.Zip(map[string]string{"a.py": ""})},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
