package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/markdown"
	"poststelle/internal/tenant"
)

// Kinds of job. A reference is made of ids; addresses and texts are unsealed
// when the job runs, under a named grant of the vault, and audited there.
const (
	jobTellOffice  = "mailbox.telloffice"  // tenant:mailbox
	jobTellPerson  = "mailbox.tellperson"  // tenant:mailbox:person
	jobTellCitizen = "mailbox.tellcitizen" // message
	jobAnswerMail  = "mailbox.answermail"  // message
	jobSettle      = "mailbox.settle"      // tenant:thread
	jobUnsent      = "mailbox.unsent"      // tenant:thread:message
	jobDrain       = "mailbox.drain"
	jobReapply     = "mailbox.reapply"
)

const (
	// settleSoon is when a forward or a deletion that did not finish is
	// finished for the clerk.
	settleSoon = 15 * time.Second
	// mailFor is how long a mail is tried at least: over a long weekend without
	// a relay.
	mailFor = 5 * 24 * time.Hour
	// unsentAfter is when the key of an answer that was never sent goes: after
	// the longest possible session.
	unsentAfter = 9 * time.Hour
)

func (s *Service) registerJobs() {
	s.Jobs.Handle(jobTellOffice, s.runTellOffice)
	s.Jobs.Handle(jobTellPerson, s.runTellPerson, jobs.Lasting(mailFor))
	s.Jobs.Handle(jobTellCitizen, s.runTellCitizen, jobs.Lasting(mailFor))
	s.Jobs.Handle(jobAnswerMail, s.runAnswerMail, jobs.Lasting(mailFor), jobs.Buried(func(ctx context.Context, tx *db.Tx, j jobs.Job) error {
		return s.undelivered(ctx, tx, j.Ref)
	}))
	s.Jobs.Handle(jobSettle, s.runSettle)
	s.Jobs.Handle(jobUnsent, s.runUnsent)
	s.Jobs.Every(jobDrain, time.Hour, s.tidyIntake)
	s.Jobs.Every(jobReapply, time.Hour, s.runReapply)
	s.Jobs.Every(jobRetention, time.Hour, s.runRetention)
	s.Jobs.Every(jobMarks, 24*time.Hour, s.sweepMarks)
	s.registerAccountJobs()
}

// tellCitizen enqueues what the sender of a thread is to be told about a new
// message of the office: a notice without content, or the answer itself where
// the sender chose plain e-mail.
func (s *Service) tellCitizen(ctx context.Context, tx *db.Tx, t thread, m message) error {
	if err := s.tellHolders(ctx, tx, t, m); err != nil {
		return err
	}
	switch {
	case m.ByMail:
		return s.Jobs.Enqueue(ctx, tx, jobAnswerMail, m.ID)
	case t.Notice:
		return s.Jobs.Enqueue(ctx, tx, jobTellCitizen, m.ID)
	}
	return nil
}

// runTellOffice enqueues a mail for each clerk of a mailbox who asked for one: a
// job of its own, so that the trouble of one is not repeated for the others.
func (s *Service) runTellOffice(ctx context.Context, j jobs.Job) error {
	of, box, ok := strings.Cut(j.Ref, ":")
	if !ok {
		return jobs.Fatal(fmt.Errorf("mailbox: tell office: %w", fault.NotFound))
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		people, err := s.Accounts.NoticePeople(ctx, tx, tenant.ID(of), tenant.MailboxID(box))
		if err != nil {
			return err
		}
		for _, person := range people {
			if err := s.Jobs.Enqueue(ctx, tx, jobTellPerson, j.Ref+":"+person, jobs.Unique(j.ID+":"+person)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mailbox: tell office: %w", err)
	}
	return nil
}

// runTellPerson mails one clerk that there is something new; nothing else. Who
// no longer wants it gets none.
func (s *Service) runTellPerson(ctx context.Context, j jobs.Job) error {
	of, rest, _ := strings.Cut(j.Ref, ":")
	box, person, ok := strings.Cut(rest, ":")
	t, known := s.Directory.ByID(tenant.ID(of))
	if !ok || !known {
		return jobs.Fatal(fmt.Errorf("mailbox: tell person: %w", fault.NotFound))
	}
	var people []string
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		people, err = s.Accounts.NoticePeople(ctx, tx, t.ID, tenant.MailboxID(box))
		return err
	})
	if err != nil || !slices.Contains(people, person) {
		return err
	}
	addresses, err := s.Vault.StaffMail(ctx, s.Tokens.Notifier, of, []string{person})
	if err != nil {
		return fmt.Errorf("mailbox: tell person: %w", err)
	}
	to := addresses[person]
	if to == "" {
		return nil
	}
	in := i18n.In(ctx, i18n.Reference) // the language of the authority
	return s.post(ctx, mail.Message{
		To: to, ID: j.ID, Subject: i18n.T(in, "mailbox.mail.office.subject"),
		Text: i18n.T(in, "mailbox.mail.office.text", "link", s.BaseURL(t)+"/amt/eingang"),
	})
}

