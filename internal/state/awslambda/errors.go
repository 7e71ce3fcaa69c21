package awslambda

import (
	"net/http"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

var sorter = awscall.Sorter{Kind: kindOf}

// readError sorts what a call that changes nothing came back with.
func readError(op, resource string, err error) error { return sorter.Read(op, resource, err) }

// writeError sorts what a write came back with: what is lost may have
// happened.
func writeError(op, resource string, err error) error { return sorter.Write(op, resource, err) }

// kindOf is the table: the code decides, the status where the code is unknown.
func kindOf(code string, err error, changes bool) state.Kind {
	if state.OfFunction(code) {
		return state.Human // a 502 or a 409, and nothing was done all the same
	}
	if changes && awscall.Lost(err) {
		return state.Unsure
	}
	switch code {
	case "ResourceConflictException", "PreconditionFailedException":
		return state.LookAgain
	case "ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException":
		return state.Gone
	case "CodeSigningConfigNotFoundException":
		return state.Human
	case "ServiceException", "InternalServiceException", "InternalFailure", "InternalError",
		"ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException",
		"PaginationTokenExpiredException":
		return state.Again
	}
	if awscall.StatusOf(err) == http.StatusNotFound {
		return state.Gone // also of an emulator that does not know the call
	}
	return awscall.KindByStatus(err)
}
