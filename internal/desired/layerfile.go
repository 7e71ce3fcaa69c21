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
	// Runtimes the layer is made for; an empty list is every runtime.
	CompatibleRuntimes []runtimeName `json:"compatible_runtimes" jsonschema:"maxItems=15"`
	// Architectures the layer is made for; an empty list is every architecture.
	CompatibleArchitectures []architecture `json:"compatible_architectures" jsonschema:"maxItems=2"`
	// An SPDX identifier, a URL or the text of the license.
	License string `json:"license" jsonschema:"maxLength=512"`
	// How many versions to keep where the environment does not say, at least 2.
	RetentionPolicy retentionEntry `json:"retention_policy"`
	// Shown; tags of the parameters layerd writes.
	Metadata map[string]any `json:"metadata"`
	// Where the archive of a version is that AWS does not have yet, so that layerd publishes it: s3://BUCKET/KEY, or a zip or a folder in this repository.
	Artifact artifactEntry `json:"artifact"`
	// Who may use the layer's versions: accounts, organizations (o-…), or {public: REASON} for every AWS account. Where the environment says nothing.
	ShareWith []principalEntry `json:"share_with"`
	// Semantic version to environment to live number, for versions whose Description says nothing.
	Known map[string]map[string]numberEntry `json:"known"`
	// Versions that are never attached again, and why; a pin keeps one that is there.
	Yanked map[string]string `json:"yanked"`
	// Versions that people should leave, and what to use instead; told wherever they show, and nothing waits for it.
	Deprecated map[string]string `json:"deprecated"`
	// Modules of Python that the layer has to have: layerd build looks for them.
	Imports []moduleName `json:"imports"`
	// How layerd build makes the archive, beyond the usual layout, which needs no key.
	Build buildFile `json:"build"`
}

// artifactFile is where the archives of a layer are.
type artifactFile struct {
	// s3://BUCKET/KEY, or the path of a zip or a folder in this repository; ${VERSION} is the version without v.
	Location string `json:"location" jsonschema:"required,format=artifact"`
	// SHA-256 of the archive by semantic version: another one is refused. A version without an entry may be anything.
	SHA256 map[string]sha256Entry `json:"sha256"`
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
	moduleName    string
	runtimeName   string
	architecture  string
	accountNumber string
	roleGlob      string
	functionGlob  string
	layerNameGlob string
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
	// Where all commands keep the past: sqlite:PATH, dynamodb:TABLE or memory:, which forgets approvals, quarantines and what was applied when the command ends.
	Store string `json:"store" jsonschema:"format=store"`
	// Keys of every environment.
	Defaults environmentFile `json:"defaults"`
	// Times in which no change may start anywhere; no environment can take one away.
	Freezes []freezeFile `json:"freezes"`
	// What an environment's own file may reach, by environment; beyond it is a problem of that file. "*" is for environments without an entry, or without such a list in theirs; they are free otherwise.
	Bounds map[string]boundFile `json:"bounds"`
}

// boundFile is what one environment's file may reach. A key that is left out is no
// bound.
type boundFile struct {
	// Accounts.
	Accounts []accountNumber `json:"accounts"`
	// Regions.
	Regions []regionName `json:"regions"`
	// ARNs of roles, with * and ?. An environment without a role is beyond them: it would act with all that the daemon may.
	Roles []roleGlob `json:"roles"`
	// Globs on the names of functions: nothing that a selector could match may be beyond them, so each selector needs a name; nor what smoke tests call.
	Functions []functionGlob `json:"functions"`
	// Globs on what layers of the environment's own account are called live, by name or by arn.
	LayerNames []layerNameGlob `json:"layer_names"`
}
