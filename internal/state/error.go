package state

import (
	"errors"
	"fmt"
)

// Kind sorts what went wrong by what to do next, which is all a caller
// branches on.
type Kind int

const (
	// Human: the call was refused for a reason that asking again does not
	// change (denied, invalid, over a limit). Tell a person.
	Human Kind = iota
	// Again: throttled, out of reach, or AWS's own trouble. Try later.
	Again
	// LookAgain: the world is not what the call assumed (RevisionId mismatch,
	// update in progress). Observe and decide anew; never repeat blindly.
	LookAgain
	// Gone: the thing named does not exist (any more).
	Gone
	// Unsure: the answer was lost; it may have happened. Observe before
	// anything else.
	Unsure
	// Stopped: our own context ended. Not a failure of anything.
	Stopped
	// Barred: it is not about the call. The credentials, the account or our own
	// lease let no call through, so that every other one would end alike. Begin
	// nothing more, and tell once.
	Barred
	// None: there was no error. It is not the zero value, so that an Error that
	// was made without a kind is for a person and never passes for success.
	None
)

func (k Kind) String() string {
	switch k {
	case Again:
		return "try again"
	case LookAgain:
		return "look again"
	case Gone:
		return "gone"
	case Unsure:
		return "may have happened"
	case Stopped:
		return "stopped"
	case Barred:
		return "no call is let through"
	case None:
		return "no error"
	default:
		return "refused"
	}
}

// Error is what an adapter returns for a call to AWS that did not succeed. It
// carries no request body and no credentials.
type Error struct {
	Op        string // "UpdateFunctionConfiguration"
	Resource  string // function name or ARN; may be empty
	Kind      Kind
	Code      string // AWS's error code, or "" when no answer came
	Message   string // AWS's words, or ours when no answer came
	RequestID string // AWS's request id when an answer came
	Err       error  // the cause, for errors.Is
}

func (e *Error) Error() string {
	s := e.Op
	if e.Resource != "" {
		s += " " + e.Resource
	}
	if e.Code != "" {
		s += ": " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if todo := suggestion(e.Code); todo != "" {
		s += "; " + todo
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first Error in err's chain, and None for nil.
// Any other error counts as Human, since nothing shows that trying again would
// help.
func KindOf(err error) Kind {
	if err == nil {
		return None
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Human
}

// WrongAccountError means that the credentials belong to another account than
// the environment names. Nothing is sent that would be signed with them.
type WrongAccountError struct {
	Want, Have string // 12 digits
}

func (e *WrongAccountError) Error() string {
	return fmt.Sprintf("credentials are for account %s, the environment names %s", e.Have, e.Want)
}

// ForeignError means that AWS's answer is about something of another account,
// Region or partition than was asked. Whatever the reason, such an answer is
// not about the environment, and nothing of it may be used.
type ForeignError struct {
	Op, ARN                    string
	Account, Region, Partition string // that were asked
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s: AWS answered about %s, which is not of account %s in %s (%s)", e.Op, e.ARN, e.Account, e.Region, e.Partition)
}

// Elsewhere returns the *WrongAccountError or *ForeignError in err's chain, or
// nil: calls go to another account than the environment's, or their answers
// come from one. Nothing more may be sent until a person has looked.
func Elsewhere(err error) error {
	if wrong, ok := errors.AsType[*WrongAccountError](err); ok {
		return wrong
	}
	if foreign, ok := errors.AsType[*ForeignError](err); ok {
		return foreign
	}
	return nil
}
