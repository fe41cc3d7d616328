package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
)

// opened is a thread whose messages have been unsealed for the person who
// asked.
type opened struct {
	thread
	Subject  string
	Contact  contact
	Messages []openMessage
	Receipt  string
}

type openMessage struct {
	message
	Body  string
	Event eventNote
	Files []openFile
}

type openFile struct {
	fileCard
	Message string
	Part    string
}

// mine loads a thread for a clerk. A thread of another tenant or of a mailbox
// that the clerk is no member of is NotFound, exactly as one that never was.
// This is the list's rule; what keeps content closed is the vault.
func mine(ctx context.Context, tx *db.Tx, who account.Actor, id string) (thread, error) {
	t, err := selectThread(ctx, tx, who.Tenant, id)
	if err != nil {
		return thread{}, err
	}
	if !slices.Contains(who.Mailboxes, t.Mailbox) {
		return thread{}, fault.NotFound
	}
	return t, nil
}

// openThread reads a thread with all its content.
func (s *Service) openThread(ctx context.Context, who account.Actor, id string) (opened, error) {
	var t thread
	var list []message
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		if t, err = mine(ctx, tx, who, id); err != nil {
			return err
		}
		list, err = selectMessages(ctx, tx, who.Tenant, id)
		return err
	})
	if err != nil {
		return opened{}, fmt.Errorf("mailbox: open %s: %w", id, err)
	}
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = m.ID
	}
	keys, err := s.Vault.Open(ctx, who.Grant, string(who.Tenant), id, ids)
	if err != nil {
		return opened{}, fmt.Errorf("mailbox: open %s: %w", id, err)
	}
	return unseal(t, list, keys)
}

// unseal opens the parts of the messages whose keys are given. A message
// without a key is on its way to the vault (or was refused there) and is left
// out.
func unseal(t thread, list []message, keys map[string]seal.Key) (opened, error) {
	o := opened{thread: t}
	for _, m := range list {
		k, ok := keys[m.ID]
		if !ok {
			continue
		}
		om, err := unsealMessage(m, k)
		if err != nil {
			return opened{}, fmt.Errorf("mailbox: message %s: %w", m.ID, err)
		}
		if m.ID == t.First {
			if err := o.readFirst(m, k); err != nil {
				return opened{}, fmt.Errorf("mailbox: message %s: %w", m.ID, err)
			}
		}
		o.Messages = append(o.Messages, om)
	}
	return o, nil
}

func (o *opened) readFirst(m message, k seal.Key) error {
	c, err := openCard(k.Derive("card"), m.Tenant, m.ID, m.card)
	if err != nil {
		return err
	}
	o.Subject = c.Subject
	if len(m.contact) > 0 {
		if o.Contact, err = openContact(k.Derive("contact"), m.Tenant, m.ID, m.contact); err != nil {
			return err
		}
	}
	if len(m.receipt) > 0 {
		r, err := openPart(k, m.Tenant, m.ID, "receipt", m.receipt)
		if err != nil {
			return err
		}
		o.Receipt = string(r)
	}
	return nil
}

func unsealMessage(m message, k seal.Key) (openMessage, error) {
	om := openMessage{message: m}
	body, err := openPart(k, m.Tenant, m.ID, "body", m.body)
	if err != nil {
		return om, err
	}
	if m.Kind == event {
		if err := decodeEvent(body, &om.Event); err != nil {
			return om, err
		}
	} else {
		om.Body = string(body)
	}
	for _, f := range m.files {
		c, err := openFileCard(k, m.Tenant, m.ID, f)
		if err != nil {
			return om, err
		}
		om.Files = append(om.Files, openFile{fileCard: c, Message: m.ID, Part: strings.TrimPrefix(f.part, "file/")})
	}
	return om, nil
}

// answerInput is what a clerk sends.
type answerInput struct {
	Thread  string
	Version int    // of the thread when the form was shown
	Draft   draft  // holds message id, key and files
	Body    string // Markdown
	Note    bool   // internal note instead of an answer
	Close   bool
	Anyway  bool // send although somebody else has answered meanwhile
}

