package mailbox

import (
	"time"

	"poststelle/internal/personal"
)

// Personal declares the letters. Subject, names, addresses, text and file names
// are sealed parts; what stands in clear columns is listed here and nowhere
// else.
//
// Letters are never swept unless their mailbox has a rule (tenant.Mailbox,
// Retention; B70, B74): else the office decides (A45–A47), and this is the place
// that says so.
func Personal() personal.Declaration {
	return personal.Declaration{
		Domain: "mailbox",
		Stores: []personal.Store{
			threads(), messages(), files(), intake(), numbersStore(), drafts(), holdings(), permissions(), savedDrafts(), savedFilesStore(),
			exceptions(),
			byMail(), mailMarks(),
		},
		Sends: []personal.Recipient{{
			Name: "mailbox.privacy.office", Purpose: "mailbox.privacy.purpose",
			What: []personal.Category{personal.Content, personal.Contact, personal.Identity},
		}},
	}
}

// basis: the model notice names Art. 6(1)(b) for enquiries (A22); an enquiry to
// an authority is no contract, so the strict profile names its task.
func basis() personal.Basis {
	return personal.Basis{
		personal.Vorlage: {personal.Art6b},
		personal.Streng:  {personal.Art6e, personal.LDSG4},
	}
}

func ofThread(kind personal.StoreKind, name, where string, columns []personal.Column, neutral ...string) personal.Store {
	return personal.Store{
		Kind: kind, Name: name, Activity: "mailbox.privacy.activity", Purpose: "mailbox.privacy.purpose", Basis: basis(),
		Subjects:  []personal.Subject{{Role: personal.Citizen, Where: where}},
		Personal:  columns,
		Neutral:   neutral,
		Locator:   personal.ByCode,
		Retention: personal.Retention{With: "mailbox_threads"},
		Erase:     []personal.Erasure{{Role: personal.Citizen, Act: personal.Delete}},
	}
}

func threads() personal.Store {
	s := ofThread(personal.Table, "mailbox_threads", "tenant_id = $1 and id = $2", []personal.Column{
		{Name: "id", Category: personal.Identifier},
		{Name: "number", Category: personal.Identifier},
		{Name: "submit_id", Category: personal.Identifier},
		{Name: "first_id", Category: personal.Identifier},
		{Name: "topic_id", Category: personal.Content},
		{Name: "reply_way", Category: personal.Behaviour},
		{Name: "notice", Category: personal.Behaviour},
		{Name: "registered", Category: personal.Behaviour},
		{Name: "permitted", Category: personal.Behaviour},
		{Name: "withdrawal", Category: personal.Behaviour},
		{Name: "received_at", Category: personal.Behaviour},
		{Name: "assignee", Category: personal.Employment},
	}, "tenant_id", "mailbox_id", "state", "unread", "files", "size_class", "deleting", "changed_at", "due_at", "closed_at", "version")
	s.Subjects = append(s.Subjects, personal.Subject{Role: personal.Staff, Where: "tenant_id = $1 and assignee = $2"})
	s.Erase = append(s.Erase, personal.Erasure{Role: personal.Staff, Act: personal.Blank, Columns: []string{"assignee"}})
	s.Retention = personal.Retention{HumanDecides: "mailbox.privacy.retention"}
	s.Export = []personal.Column{{Name: "number", Category: personal.Identifier}, {Name: "received_at", Category: personal.Behaviour}}
	return s
}

func messages() personal.Store {
	s := ofThread(personal.Table, "mailbox_messages", "tenant_id = $1 and thread_id = $2", []personal.Column{
		{Name: "id", Category: personal.Identifier},
		{Name: "thread_id", Category: personal.Identifier},
		{Name: "author", Category: personal.Employment},
		{Name: "created_at", Category: personal.Behaviour},
		{Name: "card", Category: personal.Content, Special: personal.SpecialPossible},
		{Name: "body", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
		{Name: "contact", Category: personal.Contact},
		{Name: "receipt", Category: personal.Evidence},
	}, "tenant_id", "kind", "by_mail", "undelivered")
	s.Subjects = append(s.Subjects, personal.Subject{Role: personal.Staff, Where: "tenant_id = $1 and author = $2"})
	s.Sealed = []personal.Part{
		{Name: "card", Category: personal.Content, Special: personal.SpecialPossible},
		{Name: "body", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
		{Name: "contact", Category: personal.Contact},
		{Name: "receipt", Category: personal.Evidence},
	}
	s.Erase = []personal.Erasure{
		{Role: personal.Citizen, Act: personal.Shred},
		{Role: personal.Staff, Act: personal.Keep, Reason: "mailbox.privacy.keep_author"},
	}
	s.Export = []personal.Column{
		{Name: "body", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
		{Name: "contact", Category: personal.Contact}, {Name: "created_at", Category: personal.Behaviour},
	}
	return s
}

func files() personal.Store {
	s := ofThread(personal.Table, "mailbox_files", "tenant_id = $1 and thread_id = $2", []personal.Column{
		{Name: "message_id", Category: personal.Identifier},
		{Name: "thread_id", Category: personal.Identifier},
		{Name: "card", Category: personal.Content, Special: personal.SpecialPossible},
	}, "part", "tenant_id", "position", "blob_id")
	s.Sealed = []personal.Part{{Name: "filecard", Category: personal.Content, Special: personal.SpecialPossible}}
	s.Erase = []personal.Erasure{{Role: personal.Citizen, Act: personal.Shred}}
	s.Export = []personal.Column{{Name: "card", Category: personal.Content, Special: personal.SpecialPossible}}
	return s
}

func intake() personal.Store {
	s := ofThread(personal.Queue, "mailbox_intake", "tenant_id = $1 and thread_id = $2", []personal.Column{
		{Name: "message_id", Category: personal.Identifier},
		{Name: "thread_id", Category: personal.Identifier},
		{Name: "created_at", Category: personal.Behaviour},
	}, "tenant_id", "mailbox_id", "day", "box", "state")
	s.Purpose = "mailbox.privacy.intake"
	s.Retention = personal.Retention{Criterion: "mailbox.privacy.intake_retention", ReviewEvery: 365 * 24 * time.Hour}
	return s
}

func numbersStore() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "mailbox_numbers", Activity: "mailbox.privacy.activity", Purpose: "mailbox.privacy.numbers",
		Neutral: []string{"tenant_id", "year", "next"},
	}
}

// drafts are what a person has typed and not sent: in the memory of the
// session, gone with it (A31–A34).
func drafts() personal.Store {
	return personal.Store{
		Kind: personal.Memory, Name: "mailbox_drafts", Activity: "mailbox.privacy.activity", Purpose: "mailbox.privacy.drafts",
		Basis:    basis(),
		Subjects: []personal.Subject{{Role: personal.Citizen}, {Role: personal.Staff}},
		Personal: []personal.Column{
			{Name: "values", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
			{Name: "files", Category: personal.Content, Special: personal.SpecialPossible},
			{Name: "sent", Category: personal.Content, Special: personal.SpecialPossible, Third: true}, // the stored text, when it differs
			{Name: "account", Category: personal.Identifier},
			{Name: "network", Category: personal.Behaviour}, // what bounds uploads and letters, never an address
		},
		Neutral:   []string{"id", "thread", "message", "token", "k", "reached", "noted", "sending", "unsure", "saved"},
		Locator:   personal.None,
		Retention: personal.Retention{Session: true},
		Erase: []personal.Erasure{
			{Role: personal.Citizen, Act: personal.Delete}, {Role: personal.Staff, Act: personal.Delete},
		},
	}
}
