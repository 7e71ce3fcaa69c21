package sqs

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/hint"
	"github.com/layerd/layerd/internal/state"
)

const (
	// wait is how long a Receive waits for a message: the longest that SQS allows, since
	// every call costs the same.
	wait = 20 * time.Second
	// Hidden is how long a message that was received is not shown to others. A daemon that
	// leaves one to another makes that one wait so long.
	Hidden = 5 * time.Second
	// most messages come in one answer.
	most = 10
	// attempt bounds one attempt of a call, the wait included.
	attempt = wait + 10*time.Second
)

var _ hint.Queue = (*Queue)(nil)

// Queue is one queue. It is safe for concurrent use.
type Queue struct {
	url    string
	client *sqs.Client
}

// Options are how SQS is asked.
type Options struct {
	Logger     *slog.Logger   // hears the SDK's own few words; nil: nobody
	HTTPClient aws.HTTPClient // nil: that of the aws.Config
}

// New wires a Queue; it makes no call.
func New(cfg aws.Config, url string, o Options) (*Queue, error) {
	at, err := hint.ParseURL(url)
	if err != nil {
		return nil, err
	}
	cfg = cfg.Copy()
	cfg.Region = at.Region
	cfg = awscall.Wire{Timeout: attempt, Logger: o.Logger, HTTPClient: o.HTTPClient}.Config(cfg)
	return &Queue{url: at.URL, client: sqs.NewFromConfig(cfg)}, nil
}

// Receive implements [hint.Queue].
func (q *Queue) Receive(ctx context.Context) ([]hint.Message, error) {
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: most, WaitTimeSeconds: int32(wait / time.Second), VisibilityTimeout: int32(Hidden / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
	})
	if err != nil {
		return nil, sorter.Read("ReceiveMessage", q.url, err)
	}
	var list []hint.Message
	for _, m := range out.Messages {
		list = append(list, hint.Message{
			Body: aws.ToString(m.Body), Receipt: aws.ToString(m.ReceiptHandle),
			Sent: millis(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)]),
		})
	}
	return list, nil
}

// Delete implements [hint.Queue]. One that could not be deleted comes again, which
// harms nobody.
func (q *Queue) Delete(ctx context.Context, messages []hint.Message) error {
	for len(messages) > 0 {
		n := min(len(messages), most)
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.url}
		for i, m := range messages[:n] {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &m.Receipt})
		}
		if _, err := q.client.DeleteMessageBatch(ctx, in); err != nil {
			return sorter.Read("DeleteMessage", q.url, err) // which may be repeated, as a read may
		}
		messages = messages[n:]
	}
	return nil
}

// millis reads an instant as SQS writes it; zero where it is none.
func millis(text string) time.Time {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

var sorter = awscall.Sorter{Kind: kindOf}

// kindOf is the table: the code decides, the status where the code is unknown. A queue that
// is not there was deleted, or the URL is wrong, which are the same to a person.
func kindOf(code string, err error, _ bool) state.Kind {
	if code == "RequestThrottled" || code == "OverLimit" {
		return state.Again
	}
	return awscall.KindByStatus(err)
}
