package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// unseen is whom a version is shared with. Nobody here can see who uses it there, so that
// it is not pruned.
type unseen struct {
	named   []string // in share_with
	leaving []string // that share_with names no more: the grant is taken back first
	others  []string // by statements that are not layerd's, with their Sids where they are known
}

// unseenOf returns whom a version is shared with, by its policy, or, where that was not
// read, by what is remembered of it.
func (r *world) unseenOf(w *wish, n int64) (u unseen) {
	past := r.past.Layers[w.Layer]
	policy, known := r.snap.Policies[w.Layer.Version(n)]
	for _, x := range w.ShareWith {
		// What somebody else has taken back is made again.
		if have, _ := policy.Grant(x.Sid); slices.Contains(past.Shares[x.Sid], n) || have == x.Grant {
			u.named = append(u.named, x.Whom())
		}
	}
	if !known {
		for _, whom := range slices.Sorted(maps.Keys(past.OtherShares)) {
			if slices.Contains(past.OtherShares[whom], n) {
				u.others = append(u.others, whom)
			}
		}
		return u
	}
	for _, g := range policy.Grants {
		switch named := slices.ContainsFunc(w.ShareWith, func(x desired.Share) bool { return x.Grant == g }); {
		case named, g.To() == r.want.Account:
		case g.Ours() && (w.Shared || slices.Contains(past.Shares[g.Sid], n)):
			u.leaving = append(u.leaving, g.Whom())
		default:
			u.others = append(u.others, grantee(g))
		}
	}
	if u.nobody() {
		u.others = slices.Clone(policy.Principals)
	}
	return u
}

// grantee returns whom a grant is for, and which statement it is.
func grantee(g state.Grant) string {
	if g.To() == "" {
		return g.Whom() // which names the statement
	}
	return fmt.Sprintf("%s (statement %s)", g.Whom(), g.Sid)
}

func (u unseen) nobody() bool { return len(u.named)+len(u.leaving)+len(u.others) == 0 }

// reason is why a version that is shared is kept, and what would let it go. it is what
// stands for it: "it", or "them" for several.
func (u unseen) reason(it string) string {
	var with, needs []string
	if len(u.named) > 0 {
		with = append(with, words.Few(u.named)+" by share_with")
		needs = append(needs, "take "+words.Few(u.named)+" out of share_with")
	}
	if len(u.leaving) > 0 {
		with = append(with, words.Few(u.leaving)+" until that grant is taken back")
	}
	if len(u.others) > 0 {
		with = append(with, words.Few(u.others)+" by somebody else")
		needs = append(needs, "have that statement removed (RemoveLayerVersionPermission)")
	}
	text := fmt.Sprintf("shared with %s, and who uses %s there cannot be seen", strings.Join(with, ", and with "), it)
	if len(needs) > 0 {
		text += fmt.Sprintf("; to have %s pruned, %s", it, strings.Join(needs, " and "))
	}
	return text
}

// add adds whom another version is shared with.
func (u unseen) add(o unseen) unseen {
	both := func(a, b []string) []string {
		list := slices.Concat(a, b)
		slices.Sort(list)
		return slices.Compact(list)
	}
	return unseen{both(u.named, o.named), both(u.leaving, o.leaving), both(u.others, o.others)}
}

// sharedByGit reports whether layerd has granted a version to somebody whom Git still
// names, also when somebody else has taken the grant back: it is made again.
func (r *world) sharedByGit(w *wish, n int64) bool {
	past := r.past.Layers[w.Layer].Shares
	return slices.ContainsFunc(w.ShareWith, func(x desired.Share) bool { return slices.Contains(past[x.Sid], n) })
}

// noteKeptShared notes, once for a layer, what nothing but a grant keeps: with retention
// alone such versions would only ever become more.
func (r *region) noteKeptShared(w *wish) {
	var list []int64
	var all unseen
	for _, k := range r.plan.Kept {
		if k.Layer == w.Name && k.Shared {
			list, all = append(list, k.Version), all.add(r.unseenOf(w, k.Version))
		}
	}
	if len(list) == 0 {
		return
	}
	slices.Sort(list)
	r.plan.Notes = append(r.plan.Notes, plan.Note{Code: "kept_shared", Message: fmt.Sprintf(
		"%s %s: not among the newest %d, and kept: %s", w.Name, numbersOf(list), w.Retention.Keep, all.reason("them"))})
}
