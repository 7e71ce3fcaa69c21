package desired

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

var update = flag.Bool("update", false, "write schema.json, its copies in the examples, and the golden texts")

// The schemas of values with a short form. They are methods of the types, and
// stand here so that the generator is linked into tests only.

func anyOf(list ...*jsonschema.Schema) *jsonschema.Schema { return &jsonschema.Schema{AnyOf: list} }
func ref(name string) *jsonschema.Schema                  { return &jsonschema.Schema{Ref: "#/$defs/" + name} }
func text(format string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Format: format}
}
func number(minimum string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "integer", Minimum: json.Number(minimum)}
}
func enum(values ...any) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Enum: values}
}
func arrayOf(items *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", Items: items}
}
func mapOf(names, values *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", PropertyNames: names, AdditionalProperties: values}
}

func (regionName) JSONSchema() *jsonschema.Schema { return text("region") }
func (layerGlob) JSONSchema() *jsonschema.Schema  { return text("layer-glob") }
func (plainText) JSONSchema() *jsonschema.Schema  { return text("plain") }
func (principalEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("principal"), ref("public"))
}
func (sha256Entry) JSONSchema() *jsonschema.Schema { return text("sha256") }
func (artifactEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("artifact"), ref("artifact"))
}
func (artifactFile) JSONSchemaExtend(s *jsonschema.Schema) {
	p, _ := s.Properties.Get("sha256")
	p.PropertyNames = text("exact-version")
}
func (moduleName) JSONSchema() *jsonschema.Schema    { return text("module") }
func (runtimeName) JSONSchema() *jsonschema.Schema   { return text("runtime") }
func (architecture) JSONSchema() *jsonschema.Schema  { return enum("x86_64", "arm64") }
func (accountNumber) JSONSchema() *jsonschema.Schema { return text("account") }
func (roleGlob) JSONSchema() *jsonschema.Schema      { return text("role-glob") }
func (functionGlob) JSONSchema() *jsonschema.Schema  { return text("bound-glob") }
func (layerNameGlob) JSONSchema() *jsonschema.Schema { return text("bound-glob") }
func (boundFile) JSONSchemaExtend(s *jsonschema.Schema) {
	s.MinProperties = new(uint64(1))
}
func (layerdFile) JSONSchemaExtend(s *jsonschema.Schema) {
	p, _ := s.Properties.Get("bounds")
	p.PropertyNames = text("bound-name")
}
func (ignorable) JSONSchema() *jsonschema.Schema {
	return enum("window", "freeze", "approval", "order", "health")
}
func (durationEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("length"), &jsonschema.Schema{Type: "integer", Const: 0})
}
func (timeoutEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("timeout"), &jsonschema.Schema{Type: "integer", Const: 0})
}
func (pinVersion) JSONSchema() *jsonschema.Schema { return anyOf(text("version"), number("1")) }
func (versionEntry) JSONSchema() *jsonschema.Schema {
	byRegion := mapOf(text("region"), ref("pinVersion"))
	byRegion.MinProperties = new(uint64(1))
	return anyOf(text("version"), number("1"), byRegion)
}
func (arnEntry) JSONSchema() *jsonschema.Schema {
	byRegion := mapOf(text("region"), text("layer-arn"))
	byRegion.MinProperties = new(uint64(1))
	return anyOf(text("layer-arn"), byRegion)
}
func (numberEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(number("1"), mapOf(text("region"), number("1")))
}
func (layerEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("version"), number("1"), ref("layerWish"))
}
func (retentionEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("retention"), ref("retention"))
}
func (driftEntry) JSONSchema() *jsonschema.Schema { return anyOf(enum("heal", "report"), ref("drift")) }
func (windowEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("window"), ref("cronWindow"))
}
func (windowsEntry) JSONSchema() *jsonschema.Schema {
	several := arrayOf(ref("windowEntry"))
	several.MinItems = new(uint64(1))
	return anyOf(text("window"), ref("cronWindow"), several)
}
func (selectorEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("function-glob"), ref("selector"))
}
func (approversEntry) JSONSchema() *jsonschema.Schema {
	teams := arrayOf(&jsonschema.Schema{Type: "string"})
	teams.MinItems = new(uint64(1))
	return anyOf(teams, ref("approvers"))
}
func (calendarEntry) JSONSchema() *jsonschema.Schema {
	several := arrayOf(text("plain"))
	several.MinItems = new(uint64(1))
	return anyOf(text("plain"), several, ref("changeCalendar"))
}
func (rateEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("percent"), &jsonschema.Schema{Type: "number", Minimum: "0", Maximum: "1"})
}
func (weightEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(text("percent"), &jsonschema.Schema{Type: "number", ExclusiveMinimum: "0", ExclusiveMaximum: "1"})
}
func (waveEntry) JSONSchema() *jsonschema.Schema { return anyOf(text("percent"), number("1")) }
func (alarmName) JSONSchema() *jsonschema.Schema { return text("alarm") }
func (smokeTestsEntry) JSONSchema() *jsonschema.Schema {
	return anyOf(ref("smokeTest"), arrayOf(ref("smokeTest")))
}
func (selectorFile) JSONSchemaExtend(s *jsonschema.Schema) {
	s.MinProperties = new(uint64(1))
	s.Properties.Set("attached", &jsonschema.Schema{Type: "boolean", Const: true, Description: "Has any version of this layer now; to leave such out, use except."})
}
func (layerFile) JSONSchemaExtend(s *jsonschema.Schema) {
	set := func(key string, f func(*jsonschema.Schema)) {
		p, _ := s.Properties.Get(key)
		f(p)
	}
	scalar := anyOf(&jsonschema.Schema{Type: "string"}, &jsonschema.Schema{Type: "number"}, &jsonschema.Schema{Type: "boolean"})
	set("metadata", func(p *jsonschema.Schema) { p.AdditionalProperties = scalar })
	set("known", func(p *jsonschema.Schema) { p.PropertyNames = text("exact-version") })
	set("yanked", func(p *jsonschema.Schema) { p.PropertyNames = text("exact-version") })
	set("deprecated", func(p *jsonschema.Schema) { p.PropertyNames = text("exact-version") })
}

