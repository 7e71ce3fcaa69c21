// Package present shows what layerd knows to people and to other programs: as text
// for a terminal, Markdown for a pull request, annotations for GitHub, JSON and CSV.
//
//		fmt.Print(present.Text(result.Report, present.Options{Width: 80, Now: now}))
//		body := present.Markdown(result.Report, options) // never longer than a comment may be
//
//	  - plan.go, region.go, apply.go, group.go, rollout.go: what a round found and did
//	  - markdown.go, github.go: the same for a pull request and for a job's log
//	  - history.go, window.go, why.go, ruling.go: the past, a calendar, one function, and
//	    what a person decided
//	  - page.go, palette.go: lines that are broken between words, and colours
//	  - json.go, why_json.go: documents
//
// # What is promised
//
//   - Every function is a function of its arguments: it reads no clock, no terminal and
//     no environment, so that the same result reads the same wherever it is shown.
//   - What others wrote cannot rewrite a terminal, call people by name or begin a
//     command of a job: all of it goes through package foreign, in the only ways into
//     a Page, a comment and an annotation.
//   - Colour never carries a meaning alone, and JSON lists are never null.
//   - The suggested commands are given, in Commands: only who stands at the door knows
//     whether a reader has flags or buttons.
package present
