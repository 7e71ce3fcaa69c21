package notify

import "time"

// Message is what a person reads. All of it is plain text that others wrote
// in part: a target escapes what it must. Stored: names and meanings stay.
type Message struct {
	// ID is the same for every attempt to deliver the message, and different
	// for every message of a repository.
	ID       string   `json:"id"`
	Status   Status   `json:"status"`
	Severity Severity `json:"severity"`
	Alert    ID       `json:"alert"`
	// Title is one line that sums it up.
	Title    string    `json:"title"`
	Sections []Section `json:"sections,omitempty"`
	// Context is one line about where it comes from: the commit, the time.
	Context string    `json:"context,omitempty"`
	At      time.Time `json:"at"`
	// Folded is how many earlier messages were dropped, because too many
	// waited to be delivered.
	Folded int `json:"folded,omitempty"`
}

// Section is one paragraph. Any part may be empty.
type Section struct {
	Text string `json:"text,omitempty"`
	// Items are names that the text is about, and More how many are left out.
	Items []string `json:"items,omitempty"`
	More  int      `json:"more,omitempty"`
	Code  string   `json:"code,omitempty"` // a command to copy
}
