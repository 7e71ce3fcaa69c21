package slack_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/layerd/layerd/internal/foreign"
)

const (
	secret  = "T0A1B2C3D/B0Z9Y8X7W/s3cr3tTokenOfTheWebhook/a_word_of_the_path"
	address = "https://hooks.slack.example/services/" + secret
)

// fakeSlack is a channel that refuses what Slack refuses, and keeps what it
// took. Its words are Slack's.
type fakeSlack struct {
	mu   sync.Mutex // guards the rest
	last time.Time
	took []payload
}

type payload struct {
	Text      string  `json:"text"`
	Blocks    []block `json:"blocks"`
	Parse     string  `json:"parse"`
	LinkNames bool    `json:"link_names"`
	Unfurl    bool    `json:"unfurl_links"`
	Media     *bool   `json:"unfurl_media"`
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text"`
	Elements []text `json:"elements"`
}

type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    bool   `json:"emoji"`
	Verbatim bool   `json:"verbatim"`
}

// Answer is what Slack answers. An error says that it would have taken the
// message and that a person would not have liked it.
func (s *fakeSlack) Answer(r *http.Request) (status int, body string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.String() != address {
		return 404, "no_service", nil
	}
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return 400, "invalid_payload", nil
	}
	now := time.Now()
	if now.Sub(s.last) < time.Second {
		return 429, "rate_limited", nil
	}
	s.last = now
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, "", err
	}
	var p payload
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields() // what Slack does not know it ignores, and so would we never learn it
	if err := dec.Decode(&p); err != nil {
		return 400, "invalid_payload", err
	}
	if code := p.refuse(); code != "" {
		return 400, code, nil
	}
	s.took = append(s.took, p)
	return 200, "ok", p.dislike()
}

// refuse is AWS.md section 9.
func (p payload) refuse() string {
	if strings.TrimSpace(p.Text) == "" {
		return "no_text"
	}
	total := 0
	if len(p.Blocks) > 50 {
		return "invalid_blocks"
	}
	for _, b := range p.Blocks {
		all := b.Elements
		if b.Text != nil {
			all = append(all, *b.Text)
		}
		if len(all) == 0 || len(b.Elements) > 10 {
			return "invalid_blocks"
		}
		for _, t := range all {
			n := len(utf16.Encode([]rune(t.Text)))
			total += n
			switch {
			case n == 0, n > 3000, b.Type == "header" && (n > 150 || t.Type != "plain_text"), b.Type != "header" && b.Type != "section" && b.Type != "context":
				return "invalid_blocks"
			}
		}
	}
	if total > 13_200 {
		return "msg_blocks_too_long"
	}
	return ""
}

var entity = regexp.MustCompile(`&(amp|lt|gt);`)

// dislike finds what would mention somebody, lead somewhere or look broken.
func (p payload) dislike() error {
	all := []string{p.Text}
	for _, b := range p.Blocks {
		for _, t := range append(b.Elements, orNone(b.Text)...) {
			all = append(all, t.Text)
			if t.Type == "mrkdwn" && !t.Verbatim {
				return fmt.Errorf("Slack would look for names in %q", t.Text)
			}
		}
	}
	for _, s := range all {
		if strings.ContainsAny(s, "<>") || strings.Contains(entity.ReplaceAllString(s, ""), "&") {
			return fmt.Errorf("not escaped: %q", s)
		}
		if line := strings.ReplaceAll(s, "\n", " "); foreign.Clean(line) != line {
			return fmt.Errorf("not harmless: %q", s)
		}
	}
	total := 0
	for _, s := range all[1:] {
		total += len(utf16.Encode([]rune(s)))
	}
	if total > 10_000 {
		return fmt.Errorf("%d characters, and our own limit is 10,000", total)
	}
	if p.Parse != "none" || p.LinkNames || p.Unfurl || p.Media == nil || *p.Media { // Slack shows pictures unless it is told not to
		return fmt.Errorf("Slack would link names")
	}
	return nil
}

func orNone(t *text) []text {
	if t == nil {
		return nil
	}
	return []text{*t}
}

// RoundTrip makes it a network.
func (s *fakeSlack) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, err := s.Answer(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// render shows a message about as Slack does, for people who read the golden
// files.
func render(p payload) string {
	var b strings.Builder
	plain := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace
	for i, block := range p.Blocks {
		switch block.Type {
		case "header":
			fmt.Fprintf(&b, "# %s\n", plain(block.Text.Text))
		case "section":
			if i > 0 {
				b.WriteString("\n")
			}
			b.WriteString(plain(block.Text.Text) + "\n")
		case "context":
			for _, e := range block.Elements {
				fmt.Fprintf(&b, "\n    %s\n", plain(e.Text))
			}
		}
	}
	return b.String()
}
