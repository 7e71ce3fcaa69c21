package deploy_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/store/dynamostore"
	"github.com/layerd/layerd/internal/store/dynamostore/dynamotest"
)

// secretsManager returns the address of one that has the secrets which the
// template's parameters name.
func secretsManager(t *testing.T, secrets map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			SecretID string `json:"SecretId"`
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &asked)
		}
		value, known := secrets[asked.SecretID]
		if err != nil || !known || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
			http.Error(w, `{"__type": "ResourceNotFoundException"}`, http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		fmt.Fprintf(w, `{"ARN": %q, "SecretString": %q}`, asked.SecretID, value)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// The task of the template, with the program of the image: its command and
// variables, its user, a root that cannot be written, a table of DynamoDB, Git
// over TLS, secrets in Secrets Manager. It is alive by the template's own health
// check and ends within its StopTimeout.
func TestECSTaskStarts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	built, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	git := httptest.NewTLSServer(s.git.Config.Handler)
	defer git.Close()
	authority := filepath.Join(built, "authority.pem") // where the task's user can read it
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: git.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	db := dynamotest.New()
	tables := httptest.NewServer(db)
	defer tables.Close()

	c := stack(t, map[string]any{"RepositoryUrl": git.URL + "/acme/layers", "SlackWebhookSecret": slackSecret})
	env := s.environment("SSL_CERT_FILE="+authority, "AWS_ENDPOINT_URL_DYNAMODB="+tables.URL,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER="+secretsManager(t, map[string]string{gitSecret: gitToken, slackSecret: s.webhook()}))
	for name, value := range environment(t, c) {
		if name == "LAYERD_CONFIG" {
			value += "http: {listen: \"" + s.listen + "\"}\n" // the default port may be taken on this machine
		}
		if name != "AWS_REGION" {
			env = append(env, name+"="+value)
		}
	}
	task := func(cmd *exec.Cmd) { asTask(t, c, cmd, env) }
	layerd := filepath.Join(built, "layerd")
	command := []string{layerd}
	for _, word := range at(t, c.properties("Task"), "ContainerDefinitions", 0, "Command").([]any) {
		command = append(command, word.(string))
	}

	// Until the table has its mark layerd refuses it.
	early := run(t, task, command...)
	<-early.done
	if code := early.ProcessState.ExitCode(); code == 0 || !strings.Contains(early.log.String(), "layerd store init") {
		t.Errorf("without the table: exit %d: %s", code, &early.log)
	}
	text, err := os.ReadFile(ecsTemplate)
	if err != nil {
		t.Fatal(err)
	}
	advice := regexp.MustCompile(`(?m)^#   layerd (store init .*?) +# once`).FindSubmatch(text)
	if advice == nil {
		t.Fatal("the template does not say how the table gets its mark")
	}
	person := exec.CommandContext(t.Context(), layerd, strings.Fields(string(advice[1]))...)
	person.Env = env
	if out, err := person.CombinedOutput(); err != nil {
		t.Fatalf("store init: %v\n%s", err, out)
	}

	d := run(t, task, command...)
	eventually(t, "ready", func() bool { code, _ := s.status("/readyz"); return code == 200 }, &d.log)
	eventually(t, "a first message", func() bool { return len(s.messages()) > 0 }, &d.log)
	health := at(t, c.properties("Task"), "ContainerDefinitions", 0, "HealthCheck", "Command").([]any)
	check := exec.CommandContext(t.Context(), layerd, health[2].(string))
	task(check)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", health, err, out)
	}
	if db.Count("UpdateItem") == 0 {
		t.Error("nothing was written to the table")
	}

	stop := time.Duration(at(t, c.properties("Task"), "ContainerDefinitions", 0, "StopTimeout").(int)) * time.Second
	d.ends(syscall.SIGTERM, min(stop, 25*time.Second))
	if code := d.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit %d: %s", code, &d.log)
	}
	kept, err := dynamostore.OpenReadOnly(t.Context(), db.Config(), "layerd", dynamostore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if _, released := s.given(kept, git.URL+"/acme/layers"); !released {
		t.Error("the lease was not given back")
	}
	if got := s.messages(); len(got) != 1 {
		t.Errorf("Slack was told %d times: %s", len(got), got)
	}
	d.isJSON()
}

// asTask has a command run in the surroundings of the container.
func asTask(t *testing.T, c *template, cmd *exec.Cmd, env []string) {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o555); err != nil { //nolint:gosec // a folder that nobody may write
		t.Fatal(err)
	}
	cmd.Dir, cmd.Env = root, env
	if os.Getuid() != 0 {
		return
	}
	user, group, _ := strings.Cut(at(t, c.properties("Task"), "ContainerDefinitions", 0, "User").(string), ":")
	uid, err := strconv.ParseUint(user, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(group, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Dir = "/" // the folders above a test's are closed to others
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
