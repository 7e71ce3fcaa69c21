package gitrepo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shapes are the forms in which git itself keeps a repository.
func shapes() []layout {
	return []layout{
		{name: "clone", leave: clone},
		{name: "bare", bare: true, leave: func(t *testing.T, origin, dir string) { gitCLI(t, origin, "clone", "-q", "--bare", origin, dir) }},
		{name: "mirror", bare: true, leave: func(t *testing.T, origin, dir string) { gitCLI(t, origin, "clone", "-q", "--mirror", origin, dir) }},
		{name: "linked working tree", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "worktree", "add", "-q", "-b", filepath.Base(filepath.Dir(dir)), dir)
		}},
		{name: "linked working tree of a bare repository", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "--bare", origin, dir+".git")
			gitCLI(t, dir+".git", "worktree", "add", "-q", dir, "main")
		}},
		{name: "objects elsewhere", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "--separate-git-dir", dir+".git", origin, dir)
		}},
		{name: "shared objects", leave: func(t *testing.T, origin, dir string) { gitCLI(t, origin, "clone", "-q", "--shared", origin, dir) }},
		{name: "shared objects of shared objects", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "--shared", origin, dir+"1")
			gitCLI(t, origin, "clone", "-q", "--shared", dir+"1", dir)
		}},
		{name: "shallow", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "--depth=1", "file://"+origin, dir)
		}},
		{name: "partial, checked out", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "config", "uploadpack.allowFilter", "true")
			gitCLI(t, origin, "clone", "-q", "--filter=blob:none", "file://"+origin, dir)
		}},
		{name: "packed", leave: inClone([]string{"gc", "-q", "--aggressive"}, []string{"pack-refs", "--all"})},
		{name: "packed with a commit graph and many indexes", leave: inClone([]string{"repack", "-q", "-ad"}, []string{"multi-pack-index", "write"}, []string{"commit-graph", "write"})},
		both(KindUnsupported, "pack.indexVersion=2", layout{name: "packed with an index of version 1", leave: inClone([]string{"config", "pack.indexVersion", "1"}, []string{"repack", "-q", "-ad"})}),
		{name: "fully packed with bitmaps", leave: inClone([]string{"-c", "repack.writeBitmaps=true", "repack", "-q", "-adf", "--write-bitmap-index"})},
		{name: "as a submodule", leave: func(t *testing.T, origin, dir string) {
			outer := worktree(t, map[string]string{"a": "a"})
			gitCLI(t, outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", origin, "inner")
			check(t, os.Symlink(filepath.Join(outer, "inner"), dir))
		}},
		{name: "detached", leave: inClone([]string{"checkout", "-q", "--detach"})},
		{name: "in the middle of a rebase", leave: inClone([]string{"checkout", "-q", "--detach"}, []string{"update-ref", "REBASE_HEAD", "HEAD"})},
		{name: "worktree config", leave: inClone([]string{"config", "extensions.worktreeConfig", "true"}, []string{"config", "--worktree", "core.sparseCheckout", "false"})},
		{name: "preferring links as refs", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Remove(filepath.Join(dir, ".git", "HEAD")))
			check(t, os.Symlink("refs/heads/main", filepath.Join(dir, ".git", "HEAD")))
		}},
	}
}

