package awssim_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"github.com/layerd/layerd/internal/awssim"
)

func TestAnUpdateSettlesByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Settle: 3 * time.Second})
		w.PutFunction(awssim.Function{Name: "f"})
		c := client(w)
		before, _ := w.Function("f")
		must(t, setLayers(t, c, "f"))
		during, _ := w.Function("f")
		time.Sleep(3*time.Second - 1) // virtual
		code(t, setLayers(t, c, "f"), "ResourceConflictException")
		time.Sleep(time.Nanosecond)
		after, _ := w.Function("f")
		if during.LastUpdateStatus != "InProgress" || after.LastUpdateStatus != "Successful" {
			t.Errorf("%s, then %s", during.LastUpdateStatus, after.LastUpdateStatus)
		}
		ids := []string{before.RevisionID, during.RevisionID, after.RevisionID}
		slices.Sort(ids)
		if len(slices.Compact(ids)) != 3 {
			t.Errorf("revisions are %v, want three", ids)
		}
		must(t, setLayers(t, c, "f"))
	})
}

func TestAFailedUpdateKeepsWhatWasSet(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f"})
	arn := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
	w.FailNextUpdate("f", "InternalError", "no")
	must(t, setLayers(t, client(w), "f", arn))
	f, _ := w.Function("f")
	if f.LastUpdateStatus != "Failed" || f.LastUpdateStatusReasonCode != "InternalError" || f.LastUpdateStatusReason != "no" || f.State != "Active" || f.Layers[0] != arn {
		t.Errorf("function is %+v", f)
	}
	must(t, setLayers(t, client(w), "f"))
	if f, _ = w.Function("f"); f.LastUpdateStatus != "Successful" {
		t.Errorf("the next update is %s", f.LastUpdateStatus)
	}
}

func TestAnUpdateThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{})
		w.PutFunction(awssim.Function{Name: "f"})
		w.EditFunction("f", func(f *awssim.Function) { f.LastUpdateStatus = "InProgress" })
		time.Sleep(24 * time.Hour) // virtual
		code(t, setLayers(t, client(w), "f"), "ResourceConflictException")
		w.EditFunction("f", func(f *awssim.Function) { f.LastUpdateStatus = "Successful" })
		must(t, setLayers(t, client(w), "f"))
	})
}

func TestSeededFunctionsHaveDefaults(t *testing.T) {
	w := awssim.New(awssim.Options{Region: "eusc-de-east-1"})
	w.PutFunction(awssim.Function{Name: "f", Tags: map[string]string{"a": "b"}})
	cfg := config(w)
	cfg.Region = "eusc-de-east-1"
	out, err := lambda.NewFromConfig(cfg).GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	must(t, err)
	c := out.Configuration
	if *c.FunctionArn != "arn:aws-eusc:lambda:eusc-de-east-1:123456789012:function:f" || c.State != "Active" || c.LastUpdateStatus != "Successful" ||
		c.Runtime != "python3.12" || c.PackageType != "Zip" || !slices.Equal(c.Architectures, []types.Architecture{"x86_64"}) || out.Tags["a"] != "b" {
		t.Errorf("function is %+v with %v", c, out.Tags)
	}
}

func TestSnapshotsAreCopies(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f", Layers: []string{"a"}, Tags: map[string]string{"k": "v"}})
	f, _ := w.Function("f")
	f.Layers[0], f.Tags["k"] = "changed", "changed"
	if f, _ = w.Function("f"); f.Layers[0] != "a" || f.Tags["k"] != "v" {
		t.Errorf("the World changed: %+v", f)
	}
	if _, ok := w.Function("absent"); ok {
		t.Error("an absent function was found")
	}
	if got := w.Functions(); len(got) != 1 || got[0].Name != "f" {
		t.Errorf("functions are %v", got)
	}
}

func TestVersionsAndAliasesCanBeSeeded(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f", Layers: []string{w.LayerARN("l", 1)}})
	one := w.PutVersion("f")
	w.EditFunction("f", func(f *awssim.Function) { f.Layers = nil })
	two := w.PutVersion("f")
	w.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: one, Weights: map[string]float64{two: 0.25}})
	if f, ok := w.Function("f:live"); !ok || f.Version != "1" || len(f.Layers) != 1 {
		t.Errorf("f:live is %+v", f)
	}
	if f, ok := w.Function(w.FunctionARN("f") + ":2"); !ok || len(f.Layers) != 0 {
		t.Errorf("version 2 is %+v", f)
	}
	if a, ok := w.Alias("f", "live"); !ok || a.Weights["2"] != 0.25 || a.RevisionID == "" {
		t.Errorf("alias is %+v", a)
	}
	for _, v := range []string{one, two} { // the weighted one too
		_, err := client(w).DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: &v})
		code(t, err, "ResourceConflictException")
	}
}

