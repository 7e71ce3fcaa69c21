package desired

import (
	"bytes"
	"encoding/json"
)

// The entries are values with a short form. Their schemas are next to the
// generator, in schema_test.go.
type (
	regionName    string
	layerGlob     string
	plainText     string
	ignorable     string
	sha256Entry   string
	alarmName     string
	durationEntry string
	timeoutEntry  durationEntry
	pinVersion    string
	// These are read from their nodes, where 1.0 is what was written.
	rateEntry   struct{ unread }
	weightEntry struct{ unread }
	waveEntry   struct{ unread }
	// Nothing reads these two yet; the schema judges them.
	calendarEntry  struct{ unread }
	approversEntry struct{ unread }

	layerEntry     struct{ layerWishFile }
	retentionEntry struct{ retentionFile }
	windowsEntry   []windowEntry
	// smokeTestsEntry is a list; the short form is a single one.
	smokeTestsEntry []smokeTestFile
	windowEntry     struct {
		cronWindow
		text string // the short form; then cronWindow is empty
	}
	versionEntry struct {
		text     string
		byRegion map[string]pinVersion // nil = one for all
	}
	// arnEntry is an ARN, or a map from Region to one.
	arnEntry struct {
		text     string
		byRegion map[string]string // nil = one for all
	}
	selectorEntry struct{ selectorFile }
	driftEntry    struct{ driftFile }
	artifactEntry struct{ artifactFile }
)

// unread accepts any value.
type unread struct{}

func (*unread) UnmarshalJSON([]byte) error { return nil }

func quoted(data []byte) bool { return len(data) > 0 && data[0] == '"' }

func (e *windowsEntry) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]windowEntry)(e))
	}
	*e = make([]windowEntry, 1)
	return json.Unmarshal(data, &(*e)[0])
}

func (e *smokeTestsEntry) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]smokeTestFile)(e))
	}
	*e = make([]smokeTestFile, 1)
	return json.Unmarshal(data, &(*e)[0])
}

func (e *windowEntry) UnmarshalJSON(data []byte) error {
	if quoted(data) {
		return json.Unmarshal(data, &e.text)
	}
	return json.Unmarshal(data, &e.cronWindow)
}

func (e *versionEntry) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("{")) {
		return json.Unmarshal(data, &e.byRegion)
	}
	return json.Unmarshal(data, (*pinVersion)(&e.text))
}

func (e *arnEntry) UnmarshalJSON(data []byte) error {
	if quoted(data) {
		return json.Unmarshal(data, &e.text)
	}
	return json.Unmarshal(data, &e.byRegion)
}

// UnmarshalJSON takes a number as it is written.
func (v *pinVersion) UnmarshalJSON(data []byte) error {
	if quoted(data) {
		return json.Unmarshal(data, (*string)(v))
	}
	*v = pinVersion(data)
	return nil
}

func (d *timeoutEntry) UnmarshalJSON(data []byte) error {
	return (*durationEntry)(d).UnmarshalJSON(data)
}

// UnmarshalJSON takes 0 without a unit.
func (d *durationEntry) UnmarshalJSON(data []byte) error {
	return (*pinVersion)(d).UnmarshalJSON(data)
}

func (e *selectorEntry) UnmarshalJSON(data []byte) error {
	if quoted(data) {
		return json.Unmarshal(data, &e.Name)
	}
	return json.Unmarshal(data, &e.selectorFile)
}

func (e *driftEntry) UnmarshalJSON(data []byte) error {
	if quoted(data) {
		return json.Unmarshal(data, &e.Action)
	}
	return json.Unmarshal(data, &e.driftFile)
}

func (e *artifactEntry) UnmarshalJSON(data []byte) error {
	if quoted(data) {
		return json.Unmarshal(data, &e.Location)
	}
	return json.Unmarshal(data, &e.artifactFile)
}
