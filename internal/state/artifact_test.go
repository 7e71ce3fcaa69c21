package state

import (
	"strings"
	"testing"
)

// What stands for a version that is not published is never taken for one that is.
func TestUnpublished(t *testing.T) {
	layer := NewLayerARN("aws", "eu-west-1", "111122223333", "common")
	sha256 := strings.Repeat("a1", 32)
	v := layer.Unpublished(sha256)
	if v.Content() != sha256 || v.Number() != 0 || v.Of(layer) || v.Layer() != "" {
		t.Errorf("%s: content %q, number %d, of its layer %v", v, v.Content(), v.Number(), v.Of(layer))
	}
	for _, other := range []LayerVersionARN{"", layer.Version(7), "arn:aws:lambda:::awslayer:AmazonLinux1803", "x:sha256:00"} {
		if got := other.Content(); got != "" {
			t.Errorf("%s has content %q", other, got)
		}
	}
}

func TestArtifactS3(t *testing.T) {
	for location, want := range map[string][2]string{
		"s3://bucket/a/b.zip": {"bucket", "a/b.zip"},
		"s3://bucket":         {},
		"s3:///key":           {},
		"dist/a.zip":          {},
	} {
		bucket, key, ok := Artifact{Location: location}.S3()
		if ok != (want[0] != "") || ok && (bucket != want[0] || key != want[1]) {
			t.Errorf("%s: %q %q %v", location, bucket, key, ok)
		}
	}
}
