// Package strictyaml reads small configuration files written in YAML, so that
// whoever wrote one learns everything that is wrong with it at once and where.
//
//	root, problems := strictyaml.Parse("layerd.yaml", data, "")
//	if root != nil {
//		root, more := checker.Check("config", root) // root without what is wrong
//		problems = append(problems, more...)
//		err := root.Decode(&config)
//	}
//	strictyaml.Format(os.Stderr, files, problems, strictyaml.Look{Color: color})
//
// Text becomes nodes (parse.go): one document of mappings, lists and scalars in
// UTF-8. What two readers of YAML see two different things in is refused:
// anchors, merge keys, tags, keys twice, 0123 and 1_000, yes for true. Nodes are
// checked against a JSON Schema made from Go types (check.go, and schematest for
// the making), with forms for values that a schema cannot describe (form.go) and
// the words of one family of files (Rules). A node keeps the place it was written
// at, so that what is found out later can still point at it.
//
// Promised: Parse and Check are pure, end soon on any input and never panic;
// problems have stable codes and positions inside the file, and do not depend on
// the order of a map. The codes are listed where the files are described, in
// package desired.
//
// Not promised: a reader for all of YAML, or for files of more than a mebibyte.
package strictyaml
