package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/mailbox"
	"poststelle/internal/vault"
	"poststelle/internal/web/webtest"
)

var pdf = []byte("%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n")

// answerForm fills the form of an answer on the page of a thread.
func answerForm(page *webtest.Page, text string) *webtest.Form {
	return page.Form("#antwort-form").Set("body", text)
}

// lastSeen is the newest message that the holder of the code sees.
func (p *post) lastSeen(d mailbox.Delivered) mailbox.SeenMessage {
	p.t.Helper()
	seen, err := p.Service.SeeCollected(p.t.Context(), "musterstadt", string(d.Code))
	p.must(err)
	return seen.Messages[len(seen.Messages)-1]
}

func TestAnswer_WithFilesReachesTheCitizen(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	page := b.Get(casePath(d.Thread)).Want(200)
	if page.Text("h1") != "Laterne defekt" || !page.Contains("Die Laterne vor Haus 14") || !page.Contains("Lindenstraße 14") {
		t.Error("the page lacks subject, text or address")
	}
	p.advance(time.Minute)
	form := answerForm(page, "Guten Tag,\n\nwir kommen **morgen**.").File("files", "plan.pdf", "application/pdf", pdf)
	page = form.Submit("aktion=senden").Want(200)
	if page.Path != casePath(d.Thread) || !page.Contains("Ihre Antwort ist gesendet.") {
		t.Errorf("after sending at %s", page.Path)
	}
	if got := page.Text("article.ps-article--amt strong"); got != "morgen" {
		t.Errorf("Markdown of the answer: strong = %q", got)
	}
	m := p.lastSeen(d)
	if m.Kind != "office" || !strings.Contains(m.Body, "wir kommen") || m.Files["plan.pdf"] != string(pdf) {
		t.Errorf("the citizen sees %+v", m)
	}
	file := page.Click("a[download]")
	if file.Status != 200 || file.Body != string(pdf) || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("download: status %d, %d bytes, %q", file.Status, len(file.Body), file.Header.Get("Content-Disposition"))
	}
	b.Get(casePath(d.Thread) + "/datei/" + d.Message + "/gibtesnicht").Want(404)
}

func TestAnswer_WrongFileKeepsTheRest(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	form := answerForm(b.Get(casePath(d.Thread)), "Mein langer Text")
	form.File("files", "gut.pdf", "application/pdf", pdf).File("files", "boese.pdf", "application/pdf", []byte("MZ\x90\x00 no pdf"))
	page := form.Submit("aktion=senden").Want(422)
	if !strings.HasPrefix(page.Title(), "Fehler:") || page.Form("#antwort-form").Get("body") != "Mein langer Text" {
		t.Error("the page must say that it is an error and keep the text")
	}
	if !page.Contains("gut.pdf") || page.Count(".ps-filetable tbody tr") != 1 {
		t.Error("the good file must stay, the bad one must not")
	}
	if n := p.count(`select count(*) from mailbox_messages where kind = 'office'`); n != 0 {
		t.Fatalf("%d answers stored", n)
	}
	// Empty text: same page, file still there.
	page = page.Form("#antwort-form").Set("body", "  ").Submit("aktion=senden").Want(422)
	if !page.Contains("Schreiben Sie einen Text.") || page.Count(".ps-filetable tbody tr") != 1 {
		t.Error("empty text")
	}
	page = page.Form("#antwort-form").Set("body", "Doch Text").Submit("entfernen").Want(200)
	if page.Count(".ps-filetable tbody tr") != 0 || page.Form("#antwort-form").Get("body") != "Doch Text" {
		t.Error("removing a file must keep the text")
	}
	p.advance(time.Minute)
	page.Form("#antwort-form").Submit("aktion=abschliessen").Want(200)
	if m := p.lastSeen(d); m.Body != "Doch Text" || len(m.Files) != 0 {
		t.Errorf("the citizen sees %+v", m)
	}
	if n := p.count(`select count(*) from mailbox_threads where state = 'closed'`); n != 1 {
		t.Error("not closed")
	}
}

func TestAnswer_SameFormTwice(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	for _, button := range []string{"aktion=senden", "aktion=abschliessen"} {
		form := answerForm(b.Get(casePath(d.Thread)), "Nur einmal").File("files", "plan.pdf", "application/pdf", pdf)
		before := p.count(`select count(*) from mailbox_messages where kind = 'office'`)
		for range 2 {
			if page := form.Submit(button).Want(200); page.Path != casePath(d.Thread) {
				t.Errorf("%s led to %s", button, page.Path)
			}
		}
		if n := p.count(`select count(*) from mailbox_messages where kind = 'office'`); n != before+1 {
			t.Errorf("%s twice: %d answers more", button, n-before)
		}
	}
	note := b.Get(casePath(d.Thread)).Form("#notiz-form").Set("notiz", "Ersatzteil bestellt")
	for range 2 {
		note.Submit().Want(200)
	}
	if n := p.count(`select count(*) from mailbox_messages where kind = 'note'`); n != 1 {
		t.Errorf("%d notes, want 1", n)
	}
	if n := p.count(`select count(*) from blob_refs`); n != 2 {
		t.Errorf("%d files in use, want 2", n)
	}
}

