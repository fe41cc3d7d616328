package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// Kinds of job. A reference holds ids and words of this file; addresses and links
// come from the vault when the job runs.
const (
	jobMail    = "account.mail"    // request:new or request:old
	jobRecover = "account.recover" // tenant:request
	jobTidy    = "account.tidy"    // account
	jobSweep   = "account.sweep"
)

const (
	// mailFor is how long a mail is tried at least. Links of registrations end
	// sooner; one that comes late says so when it is opened.
	mailFor = 24 * time.Hour
	// tidyAfter is when a deletion that did not finish is finished.
	tidyAfter = time.Minute
	// sweepPage is how many accounts are compared with the vault at once.
	sweepPage = 200
)

func (a *Accounts) registerJobs() {
	a.Jobs.Handle(jobMail, a.runMail, jobs.Lasting(mailFor))
	a.Jobs.Handle(jobRecover, a.runRecover, jobs.Lasting(7*24*time.Hour))
	a.Jobs.Handle(jobTidy, a.runTidy)
	a.Jobs.Every(jobSweep, time.Hour, a.runSweep)
}

// post enqueues the mails of a request: to its new address, to the old one.
func (a *Accounts) post(ctx context.Context, request string, to ...string) error {
	err := a.DB.Update(ctx, func(tx *db.Tx) error {
		for _, which := range to {
			if err := a.Jobs.Enqueue(ctx, tx, jobMail, request+":"+which); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("account: mail of request: %w", err)
	}
	return nil
}

// beginWait enqueues what belongs to a recovery: a notice at once and one on each
// day of the wait, so that the owner of the address sees one in time, and its
// end.
func (a *Accounts) beginWait(ctx context.Context, of tenant.ID, request string, ready time.Time) error {
	err := a.DB.Update(ctx, func(tx *db.Tx) error {
		if err := a.Jobs.Enqueue(ctx, tx, jobMail, request+":old"); err != nil {
			return err
		}
		for _, before := range []time.Duration{48 * time.Hour, 24 * time.Hour} {
			if err := a.Jobs.Enqueue(ctx, tx, jobMail, request+":old", jobs.At(ready.Add(-before))); err != nil {
				return err
			}
		}
		if err := a.Jobs.Enqueue(ctx, tx, jobRecover, string(of)+":"+request, jobs.At(ready)); err != nil {
			return err
		}
		return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: "citizen", Action: "recovery.begun"})
	})
	if err != nil {
		return fmt.Errorf("account: begin wait: %w", err)
	}
	return nil
}

// runRecover installs the new password when the wait is over, and says so. A
// recovery that was cancelled or begun anew leaves nothing to do.
func (a *Accounts) runRecover(ctx context.Context, j jobs.Job) error {
	of, request, ok := strings.Cut(j.Ref, ":")
	if !ok {
		return jobs.Fatal(fmt.Errorf("account: recover: %w", fault.NotFound))
	}
	finished, err := a.Vault.RecoverFinish(ctx, a.Retention, request)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("account: recover: %w", err)
	}
	if !finished {
		return nil
	}
	return a.DB.Update(ctx, func(tx *db.Tx) error {
		if err := a.Jobs.Enqueue(ctx, tx, jobMail, request+":old", jobs.Unique(request+":done")); err != nil {
			return err
		}
		return journal.Record(ctx, tx, journal.Entry{Tenant: of, Actor: "job:" + jobRecover, Action: "recovery.done"})
	})
}

// runMail sends one mail of a request. One to an address without account, or of a
// request that is over, is sent to nobody.
func (a *Accounts) runMail(ctx context.Context, j jobs.Job) error {
	request, which, ok := strings.Cut(j.Ref, ":")
	if !ok {
		return jobs.Fatal(fmt.Errorf("account: mail: %w", fault.NotFound))
	}
	out, err := a.Vault.RequestMail(ctx, a.Notifier, request, which)
	if errors.Is(err, fault.NotFound) || err == nil && out.To == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("account: mail: %w", err)
	}
	t, ok := a.Directory.ByID(tenant.ID(out.Tenant))
	if !ok {
		return jobs.Fatal(fmt.Errorf("account: mail: tenant %s: %w", out.Tenant, fault.NotFound))
	}
	subject, text, err := a.write(i18n.In(ctx, out.Lang), t, out)
	if err != nil {
		return jobs.Fatal(err)
	}
	if a.Mail == nil {
		// Not final: the mail goes out when a relay is configured in time.
		return fmt.Errorf("account: no mail relay is configured: %w", fault.Unavailable)
	}
	err = a.Mail.Send(ctx, mail.Message{From: a.MailFrom, To: out.To, ID: j.ID, At: a.Now(), Subject: subject, Text: text})
	if mail.IsPermanent(err) {
		return jobs.Fatal(err)
	}
	return err
}

