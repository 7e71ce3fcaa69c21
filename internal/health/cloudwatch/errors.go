package cloudwatch

import (
	"net/http"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/redact"
	"github.com/layerd/layerd/internal/state"
)

var sorter = awscall.Sorter{Kind: kindOf, Clean: clean}

// readError sorts what a call that changes nothing came back with.
func readError(op, resource string, err error) error { return sorter.Read(op, resource, err) }

// invokeError sorts what an invocation came back with: what is lost may have
// run, also when it was our own context that cut it off.
func invokeError(function string, err error) error { return sorter.Write("Invoke", function, err) }

// kindOf is the table: the code decides, the status where the code is unknown.
func kindOf(code string, err error, runs bool) state.Kind {
	switch code {
	case "ResourceConflictException":
		return state.LookAgain
	case "ResourceNotFoundException", "ResourceNotFound":
		return state.Gone
	case "InvalidNextToken":
		return state.Again // it was of a page that is too old
	// What Invoke answers with a 502 before anything ran: of the place it would run
	// in, which passes.
	case "EC2ThrottledException", "EC2UnexpectedException", "ENILimitReachedException", "SubnetIPAddressLimitReachedException",
		"EFSIOException", "EFSMountTimeoutException", "ResourceNotReadyException", "SnapStartNotReadyException", "SnapStartTimeoutException":
		return state.Again
	}
	switch {
	case state.OfFunction(code): // answered as a 502 too, before anything ran
		return state.Human
	case awscall.Throttled(err), awscall.NeverSent(err), awscall.StatusOf(err) == http.StatusRequestTimeout:
		return state.Again
	case awscall.Lost(err), awscall.TimedOut(err):
		if runs {
			return state.Unsure
		}
		return state.Again // a read that is lost is made again
	}
	// Refused; or nothing was asked (no credentials, a broken source of them):
	// asking again would not help.
	return state.Human
}

// clean is awscall.Clean without secrets: a refused invocation repeats what it
// was called with.
func clean(message string) string {
	return awscall.Clean(redact.Mask(awscall.FirstLine(message)))
}
