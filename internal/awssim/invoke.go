package awssim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Invocation is one call of a function.
type Invocation struct {
	Account, Region     string
	Function, Qualifier string   // as the caller names them; Qualifier may be empty
	Version             string   // what runs: $LATEST or a number
	Layers              []string // of what runs, which during an update is still the old
	Payload             []byte
}

// Result is how an invocation ends. The zero Result is the answer
// {"statusCode":200}, at once.
type Result struct {
	Payload       []byte        // default: the above; of a FunctionError: an error document
	FunctionError string        // Handled or Unhandled; empty: none
	Log           string        // what the code writes, between START and REPORT
	Took          time.Duration // the answer comes as late; longer than the function's Timeout is a FunctionError
	Throttled     bool          // 429, and nothing runs
}

// OnInvoke lets f play the code of all functions; nil stops that. f runs on
// the caller's goroutine, several at once when calls are, and may use the
// World.
func (w *World) OnInvoke(f func(Invocation) Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onInvoke = f
}

const (
	maxPayload = 6_291_456 // bytes, of a call that is waited for
	maxLogTail = 4096      // bytes
)

// run is an invocation that was let in and has yet to happen: that is done
// without the lock, for it takes time.
type run struct {
	Invocation
	code    func(Invocation) Result
	tail    bool
	timeout time.Duration
}

// invoke lets a call in or refuses it.
func (c *call) invoke(in *lambda.InvokeInput) (any, *apiError) {
	if e := checkInvoke(in); e != nil {
		return nil, e
	}
	f, _, ref, e := c.version(str(in.FunctionName), str(in.Qualifier))
	if e != nil {
		return nil, e
	}
	if ref.qualifier == "" && f.latest.CapacityProvider != "" && f.managed == nil {
		return nil, notFound("Function not found: %s", f.arn(latestPublished))
	}
	v := f.route(ref.qualifier, in.InvocationType != types.InvocationTypeDryRun)
	if e := c.ready(v); e != nil {
		return nil, e
	}
	if run := v.running(); c.w.runtimes[runtimeAlias(run.RuntimeARN, run.RuntimeAlias)] {
		return nil, deletedAlias()
	}
	if in.InvocationType == types.InvocationTypeDryRun {
		return nil, nil
	}
	code := v.running()
	return &run{
		Invocation: Invocation{f.account, f.region, f.name, ref.qualifier, v.Version, code.clone().Layers, in.Payload},
		code:       c.w.onInvoke, tail: in.LogType == types.LogTypeTail,
		timeout: time.Duration(code.Timeout) * time.Second,
	}, nil
}

func checkInvoke(in *lambda.InvokeInput) *apiError {
	switch {
	case in.InvocationType == types.InvocationTypeEvent || in.ClientContext != nil || in.DurableExecutionName != nil || in.TenantId != nil:
		return unsupported("invocations that are events, durable, or of a tenant or client")
	case len(in.Payload) > maxPayload:
		return refuse(413, "RequestTooLargeException",
			"%d byte payload is too large for the RequestResponse invocation type (limit %d bytes)", len(in.Payload), maxPayload)
	case len(in.Payload) > 0 && !json.Valid(in.Payload):
		return refuse(400, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json")
	}
	return nil
}

// route returns the version that takes the next call. Under weights the calls
// are dealt out evenly and not by chance: of a hundred at 0.1 every tenth goes
// to the second version. A dry run is not dealt.
// Without a qualifier, managed instances run $LATEST.PUBLISHED.
func (f *function) route(qualifier string, deal bool) *version {
	v, _ := f.find(qualifier) // it was found before
	if qualifier == "" && f.managed != nil {
		v = f.managed
	}
	a := f.aliases[qualifier]
	if a == nil || !deal {
		return v
	}
	for second, weight := range a.Weights { // one at most
		f.dealt[a.Name] += weight
		if f.dealt[a.Name] > 1-1e-9 { // 0.1 ten times is less than 1
			f.dealt[a.Name]--
			v, _ = f.find(second)
		}
	}
	return v
}

// ready refuses to run what cannot run. An inactive function wakes up, but not
// for this call.
func (c *call) ready(v *version) *apiError {
	switch {
	case v.State == "Active":
		return nil
	case v.State == "Inactive":
		v.State, v.settled, v.settles = "Pending", c.w.newID(), c.now.Add(c.w.opts.Settle)
		return refuse(502, "ResourceNotReadyException",
			"The function is inactive and its VPC connection is no longer available. Wait for the VPC connection to reestablish and try again.")
	case v.State == "Pending" && v.SnapStart && v.Version != "$LATEST":
		return refuse(409, "SnapStartNotReadyException",
			"Lambda is initializing your function. You can invoke the function when the function state becomes Active.")
	}
	return conflict("The operation cannot be performed at this time. The function is currently in the following state: %s", v.State)
}

// happen runs the code, counts it and writes down how it ended. It does not
// wait: that is for the caller, after the deed and before the answer.
func (c *call) happen(r *run) (answer, time.Duration, *apiError) {
	var out Result
	if r.code != nil {
		out = r.code(r.Invocation)
	}
	t := Traffic{Account: r.Account, Region: r.Region, Function: r.Function, Qualifier: r.Qualifier, Version: r.Version, Time: c.now}
	if out.Throttled {
		t.Throttles = 1
		c.count(t, 0)
		e := tooMany()
		e.message, e.reason = "Rate Exceeded.", "ConcurrentInvocationLimitExceeded"
		return answer{}, 0, e
	}
	out = c.completed(out, r.timeout)
	t.Invocations = 1
	if out.FunctionError != "" {
		t.Errors = 1
	}
	c.count(t, out.Took)
	a := newAnswer(http.StatusOK, "application/json", c.id, out.Payload)
	a.header.Set("X-Amz-Executed-Version", r.Version)
	if out.FunctionError != "" {
		a.header.Set("X-Amz-Function-Error", out.FunctionError)
	}
	if r.tail {
		a.header.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte(c.logTail(r, out))))
	}
	return a, out.Took, nil
}

func (c *call) count(t Traffic, took time.Duration) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.counted(t, t.Time.Add(took))
	if t.Invocations > 0 {
		c.w.timed(t, took)
	}
}

// completed fills in what a result leaves out, and ends it at the timeout.
func (c *call) completed(r Result, timeout time.Duration) Result {
	if r.Took > timeout {
		r.Took, r.FunctionError = timeout, "Unhandled"
		r.Payload = errorDocument("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", c.id, timeout.Seconds()))
	}
	switch {
	case r.Payload != nil:
	case r.FunctionError != "":
		r.Payload = errorDocument("Runtime.Unknown", "RequestId: "+c.id+" Error: the function failed")
	default:
		r.Payload = []byte(`{"statusCode":200}`)
	}
	return r
}

func errorDocument(kind, message string) []byte {
	b, _ := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message}) // strings only
	return b
}

// logTail is the end of what the log says about one call.
func (c *call) logTail(r *run, out Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "START RequestId: %s Version: %s\n", c.id, r.Version)
	if out.Log != "" {
		b.WriteString(strings.TrimSuffix(out.Log, "\n") + "\n")
	}
	fmt.Fprintf(&b, "END RequestId: %s\nREPORT RequestId: %s\tDuration: %.2f ms\n", c.id, c.id, float64(out.Took)/float64(time.Millisecond))
	s := b.String()
	return s[max(0, len(s)-maxLogTail):]
}
