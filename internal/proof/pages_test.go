package proof_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"poststelle/internal/web/webtest"
)

// letter is what a citizen types into the assistant.
type letter struct {
	mailbox, topic, subject, body      string
	reply, email, name, address, query string
	files                              []file
}

type file struct {
	name, typ string
	data      []byte
}

// textFile is a file of the given size that holds a text at its beginning, in
// its middle and at its end.
func textFile(name, text string, size int) file {
	line := []byte(text + "\n")
	data := bytes.Repeat([]byte("Der Gehweg ist auf ganzer Breite beschaedigt.\n"), size/46+1)
	data = append(append(line, data[:size/2]...), append(line, data[size/2:size]...)...)
	return file{name: name, typ: "text/plain", data: append(data, line...)}
}

// formTo returns the form of a page that leads to an address containing part.
func formTo(t testing.TB, p *webtest.Page, part string) *webtest.Form {
	t.Helper()
	for _, n := range p.Select("main form") {
		for _, a := range n.Attr {
			if a.Key == "action" && strings.Contains(a.Val, part) {
				return p.Form("form[action=" + a.Val + "]")
			}
		}
	}
	t.Fatalf("%s (%d): no form to %q; page says %q", p.Path, p.Status, part, said(p))
	return nil
}

// half fills in the assistant as far as the third step, without leaving it.
func half(t testing.TB, c *webtest.Client, l letter) *webtest.Form {
	t.Helper()
	p := c.Get("/nachricht" + l.query).Want(http.StatusOK)
	p = formTo(t, p, "/nachricht/1").Set("mailbox", l.mailbox).Submit("aktion=weiter").Want(http.StatusOK)
	p = formTo(t, p, "/nachricht/2").Set("topic", l.topic).Submit("aktion=weiter").Want(http.StatusOK)
	f := formTo(t, p, "/nachricht/3").Set("subject", l.subject).Set("body", l.body)
	if l.reply == "" {
		l.reply = "code"
	}
	f.Set("reply", l.reply)
	for name, v := range map[string]string{"email": l.email, "name": l.name, "address": l.address} {
		if v != "" {
			f.Set(name, v)
		}
	}
	return f
}

// filed goes on with the files and stands on the check page.
func filed(t testing.TB, c *webtest.Client, l letter) *webtest.Page {
	t.Helper()
	p := half(t, c, l).Submit("aktion=weiter").Want(http.StatusOK)
	f := formTo(t, p, "/nachricht/4")
	for _, x := range l.files {
		f.File("files", x.name, x.typ, x.data)
	}
	return f.Submit("aktion=weiter").Want(http.StatusOK)
}

// press sends a check page.
func press(t testing.TB, p *webtest.Page) *webtest.Page {
	t.Helper()
	return formTo(t, p, "/nachricht/5").Submit()
}

// send writes a whole letter and returns the collection code.
func send(t testing.TB, c *webtest.Client, l letter) (code string) {
	t.Helper()
	return codeOf(t, press(t, filed(t, c, l)))
}

func codeOf(t testing.TB, p *webtest.Page) string {
	t.Helper()
	code := p.Want(http.StatusOK).Text("#abholcode")
	if code == "" {
		t.Fatalf("%s: no code on the confirmation; page says %q", p.Path, said(p))
	}
	return code
}

// collect enters a code, from a network of its own: how often one network may
// try is not what is proved here.
func collect(t testing.TB, c *webtest.Client, code string) *webtest.Page {
	t.Helper()
	c.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.7", rand.IntN(256), rand.IntN(256)))
	return formTo(t, c.Get("/abholen").Want(http.StatusOK), "/abholen").Set("code", code).Submit()
}

// opens reports whether a code opens a thread, and fails when it neither does
// nor is answered as an unknown one.
func opens(t testing.TB, c *webtest.Client, code string) bool {
	t.Helper()
	p := collect(t, c, code)
	switch p.Status {
	case http.StatusOK:
		return true
	case http.StatusUnprocessableEntity, http.StatusNotFound:
		return false
	}
	t.Fatalf("%s: status %d; page says %q", p.Path, p.Status, said(p))
	return false
}

// signIn signs a clerk in.
func (h *house) signIn(c *webtest.Client, who clerk) {
	h.t.Helper()
	c.Host = who.host
	f := formTo(h.t, c.Get("/amt/anmelden").Want(http.StatusOK), "/amt/anmelden").Set("login", who.login).Set("password", who.password)
	if who.secret != "" {
		f.Set("otp", otp(h.t, who.secret, h.clock.Now()))
	}
	if p := f.Submit().Want(http.StatusOK); !strings.HasPrefix(p.Path, "/amt/eingang") {
		h.t.Fatalf("sign-in of %s leads to %s: %q", who.login, p.Path, said(p))
	}
}

// clerkBrowser returns a signed-in browser.
func (h *house) clerkBrowser(who clerk) *webtest.Client {
	h.t.Helper()
	c := h.browser()
	h.signIn(c, who)
	return c
}

func threadPage(c *webtest.Client, thread string) *webtest.Page {
	return c.Get("/amt/vorgang/" + thread)
}

// answer sends an answer with files from the thread page.
func answer(t testing.TB, c *webtest.Client, thread, body string, files ...file) *webtest.Page {
	t.Helper()
	f := formTo(t, threadPage(c, thread).Want(http.StatusOK), "/antwort").Set("body", body)
	for _, x := range files {
		f.File("files", x.name, x.typ, x.data)
	}
	return f.Submit("aktion=senden")
}

// remove deletes a thread through its own page.
func remove(t testing.TB, c *webtest.Client, thread string) *webtest.Page {
	t.Helper()
	p := c.Get("/amt/vorgang/" + thread + "/loeschen").Want(http.StatusOK)
	return formTo(t, p, "/loeschen").Set("grund", "erledigt").Submit()
}

// links returns the addresses of a page's links that contain part.
func links(p *webtest.Page, part string) (out []string) {
	for _, n := range p.Select("main a[href]") {
		for _, a := range n.Attr {
			if a.Key == "href" && strings.Contains(a.Val, part) {
				out = append(out, a.Val)
			}
		}
	}
	return out
}

// said is the beginning of a page's text.
func said(p *webtest.Page) string {
	text := p.Text("main")
	return text[:min(len(text), 300)]
}
