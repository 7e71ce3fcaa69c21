package applytest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/state"
)

// made is a layer version that was published here, or put here.
type made struct {
	state.LayerVersion
	sha256 string
}

// ContentOf is the SHA-256 that a World has of an object which it does not know the
// bytes of, in lower-case hex: two keys are two contents.
func ContentOf(bucket, key, version string) string {
	return hexSum([]byte("s3://" + bucket + "/" + key + "?" + version))
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// PutLayer puts a version of a layer there and returns its number, above all before.
func (w *World) PutLayer(layer state.LayerARN, description, sha256 string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.addLayer(layer, state.LayerVersion{Description: description}, sha256)
}

func (w *World) addLayer(layer state.LayerARN, v state.LayerVersion, sha256 string) int64 {
	v.Created, v.Number = time.Now().UTC(), 1
	for _, before := range w.layers[layer] {
		v.Number = max(v.Number, before.Number+1)
	}
	w.layers[layer] = append(w.layers[layer], made{v, sha256})
	return v.Number
}

// PublishLayer implements apply.Cloud. Like AWS it compares with nothing: asked twice it
// makes two versions.
func (w *World) PublishLayer(ctx context.Context, layer state.LayerARN, r state.Release) (number int64, sha256, requestID string, err error) {
	do, err := w.enter(ctx, "PublishLayer", string(layer))
	if !do {
		return 0, "", "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	sha256 = hexSum(r.Zip)
	if r.Zip == nil {
		sha256 = ContentOf(r.Bucket, r.Key, r.ObjectVersion)
	}
	number = w.addLayer(layer, state.LayerVersion{Description: r.Description, Runtimes: r.Runtimes, Architectures: r.Architectures}, sha256)
	if err != nil {
		return 0, "", "", err
	}
	return number, sha256, fmt.Sprint("request-layer-", number), nil
}

// LayerVersions implements apply.Cloud.
func (w *World) LayerVersions(ctx context.Context, layer state.LayerARN) ([]state.LayerVersion, error) {
	do, err := w.enter(ctx, "LayerVersions", string(layer))
	if err != nil || !do {
		return nil, err
	}
	return slices.DeleteFunc(w.LiveLayers(layer), func(v state.LayerVersion) bool { return w.Unlisted[layer.Version(v.Number)] }), nil
}

// LiveLayers returns the live versions that were published or put here, the newest
// first, without a call.
func (w *World) LiveLayers(layer state.LayerARN) []state.LayerVersion {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []state.LayerVersion
	for _, m := range slices.Backward(w.layers[layer]) {
		if !w.deleted[layer.Version(m.Number)] {
			list = append(list, m.LayerVersion)
		}
	}
	return list
}

// LayerVersion implements apply.Cloud.
func (w *World) LayerVersion(ctx context.Context, v state.LayerVersionARN) (state.LayerVersion, string, error) {
	do, err := w.enter(ctx, "LayerVersion", string(v))
	if err != nil || !do {
		return state.LayerVersion{}, "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	layer, number, _ := v.Split()
	for _, m := range w.layers[layer] {
		if m.Number == number && !w.deleted[v] {
			return m.LayerVersion, m.sha256, nil
		}
	}
	return state.LayerVersion{}, "", &state.Error{Op: "GetLayerVersion", Resource: string(v), Kind: state.Gone, Code: "ResourceNotFoundException"}
}
