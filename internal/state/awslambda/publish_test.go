package awslambda

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

// zipOf returns a small archive and its SHA-256 in hex.
func zipOf(text string) (content []byte, sum string) {
	content = awssim.Zip(map[string]string{"python/common.py": text})
	raw := sha256.Sum256(content)
	return content, hex.EncodeToString(raw[:])
}

// What was published is found again: by its Description in the list, by its SHA-256
// in the version, both as everybody else writes them.
func TestPublishedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld(func(o *awssim.Options) { o.EmptyPages = true })
		c := simClient(t, w)
		layer := layerARN("common")
		var sums []string
		for i := range 120 {
			content, sum := zipOf(fmt.Sprint(i))
			sums = append(sums, sum)
			n, sha256, id, err := c.PublishLayer(t.Context(), layer, state.Release{
				Source: state.Source{Zip: content}, Description: fmt.Sprintf("common v1.0.%d", i), License: "MIT",
				Runtimes: []string{"python3.12"}, Architectures: []string{"arm64"},
			})
			if err != nil || n != int64(i+1) || sha256 != sum || id == "" {
				t.Fatalf("%d, %s, %q, %v", n, sha256, id, err)
			}
		}
		list, err := c.LayerVersions(t.Context(), layer)
		if err != nil || len(list) != 120 || list[0].Number != 120 || list[119].Number != 1 {
			t.Fatalf("%d versions, %v", len(list), err)
		}
		listed := slices.Clone(list)
		list[0].Created = time.Time{}
		want := state.LayerVersion{Number: 120, Description: "common v1.0.119", Runtimes: []string{"python3.12"}, Architectures: []string{"arm64"}}
		if diff := cmp.Diff(want, list[0]); diff != "" {
			t.Error(diff)
		}
		for _, n := range []int64{1, 60, 120} {
			v, sum, err := c.LayerVersion(t.Context(), layer.Version(n))
			if err != nil || sum != sums[n-1] {
				t.Errorf("content of %d: %s, %v", n, sum, err)
			}
			if diff := cmp.Diff(listed[120-n], v); diff != "" {
				t.Errorf("%d is not as the list has it: %s", n, diff)
			}
		}
		_, _, err = c.LayerVersion(t.Context(), layer.Version(121))
		kindIs(t, err, state.Gone)
		if list, err := c.LayerVersions(t.Context(), layerARN("none")); err != nil || len(list) != 0 {
			t.Errorf("a layer that never was: %v, %v", list, err)
		}
	})
}

