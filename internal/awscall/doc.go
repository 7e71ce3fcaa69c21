// Package awscall is what every adapter of AWS needs to make a call: how clients
// are made, whose credentials sign, when an attempt is repeated, whether a lost
// answer may have happened, and what is kept of an error. What a code of AWS
// means stays with the adapter.
//
// An adapter of one account and Region makes its clients so:
//
//	cfg, creds, err := awscall.Wire{Pace: pace, Own: answers}.Connect(cfg, awscall.Options{
//		Account: "123456789012", Region: "ap-northeast-1", Role: role,
//	})
//	client := lambda.NewFromConfig(cfg)
//
//	place, err := creds.Place(ctx)          // before each call
//	out, err := client.GetFunction(ctx, in)
//	err = awscall.Sorter{Kind: kindOf}.Read("GetFunction", name, err)
//
// and one whose account does not matter, of a table or a secret, so:
//
//	client := dynamodb.NewFromConfig(awscall.Wire{Timeout: 5 * time.Second}.Config(cfg))
//
// What it promises:
//
//   - Identity belongs to the credentials. GetCallerIdentity is asked once for
//     each set of them, signed with that very set, and no request of a client
//     that is made by Connect is signed with a set before AWS has answered that
//     it belongs to the account: the SDK retrieves the credentials of each
//     attempt from Credentials (GetIdentity, after Retry and before Signing),
//     which returns no others. There is no moment between the check and the
//     signature in which they could change.
//   - Adapters that are given the same Options.Credentials are one session of a
//     role and one question whose it is.
//   - Credentials of another account are a *state.WrongAccountError. They stay
//     refused, and right ones that come later are used at once.
//   - An answer of AWS that is about another account, Region or partition is a
//     *state.ForeignError: see Place and Wire.Own.
//   - Each attempt, retries included, passes in this order: identity, Wire.Pace,
//     the deadline, the signature. A wait for its turn makes no attempt time out,
//     and an identity that is asked makes nothing old that Pace has allowed.
//   - Lost is true of every failure after which AWS may have done what was asked:
//     all but an answer in the 400s and a connection that was never made. With
//     Careful such a call is not repeated.
//   - Retries, their number and the pause between them are set here and do not
//     depend on the version of the SDK or on AWS_MAX_ATTEMPTS.
//   - Every call of a client says app/layerd in its user agent, or what
//     AWS_SDK_UA_APP_ID has instead, so that CloudTrail tells layerd from others
//     with the same role. What the SDK's own chain asks for credentials says
//     neither: it is made before the SDK looks at any AppID, WithAppID included.
//   - What comes out of Sorter and Plain holds no request, response or signature.
//     Neither bodies, keys nor tokens are kept or logged; of credentials only a
//     hash.
//
// What it does not: it does not ask which account the credentials that assume a
// role belong to. The account of the role is what counts, and is proven. It
// limits no rate: quotas belong to a service, and so does Pace. It does not know
// a context that carries a function: whether a write may still be sent is for the
// adapter's Pace, which returns an *UnsentError.
//
// The table of a shared store is not under the guard of an account: it may be in
// another one than the functions, and is reached with the caller's own
// credentials.
//
// It imports internal/state, and stands on the floor above it, for the errors
// that ideas branch on: *state.Error, *state.WrongAccountError and
// *state.ForeignError. Kinds of its own would be a second copy of each of these
// types, and a translation in every adapter that one could forget. Only adapters
// may import awscall, and Wire.Config, which is all that a store needs, knows
// nothing of state.
package awscall
