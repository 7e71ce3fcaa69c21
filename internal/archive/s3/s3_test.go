package s3_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/archive/s3"
	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

const (
	accountID = "123456789012"
	region    = "ap-northeast-1"
)

func config(client aws.HTTPClient) aws.Config {
	return aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""), HTTPClient: client}
}

func connect(t *testing.T, w *awssim.World) *s3.Client {
	t.Helper()
	c, err := s3.New(config(&http.Client{Transport: w.Transport()}), awscall.Options{Account: accountID, Region: region})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newWorld(versioning string) *awssim.World {
	w := awssim.New(awssim.Options{Account: accountID, Region: region, Limits: awssim.Unlimited()})
	w.PutBucket(awssim.Bucket{Name: "artifacts", Versioning: versioning})
	return w
}

// What Head has seen is what Read brings, or it brings nothing.
func TestReadBringsWhatHeadHasSeen(t *testing.T) {
	for _, versioning := range []string{"Enabled", "Suspended", ""} {
		for _, key := range []string{"a.zip", "layers/共通 ライブラリ/1.4.2+build.1.zip", "a//b?c#d%20.zip"} {
			w := newWorld(versioning)
			c := connect(t, w)
			version := w.PutObject("artifacts", key, []byte("first"))
			o, err := c.Head(t.Context(), "artifacts", key, "")
			if err != nil || o.Size != 5 || o.ETag == "" || (o.Version == version) != (versioning == "Enabled") {
				t.Fatalf("%s: %+v, %v", key, o, err)
			}
			var b bytes.Buffer
			if err := c.Read(t.Context(), o, &b); err != nil || b.String() != "first" {
				t.Errorf("%s: %q, %v", key, b.String(), err)
			}
			w.PutObject("artifacts", key, []byte("other"))
			b.Reset()
			err = c.Read(t.Context(), o, &b)
			if versioning == "Enabled" && (err != nil || b.String() != "first") || versioning != "Enabled" && (state.KindOf(err) != state.LookAgain || b.Len() > 0) {
				t.Errorf("%s, replaced: %q, %v", key, b.String(), err)
			}
			if before, err := c.Head(t.Context(), "artifacts", key, o.Version); versioning == "Enabled" && (err != nil || before != o) {
				t.Errorf("%+v is not %+v: %v", before, o, err)
			}
		}
	}
}

// Each refusal is of a kind that says what to do next.
func TestErrors(t *testing.T) {
	deny := func(action string) func(w *awssim.World) {
		return func(w *awssim.World) {
			w.PutBucket(awssim.Bucket{Name: "artifacts", Versioning: "Enabled", Policy: []awssim.BucketStatement{{Deny: true, Principal: "*", Action: action}}})
		}
	}
	fault := func(f awssim.Fault) func(w *awssim.World) {
		return func(w *awssim.World) {
			w.OnCall(func(c awssim.Call) awssim.Fault {
				if strings.HasSuffix(c.Operation, "Object") {
					return f
				}
				return awssim.Fault{}
			})
		}
	}
	for name, c := range map[string]struct {
		change      func(w *awssim.World)
		bucket, key string
		kind        state.Kind
		elsewhere   string
	}{
		"no key":          {key: "b", kind: state.Gone},
		"no bucket":       {bucket: "nowhere", kind: state.Gone},
		"denied":          {change: deny("s3:*"), kind: state.Human},
		"may not list":    {change: deny("s3:ListBucket"), key: "b", kind: state.Human},
		"other Region":    {change: func(w *awssim.World) { w.PutBucket(awssim.Bucket{Name: "artifacts", Region: "us-west-2"}) }, elsewhere: "us-west-2"},
		"throttled":       {change: fault(awssim.Throttle()), kind: state.Again},
		"broken":          {change: fault(awssim.ServerError()), kind: state.Again},
		"reset":           {change: fault(awssim.Reset()), kind: state.Again},
		"lost":            {change: fault(awssim.LostAnswer()), kind: state.Again},
		"never an answer": {change: fault(awssim.SlowAnswer(1 << 40)), kind: state.Again},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld("Enabled")
				version := w.PutObject("artifacts", "a", []byte("first"))
				if c.change != nil {
					c.change(w)
				}
				o := archive.Object{Bucket: "artifacts", Key: "a", Version: version, ETag: `"8b04d5e3775d298e78455efc5ca404d5"`, Size: 5}
				if c.bucket != "" {
					o.Bucket = c.bucket
				}
				if c.key != "" {
					o.Key, o.Version = c.key, ""
				}
				cl := connect(t, w)
				_, err := cl.Head(t.Context(), o.Bucket, o.Key, "")
				check := func(op string, err error) {
					if r, ok := errors.AsType[*archive.RegionError](err); ok || c.elsewhere != "" {
						if !ok || r.Region != c.elsewhere || r.Asked != region {
							t.Errorf("%s: %v", op, err)
						}
						return
					}
					e, ok := errors.AsType[*state.Error](err)
					if !ok || e.Kind != c.kind || e.Op != op || e.Resource != o.URL() {
						t.Errorf("%s: %v, %v", op, state.KindOf(err), err)
					}
				}
				check("HeadObject", err)
				check("GetObject", cl.Read(t.Context(), o, io.Discard))
			})
		})
	}
}

