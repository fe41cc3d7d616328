package mailbox

import (
	"context"
	"fmt"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
)

// WriteHeld adds a letter to a thread that a person with an account holds.
func (s *Service) WriteHeld(ctx context.Context, t *tenant.Tenant, who account.Citizen, threadID, body string, files ...File) error {
	if _, err := s.hold(ctx, who, t.ID, threadID); err != nil {
		return fmt.Errorf("mailbox: write again: %w", err)
	}
	return s.deliverAgain(ctx, t, collected{Thread: threadID, holder: who}, body, files)
}

// MarkHeldRead marks a thread as read in a person's mailbox.
func (s *Service) MarkHeldRead(ctx context.Context, t *tenant.Tenant, who account.Citizen, threadID string) error {
	return s.changeHolding(ctx, who, t.ID, threadID, func(h *holding) { h.Unread = false })
}

// Begun is a message of the office to the person who holds the thread From, or
// who gave the permission From if Permitted is set, in Markdown. Mailbox is one
// of the writer's own; a permission is for one.
type Begun struct {
	From      string
	Permitted bool

	Mailbox tenant.MailboxID
	Subject string
	Body    string
	Files   []File
}

// Begin writes to the person who holds a thread, as a clerk does, and returns
// the new thread. Nobody with an account who holds it is fault.Conflict.
func (s *Service) Begin(ctx context.Context, who account.Actor, b Begun) (threadID string, err error) {
	t, ok := s.Directory.ByID(who.Tenant)
	from := origin{ID: b.From, Permission: b.Permitted, Mailbox: b.Mailbox}
	box, mine := tenant.Mailbox{}, false
	if ok {
		box, mine = from.box(t, who, b.Mailbox)
	}
	if !mine {
		return "", fmt.Errorf("mailbox: begin thread: mailbox %s: %w", b.Mailbox, fault.NotFound)
	}
	d := newDraft()
	k, err := s.drawThread(ctx, who, from, box.ID, d.Thread, d.Message)
	if err != nil {
		return "", err
	}
	d.K = k[:]
	if err := s.receiveAll(ctx, &d, box, who.Tenant, b.Files); err != nil {
		return "", fmt.Errorf("mailbox: begin thread: %w", err)
	}
	_, err = s.begin(ctx, who, beginInput{From: from, Draft: d, Mailbox: box, Subject: b.Subject, Body: b.Body})
	return d.Thread, err
}

// SaveDraft saves a letter that is not sent, as the assistant does on "save".
func (s *Service) SaveDraft(ctx context.Context, t *tenant.Tenant, who account.Citizen, l Letter) error {
	d := newDraft()
	d.Reached, d.Account = stepMatter, who.ID
	for name, v := range map[string]string{
		"mailbox": string(l.Mailbox), "topic": l.Topic, "subject": l.Subject, "body": l.Body, "reply": string(replyAccount), "name": l.Name,
	} {
		if v != "" {
			d.Values[name] = v
		}
	}
	if err := s.receiveAll(ctx, &d, d.limits(t), t.ID, l.Files); err != nil {
		return fmt.Errorf("mailbox: save draft: %w", err)
	}
	_, err := s.saveDraft(ctx, who, t.ID, d)
	return err
}
