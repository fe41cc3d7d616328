package mailbox

import (
	"bytes"
	"context"
	"io"

	"poststelle/internal/account"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
)

// Seen is a thread as deliver_test looks at it.
type Seen struct {
	State, Mailbox, Subject, Sender, Email string
	Unread, Withdrawal                     bool
	Messages                               []SeenMessage
}

// SeenMessage is one message of it, with what its files hold.
type SeenMessage struct {
	Kind, Body, Event string
	Files             map[string]string
}

// SeeThread reads a thread as a clerk.
func (s *Service) SeeThread(ctx context.Context, who account.Actor, id string) (Seen, error) {
	o, err := s.openThread(ctx, who, id)
	if err != nil {
		return Seen{}, err
	}
	ids := make([]string, len(o.Messages))
	for i, m := range o.Messages {
		ids[i] = m.ID
	}
	keys, err := s.Vault.Open(ctx, who.Grant, string(who.Tenant), id, ids)
	if err != nil {
		return Seen{}, err
	}
	return s.seen(ctx, who.Tenant, o, keys)
}

// SeeCollected reads a thread as the holder of its code.
func (s *Service) SeeCollected(ctx context.Context, of tenant.ID, code string) (Seen, error) {
	c, err := s.collect(ctx, of, code)
	if err != nil {
		return Seen{}, err
	}
	o, err := s.readCollected(ctx, of, c)
	if err != nil {
		return Seen{}, err
	}
	list := make([]message, len(o.Messages))
	for i, m := range o.Messages {
		list[i] = m.message
	}
	keys, err := s.citizenKeys(ctx, of, c, list)
	if err != nil {
		return Seen{}, err
	}
	return s.seen(ctx, of, o, keys)
}

func (s *Service) seen(ctx context.Context, of tenant.ID, o opened, keys map[string]seal.Key) (Seen, error) {
	out := Seen{
		State: string(o.State), Mailbox: string(o.Mailbox), Subject: o.Subject, Sender: o.Contact.Name, Email: o.Contact.Email,
		Unread: o.Unread, Withdrawal: o.Withdrawal,
	}
	for _, m := range o.Messages {
		sm := SeenMessage{Kind: string(m.Kind), Body: m.Body, Event: m.Event.Event, Files: map[string]string{}}
		for _, f := range m.Files {
			var buf bytes.Buffer
			err := s.download(ctx, of, o.ID, m.ID, f.Part, keys[m.ID], func(fileCard) (io.Writer, error) { return &buf, nil })
			if err != nil {
				return Seen{}, err
			}
			sm.Files[f.Name] = buf.String()
		}
		out.Messages = append(out.Messages, sm)
	}
	return out, nil
}
