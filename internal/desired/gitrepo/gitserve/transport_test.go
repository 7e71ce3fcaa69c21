package gitserve_test

import (
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
)

// In a bubble nothing may wait for a socket: what is pulled here was.
func TestTransportNeedsNoSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := gitserve.New()
		served := server.Add("acme/layers")
		hash, err := served.Commit(gitserve.Change{Subject: "first", Files: map[string]string{"a/b.txt": "hello"}})
		if err != nil {
			t.Fatal(err)
		}
		repo, err := gitrepo.New(gitrepo.Options{URL: "http://git.test/acme/layers", HTTP: server.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		commit, changed, err := repo.Pull(t.Context(), "")
		if err != nil || !changed || commit.Hash != hash {
			t.Fatalf("pulled %s, %v, %v, want %s", commit.Hash, changed, err, hash)
		}
		if data, err := fs.ReadFile(commit.Files, "a/b.txt"); string(data) != "hello" || err != nil {
			t.Errorf("the file holds %q, %v", data, err)
		}
		if _, changed, err := repo.Pull(t.Context(), hash); changed || err != nil {
			t.Errorf("pulled again: %v, %v", changed, err)
		}
		if !time.Now().Equal(began) {
			t.Errorf("it took %s of virtual time", time.Since(began))
		}
		gone, err := gitrepo.New(gitrepo.Options{URL: "http://git.test/acme/other", HTTP: server.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := gone.Pull(t.Context(), ""); !errors.Is(err, gitrepo.KindNotARepository) {
			t.Errorf("a repository that is not there: %v", err)
		}
	})
}
