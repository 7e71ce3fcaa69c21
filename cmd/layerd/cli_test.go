package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// cliFile is the whole command line, and a promise to scripts: no flag of the
// test writes it. Whoever adds to it adds a line by hand; nothing is taken away.
const cliFile = "cli.txt"

// TestCommandLine: every command, argument, flag, short form and default, the
// hidden ones too.
func TestCommandLine(t *testing.T) {
	a := &app{env: func(string) string { return "" }, now: time.Now}
	var b strings.Builder
	for _, c := range allCommands(a.root()) {
		fmt.Fprintf(&b, "%s\n", strings.TrimSpace(c.CommandPath()+strings.TrimPrefix(c.Use, c.Name())))
		for _, line := range flagLines(c) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	want, err := os.ReadFile(filepath.Join("testdata", "golden", cliFile))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("the command line is not what %s promises (-promised +is):\n%s", cliFile, diff)
	}
}

func flagLines(c *cobra.Command) (lines []string) {
	c.InitDefaultHelpFlag()
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		line := "--" + f.Name
		if f.Shorthand != "" {
			line += " -" + f.Shorthand
		}
		if f.Value.Type() != "bool" {
			line += " " + f.Value.Type()
		}
		line += fmt.Sprintf(" default %q", f.DefValue)
		if f.NoOptDefVal != "" && f.Value.Type() != "bool" {
			line += fmt.Sprintf(" alone %q", f.NoOptDefVal)
		}
		if f.Hidden {
			line += " hidden"
		}
		lines = append(lines, line)
	})
	return lines
}

// TestHelpTexts: what every command says of itself. The words may be improved:
// -update writes them anew.
func TestHelpTexts(t *testing.T) {
	a := &app{env: func(string) string { return "" }, now: time.Now}
	var b strings.Builder
	for _, c := range allCommands(a.root()) {
		var out bytes.Buffer
		one := &app{out: &out, err: &out, env: a.env, now: time.Now}
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := one.execute(t.Context(), args); code != exitOK {
			t.Errorf("%v: exit %d", args, code)
		}
		fmt.Fprintf(&b, "$ layerd %s\n%s\n", strings.Join(args, " "), out.String())
	}
	golden(t, "help.txt", b.String())
}

// TestSchemas: what editors are given is what stands where people copy it from.
func TestSchemas(t *testing.T) {
	for file, args := range map[string][]string{
		"../../examples/repo/schema/layerd.schema.json": {"schema"},
		"../../deploy/layerd.schema.json":               {"schema", "daemon"},
	} {
		var out bytes.Buffer
		a := &app{out: &out, err: &out, env: func(string) string { return "" }, now: time.Now}
		want, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		if code := a.execute(t.Context(), args); code != exitOK || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("layerd %s exits %d and is not %s", strings.Join(args, " "), code, file)
		}
	}
}
