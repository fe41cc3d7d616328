package mailbox

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
)

// This file is the post office without pages: what the demonstration, the load
// generator and incoming mail need. It goes the way that the assistant and the
// staff pages go, down to the same sealing, checks of files and transactions;
// only the words of a form are not asked for again.

// Letter is a letter that did not come through the assistant. Texts are valid
// UTF-8 in NFC. Reply is "code", "letter" or "email"; empty means "code".
// Topic may be empty. Name and Address are required where the mailbox or the
// way of answering needs them, Email for an answer by e-mail, which the mailbox
// must allow. Lang is the language of mails to the sender, "de" or "en"; empty
// means the language of the context.
type Letter struct {
	Mailbox tenant.MailboxID
	Topic   string
	Subject string
	Body    string
	Reply   string
	Email   string
	Name    string
	Address string
	Lang    string
	Files   []File
}

// File is a file to send: Content, or, for a large one, what Open returns. It
// is held to the limits and kinds of the mailbox.
type File struct {
	Name    string
	Content []byte
	Open    func() (io.ReadCloser, error)
}

func (f File) reader() (io.ReadCloser, error) {
	if f.Open != nil {
		return f.Open()
	}
	return io.NopCloser(bytes.NewReader(f.Content)), nil
}

// Delivered says what became of a letter. Code is the collection code: it
// opens the thread and is stored nowhere.
type Delivered struct {
	Code    seal.Code
	Thread  string
	Message string
	Number  string
	At, Due time.Time
}

// Deliver stores a letter to an office of t and returns after the durable
// commit. The office can read it once the vault has taken it in: Run does so
// within moments, TakeIn at once. What the mailbox does not accept is
// fault.Invalid, a mailbox that t does not have fault.NotFound; then nothing is
// stored.
func (s *Service) Deliver(ctx context.Context, t *tenant.Tenant, l Letter) (Delivered, error) {
	return s.deliver(ctx, t, "", l)
}

// DeliverHeld is Deliver for a person with an account of t's realm: the letter is
// in their mailbox, and its code opens nothing. Reply "" means the mailbox.
func (s *Service) DeliverHeld(ctx context.Context, t *tenant.Tenant, who account.Citizen, l Letter) (Delivered, error) {
	if l.Reply == "" {
		l.Reply = string(replyAccount)
	}
	return s.deliver(ctx, t, who.ID, l)
}

func (s *Service) deliver(ctx context.Context, t *tenant.Tenant, accountID string, l Letter) (Delivered, error) {
	box, ok := t.Mailbox(l.Mailbox)
	if !ok {
		return Delivered{}, fmt.Errorf("mailbox: deliver to %s/%s: %w", t.ID, l.Mailbox, fault.NotFound)
	}
	way, err := l.check(box, accountID != "")
	if err != nil {
		return Delivered{}, fmt.Errorf("mailbox: deliver to %s/%s: %w", t.ID, l.Mailbox, err)
	}
	d := newDraft()
	if err := s.receiveAll(ctx, &d, box, t.ID, l.Files); err != nil {
		return Delivered{}, fmt.Errorf("mailbox: deliver to %s/%s: %w", t.ID, l.Mailbox, err)
	}
	keys := letterKeys{Token: seal.Token(d.Token), Thread: d.Thread, Message: d.Message, K: d.key()}
	done, _, err := s.send(ctx, t, letter{
		Mailbox: box, Topic: l.Topic, Subject: l.Subject, Body: l.Body, Reply: way,
		Contact: contact{Email: l.Email, Name: l.Name, Address: l.Address, Lang: cmp.Or(l.Lang, i18n.Lang(ctx))}, Files: d.Files, Account: accountID,
	}, keys)
	if err != nil {
		// The uploads stay for the sweep: a commit that was not answered may
		// have been made, and then the letter needs them.
		return Delivered{}, err
	}
	return Delivered{Code: keys.Token.Code(), Thread: done.Thread, Message: d.Message, Number: done.Number, At: done.At, Due: done.Due}, nil
}

// check holds a letter against what its mailbox wants. The limits of length are
// those of the form; a caller without a form gets the kind of the error and a
// word for the log, no sentence.
func (l Letter) check(box tenant.Mailbox, registered bool) (replyWay, error) {
	bad := func(what string) (replyWay, error) { return "", fmt.Errorf("letter %s: %w", what, fault.Invalid) }
	way := replyWay(l.Reply)
	if way == "" {
		way = replyCode
	}
	for _, text := range []string{l.Subject, l.Body, l.Email, l.Name, l.Address} {
		if !utf8.ValidString(text) {
			return bad("is not UTF-8")
		}
	}
	if _, ok := box.Topic(l.Topic); l.Topic != "" && !ok {
		return bad("names a topic that the mailbox does not have")
	}
	switch {
	case strings.TrimSpace(l.Subject) == "" || strings.TrimSpace(l.Body) == "":
		return bad("has no subject or no text")
	case box.SenderRequired && (l.Name == "" || l.Address == ""):
		return bad("has no sender")
	case way != replyCode && way != replyLetter && way != replyEmail && way != replyAccount, registered != (way == replyAccount) && way != replyLetter:
		return bad("asks for an unknown way of answering")
	case way == replyLetter && (l.Name == "" || l.Address == ""):
		return bad("asks for a letter without an address")
	case way == replyEmail && (!box.EmailReply || l.Email == ""):
		return bad("asks for an answer by e-mail that cannot be")
	}
	return way, nil
}

