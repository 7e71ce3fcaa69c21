package notify

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/layerd/layerd/internal/words"
)

// RepositoryFacts returns the facts of the repository and of the daemon. Whether
// the store works is a fact of its own, since it is reported without the store.
func RepositoryFacts(r Repository) Findings {
	f := &observer{Situation: Situation{
		Zone: r.Zone, Now: r.Now, Invalid: r.Invalid, Revision: r.Revision, Observed: r.Observed, StaleAfter: r.StaleAfter,
	}}
	r.invalid(f)
	r.stale(f)
	r.lost(f)
	r.unreachable(f)
	r.unreadable(f)
	r.unheard(f)
	slices.SortStableFunc(f.out.Facts, func(a, b Fact) int { return a.compare(b.ID) })
	return f.out
}

// StoreFacts is RepositoryFacts for the one thing that cannot be kept.
func StoreFacts(r Repository) Findings {
	f := &observer{Situation: Situation{Zone: r.Zone, Now: r.Now}}
	if r.Store != "" {
		f.add(Fact{
			ID: ID{Kind: StoreFailed, Key: r.Instance}, Title: "the store does not work" + on(r.Instance),
			Sections: []Section{
				{Text: words.Sentence(words.Truncate(r.Store, maxText-2))},
				{Text: "layerd changes nothing while it cannot record what it is about to do. It keeps observing."},
			},
		})
	}
	return f.out
}

// on names the daemon, where there are several.
func on(instance string) string {
	if instance == "" {
		return ""
	}
	return " (layerd on " + instance + ")"
}

func (r Repository) invalid(f *observer) {
	items, sections := problems(r.Invalid)
	if len(items) == 0 && r.Unread {
		f.unknown("", r.Instance, DesiredInvalid)
	}
	if len(items) == 0 {
		return
	}
	if r.Followed {
		f.add(Fact{
			ID: ID{Kind: DesiredInvalid, Key: r.Instance}, Items: items,
			Title:    fmt.Sprintf("%s has files that nothing follows: %s", commit(cmp.Or(r.Observed, r.Revision), ""), words.Count(len(items), "problem")),
			Sections: append(sections, Section{Text: "The environments are still followed. Nothing is pruned until that is fixed."}),
		})
		return
	}
	f.add(Fact{
		ID: ID{Kind: DesiredInvalid, Key: r.Instance}, Items: items,
		Title: fmt.Sprintf("%s is not followed anywhere: %s", commit(cmp.Or(r.Observed, r.Revision), ""), words.Count(len(items), "problem")),
		Sections: append(sections, Section{Text: fmt.Sprintf(
			"layerd stays with %s: no change starts, drift is healed.", commit(r.Revision, ""))}),
	})
}

func (r Repository) stale(f *observer) {
	if r.ReadAt.IsZero() || r.Now.Sub(r.ReadAt) < cmp.Or(r.StaleAfter, defaultStaleAfter) {
		return
	}
	x := Fact{
		ID: ID{Kind: GitStale, Key: r.Instance}, Title: "Git was not read for " + words.Span(r.Now.Sub(r.ReadAt)) + on(r.Instance),
	}
	if r.Error != "" {
		x.Sections = append(x.Sections, Section{Text: words.Sentence(words.Truncate(r.Error, maxText-2))})
	}
	x.Sections = append(x.Sections, Section{Text: fmt.Sprintf(
		"It was last read %s. Until it can be read no change starts; drift is healed to what was applied.", words.Moment(r.ReadAt, r.Zone))})
	f.add(x)
}

