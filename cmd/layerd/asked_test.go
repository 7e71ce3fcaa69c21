package main

import (
	"context"
	"testing"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
)

// TestWhoAskedFollowsTheSettledTree: of two environments that claim one layer both are
// invalid until the store says whose it is. Who asked is answered for the tree that was
// settled, or each change of the owner would be told as the newest commit's.
func TestWhoAskedFollowsTheSettledTree(t *testing.T) {
	a := &app{env: func(string) string { return "" }}
	commit := gitrepo.Commit{Hash: "1111111111111111111111111111111111111111", Author: "sato"}
	none := func(context.Context) (gitrepo.Past, error) { return gitrepo.Past{}, nil }
	src := source{past: a.askedIn(t.Context(), commit, none)}
	if asks := src.asked()("prod", "eu-west-1"); len(asks.List) != 1 || len(asks.List[0].Layers) > 0 {
		t.Errorf("before: %+v", asks)
	}
	src.tree = desired.Tree{Environments: []desired.Environment{{Name: "prod", Region: "eu-west-1", Layers: []desired.LayerWish{{Name: "common"}}}}}
	if asks := src.asked()("prod", "eu-west-1"); len(asks.List) != 1 || len(asks.List[0].Layers) != 1 || asks.List[0].Author != "sato" {
		t.Errorf("settled: %+v", asks)
	}
	if (source{}).asked() != nil {
		t.Error("a folder without commits is asked")
	}
}
