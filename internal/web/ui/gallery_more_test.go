package ui_test

import (
	"strconv"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/web/ui"
)

func galleryMore(letter string, files []ui.File) []page {
	hour := time.Hour
	items := []ui.Item{
		{Href: "/postfach/1", From: "Tiefbauamt", Subject: "Ihre Meldung: Straßenlaterne in der Lindenstraße 14", Snippet: "Guten Tag Kim Musterperson, vielen Dank für Ihre Meldung. Bitte teilen Sie uns noch die Nummer am Mast mit.", At: ago(hour), Unread: true, Status: "Ihre Antwort wird gebraucht", Tone: ui.Warn, Notes: []string{"Vorgang 2026-004812"}},
		{Href: "/postfach/2", From: "Bürgeramt", Subject: "Ihr Führungszeugnis ist beantragt", Snippet: "Das Führungszeugnis wird Ihnen in etwa zwei Wochen per Post zugestellt. Die Gebühr beträgt 13 Euro.", At: ago(18 * hour), Unread: true, Status: "Neue Antwort", Tone: ui.Info, Files: 1, Notes: []string{"Vorgang 2026-004655"}},
		{Href: "/postfach/3", From: "Datenschutzbeauftragte", Subject: "Auskunft nach Artikel 15 DSGVO", Snippet: "Wir haben Ihren Antrag erhalten. Sie erhalten die Auskunft spätestens am 26. November 2026.", At: ago(8 * day), Status: "In Bearbeitung", Tone: ui.Neutral, Files: 2},
		{Href: "/postfach/4", From: "Stadtkasse", Subject: "Rückfrage zum Grundsteuerbescheid", Snippet: "Ihre Frage ist beantwortet. Wir haben den Vorgang abgeschlossen.", At: ago(88 * day), Status: "Abgeschlossen", Tone: ui.Good, Notes: []string{"Wird am 24.02.2027 gelöscht"}},
	}
	folders := ui.SideNav(ui.SideSpec{Label: "Postfach-Ordner", Groups: []ui.SideGroup{{Items: []ui.NavItem{{Href: "/postfach", Label: "Nachrichten", Icon: "inbox", Current: true, Count: 2, CountLabel: "ungelesen:"}, {Href: "/postfach/entwuerfe", Label: "Entwürfe", Icon: "draft", Count: 1, Quiet: true}, {Href: "/postfach/archiv", Label: "Abgeschlossen", Icon: "archive", Count: 12, Quiet: true}}}}})
	mailboxPage := page{"postfach", current(citizenFrame(), 1), ui.View{Title: "Postfach", Body: in(ui.SideLayout(folders, in(ui.Panel("kontrolle", "Ihre Daten, Ihre Kontrolle", true), text("<p>Sie können alle Nachrichten herunterladen oder Ihr Konto löschen.</p>"), ui.Link("/meine-daten", "Zu „Meine Daten“")), false),
		in(ui.PageHead("Postfach", false), ui.LinkButton(ui.Btn{Label: "Nachricht schreiben", Href: "/nachricht/1", Icon: "add"})),
		ui.SearchField("/postfach", "q", "Nachrichten durchsuchen", ""),
		ui.Chips("Nachrichten filtern", []ui.NavItem{{Href: "/postfach", Label: "Alle", Count: 6, Current: true}, {Href: "/postfach?f=neu", Label: "Ungelesen", Count: 2}, {Href: "/postfach?f=antwort", Label: "Antwort nötig", Count: 1}, {Href: "/postfach?f=anhang", Label: "Mit Anhang", Count: 3}}),
		ui.MessageList(items), in(ui.Pager(ui.PagerSpec{Range: "1 bis 4 von 6", Older: "/postfach?vor=4"})))}}

	thread := all(
		in(ui.Message(ui.Article{Anchor: "n1", Who: ui.Citizen, Name: "Kim Musterperson", Mine: true, At: ago(4 * day), Text: letter}), ui.FileList(files)),
		in(ui.Message(ui.Article{Anchor: "n2", Who: ui.Office, Name: "Tiefbauamt", Sub: "Stadt Musterstadt", At: ago(hour), Text: "Guten Tag,\n\nvielen Dank für Ihre Meldung. Bitte teilen Sie uns noch die Nummer am Mast mit.\n\nFreundliche Grüße\nM. Keller"})))
	threadPage := page{"vorgang", current(citizenFrame(), 1), ui.View{Title: "Straßenlaterne in der Lindenstraße 14 ist defekt", Body: in(ui.AsideLayout("Zum Vorgang", all(
		in(ui.Panel("stand", "Stand", false), ui.DescriptionList(false, []ui.Pair{{Key: "Status", Node: ui.BadgeIcon(ui.Warn, "Ihre Antwort wird gebraucht")}, {Key: "Vorgang", Text: "2026-004812"}, {Key: "Zuständig", Text: "Tiefbauamt"}, {Key: "Eingang", Node: ui.Date(ago(4 * day))}})),
		in(ui.Panel("verlauf", "Verlauf", true), ui.Timeline([]ui.Moment{{At: ago(hour), Text: "Antwort des Tiefbauamts"}, {At: ago(2 * day), Text: "In Bearbeitung"}, {At: ago(4 * day), Text: "Nachricht eingegangen"}})))),
		ui.BackLink("/postfach", "Postfach"), in(ui.PageHead("Straßenlaterne in der Lindenstraße 14 ist defekt", true), ui.PrintButton()), thread,
		in(ui.Form(ui.FormSpec{Action: "/postfach/1", Multipart: true}), ui.TextArea(ui.Area{Name: "text", Label: "Ihre Antwort", Max: 5000}), ui.Upload(ui.UploadSpec{Name: "datei", Label: "Dateien", Optional: true, Multiple: true, Limits: "Bis zu 10 Dateien, je höchstens 20 MB"}),
			in(ui.Actions(), ui.Button(ui.Btn{Label: "Antwort senden", Icon: "send"}), ui.LinkButton(ui.Btn{Label: "Vorgang zurückziehen", Kind: ui.Tertiary, Href: "/postfach/1/zurueckziehen", Danger: true}))))}}

	login := page{"anmelden", citizenFrame(), ui.View{Title: "Antwort abholen", Body: all(
		in(ui.LoginCard("Antwort abholen", "Geben Sie den Code ein, den Sie nach dem Senden notiert haben."),
			in(ui.Form(ui.FormSpec{Action: "/abholen"}), ui.Field(ui.Input{Name: "code", Label: "Abholcode", Hint: "24 Zeichen, Groß- und Kleinschreibung ist gleich", Code: true, Help: &ui.HelpText{ID: "code", Title: "Wo finde ich den Code?", Text: "Er stand nach dem Senden auf der Seite und auf Ihrem Ausdruck.", Keep: true}}), in(ui.Actions(), ui.Button(ui.Btn{Label: "Antwort öffnen"})))))}}

	errorFrame := citizenFrame()
	errorFrame.SessionEnd = time.Minute
	notFound := page{"fehler", errorFrame, ui.View{Title: "Diese Seite gibt es nicht", Body: in(ui.Column(false), in(ui.ErrorPage(ui.ErrorSpec{Status: "404", Title: "Diese Seite gibt es nicht", Text: "Die Adresse ist falsch oder die Seite wurde entfernt. Prüfen Sie die Adresse oder beginnen Sie auf der Startseite.", ID: "K7Q2M4"}), ui.LinkButton(ui.Btn{Label: "Zur Startseite", Href: "/"}), ui.LinkButton(ui.Btn{Label: "Antwort abholen", Href: "/abholen", Kind: ui.Secondary})))}}

	return []page{mailboxPage, threadPage, login, notFound, inboxPage(), casePage(letter, files), partsPage(), englishPage()}
}

