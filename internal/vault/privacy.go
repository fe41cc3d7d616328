package vault

import (
	"slices"
	"time"

	"poststelle/internal/personal"
)

// Personal declares the vault's own database and what it keeps in memory. The vault erases by its own methods (Shred, DropMessage,
// DisableStaff, DeleteAccount) and expires in Housekeep, because no other package can reach its tables.
func Personal() personal.Declaration {
	return personal.Declaration{
		Domain: "vault",
		Stores: slices.Concat(keyStores(), staffStores(), signInStores(), accountStores(), []personal.Store{evidenceStore()}, memoryStores()),
	}
}

func neutral(name string, columns ...string) personal.Store {
	return personal.Store{Kind: personal.VaultTable, Name: name, Activity: "vault.privacy.activity", Purpose: "vault.privacy.keys",
		Neutral: columns}
}

// ofThread is a table whose rows belong to the thread of a citizen. Deleting its row is the shredding.
func ofThread(name, where string, ids []string, columns ...string) personal.Store {
	s := neutral(name, columns...)
	s.Basis = personal.Same(personal.Art6e, personal.LDSG4)
	for _, id := range ids {
		s.Personal = append(s.Personal, personal.Column{Name: id, Category: personal.Identifier})
	}
	s.Subjects = []personal.Subject{{Role: personal.Citizen, Where: where}}
	s.Locator = personal.ByID
	s.Retention = personal.Retention{With: "mailbox_threads"}
	s.Erase = []personal.Erasure{{Role: personal.Citizen, Act: personal.Delete}}
	return s
}

func keyStores() []personal.Store {
	messages := ofThread("vault_messages", "tenant = $1 and thread = $2", []string{"id", "thread", "author"},
		"tenant", "key_wrapped", "day", "by_mail", "created_at")
	messages.Subjects = append(messages.Subjects, personal.Subject{Role: personal.Staff, Where: "tenant = $1 and author = $2"})
	messages.Erase = append(messages.Erase, personal.Erasure{Role: personal.Staff, Act: personal.Keep, Reason: "vault.privacy.keep.author"})
	tombstones := ofThread("vault_tombstones", "tenant = $1 and id = $2", []string{"id"}, "tenant", "kind", "day", "created_at")
	tombstones.Purpose = "vault.privacy.tombstones"
	tombstones.Retention = personal.Retention{Criterion: "vault.privacy.deleted.retention", ReviewEvery: 365 * 24 * time.Hour}
	tombstones.Erase[0] = personal.Erasure{Role: personal.Citizen, Act: personal.Keep, Reason: "vault.privacy.keep.tombstone"}
	return []personal.Store{
		neutral("vault_meta", "name", "value"),
		neutral("vault_modules", "tenant", "module", "key_wrapped", "created_at"),
		neutral("vault_tenants", "id", "operator", "signing_public", "signing_sealed", "created_at"),
		neutral("vault_mailboxes", "tenant", "id", "key_wrapped", "created_at"),
		neutral("vault_days", "purpose", "day", "public_key", "private_sealed", "created_at", "drained_at"),
		ofThread("vault_threads", "tenant = $1 and id = $2", []string{"id"}, "tenant", "mailbox", "key_wrapped", "day", "created_at"),
		ofThread("vault_codes", "tenant = $1 and thread = $2", []string{"thread"}, "tenant", "lookup", "key_wrapped"),
		messages,
		tombstones,
	}
}

func ofStaff(name, purpose, where string, columns []personal.Column, free ...string) personal.Store {
	return personal.Store{
		Kind: personal.VaultTable, Name: name, Activity: "vault.privacy.colleagues.activity", Purpose: purpose,
		Basis:    personal.Same(personal.Art6e, personal.LDSG15),
		Subjects: []personal.Subject{{Role: personal.Staff, Where: where}},
		Personal: columns,
		Neutral:  free,
		Locator:  personal.ByID,
		Erase:    []personal.Erasure{{Role: personal.Staff, Act: personal.Delete}},
	}
}

