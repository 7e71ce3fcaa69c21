package rollout

import (
	"cmp"
	"container/heap"
	"hash/fnv"
	"io"
	"slices"
	"strings"
)

// WaveOrder returns the places of names in the order in which a rollout takes
// them: the same at each call for the same names, first those that are to be first,
// and the rest so that each beginning has as much of every group of functions as
// the whole, rounded down or up. A group is what shares the first two words of its
// names.
//
// The j-th of a group of s among n has its slot between j·n/s and (j+1)·n/s; of
// those whose slot has begun the one that is due first is taken. That always
// comes out, since the slots of all groups together just fill the order.
func WaveOrder(names []string, first map[string]bool) []int {
	order := make([]int, 0, len(names))
	list := make([]slot, 0, len(names))
	groups := map[string]int32{}
	for i, name := range names {
		if first[name] {
			order = append(order, i)
			continue
		}
		key := group(name)
		g, ok := groups[key]
		if !ok {
			g = int32(len(groups))
			groups[key] = g
		}
		list = append(list, slot{at: int32(i), group: g, hash: hash(name)})
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	slices.SortFunc(list, func(a, b slot) int {
		if a.group != b.group {
			return cmp.Compare(a.group, b.group)
		}
		return a.compare(b, names)
	})
	n := int32(len(list))
	for from := int32(0); from < n; {
		to := from
		for to < n && list[to].group == list[from].group {
			to++
		}
		for j := from; j < to; j++ {
			list[j].begin, list[j].due = place(j-from, n, to-from), place(j-from+1, n, to-from)
			if int64(j-from+1)*int64(n)%int64(to-from) != 0 {
				list[j].due++ // rounded up
			}
		}
		from = to
	}
	slices.SortFunc(list, func(a, b slot) int { return cmp.Compare(a.begin, b.begin) })
	waiting := slots{names: names}
	for next, at := 0, int32(0); at < n; at++ {
		for next < len(list) && list[next].begin <= at {
			waiting.push(list[next])
			next++
		}
		order = append(order, int(waiting.pop().at))
	}
	return order
}

// place returns j·n/s, rounded down.
func place(j, n, s int32) int32 { return int32(int64(j) * int64(n) / int64(s)) }

// slot is a function in the order of a rollout.
type slot struct {
	hash       uint64
	at, group  int32 // its place among the names; of its group
	begin, due int32
}

func (f slot) compare(o slot, names []string) int {
	switch {
	case f.due != o.due:
		return cmp.Compare(f.due, o.due)
	case f.hash != o.hash:
		return cmp.Compare(f.hash, o.hash)
	}
	return strings.Compare(names[f.at], names[o.at])
}

// slots is a heap of those that have begun.
type slots struct {
	list  []slot
	names []string
}

func (t *slots) Len() int           { return len(t.list) }
func (t *slots) Less(i, j int) bool { return t.list[i].compare(t.list[j], t.names) < 0 }
func (t *slots) Swap(i, j int)      { t.list[i], t.list[j] = t.list[j], t.list[i] }

// Push and Pop move what is at the end of the list already: heap.Interface would
// have each slot on the heap of the program, one by one.
func (t *slots) Push(any) {}
func (t *slots) Pop() any { return nil }

func (t *slots) push(s slot) {
	t.list = append(t.list, s)
	heap.Push(t, nil)
}

func (t *slots) pop() slot {
	heap.Pop(t) // puts the first at the end
	last := t.list[len(t.list)-1]
	t.list = t.list[:len(t.list)-1]
	return last
}

// group returns the first two words of a function's name, or what comes before
// its last word.
func group(name string) string {
	words := 0
	for i, c := range name {
		if c == '-' || c == '_' {
			if words++; words == 2 {
				return name[:i]
			}
		}
	}
	return name[:max(0, strings.LastIndexAny(name, "-_"))]
}

func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name) // never fails
	return h.Sum64()
}
