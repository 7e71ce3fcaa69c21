package hint

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Message is one message of a queue.
type Message struct {
	Body string
	Sent time.Time // when it was put into the queue; zero = not known
	// Receipt is by which the queue knows that it was received, and this time.
	Receipt string
}

// Queue is where messages come from. It may deliver one twice, and in any order.
type Queue interface {
	// Receive returns the messages that are there, at most ten, and waits some seconds
	// for the first. What is not deleted comes again, to this daemon or to another.
	Receive(ctx context.Context) ([]Message, error)
	// Delete deletes messages.
	Delete(ctx context.Context, messages []Message) error
}

// Address is where a queue of SQS is.
type Address struct{ URL, Region, Account, Name string }

var (
	// hosts are those of SQS, and the ones that it had before: the Region is in each.
	hosts = []*regexp.Regexp{
		regexp.MustCompile(`^(?:sqs|sqs-fips)\.([a-z0-9-]+)\.(?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|api\.aws|api\.amazonwebservices\.com\.cn)$`),
		regexp.MustCompile(`^([a-z0-9-]+)\.queue\.amazonaws\.com(?:\.cn)?$`),
	}
	pathForm = regexp.MustCompile(`^/([0-9]{12})/([A-Za-z0-9_-]{1,80})$`)
)

// ErrFIFO is that of a queue in which one message that is left keeps all others back.
var ErrFIFO = errors.New("a FIFO queue delivers nothing behind a message that is left to another daemon: it has to be a standard queue")

var fifoForm = regexp.MustCompile(`^/[0-9]{12}/[A-Za-z0-9_-]{1,75}\.fifo$`)

// ParseURL reads the address of a queue of SQS.
func ParseURL(text string) (Address, error) {
	form := fmt.Errorf("%q is not the URL of a queue of SQS (https://sqs.REGION.amazonaws.com/ACCOUNT/NAME)", text)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return Address{}, form
	}
	if fifoForm.MatchString(u.Path) {
		return Address{}, ErrFIFO
	}
	m := pathForm.FindStringSubmatch(u.Path)
	for _, host := range hosts {
		if at := host.FindStringSubmatch(u.Host); at != nil && m != nil && regionForm.MatchString(at[1]) {
			return Address{URL: text, Region: at[1], Account: m[1], Name: m[2]}, nil
		}
	}
	return Address{}, form
}

var arnForm = regexp.MustCompile(`^arn:(aws|aws-cn):sqs:([a-z0-9-]+):([0-9]{12}):([A-Za-z0-9_-]{1,80})$`)

// MeantURL returns the URL that is meant by the ARN of a queue, or by its URL without
// https; "" for any other text.
func MeantURL(text string) string {
	meant := ""
	if m := arnForm.FindStringSubmatch(text); m != nil {
		meant = "https://sqs." + m[2] + ".amazonaws.com/" + m[3] + "/" + m[4]
		if m[1] == "aws-cn" {
			meant = "https://sqs." + m[2] + ".amazonaws.com.cn/" + m[3] + "/" + m[4]
		}
	} else if rest := strings.TrimPrefix(text, "http://"); strings.Contains(rest, ".amazonaws.com") {
		meant = "https://" + strings.TrimSuffix(rest, "/")
	}
	if _, err := ParseURL(meant); err != nil {
		return ""
	}
	return meant
}
