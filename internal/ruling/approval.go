package ruling

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/window"
)

// validity is how long an approval lasts at least.
const validity = 7 * 24 * time.Hour

// Approval is one person's word that a plan may be carried out.
type Approval struct {
	Environment string    `json:"environment"`
	Digest      string    `json:"digest"` // 64 hex digits
	By          string    `json:"by"`
	At          time.Time `json:"at"` // UTC
	Reason      string    `json:"reason,omitempty"`
	// Scope is the lines of the steps it covers, sorted; nil until a plan with its digest
	// was seen by something that may write (Update).
	Scope []string `json:"lines,omitempty"`
	// Begun is when the first step of a function that it covers was started; zero before.
	Begun time.Time `json:"begun,omitzero"`
	// Used is when something else that it covers was begun, a publish or a grant, which
	// wait for no window: that begins no rollout, so that the approval expires as before.
	Used time.Time `json:"used,omitzero"`
	// Ended is when nothing of what it covers was left to do; zero before. An
	// ended approval covers nothing, so that a step which looks the same a
	// month later is asked about again.
	Ended time.Time `json:"ended,omitzero"`
}

// ApprovalLine returns one step in the form that digests are made of: "region kind
// layer-ARN-without-version function target", single spaces, empty fields
// kept. Target is the AWS number, empty for detach.
func ApprovalLine(region, kind string, layer state.LayerARN, function, target string) string {
	return strings.Join([]string{region, kind, string(layer), function, target}, " ")
}

// Subject returns the Region and the function of a line.
func Subject(line string) (region, function string) {
	if parts := strings.Split(line, " "); len(parts) == 5 {
		return parts[0], parts[3]
	}
	return "", ""
}

// Digest is the lower-case hex SHA-256 of the lines, sorted, each ended by a
// newline: what `sort | sha256sum` prints for them. The order given does not
// matter.
func Digest(lines []string) string {
	if !slices.IsSorted(lines) {
		lines = slices.Clone(lines)
		slices.Sort(lines)
	}
	h := sha256.New()
	var line []byte
	for _, l := range lines {
		line = append(append(line[:0], l...), '\n')
		h.Write(line)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Expires returns the first instant at which the approval no longer holds: seven
// days after it was given, or the end of the next window, whichever is later.
// An approval whose rollout has begun does not expire here; its lines run out
// instead.
func (a Approval) Expires(cal window.Calendar) time.Time {
	end := a.At.Add(validity)
	if next := cal.Next(a.At, 1); len(next) == 1 && next[0].End.After(end) {
		end = next[0].End
	}
	return end
}

// Valid reports whether the approval holds at now.
func (a Approval) Valid(cal window.Calendar, now time.Time) bool {
	if !a.Ended.IsZero() {
		return false
	}
	return !a.Begun.IsZero() || now.Before(a.Expires(cal))
}

// Covers reports whether the approval covers line, in a plan whose digest is
// digest. An approval that was never bound covers exactly the plan that still
// has its digest. An ended one covers nothing.
func (a Approval) Covers(line, digest string) bool {
	if !a.Ended.IsZero() {
		return false
	}
	if len(a.Scope) > 0 {
		_, found := slices.BinarySearch(a.Scope, line) // both may be a hundred thousand
		return found
	}
	return a.Digest == digest
}
