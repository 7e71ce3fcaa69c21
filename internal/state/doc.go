// Package state is what AWS has: the functions, layer versions and their
// uses in one account and Region, as plain values that sort and compare.
//
// A Snapshot is one look at one account and Region through one role. It is
// filled by an adapter (internal/state/awslambda) and read by
// internal/reconcile; this package itself talks to nobody.
//
//	snap := state.Snapshot{Account: "123456789012", Region: "ap-northeast-1", Functions: fns, Layers: layers}
//	snap.Sort()
//	if l, ok := snap.Layer("arn:aws:lambda:ap-northeast-1:123456789012:layer:makoto-common-prod"); ok {
//		v, ok := l.Version(13)
//	}
//
// What it promises:
//
//   - A snapshot is complete or is not made: an adapter that could not read a
//     list to its end returns an error, never a shorter list.
//   - What was not asked for is kept apart from what is not there: Uses,
//     Policies, Probes and Aliases say which keys were looked at. Unknown is
//     never healthy and never unused.
//   - It holds nothing AWS returned that deciding does not need. Environment
//     variables and download addresses, which AWS sends in clear text, have no
//     field to be kept in.
//   - Layer lists keep AWS's order. Later layers win on equal paths below
//     /opt, so an order is data and is never sorted.
//
// LayerARN and LayerVersionARN parse the two ARN forms of a layer. They compare
// whole: the layer foo is not a prefix match for foobar, and a layer of the
// same name in another account or Region is another layer.
package state