type inboxRow struct {
	from, subject, status string
	tone                  ui.Tone
	who                   string
	due                   time.Duration
	state                 ui.DueState
	at                    time.Duration
	unread, files, marked bool
}

func inboxPage() page {
	h := time.Hour
	rows := []inboxRow{
		{"Kim Musterperson", "Straßenlaterne in der Lindenstraße 14 ist defekt", "Neu", ui.Info, "", 3 * day, ui.DueSoon, 1 * h, true, false, false},
		{"Bäckerei Seitz GmbH", "Sondernutzung Gehweg: Lageplan fehlt noch", "Rückfrage", ui.Warn, "Elif Aydın", -1 * day, ui.DueLate, 2 * h, true, true, false},
		{"Helga Brandt", "Schlagloch Ecke Schulstraße / Am Anger, zweite Meldung", "In Arbeit", ui.Neutral, "M. Keller", 4 * day, ui.DueSoon, 3 * h, false, true, false},
		{"Ohne Anmeldung", "Wann wird der Radweg an der B 27 geräumt?", "Neu", ui.Info, "", 7 * day, ui.DueFar, 4 * h, true, false, false},
		{"Yusuf Demir", "Absperrung für Umzug am 05.12., Hauptstraße 3", "In Arbeit", ui.Neutral, "M. Keller", 5 * day, ui.DueFar, 5 * h, false, false, false},
		{"Elternbeirat GS Nord", "Querungshilfe vor der Grundschule Nord: Unterschriften", "In Arbeit", ui.Neutral, "Elif Aydın", 10 * day, ui.DueFar, 20 * h, false, true, true},
		{"Ina Vogt", "Kanalgebühr: Nachweis Gartenwasserzähler", "Rückfrage", ui.Warn, "M. Keller", 6 * day, ui.DueFar, 21 * h, false, true, true},
		{"Dr. Ralf Kern", "Lärm durch Baustelle nach 20 Uhr, Gartenweg", "In Arbeit", ui.Neutral, "L. Sauer", 12 * day, ui.DueFar, 50 * h, false, false, false},
		{"Sabine Ott", "Dank für schnelle Reparatur der Bank im Park", "Erledigt", ui.Good, "L. Sauer", 0, ui.DueFar, 60 * h, false, false, false},
	}
	var lines []templ.Component
	for i, r := range rows {
		key := strconv.Itoa(i + 1)
		who := ui.Presence(r.who, i == 4)
		if r.who == "" {
			who = text(`<span class="ps-muted">frei</span>`)
		}
		var due time.Time
		if r.due != 0 {
			due = now.Add(r.due)
		}
		lines = append(lines, in(ui.Row(ui.RowSpec{Selected: r.marked, Unread: r.unread, Key: "v" + key}),
			ui.CheckCell("vorgang", key, "Vorgang "+key+" auswählen", r.marked), ui.FromCell(r.from, r.unread), ui.SubjectCell("/amt/vorgang/"+key, r.subject, r.files),
			in(ui.Cell("ps-cell-wide", ""), text("Beleuchtung")), in(ui.Cell("ps-cell-status", ""), ui.Badge(r.tone, r.status)), in(ui.Cell("ps-cell-hide", ""), who),
			in(ui.Cell("ps-cell-due", ""), ui.DueDense(due, r.state)), in(ui.Cell("ps-cell-date", ""), ui.DayDense(ago(r.at)))))
	}
	table := ui.TableSpec{Caption: "Offene Vorgänge, sortiert nach Eingang, neueste zuerst", Dense: true, Reflow: true, Fixed: true, Cols: []ui.Col{
		{Check: true, Label: "Alle Vorgänge auf dieser Seite auswählen"}, {Label: "Absender", Class: "ps-w-from"}, {Label: "Betreff"}, {Label: "Sachgebiet", Class: "ps-w-topic ps-cell-wide"}, {Label: "Status", Class: "ps-w-status"}, {Label: "Zuständig", Class: "ps-w-who"}, {Label: "Frist", Class: "ps-w-due", Sort: "/amt/eingang?s=frist"}, {Label: "Eingang", Class: "ps-w-date", Sort: "/amt/eingang?s=eingang", Dir: "descending"}}}
	views := ui.SideNav(ui.SideSpec{Label: "Eingänge", Fold: "Ansicht: Alle offenen (47)", Groups: []ui.SideGroup{
		{Title: "Tiefbauamt", Items: []ui.NavItem{{Href: "/amt/eingang", Label: "Alle offenen", Icon: "inbox", Current: true, Count: 47, Quiet: true}, {Href: "/amt/eingang?f=neu", Label: "Neu", Icon: "mail", Count: 4}, {Href: "/amt/eingang?f=meine", Label: "Meine", Icon: "assignment_turned_in", Count: 18, Quiet: true}, {Href: "/amt/eingang?f=frei", Label: "Nicht zugewiesen", Icon: "person_add", Count: 9, Quiet: true}, {Href: "/amt/eingang?f=spaet", Label: "Überfällig", Icon: "schedule", Count: 1, Quiet: true}}},
		{Title: "Gespeicherte Filter", Items: []ui.NavItem{{Href: "/amt/eingang?f=1", Label: "Winterdienst heute", Icon: "filter_list"}, {Href: "/amt/eingang?f=2", Label: "Warten auf Antwort", Icon: "filter_list"}}}}})
	who := []ui.Option{{Label: "Alle"}, {Value: "ich", Label: "Ich"}, {Value: "frei", Label: "Nicht zugewiesen"}}
	return page{"eingang", staffFrame(), ui.View{Title: "Alle offenen Vorgänge", Body: in(ui.SideLayout(views, nil, true),
		in(ui.PageHead("Alle offenen Vorgänge", true), text("47 Vorgänge · Stand 9:14 Uhr ·"), ui.Link("/amt/eingang", "Aktualisieren")),
		in(ui.FilterBar("/amt/eingang", "Vorgänge filtern"), ui.Field(ui.Input{Name: "q", Type: "search", Label: "Suche in Betreff, Absender, Vorgang", Attrs: templ.Attributes{"aria-keyshortcuts": "/"}}), ui.Select(ui.Choice{Name: "status", Label: "Status", Options: []ui.Option{{Label: "Alle offenen"}, {Value: "neu", Label: "Neu"}}}), ui.Select(ui.Choice{Name: "thema", Label: "Sachgebiet", Options: who}), ui.Select(ui.Choice{Name: "wer", Label: "Zuständig", Options: who})),
		ui.Undo(ui.UndoSpec{Text: "2 Vorgänge an das Bauordnungsamt weitergeleitet.", Action: "/amt/zurueck", Hidden: map[string]string{"aktion": "x"}}),
		in(ui.Form(ui.FormSpec{Action: "/amt/sammel", Plain: true}),
			in(ui.BulkBar(2), ui.BulkButton("aktion", "zuweisen", "person_add", "Zuweisen", "Z"), ui.BulkButton("aktion", "weiter", "forward", "Weiterleiten", "W"), ui.BulkButton("aktion", "fertig", "task_alt", "Abschließen", "E"), ui.BulkButton("aktion", "drucken", "print", "Drucken", "P")),
			in(ui.Table(table), lines...)),
		in(ui.Pager(ui.PagerSpec{Range: "1 bis 9 von 47", Newer: "/amt/eingang?nach=1", Older: "/amt/eingang?vor=9"}), ui.KeyHint([]ui.Pair{{Key: "J", Text: "nächster"}, {Key: "X", Text: "auswählen"}, {Key: "R", Text: "antworten"}, {Key: "?", Text: "alle Kürzel"}})))}}
}

