package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/words"
)

// version is set by the release build with -ldflags "-X main.version=v1.2.3".
var version string

// versionView is what layerd knows of its own build.
type versionView struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit, RFC 3339
	Modified bool   `json:"modified"`       // built from a tree with changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (a *app) versionCommand() *cobra.Command {
	var output oneOf
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which layerd this is",
		Args:  arguments(),
		RunE: func(*cobra.Command, []string) error {
			if output.value == "json" {
				return a.printJSON(buildVersion())
			}
			return a.print(buildVersion().line())
		},
	}
	outputFlag(cmd, &output, "text", "json")
	return cmd
}

// line returns what layerd version and layerd --version print.
func (v versionView) line() string {
	text := "layerd " + v.Version
	if v.Commit != "" {
		text += " (" + words.Commit(v.Commit)
		if v.Modified {
			text += "+dirty"
		}
		text += ")"
	}
	return fmt.Sprintf("%s, %s, %s\n", text, v.Go, v.Platform)
}

func buildVersion() versionView {
	v := versionView{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Version == "" {
		v.Version = info.Main.Version // of go install module@version
	}
	if v.Version == "" {
		v.Version = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
