package round

import "github.com/layerd/layerd/internal/plan"

// Refusal is why a person's word was not written: nothing was done.
type Refusal struct {
	Code    RefusalCode
	Message string        // for people, without the words of any command line
	Asked   string        // the layer
	Names   []string      // that could have been meant, of layers or of functions
	Others  []string      // the versions that could be gone back to, for people, the likeliest first
	Foreign bool          // the layer is somebody else's, whose versions nobody but AWS knows
	Since   string        // of RefusedForward: how far the first function has come
	Region  string        // in which it is so; may be empty
	Failure *plan.Failure // of RefusedUnread: why the Region was not read
}

func (r *Refusal) Error() string { return r.Message }

// RefusalCode is what a person got wrong, or what stands in the way.
type RefusalCode string

// What is refused.
const (
	RefusedLayer       RefusalCode = "unknown_layer"
	RefusedFunctions   RefusalCode = "no_function" // the glob matches none
	RefusedGlob        RefusalCode = "bad_glob"
	RefusedText        RefusalCode = "no_version" // To is no version
	RefusedVersion     RefusalCode = "not_usable" // it is gone, was yanked, or never was
	RefusedUnknown     RefusalCode = "none_known" // nobody knows an earlier version
	RefusedAsked       RefusalCode = "asked_for"  // it is what Git asks for
	RefusedQuarantined RefusalCode = "quarantined"
	RefusedForward     RefusalCode = "not_back" // it would be a change
	RefusedThere       RefusalCode = "there"    // it has it already, by nobody's word
	RefusedUnread      RefusalCode = "not_read"
	RefusedInvalid     RefusalCode = "invalid" // the desired state
)
