package desired

import (
	"bytes"
	"encoding/json"
)

// layerFile is what a layer is: layers/DIR/layer.yaml.
type layerFile struct {
	// The name by which environments ask for the layer.
	Name string `json:"name" jsonschema:"required,pattern=^[A-Za-z0-9_-]{1\\,140}$"`
	// For people, and the beginning of each published version's Description.
	Description string `json:"description"`
	// Runtimes the layer is made for.
	CompatibleRuntimes []runtimeName `json:"compatible_runtimes" jsonschema:"maxItems=15"`
	// Architectures the layer is made for.
	CompatibleArchitectures []architecture `json:"compatible_architectures" jsonschema:"maxItems=2"`
	// An SPDX identifier, a URL or the text of the license.
	License string `json:"license" jsonschema:"maxLength=512"`
	// How many versions to keep where the environment does not say.
	RetentionPolicy retentionEntry `json:"retention_policy"`
	// Shown; tags of the parameters layerd writes.
	Metadata map[string]any `json:"metadata"`
	// Where the archive comes from: an s3:// address or a path in this repository.
	Artifact string `json:"artifact" jsonschema:"format=plain"`
	// Accounts or organizations that may use the layer.
	ShareWith []principal `json:"share_with"`
	// Semantic version to environment to live number, for versions whose Description says nothing.
	Known map[string]map[string]numberEntry `json:"known"`
	// Versions that are never attached again, and why.
	Yanked map[string]string `json:"yanked"`
	// Modules of Python that the layer has to have: layerd build looks for them.
	Imports []moduleName `json:"imports"`
	// How layerd build makes the archive, beyond the usual layout, which needs no key.
	Build buildFile `json:"build"`
}

// buildFile is how a layer's archive is made.
type buildFile struct {
	// Globs of what is left out, as in a .gitignore: on the path in the archive or below its top folder.
	Exclude []string `json:"exclude"`
	// Whether symbols are stripped from native libraries; the archive then depends on the version of strip.
	Strip bool `json:"strip"`
	// A command of the layer's own, run in its folder, that puts the content into the folder $LAYERD_OUT; instead of pip, uv and npm.
	Run string `json:"run" jsonschema:"minLength=1,format=plain"`
}

type (
	moduleName   string
	runtimeName  string
	architecture string
	// numberEntry is a layer version number, or a map from Region to one.
	numberEntry struct {
		number   int64
		byRegion map[string]int64 // nil = one for all
	}
)

func (e *numberEntry) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("{")) {
		return json.Unmarshal(data, &e.byRegion)
	}
	return json.Unmarshal(data, &e.number)
}

// layerdFile is what holds for the whole repository: layerd.yaml.
type layerdFile struct {
	// IANA time zone of environments that name none.
	Timezone string `json:"timezone" jsonschema:"format=timezone"`
	// Where all commands keep the past: sqlite:PATH, dynamodb:TABLE or memory:.
	Store string `json:"store" jsonschema:"format=store"`
	// Keys of every environment.
	Defaults environmentFile `json:"defaults"`
	// Times in which no change may start anywhere.
	Freezes []freezeFile `json:"freezes"`
}
