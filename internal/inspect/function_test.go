package inspect

import (
	"bytes"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/archive/archivetest"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

const (
	ownLayer    = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod")
	otherLayer  = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:third-party")
	vendorLayer = state.LayerARN("arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog-Python312")
)

var examinedAt = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

// packed opens a real zip of files.
func packed(t *testing.T, files map[string]string) Archive {
	t.Helper()
	data := awssim.Zip(files)
	c, err := archive.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return Archive{Contents: c}
}

func metadata(name, version string) map[string]string {
	return map[string]string{fmt.Sprintf("python/%s-%s.dist-info/METADATA", name, version): fmt.Sprintf("Name: %s\nVersion: %s\n\n", name, version)}
}

func and(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// healthySubject is a function with one layer, wanted and right, whose manifest has the
// name in Git: live it has another.
func healthySubject(t *testing.T) Subject {
	module := map[string]string{"layerd/makoto-common.json": `{"format_version":"1","name":"makoto-common","version":"1.4.2","packages":[]}`,
		"python/makoto_common/__init__.py": "x = 1\n", "python/makoto_common/utils.py": "y = 2\n"}
	s := Subject{
		Function: state.Function{Name: "makoto-chat-prod", ARN: "arn:aws:lambda:ap-northeast-1:123456789012:function:makoto-chat-prod", Runtime: "python3.12", Architecture: "x86_64", State: state.StateActive, LastUpdateStatus: state.UpdateSuccessful},
		Region:   "ap-northeast-1", Account: "123456789012", Now: examinedAt,
		Environment: &desired.Environment{Name: "prod", Alias: "live"},
		Aliases:     []state.Alias{{Name: "live", Version: "7"}},
		Code:        packed(t, map[string]string{"index.py": "import makoto_common\n"}),
		Wants:       []Want{{Layer: "makoto-common", ARN: ownLayer, Number: 4, Label: "1.4.2", Selected: true, At: desired.Position{File: "environments/prod.yaml", Line: 3, Column: 27}}},
	}
	s.attach(Attached{ARN: ownLayer.Version(4), Label: "1.4.2", Runtimes: []string{"python3.12"}, Architectures: []string{"x86_64"}, Archive: packed(t, module)})
	s.AliasLayers = map[string]state.Layers{"live": s.Function.Layers}
	return s
}

// attach adds a layer to the function.
func (s *Subject) attach(a Attached) {
	s.Function.Layers = append(s.Function.Layers.Clone(), a.ARN)
	s.Layers = append(slices.Clone(s.Layers), a)
}

// Nothing is found where nothing is wrong, so that what the cases below find is theirs.
func TestFunctionThatIsRight(t *testing.T) {
	e := Function(healthySubject(t))
	if len(e.Findings) != 0 || !e.Healthy() || len(e.Right) < 3 {
		t.Errorf("%+v", e)
	}
}

// What is not known of a runtime is not among what is right.
func TestUnknownRuntimeFitsNothing(t *testing.T) {
	for _, runtime := range []string{"custom", "cobol9", "go1.x"} {
		s := healthySubject(t)
		s.Runtime, s.Layers[0].Runtimes = runtime, nil
		right := strings.Join(Function(s).Right, "\n")
		if strings.Contains(right, "fits") || !strings.Contains(right, "exists, and what is compiled in it is for x86_64") {
			t.Errorf("%s: right is %q", runtime, right)
		}
	}
}

// one is a case: what is changed about the function that is right, and what is found then.
type one struct {
	code     string
	severity Severity
	change   func(t *testing.T, s *Subject)
	says     string
	also     []string // codes that follow from the same thing
}

func library(machine elf.Machine, lib, version string) string {
	return string(archivetest.ELF(machine, map[string][]string{lib: {version}}))
}

// layerOf replaces what is in the layer.
func layerOf(files map[string]string) func(*testing.T, *Subject) {
	return func(t *testing.T, s *Subject) { s.Layers[0].Archive = packed(t, files) }
}

var module = map[string]string{"python/makoto_common/__init__.py": "x = 1\n"}

func second(files map[string]string) func(*testing.T, *Subject) {
	return func(t *testing.T, s *Subject) {
		s.attach(Attached{ARN: otherLayer.Version(2), Archive: packed(t, files)})
		s.AliasLayers = map[string]state.Layers{"live": s.Function.Layers}
	}
}

func tagged(tags ...string) func(*testing.T, *Subject) {
	return func(_ *testing.T, s *Subject) {
		s.Tags = map[string]string{}
		for i := 0; i < len(tags); i += 2 {
			s.Tags[tags[i]] = tags[i+1]
		}
	}
}

func change(f func(s *Subject)) func(*testing.T, *Subject) {
	return func(_ *testing.T, s *Subject) { f(s) }
}

func functionCases() []one {
	x86 := elf.EM_X86_64
	return []one{
		{"not_attached", Error, change(func(s *Subject) { s.Layers, s.Function.Layers, s.AliasLayers = nil, nil, nil }), "does not have makoto-common 4 (1.4.2)", []string{"no_layers"}},
		{"no_layers", Note, change(func(s *Subject) { s.Layers, s.Function.Layers, s.AliasLayers, s.Wants = nil, nil, nil, nil }), "has no layers", nil},
		{"wrong_version", Warning, change(func(s *Subject) { s.Wants[0].Number, s.Wants[0].Label = 5, "1.4.3" }), "has makoto-common-prod 4 (1.4.2), and Git asks for 5 (1.4.3)", nil},
		{"not_wanted", Warning, change(func(s *Subject) { s.Wants[0].Selected = false }), "no selector of makoto-common chooses it", nil},
		{"not_wanted", Warning, change(func(s *Subject) { s.Wants[0].Number = 0 }), "Git asks for none", nil},
		{"unresolved", Error, change(func(s *Subject) { s.Wants[0].Problem = "makoto-common 9.9.9 is not live" }), "9.9.9 is not live", nil},
		{"layer_yanked", Error, change(func(s *Subject) { s.Wants[0].Yanked = "breaks logins" }), "withdrawn", nil},
		{"layer_yanked", Warning, change(func(s *Subject) { s.Wants[0].Yanked, s.Wants[0].Pinned = "breaks logins", true }), "withdrawn", nil},
		{"layer_deprecated", Warning, change(func(s *Subject) { s.Wants[0].Advice = "take 1.5" }), "advises against", nil},
		{"alias_differs", Warning, change(func(s *Subject) { s.AliasLayers = map[string]state.Layers{"live": {ownLayer.Version(3)}} }), "the alias live serves version 7", nil},
		{"alias_missing", Note, change(func(s *Subject) { s.Aliases, s.AliasLayers = []state.Alias{}, nil }), "has no alias live", nil},
		{"alias_unseen", NotSeen, change(func(s *Subject) { s.AliasesUnread = "denied" }), "through an alias", nil},
		{"variable_unread", Note, change(func(s *Subject) { s.VariablesUnread = "KMSAccessDeniedException" }), "decrypt", nil},
		{"version_gone", Error, change(func(s *Subject) { s.Layers[0].Gone = "ResourceNotFoundException: it does not exist" }), "does not exist any more", []string{"size_unknown"}},
		{"version_gone", Error, change(func(s *Subject) { s.Account = "999999999999"; s.Layers[0].Gone = "AccessDeniedException" }), "deleted, or not shared with account 999999999999", []string{"size_unknown"}},
		{"version_unseen", NotSeen, change(func(s *Subject) { s.Layers[0].Unread = "AccessDenied" }), "not known", []string{"size_unknown"}},
		{"archive_unread", NotSeen, change(func(s *Subject) { s.Layers[0].Archive = Archive{Unread: "it is kept in S3"} }), "not known", []string{"size_unknown"}},
		{"code_unread", NotSeen, change(func(s *Subject) { s.Code = Archive{Unread: "denied"} }), "own package", []string{"size_unknown"}},
		{"size_unknown", NotSeen, change(func(s *Subject) { s.Code = Archive{Unread: "denied"} }), "at least, with what is known", []string{"code_unread"}},
		{"other_region", Error, change(func(s *Subject) { s.Region = "eu-west-1" }), "is of ap-northeast-1, and the function is in eu-west-1", nil},
		{"incompatible_runtime", Warning, change(func(s *Subject) { s.Layers[0].Runtimes = []string{"python3.11"} }), "published for python3.11, and the function runs on python3.12", nil},
		{"incompatible_architecture", Warning, change(func(s *Subject) { s.Layers[0].Architectures = []string{"arm64"} }), "published for arm64", nil},
		{"image_function", Note, change(func(s *Subject) { s.Image = true }), "container image", nil},
		{"edge_function", Note, change(func(s *Subject) { s.Edge = true }), "replica", nil},
		{"too_many_layers", Error, func(t *testing.T, s *Subject) {
			for i := range int64(5) {
				second(map[string]string{fmt.Sprintf("python/m%d.py", i): "x"})(t, s)
			}
		}, "has 6 layers", nil},
		{"state_bad", Error, change(func(s *Subject) { s.LastUpdateStatus, s.StatusReason = state.UpdateFailed, "the role is gone" }), "last update failed", nil},
		{"state_bad", Error, change(func(s *Subject) { s.State = state.StateFailed }), "cannot be called", nil},
		{"state_changing", Note, change(func(s *Subject) { s.LastUpdateStatus = state.UpdateInProgress }), "in progress", nil},
		{"state_changing", Note, change(func(s *Subject) { s.State = state.StateInactive }), "sleeps", nil},
		{"runtime_unknown", Note, change(func(s *Subject) { s.Runtime, s.Layers[0].Runtimes = "cobol9", nil }), "nothing is known", nil},
		{"runtime_unknown", Note, change(func(s *Subject) { s.Runtime, s.Layers[0].Runtimes = "custom", []string{"python3.12"} }), "customer-managed, which names no language", nil},
		{"runtime_unknown", Note, func(t *testing.T, s *Subject) {
			s.Runtime = "custom"
			layerOf(map[string]string{"anywhere/index.js": "x", "n.cpython-311-x86_64-linux-gnu.so": library(x86, "libc.so.6", "GLIBC_2.38")})(t, s)
		}, "was not judged", nil},
		{"wrong_architecture", Error, func(t *testing.T, s *Subject) {
			s.Runtime = "custom"
			layerOf(map[string]string{"n.so": library(elf.EM_AARCH64, "libc.so.6", "GLIBC_2.17")})(t, s)
		}, "compiled for arm64", []string{"runtime_unknown"}},
		{"runtime_deprecated", Warning, change(func(s *Subject) { s.Runtime, s.Layers[0].Runtimes = "python3.10", nil }), "python3.10 ended on or before 2026-10-31", nil},
		{"runtime_deprecated", Warning, change(func(s *Subject) { s.Runtime, s.Layers[0].Runtimes, s.Now = "python3.11", nil, day("2027-03-01") }), "python3.11 ends on or before 2027-06-30", nil},
		{"runtime_frozen", Warning, change(func(s *Subject) { s.Runtime, s.Layers[0].Runtimes, s.Now = "python3.9", nil, day("2027-03-03") }), "takes no updates", nil},
		{"wrong_folder", Error, layerOf(map[string]string{"makoto_common/__init__.py": "x"}), "python/ below /opt", nil},
		{"wrong_folder", Error, layerOf(map[string]string{"layer/python/makoto_common/__init__.py": "x"}), "there is layer/python/", nil},
		{"wrong_folder", Warning, layerOf(map[string]string{"fonts/ipa.ttf": "x"}), "python/ below /opt", nil},
		{"wrong_architecture", Error, layerOf(and(module, map[string]string{"python/n.so": library(elf.EM_AARCH64, "libc.so.6", "GLIBC_2.17")})), "compiled for arm64", nil},
		{"glibc", Error, layerOf(and(module, map[string]string{"python/n.so": library(x86, "libc.so.6", "GLIBC_2.38")})), "needs glibc 2.38", nil},
		{"musl", Error, layerOf(and(module, map[string]string{"python/n.so": library(x86, "libc.musl-x86_64.so.1", "X")})), "needs musl", nil},
		{"python_version", Error, layerOf(and(module, map[string]string{"python/n.cpython-311-x86_64-linux-gnu.so": library(x86, "libc.so.6", "GLIBC_2.17")})), "compiled for Python 3.11", nil},
		{"bad_elf", Error, layerOf(and(module, map[string]string{"python/n.so": "\x7fELF" + strings.Repeat("\xff", 60)})), "no ELF file", nil},
		{"foreign_binary", Warning, layerOf(and(module, map[string]string{"python/n.pyd": "MZ"})), "another operating system", nil},
		{"shadows_stdlib", Error, layerOf(and(module, map[string]string{"python/typing.py": "x"})), "Python's own module typing", nil},
		{"shadows_runtime", Warning, layerOf(and(module, map[string]string{"python/boto3/__init__.py": "x"})), "the runtime's own boto3", nil},
		{"import_missing", Error, change(func(s *Subject) { s.Layers[0].Imports = []string{"makoto_common.ai"} }), "imports names makoto_common.ai", nil},
		{"requirement_conflict", Error, layerOf(and(module, metadata("urllib3", "2.2.2"), map[string]string{"python/requests-2.0.dist-info/METADATA": "Name: requests\nVersion: 2.0\nRequires-Dist: urllib3<2\n\n"})), "needs urllib3<2", nil},
		{"package_twice", Error, layerOf(and(module, metadata("urllib3", "2.2.2"), metadata("urllib3", "1.26"))), "is there as", nil},
		{"bad_name", Error, layerOf(and(module, map[string]string{"/etc/x": "x"})), "begins at the root", nil},
		{"empty_layer", Error, layerOf(nil), "nothing in it", nil},
		{"package_twice", Warning, func(t *testing.T, s *Subject) {
			layerOf(and(module, metadata("urllib3", "2.2.2")))(t, s)
			second(metadata("urllib3", "1.26.20"))(t, s)
		}, "urllib3 is in 2 layers in different versions", nil},
		{"shadowed_file", Warning, second(map[string]string{"python/makoto_common/utils.py": "y = 3\n"}), "1 file of it are hidden by third-party 2", nil},
		{"hidden_module", Warning, second(map[string]string{"python/lib/python3.12/site-packages/makoto_common/__init__.py": "z"}), "hidden by those of third-party 2", nil},
		{"shadowed_by_code", Warning, func(t *testing.T, s *Subject) {
			s.Code = packed(t, map[string]string{"index.py": "x", "makoto_common/__init__.py": "x = 1\n"})
		}, "function's own package", nil},
		{"shadowed_by_code", Warning, func(t *testing.T, s *Subject) {
			s.Runtime, s.Layers[0].Runtimes = "nodejs24.x", nil
			s.Layers[0].Archive = packed(t, map[string]string{"nodejs/node_modules/@acme/log/index.js": "x"})
			s.Code = packed(t, map[string]string{"index.js": "x", "node_modules/@acme/log/index.js": "y"})
		}, "function's own package", nil},
		{"too_large", Error, change(func(s *Subject) { s.Code.Unzipped = archive.MaxUnzipped }), "every update that names them is refused", nil},
		{"unpacked_at_limit", Warning, change(func(s *Subject) { s.Code.Unzipped = archive.MaxUnzipped - 100 }), "may not fit", nil},
		{"unsigned_layer", Error, change(func(s *Subject) { s.Signing = &state.Signing{Enforce: true, Allowed: []string{"arn:p"}} }), "is not signed", nil},
		{"unsigned_layer", Warning, change(func(s *Subject) {
			s.Signing, s.Layers[0].Signer = &state.Signing{Allowed: []string{"arn:p"}}, "arn:q"
		}), "AWS only warns", nil},
		{"signing_unknown", NotSeen, change(func(s *Subject) { s.SigningUnread = "denied" }), "not known", nil},
		{"variable_lies", Warning, change(func(s *Subject) { s.Variables = map[string]string{"LAYER_VERSION": "3"} }), "LAYER_VERSION=3", nil},
		{"variable_lies", Warning, change(func(s *Subject) { s.Variables = map[string]string{"MAKOTO_COMMON_LAYER_VERSION": "v1.4.1"} }), "=v1.4.1, and that is not attached", nil},
		{"variable_lies", Warning, change(func(s *Subject) { s.Variables = map[string]string{"LAYER_ARN": string(ownLayer.Version(3))} }), "not attached", nil},
		{"variable_unread", Note, change(func(s *Subject) { s.Variables = map[string]string{"LAYER_VERSION": ""} }), "not shown", nil},
		{"variable_unread", Note, change(func(s *Subject) {
			s.Variables, s.Layers[0].Label = map[string]string{"LAYER_VERSION": "1.4.2"}, ""
		}), "not known", nil},
		{"written_by_cloudformation", Warning, tagged("aws:cloudformation:stack-name", "makoto-prod", "aws:cloudformation:logical-id", "Chat"), "the stack makoto-prod owns it", nil},
		{"written_by_serverless", Warning, tagged("aws:cloudformation:stack-name", "makoto-prod", "aws:cloudformation:logical-id", "ChatLambdaFunction", "STAGE", "prod"), "Serverless Framework", nil},
		{"written_by_terraform", Warning, tagged("ManagedBy", "Terraform"), "each apply puts back", nil},
		{"written_by_terraform", Note, func(t *testing.T, s *Subject) { tagged("terraform", "true")(t, s); s.Wants = nil }, "each apply puts back", nil},
		{"written_by_vendor", Note, func(t *testing.T, s *Subject) {
			s.attach(Attached{ARN: vendorLayer.Version(98), Archive: packed(t, map[string]string{"python/datadog_lambda/__init__.py": "x"})})
			s.AliasLayers = nil
		}, "of Datadog puts there by itself", nil},
		{"written_by_other", Note, change(func(s *Subject) {
			s.Writer = Writer{Who: "arn:aws:sts::123456789012:assumed-role/deploy/ci", At: examinedAt}
		}), "assumed-role/deploy/ci changed", nil},
		{"trail_unread", Note, change(func(s *Subject) { s.Writer.Unread = "AccessDenied" }), "not known", nil},
	}
}

func TestFunctionFindings(t *testing.T) {
	for _, c := range functionCases() {
		t.Run(c.code+" "+c.says, func(t *testing.T) {
			s := healthySubject(t)
			c.change(t, &s)
			e := Function(s)
			i := slices.IndexFunc(e.Findings, func(f Finding) bool { return f.Code == c.code })
			if i < 0 {
				t.Fatalf("not found: %+v", e.Findings)
			}
			f := e.Findings[i]
			if f.Severity != c.severity || !strings.Contains(f.Message, c.says) || f.Evidence == nil || f.Subject == "" {
				t.Errorf("%+v", f)
			}
			if f.Command == "" && f.Advice == "" && c.code != "edge_function" {
				t.Errorf("nothing to do about it: %+v", f)
			}
			for _, other := range e.Findings {
				if other.Code != c.code && !slices.Contains(c.also, other.Code) {
					t.Errorf("found besides: %+v", other)
				}
			}
			if wrong := e.Count(Error) > 0 || e.Count(NotSeen) > 0; e.Healthy() == wrong {
				t.Errorf("healthy is %v with %+v", e.Healthy(), e.Findings)
			}
		})
	}
}

// A function that the environment selects for nothing is named as such, with the lines that
// pass it by and the one that would select it; where another environment has it, that one.
func TestNotSelected(t *testing.T) {
	at := func(line int) desired.Position { return desired.Position{File: "environments/prod.yaml", Line: line} }
	wish := func(change func(*desired.LayerWish)) desired.Environment {
		w := desired.LayerWish{Name: "makoto-common", Layer: ownLayer, Functions: []desired.Selector{{Name: "other-*", At: at(9)}}, At: at(8)}
		change(&w)
		return desired.Environment{Name: "prod", File: "environments/prod.yaml", Layers: []desired.LayerWish{w}}
	}
	for _, c := range []struct {
		name           string
		env            desired.Environment
		beside         []string
		evidence, help string
		selected       bool
	}{
		{name: "selected", env: wish(func(w *desired.LayerWish) { w.Functions[0].Name = "makoto-*" }), selected: true},
		{name: "another name", env: wish(func(*desired.LayerWish) {}), evidence: "environments/prod.yaml:9: makoto-common selects other-*", help: "functions of a layer in environments/prod.yaml:\n- \"makoto-chat-prod\""},
		{name: "by tag", env: wish(func(w *desired.LayerWish) {
			w.Functions = []desired.Selector{{Tags: map[string]string{"team": "x"}, At: at(10)}, {Name: "a"}}
		}), evidence: "environments/prod.yaml:10: makoto-common selects tag team=x and 1 more", help: "- \"makoto-chat-prod\""},
		{name: "taken away", env: wish(func(w *desired.LayerWish) {
			w.Functions[0].Name, w.Except = "makoto-*", []desired.Selector{{Name: "*-chat-*", At: at(12)}}
		}), evidence: "environments/prod.yaml:12 takes it from makoto-common: except *-chat-*", help: "let except of makoto-common"},
		{name: "no selector", env: wish(func(w *desired.LayerWish) { w.Functions = nil }), evidence: "makoto-common has no functions", help: "makoto-chat-prod"},
		{name: "another environment's", env: wish(func(*desired.LayerWish) {}), beside: []string{"dev"}, evidence: "selects other-*", help: "layerd doctor makoto-chat-prod --env dev"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthySubject(t)
			c.env.Alias, s.Environment, s.Beside, s.Wants = "live", &c.env, c.beside, nil
			i := slices.IndexFunc(Function(s).Findings, func(f Finding) bool { return f.Code == "not_selected" })
			if c.selected {
				if i >= 0 {
					t.Error("found of one that is selected")
				}
				return
			}
			if i < 0 {
				t.Fatal("not found")
			}
			f := Function(s).Findings[i]
			if f.Severity != Warning || !strings.Contains(strings.Join(f.Evidence, "\n"), c.evidence) || !strings.Contains(f.Advice+f.Command, c.help) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A vendor's layer that unmanaged lists, whole or as a pattern, needs no advice to list it.
func TestVendorThatIsUnmanaged(t *testing.T) {
	for _, pattern := range []string{"", string(vendorLayer), string(vendorLayer.Version(98)), "arn:aws:lambda:*:464622532012:layer:*"} {
		s := healthySubject(t)
		s.attach(Attached{ARN: vendorLayer.Version(98), Archive: packed(t, map[string]string{"python/datadog_lambda/__init__.py": "x"})})
		env := *s.Environment
		if pattern != "" {
			env.Unmanaged = []string{"arn:aws:lambda:*:1:layer:other", pattern}
		}
		s.Environment = &env
		for _, f := range Function(s).Findings {
			if f.Code == "written_by_vendor" && strings.Contains(f.Advice, "list it under unmanaged") != (pattern == "") {
				t.Errorf("unmanaged %q: %s", pattern, f.Advice)
			}
		}
	}
}

// What makes peace is a line to paste, with what is live.
func TestPeace(t *testing.T) {
	s := healthySubject(t)
	tagged("aws:cloudformation:stack-name", "makoto-prod")(t, &s)
	if f := Function(s).Findings[0]; !strings.Contains(f.Advice, "Layers:\n  - "+string(ownLayer.Version(4))) {
		t.Errorf("%+v", f)
	}
	tagged("managed-by", "terraform")(t, &s)
	if f := Function(s).Findings[0]; !strings.Contains(f.Advice, "lifecycle { ignore_changes = [layers] }") {
		t.Errorf("%+v", f)
	}
}

// Values of variables are read of those only that are meant to name a layer's version, and
// shown only where they look like one.
func TestVariablesThatAreRead(t *testing.T) {
	for name, want := range map[string]bool{
		"LAYER_VERSION": true, "MAKOTO_LAYER_VERSION": true, "layer_version": true, "LAYER_VERSION_COMMON": true, "LAYER_ARN": true, "LAYERS_VERSION": true,
		"DB_PASSWORD": false, "LAYER_TOKEN": false, "VERSION": false, "PLAYER_VERSION": false, "API_KEY": false, "LAYER_VERSION_": false,
	} {
		if NamesVersion(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	for value, want := range map[string]string{
		"4": "4", " 1.4.2 ": "1.4.2", "v1.4.2-rc.1+b": "v1.4.2-rc.1+b", string(ownLayer.Version(3)): string(ownLayer.Version(3)),
		"s3cr3t": "", "AKIAIOSFODNN7EXAMPLE": "", "latest": "", "1.4.2 password": "", "": "", "12345678901234567890": "",
	} {
		if got := ShownVersion(value); got != want {
			t.Errorf("%q is shown as %q", value, got)
		}
	}
}

// The list of codes is the promise: sorted, each once, each with a meaning, and each one
// that is found is in it.
func TestCodes(t *testing.T) {
	names := []string{}
	for _, c := range Codes() {
		names = append(names, c.Name)
		if c.Text == "" {
			t.Errorf("%s means nothing", c.Name)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not sorted, or one twice: %v", names)
	}
	for _, c := range functionCases() {
		if !slices.Contains(names, c.code) {
			t.Errorf("%s is not in the list", c.code)
		}
	}
}

// The page of the package lists what the program knows.
func TestCodesAreOnThePage(t *testing.T) {
	page, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Codes() {
		if !regexp.MustCompile(`(?m)^//\t` + c.Name + ` +` + regexp.QuoteMeta(c.Text) + `$`).Match(page) {
			t.Errorf("not in doc.go: %s  %s", c.Name, c.Text)
		}
		if !regexp.MustCompile("(?m)^\\| `" + c.Name + "` \\| [a-z, ]+ \\| " + regexp.QuoteMeta(c.Text) + ` \|$`).Match(docs) {
			t.Errorf("not in docs/doctor.md: %s  %s", c.Name, c.Text)
		}
	}
}