// generate makes the schema document from the file types.
func generate(t *testing.T) []byte {
	t.Helper()
	root := &jsonschema.Schema{
		Version:     jsonschema.Version,
		Title:       "layerd",
		Description: "The files of a desired-state repository. Use $defs/environment for environments/NAME.yaml, $defs/layer for layers/DIR/layer.yaml and $defs/layerd for layerd.yaml.",
		AnyOf:       []*jsonschema.Schema{ref("environment"), ref("layer"), ref("layerd")},
		Definitions: schematest.Definitions(t, []string{"envfile.go", "layerfile.go"},
			layerdFile{}, layerFile{}, artifactFile{}, environmentFile{}, layerWishFile{}, cronWindow{}, windowEntry{},
			retentionFile{}, driftFile{}, selectorFile{}, publicFile{}, approversFile{}, changeCalendarFile{}, smokeTestFile{}, pinVersion("")),
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

// forEditors is the copy that the files of the example name in their first line.
const forEditors = "../../examples/repo/schema/layerd.schema.json"

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
	if diff := cmp.Diff(string(Schema()), string(want)); diff != "" {
		t.Errorf("schema.json is not what the file types say; run go generate (-have +want):\n%s", diff)
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

// Every format the schema names is one that the loader checks: an unknown name
// would be ignored silently.
func TestSchemaFormatsAreKnown(t *testing.T) {
	known := formats()
	var walk func(v any)
	seen := 0
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if f, ok := v["format"].(string); ok {
				seen++
				if known[f] == nil {
					t.Errorf("format %q is not checked", f)
				}
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	var doc any
	if err := json.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	walk(doc)
	if seen < 20 {
		t.Errorf("only %d formats in the schema", seen)
	}
}
