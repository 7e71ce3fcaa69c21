package artifact_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/archive/archivetest"
	"github.com/layerd/layerd/internal/archive/s3"
	"github.com/layerd/layerd/internal/artifact"
	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

const (
	accountID = "123456789012"
	region    = "ap-northeast-1"
	bucket    = "artifacts"
	key       = "common/1.4.2.zip"
)

// prod is the environment that looks, common the archive that it looks into.
var (
	prod   = desired.Environment{Name: "prod", Account: accountID, Region: region}
	common = state.Artifact{Location: "s3://" + bucket + "/" + key, Layer: "common", Version: "1.4.2", Runtimes: "python3.12", Architectures: "x86_64"}
)

// fixture is a simulated S3, and what a process knows of it.
type fixture struct {
	*artifact.Reader
	world *awssim.World
	store store.Store
	keys  atomic.Value // the access key of whoever looks
}

// Retrieve implements [aws.CredentialsProvider].
func (f *fixture) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: f.keys.Load().(string), SecretAccessKey: "secret"}, nil
}

func newFixture(versioning string) *fixture {
	f := &fixture{world: awssim.New(awssim.Options{Account: accountID, Region: region, Limits: awssim.Unlimited()}), store: store.NewMemory()}
	f.world.PutBucket(awssim.Bucket{Name: bucket, Versioning: versioning})
	f.restart()
	return f
}

// restart forgets all but the store.
func (f *fixture) restart() {
	f.keys.Store("AKIDEXAMPLE")
	cfg := aws.Config{Credentials: f, HTTPClient: &http.Client{Transport: f.world.Transport()}}
	f.Reader = artifact.New(artifact.Options{Store: f.store, Repository: "test", Objects: func(_ context.Context, env desired.Environment) (artifact.Objects, error) {
		return s3.New(cfg, awscall.Options{Account: env.Account, Region: env.Region, Role: env.Role})
	}})
}

// calls returns how many HEADs and GETs there were since it was asked last.
func (f *fixture) calls() string {
	defer f.world.ResetCalls()
	return fmt.Sprintf("%d HEAD, %d GET", f.world.Count("HeadObject"), f.world.Count("GetObject"))
}

func (f *fixture) look(t *testing.T, env desired.Environment, a state.Artifact) state.Content {
	t.Helper()
	found, err := f.Look(t.Context(), env, a)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func plain(text string) []byte {
	return awssim.Zip(map[string]string{"python/common.py": text})
}

func hexOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func native(machine elf.Machine, versions ...string) []byte {
	return archivetest.ELF(machine, map[string][]string{"libc.so.6": versions})
}

// What is wrong with an archive is in its content, with a code and a suggestion, the
// same whether it lies in S3 or in the repository.
func TestWhatIsWrongWithAnArchive(t *testing.T) {
	nightly.NotShort(t, "it reads hundreds of megabytes, one after the other")
	bomb := awssim.Zip(map[string][]byte{"python/zeros": make([]byte, 263<<20)})
	link := func(target string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: "python/link"}
		h.SetMode(fs.ModeSymlink | 0o777)
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = w.Write([]byte(target))
		}
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		data          []byte
		runtimes      string
		architectures string
		code, says    string
	}{
		"good":                     {data: plain("x = 1")},
		"native":                   {data: awssim.Zip(map[string][]byte{"python/a.so": native(elf.EM_X86_64, "GLIBC_2.34")})},
		"warned":                   {data: awssim.Zip(map[string][]byte{"python/boto3/__init__.py": nil, "python/a.dll": []byte("MZ")})},
		"no zip":                   {data: []byte("<html>404</html>"), code: "artifact_invalid", says: "not a zip"},
		"cut off":                  {data: plain("x = 1")[:60], code: "artifact_invalid", says: "not a zip"},
		"nothing":                  {data: nil, code: "artifact_invalid"},
		"empty":                    {data: awssim.Zip[string](nil), code: "artifact_invalid", says: "nothing in it"},
		"bomb":                     {data: bomb, code: "artifact_too_large", says: "unzipped"},
		"link out":                 {data: link("../../etc/passwd"), code: "artifact_invalid", says: "leads out"},
		"link to the root":         {data: link("/etc/passwd"), code: "artifact_invalid", says: "leads out"},
		"name out":                 {data: awssim.Zip(map[string][]byte{"../python/a.py": nil, "python/b.py": nil}), code: "artifact_invalid", says: "leads out"},
		"other machine":            {data: awssim.Zip(map[string][]byte{"python/a.so": native(elf.EM_AARCH64, "GLIBC_2.17")}), code: "artifact_wrong_platform", says: "arm64"},
		"machine where none named": {data: awssim.Zip(map[string][]byte{"python/a.so": native(elf.EM_AARCH64, "GLIBC_2.17")}), architectures: "-", code: "artifact_wrong_platform", says: "x86_64"},
		"both machines":            {data: awssim.Zip(map[string][]byte{"python/a.so": native(elf.EM_X86_64)}), architectures: "x86_64,arm64", code: "artifact_wrong_platform"},
		"newer libc":               {data: awssim.Zip(map[string][]byte{"python/a.so": native(elf.EM_X86_64, "GLIBC_2.28")}), runtimes: "python3.11,python3.12", code: "artifact_wrong_platform", says: "glibc 2.28"},
		"musl":                     {data: awssim.Zip(map[string][]byte{"python/a.so": archivetest.ELF(elf.EM_X86_64, map[string][]string{"libc.musl-x86_64.so.1": nil})}), code: "artifact_wrong_platform", says: "musl"},
		"other Python":             {data: awssim.Zip(map[string][]byte{"python/a.cpython-311-x86_64-linux-gnu.so": native(elf.EM_X86_64)}), code: "artifact_wrong_platform", says: "3.11"},
		"folder missing":           {data: awssim.Zip(map[string][]byte{"common/a.py": nil}), code: "artifact_wrong_folder", says: "python/"},
		"folder of another":        {data: awssim.Zip(map[string][]byte{"python/a.py": nil}), runtimes: "nodejs20.x", code: "artifact_wrong_folder", says: "nodejs/"},
		"two things, worst first":  {data: awssim.Zip(map[string][]byte{"../a": nil, "python/a.so": native(elf.EM_AARCH64)}), code: "artifact_wrong_platform", says: "leads out"},
	} {
		t.Run(name, func(t *testing.T) {
			a := common
			if c.runtimes != "" {
				a.Runtimes = c.runtimes
			}
			if a.Architectures = "x86_64"; c.architectures != "" {
				a.Architectures = strings.Trim(c.architectures, "-")
			}
			f := newFixture("Enabled")
			version := f.world.PutObject(bucket, key, c.data)
			found := f.look(t, prod, a)
			if found.Code != c.code || !strings.Contains(found.Message, c.says) || (c.code != "") != (found.Suggestion != "") {
				t.Errorf("in S3: %+v", found)
			}
			if found.SHA256 != hexOf(c.data) || found.Size != int64(len(c.data)) || found.ObjectVersion != version {
				t.Errorf("in S3: %+v, want version %s", found, version)
			}
			for _, wrong := range []string{"\n", "/tmp"} {
				if strings.Contains(found.Message, wrong) {
					t.Errorf("the message has %q: %s", wrong, found.Message)
				}
			}
			local := a
			local.Location, local.Commit = "layers/common.zip", strings.Repeat("c", 40)
			here := inRepository(fstest.MapFS{local.Location: {Data: c.data}}, nil)
			inGit, err := here.Look(t.Context(), prod, local)
			if err != nil || inGit.Code != found.Code || inGit.SHA256 != found.SHA256 || inGit.Unzipped != found.Unzipped {
				t.Errorf("in the repository: %+v, %v", inGit, err)
			}
		})
	}
}

