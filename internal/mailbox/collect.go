package mailbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// collected is what a valid code has opened. It is kept in the session's memory
// while the person reads, and nowhere else.
type collected struct {
	ID     string `json:"id"` // names it in forms of this session
	Thread string `json:"thread"`
	Code   string `json:"code"`
	// Mailbox is where the thread lay when it was last shown.
	Mailbox tenant.MailboxID `json:"mailbox,omitempty"`
	// Draft names the draft of the next letter in the thread, Done those that
	// have been sent: a form posted once more sends nothing.
	Draft string   `json:"draft,omitempty"`
	Done  []string `json:"done,omitempty"`
	// holder is the signed-in person in whose mailbox the thread is, holding its
	// row there; then there is no code. They live as long as the request.
	holder  account.Citizen
	holding holding
}

// errNoLetter is the one answer to an unknown, a foreign and a malformed code.
var errNoLetter = fault.Fields(fault.Field{Name: "code", Key: "mailbox.collect.unknown"})

// collect opens the thread that belongs to a code. A malformed code costs the
// same as an unknown one: it is looked up as well. A code may be younger than
// the last intake, so boxes that wait go to the vault before it is called
// unknown.
func (s *Service) collect(ctx context.Context, of tenant.ID, typed string) (collected, error) {
	code, parseErr := seal.ParseCode(typed)
	if parseErr != nil {
		code = seal.NewToken().Code()
	}
	found, err := s.Vault.Collect(ctx, string(of), code.LookupID())
	if errors.Is(err, fault.NotFound) {
		if _, err := s.takeIn(ctx); err != nil {
			return collected{}, fmt.Errorf("mailbox: collect: %w", err)
		}
		// Also when nothing was waiting: the intake may have had it in hand.
		found, err = s.Vault.Collect(ctx, string(of), code.LookupID())
	}
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return collected{}, fmt.Errorf("mailbox: collect: %w", err)
	}
	// What the vault returns for an unknown code has the size of an answer, so
	// that trying to open it costs the same.
	if _, keyErr := found.Keys(code); err != nil || keyErr != nil || parseErr != nil {
		return collected{}, errNoLetter
	}
	return collected{ID: newID(), Thread: found.Thread, Code: string(code)}, nil
}

// readCollected opens the thread for its sender: the letters and answers, the
// lines that concern them, never the internal notes.
func (s *Service) readCollected(ctx context.Context, of tenant.ID, c collected) (opened, error) {
	var t thread
	var list []message
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		if t, err = selectThread(ctx, tx, of, c.Thread); err != nil {
			return err
		}
		list, err = selectMessages(ctx, tx, of, c.Thread)
		return err
	})
	if err != nil {
		return opened{}, fmt.Errorf("mailbox: read collected: %w", err)
	}
	visible := slices.DeleteFunc(list, func(m message) bool { return m.Kind == note })
	keys, err := s.citizenKeys(ctx, of, c, visible)
	if err != nil {
		return opened{}, err
	}
	return unseal(t, visible, keys)
}

// collectFile streams a file of the thread to its sender. Files of internal
// notes are not theirs.
func (s *Service) collectFile(ctx context.Context, of tenant.ID, c collected, messageID, part string, open func(fileCard) (io.Writer, error)) error {
	var list []message
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		list, err = selectMessages(ctx, tx, of, c.Thread)
		return err
	})
	if err != nil {
		return fmt.Errorf("mailbox: collect file: %w", err)
	}
	mayRead := slices.ContainsFunc(list, func(m message) bool {
		return m.ID == messageID && (m.Kind == fromCitizen || m.Kind == fromOffice)
	})
	keys, err := s.citizenKeys(ctx, of, c, []message{{ID: messageID}})
	if err != nil {
		return err
	}
	k, ok := keys[messageID]
	if !mayRead || !ok {
		return fmt.Errorf("mailbox: collect file of %s: %w", messageID, fault.NotFound)
	}
	return s.download(ctx, of, c.Thread, messageID, part, k, open)
}

// citizenKeys returns the keys of messages of a thread: for a code it asks the
// vault for the wrapped keys of all and opens them with the code, for an account
// it has the vault open them.
func (s *Service) citizenKeys(ctx context.Context, of tenant.ID, c collected, list []message) (map[string]seal.Key, error) {
	if c.registered() {
		return s.accountKeys(ctx, of, c, list)
	}
	code := seal.Code(c.Code)
	found, err := s.Vault.Collect(ctx, string(of), code.LookupID())
	if err != nil {
		return nil, fmt.Errorf("mailbox: read collected: %w", err)
	}
	keys, err := found.Keys(code)
	if err != nil {
		return nil, fmt.Errorf("mailbox: read collected: %w", err)
	}
	return keys, nil
}

