package main

import (
	"debug/elf"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/archive/archivetest"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/present"
)

const examined = "makoto-chat-prod"

// doctorRepo asks for makoto-common 1.4.2 on the functions of prod, through the alias live.
const doctorEnvironment = `account: "123456789012"
region: ap-northeast-1
layer_name: ${NAME}-${ENVIRONMENT}
alias: live
layers:
  makoto-common: {version: 1.4.2, functions: ["makoto-*-prod"]}
`

// examinedWorld has one function, with the layer that it is to have, and its archive.
func examinedWorld() *awssim.World {
	w := awssim.New(awssim.Options{Account: simAccount, Region: testRegion, Limits: awssim.Unlimited(), TrailLag: 1})
	layer := awssim.Zip(map[string]string{"python/makoto_common/__init__.py": "x = 1\n"})
	for _, version := range []string{"1.4.1", "1.4.2"} {
		w.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-prod", Description: "makoto-common v" + version, Runtimes: []string{"python3.12"}, Architectures: []string{"x86_64"}, Content: layer})
	}
	w.PutFunction(awssim.Function{Name: examined, Runtime: "python3.12", Layers: []string{w.LayerARN("makoto-common-prod", 2)}})
	w.PutAlias(awssim.Alias{Function: examined, Name: "live", Version: w.PutVersion(examined)})
	return w
}

