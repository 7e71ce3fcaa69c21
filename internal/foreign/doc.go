// Package foreign makes text that others wrote harmless, once for each kind of
// output. A repository, AWS and people write reasons, subjects, names, errors and
// logs; none of it may rewrite a terminal, begin a workflow command, call somebody,
// become a formula or hide what follows. What would is shown as an escape that a
// reader sees, `\x1b[8m` or `\u202e`; all else is as it was written, Japanese and
// emoji included.
//
//	foreign.Clean(s)             // one line of anything: the base of all others
//	foreign.Styledf("%s: %s", p.Bad("✗"), reason) // cleaned first, styled after
//	foreign.Markdown(s)          // a comment on a pull request
//	foreign.Workflow(text)       // the log of a job of GitHub
//	foreign.Slack(s)             // a message of Slack
//	foreign.Cell(s)              // a cell of CSV
//	foreign.JSON(document)       // a document; says the same to a machine
//	foreign.JSONLog(w), foreign.TextLog(w)       // what a handler of slog writes to
//
// Each is applied where bytes leave, so that who composes a sentence need not think
// of it. It is the lowest floor: everybody may need it.
package foreign