// A vendor's layers live in the vendor's account, under numbers of its own.
func TestAVendorsLayer(t *testing.T) {
	w := awssim.New(awssim.Options{})
	v := awssim.LayerVersion{Account: "464622532012", Name: "Datadog-Python312", Number: 98, Grants: []awssim.Grant{{Principal: "*"}}}
	if n := w.PutLayerVersion(v); n != 98 {
		t.Fatalf("number is %d", n)
	}
	const arn = "arn:aws:lambda:us-east-1:464622532012:layer:Datadog-Python312:98"
	w.PutFunction(awssim.Function{Name: "f"})
	c := client(w)
	must(t, setLayers(t, c, "f", arn))
	w.SetGrants(arn) // private now
	code(t, setLayers(t, c, "f", arn), "AccessDeniedException")
	w.SetGrants(arn, awssim.Grant{Principal: "*", OrganizationID: "o-abc123def4"})
	code(t, setLayers(t, c, "f", arn), "AccessDeniedException")
	w.SetOrganization("123456789012", "o-abc123def4")
	must(t, setLayers(t, c, "f", arn))
	w.DropLayerVersion(arn)
	code(t, setLayers(t, c, "f", arn), "AccessDeniedException")
	v.Number = 0
	if n := w.PutLayerVersion(v); n != 99 {
		t.Errorf("the next number is %d, want 99", n)
	}
	_, err := c.ListLayerVersions(t.Context(), &lambda.ListLayerVersionsInput{LayerName: aws.String(strings.TrimSuffix(arn, ":98"))})
	code(t, err, "AccessDeniedException") // listing cannot be granted
	must(t, setLayers(t, c, "f", "arn:aws:lambda:::awslayer:AmazonLinux1803"))
}

func TestReplicasAreListedByTheirMasterOnly(t *testing.T) {
	w := awssim.New(awssim.Options{Region: "eu-west-1"})
	w.PutFunction(awssim.Function{Name: "plain"})
	w.PutFunction(awssim.Function{Name: "us-east-1.edge", MasterARN: "arn:aws:lambda:us-east-1:123456789012:function:edge:3"})
	cfg := config(w)
	cfg.Region = "eu-west-1"
	c := lambda.NewFromConfig(cfg)
	for master, want := range map[string]string{"": "plain", "ALL": "us-east-1.edge", "us-east-1": "us-east-1.edge", "eu-north-1": ""} {
		in := &lambda.ListFunctionsInput{FunctionVersion: types.FunctionVersionAll}
		if master != "" {
			in.MasterRegion = &master
		}
		out, err := c.ListFunctions(t.Context(), in)
		must(t, err)
		var got []string
		for _, f := range out.Functions {
			got = append(got, *f.FunctionName)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("master %q lists %v, want %q", master, got, want)
		}
	}
	_, err := c.ListFunctions(t.Context(), &lambda.ListFunctionsInput{MasterRegion: aws.String("ALL")})
	code(t, err, "InvalidParameterValueException")
	out, err := c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("us-east-1.edge")})
	must(t, err)
	if aws.ToString(out.MasterArn) == "" {
		t.Error("no MasterArn")
	}
}

func TestBlockedRuntimesCannotBeUpdated(t *testing.T) {
	w := awssim.New(awssim.Options{BlockedRuntimes: []string{"python3.7"}})
	w.PutFunction(awssim.Function{Name: "f", Runtime: "python3.7"})
	code(t, setLayers(t, client(w), "f"), "InvalidParameterValueException")
}

func TestLayersCountUnzipped(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f", Unzipped: 100 << 20})
	a := w.LayerARN("a", w.PutLayerVersion(awssim.LayerVersion{Name: "a", Unzipped: 100 << 20}))
	b := w.LayerARN("b", w.PutLayerVersion(awssim.LayerVersion{Name: "b", Unzipped: 100 << 20}))
	must(t, setLayers(t, client(w), "f", a))
	err := setLayers(t, client(w), "f", a, b)
	code(t, err, "InvalidParameterValueException")
	if !strings.Contains(err.Error(), "exceeds the maximum allowed size of 262144000 bytes. The actual size is 314572800 bytes.") {
		t.Error(err)
	}
}

func TestStorageIsFreedByDeleting(t *testing.T) {
	content := awssim.Zip(map[string]string{"a": "b"})
	w := awssim.New(awssim.Options{CodeStorage: int64(len(content))})
	c := client(w)
	must(t, publish(t.Context(), c))
	code(t, publish(t.Context(), c), "CodeStorageExceededException")
	w.DropLayerVersion(w.LayerARN("l", 1))
	must(t, publish(t.Context(), c))
}

