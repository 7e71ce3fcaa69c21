package desired

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/strictyaml"
)

// Share is one of those whom a layer is shared with.
type Share struct {
	state.Grant
	// Reason is why the layer is public; empty for an account and an organization.
	Reason string
}

// principalEntry is an account or an organization, or {public: REASON}.
type principalEntry struct {
	publicFile
	text string // the short form; then publicFile is empty
}

func (e *principalEntry) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("{")) {
		return json.Unmarshal(data, &e.publicFile)
	}
	return json.Unmarshal(data, &e.text)
}

var (
	principalShape = regexp.MustCompile(`^(?:[0-9]{12}|o-[a-z0-9]{10,32})$`)
	// likelyAccount finds an account as people write one: with dashes, or in an ARN.
	likelyAccount = regexp.MustCompile(`^(?:arn:aws[a-z-]*:(?:iam|sts|organizations)::)?([0-9]{4})[- ]?([0-9]{4})[- ]?([0-9]{4})(?::.*)?$`)
	// likelyOrganization finds the id of an organization in what is more than that.
	likelyOrganization = regexp.MustCompile(`(?i)\b(o-[a-z0-9]{10,32})\b`)
	organizationUnit   = regexp.MustCompile(`^(?:ou|r)-[a-z0-9-]+$`)
)

// principalForm judges one of share_with. What makes a layer public needs a reason,
// since nothing else about it asks anybody once more.
func principalForm(text string) *formError {
	if principalShape.MatchString(text) {
		return nil
	}
	if e := strictyaml.FullWidth(text); e != nil {
		return e
	}
	e := &formError{Code: "bad_principal", Offset: -1,
		Message: fmt.Sprintf("%q is neither an account (12 digits) nor an organization (o-…)", text)}
	switch lower := strings.ToLower(strings.TrimSpace(text)); {
	case slices.Contains([]string{"*", "public", "all", "everyone", "everybody", "anyone"}, lower):
		e.Message = fmt.Sprintf("%q would share the layer with every AWS account, which needs a reason", text)
		e.Suggestion = "write {public: \"why everybody may use it\"} instead, with the reason"
	case organizationUnit.MatchString(lower):
		e.Message += ": AWS shares layers with a whole organization only"
	case likelyOrganization.MatchString(lower) && !strings.Contains(lower, ":iam:"):
		e.Suggestion = likelyOrganization.FindString(lower)
	case likelyAccount.MatchString(lower):
		e.Suggestion = strictyaml.Source(strings.Join(likelyAccount.FindStringSubmatch(lower)[1:4], ""))
	}
	return e
}

// shareWith fills in whom a layer of our own is shared with: the environment's list
// where there is one, or layer.yaml's.
func (b *builder) shareWith(w *LayerWish, info *layerInfo, account string) {
	at, list := b.root.Get("layers", w.Name, "share_with"), b.file.Layers[w.Name].ShareWith
	if at == nil {
		at, list = info.root.Get("share_with"), info.file.ShareWith
	}
	w.Shared = at != nil
	for i, p := range list {
		s := Share{Grant: state.NewGrant(p.text)}
		where := b.positionOf(at)
		if at != nil && i < len(at.Items) {
			where = at.Items[i].Where()
		}
		switch {
		case p.text == "" && strings.TrimSpace(p.Public) == "":
			if !at.Damaged {
				b.problem("bad_principal", where, fmt.Sprintf("layer %q is made public without a reason", w.Name), "write why everybody may use it")
			}
			continue
		case p.text == "":
			s = Share{Grant: state.NewGrant(state.Everybody), Reason: strings.TrimSpace(p.Public)}
		case p.text == account:
			// In layer.yaml it is meant for the environments of other accounts.
			if where.File == b.path {
				b.warning("means_otherwise", where, fmt.Sprintf("%s is this environment's own account, which needs no share of layer %q", account, w.Name), "")
			}
			continue
		}
		if !slices.ContainsFunc(w.ShareWith, func(o Share) bool { return o.Sid == s.Sid }) {
			w.ShareWith = append(w.ShareWith, s)
		}
	}
}
