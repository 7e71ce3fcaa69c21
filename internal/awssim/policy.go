package awssim

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// maxPolicy is how long a resource policy may be, in bytes.
const maxPolicy = 20 << 10

var (
	principalPattern    = regexp.MustCompile(`^(\d{12}|\*|arn:aws[a-zA-Z-]*:iam::\d{12}:root)$`)
	organizationPattern = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
	statementPattern    = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)
)

// SetOrganization puts an account into an AWS organization ("o-…").
func (w *World) SetOrganization(account, organizationID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orgs[account] = organizationID
}

// granted reports whether the caller's account may use a layer version of
// another account.
func (c *call) granted(v *layerVersion) bool {
	return slices.ContainsFunc(v.Grants, func(g Grant) bool {
		switch {
		case g.OrganizationID != "":
			return c.w.orgs[c.store.account] == g.OrganizationID
		case g.Principal == "*":
			return true
		}
		return accountOf(g.Principal) == c.store.account
	})
}

// accountOf takes an account id or the ARN of its root.
func accountOf(principal string) string {
	if parts := strings.Split(principal, ":"); len(parts) == 6 {
		return parts[4]
	}
	return principal
}

type statementDoc struct {
	Sid, Effect string
	Principal   any // "*" or {"AWS": root ARN}
	Action      string
	Resource    string
	Condition   map[string]map[string]string `json:",omitempty"`
}

// statement writes a grant down as stored: an account becomes its root's ARN,
// an organization a condition.
func (v *layerVersion) statement(g Grant) statementDoc {
	s := statementDoc{Sid: g.Sid, Effect: "Allow", Principal: "*", Action: "lambda:GetLayerVersion", Resource: v.arn()}
	if g.Principal != "*" {
		s.Principal = map[string]string{"AWS": "arn:" + partition(v.Region) + ":iam::" + accountOf(g.Principal) + ":root"}
	}
	if g.OrganizationID != "" {
		s.Condition = map[string]map[string]string{"StringEquals": {"aws:PrincipalOrgID": g.OrganizationID}}
	}
	return s
}

func (v *layerVersion) policy() string {
	doc := struct {
		Version, Id string
		Statement   []statementDoc
	}{"2012-10-17", "default", nil}
	for _, g := range v.Grants {
		doc.Statement = append(doc.Statement, v.statement(g))
	}
	return jsonText(doc)
}

func jsonText(v any) string {
	b, _ := json.Marshal(v) // strings and maps of strings
	return string(b)
}

// policed finds the version whose policy is asked for.
func (c *call) policed(given string, n int64) (*layerVersion, *apiError) {
	ref, e := c.ownLayer(given)
	if e != nil {
		return nil, e
	}
	v, live := c.w.layerVersion(ref, n)
	if !live {
		return nil, notFound("Layer version %s does not exist.", layerVersionARN(ref.place, ref.name, n))
	}
	return v, nil
}

// getLayerVersionPolicy has two ways to say that nobody was granted anything.
func (c *call) getLayerVersionPolicy(in *lambda.GetLayerVersionPolicyInput) (any, *apiError) {
	v, e := c.policed(str(in.LayerName), *in.VersionNumber)
	switch {
	case e != nil:
		return nil, e
	case len(v.Grants) == 0 && v.policed:
		return nil, notFound("Layer version %s does not have any resource policy.", v.arn())
	case len(v.Grants) == 0:
		return nil, notFound("No policy is associated with the given resource.")
	}
	return struct{ Policy, RevisionId string }{v.policy(), v.revision}, nil
}

func (c *call) addLayerVersionPermission(in *lambda.AddLayerVersionPermissionInput) (any, *apiError) {
	if e := checkGrant(in); e != nil {
		return nil, e
	}
	v, e := c.policed(str(in.LayerName), *in.VersionNumber)
	if e != nil {
		return nil, e
	}
	g := Grant{str(in.StatementId), str(in.Principal), str(in.OrganizationId)}
	switch {
	case in.RevisionId != nil && *in.RevisionId != v.revision:
		return nil, staleRevision("GetLayerPolicy")
	case v.grant(g.Sid) >= 0:
		return nil, conflict("The statement id (%s) provided already exists. Please provide a new statement id, "+
			"or remove the existing statement.", g.Sid)
	case len(v.policy())+len(jsonText(v.statement(g))) > maxPolicy:
		return nil, refuse(400, "PolicyLengthExceededException", "The final policy size is bigger than the limit (%d).", maxPolicy)
	}
	v.Grants = append(v.Grants, g)
	v.policed, v.revision = true, c.w.newID()
	return struct{ Statement, RevisionId string }{jsonText(v.statement(g)), v.revision}, nil
}

func checkGrant(in *lambda.AddLayerVersionPermissionInput) *apiError {
	switch {
	case str(in.Action) != "lambda:GetLayerVersion":
		return violation(str(in.Action), "action", "Member must satisfy regular expression pattern: lambda:GetLayerVersion")
	case !principalPattern.MatchString(str(in.Principal)):
		return violation(str(in.Principal), "principal", `Member must satisfy regular expression pattern: \d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root`)
	case !statementPattern.MatchString(str(in.StatementId)):
		return violation(str(in.StatementId), "statementId", `Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)`)
	case in.OrganizationId != nil && !organizationPattern.MatchString(*in.OrganizationId):
		return violation(*in.OrganizationId, "organizationId", `Member must satisfy regular expression pattern: o-[a-z0-9]{10,32}`)
	case in.OrganizationId != nil && str(in.Principal) != "*":
		return invalidValue("OrganizationId can only be used when the principal is '*'.")
	}
	return nil
}

func (v *layerVersion) grant(sid string) int {
	return slices.IndexFunc(v.Grants, func(g Grant) bool { return g.Sid == sid })
}

func (c *call) removeLayerVersionPermission(in *lambda.RemoveLayerVersionPermissionInput) (any, *apiError) {
	v, e := c.policed(str(in.LayerName), *in.VersionNumber)
	if e != nil {
		return nil, e
	}
	i := v.grant(str(in.StatementId))
	switch {
	case in.RevisionId != nil && *in.RevisionId != v.revision:
		return nil, staleRevision("GetLayerPolicy")
	case i < 0:
		return nil, notFound("Statement %s is not found in resource policy.", str(in.StatementId))
	}
	v.Grants = slices.Delete(v.Grants, i, i+1)
	v.revision = c.w.newID()
	return nil, nil
}
