package reconcile

import (
	"cmp"
	"container/heap"
	"hash/fnv"
	"slices"
	"strings"
)

// spread gives names in the order in which a rollout takes them: the same at
// each call for the same names, first those that are to be first, and the rest
// so that each beginning has as much of every family of functions as the whole,
// rounded down or up. A family is what shares the first two words of its names.
//
// The j-th of a family of s among n has its turn between j·n/s and (j+1)·n/s;
// of those whose turn has come the one that is due first is taken. That always
// comes out, since the turns of all families together just fill the order.
func spread(names []string, first map[string]bool) []string {
	var order []string
	families := map[string][]turn{}
	for _, name := range names {
		if first[name] {
			order = append(order, name)
			continue
		}
		key := family(name)
		families[key] = append(families[key], turn{name: name, hash: hash(name)})
	}
	slices.Sort(order)
	n := len(names) - len(order)
	begin := make([][]turn, n) // by the place at which their turn begins
	for _, list := range families {
		slices.SortFunc(list, turn.compare)
		for j, f := range list {
			f.due = ((j+1)*n + len(list) - 1) / len(list)
			begin[j*n/len(list)] = append(begin[j*n/len(list)], f)
		}
	}
	var waiting turns
	for _, list := range begin {
		for _, f := range list {
			heap.Push(&waiting, f)
		}
		order = append(order, heap.Pop(&waiting).(turn).name)
	}
	return order
}

// turn is a function in the order of a rollout.
type turn struct {
	name string
	hash uint64
	due  int
}

func (f turn) compare(o turn) int {
	return cmp.Or(cmp.Compare(f.due, o.due), cmp.Compare(f.hash, o.hash), cmp.Compare(f.name, o.name))
}

// turns is a heap of those whose turn has come.
type turns []turn

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i].compare(t[j]) < 0 }
func (t turns) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *turns) Push(x any)        { *t = append(*t, x.(turn)) }
func (t *turns) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

func family(name string) string {
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
