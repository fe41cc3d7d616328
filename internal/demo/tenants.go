package demo

import (
	"net/netip"

	"poststelle/internal/account"
	"poststelle/internal/tenant"
)

// The tenants of the demonstration.
const (
	stadt     tenant.ID = "musterstadt"
	gemeinde  tenant.ID = "beispielingen"
	betreiber tenant.ID = "betreiber"
)

// tenants are the authorities and the operator. The keys (ARS) have the right
// form and belong to a district, 08999, that does not exist.
func tenants() []tenant.Tenant {
	return []tenant.Tenant{
		{
			ID: stadt, Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "089990001001",
			Address: tenant.Address{
				Street: "Rathausplatz 1", Postcode: "79999", Place: "Musterstadt", Phone: "07999 100-0", Email: "rathaus@musterstadt.example",
			},
			Hosts:       []string{"localhost", "127.0.0.1"},
			Modules:     []tenant.Module{tenant.Newsletter},
			Departments: stadtDepartments(), Mailboxes: stadtMailboxes(),
		},
		{
			ID: gemeinde, Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Gemeinde Beispielingen", ARS: "089995002002",
			Address: tenant.Address{
				Street: "Dorfstraße 14", Postcode: "79998", Place: "Beispielingen", Phone: "07998 22-0", Email: "info@beispielingen.example",
			},
			Hosts:       []string{"beispielingen.localhost", "127.0.0.2"},
			Modules:     []tenant.Module{tenant.Blog},
			Departments: gemeindeDepartments(), Mailboxes: gemeindeMailboxes(),
		},
		{
			ID: betreiber, Kind: tenant.Operator, Profile: tenant.Vorlage, Name: "Kommunale Datenverarbeitung Musterland (Betreiber)",
			Address: tenant.Address{
				Street: "Am Rechenzentrum 3", Postcode: "79997", Place: "Musterlingen", Phone: "07997 5000", Email: "kontakt@kdvm.example",
			},
			Hosts:    []string{"betreiber.localhost", "127.0.0.3"},
			Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
			Mailboxes: []tenant.Mailbox{{
				ID: "kontakt", Name: "Kontakt zum Betreiber", NameEN: "Contact the operator", Fallback: true, ReplyDays: 3, Position: 1,
				Retention: tenant.ContactRetention,
				Duties:    "Fragen zur Technik der Poststelle, zu Störungen und zur Barrierefreiheit",
				DutiesEN:  "Questions about how this service works, about faults and accessibility",
				Topics: []tenant.Topic{
					{ID: "technik", Name: "Technische Frage oder Störung", NameEN: "Technical question or fault"},
					{ID: "barriere", Name: "Barriere melden", NameEN: "Report a barrier"},
					{ID: "anschluss", Name: "Anschluss einer Behörde", NameEN: "Connecting an authority"},
				},
			}, {
				ID: "datenschutz-extern", Name: "Externer Datenschutzservice", NameEN: "External data protection service",
				MembersOnly: true, Retention: tenant.ContactRetention, ReplyDays: 5, Position: 2,
				Duties:   "Anfragen von Behörden zur Betreuung durch einen externen Datenschutzbeauftragten",
				DutiesEN: "Requests of authorities for an external data protection officer",
				Topics: []tenant.Topic{
					{ID: "angebot", Name: "Angebot und Vertrag", NameEN: "Offer and contract"},
					{ID: "beratung", Name: "Beratung in einer laufenden Sache", NameEN: "Advice in a current matter"},
				},
			}},
		},
	}
}

func stadtDepartments() []tenant.Department {
	return []tenant.Department{
		{ID: "buergerdienste", Name: "Bürgerdienste und Ordnung", NameEN: "Citizen services and public order", Position: 1},
		{ID: "bauen", Name: "Bauen und Verkehr", NameEN: "Building and traffic", Position: 2},
		{ID: "soziales", Name: "Bildung und Soziales", NameEN: "Education and social affairs", Position: 3},
		{ID: "finanzen", Name: "Finanzen", NameEN: "Finance", Position: 4},
	}
}

