package state

import (
	"cmp"
	"slices"
	"strings"
)

// Grant lets others use one version of a layer: a statement of its policy.
type Grant struct {
	Sid string
	// Principal is an account id, or * for everybody in Organization, or, where that
	// is empty, for everybody. It is empty for a statement that is not of the form
	// that granting makes, which equals no grant that is wanted.
	Principal    string
	Organization string // o-…; empty = no matter
}

// grantPrefix begins the Sid of every grant that layerd makes. What begins so is
// layerd's, and everything else somebody else's. For good: it is how a grant that was
// made by an older release, or whose record was lost, is known as ours.
const grantPrefix = "layerd-"

// The principals that are no account and no organization.
const (
	Everybody = "*"
	public    = "public" // what stands for * where * cannot
)

// NewGrant returns the grant that layerd makes to an account, an organization (o-…), or
// Everybody. Whom it is for decides its Sid, so that it is never made twice.
func NewGrant(to string) Grant {
	switch {
	case to == Everybody:
		return Grant{Sid: grantPrefix + public, Principal: Everybody}
	case strings.HasPrefix(to, "o-"):
		return Grant{Sid: grantPrefix + to, Principal: Everybody, Organization: to}
	}
	return Grant{Sid: grantPrefix + to, Principal: to}
}

// Ours reports whether layerd made the grant.
func (g Grant) Ours() bool { return strings.HasPrefix(g.Sid, grantPrefix) }

// To returns whom the grant is for: an account id, o-…, or Everybody; empty when nobody
// can tell.
func (g Grant) To() string { return cmp.Or(g.Organization, g.Principal) }

// Whom returns whom the grant is for, in words.
func (g Grant) Whom() string {
	switch to := g.To(); to {
	case Everybody:
		return "every AWS account"
	case "":
		return "somebody (statement " + g.Sid + ")"
	default:
		return to
	}
}

// Key returns whom the grant is for as a name: public stands for Everybody.
func (g Grant) Key() string {
	switch to := g.To(); to {
	case Everybody:
		return public
	case "":
		return g.Sid
	default:
		return to
	}
}

// Grant returns the grant with a Sid, of which a policy has at most one.
func (p Policy) Grant(sid string) (Grant, bool) {
	i := slices.IndexFunc(p.Grants, func(g Grant) bool { return g.Sid == sid })
	if i < 0 {
		return Grant{}, false
	}
	return p.Grants[i], true
}
