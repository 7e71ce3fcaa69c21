package deploy_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/layerd/layerd/internal/daemon/config"
	"github.com/layerd/layerd/internal/nightly"
)

const (
	ecsTemplate = "ecs/layerd.template.yaml"
	gitSecret   = "arn:aws:secretsmanager:ap-northeast-1:123456789012:secret:git-AbCdEf"
	slackSecret = "arn:aws:secretsmanager:ap-northeast-1:123456789012:secret:slack-AbCdEf"
)

// stack returns the template with the least that has to be given, and more on top.
func stack(t *testing.T, more map[string]any) *template {
	t.Helper()
	given := map[string]any{
		"Image": "layerd@sha256:0", "Cluster": "tools", "Subnets": []any{"subnet-1"}, "SecurityGroups": []any{"sg-1"},
		"LayerPrefix": "makoto-", "RepositoryUrl": "https://github.com/acme/layers.git", "GitTokenSecret": gitSecret,
	}
	for k, v := range more {
		given[k] = v
	}
	return readTemplate(t, ecsTemplate, given)
}

func TestECSService(t *testing.T) {
	service := stack(t, nil).properties("Service")
	for _, tt := range []struct {
		path []any
		want any
	}{
		{[]any{"LaunchType"}, "FARGATE"},
		{[]any{"DesiredCount"}, 1},
		{[]any{"DeploymentConfiguration", "MinimumHealthyPercent"}, 0},
		{[]any{"DeploymentConfiguration", "MaximumPercent"}, 100},
		{[]any{"AvailabilityZoneRebalancing"}, "DISABLED"}, // refused with MaximumPercent 100
		{[]any{"TaskDefinition"}, "${Task}"},
		{[]any{"NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp"}, "DISABLED"},
	} {
		if got := at(t, service, tt.path...); got != tt.want {
			t.Errorf("%v is %v, want %v", tt.path, got, tt.want)
		}
	}
	if got := at(t, stack(t, map[string]any{"DesiredCount": 3}).properties("Service"), "DesiredCount"); got != 3 {
		t.Errorf("with 3 tasks asked for there are %v", got)
	}
}

func TestECSContainer(t *testing.T) {
	task := stack(t, nil).properties("Task")
	container := at(t, task, "ContainerDefinitions", 0)
	for _, tt := range []struct {
		path []any
		want any
	}{
		{[]any{"StopTimeout"}, 120}, // the most that Fargate takes
		{[]any{"ReadonlyRootFilesystem"}, true},
		{[]any{"User"}, "65532:65532"},
		{[]any{"Essential"}, true},
		{[]any{"Command"}, []any{"run", "--config", "env:LAYERD_CONFIG"}},
		{[]any{"HealthCheck", "Command"}, []any{"CMD", "/layerd", "healthcheck"}},
		{[]any{"LinuxParameters", "Capabilities", "Drop"}, []any{"ALL"}},
		{[]any{"LogConfiguration", "Options", "awslogs-group"}, "${Logs}"},
	} {
		if diff := cmp.Diff(at(t, container, tt.path...), tt.want); diff != "" {
			t.Errorf("%v (-have +want):\n%s", tt.path, diff)
		}
	}
	if container.(map[string]any)["Secrets"] != nil {
		t.Error("secrets in variables need a new task when they are replaced")
	}
	if got := at(t, task, "TaskRoleArn"); got != "${TaskRole.Arn}" {
		t.Errorf("task role %v", got)
	}
}

func TestECSTable(t *testing.T) {
	table := stack(t, nil).properties("Table")
	want := map[string]any{
		"TableName": "layerd", "BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": true,
		"PointInTimeRecoverySpecification": map[string]any{"PointInTimeRecoveryEnabled": true},
		"AttributeDefinitions":             []any{map[string]any{"AttributeName": "pk", "AttributeType": "S"}, map[string]any{"AttributeName": "sk", "AttributeType": "S"}},
		"KeySchema":                        []any{map[string]any{"AttributeName": "pk", "KeyType": "HASH"}, map[string]any{"AttributeName": "sk", "KeyType": "RANGE"}},
	}
	if diff := cmp.Diff(table, want); diff != "" {
		t.Errorf("table (-have +want):\n%s", diff)
	}
	for _, key := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		if got := at(t, stack(t, nil).root, "Resources", "Table", key); got != "Retain" {
			t.Errorf("%s of the table is %v", key, got)
		}
	}
}