// maxThread is how many messages a thread may have before its sender has to
// begin a new one. A page shows the first thousand; the rest is room for the
// office to answer.
const maxThread = 900

// writeAgain stores another letter of the citizen in the thread that their
// code has opened. The same draft sent twice stores one letter; when that one
// says something else, the error is errOlder.
func (s *Service) writeAgain(ctx context.Context, of tenant.ID, c collected, d draft, body string) error {
	if err := s.lostUploads(ctx, d.Files); err != nil {
		return fmt.Errorf("mailbox: write again: %w", err)
	}
	m := sealMessage(of, c.Thread, d.Message, fromCitizen, d.key(), body, d.Files)
	m.card = sealPart(d.key(), of, m.ID, "card", encode(card{}))
	now := s.Now()
	var fresh bool
	err := s.updateRetrying(ctx, func(tx *db.Tx) error {
		t, err := selectReceiving(ctx, tx, of, c.Thread)
		if err != nil {
			return err
		}
		if fresh, err = insertMessage(ctx, tx, m); err != nil || !fresh {
			return err
		}
		n, err := countMessages(ctx, tx, of, c.Thread)
		if err == nil && n > maxThread {
			err = fault.Fields(fault.Field{Name: "body", Key: "mailbox.error.thread.full"})
		}
		if err != nil {
			return err
		}
		box, err := s.sealBox(of, t.Mailbox, vault.Letter{Thread: c.Thread, Message: m.ID, K: d.key()}, now)
		if err != nil {
			return err
		}
		if err := s.commitMessage(ctx, tx, t, m, d.Files, box, false); err != nil {
			return err
		}
		t.Unread = true
		t.Files += len(d.Files)
		t.SizeClass = max(t.SizeClass, sizeClass(d.Files))
		if t.State == stateWaiting || t.State == stateClosed {
			t.State = stateOpen
			t.Closed = time.Time{}
			t.Due = s.dueFrom(of, t.Mailbox, tx.Now) // the office's turn begins anew
		}
		if err := saveThread(ctx, tx, t); err != nil {
			return err
		}
		if err := touchHoldings(ctx, tx, of, t.ID, ""); err != nil {
			return err
		}
		s.recount(tx, of, t.Mailbox)
		return journal.Record(ctx, tx, journal.Entry{
			Tenant: string(of), Actor: "citizen", Action: "letter.added", Object: c.Thread,
			Detail: map[string]string{"message": m.ID},
		})
	})
	if err == nil && !fresh {
		m, err = s.storedMessage(ctx, of, c.Thread, d.Message)
		if _, same := sameText(d.key(), m, body, d.Files); err == nil && !same {
			err = errOlder
		}
	}
	if err != nil {
		return fmt.Errorf("mailbox: write again: %w", err)
	}
	return nil
}

// updateRetrying runs an update again when a clerk has changed the thread at the
// same moment: what a citizen adds is never against what the clerk did.
func (s *Service) updateRetrying(ctx context.Context, fn func(*db.Tx) error) error {
	for try := 0; ; try++ {
		err := s.DB.Update(ctx, fn)
		if try == 4 || fault.KindOf(err) != fault.Conflict || err == nil {
			return err
		}
	}
}

// askWithdrawal records that the sender wants the matter withdrawn. A clerk
// decides and deletes: nothing goes automatically (A47).
func (s *Service) askWithdrawal(ctx context.Context, of tenant.ID, c collected) error {
	err := s.updateRetrying(ctx, func(tx *db.Tx) error {
		t, err := selectThread(ctx, tx, of, c.Thread)
		if err != nil || t.Withdrawal {
			return err
		}
		t.Withdrawal, t.Unread = true, true
		if err := saveThread(ctx, tx, t); err != nil {
			return err
		}
		s.recount(tx, of, t.Mailbox)
		if err := s.tellOffice(ctx, tx, t); err != nil {
			return err
		}
		return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: "citizen", Action: "withdrawal.asked", Object: c.Thread})
	})
	if err != nil {
		return fmt.Errorf("mailbox: ask withdrawal: %w", err)
	}
	return nil
}

