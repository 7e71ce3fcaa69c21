package desired

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/strictyaml/schematest"
)

// frames are files with a place for a value, one for each place that a key has.
func frames() (list []frame) {
	const base = account + "layers: {a: {version: 1.4.2, functions: [f]}}\n"
	environment := func(lines ...string) {
		for _, line := range lines {
			list = append(list, frame{"environments/dev.yaml", strings.ReplaceAll(line, "BASE", base)})
		}
	}
	environment("account: %s\nregion: ap-northeast-1\n", account[:strings.Index(account, "\n")+1]+"region: %s\n", account[:strings.Index(account, "\n")+1]+"regions: [%s]\n",
		account[:strings.Index(account, "\n")+1]+"regions: %s\n", account+"layers: %s\n", account+"layers: {a: %s}\n", account+"layers: {a: {version: %s, functions: [f]}}\n",
		account+"layers: {a: {version: {ap-northeast-1: %s}, functions: [f]}}\n", account+"layers: {a: {version: {%s: 3}, functions: [f]}}\n", account+"auto_update: true\nlayers: {a: {version: %s, functions: [f]}}\n",
		account+"layers: {a: {version: 1.4.2, functions: %s}}\n", account+"layers: {a: {version: 1.4.2, functions: [%s]}}\n")
	for _, selector := range []string{"{name: %s}", "{tags: {team: %s}}", "{runtime: %s}", "{architecture: %s}", "{attached: %s}", "{name: f, %s: g}"} {
		environment(account + "layers: {a: {version: 1.4.2, functions: [" + selector + "]}}\n")
	}
	for _, key := range []string{"except: [%s]", "position: %s", "pins: [%s]", "pins: [{functions: [f], version: %s}]", "pins: [{functions: [f], version: 1.4.1, until: %s}]", "pins: [{functions: [f], version: 1.4.1, layer: %s}]",
		"retention: %s", "retention: {versions_to_keep: %s}", "share_with: [%s]", "share_with: %s", "smoke_test: %s", "smoke_test: [%s]", "allow_runtime: %s", "%s: x"} {
		environment(account + "layers: {a: {version: 1.4.2, functions: [f], " + key + "}}\n")
	}
	for _, arn := range []string{"%s", "{ap-northeast-1: %s}"} {
		environment(account + "layers: {a: {arn: " + arn + ", version: 3, functions: [f]}}\n")
	}
	for _, key := range []string{"%s: x", "role: %s", "external_id: %s", "mode: %s", "timezone: %s", "layer_name: %s", "auto_update: %s", "approval_required: %s", "approvers: %s", "approvers: [%s]", "approvers: {teams: [%s], minimum: 1}",
		"approvers: {teams: [a], minimum: %s}", "four_eyes: %s", "approve_by: %s", "change_window: %s", "change_window: [%s]", "change_window: {cron: %s, duration: 4h}", "change_window: {cron: \"0 2 * * SAT\", duration: %s}",
		"change_window: {cron: \"0 2 * * SAT\", duration: 4h, timezone: %s}", "cutoff: %s", "freezes: %s", "freezes: [%s]", "freezes: [{from: %s, until: 2027-01-04}]", "freezes: [{from: 2026-12-28, until: %s}]",
		"freezes: [{from: %s, until: 01-04, every: year}]", "freezes: [{from: 2026-12-28, until: 2027-01-04, every: %s}]", "freezes: [{from: 2026-12-28, until: 2027-01-04, reason: %s}]", "change_calendar: %s", "change_calendar: {calendars: [c], on_error: %s}",
		"overrides: [{layers: [%s], ignore: [window], until: 2026-12-01, reason: x}]", "overrides: [{layers: [a], ignore: [%s], until: 2026-12-01, reason: x}]", "overrides: [{layers: [a], ignore: [window], until: %s, reason: x}]",
		"after: {environment: %s}", "after: {environment: dev2, healthy_for: %s}", "drift: %s", "drift: {action: %s}", "drift: {after: %s}", "retention: %s", "retention: {versions_to_keep: %s}", "retention: {versions_to_keep: 5, delete_older_than_days: %s}",
		"retention: {versions_to_keep: 5, grace: %s}", "retention: {versions_to_keep: 5, function_versions: %s}", "alias: %s", "owner_tag: %s", "max_new: %s", "max_blocked: %s", "new_functions: %s", "unmanaged: [%s]", "unmanaged: %s",
		"pins: [{layer: %s, functions: [f], version: 1.4.1}]", "rollout: %s", "rollout: {waves: %s}", "rollout: {waves: [%s]}", "rollout: {max_parallel: %s}", "rollout: {bake: %s}", "rollout: {bake: %s, max_error_rate: 1%%}", "rollout: {smoke_test: %s}",
		"rollout: {smoke_test: [%s]}", "rollout: {smoke_test: {function: %s}}", "rollout: {smoke_test: {function: f, qualifier: %s}}", "rollout: {smoke_test: {function: f, payload: %s}}", "rollout: {smoke_test: {function: f, payload: {a: [%s]}}}",
		"rollout: {smoke_test: {function: f, expect: %s}}", "rollout: {smoke_test: {function: f, timeout: %s}}", "rollout: {alarms: %s}", "rollout: {alarms: [%s]}", "rollout: {max_error_rate: %s}", "rollout: {bake: 5m, max_error_rate: %s}", "rollout: {max_throttles: %s}",
		"rollout: {on_failure: %s}", "rollout: {on_unknown: %s}", "rollout: {watch: %s}", "rollout: {span_windows: %s}", "rollout: {canary: {weight: %s}}", "alias: live\nrollout: {canary: {weight: %s}}", "alias: live\nrollout: {canary: {weight: 10%%, bake: %s}}",
		"alias: live\nrollout: {bake: 5m, max_error_rate: 1%%, canary: {weight: 10%%, bake: %s}}", "alias: live\nrollout: {bake: 5m, max_error_rate: 1%%, canary: {weight: %s}}"} {
		environment("BASE" + key + "\n")
	}
	for _, key := range []string{"description: %s", "compatible_runtimes: [%s]", "compatible_runtimes: %s", "compatible_architectures: [%s]", "license: %s", "retention_policy: %s", "retention_policy: {versions_to_keep: %s}", "metadata: {team: %s}",
		"artifact: %s", "artifact: {location: %s}", "artifact: {location: layers/a, sha256: %s}", "artifact: {location: layers/a, sha256: {1.4.2: %s}}", "artifact: {location: layers/a, sha256: {%s: x}}", "share_with: [%s]", "known: {1.4.2: {dev: %s}}", "known: {%s: {dev: 3}}", "known: {1.4.2: {%s: 3}}", "yanked: {%s: bad}", "yanked: {1.4.0: %s}", "deprecated: {%s: bad}", "deprecated: {1.4.0: %s}", "%s: x"} {
		list = append(list, frame{"layers/a/layer.yaml", "name: a\n" + key + "\n"})
	}
	list = append(list, frame{"layers/a/layer.yaml", "name: %s\n"})
	for _, key := range []string{"timezone: %s", "store: %s", "freezes: [{from: 2026-12-28, until: %s}]", "defaults: {max_new: %s}", "defaults: {retention: %s}", "defaults: {rollout: {waves: [%s]}}", "defaults: %s", "%s: x"} {
		list = append(list, frame{"layerd.yaml", key + "\n"})
	}
	return list
}

