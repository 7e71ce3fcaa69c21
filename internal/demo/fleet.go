package demo

import (
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/awssim"
)

// Where the fleet lives; examples/repo names the same.
const (
	Account = "123456789012"
	Region  = "ap-northeast-1"
)

const partner = "210987654321" // an account that one layer version is shared with

// datadog is a layer of another account, which layerd must leave alone.
const datadog = "arn:aws:lambda:" + Region + ":464622532012:layer:Datadog-Python312:98"

// release is one version of a layer as somebody published it: with a version
// in its Description, or, as the old script did it, with none.
type release struct {
	version string // "1.4.1"
	silent  bool   // the Description does not hold its version
	days    int    // published this long before the story begins
}

// commonReleases differ by environment, as numbers do in real accounts.
var commonReleases = map[string][]release{
	"dev": {
		{"1.0.0", false, 400},
		{"1.1.0", false, 360},
		{"1.1.1", false, 330},
		{"1.2.0", false, 300},
		{"1.2.1", false, 270},
		{"1.3.0", true, 240},
		{"1.3.1", false, 210},
		{"1.3.2", false, 180},
		{"1.4.0", true, 100},
		{"1.4.1", false, 40},
	},
	"staging": {
		{"1.1.0", false, 350},
		{"1.2.0", false, 290},
		{"1.2.1", false, 260},
		{"1.3.0", true, 230},
		{"1.3.2", false, 170},
		{"1.4.0", true, 95},
		{"1.4.1", false, 35},
	},
	"prod": {
		{"1.1.0", false, 340},
		{"1.2.0", false, 280},
		{"1.3.0", true, 220},
		{"1.3.2", false, 160},
		{"1.4.0", true, 90},
		{"1.4.1", false, 30},
	},
}

// service is one function of every environment.
type service struct {
	name    string
	runtime string
	arch    string
	ml      bool // has the models
	bare    bool // has no third-party layer
	alias   bool // is called through the alias live
}

var services = []service{
	{name: "chat-handler", runtime: "python3.12", arch: "x86_64", alias: true},
	{name: "api", runtime: "python3.12", arch: "x86_64"},
	{name: "auth", runtime: "python3.11", arch: "x86_64"},
	{name: "session", runtime: "python3.12", arch: "arm64"},
	{name: "tenant-admin", runtime: "python3.11", arch: "arm64"},
	{name: "document-indexer", runtime: "python3.12", arch: "x86_64"},
	{name: "ai-router", runtime: "python3.12", arch: "arm64", ml: true},
	{name: "ai-summarizer", runtime: "python3.12", arch: "x86_64", ml: true},
	{name: "embedding-worker", runtime: "python3.11", arch: "x86_64", ml: true},
	{name: "notifier", runtime: "python3.12", arch: "x86_64"},
	{name: "scheduler", runtime: "python3.11", arch: "arm64"},
	{name: "health-check", runtime: "python3.12", arch: "x86_64", bare: true},
	{name: "device-sync", runtime: "python3.12", arch: "arm64"},
}

var environments = []string{"dev", "staging", "prod"}

// NewWorld returns the fleet as it is when the story begins: three layers, three
// environments, other people's layers in various places, one container image
// and one function that no environment selects; and the bucket for archives, in
// which there is none. begin is the story's present: versions were published before
// it.
func NewWorld(begin time.Time, settle time.Duration) *awssim.World {
	return newWorld(begin, awssim.Options{Settle: settle})
}

func newWorld(begin time.Time, o awssim.Options) *awssim.World {
	o.Account, o.Region = Account, Region
	w := awssim.New(o)
	w.PutBucket(awssim.Bucket{Name: bucket, Versioning: "Enabled"})
	w.PutLayerVersion(awssim.LayerVersion{
		Account: "464622532012", Name: "Datadog-Python312", Number: 98, Created: begin.AddDate(0, -3, 0),
		Grants: []awssim.Grant{{Principal: "*"}}, Content: contentOf("Datadog-Python312", "98"),
	})
	for _, env := range environments {
		putLayers(w, env, begin)
		for i, s := range services {
			putService(w, env, i, s)
		}
	}
	for _, env := range environments {
		for _, svc := range services {
			if svc.alias {
				putAlias(w, env, "makoto-"+svc.name+"-"+env)
			}
		}
	}
	w.OnInvoke(code(w))
	w.PutFunction(awssim.Function{Name: "makoto-ocr-prod", PackageType: "Image", ImageURI: Account + ".dkr.ecr." + Region + ".amazonaws.com/ocr:7"})
	w.PutFunction(awssim.Function{Name: "billing-export-prod", Layers: []string{datadog}})
	return w
}