func stadtMailboxes() []tenant.Mailbox {
	return []tenant.Mailbox{
		{
			ID: "buergerbuero", Department: "buergerdienste", Name: "Bürgerbüro", NameEN: "Citizens' office", Fallback: true, Position: 1,
			Duties:    "Ausweise, Pässe, An- und Abmeldung, Führungszeugnis – und alles, was Sie keinem Amt zuordnen können",
			DutiesEN:  "Identity cards, passports, registration, certificates of conduct – and whatever you cannot assign to an office",
			ReplyDays: 3,
			Topics: []tenant.Topic{
				{ID: "ausweise", Name: "Ausweis und Reisepass", NameEN: "Identity card and passport"},
				{ID: "meldewesen", Name: "Anmelden, ummelden, abmelden", NameEN: "Registering a move"},
				{ID: "bescheinigung", Name: "Bescheinigung oder Führungszeugnis", NameEN: "Certificates"},
				{ID: "sonstiges", Name: "Etwas anderes", NameEN: "Something else"},
			},
		},
		{
			ID: "ordnungsamt", Department: "buergerdienste", Name: "Ordnungsamt", NameEN: "Public order office", Position: 2,
			Duties:   "Parken, Lärm, Fundsachen, Gewerbe, Veranstaltungen auf öffentlichem Grund",
			DutiesEN: "Parking, noise, lost property, trade licences, events in public places",
			Topics: []tenant.Topic{
				{ID: "verkehr", Name: "Parken und Verkehr", NameEN: "Parking and traffic"},
				{ID: "laerm", Name: "Lärm", NameEN: "Noise"},
				{ID: "fundsachen", Name: "Fundsachen", NameEN: "Lost property"},
				{ID: "veranstaltung", Name: "Veranstaltung anmelden", NameEN: "Register an event"},
			},
		},
		{
			ID: "tiefbauamt", Department: "bauen", Name: "Tiefbauamt", NameEN: "Civil engineering office", EmailReply: true, Position: 3,
			Duties:    "Straßen, Gehwege, Straßenlaternen, Baustellen, Winterdienst",
			DutiesEN:  "Roads, pavements, street lights, road works, winter service",
			FileKinds: []string{"pdf", "jpg", "png", "heic", "txt"},
			Topics: []tenant.Topic{
				{ID: "strassen", Name: "Schaden an Straße oder Gehweg", NameEN: "Damage to a road or pavement"},
				{ID: "beleuchtung", Name: "Straßenbeleuchtung", NameEN: "Street lighting"},
				{ID: "baustelle", Name: "Baustelle", NameEN: "Road works"},
				{ID: "winterdienst", Name: "Winterdienst", NameEN: "Winter service"},
			},
		},
		{
			ID: "bauordnungsamt", Department: "bauen", Name: "Bauordnungsamt", NameEN: "Building control office", SenderRequired: true, Position: 4,
			Duties:    "Bauanträge, Bauvoranfragen, Akteneinsicht, Denkmalschutz",
			DutiesEN:  "Building applications, preliminary enquiries, inspection of files, listed buildings",
			ReplyDays: 10, MaxFile: 50 << 20, MaxMessage: 100 << 20, FileKinds: []string{"pdf", "jpg", "png", "docx", "odt", "zip"},
			Topics: []tenant.Topic{
				{ID: "bauantrag", Name: "Bauantrag oder Bauvoranfrage", NameEN: "Building application or enquiry"},
				{ID: "akteneinsicht", Name: "Akteneinsicht", NameEN: "Inspection of files"},
				{ID: "denkmal", Name: "Denkmalschutz", NameEN: "Listed buildings"},
			},
		},
		{
			ID: "kita-schule", Department: "soziales", Name: "Amt für Kita und Schule", NameEN: "Childcare and school office", Position: 5,
			Duties:   "Kita-Plätze, Schulanmeldung, Ferienbetreuung, Elternbeiträge",
			DutiesEN: "Childcare places, school registration, holiday care, parents' fees",
			Topics: []tenant.Topic{
				{ID: "kita", Name: "Kita-Platz", NameEN: "Childcare place"},
				{ID: "schule", Name: "Schule", NameEN: "School"},
				{ID: "ferien", Name: "Ferienbetreuung", NameEN: "Holiday care"},
				{ID: "beitrag", Name: "Elternbeitrag", NameEN: "Parents' fees"},
			},
		},
		{
			ID: "steueramt", Department: "finanzen", Name: "Steueramt", NameEN: "Municipal tax office", SenderRequired: true, Position: 6,
			Duties:   "Grundsteuer, Hundesteuer, Gewerbesteuer, Lastschrift",
			DutiesEN: "Property tax, dog tax, trade tax, direct debit",
			Topics: []tenant.Topic{
				{ID: "grundsteuer", Name: "Grundsteuer", NameEN: "Property tax"},
				{ID: "hundesteuer", Name: "Hundesteuer", NameEN: "Dog tax"},
				{ID: "zahlung", Name: "Zahlung und Lastschrift", NameEN: "Payment and direct debit"},
			},
		},
	}
}

func gemeindeDepartments() []tenant.Department {
	return []tenant.Department{
		{ID: "hauptamt", Name: "Hauptamt", NameEN: "Main office", Position: 1},
		{ID: "bauamt", Name: "Bauamt", NameEN: "Building office", Position: 2},
		{ID: "kaemmerei", Name: "Kämmerei", NameEN: "Treasury", Position: 3},
	}
}