// errAnswered reports that the thread changed since the form was shown.
var errAnswered = fault.With(fault.Conflict, "mailbox.staff.conflict")

// prepareAnswer draws the key of a new message of the office from the vault,
// which checks the membership. A job that removes the key again is stored
// first, for an answer that is never sent.
func (s *Service) prepareAnswer(ctx context.Context, who account.Actor, threadID string, byMail bool) (draft, error) {
	d := newDraft()
	d.Token, d.Thread = "", threadID
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if _, err := mine(ctx, tx, who, threadID); err != nil {
			return err
		}
		return s.Jobs.Enqueue(ctx, tx, jobUnsent, string(who.Tenant)+":"+threadID+":"+d.Message, jobs.At(tx.Now.Add(unsentAfter)))
	})
	if err != nil {
		return draft{}, fmt.Errorf("mailbox: begin answer to %s: %w", threadID, err)
	}
	k, err := s.Vault.Answer(ctx, who.Grant, string(who.Tenant), threadID, d.Message, byMail)
	if err != nil {
		return draft{}, fmt.Errorf("mailbox: begin answer to %s: %w", threadID, err)
	}
	d.K = k[:]
	return d, nil
}

// answer stores an answer or a note. The same draft sent twice stores one
// message. A thread that changed meanwhile is errAnswered and nothing is sent,
// unless the clerk has seen it and says so.
func (s *Service) answer(ctx context.Context, who account.Actor, in answerInput) error {
	what := fromOffice
	if in.Note {
		what = note
	}
	m := sealMessage(who.Tenant, in.Thread, in.Draft.Message, what, in.Draft.key(), in.Body, in.Draft.Files)
	m.Author = who.Person
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := mine(ctx, tx, who, in.Thread)
		if err != nil {
			return err
		}
		if t.State == stateClosed && !in.Note {
			return fault.With(fault.Conflict, "mailbox.staff.closed")
		}
		m.ByMail = !in.Note && t.Reply == replyEmail
		fresh, err := insertMessage(ctx, tx, m)
		if err != nil || !fresh {
			return err
		}
		if t.Version != in.Version && !in.Anyway {
			return errAnswered
		}
		for _, f := range in.Draft.Files {
			if err := s.Refs.Attach(ctx, tx, string(who.Tenant), f.Blob, m.ID, f.Size); err != nil {
				return err
			}
		}
		return s.commitAnswer(ctx, tx, who, t, m, in)
	})
	if err != nil {
		return fmt.Errorf("mailbox: answer %s: %w", in.Thread, err)
	}
	return nil
}

func (s *Service) commitAnswer(ctx context.Context, tx *db.Tx, who account.Actor, t thread, m message, in answerInput) error {
	t.Unread = false
	action := "note.added"
	if !in.Note {
		action = "answer.sent"
		t.State = stateWaiting
		if in.Close {
			t.State, t.Closed = stateClosed, tx.Now
		}
		if t.Assignee == "" {
			t.Assignee = who.Person
		}
		if err := s.tellCitizen(ctx, tx, t, m); err != nil {
			return err
		}
	}
	t.Files += len(in.Draft.Files)
	t.SizeClass = max(t.SizeClass, sizeClass(in.Draft.Files))
	if err := saveThread(ctx, tx, t); err != nil {
		return err
	}
	s.counts.forget(t.Tenant, t.Mailbox)
	return journal.Record(ctx, tx, journal.Entry{
		Tenant: string(who.Tenant), Actor: "staff:" + who.Person, Action: action, Object: in.Thread,
		Detail: map[string]string{"message": m.ID},
	})
}

