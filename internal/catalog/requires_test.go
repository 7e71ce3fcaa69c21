package catalog

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestRequirements(t *testing.T) {
	for _, tt := range []struct {
		value, version string
		want           bool
	}{
		{"makoto-common 1.4", "1.4.0", true},
		{"makoto-common 1.4", "1.10.0", true},
		{"makoto-common 1.4", "1.3.9", false},
		{"makoto-common 1.4", "2.0.0", false},
		{"makoto-common v1.4.2", "1.4.2", true},
		{"makoto-common 1.4.2", "1.4.1", false},
		{"makoto-common 1", "1.0.0", true},
		{"makoto-common 0.2", "0.3.0", true}, // the guide: one major number
		{"makoto-common ^0.2", "0.3.0", false},
		{"makoto-common 1.4", "", false}, // nobody knows which it is
		{"makoto-common 1.4", "1.5.0-rc.1", false},
		{"makoto-common 1.5.0-rc.1", "1.5.0-rc.2", true},
		{"makoto-common 1.5.0-rc.1", "1.5.0", true},
		{"makoto-common 1.4", "1.4.0+build.5", true},
		{"makoto-common 1.4.x", "1.4.9", true},
		{"makoto-common 1.4.x", "1.5.0", false},
		{"makoto-common 1.x", "1.9.0", true},
		{"makoto-common 1.x.x", "2.0.0", false},
		{"makoto-common =1.4.2", "1.4.2", true},
		{"makoto-common =1.4.2", "1.4.3", false},
		{"makoto-common ^1.4", "1.9.0", true},
		{"makoto-common ~1.4.2", "1.5.0", false},
		{"makoto-common >=1.4 <1.6", "1.5.9", true},
		{"makoto-common >=1.4, <1.6", "1.6.0", false},
		{"makoto-common@1.4", "1.4.0", true},
		{"  makoto-common   1.4 ", "1.4.0", true},
	} {
		list, err := Requirements(tt.value)
		if err != nil || len(list) != 1 || list[0].Layer != "makoto-common" {
			t.Errorf("%q: %v, %v", tt.value, list, err)
			continue
		}
		if got := list[0].Satisfied(tt.version); got != tt.want {
			t.Errorf("%q is satisfied by %q: %v, want %v", tt.value, tt.version, got, tt.want)
		}
	}
}

func TestRequirementsOfSeveralLayers(t *testing.T) {
	for _, value := range []string{"a 1.4 b 3.x", "a 1.4, b 3.x", "a@1.4 b@3.x", "a 1.4;b 3.x", "a@1.4,b 3.x"} {
		list, err := Requirements(value)
		if got := fmt.Sprint(list); err != nil || len(list) != 2 || list[0].Layer != "a" || list[1].Layer != "b" || list[1].Text != "3.x" {
			t.Errorf("%q: %s, %v", value, got, err)
		}
	}
}

// What cannot be read is an error that says what to write, never no requirement.
func TestRequirementsThatCannotBeRead(t *testing.T) {
	for _, value := range []string{
		"", " ", "makoto-common", "1.4", "makoto-common 1.4 makoto-ml", "makoto-common latest", "makoto-common 1.4 - 2.0", "makoto-common ~>1.4",
		"makoto-common:1.4", "makoto-common=1.4", "共通 1.4", "makoto-common 1.4.2.3", "makoto-common x", "makoto-common *", "@1.4", "makoto-common@", "a 1.4 <", "a 1.x.3",
	} {
		list, err := Requirements(value)
		if err == nil || !strings.Contains(err.Error(), "write ") {
			t.Errorf("%q was read as %v, %v", value, list, err)
		}
	}
}

// The forms that are offered are those that AWS stores.
func TestWhatIsOfferedCanBeStored(t *testing.T) {
	storable := regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	for _, value := range []string{"makoto-common 1.4", "makoto-common 1.4.x", "makoto-common =1.4.2", "makoto-common 1.4 makoto-ml 3", "makoto-common@1.4"} {
		if _, err := Requirements(value); err != nil || !storable.MatchString(value) || len(value) > 256 {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// Whatever is in a tag, reading it ends, and what was read says the same twice.
func TestAnythingMayBeInATag(t *testing.T) {
	parts := []string{"a", "makoto-common", " ", ",", "@", "1.4", "^", "=", "x", ".", "-", "<", ">", "v", "共", "99999999999999999999", "1.4.2-rc.1"}
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 3))
		var b strings.Builder
		for range r.IntN(8) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		list, err := Requirements(b.String())
		if (err == nil) != (len(list) > 0) {
			t.Fatalf("%q: %v, %v", b.String(), list, err)
		}
		for _, q := range list {
			if q.Satisfied("") || q.Layer == "" || q.Text == "" {
				t.Fatalf("%q: %+v", b.String(), q)
			}
		}
	}
}
