package account

import "poststelle/internal/personal"

// Personal declares the names of staff, their choice of notices, and that an
// account of a citizen is there. Verifiers, mail addresses, keys and memberships
// are the vault's.
func Personal() personal.Declaration {
	staff := personal.Store{
		Kind: personal.Table, Name: "account_staff", Activity: "account.privacy.activity", Purpose: "account.privacy.names",
		Basis:    personal.Same(personal.Art6e, personal.LDSG15),
		Subjects: []personal.Subject{{Role: personal.Staff, Where: "tenant_id = $1 and id = $2"}},
		Personal: []personal.Column{
			{Name: "id", Category: personal.Identifier},
			{Name: "name", Category: personal.Employment},
			{Name: "role", Category: personal.Employment},
			{Name: "disabled_at", Category: personal.Employment},
		},
		Neutral:   []string{"tenant_id", "created_at", "start_until"},
		Locator:   personal.ByID,
		Retention: personal.Retention{HumanDecides: "account.privacy.retention"},
		Erase:     []personal.Erasure{{Role: personal.Staff, Act: personal.Keep, Reason: "account.privacy.keep"}},
		Export: []personal.Column{
			{Name: "name", Category: personal.Employment}, {Name: "role", Category: personal.Employment},
		},
	}
	notices := personal.Store{
		Kind: personal.Table, Name: "account_notices", Activity: "account.privacy.activity", Purpose: "account.privacy.notices",
		Basis:     personal.Same(personal.Art6e, personal.LDSG15),
		Subjects:  []personal.Subject{{Role: personal.Staff, Where: "tenant_id = $1 and person = $2"}},
		Personal:  []personal.Column{{Name: "person", Category: personal.Identifier}, {Name: "mailbox_id", Category: personal.Employment}},
		Neutral:   []string{"tenant_id", "created_at"},
		Locator:   personal.ByID,
		Retention: personal.Retention{With: "account_staff"},
		Erase:     []personal.Erasure{{Role: personal.Staff, Act: personal.Delete}},
		Export:    []personal.Column{{Name: "mailbox_id", Category: personal.Employment}},
	}
	return personal.Declaration{Domain: "account", Stores: []personal.Store{citizens(), staff, notices}}
}

// citizens are the accounts of registered persons: kept until the person asks
// for deletion (A48, A49), which postDelete does at once.
func citizens() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "account_citizens", Activity: "account.privacy.citizens.activity", Purpose: "account.privacy.citizens",
		Basis: personal.Basis{
			personal.Vorlage: {personal.Art6b},
			personal.Streng:  {personal.Art6e, personal.LDSG4},
		},
		Subjects: []personal.Subject{{Role: personal.Citizen, Where: "realm in ('*', $1) and id = $2"}},
		Personal: []personal.Column{
			{Name: "id", Category: personal.Identifier},
			{Name: "created_at", Category: personal.Behaviour},
			{Name: "notice", Category: personal.Behaviour},
		},
		Neutral:   []string{"realm"},
		Locator:   personal.ByID,
		Retention: personal.Retention{HumanDecides: "account.privacy.citizens.retention"},
		Erase:     []personal.Erasure{{Role: personal.Citizen, Act: personal.Delete}},
		Export: []personal.Column{
			{Name: "created_at", Category: personal.Behaviour}, {Name: "notice", Category: personal.Behaviour},
		},
	}
}
