package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/markdown"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
)

// This file lets an office write first, to a person with an account who wrote to
// the authority before or asked for it (A48). It goes through a thread that this
// person holds, or through their permission: nobody looks for people, and no
// address is shown. The vault wraps the key of the new thread for the very
// accounts that hold what it begins from.

// jobUnbegun destroys the keys of a thread that was begun and never sent.
const jobUnbegun = "mailbox.unbegun" // tenant:thread

// errNobody says that nobody with an account holds the thread (any more).
var errNobody = fault.With(fault.Conflict, "mailbox.staff.begin.nobody")

// origin is what a new message begins from: a thread that the person holds, or
// their permission. That is for one mailbox, the thread for all of the clerk's.
type origin struct {
	ID         string
	Permission bool
	Mailbox    tenant.MailboxID // of the permission
}

// boxes are the mailboxes in which the new thread may lie, in the order of the
// authority.
func (o origin) boxes(t *tenant.Tenant, who account.Actor) []tenant.Mailbox {
	return slices.DeleteFunc(boxesOf(t, who), func(m tenant.Mailbox) bool { return o.Permission && m.ID != o.Mailbox })
}

// box is the one of these that has an id.
func (o origin) box(t *tenant.Tenant, who account.Actor, id tenant.MailboxID) (tenant.Mailbox, bool) {
	for _, m := range o.boxes(t, who) {
		if m.ID == id {
			return m, true
		}
	}
	return tenant.Mailbox{}, false
}

// page is where the clerk came from.
func (o origin) page() string {
	if o.Permission {
		return permitsPath
	}
	return casePath(o.ID)
}

// form is the address of the page on which the message is written.
func (o origin) form() string {
	if o.Permission {
		return permitPath(o.ID) + "/neu"
	}
	return casePath(o.ID) + "/neu"
}

// mine checks that the clerk may see it, by the rule of the lists, and that it
// is for the mailbox of the new thread.
func (o origin) mine(ctx context.Context, tx *db.Tx, who account.Actor, box tenant.MailboxID) error {
	if o.Permission {
		p, err := permissionFor(ctx, tx, who, o.ID)
		if err == nil && p.Mailbox != box {
			err = fault.NotFound
		}
		return err
	}
	_, err := mine(ctx, tx, who, o.ID)
	return err
}

// holders returns the accounts to which a message from here goes. From a thread
// that began by a permission it goes to nobody before they have written in it:
// the permission is what counts.
func (o origin) holders(ctx context.Context, tx *db.Tx, of tenant.ID) (accounts []string, err error) {
	if o.Permission {
		p, err := selectPermission(ctx, tx, of, o.ID)
		if errors.Is(err, fault.NotFound) {
			return nil, nil // taken back
		}
		return []string{p.Account}, err
	}
	list, err := selectHolders(ctx, tx, of, o.ID)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if alone, err := isUnanswered(ctx, tx, of, o.ID); err != nil || alone {
		return nil, err
	}
	for _, h := range list {
		accounts = append(accounts, h.Account)
	}
	return accounts, err
}

// addressee is the person to whom the office writes: what they said of
// themselves, and of the thread or the permission what its page shows.
type addressee struct {
	Contact contact
	Mailbox tenant.MailboxID
	Number  string // of the thread
	Holders int
	Since   time.Time // of the permission
}

// addressee opens whom a message from here goes to.
func (s *Service) addressee(ctx context.Context, who account.Actor, from origin) (a addressee, err error) {
	if from.Permission {
		p, err := s.permitted(ctx, who, from.ID)
		return addressee{Contact: contact{Name: p.Name}, Mailbox: p.Mailbox, Holders: 1, Since: p.Created}, err
	}
	th, err := s.head(ctx, who, from.ID)
	if err != nil {
		return a, err
	}
	a.Mailbox, a.Number = th.Mailbox, th.Number
	a.Holders, err = s.holders(ctx, who.Tenant, from)
	return a, err
}

// beginInput is a new message to a person.
type beginInput struct {
	From    origin
	Draft   draft // holds the ids of thread and message, the key and the files
	Mailbox tenant.Mailbox
	Subject string
	Body    string // Markdown
}

// drawThread has the vault draw the keys of a new thread; it checks both
// memberships. The job that destroys them is stored first, for a message that is
// never sent. The same person gets the same key for the same draft.
func (s *Service) drawThread(ctx context.Context, who account.Actor, from origin, box tenant.MailboxID, threadID, messageID string) (seal.Key, error) {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if err := from.mine(ctx, tx, who, box); err != nil {
			return err
		}
		ref := string(who.Tenant) + ":" + threadID
		return s.Jobs.Enqueue(ctx, tx, jobUnbegun, ref, jobs.At(tx.Now.Add(unsentAfter)), jobs.Unique(threadID))
	})
	if err != nil {
		return seal.Key{}, fmt.Errorf("mailbox: begin thread: %w", err)
	}
	return s.begunKey(ctx, who, from, box, threadID, messageID)
}

// begunKey has the vault give the key of a thread that the person begins.
func (s *Service) begunKey(ctx context.Context, who account.Actor, from origin, box tenant.MailboxID, threadID, messageID string) (seal.Key, error) {
	k, err := s.Vault.Begin(ctx, who.Grant, string(who.Tenant), string(box), from.ID, threadID, messageID)
	if errors.Is(err, fault.Conflict) {
		return seal.Key{}, errNobody
	}
	if err != nil {
		return seal.Key{}, fmt.Errorf("mailbox: begin thread: %w", paused(err))
	}
	return k, nil
}

