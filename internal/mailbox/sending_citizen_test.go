package mailbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/web/webtest"
)

// wantWhole ends in an error if a stored letter names a file that is gone, or a
// file is left that no letter names.
func (p *post) wantWhole() {
	p.t.Helper()
	if _, _, files := p.letters(); files != p.objects() {
		p.t.Errorf("stored letters name %d files, the store has %d", files, p.objects())
	}
}

func TestSend_OutcomeUnknown(t *testing.T) {
	p := newPost(t)
	p.Service.UnheardRoutes(p.Router)
	begin := func(t *testing.T) (*webtest.Client, *webtest.Page) {
		c := p.browser()
		page := check(t, c, "", "a.pdf")
		c.PostForm(strings.Replace(page.Path, "/nachricht/5", "/probe/brief", 1)).Want(503)
		return c, page
	}
	step := func(c *webtest.Client, page *webtest.Page, n string) *webtest.Page {
		return c.Get(strings.Replace(page.Path, "/nachricht/5", "/nachricht/"+n, 1)).Want(200)
	}
	t.Run("sent again", func(t *testing.T) {
		_, page := begin(t)
		got := wantPath(t, page.Form("main form").Submit(), "/nachricht/gesendet")
		if got.Has("#frueher") || !got.Has("#quittung") {
			t.Error("a letter sent twice unchanged is called changed, or has no receipt")
		}
		p.wantWhole()
	})
	t.Run("text changed", func(t *testing.T) {
		c, page := begin(t)
		step(c, page, "3").Form("main form").Set("body", longBody+" GEAENDERT.").Submit("aktion=weiter")
		got := wantPath(t, c.Get(page.Path).Form("main form").Submit(), "/nachricht/gesendet")
		if !strings.Contains(got.Text("#frueher"), "zuerst gesendet") || !got.Contains("GEAENDERT") {
			t.Errorf("page says %q", got.Text("main"))
		}
		code := codeOn(t, got)
		p.settle()
		if opened := open(t, p.browser(), "", code); opened.Contains("GEAENDERT") || !opened.Contains(longBody) {
			t.Error("the stored letter is not the one that was sent first")
		}
		p.wantWhole()
	})
	t.Run("file removed, another added", func(t *testing.T) {
		c, page := begin(t)
		four := step(c, page, "4")
		four = four.Form("main form").Submit("entfernen=" + four.Attr("button[name=entfernen]", "value"))
		wantPath(t, four.Form("main form").File("files", "b.pdf", "application/pdf", pdfFile("b")).Submit("aktion=weiter"), "/nachricht/5")
		got := wantPath(t, c.Get(page.Path).Form("main form").Submit(), "/nachricht/gesendet")
		if !got.Has("#frueher") {
			t.Error("another file is confirmed as sent")
		}
		code := codeOn(t, got)
		p.settle()
		if opened := open(t, p.browser(), "", code); !opened.Contains("a.pdf") || opened.Contains("b.pdf") {
			t.Error("the stored letter has other files than it was sent with")
		}
		p.wantWhole()
	})
	t.Run("session ends", func(t *testing.T) {
		begin(t)
		p.advance(31 * time.Minute)
		p.Sessions.Sweep()
		p.wantWhole()
	})
}

func TestAgain_OutcomeUnknown(t *testing.T) {
	p := newPost(t)
	p.Service.UnheardRoutes(p.Router)
	c := p.browser()
	code := send(t, c)
	p.settle()
	page := open(t, c, "", code)
	write := func(page *webtest.Page, text, action string) *webtest.Page {
		return page.Form("main form[enctype=multipart/form-data]").Set("body", text).Submit("aktion=" + action)
	}
	page = write(page, "Noch etwas, zuerst.", "hochladen")
	c.PostForm(strings.Replace(page.Path, "/abholen/vorgang", "/probe/antwort", 1)).Want(503)
	got := write(page, "Noch etwas, GEAENDERT.", "senden").Want(409)
	if !strings.Contains(got.Text("[role=alert]"), "zuerst gesendet") || !got.Contains("Noch etwas, zuerst.") {
		t.Errorf("page says %q", got.Text("main"))
	}
	f := got.Form("main form[enctype=multipart/form-data]")
	if f.Get("body") != "Noch etwas, GEAENDERT." {
		t.Errorf("what was typed is gone: %q", f.Get("body"))
	}
	wantPath(t, f.Submit("aktion=senden"), "/abholen/vorgang")
	if _, m, _ := p.letters(); m != 3 {
		t.Errorf("%d messages, want 3", m)
	}
}

