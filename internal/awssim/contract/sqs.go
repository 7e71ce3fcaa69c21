package contract

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

func queueFacts() []fact {
	return []fact{
		{name: "a message is received as it was sent, with when that was", check: messageAsSent},
		{name: "a queue without a message answers with none", check: emptyQueue},
		{name: "ReceiveMessage has at most as many messages as are asked for", check: fewMessages},
		{name: "a message that was received is hidden, and comes again when it is not deleted", check: messageAgain},
		{name: "a message that was deleted does not come again", check: messageDeleted},
		{name: "deleting a message twice is no error", check: messageDeletedTwice},
		{name: "DeleteMessageBatch tells of each entry", check: batchDeleted},
		{name: "DeleteMessageBatch takes at most ten entries", check: elevenEntries},
		{name: "ReceiveMessage wants at most ten messages and waits at most twenty seconds", check: receiveBounds},
		{name: "a message that is sent while ReceiveMessage waits ends the wait", check: messageAwaited},
		{name: "GetQueueAttributes has about how many messages wait", check: queueAttributes},
		{name: "a queue that is not there is QueueDoesNotExist", check: noQueue},
	}
}

func (p *probe) queue() *string {
	p.Helper()
	out, err := p.sqs.CreateQueue(p.ctx, &sqs.CreateQueueInput{QueueName: aws.String(p.name("q"))})
	p.must(err)
	return out.QueueUrl
}

func (p *probe) send(queue *string, bodies ...string) {
	p.Helper()
	for _, b := range bodies {
		_, err := p.sqs.SendMessage(p.ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: &b})
		p.must(err)
	}
}

// receive collects n messages, which a queue is free to hand out in several answers.
func (p *probe) receive(queue *string, n int) (list []types.Message) {
	p.Helper()
	for range 20 {
		out, err := p.sqs.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: 60,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp}})
		p.must(err)
		if list = append(list, out.Messages...); len(list) >= n {
			return list
		}
	}
	p.Fatalf("%d messages, want %d", len(list), n)
	return nil
}

// none fails when there is a message to be received.
func (p *probe) none(queue *string) {
	p.Helper()
	out, err := p.sqs.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: queue, MaxNumberOfMessages: 10})
	p.must(err)
	if len(out.Messages) > 0 {
		p.Errorf("%d messages are there", len(out.Messages))
	}
}

func messageAsSent(p *probe) {
	q := p.queue()
	body := `{"detail":"共通 v1.4.2"}`
	p.send(q, body)
	m := p.receive(q, 1)[0]
	ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64)
	if aws.ToString(m.Body) != body || err != nil || time.Since(time.UnixMilli(ms)).Abs() > time.Hour || aws.ToString(m.ReceiptHandle) == "" {
		p.Errorf("message is %+v", m)
	}
}

func emptyQueue(p *probe) {
	q := p.queue()
	began := time.Now()
	out, err := p.sqs.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: q, WaitTimeSeconds: 1})
	p.must(err)
	if len(out.Messages) != 0 || time.Since(began) < 900*time.Millisecond {
		p.Errorf("%d messages after %v", len(out.Messages), time.Since(began))
	}
}

func fewMessages(p *probe) {
	q := p.queue()
	p.send(q, "a", "b", "c")
	out, err := p.sqs.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: q, MaxNumberOfMessages: 2, WaitTimeSeconds: 1})
	p.must(err)
	if n := len(out.Messages); n < 1 || n > 2 {
		p.Errorf("%d messages, want 1 or 2", n)
	}
}

func messageAgain(p *probe) {
	q := p.queue()
	p.send(q, "a")
	first, err := p.sqs.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: q, VisibilityTimeout: 1, WaitTimeSeconds: 1})
	p.must(err)
	if len(first.Messages) != 1 {
		p.Fatalf("%d messages", len(first.Messages))
	}
	p.none(q)
	again := p.receive(q, 1)[0]
	if aws.ToString(again.MessageId) != aws.ToString(first.Messages[0].MessageId) || aws.ToString(again.ReceiptHandle) == aws.ToString(first.Messages[0].ReceiptHandle) {
		p.Errorf("it came again as %+v; want the same message with another receipt", again)
	}
}

