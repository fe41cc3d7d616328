package mailbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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

// opened is a thread whose messages have been unsealed for the person who
// asked.
type opened struct {
	thread
	Subject  string
	Contact  contact
	Messages []openMessage
	Receipt  string
	// Pending counts messages whose keys have not reached the vault yet. When
	// that is so for the first one, Sealed is set and there is no subject.
	Pending int
	Sealed  bool
	// Older counts messages that are too far back to be shown.
	Older int
	// Mail says how a letter came that was an ordinary e-mail.
	Mail *mailFacts
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
// that the clerk is no member of is NotFound, exactly as one that never was;
// one that is being deleted is NotFound already.
// This is the list's rule; what keeps content closed is the vault.
func mine(ctx context.Context, tx *db.Tx, who account.Actor, id string) (thread, error) {
	t, err := selectReceiving(ctx, tx, who.Tenant, id)
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
	var all int
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		if t, err = mine(ctx, tx, who, id); err != nil {
			return err
		}
		if list, err = selectMessages(ctx, tx, who.Tenant, id); err != nil {
			return err
		}
		if all = len(list); all == shownMessages {
			all, err = countMessages(ctx, tx, who.Tenant, id)
		}
		return err
	})
	if err != nil {
		return opened{}, fmt.Errorf("mailbox: open %s: %w", id, err)
	}
	keys, err := s.openKeys(ctx, who, id, list)
	if err != nil {
		return opened{}, fmt.Errorf("mailbox: open %s: %w", id, paused(err))
	}
	o, err := unseal(t, list, keys)
	o.Older = all - len(list)
	if err == nil {
		o.Mail, err = s.factsOf(ctx, t, keys)
	}
	return o, err
}

// openBatch is how many messages the vault opens in one call.
const openBatch = 200

// openKeys asks the vault for the keys of messages of one thread.
func (s *Service) openKeys(ctx context.Context, who account.Actor, id string, list []message) (map[string]seal.Key, error) {
	return s.openBatches(ctx, who.Tenant, id, list, func(ids []string) (map[string]seal.Key, error) {
		return s.Vault.Open(ctx, who.Grant, string(who.Tenant), id, ids)
	})
}