// configurations are what stands in .git/config and beside it.
func configurations() []layout {
	return []layout{
		{name: "G2 gh pr checkout", leave: config("branch.topic.remote", "origin", "branch.topic.merge", "refs/pull/12/head", "branch.topic.pushRemote", "git@github.com:me/x.git")},
		{name: "G2 negative refspec", leave: config("remote.origin.fetch", "^refs/heads/wip/*")},
		{name: "G2 refspec of a tag", leave: config("remote.origin.fetch", "+refs/tags/v1:refs/tags/v1")},
		{name: "G2 refspec with two stars", leave: config("remote.origin.fetch", "+refs/*/x*:refs/*")},
		{name: "G2 refspec without a colon", leave: config("remote.origin.fetch", "main", "remote.origin.push", "HEAD")},
		{name: "G2 remote without a URL", leave: config("remote.gone.fetch", "+refs/heads/*:refs/remotes/gone/*", "remote.gone.prune", "true")},
		{name: "G2 branch without a merge", leave: config("branch.x.rebase", "interactive", "branch..merge", "y")},
		{name: "G2 bad values", leave: appended("[core]\n\tbare = perhaps\n\tcompression = very\n[pack]\n\twindow = -1x\n[pull]\n\trebase = merges\n")},
		{name: "G2 includeIf", leave: config("includeIf.gitdir:~/work/.path", "~/.gitconfig-work", "include.path", "/nowhere/at/all", "includeIf.hasconfig:remote.*.url:x.path", "y")},
		{name: "G2 insteadOf", leave: config("url.ssh://git@github.com/.insteadOf", "https://github.com/")},
		{name: "G2 submodules and LFS", leave: config("submodule.docs.active", "true", "submodule.docs.url", "../x", "lfs.repositoryformatversion", "0", "filter.lfs.required", "true")},
		{name: "G2 partial clone", leave: config("core.repositoryformatversion", "1", "extensions.partialClone", "origin", "remote.origin.promisor", "true", "remote.origin.partialclonefilter", "blob:none")},
		{name: "G2 harmless extensions", leave: appended("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpreciousObjects = true\n\tnoop = 1\n\trelativeWorktrees\n\tobjectFormat = sha1\n\trefStorage = files\n")},
		{name: "G2 an extension that version 0 does not know", leave: config("core.repositoryformatversion", "0", "extensions.frobnicate", "1")},
		{name: "G2 unreadable lines", leave: appended("<<<<<<< HEAD\n[branch \"x\n\tmerge = y\n=======\n[core\n>>>>>>> other\n\x00\xff\n")},
		{name: "G2 a form in an included file", leave: func(t *testing.T, origin, dir string) {
			appended("[core]\n\trepositoryformatversion = 1\n[include]\n\tpath = more\n")(t, origin, dir)
			write(t, dir, ".git/more", "[extensions]\n\tfrobnicate = 1\n\trefStorage = reftable\n[core]\n\trepositoryformatversion = 9\n")
		}},
		{name: "G2 a folder for a configuration", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Remove(filepath.Join(dir, ".git", "config")))
			check(t, os.Mkdir(filepath.Join(dir, ".git", "config"), 0o755))
		}},
		{name: "H4 a working tree elsewhere", dirty: true, leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Mkdir(dir+"-elsewhere", 0o755))
			gitCLI(t, dir, "config", "core.worktree", dir+"-elsewhere")
		}},
		{name: "G2 no configuration", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Remove(filepath.Join(dir, ".git", "config")))
		}},
		{name: "G2 other broken refs", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, ".git/refs/heads/broken", "not a hash\n")
			write(t, dir, ".git/refs/heads/empty", "")
			write(t, dir, ".git/refs/remotes/origin/.DS_Store", "\x00\x01")
		}},
		{name: "G2 a damaged index", leave: written(".git/index", "DIRC damaged")},
		{name: "G2 no index", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Remove(filepath.Join(dir, ".git", "index")))
		}},
		both(KindUnsupported, "sha256", layout{name: "G2 sha256 names", leave: func(t *testing.T, _, dir string) {
			gitCLI(t, filepath.Dir(dir), "init", "-q", "-b", "main", "--object-format=sha256", dir)
			write(t, dir, "layerd.yaml", "x\n")
			gitCLI(t, dir, "add", "-A")
			gitCLI(t, dir, "commit", "-q", "-m", "x")
		}}),
		both(KindUnsupported, "git refs migrate", layout{name: "G2 reftable", leave: config("core.repositoryformatversion", "1", "extensions.refStorage", "reftable")}),
		both(KindUnsupported, "frobnicate", layout{name: "G2 an extension that nobody knows", leave: config("core.repositoryformatversion", "1", "extensions.frobnicate", "1")}),
		both(KindUnsupported, "format version 2", layout{name: "G2 a format of tomorrow", leave: config("core.repositoryformatversion", "2")}),
		{name: "an empty .git is no repository", leave: func(t *testing.T, _, dir string) {
			write(t, dir, "layerd.yaml", "x\n")
			check(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755))
		}, branch: KindNotARepository, says: "without a Git repository", bare: true},
		{name: "a .git file that leads nowhere", leave: func(t *testing.T, origin, dir string) {
			write(t, dir, ".git", "gitdir: /nowhere/at/all\n")
		}, branch: KindNotARepository, folder: KindCorrupt, says: "/nowhere/at/all"},
	}
}

