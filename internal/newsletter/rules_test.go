package newsletter_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
)

const anna = "anna@post.example"

// Each word is for one purpose at one tenant, and the ones that confirm and
// manage end.
func TestWords(t *testing.T) {
	w := newWorld(t)
	c, other := w.browser(town), w.browser(village)
	w.ask(c, anna)
	w.settle()
	confirm := wordIn(t, w.to(anna)[0].Text, "bestaetigen")
	post := func(path string) int {
		return c.Do("POST", path, "application/x-www-form-urlencoded", []byte("tun=abmelden")).Status
	}
	for _, path := range []string{"/newsletter/abmelden/", "/newsletter/verwalten/"} {
		if got := post(path + confirm); got != 410 {
			t.Errorf("%s with the word that confirms: %d", path, got)
		}
	}
	if got := other.Do("POST", "/newsletter/bestaetigen/"+confirm, "", nil).Status; got != 410 {
		t.Errorf("the word of one tenant at another: %d", got)
	}
	for _, bad := range []string{"x", confirm[:len(confirm)-1], confirm + "A", strings.Repeat("A", 300), "%00"} {
		if got := c.Do("POST", "/newsletter/bestaetigen/"+bad, "", nil).Status; got != 410 && got != 400 && got != 404 {
			t.Errorf("word %q: %d", bad, got)
		}
	}
	if n := w.count(`select count(*) from newsletter_subscribers where state = 'active'`); n != 0 {
		t.Fatal("a word that is none confirmed")
	}
	c.Do("POST", "/newsletter/bestaetigen/"+confirm, "", nil).Want(200)

	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Ausgabe", "Text"))
	w.settle()
	leave := wordIn(t, w.to(anna)[0].Text, "abmelden")
	// A forwarded issue lets its reader unsubscribe and nothing else.
	for _, path := range []string{"/newsletter/verwalten/", "/newsletter/bestaetigen/"} {
		if got := post(path + leave); got != 410 {
			t.Errorf("%s with the word of an issue: %d", path, got)
		}
	}
	if w.count(`select count(*) from newsletter_subscribers`) != 1 {
		t.Error("a word for another purpose unsubscribed")
	}
	// Issues have different words, and none holds the id that stands in the rows.
	w.release(ed, w.draft(ed, "Noch eine", "Text"))
	w.settle()
	if again := wordIn(t, w.to(anna)[0].Text, "abmelden"); again == leave {
		t.Error("two issues have the same word: it names a person for good")
	}
	w.advance(25 * time.Hour)
	c.Get("/newsletter/verwalten").Form("form[action=/newsletter/verwalten]").Set("email", anna).Submit().Want(200)
	w.settle()
	manage := wordIn(t, w.to(anna)[0].Text, "verwalten")
	c.Get("/newsletter/verwalten/" + manage).Want(200)
	w.advance(25 * time.Hour)
	c.Get("/newsletter/verwalten/" + manage).Want(410)
	if got := post("/newsletter/verwalten/" + manage); got != 410 {
		t.Errorf("a link to the settings after its time: %d", got)
	}
}

// One mail to an address and day, also when the program was started anew between.
func TestSignUp_LimitSurvivesRestart(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.ask(w.browser(town), anna).Want(200)
		w.settle()
		w.start()
		w.advance(time.Hour)
	}
	if n := len(w.to(anna)); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// A topic that is not offered, perhaps any more, is never taken for all of them.
func TestSignUp_TopicGone(t *testing.T) {
	w := newWorld(t)
	c := w.browser(town)
	page := c.PostForm("/newsletter", "email", anna, "thema", "gibtsnicht").Want(422)
	if !page.Contains("gibt es nicht mehr") || page.Form("form[action=/newsletter]").Get("email") != anna {
		t.Errorf("page says %q", page.Text("main"))
	}
	if n := w.count(`select count(*) from newsletter_subscribers`); n != 0 {
		t.Errorf("%d are signed up", n)
	}
}

