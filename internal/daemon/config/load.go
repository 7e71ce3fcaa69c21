package config

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/layerd/layerd/internal/strictyaml"
)

//go:generate go test -run=^TestSchemaIsGenerated$ -update .

//go:embed schema.json
var schemaJSON []byte

// Schema returns the JSON Schema (draft 2020-12) of the configuration file. It
// is what Load checks with, and what editors complete from.
func Schema() []byte { return bytes.Clone(schemaJSON) }

// compiled is the schema ready for use, made at the first Load.
var compiled = sync.OnceValues(func() (*strictyaml.Checker, error) {
	return strictyaml.NewChecker(schemaJSON, []string{"Config"}, strictyaml.Rules{
		Forms:   forms(),
		Explain: explain,
		Offer:   withUnit,
		Meant:   map[string]string{"warning": "warn", "trace": "debug", "fatal": "error"},
	})
})

// Read fetches a configuration: from a file, or with env:NAME from a variable
// of the environment, since an ECS task has no files of its own. name is what
// problems call it. env is os.LookupEnv outside of tests.
func Read(where string, env func(string) (string, bool)) (name string, data []byte, err error) {
	if variable, ok := strings.CutPrefix(where, "env:"); ok {
		text, set := env(variable)
		if !set {
			return where, nil, fmt.Errorf("read the configuration: the variable %s is not set", variable)
		}
		return where, []byte(text), nil
	}
	f, err := os.Open(where)
	if err != nil {
		return where, nil, fmt.Errorf("read the configuration %s: %w", where, withoutPath(err))
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, strictyaml.MaxFileBytes+1)) // Load refuses more
	if err != nil {
		return where, nil, fmt.Errorf("read the configuration %s: %w", where, withoutPath(err))
	}
	return where, data, nil
}

// Load reads a configuration that is called name in its problems, which come
// all at once. The Config is whole, with defaults, when none of the problems is
// an error, and empty otherwise. No problem repeats what may be a secret. Show
// problems with Format, which keeps that promise for the lines of the file.
func Load(name string, data []byte) (Config, []strictyaml.Problem) {
	d := read(name, data)
	strictyaml.Sort(d.problems)
	if strictyaml.Errors(d.problems) {
		return Config{}, d.problems
	}
	return d.config.withDefaults(), d.problems
}

// Listen is http.listen of a configuration as far as it can be read, and its
// default otherwise. It is for a health check, which must not judge a running
// daemon by a file that was changed since.
func Listen(name string, data []byte) string {
	c := read(name, data).config.withDefaults()
	if listenForm(c.HTTP.Listen) != nil {
		return Config{}.withDefaults().HTTP.Listen
	}
	return c.HTTP.Listen
}

// Format writes problems for people, with the lines of the file they are about
// as far as nothing in them may be a secret. name and data are as for Load. An
// error is one of w.
func Format(w io.Writer, name string, data []byte, problems []strictyaml.Problem, look strictyaml.Look) error {
	shown := read(name, data).shown
	return strictyaml.FormatText(w, func(file string) []byte {
		if file == name {
			return shown
		}
		return nil
	}, problems, look)
}

// document is a configuration while it is read.
type document struct {
	root     *strictyaml.Node // of the file; nil when it cannot be read
	good     *strictyaml.Node // root without what is wrong
	config   Config
	problems []strictyaml.Problem
	shown    []byte // the file without what may be secret; nil when that is not known
}

func read(name string, data []byte) (d *document) {
	d = &document{}
	defer func() {
		if r := recover(); r != nil {
			// The panic's value may hold anything.
			d = &document{problems: []strictyaml.Problem{strictyaml.NewProblem("internal", strictyaml.Position{File: name, Line: 1, Column: 1, Length: 1},
				"layerd failed to read this file", "please report it")}}
		}
	}()
	internal := func(err error) *document {
		d.problems = append(d.problems, strictyaml.NewProblem("internal", strictyaml.Position{File: name, Line: 1, Column: 1, Length: 1}, err.Error(), "please report it"))
		return d
	}
	checker, err := compiled()
	if err != nil {
		return internal(err)
	}
	d.root, d.problems = strictyaml.Parse(name, data, "")
	if len(d.problems) > 0 {
		// What is damaged is not in root, so which of it is secret is unknown.
		d.problems = discreet(d.problems)
	} else if d.root != nil {
		d.shown = withoutSecrets(data, d.root)
	}
	if d.root == nil {
		return d
	}
	var more []strictyaml.Problem
	d.good, more = checker.Check("Config", d.root)
	d.problems = append(d.problems, more...)
	if err := d.good.Decode(&d.config); err != nil {
		return internal(errors.New("the schema let something pass that the types do not take"))
	}
	d.judge()
	d.problems = withoutTexts(d.problems, d.root)
	return d
}
