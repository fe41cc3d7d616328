package ui_test

import (
	"context"
	"io"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/web/ui"
)

// The gallery shows every component on pages like the real ones. All names and letters are invented.

var now = time.Date(2026, 11, 20, 9, 14, 0, 0, time.UTC)

// all renders components one after the other.
func all(cs ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		for _, c := range cs {
			if err := c.Render(templ.ClearChildren(ctx), w); err != nil {
				return err
			}
		}
		return nil
	})
}

// in renders a component with children.
func in(c templ.Component, children ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return c.Render(templ.WithChildren(ctx, all(children...)), w)
	})
}

func text(s string) templ.Component { return templ.Raw(s) }

func ago(d time.Duration) time.Time { return now.Add(-d) }

const day = 24 * time.Hour

type page struct {
	name  string
	frame ui.Frame
	view  ui.View
}

func citizenFrame() ui.Frame {
	return ui.Frame{
		Lang: "de", Path: "/galerie", Now: now, TenantName: "Stadt Musterstadt", ProductName: "Digitale Poststelle", Sub: "der Stadt Musterstadt",
		Nav: []ui.NavItem{
			{Href: "/nachricht/1", Label: "Nachricht schreiben"}, {Href: "/postfach", Label: "Postfach", Count: 2, CountLabel: "ungelesen:"},
			{Href: "/abholen", Label: "Antwort abholen"}, {Href: "/meine-daten", Label: "Meine Daten"},
		},
		TopLinks: []ui.NavItem{{Href: "/leichte-sprache", Label: "Leichte Sprache", Icon: "article"}, {Href: "/gebaerdensprache", Label: "Gebärdensprache", Icon: "sign_language"}},
		FooterLinks: []ui.NavItem{
			{Href: "/impressum", Label: "Impressum"}, {Href: "/datenschutz", Label: "Datenschutzerklärung"}, {Href: "/cookies", Label: "Cookies"},
			{Href: "/barrierefreiheit", Label: "Erklärung zur Barrierefreiheit"}, {Href: "/barriere-melden", Label: "Barriere melden"},
		},
		Address: "Stadt Musterstadt · Rathausplatz 1 · 70000 Musterstadt", AltLangHref: "/en/galerie",
		AssetHref: func(name string) string { return name },
	}
}

func current(f ui.Frame, i int) ui.Frame { f.Nav[i].Current = true; return f }

func staffFrame() ui.Frame {
	f := citizenFrame()
	f.Staff, f.ProductName, f.Sub, f.UserName, f.SignOut = true, "Poststelle Sachbearbeitung", "", "M. Keller", "/amt/abmelden"
	f.Nav = []ui.NavItem{{Href: "/amt/eingang", Label: "Eingang", Current: true, Count: 4, CountLabel: "neu:"}, {Href: "/amt/suche", Label: "Suche"}, {Href: "/amt/textbausteine", Label: "Textbausteine"}, {Href: "/amt/berichte", Label: "Berichte"}}
	f.TopLinks = []ui.NavItem{{Href: "/amt/tasten", Label: "Tastenkürzel", Icon: "keyboard", Attrs: templ.Attributes{"aria-keyshortcuts": "?"}}, {Href: "/amt/hilfe", Label: "Hilfe", Icon: "help"}}
	return f
}

func steps(at int) templ.Component {
	all := []ui.Step{{Label: "Empfänger", Note: "Tiefbauamt, Stadt Musterstadt", Href: "/nachricht/1"}, {Label: "Thema", Note: "Schaden melden", Href: "/nachricht/2"}, {Label: "Ihr Anliegen", Href: "/nachricht/3"}, {Label: "Anhänge", Note: "optional", Href: "/nachricht/4"}, {Label: "Prüfen und senden"}}
	for i := range all {
		all[i].Done, all[i].Current = i < at-1, i == at-1
		if i >= at {
			all[i].Href = ""
		}
	}
	return ui.Steps(all)
}