// change applies a clerk's action to a thread: assign, close, reopen, mark as
// read. version 0 accepts any state of the thread.
func (s *Service) change(ctx context.Context, who account.Actor, id string, version int, action string, apply func(*thread, *db.Tx) error) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := mine(ctx, tx, who, id)
		if err != nil {
			return err
		}
		if version != 0 && t.Version != version {
			return errAnswered
		}
		if err := apply(&t, tx); err != nil {
			return err
		}
		t.Unread = false
		if err := saveThread(ctx, tx, t); err != nil {
			return err
		}
		s.counts.forget(t.Tenant, t.Mailbox)
		return journal.Record(ctx, tx, journal.Entry{
			Tenant: string(who.Tenant), Actor: "staff:" + who.Person, Action: action, Object: id,
		})
	})
	if err != nil {
		return fmt.Errorf("mailbox: %s %s: %w", action, id, err)
	}
	return nil
}

// assign gives a thread to a person; "" frees it. The person must be a member
// of the mailbox.
func (s *Service) assign(ctx context.Context, who account.Actor, id, person string) error {
	var box tenant.MailboxID
	err := s.DB.View(ctx, func(tx *db.Tx) error {
		t, err := mine(ctx, tx, who, id)
		box = t.Mailbox
		return err
	})
	if err != nil {
		return fmt.Errorf("mailbox: assign %s: %w", id, err)
	}
	if person != "" {
		ok, err := s.isMember(ctx, who.Tenant, box, person)
		if err != nil {
			return fmt.Errorf("mailbox: assign %s: %w", id, err)
		}
		if !ok {
			return fault.Fields(fault.Field{Name: "person", Key: "mailbox.error.person"})
		}
	}
	return s.change(ctx, who, id, 0, "thread.assigned", func(t *thread, _ *db.Tx) error {
		t.Assignee = person
		if t.State == stateNew && person != "" {
			t.State = stateOpen
		}
		return nil
	})
}

func (s *Service) isMember(ctx context.Context, of tenant.ID, box tenant.MailboxID, person string) (bool, error) {
	members, err := s.Vault.Members(ctx, string(of), string(box))
	if err != nil {
		return false, err
	}
	for _, m := range members {
		if m.Person == person {
			return true, nil
		}
	}
	return false, nil
}

func (s *Service) closeThread(ctx context.Context, who account.Actor, id string) error {
	return s.change(ctx, who, id, 0, "thread.closed", func(t *thread, tx *db.Tx) error {
		if t.State != stateClosed {
			t.State, t.Closed = stateClosed, tx.Now
		}
		return nil
	})
}

func (s *Service) reopenThread(ctx context.Context, who account.Actor, id string) error {
	return s.change(ctx, who, id, 0, "thread.reopened", func(t *thread, tx *db.Tx) error {
		if t.State == stateClosed {
			t.State = stateOpen
			t.Closed = time.Time{}
		}
		return nil
	})
}

func (s *Service) markRead(ctx context.Context, who account.Actor, id string) error {
	return s.change(ctx, who, id, 0, "thread.read", func(t *thread, _ *db.Tx) error {
		if t.State == stateNew {
			t.State = stateOpen
		}
		return nil
	})
}

// forward hands a thread to another mailbox of the same authority, with a
// reason that only the office reads. The vault re-wraps the thread key, so that
// from that moment the members of the new mailbox can read and those of the old
// one cannot.
func (s *Service) forward(ctx context.Context, who account.Actor, id string, to tenant.Mailbox, reason string, tell bool) error {
	d, err := s.prepareAnswer(ctx, who, id, false)
	if err != nil {
		return err
	}
	var from tenant.MailboxID
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := mine(ctx, tx, who, id)
		from = t.Mailbox
		if err == nil && from == to.ID {
			return fault.Fields(fault.Field{Name: "mailbox", Key: "mailbox.error.forward.same"})
		}
		if err != nil {
			return err
		}
		return s.Jobs.Enqueue(ctx, tx, jobSettle, string(who.Tenant)+":"+id, jobs.At(tx.Now.Add(settleSoon)))
	})
	if err != nil {
		return fmt.Errorf("mailbox: forward %s: %w", id, err)
	}
	note := encode(eventNote{Event: "forward", From: string(from), To: string(to.ID), Reason: reason, Tell: tell})
	m := sealMessage(who.Tenant, id, d.Message, event, d.key(), string(note), nil)
	m.Author = who.Person
	if err := s.Vault.Forward(ctx, who.Grant, string(who.Tenant), id, string(to.ID)); err != nil {
		return fmt.Errorf("mailbox: forward %s: %w", id, err)
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error { return s.commitForward(ctx, tx, who, id, to, m, tell) })
	if err != nil {
		return fmt.Errorf("mailbox: forward %s: %w", id, err)
	}
	return nil
}

