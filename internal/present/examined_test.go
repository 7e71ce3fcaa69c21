package present

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/state"
)

const examinedLayer = state.LayerARN("arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod")

func examinedFunction() (inspect.Subject, inspect.Examination) {
	s := inspect.Subject{
		Function: state.Function{Name: "makoto-会話-prod", Runtime: "python3.12", Architecture: "x86_64"}, Region: "ap-northeast-1", Account: "123456789012",
		Environment: &desired.Environment{Name: "prod"}, Alias: "live", Serves: state.Served{Version: "7"},
		Layers: []inspect.Attached{
			{ARN: examinedLayer.Version(4), Label: "1.4.2", Archive: inspect.Archive{Contents: &archive.Contents{Unzipped: 1 << 20, Packages: []archive.Package{{Kind: archive.PyPI, Name: "urllib3", Version: "2.2.2"}}}}},
			{ARN: "arn:aws:lambda:ap-northeast-1:464622532012:layer:Datadog-Extension:65", Unread: "AccessDenied"},
		},
	}
	at := desired.Position{File: "environments/prod 東.yaml", Line: 3, Column: 27}
	return s, inspect.Examination{
		Findings: []inspect.Finding{
			{Code: "not_attached", Severity: inspect.Error, Subject: s.Name, Message: "does not have makoto-common 4 (1.4.2), which Git asks for: an import from it fails", Evidence: []string{"environments/prod.yaml:3 asks for it"}, Command: "layerd why makoto-会話-prod --env prod --repo .", At: at},
			{Code: "written_by_terraform", Severity: inspect.Warning, Subject: s.Name, Message: "Terraform owns it", Evidence: []string{"the tag managed-by"}, Advice: "in its resource aws_lambda_function: lifecycle { ignore_changes = [layers] }"},
			{Code: "version_unseen", Severity: inspect.NotSeen, Subject: string(s.Layers[1].ARN), Message: "whether it exists\x1b[31m and may be read is not known", Evidence: []string{"AccessDenied"}},
			{Code: "no_layers", Severity: inspect.Note, Subject: s.Name, Message: "has no layers", Evidence: []string{}},
		},
		Right: []string{"the function and its layers take 12 MB of 250 MB unzipped together"},
	}
}

func TestExaminedFunctionText(t *testing.T) {
	e := NewExaminedFunction(examinedFunction())
	e.Probe = &Probe{Function: "layerd-probe-1", Runtime: "3.12.3", Path: []string{"/var/task", "/opt/python"}, Variables: []string{"AWS_REGION", "DB_PASSWORD"}, Removed: true, Modules: []ProbeModule{
		{Name: "makoto_common", File: "/opt/python/makoto_common/__init__.py", Version: "1.4.2"}, {Name: "makoto_common.ai", Error: "ModuleNotFoundError: No module named 'makoto_common.ai'"},
	}}
	text := e.Text(Options{Width: 80})
	golden(t, "examined_function.txt", text)
	for line := range strings.SplitSeq(text, "\n") {
		if foreign.Width(line) > 80 && !strings.Contains(line, "→") && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("wider than 80: %s", line)
		}
	}
}

func TestExaminedArchiveText(t *testing.T) {
	c := &archive.Contents{Size: 2048, Unzipped: 8192, Files: []archive.Member{{Name: "python/x.py", Size: 8192, Compressed: 2000}}, Packages: []archive.Package{{Kind: archive.PyPI, Name: "urllib3", Version: "2.2.2", Size: 4096}}}
	l := archive.Layer{Runtimes: []string{"python3.12"}}
	golden(t, "examined_archive.txt", NewExaminedArchive("dist/common.zip", l, c, inspect.ArchiveOf("dist/common.zip", l, inspect.Archive{Contents: c})).Text(Options{Width: 80}))
}

// A document has lists and never null, and of what is not known null and never a number.
func TestExaminedDocuments(t *testing.T) {
	for _, document := range []any{
		NewExaminedFunction(examinedFunction()), NewExaminedFunction(inspect.Subject{}, inspect.Function(inspect.Subject{})),
		NewExaminedArchive("x", archive.Layer{}, nil, inspect.ArchiveOf("x", archive.Layer{}, inspect.Archive{Unread: "y"})),
	} {
		text, err := JSON(document)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if strings.Contains(line, ": null") && !strings.Contains(line, `"unzipped": null`) && !strings.Contains(line, `"right": null`) {
				t.Errorf("%s", line)
			}
		}
	}
}

// Code scanning takes SARIF 2.1.0: each result names a rule by id and index, has a
// message and a place, and what could not be decided is open and no failure.
func TestSARIF(t *testing.T) {
	_, e := examinedFunction()
	text, err := SARIF(NewFindings(e.Findings), "v1.2.3", "layers repo")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "examined.sarif", rulesCut(text))
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID      string
				RuleIndex   int
				Kind, Level string
				Message     struct{ Text string }
				Locations   []struct {
					PhysicalLocation *struct{ ArtifactLocation struct{ URI string } }
					LogicalLocations []struct{ FullyQualifiedName string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &log); err != nil || log.Version != "2.1.0" || len(log.Runs) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	run := log.Runs[0]
	if len(run.Results) != len(e.Findings) {
		t.Fatalf("%d results", len(run.Results))
	}
	for i, r := range run.Results {
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.Message.Text == "" || len(r.Locations) != 1 || strings.Contains(r.Message.Text, "\x1b") {
			t.Errorf("%+v", r)
		}
		if physical := r.Locations[0].PhysicalLocation; (physical != nil) != (i == 0) || i == 0 && physical.ArtifactLocation.URI != "layers%20repo/environments/prod%20%E6%9D%B1.yaml" {
			t.Errorf("%+v", physical)
		}
	}
	if open := run.Results[2]; open.Kind != "open" || open.Level != "none" {
		t.Errorf("not known: %+v", open)
	}
	if text, err = SARIF(nil, "", ""); err != nil || !strings.Contains(text, `"results": []`) {
		t.Errorf("nothing found: %v, %s", err, text)
	}
}

// rulesCut leaves the rules out, which are a list of their own.
func rulesCut(text string) string {
	before, rest, _ := strings.Cut(text, `"rules": [`)
	_, after, _ := strings.Cut(rest, "\n          ]")
	return before + `"rules": […]` + after
}