// clean are working trees with what git does not count, or what is not read.
func clean() []layout {
	return []layout{
		{name: "H4 core.fileMode", leave: func(t *testing.T, origin, dir string) {
			config("core.fileMode", "false")(t, origin, dir)
			check(t, os.Chmod(filepath.Join(dir, "layerd.yaml"), 0o755))
		}},
		{name: "H4 other permissions", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Chmod(filepath.Join(dir, "environments/prod.yaml"), 0o755))
		}},
		{name: "H4 info/exclude", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, ".git/info/exclude", "*.swp\n/notes/\n")
			write(t, dir, "environments/.prod.yaml.swp", "x")
			write(t, dir, "notes/x", "x")
		}},
		{name: "H4 a global list of ignored files", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "ignore", "*.bak\n")
			gitCLI(t, dir, "config", "core.excludesFile", filepath.Join(dir, "ignore"))
			write(t, dir, "environments/prod.yaml.bak", "x")
		}},
		{name: "H4 split index", leave: inClone([]string{"update-index", "--split-index"}, []string{"update-index", "--assume-unchanged", "README.md"})},
		{name: "H4 index version 4", leave: inClone([]string{"update-index", "--index-version", "4"})},
		{name: "H4 untracked cache and fsmonitor", leave: inClone([]string{"update-index", "--force-untracked-cache"}, []string{"config", "core.fsmonitor", "/nowhere"})},
		{name: "H4 autocrlf", leave: func(t *testing.T, origin, dir string) {
			gitCLI(t, origin, "clone", "-q", "-c", "core.autocrlf=true", origin, dir)
			if text, err := os.ReadFile(filepath.Join(dir, "layerd.yaml")); err != nil || !strings.Contains(string(text), "\r\n") {
				t.Fatalf("git wrote %q, %v", text, err)
			}
		}},
		{name: "H4 autocrlf=input with CRLF in the commit", ahead: true, leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "layerd.yaml", "timezone: Asia/Tokyo\r\n")
			gitCLI(t, dir, "commit", "-q", "-am", "windows")
			write(t, dir, "layerd.yaml", "timezone: Asia/Tokyo\n")
		}},
		{name: "H4 attributes", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, ".git/info/attributes", "*.yaml text eol=crlf\n")
			check(t, os.Remove(filepath.Join(dir, "layerd.yaml")))
			gitCLI(t, dir, "checkout", "-q", "--", "layerd.yaml")
		}},
		{name: "H4 sparse checkout", leave: inClone([]string{"sparse-checkout", "set", "--no-cone", "/layerd.yaml", "/layers/", "/environments/"})},
		{name: "H4 sparse checkout in cone mode", leave: inClone([]string{"sparse-checkout", "set", "--cone", "layers", "environments"}, []string{"sparse-checkout", "reapply", "--sparse-index"})},
		{name: "H4 an edit that is staged and taken back", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "layerd.yaml", "x\n")
			gitCLI(t, dir, "add", "-A")
			write(t, dir, "layerd.yaml", "timezone: Asia/Tokyo\n")
		}},
		{name: "H4 edits beside", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "README.md", "x\n")
			write(t, dir, "docs/new.md", "x\n")
			write(t, dir, "layers/common/build.sh", "x\n")
			write(t, dir, "layers/common/deep/layer.yaml", "x\n")
			check(t, os.RemoveAll(filepath.Join(dir, "teams")))
		}},
		{name: "H4 files that changed only in time", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "layerd.yaml", "timezone: Asia/Tokyo\n")
		}},
		{name: "G5 a submodule elsewhere, with edits", ahead: true, leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			gitCLI(t, dir, "-c", "protocol.file.allow=always", "submodule", "add", "-q", origin, "docs/theme")
			gitCLI(t, dir, "commit", "-q", "-m", "theme")
			write(t, dir, "docs/theme/layerd.yaml", "x\n")
		}},
	}
}