func TestAnswer_TwoClerksAtOnce(t *testing.T) {
	p := newPost(t)
	other := p.hire("ole.zweit", "Ole Zweit", account.Clerk, "tiefbauamt")
	d := p.deliver()
	b1, b2 := p.signIn(p.Tiefbau), p.signIn(other)
	form1 := answerForm(b1.Get(casePath(d.Thread)), "Antwort eins")
	form2 := answerForm(b2.Get(casePath(d.Thread)), "Antwort zwei").File("files", "plan.pdf", "application/pdf", pdf)
	p.advance(time.Minute)
	form1.Submit("aktion=senden").Want(200)
	page := form2.Submit("aktion=senden").Want(409)
	if !page.Contains("Ayşe Kaya hat inzwischen geantwortet") || !page.Contains("Antwort eins") {
		t.Error("the second clerk must see who answered and what")
	}
	if n := p.count(`select count(*) from mailbox_messages where kind = 'office'`); n != 1 {
		t.Fatalf("%d answers, want 1: nothing may be sent", n)
	}
	form := page.Form("#antwort-form")
	if form.Get("body") != "Antwort zwei" || page.Count(".ps-filetable tbody tr") != 1 || !page.Contains("Trotzdem senden") {
		t.Error("text and file of the draft must be kept")
	}
	// Before the second one insists, the citizen writes: told again.
	p.advance(time.Minute)
	p.must(p.Service.WriteAgain(t.Context(), p.stadt(), d.Code, "Es ist noch schlimmer geworden."))
	p.settle()
	page = form.Submit("aktion=senden").Want(409)
	if !page.Contains("weitere Nachricht des Absenders") {
		t.Error("the conflict page must name the new letter")
	}
	p.advance(time.Minute)
	page.Form("#antwort-form").Submit("aktion=senden").Want(200)
	if m := p.lastSeen(d); m.Body != "Antwort zwei" || m.Files["plan.pdf"] != string(pdf) {
		t.Errorf("after insisting the citizen sees %+v", m)
	}
}

func TestAnswer_ThreadClosedMeanwhile(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	form := answerForm(b.Get(casePath(d.Thread)), "Zu spät?").File("files", "plan.pdf", "application/pdf", pdf)
	p.must(p.Service.CloseThread(t.Context(), p.actor(p.Tiefbau), d.Thread))
	page := form.Submit("aktion=senden").Want(409)
	if !page.Contains("inzwischen abgeschlossen") || !page.Contains("Zu spät?") {
		t.Error("the page must say that the thread is closed and show the draft")
	}
	page = page.Form("#antwort form").Submit().Want(200)
	if got := page.Form("#antwort-form").Get("body"); got != "Zu spät?" || page.Count(".ps-filetable tbody tr") != 1 {
		t.Errorf("after reopening the draft is %q", got)
	}
	p.advance(time.Minute)
	page.Form("#antwort-form").Submit("aktion=senden").Want(200)
	if m := p.lastSeen(d); m.Body != "Zu spät?" || len(m.Files) != 1 {
		t.Errorf("the citizen sees %+v", m)
	}
}

func TestAnswer_SessionEndedShowsTheText(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	form := answerForm(b.Get(casePath(d.Thread)), "Zwei Stunden Arbeit")
	p.advance(31 * time.Minute)
	page := form.Submit("aktion=senden").Want(403)
	if page.Text("textarea") != "Zwei Stunden Arbeit" || !page.Contains("nicht gesendet") {
		t.Error("the text of the request must be shown again")
	}
	b = p.signIn(p.Tiefbau)
	form = answerForm(b.Get(casePath(d.Thread)), "Im anderen Reiter abgemeldet")
	b.PostForm("/amt/abmelden").Want(200)
	b.ClearCookies()
	page = form.Submit("aktion=senden").Want(403)
	if page.Text("textarea") != "Im anderen Reiter abgemeldet" || !page.Contains("kein Cookie mitgesendet") {
		t.Error("without a cookie the text must be shown again")
	}
	b = p.signIn(p.Tiefbau)
	form = answerForm(b.Get(casePath(d.Thread)), "Noch ein Versuch")
	p.Switch.Off()
	page = form.Submit("aktion=senden").Want(503)
	p.Switch.On()
	if page.Text("textarea") != "Noch ein Versuch" || !page.Contains("Neue Nachrichten nehmen wir weiter an") {
		t.Error("with the vault away the text must be shown again")
	}
	if n := p.count(`select count(*) from mailbox_messages where kind = 'office'`); n != 0 {
		t.Errorf("%d answers stored", n)
	}
}

