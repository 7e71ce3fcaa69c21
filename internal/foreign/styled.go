package foreign

import (
	"fmt"
	"reflect"
)

// Styled is text for a terminal in which nothing is left of others that was not
// cleaned, so that it may hold colours of ours. Text becomes it by Styledf, or by
// whoever paints it after Clean; the two kinds do not mix by accident, because
// they are two types.
type Styled string

// Styledf formats as fmt.Sprintf does. The format is ours; of the arguments what is
// Styled stays, and all other text is cleaned.
func Styledf(format string, args ...any) Styled {
	safe := make([]any, len(args))
	for i, a := range args {
		safe[i] = harmless(a)
	}
	return Styled(fmt.Sprintf(format, safe...))
}

// Style returns text cleaned.
func Style(text string) Styled { return Styled(Clean(text)) }

// Linef is Styledf where there are no colours: a line of text.
func Linef(format string, args ...any) string { return string(Styledf(format, args...)) }

// harmless cleans an argument; numbers keep their type for their verbs.
func harmless(a any) any {
	if _, ok := a.(Styled); ok || number(a) {
		return a
	}
	return Clean(fmt.Sprint(a))
}

func number(a any) bool {
	v := reflect.ValueOf(a)
	return v.CanInt() || v.CanUint() || v.CanFloat()
}