func staffStores() []personal.Store {
	staff := ofStaff("vault_staff", "vault.privacy.staff", "tenant = $1 and id = $2", []personal.Column{
		{Name: "id", Category: personal.Identifier},
		{Name: "login_key", Category: personal.Identifier},
		{Name: "login_sealed", Category: personal.Employment},
		{Name: "role", Category: personal.Employment},
		{Name: "active", Category: personal.Employment},
		{Name: "second_factor", Category: personal.Credential},
		{Name: "password_sealed", Category: personal.Credential},
		{Name: "totp_sealed", Category: personal.Credential},
		{Name: "totp_step", Category: personal.Behaviour},
		{Name: "mail_sealed", Category: personal.Contact},
		{Name: "created_at", Category: personal.Employment},
		{Name: "disabled_at", Category: personal.Employment},
	}, "tenant")
	staff.Retention = personal.Retention{Criterion: "vault.privacy.colleagues.retention", ReviewEvery: 365 * 24 * time.Hour}
	staff.Export = []personal.Column{{Name: "role", Category: personal.Employment}, {Name: "created_at", Category: personal.Employment}}

	members := ofStaff("vault_members", "vault.privacy.members", "tenant = $1 and person = $2", []personal.Column{
		{Name: "person", Category: personal.Identifier},
		{Name: "mailbox", Category: personal.Employment},
		{Name: "proposed_by", Category: personal.Identifier},
		{Name: "confirmed_by", Category: personal.Identifier},
		{Name: "created_at", Category: personal.Employment},
	}, "tenant")
	members.Retention = personal.Retention{With: "vault_staff"}
	members.Export = []personal.Column{{Name: "mailbox", Category: personal.Employment}, {Name: "created_at", Category: personal.Employment}}

	audit := ofStaff("vault_audit", "vault.privacy.audit", "tenant = $1 and person = $2", []personal.Column{
		{Name: "at", Category: personal.Behaviour},
		{Name: "person", Category: personal.Identifier},
		{Name: "action", Category: personal.Behaviour},
		{Name: "thread", Category: personal.Identifier},
		{Name: "object", Category: personal.Identifier},
		{Name: "purpose", Category: personal.Behaviour},
		{Name: "reason_sealed", Category: personal.Evidence, Third: true},
	}, "seq", "tenant", "items", "hash")
	audit.Retention = personal.Retention{Start: "at", Period: 365 * 24 * time.Hour}
	audit.Erase = []personal.Erasure{{Role: personal.Staff, Act: personal.Keep, Reason: "vault.privacy.keep.audit"}}
	audit.Export = []personal.Column{{Name: "at", Category: personal.Behaviour}, {Name: "action", Category: personal.Behaviour}}
	return []personal.Store{staff, members, audit}
}

func memoryStores() []personal.Store {
	store := func(name, purpose string, columns ...personal.Column) personal.Store {
		return personal.Store{
			Kind: personal.Memory, Name: name, Activity: "vault.privacy.colleagues.activity", Purpose: purpose,
			Basis:     personal.Same(personal.Art6e, personal.LDSG15),
			Subjects:  []personal.Subject{{Role: personal.Staff}},
			Personal:  columns,
			Locator:   personal.ByID,
			Retention: personal.Retention{Session: true},
			Erase:     []personal.Erasure{{Role: personal.Staff, Act: personal.Delete}},
		}
	}
	return []personal.Store{
		store("vault_grants", "vault.privacy.grants", personal.Column{Name: "person", Category: personal.Identifier},
			personal.Column{Name: "login", Category: personal.Employment}, personal.Column{Name: "used", Category: personal.Behaviour}),
		store("vault_slowdown", "vault.privacy.slowdown", personal.Column{Name: "key", Category: personal.Technical},
			personal.Column{Name: "failures", Category: personal.Behaviour}),
	}
}
