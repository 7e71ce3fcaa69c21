package contract

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func policyFacts() []fact {
	return []fact{
		{name: "a layer version without a policy is 404", check: noPolicy},
		{name: "a layer version whose last statement was removed is 404 in other words", check: emptiedPolicy},
		{name: "the policy of a layer version that is not there is 404", check: policyOfNothing},
		{name: "a grant to an account is stored as its root", check: grantAsRoot},
		{name: "a grant to an organization is a condition", check: grantToOrganization},
		{name: "a statement id used twice is a conflict", check: statementTwice},
		{name: "removing a statement that is not there is 404", check: removeAbsent},
		{name: "a stale RevisionId of a policy is refused", check: stalePolicy},
		{name: "a new layer version starts without grants", check: grantsStay},
		{name: "only GetLayerVersion can be granted", check: otherAction},
		{name: "a statement id has its shape", check: statementShapes},
		{name: "a principal is an account, its root or everybody", check: principalShapes},
		{name: "an organization is granted with everybody only", check: organizationAlone},
		{name: "a grant to everybody has no condition", check: grantToAll},
		{name: "a policy has the order of its grants and every change a RevisionId", check: policyChanges},
		{name: "removing with a stale RevisionId is refused and removes nothing", check: staleRemoval},
		{name: "what a layer version that is gone grants cannot be changed", check: grantOnGone},
		{name: "a policy of more than twenty kilobytes is refused", check: longPolicy},
		{name: "a foreign layer version without a grant is denied to read and to attach", two: true, check: foreignDenied},
		{name: "a foreign layer version with a grant can be read and attached", two: true, check: foreignGranted},
		{name: "a foreign layer version that is gone is denied, not missing", two: true, check: foreignGone},
		{name: "a granted layer that is no longer granted stays attached", two: true, check: grantWithdrawn},
	}
}

func (p *probe) grant(n int64, sid, principal string, change func(*lambda.AddLayerVersionPermissionInput)) error {
	in := &lambda.AddLayerVersionPermissionInput{LayerName: aws.String(p.name("l")), VersionNumber: &n,
		Action: aws.String("lambda:GetLayerVersion"), Principal: &principal, StatementId: &sid}
	if change != nil {
		change(in)
	}
	_, err := p.lambda.AddLayerVersionPermission(p.ctx, in)
	return err
}

func (p *probe) policy(n int64) (*lambda.GetLayerVersionPolicyOutput, error) {
	return p.lambda.GetLayerVersionPolicy(p.ctx, &lambda.GetLayerVersionPolicyInput{LayerName: aws.String(p.name("l")), VersionNumber: &n})
}

func (p *probe) revoke(n int64, sid string) error {
	_, err := p.lambda.RemoveLayerVersionPermission(p.ctx, &lambda.RemoveLayerVersionPermissionInput{
		LayerName: aws.String(p.name("l")), VersionNumber: &n, StatementId: &sid})
	return err
}

type statement struct {
	Sid, Effect, Action, Resource string
	Principal                     any
	Condition                     map[string]map[string]string
}

// statements reads the policy of version 1.
func (p *probe) statements() []statement {
	p.Helper()
	out, err := p.policy(1)
	p.must(err)
	var doc struct{ Statement []statement }
	p.must(json.Unmarshal([]byte(aws.ToString(out.Policy)), &doc))
	return doc.Statement
}

func noPolicy(p *probe) {
	p.layer("l")
	_, err := p.policy(1)
	p.refused(err, 404, missing, "No policy is associated with the given resource.")
}

func emptiedPolicy(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "a", "111122223333", nil))
	p.must(p.revoke(1, "a"))
	_, err := p.policy(1)
	p.refused(err, 404, missing, "does not have any resource policy")
}

func policyOfNothing(p *probe) {
	p.layer("l")
	p.unpublish("l", 1)
	_, err := p.policy(1)
	p.refused(err, 404, missing, "does not exist")
}

