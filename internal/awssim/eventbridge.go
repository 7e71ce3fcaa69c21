package awssim

import (
	"encoding/json"
	"time"
)

// Forward has EventBridge put what happens in Lambda into a queue of the World's own
// account and Region, and returns the queue's URL: the function state events of every
// account and Region, and what CloudTrail writes down of Lambda, which is as late as
// CloudTrail is (Options.TrailLag). The queue is made if it is not there.
//
// mangle decides what becomes of each event: nothing, one message, several, or another
// than it was; nil leaves all as they are. It runs while the World is locked, and must not
// use it.
func (w *World) Forward(queue string, mangle func(body string) []Delivery) (url string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.ownQueue(queue)
	w.rules = append(w.rules, rule{q, mangle})
	return q.url
}

// Delivery is one message that EventBridge delivers.
type Delivery struct {
	Body  string
	After time.Duration // how late
}

// Send puts a message into a queue of the World's own account and Region, as anybody may
// whom the queue's policy admits.
func (w *World) Send(queue, body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enqueue(w.ownQueue(queue), body, time.Now(), 0)
}

// Waiting returns how many messages a queue of the World's own account and Region has, those
// that were received and not deleted among them, and without what is still to come.
func (w *World) Waiting(queue string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, now := 0, time.Now()
	for _, m := range w.ownQueue(queue).messages {
		if !m.sent.After(now) {
			n++
		}
	}
	return n
}

// ownQueue needs mu.
func (w *World) ownQueue(name string) *queue {
	s := w.store(w.opts.Account, w.opts.Region)
	if s.queues[name] == nil {
		s.queues[name] = &queue{url: queueURL(s.place, name), hidden: usualHidden, retained: usualRetention}
	}
	return s.queues[name]
}

type rule struct {
	queue  *queue
	mangle func(string) []Delivery
}

type busEvent struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     any      `json:"detail"`
}

// announce needs mu. It has EventBridge know at an instant that a version of a function is
// in a state. Which fields such an event has is not documented: the function is in one of
// two places, so that nobody comes to need one of them.
func (w *World) announce(f *function, qualifier, state string, at time.Time) {
	if len(w.rules) == 0 {
		return
	}
	arn := f.arn(qualifier)
	e := busEvent{DetailType: "Lambda Function State Change", Resources: []string{}, Detail: map[string]string{"functionArn": arn, "state": state}}
	if w.serial%2 == 0 {
		e.Resources, e.Detail = []string{arn}, map[string]string{"state": state}
	}
	w.emit(f.place, e, at)
}

// called needs mu. It has EventBridge know of a call once CloudTrail does.
func (w *World) called(ev trailEvent) {
	if len(w.rules) == 0 || ev.source != lambdaService {
		return
	}
	w.emit(ev.place, busEvent{DetailType: "AWS API Call via CloudTrail", Resources: []string{}, Detail: ev.detail()}, ev.at.Add(w.opts.TrailLag))
}

func (w *World) emit(p place, e busEvent, at time.Time) {
	e.Version, e.ID, e.Source, e.Account, e.Region = "0", w.newID(), "aws.lambda", p.account, p.region
	e.Time = at.UTC().Format(time.RFC3339)
	body, _ := json.Marshal(e) // strings, maps and lists of them only
	now := time.Now()
	for _, r := range w.rules {
		deliveries := []Delivery{{Body: string(body)}}
		if r.mangle != nil {
			deliveries = r.mangle(string(body))
		}
		for _, d := range deliveries {
			w.enqueue(r.queue, d.Body, now, max(0, at.Sub(now))+d.After)
		}
	}
}
