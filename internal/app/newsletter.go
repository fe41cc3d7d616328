package app

import (
	"context"

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
		MailFrom: a.MailFrom, BaseURL: a.baseURL, Now: a.Now, Log: a.Log,
	})
	return a.Newsletter.Prepare(ctx)
}
