package demo

import (
	"time"

	"poststelle/internal/mailbox"
)

// village are the letters to the Rathaus of Beispielingen.
func village() []story {
	return []story{
		{
			of: gemeinde, day: 19, hour: 18.4,
			letter: mailbox.Letter{
				Mailbox: "rathaus", Topic: "halle", Subject: "Bürgerhaus für goldene Hochzeit mieten", Email: "h.und.e.roth@post.example", Name: "Helga Roth",
				Body: `Liebe Gemeindeverwaltung,

mein Mann und ich feiern am 12. Juni goldene Hochzeit und möchten den kleinen Saal im Bürgerhaus mieten, für etwa 60 Gäste.

Ist der Saal frei, und dürfen wir am Vorabend schmücken?

Herzliche Grüße
Helga Roth`,
			},
			then: []act{
				take("s.nowak", 1, 9.4),
				answer("s.nowak", 1, 9.8, `Liebe Frau Roth,

herzlichen Glückwunsch schon jetzt! Der kleine Saal ist am 12. Juni **frei** und für Sie vorgemerkt. Schmücken dürfen Sie ab dem Vortag, 16 Uhr.

- Saal mit Küche: 180 Euro
- Endreinigung: 60 Euro
- Kaution: 200 Euro

Den Vertrag finden Sie im Anhang.

Herzliche Grüße
Sofia Nowak`, pdf("Mietvertrag_Bürgerhaus.pdf", "Mietvertrag Bürgerhaus, kleiner Saal", "Mieterin: Helga Roth", "Miete 180,00 €, Endreinigung 60,00 €, Kaution 200,00 €",
					"Schlüsselübergabe am Vortag um 16 Uhr beim Hausmeister", "", "Unterschrift: ______________________________")),
				again(3, 11.1, "Wir nehmen den Saal! Der unterschriebene Vertrag hängt an.", pdf("Mietvertrag_unterschrieben.pdf", "Mietvertrag Bürgerhaus, kleiner Saal", "Mieterin: Helga Roth", "Unterschrift: H. Roth")),
				lastAnswer("s.nowak", 1, 8.7, "Liebe Frau Roth,\n\nvielen Dank, damit ist alles fest gebucht. Wir freuen uns mit Ihnen!\n\nSofia Nowak"),
			},
		},
		{
			of: gemeinde, day: 14, hour: 11.9,
			letter: mailbox.Letter{
				Mailbox: "rathaus", Topic: "ausweise", Subject: "Ausweis für meine bettlägerige Mutter", Reply: "email", Email: "b.haug@post.example", Name: "Birgit Haug",
				Body: `Guten Tag,

meine Mutter ist 92 und kann das Haus nicht mehr verlassen. Ihr Ausweis läuft im Januar ab. Muss sie überhaupt noch einen haben? Wenn ja: Kommt jemand zu uns?

Freundliche Grüße
Birgit Haug`,
			},
			then: []act{
				answer("j.brandt", 1, 10.9, `Guten Tag Frau Haug,

Ihre Mutter kann sich **von der Ausweispflicht befreien** lassen, wenn sie voraussichtlich dauerhaft nicht mehr am öffentlichen Leben teilnimmt. Dafür genügt ein formloser Antrag mit einer kurzen ärztlichen Bescheinigung.

Möchte sie lieber einen neuen Ausweis, kommen wir mit dem tragbaren Gerät zu Ihnen nach Hause. Sagen Sie uns einfach, was Ihnen lieber ist.

Freundliche Grüße
Jonas Brandt`),
			},
		},
		{
			of: gemeinde, day: 11, hour: 20.8,
			letter: mailbox.Letter{
				Mailbox: "rathaus", Topic: "allgemein", Subject: "Glasfaser: Wann ist der Ortsteil Obertal dran?", Name: "Sven Jäger",
				Body: "In Obertal haben wir abends keine zwei Megabit. In der Bürgerversammlung hieß es, der Ausbau beginne im Herbst. Jetzt ist Herbst. Gibt es einen Plan, den man einsehen kann?",
			},
			then: []act{read("j.brandt", 2, 14.3)},
		},
		{
			of: gemeinde, day: 5, hour: 7.3,
			letter: mailbox.Letter{
				Mailbox: "rathaus", Topic: "allgemein", Subject: "Lob für den Bauhof",
				Body: "Heute früh um halb sieben war der Weg zum Kindergarten schon geräumt und gestreut. Bitte geben Sie den Leuten vom Bauhof ein herzliches Dankeschön weiter. Eine Antwort brauche ich nicht.",
			},
			then: []act{read("s.nowak", 1, 9.0), note("s.nowak", 0, 9.1, "An den Bauhof weitergegeben, Freude war groß."), closing("s.nowak", 0, 9.3)},
		},
		{
			of: gemeinde, day: 3, hour: 13.8,
			letter: mailbox.Letter{
				Mailbox: "rathaus", Topic: "allgemein", Subject: "Ehrenamtliche Hilfe beim Seniorentreff", Email: "f.moreau@post.example", Name: "François Moreau",
				Body: `Bonjour, guten Tag,

ich bin im Sommer aus Straßburg hergezogen und habe seit kurzem viel Zeit. Ich würde gern beim Seniorentreff helfen oder einen kleinen Französischkurs anbieten.

An wen darf ich mich wenden?

François Moreau`,
			},
			then: []act{take("s.nowak", 1, 10.7)},
		},
		{
			of: gemeinde, ago: 95 * time.Minute,
			letter: mailbox.Letter{
				Mailbox: "rathaus", Topic: "ausweise", Subject: "Termin für Kinderreisepass", Email: "lea.hartmann@post.example", Name: "Lea Hartmann",
				Body: "Wir fahren über Weihnachten nach England und brauchen für unsere beiden Kinder (4 und 7) Reisepässe. Wie schnell geht das, und müssen die Kinder mitkommen?",
			},
		},
	}
}