func grantAsRoot(p *probe) {
	arn := p.layer("l")
	p.must(p.grant(1, "a", "111122223333", nil))
	s := p.statements()
	if len(s) != 1 || s[0].Sid != "a" || s[0].Effect != "Allow" || s[0].Action != "lambda:GetLayerVersion" || s[0].Resource != arn {
		p.Fatalf("statements are %+v", s)
	}
	who, _ := s[0].Principal.(map[string]any)
	if got, _ := who["AWS"].(string); !strings.HasSuffix(got, ":iam::111122223333:root") {
		p.Errorf("principal is %v, want the root of 111122223333", s[0].Principal)
	}
}

func grantToOrganization(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "a", "*", func(in *lambda.AddLayerVersionPermissionInput) { in.OrganizationId = aws.String("o-abc123def4") }))
	s := p.statements()
	if len(s) != 1 || s[0].Condition["StringEquals"]["aws:PrincipalOrgID"] != "o-abc123def4" {
		p.Errorf("statements are %+v", s)
	}
}

func statementTwice(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "a", "111122223333", nil))
	p.refused(p.grant(1, "a", "444455556666", nil), 409, conflict, "")
}

func removeAbsent(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "a", "111122223333", nil))
	p.refused(p.revoke(1, "b"), 404, missing, "")
}

func stalePolicy(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "a", "111122223333", nil))
	old, err := p.policy(1)
	p.must(err)
	p.must(p.grant(1, "b", "111122223333", nil))
	p.refused(p.grant(1, "c", "111122223333", func(in *lambda.AddLayerVersionPermissionInput) { in.RevisionId = old.RevisionId }),
		412, stale, "Call the GetLayerPolicy API to retrieve the latest Revision Id")
}

func grantsStay(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "a", "111122223333", nil))
	p.layer("l")
	_, err := p.policy(2)
	p.refused(err, 404, missing, "")
}

func otherAction(p *probe) {
	p.layer("l")
	err := p.grant(1, "a", "111122223333", func(in *lambda.AddLayerVersionPermissionInput) { in.Action = aws.String("lambda:*") })
	p.refused(err, 400, validation, "")
}

func statementShapes(p *probe) {
	p.layer("l")
	for _, sid := range []string{"layerd-o_a1", "A", strings.Repeat("s", 100)} {
		p.must(p.grant(1, sid, "111122223333", nil))
	}
	for _, sid := range []string{"a b", "a.b", "a:b", "", strings.Repeat("s", 101)} {
		p.refused(p.grant(1, sid, "111122223333", nil), 400, validation, "statementId")
	}
}

func principalShapes(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "root", "arn:aws:iam::111122223333:root", nil))
	for _, s := range p.statements() {
		if who, _ := s.Principal.(map[string]any); who["AWS"] != "arn:aws:iam::111122223333:root" {
			p.Errorf("principal is %v", s.Principal)
		}
	}
	for _, principal := range []string{"11112222333", "1111222233334", "arn:aws:iam::111122223333:user/a", "lambda.amazonaws.com", "**"} {
		p.refused(p.grant(1, "other", principal, nil), 400, validation, "principal")
	}
}

func organizationAlone(p *probe) {
	p.layer("l")
	of := func(id string) func(*lambda.AddLayerVersionPermissionInput) {
		return func(in *lambda.AddLayerVersionPermissionInput) { in.OrganizationId = &id }
	}
	p.refused(p.grant(1, "a", "111122223333", of("o-abc123def4")), 400, invalid, "")
	for _, id := range []string{"o-abc", "abc123def4", "o-ABC123DEF4"} {
		p.refused(p.grant(1, "a", "*", of(id)), 400, validation, "organizationId")
	}
	_, err := p.policy(1)
	p.refused(err, 404, missing, "")
}

func grantToAll(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "a", "*", nil))
	if s := p.statements(); len(s) != 1 || s[0].Principal != "*" || s[0].Condition != nil {
		p.Errorf("statements are %+v", s)
	}
}

func policyChanges(p *probe) {
	p.layer("l")
	seen := map[string]bool{}
	look := func(want ...string) {
		p.Helper()
		out, err := p.policy(1)
		p.must(err)
		if id := aws.ToString(out.RevisionId); id == "" || seen[id] {
			p.Errorf("RevisionId is %q, as before", id)
		}
		seen[aws.ToString(out.RevisionId)] = true
		var sids []string
		for _, s := range p.statements() {
			sids = append(sids, s.Sid)
		}
		if !slices.Equal(sids, want) {
			p.Errorf("statements are %v, want %v", sids, want)
		}
	}
	p.must(p.grant(1, "b", "111122223333", nil))
	look("b")
	p.must(p.grant(1, "a", "444455556666", nil))
	look("b", "a")
	p.must(p.grant(1, "c", "*", nil))
	look("b", "a", "c")
	p.must(p.revoke(1, "a"))
	look("b", "c")
}

