package app

import (
	"context"

	"poststelle/internal/mail"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// moduleMail is the vault's module under whose key DKIM keys of a tenant are
// sealed.
const moduleMail = "mail"

// openSigning opens the DKIM keys and lets the sender sign with them.
func (a *App) openSigning(sender mail.Sender) error {
	website, err := a.Vault.ServiceToken(vault.ServiceWebsite)
	if err != nil {
		return err
	}
	a.Signing = &mail.Keyring{
		DB: a.DB, Own: a.MailFrom, Log: a.Log,
		Key: func(ctx context.Context, of string) (seal.Key, error) {
			return a.Vault.ModuleKey(ctx, website, of, moduleMail)
		},
	}
	if named, ok := sender.(interface{ Host() string }); ok {
		a.relay = named.Host()
	}
	if sender != nil {
		a.sender = signingSender{sender, a.Signing}
	}
	return nil
}

// signingSender signs the mail that comes from the operator's own address: all but
// that of newsletters, which bring what signs them.
type signingSender struct {
	mail.Sender
	keys *mail.Keyring
}

// Send signs and sends.
func (s signingSender) Send(ctx context.Context, m mail.Message) error {
	if m.DKIM == nil {
		m.DKIM = s.keys.Signer(ctx, "", m.From)
	}
	return s.Sender.Send(ctx, m)
}

// signerOf returns what signs a newsletter.
func (a *App) signerOf(ctx context.Context, of tenant.ID, from string) *mail.DKIM {
	return a.Signing.Signer(ctx, string(of), from)
}
