// Package sqs is a hint.Queue in SQS: a standard queue to which EventBridge forwards events.
//
//	q, err := sqs.New(cfg, "https://sqs.ap-northeast-1.amazonaws.com/123456789012/layerd", sqs.Options{})
//	messages, err := q.Receive(ctx)   // waits up to 20 seconds
//	err = q.Delete(ctx, messages)
//
// The queue is asked with the caller's own credentials, in the Region of its URL; it may be
// in another account than anything else. What is received and not deleted is there again
// after Hidden.
package sqs
