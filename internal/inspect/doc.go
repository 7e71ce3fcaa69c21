// Package inspect judges whether a set-up is right: what the checks of layerd
// doctor found becomes a verdict, a reason, and what to do about it.
//
//	r := inspect.Permission("lambda:ListAliases", "arn:aws:lambda:…:function:f", err)
//	r.Verdict   // ok, failed, unknown or not_needed
//	r.Reason    // "denied: User … is not authorized to perform …"
//	r.Fix       // "allow lambda:ListAliases on arn:aws:lambda:…:function:f"
//	inspect.Healthy(results)
//
// It makes no call: whoever asks AWS, Git and the store hands over what they
// answered. So each sentence is tested without any of them.
//
// # What is promised
//
// Unknown is not healthy: a check that could not be made is Unknown, and
// Healthy is false. Only what is not needed does not count.
//
// A denial names the one action that is missing and on what. AWS checks the
// right before anything else, so that every other refusal proves that the right
// is there; the refusal is then a finding of its own.
package inspect
