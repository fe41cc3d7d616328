package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/mail"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
)

// This file takes ordinary e-mail in. Rules of its own:
//
//   - A mail becomes a letter in the fallback mailbox of its tenant, sealed like
//     every letter. The mail as it came is kept as a file beside it, so that
//     nothing that could not be read is lost.
//   - An attachment that the mailbox would refuse from the assistant is no file
//     of the letter either; it stays inside the mail, and the letter names it.
//   - The same mail sent again within marksKept is known and stored once: the
//     answer to its first sending may have been lost.
//   - Who wrote it has no collection code. It can be answered by plain e-mail
//     alone, and only from a mailbox that may (EmailReply).

const (
	// replyMail is the way of a letter that came by plain e-mail from somebody
	// who can be written to; replyNone that of one from a machine, or without an
	// address.
	replyMail replyWay = "mail"
	replyNone replyWay = "none"
)

// byMail reports whether the letter came by plain e-mail.
func (w replyWay) byMail() bool { return w == replyMail || w == replyNone }

const (
	jobMarks = "mailbox.marks"
	// marksKept is how long the mark of a mail is kept: senders try for five
	// days at most (RFC 5321, 4.5.4.1).
	marksKept = 7 * 24 * time.Hour
	// maxMailSubject and maxMailText bound, in bytes, what is shown of a mail.
	// What is longer is cut there and whole in the file.
	maxMailSubject = 500
	maxMailText    = 200 << 10
	// originalName and originalType describe the mail as it came.
	originalName = "Original-E-Mail.eml"
	originalType = "message/rfc822"
)

// Proof says how far the sender of a mail is proven. It speaks of the domain
// behind the @ alone: who wrote there is not proven by it.
type Proof string

// The proofs.
const (
	// ProofYes: the domain of the sender has signed the mail or sent it itself.
	ProofYes Proof = "yes"
	// ProofNo: nothing shows that the mail is from that domain.
	ProofNo Proof = "no"
	// ProofForged: the domain asks to refuse such mail (DMARC).
	ProofForged Proof = "forged"
	// ProofUnknown: the name service did not answer.
	ProofUnknown Proof = "unknown"
)

// Mailed is an ordinary e-mail. Texts are valid UTF-8. Name and Address are what
// the mail claims; Address is empty when it claims none that can be written to.
type Mailed struct {
	Subject, Body string
	Name, Address string
	// ReplyTo is another address that the mail asks to answer to; it is shown
	// and never used.
	ReplyTo string
	// To is the published address that the mail went to.
	To        string
	MessageID string
	Proof     Proof
	// SPF, DKIM and DMARC are the results as RFC 8601 names them.
	SPF, DKIM, DMARC string
	// Machine says that no person wrote it: nobody is told and nobody answers.
	Machine bool
	// HTML says that the text was made from markup; Partial that not all of the
	// mail could be read; Encrypted that its text is.
	HTML, Partial, Encrypted bool
	Files                    []File
	// Original is the whole mail as it is kept.
	Original []byte
	// Mark is the same for the same mail sent again, and for no other.
	Mark []byte
}

// mailFacts is the sealed part "mail": how a letter came.
type mailFacts struct {
	Name      string     `json:"name,omitempty"`
	Address   string     `json:"address,omitempty"`
	ReplyTo   string     `json:"replyTo,omitempty"`
	To        string     `json:"to,omitempty"`
	MessageID string     `json:"id,omitempty"`
	Proof     Proof      `json:"proof"`
	SPF       string     `json:"spf,omitempty"`
	DKIM      string     `json:"dkim,omitempty"`
	DMARC     string     `json:"dmarc,omitempty"`
	Machine   bool       `json:"machine,omitempty"`
	HTML      bool       `json:"html,omitempty"`
	Cut       bool       `json:"cut,omitempty"`
	Partial   bool       `json:"partial,omitempty"`
	Encrypted bool       `json:"encrypted,omitempty"`
	Left      []leftFile `json:"left,omitempty"`
}

// leftFile is an attachment that stays inside the mail.
type leftFile struct {
	Name string `json:"name"`
	Why  string `json:"why"` // "kind", "big", "many" or "empty"
}

// mailed is what send stores with a letter that came by e-mail.
type mailed struct {
	mark  []byte
	facts []byte // sealed
	quiet bool
}

