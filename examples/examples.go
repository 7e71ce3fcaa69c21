// Package examples embeds the desired-state repository that the demo plays
// with, the tests load and the README shows.
//
// It is the fleet of a team that runs three layers in three environments:
// makoto-common, makoto-ml-models and makoto-third-party in dev, staging and
// prod. Repo returns it as a file system whose root is the repository's root:
//
//	tree := desired.Load(examples.Repo(), desired.Options{Now: now})
//
// The tests promise that it loads without a problem and that the JSON Schema
// beside it is the one the loader uses.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed all:repo
var files embed.FS

// Repo returns the repository, rooted where layerd.yaml is.
func Repo() fs.FS {
	sub, err := fs.Sub(files, "repo")
	if err != nil {
		panic(err) // the name is a constant and embedded above
	}
	return sub
}
