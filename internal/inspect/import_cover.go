package inspect

import (
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
)

// cover returns selectors that match exactly the names chosen, out of all that are live:
// globs where that can be, and else the names themselves. Both lists are sorted. What a
// glob chooses that is made later is what a person would expect of it; what is live now
// and not chosen, none of them matches.
func cover(chosen, all []string) []string {
	others := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		_, is := slices.BinarySearch(chosen, name)
		return is
	})
	return coverGroup(chosen, others)
}

func coverGroup(chosen, others []string) []string {
	if len(chosen) < 2 {
		return chosen
	}
	head, tail := commonEnds(chosen)
	others = slices.DeleteFunc(slices.Clone(others), func(name string) bool { return !strings.HasPrefix(name, head) })
	if glob := head + "*" + tail; !slices.ContainsFunc(others, func(name string) bool { return desired.Glob(glob, name) }) {
		return []string{glob}
	}
	var selectors []string
	for group := range slices.Values(byWord(chosen, len(head))) {
		selectors = append(selectors, coverGroup(group, others)...)
	}
	return selectors
}

// byWord splits names by their word after the first bytes. There are at least two groups:
// what all have in common is no longer.
func byWord(names []string, after int) [][]string {
	var list [][]string
	last := ""
	for _, name := range names {
		word := name[after:]
		if end := strings.IndexAny(word, separators); end >= 0 {
			word = word[:end+1]
		}
		if len(list) == 0 || word != last {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], name)
		last = word
	}
	return list
}

// separators part the words of a function's name.
const separators = "-_"

// commonEnds returns with which whole words all the names begin, separator included, and with
// which they end; in none of the names do the two overlap.
func commonEnds(names []string) (head, tail string) {
	shortest := names[0]
	head, tail = names[0], names[0]
	for _, name := range names[1:] {
		if len(name) < len(shortest) {
			shortest = name
		}
		for !strings.HasPrefix(name, head) {
			head = head[:len(head)-1]
		}
		for !strings.HasSuffix(name, tail) {
			tail = tail[1:]
		}
	}
	head = head[:strings.LastIndexAny(head, separators)+1]
	if tail = tail[min(len(tail), max(0, len(head)+len(tail)-len(shortest))):]; tail != "" {
		at := strings.IndexAny(tail, separators)
		if at < 0 {
			at = len(tail)
		}
		tail = tail[at:]
	}
	return head, tail
}