func after() templ.Component {
	return in(ui.Panel("danach", "So geht es weiter", true), text(`<p>Nach dem Senden erhalten Sie einen Abholcode. Das Tiefbauamt antwortet in der Regel innerhalb von 5 Werktagen.</p><p>Das Amt löscht Ihre Nachricht, wenn Ihr Anliegen abgeschlossen ist. Nichts wird automatisch gelöscht.</p>`), ui.Link("/datenschutz", "Wie wir mit Ihren Daten umgehen"))
}

func gallery() []page {
	home := citizenFrame()
	home.Demo = "Dies ist eine Vorführung. Alle Daten sind erfunden und werden beim Neustart gelöscht."
	startPage := page{"start", home, ui.View{Title: "Schreiben Sie Ihrer Verwaltung", Body: all(
		in(ui.Hero(ui.HeroSpec{Title: "Schreiben Sie Ihrer Verwaltung", Lead: "Sicher, ohne Konto und mit einer Antwort, die nur Sie lesen können."}),
			ui.LinkButton(ui.Btn{Label: "Nachricht schreiben", Href: "/nachricht/1", Icon: "edit"}), ui.LinkButton(ui.Btn{Label: "Antwort abholen", Href: "/abholen", Kind: ui.Secondary, Icon: "key"})),
		in(ui.Section("themen", "Häufige Anliegen", ""), in(ui.Cards(),
			ui.Card(ui.CardSpec{Href: "/nachricht/1?thema=schaden", Title: "Schaden melden", Text: "Straße, Laterne, Spielplatz", Icon: "construction"}),
			ui.Card(ui.CardSpec{Href: "/nachricht/1?thema=termin", Title: "Termin", Text: "Vereinbaren oder verschieben", Icon: "calendar_today"}),
			ui.Card(ui.CardSpec{Href: "/nachricht/1?thema=ausweis", Title: "Ausweis und Pass", Text: "Beantragen, verlieren, abholen", Icon: "badge"}),
			ui.Card(ui.CardSpec{Href: "/nachricht/1?thema=kita", Title: "Kita und Schule", Text: "Anmeldung, Gebühren, Ferien", Icon: "child_care"}),
			ui.Card(ui.CardSpec{Href: "/nachricht/1?thema=steuern", Title: "Steuern und Gebühren", Text: "Bescheide und Zahlungen", Icon: "euro"}),
			ui.Card(ui.CardSpec{Href: "/meine-daten", Title: "Datenschutz", Text: "Auskunft, Berichtigung, Löschung", Icon: "shield_person"}))),
		in(ui.Section("aemter", "Unsere Ämter", "Sie wissen schon, wer zuständig ist? Schreiben Sie direkt."), in(ui.Cards(),
			ui.OfficeCard(ui.CardSpec{Href: "/nachricht/1?amt=tief", Title: "Tiefbauamt", Text: "Straßen, Wege, Beleuchtung, Kanal", Note: "Antwortet meist in 5 Werktagen"}),
			ui.OfficeCard(ui.CardSpec{Href: "/nachricht/1?amt=buerger", Title: "Bürgeramt", Text: "Meldewesen, Ausweise, Führungszeugnisse", Note: "Antwortet meist in 2 Werktagen"}),
			ui.OfficeCard(ui.CardSpec{Href: "/nachricht/1?amt=bau", Title: "Bauordnungsamt und Denkmalschutzbehörde", Text: "Bauanträge, Baulasten, Denkmalschutz", Note: "Antwortet meist in 10 Werktagen"}))),
		in(ui.Section("ablauf", "So funktioniert es", ""), ui.HowItWorks([]ui.HowStep{
			{Title: "Schreiben", Text: "Sie beschreiben Ihr Anliegen in fünf kurzen Schritten. Ein Konto brauchen Sie nicht."},
			{Title: "Code notieren", Text: "Sie erhalten einen Abholcode. Nur mit ihm lässt sich die Antwort öffnen."},
			{Title: "Antwort abholen", Text: "Sie geben den Code ein und lesen, was das Amt geschrieben hat."}})),
	)}}

	assist := current(citizenFrame(), 0)
	assist.Banners = []ui.Banner{{Name: "meldung_wartung-11", Title: "Wartung am Mittwoch, 25. November 2026, 20 bis 22 Uhr.", Text: "In dieser Zeit können Sie keine Nachrichten senden."}}
	errs := []ui.FieldError{{ID: "nachricht", Text: "Beschreiben Sie Ihr Anliegen mit mindestens 20 Zeichen."}, {ID: "antwort", Text: "Wählen Sie aus, wie wir Ihnen antworten sollen."}, {ID: "email", Text: "Geben Sie eine vollständige E-Mail-Adresse ein, zum Beispiel name@beispiel.de."}}
	assistPage := page{"assistent", assist, ui.View{Title: "Ihr Anliegen – Schritt 3 von 5", Errors: 3, Body: in(ui.AsideLayout("Übersicht", all(steps(3), after())),
		ui.Progress(3, 5), text(`<h1 class="kern-heading-large" tabindex="-1">Ihr Anliegen</h1>`), ui.ErrorSummary(errs),
		in(ui.Form(ui.FormSpec{Action: "/nachricht/3", Hidden: map[string]string{"vorgang": "x"}}),
			ui.Field(ui.Input{Name: "betreff", Label: "Betreff", Hint: "Worum geht es in einem Satz?", Value: "Straßenlaterne in der Lindenstraße 14 ist defekt", Max: 120}),
			ui.TextArea(ui.Area{Name: "nachricht", Label: "Ihre Nachricht", Hint: "Nennen Sie Ort, Zeit und was Sie von uns erwarten.", Value: "Laterne kaputt", Max: 5000, Error: errs[0].Text,
				Help: &ui.HelpText{ID: "nachricht", Title: "Was gehört in die Nachricht – und was nicht?", Open: true, Keep: true, Text: "Schreiben Sie nur, was wir für Ihr Anliegen brauchen.", Body: text("<ul><li>Ja: Adresse, Zeitpunkt, Aktenzeichen</li><li>Nein: Kontodaten, Passwörter, Angaben zur Gesundheit</li></ul>")}}),
			ui.Radios(ui.Choice{Name: "antwort", Label: "Wie sollen wir Ihnen antworten?", Error: errs[1].Text, Options: []ui.Option{{Value: "postfach", Label: "In mein Postfach hier im Portal (verschlüsselt)"}, {Value: "code", Label: "Ohne Konto: Ich rufe die Antwort mit einem Abholcode ab"}, {Value: "post", Label: "Per Brief"}}}),
			ui.Field(ui.Input{Name: "email", Type: "email", Label: "E-Mail-Adresse", Optional: true, Autocomplete: "email", Hint: "Wir melden Ihnen, sobald eine Antwort da ist. Der Inhalt steht nie in der E-Mail.", Value: "kim.musterperson@", Error: errs[2].Text}),
			in(ui.Actions(), ui.Button(ui.Btn{Label: "Weiter zu den Anhängen"}), ui.Button(ui.Btn{Label: "Zurück", Kind: ui.Secondary, Name: "aktion", Value: "zurueck"}), ui.Button(ui.Btn{Label: "Entwurf speichern", Kind: ui.Tertiary, Name: "aktion", Value: "entwurf"}))))}}

	officePage := page{"empfaenger", current(citizenFrame(), 0), ui.View{Title: "Wem möchten Sie schreiben?", FocusH1: true, Body: in(ui.AsideLayout("Übersicht", all(steps(1), after())),
		ui.Progress(1, 5), in(ui.Form(ui.FormSpec{Action: "/nachricht/1"}),
			ui.Radios(ui.Choice{Name: "amt", Heading: true, Boxed: true, Value: "tief", Label: "Wem möchten Sie schreiben?", Hint: "Wählen Sie ein Amt. Wir leiten Ihre Nachricht weiter, wenn ein anderes zuständig ist.", Options: []ui.Option{
				{Value: "tief", Label: "Tiefbauamt", Hint: "Straßen, Wege, Beleuchtung, Kanal"}, {Value: "buerger", Label: "Bürgeramt", Hint: "Meldewesen, Ausweise, Führungszeugnisse"}, {Value: "bau", Label: "Bauordnungsamt", Hint: "Bauanträge, Baulasten, Denkmalschutz"}, {Value: "?", Label: "Ich bin unsicher", Hint: "Die zentrale Poststelle verteilt Ihre Nachricht"}}}),
			ui.Checkboxes(ui.Choice{Name: "art", Label: "Betrifft Ihr Anliegen", Optional: true, Options: []ui.Option{{Value: "a", Label: "eine Gefahr im Straßenverkehr", Selected: true}, {Value: "b", Label: "einen Ort im Wald"}}}),
			in(ui.Actions(), ui.Button(ui.Btn{Label: "Weiter zum Thema"}), ui.LinkButton(ui.Btn{Label: "Abbrechen", Kind: ui.Tertiary, Href: "/"}))))}}

	files := []ui.File{{Name: "Laterne Lindenstraße 14.jpg", Kind: "JPG", Size: 2_431_000, State: "Geprüft", Tone: ui.Good, Remove: "1"}, {Name: "rechnung\u202efdp.exe", Kind: "PDF", Size: 84_000, State: "Wird geprüft", Tone: ui.Info, Remove: "2"}, {Name: "Ein sehr langer Dateiname, wie ihn manche Programme von sich aus vergeben (Kopie 3) endgültig.docx", Kind: "DOCX", Size: 310, State: "Geprüft", Tone: ui.Good, Remove: "3"}}
	filePage := page{"anhaenge", current(citizenFrame(), 0), ui.View{Title: "Anhänge", Body: in(ui.AsideLayout("Übersicht", all(steps(4), after())),
		ui.Progress(4, 5), text(`<h1 class="kern-heading-large" tabindex="-1">Anhänge</h1>`),
		in(ui.Form(ui.FormSpec{Action: "/nachricht/4", Multipart: true}),
			ui.FileTable("Ihre Dateien", "entfernen", files),
			ui.Upload(ui.UploadSpec{Name: "datei", Label: "Dateien auswählen", Optional: true, Multiple: true, Limits: "Bis zu 10 Dateien, je höchstens 20 MB: PDF, JPG, PNG, DOCX, ODT", Button: "Hochladen", ButtonName: "aktion", ButtonValue: "hochladen"}),
			ui.Upload(ui.UploadSpec{ID: "datei2", Name: "datei2", Label: "Noch eine Datei", Error: "Wir konnten „plan.dwg“ nicht annehmen. Diese Art von Datei ist nicht erlaubt."}),
			ui.Checkbox(ui.Check{Name: "hinweis", Label: "Die Dateien enthalten Angaben über andere Personen", Hint: "Dann informieren wir diese Personen, wenn das Gesetz es verlangt."}),
			in(ui.Actions(), ui.Button(ui.Btn{Label: "Weiter zum Prüfen"}), ui.Button(ui.Btn{Label: "Zurück", Kind: ui.Secondary, Name: "aktion", Value: "zurueck"}))))}}

	letter := "Guten Tag,\n\nseit Montag brennt die Laterne vor der Lindenstraße 14 nicht mehr. Auf dem Schulweg ist es dort morgens sehr dunkel.\n\nKönnen Sie bitte sagen, wann sie repariert wird?\n\nKim Musterperson"
	plain := []ui.File{{Name: "Laterne Lindenstraße 14.jpg", Kind: "JPG", Size: 2_431_000, Href: "/postfach/x/1", State: "Geprüft", Tone: ui.Good}}
	reviewPage := page{"pruefen", current(citizenFrame(), 0), ui.View{Title: "Prüfen und senden", Body: in(ui.AsideLayout("Übersicht", all(steps(5), after())),
		ui.Progress(5, 5), text(`<h1 class="kern-heading-large" tabindex="-1">Prüfen und senden</h1>`),
		in(ui.SummaryGroup(ui.GroupSpec{Title: "Empfänger und Thema", Href: "/nachricht/1", ChangeLabel: "Empfänger und Thema ändern", Number: 1}), ui.SummaryRow("Amt", "Tiefbauamt"), ui.SummaryRow("Thema", "Schaden melden")),
		in(ui.SummaryGroup(ui.GroupSpec{Title: "Ihr Anliegen", Href: "/nachricht/3", ChangeLabel: "Ihr Anliegen ändern", Number: 2}), ui.SummaryRow("Betreff", "Straßenlaterne in der Lindenstraße 14 ist defekt"), ui.SummaryRow("Nachricht", letter), ui.SummaryRow("Antwort", "Ohne Konto, mit Abholcode")),
		in(ui.SummaryGroup(ui.GroupSpec{Title: "Anhänge", Href: "/nachricht/4", ChangeLabel: "Anhänge ändern", Number: 3}), in(ui.SummaryRow("Dateien", ""), ui.FileList(plain))),
		in(ui.Form(ui.FormSpec{Action: "/nachricht/5"}), ui.Checkbox(ui.Check{Name: "einwilligung", Label: "Ich willige ein, dass das Tiefbauamt mich per E-Mail zur Zufriedenheit befragt", Hint: "Freiwillig. Sie können die Einwilligung jederzeit widerrufen."}),
			in(ui.Actions(), ui.Button(ui.Btn{Label: "Nachricht senden", Icon: "send"}), ui.Button(ui.Btn{Label: "Zurück", Kind: ui.Secondary, Name: "aktion", Value: "zurueck"}))))}}

	sentPage := page{"gesendet", current(citizenFrame(), 0), ui.View{Title: "Ihre Nachricht ist angekommen", FocusH1: true, Body: in(ui.AsideLayout("Wie es weitergeht", in(ui.Panel("weiter", "Wie es weitergeht", true), text("<p>Das Tiefbauamt antwortet in der Regel bis 27.11.2026.</p><p>Schauen Sie mit dem Code unter „Antwort abholen“ nach.</p>"))),
		in(ui.Success("Ihre Nachricht ist angekommen", "Eingegangen am 20.11.2026 um 9:14 Uhr beim Tiefbauamt.")),
		in(ui.CodePanel(ui.CodeSpec{Title: "Ihr Abholcode", Warning: "Der Code steht nur hier. Wir können ihn nicht wiederherstellen.", Groups: []string{"7K2M", "9QXD", "4TBH", "W3FN", "8RJC", "05ZP"}, QR: "7K2M-9QXD-4TBH-W3FN-8RJC-05ZP", QRLabel: "Der Abholcode als QR-Code"}), ui.LinkButton(ui.Btn{Label: "Als PDF speichern", Kind: ui.Tertiary, Icon: "picture_as_pdf", Href: "/nachricht/gesendet.pdf"})),
		in(ui.Receipt(ui.ReceiptSpec{Title: "Eingangsbestätigung", Intro: "Mit dieser Bestätigung können Sie belegen, was Sie wann gesendet haben.", Lines: []ui.Line{{Key: "Eingang", Value: "20.11.2026, 9:14:07 Uhr"}, {Key: "Empfänger", Value: "Stadt Musterstadt, Tiefbauamt"}, {Key: "Anhang 1", Value: "Laterne Lindenstraße 14.jpg, 2,3 MB"}, {Key: "Prüfsumme", Value: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Mono: true}}, SealLabel: "Signatur", Seal: "MEUCIQDx8Q2pYb0Nn3vFzv1c2mV8kqz6Tz0H4Jw9s7m1V2nq3gIgU5r9Qp"}), ui.LinkButton(ui.Btn{Label: "Bestätigung herunterladen", Kind: ui.Secondary, Small: true, Icon: "download", Href: "/nachricht/beleg"})),
		ui.PostButton("/nachricht/gesendet", map[string]string{"notiert": "ja"}, ui.Btn{Label: "Ich habe den Code notiert"}))}}

	return append([]page{startPage, officePage, assistPage, filePage, reviewPage, sentPage}, galleryMore(letter, plain)...)
}
