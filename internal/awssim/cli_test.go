package awssim_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	content := awssim.Zip(map[string]string{"python/a.py": "x = 1"})
	must(t, os.WriteFile(zip, content, 0o600))
	size := strconv.Itoa(len(content))
	w.PutBucket(awssim.Bucket{Name: "artifacts", Versioning: "Enabled"})

	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER="}
	run := func(args string) (string, error) {
		cmd := exec.CommandContext(t.Context(), bin, append(strings.Fields(args), "--endpoint-url", srv.URL, "--output", "text")...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	facts := cliFacts(w.LayerARN("common", 1), dir, zip, size)
	if !nightly.On() {
		facts = facts[:4] // Python takes a second to start
	}
	for _, c := range facts {
		if got, err := run(c.args); err != nil || got != c.want {
			t.Fatalf("aws %s\ngot  %q, %v\nwant %q", c.args, got, err, c.want)
		}
	}
	refused := cliRefusals(w.LayerARN("common", 1), dir, zip)
	if !nightly.On() {
		refused = refused[:1]
	}
	for _, c := range refused {
		if got, err := run(c.args); err == nil || !strings.Contains(got, c.want) {
			t.Errorf("aws %s\ngot  %q, want %s", c.args, got, c.want)
		}
	}
}

// cliFact is a command of the CLI and what it prints: all of it, or a part of what
// it is refused with.
type cliFact struct{ args, want string }

// cliFacts are in an order: the ordinary run has the first four.
func cliFacts(arn, dir, zip, size string) []cliFact {
	return []cliFact{
		{"sts get-caller-identity --query Account", "123456789012"},
		{"lambda publish-layer-version --layer-name common --description v1.4.2 --zip-file fileb://" + zip +
			" --compatible-runtimes python3.12 --query LayerVersionArn", arn},
		{"lambda list-layer-versions --layer-name common --query LayerVersions[].[Version,Description,CompatibleRuntimes[0]]", "1\tv1.4.2\tpython3.12"},
		{"s3api put-object --bucket artifacts --key common/1.5.0.zip --body " + zip + " --if-none-match * --query length(VersionId)", "32"},
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
		{"s3api create-bucket --bucket other --create-bucket-configuration LocationConstraint=eu-west-1 --region eu-west-1 --query Location", "/other"},
		{"s3api head-object --bucket artifacts --key common/1.5.0.zip --query ContentLength", size},
		{"s3api list-objects-v2 --bucket artifacts --prefix common/ --query Contents[].Key", "common/1.5.0.zip"},
		{"s3api get-object --bucket artifacts --key common/1.5.0.zip " + filepath.Join(dir, "got.zip") + " --query ContentLength", size},
		{"s3 cp " + zip + " s3://artifacts/a/b.zip --only-show-errors", ""},
		{"s3 cp s3://artifacts/a/b.zip " + filepath.Join(dir, "got.zip") + " --only-show-errors", ""},
		{"lambda publish-layer-version --layer-name common --content S3Bucket=artifacts,S3Key=common/1.5.0.zip --query Version", "2"},
		{"lambda add-layer-version-permission --layer-name common --version-number 2 --statement-id layerd-a --action lambda:GetLayerVersion " +
			"--principal 111122223333 --query length(RevisionId)", "36"},
		{"lambda get-layer-version-policy --layer-name common --version-number 2 --query contains(Policy,`arn:aws:iam::111122223333:root`)", "True"},
		{"ssm put-parameter --name /layerd/prod/common/version --value 1.5.0 --type String --tags Key=team,Value=platform --query Version", "1"},
		{"ssm get-parameter --name /layerd/prod/common/version --query Parameter.Value", "1.5.0"},
		{"ssm get-parameters-by-path --path /layerd --recursive --query Parameters[].Name", "/layerd/prod/common/version"},
		{"ssm list-tags-for-resource --resource-type Parameter --resource-id /layerd/prod/common/version --query TagList[].Value", "platform"},
	}
}

// cliRefusals begin with the two calls of the script that layerd replaces.
func cliRefusals(arn, dir, zip string) []cliFact {
	return []cliFact{
		{"lambda tag-resource --resource " + arn + " --tags current=true", "(ValidationException)"},
		{"lambda update-alias --function-name common --name live --function-version 1", "(ResourceNotFoundException)"},
		{"lambda publish-layer-version --layer-name common --content S3Bucket=other,S3Key=k", "S3 Error Code: PermanentRedirect"},
		{"s3api get-object --bucket artifacts --key none " + filepath.Join(dir, "none"), "(NoSuchKey)"},
		{"s3api put-object --bucket artifacts --key common/1.5.0.zip --body " + zip + " --if-none-match *", "(PreconditionFailed)"},
		{"ssm get-parameter --name /layerd/prod/none", "(ParameterNotFound)"},
	}
}
