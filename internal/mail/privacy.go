package mail

import "poststelle/internal/personal"

// Personal declares what goes to the relay, and the messages that Memory keeps in
// the demonstration. What is stored durably are keys, which are about nobody.
func Personal() personal.Declaration {
	return personal.Declaration{
		Domain: "mail",
		Stores: []personal.Store{{
			Kind:     personal.Memory,
			Name:     "mail_demo",
			Activity: "mail.privacy.activity",
			Purpose:  "mail.privacy.demo",
			Basis:    basis(),
			Subjects: []personal.Subject{{Role: personal.Citizen}, {Role: personal.Staff}},
			Personal: []personal.Column{
				{Name: "to", Category: personal.Contact},
				{Name: "subject", Category: personal.Content},
				{Name: "text", Category: personal.Content},
				{Name: "html", Category: personal.Content},
			},
			Neutral:   []string{"at"},
			Locator:   personal.ByHuman,
			Retention: personal.Retention{Session: true},
			Erase: []personal.Erasure{
				{Role: personal.Citizen, Act: personal.Delete},
				{Role: personal.Staff, Act: personal.Delete},
			},
		}, {
			Kind: personal.Table, Name: "mail_dkim", Activity: "mail.privacy.activity", Purpose: "mail.privacy.keys",
			Neutral: []string{"tenant_id", "domain", "selector", "private", "public", "made_at", "since"},
		}},
		Sends: []personal.Recipient{{
			Name:      "mail.privacy.relay",
			Purpose:   "mail.privacy.notify",
			What:      []personal.Category{personal.Contact, personal.Content},
			Processor: true,
		}},
	}
}

func basis() personal.Basis {
	return personal.Basis{
		personal.Vorlage: {personal.Art6b},
		personal.Streng:  {personal.Art6e, personal.LDSG4},
	}
}