// TakeMail stores a mail as a letter in the fallback mailbox of t and returns
// after the durable commit, with the id of the thread. Known says that the same
// mail is stored already; then nothing is, and the id is empty. The vault need
// not be there.
func (s *Service) TakeMail(ctx context.Context, t *tenant.Tenant, m Mailed) (id string, known bool, err error) {
	fail := func(err error) (string, bool, error) {
		return "", false, fmt.Errorf("mailbox: take mail of %s: %w", t.ID, err)
	}
	box, ok := t.SeenFrom(netip.Addr{}).DefaultMailbox() // a mail comes from outside the members' area
	if !ok {
		return fail(fmt.Errorf("no mailbox: %w", fault.NotFound))
	}
	if known, err := s.knownMail(ctx, t.ID, m.Mark); err != nil || known {
		return "", known, err
	}
	d := newDraft()
	facts := m.facts()
	if err := s.keepMail(ctx, &d, box, t.ID, m, &facts); err != nil {
		s.dropUploads(context.WithoutCancel(ctx), d.Files)
		return fail(err)
	}
	keys := letterKeys{Token: seal.Token(d.Token), Thread: d.Thread, Message: d.Message, K: d.key()}
	l := m.letter(box, &facts)
	l.Files = d.Files
	l.Mail = &mailed{mark: m.Mark, facts: sealPart(keys.K, t.ID, keys.Message, "mail", encode(facts)), quiet: m.Machine}
	done, known, err := s.send(ctx, t, l, keys)
	if err != nil {
		return fail(err)
	}
	if known { // another connection was faster
		s.dropUploads(context.WithoutCancel(ctx), d.Files)
		return "", true, nil
	}
	return done.Thread, false, nil
}

func (m Mailed) facts() mailFacts {
	return mailFacts{
		Name: visible(m.Name), Address: m.Address, ReplyTo: m.ReplyTo, To: m.To, MessageID: m.MessageID, Proof: m.Proof, SPF: m.SPF, DKIM: m.DKIM,
		DMARC: m.DMARC, Machine: m.Machine, HTML: m.HTML, Partial: m.Partial, Encrypted: m.Encrypted,
	}
}

// letter makes the letter of a mail, without its files. Its sender is the name
// that the mail claims, or the address; an answer goes to the address.
func (m Mailed) letter(box tenant.Mailbox, facts *mailFacts) letter {
	l := letter{Mailbox: box, Reply: replyMail, Contact: contact{Email: m.Address, Name: visible(m.Name), MailID: m.MessageID, MailTo: m.To}}
	if l.Contact.Name == "" {
		l.Contact.Name = m.Address
	}
	if m.Machine || m.Address == "" {
		l.Reply = replyNone
	}
	var cut bool
	l.Subject, _ = cutText(visible(m.Subject), maxMailSubject)
	l.Body, cut = cutText(m.Body, maxMailText)
	facts.Cut = cut
	return l
}

// visible takes out of one line what cannot be seen and changes how the rest is
// read: control characters and those that turn the direction of writing. The
// subject stands in titles of windows, where nothing marks them.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
}

// cutText shortens s to at most n bytes of whole characters.
func cutText(s string, n int) (string, bool) {
	if len(s) <= n {
		return s, false
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n], true
}

// keepMail seals the mail as it came and those of its attachments that the
// mailbox accepts.
func (s *Service) keepMail(ctx context.Context, d *draft, box tenant.Mailbox, of tenant.ID, m Mailed, facts *mailFacts) error {
	attached := newDraft()
	attached.Message, attached.K = d.Message, d.K
	defer func() { d.Files = append(d.Files, attached.Files...) }()
	for _, f := range m.Files {
		u, err := s.receiveOne(ctx, attached, box, of, f)
		if why := refusedWhy(err); why != "" {
			facts.Left = append(facts.Left, leftFile{cleanFileName(f.Name), why})
			continue
		}
		if err != nil {
			return err
		}
		attached.Files = append(attached.Files, u)
	}
	u := upload{Part: "file/" + newID(), Blob: blob.NewID(), Name: originalName, Type: originalType}
	var err error
	u.Size, u.SHA256, err = s.sealToBlob(ctx, d.key(), place(of, d.Message, u.Part), u, bytes.NewReader(m.Original), int64(len(m.Original)))
	if err != nil {
		return fmt.Errorf("keep original: %w", err)
	}
	d.Files = append(d.Files, u)
	return nil
}

