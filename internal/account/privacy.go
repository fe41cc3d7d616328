package account

import "poststelle/internal/personal"

// Personal declares the names of staff and their choice of notices. Verifiers,
// mail addresses and memberships are the vault's.
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
		Neutral:   []string{"tenant_id", "created_at"},
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
	return personal.Declaration{Domain: "account", Stores: []personal.Store{staff, notices}}
}