// runTellCitizen mails the notice without content: no subject, no name, no
// office (A70).
func (s *Service) runTellCitizen(ctx context.Context, j jobs.Job) error {
	t, th, m, err := s.jobMessage(ctx, j)
	if err != nil || m.ID == "" {
		return err
	}
	reach, err := s.reach(ctx, s.Tokens.Notifier, th)
	if err != nil || reach.Email == "" {
		return err
	}
	in := i18n.In(ctx, reach.Lang)
	return s.post(ctx, mail.Message{
		To: reach.Email, ID: m.ID, Subject: i18n.T(in, "mailbox.mail.citizen.subject"),
		Text: i18n.T(in, "mailbox.mail.citizen.text", "link", s.collectURL(in, t)),
	})
}

// runAnswerMail mails an answer with its text, where the sender chose that
// after the warning that e-mail can be read on its way. Files stay behind the
// collection code.
func (s *Service) runAnswerMail(ctx context.Context, j jobs.Job) error {
	t, th, m, err := s.jobMessage(ctx, j)
	if err != nil || m.ID == "" {
		return err
	}
	reach, err := s.reach(ctx, s.Tokens.Mailer, th)
	if err != nil {
		return err
	}
	if reach.Email == "" { // taken back by the sender since
		return jobs.Fatal(fmt.Errorf("mailbox: mail answer: address of %s: %w", th.ID, fault.NotFound))
	}
	keys, err := s.Vault.Open(ctx, s.Tokens.Mailer, string(th.Tenant), th.ID, []string{m.ID})
	if err != nil {
		return fmt.Errorf("mailbox: mail answer: %w", err)
	}
	k, ok := keys[m.ID]
	if !ok {
		return fmt.Errorf("mailbox: mail answer: key of %s: %w", m.ID, fault.NotFound)
	}
	body, err := openPart(k, m.Tenant, m.ID, "body", m.body)
	if err != nil {
		return jobs.Fatal(fmt.Errorf("mailbox: mail answer: %w", err))
	}
	text, in := markdown.Text(string(body)), i18n.In(ctx, reach.Lang)
	args := []any{"text", text, "authority", t.Name, "link", s.collectURL(in, t)}
	whole := i18n.T(in, "mailbox.mail.answer.text", args...)
	if len(m.files) > 0 {
		whole = i18n.T(in, "mailbox.mail.answer.files", args...)
	}
	out := mail.Message{To: reach.Email, ID: m.ID, Subject: i18n.T(in, "mailbox.mail.answer.subject", "authority", t.Name), Text: whole}
	if th.Reply.byMail() {
		out.Subject = i18n.T(in, "mailbox.bymail.answer.subject", "authority", t.Name, "number", th.Number)
		out.Text = i18n.T(in, "mailbox.bymail.answer.text", "text", text, "authority", t.Name, "number", th.Number, "link", s.pageURL(in, t, "/"))
		out.Headers = answerHeaders(reach)
	}
	err = s.post(ctx, out)
	if err != nil || !m.Undelivered {
		return err
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		_, err := markUndelivered(ctx, tx, m.ID, false)
		return err
	})
}

// undelivered shows the office that the mail with an answer was given up. The
// answer itself waits behind the collection code.
func (s *Service) undelivered(ctx context.Context, tx *db.Tx, messageID string) error {
	m, err := selectMessageThread(ctx, tx, messageID)
	if errors.Is(err, fault.NotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	fresh, err := markUndelivered(ctx, tx, m.ID, true)
	if err != nil || !fresh {
		return err
	}
	t, err := selectThread(ctx, tx, m.Tenant, m.Thread)
	if err != nil {
		return err
	}
	t.Unread = true
	if t.State == stateWaiting || t.State == stateClosed {
		t.State, t.Closed = stateOpen, time.Time{} // the office's turn again
	}
	if err := saveThread(ctx, tx, t); err != nil {
		return err
	}
	s.recount(tx, t.Tenant, t.Mailbox)
	return journal.Record(ctx, tx, journal.Entry{
		Tenant: string(t.Tenant), Actor: "job:" + jobAnswerMail, Action: "answer.undelivered", Object: t.ID,
		Detail: map[string]string{"message": m.ID},
	})
}

// jobMessage loads the message a job is about. A message that was deleted
// meanwhile has no id and no error: there is nothing to tell.
func (s *Service) jobMessage(ctx context.Context, j jobs.Job) (*tenant.Tenant, thread, message, error) {
	var th thread
	var m message
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		if m, err = selectMessageThread(ctx, tx, j.Ref); err != nil {
			return err
		}
		if th, err = selectThread(ctx, tx, m.Tenant, m.Thread); err != nil {
			return err
		}
		list, err := selectMessages(ctx, tx, m.Tenant, m.Thread)
		for _, x := range list {
			if x.ID == m.ID {
				m = x
			}
		}
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return nil, thread{}, message{}, nil
	}
	if err != nil {
		return nil, th, m, fmt.Errorf("mailbox: job %s: %w", j.Kind, err)
	}
	t, ok := s.Directory.ByID(m.Tenant)
	if !ok {
		return nil, th, m, jobs.Fatal(fmt.Errorf("mailbox: job %s: tenant %s: %w", j.Kind, m.Tenant, fault.NotFound))
	}
	return t, th, m, nil
}

