package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/demo"
	"github.com/layerd/layerd/internal/round"
)

// testApp is layerd inside the test, with a home of its own.
func testApp(t *testing.T) (a *app, stdout, stderr *bytes.Buffer) {
	t.Helper()
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_REGION", testRegion)
	t.Setenv("AWS_ACCESS_KEY_ID", "TEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	env := func(name string) string { return map[string]string{"HOME": home}[name] }
	return &app{out: stdout, err: stderr, env: env, now: time.Now}, stdout, stderr
}

// testRepo wants version 1.4.2 on the three functions of newWorld's dev.
func testRepo(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"layers/common/layer.yaml": "name: makoto-common\n",
		"environments/dev.yaml": "account: \"123456789012\"\nregion: ap-northeast-1\nlayer_name: ${NAME}-${ENVIRONMENT}\n" +
			"layers: {makoto-common: {version: 1.4.2, functions: [\"makoto-*-dev\"]}}\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// An interrupted apply finishes what it has in hand, records it, says so, and
// asks to be run again; the next run does the rest.
func TestInterruptedApply(t *testing.T) {
	w := newWorld()
	aws := httptest.NewServer(w.Handler())
	defer aws.Close()
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	a, stdout, stderr := testApp(t)
	repo := testRepo(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var once sync.Once
	w.OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation == "UpdateFunctionConfiguration" {
			once.Do(cancel)
		}
		return awssim.Fault{}
	})
	code := a.execute(ctx, []string{"apply", "--repo", repo})
	if code != exitRetry {
		t.Errorf("exit code %d, want %d", code, exitRetry)
	}
	if !strings.Contains(stderr.String(), "interrupted before everything was done") {
		t.Errorf("stderr: %s", stderr)
	}
	begun := w.Writes()
	if begun == 0 || !strings.Contains(stdout.String(), "✓ attached") {
		t.Errorf("%d writes, and the result is:\n%s", begun, stdout)
	}
	stdout.Reset()
	if code := a.execute(t.Context(), []string{"apply", "--repo", repo}); code != exitOK {
		t.Errorf("the second run exits %d:\n%s", code, stdout)
	}
	if got := w.Writes(); got != 3 {
		t.Errorf("%d writes for three functions:\n%s", got, stdout)
	}
}

// Whatever is read when plan or apply is interrupted, AWS or the store, nothing is
// said to have failed, and no words of a library are shown.
func TestInterruptedWhileReading(t *testing.T) {
	repo, step := testRepo(t), 1
	if testing.Short() {
		step = 7
	}
	for _, command := range []string{"plan", "apply"} {
		for n := 1; ; n += step {
			w := newWorld()
			aws := httptest.NewServer(w.Handler())
			t.Setenv("AWS_ENDPOINT_URL", aws.URL)
			a, stdout, stderr := testApp(t)
			ctx, cancel := context.WithCancel(t.Context())
			var calls atomic.Int64
			w.OnCall(func(c awssim.Call) awssim.Fault {
				if calls.Add(1) == int64(n) {
					cancel()
				}
				return awssim.Fault{}
			})
			code := a.execute(ctx, []string{command, "--repo", repo, "--requests-per-second", "15"})
			cancel()
			aws.Close()
			if calls.Load() < int64(n) {
				break
			}
			said := stdout.String() + stderr.String()
			if code != exitRetry || strings.Contains(said, "context canceled") || !strings.Contains(said, "interrupted before everything was done") {
				t.Errorf("%s, call %d: exit code %d:\n%s", command, n, code, said)
			}
			if strings.Contains(said, "[aws_") || strings.Contains(said, "[store_") {
				t.Errorf("%s, call %d:\n%s", command, n, said)
			}
		}
	}
}

// The first signal cancels; after it the signal has its usual meaning again.
func TestInterruptible(t *testing.T) {
	a, _, stderr := testApp(t)
	ctx, stop := a.interruptible(t.Context())
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if !strings.Contains(stderr.String(), "once more to stop at once") {
		t.Errorf("stderr: %s", stderr)
	}
}

// Whoever reads our output may leave.
func TestBrokenPipe(t *testing.T) {
	a, _, stderr := testApp(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	a.out = w
	if code := a.execute(t.Context(), []string{"schema"}); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit code %d, stderr: %s", code, stderr)
	}
}

func TestServeAWS(t *testing.T) {
	a, _, stderr := testApp(t)
	r, w := io.Pipe()
	a.out = w
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() { done <- a.execute(ctx, []string{"demo", "--serve-aws", "127.0.0.1:0"}) }()
	first, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, r)
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(first)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/2015-03-31/functions/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=demo/20261124/ap-northeast-1/lambda/aws4_request, SignedHeaders=host, Signature=x")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(body, []byte("makoto-chat-handler-prod")) {
		t.Errorf("%s, %v: %.200s", resp.Status, err, body)
	}
	resp.Body.Close()
	objectsAndParameters(t, url)
	cancel()
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d, stderr: %s", code, stderr)
	}
}

// objectsAndParameters talks to the other services as a user's SDK does, which
// finds their addresses in the environment.
func objectsAndParameters(t *testing.T, url string) {
	t.Helper()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_S3": url, "AWS_REGION": demo.Region,
		"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	objects, bucket, key := s3.NewFromConfig(cfg), aws.String("artifacts"), aws.String("common/1.5.0.zip")
	_, err = objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: demo.Region}})
	if err == nil {
		_, err = objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(awssim.Zip(map[string]string{"python/a.py": ""}))})
	}
	if err == nil {
		_, err = lambda.NewFromConfig(cfg).PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{LayerName: aws.String("new"),
			Content: &lambdatypes.LayerVersionContentInput{S3Bucket: bucket, S3Key: key}})
	}
	if err == nil {
		_, err = ssm.NewFromConfig(cfg).PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/layerd/a"), Value: aws.String("1"), Type: ssmtypes.ParameterTypeString})
	}
	if err != nil {
		t.Error(err)
	}
}

// The status line is rewritten, never torn by the log, and gone at the end.
func TestStatusLine(t *testing.T) {
	var out bytes.Buffer
	now := testNow
	s := &statusLine{out: &out, width: 40, now: func() time.Time { return now }}
	s.report(round.Progress{Environment: "prod", Region: "r", Phase: "apply", Done: 1, Total: 9})
	s.report(round.Progress{Environment: "prod", Region: "r", Phase: "apply", Done: 2, Total: 9}) // too soon
	if _, err := io.WriteString(s, "a line of the log\n"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	s.report(round.Progress{Environment: "prod", Region: "r", Phase: "apply", Done: 3, Total: 9})
	s.clear()
	const begin = "\r\x1b[K"
	want := begin + "prod · r  apply 1/9" + begin + "a line of the log\n" + begin + "prod · r  apply 1/9" +
		begin + "prod · r  apply 3/9" + begin
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
