package inbound

import "poststelle/internal/personal"

// Personal declares what is in memory while mail is taken in. What is stored of a
// mail is a letter, and declared by the post office.
func Personal() personal.Declaration {
	return personal.Declaration{
		Domain: "inbound",
		Stores: []personal.Store{{
			Kind:     personal.Memory,
			Name:     "inbound_memory",
			Activity: "inbound.privacy.activity",
			Purpose:  "inbound.privacy.purpose",
			Basis: personal.Basis{
				personal.Vorlage: {personal.Art6b},
				personal.Streng:  {personal.Art6e, personal.LDSG4},
			},
			Subjects: []personal.Subject{{Role: personal.Citizen}},
			Personal: []personal.Column{
				{Name: "mail", Category: personal.Content, Special: personal.SpecialPossible, Third: true}, // until it is stored
				{Name: "network", Category: personal.Technical},                                            // a /24 or a /48, for an hour
				{Name: "answered", Category: personal.Contact},                                             // whom we asked back, for a day
			},
			Locator:   personal.None,
			Retention: personal.Retention{Session: true},
			Erase:     []personal.Erasure{{Role: personal.Citizen, Act: personal.Delete}},
		}},
		Sends: []personal.Recipient{{
			Name: "inbound.privacy.dns", Purpose: "inbound.privacy.check", What: []personal.Category{personal.Technical},
		}},
	}
}