// reach unseals how the sender of a thread can be reached.
func (s *Service) reach(ctx context.Context, token string, th thread) (contact, error) {
	keys, err := s.Vault.ContactKeys(ctx, token, string(th.Tenant), []string{th.First})
	if err != nil {
		return contact{}, fmt.Errorf("mailbox: contact of %s: %w", th.ID, err)
	}
	var sealed []byte
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		m, err := selectMessageThread(ctx, tx, th.First)
		sealed = m.contact
		return err
	})
	k, ok := keys[th.First]
	if err != nil || !ok || len(sealed) == 0 {
		return contact{}, err
	}
	return openContact(k, th.Tenant, th.First, sealed)
}

// collectURL is the address of the field for the collection code, in the
// language of ctx.
func (s *Service) collectURL(ctx context.Context, t *tenant.Tenant) string {
	return s.pageURL(ctx, t, "/abholen")
}

// pageURL is the address of a page, in the language of ctx.
func (s *Service) pageURL(ctx context.Context, t *tenant.Tenant, path string) string {
	if lang := i18n.Lang(ctx); lang != i18n.Reference {
		return s.BaseURL(t) + "/" + lang + path
	}
	return s.BaseURL(t) + path
}

func (s *Service) post(ctx context.Context, m mail.Message) error {
	if s.Mail == nil {
		// Not final: the mail goes out when a relay is configured in time.
		return fmt.Errorf("mailbox: no mail relay is configured: %w", fault.Unavailable)
	}
	m.From, m.At = s.MailFrom, s.Now()
	err := s.Mail.Send(ctx, m)
	if mail.IsPermanent(err) {
		return jobs.Fatal(err)
	}
	return err
}

// runSettle brings the rows of a thread in line with the vault, after an
// operation on both that did not finish: a deletion is completed, a forward is
// carried over.
func (s *Service) runSettle(ctx context.Context, j jobs.Job) error {
	of, id, _ := strings.Cut(j.Ref, ":")
	row, err := s.threadOf(ctx, tenant.ID(of), id)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	if row.Deleting {
		return s.finishDeletion(ctx, row.Tenant, id, "job:"+jobSettle)
	}
	states, err := s.Vault.State(ctx, of, []string{id})
	if err != nil {
		return fmt.Errorf("mailbox: settle %s: %w", id, err)
	}
	st, ok := states[id]
	switch {
	case !ok:
		return nil
	case st.Gone:
		return s.removeRows(ctx, tenant.ID(of), id, "job:"+jobSettle)
	}
	t, known := s.Directory.ByID(tenant.ID(of))
	if !known {
		return jobs.Fatal(fmt.Errorf("mailbox: settle %s: tenant %s: %w", id, of, fault.NotFound))
	}
	to, known := t.Mailbox(tenant.MailboxID(st.Mailbox))
	if !known {
		return fmt.Errorf("mailbox: settle %s: mailbox %s: %w", id, st.Mailbox, fault.NotFound)
	}
	return s.settleMailbox(ctx, t.ID, id, to)
}

// settleMailbox moves the row of a thread to the mailbox that the vault names.
func (s *Service) settleMailbox(ctx context.Context, of tenant.ID, id string, to tenant.Mailbox) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := selectThread(ctx, tx, of, id)
		if errors.Is(err, fault.NotFound) || err == nil && t.Mailbox == to.ID {
			return nil
		}
		if err != nil {
			return err
		}
		return s.moveRow(ctx, tx, t, to, "job:"+jobSettle)
	})
}

// runUnsent destroys the key of an answer that was begun and never sent. It
// runs after the longest possible session, when nothing can send it any more.
func (s *Service) runUnsent(ctx context.Context, j jobs.Job) error {
	of, rest, _ := strings.Cut(j.Ref, ":")
	id, messageID, _ := strings.Cut(rest, ":")
	err := s.DB.View(ctx, func(tx *db.Tx) error {
		_, err := selectMessageThread(ctx, tx, messageID)
		return err
	})
	if !errors.Is(err, fault.NotFound) {
		return err // it was sent, or the database is away
	}
	err = s.Vault.DropMessage(ctx, s.Tokens.Retention, of, id, messageID)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return fmt.Errorf("mailbox: drop unsent answer %s: %w", messageID, err)
	}
	return nil
}
