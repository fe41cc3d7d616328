package mailbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// letter is what a citizen has written, checked and ready to be sealed.
type letter struct {
	Mailbox tenant.Mailbox
	Topic   string
	Subject string
	Body    string
	Reply   replyWay
	Contact contact
	Files   []upload
	// Account is the id of the signed-in sender: the thread is then in their
	// mailbox, and nobody gets a code. "" is a letter without account.
	Account string
	// Saved names the saved draft that the letter was made from.
	Saved string
	// Mail is set for a letter that came by e-mail: it has no code, and nobody
	// is written to about it by a machine.
	Mail *mailed
}

// upload is a file that has been streamed to the blob store, sealed under a
// part key of its draft's message key.
type upload struct {
	Part   string  `json:"part"`
	Blob   blob.ID `json:"blob"`
	Name   string  `json:"name"`
	Type   string  `json:"type"`
	Size   int64   `json:"size"`
	SHA256 string  `json:"sha256"`
}

// letterKeys are drawn when a draft begins; they never leave the session's
// memory except inside the box to the vault.
type letterKeys struct {
	Token   seal.Token
	Thread  string
	Message string
	K       seal.Key
}

// sent is what the confirmation page shows besides the code.
type sent struct {
	Thread  string           `json:"thread"`
	Number  string           `json:"number"`
	Mailbox tenant.MailboxID `json:"mailbox"`
	Reply   replyWay         `json:"reply"`
	At      time.Time        `json:"at"`
	Due     time.Time        `json:"due"`
	Receipt string           `json:"receipt,omitempty"`
	// Older says that what is stored is not what was sent last; Stored is the
	// text of it.
	Older  bool   `json:"older,omitempty"`
	Stored string `json:"stored,omitempty"`
	// Registered says that the letter has no code: it is in the sender's mailbox.
	Registered bool `json:"registered,omitempty"`
}

// errOlder is the error for a message that was stored by an attempt whose
// answer got lost, and was changed since: what is stored is the first version.
var errOlder = fmt.Errorf("an older version is stored: %w", fault.Conflict)

// send stores a letter and returns after the durable commit. The same token
// sent twice stores one letter: the second call returns the first one's data,
// and known is true. When that letter says something else, the data are marked
// as Older.
func (s *Service) send(ctx context.Context, t *tenant.Tenant, l letter, k letterKeys) (done sent, known bool, err error) {
	if err := s.lostUploads(ctx, l.Files); err != nil {
		return sent{}, false, fmt.Errorf("mailbox: send: %w", err)
	}
	now := s.Now()
	number, err := s.numbers.next(ctx, s.DB, t.ID, now)
	if err != nil {
		return sent{}, false, fmt.Errorf("mailbox: send: %w", err)
	}
	due := tenant.WorkingDays(now, l.Mailbox.ReplyDays)
	receipt := ""
	if l.Mail == nil { // who wrote by e-mail has no page that would show it
		if receipt, err = s.receipt(ctx, t, l, number, now); err != nil {
			return sent{}, false, fmt.Errorf("mailbox: send: %w", err)
		}
	}
	m := sealLetter(t.ID, l, k, receipt)
	first := l.first(t.ID, k)
	box, err := s.sealBox(t.ID, l.Mailbox.ID, vault.Letter{Thread: k.Thread, Message: k.Message, K: k.K, First: &first}, now)
	if err != nil {
		return sent{}, false, fmt.Errorf("mailbox: send: %w", err)
	}
	th := thread{
		ID: k.Thread, Tenant: t.ID, Mailbox: l.Mailbox.ID, Topic: l.Topic, Number: number, Reply: l.Reply,
		Notice: l.Contact.Email != "" && l.Mail == nil, Files: len(l.Files), SizeClass: sizeClass(l.Files), First: k.Message, Due: due,
		State: stateNew, Unread: true, Registered: l.Account != "",
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		known = false
		if l.Mail != nil {
			if fresh, err := insertMark(ctx, tx, t.ID, l.Mail.mark); err != nil || !fresh {
				known = err == nil
				return err
			}
		}
		fresh, err := insertThread(ctx, tx, th, k.Token.SubmitID())
		if err != nil {
			return err
		}
		if !fresh {
			known = true
			th, err = selectThreadBySubmit(ctx, tx, t.ID, k.Token.SubmitID())
			return err
		}
		if _, err := insertMessage(ctx, tx, m); err != nil {
			return err
		}
		if err := s.commitHeld(ctx, tx, th, l); err != nil {
			return err
		}
		if l.Mail != nil {
			if err := insertFacts(ctx, tx, m, l.Mail.facts); err != nil {
				return err
			}
		}
		if err := s.commitMessage(ctx, tx, th, m, l.Files, box, l.Mail != nil && l.Mail.quiet); err != nil {
			return err
		}
		th.Received = tx.Now
		return journal.Record(ctx, tx, journal.Entry{
			Tenant: string(t.ID), Actor: "citizen", Action: "letter.received", Object: k.Thread,
			Detail: map[string]string{"mailbox": string(l.Mailbox.ID)},
		})
	})
	if err != nil {
		return sent{}, false, fmt.Errorf("mailbox: send: %w", err)
	}
	done = sentOf(th)
	if l.Mail != nil {
		return done, known, nil
	}
	if !known {
		done.Receipt = receipt
		return done, false, nil
	}
	if err := s.compareStored(ctx, th, l, k, &done); err != nil {
		return sent{}, true, fmt.Errorf("mailbox: send: %w", err)
	}
	return done, true, nil
}

