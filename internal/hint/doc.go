// Package hint is what a queue says has happened in AWS: that a function has changed its
// state, or that somebody has called Lambda. It only says where to look.
//
//	for _, m := range messages {
//		event, err := hint.Parse(m.Body) // err: it is no event of Lambda
//		for _, s := range event.Subjects {
//			… // look at s.Function in s.Account and s.Region
//		}
//	}
//
// The events are those that EventBridge puts into a queue of SQS: the function state
// events that Lambda sends by itself, and CloudTrail's calls, under the names with a date
// that it has for them (UpdateFunctionConfiguration20150331v2).
//
// What is promised:
//
//   - Nothing of an event is believed but that there is something to be seen: whoever can
//     write to the queue, or forge a message in it, makes layerd look and does nothing
//     else. What is lost, late, doubled or out of order changes when it looks.
//   - What AWS does not document is not needed: the fields of a state event's detail are
//     searched for the ARNs of functions, and where none is found the event is about its
//     whole account and Region.
//   - Whatever the message, Parse ends soon, with a bounded list of subjects, whose parts
//     are fit to be shown.
//
// It imports nothing of the house and knows no queue: a Queue is internal/hint/sqs.
package hint
