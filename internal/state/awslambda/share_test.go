package awslambda

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

// Grants are made, read and taken back as they were asked for, and what AWS says in
// between is sorted by what to do next.
func TestGrantsOfALayerVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutLayerVersion(awssim.LayerVersion{Name: "common", Grants: []awssim.Grant{{Sid: "theirs", Principal: "333333333333"}}})
		w.PutLayerVersion(awssim.LayerVersion{Name: "common"})
		c := simClient(t, w)
		kind := func(err error, want state.Kind) {
			t.Helper()
			if state.KindOf(err) != want {
				t.Errorf("%v is %v, want %v", err, state.KindOf(err), want)
			}
		}
		grants := func(v state.LayerVersionARN) []state.Grant {
			t.Helper()
			p, err := c.LayerPolicy(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			return p.Grants
		}
		one, two := layerARN("common").Version(1), layerARN("common").Version(2)
		theirs := state.Grant{Sid: "theirs", Principal: "333333333333"}
		account, organization, everybody := state.NewGrant("210987654321"), state.NewGrant("o-abc123def4"), state.NewGrant(state.Everybody)
		for _, g := range []state.Grant{account, organization, everybody} {
			if id, err := c.GrantLayer(t.Context(), one, g); err != nil || id == "" {
				t.Fatal(id, err)
			}
			_, err := c.GrantLayer(t.Context(), one, g)
			kind(err, state.LookAgain)
		}
		if diff := cmp.Diff(grants(one), []state.Grant{account, organization, everybody, theirs}); diff != "" {
			t.Errorf("grants (-have +want):\n%s", diff)
		}
		if got := grants(two); got != nil {
			t.Errorf("a version that nobody shared has %v", got)
		}
		p, _ := c.LayerPolicy(t.Context(), one)
		if diff := cmp.Diff(p.Principals, []string{"*", "210987654321", "333333333333", "org:o-abc123def4"}); diff != "" {
			t.Errorf("principals (-have +want):\n%s", diff)
		}
		_, err := c.RevokeLayer(t.Context(), one, account.Sid, "4f1c9e0a-0000-4000-8000-000000000000")
		kind(err, state.LookAgain)
		for _, sid := range []string{account.Sid, organization.Sid, everybody.Sid, "theirs"} {
			p, _ := c.LayerPolicy(t.Context(), one)
			if _, err := c.RevokeLayer(t.Context(), one, sid, p.Revision); err != nil {
				t.Fatal(err)
			}
			_, err := c.RevokeLayer(t.Context(), one, sid, "")
			kind(err, state.Gone)
		}
		if got := grants(one); got != nil {
			t.Errorf("all was taken back, and %v is left", got)
		}
		three := layerARN("common").Version(3)
		_, err = c.LayerPolicy(t.Context(), three)
		kind(err, state.Gone)
		_, err = c.GrantLayer(t.Context(), three, account)
		kind(err, state.Gone)
		var s state.Snapshot
		if err := c.Look(t.Context(), &s, state.Needs{Policies: []state.LayerVersionARN{one, three}}); err != nil || len(s.Policies) != 2 {
			t.Errorf("%v, %v", s.Policies, err)
		}
	})
}

// Nothing is granted on, and nothing read of, a layer of somebody else.
func TestGrantsOfOthersAreRefused(t *testing.T) {
	w := newWire()
	c := w.client(t)
	v := state.LayerVersionARN("arn:aws:lambda:ap-northeast-1:999999999999:layer:common:1")
	_, read := c.LayerPolicy(t.Context(), v)
	_, grant := c.GrantLayer(t.Context(), v, state.NewGrant("210987654321"))
	_, revoke := c.RevokeLayer(t.Context(), v, "layerd-210987654321", "r")
	for _, err := range []error{read, grant, revoke} {
		if state.KindOf(err) != state.Human {
			t.Errorf("got %v", err)
		}
	}
	for _, op := range []string{"GetLayerVersionPolicy", "AddLayerVersionPermission", "RemoveLayerVersionPermission"} {
		if n := w.count(op); n > 0 {
			t.Errorf("%s was sent %d times", op, n)
		}
	}
}

// A policy that is full is for a person: nothing is tried again.
func TestPolicyThatIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		var many []awssim.Grant
		for i := range 73 {
			many = append(many, awssim.Grant{Sid: fmt.Sprintf("team-%03d-%060d", i, i), Principal: fmt.Sprintf("%012d", 400000000000+i)})
		}
		w.PutLayerVersion(awssim.LayerVersion{Name: "common", Grants: many})
		c := simClient(t, w)
		var err error
		for i := 0; err == nil && i < 100; i++ {
			_, err = c.GrantLayer(t.Context(), layerARN("common").Version(1), state.NewGrant(fmt.Sprintf("%012d", 500000000000+i)))
		}
		e, _ := errors.AsType[*state.Error](err)
		if e == nil || e.Kind != state.Human || e.Code != "PolicyLengthExceededException" {
			t.Errorf("got %v", err)
		}
	})
}

// A statement that layerd would not have made equals no grant that it would make.
func TestParsePolicyGrants(t *testing.T) {
	statement := func(fields string) string {
		return `{"Statement":[{"Sid":"layerd-x","Effect":"Allow",` + fields + `}]}`
	}
	const action = `"Action":"lambda:GetLayerVersion"`
	for doc, want := range map[string]state.Grant{
		statement(`"Principal":{"AWS":"arn:aws:iam::210987654321:root"},` + action):                                                                                {Sid: "layerd-x", Principal: "210987654321"},
		statement(`"Principal":{"AWS":"210987654321"},"Action":["lambda:GetLayerVersion"]`):                                                                        {Sid: "layerd-x", Principal: "210987654321"},
		statement(`"Principal":"*",` + action):                                                                                                                     {Sid: "layerd-x", Principal: "*"},
		statement(`"Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abc123def4"}},` + action):                                                  {Sid: "layerd-x", Principal: "*", Organization: "o-abc123def4"},
		statement(`"Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":["o-a","o-b"]}},` + action):                                                   {Sid: "layerd-x"},
		statement(`"Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a","aws:SourceIp":"1"}},` + action):                                        {Sid: "layerd-x"},
		statement(`"Principal":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-a"}},` + action):                                                        {Sid: "layerd-x"},
		statement(`"Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a"},"StringNotEquals":{"aws:PrincipalAccount":"210987654321"}},` + action): {Sid: "layerd-x"},
		statement(`"Principal":{"AWS":"210987654321"},"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a"}},` + action):                                        {Sid: "layerd-x"},
		statement(`"Principal":{"AWS":["210987654321","333333333333"]},` + action):                                                                                 {Sid: "layerd-x"},
		statement(`"Principal":{"AWS":"210987654321"},"Action":"lambda:*"`):                                                                                        {Sid: "layerd-x"},
		statement(`"NotPrincipal":{"AWS":"210987654321"},` + action):                                                                                               {Sid: "layerd-x"},
		`{"Statement":[{"Sid":"layerd-x","Effect":"Deny","Principal":"*","Action":"lambda:GetLayerVersion"}]}`:                                                     {Sid: "layerd-x"},
	} {
		p, err := parsePolicy(doc, testAccount)
		if err != nil || len(p.Grants) != 1 {
			t.Errorf("%s: %v, %v", doc, p.Grants, err)
		} else if diff := cmp.Diff(p.Grants[0], want); diff != "" {
			t.Errorf("%s (-have +want):\n%s", doc, diff)
		}
	}
}
