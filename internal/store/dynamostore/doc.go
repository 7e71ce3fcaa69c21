// Package dynamostore keeps a store.Store in one DynamoDB table.
//
// It is the store of several daemons and laptops that share one past: an ECS
// task has no disk that outlives it, and a person who runs `layerd history`
// wants to see what the daemon did.
//
//	created, err := dynamostore.Init(ctx, cfg, "layerd")            // once, by a person
//	s, err := dynamostore.Open(ctx, cfg, "layerd", dynamostore.Options{})
//	s, err := dynamostore.OpenReadOnly(ctx, cfg, "layerd", dynamostore.Options{})
//	if errors.Is(err, fs.ErrNotExist) { … }                         // there is no past yet
//
// cfg comes from the SDK's usual chain, so AWS_ENDPOINT_URL and
// AWS_ENDPOINT_URL_DYNAMODB work. A table named by its ARN is asked for in the
// Region of the ARN. The caller needs dynamodb:GetItem, Query and UpdateItem.
// The table may be in another account than the functions: it is reached with the
// caller's own credentials, and whose they are is not asked.
//
// # How it lies there
//
// An item is a value: pk is "value", sk is the store's key, rev its revision
// and data its bytes. One more item, pk "layerd" and sk "schema", says that the
// table is ours and which schema it has; no list shows it.
//
// All values are in one partition, because only there are lists ordered over
// everything, in both directions, and strongly consistent. DynamoDB bounds what
// one partition does: 1,000 write units a second (a unit is a KB, begun ones
// count, so 1,000 small values or two of the largest) and 3,000 read units of
// 4 KB. A rollout writes a few values a second. Who is over it is throttled,
// which is waited out and in the end is store.ErrBusy.
//
// # What is promised
//
// A write is conditional and is durable in three zones when it returns. An
// answer that got lost is asked for again: a write that finds its own revision
// in the table was done, and says so. When somebody else has written over it
// meanwhile, nobody can tell any more, and the error is store.ErrUnreachable:
// never store.ErrExists or store.ErrChanged, which would say that nothing was
// written. Reads are strongly consistent.
//
// Every HTTP attempt has a deadline of its own (Options.CallTimeout) and there
// are six of them at most. The retryer is set here and not taken from cfg: the
// SDK's default depends on the version of its core module. No goroutine and no
// timer outlives a call.
//
// Once a call finds that the table was deleted, every call is store.ErrReplaced
// until Reopen finds one that layerd store init has finished. A table that was
// deleted and made anew between two calls shows to whoever looks for what it had:
// the lease does.
//
// A table that is not ours is never written: one without the mark, one of a
// newer layerd (store.ErrNewer). Who may read and not write gets
// store.ErrReadOnly from Open, and not in the middle of a rollout. Errors name
// the table.
//
// # What is not
//
// A global table must be of the strongly consistent kind: in the other one the
// last writer wins, and compare-and-swap means nothing. Init refuses it, Open
// does not look. Nothing is encrypted beyond what DynamoDB does by itself.
package dynamostore
