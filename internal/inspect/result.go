package inspect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/state"
)

// Verdict is how a check ended.
type Verdict string

// The verdicts.
const (
	OK        Verdict = "ok"
	Failed    Verdict = "failed"
	Unknown   Verdict = "unknown"    // it could not be made
	NotNeeded Verdict = "not_needed" // nothing that was asked for depends on it
)

// Result is one line of doctor.
type Result struct {
	Check   string  `json:"check"`            // what was checked: "git", "lambda:ListFunctions"
	Region  string  `json:"region,omitempty"` // empty: it is of no Region
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`
	Fix     string  `json:"fix,omitempty"` // what to do; empty when ok
}

// Healthy reports whether every check that is needed was made and is well. No
// checks at all are not healthy either.
func Healthy(results []Result) bool {
	bad := func(r Result) bool { return r.Verdict != OK && r.Verdict != NotNeeded }
	return slices.ContainsFunc(results, func(r Result) bool { return r.Verdict == OK }) && !slices.ContainsFunc(results, bad)
}

// Permission judges one attempt to use a right. resource is the name that IAM has
// for what the right is on. err is nil, or what the attempt came back with.
func Permission(action, resource string, err error) Result {
	r := Result{Check: action, Verdict: OK, Reason: "allowed"}
	if err == nil {
		return r
	}
	e, ours := errors.AsType[*state.Error](err)
	switch {
	case !ours:
		r.Verdict, r.Reason, r.Fix = Unknown, "not tried: "+err.Error(), "make the checks above it right first"
	case state.Denied(e.Code):
		r.Verdict, r.Reason = Failed, "denied: "+e.Message
		r.Fix = fmt.Sprintf("allow %s on %s", action, resource)
	case e.Kind == state.Gone:
		r.Verdict, r.Reason, r.Fix = Failed, "allowed, but it does not exist: "+e.Resource, "ask Git for one that exists, or publish it"
	case e.Kind == state.Again, e.Kind == state.Unsure, e.Kind == state.Stopped:
		r.Verdict, r.Reason, r.Fix = Unknown, "no answer: "+e.Error(), "try again"
	default:
		r.Verdict, r.Reason, r.Fix = Failed, "refused: "+e.Error(), "see what AWS says"
	}
	return r
}

// Readable judges whether a layer version may be named in an update. Of another
// account's version AWS answers "denied" also when it is deleted or not shared.
func Readable(v state.LayerVersionARN, account string, err error) Result {
	r := Permission("lambda:GetLayerVersion", string(v), err)
	switch {
	case r.Verdict == OK:
		r.Reason = "allowed: " + string(v)
	case r.Verdict == Failed && v.Layer().Account() != account:
		r.Fix += "; if it is, the version is deleted or not shared with this account, which AWS words alike"
	}
	return r
}

// Skipped returns the result of a check that depends on one that failed.
func Skipped(check, because string) Result {
	return Result{Check: check, Verdict: Unknown, Reason: "not tried: " + because, Fix: "make that right first"}
}

// Unneeded returns the result of a check that nothing depends on.
func Unneeded(check, because string) Result {
	return Result{Check: check, Verdict: NotNeeded, Reason: because}
}

// Identity judges the identity that AWS reports. role is the environment's, or
// empty.
func Identity(account, role, haveAccount, haveARN string, err error) Result {
	r := Result{Check: "identity", Verdict: OK, Reason: haveARN}
	e, _ := errors.AsType[*state.Error](err)
	switch {
	case err != nil && e != nil && role != "" && state.Denied(e.Code):
		r.Verdict, r.Reason = Failed, "the role cannot be assumed: "+e.Message
		r.Fix = "allow sts:AssumeRole on " + role + ", and let the role's trust policy name the caller, with the environment's external_id where it asks for one"
	case err != nil && e != nil && (e.Kind == state.Again || e.Kind == state.Stopped):
		r.Verdict, r.Reason, r.Fix = Unknown, "AWS was not reached: "+err.Error(), "try again; look at the network, proxy and AWS_ENDPOINT_URL"
	case err != nil:
		r.Verdict, r.Reason, r.Fix = Failed, err.Error(), "run aws sso login, set AWS_PROFILE, or give the task or instance a role"
	case haveAccount != account:
		r.Verdict, r.Reason = Failed, fmt.Sprintf("%s is of account %s, and the environment names %s", haveARN, haveAccount, account)
		r.Fix = "use credentials of that account, or give the environment a role of it"
	case role != "" && !actsAs(haveARN, role):
		r.Verdict, r.Reason, r.Fix = Failed, haveARN+" is not a session of "+role, "look at the environment's role"
	}
	return r
}

// actsAs reports whether an identity is a session of role. A role's path is not
// part of its sessions' names.
func actsAs(arn, role string) bool {
	name := role[strings.LastIndexByte(role, '/')+1:]
	_, rest, ok := strings.Cut(arn, ":assumed-role/")
	return ok && strings.HasPrefix(rest, name+"/")
}

// mostSkew is from when on a clock is wrong: windows open and approvals end by
// this machine's clock, and AWS refuses signatures that are five minutes off.
const mostSkew = 30 * time.Second

// Clock judges how far this machine's clock is ahead of AWS's.
func Clock(skew time.Duration, known bool) Result {
	r := Result{Check: "clock", Verdict: OK, Reason: "agrees with AWS's to " + max(skew.Abs(), time.Second).String()}
	switch {
	case !known:
		r.Verdict, r.Reason, r.Fix = Unknown, "AWS did not say what time it is", "try again without a proxy that drops the Date header"
	case skew.Abs() > mostSkew && skew > 0:
		r.Verdict, r.Reason, r.Fix = Failed, fmt.Sprintf("it is %s ahead of AWS's", skew), "let the machine follow a time server (chrony, systemd-timesyncd)"
	case skew.Abs() > mostSkew:
		r.Verdict, r.Reason, r.Fix = Failed, fmt.Sprintf("it is %s behind AWS's", -skew), "let the machine follow a time server (chrony, systemd-timesyncd)"
	}
	return r
}

// Wanted judges whether what Git asks of a layer can be had. from is where a version is
// published from that is not live; empty = it is not.
func Wanted(layer, version string, live bool, from string) Result {
	r := Result{Check: "wanted " + layer, Verdict: OK, Reason: version + " is live"}
	switch {
	case live:
	case from != "":
		r.Reason = version + " is not live, and is published from " + from
	default:
		r.Verdict, r.Reason, r.Fix = Failed, version+" is not live", "publish it, or ask Git for one that is"
	}
	return r
}
