package state

import "testing"

func TestRuntimesWithoutALanguage(t *testing.T) {
	for runtime, want := range map[string]bool{
		"custom": true, "provided": true, "provided.al2": true, "provided.al2023": true,
		"python3.12": false, "nodejs24.x": false, "customs": false, "": false,
	} {
		if got := OSOnly(runtime); got != want {
			t.Errorf("OSOnly(%q) is %v", runtime, got)
		}
	}
}

func TestOtherRuntime(t *testing.T) {
	pythons := []string{"python3.11", "python3.12"}
	for _, c := range []struct {
		runtime string
		meant   []string
		want    bool
	}{
		{"python3.12", pythons, false},
		{"python3.13", pythons, true},
		{"python3.13", nil, false},
		{"provided.al2023", pythons, true},
		{"custom", pythons, false},
		{"custom", []string{"custom"}, false},
		{"python3.12", []string{"custom"}, true},
		{"cobol9", pythons, true},
		{"", pythons, true},
	} {
		if got := OtherRuntime(c.runtime, c.meant); got != c.want {
			t.Errorf("OtherRuntime(%q, %q) is %v", c.runtime, c.meant, got)
		}
	}
}
