package inspect

import (
	"fmt"

	"github.com/layerd/layerd/internal/archive"
)

// ArchiveOf examines an archive by itself: what is wrong with it for what it is for, and
// what of the team's checklist it does not meet. name is the file or the ARN.
func ArchiveOf(name string, l archive.Layer, a Archive) Examination {
	var e Examination
	if a.Contents == nil {
		e.add(Finding{Code: "archive_unread", Severity: NotSeen, Subject: name, Evidence: given(a.Unread), Message: "what is in it is not known"})
		e.sort()
		return e
	}
	for _, f := range findingsOf(name, a.Check(l)) {
		e.add(f)
	}
	for _, item := range a.Checklist() {
		if !item.Done {
			e.add(Finding{Code: "checklist", Severity: Note, Subject: name, Message: fmt.Sprintf("the checklist asks for %s: %s", item.Text, item.Figure),
				Advice: "build it with layerd build, which leaves out what no layer needs"})
		}
	}
	e.sort()
	return e
}
