package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/awssim"
)

// pythonSaw plays what the probe's code answers.
func pythonSaw(w *awssim.World, answer string) {
	w.OnInvoke(func(i awssim.Invocation) awssim.Result {
		if strings.HasPrefix(i.Function, "layerd-probe-") && strings.Contains(string(i.Payload), "makoto_common") && len(i.Layers) == 1 {
			return awssim.Result{Payload: []byte(answer)}
		}
		return awssim.Result{FunctionError: "Unhandled"}
	})
}

const sawPython = `{"layerd": 1, "runtime": "3.12.3", "path": ["/var/task", "/opt/python"], "variables": ["AWS_REGION"],
	"modules": [{"name": "makoto_common", "file": "/opt/python/makoto_common/__init__.py", "version": "1.4.2"}]}`

func probesLeft(w *awssim.World) (names []string) {
	for _, f := range w.Functions() {
		if strings.HasPrefix(f.Name, "layerd-probe-") {
			names = append(names, f.Name)
		}
	}
	return names
}

func TestDoctorProbe(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/layerd-probe"
	w := examinedWorld()
	pythonSaw(w, sawPython)
	var made awssim.Function
	w.OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation == "DeleteFunction" {
			if names := probesLeft(w); len(names) == 1 {
				made, _ = w.Function(names[0])
			}
		}
		return awssim.Fault{}
	})
	code, _, view, text := doctored(t, w, doctorEnvironment, examined, "--probe", "--probe-role", role, "-o", "json")
	if code != exitOK || view.Places[0].Probe == nil || !view.Places[0].Probe.Removed || len(view.Places[0].Probe.Modules) != 1 || len(probesLeft(w)) != 0 {
		t.Fatalf("exit %d, left %v: %s", code, probesLeft(w), text)
	}
	subject, _ := w.Function(examined)
	if made.Role != role || made.Runtime != subject.Runtime || !slices.Equal(made.Layers, subject.Layers) || !slices.Equal(made.Architectures, subject.Architectures) || len(made.Environment) != 0 {
		t.Errorf("%+v", made)
	}
	for _, c := range []struct{ name, answer, says string }{
		{"an import fails", strings.Replace(sawPython, `"version": "1.4.2"`, `"error": "ModuleNotFoundError: x"`, 1), "ModuleNotFoundError"},
		{"no sense", `"?"`, "makes no sense"},
	} {
		pythonSaw(w, c.answer)
		code, _, _, text := doctored(t, w, doctorEnvironment, examined, "--probe", "--probe-role", role)
		if code != exitFailed || !strings.Contains(text, c.says) || len(probesLeft(w)) != 0 {
			t.Errorf("%s: exit %d, left %v: %s", c.name, code, probesLeft(w), text)
		}
	}
}

func TestDoctorProbeRefusals(t *testing.T) {
	w := examinedWorld()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{examined, "--probe"}, "--probe-role is missing"},
		{[]string{examined, "--probe", "--probe-role", "admin"}, "is not the ARN of a role"},
		{[]string{examined, "--probe-role", "arn:aws:iam::123456789012:role/x"}, "add --probe"},
		{[]string{examined, "--probe", "--probe-role", "arn:aws:iam::123456789012:role/x", "--store", "memory:"}, "forgets it"},
		{[]string{"--probe"}, "--probe says nothing about a set-up"},
		{[]string{examined, "--layer", "x.zip"}, "two questions"},
		{[]string{examined, "--runtime", "python3.12"}, "--runtime says nothing about a function"},
		{[]string{examined, "--region", "eu-west-1"}, "prod is not in eu-west-1"},
		{[]string{"arn:aws:s3:::x"}, "is not the ARN of a function"},
		{[]string{examined + ":"}, "is not the name of a function"},
		{[]string{"--layer", "nothere.zip"}, "--layer nothere.zip"},
		{[]string{"--layer", "arn:aws:lambda:ap-northeast-1:123456789012:layer:x"}, "is not the ARN of a layer version"},
		{[]string{"--layer", "x.zip", "--runtime", "python"}, "is not a runtime"},
		{[]string{"--layer", "x.zip", "--runtime", "custom"}, "names no language"},
		{[]string{"--layer", "x.zip", "--architecture", "arm"}, "did you mean arm64?"},
	} {
		code, _, _, text := doctored(t, w, doctorEnvironment, c.args...)
		if code != exitUsage || !strings.Contains(text, c.says) {
			t.Errorf("%v: exit %d: %s", c.args, code, text)
		}
	}
	if w.Writes() != 0 {
		t.Errorf("%d writes", w.Writes())
	}
}

// Whatever call fails and goes on failing, as after a kill, the next look at any function
// removes what is left.
func TestDoctorProbeIsTidiedUp(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/layerd-probe"
	for _, operation := range []string{"CreateFunction", "Invoke", "DeleteFunction", "GetFunction"} {
		t.Run(operation, func(t *testing.T) {
			w := examinedWorld()
			pythonSaw(w, sawPython)
			aws := httptest.NewServer(w.Handler())
			defer aws.Close()
			t.Setenv("AWS_ENDPOINT_URL", aws.URL)
			a, stdout, stderr := testApp(t)
			failing := false
			w.OnCall(func(c awssim.Call) awssim.Fault {
				failing = failing || c.Operation == operation && (operation != "GetFunction" || strings.Contains(c.Resource, "layerd-probe-"))
				if failing {
					return awssim.Denied(c)
				}
				return awssim.Fault{}
			})
			if code := a.execute(t.Context(), []string{"doctor", examined, "--probe", "--probe-role", role}); code != exitFailed {
				t.Errorf("exit %d: %s%s", code, stdout, stderr)
			}
			w.OnCall(nil)
			left := len(probesLeft(w))
			if operation == "DeleteFunction" && left != 1 {
				t.Errorf("%d left", left)
			}
			stdout.Reset()
			again := []string{"doctor", examined}
			if operation == "DeleteFunction" { // whoever looks at the set-up tidies up as well
				again = []string{"doctor", "--env", "prod", "--repo", setUpRepo(t)}
			}
			if code := a.execute(t.Context(), again); code != exitOK || len(probesLeft(w)) != 0 {
				t.Errorf("exit %d, left %v: %s%s", code, probesLeft(w), stdout, stderr)
			}
			if left > 0 && !strings.Contains(stderr.String()+stdout.String(), "had left") {
				t.Errorf("it is not said: %s", stderr)
			}
		})
	}
}

// setUpRepo is a repository whose set-up is right.
func setUpRepo(t *testing.T) string {
	t.Helper()
	repo := t.TempDir()
	for name, text := range map[string]string{"layers/common/layer.yaml": "name: makoto-common\n", "environments/prod.yaml": doctorEnvironment} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(repo, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return repo
}
