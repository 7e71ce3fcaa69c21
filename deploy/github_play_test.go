package deploy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/examples"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/demo"
	"github.com/layerd/layerd/internal/nightly"
)

// runner plays the scripts of the workflows as a runner of GitHub does, in a clone of
// the example's repository, with the simulated AWS behind the AWS CLI. Actions are not
// played: what they leave behind is put there by the tests.
type runner struct {
	t       *testing.T
	world   *awssim.World
	clone   string // the working folder of all jobs
	temp    string // RUNNER_TEMP
	bin     string // in front of PATH: programs of the test's own
	env     map[string]string
	outputs map[string]string // of the last step
	summary string            // of the last step
}

const artifacts = "makoto-artifacts"

func newRunner(t *testing.T) *runner {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and starts layerd")
	}
	for _, program := range []string{"bash", "git", "jq", "openssl", "sha256sum"} {
		nightly.Program(t, program, "apt-get install "+program)
	}
	layerd, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{t: t, world: demo.NewWorld(time.Now(), 0), clone: t.TempDir(), temp: t.TempDir(), bin: t.TempDir()}
	r.world.PutBucket(awssim.Bucket{Name: artifacts, Versioning: "Enabled"})
	aws := httptest.NewServer(r.world.Handler())
	t.Cleanup(aws.Close)
	r.env = map[string]string{
		"PATH": r.bin + ":" + layerd + ":" + os.Getenv("PATH"), "HOME": t.TempDir(), "RUNNER_TEMP": r.temp, "GITHUB_ACTIONS": "true", "CI": "true",
		"GITHUB_REPOSITORY": "acme/layers", "GITHUB_REF": "refs/heads/main",
		"AWS_ENDPOINT_URL": aws.URL, "AWS_REGION": demo.Region, "AWS_DEFAULT_REGION": demo.Region, "AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_EC2_METADATA_DISABLED": "true",
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull, "PIP_NO_INDEX": "1",
	}
	origin := filepath.Join(t.TempDir(), "origin.git")
	r.git("init", "--quiet", "--initial-branch=main", "--bare", origin)
	if err := os.CopyFS(r.clone, examples.Repo()); err != nil {
		t.Fatal(err)
	}
	r.git("init", "--quiet", "--initial-branch=main")
	r.git("remote", "add", "origin", origin)
	r.commit("feat: begin")
	r.env["GITHUB_SHA"] = r.git("rev-parse", "HEAD")
	return r
}

func (r *runner) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", args...)
	cmd.Dir, cmd.Env = r.clone, r.environ(nil)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *runner) commit(subject string) {
	r.t.Helper()
	r.git("add", "--all")
	r.git("-c", "user.name=sato", "-c", "user.email=sato@example.com", "commit", "--quiet", "--message", subject)
	r.git("push", "--quiet", "origin", "HEAD:main")
}

