package mail

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// Sent is a message kept by Memory, in the shape that the demonstration shows
// under /dev/mail.json.
type Sent struct {
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html"`
	At      time.Time `json:"at"`
	// Headers are the additional fields: those of mailing lists, say.
	Headers map[string]string `json:"headers,omitempty"`
}

// Memory keeps the newest messages in memory and sends nothing. It serves the
// demonstration and tests, and refuses what SMTP refuses.
type Memory struct {
	mu    sync.Mutex
	limit int
	sent  []Sent // oldest first
}

var _ Sender = (*Memory)(nil)

// NewMemory returns a Memory that keeps at most limit messages, 100 when
// limit is not positive.
func NewMemory(limit int) *Memory {
	if limit <= 0 {
		limit = 100
	}
	return &Memory{limit: limit}
}

// Send keeps m. A Message-ID is needed here as well, but a message without
// From is accepted.
func (m *Memory) Send(ctx context.Context, msg Message) error {
	if err := ctx.Err(); err != nil {
		return &Error{Stage: "connect", Err: err}
	}
	c, err := check(msg, "poststelle@example.org")
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.sent) >= m.limit {
		m.sent = append(m.sent[:0], m.sent[len(m.sent)-m.limit+1:]...)
	}
	m.sent = append(m.sent, Sent{To: string(c.to), Subject: c.Subject, Text: c.Text, HTML: c.HTML, At: c.At.UTC(), Headers: c.Message.Headers})
	return nil
}

// Messages returns the kept messages, newest first.
func (m *Memory) Messages() []Sent {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Sent, 0, len(m.sent))
	for i := len(m.sent) - 1; i >= 0; i-- {
		out = append(out, m.sent[i])
	}
	return out
}

// MarshalJSON returns the kept messages as an array, newest first, with the
// members to, subject, text, html and at.
func (m *Memory) MarshalJSON() ([]byte, error) {
	return json.Marshal(m.Messages())
}
