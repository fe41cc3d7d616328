package demo

import (
	"time"

	"poststelle/internal/mailbox"
)

// building are the letters to the Bauordnungsamt of Musterstadt.
func building() []story {
	return []story{
		{
			of: stadt, day: 20, hour: 10.1,
			letter: mailbox.Letter{
				Mailbox: "bauordnungsamt", Topic: "bauantrag", Subject: "Bauvoranfrage Carport mit Gründach, Flurstück 1188/3", Email: "familie.arslan@post.example",
				Name: "Deniz und Selin Arslan", Address: "Rosenweg 9\n79999 Musterstadt",
				Body: `Sehr geehrte Damen und Herren,

auf unserem Grundstück (Flurstück 1188/3) möchten wir einen Carport für zwei Autos mit begrüntem Dach bauen: 5,80 m breit, 6 m lang, 2,70 m hoch, an der Grenze zum Fußweg.

Ist das Vorhaben verfahrensfrei, oder brauchen wir eine Genehmigung? Lageplan und Beschreibung liegen bei.

Mit freundlichen Grüßen
Deniz und Selin Arslan`,
				Files: []mailbox.File{
					drawing("Lageplan_1188-3.png", siteMap),
					pdf("Baubeschreibung.pdf", "Baubeschreibung Carport", "Grundfläche 34,8 m², mittlere Wandhöhe 2,70 m", "Holzkonstruktion, Flachdach 3°, extensive Begrünung",
						"Abstand zum Fußweg 0,50 m", "Entwässerung in die Rigole auf dem Grundstück"),
				},
			},
			then: []act{
				take("l.sauer", 2, 9.0),
				note("l.sauer", 0, 9.4, "Bebauungsplan *Rosenweg II*: Stellplätze nur in der überbaubaren Fläche. Mit Herrn Weigand (Stadtplanung) klären, ob Befreiung infrage kommt."),
				answer("l.sauer", 2, 11.0, `Guten Tag Frau Arslan, guten Tag Herr Arslan,

Ihre Unterlagen sind vollständig, vielen Dank. Ein Carport dieser Größe ist **verfahrensfrei**, muss aber den Bebauungsplan einhalten. Dieser lässt Stellplätze nur innerhalb der überbaubaren Fläche zu. Sie brauchen deshalb eine *Befreiung*:

1. Antrag auf Befreiung (formlos, mit Begründung)
2. Lageplan mit eingetragenen Abständen
3. Zustimmung der angrenzenden Nachbarn, wenn Sie sie haben

Sie können alles hier nachreichen.

Freundliche Grüße
Lena Sauer`),
				again(2, 20.1, "Danke, das ist verständlich. Anbei der ergänzte Lageplan und unsere Begründung.",
					drawing("Lageplan_mit_Abständen.png", siteMap),
					pdf("Begründung.pdf", "Begründung", "Der Carport steht an der einzigen Stelle, an der die alte Kastanie", "erhalten bleibt. Das Gründach hält Regenwasser zurück.")),
			},
		},
		{
			of: stadt, day: 16, hour: 13.3,
			letter: mailbox.Letter{
				Mailbox: "bauordnungsamt", Topic: "akteneinsicht", Subject: "Einsicht in die Bauakte Kirchgasse 5", Reply: "letter",
				Name: "Friedrich Obermaier", Address: "Kirchgasse 5\n79999 Musterstadt",
				Body: `Sehr geehrte Damen und Herren,

als Eigentümer des Hauses Kirchgasse 5 bitte ich um Einsicht in die Bauakte. Ich lasse das Dach sanieren, und der Statiker braucht die Pläne von 1962.

Ich bin dienstags und mittwochs am besten zu erreichen. Bitte teilen Sie mir einen Termin mit der Post mit.

Hochachtungsvoll
Friedrich Obermaier`,
				Files: []mailbox.File{pdf("Grundbuchauszug.pdf", "Auszug aus dem Grundbuch", "Amtsgericht Musterstadt, Blatt 2077", "Kirchgasse 5, Gebäude- und Freifläche, 412 m²", "Eigentümer: Friedrich Obermaier")},
			},
			then: []act{read("l.sauer", 2, 10.4), take("l.sauer", 0, 10.5)},
		},
		{
			of: stadt, day: 5, hour: 11.6,
			letter: mailbox.Letter{
				Mailbox: "bauordnungsamt", Topic: "denkmal", Subject: "Solarplatten auf dem Dach eines Denkmals", Email: "j.castellano@post.example",
				Name: "Julia Castellano", Address: "Am Stadttor 2\n79999 Musterstadt",
				Body: `Guten Tag,

unser Haus steht unter Denkmalschutz. Wir möchten auf der Hofseite, die man von der Straße nicht sieht, Solarplatten anbringen. Der Energieberater meinte, seit der Gesetzesänderung sei das meist möglich.

Was müssen wir einreichen, und können wir vorher mit jemandem sprechen?

Julia Castellano`,
			},
		},
	}
}

