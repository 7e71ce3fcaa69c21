package deploy_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// instructions returns those of the last stage of the Dockerfile, and the first
// stage's FROM.
func instructions(t *testing.T) (builder string, last map[string]string) {
	t.Helper()
	data, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), "\\\n", "")
	for line := range strings.SplitSeq(text, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		if word == "FROM" {
			if builder == "" {
				builder = rest
			}
			last = map[string]string{}
		}
		if word != "" && word != "#" {
			last[word] = rest
		}
	}
	return builder, last
}

// The image is the program, started as nobody, and checks itself as the task
// does.
func TestImage(t *testing.T) {
	_, last := instructions(t)
	for word, want := range map[string]string{
		"FROM": "gcr.io/distroless/static-debian12:nonroot", "USER": "65532:65532", "ENTRYPOINT": `["/layerd"]`, "COPY": "--from=build /layerd /layerd",
	} {
		if last[word] != want {
			t.Errorf("%s %s, want %s", word, last[word], want)
		}
	}
	_, check, _ := strings.Cut(last["HEALTHCHECK"], "CMD ")
	var have []any
	if err := json.Unmarshal([]byte(check), &have); err != nil {
		t.Fatalf("HEALTHCHECK %s: %v", last["HEALTHCHECK"], err)
	}
	want := at(t, stack(t, nil).properties("Task"), "ContainerDefinitions", 0, "HealthCheck", "Command").([]any)[1:]
	if diff := cmp.Diff(have, want); diff != "" {
		t.Errorf("the image's check and the task's (-image +task):\n%s", diff)
	}
}

// The image is built with the Go that the module asks for.
func TestImageIsBuiltWithOurGo(t *testing.T) {
	builder, _ := instructions(t)
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^go ([0-9]+\.[0-9]+)`).FindSubmatch(mod)
	if m == nil || !strings.Contains(builder, "golang:"+string(m[1])+"-") {
		t.Errorf("built by %s, and go.mod says %s", builder, m)
	}
}
