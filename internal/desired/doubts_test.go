package desired

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/layerd/layerd/internal/strictyaml/schematest"
)

// A said row is what is said of one value of one key: the code and a part of the
// sentence, or "" where the value says itself what it does.
type said struct{ key, text, code, says string }

// Places for the lines of the table: a key of an environment, of its layer a, of a
// layer.yaml, of layerd.yaml.
const (
	inLayer     = "layer: "
	inLayerFile = "layer.yaml: "
	inLayerd    = "layerd.yaml: "
)

// answers asks of every key of the schema once: which values make a check never say no,
// hold for good, or mean something else than their writer thought?
func answers() []said {
	const rollout = "rollout: {smoke_test: {function: f}, "
	return []said{
		{"environment.account", `account: ""`, "bad_account", "12 digits"},
		{"environment.region", `region: ""`, "bad_region", ""},
		{"environment.regions", "regions: []", "out_of_range", "must not be empty"},
		{"environment.role", "role: ''", "bad_role", ""}, // the caller's own credentials must not be meant by accident
		{"environment.external_id", "external_id: ''", "bad_external_id", ""},
		{"environment.mode", "mode: observe", "", ""},
		{"environment.timezone", "timezone: ''", "bad_timezone", "depends on the machine"},
		{"environment.layer_name", "layer_name: ''", "bad_layer_name", ""},
		{"environment.auto_update", "auto_update: true", "", ""},
		{"environment.approval_required", "approval_required: false", "", ""},
		{"environment.approvers", "approvers: {teams: [a]}", "check_off", "only with approval_required"},
		{"environment.approvers", "approvers: []", "out_of_range", "must not be empty"},
		{"environment.approvers", "approval_required: true\napprovers: {teams: [a]}", "", ""},
		{"environment.four_eyes", "four_eyes: true", "check_off", "only with approval_required"},
		{"environment.four_eyes", "four_eyes: false", "", ""},
		{"environment.approve_by", "approve_by: review", "check_off", "only with approval_required"},
		{"environment.change_window", `change_window: "Saturday 06:00-02:00 JST"`, "means_otherwise", "open for 20h, into the next day; did you mean Saturday 02:00-06:00"},
		{"environment.change_window", `change_window: ["Sat 22:00-04:00", "Sun 08:00-02:00"]`, "means_otherwise", "Sunday 08:00-02:00"},
		{"environment.change_window", `change_window: "first Saturday 06:00-02:00"`, "means_otherwise", "first Saturday 02:00-06:00"},
		{"environment.change_window", `change_window: "Saturday 22:00-10:00"`, "", ""}, // twelve hours of a night
		{"environment.change_window", `change_window: "daily 00:00-24:00"`, "check_off", "never close"},
		{"environment.change_window", `change_window: ["Mon-Fri 00:00-24:00", "Sat,Sun 00:00-24:00"]`, "check_off", "never close"},
		{"environment.change_window", `change_window: ["daily 06:00-18:00", "daily 18:00-06:00"]`, "check_off", "never close"},
		{"environment.change_window", `change_window: "Mon-Sat 00:00-24:00"`, "", ""},
		{"environment.change_window", `change_window: "daily 00:00-23:59"`, "check_off", "closed for no more than 7m a week"},
		{"environment.change_window", `change_window: ["Mon-Fri 00:00-24:00", "Sat,Sun 00:00-23:55"]`, "check_off", "closed for no more than 10m a week"},
		{"environment.change_window", `change_window: "daily 01:00-24:00 America/New_York"`, "", ""}, // an hour a day
		{"cronWindow.duration", `change_window: {cron: "0 0 * * *", duration: 1439m}`, "check_off", "closed for no more than 7m a week"},
		{"environment.change_window", "change_window: []", "out_of_range", "must not be empty"},
		{"environment.change_window", `change_window: ""`, "bad_window", ""},
		{"cronWindow.cron", `change_window: {cron: "* * * * *", duration: 1h}`, "check_off", "never close"},
		{"cronWindow.cron", `change_window: {cron: "0 2 1 * SAT", duration: 1h}`, "window_notice", "or the day of week"},
		{"cronWindow.duration", `change_window: {cron: "@hourly", duration: 1h}`, "check_off", "never close"},
		{"cronWindow.duration", `change_window: {cron: "0 2 * * *", duration: 25h}`, "check_off", "never close"},
		{"cronWindow.duration", `change_window: {cron: "0 2 * * SAT,SUN", duration: 25h}`, "window_notice", "overlaps itself"},
		{"cronWindow.duration", `change_window: {cron: "0 2 * * *", duration: 0h}`, "bad_window", "from 1m"},
		{"cronWindow.timezone", `change_window: {cron: "0 2 * * *", duration: 1h, timezone: UTC}`, "", ""},
		{"environment.cutoff", `change_window: "Sat 02:00-03:00"` + "\ncutoff: 1h", "never_opens", "the cutoff of 1h leaves nothing"},
		{"environment.cutoff", `change_window: ["Sat 02:00-06:00", "Tue 02:00-02:30"]` + "\ncutoff: 30m", "always_holds", "nothing ever starts in Tuesday 02:00-02:30"},
		{"environment.cutoff", "cutoff: 1h", "means_otherwise", "holds nothing"},
		{"environment.cutoff", "cutoff: 1h\nfreezes: [{from: 2026-12-28, until: 2027-01-04}]", "", ""},
		{"environment.cutoff", "cutoff: 0", "", ""},
		{"environment.freezes", "freezes: []", "means_otherwise", "takes nothing away"},
		{"freeze.from", "freezes: [{from: 2026-12-28, until: 2026-12-27}]", "bad_freeze", "not after from"},
		{"freeze.until", "freezes: [{from: 2025-12-28, until: 2026-01-04}]", "means_otherwise", "ended Mon 2026-01-05 00:00 UTC and holds nothing"},
		{"freeze.until", "freezes: [{from: 2026-12-28, until: 2036-01-04}]", "always_holds", "lasts 3295 days"},
		{"freeze.until", "freezes: [{from: 2026-12-28, until: 9999-12-31}]", "always_holds", "lasts 2912081 days"},
		{"freeze.until", "freezes: [{from: 2026-12-28, until: 2027-12-28}]", "", ""},
		{"freeze.every", "freezes: [{from: 2026-01-01, until: 2026-12-31, every: year}]", "bad_freeze", "never ends"},
		{"freeze.every", "freezes: [{from: 12-28, until: 01-04, every: year}]", "", ""},
		{"freeze.reason", "freezes: [{from: 2026-12-28, until: 2027-01-04, reason: ''}]", "", ""},
		{"freeze.owner", "freezes: [{from: 2026-12-28, until: 2027-01-04, owner: ''}]", "", ""},
		{"environment.change_calendar", "change_calendar: []", "out_of_range", "must not be empty"},
		{"changeCalendar.calendars", "change_calendar: {calendars: []}", "check_off", "no calendar is named"},
		{"changeCalendar.file", "change_calendar: {file: ''}", "bad_value", ""},
		{"changeCalendar.on_error", "change_calendar: {on_error: open}", "check_off", "no calendar is named"},
		{"changeCalendar.on_error", "change_calendar: {file: x.ics, on_error: open}", "", ""},
		{"environment.overrides", "overrides: []", "", ""},
		{"override.layers", "overrides: [{layers: [], ignore: [window], until: 2026-12-01, reason: x}]", "out_of_range", "must not be empty"},
		{"override.ignore", "overrides: [{layers: [a], ignore: [], until: 2026-12-01, reason: x}]", "out_of_range", "must not be empty"},
		{"override.until", "overrides: [{layers: [a], ignore: [window], until: 2026-11-01, reason: x}]", "means_otherwise", "ended"},
		{"override.reason", "overrides: [{layers: [a], ignore: [window], until: 2026-12-01}]", "missing_key", "reason"},
		{"override.owner", "overrides: [{layers: [a], ignore: [window], until: 2026-12-01, reason: x, owner: o}]", "", ""},
		{"environment.after", "after: {}", "missing_key", "environment"},
		{"after.environment", "after: {environment: dev}", "after_cycle", "waits for itself"},
		{"after.healthy_for", "after: {environment: other, healthy_for: 0}", "", ""},
		{"after.open_pull_request", "after: {environment: other, open_pull_request: false}", "", ""},
		{"environment.drift", "drift: report", "", ""},
		{"drift.action", "drift: {action: report}", "", ""},
		{"drift.after", "drift: {after: 60d}", "always_holds", "drift that is not 60d old is left alone"},
		{"drift.after", "drift: {after: 0}", "", ""},
		{"environment.retention", "retention: 0 versions", "retention_too_small", "2 versions are kept, not 0"},
		{"environment.retention", "retention: 1 version", "retention_too_small", "2 versions are kept, not 1"},
		{"environment.retention", "retention: 1000000 versions", "always_holds", "nothing is pruned"},
		{"retention.versions_to_keep", "retention: {versions_to_keep: 0}", "retention_too_small", "without the key nothing is pruned"},
		{"retention.delete_older_than_days", "retention: {versions_to_keep: 5, delete_older_than_days: 0}", "means_otherwise", "age does not count"},
		{"retention.delete_older_than_days", "retention: {versions_to_keep: 5, delete_older_than_days: 36500}", "always_holds", "older than any version"},
		{"retention.delete_older_than_days", "retention: {delete_older_than_days: 90}", "retention_without_keep", "nothing of layer"},
		{"retention.grace", "retention: {versions_to_keep: 5, grace: 0}", "check_off", "cannot be had again"},
		{"retention.grace", "retention: {versions_to_keep: 5, grace: 400d}", "always_holds", "hardly anything"},
		{"retention.function_versions", "retention: {versions_to_keep: 5, function_versions: 0}", "check_off", "may go back to"},
		{"retention.function_versions", "retention: {versions_to_keep: 5, function_versions: 1000000}", "always_holds", "nothing of it is pruned"},
		{"environment.alias", "alias: ''", "bad_alias", ""},
		{"environment.owner_tag", "owner_tag: ''", "out_of_range", ""},
		{"environment.owner_tag", "owner_tag: team", "", ""},
		{"environment.max_new", "max_new: 0", "always_holds", "until the plan is approved"},
		{"environment.max_new", "max_new: 1000000", "check_off", "holds nobody"},
		{"environment.max_new", "max_new: 1e9", "wrong_type", ""},
		{"environment.max_new", "max_new: 1000000000", "out_of_range", "more than 1000000"},
		{"environment.max_new", "max_new: 500", "", ""},
		{"environment.max_blocked", "max_blocked: 0", "always_holds", "as soon as one function"},
		{"environment.max_blocked", "max_blocked: 100000", "check_off", "is no limit"},
		{"environment.new_functions", "new_functions: now", "", ""},
		{"environment.unmanaged", `unmanaged: ["*"]`, "check_off", "none is ever reported"},
		{"environment.unmanaged", `unmanaged: ["arn:*:lambda:*:layer:*"]`, "check_off", "none is ever reported"},
		{"environment.unmanaged", `unmanaged: ["arn:aws:lambda:*"]`, "check_off", "none is ever reported"},
		{"environment.unmanaged", `unmanaged: ["arn:aws:lambda:ap-northeast-1:*:layer:*"]`, "check_off", "none is ever reported"},
		{"environment.unmanaged", `unmanaged: ["*:123456789012:*"]`, "", ""}, // one account's
		{"environment.unmanaged", `unmanaged: ["arn:aws:lambda:*:464622532012:layer:*", "datadog*"]`, "", ""},
		{"environment.unmanaged", "unmanaged: []", "", ""},
		{"environment.layers", "layers: {}", "", ""},
		{"environment.pins", "pins: []", "", ""},
		{"pin.layer", "pins: [{functions: [f], version: 1.4.1}]", "missing_key", "has no layer"},
		{"pin.functions", "pins: [{layer: a, functions: [], version: 1.4.1}]", "out_of_range", "must not be empty"},
		{"pin.functions", "pins: [{layer: a, functions: [other], version: 1.4.1}]", "means_otherwise", "the pin holds nothing"},
		{"pin.version", "pins: [{layer: a, functions: [f], version: ^1}]", "pin_not_exact", ""},
		{"pin.until", "pins: [{layer: a, functions: [f], version: 1.4.1, until: 2026-11-01}]", "expired", "the pin ended"},
		{"pin.reason", "pins: [{layer: a, functions: [f], version: 1.4.1, reason: ''}]", "", ""},
		{"pin.owner", "pins: [{layer: a, functions: [f], version: 1.4.1, owner: ''}]", "", ""},
		{"environment.rollout", "rollout: {}", "", ""},
		{"rollout.waves", "rollout: {waves: []}", "check_off", "all functions change at once"},
		{"rollout.waves", "rollout: {waves: [100%]}", "", ""},
		{"rollout.waves", "rollout: {waves: [100%, 5]}", "wave_adds_nothing", "has all functions already"},
		{"rollout.waves", "rollout: {waves: [0%]}", "out_of_range", "has nothing"},
		{"rollout.max_parallel", "rollout: {max_parallel: 0}", "out_of_range", "less than 1"},
		{"rollout.bake", "rollout: {bake: 10m}", "check_off", "only lets time pass"},
		{"rollout.bake", "rollout: {bake: 0s, alarms: [slow]}", "check_off", "before they can ring"},
		{"rollout.bake", "rollout: {bake: 0s}", "", ""},
		{"rollout.bake", rollout + "bake: 10m}", "", ""},
		{"rollout.smoke_test", "rollout: {smoke_test: []}", "check_off", "nothing is tried"},
		{"rollout.alarms", "rollout: {alarms: []}", "check_off", "no alarm is looked at"},
		{"rollout.max_error_rate", "rollout: {bake: 5m, max_error_rate: 100%}", "check_off", "never fails"},
		{"rollout.max_error_rate", "rollout: {bake: 5m, max_error_rate: 1.0}", "check_off", "never fails"},
		{"rollout.max_error_rate", "rollout: {bake: 0s, max_error_rate: 1%}", "needs_bake", "a whole minute"},
		{"rollout.max_error_rate", "rollout: {bake: 5m, max_error_rate: 0}", "", ""},
		{"rollout.max_throttles", "rollout: {bake: 5m, max_throttles: 1000000}", "check_off", "is no limit"},
		{"rollout.max_throttles", "rollout: {bake: 5m, max_throttles: 0}", "", ""},
		{"rollout.on_failure", rollout + "on_failure: halt}", "", ""},
		{"rollout.on_unknown", rollout + "on_unknown: continue}", "", ""},
		{"rollout.watch", rollout + "watch: 1h}", "check_off", "there are none"},
		{"rollout.watch", "rollout: {alarms: [slow], watch: 1h}", "", ""},
		{"rollout.span_windows", rollout + "span_windows: false}", "", ""},
		{"rollout.canary", rollout + "canary: {weight: 10%}}", "canary_needs_alias", "no alias"},
		{"canary.weight", "alias: live\nrollout: {canary: {weight: 10%}}", "check_off", "cannot fail"},
		{"canary.weight", "alias: live\n" + rollout + "canary: {weight: 0}}", "out_of_range", "not more than 0"},
		{"canary.weight", "alias: live\n" + rollout + "canary: {weight: 100%}}", "out_of_range", "is no canary"},
		{"canary.bake", "alias: live\n" + rollout + "canary: {weight: 10%, bake: 0}}", "", ""},
		{"canary.bake", "alias: live\nrollout: {bake: 5m, max_error_rate: 1%, canary: {weight: 10%, bake: 0}}", "needs_bake", "of a canary too"},
		{"smokeTest.function", "rollout: {smoke_test: {function: other}}", "smoke_test_unselected", "never changes"},
		{"smokeTest.qualifier", "rollout: {smoke_test: {function: f, qualifier: ''}}", "bad_qualifier", ""},
		{"smokeTest.payload", `rollout: {smoke_test: {function: f, payload: '{"ping": true}'}}`, "means_otherwise", "is sent as text"},
		{"smokeTest.payload", `rollout: {smoke_test: {function: f, payload: "[1, 2]"}}`, "means_otherwise", "is sent as text"},
		{"smokeTest.payload", `rollout: {smoke_test: {function: f, payload: '"ping"'}}`, "means_otherwise", "is sent as text"},
		{"smokeTest.payload", `rollout: {smoke_test: {function: f, payload: 'null'}}`, "means_otherwise", "without them"},
		{"smokeTest.payload", `rollout: {smoke_test: {function: f, payload: '1'}}`, "means_otherwise", "without them"},
		{"smokeTest.expect", `rollout: {smoke_test: {function: f, expect: 'true'}}`, "means_otherwise", "the answer has to be"},
		{"smokeTest.payload", `rollout: {smoke_test: {function: f, payload: ''}}`, "", ""},
		{"smokeTest.payload", "rollout: {smoke_test: {function: f, payload: '{ping: true}'}}", "means_otherwise", "is sent as text"},
		{"smokeTest.payload", "rollout:\n  smoke_test:\n    function: f\n    payload: |\n      {\"ping\":\n        true}", "means_otherwise", "is sent as text"},
		{"smokeTest.payload", "rollout: {smoke_test: {function: f, payload: ping}}", "", ""},
		{"smokeTest.payload", "rollout: {smoke_test: {function: f, payload: '{x'}}", "", ""},
		{"smokeTest.payload", `rollout: {smoke_test: {function: f, payload: {body: '{"ping": true}'}}}`, "", ""}, // as API Gateway sends it
		{"smokeTest.expect", "rollout: {smoke_test: {function: f, expect: {}}}", "check_off", "in every answer"},
		{"smokeTest.expect", `rollout: {smoke_test: {function: f, expect: '{"statusCode": 200}'}}`, "means_otherwise", "write the mapping"},
		{"smokeTest.timeout", "rollout: {smoke_test: {function: f, timeout: 0}}", "out_of_range", "between 1s and 15m"},

		{"layerWish.version", inLayer + "version: none", "", ""},
		{"layerWish.functions", inLayer + "functions: []", "no_functions", "goes nowhere"},
		{"layerWish.except", inLayer + `except: ["*"]`, "no_functions", "takes away all functions"},
		{"layerWish.except", inLayer + "except: [f]", "no_functions", "takes away all functions"},
		{"layerWish.except", inLayer + "except: [{name: f, runtime: x}]", "", ""},
		{"layerWish.except", inLayer + "except: []", "means_otherwise", "takes nothing away"},
		{"layerWish.position", inLayer + "position: first", "", ""},
		{"layerWish.arn", inLayer + "arn: {}", "out_of_range", "must not be empty"},
		{"layerWish.pins", inLayer + "pins: []", "", ""},
		{"layerWish.retention", inLayer + "retention: 0 versions", "retention_too_small", "2 versions are kept"},
		{"layerWish.retention", inLayer + "retention: {versions_to_keep: 5, grace: 0}", "check_off", "cannot be had again"},
		{"layerWish.share_with", inLayer + `share_with: ["*"]`, "bad_principal", "every AWS account, which needs a reason"},
		{"layerWish.share_with", inLayer + `share_with: [public]`, "bad_principal", "needs a reason"},
		{"layerWish.share_with", inLayer + `share_with: ["210987654321", o-abc123def4, {public: "it is open source"}]`, "", ""},
		{"layerWish.share_with", inLayer + `share_with: ["123456789012"]`, "means_otherwise", "own account"},
		{"layerWish.share_with", inLayer + `share_with: ["2109-8765-4321"]`, "bad_principal", "neither an account"},
		{"layerWish.share_with", inLayer + `share_with: [210987654321]`, "unquoted_number", "must be in quotes"},
		{"layerWish.share_with", inLayer + `share_with: ["arn:aws:iam::210987654321:root"]`, "bad_principal", "neither an account"},
		{"layerWish.share_with", inLayer + `share_with: ["arn:aws:iam::210987654321:role/x"]`, "bad_principal", "neither an account"},
		{"layerWish.share_with", inLayer + `share_with: [O-ABC123DEF4]`, "bad_principal", "neither an account"},
		{"layerWish.share_with", inLayer + `share_with: [ou-ab12-cdefgh34]`, "bad_principal", "whole organization only"},
		{"public.public", inLayer + `share_with: [{public: ""}]`, "out_of_range", ""},
		{"public.public", inLayer + `share_with: [{public: "  "}]`, "bad_principal", "public without a reason"},
		{"layerWish.share_with", inLayer + "share_with: []", "", ""},
		{"layerWish.smoke_test", inLayer + `smoke_test: {function: f, payload: '{"ping": true}'}`, "means_otherwise", "is sent as text"},
		{"layerWish.allow_runtime", inLayer + "allow_runtime: true", "", ""},
		{"environment.parameters", "parameters: true", "", ""},
		{"environment.parameters", "parameters: false", "", ""}, // layers are attached all the same
		{"layerWish.parameters", inLayer + "parameters: true", "", ""},
		{"layerWish.parameters", inLayer + "parameters: false", "", ""},
		{"selector.name", inLayer + "functions: [{name: ''}]", "bad_selector", ""},
		{"selector.tags", inLayer + "functions: [{tags: {}}]", "no_functions", "without a condition"},
		{"selector.runtime", inLayer + "functions: [{runtime: ''}]", "bad_selector", ""},
		{"selector.architecture", inLayer + "functions: [{architecture: ''}]", "not_allowed", ""},
		{"selector.attached", inLayer + "functions: [{attached: false}]", "not_allowed", ""},

		{"layer.name", inLayerFile + "name: ''", "bad_layer_name", ""},
		{"layer.description", inLayerFile + "description: ''", "", ""},
		{"layer.compatible_runtimes", inLayerFile + "compatible_runtimes: []", "means_otherwise", "every runtime"},
		{"layer.compatible_architectures", inLayerFile + "compatible_architectures: []", "means_otherwise", "every architecture"},
		{"layer.license", inLayerFile + "license: ''", "", ""},
		{"layer.retention_policy", inLayerFile + "retention_policy: {versions_to_keep: 0}", "retention_too_small", "2 versions are kept"},
		{"layer.retention_policy", inLayerFile + "retention_policy: {versions_to_keep: 5, grace: 0}", "check_off", "cannot be had again"},
		{"layer.metadata", inLayerFile + "metadata: {}", "", ""},
		{"layer.metadata", inLayerFile + "artifact: a.zip\nmetadata: {'a;b': c}", "bad_tag", "letters, digits"},
		{"layer.metadata", inLayerFile + "metadata: {'a;b': c}", "", ""}, // nothing is tagged with it
		{"layer.artifact", inLayerFile + "artifact: ''", "bad_value", ""},
		{"layer.artifact", inLayerFile + "artifact: s3://bucket/${VERSION}.zip", "", ""},
		{"layer.artifact", inLayerFile + "artifact: s3://bucket/latest.zip", "means_otherwise", "one object"},
		{"layer.artifact", inLayerFile + "artifact: layers/a/dist.zip", "", ""}, // of the commit that asks for the version
		{"artifact.location", inLayerFile + "artifact: {location: s3://bucket/latest.zip}", "means_otherwise", "one object"},
		{"artifact.sha256", inLayerFile + "artifact: {location: layers/a, sha256: {}}", "", ""},
		{"artifact.sha256", inLayerFile + "artifact: {location: layers/a, sha256: {1.4.2: ''}}", "bad_sha256", "64 hex digits"},
		{"layer.share_with", inLayerFile + `share_with: ["*"]`, "bad_principal", "every AWS account, which needs a reason"},
		{"layer.share_with", inLayerFile + `share_with: ["123456789012"]`, "", ""}, // meant for other environments
		{"layer.share_with", inLayerFile + `share_with: [{public: true}]`, "wrong_type", ""},
		{"layer.known", inLayerFile + "known: {1.4.2: {deb: 3}}", "unknown_environment", "no environment"},
		{"layer.deprecated", inLayerFile + "deprecated: {1.4.2: ''}", "deprecated_version", "is deprecated"},
		{"layer.yanked", inLayerFile + "yanked: {1.4.2: ''}", "yanked_version", "is yanked"},

		{"layerd.timezone", inLayerd + "timezone: UTC", "", ""},
		{"layerd.store", inLayerd + `store: "memory:"`, "check_off", "forgets approvals"},
		{"layer.imports", inLayerFile + "imports: []", "", ""},
		{"layer.build", inLayerFile + "build: {}", "", ""},
		{"build.exclude", inLayerFile + "build: {exclude: []}", "", ""},
		{"build.strip", inLayerFile + "build: {strip: false}", "", ""},
		{"build.run", inLayerFile + `build: {run: ./build.sh}`, "", ""},
		{"layerd.bounds", inLayerd + "bounds: {}", "", ""},
		{"bound.accounts", inLayerd + `bounds: {dev: {accounts: ["999999999999"]}}`, "beyond_bounds", ""},
		{"bound.regions", inLayerd + "bounds: {dev: {regions: [us-west-1]}}", "beyond_bounds", ""},
		{"bound.roles", inLayerd + `bounds: {dev: {roles: ["arn:aws:iam::123456789012:role/x"]}}`, "beyond_bounds", ""},
		{"bound.functions", inLayerd + `bounds: {dev: {functions: ["*"]}}`, "", ""},
		{"bound.layer_names", inLayerd + `bounds: {dev: {layer_names: ["*"]}}`, "", ""},
		{"layerd.defaults", inLayerd + "defaults: {max_new: 0}", "always_holds", "until the plan is approved"},
		{"layerd.defaults", inLayerd + `defaults: {change_window: "Saturday 06:00-02:00 JST"}`, "means_otherwise", "20h"},
		{"layerd.freezes", inLayerd + "freezes: [{from: 2025-12-28, until: 2026-01-04}]", "means_otherwise", "holds nothing"},
		{"approvers.teams", "approvers: {teams: []}", "out_of_range", "must not be empty"},
		{"approvers.minimum", "approvers: {teams: [a], minimum: 0}", "out_of_range", "less than 1"},
	}
}

