package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
)

// list is the newsletter of one tenant.
type list struct {
	of       tenant.ID
	by       string // login of the editor
	settings newsletter.Settings
	readers  []string // beginnings of addresses
	editions []edition
}

// edition is an issue. Day counts back from the present; a planned one leaves
// that many days after it, and a draft stays one.
type edition struct {
	day    int
	state  newsletter.State
	topics []string
	words  newsletter.Issue
}

func lists() []list {
	return []list{
		{
			of: stadt, by: "d.krueger",
			settings: newsletter.Settings{
				Title: "Rathaus aktuell", TitleEN: "Town hall news", Archive: true,
				About:   "Einmal im Monat: was die Stadt plant, baut und feiert. Ohne Werbung.",
				AboutEN: "Once a month: what the town plans, builds and celebrates. No advertising.",
				Categories: []newsletter.Category{
					{ID: "bauen", Name: "Baustellen und Verkehr", NameEN: "Road works and traffic", Active: true},
					{ID: "kultur", Name: "Kultur und Feste", NameEN: "Culture and festivals", Active: true},
					{ID: "familie", Name: "Familie und Schule", NameEN: "Family and school", Active: true},
				},
			},
			readers: []string{
				"helga.brandl", "murat.yilmaz", "ida.sommer", "karl-heinz.haas", "leyla.oduya", "tomasz.nowicki", "nora.lindner", "felix.weiss",
				"ingrid.albers", "jan.petrov", "sofia.costa", "peter.krueger", "anna.holz", "emil.vogt", "rosa.engel",
			},
			editions: []edition{
				{day: 17, state: newsletter.Sent, words: newsletter.Issue{
					Subject: "Rathaus aktuell im November: Winterdienst, Vorlesetag, neue Öffnungszeiten",
					Body: "Guten Tag,\n\nder November bringt Musterstadt kürzere Tage und einiges Neues.\n\n## Der Winterdienst ist bereit\n\n" +
						"Ab sofort stehen zwölf Fahrzeuge und 380 Tonnen Salz bereit. **Zuerst** räumen wir Hauptstraßen, Buslinien und Schulwege. " +
						"Die Gehwege vor den Häusern räumen bitte weiter die Anlieger.\n\n## Vorlesetag in der Stadtbücherei\n\n" +
						"Am Freitag lesen acht Menschen aus der Stadt ihre Lieblingsgeschichten vor, von der Feuerwehrfrau bis zum Bürgermeister. Der Eintritt ist frei.\n\n" +
						"## Das Bürgerbüro öffnet früher\n\n- Montag und Dienstag ab 7.30 Uhr\n- Donnerstag bis 18.30 Uhr\n- Samstag weiterhin ohne Termin von 9 bis 12 Uhr\n\n" +
						"Fragen beantworten wir über die [Digitale Poststelle](https://musterstadt.example/nachricht).\n\nIhre Stadt Musterstadt",
				}},
				{day: 5, state: newsletter.Sent, topics: []string{"bauen"}, words: newsletter.Issue{
					Subject: "Lindenstraße: Vollsperrung ab Montag",
					Body: "Guten Tag,\n\nab Montag erneuern wir in der **Lindenstraße** die Wasserleitung. Zwischen Marktplatz und Kastanienallee ist die Straße " +
						"zwei Wochen lang gesperrt.\n\n- Die Buslinie 3 hält ersatzweise in der Gartenstraße.\n- Zu Fuß und mit dem Rad kommen Sie jederzeit durch.\n" +
						"- Die Müllabfuhr holt die Tonnen an den Kreuzungen ab.\n\nWir danken allen Anwohnerinnen und Anwohnern für ihre Geduld.\n\nIhr Tiefbauamt",
				}},
				{day: -4, state: newsletter.Scheduled, topics: []string{"kultur", "familie"}, words: newsletter.Issue{
					Subject: "Weihnachtsmarkt auf dem Rathausplatz",
					Body: "Guten Tag,\n\nam ersten Advent öffnet der Weihnachtsmarkt. 34 Stände, eine Bühne für Schulchöre und ein Karussell für die Kleinen.\n\n" +
						"Neu in diesem Jahr: eine ruhige Stunde am Montag von 15 bis 16 Uhr, **ohne Musik**, für alle, denen es sonst zu laut ist.\n\nIhr Kulturamt",
				}},
				{day: 1, state: newsletter.Draft, words: newsletter.Issue{
					Subject: "Rathaus aktuell im Dezember",
					Body:    "Guten Tag,\n\nzum Jahresende blicken wir zurück.\n\n## Was fertig wurde\n\n- Brücke am Bach\n- Spielplatz Amselweg\n\n## Was kommt\n\n(Termine ergänzen)",
				}},
			},
		},
		{
			of: betreiber, by: "f.winter",
			settings: newsletter.Settings{
				Title: "Poststellen-Brief", TitleEN: "Post office letter", Archive: true,
				About:   "Für Gemeinden, die die Digitale Poststelle nutzen: neue Funktionen, Wartung, Tipps aus der Praxis.",
				AboutEN: "For authorities that use this service: new functions, maintenance, hints from practice.",
				Categories: []newsletter.Category{
					{ID: "neues", Name: "Neue Funktionen", NameEN: "New functions", Active: true},
					{ID: "wartung", Name: "Wartung und Störungen", NameEN: "Maintenance and faults", Active: true},
				},
			},
			readers: []string{
				"hauptamt.aachdorf", "it.bedorf", "datenschutz.celingen", "poststelle.dehausen", "m.krug", "s.ortmann", "verwaltung.efringen", "b.falk", "k.gessler", "organisation.heidorf",
			},
			editions: []edition{
				{day: 14, state: newsletter.Sent, words: newsletter.Issue{
					Subject: "Neu: Antworten mit Tabellen und ein Archiv für Newsletter",
					Body: "Guten Tag,\n\nseit dieser Woche können Ämter in Antworten **Tabellen** schreiben. Im Text genügt dafür eine Zeile mit Strichen; " +
						"die Vorschau zeigt, wie es aussieht.\n\n## Newsletter für Gemeinden\n\n" +
						"Jede Gemeinde kann einen eigenen Newsletter einschalten. Angemeldet ist nur, wer den Link in der E-Mail bestätigt. " +
						"Kein Zählpixel, keine umgeschriebenen Links.\n\nWie das geht, steht auf [unserer Website](https://kdvm.example/newsletter).\n\nIhr Team der Poststelle",
				}},
				{day: 7, state: newsletter.Sent, topics: []string{"wartung"}, words: newsletter.Issue{
					Subject: "Wartung an einem Sonntagabend",
					Body: "Guten Tag,\n\nwir erneuern die Server der Poststelle. Das dauert von 20 bis 22 Uhr; den Tag lesen Sie oben auf jeder Seite.\n\n" +
						"- Nachrichten senden und Antworten abholen geht in dieser Zeit nicht.\n- Was vorher gesendet wurde, bleibt erhalten.\n" +
						"- Fristen prüfen Sie bitte vorher.\n\nIhr Team der Poststelle",
				}},
				{day: -3, state: newsletter.Scheduled, words: newsletter.Issue{
					Subject: "Einladung: eine Stunde Fragen und Antworten",
					Body: "Guten Tag,\n\nkommende Woche beantworten wir in einer Videokonferenz Ihre Fragen: Vertretungen, Fristen, Löschen.\n\n" +
						"Schicken Sie uns Ihre Fragen gern vorher über das Postfach [Kontakt zum Betreiber](https://kdvm.example/kontakt).\n\nIhr Team der Poststelle",
				}},
				{day: 2, state: newsletter.Draft, words: newsletter.Issue{
					Subject: "Rückblick auf das erste Jahr",
					Body:    "Guten Tag,\n\nein Jahr Digitale Poststelle. Die Zahlen stellen wir gerade zusammen.",
				}},
			},
		},
	}
}