// refusedWhy says by which rule of the mailbox a file was refused, "" for none.
func refusedWhy(err error) string {
	if !errors.Is(err, fault.Invalid) {
		return ""
	}
	for _, f := range fault.FieldsOf(err) {
		switch f.Key {
		case "mailbox.error.files.many":
			return "many"
		case "mailbox.error.files.empty":
			return "empty"
		case "mailbox.error.files.kind":
			return "kind"
		}
	}
	return "big"
}

func (s *Service) knownMail(ctx context.Context, of tenant.ID, mark []byte) (known bool, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		known, err = hasMark(ctx, tx, of, mark)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("mailbox: look for mail: %w", err)
	}
	return known, nil
}

// sweepMarks removes the marks of mails that nobody sends again.
func (s *Service) sweepMarks(ctx context.Context, _ jobs.Job) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error { return dropMarks(ctx, tx, tx.Now.Add(-marksKept)) })
	if err != nil {
		return fmt.Errorf("mailbox: sweep marks of mails: %w", err)
	}
	return nil
}

// Bounced notes that the mail with an answer of the office did not arrive, as the
// report of a mail server says; the id is the local part of its Message-ID. What
// is no answer by mail is ignored, so that a made-up report does nothing. It
// reports whether there was such an answer.
func (s *Service) Bounced(ctx context.Context, messageID string) (found bool, err error) {
	if !validDraftID(messageID) {
		return false, nil
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		m, err := selectMessageThread(ctx, tx, messageID)
		if found = err == nil && m.Kind == fromOffice && m.ByMail; !found {
			if errors.Is(err, fault.NotFound) {
				err = nil
			}
			return err
		}
		return s.undelivered(ctx, tx, m.ID)
	})
	if err != nil {
		return false, fmt.Errorf("mailbox: bounced answer %s: %w", messageID, err)
	}
	return found, nil
}

// answersByMail reports whether an answer to the thread leaves as plain e-mail.
func (s *Service) answersByMail(th thread) bool {
	return th.Reply == replyEmail || th.Reply == replyMail && s.mayMail(th)
}

// mayMail reports whether the mailbox of a thread may answer by plain e-mail.
func (s *Service) mayMail(th thread) bool {
	t, ok := s.Directory.ByID(th.Tenant)
	if !ok {
		return false
	}
	box, ok := t.Mailbox(th.Mailbox)
	return ok && box.EmailReply
}

// errNoWay refuses an answer that would reach nobody.
func (s *Service) errNoWay(th thread) error {
	if th.Reply.byMail() && !s.answersByMail(th) {
		return fault.With(fault.Conflict, "mailbox.bymail.noway")
	}
	return nil
}

// factsOf opens how a letter came, for a person who may read it; nil for one that
// did not come by e-mail.
func (s *Service) factsOf(ctx context.Context, th thread, keys map[string]seal.Key) (*mailFacts, error) {
	k, ok := keys[th.First]
	if !th.Reply.byMail() || !ok {
		return nil, nil
	}
	var sealed []byte
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		sealed, err = selectFacts(ctx, tx, th.Tenant, th.First)
		return err
	})
	if err != nil {
		return nil, err
	}
	return openFacts(k, th.Tenant, th.First, sealed)
}

// answerHeaders lead what the sender writes next to the address that they wrote
// to first, and join the answer to their mail. What stands in their mail becomes a
// header only in the narrowest form.
func answerHeaders(c contact) map[string]string {
	h := map[string]string{}
	if validMessageID(c.MailID) {
		h["In-Reply-To"], h["References"] = c.MailID, c.MailID
	}
	if a, err := mail.ParseAddress("to", c.MailTo); err == nil {
		h["Reply-To"] = string(a)
	}
	return h
}

// validMessageID accepts "<left@right>" of printable ASCII.
func validMessageID(id string) bool {
	return len(id) > 4 && len(id) <= 250 && strings.HasPrefix(id, "<") && strings.HasSuffix(id, ">") &&
		strings.Count(id, "@") == 1 && !strings.ContainsFunc(id[1:len(id)-1], func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' })
}
