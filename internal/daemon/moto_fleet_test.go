package daemon_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/awssim/mototest"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
)

// motoFleet is an estate in moto: three environments, one of them in two Regions, each
// with a version that somebody published by hand and shares with a friend, and functions
// of which some have it, some something else, and some nothing.
type motoFleet struct {
	*testing.T
	to     http.RoundTripper
	places []motoPlace
	before map[string][]string // by Region and function, its list
}

type motoPlace struct{ environment, region string }

func (p motoPlace) layer() string { return "makoto-common-" + p.environment }

func (p motoPlace) arn(layer string, n int) string {
	return fmt.Sprintf("arn:aws:lambda:%s:%s:layer:%s:%d", p.region, accountID, layer, n)
}

const (
	motoFunctions = 200
	friend        = "333333333333" // with whom somebody shares by hand
)

// motoShared are the accounts that Git shares with. No organization is among them: moto
// keeps no condition of a grant.
var motoShared = []string{"210987654321", "444455556666"}

func newMotoFleet(t *testing.T, endpoint, role string) *motoFleet {
	f := &motoFleet{T: t, to: mototest.Transport(endpoint), before: map[string][]string{}, places: []motoPlace{
		{"dev", publishRegions[0]}, {"staging", publishRegions[0]}, {"prod", publishRegions[0]}, {"prod", publishRegions[1]},
	}}
	for _, r := range publishRegions {
		f.bucket(r)
		f.publish(motoPlace{region: r}, "neighbour", "of others")
	}
	for _, p := range f.places {
		f.publish(p, p.layer(), "v1.4.0")
		_, err := f.lambda(p.region).AddLayerVersionPermission(t.Context(), &lambda.AddLayerVersionPermissionInput{
			LayerName: aws.String(p.layer()), VersionNumber: aws.Int64(1), StatementId: aws.String("by-hand"), Action: aws.String("lambda:GetLayerVersion"), Principal: aws.String(friend),
		})
		f.check(err)
	}
	for i := range motoFunctions {
		p := f.places[i%len(f.places)]
		name := fmt.Sprintf("makoto-%03d-%s", i, p.environment)
		ours, other := p.arn(p.layer(), 1), p.arn("neighbour", 1)
		layers := [][]string{{ours}, {other}, {ours, other}, {other, ours}, nil}[i/len(f.places)%5]
		_, err := f.lambda(p.region).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: &name, Runtime: lambdatypes.RuntimePython312, Handler: aws.String("a.b"), Role: &role, Layers: layers,
			Code: &lambdatypes.FunctionCode{ZipFile: awssim.Zip(map[string]string{"a.py": ""})},
		})
		f.check(err)
		f.before[p.region+" "+name] = layers
	}
	return f
}

func (f *motoFleet) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *motoFleet) config(region string) aws.Config {
	return aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""), HTTPClient: &http.Client{Transport: f.to}}
}

func (f *motoFleet) lambda(region string) *lambda.Client {
	return lambda.NewFromConfig(f.config(region))
}

// bucket makes one without versions: of an object that has some, moto publishes the newest,
// whichever it is asked for, so that what is pinned cannot be played.
func (f *motoFleet) bucket(region string) {
	client, name := s3.NewFromConfig(f.config(region)), aws.String("artifacts-"+region)
	in := &s3.CreateBucketInput{Bucket: name}
	if region != "us-east-1" {
		in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(region)}
	}
	_, err := client.CreateBucket(f.Context(), in)
	f.check(err)
}

// upload puts the archive of a version into the buckets of all Regions.
func (f *motoFleet) upload(version string, archive []byte) {
	for _, r := range publishRegions {
		_, err := s3.NewFromConfig(f.config(r)).PutObject(f.Context(), &s3.PutObjectInput{
			Bucket: aws.String("artifacts-" + r), Key: aws.String(version + ".zip"), Body: bytes.NewReader(archive),
		})
		f.check(err)
	}
}

func (f *motoFleet) publish(p motoPlace, layer, description string) {
	_, err := f.lambda(p.region).PublishLayerVersion(f.Context(), &lambda.PublishLayerVersionInput{
		LayerName: &layer, Description: &description, Content: &lambdatypes.LayerVersionContentInput{ZipFile: archiveOf(description)},
	})
	f.check(err)
}

func (f *motoFleet) environments() []string { return []string{"dev", "staging", "prod"} }

// want commits files that ask for a version in environments, of which prod has two
// Regions.
func (f *motoFleet) want(repo *gitserve.Repo, version string, environments ...string) {
	files := map[string]string{
		"layerd.yaml": "timezone: UTC\ndefaults:\n  account: \"" + accountID + "\"\n  layer_name: ${NAME}-${ENVIRONMENT}\n  max_new: 1000\n" +
			"  unmanaged: [\"*:layer:neighbour\"]\n  layers: {makoto-common: {functions: [\"makoto-*-${ENVIRONMENT}\"]}}\n",
		"layers/common/layer.yaml": "name: makoto-common\nartifact: s3://artifacts-${REGION}/${VERSION}.zip\nshare_with: [\"" + strings.Join(motoShared, "\", \"") + "\"]\n" +
			"metadata: {team: platform}\n",
	}
	for _, e := range environments {
		regions := publishRegions[:1]
		if e == "prod" {
			regions = publishRegions
		}
		files["environments/"+e+".yaml"] = "regions: [" + strings.Join(regions, ", ") + "]\nlayers: {makoto-common: " + version + "}\n"
	}
	_, err := repo.Commit(gitserve.Change{Subject: "Want " + version, Author: "sato", Files: files})
	f.check(err)
}

