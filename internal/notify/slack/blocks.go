package slack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/layerd/layerd/internal/foreign"
	"github.com/layerd/layerd/internal/notify"
)

// Slack's limits (AWS.md section 9), and ours where its own is not documented.
const (
	mostBlocks  = 50
	mostHeader  = 150
	mostSection = 3000
	mostTotal   = 10_000
	mostText    = 1000 // of the fallback that notifications show
)

type message struct {
	Text      string  `json:"text"`
	Blocks    []block `json:"blocks"`
	Parse     string  `json:"parse"`      // none: what looks like a name is no mention
	LinkNames bool    `json:"link_names"` // nor is @here
	Unfurl    bool    `json:"unfurl_links"`
	Media     bool    `json:"unfurl_media"` // pictures of others are none of our messages
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text,omitempty"`
	Elements []text `json:"elements,omitempty"`

	keep bool // a command to copy: never left out
}

type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Emoji    bool   `json:"emoji,omitempty"`
	Verbatim bool   `json:"verbatim,omitempty"` // no links to channels, people and addresses
}

// payload writes a message as Slack takes it.
func payload(m notify.Message) ([]byte, error) {
	headline := mark(m) + " " + strings.TrimSpace(m.Headline())
	blocks := []block{}
	if whole := foreign.Slack(headline); size(whole) > mostHeader {
		blocks = append(blocks, paragraph("*"+fit(foreign.Slack(m.Headline()), mostSection-2)+"*", false))
	}
	for _, s := range m.Sections {
		if text := body(s); text != "" {
			blocks = append(blocks, paragraph(text, s.Code != ""))
		}
	}
	context := m.Context
	if m.Folded > 0 {
		context += fmt.Sprintf(" · %d earlier messages about this could not be delivered and were dropped", m.Folded)
	}
	header := block{Type: "header", Text: &text{Type: "plain_text", Text: fit(foreign.Slack(headline), mostHeader), Emoji: true}}
	footer := block{Type: "context", Elements: []text{{Type: "mrkdwn", Text: fit(foreign.Slack(context), mostSection), Verbatim: true}}}
	fallback := foreign.Slack(headline)
	if len(m.Sections) > 0 {
		fallback += "\n" + lines(m.Sections[0])
	}
	all := append([]block{header}, fill(blocks, header.size()+footer.size())...)
	if context != "" {
		all = append(all, footer)
	}
	return json.Marshal(message{Text: fit(fallback, mostText), Blocks: all, Parse: "none"})
}

// mark is what one sees first.
func mark(m notify.Message) string {
	switch {
	case m.Status == notify.Resolved:
		return "✅"
	case m.Severity == notify.Failure:
		return "🔴"
	case m.Severity == notify.Warning:
		return "🟠"
	default:
		return "🔵"
	}
}

func paragraph(s string, keep bool) block {
	return block{Type: "section", Text: &text{Type: "mrkdwn", Text: s, Verbatim: true}, keep: keep}
}

func (b block) size() int {
	n := 0
	if b.Text != nil {
		n += size(b.Text.Text)
	}
	for _, e := range b.Elements {
		n += size(e.Text)
	}
	return n
}

// body writes one section, at most mostSection characters. Names that do not
// fit are counted, and so are those that were left out before.
func body(s notify.Section) string {
	code := ""
	if s.Code != "" {
		code = "```" + fit(foreign.Slack(s.Code), mostSection/2) + "```"
	}
	const tail = 40 // " and 1234567 more" and line ends
	left := mostSection - size(code) - tail
	out := fit(lines(s), left)
	var items strings.Builder
	shown := 0
	for _, item := range s.Items {
		item = fit(foreign.Slack(item), 300)
		if size(out)+size(items.String())+size(item)+2 > left {
			break
		}
		if shown > 0 {
			items.WriteString(", ")
		}
		items.WriteString(item)
		shown++
	}
	if more := s.More + len(s.Items) - shown; more > 0 {
		if shown > 0 {
			items.WriteString(" ")
		}
		fmt.Fprintf(&items, "and %d more", more)
	}
	parts := slices.DeleteFunc([]string{out, items.String(), code}, func(s string) bool { return s == "" })
	return strings.Join(parts, "\n")
}

// lines returns what a section says, without its names.
func lines(s notify.Section) string {
	text := foreign.Slack(s.Text)
	if s.Detail != "" {
		text += "\n" + foreign.Slack(s.Detail)
	}
	return text
}

// fill takes as many blocks as Slack does, in order. What is left out is
// counted; a command is never left out, and what is in front of it gives way.
func fill(blocks []block, used int) []block {
	const note, mostKept = 60, 4 // no message has more than one
	total, n := used+note, 0
	for i, b := range blocks {
		if blocks[i].keep = b.keep && n < mostKept; blocks[i].keep {
			total, n = total+b.size(), n+1
		}
	}
	var out []block
	dropped := 0
	for _, b := range blocks {
		switch {
		case b.keep:
			out = append(out, b)
		case dropped > 0 || n >= mostBlocks-3 || total+b.size() > mostTotal:
			dropped++
		default:
			total, n = total+b.size(), n+1
			out = append(out, b)
		}
	}
	if dropped > 0 {
		out = append(out, paragraph(fmt.Sprintf("…and %d more paragraphs that do not fit here.", dropped), false))
	}
	return out
}

// size counts characters the way browsers do, in which an emoji is two: the
// larger of the ways Slack may count.
func size(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// fit cuts escaped text to n characters, not within an entity, and shows that
// it did.
func fit(s string, n int) string {
	if size(s) <= n {
		return s
	}
	used, cut := 0, 0
	for i, r := range s {
		if used += utf16.RuneLen(r); used > n-1 {
			break
		}
		cut = i + len(string(r))
	}
	s = s[:cut]
	if i := strings.LastIndexByte(s, '&'); i >= 0 && !strings.Contains(s[i:], ";") {
		s = s[:i]
	}
	return s + "…"
}