// setNotice changes or removes the e-mail address for content-free notices, which
// are then written in the language of ctx. The address is sealed in the contact
// of the first letter.
func (s *Service) setNotice(ctx context.Context, of tenant.ID, c collected, email string) error {
	err := s.changeContact(ctx, of, c, func(old *contact) { old.Email, old.Lang = email, i18n.Lang(ctx) })
	if err != nil {
		return fmt.Errorf("mailbox: change notice: %w", err)
	}
	return nil
}

func (s *Service) changeContact(ctx context.Context, of tenant.ID, c collected, change func(*contact)) error {
	var t thread
	var list []message
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		if t, err = selectThread(ctx, tx, of, c.Thread); err != nil {
			return err
		}
		list, err = selectMessages(ctx, tx, of, c.Thread)
		return err
	})
	if err != nil {
		return err
	}
	keys, err := s.citizenKeys(ctx, of, c, []message{{ID: t.First}})
	if err != nil {
		return err
	}
	k, ok := keys[t.First]
	if !ok {
		return fault.With(fault.Unavailable, "mailbox.error.intake")
	}
	var reach contact
	for _, m := range list {
		if m.ID == t.First && len(m.contact) > 0 {
			if reach, err = openContact(k.Derive("contact"), of, m.ID, m.contact); err != nil {
				return err
			}
		}
	}
	change(&reach)
	var sealed []byte
	if !reach.empty() {
		sealed = sealPart(k, of, t.First, "contact", encode(reach))
	}
	return s.updateRetrying(ctx, func(tx *db.Tx) error {
		t, err := selectThread(ctx, tx, of, c.Thread)
		if err != nil {
			return err
		}
		if err := updateContact(ctx, tx, of, t.First, sealed); err != nil {
			return err
		}
		t.Notice = reach.Email != ""
		return saveThread(ctx, tx, t)
	})
}

// download streams a file of a message to w after open has said how it is
// called. Nothing unverified is written; a damaged file ends in an error.
func (s *Service) download(ctx context.Context, of tenant.ID, threadID, messageID, part string, k seal.Key, open func(fileCard) (io.Writer, error)) error {
	var f storedFile
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		f, err = selectFile(ctx, tx, of, threadID, messageID, "file/"+part)
		return err
	})
	if err != nil {
		return fmt.Errorf("mailbox: file of %s: %w", messageID, err)
	}
	c, err := openFileCard(k, of, messageID, f)
	if err != nil {
		return fmt.Errorf("mailbox: file of %s: %w", messageID, err)
	}
	r, err := s.Blobs.Get(ctx, f.blob)
	if err != nil {
		return fmt.Errorf("mailbox: file of %s: %w", messageID, err)
	}
	defer r.Close()
	w, err := open(c)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, seal.NewReader(r, k.Derive(f.part), place(of, messageID, f.part))); err != nil {
		return fmt.Errorf("mailbox: file of %s: %w", messageID, err)
	}
	return nil
}

func openCard(k seal.Key, of tenant.ID, messageID string, sealed []byte) (c card, err error) {
	err = openJSON(k, of, messageID, "card", sealed, &c)
	return c, err
}

func openContact(k seal.Key, of tenant.ID, messageID string, sealed []byte) (c contact, err error) {
	err = openJSON(k, of, messageID, "contact", sealed, &c)
	return c, err
}

func openFileCard(k seal.Key, of tenant.ID, messageID string, f storedFile) (c fileCard, err error) {
	part := "filecard/" + f.part
	err = openJSON(k.Derive(part), of, messageID, part, f.card, &c)
	return c, err
}

// openJSON opens a part with the key derived for it.
func openJSON(derived seal.Key, of tenant.ID, messageID, part string, sealed []byte, into any) error {
	plain, err := seal.Open(derived, place(of, messageID, part), sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}

func decodeEvent(body []byte, into *eventNote) error { return json.Unmarshal(body, into) }

// dueFrom is when a mailbox should have answered a letter of now.
func (s *Service) dueFrom(of tenant.ID, box tenant.MailboxID, now time.Time) time.Time {
	days := tenant.DefaultReplyDays
	if t, ok := s.Directory.ByID(of); ok {
		if m, ok := t.Mailbox(box); ok {
			days = m.ReplyDays
		}
	}
	return tenant.WorkingDays(now, days)
}
