package demo

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/layerd/layerd/internal/archive"
)

// inside are the packages of others in the layers that are there when a story begins, by
// layer and version, so that there is something to look into.
var inside = map[string]map[string][]string{
	"makoto-ml-models":   {"3.0.0": {"numpy 1.26.4"}, "3.1.0": {"numpy 2.0.2"}, "3.2.0": {"numpy 2.2.6"}},
	"makoto-third-party": {"1.9.0": {"requests 2.31.0", "urllib3 1.26.18"}, "2.0.0": {"requests 2.31.0", "urllib3 2.0.7"}, "2.1.0": {"requests 2.32.3", "urllib3 2.2.1"}},
	"Datadog-Python312":  {"98": {"datadog-lambda 6.98.0"}},
}

// modules are what a layer's own package has, as imports of its layer.yaml asks.
var modules = map[string][]string{"makoto-common": {"log", "response", "tenant"}}

// zips has what contentOf has returned, by layer and version: the same files are the
// same bytes, and a world that is made anew for each kill took a seventh of its story's
// time to compress them again.
var zips sync.Map

// contentOf returns the archive of a layer that is there when a story begins: the module
// of its name, and of packages of others what describes them.
func contentOf(layer, version string) []byte {
	key := layer + " " + version
	if zip, ok := zips.Load(key); ok {
		return bytes.Clone(zip.([]byte))
	}
	zip := pack(layer, version)
	zips.Store(key, bytes.Clone(zip))
	return zip
}

func pack(layer, version string) []byte {
	module := strings.ReplaceAll(layer, "-", "_")
	files := []archive.File{archive.NewFile(path.Join("python", module, "__init__.py"), fmt.Appendf(nil, "__version__ = %q\n", version))}
	for _, name := range modules[layer] {
		files = append(files, archive.NewFile(path.Join("python", module, name+".py"), []byte("\"\"\"What the functions import.\"\"\"\n")))
	}
	for _, p := range inside[layer][version] {
		name, release, _ := strings.Cut(p, " ")
		as := strings.ReplaceAll(name, "-", "_")
		files = append(files,
			archive.NewFile(path.Join("python", as, "__init__.py"), fmt.Appendf(nil, "__version__ = %q\n", release)),
			archive.NewFile(path.Join("python", as+"-"+release+".dist-info", "METADATA"), fmt.Appendf(nil, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, release)))
	}
	if strings.HasPrefix(layer, "makoto-") {
		m, err := archive.NewManifest(archive.Layer{Name: layer, Version: version}, nil)
		if err != nil {
			panic(err) // nothing of it comes from outside
		}
		files = append(files, m)
	}
	var out bytes.Buffer
	if _, err := archive.Pack(&out, files, nil); err != nil {
		panic(err) // a buffer takes all
	}
	return out.Bytes()
}