// motoWorld is what is in moto, as far as layerd has anything to do with it.
type motoWorld struct {
	Versions map[string][]string // by ARN of the version: its content
	Grants   map[string][]string // likewise: Sid and whom it is for
	Lists    map[string][]string // by Region and function
	Stands   map[string]string   // parameters by Region and name
}

func newMotoWorld() motoWorld {
	return motoWorld{map[string][]string{}, map[string][]string{}, map[string][]string{}, map[string]string{}}
}

// released is the world once a release is through.
func (f *motoFleet) released(sum string) motoWorld {
	w := newMotoWorld()
	for _, p := range f.places {
		for n, content := range []string{sumOf(archiveOf("v1.4.0")), sum} {
			v := p.arn(p.layer(), n+1)
			w.Versions[v] = []string{content}
			for _, account := range motoShared {
				w.Grants[v] = append(w.Grants[v], "layerd-"+account+" "+account)
			}
		}
		v := p.arn(p.layer(), 1)
		w.Grants[v] = append([]string{"by-hand " + friend}, w.Grants[v]...)
		name := p.region + " /layerd/" + p.environment + "/makoto-common/"
		w.Stands[name+"version"], w.Stands[name+"arn"] = "1.5.0", p.arn(p.layer(), 2)
	}
	for name, list := range f.before {
		region, function, _ := strings.Cut(name, " ")
		p := motoPlace{function[strings.LastIndex(function, "-")+1:], region}
		list = slices.Clone(list)
		if i := slices.Index(list, p.arn(p.layer(), 1)); i >= 0 {
			list[i] = p.arn(p.layer(), 2)
		} else {
			list = append(list, p.arn(p.layer(), 2))
		}
		w.Lists[name] = list
	}
	return w
}

func sumOf(archive []byte) string {
	sum := sha256.Sum256(archive)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// look reads moto, by calls of its own.
func (f *motoFleet) look() motoWorld {
	w := newMotoWorld()
	for _, r := range publishRegions {
		functions, err := f.lambda(r).ListFunctions(f.Context(), &lambda.ListFunctionsInput{})
		f.check(err)
		for _, fn := range functions.Functions {
			var list []string
			for _, l := range fn.Layers {
				list = append(list, aws.ToString(l.Arn))
			}
			w.Lists[r+" "+aws.ToString(fn.FunctionName)] = list
		}
		pages := ssm.NewGetParametersByPathPaginator(ssm.NewFromConfig(f.config(r)), &ssm.GetParametersByPathInput{Path: aws.String("/layerd"), Recursive: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(f.Context())
			f.check(err)
			for _, p := range page.Parameters {
				w.Stands[r+" "+aws.ToString(p.Name)] = aws.ToString(p.Value)
			}
		}
		layers, err := f.lambda(r).ListLayers(f.Context(), &lambda.ListLayersInput{})
		f.check(err)
		for _, l := range layers.Layers {
			if name := aws.ToString(l.LayerName); name != "neighbour" {
				f.lookAt(r, name, w)
			}
		}
	}
	return w
}

// lookAt reads the versions of a layer into w.
func (f *motoFleet) lookAt(region, layer string, w motoWorld) {
	client := f.lambda(region)
	list, err := client.ListLayerVersions(f.Context(), &lambda.ListLayerVersionsInput{LayerName: &layer})
	f.check(err)
	for _, v := range list.LayerVersions {
		arn, number := aws.ToString(v.LayerVersionArn), aws.Int64(v.Version)
		content, err := client.GetLayerVersion(f.Context(), &lambda.GetLayerVersionInput{LayerName: &layer, VersionNumber: number})
		f.check(err)
		w.Versions[arn] = append(w.Versions[arn], aws.ToString(content.Content.CodeSha256))
		policy, err := client.GetLayerVersionPolicy(f.Context(), &lambda.GetLayerVersionPolicyInput{LayerName: &layer, VersionNumber: number})
		f.check(err)
		var text struct {
			Statement []struct {
				Sid       string
				Principal any // moto's is the account where AWS's is an object
			}
		}
		f.check(json.Unmarshal([]byte(aws.ToString(policy.Policy)), &text))
		for _, s := range text.Statement {
			w.Grants[arn] = append(w.Grants[arn], s.Sid+" "+fmt.Sprint(s.Principal))
		}
		slices.Sort(w.Grants[arn])
	}
}

func (f *motoFleet) compare(when string, want, got motoWorld) {
	f.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", when, diff)
	}
}
