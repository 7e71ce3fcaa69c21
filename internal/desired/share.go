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
	case meansEverybody(text):
		e.Message = fmt.Sprintf("%q would share the layer with every AWS account, which needs a reason", text)
		e.Advice = "write {public: REASON}" + whereReason
	case organizationUnit.MatchString(lower):
		e.Message += ": AWS shares layers with a whole organization only"
		e.Advice = "write the id of the organization, o-…"
	case likelyOrganization.MatchString(lower) && !strings.Contains(lower, ":iam:"):
		e.Suggestion = likelyOrganization.FindString(lower)
	case likelyAccount.MatchString(lower):
		e.Suggestion = strings.Join(likelyAccount.FindStringSubmatch(lower)[1:4], "")
	}
	return e
}

// What to write where a layer is made public. No reason is offered: one that nobody
// thought about would be none.
const (
	whereReason = ", where REASON is why every AWS account may use the layer"
	writeReason = "write why every AWS account may use the layer"
)

// meansEverybody reports whether text is a word for every AWS account.
func meansEverybody(text string) bool {
	return slices.Contains([]string{"*", "public", "all", "everyone", "everybody", "anyone"}, strings.ToLower(strings.TrimSpace(text)))
}

// explainShareWith has words for whom a layer is shared with where what is written is of
// the wrong type: most often what makes it public.
func explainShareWith(n *node) *formError {
	switch {
	case n.Key == nil:
	case n.Key.Text == "public" && n.Kind == scalar && n.Tag == "!!null":
		return &formError{Code: "wrong_type", Message: "has no value", Advice: writeReason, Offset: -1}
	case n.Key.Text == "public" && n.Kind == scalar && n.Text == "":
		return &formError{Code: "out_of_range", Message: "must not be empty", Advice: writeReason, Offset: -1}
	case n.Key.Text == "share_with" && n.Kind == scalar && meansEverybody(n.Text):
		e := principalForm(n.Text)
		e.Advice = "write [{public: REASON}]" + whereReason
		return e
	case n.Key.Text == "share_with" && n.Kind == mapping:
		return &formError{Code: "wrong_type", Message: "must be a list", Advice: "write [{public: REASON}]" + whereReason, Offset: -1}
	}
	return nil
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
				b.problem("bad_principal", where, fmt.Sprintf("layer %q is made public without a reason", w.Name), writeReason)
			}
			continue
		case p.text == "":
			s = Share{Grant: state.NewGrant(state.Everybody), Reason: strings.TrimSpace(p.Public)}
		case p.text == account:
			b.shares = append(b.shares, shareEntry{where, w.Name, account, true})
			continue
		}
		b.shares = append(b.shares, shareEntry{where, w.Name, account, false})
		if !slices.ContainsFunc(w.ShareWith, func(o Share) bool { return o.Sid == s.Sid }) {
			w.ShareWith = append(w.ShareWith, s)
		}
	}
}

// shareEntry is one entry of a share_with in one environment: own where it names the
// account that the environment is in, which needs no grant.
type shareEntry struct {
	at             Position
	layer, account string
	own            bool
}

// sharedWithOwner warns of entries that share with nobody, since whoever takes the list is
// in that account. What stands in layer.yaml or layerd.yaml is for all environments: it
// may be meant for one of another account, also for one that cannot be read.
func (l *loader) sharedWithOwner() {
	of, order := map[Position][]built{}, []shareEntry(nil)
	useful := map[Position]bool{}
	for _, e := range l.wishes {
		for _, s := range e.shares {
			if of[s.at] == nil {
				order = append(order, s)
			}
			of[s.at] = append(of[s.at], e)
			useful[s.at] = useful[s.at] || !s.own
		}
	}
	read := map[string]bool{}
	for _, e := range l.wishes {
		read[e.Name] = true
	}
	all := !slices.ContainsFunc(l.names, func(name string) bool { return !read[name] })
	for _, s := range order {
		e := of[s.at][0]
		alone := s.at.File == e.File
		if useful[s.at] || !alone && !all {
			continue
		}
		whose := "this environment's own account"
		if !alone {
			whose = "the own account of all environments that take this list"
		}
		p := problemAt("means_otherwise", s.at, fmt.Sprintf("%s is %s, which needs no share of layer %q", s.account, whose, s.layer),
			"remove it: an account may always use its own layers")
		if p.Severity = Warning; alone {
			p.Environment = e.Name
		}
		l.add(p)
	}
}
