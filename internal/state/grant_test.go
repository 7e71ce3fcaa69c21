package state

import (
	"regexp"
	"testing"
)

// Whom a grant is for decides its Sid, which AWS takes and which is known as ours.
func TestGrant(t *testing.T) {
	shape := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)
	for _, tt := range []struct{ to, sid, key, whom string }{
		{"210987654321", "layerd-210987654321", "210987654321", "210987654321"},
		{"o-abc123def4", "layerd-o-abc123def4", "o-abc123def4", "o-abc123def4"},
		{"o-abcdefghijklmnopqrstuvwxyz012345", "layerd-o-abcdefghijklmnopqrstuvwxyz012345", "o-abcdefghijklmnopqrstuvwxyz012345", "o-abcdefghijklmnopqrstuvwxyz012345"},
		{Everybody, "layerd-public", "public", "every AWS account"},
	} {
		g := NewGrant(tt.to)
		if g.Sid != tt.sid || g.Key() != tt.key || g.Whom() != tt.whom || g.To() != tt.to || !g.Ours() || !shape.MatchString(g.Sid) {
			t.Errorf("%s: %+v, key %s, whom %s", tt.to, g, g.Key(), g.Whom())
		}
		if found, ok := (Policy{Grants: []Grant{{Sid: "x"}, g}}).Grant(g.Sid); !ok || found != g {
			t.Errorf("%s is not found: %+v", tt.to, found)
		}
	}
	if g := (Grant{Sid: "share", Principal: "210987654321"}); g.Ours() {
		t.Errorf("%+v is ours", g)
	}
}
