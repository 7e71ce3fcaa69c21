package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
)

// The help of every command fits a terminal of 80 columns, and speaks of
// nothing that does not work yet as if it did.
func TestHelpFits(t *testing.T) {
	a := &app{env: func(string) string { return "" }, now: time.Now}
	for _, c := range allCommands(a.root()) {
		if c.Hidden {
			continue
		}
		var out bytes.Buffer
		b := &app{out: &out, err: &out, env: a.env, now: time.Now}
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if code := b.execute(t.Context(), args); code != 0 {
			t.Errorf("%v: exit %d: %s", args, code, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if n := lipgloss.Width(strings.TrimRight(line, "\n")); n > plainWidth {
				t.Errorf("%v: %d columns: %s", args, n, line)
			}
			if strings.HasPrefix(strings.TrimSpace(line), "--") && strings.Contains(line, "not supported yet") {
				t.Errorf("%v offers %s", args, line)
			}
		}
		if c.GroupID == "" && c.HasParent() && c.Parent() == c.Root() && c.Name() != "help" {
			t.Errorf("%s is in no group of the help", c.Name())
		}
	}
}

// The daemon and the health check look in the same places.
func TestWhichConfig(t *testing.T) {
	for _, tt := range []struct{ named, variable, want string }{
		{"x.yaml", "git: {}", "x.yaml"}, {"env:OTHER", "git: {}", "env:OTHER"},
		{"", "git: {}", "env:LAYERD_CONFIG"}, {"", "", "/etc/layerd/layerd.yaml"},
	} {
		a := &app{env: func(name string) string { return map[string]string{"LAYERD_CONFIG": tt.variable}[name] }}
		if got := a.whichConfig(tt.named); got != tt.want {
			t.Errorf("--config %q and LAYERD_CONFIG=%q give %s, want %s", tt.named, tt.variable, got, tt.want)
		}
	}
}
