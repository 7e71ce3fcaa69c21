package awssim

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	maxMessage       = 1 << 20 // bytes
	maxReceived      = 10      // messages of one answer, and entries of one batch
	maxWaitSeconds   = 20
	maxHiddenSeconds = 43200
	usualHidden      = 30 * time.Second   // of a queue that was not told otherwise
	usualRetention   = 4 * 24 * time.Hour // as well
)

// queue is a standard queue of SQS.
type queue struct {
	url      string
	hidden   time.Duration
	retained time.Duration
	messages []*queued
}

// queued is a message. It can be received from visible on.
type queued struct {
	id, body, receipt string
	sent, visible     time.Time
	received          int
}

// routeSQS finds an operation of SQS.
func (c *call) routeSQS(body []byte) *apiError {
	route, ok := map[string]func(*call, []byte) *apiError{
		"CreateQueue":        sqsOp((*call).createQueue),
		"DeleteQueue":        sqsOp((*call).deleteQueue),
		"SendMessage":        sqsOp((*call).sendMessage),
		"ReceiveMessage":     sqsOp((*call).receiveMessage),
		"DeleteMessage":      sqsOp((*call).deleteMessage),
		"DeleteMessageBatch": sqsOp((*call).deleteMessages),
		"GetQueueAttributes": sqsOp((*call).getQueueAttributes),
	}[c.log.Operation]
	if !ok {
		return unsupported("sqs:" + c.log.Operation)
	}
	c.log.Write = c.log.Operation == "CreateQueue" || c.log.Operation == "DeleteQueue" || c.log.Operation == "SendMessage"
	return route(c, body)
}

// sqsOp reads the input and ties it to what carries it out.
func sqsOp[In any](do func(*call, *In) (any, *apiError)) func(*call, []byte) *apiError {
	return func(c *call, body []byte) *apiError {
		in := new(In)
		if err := json.Unmarshal(body, in); err != nil {
			return refuse(400, "SerializationException", "%v", err)
		}
		var named struct{ QueueName, QueueUrl string }
		_ = json.Unmarshal(body, &named) // it could be read once
		c.log.Input, c.log.Resource = in, named.QueueName+named.QueueUrl[strings.LastIndex(named.QueueUrl, "/")+1:]
		c.do = func(c *call) (any, *apiError) { return do(c, in) }
		return nil
	}
}

var queuePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func queueURL(p place, name string) string {
	host := "https://sqs." + p.region + ".amazonaws.com"
	if partition(p.region) == "aws-cn" {
		host += ".cn"
	}
	return host + "/" + p.account + "/" + name
}

func invalidMessage(format string, args ...any) *apiError {
	return refuse(400, "InvalidParameterValue", format, args...)
}

// findQueue needs mu. A queue of another account would need a policy, which is not built.
func (s *store) findQueue(url string) (*queue, *apiError) {
	for _, q := range s.queues {
		if q.url == url {
			return q, nil
		}
	}
	return nil, refuse(400, "QueueDoesNotExist", "The specified queue does not exist.")
}

