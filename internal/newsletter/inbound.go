package newsletter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

// Incoming is what a mail to the authority says, as far as it matters here.
type Incoming struct {
	// From is the address that the mail claims to be from, "" for none; Aligned
	// says that SPF or DKIM proves its domain.
	From    string
	Aligned bool
	Subject string
	// FailedID is the Message-ID of the mail that a report of a server is about
	// (RFC 3464), with its angle brackets; Status its enhanced code. Both are ""
	// in other mails and in reports of success.
	FailedID, Status string
}

// FromMail unsubscribes who writes so to the authority (B21), and takes reports
// of issues that did not arrive. Not handled means that the mail is for a clerk.
//
// The word in the subject, as the header of an issue asks for it, proves who
// unsubscribes. Without it the sender must be proven; otherwise the reply asks
// back with a link, so that nobody unsubscribes somebody else by a forged mail.
// It may be asked twice about the same mail.
func (s *Service) FromMail(ctx context.Context, of tenant.ID, m Incoming) (handled bool, reply *mail.Message, err error) {
	t, err := s.of(of)
	if errors.Is(err, fault.NotFound) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	k, err := s.keysOf(ctx, of)
	if err != nil {
		return false, nil, err
	}
	if m.FailedID != "" {
		handled, err = s.bounced(ctx, t, k, m)
		return handled, nil, err
	}
	wants, word := wantsToLeave(m.Subject)
	if !wants {
		return false, nil, nil
	}
	if word != "" {
		l, err := k.read(toLeave, word, s.DB.Now())
		if err != nil {
			return false, nil, nil // a clerk looks at a word that is none
		}
		err = s.withdraw(ctx, of, l.ID, WayMail)
		return err == nil, nil, err
	}
	address, err := mail.ParseAddress("from", m.From)
	if err != nil {
		return false, nil, nil
	}
	var row subscriber
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		row, err = subscriberByKey(ctx, tx, of, k.hash(address))
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return false, nil, nil // perhaps subscribed under another address: a clerk can help
	}
	if err != nil {
		return false, nil, fmt.Errorf("newsletter: mail: %w", err)
	}
	reply, err = s.answer(ctx, t, k, row, address, m.Aligned)
	if err != nil {
		return false, nil, err
	}
	if m.Aligned {
		err = s.withdraw(ctx, of, row.ID, WayMail)
	}
	return err == nil, reply, err
}

// answer says that it is done, or asks back.
func (s *Service) answer(ctx context.Context, t *tenant.Tenant, k *keys, row subscriber, to mail.Address, done bool) (*mail.Message, error) {
	set, err := s.settings(ctx, t)
	if err != nil {
		return nil, err
	}
	ctx = i18n.In(ctx, row.Lang)
	m := &mail.Message{From: s.sender(set), To: string(to), ID: rand.Text(), At: s.DB.Now()}
	if done {
		m.Subject = i18n.T(ctx, "newsletter.mail.left.subject", "title", set.name(row.Lang))
		m.Text = i18n.T(ctx, "newsletter.mail.left.text", "title", set.name(row.Lang), "authority", t.Name)
		return m, nil
	}
	word, err := k.word(toLeave, link{ID: row.ID})
	m.Subject = i18n.T(ctx, "newsletter.mail.ask.subject", "title", set.name(row.Lang))
	m.Text = i18n.T(ctx, "newsletter.mail.ask.text", "title", set.name(row.Lang), "authority", t.Name, "link", s.page(t, row.Lang, leavePath)+word)
	return m, err
}

// wantsToLeave reports whether a subject asks to unsubscribe, and the word that
// stands in it.
func wantsToLeave(subject string) (wants bool, word string) {
	fields := strings.Fields(subject)
	for len(fields) > 0 && slices.Contains([]string{"re:", "aw:", "fwd:", "wg:"}, strings.ToLower(fields[0])) {
		fields = fields[1:]
	}
	if len(fields) == 2 && strings.EqualFold(fields[0], leaveWord) && len(fields[1]) >= 40 {
		return true, fields[1]
	}
	said := strings.ToLower(strings.Trim(strings.Join(fields, " "), ".! "))
	return slices.Contains([]string{
		"abmelden", "abmeldung", "abbestellen", "abbestellung", "austragen", "unsubscribe", "newsletter abmelden", "newsletter abmeldung",
		"newsletter abbestellen", "abmeldung newsletter", "abmeldung vom newsletter", "newsletter austragen", "unsubscribe newsletter",
		"newsletter unsubscribe", "unsubscribe from newsletter",
	}, said), ""
}

// bounced takes the report that an issue did not arrive. Its Message-ID, which
// nobody can make up, says who was to get it; the address in the report is not
// asked.
func (s *Service) bounced(ctx context.Context, t *tenant.Tenant, k *keys, m Incoming) (bool, error) {
	word, _, _ := strings.Cut(strings.Trim(m.FailedID, "<> "), "@")
	l, err := k.read(asMessage, word, s.DB.Now())
	if err != nil {
		return false, nil
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		if deadAddress("", 0, m.Status) {
			return s.dead(ctx, tx, k, t.ID, l.ID)
		}
		return countBounce(ctx, tx, t.ID, l.ID)
	})
	if err != nil {
		return false, fmt.Errorf("newsletter: report: %w", err)
	}
	return true, nil
}
