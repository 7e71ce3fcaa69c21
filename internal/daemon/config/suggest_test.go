package config

import (
	"fmt"
	"testing"

	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/strictyaml/schematest"
)

// W2: whatever is suggested is accepted where it is offered: the problem is gone, and
// no other stands there instead.
func TestW2SuggestionsAreAccepted(t *testing.T) {
	const git = "git: {url: /srv/layers}\n"
	const slack = git + "notify: [{slack: {webhook_url: {env: HOOK}, "
	applied := 0
	for _, frame := range []string{
		git + "interval: %s\n", "git: {url: %s}\n", "git: {url: /srv, interval: %s}\n", "git: {url: /srv, timeout: %s}\n", "git: {url: /srv, branch: %s}\n", "git: {url: /srv, path: %s}\n",
		"git: {url: \"ssh://git@h/x\", auth: {known_hosts: %s}}\n", "git: {url: \"https://h/x\", auth: {user: %s, token: {env: T}}}\n", git + "store: %s\n", git + "aws: {requests_per_second: %s}\n", git + "aws: {get_function_per_second: %s}\n",
		git + "http: {listen: %s}\n", git + "log_level: %s\n", slack + "repeat_interval: %s}}]\n", git + "notify: [{slack: {repeat_interval: %s}}]\n", git + "notify: %s\n", git + "%s: x\n",
	} {
		for _, value := range []string{
			"60", "0", "1", "8080", "70000", "0.5", "16", `"5"`, "true", "yes", "null", "[a]", "[60s]", "{}", "30 min", "1 hour", "500ms", "2w", "7 days", "9s", "11m", "31d", "0s",
			":8080", `":8080"`, "localhost", "localhost:8080", "0.0.0.0:8080", `"localhost:65536"`, "Warning", "wran", "trace", "inof", "sqlit:/x", "sqlite", "memory", "dynamo:t", "ｄebug", "６０s", "intervall", "logLevel", "notfy", "~/x", "a b", "",
		} {
			text := fmt.Sprintf(frame, value)
			_, before := Load("f", []byte(text))
			for _, p := range before {
				if p.Suggestion == "" || p.Code == "missing_key" || schematest.Instruction(p) {
					continue
				}
				applied++
				fixed := schematest.Apply(text, p)
				_, after := Load("f", []byte(fixed))
				for _, q := range after {
					if q.Severity == strictyaml.Error && q.Line == p.Line && q.Column == p.Column {
						t.Errorf("%sis %s: %s; with %sit is %s: %s", text, p.Code, p.Message, fixed, q.Code, q.Message)
					}
				}
			}
		}
	}
	if applied < 100 {
		t.Errorf("only %d suggestions", applied)
	}
}