func messageDeleted(p *probe) {
	q := p.queue()
	p.send(q, "a")
	out, err := p.sqs.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: q, VisibilityTimeout: 1, WaitTimeSeconds: 1})
	p.must(err)
	for _, m := range out.Messages {
		_, err := p.sqs.DeleteMessage(p.ctx, &sqs.DeleteMessageInput{QueueUrl: q, ReceiptHandle: m.ReceiptHandle})
		p.must(err)
	}
	out, err = p.sqs.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: q, WaitTimeSeconds: 2})
	p.must(err)
	if len(out.Messages) != 0 {
		p.Errorf("it came again")
	}
}

func messageDeletedTwice(p *probe) {
	q := p.queue()
	p.send(q, "a")
	m := p.receive(q, 1)[0]
	for range 2 {
		_, err := p.sqs.DeleteMessage(p.ctx, &sqs.DeleteMessageInput{QueueUrl: q, ReceiptHandle: m.ReceiptHandle})
		p.must(err)
	}
}

func batchDeleted(p *probe) {
	q := p.queue()
	p.send(q, "a", "b")
	in := &sqs.DeleteMessageBatchInput{QueueUrl: q}
	for i, m := range p.receive(q, 2) {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle})
	}
	in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String("odd"), ReceiptHandle: aws.String("odd")})
	out, err := p.sqs.DeleteMessageBatch(p.ctx, in)
	p.must(err)
	if len(out.Successful) != 2 || len(out.Failed) != 1 || aws.ToString(out.Failed[0].Id) != "odd" || aws.ToString(out.Failed[0].Code) != "ReceiptHandleIsInvalid" {
		p.Errorf("%d were deleted, and %+v were not", len(out.Successful), out.Failed)
	}
	p.none(q)
}

func elevenEntries(p *probe) {
	q := p.queue()
	in := &sqs.DeleteMessageBatchInput{QueueUrl: q}
	for i := range 11 {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(string(rune('a' + i))), ReceiptHandle: aws.String(strings.Repeat("r", 40))})
	}
	_, err := p.sqs.DeleteMessageBatch(p.ctx, in)
	p.refusedAs(err, "TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
}

func receiveBounds(p *probe) {
	q := p.queue()
	for _, in := range []*sqs.ReceiveMessageInput{{QueueUrl: q, MaxNumberOfMessages: 11}, {QueueUrl: q, WaitTimeSeconds: 21}} {
		_, err := p.sqs.ReceiveMessage(p.ctx, in)
		p.refusedAs(err, "InvalidParameterValue")
	}
}

func messageAwaited(p *probe) {
	q := p.queue()
	done := make(chan error)
	go func() {
		time.Sleep(500 * time.Millisecond)
		_, err := p.sqs.SendMessage(p.ctx, &sqs.SendMessageInput{QueueUrl: q, MessageBody: aws.String("a")})
		done <- err
	}()
	began := time.Now()
	out, err := p.sqs.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: q, WaitTimeSeconds: 20})
	p.must(err)
	p.must(<-done)
	if len(out.Messages) != 1 || time.Since(began) > 10*time.Second {
		p.Errorf("%d messages after %v", len(out.Messages), time.Since(began))
	}
}

func queueAttributes(p *probe) {
	q := p.queue()
	p.send(q, "a", "b")
	out, err := p.sqs.GetQueueAttributes(p.ctx, &sqs.GetQueueAttributesInput{QueueUrl: q,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameQueueArn}})
	p.must(err)
	if len(out.Attributes) != 2 || out.Attributes["ApproximateNumberOfMessages"] != "2" || !strings.HasSuffix(out.Attributes["QueueArn"], ":"+p.name("q")) {
		p.Errorf("attributes are %v", out.Attributes)
	}
}

func noQueue(p *probe) {
	url := aws.String(strings.TrimSuffix(aws.ToString(p.queue()), p.name("q")) + "nothing-here")
	_, err := p.sqs.ReceiveMessage(p.ctx, &sqs.ReceiveMessageInput{QueueUrl: url})
	p.refusedAs(err, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
	_, err = p.sqs.GetQueueAttributes(p.ctx, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}})
	p.refusedAs(err, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
}

// refusedAs wants an error under one of the names that SQS has for it: its own, and that of
// the protocol it had before.
func (p *probe) refusedAs(err error, codes ...string) {
	p.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || !slices.Contains(codes, api.ErrorCode()) {
		p.Errorf("%v; want one of %v", err, codes)
	}
}
