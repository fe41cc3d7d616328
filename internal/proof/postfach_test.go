package proof_test

import (
	"net/http"
	"strings"
	"testing"

	"poststelle/internal/account"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
	"poststelle/internal/web/webtest"
)

const citizenPassword = "vier blaue Kraniche"

// registered makes an account and signs it in.
func (h *house) registered(mail string) (*webtest.Client, account.Citizen) {
	h.t.Helper()
	who, err := h.Accounts.AddCitizen(h.t.Context(), h.stadt(), mail, citizenPassword)
	must(h.t, err)
	c := h.browser()
	h.enter(c, mail)
	return c, who
}

func (h *house) enter(c *webtest.Client, mail string) {
	h.t.Helper()
	f := formTo(h.t, c.Get("/konto/anmelden").Want(http.StatusOK), "/konto/anmelden")
	f.Set("email", mail).Set("password", citizenPassword).Submit().Want(http.StatusOK)
}

func (h *house) stadt() *tenant.Tenant {
	t, _ := h.Directory.ByID("musterstadt")
	return t
}

// Letters of accounts, saved drafts and letters that the office writes first are
// sealed like all others; what is neither sent nor saved leaves nothing.
func TestMarkers_Accounts(t *testing.T) {
	m := newMarks()
	h := newHouse(t)
	office := h.clerkBrowser(h.hire("musterstadt", "clerk", false, "tiefbauamt"))
	mail := m.plant("konto") + "@example.org"
	anna, _ := h.registered(mail)

	l := letter{
		mailbox: "tiefbauamt", topic: "schaden", subject: m.plant("Betreff "), body: m.plant("Ein laengerer Text ueber den Gehweg "), reply: "account",
	}
	// Half written, with a file, and never saved.
	p := half(t, anna, letter{mailbox: "tiefbauamt", topic: "schaden", subject: m.plant("halb"), body: m.plant("halber Text der nie gesendet wird "), reply: "account"})
	page := p.Submit("aktion=weiter").Want(http.StatusOK)
	formTo(t, page, "/nachricht/4").File("files", m.plant("halb")+".txt", "text/plain", []byte(m.plant("halbe Datei "))).Submit("aktion=hochladen").Want(http.StatusOK)
	none(t, "half written", h.traces(m))

	// Saved on purpose.
	page = half(t, anna, l).Submit("aktion=weiter").Want(http.StatusOK)
	page = formTo(t, page, "/nachricht/4").File("files", m.plant("entwurf")+".txt", "text/plain", []byte(m.plant("Entwurfsdatei "))).Submit("aktion=speichern").Want(http.StatusOK)
	if !page.Has("#gespeichert") {
		t.Fatalf("not saved: %q", page.Text("main"))
	}
	none(t, "saved", h.traces(m))

	// Sent, answered, and written first by the office.
	page = formTo(t, page, "/nachricht/4").Submit("aktion=weiter").Want(http.StatusOK)
	formTo(t, page, "/nachricht/5").Submit().Want(http.StatusOK)
	h.settle()
	thread := h.thread()
	answer(t, office, thread, m.plant("Antwort "), textFile(m.plant("bescheid")+".txt", m.plant("Bescheid "), 8_000)).Want(http.StatusOK)
	f := formTo(t, office.Get("/amt/vorgang/"+thread+"/neu").Want(http.StatusOK), "/neu")
	f.Set("subject", m.plant("Sperrung ")).Set("body", m.plant("Am Samstag ")).File("files", m.plant("plan")+".txt", "text/plain", []byte(m.plant("Lageplan ")))
	f.Submit("aktion=senden").Want(http.StatusOK)
	h.settle()
	// Allowed to write first, and written to.
	f = formTo(t, anna.Get("/postfach/erlauben").Want(http.StatusOK), "/postfach/erlauben")
	f.Set("mailbox", "").Set("name", m.plant("Halber Name ")).Submit().Want(http.StatusUnprocessableEntity)
	f.Set("mailbox", "tiefbauamt").Set("name", m.plant("Erlaubte ")).Set("wofuer", m.plant("Akte ")).Submit().Want(http.StatusOK)
	h.settle()
	permits := office.Get("/amt/erlaubnisse").Want(http.StatusOK)
	if !strings.Contains(permits.Body, m.core) {
		t.Fatalf("the office sees %q", permits.Text("main"))
	}
	f = formTo(t, permits.Click("Schreiben").Want(http.StatusOK), "/neu")
	f.Set("subject", m.plant("Erlaubt ")).Set("body", m.plant("Zuerst ")).Submit("aktion=senden").Want(http.StatusOK)
	h.settle()
	list := anna.Get("/postfach").Want(http.StatusOK)
	if list.Count(".ps-msg") != 3 {
		t.Fatalf("mailbox shows %q", list.Text("main"))
	}
	for _, path := range links(list, "/postfach/") {
		anna.Get(path)
	}
	for _, sent := range h.mail.all() {
		none(t, "mail", inMail(m.finder(), sent))
	}
	must(t, h.Access.Flush(t.Context()))
	none(t, "before the end", h.traces(m))
	h.close()
	none(t, "after the stop", h.traces(m))
}

// A draft that was deleted, and the mailbox of a deleted account, do not come
// back with an older copy of database and files.
func TestRestore_AccountStaysClosed(t *testing.T) {
	const core = "Laternenmast"
	h := newHouse(t)
	who := h.hire("musterstadt", "clerk", false, "tiefbauamt")
	const mail = "kim@example.org"
	_, kim := h.registered(mail)
	d, err := h.Mailboxes.DeliverHeld(t.Context(), h.stadt(), kim, mailbox.Letter{Mailbox: "tiefbauamt", Topic: "schaden", Subject: core + " am Markt", Body: "Der " + core + " ist umgefallen."})
	must(t, err)
	must(t, h.Mailboxes.SaveDraft(t.Context(), h.stadt(), kim, mailbox.Letter{Mailbox: "tiefbauamt", Subject: core, Body: "Noch ein " + core}))
	h.settle()
	var copied string
	h.reopen(func() { copied = h.backup() })
	c := h.browser()
	h.enter(c, mail)
	if !strings.Contains(c.Get("/postfach").Want(http.StatusOK).Body, core) || !strings.Contains(c.Get("/postfach/entwuerfe").Want(http.StatusOK).Body, core) {
		t.Fatal("before deletion the mailbox is empty")
	}
	formTo(t, c.Get("/postfach/entwuerfe"), "/loeschen").Submit().Want(http.StatusOK)
	h.settle()
	h.reopen(func() { h.restore(copied) })
	c = h.browser()
	h.enter(c, mail)
	if page := c.Get("/postfach/entwuerfe").Want(http.StatusOK); strings.Contains(page.Body, core) {
		t.Error("a deleted draft opens again from a copy")
	}
	// The office's copy is untouched by all this.
	if page := h.clerkBrowser(who).Get("/amt/vorgang/" + d.Thread).Want(http.StatusOK); !strings.Contains(page.Body, core) {
		t.Error("the office lost its copy")
	}
}
