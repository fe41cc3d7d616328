package vault

import (
	"time"

	"poststelle/internal/personal"
)

// ofAccount is a table whose rows belong to a citizen's account. DeleteAccount removes them all, whatever thread the authority keeps.
func ofAccount(name, purpose, where string, columns []personal.Column, free ...string) personal.Store {
	return personal.Store{
		Kind: personal.VaultTable, Name: name, Activity: "vault.privacy.accounts.activity", Purpose: purpose,
		Basis: personal.Basis{
			personal.Vorlage: {personal.Art6b},
			personal.Streng:  {personal.Art6e, personal.LDSG4},
		},
		Subjects:  []personal.Subject{{Role: personal.Citizen, Where: where}},
		Personal:  columns,
		Neutral:   free,
		Locator:   personal.ByID,
		Retention: personal.Retention{With: "vault_accounts"},
		Erase:     []personal.Erasure{{Role: personal.Citizen, Act: personal.Delete}},
	}
}

func accountStores() []personal.Store {
	id := personal.Column{Name: "account", Category: personal.Identifier}
	accounts := ofAccount("vault_accounts", "vault.privacy.accounts", "id = $1", []personal.Column{
		{Name: "id", Category: personal.Identifier},
		{Name: "mail_key", Category: personal.Identifier},
		{Name: "mail_sealed", Category: personal.Contact},
		{Name: "password_sealed", Category: personal.Credential},
		{Name: "second_factor", Category: personal.Credential},
		{Name: "totp_sealed", Category: personal.Credential},
		{Name: "totp_next_sealed", Category: personal.Credential},
		{Name: "totp_step", Category: personal.Behaviour},
		{Name: "lang", Category: personal.Contact},
		{Name: "created_at", Category: personal.Behaviour},
	}, "realm", "key_wrapped")
	// A48: kept for as long as the person wants to communicate; they alone decide.
	accounts.Retention = personal.Retention{HumanDecides: "vault.privacy.accounts.retention"}
	accounts.Export = []personal.Column{{Name: "mail_sealed", Category: personal.Contact}, {Name: "lang", Category: personal.Contact},
		{Name: "created_at", Category: personal.Behaviour}}

	threads := ofAccount("vault_account_threads", "vault.privacy.account.threads", "account = $1", []personal.Column{
		id, {Name: "thread", Category: personal.Identifier}, {Name: "created_at", Category: personal.Behaviour},
	}, "tenant", "key_wrapped")
	drafts := ofAccount("vault_drafts", "vault.privacy.account.drafts", "account = $1", []personal.Column{
		id, {Name: "id", Category: personal.Identifier}, {Name: "created_at", Category: personal.Behaviour},
	}, "key_wrapped")

	requests := ofAccount("vault_requests", "vault.privacy.account.requests", "account = $1", []personal.Column{
		id,
		{Name: "id", Category: personal.Identifier},
		{Name: "kind", Category: personal.Behaviour},
		{Name: "mail_key", Category: personal.Identifier},
		{Name: "mail_sealed", Category: personal.Contact},
		{Name: "secret_sealed", Category: personal.Credential},
		{Name: "lang", Category: personal.Contact},
		{Name: "created_at", Category: personal.Behaviour},
		{Name: "expires_at", Category: personal.Behaviour},
		{Name: "ready_at", Category: personal.Behaviour},
	}, "realm", "tenant", "quiet")
	requests.Locator = personal.ByAddress
	requests.Retention = personal.Retention{Criterion: "vault.privacy.account.requests.retention", ReviewEvery: 365 * 24 * time.Hour}
	return []personal.Store{accounts, threads, drafts, requests, accountMemory()}
}

// accountMemory are the sessions of citizens, and what slows guessing down; see memoryStores for those of staff.
func accountMemory() personal.Store {
	s := ofAccount("vault_account_grants", "vault.privacy.account.grants", "", []personal.Column{
		{Name: "account", Category: personal.Identifier},
		{Name: "label", Category: personal.Technical},
		{Name: "used", Category: personal.Behaviour},
		{Name: "failures", Category: personal.Behaviour},
	})
	s.Kind, s.Retention = personal.Memory, personal.Retention{Session: true}
	return s
}