func staleRemoval(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "a", "111122223333", nil))
	old, err := p.policy(1)
	p.must(err)
	p.must(p.grant(1, "b", "111122223333", nil))
	_, err = p.lambda.RemoveLayerVersionPermission(p.ctx, &lambda.RemoveLayerVersionPermissionInput{
		LayerName: aws.String(p.name("l")), VersionNumber: aws.Int64(1), StatementId: aws.String("a"), RevisionId: old.RevisionId})
	p.refused(err, 412, stale, "Call the GetLayerPolicy API to retrieve the latest Revision Id")
	if s := p.statements(); len(s) != 2 {
		p.Errorf("statements are %+v", s)
	}
}

func grantOnGone(p *probe) {
	p.layer("l")
	p.must(p.grant(1, "a", "111122223333", nil))
	p.unpublish("l", 1)
	p.refused(p.grant(1, "b", "111122223333", nil), 404, missing, "does not exist")
	p.refused(p.revoke(1, "a"), 404, missing, "does not exist")
}

func longPolicy(p *probe) {
	p.layer("l")
	for i := range 100 {
		err := p.grant(1, fmt.Sprintf("%s-%03d", strings.Repeat("s", 90), i), "111122223333", nil)
		if i > 40 && err != nil {
			p.refused(err, 400, "PolicyLengthExceededException", "")
			if n := len(p.statements()); n != i {
				p.Errorf("%d statements, want %d", n, i)
			}
			return
		}
		p.must(err)
	}
	p.Errorf("there is room for a hundred grants")
}

// foreigner is a function of the other account, and the means to give it
// layers.
type foreigner struct {
	*probe
	account  string
	function string
}

func (p *probe) foreigner() foreigner {
	p.Helper()
	who, err := sts.NewFromConfig(*p.env.Other).GetCallerIdentity(p.ctx, nil)
	p.must(err)
	env := p.env
	env.Config = *p.env.Other
	env.Role = strings.Replace(env.Role, strings.Split(env.Role, ":")[4], aws.ToString(who.Account), 1)
	other := newProbe(p.ctx, p.reporter, env, "")
	other.prefix = p.prefix
	return foreigner{other, aws.ToString(who.Account), other.create("f")}
}

func (f foreigner) read(arn string) error {
	_, err := f.lambda.GetLayerVersionByArn(f.ctx, &lambda.GetLayerVersionByArnInput{Arn: &arn})
	return err
}

func (f foreigner) attach(arn string) error { return f.setLayers(f.function, []string{arn}) }

const noGrant = "because no resource-based policy allows the lambda:GetLayerVersion action"

func foreignDenied(p *probe) {
	arn, other := p.layer("l"), p.foreigner()
	p.refused(other.read(arn), 403, denied, noGrant)
	p.refused(other.attach(arn), 403, denied, noGrant)
}

func foreignGranted(p *probe) {
	arn, other := p.layer("l"), p.foreigner()
	p.must(p.grant(1, "a", other.account, nil))
	p.must(other.read(arn))
	p.must(other.attach(arn))
	other.updated(other.function)
	other.has(other.function, arn)
}

func foreignGone(p *probe) {
	arn, other := p.layer("l"), p.foreigner()
	p.must(p.grant(1, "a", "*", nil))
	p.must(other.read(arn))
	p.unpublish("l", 1)
	p.refused(other.read(arn), 403, denied, noGrant)
	p.refused(other.attach(arn), 403, denied, noGrant)
}

func grantWithdrawn(p *probe) {
	arn, other := p.layer("l"), p.foreigner()
	p.must(p.grant(1, "a", other.account, nil))
	p.must(other.attach(arn))
	other.updated(other.function)
	p.must(p.revoke(1, "a"))
	other.describe(other.function, "layers are not looked at")
	other.has(other.function, arn)
	p.refused(other.attach(arn), 403, denied, noGrant)
}
