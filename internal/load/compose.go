package load

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
)

// compose writes the nth letter: the same n gives the same words.
func compose(n int, box tenant.Mailbox, fileEvery int) mailbox.Letter {
	r := rand.New(rand.NewPCG(uint64(n), 0x706f7374))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	street := fmt.Sprintf("%s %d", pick(streets), 1+r.IntN(120))
	var body strings.Builder
	body.WriteString(pick(greetings) + "\n\n" + fmt.Sprintf(pick(openings), street))
	for range 1 + r.IntN(5) {
		body.WriteString(" " + pick(sentences))
	}
	body.WriteString("\n\n" + pick(requests))
	for range r.IntN(3) {
		body.WriteString(" " + pick(sentences))
	}
	l := mailbox.Letter{Mailbox: box.ID, Subject: fmt.Sprintf("%s, %s", pick(subjects), street)}
	if box.SenderRequired || r.IntN(3) > 0 {
		l.Name = pick(firstNames) + " " + pick(lastNames)
		l.Address = street + "\n79999 Musterstadt"
		body.WriteString("\n\nMit freundlichen Grüßen\n" + l.Name)
	}
	if r.IntN(2) == 0 {
		l.Email = fmt.Sprintf("absender%d@post.example", n)
	}
	if r.IntN(12) == 0 && l.Name != "" {
		l.Reply = "letter"
	}
	if len(box.Topics) > 0 {
		l.Topic = box.Topics[r.IntN(len(box.Topics))].ID
	}
	if fileEvery > 0 && n%fileEvery == 0 {
		l.Files = []mailbox.File{{Name: fmt.Sprintf("Anlage-%d.pdf", n), Content: tinyPDF(n)}}
	}
	l.Body = body.String()
	return l
}

// tinyPDF is a PDF of about two kilobytes as far as its kind goes.
func tinyPDF(n int) []byte {
	return fmt.Appendf(nil, "%%PDF-1.4\n%% Anlage %d\n%s%%%%EOF\n", n, strings.Repeat("% Poststelle, Anlage zum Füllen einer Datenbank\n", 40))
}

// The words of the letters.
var (
	greetings = []string{"Guten Tag,", "Sehr geehrte Damen und Herren,", "Hallo,", "Liebes Amt,", "Guten Morgen,"}
	streets   = []string{"Lindenstraße", "Kastanienallee", "Am Bach", "Amselweg", "Marktstraße", "Hangstraße", "Bergweg", "Rosenweg", "Gartenstraße", "Schulweg"}
	subjects  = []string{
		"Straßenlaterne ausgefallen", "Schlagloch", "Frage zum Bescheid", "Sperrmüll am Straßenrand", "Antrag auf Bescheinigung", "Lärm am Abend",
		"Hecke wächst auf den Gehweg", "Parken vor der Einfahrt", "Änderung der Anschrift", "Termin für einen Ausweis", "Ampel zeigt lange Rot", "Wasser auf der Fahrbahn",
	}
	openings = []string{
		"ich wende mich an Sie wegen der Lage vor dem Haus %s.", "seit einigen Tagen gibt es bei der Anschrift %s ein Problem.",
		"ich wohne seit vielen Jahren in der %s und habe eine Bitte.", "bei einem Spaziergang an der %s ist mir etwas aufgefallen.",
	}
	sentences = []string{
		"Morgens ist es am schlimmsten.", "Die Nachbarn haben es auch schon bemerkt.", "Ein Anruf in der letzten Woche blieb ohne Ergebnis.",
		"Besonders für ältere Menschen und Kinder ist das gefährlich.", "Ich habe es mir gestern noch einmal angesehen.",
		"Bisher hat sich daran nichts geändert.", "Wenn es regnet, steht dort das Wasser.", "Vielleicht genügt schon eine kleine Änderung.",
		"Im vergangenen Jahr war es ähnlich, damals haben Sie schnell geholfen.", "Zu den üblichen Zeiten bin ich zu erreichen.",
		"Die Unterlagen habe ich noch einmal durchgesehen und nichts dazu gefunden.", "Auch die Post hat sich schon beschwert.",
	}
	requests = []string{
		"Bitte teilen Sie mir mit, wann etwas geschieht.", "Können Sie das bitte prüfen?", "Welche Unterlagen brauchen Sie von mir?",
		"Ich freue mich über eine kurze Antwort.", "Ist Ihr Amt dafür zuständig?",
	}
	firstNames = []string{"Anna", "Murat", "Helga", "Jan", "Sofia", "Peter", "Leyla", "Karl", "Ingrid", "Tomasz", "Nora", "Felix"}
	lastNames  = []string{"Albers", "Yılmaz", "Krüger", "Nowicki", "Sommer", "Haas", "Oduya", "Brandl", "Petrov", "Lindner", "Weiß", "Costa"}
)
