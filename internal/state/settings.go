package state

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// Settings is a fingerprint of the settings of a function or of one of its
// versions. It shows which of them differ and nothing of their values:
// environment variables are among them.
type Settings string

// NewSettings makes one from settings by name, whose values may be in any
// stable form. An empty value is the same as none.
func NewSettings(values map[string]string) Settings {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] == "" {
			continue
		}
		sum := sha256.Sum256([]byte(values[name]))
		b.WriteString(name + "=" + hex.EncodeToString(sum[:6]) + ";")
	}
	return Settings(b.String())
}

// Differ returns the names of the settings that are not the same, sorted; nil
// when none differs.
func (s Settings) Differ(o Settings) []string {
	if s == o {
		return nil
	}
	a, b := s.parts(), o.parts()
	var names []string
	for name := range a {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s Settings) parts() map[string]string {
	m := map[string]string{}
	for part := range strings.SplitSeq(string(s), ";") {
		if name, hash, ok := strings.Cut(part, "="); ok {
			m[name] = hash
		}
	}
	return m
}
