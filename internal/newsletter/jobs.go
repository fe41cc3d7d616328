package newsletter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/jobs"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
)

// Kinds of job. References hold ids only.
const (
	jobMail  = "newsletter.mail"  // tenant:subscriber:mail
	jobSend  = "newsletter.send"  // tenant:issue:release
	jobPurge = "newsletter.purge" // periodic
)

// sendFor is how long an issue is tried at least while the relay is away.
const sendFor = 4 * 24 * time.Hour

func (s *Service) registerJobs() {
	s.Jobs.Handle(jobMail, s.runMail, jobs.Lasting(2*24*time.Hour))
	s.Jobs.Handle(jobSend, s.runSend, jobs.Lasting(sendFor), jobs.Timeout(6*time.Hour))
	s.Jobs.Every(jobPurge, time.Hour, func(ctx context.Context, _ jobs.Job) error { return s.purge(ctx) })
}

func mailRef(of tenant.ID, id, ref string) string { return string(of) + ":" + id + ":" + ref }

// sendRef names the release of an issue: one that was called back and released
// again has another, so that only one job sends it.
func sendRef(of tenant.ID, id string, version int64) string {
	return string(of) + ":" + id + ":" + strconv.FormatInt(version, 10)
}

// split takes a reference of three parts apart.
func (s *Service) split(ref string) (t *tenant.Tenant, id, last string, err error) {
	parts := strings.Split(ref, ":")
	if len(parts) != 3 {
		return nil, "", "", jobs.Fatal(fmt.Errorf("newsletter: job: %w", fault.Invalid))
	}
	t, err = s.of(tenant.ID(parts[0]))
	return t, parts[1], parts[2], err
}

// runSend sends an issue, or the next part of it.
func (s *Service) runSend(ctx context.Context, j jobs.Job) error {
	t, id, last, err := s.split(j.Ref)
	if err != nil {
		return err // where the module is off, it may come back within the time of the job
	}
	release, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		return jobs.Fatal(err)
	}
	if s.Mail == nil {
		return fmt.Errorf("newsletter: no mail relay is configured: %w", fault.Unavailable)
	}
	i, due, err := s.begin(ctx, t.ID, id, release)
	if err != nil || !due {
		return err
	}
	again, err := s.send(ctx, t, i)
	if err != nil || again.IsZero() {
		return err
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		return s.Jobs.Enqueue(ctx, tx, jobSend, j.Ref, jobs.At(again))
	})
}

// begin marks a released issue as being sent, if this job is the one to send it.
func (s *Service) begin(ctx context.Context, of tenant.ID, id string, release int64) (i Issue, due bool, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		due = false
		i, err = issueByID(ctx, tx, of, id)
		switch {
		case errors.Is(err, fault.NotFound):
			return nil
		case err != nil:
			return err
		case i.State == Scheduled && i.Version == release && !i.SendAt.After(tx.Now):
			if err := beginIssue(ctx, tx, of, id); err != nil {
				return err
			}
			i, err = issueByID(ctx, tx, of, id)
			due = true
			return err
		}
		due = i.State == Sending && i.Version == release+1
		return nil
	})
	if err != nil {
		return i, false, fmt.Errorf("newsletter: begin %s: %w", id, err)
	}
	return i, due, nil
}

// runMail sends the one mail that a stranger can cause: to a new address the link
// that confirms, to a subscribed one the link to the settings. To an address that
// had one today nothing goes.
func (s *Service) runMail(ctx context.Context, j jobs.Job) error {
	t, id, ref, err := s.split(j.Ref)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	k, err := s.keysOf(ctx, t.ID)
	if err != nil {
		return err
	}
	var row subscriber
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		row, err = subscriberByID(ctx, tx, t.ID, id)
		return err
	})
	if errors.Is(err, fault.NotFound) || err == nil && row.Ref != ref {
		return nil
	}
	if err != nil {
		return fmt.Errorf("newsletter: mail: %w", err)
	}
	m, err := s.letter(ctx, t, k, row, j.ID)
	if err != nil {
		return err
	}
	if s.Mail == nil {
		return fmt.Errorf("newsletter: no mail relay is configured: %w", fault.Unavailable)
	}
	if row.State == pending {
		if err := s.proof(ctx, t.ID, k, row, m); err != nil {
			return err
		}
	}
	err = s.Mail.Send(ctx, m)
	if mail.IsPermanent(err) {
		return nil // an address that does not exist; it goes with the unconfirmed
	}
	return err
}

// letter writes that mail. It is the same whenever it is written again.
func (s *Service) letter(ctx context.Context, t *tenant.Tenant, k *keys, row subscriber, job string) (mail.Message, error) {
	set, err := s.settings(ctx, t)
	if err != nil {
		return mail.Message{}, err
	}
	address, err := k.open(string(t.ID), row.ID, "address", row.Address)
	if err != nil {
		return mail.Message{}, jobs.Fatal(fmt.Errorf("newsletter: address of %s: %w", row.ID, err))
	}
	ctx = i18n.In(ctx, row.Lang)
	title := set.name(row.Lang)
	m := mail.Message{From: mailbox(title, s.sender(set)), To: string(address), ID: job, At: row.Mailed}
	m.DKIM = s.signer(ctx, t, m.From)
	if row.State == active {
		word, err := k.word(toManage, link{ID: row.ID, Until: row.Mailed.Add(manageFor)})
		m.Subject = i18n.T(ctx, "newsletter.mail.known.subject", "title", title)
		m.Text = i18n.T(ctx, "newsletter.mail.known.text", "authority", t.Name, "title", title, "link", s.page(t, row.Lang, "/newsletter/verwalten/"+word))
		return m, err
	}
	word, err := k.word(toConfirm, link{ID: row.ID, Until: row.Requested.Add(purgeAfter)})
	m.Subject = i18n.T(ctx, "newsletter.mail.confirm.subject", "title", title)
	m.Text = i18n.T(ctx, "newsletter.mail.confirm.text", "authority", t.Name, "title", title,
		"link", s.page(t, row.Lang, "/newsletter/bestaetigen/"+word), "until", i18n.DateTime(ctx, row.Requested.Add(purgeAfter)))
	return m, err
}

// proof keeps in the evidence which mail asked for the click.
func (s *Service) proof(ctx context.Context, of tenant.ID, k *keys, row subscriber, m mail.Message) error {
	sum := sha256.Sum256([]byte(m.Subject + "\n" + m.Text))
	at := m.From[strings.LastIndexByte(m.From, '@')+1:]
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		return s.amend(ctx, tx, k, of, row, func(e *Evidence) {
			e.Mailed, e.MessageID, e.MailHash = tx.Now, "<"+m.ID+"@"+strings.TrimSuffix(at, ">")+">", hex.EncodeToString(sum[:])
		})
	})
	if err != nil {
		return fmt.Errorf("newsletter: proof: %w", err)
	}
	return nil
}