// receiveAll seals files into the blob store, one after the other, and adds
// them to the draft. After an error none of them is left.
func (s *Service) receiveAll(ctx context.Context, d *draft, box tenant.Mailbox, of tenant.ID, files []File) error {
	for _, f := range files {
		u, err := s.receiveOne(ctx, *d, box, of, f)
		if err != nil {
			s.dropUploads(context.WithoutCancel(ctx), d.Files)
			d.Files = nil
			return err
		}
		d.Files = append(d.Files, u)
	}
	return nil
}

func (s *Service) receiveOne(ctx context.Context, d draft, box tenant.Mailbox, of tenant.ID, f File) (upload, error) {
	r, err := f.reader()
	if err != nil {
		return upload{}, err
	}
	defer r.Close()
	return s.receive(ctx, d, box, of, f.Name, r)
}

// WriteAgain adds a letter to the thread that a collection code opens. A code
// that opens nothing is fault.Invalid, as on the page.
func (s *Service) WriteAgain(ctx context.Context, t *tenant.Tenant, code seal.Code, body string, files ...File) error {
	c, err := s.collect(ctx, t.ID, string(code))
	if err != nil {
		return err
	}
	return s.deliverAgain(ctx, t, c, body, files)
}

func (s *Service) deliverAgain(ctx context.Context, t *tenant.Tenant, c collected, body string, files []File) error {
	_, box, err := s.placeOf(ctx, t, c.Thread)
	if err != nil {
		return err
	}
	d := newDraft()
	d.Token, d.Thread = "", c.Thread
	if err := s.receiveAll(ctx, &d, box, t.ID, files); err != nil {
		return fmt.Errorf("mailbox: write again: %w", err)
	}
	return s.writeAgain(ctx, t.ID, c, d, body)
}

// AskWithdrawal records that the holder of a collection code wants the matter
// withdrawn; a clerk decides.
func (s *Service) AskWithdrawal(ctx context.Context, t *tenant.Tenant, code seal.Code) error {
	c, err := s.collect(ctx, t.ID, string(code))
	if err != nil {
		return err
	}
	return s.askWithdrawal(ctx, t.ID, c)
}

// placeOf returns a thread and the mailbox that it lies in, with its limits.
func (s *Service) placeOf(ctx context.Context, t *tenant.Tenant, threadID string) (thread, tenant.Mailbox, error) {
	th, err := s.threadOf(ctx, t.ID, threadID)
	if err != nil {
		return thread{}, tenant.Mailbox{}, err
	}
	box, ok := t.Mailbox(th.Mailbox)
	if !ok {
		return thread{}, tenant.Mailbox{}, fmt.Errorf("mailbox: mailbox %s/%s: %w", t.ID, th.Mailbox, fault.NotFound)
	}
	return th, box, nil
}

func (s *Service) threadOf(ctx context.Context, of tenant.ID, id string) (th thread, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		th, err = selectThread(ctx, tx, of, id)
		return err
	})
	if err != nil {
		return thread{}, fmt.Errorf("mailbox: thread %s: %w", id, err)
	}
	return th, nil
}

// TakeIn hands all waiting keys to the vault now and returns how many it has
// answered for. Run does the same by itself.
func (s *Service) TakeIn(ctx context.Context) (int, error) { return s.takeIn(ctx) }

// Reply is an answer of the office, or with Note set an internal note, in
// Markdown. Close closes the thread with it.
type Reply struct {
	Thread string
	Body   string
	Files  []File
	Note   bool
	Close  bool
}

// Answer sends an answer, or stores a note, as a clerk who has just looked at
// the thread. Who is no member of its mailbox gets fault.NotFound; a closed
// thread takes notes only (fault.Conflict).
func (s *Service) Answer(ctx context.Context, who account.Actor, r Reply) error {
	t, ok := s.Directory.ByID(who.Tenant)
	if !ok {
		return fmt.Errorf("mailbox: answer %s: tenant %s: %w", r.Thread, who.Tenant, fault.NotFound)
	}
	th, box, err := s.placeOf(ctx, t, r.Thread)
	if err != nil {
		return err
	}
	d, err := s.prepareAnswer(ctx, who, r.Thread, !r.Note && s.answersByMail(th))
	if err != nil {
		return err
	}
	if err := s.receiveAll(ctx, &d, box, who.Tenant, r.Files); err != nil {
		return fmt.Errorf("mailbox: answer %s: %w", r.Thread, err)
	}
	in := answerInput{Thread: r.Thread, Version: th.Version, Draft: d, Body: r.Body, Note: r.Note, Close: r.Close}
	return s.answer(ctx, who, in)
}

// Assign gives a thread to a member of its mailbox, or to nobody ("").
func (s *Service) Assign(ctx context.Context, who account.Actor, threadID, person string) error {
	return s.assign(ctx, who, threadID, person)
}

// CloseThread closes a thread; closing a closed one changes nothing.
func (s *Service) CloseThread(ctx context.Context, who account.Actor, threadID string) error {
	return s.closeThread(ctx, who, threadID)
}

// Forward hands a thread to another mailbox of the same authority. The reason
// is for the office; with tell the sender learns that it was forwarded.
func (s *Service) Forward(ctx context.Context, who account.Actor, threadID string, to tenant.MailboxID, reason string, tell bool) error {
	t, ok := s.Directory.ByID(who.Tenant)
	if !ok {
		return fmt.Errorf("mailbox: forward %s: tenant %s: %w", threadID, who.Tenant, fault.NotFound)
	}
	box, ok := t.Mailbox(to)
	if !ok {
		return fmt.Errorf("mailbox: forward %s to %s: %w", threadID, to, fault.NotFound)
	}
	return s.forward(ctx, who, threadID, box, reason, tell)
}

// MarkRead marks a thread as seen by the office.
func (s *Service) MarkRead(ctx context.Context, who account.Actor, threadID string) error {
	return s.markRead(ctx, who, threadID)
}
