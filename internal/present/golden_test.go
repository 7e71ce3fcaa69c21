package present

import (
	"path/filepath"
	"testing"

	"github.com/layerd/layerd/internal/goldentest"
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	goldentest.Check(t, filepath.Join("testdata", "golden", name), got)
}