func (r *runner) write(name, text string) {
	r.t.Helper()
	at := filepath.Join(r.clone, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

// program puts a program of the test's own in front of all others.
func (r *runner) program(name, script string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.bin, name), []byte("#!/bin/bash\n"+script), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

func (r *runner) environ(more map[string]string) (list []string) {
	all := maps.Clone(r.env)
	maps.Copy(all, more)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		list = append(list, k+"="+all[k])
	}
	return list
}

// play runs one step, as `shell: bash` is defined, and returns what it printed and how
// it ended. Expressions of GitHub in its environment are filled in from values.
func (r *runner) play(workflow, job, name string, values map[string]string) (string, int) {
	r.t.Helper()
	s := named(r.t, workflow, job, name)
	env := map[string]string{}
	w := workflows(r.t)[workflow]
	for _, given := range []map[string]string{w.Env, w.Jobs[job].Env, s.Env} {
		for k, v := range given {
			env[k] = expressions.ReplaceAllStringFunc(v, func(e string) string { return values[expressions.FindStringSubmatch(e)[1]] })
		}
	}
	dir := r.t.TempDir()
	output, summary, script := filepath.Join(dir, "output"), filepath.Join(dir, "summary"), filepath.Join(dir, "script.sh")
	for file, text := range map[string]string{output: "", summary: "", script: s.Run} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	env["GITHUB_OUTPUT"], env["GITHUB_STEP_SUMMARY"] = output, summary
	cmd := exec.CommandContext(r.t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	cmd.Dir, cmd.Env = filepath.Join(r.clone, s.Dir), r.environ(env)
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		r.t.Fatal(err)
	}
	r.outputs, r.summary = map[string]string{}, read(r.t, summary)
	for line := range strings.Lines(read(r.t, output)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		r.outputs[k] = v
	}
	return string(out), cmd.ProcessState.ExitCode()
}

var expressions = regexp.MustCompile(`\$\{\{ ([^}]*) \}\}`)

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// must is play for a step that has to go well.
func (r *runner) must(workflow, job, name string, values map[string]string) string {
	r.t.Helper()
	out, code := r.play(workflow, job, name, values)
	if code != 0 {
		r.t.Fatalf("%s/%s, %s ended with %d\n%s", workflow, job, name, code, out)
	}
	return out
}

func TestPullRequest(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	if out := r.must("layer-check", "build", "Validate", nil); strings.Contains(out, "::") {
		t.Errorf("validate: %s", out)
	}
	if out := r.must("layer-check", "build", "Build", nil); strings.Contains(out, "::") || !strings.Contains(out, "sha256") {
		t.Errorf("build: %s", out)
	}
	if out := r.must("layer-check", "plan", "Plan", nil); !strings.Contains(r.summary, "## ") && !strings.Contains(r.summary, "### ") || out != "" {
		t.Errorf("plan: %s\n%s", out, r.summary)
	}

	// What is wrong is shown where it is, and ends the job.
	r.write("layers/common/python/types.py", "")
	if out, code := r.play("layer-check", "build", "Build", nil); code != 78 || !strings.Contains(out, "::error file=layers/common/python/types") {
		t.Errorf("build: %d %s", code, out)
	}
	r.write("environments/dev.yaml", "layers: {makoto-common: 99.0.0}\n")
	out, code := r.play("layer-check", "plan", "Plan", nil)
	if code != 78 || !strings.Contains(out, "::error file=environments/dev.yaml,line=1") || r.summary == "" {
		t.Errorf("plan: %d %s\n%s", code, out, r.summary)
	}
	r.write("environments/dev.yaml", "layers: [\n")
	if out, code := r.play("layer-check", "build", "Validate", nil); code != 78 || !strings.Contains(out, "::error file=environments/dev.yaml,line=") {
		t.Errorf("validate: %d %s", code, out)
	}
}

// newReleaseRunner is newRunner where there is an AWS CLI.
func newReleaseRunner(t *testing.T) *runner {
	t.Helper()
	nightly.OrCI(t, "the AWS CLI takes a second for each call")
	nightly.Program(t, "aws", "pip install awscli")
	return newRunner(t)
}

// object returns the newest bytes of an object of the simulated S3, or that there is none.
func (r *runner) object(key string) (string, bool) {
	data, ok := r.world.Object(artifacts, key)
	return string(data), ok
}

func TestRelease(t *testing.T) {
	t.Parallel()
	r := newReleaseRunner(t)
	r.write("layers/common/VERSION", "1.5.0\n")
	r.commit("chore: makoto-common 1.5.0")
	r.must("layer-release", "build", "Version", nil)
	if want := map[string]string{"tag": "makoto-common/v1.5.0", "new": "true"}; !maps.Equal(r.outputs, want) {
		t.Fatalf("outputs %v, want %v", r.outputs, want)
	}
	r.must("layer-release", "build", "Build", nil)
	const key = "layers/common/1.5.0.zip"
	if out := r.must("layer-release", "upload", "Upload", nil); !strings.Contains(out, "s3://"+artifacts+"/"+key+": uploaded") {
		t.Errorf("upload: %s", out)
	}
	if got, ok := r.object(key); !ok || got != read(t, filepath.Join(r.clone, "dist/layer.zip")) {
		t.Errorf("the object is there: %t, with %d bytes", ok, len(got))
	}
	if got, ok := r.object("layers/common/1.5.0.cdx.json"); !ok || !strings.Contains(got, "CycloneDX") {
		t.Errorf("no SBOM beside it: %.80s", got)
	}

	// Once more, as after a job that was run again: the same bytes, all is well.
	r.must("layer-release", "build", "Build", nil)
	if out := r.must("layer-release", "upload", "Upload", nil); !strings.Contains(out, "was there already, with the same bytes") {
		t.Errorf("second upload: %s", out)
	}

	// Other bytes under the version: refused, and what is there stays.
	before, _ := r.object(key)
	r.write("layers/common/python/makoto_common/more.py", "")
	r.commit("feat: more")
	r.must("layer-release", "build", "Build", nil)
	out, code := r.play("layer-release", "upload", "Upload", nil)
	if after, _ := r.object(key); code != 1 || !strings.Contains(out, "::error::s3://"+artifacts+"/layers/common/1.5.0.") || after != before {
		t.Errorf("other bytes: %d %s", code, out)
	}

	// The tag makes it released.
	r.program("gh", `printf '%s\n' "$@" > "$RUNNER_TEMP/gh"`)
	r.must("layer-release", "tag", "Tag", map[string]string{"needs.build.outputs.tag": "makoto-common/v1.5.0", "github.token": "x"})
	if got := read(t, filepath.Join(r.temp, "gh")); !strings.Contains(got, "repos/acme/layers/git/refs\n") || !strings.Contains(got, "ref=refs/tags/makoto-common/v1.5.0\n") || !strings.Contains(got, "sha="+r.env["GITHUB_SHA"]+"\n") {
		t.Errorf("gh was called with %s", got)
	}
	r.git("tag", "makoto-common/v1.5.0")
	r.must("layer-release", "build", "Version", nil)
	if r.outputs["new"] != "false" {
		t.Errorf("outputs %v", r.outputs)
	}
}

// What is wrong with a release ends it before anything is uploaded.
func TestReleaseIsRefused(t *testing.T) {
	t.Parallel()
	r := newReleaseRunner(t)
	for _, version := range []string{"", "1.5.0\nnew=true", "$(touch evil)", "../../x"} {
		r.write("layers/common/VERSION", version+"\n")
		if out, code := r.play("layer-release", "build", "Version", nil); code != 1 || !strings.Contains(out, "::error file=layers/common/VERSION::") || len(r.outputs) > 0 {
			t.Errorf("VERSION %q: %d, %v %s", version, code, r.outputs, out)
		}
	}
	r.write("layers/common/VERSION", "1.5.0\n")
	r.write("layers/common/python/requirements.txt", "requests\n")
	if out, code := r.play("layer-release", "build", "Build", nil); code != 78 || !strings.Contains(out, "::error file=layers/common/python/requirements.txt,line=1") {
		t.Errorf("unpinned: %d %s", code, out)
	}
	r.write("layers/common/python/requirements.txt", "\n")
	r.must("layer-release", "build", "Build", nil)
	at := filepath.Join(r.clone, "dist/build.json")
	for name, change := range map[string]func(b map[string]any){
		"no artifact":         func(b map[string]any) { delete(b, "artifact") },
		"a folder":            func(b map[string]any) { b["artifact"] = "layers/common" },
		"one per environment": func(b map[string]any) { b["artifact"] = "s3://" + artifacts + "/${ENVIRONMENT}/x.zip" },
		"other bytes":         func(b map[string]any) { b["sha256"] = strings.Repeat("0", 64) },
		"no such bucket":      func(b map[string]any) { b["artifact"] = "s3://no-such-bucket/x.zip" },
	} {
		var b map[string]any
		if err := json.Unmarshal([]byte(read(t, at)), &b); err != nil {
			t.Fatal(err)
		}
		change(b)
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		whole := read(t, at)
		r.write("dist/build.json", string(data))
		if out, code := r.play("layer-release", "upload", "Upload", nil); code == 0 {
			t.Errorf("%s: %s", name, out)
		}
		r.write("dist/build.json", whole)
	}
	if _, ok := r.object("layers/common/1.5.0.zip"); ok {
		t.Error("it was uploaded all the same")
	}
}

// An artifact of each Region goes to the bucket of that Region.
func TestReleaseToTheRegionsBucket(t *testing.T) {
	t.Parallel()
	r := newReleaseRunner(t)
	r.world.PutBucket(awssim.Bucket{Name: "makoto-" + demo.Region})
	r.must("layer-release", "build", "Build", nil)
	r.write("dist/build.json", strings.Replace(read(t, filepath.Join(r.clone, "dist/build.json")), "s3://"+artifacts+"/", "s3://makoto-${REGION}/", 1))
	if out := r.must("layer-release", "upload", "Upload", nil); !strings.Contains(out, fmt.Sprintf("s3://makoto-%s/layers/common/1.4.1.zip: uploaded", demo.Region)) {
		t.Errorf("%s", out)
	}
}

// TestBump plays the pull request that raises a version, twice: the second brings the
// first up to date. Then it is merged, and there is nothing left to raise.
func TestBump(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	main := r.git("rev-parse", "HEAD")
	bump := func() string {
		t.Helper()
		r.git("switch", "--quiet", "main")
		r.git("branch", "--quiet", "--force", "bump/makoto-common", main) // a runner's clone has none
		r.git("branch", "--quiet", "--delete", "--force", "bump/makoto-common")
		return r.must("layer-bump", "bump", "Bump", nil)
	}
	r.program("gh", `printf '%s\n' "$*" >> "$RUNNER_TEMP/gh"
case "$1 $2" in "pr list") cat "$RUNNER_TEMP/open" 2>&- || true;; "pr create") echo 7 > "$RUNNER_TEMP/open";; esac`)
	pullRequest := func() string {
		t.Helper()
		_ = os.Remove(filepath.Join(r.temp, "gh"))
		r.must("layer-bump", "bump", "Pull request", map[string]string{"github.token": "x"})
		return read(t, filepath.Join(r.temp, "gh"))
	}
	r.git("tag", "makoto-common/v1.4.1")

	r.write("layers/common/python/makoto_common/more.py", "")
	r.commit("fix: more")
	if bump(); r.outputs["raised"] != "true" {
		t.Fatalf("outputs %v", r.outputs)
	}
	first := read(t, filepath.Join(r.clone, "layers/common/VERSION"))
	if got := pullRequest(); !strings.Contains(got, "pr create --head bump/makoto-common --title makoto-common "+strings.TrimSpace(first)) {
		t.Errorf("gh %s", got)
	}
	if got := r.git("show", "origin/bump/makoto-common:environments/dev.yaml"); !strings.Contains(got, "makoto-common: "+strings.TrimSpace(first)) {
		t.Errorf("dev asks for another one than %s: %s", first, got)
	}
	if got := r.git("diff", "--name-only", "main", "origin/bump/makoto-common"); got != "environments/dev.yaml\nlayers/common/VERSION" {
		t.Errorf("the pull request changes %s", got)
	}

	r.git("switch", "--quiet", "main")
	r.write("layers/common/python/makoto_common/feature.py", "")
	r.commit("feat: a feature")
	bump()
	second := strings.TrimSpace(read(t, filepath.Join(r.clone, "layers/common/VERSION")))
	if got := pullRequest(); !strings.Contains(got, "pr edit bump/makoto-common --title makoto-common "+second) || second == strings.TrimSpace(first) {
		t.Errorf("%s after %s: gh %s", second, first, got)
	}

	r.git("switch", "--quiet", "main")
	r.git("merge", "--quiet", "--ff-only", "bump/makoto-common")
	if out := bump(); r.outputs["raised"] != "" {
		t.Errorf("after the merge: %v %s", r.outputs, out)
	}
}
