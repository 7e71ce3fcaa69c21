package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/demo"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/store"
)

// printedCommand finds a command in a text that layerd prints: up to where the words
// of a sentence, a mark of Markdown or the line's end follow it.
var printedCommand = regexp.MustCompile("\\blayerd (approve|retry|plan|why|history|apply|rollback|forget|doctor|window|validate|store)\\b[^\\n`;→]*")

// fullStop is the end of a sentence, and not this folder.
var fullStop = regexp.MustCompile(`([^ ])[.,"]*\s*$`)

// shellWords splits a command as the shell does, as far as we quote.
func shellWords(command string) []string {
	var out []string
	var word strings.Builder
	quote, inside := rune(0), false
	for _, r := range fullStop.ReplaceAllString(command, "$1") + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inside = r, true
		case r == ' ':
			if inside || word.Len() > 0 {
				out = append(out, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(r)
		}
	}
	return out
}

// parses reports what is wrong with a printed command: cobra's own tree reads it, and
// what the command itself insists on is there.
func parses(command string) error {
	a := &app{env: func(string) string { return "" }, now: time.Now}
	root := a.root()
	cmd, rest, err := root.Find(shellWords(command)[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	for _, name := range []string{"retry", "rollback"} {
		if cmd.Name() == name && cmd.Flag("reason").Value.String() == "" {
			return fmt.Errorf("%s wants --reason", name)
		}
	}
	if cmd.Flags().Lookup("repo") != nil && cmd.Flag("repo").Value.String() == "" && cmd.Flag("store").Value.String() == "" {
		return fmt.Errorf("it names neither repository nor store")
	}
	return nil
}

// W1: what layerd prints works. Every command in every pinned output (plans,
// histories, answers, messages in all their stories) is one that layerd's own parser
// takes, with the repository or the store that is meant.
func TestW1Pinned(t *testing.T) {
	nightly.NotShort(t, "it parses pinned texts")
	// The pinned command line and help are no output about a repository, and pages and
	// the outputs that are made in a folder of the test have none to name.
	skip := []string{"cli.txt", "help.txt", "README.md", "pinned_messages.txt"}
	seen := map[string]int{}
	for _, dir := range []string{"../../internal", "testdata/past", "testdata/golden"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.Contains(path, "testdata") || slices.Contains(skip, d.Name()) {
				return err
			}
			if ext := filepath.Ext(path); ext != ".txt" && ext != ".md" && ext != ".txtar" && ext != ".json" {
				return nil
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			printed := strings.NewReplacer(`\"`, `"`, "## layerd", "##").Replace(string(text)) // a heading is none
			for _, command := range printedCommand.FindAllString(printed, -1) {
				if strings.Contains(path, ".txtar") && !strings.HasPrefix(strings.Fields(command)[1], "a") && !strings.Contains(command, "--repo") {
					continue // a script's own command
				}
				seen[strings.Fields(command)[1]]++
				if err := parses(command); err != nil {
					t.Errorf("%s: %s\n  %v", path, command, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, verb := range []string{"approve", "retry", "rollback", "forget"} {
		if seen[verb] == 0 {
			t.Errorf("no printed %s was found: %v", verb, seen)
		}
	}
}

// W1: the story of layerd demo names commands that parse.
func TestW1Demo(t *testing.T) {
	t.Parallel()
	nightly.OrCI(t, "it waits for a story that internal/demo plays as well")
	var out strings.Builder
	if err := demo.Run(t.Context(), demo.Options{Out: &out, Width: 1000}); err != nil {
		t.Fatal(err)
	}
	commands := printedCommand.FindAllString(out.String(), -1)
	if len(commands) < 3 {
		t.Errorf("only %d commands in the story:\n%s", len(commands), &out)
	}
	for _, command := range commands {
		if err := parses(command); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// W1: what is suggested is quoted, carries repository and store, and no secret.
func TestW1Suggest(t *testing.T) {
	for _, repo := range []repoFlags{
		{repo: "."}, {repo: "it's here"}, {repo: "https://x:hunter2@github.com/acme/layers.git", ref: "a b", path: "git ops"},
		{repo: "git@github.com:acme/layers.git"}, {repo: "$HOME/`id`;x"},
	} {
		for _, s := range []storeFlags{{}, {store: "sqlite:a b.db"}, {store: "dynamodb:layerd"}} {
			for _, command := range [][]string{
				{"approve", "prod", strings.Repeat("0123456789abcdef", 4)}, {"approve", "prod", "0123456789ab"},
				{"retry", "prod", "--reason", someReason}, {"retry", "prod", "my layer", "--reason", someReason},
				{"plan", "--env", "prod", "-v"}, {"apply", "--env", "prod"}, {"history", "--env", "prod"}, {"rollback", "prod", "x", "--reason", someReason},
			} {
				text := suggest(repo, s, command...)
				if strings.Contains(text, "hunter2") {
					t.Errorf("a secret: %s", text)
				}
				if strings.ContainsAny(repo.repo, "`'") {
					continue // the splitter here knows no escapes and the shell does
				}
				if err := parses(text); err != nil {
					t.Errorf("%s: %v", text, err)
				}
			}
		}
		if text := validateLine(repo); !strings.HasPrefix(text, "layerd validate ") || strings.Contains(text, "--repo") || strings.Contains(text, "hunter2") {
			t.Errorf("validate: %s", text)
		}
	}
	if _, err := store.ParseSpec("sqlite:a b.db"); err != nil {
		t.Error(err)
	}
}

// W1: outside of the help, a text in the code names a command only where it carries its
// store or repository; all others are made by suggest, or by what messages end with.
func TestW1Source(t *testing.T) {
	nightly.NotShort(t, "it parses the source")
	set := token.NewFileSet()
	for _, root := range []string{".", "../../internal"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "notifytest") {
				return err
			}
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if kv, ok := n.(*ast.KeyValueExpr); ok {
					if key, ok := kv.Key.(*ast.Ident); ok && slices.Contains([]string{"Long", "Example", "Short", "Use"}, key.Name) {
						return false // the help of a command
					}
				}
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				for _, command := range printedCommand.FindAllString(lit.Value, -1) {
					if !strings.Contains(command, "--store") && !strings.Contains(command, "--repo") && !slices.Contains(bare, lit.Value) {
						t.Errorf("%s: %s", set.Position(lit.Pos()), lit.Value)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// bare are what others complete, and the syntax that an error teaches.
var bare = []string{`"layerd plan"`, `"layerd validate"`, `"layerd history"`, `"usage: layerd store init [--store dynamodb:TABLE]"`}