// environment returns the variables of the container.
func environment(t *testing.T, c *template) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, e := range at(t, c.properties("Task"), "ContainerDefinitions", 0, "Environment").([]any) {
		env[at(t, e, "Name").(string)] = at(t, e, "Value").(string)
	}
	return env
}

// The configuration in the task's variable is one that layerd takes, found the
// way its own command line finds it.
func TestECSConfiguration(t *testing.T) {
	for name, tt := range map[string]struct {
		more map[string]any
		want config.Config
	}{
		"without Slack": {nil, config.Config{Store: "dynamodb:layerd"}},
		"with Slack": {map[string]any{"SlackWebhookSecret": slackSecret, "TableName": "other", "Branch": "release/1"}, config.Config{Store: "dynamodb:other", Git: config.Git{Branch: "release/1"},
			Notify: []config.Notify{{Slack: &config.Slack{WebhookURL: config.Secret{SecretsManager: slackSecret}, RepeatInterval: config.Duration{Duration: 24 * time.Hour}}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := stack(t, tt.more)
			env := environment(t, c)
			command := at(t, c.properties("Task"), "ContainerDefinitions", 0, "Command").([]any)
			where, data, err := config.Read(command[slices.Index(command, any("--config"))+1].(string), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
			if err != nil {
				t.Fatal(err)
			}
			got, problems := config.Load(where, data)
			for _, p := range problems {
				t.Errorf("%d:%d %s: %s\n%s", p.Line, p.Column, p.Code, p.Message, data)
			}
			if tt.want.Git.Branch == "" {
				tt.want.Git.Branch = "main"
			}
			if got.Store != tt.want.Store || got.Git.URL != "https://github.com/acme/layers.git" || got.Git.Branch != tt.want.Git.Branch || got.Git.Auth.Token != (config.Secret{SecretsManager: gitSecret}) {
				t.Errorf("configuration %+v", got)
			}
			if diff := cmp.Diff(got.Notify, tt.want.Notify, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("notify (-have +want):\n%s", diff)
			}
		})
	}
}

// The health check of the task, run as ECS runs it, with the program and the
// variables of the task.
func TestECSHealthCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("builds layerd")
	}
	built, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			w.WriteHeader(status)
		}
	}))
	defer server.Close()
	c := stack(t, nil)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// The default port may be taken on this machine.
	variable := environment(t, c)["LAYERD_CONFIG"] + "http: {listen: \"127.0.0.1:" + port + "\"}\n"
	command := at(t, c.properties("Task"), "ContainerDefinitions", 0, "HealthCheck", "Command").([]any)
	check := func() (int, string) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(built, "layerd"), command[2].(string))
		cmd.Env = []string{"LAYERD_CONFIG=" + variable}
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, out := check(); code != 0 {
		t.Errorf("alive: exit %d: %s", code, out)
	}
	status = http.StatusServiceUnavailable
	if code, out := check(); code != 1 || !strings.Contains(out, "503") {
		t.Errorf("stuck: exit %d: %s", code, out)
	}
	server.Close()
	if code, out := check(); code != 1 {
		t.Errorf("gone: exit %d: %s", code, out)
	}
}

// cfn-lint knows what CloudFormation accepts. It takes some seconds to say the
// same of the same template.
func TestECSTemplateLints(t *testing.T) {
	switch {
	case testing.Short():
		t.Skip("starts Python")
	case !nightly.On() && unchanged(t, "ecs"):
		t.Skip("LAYERD_NIGHTLY=1 runs it: it takes some seconds, and the template has not changed")
	}
	lint := nightly.Program(t, "cfn-lint", "pip install cfn-lint")
	if out, err := exec.CommandContext(t.Context(), lint, ecsTemplate).CombinedOutput(); err != nil {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
}

// unchanged reports whether a folder is as it was before this branch, or before
// the last commit on main. Where Git cannot tell, as in a shallow clone, it has
// changed.
func unchanged(t *testing.T, folder string) bool {
	t.Helper()
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	head, err := git("rev-parse", "HEAD")
	if err != nil {
		return false
	}
	base, err := git("merge-base", "HEAD", "origin/main")
	if err != nil || base == head {
		base = "HEAD~1"
	}
	if others, err := git("ls-files", "--others", "--exclude-standard", "--", folder); err != nil || others != "" {
		return false
	}
	_, err = git("diff", "--quiet", base, "--", folder)
	return err == nil
}