func casePage(letter string, files []ui.File) page {
	f := staffFrame()
	f.Banners = []ui.Banner{{Warning: true, Title: "Elif Aydın liest diesen Vorgang gerade.", Text: "Sprechen Sie sich ab, bevor Sie antworten."}}
	return page{"vorgang-amt", f, ui.View{Title: "Straßenlaterne in der Lindenstraße 14 ist defekt", Body: in(ui.AsideLayout("Zum Vorgang", all(
		in(ui.Panel("wer", "Absender", false), ui.DescriptionList(false, []ui.Pair{{Key: "Name", Text: "Kim Musterperson"}, {Key: "Antwortweg", Text: "Abholcode"}, {Key: "Zuständig", Node: ui.Presence("M. Keller", true)}, {Key: "Frist", Node: ui.Due(now.Add(3*day), ui.DueSoon)}})),
		in(ui.Panel("protokoll", "Protokoll", false), ui.Timeline([]ui.Moment{{At: ago(time.Hour), Text: "Gelesen", By: "M. Keller"}, {At: ago(4 * day), Text: "Eingegangen"}})))),
		ui.BackLink("/amt/eingang", "Eingang"), in(ui.PageHead("Straßenlaterne in der Lindenstraße 14 ist defekt", true), ui.Badge(ui.Info, "Neu"), ui.PrintButton()),
		in(ui.Message(ui.Article{Anchor: "n1", Who: ui.Citizen, Name: "Kim Musterperson", At: ago(4 * day), Text: letter}), ui.FileList(files)),
		ui.Message(ui.Article{Anchor: "n2", Who: ui.Internal, Name: "L. Sauer", Sub: "Tiefbauamt", At: ago(2 * day), Text: "Mast 4711, Ersatzteil ist bestellt."}),
		ui.Message(ui.Article{Anchor: "n3", Who: ui.Office, Name: "Tiefbauamt", Sub: "M. Keller", At: ago(time.Hour), Text: "Guten Tag, wir kümmern uns.", Tag: "Entwurf", Mine: true}),
		ui.TabLinks("Was möchten Sie tun?", []ui.NavItem{{Href: "#antwort", Label: "Antworten", Icon: "reply", Current: true, Attrs: templ.Attributes{"aria-keyshortcuts": "R"}}, {Href: "?t=weiter", Label: "Weiterleiten", Icon: "forward"}, {Href: "?t=notiz", Label: "Interne Notiz", Icon: "sticky_note_2"}}),
		in(ui.Form(ui.FormSpec{Action: "/amt/vorgang/1/antwort"}), ui.Select(ui.Choice{Name: "baustein", Label: "Textbaustein", Optional: true, Empty: "Keiner", Options: []ui.Option{{Value: "1", Label: "Eingangsbestätigung"}}}), ui.TextArea(ui.Area{Name: "antwort", Label: "Antwort", Value: "Guten Tag,\n\n", Rows: 8}),
			in(ui.Actions(), ui.Button(ui.Btn{Label: "Antworten", Icon: "send"}), ui.Button(ui.Btn{Label: "Antworten und abschließen", Kind: ui.Secondary, Name: "aktion", Value: "schluss"}))))}}
}