// compareStored opens the letter that is stored for a token and notes in done
// whether it is the one that was to be sent.
func (s *Service) compareStored(ctx context.Context, th thread, l letter, k letterKeys, done *sent) error {
	m, err := s.storedMessage(ctx, th.Tenant, th.ID, k.Message)
	if err != nil {
		return err
	}
	body, same := sameText(k.K, m, l.Body, l.Files)
	c, cardErr := openCard(k.K.Derive("card"), m.Tenant, m.ID, m.card)
	var reach contact
	var reachErr error
	if len(m.contact) > 0 {
		reach, reachErr = openContact(k.K.Derive("contact"), m.Tenant, m.ID, m.contact)
	}
	same = same && cardErr == nil && reachErr == nil && reach.sameReach(l.Contact) && th.Reply == l.Reply &&
		c == card{Subject: l.Subject, Sender: l.Contact.Name} && th.Mailbox == l.Mailbox.ID && th.Topic == l.Topic
	if !same {
		done.Older, done.Stored = true, body
	}
	if receipt, err := openPart(k.K, m.Tenant, m.ID, "receipt", m.receipt); err == nil {
		done.Receipt = string(receipt)
	}
	return nil
}

// storedMessage reads one message of a thread, with its files.
func (s *Service) storedMessage(ctx context.Context, of tenant.ID, threadID, id string) (m message, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		m, err = selectMessage(ctx, tx, of, threadID, id)
		return err
	})
	return m, err
}

// sameText opens the text of a stored message and compares it and the files
// with what was to be sent.
func sameText(k seal.Key, m message, body string, files []upload) (stored string, same bool) {
	plain, err := openPart(k, m.Tenant, m.ID, "body", m.body)
	same = err == nil && string(plain) == body && slices.EqualFunc(m.files, files, func(f storedFile, u upload) bool {
		return f.blob == u.Blob && f.part == u.Part
	})
	return string(plain), same
}

func sentOf(t thread) sent {
	return sent{Thread: t.ID, Number: t.Number, Mailbox: t.Mailbox, Reply: t.Reply, At: t.Received, Due: t.Due, Registered: t.Registered}
}

// sentBefore finds the letter that a token has sent, NotFound when there is
// none: for a check page that is sent again after its session is gone.
func (s *Service) sentBefore(ctx context.Context, of tenant.ID, token seal.Token) (done sent, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		t, err := selectThreadBySubmit(ctx, tx, of, token.SubmitID())
		done = sentOf(t)
		return err
	})
	if err != nil {
		return sent{}, fmt.Errorf("mailbox: find sent letter: %w", err)
	}
	return done, nil
}

// commitMessage does what every new message of a citizen needs in the
// transaction that stores it: files become live, the box waits for the vault,
// the office is told, unless it shall be quiet.
func (s *Service) commitMessage(ctx context.Context, tx *db.Tx, th thread, m message, files []upload, box intakeRow, quiet bool) error {
	for _, f := range files {
		if err := s.Refs.Attach(ctx, tx, string(th.Tenant), f.Blob, m.ID, f.Size); err != nil {
			return err
		}
	}
	if err := insertIntake(ctx, tx, box); err != nil {
		return err
	}
	tx.AfterCommit(s.wakeIntake)
	if quiet {
		return nil
	}
	return s.tellOffice(ctx, tx, th)
}

// sealLetter seals the parts of a first letter.
func sealLetter(of tenant.ID, l letter, k letterKeys, receipt string) message {
	m := sealMessage(of, k.Thread, k.Message, fromCitizen, k.K, l.Body, l.Files)
	m.card = sealPart(k.K, of, k.Message, "card", encode(card{Subject: l.Subject, Sender: l.Contact.Name}))
	if !l.Contact.empty() {
		m.contact = sealPart(k.K, of, k.Message, "contact", encode(l.Contact))
	}
	if receipt != "" {
		m.receipt = sealPart(k.K, of, k.Message, "receipt", []byte(receipt))
	}
	return m
}

