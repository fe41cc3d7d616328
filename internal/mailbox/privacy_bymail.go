package mailbox

import "poststelle/internal/personal"

// byMail is how letters came that were ordinary e-mail: what their senders claim,
// and what of it is proven. It goes with the letter.
func byMail() personal.Store {
	s := ofThread(personal.Table, "mailbox_mail", "tenant_id = $1 and thread_id = $2", []personal.Column{
		{Name: "message_id", Category: personal.Identifier},
		{Name: "thread_id", Category: personal.Identifier},
		{Name: "facts", Category: personal.Contact},
	}, "tenant_id")
	s.Purpose = "mailbox.privacy.bymail"
	s.Sealed = []personal.Part{{Name: "mail", Category: personal.Contact}}
	s.Erase = []personal.Erasure{{Role: personal.Citizen, Act: personal.Shred}}
	s.Export = []personal.Column{{Name: "facts", Category: personal.Contact}}
	return s
}

// mailMarks are hashes of whole mails, by which one that is sent again is known.
// They lead to nobody: who has the mail can compare it, and nobody else.
func mailMarks() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "mailbox_mail_marks", Activity: "mailbox.privacy.activity", Purpose: "mailbox.privacy.marks", Basis: basis(),
		Subjects:  []personal.Subject{{Role: personal.Citizen}},
		Personal:  []personal.Column{{Name: "mark", Category: personal.Identifier}, {Name: "created_at", Category: personal.Behaviour}},
		Neutral:   []string{"tenant_id"},
		Locator:   personal.None,
		Retention: personal.Retention{Start: "created_at", Period: marksKept},
		Erase:     []personal.Erasure{{Role: personal.Citizen, Act: personal.Keep, Reason: "mailbox.privacy.keep_marks"}},
	}
}