// What is not said is not sent: AWS stores an empty list as one.
func TestPublishSendsWhatIsSaid(t *testing.T) {
	zipped, _ := zipOf("x")
	for name, c := range map[string]struct {
		release state.Release
		want    map[string]any
	}{
		"bytes": {
			state.Release{Source: state.Source{Zip: zipped}},
			map[string]any{"Content": map[string]any{"ZipFile": base64.StdEncoding.EncodeToString(zipped)}},
		},
		"an object": {
			state.Release{Source: state.Source{Bucket: "b", Key: "k", ObjectVersion: "v"}, Description: "d", License: "MIT", Runtimes: []string{"python3.12"}, Architectures: []string{"x86_64"}},
			map[string]any{
				"Content":     map[string]any{"S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "v"},
				"Description": "d", "LicenseInfo": "MIT", "CompatibleRuntimes": []any{"python3.12"}, "CompatibleArchitectures": []any{"x86_64"},
			},
		},
		"an object without versions": {
			state.Release{Source: state.Source{Bucket: "b", Key: "k"}},
			map[string]any{"Content": map[string]any{"S3Bucket": "b", "S3Key": "k"}},
		},
	} {
		w := newWire()
		var sent map[string]any
		path := ""
		w.answer["PublishLayerVersion"] = func(r *http.Request, body string) (*http.Response, error) {
			path = r.URL.Path
			if err := json.Unmarshal([]byte(body), &sent); err != nil {
				return nil, err
			}
			return published(7, strings.Repeat("A", 43)+"="), nil
		}
		n, sum, id, err := w.client(t).PublishLayer(t.Context(), layerARN("z"), c.release)
		if n != 7 || sum != strings.Repeat("0", 64) || id != "req-1" || err != nil {
			t.Errorf("%s: %d, %s, %s, %v", name, n, sum, id, err)
		}
		if diff := cmp.Diff(c.want, sent); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !strings.Contains(path, string(layerARN("z"))) {
			t.Errorf("%s: sent to %s, where another account's layer of the name may be meant", name, path)
		}
	}
}

func published(n int64, sum string) *http.Response {
	b, _ := json.Marshal(map[string]any{
		"Version": n, "LayerVersionArn": string(layerARN("z").Version(n)), "Content": map[string]any{"CodeSha256": sum, "CodeSize": 1},
	})
	return reply(201, string(b))
}

// A publish is sent again only when AWS surely did nothing: two are two versions.
func TestPublishIsSentOnce(t *testing.T) {
	const h, a, g, u, b = state.Human, state.Again, state.Gone, state.Unsure, state.Barred
	for _, c := range []struct {
		name   string
		answer handler
		want   state.Kind
		sent   int
	}{
		{"429", fails(429, "TooManyRequestsException", "Rate exceeded"), a, 8},
		{"400 Throttling", fails(400, "ThrottlingException", "Rate exceeded"), a, 8},
		{"never connected", breaks(&url.Error{Op: "Post", URL: "https://x", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}), a, 8},
		{"reset", breaks(syscall.ECONNRESET), u, 1},
		{"eof", breaks(io.ErrUnexpectedEOF), u, 1},
		{"500", fails(500, "ServiceException", ""), u, 1},
		{"502", always(func() *http.Response { return reply(502, "") }), u, 1},
		{"503", always(func() *http.Response { return reply(503, "") }), u, 1},
		{"504", always(func() *http.Response { return reply(504, "") }), u, 1},
		{"unreadable 201", always(func() *http.Response { return reply(201, "<html>") }), u, 1},
		{"201 without anything", always(func() *http.Response { return reply(201, "{}") }), u, 1},
		{"201 without a hash", always(func() *http.Response { return published(3, "") }), u, 1},
		{"201 with half a hash", always(func() *http.Response { return published(3, "AAAA") }), u, 1},
		{"201 without a number", always(func() *http.Response { return published(0, strings.Repeat("A", 43)+"=") }), u, 1},
		{"404", fails(404, "ResourceNotFoundException", ""), g, 1},
		{"409", fails(409, "ResourceConflictException", ""), state.LookAgain, 1},
		{"413", fails(413, "RequestEntityTooLargeException", ""), h, 1},
		{"400", fails(400, "InvalidParameterValueException", ""), h, 1},
		{"storage", fails(400, "CodeStorageExceededException", "Code storage limit exceeded."), h, 1},
		{"expired", fails(403, "ExpiredTokenException", ""), b, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				w.answer["PublishLayerVersion"] = c.answer
				_, _, _, err := w.client(t).PublishLayer(t.Context(), layerARN("z"), state.Release{Source: state.Source{Zip: []byte("zip")}})
				if e := kindIs(t, err, c.want); e.Op != "PublishLayerVersion" || e.Resource != string(layerARN("z")) {
					t.Errorf("op %q resource %q", e.Op, e.Resource)
				}
				if got := w.count("PublishLayerVersion"); got != c.sent {
					t.Errorf("sent %d times, want %d", got, c.sent)
				}
			})
		})
	}
}

