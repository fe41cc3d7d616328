package mailbox_test

import (
	"strings"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/mailbox"
)

// TestCollected_SeesWhatConcernsThem: the answer with its file, that the letter
// was forwarded and closed; never a note, its files, or a reason.
func TestCollected_SeesWhatConcernsThem(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	code := send(t, c)
	p.settle()
	var thread string
	p.must(p.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select id from mailbox_threads`).Scan(&thread)
	}))
	who := p.actor(p.Tiefbau)
	file := func(name string) mailbox.File {
		return mailbox.File{Name: name, Content: pdfFile(name)}
	}
	p.must(p.Service.Answer(t.Context(), who, mailbox.Reply{
		Thread: thread, Body: "Wir kommen **morgen**. <script>alert(1)</script>", Files: []mailbox.File{file("antwort.pdf")},
	}))
	p.must(p.Service.Answer(t.Context(), who, mailbox.Reply{
		Thread: thread, Note: true, Body: "GEHEIME NOTIZ", Files: []mailbox.File{file("intern.pdf")},
	}))
	p.must(p.Service.Forward(t.Context(), who, thread, "bauamt", "GEHEIMER GRUND", true))
	p.must(p.Service.CloseThread(t.Context(), p.actor(p.Bau), thread))

	page := open(t, c, "", code)
	for _, hidden := range []string{"GEHEIM", "intern.pdf", "<script>alert", p.Tiefbau.Name} {
		if strings.Contains(page.Body, hidden) {
			t.Errorf("the sender sees %q", hidden)
		}
	}
	if page.Text(".ps-article--amt strong") != "morgen" || !page.Contains("weitergeleitet an: Bauamt") || !page.Contains("Abgeschlossen") {
		t.Errorf("thread shows %q", page.Text("main"))
	}
	if got := page.Click("antwort.pdf").Want(200); got.Body != string(pdfFile("antwort.pdf")) {
		t.Errorf("file of the answer: %d bytes", len(got.Body))
	}
	// The address of a note's file is of no use to the sender.
	var message, part string
	p.must(p.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `
select f.message_id, f.part
from mailbox_files f join mailbox_messages m on m.id = f.message_id
where m.kind = 'note'`).Scan(&message, &part)
	}))
	_, query, _ := strings.Cut(page.Path, "?")
	c.Get("/abholen/datei/" + message + "/" + strings.TrimPrefix(part, "file/") + "?" + query).Want(404)

	// Another session, and another tenant with the same code, see nothing.
	if got := p.browser().Get(page.Path); path(got) != "/abholen" {
		t.Errorf("a foreign session sees %s", got.Path)
	}
	other := p.browser()
	other.Host = beispielingen
	other.PostForm("/abholen", "code", code).Want(422)

	// Writing again reopens the matter.
	again := page.Form("main form[enctype=multipart/form-data]").Set("body", "Danke, es ist noch dunkel.").Submit("aktion=senden").Want(200)
	if again.Contains("Abgeschlossen") || !again.Contains("noch dunkel") {
		t.Errorf("after writing again: %q", again.Text("main"))
	}
}
