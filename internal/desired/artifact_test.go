package desired

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/state"
)

// A location leads to an object or into the repository, and nowhere else.
func TestArtifactForm(t *testing.T) {
	for _, good := range []string{
		"s3://makoto-artifacts/layers/common/${VERSION}.zip", "s3://b/k", "s3://b/..", "s3://b/a b/ü.zip"[:9], "s3://${ENVIRONMENT}-b/k", "s3://b.c/${NAME}",
		"layers/common", "layers/common/dist-${VERSION}.zip", "a..b/c", "...", "build/${ENVIRONMENT}/${REGION}.zip", "a b/c",
	} {
		if e := artifactForm(good); e != nil {
			t.Errorf("%s: %v", good, e)
		}
	}
	for bad, want := range map[string]string{
		"":                                       "bad_value",
		"共通/a.zip":                               "bad_value",
		"s3：//b/k":                               "full_width s3://b/k",
		"../secrets":                             "bad_artifact",
		"layers/../../etc":                       "bad_artifact",
		"layers/..":                              "bad_artifact",
		"/etc/passwd":                            "bad_artifact",
		"~/layer.zip":                            "bad_artifact",
		`layers\common`:                          "bad_artifact layers/common",
		`C:\layers`:                              "bad_artifact",
		".":                                      "bad_artifact",
		"./layers/common":                        "bad_artifact layers/common",
		"layers/common/":                         "bad_artifact layers/common",
		"layers//common":                         "bad_artifact layers/common",
		" layers":                                "bad_artifact layers",
		"s3://":                                  "bad_artifact",
		"s3://bucket":                            "bad_artifact",
		"s3://bucket/":                           "bad_artifact",
		"s3://bucket/dir/":                       "bad_artifact",
		"s3://bucket//k":                         "bad_artifact s3://bucket/k",
		"s3:///k":                                "bad_artifact",
		"s3://Bucket_1/k":                        "bad_artifact",
		"s3:bucket/k":                            "bad_artifact",
		"S3://bucket/k.zip":                      "bad_artifact s3://bucket/k.zip",
		"arn:aws:s3:::bucket/k.zip":              "bad_artifact s3://bucket/k.zip",
		"https://example.com/k.zip":              "bad_artifact",
		"file:///srv/k.zip":                      "bad_artifact",
		"git@example.com:acme/k.zip":             "bad_artifact",
		"https://b.s3.amazonaws.com/x/k.zip":     "bad_artifact s3://b/x/k.zip",
		"https://s3.us-east-1.amazonaws.com/b/k": "bad_artifact s3://b/k",
		"https://b.s3.cn-north-1.amazonaws.com.cn/k": "bad_artifact s3://b/k",
		"s3://b/" + strings.Repeat("k", 1025):        "bad_artifact",
	} {
		e := artifactForm(bad)
		if e == nil {
			t.Errorf("%q is taken", bad)
		} else if got := strings.TrimSpace(e.Code + " " + e.Suggestion); got != want {
			t.Errorf("%q: got %s (%s), want %s", bad, got, e.Message, want)
		}
	}
}

// loadLayer loads one environment dev with a layer a whose layer.yaml has these lines
// beside its name.
func loadLayer(t *testing.T, layer, wish string) Tree {
	t.Helper()
	return Load(fstest.MapFS{
		"environments/dev.yaml": {Data: []byte(account + "layers: {a: {functions: [f], " + wish + "}}\n")},
		"layers/a/layer.yaml":   {Data: []byte("name: a\n" + layer + "\n")},
	}, Options{Now: now()})
}