// Megabytes take longer than the deadline of other calls, and not for ever.
func TestPublishHasTimeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.answer["PublishLayerVersion"] = func(r *http.Request, _ string) (*http.Response, error) {
			select {
			case <-time.After(90 * time.Second):
				return published(1, strings.Repeat("A", 43)+"="), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
		c := w.client(t)
		release := state.Release{Source: state.Source{Zip: []byte("zip")}}
		if _, _, _, err := c.PublishLayer(t.Context(), layerARN("z"), release); err != nil {
			t.Error(err)
		}
		w.answer["PublishLayerVersion"] = func(r *http.Request, _ string) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		began := time.Now()
		_, _, _, err := c.PublishLayer(t.Context(), layerARN("z"), release)
		kindIs(t, err, state.Unsure)
		if took := time.Since(began); took != publishTimeout {
			t.Errorf("given up after %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // what the lease leaves
		defer cancel()
		_, _, _, err = c.PublishLayer(ctx, layerARN("z"), release)
		kindIs(t, err, state.Unsure)
	})
}

// A refusal tells what a person can do about it; AWS's words stay.
func TestPublishRefusedSaysWhatToDo(t *testing.T) {
	const denied = "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for b/k. S3 Error Code: AccessDenied. S3 Error Message: Access Denied"
	for name, c := range map[string]struct {
		status        int
		code, message string
		want          string
	}{
		"S3 denies":         {403, "AccessDeniedException", denied, "s3:GetObject"},
		"no object":         {400, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.", "there is no s3://b/k any more"},
		"no bucket":         {400, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchBucket.", "there is no s3://b/k any more"},
		"no such version":   {400, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchVersion.", "there is no s3://b/k any more"},
		"another Region":    {400, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this region: us-east-1.", "another Region"},
		"storage":           {400, "CodeStorageExceededException", "Code storage limit exceeded.", "quota"},
		"too large unzip":   {400, "InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes", "250 MB"},
		"too large to send": {413, "RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes for the PublishLayerVersion operation", "s3://"},
		"no right":          {403, "AccessDeniedException", "User: x is not authorized to perform: lambda:PublishLayerVersion on resource: y", "needs lambda:PublishLayerVersion"},
	} {
		w := newWire()
		w.answer["PublishLayerVersion"] = fails(c.status, c.code, c.message)
		_, _, _, err := w.client(t).PublishLayer(t.Context(), layerARN("z"), state.Release{Source: state.Source{Bucket: "b", Key: "k"}})
		e := kindIs(t, err, state.Human)
		if !strings.Contains(e.Message, c.want) || !strings.HasPrefix(e.Message, strings.TrimSuffix(c.message, ".")) || e.Code != c.code {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// Only layers of the place: a name alone would be another account's.
func TestPublishElsewhereIsNotSent(t *testing.T) {
	w := newWire()
	c := w.client(t)
	for _, layer := range []state.LayerARN{
		state.NewLayerARN("aws", testRegion, "999999999999", "z"), state.NewLayerARN("aws", "us-east-1", testAccount, "z"),
		state.NewLayerARN("aws-cn", testRegion, testAccount, "z"), "",
	} {
		_, _, _, err := c.PublishLayer(t.Context(), layer, state.Release{})
		kindIs(t, err, state.Human)
		_, err = c.LayerVersions(t.Context(), layer)
		kindIs(t, err, state.Human)
		_, _, err = c.LayerVersion(t.Context(), layer.Version(1))
		kindIs(t, err, state.Human)
	}
	if w.total() != w.count("GetCallerIdentity") {
		t.Errorf("asked %v", w.calls)
	}
	// And an answer about another one is none.
	w.answer["PublishLayerVersion"] = jsonReply(map[string]any{
		"Version": 1, "LayerVersionArn": string(state.NewLayerARN("aws", testRegion, "999999999999", "z").Version(1)),
		"Content": map[string]any{"CodeSha256": strings.Repeat("A", 43) + "="},
	})
	if _, _, _, err := c.PublishLayer(t.Context(), layerARN("z"), state.Release{Source: state.Source{Zip: []byte("z")}}); state.Elsewhere(err) == nil {
		t.Errorf("an answer of another account is taken: %v", err)
	}
}