// doctored runs doctor in this process and returns the findings by code.
func doctored(t *testing.T, w *awssim.World, environment string, args ...string) (code int, findings map[string]present.Finding, view functionView, text string) {
	t.Helper()
	aws := httptest.NewServer(w.Handler())
	t.Cleanup(aws.Close)
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	a, stdout, stderr := testApp(t)
	repo := t.TempDir()
	for name, text := range map[string]string{
		"layers/common/layer.yaml": "name: makoto-common\nimports: [makoto_common]\nyanked: {1.3.0: breaks logins}\n", "environments/prod.yaml": environment,
	} {
		path := filepath.Join(repo, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if environment != "" {
		args = append(args, "--repo", repo, "--env", "prod")
	}
	code = a.execute(t.Context(), append([]string{"doctor", "--requests-per-second", "15"}, args...))
	findings = map[string]present.Finding{}
	if slices.Contains(args, "json") {
		if err := json.Unmarshal(stdout.Bytes(), &view); err != nil {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
		for _, p := range view.Places {
			for _, f := range p.Findings {
				findings[f.Code] = f
			}
		}
	}
	return code, findings, view, stdout.String() + stderr.String()
}

func edited(edit func(w *awssim.World, f *awssim.Function)) func(w *awssim.World) {
	return func(w *awssim.World) {
		w.EditFunction(examined, func(f *awssim.Function) { edit(w, f) })
	}
}

// relayered puts another content into the function's layer, in a version that says it is the
// one that is wanted, and publishes the function with it.
func relayered(change func(v *awssim.LayerVersion)) func(w *awssim.World) {
	return func(w *awssim.World) {
		w.DropLayerVersion(w.LayerARN("makoto-common-prod", 2))
		v := awssim.LayerVersion{Name: "makoto-common-prod", Description: "makoto-common v1.4.2", Content: awssim.Zip(map[string]string{"python/makoto_common/__init__.py": "x = 1\n"})}
		change(&v)
		n := w.PutLayerVersion(v)
		w.PutFunction(awssim.Function{Name: examined, Runtime: "python3.12", Layers: []string{w.LayerARN("makoto-common-prod", n)}})
		w.PutAlias(awssim.Alias{Function: examined, Name: "live", Version: w.PutVersion(examined)})
	}
}

func content(files map[string]string) func(w *awssim.World) {
	return relayered(func(v *awssim.LayerVersion) {
		all := map[string]string{"python/makoto_common/__init__.py": "x = 1\n"}
		maps.Copy(all, files)
		v.Content = awssim.Zip(all)
	})
}

// beside attaches another layer behind the first.
func beside(files map[string]string) func(w *awssim.World) {
	return func(w *awssim.World) {
		n := w.PutLayerVersion(awssim.LayerVersion{Name: "third-party", Content: awssim.Zip(files)})
		w.EditFunction(examined, func(f *awssim.Function) { f.Layers = append(f.Layers, w.LayerARN("third-party", n)) })
		w.PutAlias(awssim.Alias{Function: examined, Name: "live", Version: w.PutVersion(examined)})
	}
}

func refusing(operation string) func(w *awssim.World) {
	return func(w *awssim.World) {
		w.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == operation {
				return awssim.Denied(c)
			}
			return awssim.Fault{}
		})
	}
}

func soFile(machine elf.Machine, library, version string) map[string]string {
	return map[string]string{"python/native.so": string(archivetest.ELF(machine, map[string][]string{library: {version}}))}
}

func dist(name, version string) map[string]string {
	return map[string]string{"python/" + name + "-" + version + ".dist-info/METADATA": "Name: " + name + "\nVersion: " + version + "\n\n"}
}

// TestDoctorFunctionLive plays each finding that a live function can show in the simulated
// AWS, with real archives, and reads it from the command's own document.
func TestDoctorFunctionLive(t *testing.T) {
	gone := func(w *awssim.World) { w.DropLayerVersion(w.LayerARN("makoto-common-prod", 2)) }
	for _, c := range []struct {
		name, code string
		severity   string // empty: nothing is found at all
		change     func(w *awssim.World)
		env        string // the environment's file, where it is another one
		exit       int
	}{
		{"all is right", "", "", func(*awssim.World) {}, "", exitOK},
		{"not attached", "not_attached", "error", edited(func(_ *awssim.World, f *awssim.Function) { f.Layers = nil }), "", exitFailed},
		{"no layers", "no_layers", "note", edited(func(_ *awssim.World, f *awssim.Function) { f.Layers = nil }), "", exitFailed},
		{"another version", "wrong_version", "warning", edited(func(w *awssim.World, f *awssim.Function) { f.Layers = []string{w.LayerARN("makoto-common-prod", 1)} }), "", exitOK},
		{"the alias lags", "alias_differs", "warning", edited(func(w *awssim.World, f *awssim.Function) { f.Layers = []string{w.LayerARN("makoto-common-prod", 1)} }), "", exitOK},
		{"no alias", "alias_missing", "note", func(w *awssim.World) { w.DropAlias(examined, "live") }, "", exitOK},
		{"no right to aliases", "alias_unseen", "unknown", refusing("ListAliases"), "", exitOK},
		{"not wanted", "not_wanted", "warning", func(*awssim.World) {}, strings.ReplaceAll(doctorEnvironment, "makoto-*-prod", "other-*"), exitOK},
		{"not selected", "not_selected", "warning", func(*awssim.World) {}, strings.ReplaceAll(doctorEnvironment, "makoto-*-prod", "other-*"), exitOK},
		{"not to be had", "unresolved", "error", func(*awssim.World) {}, strings.ReplaceAll(doctorEnvironment, "1.4.2", "9.9.9"), exitFailed},
		{"withdrawn", "layer_yanked", "error", relayered(func(v *awssim.LayerVersion) { v.Description = "makoto-common v1.3.0" }), strings.ReplaceAll(doctorEnvironment, "1.4.2", "1.4.1"), exitFailed},
		{"the version is deleted", "version_gone", "error", gone, "", exitFailed},
		{"no right to the version", "version_unseen", "unknown", refusing("GetLayerVersionByArn"), "", exitOK},
		{"kept in a bucket", "archive_unread", "unknown", relayered(func(v *awssim.LayerVersion) { v.Reference = awssim.ObjectVersion{Bucket: "b", Key: "k", Version: "v"} }), "", exitOK},
		{"size not known", "size_unknown", "unknown", relayered(func(v *awssim.LayerVersion) { v.Content = []byte("no zip") }), "", exitOK},
		{"another runtime", "incompatible_runtime", "warning", relayered(func(v *awssim.LayerVersion) { v.Runtimes = []string{"python3.9"} }), "", exitOK},
		{"another architecture", "incompatible_architecture", "warning", relayered(func(v *awssim.LayerVersion) { v.Architectures = []string{"arm64"} }), "", exitOK},
		{"the wrong folder", "wrong_folder", "error", relayered(func(v *awssim.LayerVersion) {
			v.Content = awssim.Zip(map[string]string{"makoto_common/__init__.py": "x"})
		}), "", exitFailed},
		{"another machine", "wrong_architecture", "error", content(soFile(elf.EM_AARCH64, "libc.so.6", "GLIBC_2.17")), "", exitFailed},
		{"a newer C library", "glibc", "error", content(soFile(elf.EM_X86_64, "libc.so.6", "GLIBC_2.39")), "", exitFailed},
		{"Alpine", "musl", "error", content(soFile(elf.EM_X86_64, "libc.musl-x86_64.so.1", "X")), "", exitFailed},
		{"imports", "import_missing", "error", relayered(func(v *awssim.LayerVersion) { v.Content = awssim.Zip(map[string]string{"python/other.py": "x"}) }), "", exitFailed},
		{"one file in two layers", "shadowed_file", "warning", beside(map[string]string{"python/makoto_common/__init__.py": "x = 2\n"}), "", exitOK},
		{"one module in two folders", "hidden_module", "warning", beside(map[string]string{"python/lib/python3.12/site-packages/makoto_common/__init__.py": "x"}), "", exitOK},
		{"one package in two layers", "package_twice", "warning", func(w *awssim.World) { content(dist("urllib3", "2.2.2"))(w); beside(dist("urllib3", "1.26.20"))(w) }, "", exitOK},
		{"the function has it too", "shadowed_by_code", "warning", func(w *awssim.World) {
			w.PutFunction(awssim.Function{Name: examined, Runtime: "python3.12", Layers: []string{w.LayerARN("makoto-common-prod", 2)}, Code: awssim.Zip(map[string]string{"makoto_common/__init__.py": "x = 0\n"})})
		}, "", exitOK},
		{"its package is no zip", "code_unread", "unknown", func(w *awssim.World) {
			w.PutFunction(awssim.Function{Name: examined, Runtime: "python3.12", Layers: []string{w.LayerARN("makoto-common-prod", 2)}, Code: []byte("no zip")})
		}, "", exitOK},
		{"signed only", "unsigned_layer", "error", func(w *awssim.World) {
			w.SetCodeSigning(examined, w.PutCodeSigningConfig(awssim.CodeSigningConfig{Enforce: true, Publishers: []string{"arn:aws:signer:ap-northeast-1:123456789012:/signing-profiles/p/abcdefghij"}}))
		}, "", exitFailed},
		{"no right to signing", "signing_unknown", "unknown", refusing("ListCodeSigningConfigs"), "", exitOK},
		{"a variable that lies", "variable_lies", "warning", edited(func(_ *awssim.World, f *awssim.Function) { f.Environment = map[string]string{"LAYER_VERSION": "1.4.1"} }), "", exitOK},
		{"a variable that is none", "variable_unread", "note", edited(func(_ *awssim.World, f *awssim.Function) {
			f.Environment = map[string]string{"LAYER_VERSION": "hunter2"}
		}), "", exitOK},
		{"an old runtime", "runtime_deprecated", "warning", edited(func(_ *awssim.World, f *awssim.Function) { f.Runtime = "nodejs18.x" }), "", exitFailed},
		{"a customer-managed runtime", "runtime_unknown", "note", edited(func(_ *awssim.World, f *awssim.Function) {
			f.Runtime, f.RuntimeARN, f.RuntimeAlias = "custom", "arn:aws:lambda:ap-northeast-1:123456789012:runtime/r", "live"
		}), "", exitOK},
		{"an unknown runtime", "runtime_unknown", "note", edited(func(_ *awssim.World, f *awssim.Function) { f.Runtime = "cobol9" }), "", exitOK},
		{"a failed update", "state_bad", "error", edited(func(_ *awssim.World, f *awssim.Function) {
			f.LastUpdateStatus, f.LastUpdateStatusReason = "Failed", "no role"
		}), "", exitFailed},
		{"an update", "state_changing", "note", edited(func(_ *awssim.World, f *awssim.Function) { f.LastUpdateStatus = "InProgress" }), "", exitOK},
		{"an image", "image_function", "note", func(w *awssim.World) {
			w.PutFunction(awssim.Function{Name: examined, PackageType: "Image", ImageURI: "x"})
		}, "", exitOK},
		{"a stack", "written_by_cloudformation", "warning", edited(func(_ *awssim.World, f *awssim.Function) { f.Tags = nil }), "", exitOK},
		{"Terraform", "written_by_terraform", "warning", nil, "", exitOK},
		{"Serverless", "written_by_serverless", "warning", nil, "", exitOK},
		{"a vendor", "written_by_vendor", "note", func(w *awssim.World) {
			w.PutLayerVersion(awssim.LayerVersion{Account: "464622532012", Name: "Datadog-Extension", Number: 65, Grants: []awssim.Grant{{Principal: "*"}}, Content: awssim.Zip(map[string]string{"extensions/datadog-agent": "x"})})
			w.EditFunction(examined, func(f *awssim.Function) {
				f.Layers = append(f.Layers, "arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog-Extension:65")
			})
		}, "", exitOK},
		{"a vendor's version is gone", "version_gone", "error", edited(func(_ *awssim.World, f *awssim.Function) {
			f.Layers = append(f.Layers, "arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog-Extension:65")
		}), "", exitFailed},
		{"another Region", "other_region", "error", edited(func(_ *awssim.World, f *awssim.Function) {
			f.Layers = append(f.Layers, "arn:aws:lambda:eu-west-1:123456789012:layer:x:1")
		}), "", exitFailed},
		{"six layers", "too_many_layers", "error", edited(func(w *awssim.World, f *awssim.Function) {
			for range 5 {
				f.Layers = append(f.Layers, w.LayerARN("makoto-common-prod", 1))
			}
		}), "", exitFailed},
		{"somebody", "written_by_other", "note", func(w *awssim.World) {
			w.EditFunctionAs("deploy", examined, func(f *awssim.Function) { f.Timeout = 5 })
		}, "", exitOK},
		{"no right to CloudTrail", "trail_unread", "note", refusing("LookupEvents"), "", exitOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := examinedWorld()
			switch c.code {
			case "written_by_cloudformation", "written_by_terraform", "written_by_serverless":
				w.PutFunction(awssim.Function{Name: examined, Runtime: "python3.12", Layers: []string{w.LayerARN("makoto-common-prod", 2)}, Tags: map[string]map[string]string{
					"written_by_cloudformation": {"aws:cloudformation:stack-name": "chat"}, "written_by_terraform": {"managed-by": "Terraform"},
					"written_by_serverless": {"aws:cloudformation:stack-name": "chat", "aws:cloudformation:logical-id": "ChatLambdaFunction", "STAGE": "prod"},
				}[c.code]})
			default:
				c.change(w)
			}
			env := c.env
			if env == "" {
				env = doctorEnvironment
			}
			code, found, view, text := doctored(t, w, env, examined, "-o", "json")
			if code != c.exit {
				t.Errorf("exit code %d: %s", code, text)
			}
			if c.severity == "" && (len(found) > 0 || !view.Healthy || len(view.Places[0].Right) < 3) || c.severity != "" && string(found[c.code].Severity) != c.severity {
				t.Errorf("%s", text)
			}
			if strings.Contains(text, "hunter2") || strings.Contains(text, "awssim-download") {
				t.Errorf("a secret is shown: %s", text)
			}
			if w.Writes() != 0 {
				t.Errorf("%d writes", w.Writes())
			}
		})
	}
}

// What a look at a function costs is what docs/doctor.md says.
func TestDoctorFunctionCalls(t *testing.T) {
	w := examinedWorld()
	doctored(t, w, doctorEnvironment, examined)
	got := map[string]int{}
	for _, c := range w.Calls() {
		got[c.Operation]++
	}
	want := map[string]int{
		"GetCallerIdentity": 1, "GetFunction": 2, "GetLayerVersionByArn": 1, "ListLayerVersions": 1, "ListAliases": 1, "ListCodeSigningConfigs": 1, "LookupEvents": 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