// A frame is the text of a file with %s for a value.
type frame struct{ file, text string }

func (f frame) files(text string) fstest.MapFS {
	files := fstest.MapFS{
		"environments/dev.yaml":  {Data: []byte(account + "layers: {a: {version: 1.4.2, functions: [f]}}\n")},
		"environments/dev2.yaml": {Data: []byte("account: \"210987654321\"\nregion: us-east-1\n")},
		"layers/a/layer.yaml":    {Data: []byte("name: a\n")},
	}
	files[f.file] = &fstest.MapFile{Data: []byte(text)}
	return files
}

// mistakes are values as people write them where something else belongs.
func mistakes() []string {
	return []string{
		"240", "0", "1", "-1", "9", "10", "100", "0.1", "0.5", "1.4", "1.10", "1.0", "5.5", "20261228", "1228", "123456789012", "012345678901", "010", "1_000", "1e3", "99999999999999999999", "true", "yes", "no", "off", "null", "", "~",
		`""`, "name", "f", "F", "a b", `"*"`, "api-dev:live", "arn:aws:lambda:ap-northeast-1:123456789012:function:f", `"arn:aws:lambda:ap-northeast-1:123456789012:layer:x:12"`, "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slow",
		"[name]", "[1]", "[]", "{}", "{name: f}", "[a, b]", `"10"`, `"0.1"`, `"10%"`, "10%", "101%", "30 min", "500ms", "1 hour", "2w", "7 days", "1.5h", "PT30M", "1 month",
		"Saterday 02:00-06:00 JST", "Sat 25:00-06:00 JST", "Sat 22:00-26:00", "土曜日　02：00〜06：00", "土曜、日曜 02:00-06:00", "1st Saturday 02:00-06:00", "Sat and Sun 02:00-06:00", "02:00-06:00", "Sat 02:00-02:00", "weekdays 09:00-17:00", "Sat 02:00-06:00 PST",
		`"0 25 * * SAT"`, `"0 0 2 ? * SAT#1"`, `"@midnight"`, `"0 2 * * SAT#L"`, `"0 2,3 * * ＳＡＴ"`,
		"JST", "Tokyo", "EST", "GMT+9", "+09:00", "asia/tokyo", "ap-northeast-11", "ap-norteast-1", "us-east-1a", "Tokyo Region",
		"2026/12/28", "2026-12-28 25:00", "2026-12-28T18:00+0900", "2026-12-28 18:00 JST", "12/28", "12-28", "2026-12-27", "2025-01-01", "tomorrow", "２０２６-12-28", "２０２６/12/28",
		"v1.4", "1.4.2.3", "１.4.2", "１.4", "~>1.4", "V1.4.2", "^1.4", "latest", "20 version(s)", "20versions", "20", "twenty versions", "２０ versions", "0 versions", "1 version",
		"observ", "halt", "stop", "rolback", "Heal", "windows", "amd64", "arm", "sqlit:x", "memory", "sqlite", "layerd.db", "dynamo:t", "dynamodb:", "python 3.12", "vesion", "functons", "Account", "maxnew", "bakes", "timezones", "regoin",
		"${ENVIROMENT}", "${REGION", "${NAME}", `"｛a｝"`, "*-x", "&a", "!!str x", "o-abc", "S3://b/k.zip", "s3:/b/k.zip", "s3://bucket", "https://bucket.s3.ap-northeast-1.amazonaws.com/k/1.zip", "https://s3.amazonaws.com/bucket/k.zip", "arn:aws:s3:::bucket/k.zip", "./layers/a/", `layers\a`, "../a", "/srv/a", "s3://bucket//k", "yearly", "annual", "Ｆ",
	}
}