func TestAnswer_DraftOlderThanItsKey(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	form := answerForm(b.Get(casePath(d.Thread)), "").File("files", "plan.pdf", "application/pdf", pdf)
	page := form.Submit("aktion=senden").Want(422) // draft with a key
	// The key is dropped as that of an answer that was never sent.
	ref := p.text(`select ref from jobs where kind = 'mailbox.unsent'`)
	message := ref[strings.LastIndex(ref, ":")+1:]
	p.must(p.Vault.DropMessage(t.Context(), p.token(vault.ServiceRetention), "musterstadt", d.Thread, message))
	page = page.Form("#antwort-form").Set("body", "Unlesbar").Submit("aktion=senden")
	if page.Status != 409 {
		t.Errorf("status %d, want 409: under a key that is gone nothing may be stored", page.Status)
	}
	if n := p.count(`select count(*) from mailbox_messages where kind = 'office'`); n != 0 {
		t.Errorf("%d answers stored that nobody can read", n)
	}
}

func TestNote_StaysInside(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	page := b.Get(casePath(d.Thread)).Form("#notiz-form").Set("notiz", "Der Absender war schon dreimal da.").Submit().Want(200)
	if got := page.Text(".ps-article--intern"); !strings.Contains(got, "Intern") || !strings.Contains(got, "dreimal") {
		t.Errorf("note on the page: %q", got)
	}
	if m := p.lastSeen(d); m.Kind != "citizen" {
		t.Errorf("the citizen sees %+v", m)
	}
	p.settle()
	if n := len(p.Mail.Messages()); n != 0 {
		t.Errorf("a note sent %d mails", n)
	}
}

func TestThread_ActionsAndProtocol(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	path := casePath(d.Thread)
	b.Get(path).Form("form[action=" + path + "/gelesen]").Submit().Want(200)
	page := b.Get(path)
	if page.Has("form[action="+path+"/gelesen]") || !page.Contains("In Arbeit") {
		t.Error("marked as read: still unread or new")
	}
	page.Form("form[action="+path+"/zuweisen]").Set("person", p.Tiefbau.Person).Submit().Want(200)
	if got := p.text(`select assignee from mailbox_threads`); got != p.Tiefbau.Person {
		t.Errorf("assignee = %q", got)
	}
	b.PostForm(path+"/zuweisen", "person", p.Bau.Person).Want(422)
	page = b.PostForm(path + "/abschliessen").Want(200)
	if page.Has("#antwort-form") || !page.Contains("Der Vorgang ist abgeschlossen") {
		t.Error("a closed thread must offer reopening, not answering")
	}
	b.PostForm(path + "/oeffnen").Want(200)
	if !b.Get(path).Contains("Der Vorgang ist wieder offen") {
		t.Error("what was done is not said")
	}
	p.advance(time.Minute)
	p.must(p.Service.AskWithdrawal(t.Context(), p.stadt(), d.Code))
	page = b.Get(path).Want(200)
	if !page.Contains("Der Absender wünscht die Rücknahme") || page.Contains("Der Vorgang ist wieder offen") {
		t.Error("the wish to withdraw is not shown, or what was done before it still is")
	}
	if got := page.Texts(".ps-timeline li"); len(got) != 5 || !strings.Contains(got[0], "Rücknahme gewünscht") {
		t.Errorf("protocol: %q", got)
	}
	if got := b.Get("/amt/eingang").Text(".ps-cell-status"); got != "Rücknahme" {
		t.Errorf("status in the list = %q", got)
	}
	p.must(p.Service.Answer(t.Context(), p.actor(p.Tiefbau), mailbox.Reply{Thread: d.Thread, Body: "Guten Tag"}))
	page = b.Get(path).Click("Diese Antwort als Brief drucken").Want(200)
	if !page.Contains("Rathausplatz 1") || !page.Contains("Lindenstraße 14") || page.Contains("Die Laterne vor Haus 14") {
		t.Error("the letter must hold both addresses and the answer alone")
	}
}

func TestThread_English(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	page := b.Get("/en" + casePath(d.Thread)).Want(200)
	page = answerForm(page, "We will come.").Submit("aktion=senden").Want(200)
	if page.Path != "/en"+casePath(d.Thread) || !page.Contains("Your reply has been sent.") {
		t.Errorf("at %s", page.Path)
	}
	b.Get("/en/amt/eingang").Want(200)
	b.Get("/en" + casePath(d.Thread) + "/loeschen").Want(200)
	b.Get("/en" + casePath(d.Thread) + "/weiterleiten").Want(200)
}