// inRepository reads a repository, and counts how often.
func inRepository(files fs.FS, times *atomic.Int64) *artifact.Reader {
	return artifact.New(artifact.Options{Files: func(context.Context, string, string) (fs.FS, error) {
		if times != nil {
			times.Add(1)
		}
		return files, nil
	}})
}

// What S3 refuses is the archive's content; that it is out of reach is an error, and
// nothing is known.
func TestWhatS3Refuses(t *testing.T) {
	deny := func(action string) func(f *fixture) {
		return func(f *fixture) {
			f.world.PutBucket(awssim.Bucket{Name: bucket, Versioning: "Enabled", Policy: []awssim.BucketStatement{{Deny: true, Principal: "*", Action: action}}})
		}
	}
	on := func(op string, fault awssim.Fault) func(f *fixture) {
		return func(f *fixture) {
			f.world.OnCall(func(c awssim.Call) awssim.Fault {
				if c.Operation == op {
					return fault
				}
				return awssim.Fault{}
			})
		}
	}
	for name, c := range map[string]struct {
		change     func(f *fixture)
		location   string
		code, says string
		unknown    bool
	}{
		"no object":          {location: "s3://artifacts/other.zip", code: "artifact_missing", says: "no such object"},
		"no bucket":          {location: "s3://nowhere/other.zip", code: "artifact_missing", says: "no such bucket"},
		"deleted":            {change: func(f *fixture) { f.world.DeleteObject(bucket, key) }, code: "artifact_missing"},
		"denied":             {change: deny("s3:GetObject"), code: "artifact_denied", says: "S3 does not let layerd read it"},
		"a version denied":   {change: deny("s3:GetObjectVersion"), code: "artifact_denied", says: "AccessDenied"},
		"may not list":       {change: deny("s3:ListBucket"), location: "s3://artifacts/other.zip", code: "artifact_denied"},
		"other Region":       {change: func(f *fixture) { f.world.PutBucket(awssim.Bucket{Name: bucket, Region: "eu-west-1"}) }, code: "artifact_region", says: "eu-west-1"},
		"S3 fails":           {change: on("HeadObject", awssim.Reset()), unknown: true},
		"S3 fails in a GET":  {change: on("GetObject", awssim.Reset()), unknown: true},
		"S3 answers nothing": {change: on("GetObject", awssim.LostAnswer()), unknown: true},
		"no credentials": {change: func(f *fixture) {
			f.world.OnCall(func(c awssim.Call) awssim.Fault {
				if c.Operation == "GetCallerIdentity" {
					return awssim.Denied(c)
				}
				return awssim.Fault{}
			})
		}, unknown: true},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			f := newFixture("Enabled")
			f.world.PutObject(bucket, key, plain("x = 1"))
			if c.change != nil {
				c.change(f)
			}
			a := common
			if c.location != "" {
				a.Location = c.location
			}
			found, err := f.Look(t.Context(), prod, a)
			if (err != nil) != c.unknown || found.Code != c.code || !strings.Contains(found.Message, c.says) || (c.code != "") != (found.Suggestion != "") {
				t.Fatalf("%+v, %v", found, err)
			}
			// Once it is mended nothing is left of the refusal.
			f.world.OnCall(nil)
			f.world.PutBucket(awssim.Bucket{Name: bucket, Versioning: "Enabled"})
			if found, err = f.Look(t.Context(), prod, common); c.location == "" && c.code != "artifact_missing" && (err != nil || found.Code != "") {
				t.Errorf("after it was mended: %+v, %v", found, err)
			}
		}))
	}
}

// inBubble runs a test in virtual time: calls are repeated for minutes.
func inBubble(do func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, do) }
}
