package notify

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/layerd/layerd/internal/foreign"
)

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
	// Detail is a line below Text. Neither has an end of line in it that is ours: one
	// of others' is shown as what it is.
	Detail string `json:"-"`
	// Items are names that the text is about, and More how many are left out.
	Items []string `json:"items,omitempty"`
	More  int      `json:"more,omitempty"`
	Code  string   `json:"code,omitempty"` // a command to copy
}

// storedSection is a Section as it is kept: its two lines are one text.
type storedSection Section

// MarshalJSON keeps Text and Detail as one text of two lines, as messages were kept
// before there was a Detail.
func (s Section) MarshalJSON() ([]byte, error) {
	if s.Text = foreign.Clean(s.Text); s.Detail != "" {
		s.Text += "\n" + foreign.Clean(s.Detail)
	}
	return json.Marshal(storedSection(s))
}

// UnmarshalJSON is the reverse of MarshalJSON.
func (s *Section) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*storedSection)(s)); err != nil {
		return err
	}
	s.Text, s.Detail, _ = strings.Cut(s.Text, "\n")
	return nil
}