// edited are working trees whose files are not the commit's, however it is hidden.
func edited() []layout {
	edit := func(name string, steps ...[]string) func(t *testing.T, origin, dir string) {
		return func(t *testing.T, origin, dir string) {
			inClone(steps...)(t, origin, dir)
			write(t, dir, name, "edited\n")
		}
	}
	all := []layout{
		{name: "H4 an edit", leave: edit("layerd.yaml")},
		{name: "H4 an edit, staged", leave: func(t *testing.T, origin, dir string) {
			edit("layerd.yaml")(t, origin, dir)
			gitCLI(t, dir, "add", "-A")
		}},
		{name: "H4 an edit, assumed unchanged", leave: edit("layerd.yaml", []string{"update-index", "--assume-unchanged", "layerd.yaml"})},
		{name: "H4 an edit, skip-worktree", leave: edit("environments/prod.yaml", []string{"update-index", "--skip-worktree", "environments/prod.yaml"})},
		{name: "H4 an edit, split index", leave: edit("layers/common/layer.yaml", []string{"update-index", "--split-index"})},
		{name: "H4 an edit with the size and time of before", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			name := filepath.Join(dir, "layerd.yaml")
			info, err := os.Stat(name)
			check(t, err)
			write(t, dir, "layerd.yaml", "timezone: Asia/Seoul\n")
			check(t, os.Chtimes(name, info.ModTime(), info.ModTime()))
		}},
		{name: "H4 a new environment", leave: edit("environments/new.yaml")},
		{name: "H4 a new layer", leave: edit("layers/new/layer.yaml")},
		{name: "H4 a new environment that git ignores", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, ".git/info/exclude", "environments/local.yaml\n")
			write(t, dir, "environments/local.yaml", "x\n")
		}},
		{name: "H4 a file that is gone", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Remove(filepath.Join(dir, "environments/prod.yaml")))
		}},
		{name: "H4 a sparse checkout without an environment", leave: inClone([]string{"sparse-checkout", "set", "--no-cone", "/*", "!/environments/prod.yaml"})},
		{name: "H4 a file that is a link now", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Rename(filepath.Join(dir, "layerd.yaml"), filepath.Join(dir, "real.yaml")))
			check(t, os.Symlink("real.yaml", filepath.Join(dir, "layerd.yaml")))
		}},
		{name: "H4 a folder that is a link now", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.Rename(filepath.Join(dir, "layers"), filepath.Join(dir, "real")))
			check(t, os.Symlink("real", filepath.Join(dir, "layers")))
		}},
		{name: "H4 a folder that is a file now", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			check(t, os.RemoveAll(filepath.Join(dir, "environments")))
			write(t, dir, "environments", "x")
		}},
		{name: "H4 a merge under way", leave: func(t *testing.T, origin, dir string) {
			clone(t, origin, dir)
			write(t, dir, "environments/prod.yaml", "<<<<<<< HEAD\n=======\n>>>>>>> x\n")
			write(t, dir, ".git/MERGE_HEAD", gitCLI(t, dir, "rev-parse", "HEAD")+"\n")
		}},
	}
	for i := range all {
		all[i].dirty = true
	}
	return all
}
