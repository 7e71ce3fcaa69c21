package main

import "testing"

// A flag is suggested where it is near, and none where half of its letters are another's.
func TestNearFlag(t *testing.T) {
	flags := []string{"color", "detailed-exitcode", "env", "help", "log-level", "output", "path", "ref", "region", "repo", "store", "tag", "write"}
	for name, want := range map[string]string{
		"evn": "env", "envs": "env", "environment": "env", "ENV": "env", "repoo": "repo", "repository": "repo", "stor": "store", "outptu": "output",
		"detailed-exit-code": "detailed-exitcode", "detailed": "detailed-exitcode", "regions": "region", "tags": "tag",
		"yes": "", "force": "", "role": "", "dry-run": "", "all": "", "file": "", "y": "", "reg": "region", "quiet": "", "watch": "",
	} {
		if got := nearFlag(name, flags); got != want {
			t.Errorf("--%s: %q, want %q", name, got, want)
		}
	}
}