func (r Repository) lost(f *observer) {
	if len(r.Lost) == 0 {
		return
	}
	x := Fact{ID: ID{Kind: LeaseLost, Key: r.Instance}}
	for _, l := range slices.SortedFunc(slices.Values(r.Lost), func(a, b LostLease) int { return cmp.Compare(a.Account, b.Account) }) {
		x.Items = append(x.Items, Item{Name: l.Account})
		if len(x.Sections) < maxGroups {
			x.Sections = append(x.Sections, Section{Text: words.Sentence(fmt.Sprintf("Account %s, since %s: %s", l.Account, words.Moment(l.Since, r.Zone), words.Truncate(l.Reason, maxText/2)))})
		}
	}
	x.Title = fmt.Sprintf("the lease of %s was lost%s", words.Count(names(x.Items), "account"), on(r.Instance))
	if left := len(r.Lost) - len(x.Sections); left > 0 {
		x.Sections = append(x.Sections, Section{Text: "And " + words.Count(left, "account") + " more."})
	}
	x.Sections = append(x.Sections, Section{Text: "Nothing is changed there until a layerd holds the lease again."})
	f.add(x)
}

// deliveryGrace is for how long a target may take nothing before the others are
// told: it is no news that Slack hiccups.
const deliveryGrace = 5 * time.Minute

// Unreachable are the targets that have taken no messages for so long that the
// others are told, by name.
func (r Repository) Unreachable() (names []string) {
	for _, t := range r.Targets {
		if !t.Since.IsZero() && r.Now.Sub(t.Since) >= deliveryGrace {
			names = append(names, t.Name)
		}
	}
	return names
}

// unreachable finds the targets that take no messages.
func (r Repository) unreachable(f *observer) {
	late := r.Unreachable()
	if len(late) == 0 {
		return
	}
	x := Fact{ID: ID{Kind: DeliveryFailed, Key: r.Instance}, Title: "no messages arrive at " + words.Count(len(late), "target") + on(r.Instance)}
	for _, t := range r.Targets {
		if !slices.Contains(late, t.Name) {
			continue
		}
		x.Items = append(x.Items, Item{Name: t.Name})
		x.Sections = append(x.Sections, Section{Text: words.Sentence(fmt.Sprintf("%s takes nothing since %s: %s",
			t.Name, words.Moment(t.Since, r.Zone), words.Truncate(t.Reason, maxText/2)))})
	}
	x.Sections = append(x.Sections, Section{Text: "What waits there is kept for seven days and tried every minute."})
	f.add(x)
}

// unreadable finds the secrets that cannot be read.
func (r Repository) unreadable(f *observer) {
	if len(r.Secrets) == 0 {
		return
	}
	x := Fact{ID: ID{Kind: SecretUnreadable, Key: r.Instance}}
	for _, s := range slices.SortedFunc(slices.Values(r.Secrets), func(a, b UnreadableSecret) int { return cmp.Compare(a.Key, b.Key) }) {
		x.Items = append(x.Items, Item{Name: s.Key})
		x.Sections = append(x.Sections, Section{Text: words.Sentence(fmt.Sprintf("%s, since %s: %s",
			s.Key, words.Moment(s.Since, r.Zone), words.Truncate(s.Reason, maxText/2)))})
	}
	x.Title = fmt.Sprintf("%s of the configuration cannot be read%s", words.Count(len(r.Secrets), "secret"), on(r.Instance))
	x.Sections = append(x.Sections, Section{Text: "layerd reads it again every few seconds. A restart would be refused until it can be read."})
	f.add(x)
}

// unheard finds that no events can be read.
func (r Repository) unheard(f *observer) {
	if r.Deaf == nil {
		return
	}
	f.add(Fact{
		ID: ID{Kind: AWSStale, Key: r.Instance}, Items: []Item{{Name: r.Deaf.Queue}},
		Title: "no events of AWS can be read" + on(r.Instance),
		Sections: []Section{
			{Text: words.Sentence(fmt.Sprintf("%s, since %s: %s", r.Deaf.Queue, words.Moment(r.Deaf.Since, r.Zone), words.Truncate(r.Deaf.Reason, maxText/2)))},
			{Text: fmt.Sprintf("Drift is still seen, at the latest after %s.", words.Span(r.Deaf.Interval))},
		},
	})
}

// Hello is a message that tests whether messages arrive at a target.
func Hello(s Situation) Message {
	return Message{
		ID: "hello", Status: Told, Severity: Info, At: s.Now.UTC(),
		Title:    "layerd can reach you here",
		Sections: []Section{{Text: "This is a test. No action is needed."}},
		Context:  words.Moment(s.Now, s.Zone),
	}
}
