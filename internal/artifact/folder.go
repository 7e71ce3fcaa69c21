package artifact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/strictyaml"
)

// packFolder makes the zip of a folder that needs no tool, as layerd build would, and
// returns what it is. The zip has nothing of the machine or the commit in it.
func (r *Reader) packFolder(ctx context.Context, a state.Artifact, files fs.FS) (state.Content, []byte) {
	folder, err := fs.Sub(files, a.Location)
	if err != nil {
		return unreadable(a, err), nil
	}
	layer := layerOf(a)
	tool := ""
	if _, err := fs.Stat(folder, "layer.yaml"); err == nil {
		described, problems := desired.DescribeLayer(folder)
		if desired.Errors(problems) {
			return refuseFor(state.Content{}, a, problems), nil
		}
		layer.License, layer.Exclude = described.License, described.Exclude
		switch {
		case described.Run != "":
			tool = "build.run of layer.yaml"
		case described.Strip:
			tool = "build.strip of layer.yaml"
		}
	}
	if tool == "" {
		tool = toolOf(folder)
	}
	if tool != "" {
		return refuse(state.Content{}, "artifact_needs_build", fmt.Sprintf("%s needs to be built: %s", a.Location, tool),
			"build it in CI with layerd build, and name the zip in layer.yaml as s3://BUCKET/KEY: layerd runs nothing of a repository"), nil
	}
	return r.pack(ctx, a, layer, folder)
}

// toolOf returns what in a folder asks for an installer; empty = nothing.
func toolOf(folder fs.FS) string {
	for _, name := range []string{"python/requirements.txt", "requirements.txt"} {
		if _, err := fs.Stat(folder, name); err != nil {
			continue
		}
		if list, problems := archive.Requirements(folder, name); len(list) > 0 || len(problems) > 0 {
			return name + " asks for packages"
		}
	}
	for _, name := range []string{"nodejs/package.json", "package.json"} {
		data, err := fs.ReadFile(folder, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var asks struct {
			Dependencies         map[string]any `json:"dependencies"`
			OptionalDependencies map[string]any `json:"optionalDependencies"`
		}
		if err != nil || json.Unmarshal(data, &asks) != nil || len(asks.Dependencies)+len(asks.OptionalDependencies) > 0 {
			return path.Clean(name) + " asks for packages"
		}
	}
	return ""
}

func (r *Reader) pack(ctx context.Context, a state.Artifact, layer archive.Layer, folder fs.FS) (state.Content, []byte) {
	own, problems, err := archive.Own(folder)
	if err != nil {
		return unreadable(a, err), nil
	}
	kept, _ := archive.Clean(own, layer.Exclude)
	var unzipped int64
	for _, f := range kept {
		unzipped += f.Size
	}
	if strictyaml.Errors(problems) {
		return refuseFor(state.Content{}, a, problems), nil
	}
	if unzipped > archive.MaxUnzipped {
		return tooLarge(a, unzipped, archive.MaxUnzipped, "leave out what is not needed, with build: {exclude: […]}"), nil
	}
	files, problems, err := archive.Complete(layer, kept)
	if err != nil {
		return unreadable(a, err), nil
	}
	if strictyaml.Errors(problems) {
		return refuseFor(state.Content{}, a, problems), nil
	}
	out := &limited{left: maxSent}
	if _, err := archive.Pack(out, files, nil); errors.Is(err, errFull) {
		return tooLarge(a, maxSent+1, maxSent, UseS3), nil
	} else if err != nil {
		return unreadable(a, err), nil
	}
	return r.judgeBytes(ctx, a, out.Bytes()), out.Bytes()
}

var errFull = errors.New("is larger than may be sent")

// limited keeps what is written to it, up to a limit.
type limited struct {
	bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errFull
	}
	return l.Buffer.Write(p)
}