// villageOffices are the letters to the other offices of Beispielingen and to
// the operator's neighbours there.
func villageOffices() []story {
	return []story{
		{
			of: gemeinde, day: 18, hour: 8.6,
			letter: mailbox.Letter{
				Mailbox: "bauen-umwelt", Topic: "wasser", Subject: "Wasser ist seit gestern bräunlich", Email: "k.seiler@post.example", Name: "Klaus Seiler",
				Body:  "In der Mühlgasse kommt das Wasser seit gestern Nachmittag leicht bräunlich aus dem Hahn, bei uns und beim Nachbarn. Kann man es trinken? Wir haben ein Baby im Haus.",
				Files: []mailbox.File{text("Beobachtung.txt", "Mühlgasse 7 und 9\nseit gestern 15 Uhr\nkalt und warm betroffen\n")},
			},
			then: []act{
				take("j.brandt", 1, 7.2),
				answer("j.brandt", 0, 7.5, `Guten Tag Herr Seiler,

die Färbung kommt von einer Spülung des Netzes in der Nachbarstraße; es ist **Eisen**, gesundheitlich unbedenklich. Für Ihr Baby nehmen Sie bitte bis morgen trotzdem abgefülltes Wasser. Lassen Sie den kalten Hahn heute Abend etwa fünf Minuten laufen.

Sollte es morgen noch trüb sein, rufen Sie bitte den Bereitschaftsdienst an, er ist rund um die Uhr da.

Freundliche Grüße
Jonas Brandt`),
				again(1, 12.5, "Heute ist es wieder klar, danke für die schnelle Auskunft!"),
				closing("j.brandt", 1, 8.1),
			},
		},
		{
			of: gemeinde, day: 13, hour: 15.5,
			letter: mailbox.Letter{
				Mailbox: "bauen-umwelt", Topic: "gruen", Subject: "Alte Linde am Friedhof – bitte nicht fällen", Email: "naturfreunde@post.example", Name: "Naturfreunde Beispielingen",
				Body: `Sehr geehrte Damen und Herren,

am Friedhof trägt die große Linde seit gestern ein rotes Kreuz. Soll sie gefällt werden? In ihr brütet seit Jahren ein Waldkauz.

Wir bitten darum, das Gutachten einsehen zu dürfen, bevor Tatsachen geschaffen werden.

Naturfreunde Beispielingen e. V.`,
			},
			then: []act{
				take("j.brandt", 1, 11.6),
				note("j.brandt", 0, 11.8, "Gutachten Baumpfleger Ott: Stammfäule, Kronenrückschnitt statt Fällung möglich. Mit Bürgermeisterin besprechen."),
				answer("j.brandt", 2, 16.0, `Guten Tag,

das Kreuz bedeutet *Prüfung*, nicht Fällung. Nach dem Gutachten kann die Linde **mit einem Rückschnitt erhalten** werden; er ist für Februar geplant, vor der Brutzeit. Das Gutachten ist beigefügt.

Freundliche Grüße
Jonas Brandt`, pdf("Gutachten_Linde.pdf", "Baumgutachten Friedhofslinde", "Winterlinde, etwa 140 Jahre, Stammumfang 4,10 m", "Befund: Stammfäule im unteren Drittel", "Empfehlung: Kronenrückschnitt um 20 Prozent, Kontrolle jährlich")),
			},
		},
		{
			of: gemeinde, day: 10, hour: 17.2,
			letter: mailbox.Letter{
				Mailbox: "bauen-umwelt", Topic: "strassen", Subject: "Feldweg nach Obertal ausgefahren", Name: "Hof Ziegler",
				Body:  "Der Feldweg zwischen unserem Hof und Obertal ist nach dem Regen kaum noch befahrbar, die Milchabholung hat sich beschwert. Wann wird geschottert?",
				Files: []mailbox.File{photo("Feldweg.jpg", holeInRoad)},
			},
		},
		{
			of: gemeinde, day: 1, hour: 9.9,
			letter: mailbox.Letter{
				Mailbox: "bauen-umwelt", Topic: "gruen", Subject: "Bank am Aussichtspunkt zerbrochen", Email: "wanderwart@post.example", Name: "Wandergruppe Beispielingen",
				Body:  "Bei unserer Runde am Sonntag war die Bank am Aussichtspunkt durchgebrochen; ein Nagel steht heraus. Wir haben sie umgedreht, damit sich niemand verletzt. Ein Bild ist dabei.",
				Files: []mailbox.File{photo("Bank.jpg", bulkyWaste)},
			},
		},
		{
			of: gemeinde, day: 16, hour: 21.0,
			letter: mailbox.Letter{
				Mailbox: "kinder-bildung", Topic: "kindergarten", Subject: "Wechsel in die Ganztagsgruppe", Email: "t.haddad@post.example", Name: "Tarek Haddad",
				Body: `Guten Tag,

unsere Tochter Layla besucht die Halbtagsgruppe im Kindergarten Regenbogen. Ab Februar arbeiten wir beide den ganzen Tag. Kann sie in die Ganztagsgruppe wechseln?

Die Bescheinigungen unserer Arbeitgeber liegen bei.

Tarek Haddad`,
				Files: []mailbox.File{
					pdf("Arbeitgeber_1.pdf", "Bescheinigung des Arbeitgebers", "Beschäftigung in Vollzeit ab Februar", "39 Stunden in der Woche"),
					pdf("Arbeitgeber_2.pdf", "Bescheinigung des Arbeitgebers", "Beschäftigung mit 34 Stunden in der Woche", "ab Februar"),
				},
			},
			then: []act{
				take("s.nowak", 1, 13.1),
				answer("s.nowak", 1, 13.5, `Guten Tag Herr Haddad,

in der Ganztagsgruppe wird zum Februar ein Platz frei, und mit Ihren Bescheinigungen haben Sie Vorrang. **Bitte bestätigen Sie uns den Wechsel bis Freitag**, dann reservieren wir ihn für Layla.

Freundliche Grüße
Sofia Nowak`),
				again(1, 20.2, "Wir bestätigen den Wechsel sehr gern. Vielen Dank, auch von Layla!"),
				lastAnswer("s.nowak", 1, 9.9, "Guten Tag Herr Haddad,\n\nder Platz ist für Layla reserviert; der neue Vertrag kommt nächste Woche mit der Post.\n\nSofia Nowak"),
			},
		},
		{
			of: gemeinde, day: 6, hour: 10.9,
			letter: mailbox.Letter{
				Mailbox: "kinder-bildung", Topic: "buecherei", Subject: "Bücherspende: Kinderbücher", Name: "Ruth Albrecht",
				Body: "Meine Enkel sind aus ihren Büchern herausgewachsen: etwa vierzig Bilder- und Vorlesebücher, alle gut erhalten. Nimmt die Bücherei sie? Ich kann sie auch bringen.",
			},
			then: []act{answer("s.nowak", 1, 10.0, "Liebe Frau Albrecht,\n\nsehr gern! Die Bücherei ist **mittwochs von 15 bis 18 Uhr** besetzt. Was wir nicht aufnehmen können, kommt in den Tauschschrank.\n\nHerzlichen Dank\nSofia Nowak"),
				withdraw(1, 16.4)},
		},
		{
			of: gemeinde, day: 8, hour: 12.3,
			letter: mailbox.Letter{
				Mailbox: "kaemmerei", Topic: "rechnung", Subject: "Mahnung trotz Zahlung", Email: "elektro-pohl@post.example", Name: "Elektro Pohl", Address: "Gewerbering 8\n79998 Beispielingen",
				Body: `Sehr geehrte Damen und Herren,

Sie mahnen die Abfallgebühr für das dritte Quartal an. Wir haben am 2. des Monats überwiesen, wie der Beleg zeigt. Bitte nehmen Sie die Mahngebühr zurück.

Elektro Pohl`,
				Files: []mailbox.File{pdf("Überweisungsbeleg.pdf", "Überweisungsbeleg", "Empfänger: Gemeinde Beispielingen", "Verwendungszweck: Abfallgebühr 3. Quartal", "Betrag: 96,40 €")},
			},
			then: []act{forward("s.nowak", "rathaus", 1, 8.8, "Zahlung ist da, falsch zugeordnet. Bitte Herrn Brandt: Stornobuchung im Meldeverfahren, wir korrigieren die Mahnung.", true),
				take("j.brandt", 1, 9.7)},
		},
		{
			of: gemeinde, ago: 7 * time.Hour,
			letter: mailbox.Letter{
				Mailbox: "kaemmerei", Topic: "steuern", Subject: "Ratenzahlung der Gewerbesteuer", Name: "Café Morgenrot", Address: "Dorfstraße 3\n79998 Beispielingen",
				Body: "Wegen der Baustelle vor der Tür ist unser Umsatz eingebrochen. Wir können die Gewerbesteuer von 1.240 Euro zum 15. nicht auf einmal zahlen und bitten um vier Raten.",
			},
		},
	}
}