// sealMessage seals the text and the file cards of any message.
func sealMessage(of tenant.ID, threadID, id string, what kind, k seal.Key, body string, files []upload) message {
	m := message{ID: id, Tenant: of, Thread: threadID, Kind: what}
	m.body = sealPart(k, of, id, "body", []byte(body))
	for _, f := range files {
		c := encode(fileCard{Name: f.Name, Type: f.Type, Size: f.Size, SHA256: f.SHA256})
		m.files = append(m.files, storedFile{
			message: id, part: f.Part, blob: f.Blob, card: sealPart(k, of, id, "filecard/"+f.Part, c),
		})
	}
	return m
}

// sealPart seals one part of a message under the key derived for it. Every
// part of every message has a key of its own, so that a key handed out for a
// list opens no text (SECURITY: cards and content apart).
func sealPart(k seal.Key, of tenant.ID, messageID, part string, plain []byte) []byte {
	return seal.Seal(k.Derive(part), place(of, messageID, part), plain)
}

// openPart opens a part with the message key.
func openPart(k seal.Key, of tenant.ID, messageID, part string, sealed []byte) ([]byte, error) {
	return seal.Open(k.Derive(part), place(of, messageID, part), sealed)
}

func place(of tenant.ID, messageID, part string) seal.Place {
	return seal.Place{Tenant: string(of), Message: messageID, Part: part}
}

// sealBox packs the keys of a message for the vault, under today's public key.
func (s *Service) sealBox(of tenant.ID, box tenant.MailboxID, l vault.Letter, now time.Time) (intakeRow, error) {
	day, err := s.Deputy.IntakeKey(now)
	if err != nil {
		return intakeRow{}, err
	}
	l.Tenant, l.Mailbox = string(of), string(box)
	b, err := vault.SealBox(day, l)
	if err != nil {
		return intakeRow{}, err
	}
	return intakeRow(b), nil
}

// receipt signs what was received: tenant, mailbox, instant, the SHA-256 of the
// text and of each file. It names no file and nobody.
func (s *Service) receipt(ctx context.Context, t *tenant.Tenant, l letter, number string, at time.Time) (string, error) {
	signer, err := s.Deputy.Signer(ctx, string(t.ID), at)
	if err != nil {
		return "", err
	}
	r := seal.Receipt{
		Tenant: string(t.ID), TenantName: t.Name, ARS: t.ARS,
		Mailbox: string(l.Mailbox.ID), MailboxName: l.Mailbox.Name,
		Case: number, At: at, Text: sha256.Sum256([]byte(l.Body)),
	}
	for _, f := range l.Files {
		sum, err := hex.DecodeString(f.SHA256)
		if err != nil || len(sum) != sha256.Size {
			return "", fmt.Errorf("file without hash: %w", fault.Internal)
		}
		r.Files = append(r.Files, seal.ReceiptFile{Size: f.Size, SHA256: [32]byte(sum)})
	}
	return seal.SignReceipt(signer, r)
}

// sizeClass is the power of two that the files together stay below; the exact
// size stays sealed.
func sizeClass(files []upload) int {
	var sum int64
	for _, f := range files {
		sum += f.Size
	}
	return bits.Len64(uint64(sum))
}

// tellOffice enqueues the content-free mail to the clerks who asked for one:
// none where nobody asked, and at most one a mailbox and minute. What comes
// later in a minute is told at the beginning of the next.
func (s *Service) tellOffice(ctx context.Context, tx *db.Tx, th thread) error {
	at, minute := [2]string{string(th.Tenant), string(th.Mailbox)}, tx.Now.Unix()/60
	if last, ok := s.told.Load(at); ok && last == minute {
		return nil // both jobs are there
	}
	wanted, err := s.Accounts.WantsNotice(ctx, tx, th.Tenant, th.Mailbox)
	if err != nil || !wanted {
		return err
	}
	for m := minute; m <= minute+1; m++ {
		slot := fmt.Sprintf("%s.%s.%d", th.Tenant, th.Mailbox, m)
		added, err := s.Jobs.Offer(ctx, tx, jobTellOffice, string(th.Tenant)+":"+string(th.Mailbox), jobs.Unique(slot), jobs.At(time.Unix(m*60, 0)))
		if err != nil || added {
			return err
		}
	}
	tx.AfterCommit(func() { s.told.Store(at, minute) })
	return nil
}
