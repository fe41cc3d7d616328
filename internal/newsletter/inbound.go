package newsletter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
	// Word stood behind a plus sign in the address that the mail went to.
	Word          string
	Subject, Text string
	// Files says that something is attached, Machine that no person wrote the mail.
	Files, Machine bool
	// FailedID is the Message-ID of the mail that a report of a server is about
	// (RFC 3464), with its angle brackets; Status its enhanced code. Both are ""
	// in other mails and in reports of success.
	FailedID, Status string
}

// FromMail unsubscribes who writes so to the authority (B21), and takes reports
// of issues that did not arrive. Not handled means that the mail is for a clerk,
// also when there is a reply: whoever unsubscribes and says more is heard in both.
//
// The word in the address or in the subject, as the header of an issue asks for
// it, proves who unsubscribes, whoever sends it, machines included. Without it the
// sender must be proven; otherwise the reply asks back with a link, at most once a
// day, so that nobody unsubscribes somebody else by a forged mail. It may be asked
// twice about the same mail.
func (s *Service) FromMail(ctx context.Context, of tenant.ID, m Incoming) (handled bool, reply *mail.Message, err error) {
	if m.FailedID != "" {
		handled, err = s.bounced(ctx, m)
		return handled, nil, err
	}
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
	subject, word := wordOf(m.Subject)
	said := readWish(subject, m.Text)
	said.more = said.more || m.Files
	for _, w := range []string{m.Word, word} {
		if l, err := k.read(toLeave, w, s.DB.Now()); err == nil {
			err = s.withdraw(ctx, of, l.ID, WayMail)
			return err == nil && !said.more, nil, err
		}
	}
	// A clerk looks at a word that is none, and at what an automatic answer quotes.
	if word != "" || m.Machine || !said.wants {
		return false, nil, nil
	}
	address, err := mail.ParseAddress("from", m.From)
	if err != nil {
		return false, nil, nil
	}
	row, asks, err := s.writer(ctx, of, k.hash(address), m.Aligned)
	if err != nil || !asks {
		return false, nil, err
	}
	reply, err = s.answer(ctx, t, k, row, address, m.Aligned, said.more)
	if err != nil {
		return false, nil, err
	}
	if m.Aligned {
		err = s.withdraw(ctx, of, row.ID, WayMail)
	}
	return err == nil && !said.more, reply, err
}

// writer finds who writes from an address. asks is false when a clerk has to help:
// the address is not subscribed, perhaps another one is; or its sender is not
// proven, and it had a mail that somebody could cause within a day.
func (s *Service) writer(ctx context.Context, of tenant.ID, key []byte, proven bool) (row subscriber, asks bool, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		asks = false
		row, err = subscriberByKey(ctx, tx, of, key)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if proven {
			asks = true
			return nil
		}
		if asks = tx.Now.Sub(row.Mailed) >= mailEvery; !asks {
			return nil
		}
		row.Mailed, row.Ref = tx.Now, rand.Text()
		return putSubscriber(ctx, tx, of, row)
	})
	if err != nil {
		return row, false, fmt.Errorf("newsletter: mail: %w", err)
	}
	return row, asks, nil
}

// answer says that it is done, or asks back.
func (s *Service) answer(ctx context.Context, t *tenant.Tenant, k *keys, row subscriber, to mail.Address, done, more bool) (*mail.Message, error) {
	set, err := s.settings(ctx, t)
	if err != nil {
		return nil, err
	}
	ctx = i18n.In(ctx, row.Lang)
	m := &mail.Message{From: s.sender(set), To: string(to), ID: rand.Text(), At: s.DB.Now()}
	m.DKIM = s.signer(ctx, t, m.From)
	defer func() {
		if more {
			m.Text += "\n" + i18n.T(ctx, "newsletter.mail.more.text") + "\n"
		}
	}()
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

// wordOf takes the word out of a subject that has one.
func wordOf(subject string) (rest, word string) {
	plain, _ := withoutReply(subject)
	if fields := strings.Fields(plain); len(fields) == 2 && strings.EqualFold(fields[0], leaveWord) && len(fields[1]) >= 40 {
		return fields[0], fields[1]
	}
	return subject, ""
}

// bounced takes the report that an issue did not arrive, to whichever address it
// came: tenants without a sender of their own share one.
func (s *Service) bounced(ctx context.Context, m Incoming) (handled bool, err error) {
	for _, t := range s.Directory.All() {
		if !t.Has(tenant.Newsletter) {
			continue
		}
		k, err := s.keysOf(ctx, t.ID)
		if err != nil {
			return false, err
		}
		if handled, err = s.bouncedAt(ctx, t, k, m); handled || err != nil {
			return handled, err
		}
	}
	return false, nil
}

// bouncedAt takes a report that is about an issue of the tenant. Its Message-ID,
// which nobody can make up, says who was to get it; the address in the report is
// not asked.
func (s *Service) bouncedAt(ctx context.Context, t *tenant.Tenant, k *keys, m Incoming) (bool, error) {
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