// letters sets up the newsletters, takes over their first readers, and sends.
func (s *seeding) letters() (out []scene) {
	for _, l := range lists() {
		out = append(out, scene{at: daysAgo(s.Now, days-1, 8), run: func(ctx context.Context) error { return s.subscribe(ctx, l, daysAgo(s.Now, days-1, 8)) }})
		for _, e := range l.editions {
			at := daysAgo(s.Now, max(e.day, 1), 10)
			out = append(out, scene{at: at, run: func(ctx context.Context) error {
				if err := s.issue(ctx, l, e, at); err != nil {
					return fmt.Errorf("%q: %w", e.words.Subject, err)
				}
				return nil
			}})
		}
	}
	return out
}

// subscribe takes people over who have agreed at a stall, on paper.
func (s *seeding) subscribe(ctx context.Context, l list, at time.Time) error {
	who, err := s.as(ctx, l.of, l.by, at)
	if err == nil {
		err = s.Newsletter.SetSettings(ctx, who, l.settings)
	}
	if err != nil {
		return err
	}
	people := make([]newsletter.Evidence, len(l.readers))
	for i, name := range l.readers {
		people[i] = newsletter.Evidence{
			Address: name + "@post.example", Confirmed: at.Add(-time.Duration(i*7+1) * time.Hour), Version: "2026-09", Form: "Karte vom Stand auf dem Herbstmarkt",
			Text: "Ich möchte den Newsletter „" + l.settings.Title + "“ per E-Mail bekommen und kann das jederzeit widerrufen.",
		}
		if all := l.settings.Categories; i%3 == 2 { // some have ticked one topic
			people[i].Categories = []string{all[i%len(all)].ID}
		}
	}
	_, err = s.Newsletter.Import(ctx, l.of, "Karten vom Herbstmarkt", people)
	return err
}

// issue writes an issue and brings it as far as it is to come.
func (s *seeding) issue(ctx context.Context, l list, e edition, at time.Time) error {
	t, err := s.tenant(l.of)
	if err != nil {
		return err
	}
	who, err := s.as(ctx, l.of, l.by, at)
	if err != nil {
		return err
	}
	i := e.words
	i.Lang, i.Archived, i.Categories, i.Version = "de", true, e.topics, 1
	i.Body = strings.TrimSpace(i.Body) + "\n"
	if i.ID, err = s.Newsletter.Create(ctx, who, i); err != nil || e.state == newsletter.Draft {
		return err
	}
	when := at
	if e.state == newsletter.Scheduled {
		when = daysAgo(s.Now, e.day, 9)
	}
	if err := s.Newsletter.Schedule(ctx, who, t, i, when); err != nil || e.state == newsletter.Scheduled {
		return err
	}
	_, err = s.RunDue(ctx)
	return err
}
