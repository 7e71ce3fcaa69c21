package rollout

import (
	"cmp"
	"container/heap"
	"hash/fnv"
	"slices"
	"strings"
)

// WaveOrder returns names in the order in which a rollout takes them: the same
// at each call for the same names, first those that are to be first, and the
// rest so that each beginning has as much of every group of functions as the
// whole, rounded down or up. A group is what shares the first two words of its
// names.
//
// The j-th of a group of s among n has its slot between j·n/s and (j+1)·n/s; of
// those whose slot has begun the one that is due first is taken. That always
// comes out, since the slots of all groups together just fill the order.
func WaveOrder(names []string, first map[string]bool) []string {
	var order []string
	groups := map[string][]slot{}
	for _, name := range names {
		if first[name] {
			order = append(order, name)
			continue
		}
		key := group(name)
		groups[key] = append(groups[key], slot{name: name, hash: hash(name)})
	}
	slices.Sort(order)
	n := len(names) - len(order)
	begin := make([][]slot, n) // by the place at which their slot begins
	for _, list := range groups {
		slices.SortFunc(list, slot.compare)
		for j, f := range list {
			f.due = ((j+1)*n + len(list) - 1) / len(list)
			begin[j*n/len(list)] = append(begin[j*n/len(list)], f)
		}
	}
	var waiting slots
	for _, list := range begin {
		for _, f := range list {
			heap.Push(&waiting, f)
		}
		order = append(order, heap.Pop(&waiting).(slot).name)
	}
	return order
}

// slot is a function in the order of a rollout.
type slot struct {
	name string
	hash uint64
	due  int
}

func (f slot) compare(o slot) int {
	return cmp.Or(cmp.Compare(f.due, o.due), cmp.Compare(f.hash, o.hash), cmp.Compare(f.name, o.name))
}

// slots is a heap of those that have begun.
type slots []slot

func (t slots) Len() int           { return len(t) }
func (t slots) Less(i, j int) bool { return t[i].compare(t[j]) < 0 }
func (t slots) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *slots) Push(x any)        { *t = append(*t, x.(slot)) }
func (t *slots) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
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
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}
