package mailbox

import (
	"time"

	"poststelle/internal/personal"
)

// ofHolder is a table whose rows belong to a person with an account and go with
// it (A48, A49); the letters themselves are the office's and stay.
func ofHolder(name, purpose string, columns []personal.Column, neutral ...string) personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: name, Activity: "mailbox.privacy.account.activity", Purpose: personal.Key(purpose), Basis: basis(),
		Subjects: []personal.Subject{{Role: personal.Citizen, Where: "tenant_id = $1 and account_id = $2"}},
		Personal: columns,
		Neutral:  neutral,
		Locator:  personal.ByID,
		Erase:    []personal.Erasure{{Role: personal.Citizen, Act: personal.Delete}},
	}
}

func holdings() personal.Store {
	s := ofHolder("mailbox_holdings", "mailbox.privacy.account.holdings", []personal.Column{
		{Name: "account_id", Category: personal.Identifier},
		{Name: "thread_id", Category: personal.Identifier},
		{Name: "last_id", Category: personal.Identifier},
		{Name: "unread", Category: personal.Behaviour},
		{Name: "notice", Category: personal.Behaviour},
		{Name: "created_at", Category: personal.Behaviour},
		{Name: "told_at", Category: personal.Behaviour},
	}, "tenant_id", "changed_at")
	s.Retention = personal.Retention{HumanDecides: "mailbox.privacy.account.holdings_retention"}
	s.Export = []personal.Column{{Name: "created_at", Category: personal.Behaviour}, {Name: "notice", Category: personal.Behaviour}}
	return s
}

// permissions are those to write first. They are the person's alone; what the
// office has begun with one is a thread like others.
func permissions() personal.Store {
	s := ofHolder("mailbox_permissions", "mailbox.privacy.account.permissions", []personal.Column{
		{Name: "id", Category: personal.Identifier},
		{Name: "account_id", Category: personal.Identifier},
		{Name: "message_id", Category: personal.Identifier},
		{Name: "card", Category: personal.Content, Special: personal.SpecialPossible},
		{Name: "created_at", Category: personal.Behaviour},
	}, "tenant_id", "mailbox_id")
	s.Sealed = []personal.Part{{Name: "card", Category: personal.Content, Special: personal.SpecialPossible}}
	s.Retention = personal.Retention{HumanDecides: "mailbox.privacy.account.permissions_retention"}
	s.Erase = []personal.Erasure{{Role: personal.Citizen, Act: personal.Shred}}
	s.Export = []personal.Column{
		{Name: "card", Category: personal.Content, Special: personal.SpecialPossible}, {Name: "created_at", Category: personal.Behaviour},
	}
	return s
}

func savedDrafts() personal.Store {
	s := ofHolder("mailbox_saved_drafts", "mailbox.privacy.account.drafts", []personal.Column{
		{Name: "id", Category: personal.Identifier},
		{Name: "account_id", Category: personal.Identifier},
		{Name: "sealed", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
		{Name: "updated_at", Category: personal.Behaviour},
	}, "tenant_id", "expires_at")
	s.Sealed = []personal.Part{{Name: "draft", Category: personal.Content, Special: personal.SpecialPossible, Third: true}}
	s.Retention = personal.Retention{Start: "updated_at", Period: draftDays * 24 * time.Hour}
	s.Erase = []personal.Erasure{{Role: personal.Citizen, Act: personal.Shred}}
	s.Export = []personal.Column{
		{Name: "sealed", Category: personal.Content, Special: personal.SpecialPossible, Third: true}, {Name: "updated_at", Category: personal.Behaviour},
	}
	return s
}

func savedFilesStore() personal.Store {
	s := ofHolder("mailbox_saved_files", "mailbox.privacy.account.drafts", []personal.Column{
		{Name: "draft_id", Category: personal.Identifier},
	}, "tenant_id", "blob_id")
	s.Subjects = []personal.Subject{{Role: personal.Citizen, Where: "tenant_id = $1 and draft_id in (select id from mailbox_saved_drafts where account_id = $2)"}}
	s.Retention = personal.Retention{With: "mailbox_saved_drafts"}
	return s
}
