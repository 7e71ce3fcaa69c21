package bump

import (
	"testing"
)

func TestInsert(t *testing.T) {
	for _, tt := range []struct{ name, list, data, want string }{
		{"none", "pins", "a: 1\n", "a: 1\n\npins:\n  - x: 1\n    y: 2\n"},
		{"no line end", "pins", "a: 1", "a: 1\n\npins:\n  - x: 1\n    y: 2\n"},
		{"empty file", "pins", "", "pins:\n  - x: 1\n    y: 2\n"},
		{"of Windows", "pins", "a: 1\r\n", "a: 1\r\n\r\npins:\r\n  - x: 1\r\n    y: 2\r\n"},
		{"block", "pins", "pins: # of people\n# why\n- z: 1\nb: 2\n", "pins: # of people\n- x: 1\n  y: 2\n# why\n- z: 1\nb: 2\n"},
		{"deep", "pins", "pins:\n\n    - z: 1 # é\n", "pins:\n    - x: 1\n      y: 2\n\n    - z: 1 # é\n"},
		{"flow", "pins", "é: 1\npins: [ {z: 1} ] # c\n", "é: 1\npins: [{x: 1, y: 2},  {z: 1} ] # c\n"},
		{"empty flow", "pins", "pins: []\n", "pins: [{x: 1, y: 2}]\n"},
		{"all flow", "pins", "{a: 1}\n", "{pins: [{x: 1, y: 2}], a: 1}\n"},
	} {
		got, err := Insert([]byte(tt.data), []string{tt.list}, []string{"x: 1", "y: 2"})
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	for _, data := range []string{"pins: 1\n", "pins: {a: 1}\n", "- a\n", ": :"} {
		if got, err := Insert([]byte(data), []string{"pins"}, []string{"x: 1"}); err == nil {
			t.Errorf("%q became %q", data, got)
		}
	}
}
