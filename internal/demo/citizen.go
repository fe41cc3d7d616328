package demo

import (
	"context"

	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// Citizen is the address of the one registered person of the demonstration, who
// has a mailbox at all its tenants. The password is Password.
const Citizen = "kim.musterperson@example.org"

// register makes the account of the citizen.
func (s *seeding) register(ctx context.Context) (err error) {
	t, err := s.tenant(stadt)
	if err != nil {
		return err
	}
	s.kim, err = s.Accounts.AddCitizen(ctx, t, Citizen, Password)
	return err
}

// draft saves a letter that is not sent, at the end: a saved draft goes by
// itself after a month.
func (s *seeding) draft(ctx context.Context) error {
	t, err := s.tenant(stadt)
	if err != nil {
		return err
	}
	g, err := s.Vault.SignInAccount(ctx, vault.AccountProof{Realm: string(t.Realm()), Mail: Citizen, Password: Password})
	if err != nil {
		return err
	}
	who := s.kim
	who.Grant = g.Token
	return s.Mailboxes.SaveDraft(ctx, t, who, mailbox.Letter{
		Mailbox: "kita-schule", Topic: "ferien", Subject: "Ferienbetreuung an Ostern", Name: "Kim Musterperson",
		Body: `Guten Tag,

gibt es in den Osterferien wieder eine Betreuung für Grundschulkinder? Mein Kind geht in die zweite Klasse. Wir bräuchten`,
		Files: []mailbox.File{pdf("Schulbescheinigung.pdf", "Schulbescheinigung", "Das Kind besucht die Klasse 2b der Lindenschule.")},
	})
}

// permits are the offices that the citizen lets write first.
func (s *seeding) permits() (out []scene) {
	for _, p := range []struct {
		of     tenant.ID
		day    int
		hour   float64
		permit mailbox.Permit
	}{
		{stadt, 12, 18.4, mailbox.Permit{Mailbox: "ordnungsamt", Name: "Kim Musterperson", Reason: "Bewohnerparkausweis Lindenstraße, Aktenzeichen 32-4711"}},
		{stadt, 4, 7.5, mailbox.Permit{Mailbox: "kita-schule", Name: "Kim Musterperson, Mutter von Juna (Klasse 2b)", Reason: "Ferienbetreuung"}},
		{gemeinde, 5, 20.1, mailbox.Permit{Mailbox: "bauen-umwelt", Name: "Kim Musterperson"}},
	} {
		out = append(out, scene{at: daysAgo(s.Now, p.day, p.hour), run: func(ctx context.Context) error {
			t, err := s.tenant(p.of)
			if err != nil {
				return err
			}
			return s.Mailboxes.Permit(ctx, t, s.kim, p.permit)
		}})
	}
	return out
}

// held are the letters of the registered citizen.
func held() []story {
	return []story{
		{
			of: stadt, day: 16, hour: 19.2, account: true,
			letter: mailbox.Letter{
				Mailbox: "steueramt", Topic: "hundesteuer", Subject: "Hund abmelden", Name: "Kim Musterperson", Address: "Lindenstraße 14\n70000 Musterstadt",
				Body: `Guten Tag,

unser Hund ist im vergangenen Monat gestorben. Bitte melden Sie ihn von der Hundesteuer ab. Die Bescheinigung der Tierärztin hänge ich an.

Freundliche Grüße
Kim Musterperson`,
				Files: []mailbox.File{pdf("Bescheinigung_Tierarzt.pdf", "Bescheinigung", "Der Hund wurde in unserer Praxis behandelt.")},
			},
			then: []act{
				take("a.weber", 1, 8.6),
				lastAnswer("a.weber", 1, 10.2, `Guten Tag,

das tut uns leid. Ihr Hund ist **zum Monatsende abgemeldet**. Zu viel gezahlte Steuer überweisen wir Ihnen zurück.

Freundliche Grüße
Andreas Weber, Steueramt`),
				look(0, 18.1),
			},
		},
		{
			of: stadt, day: 9, hour: 7.8, account: true,
			letter: mailbox.Letter{
				Mailbox: "tiefbauamt", Topic: "beleuchtung", Subject: "Straßenlaterne in der Lindenstraße 14", Name: "Kim Musterperson",
				Body: `Guten Tag,

vor dem Haus Lindenstraße 14 flackert die Laterne seit einigen Tagen. Abends ist es auf dem Gehweg fast dunkel.

Freundliche Grüße
Kim Musterperson`,
			},
			then: []act{
				take("e.aydin", 1, 9.0),
				answer("e.aydin", 0, 9.4, `Guten Tag,

vielen Dank für Ihre Meldung. Bitte teilen Sie uns noch die **Nummer am Mast** mit. Sie steht auf einem kleinen Schild in Augenhöhe.

Freundliche Grüße
Emre Aydın, Tiefbauamt`),
				look(0, 17.5),
				again(1, 7.9, "Am Mast steht L 2047."),
				answer("e.aydin", 1, 11.1, `Guten Tag,

danke. Der Auftrag ist erteilt, die Laterne wird in der kommenden Woche repariert.

Freundliche Grüße
Emre Aydın`),
				begin("e.aydin", 0, 11.6, "Sperrung der Lindenstraße am Samstag", `Guten Tag,

weil Sie in der Lindenstraße wohnen: Am Samstag wird die Straße zwischen Hausnummer 10 und 20 von **7 bis 13 Uhr gesperrt**. Ein Kran setzt dort einen neuen Mast.

Stellen Sie Ihr Auto bitte vorher um.

Freundliche Grüße
Emre Aydın, Tiefbauamt`, pdf("Lageplan_Sperrung.pdf", "Lageplan der Sperrung", "Gesperrt: Lindenstraße 10 bis 20, Samstag, 7 bis 13 Uhr.")),
			},
		},
		{
			of: stadt, day: 2, hour: 20.3, account: true,
			letter: mailbox.Letter{
				Mailbox: "buergerbuero", Topic: "ausweise", Subject: "Neuer Reisepass", Name: "Kim Musterperson",
				Body: "Guten Tag, mein Reisepass läuft im März ab. Brauche ich für den neuen einen Termin, und wie lange dauert es zurzeit?",
			},
		},
		{
			of: gemeinde, day: 6, hour: 18.7, account: true,
			letter: mailbox.Letter{
				Mailbox: "rathaus", Topic: "halle", Subject: "Bürgerhaus für einen Geburtstag", Name: "Kim Musterperson",
				Body: "Guten Tag, kann ich das Bürgerhaus an einem Samstag im Februar für eine Feier mit 40 Personen mieten? Was kostet das?",
			},
			then: []act{
				take("j.brandt", 1, 9.3),
				answer("j.brandt", 0, 9.9, `Guten Tag,

ja, das geht. Frei sind der **7.** und der **21. Februar**. Die Miete beträgt 180 Euro, dazu kommen 200 Euro Kaution.

Sagen Sie uns, welcher Tag Ihnen passt?

Freundliche Grüße
Jonas Brandt, Rathaus`),
			},
		},
	}
}
