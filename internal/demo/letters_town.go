package demo

import (
	"time"

	"poststelle/internal/mailbox"
)

// citizensOffice are the letters to the Bürgerbüro of Musterstadt.
func citizensOffice() []story {
	return []story{
		{
			of: stadt, day: 19, hour: 9.7,
			letter: mailbox.Letter{
				Mailbox: "buergerbuero", Topic: "ausweise", Subject: "Personalausweis abgelaufen – Reise in zwei Wochen", Email: "c.vogt@post.example", Name: "Carla Vogt",
				Body: `Guten Tag,

beim Packen habe ich gesehen, dass mein Personalausweis seit September abgelaufen ist. Am 5. des nächsten Monats fliege ich nach Lissabon.

Reicht die Zeit noch für einen neuen Ausweis, oder brauche ich einen vorläufigen? Und welche Unterlagen soll ich mitbringen?

Mit freundlichen Grüßen
Carla Vogt`,
			},
			then: []act{
				take("m.keller", 1, 8.5),
				answer("m.keller", 0, 8.8, `Guten Tag Frau Vogt,

ein neuer Personalausweis dauert zurzeit **etwa drei Wochen**. Für Ihre Reise stellen wir Ihnen deshalb am selben Tag einen *vorläufigen* Ausweis aus.

Bitte bringen Sie mit:

- Ihren alten Ausweis
- ein digitales Passbild (der Fotograf oder unser Automat im Foyer übermittelt es)
- 37 Euro für den neuen und 10 Euro für den vorläufigen Ausweis

Einen Termin brauchen Sie dafür dienstags und donnerstags nicht.

Freundliche Grüße
Maria Keller, Bürgerbüro`),
				again(1, 18.3, "Vielen Dank für die schnelle Antwort! Ich komme am Donnerstag. Darf mein Sohn (15) seinen Ausweis gleich mit beantragen, oder muss mein Mann auch dabei sein?"),
				lastAnswer("m.keller", 1, 9.1, `Guten Tag Frau Vogt,

ab 16 dürfte Ihr Sohn allein kommen. Mit 15 genügt ein Elternteil, wenn der andere **schriftlich zustimmt**. Das Formular habe ich angehängt.

Freundliche Grüße
Maria Keller`, pdf("Zustimmung_Sorgeberechtigte.pdf", "Zustimmung zum Ausweisantrag",
					"Hiermit stimme ich zu, dass für mein Kind ein Personalausweis ausgestellt wird.", "",
					"Name des Kindes: ______________________________", "Geboren am: ______________________________", "",
					"Name und Unterschrift: ______________________________", "Bitte legen Sie eine Kopie Ihres Ausweises bei.")),
			},
		},
		{
			of: stadt, day: 13, hour: 20.4,
			letter: mailbox.Letter{
				Mailbox: "buergerbuero", Topic: "meldewesen", Subject: "Ummeldung nach Umzug innerhalb der Stadt", Name: "Thân Nguyễn",
				Body: `Sehr geehrte Damen und Herren,

zum Monatsanfang bin ich mit meiner Frau und unserer Tochter von der Lindenstraße 8 in den Amselweg 21 gezogen. Die Bestätigung des Vermieters liegt bei.

Können wir uns auf diesem Weg ummelden, oder müssen wir alle drei vorbeikommen?

Freundliche Grüße
Thân Nguyễn`,
				Files: []mailbox.File{pdf("Wohnungsgeberbestätigung.pdf", "Wohnungsgeberbestätigung nach § 19 BMG",
					"Anschrift der Wohnung: Amselweg 21, 79999 Musterstadt", "Einzug: zum Ersten des Monats", "Wohnungsgeber: Baugenossenschaft Musterstadt eG",
					"Eingezogen sind: drei Personen", "", "Musterstadt, gez. Baugenossenschaft")},
			},
			then: []act{
				take("a.weber", 1, 10.2),
				answer("a.weber", 0, 10.6, `Guten Tag Herr Nguyễn,

die Bestätigung ist vollständig, danke. Zur Ummeldung genügt es, wenn **eine erwachsene Person** mit allen Ausweisen vorbeikommt; die neue Anschrift wird dabei gleich in die Ausweise eingetragen.

Wenn Sie alle einen Ausweis mit Online-Funktion haben, geht es auch ganz ohne Besuch über das Verwaltungsportal.

Freundliche Grüße
Andreas Weber`),
			},
		},
		{
			of: stadt, day: 11, hour: 7.6,
			letter: mailbox.Letter{
				Mailbox: "buergerbuero", Topic: "bescheinigung", Subject: "Erweitertes Führungszeugnis für den Sportverein", Reply: "letter",
				Name: "Gerda Hollmann", Address: "Wiesengrund 4\n79999 Musterstadt",
				Body: `Guten Tag,

ich trainiere ab Januar ehrenamtlich die Turnkinder beim TSV und brauche dafür ein erweitertes Führungszeugnis. Die Bescheinigung des Vereins habe ich beigelegt.

Stimmt es, dass es für Ehrenamtliche nichts kostet? Bitte antworten Sie mir mit der Post, ich sehe nicht jeden Tag in den Rechner.

Viele Grüße
Gerda Hollmann`,
				Files: []mailbox.File{pdf("Bescheinigung_TSV.pdf", "Bescheinigung über ehrenamtliche Tätigkeit",
					"Der TSV Musterstadt bestätigt, dass Frau Gerda Hollmann", "ab Januar ehrenamtlich Kinder im Turnen betreut.", "", "Der Vorstand")},
			},
			then: []act{
				read("m.keller", 1, 11.3),
				note("m.keller", 0, 11.5, "Bescheinigung geprüft, Gebühr entfällt (Ehrenamt). Antwortbrief ist geschrieben und liegt zur Unterschrift bei **Zimmer 104**."),
			},
		},
		{
			of: stadt, day: 6, hour: 12.9,
			letter: mailbox.Letter{
				Mailbox: "buergerbuero", Topic: "sonstiges", Subject: "Widerspruch gegen Weitergabe meiner Daten",
				Body: `Guten Tag,

ich bekomme ständig adressierte Werbung von Parteien und möchte der Weitergabe meiner Meldedaten widersprechen, auch an Adressbuchverlage. Geht das formlos? Meinen Namen schreibe ich, sobald ich weiß, dass ich hier richtig bin.`,
			},
			then: []act{
				answer("m.keller", 1, 14.0, `Guten Tag,

ja, Sie sind hier richtig und der Widerspruch ist formlos und kostenlos möglich (**Übermittlungssperre**). Wir brauchen dafür Namen, Geburtsdatum und Anschrift. Schreiben Sie sie einfach in diesem Vorgang dazu.

Freundliche Grüße
Maria Keller`),
			},
		},
		{
			of: stadt, ago: 41 * time.Minute,
			letter: mailbox.Letter{
				Mailbox: "buergerbuero", Topic: "sonstiges", Subject: "Question about registering as a student", Email: "amara.okafor@mail.example", Name: "Amara Okafor", Lang: "en",
				Body: `Dear Sir or Madam,

I will move to Musterstadt in January for my master's degree. My room is in the student residence at Bergstrasse 30.

Within how many days do I have to register, and do I need an appointment? My German is still weak, so an answer in simple German or English would help me a lot.

Kind regards
Amara Okafor`,
			},
		},
		{
			of: stadt, day: 2, hour: 16.2,
			letter: mailbox.Letter{
				Mailbox: "buergerbuero", Topic: "sonstiges", Subject: "Hecke an der Kreuzung Gartenstraße versperrt die Sicht", Name: "Uwe Pfister",
				Body: `Ich weiß nicht, wer dafür zuständig ist: An der Kreuzung Gartenstraße und Schulweg ist die Hecke des Eckgrundstücks so hoch, dass man beim Abbiegen die Kinder auf dem Gehweg nicht sieht. Gestern musste ich scharf bremsen.

Bitte kümmern Sie sich darum, bevor etwas passiert.`,
			},
			then: []act{forward("m.keller", "ordnungsamt", 1, 8.4, "Sichtdreieck, Rückschnitt anordnen. Bitte zeitnah, Schulweg.", true)},
		},
	}
}