// The page, the status and the rows that are written are the same for an unknown,
// a waiting and a subscribed address; to each goes at most one mail a day.
func TestSignUp_TellsNothing(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, anna)
	w.advance(25 * time.Hour)
	c := w.browser(town)
	w.ask(c, "wartet@post.example")
	w.advance(25 * time.Hour)
	w.settle()
	var pages []string
	for _, a := range []string{anna, "ANNA@post.example", "wartet@post.example", "neu@post.example"} {
		jobs := w.count(`select count(*) from jobs where kind = 'newsletter.mail'`)
		p := w.ask(c, a).Want(200)
		pages = append(pages, p.Text("main"))
		if n := w.count(`select count(*) from jobs where kind = 'newsletter.mail'`) - jobs; n != 1 {
			t.Errorf("%s: %d jobs", a, n)
		}
	}
	for _, p := range pages[1:] {
		if p != pages[0] {
			t.Errorf("pages differ: %q and %q", p, pages[0])
		}
	}
	before := len(w.Mail.Messages())
	w.settle()
	if n := len(w.Mail.Messages()) - before; n != 3 {
		t.Errorf("%d mails to three addresses", n)
	}
	for range 5 { // somebody types it again and again
		w.ask(c, anna)
		w.ask(c, "anna+bombe@post.example")
	}
	before = len(w.Mail.Messages())
	w.settle()
	if n := len(w.Mail.Messages()) - before; n != 0 {
		t.Errorf("%d more mails to the same person on one day", n)
	}
	if state := w.to(anna)[0]; strings.Contains(state.Text, "/newsletter/bestaetigen/") {
		t.Error("a subscribed address was asked to confirm again")
	}
}

func TestSignUp_Limits(t *testing.T) {
	w := newWorld(t)
	c := w.browser(town)
	c.Header.Set("X-Forwarded-For", "203.0.113.7")
	slowed := 0
	for i := range 25 {
		p := w.ask(c, strings.Repeat("a", i+1)+"@post.example")
		if p.Status == 429 {
			slowed++
		}
	}
	if slowed != 5 {
		t.Errorf("%d of 25 sign-ups from one network were slowed, want 5", slowed)
	}
	other := w.browser(town)
	other.Header.Set("X-Forwarded-For", "198.51.100.7")
	w.ask(other, "b@post.example").Want(200)
	for _, bad := range []string{"", "kein", "a@b", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "<a@b.example>", strings.Repeat("a", 300) + "@b.example"} {
		p := w.ask(other, bad)
		if p.Status != 422 || !p.Has("[aria-invalid=true]") {
			t.Errorf("address %q: %d", bad, p.Status)
		}
	}
}

// Many networks together cannot make a tenant send more than so many mails in an
// hour; another tenant goes on.
func TestSignUp_TenantLimit(t *testing.T) {
	w := newWorld(t)
	slowed := 0
	for i := range 604 {
		c := w.browser(town)
		c.Header.Set("X-Forwarded-For", fmt.Sprintf("203.0.%d.7", i/15))
		if w.ask(c, fmt.Sprintf("leser%d@post.example", i)).Status == 429 {
			slowed++
		}
	}
	if slowed != 4 {
		t.Errorf("%d of 604 sign-ups at one tenant were slowed, want 4", slowed)
	}
	c := w.browser(village)
	c.Header.Set("X-Forwarded-For", "198.51.100.7")
	w.ask(c, anna).Want(200)
}

// What is never confirmed goes by itself after seven days, evidence included.
func TestPurge(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, "bleibt@post.example")
	c := w.browser(town)
	w.ask(c, anna)
	w.settle()
	word := wordIn(t, w.to(anna)[0].Text, "bestaetigen")
	w.advance(7*24*time.Hour - 2*time.Hour)
	w.settle()
	if n := w.count(`select count(*) from newsletter_evidence`); n != 2 {
		t.Fatalf("%d records before the end of the period", n)
	}
	w.advance(3 * time.Hour)
	c.Do("POST", "/newsletter/bestaetigen/"+word, "", nil).Want(410)
	w.settle()
	if n := w.count(`select count(*) from newsletter_evidence`); n != 1 {
		t.Errorf("%d records after it", n)
	}
	if n := w.count(`select count(*) from newsletter_subscribers`); n != 1 {
		t.Errorf("%d subscriptions after it", n)
	}
}

// record opens the evidence of the only consent.
func (w *world) record() newsletter.Evidence {
	w.t.Helper()
	var id string
	var raw []byte
	w.must(w.DB.View(w.t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(w.t.Context(), `select id, record from newsletter_evidence order by created_at desc limit 1`).Scan(&id, &raw)
	}))
	e, err := w.Service.EvidenceOf(w.t.Context(), town, raw, id)
	w.must(err)
	return e
}

