package inspect

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/words"
)

// selected finds that the environment selects the function for none of its layers: then
// layerd leaves it as it is, whatever is wrong with it.
func (x *exam) selected() {
	e := x.Environment
	if e == nil || len(e.Layers) == 0 || e.Selects(&x.Function) {
		return
	}
	f := Finding{Code: "not_selected", Severity: Warning, Subject: x.Name, Command: x.why(), At: e.Layers[0].At,
		Message: fmt.Sprintf("no layer of %s selects it: layerd leaves it as it is", e.Name),
		Advice:  fmt.Sprintf("to have it managed, add to the functions of a layer in %s:\n- %s", e.File, strconv.Quote(x.Name))}
	var evidence []string
	for _, w := range e.Layers {
		line, taken := passedBy(w, x.Function)
		evidence = append(evidence, line)
		if taken {
			f.Advice = fmt.Sprintf("to have it managed, let except of %s in %s not name it", w.Name, e.File)
		}
	}
	f.Evidence = some(evidence)
	if len(x.Beside) > 0 {
		f.Message += "; it is selected by " + words.And(x.Beside)
		f.Command, f.Advice = x.Layerd("doctor", x.Name, "--env", x.Beside[0]), ""
	}
	x.add(f)
}

// passedBy returns where a layer's selectors are that do not choose a function; taken
// reports that one does, and that except takes the function away again.
func passedBy(w desired.LayerWish, f state.Function) (line string, taken bool) {
	match := func(s desired.Selector) bool { return s.Match(f, w.Layer) }
	if slices.ContainsFunc(w.Functions, match) {
		if i := slices.IndexFunc(w.Except, match); i >= 0 {
			return fmt.Sprintf("%s:%d takes it from %s: except %s", w.Except[i].At.File, w.Except[i].At.Line, w.Name, w.Except[i].Text()), true
		}
	}
	if len(w.Functions) == 0 {
		return fmt.Sprintf("%s:%d: %s has no functions", w.At.File, w.At.Line, w.Name), false
	}
	first := w.Functions[0]
	line = fmt.Sprintf("%s:%d: %s selects %s", first.At.File, first.At.Line, w.Name, first.Text())
	if n := len(w.Functions) - 1; n > 0 {
		line += " and " + strconv.Itoa(n) + " more"
	}
	return line, false
}
