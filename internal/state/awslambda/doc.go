// Package awslambda looks at one AWS account and Region through the SDK, and
// changes what internal/state can describe: the layer list of a function, its
// published versions and what its aliases serve, and whether a layer version
// exists. Actor asks CloudTrail who else changes a function.
//
//	reach := awscall.Options{Account: "123456789012", Region: "ap-northeast-1"}
//	c, err := awslambda.New(ctx, cfg, awslambda.Options{Options: reach})
//	snap, err := c.Observe(ctx, awslambda.Query{Layers: ours, Tags: true})
//	err = c.Look(ctx, &snap, state.Needs{Uses: true})
//
//	f, err := c.Function(ctx, "makoto-chat-prod")
//	_, err = c.SetLayers(ctx, f.Name, newList, f.RevisionID)
//	f, err = c.WaitUpdated(ctx, f.Name)
//
//	live := state.Qualified{Function: f.Name, Qualifier: "live"}
//	version, _, err := c.Publish(ctx, live, f.CodeSHA256, f.RevisionID)
//	_, err = c.WaitActive(ctx, state.Qualified{Function: f.Name, Qualifier: version})
//	a, err := c.Alias(ctx, live)
//	_, err = c.MoveAlias(ctx, live, version, nil, a.RevisionID)
//
// What it promises:
//
//   - Every request is signed with credentials that AWS said to be those of
//     Options.Account: GetCallerIdentity is asked once for each set of them,
//     and nothing else with another account's, which are a
//     *state.WrongAccountError. See internal/awscall.
//   - An answer about a function or an own layer of another account, Region or
//     partition is a *state.ForeignError. Writes name functions and layers by
//     their whole ARN, which no other account's of the same name can take.
//   - Observe returns a whole snapshot or an error, never a shorter list. A
//     sweep follows markers through empty pages, and ends with an error when a
//     marker repeats. It costs ceil(F/50) calls for F functions, ceil(V/50) for
//     each own layer of V versions, and ceil(T/100) where tags are asked for.
//   - Every HTTP attempt, retries included, passes Limits: one token bucket for
//     the account's shared quota and one each for GetFunction and CloudTrail,
//     which AWS counts apart. A throttled answer halves the rate and is waited
//     out; success brings the rate back. Every attempt has a deadline of its own.
//   - A write is repeated only after an answer that proves it was not done. An
//     answer that never came is state.Unsure, also when our own context ended
//     while the request was on its way: observe before anything else.
//   - Errors are *state.Error, sorted by what to do next; causes that could hold
//     a request or a response are left behind. Nothing that AWS returns beside
//     what a snapshot has room for is kept or logged: environment variables and
//     download addresses end with the page they came on. Of settings only hashes
//     are kept (state.Settings), and only where they are asked for.
//
// What it does not: it decides nothing, and it does not make a list that was
// read over several calls consistent. Lambda has no snapshot isolation; read a
// function again just before changing it, and sweep again before deleting.
//
// Layers of other accounts, Regions or partitions are never listed: listing is
// the owner's right. They are absent from the snapshot, and Look's probes say
// whether they can be named.
package awslambda