// The evidence says what was agreed to and when, and holds what is declared and
// nothing more; it stays for its period and then goes.
func TestEvidence(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, anna)
	e := w.record()
	if e.Address != anna || e.Way != newsletter.WayForm || e.Form != "/newsletter" || e.Lang != "de" || e.Confirmed.IsZero() || e.Mailed.IsZero() ||
		len(e.MailHash) != 64 || !strings.Contains(e.Text, "Stadt Musterstadt") || e.Version == "" || !strings.HasSuffix(e.MessageID, "@betreiber.example>") || !e.Withdrawn.IsZero() {
		t.Errorf("evidence: %+v", e)
	}
	var declared []string
	for _, s := range newsletter.Personal().Stores {
		if s.Name == "newsletter_evidence" {
			for _, p := range s.Sealed {
				declared = append(declared, p.Name)
			}
		}
	}
	var kept []string
	for i := range reflect.TypeFor[newsletter.Evidence]().NumField() {
		kept = append(kept, reflect.TypeFor[newsletter.Evidence]().Field(i).Tag.Get("json"))
	}
	slices.Sort(declared)
	slices.Sort(kept)
	if !slices.Equal(declared, kept) {
		t.Errorf("declared %v, kept %v", declared, kept)
	}
	raw, err := json.Marshal(e)
	if err != nil || strings.Contains(string(raw), "127.0.0") {
		t.Errorf("evidence holds a network address: %s, %v", raw, err)
	}
	handled, _, err := w.Service.FromMail(t.Context(), town, newsletter.Incoming{From: anna, Aligned: true, Subject: "Abmeldung"})
	if err != nil || !handled {
		t.Fatalf("FromMail() = %v, %v", handled, err)
	}
	if e = w.record(); e.Withdrawn.IsZero() || e.Ending != newsletter.WayMail {
		t.Errorf("evidence after the withdrawal: %+v", e)
	}
	for at, want := range map[time.Time]int{
		time.Date(2029, 12, 31, 12, 0, 0, 0, time.UTC): 1, time.Date(2030, 1, 1, 1, 0, 0, 0, time.UTC): 0,
	} {
		if at.Year() == 2030 {
			w.advance(at.Sub(w.Now()))
			w.settle()
		}
		if n := w.count(`select count(*) from newsletter_evidence`); at.Year() == 2030 && n != want {
			t.Errorf("%d records at %s, want %d", n, at, want)
		}
	}
}

// No address stands in the database file in the clear.
func TestMarkerScan(t *testing.T) {
	w := newWorld(t)
	const marker = "marker-anna-7711@post.example"
	w.subscribe(town, marker)
	w.ask(w.browser(town), "marker-offen-7711@post.example")
	w.settle()
	if path, ok := strings.CutPrefix(w.DBURL, "sqlite:"); ok {
		for _, name := range []string{path, path + "-wal"} {
			raw, err := os.ReadFile(name)
			if err == nil && strings.Contains(strings.ToLower(string(raw)), "7711") {
				t.Errorf("%s holds an address in the clear", name)
			}
		}
	}
}

// Each way in which an issue could lack the way out, or count its readers, stops
// it before the relay hears of it.
func TestSend_RefusesIncomplete(t *testing.T) {
	for name, spoil := range map[string]func(*mail.Series){
		"no link in the text":      func(m *mail.Series) { m.Text = strings.ReplaceAll(m.Text, mail.Slot, "") },
		"the link not at its end":  func(m *mail.Series) { m.Text += strings.Repeat("weiter ", 100) },
		"no link in the HTML":      func(m *mail.Series) { m.HTML = strings.ReplaceAll(m.HTML, mail.Slot, "") },
		"no List-Unsubscribe":      func(m *mail.Series) { m.Headers[1].Name = "X-Nothing" },
		"no mailto":                func(m *mail.Series) { m.Headers[1].Value, _, _ = strings.Cut(m.Headers[1].Value, ", ") },
		"no https":                 func(m *mail.Series) { m.Headers[1].Value = strings.ReplaceAll(m.Headers[1].Value, "https", "http") },
		"no One-Click":             func(m *mail.Series) { m.Headers[2].Value = "Yes" },
		"no List-Id":               func(m *mail.Series) { m.Headers[0].Name = "X-Nothing" },
		"the link of another host": func(m *mail.Series) { m.Headers[1].Value = strings.ReplaceAll(m.Headers[1].Value, "vps.", "x.") },
		"a picture that counts": func(m *mail.Series) {
			m.HTML = strings.Replace(m.HTML, "<hr", `<img src="https://x.example/1.gif"><hr`, 1)
		},
		"a style that loads": func(m *mail.Series) {
			m.HTML = strings.Replace(m.HTML, "<hr", `<p style="background:url(https://x.example)"></p><hr`, 1)
		},
		"a link that was rewritten": func(m *mail.Series) {
			m.HTML = strings.ReplaceAll(m.HTML, "https://musterstadt.example/neues", "https://klick.example/?u=1")
		},
		"one more link": func(m *mail.Series) {
			m.HTML = strings.Replace(m.HTML, "<hr", `<a href="https://x.example">x</a><hr`, 1)
		},
	} {
		w := newWorld(t)
		w.subscribe(town, anna)
		ed := w.editor(town, account.Editor)
		path := w.draft(ed, "Ausgabe", "[Neues](https://musterstadt.example/neues)")
		before := len(w.Mail.Messages())
		w.Service.Tamper(spoil)
		if p := w.release(ed, path); p.Status != 409 {
			t.Errorf("%s: released with %d", name, p.Status)
		}
		// Even one that was released when all was well.
		w.Service.Tamper(nil)
		w.release(ed, path).Want(200)
		w.Service.Tamper(spoil)
		_, _ = w.Jobs.RunDue(t.Context())
		if n := len(w.Mail.Messages()) - before; n != 0 {
			t.Errorf("%s: %d messages left", name, n)
		}
	}
}

