package awssim

import (
	"slices"
	"time"
)

// Call is one request that reached the World, in the order of arrival.
type Call struct {
	Seq       int // from 1, never starting again
	Time      time.Time
	Service   string // lambda, s3, ssm, sts, tagging, cloudwatch, cloudtrail
	Operation string // ListFunctions, …
	Account   string
	Region    string
	Resource  string // what it names: a function, layer:7, function:alias, bucket/key, an ARN
	Input     any    // the SDK's input for Lambda, SSM and CloudWatch (*lambda.…Input), ObjectRequest for S3; read, do not change
	Write     bool   // the operation is one that changes something
	Caller    string // ARN of the caller; the last part of a role's is its session name

	// Known when the call is over. Status is what the client read: 0 while
	// the call is under way and when the answer was lost.
	Status    int
	ErrorCode string
	Applied   bool // the World did it, whatever the client was told
}

// Calls returns all calls since the beginning or ResetCalls.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// Count returns how often an operation was called, with whatever result.
func (w *World) Count(operation string) int {
	return w.count(func(c Call) bool { return c.Operation == operation })
}

// Writes returns how many calls wanted to change something, with whatever
// result. A second round of a finished reconciler makes none.
func (w *World) Writes() int {
	return w.count(func(c Call) bool { return c.Write })
}

// ResetCalls forgets the calls so far. Calls under way are forgotten too.
func (w *World) ResetCalls() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = nil
}

// OnCall lets f decide about every call before it begins; nil stops that. f
// runs on the caller's goroutine, several at once when calls are, and may use
// the World: meddling between two calls is done here.
func (w *World) OnCall(f func(Call) Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onCall = f
}

func (w *World) count(want func(Call) bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if want(c) {
			n++
		}
	}
	return n
}

// begin writes the call down and returns what shall go wrong with it.
func (w *World) begin(c Call) (Call, Fault) {
	w.mu.Lock()
	w.seq++
	c.Seq = w.seq
	w.calls = append(w.calls, c)
	decide := w.onCall
	w.mu.Unlock()
	if decide == nil {
		return c, Fault{}
	}
	return c, decide(c)
}

// finish writes down how the call ended.
func (w *World) finish(c Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.calls) - 1; i >= 0; i-- {
		if w.calls[i].Seq == c.Seq {
			w.calls[i] = c
			return
		}
	}
}
