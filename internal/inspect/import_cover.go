package inspect

import (
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/desired"
)

// cover returns selectors that match exactly the names chosen, out of all that are live,
// and those that take away again what they match beside: globs where that can be, and
// else the names themselves. Both lists are sorted. What is made later and matches a glob
// is chosen as a person would expect; what is live now and not chosen, is not.
func cover(chosen, all []string) (functions, except []string) {
	others := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		_, is := slices.BinarySearch(chosen, name)
		return is
	})
	return coverGroup(chosen, others, chosen)
}

// coverGroup is cover of some of the names that are chosen; keep are all of them, of which
// nothing may be taken away. A nil keep allows no taking away.
func coverGroup(group, others, keep []string) (functions, except []string) {
	if len(group) < 2 {
		return group, nil
	}
	head, tail := commonEnds(group)
	others = slices.DeleteFunc(slices.Clone(others), func(name string) bool { return !strings.HasPrefix(name, head) })
	glob := head + "*" + tail
	var beside []string
	for _, name := range others {
		if desired.Glob(glob, name) {
			beside = append(beside, name)
		}
	}
	if len(beside) == 0 {
		return []string{glob}, nil
	}
	for _, part := range byWord(group, len(head)) {
		f, e := coverGroup(part, others, keep)
		functions, except = append(functions, f...), append(except, e...)
	}
	if keep == nil || head+tail == "" || len(beside) > len(group) {
		return functions, except
	}
	if fewer, _ := coverGroup(beside, keep, nil); 2*(1+len(fewer)) <= len(functions)+len(except) {
		return []string{glob}, fewer
	}
	return functions, except
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