func TestFromMail(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, anna)
	w.subscribe(town, "ben@post.example")
	from := func(m newsletter.Incoming) (bool, *mail.Message) {
		t.Helper()
		handled, reply, err := w.Service.FromMail(t.Context(), town, m)
		w.must(err)
		return handled, reply
	}
	active := func() int { return w.count(`select count(*) from newsletter_subscribers where state = 'active'`) }
	// For a clerk: another matter, another address, a word that is none, another tenant.
	for _, m := range []newsletter.Incoming{
		{From: anna, Aligned: true, Subject: "Frage zur Abmeldung meines Hundes"}, {From: "fremd@post.example", Aligned: true, Subject: "abmelden"},
		{From: anna, Aligned: true, Subject: "abmelden " + strings.Repeat("A", 60)}, {Aligned: true, Subject: "abmelden"}, {FailedID: "<fremd@x.example>", Status: "5.1.1"},
	} {
		if handled, _ := from(m); handled {
			t.Errorf("%+v was handled", m)
		}
	}
	if handled, _, err := w.Service.FromMail(t.Context(), "ohne", newsletter.Incoming{From: anna, Aligned: true, Subject: "abmelden"}); handled || err != nil {
		t.Errorf("a tenant without newsletter: %v, %v", handled, err)
	}
	w.advance(25 * time.Hour) // the mail to confirm was today's
	// A forged sender gets asked, and only the owner of the address reads it.
	handled, reply := from(newsletter.Incoming{From: anna, Subject: "Re: Newsletter abmelden"})
	if !handled || reply == nil || reply.To != anna || active() != 2 {
		t.Fatalf("unproven sender: %v, %+v, %d active", handled, reply, active())
	}
	w.browser(town).Do("POST", "/newsletter/abmelden/"+wordIn(t, reply.Text, "abmelden"), "", nil).Want(200)
	if active() != 1 {
		t.Error("the link of the question does not unsubscribe")
	}
	// The word of an issue's header proves who it is, whoever sends it.
	ed := w.editor(town, account.Editor)
	w.release(ed, w.draft(ed, "Ausgabe", "Text"))
	w.settle()
	_, subject, _ := strings.Cut(w.to("ben@post.example")[0].Headers["List-Unsubscribe"], "subject=")
	subject = strings.TrimSuffix(strings.ReplaceAll(subject, "%20", " "), ">")
	if handled, _ := from(newsletter.Incoming{From: "weiter@post.example", Subject: subject}); !handled || active() != 0 {
		t.Errorf("the word in the subject: %v, %d active", handled, active())
	}
}

// Only a tenant with the module has the pages.
func TestModuleOff(t *testing.T) {
	w := newWorld(t)
	c := w.browser("ohne")
	for _, path := range []string{"/newsletter", "/newsletter/archiv", "/newsletter/archiv/feed.xml", "/newsletter/verwalten", "/newsletter/abmelden/x", "/newsletter/gesendet"} {
		c.Get(path).Want(404)
	}
	c.PostForm("/newsletter", "email", anna).Want(404)
	ed := w.editor("ohne", account.Editor)
	ed.Get("/amt/redaktion/newsletter").Want(404)
	w.must(tenant.SetModule(t.Context(), w.DB, "ohne", tenant.Newsletter, true))
	w.must(w.Directory.Refresh(t.Context()))
	c.Get("/newsletter").Want(200)
	ed.Get("/amt/redaktion/newsletter").Want(200)
}