// begin stores a thread that the office begins. The same draft sent twice stores
// one thread. It is in the mailbox of the person with the commit.
func (s *Service) begin(ctx context.Context, who account.Actor, in beginInput) (number string, err error) {
	to, err := s.contactOf(ctx, who, in.From)
	if err != nil {
		return "", err
	}
	k, err := s.begunKey(ctx, who, in.From, in.Mailbox.ID, in.Draft.Thread, in.Draft.Message)
	if err != nil {
		return "", err
	}
	now := s.Now()
	if number, err = s.numbers.next(ctx, s.DB, who.Tenant, now); err != nil {
		return "", fmt.Errorf("mailbox: begin thread: %w", err)
	}
	th := thread{
		ID: in.Draft.Thread, Tenant: who.Tenant, Mailbox: in.Mailbox.ID, Number: number, State: stateWaiting, Reply: replyAccount,
		Registered: true, Assignee: who.Person, Files: len(in.Draft.Files), SizeClass: sizeClass(in.Draft.Files), First: in.Draft.Message,
		Due: tenant.WorkingDays(now, in.Mailbox.ReplyDays),
	}
	m := sealBegun(who, in, k, to)
	submit := seal.Token(strings.ToUpper(in.Draft.Message)).SubmitID()
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		fresh, err := insertThread(ctx, tx, th, submit)
		if err != nil {
			return err
		}
		if !fresh {
			old, err := selectThreadBySubmit(ctx, tx, who.Tenant, submit)
			number = old.Number
			return err
		}
		if _, err := insertMessage(ctx, tx, m); err != nil {
			return err
		}
		return s.commitBegun(ctx, tx, who, th, m, in)
	})
	if err != nil {
		return "", fmt.Errorf("mailbox: begin thread: %w", err)
	}
	return number, nil
}

// contactOf opens what the person said of themselves.
func (s *Service) contactOf(ctx context.Context, who account.Actor, from origin) (contact, error) {
	if from.Permission {
		p, err := s.permitted(ctx, who, from.ID)
		return contact{Name: p.Name}, err
	}
	o, err := s.openThread(ctx, who, from.ID)
	return o.Contact, err
}

// sealBegun seals the first message of a thread that the office begins. The name
// that the person gave before goes with it, so that the office sees to whom it
// has written; the address for mails does not.
func sealBegun(who account.Actor, in beginInput, k seal.Key, to contact) message {
	m := sealMessage(who.Tenant, in.Draft.Thread, in.Draft.Message, fromOffice, k, in.Body, in.Draft.Files)
	m.Author = who.Person
	m.card = sealPart(k, who.Tenant, m.ID, "card", encode(card{Subject: in.Subject, Sender: to.Name, Excerpt: excerptOf(markdown.Text(in.Body))}))
	if to.Email = ""; !to.empty() {
		m.contact = sealPart(k, who.Tenant, m.ID, "contact", encode(to))
	}
	return m
}

func (s *Service) commitBegun(ctx context.Context, tx *db.Tx, who account.Actor, th thread, m message, in beginInput) error {
	kept, err := s.Jobs.Cancel(ctx, tx, jobUnbegun, th.ID)
	if err == nil && !kept {
		err = errAnswered // its keys may be gone
	}
	if err != nil {
		return err
	}
	for _, f := range in.Draft.Files {
		if err := s.Refs.Attach(ctx, tx, string(who.Tenant), f.Blob, m.ID, f.Size); err != nil {
			return err
		}
	}
	if in.From.Permission {
		if err := markPermitted(ctx, tx, who.Tenant, th.ID); err != nil {
			return err
		}
	}
	holders, err := in.From.holders(ctx, tx, who.Tenant)
	if err == nil && len(holders) == 0 {
		err = errNobody
	}
	if err != nil {
		return err
	}
	for _, h := range holders {
		if _, err := insertHolding(ctx, tx, holding{Account: h, Tenant: who.Tenant, Thread: th.ID, Unread: true, Last: m.ID}); err != nil {
			return err
		}
		// The vault has the last word on who holds it.
		if err := s.enqueueHold(ctx, tx, who.Tenant, th.ID, h); err != nil {
			return err
		}
	}
	if err := s.tellHolders(ctx, tx, th, m); err != nil {
		return err
	}
	s.recount(tx, who.Tenant, th.Mailbox)
	return journal.Record(ctx, tx, journal.Entry{
		Tenant: string(who.Tenant), Actor: "staff:" + who.Person, Action: "thread.begun", Object: th.ID,
		Detail: map[string]string{"from": in.From.ID, "mailbox": string(th.Mailbox)},
	})
}

// runUnbegun destroys the keys of a thread that was begun and never sent.
func (s *Service) runUnbegun(ctx context.Context, j jobs.Job) error {
	of, id, _ := strings.Cut(j.Ref, ":")
	_, err := s.threadOf(ctx, tenant.ID(of), id)
	if !errors.Is(err, fault.NotFound) {
		return err // it was sent, or the database is away
	}
	if err := s.Vault.Shred(ctx, s.Tokens.Retention, of, id); err != nil && !errors.Is(err, fault.NotFound) {
		return fmt.Errorf("mailbox: drop unsent thread %s: %w", id, err)
	}
	return nil
}

// holders returns how many people with an account a message from here reaches.
func (s *Service) holders(ctx context.Context, of tenant.ID, from origin) (n int, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		list, err := from.holders(ctx, tx, of)
		n = len(list)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("mailbox: holders of %s: %w", from.ID, err)
	}
	return n, nil
}

// boxesOf are the mailboxes of a person of the staff, in the order of the
// authority.
func boxesOf(t *tenant.Tenant, who account.Actor) []tenant.Mailbox {
	return slices.DeleteFunc(slices.Clone(t.Mailboxes), func(m tenant.Mailbox) bool { return !slices.Contains(who.Mailboxes, m.ID) })
}
