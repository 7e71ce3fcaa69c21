// Package awscall is what every adapter of AWS needs to make a call. So far it
// has the part about whose credentials sign it.
//
//	creds := awscall.NewCredentials(cfg, awscall.Options{Account: "123456789012", Role: role})
//	cfg.Credentials = creds
//	cfg.APIOptions = append(cfg.APIOptions, creds.Guard)
//	client := lambda.NewFromConfig(cfg)
//
// What it promises:
//
//   - Identity belongs to the credentials. GetCallerIdentity is asked once for
//     each set of them, signed with that very set, and no request of a client
//     that is made as above is signed with a set before AWS has answered that
//     it belongs to the account: the SDK retrieves the credentials of each
//     attempt from Credentials (GetIdentity, after Retry and before Signing),
//     which returns no others. There is no moment between the check and the
//     signature in which they could change.
//   - Credentials of another account are a *state.WrongAccountError. They stay
//     refused, and right ones that come later are used at once.
//   - An answer of AWS that is about another account, Region or partition is a
//     *state.ForeignError: see Place.
//   - Neither keys nor tokens are kept or logged, only a hash of them.
//
// What it does not: it does not ask which account the credentials that assume
// a role belong to. The account of the role is what counts, and is proven.
//
// The table of a shared store is not under this guard: it may be in another
// account than the functions, and is reached with the caller's own credentials.
package awscall