// townOffices are the letters to the other offices of Musterstadt.
func townOffices() []story {
	return []story{
		{
			of: stadt, day: 17, hour: 22.2,
			letter: mailbox.Letter{
				Mailbox: "ordnungsamt", Topic: "laerm", Subject: "Laubbläser jeden Morgen um sechs Uhr",
				Body: `Hallo,

auf dem Parkplatz des Supermarkts in der Bahnhofstraße fährt jeden Werktag ab sechs Uhr jemand mit einem Laubbläser. Ich arbeite nachts und kann das nicht mehr hören. Ist das um diese Zeit erlaubt?

Ich möchte meinen Namen nicht nennen, weil der Markt mein Nachbar ist.`,
			},
			then: []act{
				take("m.keller", 1, 10.0),
				lastAnswer("m.keller", 1, 10.3, `Guten Tag,

nein: Laubbläser dürfen in Wohngebieten werktags nur **von 9 bis 13 Uhr und von 15 bis 17 Uhr** laufen. Wir haben mit der Marktleitung gesprochen; der Dienstleister kommt künftig erst ab neun. Ihren Hinweis haben wir dabei nicht erwähnt.

Freundliche Grüße
Maria Keller, Ordnungsamt`),
			},
		},
		{
			of: stadt, day: 10, hour: 9.3,
			letter: mailbox.Letter{
				Mailbox: "ordnungsamt", Topic: "veranstaltung", Subject: "Straßenfest im Amselweg anmelden", Email: "fest-amselweg@post.example", Name: "Kadir Yıldız",
				Body: `Sehr geehrte Damen und Herren,

die Nachbarschaft im Amselweg möchte am dritten Samstag im Mai ein Straßenfest feiern, von 14 bis 22 Uhr, mit Biertischen und Musik vom Plattenspieler. Wir rechnen mit 80 Leuten.

Was müssen wir beantragen, und was kostet die Sperrung?

Kadir Yıldız für die Nachbarschaft`,
				Files: []mailbox.File{drawing("Plan_Straßenfest.png", siteMap)},
			},
			then: []act{
				answer("e.aydin", 2, 14.2, `Guten Tag Herr Yıldız,

schön, dass Sie feiern! Sie brauchen eine **Sondernutzungserlaubnis** (25 Euro) und eine **verkehrsrechtliche Anordnung** für die Sperrung (kostenlos bei Nachbarschaftsfesten).

Bitte nennen Sie uns noch eine verantwortliche Person mit Telefonnummer und sagen Sie, ob Sie Speisen *verkaufen* möchten.

Freundliche Grüße
Emre Aydın`),
				again(1, 17.7, "Verantwortlich bin ich selbst, meine Nummer gebe ich Ihnen gern am Telefon durch. Verkauft wird nichts, jeder bringt etwas mit."),
			},
		},
		{
			of: stadt, day: 8, hour: 15.1,
			letter: mailbox.Letter{
				Mailbox: "ordnungsamt", Topic: "fundsachen", Subject: "Schwarzer Rucksack im Bus 12 verloren", Email: "m.lorenz@post.example", Name: "Mika Lorenz",
				Body: "Am Montag habe ich im Bus 12 (16:40 ab Bahnhof) meinen schwarzen Rucksack liegen lassen. Darin sind Schulsachen und eine blaue Trinkflasche mit Delfinen. Wurde er bei Ihnen abgegeben?",
			},
			then: []act{
				lastAnswer("m.keller", 1, 11.9, `Guten Tag,

ja, ein schwarzer Rucksack mit einer blauen Delfinflasche liegt bei uns im Fundbüro, **Zimmer 009**. Sie können ihn bis 12 Uhr, donnerstags bis 18 Uhr abholen.

Maria Keller`),
			},
		},
		{
			of: stadt, day: 3, hour: 18.9,
			letter: mailbox.Letter{
				Mailbox: "ordnungsamt", Topic: "verkehr", Subject: "Zugeparkter Radweg vor der Schule", Name: "Elternbeirat Bergschule",
				Body: `Guten Tag,

morgens zwischen 7:30 und 8 Uhr stehen vor der Bergschule regelmäßig bis zu sechs Autos auf dem Radweg. Die Kinder weichen auf die Fahrbahn aus.

Wir bitten um Kontrollen und um ein Gespräch über eine Hol- und Bringzone. Eine Liste der letzten zwei Wochen haben wir angehängt.

Der Elternbeirat`,
				Files: []mailbox.File{text("Liste_Radweg.txt", "Montag 7:40 Uhr: 4 Autos\nDienstag 7:45 Uhr: 6 Autos\nMittwoch 7:38 Uhr: 3 Autos\nDonnerstag 7:50 Uhr: 5 Autos\nFreitag 7:35 Uhr: 2 Autos\n")},
			},
			then: []act{take("e.aydin", 1, 8.9)},
		},
		{
			of: stadt, day: 15, hour: 10.8,
			letter: mailbox.Letter{
				Mailbox: "kita-schule", Topic: "kita", Subject: "Kita-Platz ab März für unsere Tochter", Email: "o.kovalenko@post.example", Name: "Олена Коваленко (Olena Kovalenko)",
				Body: `Guten Tag,

unsere Tochter wird im März drei Jahre alt. Wir haben uns vor acht Wochen über das Kita-Portal für das Haus Sonnenblume vorgemerkt und noch nichts gehört.

Ich beginne am 1. März eine Stelle im Krankenhaus und brauche Betreuung ab 6:30 Uhr. Gibt es eine Kita, die so früh öffnet?

Mit freundlichen Grüßen
Olena Kovalenko`,
			},
			then: []act{
				answer("a.weber", 2, 13.7, `Guten Tag Frau Kovalenko,

Ihre Vormerkung liegt vor. Im Haus Sonnenblume ist zum März leider kein Platz frei. Die Kita **Regenbogen** in der Krankenhausstraße öffnet um 6:15 Uhr und hätte einen Platz.

Möchten Sie sich die Kita ansehen? Dann rufe ich die Leiterin an und nenne Ihnen zwei Termine.

Freundliche Grüße
Andreas Weber`),
				again(1, 21.3, "Ja, sehr gern! Am besten nachmittags ab 15 Uhr. Vielen Dank!"),
				give("a.weber", "m.keller", 1, 9.6),
				answer("m.keller", 0, 12.2, `Guten Tag Frau Kovalenko,

die Leiterin, Frau Amend, zeigt Ihnen das Haus am **Mittwoch um 15:30 Uhr**. Bitte bringen Sie das Vorsorgeheft mit.

Freundliche Grüße
Maria Keller`),
			},
		},
		{
			of: stadt, day: 12, hour: 8.0,
			letter: mailbox.Letter{
				Mailbox: "kita-schule", Topic: "beitrag", Subject: "Elternbeitrag doppelt abgebucht", Name: "Robert Stahl",
				Body:  "Im letzten Monat wurden 148 Euro zweimal von meinem Konto eingezogen (Kita Bachstraße, zwei Kinder). Auf dem Auszug stehen beide Buchungen am selben Tag. Bitte überweisen Sie den zweiten Betrag zurück.",
				Files: []mailbox.File{pdf("Kontoauszug_Ausschnitt.pdf", "Kontoauszug (Ausschnitt)", "Stadt Musterstadt, Elternbeitrag  -148,00 €", "Stadt Musterstadt, Elternbeitrag  -148,00 €")},
			},
			then: []act{forward("m.keller", "steueramt", 1, 9.2, "Rückbuchung macht die Kasse beim Steueramt, Doppelbuchung ist im Auszug zu sehen.", false), withdraw(2, 19.0)},
		},
		{
			of: stadt, day: 7, hour: 19.6,
			letter: mailbox.Letter{
				Mailbox: "kita-schule", Topic: "ferien", Subject: "Ferienbetreuung: Platz für Kind mit Diabetes", Email: "anja.rieger@post.example", Name: "Anja Rieger",
				Body: `Guten Tag,

unser Sohn (8) hat Diabetes Typ 1 und trägt eine Pumpe. Er möchte in den Osterferien mit seinem Freund in die Ferienbetreuung.

Gibt es Betreuerinnen, die damit Erfahrung haben? Wir können gern vorher alles erklären.

Anja Rieger`,
			},
			then: []act{take("m.keller", 1, 15.5)},
		},
		{
			of: stadt, day: 9, hour: 16.7,
			letter: mailbox.Letter{
				Mailbox: "steueramt", Topic: "hundesteuer", Subject: "Abmeldung unseres Hundes", Name: "Ingrid Maurer", Address: "Am Bach 16\n79999 Musterstadt", Reply: "letter",
				Body: "Unser Hund Bruno (Steuermarke 2093) ist am Freitag mit vierzehn Jahren gestorben. Bitte melden Sie ihn ab und schicken Sie mir den geänderten Bescheid mit der Post.",
			},
			then: []act{
				take("a.weber", 1, 9.0),
				note("a.weber", 0, 9.2, "Marke 2093 zum Monatsende abgemeldet, Bescheid geht heute in die Post. Beileid ausgesprochen."),
				closing("a.weber", 0, 9.5),
			},
		},
		{
			of: stadt, day: 2, hour: 10.4,
			letter: mailbox.Letter{
				Mailbox: "steueramt", Topic: "grundsteuer", Subject: "Grundsteuerbescheid: falsche Fläche", Email: "p.dimitriou@post.example",
				Name: "Παναγιώτης Δημητρίου (P. Dimitriou)", Address: "Hangstraße 40\n79999 Musterstadt",
				Body: `Sehr geehrte Damen und Herren,

in meinem neuen Bescheid steht eine Grundstücksfläche von 812 m². Laut Grundbuch sind es 612 m². Ich bitte um Prüfung und lege vorsorglich Widerspruch ein.

Den Auszug füge ich bei.

Mit freundlichen Grüßen
P. Dimitriou`,
				Files: []mailbox.File{pdf("Grundbuch_Hangstraße_40.pdf", "Auszug aus dem Grundbuch", "Hangstraße 40, Gebäude- und Freifläche", "Größe: 612 m²")},
			},
		},
		{
			of: stadt, ago: 5*time.Hour + 20*time.Minute,
			letter: mailbox.Letter{
				Mailbox: "steueramt", Topic: "zahlung", Subject: "Neue Bankverbindung für die Lastschrift", Name: "Beate Sommerfeld", Address: "Lindenstraße 51\n79999 Musterstadt",
				Body: "Meine Bank wurde aufgelöst. Welches Formular brauche ich, damit die Grundsteuer ab dem nächsten Quartal vom neuen Konto abgebucht wird? Die Nummer schreibe ich Ihnen dann auf das Formular.",
			},
		},
		{
			of: stadt, day: 20, hour: 14.8,
			letter: mailbox.Letter{
				Mailbox: "ordnungsamt", Topic: "verkehr", Subject: "Sperrmüll liegt seit Tagen auf dem Parkplatz", Email: "s.brunner@post.example", Name: "Stefan Brunner",
				Body:  "Auf dem Parkplatz hinter der Stadthalle steht seit letzter Woche ein rotes Sofa, daneben liegen Farbeimer. Inzwischen kommt täglich etwas dazu. Ein Bild ist dabei.",
				Files: []mailbox.File{photo("Sofa_Stadthalle.jpg", bulkyWaste)},
			},
			then: []act{read("e.aydin", 2, 8.3)},
		},
	}
}