// Guards the number of messages of a thread (maxThread): nobody can make a thread
// so long that it cannot be opened any more, and the office keeps room to answer.
// Without the limit the letter is stored.
func TestAgain_ThreadFull(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	code := send(t, c)
	p.settle()
	page := open(t, c, "", code)
	p.must(p.DB.Update(t.Context(), func(tx *db.Tx) error {
		for i := range 899 {
			_, err := tx.Exec(t.Context(), `
insert into mailbox_messages (id, tenant_id, thread_id, kind, author, by_mail, created_at, card, body, contact, receipt)
select $1, tenant_id, thread_id, 'note', author, by_mail, created_at, card, body, contact, receipt from mailbox_messages where kind = 'citizen'`,
				fmt.Sprint("voll", i))
			if err != nil {
				return err
			}
		}
		return nil
	}))
	got := page.Form("main form[enctype=multipart/form-data]").Set("body", "Der Brief zu viel.").Submit("aktion=senden").Want(422)
	if !strings.Contains(got.Text("#fehler"), "neue Nachricht") || got.Form("main form[enctype=multipart/form-data]").Get("body") != "Der Brief zu viel." {
		t.Errorf("page says %q", got.Text("main"))
	}
	if _, m, _ := p.letters(); m != 900 {
		t.Errorf("%d messages", m)
	}
}

func TestSend_FileGone(t *testing.T) {
	p := newPost(t)
	page := check(t, p.browser(), "", "weg.pdf", "da.pdf")
	gone := false
	p.must(p.Blobs.List(t.Context(), func(id blob.ID, _ blob.Info) error {
		if gone {
			return nil
		}
		gone = true
		return p.Blobs.Delete(t.Context(), id)
	}))
	got := page.Form("main form").Submit().Want(422)
	if !strings.Contains(got.Text("#fehler"), "nicht mehr vorhanden") || got.Count(".ps-filetable__name") != 1 {
		t.Errorf("page says %q", got.Text("main"))
	}
	if n, _, _ := p.letters(); n != 0 {
		t.Error("a letter was stored without its file")
	}
	got = wantPath(t, got.Form("main form").Submit("aktion=weiter"), "/nachricht/5")
	wantPath(t, got.Form("main form").Submit(), "/nachricht/gesendet")
	p.wantWhole()
}

// beforeDelete calls a function once before the first object is deleted.
type beforeDelete struct {
	blob.Store
	do func()
}

func (s *beforeDelete) Delete(ctx context.Context, id blob.ID) error {
	if do := s.do; do != nil {
		s.do = nil
		do()
	}
	return s.Store.Delete(ctx, id)
}

func TestForget_WhileSending(t *testing.T) {
	store := &beforeDelete{}
	p := newPost(t, func(p *post) { store.Store = p.Blobs; p.blobs = store })
	c := p.browser()
	code := send(t, c)
	p.settle()
	page := open(t, c, "", code)
	f := page.Form("main form[enctype=multipart/form-data]").Set("body", "Noch etwas.").File("files", "mehr.pdf", "application/pdf", pdfFile("mehr"))
	page = wantPath(t, f.Submit("aktion=hochladen"), "/abholen/vorgang")
	late := page.Form("main form[enctype=multipart/form-data]").Set("body", "Noch etwas.")
	store.do = func() { late.Submit("aktion=senden") }
	o := c.Other()
	o.SetCookie("ps_sitzung", c.Cookie("ps_sitzung"))
	o.PostForm(strings.Replace(page.Path, "/vorgang?", "/ende?", 1))
	p.wantWhole()
}