func gemeindeMailboxes() []tenant.Mailbox {
	return []tenant.Mailbox{
		{
			ID: "rathaus", Department: "hauptamt", Name: "Rathaus", NameEN: "Town hall", Fallback: true, EmailReply: true, Position: 1,
			Duties:   "Meldewesen, Ausweise, Vereine, Hallenbelegung und alle Anliegen, für die Sie kein Amt finden",
			DutiesEN: "Registration, identity cards, clubs, hall bookings and every request you find no office for",
			Topics: []tenant.Topic{
				{ID: "allgemein", Name: "Allgemeines Anliegen", NameEN: "General request"},
				{ID: "ausweise", Name: "Ausweis und Meldewesen", NameEN: "Identity card and registration"},
				{ID: "halle", Name: "Halle oder Bürgerhaus", NameEN: "Hall or community house"},
			},
		},
		{
			ID: "bauen-umwelt", Department: "bauamt", Name: "Bauen und Umwelt", NameEN: "Building and environment", Position: 2,
			Duties:   "Straßen, Wasser und Abwasser, Grünflächen, Abfall, Bauvorhaben",
			DutiesEN: "Roads, water and sewage, green areas, waste, building projects",
			Topics: []tenant.Topic{
				{ID: "strassen", Name: "Straßen und Wege", NameEN: "Roads and paths"},
				{ID: "wasser", Name: "Wasser und Abwasser", NameEN: "Water and sewage"},
				{ID: "gruen", Name: "Grünflächen und Bäume", NameEN: "Green areas and trees"},
			},
		},
		{
			ID: "kinder-bildung", Department: "hauptamt", Name: "Kinder und Bildung", NameEN: "Children and education", Position: 3,
			Duties:   "Kindergarten, Grundschule, Bücherei, Jugendhaus",
			DutiesEN: "Kindergarten, primary school, library, youth club",
			Topics: []tenant.Topic{
				{ID: "kindergarten", Name: "Kindergarten", NameEN: "Kindergarten"},
				{ID: "schule", Name: "Grundschule", NameEN: "Primary school"},
				{ID: "buecherei", Name: "Bücherei", NameEN: "Library"},
			},
		},
		{
			ID: "kaemmerei", Department: "kaemmerei", Name: "Kämmerei", NameEN: "Treasury", SenderRequired: true, ReplyDays: 7, Position: 4,
			Duties:   "Steuern, Gebühren, Rechnungen, Mahnungen",
			DutiesEN: "Taxes, fees, invoices, reminders",
			Topics: []tenant.Topic{
				{ID: "steuern", Name: "Steuern und Gebühren", NameEN: "Taxes and fees"},
				{ID: "rechnung", Name: "Rechnung oder Mahnung", NameEN: "Invoice or reminder"},
			},
		},
	}
}

// hired is a member of staff to be.
type hired struct {
	of                tenant.ID
	login, name, mail string
	role              account.Role
	boxes             []tenant.MailboxID
	notices           bool
}

// staff are ten people at the authorities, in every role there, and two at the operator. Who may be a member comes first: an authority
// with two administrators lets nobody join without a second person.
func staff() []hired {
	return []hired{
		{
			of: stadt, login: "m.keller", name: "Maria Keller", mail: "m.keller@musterstadt.example", role: account.Lead, notices: true,
			boxes: []tenant.MailboxID{"buergerbuero", "ordnungsamt", "kita-schule"},
		},
		{
			of: stadt, login: "e.aydin", name: "Emre Aydın", mail: "e.aydin@musterstadt.example", role: account.Clerk,
			boxes: []tenant.MailboxID{"tiefbauamt", "ordnungsamt"},
		},
		{
			of: stadt, login: "l.sauer", name: "Lena Sauer", mail: "l.sauer@musterstadt.example", role: account.Clerk, notices: true,
			boxes: []tenant.MailboxID{"bauordnungsamt", "tiefbauamt"},
		},
		{
			of: stadt, login: "a.weber", name: "Andreas Weber", mail: "a.weber@musterstadt.example", role: account.Admin,
			boxes: []tenant.MailboxID{"buergerbuero", "steueramt", "kita-schule"},
		},
		{of: stadt, login: "p.vogel", name: "Petra Vogel", mail: "p.vogel@musterstadt.example", role: account.Admin},
		{of: stadt, login: "d.krueger", name: "Daniel Krüger", mail: "d.krueger@musterstadt.example", role: account.Editor},
		{of: stadt, login: "i.hartmann", name: "Ines Hartmann", mail: "i.hartmann@musterstadt.example", role: account.DPO},
		{of: stadt, login: "r.simon", name: "Ralf Simon", mail: "r.simon@musterstadt.example", role: account.Auditor},
		{
			of: gemeinde, login: "j.brandt", name: "Jonas Brandt", mail: "j.brandt@beispielingen.example", role: account.Clerk, notices: true,
			boxes: []tenant.MailboxID{"rathaus", "bauen-umwelt"},
		},
		{
			of: gemeinde, login: "s.nowak", name: "Sofia Nowak", mail: "s.nowak@beispielingen.example", role: account.Admin,
			boxes: []tenant.MailboxID{"rathaus", "kinder-bildung", "kaemmerei"},
		},
		{
			of: betreiber, login: "t.lindner", name: "Tobias Lindner", mail: "t.lindner@kdvm.example", role: account.Lead,
			boxes: []tenant.MailboxID{"kontakt", "datenschutz-extern"},
		},
		{of: betreiber, login: "f.winter", name: "Frieda Winter", mail: "f.winter@kdvm.example", role: account.Editor},
		{of: betreiber, login: "g.roth", name: "Gregor Roth", mail: "g.roth@kdvm.example", role: account.DPO},
		{of: betreiber, login: "k.berger", name: "Katrin Berger", mail: "k.berger@kdvm.example", role: account.Operator},
	}
}