func putLayers(w *awssim.World, env string, begin time.Time) {
	put := func(name, title string, r release) {
		v := awssim.LayerVersion{
			Name: name + "-" + env, Created: begin.AddDate(0, 0, -r.days), License: "MIT",
			Description: fmt.Sprintf("%s v%s", title, r.version), Content: contentOf(name, r.version),
			Runtimes: []string{"python3.11", "python3.12"}, Architectures: []string{"x86_64", "arm64"},
		}
		if r.silent {
			v.Description = fmt.Sprintf("%s - %s環境", title, env)
		}
		w.PutLayerVersion(v)
	}
	for _, r := range commonReleases[env] {
		put("makoto-common", "MAKOTO共通ライブラリ", r)
	}
	for i, version := range []string{"3.0.0", "3.1.0", "3.2.0"} {
		put("makoto-ml-models", "MAKOTO機械学習モデル", release{version: version, days: 200 - 60*i})
	}
	for i, version := range []string{"1.9.0", "2.0.0", "2.1.0"} {
		put("makoto-third-party", "サードパーティライブラリ", release{version: version, days: 190 - 60*i})
	}
	if env == "dev" {
		w.SetGrants(w.LayerARN("makoto-common-dev", number("dev", "1.2.0")), awssim.Grant{Principal: partner})
	}
}

// putAlias publishes a version with makoto-common 1.3.0, which stays. In dev live
// serves it still; where layerd moves the alias, live serves what $LATEST is.
func putAlias(w *awssim.World, env, name string) {
	latest, _ := w.Function(name)
	old := layerVersion(w, "makoto-common-"+env, number(env, "1.3.0"))
	w.EditFunction(name, func(f *awssim.Function) { f.Layers = []string{old} })
	version := w.PutVersion(name)
	w.EditFunction(name, func(f *awssim.Function) { f.Layers = latest.Layers })
	if env != "dev" {
		version = w.PutVersion(name)
	}
	w.PutAlias(awssim.Alias{Function: name, Name: "live", Version: version})
}

// The versions of makoto-common that are released in the story: broken was packed
// without its package, and fixed is the one that follows.
const next, broken, fixed = "1.4.2", "1.5.0", "1.5.1"

// PutRelease puts a version of makoto-common there, as somebody publishes it without
// layerd, for stories that begin later; it returns its number.
func PutRelease(w *awssim.World, env, version string, at time.Time) int64 {
	return w.PutLayerVersion(awssim.LayerVersion{
		Name: "makoto-common-" + env, Created: at, License: "MIT", Description: "MAKOTO共通ライブラリ v" + version,
		Content:  contentOf("makoto-common", version),
		Runtimes: []string{"python3.11", "python3.12"}, Architectures: []string{"x86_64", "arm64"},
	})
}

// code returns what all functions do: import makoto-common and answer. With a broken
// one they cannot even begin, in Python's words.
func code(w *awssim.World) func(awssim.Invocation) awssim.Result {
	return func(in awssim.Invocation) awssim.Result {
		for _, env := range environments {
			for _, v := range w.LayerVersions("makoto-common-" + env) {
				if slices.Contains(in.Layers, w.LayerARN(v.Name, v.Number)) && !hasPackage(v) {
					return awssim.Result{FunctionError: "Unhandled", Payload: []byte(
						`{"errorType":"Runtime.ImportModuleError","errorMessage":"Unable to import module 'app': No module named 'makoto_common'"}`)}
				}
			}
		}
		return awssim.Result{}
	}
}

// number returns the live number of a version of makoto-common.
func number(env, version string) int64 {
	for i, r := range commonReleases[env] {
		if r.version == version {
			return int64(i + 1)
		}
	}
	return 0
}

func layerVersion(w *awssim.World, name string, n int64) string { return w.LayerARN(name, n) }

// putService puts Datadog's layer first, last or in between, or leaves it out,
// so that an order which is not kept shows.
func putService(w *awssim.World, env string, i int, s service) {
	layers := []string{layerVersion(w, "makoto-common-"+env, number(env, "1.4.1"))}
	if !s.bare {
		layers = append(layers, layerVersion(w, "makoto-third-party-"+env, 3))
	}
	if s.ml {
		layers = append(layers, layerVersion(w, "makoto-ml-models-"+env, 3))
	}
	switch i % 4 {
	case 0:
		layers = append([]string{datadog}, layers...)
	case 1:
		layers = append(layers, datadog)
	case 2:
		layers = append([]string{layers[0], datadog}, layers[1:]...)
	}
	w.PutFunction(awssim.Function{
		Name: "makoto-" + s.name + "-" + env, Runtime: s.runtime, Architectures: []string{s.arch}, Layers: layers,
		Environment: map[string]string{"ENVIRONMENT": env}, Tags: map[string]string{"team": "platform"},
	})
}
