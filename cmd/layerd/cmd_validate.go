package main

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/words"
)

// validateView is the JSON of validate.
type validateView struct {
	FormatVersion string            `json:"format_version"`
	Valid         bool              `json:"valid"`
	Revision      string            `json:"revision"`
	Environments  []string          `json:"environments"`
	Problems      []desired.Problem `json:"problems"`
	// NotYet are keys that are right and that this release does not act on.
	NotYet []desired.Problem `json:"not_supported_yet"`
}

func (a *app) validateCommand() *cobra.Command {
	var repo repoFlags
	var output oneOf
	cmd := &cobra.Command{
		Use:   "validate [PATH|URL]",
		Short: "Check a desired-state repository",
		Long: `validate reads a desired-state repository, by default the folder it is called
in or, where that does not look like one, that of the variable LAYERD_REPO, and
reports everything that is wrong, all at once, with the archives of layers that
are in it. It asks AWS nothing.`,
		Example: `  layerd validate
  layerd validate ./layers --output github`,
		Args: arguments("[PATH|URL]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			repo.argument = true
			if len(args) > 0 {
				repo.repo = args[0]
			} else if repo.repo, a.assumed.repo = a.usualRepo(repo.path); repo.repo == "" {
				repo.repo = "."
			}
			src, err := a.load(cmd.Context(), repo)
			if err != nil {
				return err
			}
			doubts, err := archiveDoubts(cmd.Context(), src)
			if err != nil {
				return err
			}
			src.tree.Problems = append(src.tree.Problems, doubts...)
			view := validateView{
				FormatVersion: "1", Valid: !desired.Errors(src.tree.Problems), Revision: src.revision,
				Environments: append([]string{}, src.tree.Names...), Problems: append([]desired.Problem{}, src.tree.Problems...),
				NotYet: notYet(src.tree),
			}
			if output.value == "json" {
				err = a.printJSON(view)
			} else {
				err = a.printFor(output.value, a.renderValidate(view, output.value, repo, src.files))
			}
			if err != nil {
				return err
			}
			return exit(problemCode(view.Problems, nil))
		},
	}
	repo.addGit(cmd)
	outputFlag(cmd, &output, "text", "json", "github")
	return cmd
}

// validateLine returns the command that checks a repository.
func validateLine(f repoFlags) string {
	text := "layerd validate"
	if f.repo != "" {
		text += " " + words.ShellQuote(withoutPassword(f.repo))
	}
	f.repo = ""
	return text + f.asFlags()
}

// notYet lists each key once, however many Regions its environment has.
func notYet(t desired.Tree) []desired.Problem {
	list := []desired.Problem{}
	seen := map[desired.Position]bool{}
	for _, e := range t.Environments {
		for _, p := range e.Unsupported {
			if !seen[p.Position] {
				seen[p.Position] = true
				list = append(list, p)
			}
		}
	}
	return list
}

// invalidNames returns the environments that are invalid, in order; none when an
// error concerns the whole repository.
func invalidNames(problems []desired.Problem) []string {
	names := map[string]bool{}
	for _, p := range problems {
		if p.Severity != desired.Error {
			continue
		}
		if p.Environment == "" {
			return nil
		}
		names[p.Environment] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// renderValidate returns the problems with the lines they are in, and a summary.
func (a *app) renderValidate(v validateView, form string, repo repoFlags, files fs.FS) string {
	p := &present.Page{Palette: a.palette(), Width: width(a.out)}
	if form == "github" {
		p.Palette = present.Palette{}
	}
	var shown strings.Builder
	_ = desired.Format(&shown, files, v.Problems, desired.Look{Color: p.On, Width: p.Width}) // a builder never fails
	for _, x := range v.NotYet {
		p.Linef(0, "· %s", x.Brief())
	}
	errors := present.Errors(v.Problems)
	parts := []string{words.Count(len(v.Environments), "environment")}
	if len(v.Environments) > 0 {
		parts[0] += " (" + strings.Join(v.Environments, ", ") + ")"
	}
	if bad := invalidNames(v.Problems); len(bad) > 0 {
		parts[0] = fmt.Sprintf("%s, of %s", strings.Join(bad, ", "), words.Count(len(v.Environments), "environment"))
	}
	if errors > 0 {
		parts = append(parts, words.Count(errors, "error"))
	}
	if n := len(v.Problems) - errors; n > 0 {
		parts = append(parts, words.Count(n, "warning"))
	}
	mark := p.Good("✓ valid:")
	if !v.Valid {
		mark = p.Bad("✗ invalid:")
	}
	p.Linef(0, "%s %s", mark, strings.Join(parts, ", "))
	text := shown.String() + p.String()
	if form == "github" {
		return present.Annotations(v.Problems, repo.root()) + foreign.Workflow(text)
	}
	return text
}