func TestContentFromS3(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutObject("artifacts", "l.zip", awssim.Zip(map[string]string{"a": "b"}))
	from := func(key string, mode types.S3ObjectStorageMode) error {
		_, err := client(w).PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{LayerName: aws.String("l"),
			Content: &types.LayerVersionContentInput{S3Bucket: aws.String("artifacts"), S3Key: &key, S3ObjectStorageMode: mode}})
		return err
	}
	must(t, from("l.zip", ""))
	code(t, from("absent.zip", ""), "InvalidParameterValueException")
	code(t, from("l.zip", types.S3ObjectStorageModeReference), "InvalidParameterValueException") // the bucket keeps no versions
}

// What was just published may be missing from lists; by its number it is there.
func TestTheListsLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{ListLag: time.Minute})
		w.PutLayerVersion(awssim.LayerVersion{Name: "l"})
		c := client(w)
		made, err := c.PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{ZipFile: awssim.Zip(map[string]string{"a": "b"})}})
		must(t, err)
		listed := func() int {
			out, err := c.ListLayerVersions(t.Context(), &lambda.ListLayerVersionsInput{LayerName: aws.String("l")})
			must(t, err)
			return len(out.LayerVersions)
		}
		if n := listed(); n != 1 {
			t.Errorf("%d listed at once, want the seeded one", n)
		}
		_, err = c.GetLayerVersion(t.Context(), &lambda.GetLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(made.Version)})
		must(t, err)
		time.Sleep(time.Minute) // virtual
		if n := listed(); n != 2 {
			t.Errorf("%d listed after a minute, want 2", n)
		}
	})
}

// The index of the tagging API lags, and remembers what is gone.
func TestTheTagIndexIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{TagLag: time.Minute})
		found := func() int {
			out, err := tagging.NewFromConfig(config(w)).GetResources(t.Context(), nil)
			must(t, err)
			return len(out.ResourceTagMappingList)
		}
		w.PutFunction(awssim.Function{Name: "f", Tags: map[string]string{"a": "b"}})
		if n := found(); n != 0 {
			t.Errorf("%d at once, want 0", n)
		}
		time.Sleep(time.Minute) // virtual
		if n := found(); n != 1 {
			t.Errorf("%d after a minute, want 1", n)
		}
		w.DropFunction("f")
		if n := found(); n != 1 {
			t.Errorf("%d right after it was dropped, want 1", n)
		}
		time.Sleep(time.Minute)
		if n := found(); n != 0 {
			t.Errorf("%d a minute after it was dropped, want 0", n)
		}
	})
}

func TestOnceTaggedFunctionsStayKnown(t *testing.T) {
	w := awssim.New(awssim.Options{})
	w.PutFunction(awssim.Function{Name: "f", Tags: map[string]string{"a": "b"}})
	w.EditFunction("f", func(f *awssim.Function) { f.Tags = nil })
	out, err := tagging.NewFromConfig(config(w)).GetResources(t.Context(), nil)
	must(t, err)
	if m := out.ResourceTagMappingList; len(m) != 1 || len(m[0].Tags) != 0 {
		t.Errorf("known are %+v", m)
	}
}

func TestEmptyPagesComeFirst(t *testing.T) {
	w := awssim.New(awssim.Options{EmptyPages: true})
	w.PutFunction(awssim.Function{Name: "a"})
	w.PutFunction(awssim.Function{Name: "b"})
	pages, sizes := lambda.NewListFunctionsPaginator(client(w), &lambda.ListFunctionsInput{MaxItems: aws.Int32(1)}), []int{}
	for pages.HasMorePages() {
		p, err := pages.NextPage(t.Context())
		must(t, err)
		sizes = append(sizes, len(p.Functions))
	}
	if !slices.Equal(sizes, []int{0, 1, 0, 1}) {
		t.Errorf("pages have %v, want 0 1 0 1", sizes)
	}
}

// Nothing names the deleted layer anew when a version is published.
func TestPublishingWithADeletedLayer(t *testing.T) {
	w := awssim.New(awssim.Options{})
	arn := w.LayerARN("l", w.PutLayerVersion(awssim.LayerVersion{Name: "l"}))
	w.PutFunction(awssim.Function{Name: "f", Layers: []string{arn}})
	w.DropLayerVersion(arn)
	out, err := client(w).PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("f")})
	must(t, err)
	if len(out.Layers) != 1 || *out.Layers[0].Arn != arn {
		t.Errorf("layers are %v", out.Layers)
	}
}

func TestSnapStartVersionsArePendingFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := awssim.New(awssim.Options{Settle: time.Minute})
		w.PutFunction(awssim.Function{Name: "f", SnapStart: true})
		out, err := client(w).PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("f")})
		must(t, err)
		time.Sleep(time.Minute) // virtual
		if f, _ := w.Function("f:1"); out.State != types.StatePending || f.State != "Active" {
			t.Errorf("%s, then %s", out.State, f.State)
		}
	})
}
