package newsletter_test

import (
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
)

// The whole way: sign-up, mail, click, issue, unsubscribing by the link and by
// the button of a mail program.
func TestJourney(t *testing.T) {
	w := newWorld(t)
	c := w.browser(town)
	page := w.ask(c, "Anna@Post.example").Want(200)
	if page.Contains("Anna") || page.Text("h1") != "Sehen Sie in Ihr Postfach" {
		t.Errorf("page after sign-up: %q", page.Text("main"))
	}
	w.settle()
	mails := w.to("Anna@post.example")
	if len(mails) != 1 || len(mails[0].Headers) != 0 {
		t.Fatalf("mails after sign-up: %+v", mails)
	}
	word := wordIn(t, mails[0].Text, "bestaetigen")

	// Opening the link, as scanners do, confirms nothing.
	for range 3 {
		c.Get("/newsletter/bestaetigen/" + word).Want(200)
		c.Do("HEAD", "/newsletter/bestaetigen/"+word, "", nil).Want(200)
	}
	ed := w.editor(town, account.Editor)
	path := w.draft(ed, "Erste Ausgabe", "Guten Tag,\n\n**Neues** aus dem [Rathaus](https://musterstadt.example/neues?a=1&b=2).")
	w.release(ed, path).Want(200)
	w.settle()
	if n := len(w.Mail.Messages()); n != 1 {
		t.Fatalf("%d mails: an issue went to somebody who has not confirmed", n)
	}

	for range 2 { // confirming twice is confirming
		p := c.Get("/newsletter/bestaetigen/" + word).Want(200).Form("form[action=/newsletter/bestaetigen/" + word + "]").Submit().Want(200)
		if p.Text("h1") != "Sie sind angemeldet" {
			t.Errorf("after the click: %q", p.Text("h1"))
		}
	}
	w.subscribe(town, "ben@post.example")
	w.subscribe(village, "carla@post.example")
	before := len(w.Mail.Messages())
	path = w.draft(ed, "Zweite Ausgabe", "Guten Tag,\n\n**Neues** aus dem [Rathaus](https://musterstadt.example/neues?a=1&b=2).")
	w.release(ed, path).Want(200)
	w.settle()
	if n := len(w.Mail.Messages()) - before; n != 2 {
		t.Fatalf("%d mails for two subscribers of the town", n)
	}
	if len(w.to("carla@post.example")) != 1 {
		t.Error("the issue of one tenant went to the subscriber of another")
	}
	report := ed.Get(path).Want(200)
	if !strings.Contains(report.Text("main"), "versendet") || !strings.Contains(report.Text("dl"), "2") {
		t.Errorf("report: %q", report.Text("main"))
	}

	anna, ben := w.to("Anna@post.example")[0], w.to("ben@post.example")[0]
	leave := wordIn(t, anna.Text, "abmelden")
	c.Get("/newsletter/abmelden/" + leave).Want(200)
	if w.count(`select count(*) from newsletter_subscribers where tenant_id = $1`, town) != 2 {
		t.Fatal("opening the link unsubscribed")
	}
	p := c.Get("/newsletter/abmelden/" + leave).Form("form[action=/newsletter/abmelden/" + leave + "]").Submit().Want(200)
	if p.Text("h1") != "Sie sind abgemeldet" {
		t.Errorf("after unsubscribing: %q", p.Text("h1"))
	}

	// RFC 8058: no cookie, no form token, another origin, no redirect.
	mailer := w.browser(town)
	mailer.NoFollow, mailer.RefuseCookies = true, true
	mailer.Header.Set("Origin", "https://mail.example")
	mailer.Header.Set("Sec-Fetch-Site", "cross-site")
	one := mailer.Do("POST", "/newsletter/abmelden/"+wordIn(t, ben.Headers["List-Unsubscribe"], "abmelden"), "application/x-www-form-urlencoded", []byte("List-Unsubscribe=One-Click"))
	if one.Status != 200 {
		t.Errorf("one-click: %d", one.Status)
	}
	if n := w.count(`select count(*) from newsletter_subscribers where tenant_id = $1`, town); n != 0 {
		t.Errorf("%d subscribers are left", n)
	}
	before = len(w.Mail.Messages())
	w.release(ed, w.draft(ed, "Dritte Ausgabe", "Niemand liest das."))
	w.settle()
	if n := len(w.Mail.Messages()) - before; n != 0 {
		t.Errorf("%d mails after everybody has left", n)
	}
	// Unsubscribing again says the same, for who was there and who was not.
	c.Do("POST", "/newsletter/abmelden/"+leave, "application/x-www-form-urlencoded", []byte("List-Unsubscribe=One-Click")).Want(200)
	// The old link to confirm brings nobody back.
	c.Get("/newsletter/bestaetigen/" + word).Form("form[action=/newsletter/bestaetigen/" + word + "]").Submit().Want(410)
	w.advance(time.Minute)
}

// A text that was typed into the editor is shown again when the session has ended
// meanwhile, or the browser was closed; nothing is saved.
func TestEditor_SessionEnds(t *testing.T) {
	const form = "form[action=/amt/redaktion/newsletter/neu]"
	w := newWorld(t)
	ed := w.editor(town, account.Editor)
	for name, end := range map[string]func(){
		"browser closed": ed.CloseBrowser,
		"time is over":   func() { w.advance(9 * time.Hour) },
	} {
		ed.CloseBrowser()
		w.signIn(ed, "editor.person")
		typed := ed.Get("/amt/redaktion/newsletter/neu").Want(200).Form(form).Set("subject", "Brücke").Set("body", "Lange geschrieben")
		end()
		page := typed.Submit().Want(403)
		if page.Attr("#subject", "value") != "Brücke" || page.Text("#body") != "Lange geschrieben" {
			t.Errorf("%s: the page shows %q", name, page.Text("main"))
		}
	}
	if n := w.count("select count(*) from newsletter_issues"); n != 0 {
		t.Errorf("%d issues are stored", n)
	}
}