// operatorLetters are the letters to the operator's own contact.
func operatorLetters() []story {
	return []story{
		{
			of: betreiber, day: 9, hour: 14.1,
			letter: mailbox.Letter{
				Mailbox: "kontakt", Topic: "barriere", Subject: "Vorleseprogramm liest die Schritte nicht vor", Email: "m.sattler@post.example", Name: "Martin Sattler",
				Body: "Ich bin blind und benutze ein Vorleseprogramm. Im Assistenten wird beim Wechsel zum nächsten Schritt manchmal nicht vorgelesen, wo ich bin. Mit dem anderen Browser klappt es. Können Sie das prüfen?",
			},
			then: []act{
				take("t.lindner", 1, 9.2),
				answer("t.lindner", 1, 16.3, "Guten Tag Herr Sattler,\n\nvielen Dank für die genaue Beschreibung, wir konnten es nachstellen. Die Überschrift jedes Schritts bekommt jetzt den Fokus; **mit der nächsten Aktualisierung** wird sie immer vorgelesen.\n\nTobias Lindner"),
			},
		},
		{
			of: betreiber, day: 15, hour: 9.0,
			letter: mailbox.Letter{
				Mailbox: "kontakt", Topic: "technik", Subject: "Abholcode verlegt", Name: "Renate Bischoff",
				Body: "Ich habe den Zettel mit dem Abholcode verlegt. Können Sie mir einen neuen geben? Geschrieben habe ich vor zwei Wochen an die Stadt.",
			},
			then: []act{
				lastAnswer("t.lindner", 1, 10.1, "Guten Tag Frau Bischoff,\n\nleider nein: Der Code ist der einzige Schlüssel zu Ihrem Vorgang, und **auch wir kennen ihn nicht**. Bitte schreiben Sie der Stadt noch einmal; sie findet Ihren ersten Brief und antwortet Ihnen neu.\n\nTobias Lindner"),
			},
		},
		{
			of: betreiber, day: 1, hour: 11.4,
			letter: mailbox.Letter{
				Mailbox: "kontakt", Topic: "anschluss", Subject: "Anschluss unserer Verbandsgemeinde", Email: "hauptamt@hinterwalden.example", Name: "Verbandsgemeinde Hinterwalden, Hauptamt",
				Body: "Wir möchten die Poststelle im nächsten Jahr auch für unsere vier Ortsgemeinden anbieten. Welche Angaben brauchen Sie von uns, und können Sie uns vorab den Vertrag zur Auftragsverarbeitung zusenden?",
			},
		},
	}
}