// W2: whatever is suggested is accepted where it is offered: the problem is gone, and
// no other stands there instead.
func TestW2SuggestionsAreAccepted(t *testing.T) {
	nightly.NotShort(t, "it reads files one after the other")
	applied := map[string]int{}
	for i, f := range frames() {
		for j, value := range mistakes() {
			if !nightly.On() && (i+j)%6 != 0 { // a sample in which each of both is
				continue
			}
			text := fmt.Sprintf(f.text, value)
			before := Load(f.files(text), Options{Now: now()}).Problems
			for _, p := range before {
				if p.Suggestion == "" || p.File != f.file || schematest.Instruction(p) {
					continue
				}
				applied[p.Code]++
				fixed := schematest.Apply(text, p)
				after := Load(f.files(fixed), Options{Now: now()}).Problems
				for _, q := range after {
					again := same(p, q) && count(after, p) >= count(before, p)
					if q.File == p.File && q.Line == p.Line && (again || refuses(p, q) && count(before, q) == 0) {
						t.Errorf("%s: %s\nin   %sand  %s: %s", p.Code, p.Message, text, q.Code, q.Message)
						t.Logf("with %s", fixed)
					}
				}
			}
		}
	}
	if len(applied) < 15 {
		t.Errorf("suggestions of %d codes only: %v", len(applied), applied)
	}
	t.Log(applied)
}

