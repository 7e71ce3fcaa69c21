// Package dynamotest is a DynamoDB small enough to live in a test.
//
// The items are kept by minidyn, which understands DynamoDB's expressions. This
// package stands in front of it, adds what minidyn lacks, and refuses what the
// real service refuses where a store could be wrong about it: bounds of keys
// that are empty, too long or turned round, items and pages that are too large.
// TestMinidyn has the list, case by case.
//
//	db := dynamotest.New()
//	cfg := db.Config()                                   // no socket: for testing/synctest
//	server := httptest.NewServer(db)                     // or over a socket
//	db.OnCall(func(c dynamotest.Call) dynamotest.Fault { // fail before or after doing it
//		if c.Operation == "UpdateItem" {
//			return dynamotest.Fault{Lose: true, After: true}
//		}
//		return dynamotest.Fault{}
//	})
//
// Nothing here waits by the clock, but for a Fault that hangs: it ends with the
// context of the request.
package dynamotest
