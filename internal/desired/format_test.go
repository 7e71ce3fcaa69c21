package desired

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"
)

// A repository is written by many; its text must not move the cursor.
func TestFormatIsSafe(t *testing.T) {
	files := fstest.MapFS{"environments/\x1b[2Jx.yaml": {Data: []byte("a: \x1b[2J\n")}, "environments/dev.yaml": {Data: []byte(account + "\"\\e[2J\": 1\n")}}
	tree := Load(files, Options{})
	if len(tree.Problems) < 2 {
		t.Fatalf("problems %v", tree.Problems)
	}
	var plain, colour bytes.Buffer
	if err := Format(&plain, files, tree.Problems, Look{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsRune(plain.String(), '\x1b') {
		t.Errorf("an escape got through:\n%q", plain.String())
	}
	if err := Format(&colour, files, tree.Problems, Look{Color: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(colour.String(), "\x1b[") || strings.Contains(colour.String(), "\x1b[2J") {
		t.Errorf("colour:\n%q", colour.String())
	}
}
