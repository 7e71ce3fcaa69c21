package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/layerd/layerd/internal/daemon/config"
	"github.com/layerd/layerd/internal/store"
)

// What a message says to paste works on another machine, and shows no secret.
func TestCommandSuffix(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	sqlite := store.Spec{Kind: store.KindSQLite, Location: "/var/lib/layerd/layerd.db"}
	table := store.Spec{Kind: store.KindDynamoDB, Location: "layerd"}
	for _, tt := range []struct {
		git  config.Git
		spec store.Spec
		want string
	}{
		{config.Git{URL: "https://github.com/acme/layers.git", Branch: "main", Path: "."}, table, "--repo https://github.com/acme/layers.git --store dynamodb:layerd"},
		{config.Git{URL: "https://x:hunter2@github.com/acme/layers.git"}, sqlite, "--repo https://github.com/acme/layers.git --store sqlite:/var/lib/layerd/layerd.db"},
		{config.Git{URL: "https://hunter2@github.com/acme/layers.git"}, table, "--repo https://github.com/acme/layers.git --store dynamodb:layerd"},
		{config.Git{URL: "ssh://git:hunter2@git.example.com:2222/layers"}, table, "--repo ssh://git@git.example.com:2222/layers --store dynamodb:layerd"},
		{config.Git{URL: "git@github.com:acme/layers.git", Branch: "release", Path: "layers/aws"}, table, "--repo git@github.com:acme/layers.git --ref release --path layers/aws --store dynamodb:layerd"},
		{config.Git{URL: "/srv/our layers"}, store.Spec{Kind: store.KindMemory}, "--repo '/srv/our layers'"},
		{config.Git{URL: "layers"}, store.Spec{Kind: store.KindSQLite, Location: "it's.db"}, "--repo " + filepath.Join(here, "layers") + ` --store 'sqlite:` + here + `/it'\''s.db'`},
	} {
		if got := commandSuffix(config.Config{Git: tt.git}, tt.spec); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.git.URL, got, tt.want)
		}
	}
}