func partsPage() page {
	f := staffFrame()
	f.ProductName = "Poststelle Datenschutz"
	rows := []templ.Component{}
	for _, r := range [][3]string{{"Nachrichten und Anhänge", "14", "2 geschwärzt"}, {"Konto", "1", "Vollständig"}, {"Zugriffsprotokoll", "22", "Vollständig"}} {
		rows = append(rows, in(ui.Row(ui.RowSpec{}), in(ui.RowHead(""), text(r[0]+`<span class="ps-sub">Bearbeitung von Anliegen</span>`)), in(ui.Cell("ps-cell-num", "Anzahl"), text(r[1])), in(ui.Cell("", "Prüfung"), ui.BadgeIcon(ui.Good, r[2]))))
	}
	return page{"teile", f, ui.View{Title: "Auskunft (Artikel 15 DSGVO)", Body: in(ui.AsideLayout("Fall", all(
		in(ui.Panel("fall", "Fall", false), ui.DescriptionList(false, []ui.Pair{{Key: "Betroffene Person", Text: "Kim \u202eMusterperson"}, {Key: "Identität", Text: "Bestätigt mit Online-Ausweis"}})),
		in(ui.Panel("anmeldung", "Zweiter Faktor", false), ui.QR("otpauth://totp/Poststelle:keller?secret=JBSWY3DPEHPK3PXP&issuer=Poststelle", "QR-Code für die Authenticator-App")))),
		ui.BackLink("/amt/rechte", "Alle Betroffenenrechte"), in(ui.PageHead("Auskunft (Artikel 15 DSGVO)", false)),
		ui.Deadline(ui.DeadlineSpec{Big: "6 Tage", Caption: "bis Donnerstag, 26.11.2026", Progress: "Tag 25 von 31", Value: 25, Max: 31, From: "Eingang 26.10.2026", To: "Fristende 26.11.2026", State: ui.DueSoon}),
		in(ui.Alert(ui.Notice{Tone: ui.Warn, Title: "Die Freigabe fehlt noch", Text: "Eine zweite Person muss die Auskunft freigeben."})),
		in(ui.Alert(ui.Notice{Tone: ui.Good, Text: "Das Protokoll ist vollständig und unverändert.", Live: "status"})),
		ui.Tasks([]ui.Task{{Label: "Eingang bestätigen", Href: "?1", Status: "Erledigt", Tone: ui.Good}, {Label: "Identität prüfen", Href: "?2", Status: "Jetzt zu tun", Tone: ui.Warn, Note: "Online-Ausweis oder Besuch"}, {Label: "Auskunft bereitstellen", Status: "Noch nicht möglich", Tone: ui.Neutral}}),
		in(ui.Table(ui.TableSpec{Caption: "Gefundene Daten", ShowCaption: true, Reflow: true, Cols: []ui.Col{{Label: "Quelle"}, {Label: "Anzahl", Class: "ps-cell-num"}, {Label: "Prüfung"}}}), rows...),
		ui.Stats([]ui.Stat{{Value: "1.204", Label: "Nachrichten", Note: "plus 12 Prozent"}, {Value: "2,4 Tage", Label: "bis zur ersten Antwort"}, {Value: "47", Label: "offen"}}),
		in(ui.Accordion("Wie lange bewahren wir auf?", true), text("<p>Bis Ihr Anliegen abgeschlossen ist.</p>")), in(ui.Accordion("Wer bekommt die Daten?", false), text("<p>Nur das Amt.</p>")),
		in(ui.Prose(), text(`<h2>Zwecke</h2><p>Wir verarbeiten Ihre Angaben, um <a href="#zwecke">Ihr Anliegen</a> zu bearbeiten.</p><ul><li>Antworten</li><li>Weiterleiten</li></ul>`)),
		in(ui.Empty("inbox", "Noch keine Nachrichten", "Schreiben Sie uns, wenn Sie etwas brauchen."), ui.LinkButton(ui.Btn{Label: "Nachricht schreiben", Href: "/nachricht/1", Kind: ui.Secondary})),
		ui.DescriptionList(true, []ui.Pair{{Key: "Rechtsgrundlage", Text: "Art. 6 Abs. 1 Buchst. e DSGVO"}, {Key: "Größe", Node: ui.Size(1_234_567)}}),
		in(ui.Form(ui.FormSpec{Action: "/amt/loeschen"}), ui.Field(ui.Input{Name: "grund", Label: "Grund", Narrow: true}), in(ui.Actions(), ui.Button(ui.Btn{Label: "Endgültig löschen", Danger: true, Icon: "delete"}), ui.Button(ui.Btn{Label: "Freigabe ablehnen", Kind: ui.Secondary, Danger: true}), ui.Button(ui.Btn{Label: "Klein", Kind: ui.Secondary, Small: true}))))}}
}

func englishPage() page {
	f := current(citizenFrame(), 0)
	f.Lang, f.Theme, f.AltLangHref = "en", "hell", "/galerie"
	return page{"english", f, ui.View{Title: "Your request", Errors: 1, Body: in(ui.AsideLayout("Overview", ui.Steps([]ui.Step{{Label: "Recipient", Href: "/nachricht/1", Done: true}, {Label: "Your request", Current: true}})),
		ui.Progress(2, 2), text(`<h1 class="kern-heading-large" tabindex="-1">Your request</h1>`), ui.ErrorSummary([]ui.FieldError{{ID: "subject", Text: "Enter a subject."}}),
		in(ui.Form(ui.FormSpec{Action: "/nachricht/2"}), ui.Field(ui.Input{Name: "subject", Label: "Subject", Error: "Enter a subject."}), in(ui.Actions(), ui.Button(ui.Btn{Label: "Continue"}))))}}
}
