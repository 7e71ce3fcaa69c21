// Package storetest is the contract of package store, as tests.
//
// Every implementation of store.Store runs it from a test of its own and adds
// only what is peculiar to it:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return store.NewMemory() })
//	}
//
// open returns a store without values, for which it has arranged a t.Cleanup.
// It is called once for each subtest, and the subtests run in parallel. An
// implementation that several processes may share also runs [Shared], with two
// handles on one set of values, and [Killed], with processes that are ended in
// the middle of a write. One that is reached over a network runs [Unreliable].
//
// What uses a store is tested over one that fails on purpose: [Faulty] decides
// about each call, as the fakes of AWS and DynamoDB do with OnCall.
//
// A store that passes keeps the promises of the page of package store, as far
// as a test can see them.
package storetest
