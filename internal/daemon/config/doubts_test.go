package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// V1: every key was asked which of its values make a check never say no, hold for good,
// or mean something else than they seem to; "" is a value that says so itself, or whose
// description does.
func TestV1WhatIsSaidOfEachValue(t *testing.T) {
	const git = "git: {url: /srv/layers}\n"
	const slack = git + "notify: [{slack: {webhook_url: {env: HOOK}, "
	asked := map[string]bool{}
	for _, tt := range []struct{ key, file, want string }{
		{"Config.interval", git + "interval: 0s", "out_of_range"}, {"Config.interval", git + "interval: 1h", ""},
		{"Config.git", "git: {}", "missing_key"},
		{"Config.store", git + `store: "memory:"`, ""}, {"Config.store", git + "store: dynamodb:layerd", ""},
		{"Config.aws", git + "aws: {}", ""},
		{"AWS.events", git + "aws: {events: {}}", "missing_key"},
		{"Events.queue", git + `aws: {events: {queue: ""}}`, "bad_queue"},
		{"Events.queue", git + "aws: {events: {queue: https://sqs.ap-northeast-1.amazonaws.com/123456789012/layerd.fifo}}", "bad_queue: a FIFO queue"},
		{"Events.queue", git + "aws: {events: {queue: https://sqs.ap-northeast-1.amazonaws.com/123456789012/layerd}}", ""},
		{"Config.http", git + "http: {}", ""},
		{"Config.notify", git + "notify: []", "check_off: an empty list: nobody is told"},
		{"Config.log_level", git + "log_level: error", ""},
		{"Config.metrics", git + "metrics: cloudwatch", ""}, {"Config.metrics", git + "metrics: CloudWatch", "not_allowed"}, {"Config.metrics", git + `metrics: ""`, "not_allowed"},
		{"Config.metrics", git + "metrics: {cloudwatch: {}}", "wrong_type"}, {"Config.metrics", git + "metrics: [cloudwatch]", "wrong_type"}, {"Config.metrics", git + "metrics:", "wrong_type: has no value"},
		{"Git.url", `git: {url: ""}`, "bad_url"},
		{"Git.branch", `git: {url: /srv, branch: ""}`, ""},
		{"Git.path", `git: {url: /srv, path: ""}`, ""},
		{"Git.interval", "git: {url: /srv, interval: 30m}", "always_holds: 30m is as long as Git may be away"}, {"Git.interval", "git: {url: /srv, interval: 15m}", "always_holds"},
		{"Git.interval", "git: {url: /srv, interval: 14m}", ""}, {"Git.interval", "git: {url: /srv, interval: 2h}", "out_of_range"},
		{"Git.timeout", "git: {url: /srv, timeout: 0s}", "out_of_range"},
		{"Git.auth", "git: {url: /srv, auth: {}}", ""},
		{"Git.verify", "git: {url: /srv, verify: {}}", "not_supported_yet"},
		{"Git.webhook_secret", "git: {url: /srv, webhook_secret: {env: X}}", "not_supported_yet"},
		{"Git.max_bytes", "git: {url: /srv, max_bytes: 0}", "out_of_range"},
		{"Config.bounds", git + "bounds: {}", ""},
		{"Bound.accounts", git + "bounds: {dev: {accounts: []}}", ""},
		{"Bound.regions", git + "bounds: {dev: {regions: []}}", ""},
		{"Bound.roles", git + "bounds: {dev: {roles: []}}", ""},
		{"Bound.functions", git + "bounds: {dev: {functions: []}}", ""},
		{"Bound.layer_names", git + "bounds: {dev: {layer_names: []}}", ""},
		{"GitAuth.token", "git: {url: /srv, auth: {token: {env: X}}}", "auth_not_used"},
		{"GitAuth.user", "git: {url: /srv, auth: {user: x}}", "auth_not_used"},
		{"GitAuth.ssh_key", "git: {url: /srv, auth: {ssh_key: {env: X}}}", "auth_not_used"},
		{"GitAuth.ssh_passphrase", "git: {url: /srv, auth: {ssh_passphrase: {env: X}}}", "auth_not_used"},
		{"GitAuth.known_hosts", "git: {url: /srv, auth: {known_hosts: /x}}", "auth_not_used"},
		{"AWS.requests_per_second", git + "aws: {requests_per_second: 0}", "out_of_range"}, {"AWS.requests_per_second", git + "aws: {requests_per_second: 15}", ""},
		{"AWS.get_function_per_second", git + "aws: {get_function_per_second: 0}", "out_of_range"},
		{"HTTP.listen", git + `http: {listen: "0.0.0.0:8080"}`, ""}, {"HTTP.listen", git + `http: {listen: ""}`, "bad_address"},
		{"HTTP.tokens", git + "http: {tokens: []}", "not_supported_yet"},
		{"Notify.slack", git + "notify: [{}]", "one_target"}, {"Notify.webhook", git + "notify: [{webhook: {}}]", "not_supported_yet"}, {"Notify.sns", git + "notify: [{sns: {}}]", "not_supported_yet"},
		{"Slack.webhook_url", git + "notify: [{slack: {repeat_interval: 1h}}]", "missing_key"},
		{"Slack.token", slack + "token: {env: X}}}]", "not_supported_yet"}, {"Slack.channel", slack + "channel: x}}]", "not_supported_yet"},
		{"Slack.repeat_interval", slack + "repeat_interval: 0}}]", "unquoted_number"}, {"Slack.repeat_interval", slack + "repeat_interval: 0s}}]", "out_of_range"}, {"Slack.repeat_interval", slack + "repeat_interval: 60d}}]", "out_of_range"},
	} {
		asked[tt.key] = true
		_, problems := Load("f", []byte(tt.file))
		said := ""
		if len(problems) > 0 {
			said = problems[0].Code + ": " + problems[0].Message
		}
		if len(problems) > 1 || (said == "") != (tt.want == "") || !strings.HasPrefix(said, tt.want) {
			t.Errorf("%s: %s: said %q of %d, want %q", tt.key, tt.file, said, len(problems), tt.want)
		}
	}
	var doc struct {
		Defs map[string]struct {
			Properties map[string]struct{ Description string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Defs)) {
		for key := range doc.Defs[name].Properties {
			if name != "Secret" && !asked[name+"."+key] {
				t.Errorf("nobody asked which values of %s.%s switch a check off", name, key)
			}
		}
	}
}
