package app

import (
	"context"

	"poststelle/internal/inbound"
	"poststelle/internal/mail"
	"poststelle/internal/newsletter"
	"poststelle/internal/vault"
)

// openNewsletter joins the newsletter with the vault's keys and the relay. A
// sender that knows no series counts as none: then issues wait.
func (a *App) openNewsletter(ctx context.Context, sender mail.Sender, notifier string) error {
	website, err := a.Vault.ServiceToken(vault.ServiceWebsite)
	if err != nil {
		return err
	}
	bulk, _ := sender.(mail.BulkSender)
	a.Newsletter = newsletter.New(newsletter.Config{
		DB: a.DB, Keys: a.Vault, Jobs: a.Jobs, Directory: a.Directory, Accounts: a.Accounts, Mail: bulk, Website: website, Notifier: notifier,
		MailFrom: a.MailFrom, DKIM: a.signerOf, BaseURL: a.baseURL, Pace: a.Pace, Paces: a.Paces, Now: a.Now, Log: a.Log,
	})
	return a.Newsletter.Prepare(ctx)
}

// newsletterMail asks the newsletter about a mail to a tenant: a wish to leave,
// or the report of an issue that did not arrive.
func (a *App) newsletterMail(ctx context.Context, m inbound.Mail) (bool, *mail.Message, error) {
	in := newsletter.Incoming{
		From: m.From.Address, Aligned: m.Check.Trusted(), Word: m.Sub, Subject: m.Subject, Text: m.Text, Files: len(m.Files) > 0, Machine: m.Machine,
	}
	if m.Report != nil {
		if !m.Report.Failed() {
			return false, nil, nil
		}
		in.FailedID = m.Report.OriginalID
		for _, r := range m.Report.Recipients {
			if r.Action == "failed" {
				in.Status = r.Status
			}
		}
	}
	return a.Newsletter.FromMail(ctx, m.Tenant.ID, in)
}
