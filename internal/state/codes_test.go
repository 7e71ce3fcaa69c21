package state

import (
	"strings"
	"testing"
)

// Who reads that a runtime is gone reads what to do, and who reads of an update in
// progress, which is a 409 as well, does not.
func TestDeletedRuntimeSaysWhatToDo(t *testing.T) {
	for code, want := range map[string]bool{
		"RuntimeAliasDeletedException": true, "RuntimeVersionDeletedException": true,
		"ResourceConflictException": false, "InvalidRuntimeException": false, "": false,
	} {
		e := &Error{Op: "UpdateFunctionConfiguration", Resource: "f", Code: code, Message: "no longer available."}
		text := e.Error()
		if got := strings.Contains(text, "waiting does not help") && strings.Contains(text, "7 to 30 days"); got != want || OfFunction(code) && !strings.Contains(text, code) {
			t.Errorf("%q", text)
		}
	}
	if !OfFunction("RuntimeAliasDeletedException") || !OfFunction("RuntimeVersionDeletedException") {
		t.Error("it is not the function's own")
	}
}