func (s *Service) commitForward(ctx context.Context, tx *db.Tx, who account.Actor, id string, to tenant.Mailbox, m message, tell bool) error {
	t, err := selectThread(ctx, tx, who.Tenant, id)
	if err != nil {
		return err
	}
	if _, err := insertMessage(ctx, tx, m); err != nil {
		return err
	}
	from := t.Mailbox
	t.Mailbox, t.Assignee, t.Unread = to.ID, "", true
	t.Topic = "" // topics belong to a mailbox
	if t.State != stateClosed {
		t.State = stateNew
	}
	t.Due = tenant.WorkingDays(tx.Now, to.ReplyDays)
	if err := saveThread(ctx, tx, t); err != nil {
		return err
	}
	s.counts.forget(t.Tenant, from)
	s.counts.forget(t.Tenant, to.ID)
	if tell {
		if err := s.tellCitizen(ctx, tx, t, m); err != nil {
			return err
		}
	}
	if err := s.tellOffice(ctx, tx, t); err != nil {
		return err
	}
	return journal.Record(ctx, tx, journal.Entry{
		Tenant: string(who.Tenant), Actor: "staff:" + who.Person, Action: "thread.forwarded", Object: id,
		Detail: map[string]string{"from": string(from), "mailbox": string(to.ID)},
	})
}

// remove deletes a thread for good. The order is: the record that it was
// asked, the keys in the vault, the rows, the files. After the second step
// nothing opens the letter any more, in no copy of database and files; a crash
// after it is finished by the settling job.
func (s *Service) remove(ctx context.Context, who account.Actor, id, reason string) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if _, err := mine(ctx, tx, who, id); err != nil {
			return err
		}
		if err := s.Jobs.Enqueue(ctx, tx, jobSettle, string(who.Tenant)+":"+id, jobs.At(tx.Now.Add(settleSoon))); err != nil {
			return err
		}
		return journal.Record(ctx, tx, journal.Entry{
			Tenant: string(who.Tenant), Actor: "staff:" + who.Person, Action: "thread.deletion", Object: id,
			Detail: map[string]string{"ground": reason},
		})
	})
	if err != nil {
		return fmt.Errorf("mailbox: delete %s: %w", id, err)
	}
	if err := s.Vault.Shred(ctx, who.Grant, string(who.Tenant), id); err != nil {
		return fmt.Errorf("mailbox: delete %s: %w", id, err)
	}
	return s.removeRows(ctx, who.Tenant, id, "staff:"+who.Person)
}

func (s *Service) removeRows(ctx context.Context, of tenant.ID, id, actor string) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := selectThread(ctx, tx, of, id)
		if errors.Is(err, fault.NotFound) {
			return nil // done before
		}
		if err != nil {
			return err
		}
		blobs, err := removeThread(ctx, tx, of, id)
		if err != nil {
			return err
		}
		for _, b := range blobs {
			if err := s.Refs.Release(ctx, tx, string(of), blob.ID(b)); err != nil {
				return err
			}
		}
		s.counts.forget(of, t.Mailbox)
		return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: actor, Action: "thread.deleted", Object: id})
	})
	if err != nil {
		return fmt.Errorf("mailbox: delete rows of %s: %w", id, err)
	}
	return nil
}