type full struct{ error }

func (f full) Write([]byte) (int, error) { return 0, f.error }

func TestAnErrorOfTheWriterIsItsOwn(t *testing.T) {
	w := newWorld("Enabled")
	w.PutObject("artifacts", "a", []byte("first"))
	c := connect(t, w)
	o, err := c.Head(t.Context(), "artifacts", "a", "")
	if err != nil {
		t.Fatal(err)
	}
	disk := errors.New("no space left on device")
	if err := c.Read(t.Context(), o, full{disk}); !errors.Is(err, disk) {
		t.Error(err)
	}
	o.Size = 3 // it lies
	if err := c.Read(t.Context(), o, io.Discard); state.KindOf(err) != state.Again {
		t.Error(err)
	}
}

// large serves one object of 200 MB from a file, over a socket, as S3 does.
func large(t *testing.T) *httptest.Server {
	name := filepath.Join(t.TempDir(), "large.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for i := range 4 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("python/data/%d.bin", i), Method: zip.Store})
		if err == nil {
			_, err = io.CopyN(w, zeros{}, 50<<20)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // of STS
			_, _ = io.WriteString(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::"+accountID+":user/u</Arn><Account>"+accountID+"</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
			return
		}
		w.Header().Set("Etag", `"large"`)
		http.ServeFile(w, r, name)
	}))
	t.Cleanup(s.Close)
	return s
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// An object of 200 MB is looked into without being held: what is allocated on the way,
// freed or not, is a small part of it.
func TestALargeObjectIsNotHeld(t *testing.T) {
	server := large(t)
	cfg := config(nil)
	cfg.BaseEndpoint = &server.URL
	r := artifact.New(artifact.Options{Objects: func(context.Context, desired.Environment) (artifact.Objects, error) {
		return s3.New(cfg, awscall.Options{Account: accountID, Region: region})
	}})
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found, err := r.Look(t.Context(), desired.Environment{Account: accountID, Region: region}, state.Artifact{
		Location: "s3://artifacts/large.zip", Layer: "common", Version: "1.0.0", Runtimes: "python3.12",
	})
	runtime.ReadMemStats(&after)
	if err != nil || found.Code != "" || found.Size < 200<<20 || found.Unzipped != 200<<20 {
		t.Fatalf("%+v, %v", found, err)
	}
	if held := after.TotalAlloc - before.TotalAlloc; held > 16<<20 {
		t.Errorf("%d MB were allocated for an object of 200 MB", held>>20)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
