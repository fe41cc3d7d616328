package account

import (
	"context"
	"fmt"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// AddCitizen registers a person in the realm of t as the pages do, and confirms
// the address without a mail: for the demonstration and for tests of load, never
// for somebody whose address nobody has proved. An address that has an account
// is fault.Conflict. The grant of the answer is one like after a sign-in.
func (a *Accounts) AddCitizen(ctx context.Context, t *tenant.Tenant, mail, password string) (Citizen, error) {
	request, err := a.Vault.Register(ctx, vault.Registration{
		Realm: string(t.Realm()), Tenant: string(t.ID), Mail: mail, Password: password, Lang: "de",
	})
	if err != nil {
		return Citizen{}, fmt.Errorf("account: add citizen: %w", err)
	}
	out, err := a.Vault.RequestMail(ctx, a.Notifier, request, "new")
	if err == nil && out.Kind != vault.MailRegister {
		err = fault.Conflict
	}
	if err != nil {
		return Citizen{}, fmt.Errorf("account: add citizen: %w", err)
	}
	g, err := a.Vault.ConfirmAccount(ctx, string(t.Realm()), out.Token, vault.Confirmation{Request: request})
	if err == nil {
		err = a.DB.Update(ctx, func(tx *db.Tx) error { return insertCitizen(ctx, tx, t.Realm(), g.Person) })
	}
	if err != nil {
		return Citizen{}, fmt.Errorf("account: add citizen: %w", err)
	}
	return citizenOf(t, g)
}