// A clerk may look at a long case as often as the work needs.
func TestThread_ReReadingIsNoBulkReading(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	for range 19 {
		p.advance(time.Second)
		p.must(p.Service.WriteAgain(t.Context(), p.stadt(), d.Code, "Noch ein Brief zu der Laterne."))
	}
	p.settle()
	b := p.signIn(p.Tiefbau)
	for i := range 40 {
		if got := b.Get(casePath(d.Thread)); got.Status != 200 {
			t.Fatalf("view %d of a case of 20 messages: %d", i+1, got.Status)
		}
	}
}

// dropHook is a vault that does something before a key is destroyed.
type dropHook struct {
	vault.Service
	before func()
}

func (h *dropHook) DropMessage(ctx context.Context, token, of, thread, message string) error {
	if h.before != nil {
		h.before()
	}
	return h.Service.DropMessage(ctx, token, of, thread, message)
}

// An answer that is sent at the moment in which its key is destroyed is not
// stored: nobody could ever read it.
func TestUnsent_NeverDestroysTheKeyOfASentAnswer(t *testing.T) {
	var h *dropHook
	p := newPost(t, func(p *post) {
		h = &dropHook{Service: p.service}
		p.service = h
	})
	d := p.deliver()
	send, err := p.Service.BeginAnswer(t.Context(), p.actor(p.Tiefbau), d.Thread)
	p.must(err)
	p.advance(10 * time.Hour)
	var sent error
	h.before = func() { sent = send(p.actor(p.Tiefbau)) }
	p.settle()
	if !errors.Is(sent, fault.Conflict) {
		t.Errorf("answer = %v, want Conflict", sent)
	}
	if n := p.count(`select count(*) from mailbox_messages where kind = 'office'`); n != 0 {
		t.Errorf("%d answers stored without a key", n)
	}
}

// One that was sent in time has no such job any more.
func TestUnsent_EndsWithTheAnswer(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	send, err := p.Service.BeginAnswer(t.Context(), p.actor(p.Tiefbau), d.Thread)
	p.must(err)
	p.advance(time.Minute)
	p.must(send(p.actor(p.Tiefbau)))
	if n := p.count(`select count(*) from jobs where kind = 'mailbox.unsent'`); n != 0 {
		t.Errorf("%d jobs left", n)
	}
	p.advance(10 * time.Hour)
	p.settle()
	if m := p.lastSeen(d); m.Body != "Guten Tag" {
		t.Errorf("the citizen sees %+v", m)
	}
}

// Of a very long case the first letter and the newest messages are shown.
func TestThread_VeryLongShowsTheNewest(t *testing.T) {
	p := newPost(t)
	ctx := t.Context()
	d := p.deliver()
	p.advance(time.Minute)
	p.must(p.DB.Update(ctx, func(tx *db.Tx) error {
		for i := range 1100 {
			_, err := tx.Exec(ctx, `
insert into mailbox_messages (id, tenant_id, thread_id, kind, author, by_mail, undelivered, created_at, card, body, contact, receipt)
values ($1, 'musterstadt', $2, 'note', '', $3, $3, $4, $5, $5, $5, $5)`,
				fmt.Sprintf("m%d", i), d.Thread, false, db.Millis(p.Now()), []byte{})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	p.advance(time.Minute)
	p.must(p.Service.Answer(ctx, p.actor(p.Tiefbau), mailbox.Reply{Thread: d.Thread, Body: "Die neueste Antwort"}))
	page := p.signIn(p.Tiefbau).Get(casePath(d.Thread)).Want(200)
	if page.Text("h1") != "Laterne defekt" || !page.Contains("Die neueste Antwort") || !page.Contains("102 ältere Nachrichten") {
		t.Error("the page lacks the first letter, the newest message, or the word that there are more")
	}
}

func TestAssign_NotToWhoHasLeft(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	left := p.hire("ole.dritt", "Ole Dritt", account.Clerk, "tiefbauamt")
	p.must(p.Service.Assign(t.Context(), p.actor(p.Tiefbau), d.Thread, left.Person))
	p.must(p.Service.Assign(t.Context(), p.actor(p.Tiefbau), d.Thread, ""))
	p.must(p.staff().Disable(t.Context(), "musterstadt", left.Person))
	if err := p.Service.Assign(t.Context(), p.actor(p.Tiefbau), d.Thread, left.Person); !errors.Is(err, fault.Invalid) {
		t.Errorf("Assign() = %v, want Invalid", err)
	}
}