// write puts a mail into words, in the language of ctx: who wrote it, why, and
// what to do if it was not oneself. It says nothing about letters.
func (a *Accounts) write(ctx context.Context, t *tenant.Tenant, out vault.Outgoing) (subject, text string, err error) {
	page := func(path string) string {
		if l := i18n.Lang(ctx); l != i18n.Reference {
			path = "/" + l + path
		}
		return a.BaseURL(t) + path
	}
	who, signIn, recovery := t.Name, page("/konto/anmelden"), page("/konto/wiederherstellen")
	switch out.Kind {
	case vault.MailRegister:
		return i18n.T(ctx, "account.mail.register.subject"),
			i18n.T(ctx, "account.mail.register.text", "authority", who, "link", page("/konto/bestaetigen/"+out.Token)), nil
	case vault.MailKnown:
		return i18n.T(ctx, "account.mail.known.subject"),
			i18n.T(ctx, "account.mail.known.text", "authority", who, "signin", signIn, "recovery", recovery), nil
	case vault.MailRecover:
		return i18n.T(ctx, "account.mail.recover.subject"),
			i18n.T(ctx, "account.mail.recover.text", "authority", who, "link", page("/konto/wiederherstellen/"+out.Token)), nil
	case vault.MailWaiting:
		return i18n.T(ctx, "account.mail.waiting.subject"),
			i18n.T(ctx, "account.mail.waiting.text", "authority", who, "ready", i18n.DateTime(ctx, out.Ready), "link", page("/konto/nicht-ich/"+out.Token)), nil
	case vault.MailRecovered:
		return i18n.T(ctx, "account.mail.recovered.subject"),
			i18n.T(ctx, "account.mail.recovered.text", "authority", who, "signin", signIn, "recovery", recovery, "imprint", page("/impressum")), nil
	case vault.MailAddress:
		return i18n.T(ctx, "account.mail.address.subject"),
			i18n.T(ctx, "account.mail.address.text", "authority", who, "link", page("/konto/adresse/"+out.Token)), nil
	case vault.MailAddressDone:
		return i18n.T(ctx, "account.mail.addressdone.subject"),
			i18n.T(ctx, "account.mail.addressdone.text", "authority", who, "imprint", page("/impressum")), nil
	}
	return "", "", fmt.Errorf("account: mail of kind %s: %w", out.Kind, fault.Internal)
}

// enqueueTidy has a deletion finished, should this process not come to it.
func (a *Accounts) enqueueTidy(ctx context.Context, tx *db.Tx, account string) error {
	return a.Jobs.Enqueue(ctx, tx, jobTidy, account, jobs.At(tx.Now.Add(tidyAfter)))
}

// runTidy drops what is left of an account that the vault no longer has.
func (a *Accounts) runTidy(ctx context.Context, j jobs.Job) error {
	return a.dropGone(ctx, []string{j.Ref})
}

// runSweep compares all accounts with the vault: a database that was restored
// from an older copy brings back rows of accounts that were deleted since.
func (a *Accounts) runSweep(ctx context.Context, _ jobs.Job) error {
	for after := ""; ; {
		var page []string
		err := a.DB.View(ctx, func(tx *db.Tx) (err error) {
			page, err = selectCitizens(ctx, tx, after, sweepPage)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		if err := a.dropGone(ctx, page); err != nil {
			return err
		}
		after = page[len(page)-1]
	}
}

// dropGone drops what domains keep of those accounts that the vault does not
// know any more. An account is made in the vault before its row is made here, so
// one without the other is gone for good.
func (a *Accounts) dropGone(ctx context.Context, accounts []string) error {
	gone, err := a.Vault.GoneAccounts(ctx, a.Notifier, accounts)
	if err != nil {
		return fmt.Errorf("account: compare with the vault: %w", err)
	}
	for _, id := range gone {
		if err := a.forget(ctx, "-", id); err != nil {
			return err
		}
	}
	return nil
}

// forget drops what domains keep of an account, and its row. The journal says
// once that an account was deleted, not which.
func (a *Accounts) forget(ctx context.Context, of tenant.ID, account string) error {
	err := a.DB.Update(ctx, func(tx *db.Tx) error {
		for _, drop := range a.onDelete {
			if err := drop(ctx, tx, account); err != nil {
				return err
			}
		}
		n, err := deleteCitizen(ctx, tx, account)
		if err != nil || n == 0 {
			return err
		}
		return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: "citizen", Action: "account.deleted"})
	})
	if err != nil {
		return fmt.Errorf("account: forget: %w", err)
	}
	return nil
}
