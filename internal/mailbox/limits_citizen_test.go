package mailbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"poststelle/internal/web/webtest"
)

// TestBegin_KeepsNothing looks at the first page and goes away: the session is
// empty, and so makes room for others.
func TestBegin_KeepsNothing(t *testing.T) {
	p := newPost(t)
	_, before := p.Sessions.Len()
	for range 20 {
		page := p.browser().Get("/nachricht?amt=bauamt").Want(200)
		if page.Form("main form").Get("mailbox") != "bauamt" {
			t.Fatal("the office of the card is not chosen")
		}
	}
	n, bytes := p.Sessions.Len()
	if n != 20 || bytes-before != 20*512 {
		t.Errorf("%d sessions hold %d bytes, want empty ones", n, bytes-before)
	}
	// One form posted twice is one letter, a page reloaded is the same one.
	c := p.browser()
	page := c.Get("/nachricht").Want(200)
	if again := c.Get(page.Path); again.Form("main form").Action != page.Form("main form").Action {
		t.Error("reloading draws another letter")
	}
	one := wantPath(t, page.Form("main form").Set("mailbox", "tiefbauamt").Submit("aktion=weiter"), "/nachricht/2")
	two := wantPath(t, page.Form("main form").Set("mailbox", "tiefbauamt").Submit("aktion=weiter"), "/nachricht/2")
	if one.Path != two.Path {
		t.Errorf("one form leads to %s and %s", one.Path, two.Path)
	}
}

// from returns a browser in a network.
func (p *post) from(addr string) *webtest.Client {
	c := p.browser()
	c.Header = http.Header{"X-Forwarded-For": {addr}}
	return c
}

func TestUploads_Budget(t *testing.T) {
	p := newPost(t, func(p *post) { p.limits.NetworkUploads, p.limits.AllUploads = 100<<10, 150<<10 })
	big := append(pdfFile("x"), make([]byte, 60<<10)...)
	upload := func(page *webtest.Page) *webtest.Page {
		return page.Form("main form").File("files", "plan.pdf", "application/pdf", big).Submit("aktion=hochladen")
	}
	one, two, far := p.from("192.0.2.1"), p.from("192.0.2.2"), p.from("198.51.100.1")
	first := upload(files(t, one, "tiefbauamt", "schaden")).Want(200)
	second := files(t, two, "tiefbauamt", "schaden")
	got := upload(second).Want(422)
	if !strings.Contains(got.Text("#fehler"), "noch nicht gesendet") || p.objects() != 1 {
		t.Errorf("page says %q; %d objects", got.Text("#fehler"), p.objects())
	}
	elsewhere := upload(files(t, far, "tiefbauamt", "schaden")).Want(200)
	upload(files(t, p.from("203.0.113.1"), "tiefbauamt", "schaden")).Want(422) // all together
	// Sending, removing and the end of a session give room back.
	page := wantPath(t, first.Form("main form").Submit("aktion=weiter"), "/nachricht/5")
	wantPath(t, page.Form("main form").Submit(), "/nachricht/gesendet")
	got = upload(second).Want(200)
	upload(files(t, p.from("203.0.113.1"), "tiefbauamt", "schaden")).Want(422)
	elsewhere.Form("main form").Submit("entfernen=" + elsewhere.Attr("button[name=entfernen]", "value"))
	upload(files(t, p.from("203.0.113.1"), "tiefbauamt", "schaden")).Want(200)
	upload(got).Want(422)
	p.advance(31 * time.Minute)
	p.Sessions.Sweep()
	upload(files(t, p.from("192.0.2.3"), "tiefbauamt", "schaden")).Want(200)
	upload(files(t, p.from("203.0.113.1"), "tiefbauamt", "schaden")).Want(200)
	// So does time, for sessions whose end nobody here is told.
	upload(files(t, p.from("198.51.100.9"), "tiefbauamt", "schaden")).Want(422)
	p.Service.ForgetUploads(p.Now())
	upload(files(t, p.from("198.51.100.9"), "tiefbauamt", "schaden")).Want(422)
	p.Service.ForgetUploads(p.Now().Add(time.Second))
	upload(files(t, p.from("198.51.100.9"), "tiefbauamt", "schaden")).Want(200)
}

// Guards the quota of letters of one network (Limits.LettersPerHour, mayWrite):
// a flood from one network fills neither the inbox nor the disk, and what was
// written is kept for later. Without the quota the third letter is sent.
func TestSend_LettersOfOneNetwork(t *testing.T) {
	p := newPost(t, func(p *post) { p.limits.LettersPerHour = 2 })
	c := p.from("192.0.2.1")
	code := send(t, c)
	send(t, p.from("192.0.2.2"))
	p.settle()
	page := check(t, c, "", "plan.pdf")
	got := page.Form("main form").Submit().Want(429)
	if !strings.Contains(got.Text("[role=alert]"), "noch nicht gesendet") || !got.Contains(longBody) || !got.Contains("plan.pdf") {
		t.Errorf("page says %q", got.Text("main"))
	}
	thread := open(t, c, "", code)
	again := thread.Form("main form[enctype=multipart/form-data]").Set("body", "Noch etwas.").Submit("aktion=senden").Want(429)
	if again.Form("main form[enctype=multipart/form-data]").Get("body") != "Noch etwas." {
		t.Error("what was typed is gone")
	}
	send(t, p.from("198.51.100.1"))
	p.advance(time.Hour)
	page = check(t, p.from("192.0.2.1"), "")
	wantPath(t, page.Form("main form").Submit(), "/nachricht/gesendet")
	if n, m, _ := p.letters(); n != 4 || m != 4 {
		t.Errorf("%d letters, %d messages", n, m)
	}
}

// Guards that drafts of replies which nobody has begun make room (makeRoom,
// untouched): one browser opens more matters than its session keeps drafts for.
// Without it the thirteenth matter is refused.
func TestCollect_ManyInOneSession(t *testing.T) {
	p := newPost(t)
	c := p.browser()
	for i := range 15 {
		d := p.deliver()
		f := open(t, c, "", string(d.Code)).Want(200).Form("main form[enctype=multipart/form-data]")
		if i%4 == 0 {
			text := fmt.Sprint("Antwort ", i)
			if got := f.Set("body", text).Submit("aktion=senden").Want(200); !got.Contains(text) {
				t.Errorf("matter %d says %q", i+1, got.Text("main"))
			}
		}
	}
}
