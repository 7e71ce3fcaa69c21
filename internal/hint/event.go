package hint

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Event is what a message says has happened.
type Event struct {
	// Call is the operation without its date (UpdateFunctionConfiguration); empty for a
	// function state event.
	Call string
	// Subjects are what it is about, each once; none where it changed nothing, as a call
	// that reads or that was refused.
	Subjects []Subject
	// under is true for a state that something is on its way to another.
	under bool
}

// Ends reports whether the event may be about the end of an update. That of a call is not,
// which only began one.
func (e Event) Ends() bool { return e.Call == "" && !e.under }

// Subject is something that may look different now. With neither a Function nor a Layer it
// is anything in the account and Region.
type Subject struct {
	Account  string // 12 digits
	Region   string
	Function string // its name
	Layer    string // its name
}

const (
	// MaxBytes is the most that SQS takes in one message.
	MaxBytes = 1 << 20
	// maxSubjects bounds what one message can make anybody look at; with more it is
	// about the whole account and Region.
	maxSubjects = 16
	// maxDepth is how deep ARNs are searched for in what is not documented.
	maxDepth = 16
)

// source is whom events have to be of.
const source = "aws.lambda"

// calls is the detail-type of CloudTrail's.
const calls = "AWS API Call via CloudTrail"

type envelope struct {
	DetailType string `json:"detail-type"`
	Source     string
	Account    string
	Region     string
	Resources  []string
	Detail     map[string]any
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2,6}(?:-[a-z]+)+-[0-9]{1,2}$`)
	// nameForm is what a function or a layer may be called.
	nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,140}$`)
	// dated is the name that CloudTrail has for an operation of Lambda.
	dated = regexp.MustCompile(`^([A-Z][A-Za-z]{2,80}?)(?:[0-9]{8}(?:v[0-9]+)?)?$`)
)

// Parse reads the body of a message. An error says why it is no event of Lambda, and
// repeats nothing that is in it.
func Parse(body string) (Event, error) {
	if len(body) > MaxBytes {
		return Event{}, fmt.Errorf("%d bytes are more than a message can have", len(body))
	}
	var e envelope
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return Event{}, errors.New("it is not an event of EventBridge")
	}
	switch {
	case e.Source != source:
		return Event{}, errors.New("its source is not " + source)
	case !accountForm.MatchString(e.Account) || !regionForm.MatchString(e.Region):
		return Event{}, errors.New("it names no account and Region")
	case e.DetailType == calls:
		return e.call()
	}
	found := e.state()
	return Event{Subjects: found.subjects(), under: found.under}, nil
}

// state returns the functions of a state event, wherever it names them.
func (e *envelope) state() *finder {
	found := &finder{here: Subject{Account: e.Account, Region: e.Region}}
	for _, arn := range e.Resources {
		found.arn(arn)
	}
	found.search(e.Detail, 0)
	return found
}

// call reads a call that CloudTrail has written down.
func (e *envelope) call() (Event, error) {
	name, _ := e.Detail["eventName"].(string)
	m := dated.FindStringSubmatch(name)
	if m == nil {
		return Event{}, errors.New("it names no call")
	}
	event := Event{Call: m[1]}
	if e.changedNothing(event.Call) {
		return event, nil
	}
	parameters, _ := e.Detail["requestParameters"].(map[string]any)
	found := &finder{here: Subject{Account: e.Account, Region: e.Region}}
	named := func(key string, add func(string)) {
		if text, ok := parameters[key].(string); ok {
			add(text)
		}
	}
	named("functionName", found.function)
	named("layerName", found.layer)
	named("resource", found.arn) // of a call that tags
	event.Subjects = found.subjects()
	return event, nil
}

// changedNothing reports whether a call changed nothing by what is said of it. Invoke is no
// read to CloudTrail.
func (e *envelope) changedNothing(call string) bool {
	refused, _ := e.Detail["errorCode"].(string)
	if read, _ := e.Detail["readOnly"].(bool); read || refused != "" {
		return true
	}
	for _, prefix := range []string{"Get", "List", "Invoke"} {
		if strings.HasPrefix(call, prefix) {
			return true
		}
	}
	return false
}

// finder collects subjects.
type finder struct {
	here  Subject // the account and Region of the event
	found []Subject
	more  bool // than maxSubjects
	under bool // a state was found that is one on the way
}

// subjects returns what was found. What is about nothing that is known is about the account
// and Region.
func (f *finder) subjects() []Subject {
	if f.more || len(f.found) == 0 {
		return []Subject{f.here}
	}
	return f.found
}

func (f *finder) add(s Subject) {
	switch {
	case !nameForm.MatchString(s.Function+s.Layer) || slices.Contains(f.found, s):
	case len(f.found) == maxSubjects:
		f.more = true
	default:
		f.found = append(f.found, s)
	}
}

// function adds one by its name, or by an ARN, whole or in part (123456789012:function:NAME).
func (f *finder) function(given string) {
	if strings.HasPrefix(given, "arn:") {
		f.arn(given)
		return
	}
	s := f.here
	if account, rest, ok := strings.Cut(given, ":function:"); ok && accountForm.MatchString(account) {
		s.Account, given = account, rest
	}
	given = strings.TrimPrefix(given, "function:")
	s.Function, _, _ = strings.Cut(given, ":") // a qualifier
	f.add(s)
}

func (f *finder) layer(given string) {
	if strings.HasPrefix(given, "arn:") {
		f.arn(given)
		return
	}
	s := f.here
	s.Layer = given
	f.add(s)
}

// arn adds the function or the layer that an ARN names, and nothing for any other text.
func (f *finder) arn(text string) {
	parts := strings.SplitN(text, ":", 8) // arn:PARTITION:lambda:REGION:ACCOUNT:KIND:NAME[:QUALIFIER]
	if len(parts) < 7 || parts[0] != "arn" || parts[2] != "lambda" || !regionForm.MatchString(parts[3]) || !accountForm.MatchString(parts[4]) {
		return
	}
	s := Subject{Account: parts[4], Region: parts[3]}
	switch parts[5] {
	case "function":
		s.Function = parts[6]
	case "layer":
		s.Layer = parts[6]
	default:
		return
	}
	f.add(s)
}

// search adds the functions whose ARNs are anywhere in v. Layers in it are what a function
// has, and nothing that has changed.
func (f *finder) search(v any, depth int) {
	if depth > maxDepth || f.more {
		return
	}
	switch v := v.(type) {
	case string:
		f.under = f.under || v == "InProgress" || v == "Pending"
		if strings.Contains(v, ":function:") {
			f.arn(v)
		}
	case []any:
		for _, x := range v {
			f.search(x, depth+1)
		}
	case map[string]any:
		for _, x := range v {
			f.search(x, depth+1)
		}
	}
}
