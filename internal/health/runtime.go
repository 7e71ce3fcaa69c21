package health

import (
	"fmt"
	"strings"
)

// Runtime is the version of its runtime that a function started with before a rollout,
// and the one it starts with now; ARNs, empty = unknown.
type Runtime struct{ Function, Before, Now string }

// RuntimesMoved returns a sentence for each two versions between which the runtime of
// some function has moved, in the order of list. Nothing is decided by it: it is told
// beside a verdict, before the layer is blamed.
func RuntimesMoved(list []Runtime) []string {
	type move struct{ before, now string }
	var moves []move
	functions := map[move][]string{}
	for _, r := range list {
		if r.Before == "" || r.Now == "" || r.Before == r.Now {
			continue
		}
		m := move{r.Before, r.Now}
		if functions[m] == nil {
			moves = append(moves, m)
		}
		functions[m] = append(functions[m], r.Function)
	}
	var sentences []string
	for _, m := range moves {
		who := functions[m][0]
		if more := len(functions[m]) - 1; more > 0 {
			who += fmt.Sprintf(" (and %d more)", more)
		}
		by := "AWS brings another by itself, or with any update of a function"
		if customerManaged(m.now) {
			by = "its publisher moves an alias and updates no function"
		}
		sentences = append(sentences, fmt.Sprintf("%s: another version of the runtime than before the rollout, %s → %s (%s); look at that before the layer is blamed",
			who, runtimeName(m.before), runtimeName(m.now), by))
	}
	return sentences
}

// customerManaged reports whether an ARN is of a version of a customer-managed runtime:
// arn:…:runtime/NAME/version/N. One of AWS's own is arn:…::runtime:HASH.
func customerManaged(arn string) bool { return strings.Contains(arn, ":runtime/") }

// runtimeHash is how much of the name of a version of AWS's own runtimes is shown.
const runtimeHash = 12

// runtimeName is the part of an ARN that tells versions of runtimes apart.
func runtimeName(arn string) string {
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	if !customerManaged(arn) && len(name) > runtimeHash {
		return name[:runtimeHash] + "…"
	}
	return words(name)
}
