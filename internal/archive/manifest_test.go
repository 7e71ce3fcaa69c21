package archive_test

import (
	"bytes"
	"testing"

	"github.com/layerd/layerd/internal/archive"
)

// packed returns an archive of the files, with the manifest of a layer where made is not nil.
func packed(t *testing.T, made *archive.Layer, files ...archive.File) *bytes.Reader {
	t.Helper()
	if made != nil {
		m, err := archive.NewManifest(*made, nil)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, m)
	}
	var out bytes.Buffer
	if _, err := archive.Pack(&out, files, nil); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(out.Bytes())
}

// An archive whose manifest names another layer or version is not taken for this one;
// without a manifest, or where one of them says nothing, nothing is known.
func TestAnArchiveOfAnotherLayer(t *testing.T) {
	common := archive.Layer{Name: "common", Version: "1.5.0"}
	for _, tt := range []struct {
		made, meant archive.Layer
		manifest    bool
		bad         bool
	}{
		{common, common, true, false},
		{common, archive.Layer{Name: "common", Version: "1.6.0"}, true, true},
		{common, archive.Layer{Name: "third", Version: "1.5.0"}, true, true},
		{archive.Layer{Name: "common"}, common, true, false},
		{common, archive.Layer{Name: "common"}, true, false},
		{common, archive.Layer{}, true, false},
		{common, archive.Layer{Name: "third", Version: "2.0.0"}, false, false},
	} {
		made := &tt.made
		if !tt.manifest {
			made = nil
		}
		zip := packed(t, made, archive.NewFile("python/a.py", []byte("x = 1\n")))
		c, err := archive.Open(zip, zip.Size())
		if err != nil {
			t.Fatal(err)
		}
		bad := false
		for _, p := range c.Check(tt.meant) {
			bad = bad || p.Code == "other_layer"
		}
		if bad != tt.bad {
			t.Errorf("%+v for %+v: refused %v", tt.made, tt.meant, bad)
		}
	}
}