// Every variable is filled in once the version is known, and a version has the hash
// that Git names for it, in whichever form the version is written.
func TestArtifactOfAVersion(t *testing.T) {
	hash := strings.Repeat("9f2C", 16)
	location := "s3://b-${ACCOUNT}/${PARTITION}/${REGION}/${ENVIRONMENT}/${NAME}/${VERSION}.zip"
	for _, layer := range []string{
		"artifact: " + location,
		"artifact: {location: '" + location + "'}",
		"artifact: {location: '" + location + "', sha256: {v1.4.2: " + hash + "}}",
	} {
		tree := loadLayer(t, layer+"\ndescription: about ${VERSION} in ${ENVIRONMENT}\nlicense: MIT\ncompatible_runtimes: [python3.12, python3.11]\ncompatible_architectures: [arm64]", "version: v1.4.2")
		if len(tree.Environments) != 1 {
			t.Fatal(tree.Problems)
		}
		e := tree.Environments[0]
		w := e.Layers[0]
		want := state.Artifact{
			Location: fmt.Sprintf("s3://b-%s/aws/%s/dev/a/1.4.2.zip", e.Account, e.Region), Layer: "a", Version: "1.4.2",
			Runtimes: "python3.12,python3.11", Architectures: "arm64",
		}
		if strings.Contains(layer, "sha256") {
			want.SHA256 = strings.ToLower(hash)
		}
		if diff := cmp.Diff(w.Artifact(w.Version.Semver, "c0ffee"), want); diff != "" {
			t.Errorf("%s (-have +want):\n%s", layer, diff)
		}
		other, err := ParseVersion("1.5.0-rc.1")
		if err != nil {
			t.Fatal(err)
		}
		a := w.Artifact(other.Semver, "c0ffee")
		if !strings.HasSuffix(a.Location, "/1.5.0-rc.1.zip") || a.SHA256 != "" || a.Version != "1.5.0-rc.1" {
			t.Errorf("of another version: %+v", a)
		}
		if got := w.Source.DescriptionOf(other.Semver); got != "about 1.5.0-rc.1 in dev" || w.Description != "about 1.4.2 in dev" {
			t.Errorf("descriptions %q and %q", got, w.Description)
		}
	}
}

// What lies in the repository is read at a commit; what lies in S3 is not.
func TestArtifactOfTheRepository(t *testing.T) {
	w := loadLayer(t, "artifact: layers/a/${VERSION}", "version: 1.4.2").Environments[0].Layers[0]
	if a := w.Artifact(w.Version.Semver, "c0ffee"); a.Location != "layers/a/1.4.2" || a.Commit != "c0ffee" {
		t.Errorf("%+v", a)
	}
}

// Without an artifact, and for a layer of others, nothing is published.
func TestNoArtifact(t *testing.T) {
	for _, tree := range []Tree{
		loadLayer(t, "license: MIT", "version: 1.4.2"),
		loadLayer(t, "artifact: layers/a", `version: 3, arn: "arn:aws:lambda:ap-northeast-1:464622532012:layer:x"`),
	} {
		if len(tree.Environments) != 1 || tree.Environments[0].Layers[0].Source != nil {
			t.Errorf("%+v %v", tree.Environments, tree.Problems)
		}
	}
}

// What a variable stands for may make a location wrong in one environment, and that is
// nobody else's problem.
func TestArtifactIsJudgedWithItsValues(t *testing.T) {
	tree := Load(fstest.MapFS{
		"environments/Dev_1.yaml": {Data: []byte(account + "layers: {a: {functions: [f], version: 1.4.2}}\n")},
		"environments/dev.yaml":   {Data: []byte(strings.Replace(account, "ap-northeast-1", "us-east-1", 1) + "layers: {a: {functions: [f], version: 1.4.2}}\n")},
		"layers/a/layer.yaml":     {Data: []byte("name: a\nartifact: s3://b-${ENVIRONMENT}/${VERSION}.zip\n")},
	}, Options{Now: now()})
	if len(tree.Problems) != 1 || tree.Problems[0].Code != "bad_artifact" || tree.Problems[0].Environment != "Dev_1" {
		t.Error(tree.Problems)
	}
	if len(tree.Environments) != 1 || tree.Environments[0].Name != "dev" {
		t.Error(tree.Environments)
	}
}
