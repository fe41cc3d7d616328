package vault

import "poststelle/internal/personal"

// signInStores are what sign-in by passkey and substitution keep. Accounts and staff share the table of passkeys, so a row goes with
// whoever owns it.
func signInStores() []personal.Store {
	keys := ofStaff("vault_passkeys", "vault.privacy.passkeys", "owner = 'staff:' || $1 || ':' || $2", []personal.Column{
		{Name: "owner", Category: personal.Identifier},
		{Name: "find_key", Category: personal.Credential},
		{Name: "sealed", Category: personal.Credential},
		{Name: "created_at", Category: personal.Behaviour},
		{Name: "used_at", Category: personal.Behaviour},
	}, "id")
	keys.Activity = "vault.privacy.passkeys.activity"
	keys.Subjects = append(keys.Subjects, personal.Subject{Role: personal.Citizen, Where: "owner = 'account:' || $1"})
	keys.Basis = personal.Same(personal.Art6e, personal.LDSG4, personal.LDSG15)
	keys.Retention = personal.Retention{HumanDecides: "vault.privacy.passkeys.retention"}
	keys.Erase = append(keys.Erase, personal.Erasure{Role: personal.Citizen, Act: personal.Delete})
	keys.Export = []personal.Column{{Name: "created_at", Category: personal.Behaviour}, {Name: "used_at", Category: personal.Behaviour}}

	standIns := ofStaff("vault_substitutions", "vault.privacy.substitutions", "tenant = $1 and (person = $2 or deputy = $2)", []personal.Column{
		{Name: "person", Category: personal.Identifier},
		{Name: "deputy", Category: personal.Identifier},
		{Name: "proposed_by", Category: personal.Identifier},
		{Name: "confirmed_by", Category: personal.Identifier},
		{Name: "until_at", Category: personal.Employment},
		{Name: "created_at", Category: personal.Employment},
	}, "tenant")
	standIns.Retention = personal.Retention{Criterion: "vault.privacy.substitutions.retention", ReviewEvery: maxSubstitution}
	standIns.Export = []personal.Column{{Name: "until_at", Category: personal.Employment}, {Name: "created_at", Category: personal.Employment}}
	return []personal.Store{keys, standIns}
}