// files returns a repository in which nothing is said but about the row.
func (s said) files() fstest.MapFS {
	environment, layer, layerd := account+"retention: {grace: 24h}\n", "name: a\n", "defaults: {layers: {a: {functions: [f]}}}\n"
	wish := "layers: {a: {version: 1.4.2, functions: [f]}}\n"
	line, _ := strings.CutPrefix(s.text, inLayer)
	switch {
	case line != s.text:
		key, _, _ := strings.Cut(line, ":")
		rest := map[string]string{"version": "functions: [f]", "functions": "version: 1.4.2", "arn": "version: 3, functions: [f]"}[key]
		if rest == "" {
			rest = "version: 1.4.2, functions: [f]"
		}
		if key == "except" && strings.HasSuffix(line, "[]") {
			layerd = "defaults: {layers: {a: {functions: [f, g], except: [g]}}}\n"
		}
		wish = "layers: {a: {" + rest + ", " + line + "}}\n"
	case strings.HasPrefix(s.text, inLayerFile):
		line = strings.TrimPrefix(s.text, inLayerFile)
		if layer += line + "\n"; strings.HasPrefix(line, "name") {
			layer = line + "\n"
		}
		environment = account
	case strings.HasPrefix(s.text, inLayerd):
		line = strings.TrimPrefix(s.text, inLayerd)
		layerd = line + "\n"
	default:
		switch key, _, _ := strings.Cut(s.text, ":"); key {
		case "account":
			environment = strings.Replace(account, account[:strings.Index(account, "\n")], s.text, 1)
		case "region", "regions":
			environment = account[:strings.Index(account, "\n")+1] + s.text + "\n"
		case "layers":
			wish, layerd = s.text+"\n", ""
		case "retention":
			environment = account + s.text + "\n"
		case "freezes":
			if s.text == "freezes: []" {
				layerd = "freezes: [{from: 2026-12-28, until: 2027-01-04}]\n"
			}
			environment += s.text + "\n"
		default:
			environment += s.text + "\n"
		}
	}
	return fstest.MapFS{
		"environments/dev.yaml":   {Data: []byte(environment + wish)},
		"environments/other.yaml": {Data: []byte("account: \"210987654321\"\nregion: us-east-1\n")},
		"layers/a/layer.yaml":     {Data: []byte(layer)},
		"layerd.yaml":             {Data: []byte(layerd)},
	}
}

