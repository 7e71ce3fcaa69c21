package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/layerd/layerd/internal/strictyaml/schematest"
)

var update = flag.Bool("update", false, "write schema.json and its copy in deploy")

func (Duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Format: "length"}
}

func (Secret) JSONSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", AdditionalProperties: jsonschema.FalseSchema, Properties: jsonschema.NewProperties(),
		Description:       "Where a secret is; the secret itself is never written here.",
		DependentRequired: map[string][]string{"key": {"secretsmanager"}}}
	for _, p := range [][3]string{
		{"file", "secret-file", "A file, read before each use."},
		{"env", "variable", "A variable of the environment."},
		{"credential", "credential", "A credential of the systemd unit (LoadCredential=)."},
		{"secretsmanager", "secret-name", "Name or ARN of a secret in AWS Secrets Manager."},
		{"key", "secret-key", "One field of a secret that is a JSON object."},
		{"ssm", "parameter-name", "Name or ARN of a parameter in SSM Parameter Store."},
	} {
		s.Properties.Set(p[0], &jsonschema.Schema{Type: "string", Format: p[1], Description: p[2]})
		if p[0] != "key" {
			s.OneOf = append(s.OneOf, &jsonschema.Schema{Required: []string{p[0]}})
		}
	}
	return s
}

func (Bound) JSONSchemaExtend(s *jsonschema.Schema) {
	s.MinProperties = new(uint64(1))
	for key, format := range map[string]string{"accounts": "account", "regions": "region", "roles": "role-glob", "functions": "bound-glob", "layer_names": "bound-glob"} {
		p, _ := s.Properties.Get(key)
		p.Items = &jsonschema.Schema{Type: "string", Format: format}
	}
}

func (Config) JSONSchemaExtend(s *jsonschema.Schema) {
	p, _ := s.Properties.Get("bounds")
	p.PropertyNames = &jsonschema.Schema{Type: "string", Format: "bound-name"}
}

func (Notify) JSONSchemaExtend(s *jsonschema.Schema) {
	s.MinProperties, s.MaxProperties = new(uint64(1)), new(uint64(1))
}

// forEditors is the copy that the example names in its first line.
const forEditors = "../../../deploy/layerd.schema.json"

func generate(t *testing.T) []byte {
	t.Helper()
	root := &jsonschema.Schema{
		Version: jsonschema.Version, Title: "layerd daemon", Description: "The configuration file of layerd run.",
		Ref: "#/$defs/Config", Definitions: schematest.Definitions(t, []string{"config.go"}, Config{}),
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSchemaIsGenerated(t *testing.T) {
	want := generate(t)
	if *update {
		for _, file := range []string{"schema.json", forEditors} {
			if err := os.WriteFile(file, want, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	got, err := os.ReadFile(forEditors)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types say; run go generate: %v", forEditors, err)
	}
	if diff := cmp.Diff(string(Schema()), string(want)); diff != "" {
		t.Errorf("schema.json is not what the types say; run go generate (-have +want):\n%s", diff)
	}
}

func TestSchemaIsDraft2020(t *testing.T) {
	doc, err := validator.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	if err := validator.NewCompiler().MustCompile("https://json-schema.org/draft/2020-12/schema").Validate(doc); err != nil {
		t.Error(err)
	}
}