func (c *call) createQueue(in *sqs.CreateQueueInput) (any, *apiError) {
	name := str(in.QueueName)
	if !queuePattern.MatchString(name) {
		return nil, invalidMessage("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	q := &queue{url: queueURL(c.store.place, name), hidden: usualHidden, retained: usualRetention}
	for key, text := range in.Attributes {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, invalidMessage("Invalid value for the parameter %s.", key)
		}
		switch types.QueueAttributeName(key) {
		case types.QueueAttributeNameVisibilityTimeout:
			q.hidden = time.Duration(n) * time.Second
		case types.QueueAttributeNameMessageRetentionPeriod:
			q.retained = time.Duration(n) * time.Second
		default:
			return nil, unsupported("the attribute " + key)
		}
	}
	if c.store.queues[name] == nil {
		c.store.queues[name] = q
	}
	return struct{ QueueUrl string }{q.url}, nil
}

func (c *call) deleteQueue(in *sqs.DeleteQueueInput) (any, *apiError) {
	q, e := c.store.findQueue(str(in.QueueUrl))
	if e != nil {
		return nil, e
	}
	delete(c.store.queues, q.url[strings.LastIndex(q.url, "/")+1:])
	c.w.queueChanged()
	return struct{}{}, nil
}

func (c *call) sendMessage(in *sqs.SendMessageInput) (any, *apiError) {
	q, e := c.store.findQueue(str(in.QueueUrl))
	if e != nil {
		return nil, e
	}
	body := str(in.MessageBody)
	switch {
	case body == "":
		return nil, refuse(400, "MissingParameter", "The request must contain the parameter MessageBody.")
	case len(body) > maxMessage:
		return nil, invalidMessage("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxMessage)
	case in.DelaySeconds < 0 || in.DelaySeconds > 900:
		return nil, invalidMessage("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", in.DelaySeconds)
	}
	m := c.w.enqueue(q, body, c.now, time.Duration(in.DelaySeconds)*time.Second)
	return struct{ MessageId, MD5OfMessageBody string }{m.id, md5Of(body)}, nil
}

// enqueue needs mu.
func (w *World) enqueue(q *queue, body string, now time.Time, after time.Duration) *queued {
	m := &queued{id: w.newID(), body: body, sent: now.Add(after), visible: now.Add(after)}
	q.messages = append(q.messages, m)
	w.queueChanged()
	return m
}

// queueChanged needs mu. It wakes whoever waits for a message.
func (w *World) queueChanged() {
	close(w.queueNews)
	w.queueNews = make(chan struct{})
}

func md5Of(body string) string {
	s := md5.Sum([]byte(body)) // what SQS answers with, for nobody's safety
	return hex.EncodeToString(s[:])
}

// expire drops what is older than the queue keeps.
func (q *queue) expire(now time.Time) {
	q.messages = slices.DeleteFunc(q.messages, func(m *queued) bool { return now.Sub(m.sent) > q.retained })
}

// awaitMessage waits as long as a call that receives says, until there is something.
func (c *call) awaitMessage(ctx context.Context) error {
	in, ok := c.log.Input.(*sqs.ReceiveMessageInput)
	if !ok || in.WaitTimeSeconds <= 0 || in.WaitTimeSeconds > maxWaitSeconds || c.store == nil {
		return nil
	}
	end := time.Now().Add(time.Duration(in.WaitTimeSeconds) * time.Second)
	for {
		c.w.mu.Lock()
		now, news := time.Now(), c.w.queueNews
		q, e := c.store.findQueue(str(in.QueueUrl))
		next := end
		if e == nil {
			q.expire(now)
			for _, m := range q.messages {
				next = earlier(next, m.visible)
			}
		}
		c.w.mu.Unlock()
		if e != nil || !next.After(now) {
			return nil
		}
		t := time.NewTimer(next.Sub(now))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-news:
		case <-t.C:
		}
		t.Stop()
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

type messageDoc struct {
	MessageId, ReceiptHandle, Body, MD5OfBody string
	Attributes                                map[string]string `json:",omitempty"`
}

func (c *call) receiveMessage(in *sqs.ReceiveMessageInput) (any, *apiError) {
	q, e := c.store.findQueue(str(in.QueueUrl))
	if e != nil {
		return nil, e
	}
	n := int(cmp.Or(in.MaxNumberOfMessages, 1))
	switch {
	case n < 1 || n > maxReceived:
		return nil, invalidMessage("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", n)
	case in.WaitTimeSeconds < 0 || in.WaitTimeSeconds > maxWaitSeconds:
		return nil, invalidMessage("Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", in.WaitTimeSeconds)
	case in.VisibilityTimeout < 0 || in.VisibilityTimeout > maxHiddenSeconds:
		return nil, invalidMessage("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.", in.VisibilityTimeout)
	}
	hidden := q.hidden
	if in.VisibilityTimeout > 0 {
		hidden = time.Duration(in.VisibilityTimeout) * time.Second
	}
	q.expire(c.now)
	docs := []messageDoc{}
	for _, m := range q.messages {
		if m.visible.After(c.now) || len(docs) == n {
			continue
		}
		m.visible, m.received, m.receipt = c.now.Add(hidden), m.received+1, c.w.newID()
		docs = append(docs, messageDoc{m.id, m.receipt, m.body, md5Of(m.body), m.attributes(in)})
	}
	return struct {
		Messages []messageDoc `json:",omitempty"`
	}{docs}, nil
}

func (m *queued) attributes(in *sqs.ReceiveMessageInput) map[string]string {
	asked := func(name types.MessageSystemAttributeName) bool {
		return slices.Contains(in.MessageSystemAttributeNames, name) || slices.Contains(in.MessageSystemAttributeNames, types.MessageSystemAttributeNameAll)
	}
	all := map[string]string{}
	if asked(types.MessageSystemAttributeNameSentTimestamp) {
		all[string(types.MessageSystemAttributeNameSentTimestamp)] = strconv.FormatInt(m.sent.UnixMilli(), 10)
	}
	if asked(types.MessageSystemAttributeNameApproximateReceiveCount) {
		all[string(types.MessageSystemAttributeNameApproximateReceiveCount)] = strconv.Itoa(m.received)
	}
	return all
}

// drop deletes the message that was last received with a receipt. An older one is good for
// nothing, and is no error, as for AWS; what never was one is.
func (q *queue) drop(receipt string) *apiError {
	if len(receipt) < 32 {
		return refuse(400, "ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *queued) bool { return m.receipt == receipt })
	return nil
}

func (c *call) deleteMessage(in *sqs.DeleteMessageInput) (any, *apiError) {
	q, e := c.store.findQueue(str(in.QueueUrl))
	if e == nil {
		e = q.drop(str(in.ReceiptHandle))
	}
	return struct{}{}, e
}

func (c *call) deleteMessages(in *sqs.DeleteMessageBatchInput) (any, *apiError) {
	q, e := c.store.findQueue(str(in.QueueUrl))
	if e != nil {
		return nil, e
	}
	switch {
	case len(in.Entries) == 0:
		return nil, refuse(400, "EmptyBatchRequest", "There should be at least one DeleteMessageBatchRequestEntry in the request.")
	case len(in.Entries) > maxReceived:
		return nil, refuse(400, "TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(in.Entries))
	}
	type failed struct {
		Id, Code, Message string
		SenderFault       bool
	}
	out := struct {
		Successful []struct{ Id string }
		Failed     []failed
	}{[]struct{ Id string }{}, []failed{}}
	seen := map[string]bool{}
	for _, x := range in.Entries {
		if seen[str(x.Id)] {
			return nil, refuse(400, "BatchEntryIdsNotDistinct", "Id %s repeated.", str(x.Id))
		}
		seen[str(x.Id)] = true
	}
	for _, x := range in.Entries {
		if e := q.drop(str(x.ReceiptHandle)); e != nil {
			out.Failed = append(out.Failed, failed{str(x.Id), e.code, e.message, true})
			continue
		}
		out.Successful = append(out.Successful, struct{ Id string }{str(x.Id)})
	}
	return out, nil
}

func (c *call) getQueueAttributes(in *sqs.GetQueueAttributesInput) (any, *apiError) {
	q, e := c.store.findQueue(str(in.QueueUrl))
	if e != nil {
		return nil, e
	}
	q.expire(c.now)
	var there, hidden int
	for _, m := range q.messages {
		if m.visible.After(c.now) {
			hidden++
		} else {
			there++
		}
	}
	arn := strings.Replace(functionARN(c.store.place, "", ""), ":lambda:", ":sqs:", 1)
	all := map[types.QueueAttributeName]string{
		types.QueueAttributeNameApproximateNumberOfMessages:           strconv.Itoa(there),
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: strconv.Itoa(hidden),
		types.QueueAttributeNameVisibilityTimeout:                     strconv.Itoa(int(q.hidden / time.Second)),
		types.QueueAttributeNameMessageRetentionPeriod:                strconv.Itoa(int(q.retained / time.Second)),
		types.QueueAttributeNameQueueArn:                              strings.TrimSuffix(arn, "function:") + q.url[strings.LastIndex(q.url, "/")+1:],
	}
	out := map[types.QueueAttributeName]string{}
	for _, name := range in.AttributeNames {
		if _, ok := all[name]; !ok && name != types.QueueAttributeNameAll {
			return nil, refuse(400, "InvalidAttributeName", "Unknown Attribute %s.", name)
		}
		for known, value := range all {
			if name == known || name == types.QueueAttributeNameAll {
				out[known] = value
			}
		}
	}
	return struct {
		Attributes map[types.QueueAttributeName]string `json:",omitempty"`
	}{out}, nil
}

// queryCode is how SQS calls an error beside its name, as in the protocol that it had before.
func queryCode(code string) string {
	switch code {
	case "QueueDoesNotExist":
		return "AWS.SimpleQueueService.NonExistentQueue"
	case "EmptyBatchRequest", "TooManyEntriesInBatchRequest", "BatchEntryIdsNotDistinct":
		return "AWS.SimpleQueueService." + code
	}
	return code
}
