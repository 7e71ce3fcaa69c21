package archive_test

import (
	"slices"
	"testing"

	"github.com/layerd/layerd/internal/archive"
)

// A module that nothing describes is named by what its package may be called, whatever
// else is described beside it; one that is described, or the layer's own, is not.
func TestBareIsByModule(t *testing.T) {
	dist := func(name string) string { return "python/" + name + ".dist-info/METADATA" }
	for name, tt := range map[string]struct {
		files []string // of them, METADATA is made of the folder's name
		own   string   // the manifest's layer
		want  []string
	}{
		"another package is described": {[]string{"python/urllib3/__init__.py", "python/six.py", dist("six-1.16.0")}, "", []string{"urllib3"}},
		"imported by another name":     {[]string{"python/yaml/__init__.py", "python/PIL/__init__.py"}, "", []string{"pil", "pillow", "pyyaml", "yaml"}},
		"described by another name":    {[]string{"python/yaml/__init__.py", dist("PyYAML-6.0")}, "", nil},
		"the layer's own":              {[]string{"python/makoto_common/__init__.py"}, "makoto-common", nil},
		"another layer's manifest":     {[]string{"python/makoto_common/__init__.py"}, "other", []string{"makoto-common"}},
	} {
		t.Run(name, func(t *testing.T) {
			var files []archive.File
			for _, f := range tt.files {
				data := ""
				if f == dist("six-1.16.0") {
					data = "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n"
				}
				if f == dist("PyYAML-6.0") {
					data = "Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0\n"
				}
				files = append(files, archive.NewFile(f, []byte(data)))
			}
			var made *archive.Layer
			if tt.own != "" {
				made = &archive.Layer{Name: tt.own, Version: "1.5.0"}
			}
			zip := packed(t, made, files...)
			c, err := archive.Skim(zip, zip.Size())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range c.Bare() {
				got = append(got, p.Name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if tt.own == "makoto-common" {
				if own := c.Own(); len(own) != 1 || own[0].Name != "makoto-common" || own[0].Version != "1.5.0" {
					t.Errorf("own: %+v", own)
				}
			}
		})
	}
}
