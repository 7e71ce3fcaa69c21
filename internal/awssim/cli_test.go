package awssim_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/nightly"
)

// The official AWS CLI is another client by other hands: botocore instead of
// the Go SDK.
func TestTheAWSCLI(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python")
	}
	bin := nightly.Program(t, "aws", "pip install awscli")
	w := awssim.New(awssim.Options{Settle: time.Millisecond})
	srv := httptest.NewServer(w.Handler())
	defer srv.Close()
	dir := t.TempDir()
	zip := filepath.Join(dir, "l.zip")
	must(t, os.WriteFile(zip, awssim.Zip(map[string]string{"python/a.py": "x = 1"}), 0o600))

	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER="}
	run := func(args string) (string, error) {
		cmd := exec.CommandContext(t.Context(), bin, append(strings.Fields(args), "--endpoint-url", srv.URL, "--output", "text")...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	arn := w.LayerARN("common", 1)
	facts := []struct{ args, want string }{
		{"sts get-caller-identity --query Account", "123456789012"},
		{"lambda publish-layer-version --layer-name common --description v1.4.2 --zip-file fileb://" + zip +
			" --compatible-runtimes python3.12 --query LayerVersionArn", arn},
		{"lambda list-layer-versions --layer-name common --query LayerVersions[].[Version,Description,CompatibleRuntimes[0]]", "1\tv1.4.2\tpython3.12"},
		{"lambda get-layer-version-by-arn --arn " + arn + " --query Version", "1"},
		{"lambda create-function --function-name api --runtime python3.12 --handler a.b --role arn:aws:iam::123456789012:role/function --zip-file fileb://" +
			zip + " --query State", "Pending"},
		{"lambda wait function-active-v2 --function-name api", ""},
		{"lambda list-functions --query Functions[].[FunctionName,Layers]", "api\tNone"},
		{"lambda update-function-configuration --function-name api --layers " + arn + " --query LastUpdateStatus", "InProgress"},
		{"lambda get-function --function-name api --query Configuration.Layers[].Arn", arn},
		{"lambda delete-layer-version --layer-name common --version-number 1", ""},
		{"lambda list-layer-versions --layer-name common --query length(LayerVersions)", "0"},
		{"resourcegroupstaggingapi get-resources --query length(ResourceTagMappingList)", "0"},
	}
	if !nightly.On() {
		facts = facts[:3] // Python takes a second to start
	}
	for _, c := range facts {
		if got, err := run(c.args); err != nil || got != c.want {
			t.Fatalf("aws %s\ngot  %q, %v\nwant %q", c.args, got, err, c.want)
		}
	}
	// The two calls of the script that layerd replaces.
	refused := []struct{ args, want string }{
		{"lambda tag-resource --resource " + arn + " --tags current=true", "(ValidationException)"},
		{"lambda update-alias --function-name common --name live --function-version 1", "(ResourceNotFoundException)"},
	}
	if !nightly.On() {
		refused = refused[:1]
	}
	for _, c := range refused {
		if got, err := run(c.args); err == nil || !strings.Contains(got, c.want) {
			t.Errorf("aws %s\ngot  %q, want %s", c.args, got, c.want)
		}
	}
}
