package main

import (
	"testing"
)

func TestFit(t *testing.T) {
	for text, want := range map[string]string{"short": "short", "a longer line": "a longer…", "関数関数関数": "関数関数…"} {
		if got := fit(text, 9); got != want {
			t.Errorf("fit(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	commands := []string{"apply", "approve", "plan", "validate", "window"}
	for word, want := range map[string]string{
		"plna": "plan", "pln": "plan", "aply": "apply", "appove": "approve", "valid": "validate", "windows": "window",
		"status": "", "xyz": "", "": "",
	} {
		if got := nearest(word, commands); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
