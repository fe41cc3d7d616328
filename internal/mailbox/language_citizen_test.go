package mailbox_test

import (
	"strings"
	"testing"

	"poststelle/internal/db"
	"poststelle/internal/mail"
	"poststelle/internal/mailbox"
	"poststelle/internal/web/webtest"
)

// write sends a letter in a language and returns its code and its thread.
func (p *post) write(c *webtest.Client, lang string, fields ...string) (code, thread string) {
	p.t.Helper()
	f := matter(p.t, c, lang, "tiefbauamt", "schaden").Form("main form").Set("subject", "Street light").Set("body", longBody)
	for i := 0; i < len(fields); i += 2 {
		f.Set(fields[i], fields[i+1])
	}
	page := wantPath(p.t, f.Submit("aktion=weiter"), lang+"/nachricht/4").Form("main form").Submit("aktion=weiter")
	page = wantPath(p.t, page, lang+"/nachricht/5").Form("main form").Submit()
	code = codeOn(p.t, wantPath(p.t, page, lang+"/nachricht/gesendet"))
	p.settle()
	p.must(p.DB.View(p.t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(p.t.Context(), `select id from mailbox_threads order by received_at desc, id limit 1`).Scan(&thread)
	}))
	return code, thread
}

// mailed answers a thread and returns the one mail that this causes.
func (p *post) mailed(thread string) mail.Sent {
	p.t.Helper()
	before := len(p.Mail.Messages())
	p.must(p.Service.Answer(p.t.Context(), p.actor(p.Tiefbau), mailbox.Reply{Thread: thread, Body: "Wir kommen morgen."}))
	p.settle()
	all := p.Mail.Messages()
	if len(all) != before+1 {
		p.t.Fatalf("%d mails, want 1", len(all)-before)
	}
	return all[0]
}

func wantMail(t *testing.T, m mail.Sent, subject, link string) {
	t.Helper()
	if !strings.Contains(m.Subject, subject) || !strings.Contains(m.Text, "\n"+link+"\n") {
		t.Errorf("mail %q says %q, want %q and the link %s", m.Subject, m.Text, subject, link)
	}
}

// Mail is written, and leads, in the language that the letter was written in.
func TestMail_Language(t *testing.T) {
	const german, english = "http://" + musterstadt + "/abholen", "http://" + musterstadt + "/en/abholen"
	t.Run("notice", func(t *testing.T) {
		p := newPost(t)
		c := p.browser()
		code, thread := p.write(c, "/en", "email", "kim@example.org")
		wantMail(t, p.mailed(thread), "You have a new message", english)
		// The language follows the page where the address was changed last.
		page := open(t, c, "", code)
		c.PostForm(strings.Replace(page.Path, "vorgang", "benachrichtigung", 1), "email", "sam@example.org").Want(200)
		m := p.mailed(thread)
		if wantMail(t, m, "neue Nachricht", german); m.To != "sam@example.org" {
			t.Errorf("mail goes to %s", m.To)
		}
		c.PostForm("/en"+strings.Replace(page.Path, "vorgang", "benachrichtigung", 1), "email", "sam@example.org").Want(200)
		wantMail(t, p.mailed(thread), "You have a new message", english)
	})
	t.Run("answer", func(t *testing.T) {
		p := newPost(t)
		_, thread := p.write(p.browser(), "/en", "email", "kim@example.org", "reply", "email")
		m := p.mailed(thread)
		wantMail(t, m, "Reply from Stadt Musterstadt", english)
		if !strings.Contains(m.Text, "Wir kommen morgen.") {
			t.Errorf("mail says %q", m.Text)
		}
	})
	t.Run("German", func(t *testing.T) {
		p := newPost(t)
		_, thread := p.write(p.browser(), "", "email", "kim@example.org")
		wantMail(t, p.mailed(thread), "neue Nachricht", german)
	})
	t.Run("without a page", func(t *testing.T) {
		p := newPost(t)
		d := p.deliver(func(l *mailbox.Letter) { l.Lang = "en" })
		wantMail(t, p.mailed(d.Thread), "You have a new message", english)
	})
	t.Run("no language", func(t *testing.T) { // as sealed before there was one
		p := newPost(t)
		d := p.deliver()
		wantMail(t, p.mailed(d.Thread), "neue Nachricht", german)
	})
}

// The same letter sent again from the other language is the same letter.
func TestSend_AgainInOtherLanguage(t *testing.T) {
	p := newPost(t)
	p.Service.UnheardRoutes(p.Router)
	c := p.browser()
	page := matter(t, c, "", "tiefbauamt", "schaden").Form("main form").Set("subject", "Laterne").Set("body", longBody).Set("email", "kim@example.org").Submit("aktion=weiter")
	page = wantPath(t, page.Form("main form").Submit("aktion=weiter"), "/nachricht/5")
	c.PostForm(strings.Replace(page.Path, "/nachricht/5", "/probe/brief", 1)).Want(503)
	got := wantPath(t, c.Get("/en"+page.Path).Form("main form").Submit(), "/en/nachricht/gesendet")
	if got.Has("#frueher") {
		t.Error("the same letter in another language is called changed")
	}
	if n, m, _ := p.letters(); n != 1 || m != 1 {
		t.Errorf("%d letters, %d messages, want 1", n, m)
	}
}
