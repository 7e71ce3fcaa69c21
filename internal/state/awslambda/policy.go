package awslambda

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/state"
)

// policyDocument is the part of a layer version's resource policy that says
// who may read it. Its fields come as one text or as a list, as in all IAM
// documents.
type policyDocument struct {
	Statement oneOrMore[statement]
}

type statement struct {
	Sid       string
	Effect    string
	Action    oneOrMore[string]
	Principal principal
	Condition map[string]map[string]oneOrMore[string]
}

// principal is "*", or lists by kind: {"AWS": …}.
type principal []string

func (p *principal) UnmarshalJSON(b []byte) error {
	var all string
	if json.Unmarshal(b, &all) == nil {
		*p = principal{all}
		return nil
	}
	var byKind map[string]oneOrMore[string]
	if err := json.Unmarshal(b, &byKind); err != nil {
		return err
	}
	*p = nil
	for _, names := range byKind {
		*p = append(*p, names...)
	}
	return nil
}

type oneOrMore[T any] []T

func (o *oneOrMore[T]) UnmarshalJSON(b []byte) error {
	var list []T
	if json.Unmarshal(b, &list) == nil {
		*o = list
		return nil
	}
	var one T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*o = oneOrMore[T]{one}
	return nil
}

// parsePolicy lists the grants of a layer version, and names who besides owner may
// read it. What it does
// not understand counts as a grant: a version taken for private could be
// deleted while others use it.
func parsePolicy(document, owner string) (state.Policy, error) {
	var d policyDocument
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return state.Policy{}, fmt.Errorf("parse layer policy: %w", err)
	}
	if len(d.Statement) == 0 {
		return state.Policy{}, errors.New("parse layer policy: it has no statement")
	}
	var p state.Policy
	for _, s := range d.Statement {
		p.Grants = append(p.Grants, grant(s))
		if s.Effect == "Deny" {
			continue
		}
		if len(s.Principal) == 0 {
			s.Principal = principal{"*"} // NotPrincipal, or nothing we know
		}
		for _, name := range s.Principal {
			p.Principals = append(p.Principals, grantees(name, s)...)
		}
	}
	p.Principals = slices.DeleteFunc(p.Principals, func(name string) bool { return name == owner })
	slices.Sort(p.Principals)
	p.Principals = slices.Compact(p.Principals)
	slices.SortStableFunc(p.Grants, func(a, b state.Grant) int { return cmp.Compare(a.Sid, b.Sid) })
	return p, nil
}

// grant returns a statement as AddLayerVersionPermission makes it. One of any other
// form has no principal, so that it is taken for nothing that is wanted.
func grant(s statement) state.Grant {
	g := state.Grant{Sid: s.Sid}
	if s.Effect != "Allow" || len(s.Principal) != 1 || !slices.Equal(s.Action, oneOrMore[string]{grantedAction}) {
		return g
	}
	orgs := organizations(s)
	switch who := accountOf(s.Principal[0]); {
	case len(s.Condition) == 0:
		g.Principal = who
	case who == state.Everybody && len(orgs) == 1 && len(s.Condition) == 1 && len(s.Condition["StringEquals"]) == 1:
		g.Principal, g.Organization = who, strings.TrimPrefix(orgs[0], "org:")
	}
	return g
}

// grantedAction is the only one that a layer version can be shared for.
const grantedAction = "lambda:GetLayerVersion"

func grantees(name string, s statement) []string {
	if name != "*" {
		return []string{accountOf(name)}
	}
	if orgs := organizations(s); len(orgs) > 0 {
		return orgs
	}
	return []string{"*"}
}

// organizations are what narrows "*" down; a condition of another kind does
// not, as far as we can tell.
func organizations(s statement) []string {
	var orgs []string
	for operator, keys := range s.Condition {
		if !strings.HasSuffix(operator, "StringEquals") {
			continue
		}
		for key, values := range keys {
			if !strings.EqualFold(key, "aws:PrincipalOrgID") {
				continue
			}
			for _, o := range values {
				orgs = append(orgs, "org:"+o)
			}
		}
	}
	return orgs
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// accountOf returns the account of a principal ARN (AWS stores a grant to an
// account as the ARN of its root), and anything else as it is.
func accountOf(name string) string {
	fields := strings.SplitN(name, ":", 6)
	if len(fields) == 6 && fields[0] == "arn" && accountID.MatchString(fields[4]) {
		return fields[4]
	}
	return name
}