// roads are the letters to the Tiefbauamt of Musterstadt.
func roads() []story {
	return []story{
		{
			of: stadt, day: 18, hour: 17.8,
			letter: mailbox.Letter{
				Mailbox: "tiefbauamt", Topic: "beleuchtung", Subject: "Straßenlaterne in der Kastanienallee ausgefallen", Email: "h.berger@post.example", Name: "Hanna Berger",
				Body: `Guten Tag,

die Laterne vor der Kastanienallee 12 ist seit Montag dunkel. Der Weg zum Spielplatz ist abends kaum zu erkennen, und bei Regen rutscht man dort leicht auf dem Laub aus.

Am Mast steht die Nummer 4711. Ein Foto habe ich beigefügt.

Freundliche Grüße
Hanna Berger`,
				Files: []mailbox.File{photo("Laterne_Kastanienallee.jpg", lampAtNight)},
			},
			then: []act{
				take("e.aydin", 1, 7.9),
				note("e.aydin", 0, 8.1, "Mast 4711, Leuchtmittel schon im Sommer getauscht. Vermutlich Kabelfehler, Stadtwerke sind verständigt."),
				answer("e.aydin", 1, 13.4, `Guten Tag Frau Berger,

vielen Dank für den Hinweis und die Mastnummer, das hilft sehr. Die Stadtwerke haben einen **Kabelfehler** gefunden und reparieren ihn am Donnerstag. Bis dahin steht am Spielplatz eine mobile Leuchte.

Freundliche Grüße
Emre Aydın, Tiefbauamt`),
				again(3, 19.2, "Seit gestern leuchtet sie wieder. Danke, dass das so schnell ging!"),
				closing("e.aydin", 1, 8.0),
			},
		},
		{
			of: stadt, day: 14, hour: 6.9,
			letter: mailbox.Letter{
				Mailbox: "tiefbauamt", Topic: "strassen", Subject: "Tiefes Schlagloch in der Industriestraße", Reply: "email", Email: "spedition@wolters.example", Name: "Spedition Wolters",
				Body: `Sehr geehrte Damen und Herren,

in der Zufahrt zum Gewerbegebiet (Industriestraße, Höhe Hausnummer 30) hat sich ein Schlagloch von etwa 60 cm Durchmesser gebildet. Einer unserer Fahrer hat sich daran einen Reifen beschädigt.

Wir bitten um Absicherung und um Auskunft, an wen wir die Rechnung über den Reifen richten können.

Mit freundlichen Grüßen
Spedition Wolters GmbH, Disposition`,
				Files: []mailbox.File{
					photo("Schlagloch.jpg", holeInRoad),
					pdf("Rechnung_Reifen.pdf", "Rechnung 2214", "1 Lkw-Reifen 315/70 R 22,5, Montage und Entsorgung", "Betrag: 486,20 €", "Zahlbar innerhalb von 14 Tagen"),
				},
			},
			then: []act{
				give("l.sauer", "e.aydin", 1, 7.5),
				answer("e.aydin", 0, 15.2, `Sehr geehrte Damen und Herren,

die Stelle ist seit heute Mittag **abgesperrt und mit Kaltasphalt geschlossen**; die dauerhafte Reparatur folgt in der nächsten frostfreien Woche.

Ihre Rechnung haben wir an unsere Haftpflichtversicherung weitergegeben. Sie meldet sich bei Ihnen.

Freundliche Grüße
Emre Aydın`),
			},
		},
		{
			of: stadt, day: 12, hour: 21.5,
			letter: mailbox.Letter{
				Mailbox: "tiefbauamt", Topic: "baustelle", Subject: "Baustelle Marktstraße: Zufahrt zur Arztpraxis", Email: "praxis@dr-lemke.example", Name: "Dr. Silke Lemke",
				Body: `Guten Tag,

seit die Marktstraße aufgerissen ist, kommen Patientinnen und Patienten mit Rollator nicht mehr zu unserer Praxis (Marktstraße 17). Die Bretter liegen so, dass eine Stufe von gut zehn Zentimetern bleibt.

Bitte lassen Sie eine Rampe legen. Wie lange dauert dieser Abschnitt noch?

Dr. Silke Lemke`,
			},
			then: []act{take("l.sauer", 1, 9.9)},
		},
		{
			of: stadt, day: 4, hour: 8.2,
			letter: mailbox.Letter{
				Mailbox: "tiefbauamt", Topic: "winterdienst", Subject: "Streusalzkasten am Bergweg ist leer", Name: "Wolfgang Ehret",
				Body: "Der Kasten an der Treppe Bergweg/Hangstraße ist leer und der Deckel klemmt. In der Nacht soll es frieren, und dort geht die halbe Siedlung zum Bus.",
			},
			then: []act{answer("e.aydin", 1, 7.4, `Guten Tag Herr Ehret,

der Kasten ist gefüllt, den Deckel tauscht der Bauhof am Montag. Danke für die Meldung vor dem Frost!

Emre Aydın`)},
		},
		{
			of: stadt, day: 1, hour: 14.5,
			letter: mailbox.Letter{
				Mailbox: "tiefbauamt", Topic: "strassen", Subject: "Gehwegplatten in der Lindenstraße hochgedrückt", Email: "zofia.wisniewska@post.example", Name: "Zofia Wiśniewska",
				Body: `Guten Tag,

vor der Lindenstraße 22 drücken die Wurzeln der Linde die Gehwegplatten hoch. Meine Mutter (81) ist heute darüber gestürzt, zum Glück ohne Bruch.

Können Sie die Stelle erst einmal kennzeichnen? Zwei Bilder sind dabei.

Zofia Wiśniewska`,
				Files: []mailbox.File{photo("gehweg-1.jpg", holeInRoad), photo("gehweg-2.jpg", holeInRoad)},
			},
		},
		{
			of: stadt, ago: 3*time.Hour + 10*time.Minute,
			letter: mailbox.Letter{
				Mailbox: "tiefbauamt", Topic: "beleuchtung", Subject: "Laterne blinkt die ganze Nacht", Reply: "email", Email: "n.friedrich@post.example", Name: "Nils Friedrich",
				Body: "Die Laterne vor unserem Schlafzimmerfenster (Amselweg 3) geht alle paar Sekunden an und aus. Das geht jetzt die dritte Nacht so. Bitte schalten Sie sie notfalls ganz ab, bis sie repariert ist.",
			},
		},
	}
}
