package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nearest returns the candidate that word was probably meant to be, or "".
func nearest(word string, candidates []string) string {
	best, score := "", 0.49 // half of the letters; below it a guess confuses more than none
	for _, c := range candidates {
		s := levenshtein.Similarity(strings.ToLower(word), strings.ToLower(c), nil)
		if len(word) > 2 && strings.HasPrefix(c, word) {
			s = max(s, 0.9)
		}
		if s > score {
			best, score = c, s
		}
	}
	return best
}

// didYouMean returns the end of a sentence that names the nearest candidate, or "".
func didYouMean(word string, candidates []string) string {
	if n := nearest(word, candidates); n != "" && n != word {
		return fmt.Sprintf("; did you mean %s?", n)
	}
	return ""
}

// nearFlag returns the flag that was probably meant, or "". Flags are short, and half of
// the letters of one is another's: one edit in three letters counts, letters that changed
// places, and the beginning of one.
func nearFlag(name string, flags []string) string {
	letters := func(s string) string { return string(slices.Sorted(slices.Values([]rune(s)))) }
	best, least := "", max(1, len(name)/3)+1
	for _, f := range flags {
		d := levenshtein.Distance(strings.ToLower(name), f, nil)
		long, short := max(len(name), len(f)), min(len(name), len(f))
		if short > 2 && (strings.HasPrefix(f, name) || strings.HasPrefix(name, f)) || long > 2 && letters(name) == letters(f) {
			d = 0
		}
		if d < least {
			best, least = f, d
		}
	}
	return best
}

var unknownCommand = regexp.MustCompile(`^unknown command "(.*)" for "layerd`)

// exclusive is what cobra finds of flags that exclude each other.
var exclusive = regexp.MustCompile(`none of the others can be; \[(.*)\] were all set$`)

// sayUsage words what cobra and pflag found wrong with the command line the
// way our own errors are worded. cmd is the command that was reached.
func sayUsage(cmd *cobra.Command, err error) error {
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	hint := fmt.Sprintf("see %s --help", cmd.CommandPath())
	if m := unknownCommand.FindStringSubmatch(err.Error()); m != nil {
		return usage(hint, "unknown command %q%s", m[1], didYouMean(m[1], commandNames(cmd.Root())))
	}
	if m := exclusive.FindStringSubmatch(err.Error()); m != nil {
		return usage(hint, "--%s exclude each other", strings.Join(strings.Fields(m[1]), " and --"))
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			return usage(hint, "unknown flag -%s%s", name, within(name, short))
		}
		if meant := nearFlag(name, flagNames(cmd)); meant != "" {
			return usage(hint, "unknown flag --%s; did you mean --%s?", name, meant)
		}
		return usage(hint, "unknown flag --%s", name)
	}
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usage(hint, "--%s %q: %v", wrong.GetFlag().Name, wrong.GetValue(), plainCause(wrong))
	}
	return usage(hint, "%w", err)
}

// within names the group of short flags that one was found in, if there are others.
func within(name, group string) string {
	if name == group {
		return ""
	}
	return " in -" + group
}

// plainCause drops strconv's "strconv.ParseFloat: parsing" before what is wrong.
func plainCause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

func commandNames(root *cobra.Command) []string {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) { names = append(names, f.Name) }
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	slices.Sort(names)
	return slices.Compact(names)
}

// arguments checks how many arguments there are and names what is missing,
// which "accepts 2 arg(s), received 1" does not. names in brackets may be left
// out.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "usage: " + cmd.UseLine()
		if len(args) > len(names) {
			return usage(hint, "too many arguments: %q", args[len(names)])
		}
		if i := slices.Index(args, ""); i >= 0 { // a variable of the shell that is not set
			return usage(hint, "%s is empty", strings.Trim(names[i], "[]"))
		}
		for _, name := range names[len(args):] {
			if !strings.HasPrefix(name, "[") {
				return usage(hint, "%s is missing", name)
			}
		}
		return nil
	}
}

// filled refuses flags that were written with nothing behind them: where a flag
// narrows what is done, an unset variable of the shell would widen it to all.
func filled(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return usage("leave --"+name+" away, or write what it is to be", "--%s is empty", name)
		}
	}
	return nil
}

// oneOf is a flag with a few possible values.
type oneOf struct {
	value   string
	allowed []string
}

var _ pflag.Value = (*oneOf)(nil)

func (o *oneOf) String() string { return o.value }
func (o *oneOf) Type() string   { return strings.Join(o.allowed, "|") }

func (o *oneOf) Set(s string) error {
	if !slices.Contains(o.allowed, s) {
		return fmt.Errorf("must be %s%s", listOr(o.allowed), didYouMean(s, o.allowed))
	}
	o.value = s
	return nil
}

// listOr writes "a, b or c".
func listOr(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
