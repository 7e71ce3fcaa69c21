package gitrepo

import (
	"net"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// Identity is the name under which the past of a repository is kept: the same
// for every way to spell its address, and without credentials.
//
//	https://github.com/acme/x.git, git@github.com:acme/x  →  github.com/acme/x
//	/srv/x with the remote origin                         →  the identity of origin
//	/srv/x without it                                     →  /srv/x
//
// So a laptop with a clone, a job with a URL and the daemon share one past. A
// port that is not the scheme's own is part of the name.
func Identity(urlOrPath string) (string, error) {
	ep, err := parseURL(urlOrPath)
	if err != nil {
		return "", err
	}
	if ep.Protocol != "file" {
		return remoteIdentity(ep), nil
	}
	op := &operation{verb: "open", Repo: &Repo{name: ep.Path}}
	l, err := op.enclosing(ep.Path)
	if err != nil || l == nil {
		return ep.Path, err
	}
	c, err := l.Config()
	if err != nil {
		return "", op.fail(KindCorrupt, "read the repository's configuration: %v", err)
	}
	origin := c.Remotes["origin"]
	if origin == nil || len(origin.URLs) == 0 {
		return ep.Path, nil
	}
	url := origin.URLs[0]
	if !strings.Contains(url, ":") && !filepath.IsAbs(url) {
		url = filepath.Join(l.worktree, url) // relative to where it was cloned to
	}
	to, err := parseURL(url)
	if err != nil {
		return "", err
	}
	if to.Protocol == "file" {
		return to.Path, nil // not followed further: origins can point at each other
	}
	return remoteIdentity(to), nil
}

// hosted returns the one name of a well-known host. Those take paths in any
// case, and have a second name for networks that close port 22.
func hosted(host string) (string, bool) {
	switch host {
	case "github.com", "www.github.com", "ssh.github.com":
		return "github.com", true
	case "gitlab.com", "altssh.gitlab.com":
		return "gitlab.com", true
	case "bitbucket.org", "altssh.bitbucket.org":
		return "bitbucket.org", true
	}
	return "", false
}

func remoteIdentity(ep *transport.Endpoint) string {
	host := strings.TrimSuffix(strings.ToLower(ep.Host), ".")
	path := strings.TrimSuffix(strings.Trim(ep.Path, "/"), ".git")
	path = strings.Trim(path, "/")
	if one, ok := hosted(host); ok {
		return one + "/" + strings.ToLower(path)
	}
	own := map[string]int{"https": 443, "http": 80, "ssh": 22}
	if ep.Port != 0 && ep.Port != own[ep.Protocol] {
		_, port, _ := net.SplitHostPort(hostPort(ep, ep.Port))
		host += ":" + port
	}
	return host + "/" + path
}