// openBatches asks the vault for the keys of messages of one thread, a batch at
// a time. A thread that has not arrived there yet has none, which is no error.
func (s *Service) openBatches(ctx context.Context, of tenant.ID, id string, list []message, open func(ids []string) (map[string]seal.Key, error)) (map[string]seal.Key, error) {
	keys := make(map[string]seal.Key, len(list))
	for part := range slices.Chunk(list, openBatch) {
		ids := make([]string, len(part))
		for i, m := range part {
			ids[i] = m.ID
		}
		got, err := open(ids)
		if errors.Is(err, fault.NotFound) {
			if arrived, stateErr := s.arrived(ctx, of, id); stateErr != nil || arrived {
				return nil, cmp.Or(stateErr, err)
			}
			return keys, nil
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(keys, got)
	}
	return keys, nil
}

// arrived reports whether the vault knows a thread, or knew it.
func (s *Service) arrived(ctx context.Context, of tenant.ID, id string) (bool, error) {
	states, err := s.Vault.State(ctx, string(of), []string{id})
	_, ok := states[id]
	return ok, err
}

// paused gives the error of a vault that does not answer the sentence that
// says what still works.
func paused(err error) error {
	if errors.Is(err, fault.Unavailable) {
		return &fault.Error{Kind: fault.Unavailable, Key: "mailbox.error.vault", Err: err}
	}
	return err
}

// unseal opens the parts of the messages whose keys are given. A message
// without a key is on its way to the vault (or was refused there) and is left
// out.
func unseal(t thread, list []message, keys map[string]seal.Key) (opened, error) {
	_, first := keys[t.First]
	o := opened{thread: t, Sealed: !first}
	for _, m := range list {
		k, ok := keys[m.ID]
		if !ok {
			o.Pending++
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
	Version int    // of the thread when the form was shown; notes do not look at it
	Draft   draft  // holds message id, key and files
	Body    string // Markdown
	Note    bool   // internal note instead of an answer
	Close   bool
}

// errAnswered reports that the thread changed since the form was shown.
var errAnswered = fault.With(fault.Conflict, "mailbox.staff.conflict")

// drawKey has the vault draw the key of a new message of the office; it checks
// the membership. A job that removes the key again is stored first, for an
// answer that is never sent. The same person gets the same key for the same
// message again, unless it was removed meanwhile: fault.Conflict.
func (s *Service) drawKey(ctx context.Context, who account.Actor, threadID, messageID string, byMail bool) (seal.Key, error) {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		if _, err := mine(ctx, tx, who, threadID); err != nil {
			return err
		}
		ref := string(who.Tenant) + ":" + threadID + ":" + messageID
		return s.Jobs.Enqueue(ctx, tx, jobUnsent, ref, jobs.At(tx.Now.Add(unsentAfter)), jobs.Unique(messageID))
	})
	if err != nil {
		return seal.Key{}, fmt.Errorf("mailbox: begin answer to %s: %w", threadID, err)
	}
	k, err := s.Vault.Answer(ctx, who.Grant, string(who.Tenant), threadID, messageID, byMail)
	if err != nil {
		return seal.Key{}, fmt.Errorf("mailbox: begin answer to %s: %w", threadID, paused(err))
	}
	return k, nil
}

// keepKey takes back the job that destroys the key of an answer which is not
// sent, in the transaction that sends it. When the job has begun already the
// answer is errAnswered: what is stored under a destroyed key could never be
// read.
func (s *Service) keepKey(ctx context.Context, tx *db.Tx, messageID string) error {
	kept, err := s.Jobs.Cancel(ctx, tx, jobUnsent, messageID)
	if err == nil && !kept {
		err = errAnswered
	}
	return err
}

// prepareAnswer returns a new draft of an answer with its key.
func (s *Service) prepareAnswer(ctx context.Context, who account.Actor, threadID string, byMail bool) (draft, error) {
	d := newDraft()
	k, err := s.drawKey(ctx, who, threadID, d.Message, byMail)
	d.Token, d.Thread, d.K = "", threadID, k[:]
	return d, err
}

// answer stores an answer or a note. The same draft sent twice stores one
// message. A thread that changed meanwhile is errAnswered and nothing is sent:
// the clerk looks at it and sends again with the version seen then.
//
// The key is asked for once more, because the draft may be older than the key:
// what is stored under a key that was removed could never be read.
func (s *Service) answer(ctx context.Context, who account.Actor, in answerInput) error {
	what := fromOffice
	if in.Note {
		what = note
	}
	t, err := s.head(ctx, who, in.Thread)
	if err != nil {
		return err
	}
	if err := s.errNoWay(t); err != nil && !in.Note {
		return err
	}
	byMail := !in.Note && s.answersByMail(t)
	k, err := s.Vault.Answer(ctx, who.Grant, string(who.Tenant), in.Thread, in.Draft.Message, byMail)
	if err != nil {
		return fmt.Errorf("mailbox: answer %s: %w", in.Thread, paused(err))
	}
	m := sealMessage(who.Tenant, in.Thread, in.Draft.Message, what, k, in.Body, in.Draft.Files)
	m.Author, m.ByMail = who.Person, byMail
	if what == fromOffice {
		m.card = sealPart(k, who.Tenant, m.ID, "card", encode(card{Excerpt: excerptOf(markdown.Text(in.Body))}))
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := mine(ctx, tx, who, in.Thread)
		if err != nil {
			return err
		}
		fresh, err := insertMessage(ctx, tx, m)
		if err != nil || !fresh {
			return err
		}
		if t.State == stateClosed && !in.Note {
			return fault.With(fault.Conflict, "mailbox.staff.closed")
		}
		if t.Version != in.Version && !in.Note {
			return errAnswered
		}
		if err := s.keepKey(ctx, tx, m.ID); err != nil {
			return err
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

// head returns what is known of a thread without any key, by the rule of mine.
func (s *Service) head(ctx context.Context, who account.Actor, id string) (t thread, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		t, err = mine(ctx, tx, who, id)
		return err
	})
	if err != nil {
		return thread{}, fmt.Errorf("mailbox: thread %s: %w", id, err)
	}
	return t, nil
}

func (s *Service) commitAnswer(ctx context.Context, tx *db.Tx, who account.Actor, t thread, m message, in answerInput) error {
	action := "note.added"
	if !in.Note {
		t.Unread = false
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
	s.recount(tx, t.Tenant, t.Mailbox)
	return journal.Record(ctx, tx, journal.Entry{
		Tenant: string(who.Tenant), Actor: "staff:" + who.Person, Action: action, Object: in.Thread,
		Detail: map[string]string{"message": m.ID},
	})
}

// recount has the numbers beside the views counted anew after the commit.
func (s *Service) recount(tx *db.Tx, of tenant.ID, boxes ...tenant.MailboxID) {
	tx.AfterCommit(func() {
		for _, b := range boxes {
			s.counts.forget(of, b)
		}
	})
}

// change applies a clerk's action to a thread: assign, close, reopen, mark as
// read. apply reports whether there is anything to change: what is so already
// is neither written nor recorded again.
func (s *Service) change(ctx context.Context, who account.Actor, id, action string, apply func(*thread, *db.Tx) bool) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := mine(ctx, tx, who, id)
		if err != nil {
			return err
		}
		if !apply(&t, tx) {
			return nil
		}
		if err := saveThread(ctx, tx, t); err != nil {
			return err
		}
		s.recount(tx, t.Tenant, t.Mailbox)
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
	return s.change(ctx, who, id, "thread.assigned", func(t *thread, _ *db.Tx) bool {
		if t.Assignee == person {
			return false
		}
		t.Assignee = person
		if t.State == stateNew && person != "" {
			t.State = stateOpen
		}
		return true
	})
}

// before is what undoing an action of the inbox puts back.
type before struct {
	State    state  `json:"state"`
	Unread   bool   `json:"unread"`
	Assignee string `json:"assignee"`
}

// putBack undoes "mir" or "abschliessen". What somebody else changed since then
// stays as it is.
func (s *Service) putBack(ctx context.Context, who account.Actor, id, done string, b before) error {
	if done == "mir" {
		return s.change(ctx, who, id, "thread.assigned", func(t *thread, _ *db.Tx) bool {
			if t.Assignee != who.Person || b.Assignee == who.Person {
				return false
			}
			t.Assignee = b.Assignee
			if t.State == stateOpen {
				t.State = b.State
			}
			return true
		})
	}
	return s.change(ctx, who, id, "thread.reopened", func(t *thread, _ *db.Tx) bool {
		if t.State != stateClosed || b.State == stateClosed {
			return false
		}
		t.State, t.Closed, t.Unread = b.State, time.Time{}, b.Unread
		return true
	})
}

func (s *Service) isMember(ctx context.Context, of tenant.ID, box tenant.MailboxID, person string) (bool, error) {
	members, err := s.Vault.Members(ctx, string(of), string(box))
	if err != nil {
		return false, err
	}
	for _, m := range members {
		if m.Person == person {
			return m.Active, nil
		}
	}
	return false, nil
}

func (s *Service) closeThread(ctx context.Context, who account.Actor, id string) error {
	return s.change(ctx, who, id, "thread.closed", func(t *thread, tx *db.Tx) bool {
		if t.State == stateClosed {
			return false
		}
		t.State, t.Closed, t.Unread = stateClosed, tx.Now, false
		return true
	})
}

func (s *Service) reopenThread(ctx context.Context, who account.Actor, id string) error {
	return s.change(ctx, who, id, "thread.reopened", func(t *thread, _ *db.Tx) bool {
		if t.State != stateClosed {
			return false
		}
		t.State, t.Closed = stateOpen, time.Time{}
		return true
	})
}

func (s *Service) markRead(ctx context.Context, who account.Actor, id string) error {
	return s.change(ctx, who, id, "thread.read", func(t *thread, _ *db.Tx) bool {
		if !t.Unread {
			return false
		}
		t.Unread = false
		if t.State == stateNew {
			t.State = stateOpen
		}
		return true
	})
}

// contentCount says how much a thread holds.
type contentCount struct{ Messages, Notes, Files int }

// contents counts what goes when a thread is deleted.
func (s *Service) contents(ctx context.Context, who account.Actor, id string) (n contentCount, t thread, err error) {
	var list []message
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if t, err = mine(ctx, tx, who, id); err != nil {
			return err
		}
		list, err = selectMessages(ctx, tx, who.Tenant, id)
		return err
	})
	if err != nil {
		return n, t, fmt.Errorf("mailbox: contents of %s: %w", id, err)
	}
	for _, m := range list {
		if m.Kind == fromCitizen || m.Kind == fromOffice {
			n.Messages++
		} else {
			n.Notes++
		}
		n.Files += len(m.files)
	}
	return n, t, nil
}

// protocol returns the newest entries of the journal about a thread.
func (s *Service) protocol(ctx context.Context, who account.Actor, id string, limit int) (list []journal.Item, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		list, err = journal.List(ctx, tx, string(who.Tenant), id, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mailbox: protocol of %s: %w", id, err)
	}
	return list, nil
}

// staffFile streams a file of a thread to a clerk; see download.
func (s *Service) staffFile(ctx context.Context, who account.Actor, id, messageID, part string, open func(fileCard) (io.Writer, error)) error {
	if _, err := s.head(ctx, who, id); err != nil {
		return err
	}
	keys, err := s.Vault.Open(ctx, who.Grant, string(who.Tenant), id, []string{messageID})
	if err != nil {
		return fmt.Errorf("mailbox: file of %s: %w", messageID, paused(err))
	}
	k, ok := keys[messageID]
	if !ok {
		return fmt.Errorf("mailbox: file of %s: %w", messageID, fault.NotFound)
	}
	return s.download(ctx, who.Tenant, id, messageID, part, k, open)
}
