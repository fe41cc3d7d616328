package proof_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"poststelle/internal/mailbox"
	"poststelle/internal/web"
	"poststelle/internal/web/webtest"
)

// TestResidue_OfAnAccount: what a signed-in person typed and did not send, and a
// file they uploaded to it, end with the session, whether it expires or is ended;
// and nothing of the session itself stays.
func TestResidue_OfAnAccount(t *testing.T) {
	m := newMarks()
	h := newHouse(t)
	h.logStatements()
	const mail = "kim@example.org"
	c, kim := h.registered(mail)
	held, err := h.Mailboxes.DeliverHeld(t.Context(), h.stadt(), kim, mailbox.Letter{Mailbox: "tiefbauamt", Topic: "schaden", Subject: "Bleibt", Body: "Dieser Brief ist gesendet."})
	must(t, err)
	h.settle()
	blobs := h.blobCount()

	begin := func(c *webtest.Client) {
		t.Helper()
		p := half(t, c, letter{mailbox: "tiefbauamt", topic: "schaden", subject: m.plant("halb "), body: m.plant("Ein halber Brief, der nie gesendet wird "), reply: "account"}).
			Submit("aktion=weiter").Want(http.StatusOK)
		formTo(t, p, "/nachricht/4").File("files", m.plant("halb")+".txt", "text/plain", textFile("", m.plant("Datei "), 90_000).data).Submit("aktion=weiter").Want(http.StatusOK)
		p = c.Get("/postfach/" + held.Thread).Want(http.StatusOK)
		formTo(t, p, "/antwort").Set("body", m.plant("Nachtrag ")).File("files", m.plant("nach")+".txt", "text/plain", []byte(m.plant("Datei "))).
			File("files", "nicht.exe", "text/plain", []byte("MZ")).Submit("aktion=senden").Want(http.StatusUnprocessableEntity)
		formTo(t, c.Get("/postfach/erlauben").Want(http.StatusOK), "/postfach/erlauben").Set("name", m.plant("Halber Name ")).Submit().Want(http.StatusUnprocessableEntity)
		formTo(t, c.Get("/konto/adresse").Want(http.StatusOK), "/konto/adresse").Set("email", m.plant("ohne-at")).Submit().Want(http.StatusUnprocessableEntity)
		if got := h.blobCount(); got != blobs+2 {
			t.Fatalf("%d files on disk, want %d and two uploads", got, blobs)
		}
		id := c.Cookie(web.SessionCookie)
		if id == "" {
			t.Fatal("the browser has no session")
		}
		m.hide(id)
	}
	gone := func(when string) {
		t.Helper()
		h.settle()
		if got := h.blobCount(); got != blobs {
			t.Errorf("%s: %d files on disk, want %d", when, got, blobs)
		}
		none(t, when, h.traces(m))
		c := h.browser()
		h.enter(c, mail)
		for _, path := range []string{"/nachricht/3", "/nachricht/4", "/postfach", "/postfach/entwuerfe", "/postfach/erlauben", "/postfach/" + held.Thread, "/konto", "/konto/adresse"} {
			if p := c.Get(path); strings.Contains(p.Body, m.core) {
				t.Errorf("%s: %s of a new session shows what was typed", when, path)
			}
		}
	}

	begin(c)
	none(t, "while the forms are open", h.traces(m))
	h.clock.advance(web.SessionIdle + time.Second)
	h.Sessions.Sweep()
	gone("after the session expired")

	c = h.browser()
	h.enter(c, mail)
	begin(c)
	c.Get("/konto").Want(http.StatusOK).Form("form[action=/konto/abmelden]").Submit().Want(http.StatusOK)
	gone("after the sign-out")

	c = h.browser()
	h.enter(c, mail)
	begin(c)
	h.crash()
	h.serve()
	none(t, "after a crash and a restart", h.traces(m))
	h.clock.advance(web.SessionMax + time.Hour)
	must(t, h.SweepUploads(t.Context()))
	gone("after the longest session of a crashed process")
	h.close()
	none(t, "after the stop", h.traces(m))
	h.sabotage(m)
}

// TestRestore_DeletedAccount: an account that was deleted, its letters, drafts and
// permissions do not come back with an older copy of database and files, neither
// to the person who had it nor to who takes the address next. The office keeps
// what it received, and no permission. Without the deletion the same copy opens.
func TestRestore_DeletedAccount(t *testing.T) {
	for _, c := range []struct {
		name   string
		delete bool
	}{{"deleted", true}, {"sabotage: not deleted", false}} {
		t.Run(c.name, func(t *testing.T) {
			const core, mail = "Laternenmast", "kim@example.org"
			h := newHouse(t)
			who := h.hire("musterstadt", "clerk", false, "tiefbauamt")
			_, kim := h.registered(mail)
			d, err := h.Mailboxes.DeliverHeld(t.Context(), h.stadt(), kim, mailbox.Letter{Mailbox: "tiefbauamt", Topic: "schaden", Subject: core + " am Markt", Body: "Der " + core + " ist umgefallen."})
			must(t, err)
			must(t, h.Mailboxes.SaveDraft(t.Context(), h.stadt(), kim, mailbox.Letter{Mailbox: "tiefbauamt", Subject: core, Body: "Noch ein " + core}))
			must(t, h.Mailboxes.Permit(t.Context(), h.stadt(), kim, mailbox.Permit{Mailbox: "tiefbauamt", Name: "Kim " + core}))
			h.settle()
			var copied string
			h.reopen(func() { copied = h.backup() })
			if c.delete {
				b := h.browser()
				h.enter(b, mail)
				p := formTo(t, b.Get("/konto/loeschen").Want(http.StatusOK), "/konto/loeschen").Check("ja", "ja").Submit().Want(http.StatusOK)
				if p.Path != "/konto/geloescht" {
					t.Fatalf("not deleted: %s %q", p.Path, p.Text("main"))
				}
				h.settle()
			}
			h.reopen(func() { h.restore(copied) })
			b := h.browser()
			p := formTo(t, b.Get("/konto/anmelden").Want(http.StatusOK), "/konto/anmelden").Set("email", mail).Set("password", citizenPassword).Submit()
			if in := p.Status == http.StatusOK; in == c.delete {
				t.Errorf("sign-in from the copy: %d", p.Status)
			}
			if c.delete {
				b, _ = h.registered(mail) // the address is free, and begins with nothing
			}
			for _, path := range []string{"/postfach", "/postfach/entwuerfe", "/postfach/erlauben", "/postfach/" + d.Thread} {
				if open := strings.Contains(b.Get(path).Body, core); open == c.delete {
					t.Errorf("%s: opens from the copy: %t", path, open)
				}
			}
			if open := strings.Contains(h.clerkBrowser(who).Get("/amt/erlaubnisse").Want(http.StatusOK).Body, core); open == c.delete {
				t.Errorf("the permission opens for the office from the copy: %t", open)
			}
			if page := h.clerkBrowser(who).Get("/amt/vorgang/" + d.Thread).Want(http.StatusOK); !strings.Contains(page.Body, core) {
				t.Error("the office lost its copy")
			}
		})
	}
}