func TestDesk_RolesAndConflicts(t *testing.T) {
	w := newWorld(t)
	clerk := w.editor(town, account.Clerk)
	clerk.Get("/amt/redaktion/newsletter").Want(403)
	ed := w.editor(town, account.Editor)
	path := w.draft(ed, "Entwurf", "Text")
	old := ed.Get(path).Form("form[action=" + path + "]")
	ed.Get(path).Form("form[action="+path+"]").Set("body", "Neuer Text").Submit().Want(200)
	p := old.Set("body", "Mein Text").Submit().Want(409)
	if !strings.Contains(p.Text("textarea"), "Mein Text") {
		t.Error("what was typed is gone")
	}
	ed.PostForm(path, "subject", "", "body", "x", "lang", "de", "version", "1").Want(422)
	foreign := w.editor(village, account.Admin)
	foreign.Get(path).Want(404)
	preview := ed.Get(path + "/vorschau").Want(200)
	if !strings.Contains(preview.Text(".ps-letter"), "abmelden/…") {
		t.Errorf("preview: %q", preview.Text(".ps-letter"))
	}
	ed.Get(path).Form("form[action=" + path + "/probe]").Submit().Want(200)
	mails := w.to("editor.person@musterstadt.example")
	if len(mails) != 1 || mails[0].Headers["List-Id"] != "<newsletter.vps.musterstadt.example>" {
		t.Fatalf("trial: %+v", mails)
	}
	if len(w.Mail.Messages()) != 1 {
		t.Error("the trial went to somebody else as well")
	}
	w.browser(town).Do("POST", "/newsletter/abmelden/"+wordIn(t, mails[0].Text, "abmelden"), "", nil).Want(200)
}

// A scheduled issue leaves at its time, not before, and not when it is called
// back.
func TestSchedule(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, anna)
	ed := w.editor(town, account.Editor)
	path := w.draft(ed, "Später", "Text")
	later := func() {
		ed.Get(path+"/senden").Form("form[action="+path+"/senden]").Set("wann", "spaeter").Set("tag", "2026-11-21").Set("uhrzeit", "09:00").Submit().Want(200)
	}
	sent := func() int { w.settle(); return len(w.to(anna)) - 1 }
	ed.Get(path+"/senden").Form("form[action="+path+"/senden]").Set("wann", "spaeter").Set("tag", "2026-11-19").Set("uhrzeit", "09:00").Submit().Want(422)
	later()
	w.advance(23 * time.Hour) // 8:00 in Berlin
	if sent() != 0 {
		t.Error("left before its time")
	}
	w.signIn(ed, "editor.person")
	ed.Get(path).Form("form[action=" + path + "/zurueckholen]").Submit().Want(200)
	w.advance(2 * time.Hour)
	if sent() != 0 {
		t.Error("left although it was called back")
	}
	w.signIn(ed, "editor.person")
	ed.Get(path+"/senden").Form("form[action="+path+"/senden]").Set("wann", "spaeter").Set("tag", "2026-11-22").Set("uhrzeit", "09:00").Submit().Want(200)
	w.advance(25 * time.Hour)
	if sent() != 1 {
		t.Errorf("%d copies left at its time", sent())
	}
	w.advance(time.Hour)
	if sent() != 1 {
		t.Error("left twice")
	}
}

// The start page of the desk counts issues and readers; it names nobody.
func TestCards(t *testing.T) {
	w := newWorld(t)
	w.subscribe(town, anna)
	w.ask(w.browser(town), "wartet@post.example")
	ed := w.editor(town, account.Editor)
	w.draft(ed, "Entwurf", "Text")
	w.release(ed, w.draft(ed, "Ausgabe", "Text"))
	w.settle()
	cards := func(of tenant.ID) string {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/amt/redaktion", nil)
		catalog, err := i18n.Load()
		w.must(err)
		r = r.WithContext(i18n.With(r.Context(), catalog.Localizer("de")))
		var notes []string
		for _, c := range w.Service.Cards(r, account.Actor{Tenant: of, Role: account.Editor}) {
			notes = append(notes, c.Note)
			if strings.Contains(fmt.Sprint(c), "@") {
				t.Errorf("a card names an address: %+v", c)
			}
		}
		return strings.Join(notes, "; ")
	}
	if got, want := cards(town), "Entwürfe: 1, geplant: 0, versendet: 1; angemeldet: 1, noch nicht bestätigt:\u00a01"; got != want {
		t.Errorf("Cards() = %q, want %q", got, want)
	}
	if got, want := cards(village), "Entwürfe: 0, geplant: 0, versendet: 0; angemeldet: 0, noch nicht bestätigt:\u00a00"; got != want {
		t.Errorf("Cards() of another tenant = %q, want %q", got, want)
	}
	if got := cards("ohne"); got != "" {
		t.Errorf("Cards() without a newsletter = %q", got)
	}
}
