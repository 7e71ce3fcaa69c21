package archive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Manifest is what an archive says of itself, in ManifestName. It stands below /opt of
// each function that has the layer. It has no time and no place of a machine, so that
// the same layer has the same bytes.
type Manifest struct {
	FormatVersion string            `json:"format_version"`
	Name          string            `json:"name"`
	Version       string            `json:"version,omitempty"`
	Commit        string            `json:"commit,omitempty"`
	License       string            `json:"license,omitempty"`
	Packages      []ManifestPackage `json:"packages"`
}

// ManifestPackage is one package of others in a layer.
type ManifestPackage struct {
	Kind    PackageKind `json:"kind"`
	Name    string      `json:"name"`
	Version string      `json:"version"`
	License string      `json:"license,omitempty"`
}

// ManifestName returns where the manifest of a layer is in its archive.
func ManifestName(layer string) string { return "layerd/" + layer + ".json" }

// isManifest reports whether a name is that of a layer's manifest.
func isManifest(name string) bool {
	rest, ok := strings.CutPrefix(name, "layerd/")
	return ok && strings.HasSuffix(rest, ".json") && !strings.Contains(rest, "/")
}

// NewManifest returns the manifest of a layer as a file of its archive.
func NewManifest(l Layer, packages []Package) (File, error) {
	m := Manifest{FormatVersion: "1", Name: l.Name, Version: l.Version, Commit: l.Commit, License: l.License, Packages: []ManifestPackage{}}
	for _, p := range packages {
		m.Packages = append(m.Packages, ManifestPackage{p.Kind, p.Name, p.Version, p.License})
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return File{}, fmt.Errorf("manifest: %w", err)
	}
	return NewFile(ManifestName(l.Name), append(data, '\n')), nil
}

// SBOM returns the bill of materials of an archive as CycloneDX JSON. It has no serial
// number and no time: the same archive has the same one.
func SBOM(l Layer, c *Contents, packed Packed) ([]byte, error) {
	b := cdx.NewBOM()
	b.SerialNumber = ""
	root := cdx.Component{
		BOMRef: "layer:" + l.Name, Type: cdx.ComponentTypeApplication, Name: l.Name, Version: l.Version,
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: packed.SHA256}},
	}
	b.Metadata = &cdx.Metadata{Component: &root}
	if l.License != "" {
		root.Licenses = licenses(l.License)
	}
	components := []cdx.Component{}
	for _, p := range c.Packages {
		at := purl(p)
		component := cdx.Component{BOMRef: at + "#" + p.dir, Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, PackageURL: at}
		if p.License != "" {
			component.Licenses = licenses(p.License)
		}
		components = append(components, component)
	}
	b.Components = &components
	var out bytes.Buffer
	e := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON)
	if err := e.SetPretty(true).EncodeVersion(b, cdx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("SBOM: %w", err)
	}
	return out.Bytes(), nil
}

// licenses returns a licence as text, which is right for whatever a package says;
// CycloneDX has an id only for SPDX's.
func licenses(text string) *cdx.Licenses {
	return &cdx.Licenses{{License: &cdx.License{Name: text}}}
}

// purl returns the package URL of a package (purl-spec: npm's scope is a namespace).
func purl(p Package) string {
	name := p.Name
	if p.Kind == NPM {
		name = strings.Replace(name, "@", "%40", 1)
	}
	return fmt.Sprintf("pkg:%s/%s@%s", p.Kind, name, strings.ReplaceAll(p.Version, "+", "%2B"))
}