// V1, V2: what is said of each value, once, and of values that say so themselves
// nothing.
func TestV1WhatIsSaidOfEachValue(t *testing.T) {
	for _, s := range answers() {
		problems := Load(s.files(), Options{Now: now()}).Problems
		problems = slices.DeleteFunc(problems, func(p Problem) bool {
			return p.File == "layers/a/layer.yaml" && strings.HasPrefix(s.key, "layer.name") || p.Code == "layer_without_file" || p.Code == "missing_functions" || p.File == "environments/other.yaml"
		})
		switch {
		case s.code == "" && len(problems) > 0:
			t.Errorf("%s: %s: got %v, want nothing said", s.key, s.text, problems)
		case s.code != "" && s.key != "layer.name" && (len(problems) == 0 || !slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == s.code && strings.Contains(p.Message, s.says) })):
			t.Errorf("%s: %s: got %v, want %s: %s", s.key, s.text, problems, s.code, s.says)
		case len(problems) > 1:
			t.Errorf("%s: %s: said more than once: %v", s.key, s.text, problems)
		case len(problems) == 1 && problems[0].Suggestion != "" && !schematest.Instruction(problems[0]) && !strings.Contains(s.text, "|\n"):
			p, files := problems[0], s.files() // W2
			files[p.File] = &fstest.MapFile{Data: []byte(schematest.Apply(string(files[p.File].Data), p))}
			if again := Load(files, Options{Now: now()}).Problems; count(again, p) > 0 || Errors(slices.DeleteFunc(again, func(q Problem) bool { return q.File == "environments/other.yaml" })) {
				t.Errorf("%s: %s: with %s it is %v", s.key, s.text, p.Suggestion, again)
			}
		}
	}
}

// Every key of the schema was asked, and every answer is about a key that exists.
func TestV1EveryKeyIsAsked(t *testing.T) {
	var doc struct {
		Defs map[string]struct {
			Properties map[string]struct{ Description string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, s := range answers() {
		asked[s.key] = true
	}
	keys := map[string]bool{}
	for name, def := range doc.Defs {
		for key, p := range def.Properties {
			if keys[name+"."+key] = true; p.Description == "" {
				t.Errorf("%s.%s has no description", name, key)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !asked[key] {
			t.Errorf("nobody asked which values of %s switch a check off", key)
		}
	}
	for key := range asked {
		if !keys[key] {
			t.Errorf("there is no %s", key)
		}
	}
}
