package gitrepo

import (
	"cmp"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// Identity is the name under which the past of a repository is kept: the same
// for every way to spell its address, and without credentials.
//
//	https://github.com/acme/x.git, git@github.com:acme/x  →  github.com/acme/x
//	/srv/x with the remote origin, or with one remote     →  the identity of that
//	codecommit::ap-northeast-1://x                        →  git-codecommit.ap-northeast-1.amazonaws.com/v1/repos/x
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
	origin := l.origin()
	to, err := parseURL(origin)
	switch {
	case origin == "":
		return ep.Path, nil
	case err != nil:
		// Git may reach it by a way that layerd has not: it has a name all the same.
		return cmp.Or(foreignIdentity(origin), ep.Path), nil
	case to.Protocol != "file":
		return remoteIdentity(to), nil
	case !filepath.IsAbs(origin) && !strings.HasPrefix(origin, "file:"):
		return filepath.Join(l.worktree, origin), nil // relative to where it was cloned to
	}
	return to.Path, nil // not followed further: origins can point at each other
}

// remote returns the name of the remote that the repository was cloned from: origin,
// or the only one where it is called otherwise.
func (l *local) remote() string {
	const usual = "origin"
	var names []string
	for key := range l.settings {
		if name, ok := strings.CutPrefix(key, "remote."); ok && strings.HasSuffix(name, ".url") {
			names = append(names, strings.TrimSuffix(name, ".url"))
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	return usual
}

// origin returns the address of the remote, rewritten as the configuration wants it;
// "" when there is none.
func (l *local) origin() string {
	address := l.settings.first("remote." + l.remote() + ".url")
	best, with := "", ""
	for key, prefixes := range l.settings {
		base, isURL := strings.CutPrefix(key, "url.")
		base, isRule := strings.CutSuffix(base, ".insteadof")
		for _, prefix := range prefixes {
			if isURL && isRule && strings.HasPrefix(address, prefix) && len(prefix) > len(best) {
				best, with = prefix, base
			}
		}
	}
	if best == "" {
		return address
	}
	return with + address[len(best):]
}

// foreignIdentity returns the name of an address that layerd itself cannot follow;
// "" when it has no host and path.
func foreignIdentity(address string) string {
	if to := codecommitURL(address); to != "" {
		address = to
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") == "" {
		return ""
	}
	port, _ := strconv.Atoi(u.Port())
	return remoteIdentity(&transport.Endpoint{Protocol: u.Scheme, Host: u.Hostname(), Port: port, Path: u.Path})
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
	own := map[string]int{"https": 443, "http": 80, "ssh": 22, "git": 9418}
	if ep.Port != 0 && ep.Port != own[ep.Protocol] {
		_, port, _ := net.SplitHostPort(hostPort(ep, ep.Port))
		host += ":" + port
	}
	return host + "/" + path
}