func same(p, q Problem) bool { return p.File == q.File && p.Code == q.Code && p.Message == q.Message }

func count(list []Problem, p Problem) (n int) {
	for _, q := range list {
		if same(p, q) {
			n++
		}
	}
	return n
}

// refuses reports whether q is about what was written for p. Of a file that is no YAML
// nobody knows what its values are for; what is missing is missing elsewhere; a
// variable that exists need not have the right value; and a name in quotes is right
// for a name, whether there is such a layer or not.
func refuses(p, q Problem) bool {
	elsewhere := strings.HasPrefix(q.Code, "missing_") || strings.HasPrefix(q.Code, "needs_") || strings.HasPrefix(q.Code, "unknown_") || q.Code == "smoke_test_unselected"
	if p.Code == "anchor" || p.Code == "unknown_variable" || elsewhere || q.Severity != Error {
		return false
	}
	return q.Column == p.Column || q.Column > p.Column && q.Column < p.Column+len([]rune(p.Suggestion))
}

// W2: the values that users met, and what is offered for each.
func TestW2ValuesThatUsersMet(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{`change_window: {cron: "0 2 * * SAT", duration: 240}`, "240m"},
		{`change_window: {cron: "0 2 * * SAT", duration: 0}`, ""},
		{`change_window: {cron: "0 2 * * SAT", duration: "4"}`, ""},
		{`change_window: {cron: "0 2 * * SAT", duration: 4 hours}`, "4h"},
		{"timezone: 9", "Asia/Tokyo"}, {"timezone: 0", "UTC"}, {"timezone: 5", ""}, {"timezone: +9", "Asia/Tokyo"},
		{"freezes: [{from: 20261228, until: 2027-01-04}]", "2026-12-28"}, {"freezes: [{from: 2026-12-28, until: 20270104}]", "2027-01-04"},
		{"freezes: [{from: 1228, until: 2027-01-04}]", ""}, {"freezes: [{from: 2026, until: 2027-01-04}]", ""},
		{"rollout: {waves: [0.1]}", "10%"}, {"rollout: {waves: [1, 0.25]}", "25%"}, {"rollout: {waves: [1.0]}", "100%"}, {"rollout: {waves: [2.5]}", ""}, {"rollout: {waves: 0.1}", "[10%]"}, {"rollout: {waves: 1}", "[1]"}, {"rollout: {waves: 10%}", `["10%"]`},
		{"rollout: {smoke_test: f}", "{function: f}"}, {"rollout: {smoke_test: [f]}", "{function: f}"}, {"rollout: {smoke_test: {function: f, timeout: 30}}", "30s"}, {"rollout: {smoke_test: {function: f, timeout: 1000}}", ""},
		{"retention: 20", "20 versions"}, {"retention: 20versions", "20 versions"}, {"retention: 90 days", ""}, {"retention: 90d", ""}, {"retention: 2 weeks", ""}, {"retention: {versions_to_keep: 5, grace: 24}", "24h"}, {"cutoff: 15", "15m"}, {"rollout: {bake: 10}", "10m"}, {"drift: {after: 30}", "30m"},
		{"alias: 1", ""}, {"mode: true", ""}, {"max_new: \"5\"", "5"}, {"max_new: five", ""}, {"unmanaged: datadog", `["datadog"]`}, {"auto_update: yes", "true"}, {"region: [us-east-1]", "us-east-1"},
		{"rollout: {max_error_rate: 5, bake: 5m}", "5%"}, {"alias: live\nrollout: {canary: {weight: 100}}", ""}, {"alias: live\nrollout: {canary: {weight: 10}}", "10%"},
	} {
		text := "account: \"123456789012\"\nlayers: {a: {version: 1.4.2, functions: [f]}}\n"
		if !strings.HasPrefix(tt.line, "region") {
			text = account + "layers: {a: {version: 1.4.2, functions: [f]}}\n"
		}
		problems := Load(only(text+tt.line+"\n"), Options{Now: now()}).Problems
		if len(problems) == 0 || problems[len(problems)-1].Suggestion != tt.want {
			t.Errorf("%s: got %+v, want %q offered", tt.line, problems, tt.want)
		}
	}
}
