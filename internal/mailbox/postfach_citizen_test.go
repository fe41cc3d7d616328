package mailbox_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/mailbox"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web/webtest"
)

// person is somebody with an account, signed in.
type person struct {
	*webtest.Client
	mail, id string
}

// register makes an account and signs it in on a tenant's host.
func (p *post) register(mail string) person {
	p.t.Helper()
	g := vaulttest.Citizen(p.t, p.Vault, vault.RealmAll, "musterstadt", mail)
	who := person{p.browser(), mail, g.Person}
	p.enter(who.Client, mail)
	return who
}

// enter signs an account in with a browser.
func (p *post) enter(c *webtest.Client, mail string) {
	p.t.Helper()
	f := c.Get("/konto/anmelden").Want(200).Form("form[action=/konto/anmelden]")
	wantPath(p.t, f.Set("email", mail).Set("password", vaulttest.Password(mail)).Submit().Want(200), "/postfach")
}

// writeHeld sends a letter of somebody who is signed in, and returns the address
// of its thread.
func (p *post) writeHeld(who person, subject string, files ...string) string {
	p.t.Helper()
	page := matter(p.t, who.Client, "", "tiefbauamt", "schaden")
	f := page.Form("main form").Set("subject", subject).Set("body", longBody)
	f = wantPath(p.t, f.Submit("aktion=weiter"), "/nachricht/4").Form("main form")
	for _, name := range files {
		f.File("files", name, "application/pdf", pdfFile(name))
	}
	page = wantPath(p.t, f.Submit("aktion=weiter"), "/nachricht/5")
	page = wantPath(p.t, page.Form("main form").Submit(), "/nachricht/gesendet").Want(200)
	if page.Has("#abholcode") {
		p.t.Error("a letter of an account shows a collection code")
	}
	p.settle()
	return page.Attr("section[aria-labelledby=postfach] a", "href")
}

func threadID(address string) string { return address[strings.LastIndex(address, "/")+1:] }

func (p *post) answer(address, text string, change ...func(*mailbox.Reply)) {
	p.t.Helper()
	r := mailbox.Reply{Thread: threadID(address), Body: text}
	for _, f := range change {
		f(&r)
	}
	p.must(p.Service.Answer(p.t.Context(), p.actor(p.Tiefbau), r))
	p.settle()
}

func TestPostfach(t *testing.T) {
	p := newPost(t)
	if !p.browser().Get("/postfach").Want(200).Has("form[action=/konto/anmelden]") {
		t.Error("a stranger is not led to the sign-in")
	}
	anna := p.register("anna@post.example")
	if !anna.Get("/postfach").Want(200).Has(".ps-empty") {
		t.Error("an empty mailbox says nothing")
	}
	step := matter(t, anna.Client, "", "tiefbauamt", "schaden")
	if step.Has("input[name=email]") || step.Form("main form").Get("reply") != "account" {
		t.Error("the assistant asks for what the account knows")
	}
	address := p.writeHeld(anna, "Laterne defekt", "foto.pdf")
	list := anna.Get("/postfach").Want(200)
	if got := list.Text(".ps-msg__subject"); got != "Laterne defekt" {
		t.Errorf("subject in the list is %q", got)
	}
	for _, want := range []string{"Tiefbauamt", "Eingegangen", "Antwort in der Regel bis 27.11.2026", "Vorgang 2026-"} {
		if !list.Contains(want) {
			t.Errorf("list lacks %q: %s", want, list.Text("main"))
		}
	}
	if list.Has(".ps-msg--unread") {
		t.Error("one's own letter is unread")
	}
	p.answer(address, "Guten Tag, wir **reparieren** sie morgen.")
	list = anna.Get("/postfach").Want(200)
	if !list.Has(".ps-msg--unread") || !list.Contains("Guten Tag, wir reparieren sie morgen.") || !list.Contains("Beantwortet") {
		t.Errorf("list after the answer: %s", list.Text("main"))
	}
	page := list.Click(".ps-msg__link").Want(200)
	if !page.Has("strong") || !page.Contains("foto.pdf") || !page.Contains(longBody) {
		t.Errorf("thread shows %s", page.Text("main"))
	}
	if got := page.Click("foto.pdf").Want(200).Body; got != string(pdfFile("foto.pdf")) {
		t.Errorf("file comes back as %q", got)
	}
	if !anna.Get("/postfach").Has(".ps-msg--unread") {
		t.Error("looking at a page changed something")
	}
	page = page.Form("#neu form").Submit().Want(200)
	if anna.Get("/postfach").Has(".ps-msg--unread") || page.Has("#neu") {
		t.Error("marked as read and still unread")
	}
	again := page.Form("form[enctype=multipart/form-data]")
	again.Set("body", "Vielen Dank dafür.").File("files", "mehr.pdf", "application/pdf", pdfFile("mehr"))
	page = wantPath(t, again.Submit("aktion=senden"), address).Want(200)
	if page.Count("article") != 3 || !page.Contains("Vielen Dank dafür.") || page.Contains("Abholcode") {
		t.Errorf("thread after the reply: %s", page.Text("main"))
	}
	if twice := again.Submit("aktion=senden"); twice.Count("article") != 3 {
		t.Errorf("posting the form twice shows %d messages", twice.Count("article"))
	}
	print := page.Click("Verlauf zum Drucken").Want(200)
	if print.Count("article") != 3 || print.Has("textarea") {
		t.Errorf("history shows %s", print.Text("main"))
	}
	page = anna.Get(address + "/rueckzug").Want(200).Form("main form").Submit().Want(200)
	if !page.Contains("zurückzunehmen") {
		t.Errorf("after the withdrawal: %s", page.Text("main"))
	}
}

func TestPostfach_Chips(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	first := p.writeHeld(anna, "Erste Sache", "a.pdf")
	p.advance(time.Minute)
	second := p.writeHeld(anna, "Zweite Sache")
	p.advance(time.Minute)
	p.answer(first, "Erledigt.", func(r *mailbox.Reply) { r.Close = true })
	for query, want := range map[string]string{
		"": "Erste Sache, Zweite Sache", "?nur=ungelesen": "Erste Sache", "?nur=anhang": "Erste Sache", "?nur=beantwortet": "",
		"?ordner=abgeschlossen": "", "?nach=unsinn&vor=0-&nur=x": "Erste Sache, Zweite Sache",
	} {
		if got := strings.Join(anna.Get("/postfach"+query).Want(200).Texts(".ps-msg__link"), ", "); strings.ReplaceAll(got, "Ungelesen:", "") != want {
			t.Errorf("%q shows %q, want %q", query, got, want)
		}
	}
	anna.Get(first).Want(200).Form("#neu form").Submit().Want(200)
	if got := anna.Get("/postfach?ordner=abgeschlossen").Want(200).Text(".ps-msg__link"); got != "Erste Sache" {
		t.Errorf("closed folder shows %q", got)
	}
	if got := anna.Get("/postfach").Want(200).Text(".ps-msg__link"); got != "Zweite Sache" {
		t.Errorf("open folder shows %q", got)
	}
	_ = second
}

// heldCounter counts what a page of the list asks of the vault.
type heldCounter struct {
	vault.Service
	cards, opens int
}

func (h *heldCounter) AccountCards(ctx context.Context, token, of string, ids []string) (map[string]seal.Key, error) {
	h.cards++
	return h.Service.AccountCards(ctx, token, of, ids)
}

func (h *heldCounter) AccountOpen(ctx context.Context, token, of, thread string, ids []string) (map[string]seal.Key, error) {
	h.opens++
	return h.Service.AccountOpen(ctx, token, of, thread, ids)
}

func TestPostfach_Pages(t *testing.T) {
	var count *heldCounter
	p := newPost(t, func(p *post) {
		count = &heldCounter{Service: p.service}
		p.service = count
	})
	anna := p.register("anna@post.example")
	who := account.Citizen{ID: anna.id}
	for i := range 27 {
		p.advance(time.Second)
		_, err := p.Service.DeliverHeld(t.Context(), p.stadt(), who, mailbox.Letter{
			Mailbox: "tiefbauamt", Topic: "schaden", Subject: "Sache " + string(rune('a'+i)), Body: longBody,
		})
		p.must(err)
	}
	p.settle()
	count.cards, count.opens = 0, 0
	page := anna.Get("/postfach").Want(200)
	if page.Count(".ps-msg") != 25 || count.cards != 1 || count.opens != 0 {
		t.Errorf("first page has %d rows with %d batches of cards and %d opened threads", page.Count(".ps-msg"), count.cards, count.opens)
	}
	page = page.Click("a[rel=next]").Want(200)
	if got := strings.Join(page.Texts(".ps-msg__link"), ", "); got != "Sache b, Sache a" || page.Has("a[rel=next]") {
		t.Errorf("second page shows %q", got)
	}
	page = page.Click("a[rel=prev]").Want(200)
	if page.Count(".ps-msg") != 25 || page.Has("a[rel=prev]") || page.Texts(".ps-msg__link")[0] != "Sache {" {
		t.Errorf("page before it has %d rows", page.Count(".ps-msg"))
	}
}

var tokenField = regexp.MustCompile(`name="schutz" value="[^"]*"`)

func TestPostfach_NotMine(t *testing.T) {
	p := newPost(t)
	anna, ben := p.register("anna@post.example"), p.register("ben@post.example")
	address := p.writeHeld(anna, "Laterne defekt", "foto.pdf")
	file := anna.Get(address).Want(200).Attr("a.ps-file__link", "href")
	code := p.deliver() // a thread of nobody's account
	p.settle()
	for _, suffix := range []string{"", "/verlauf", "/quittung.txt", "/rueckzug", "/entfernen", strings.TrimPrefix(file, address)} {
		want := ""
		for _, id := range []string{"aaaaaaaaaaaaaaaaaaaaaaaaaa", threadID(address), code.Thread, "x-y_Z", strings.Repeat("a", 300)} {
			page := ben.Get("/postfach/" + id + suffix).Want(404)
			// The address stands in the page, and each page has a token of its own.
			got := tokenField.ReplaceAllString(strings.ReplaceAll(stripNonce(page.Body), id, "ID"), "")
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("%s%s is answered otherwise than an unknown id:\n%s\n%s", id, suffix, got, want)
			}
		}
	}
	for _, post := range []string{"/antwort", "/gelesen", "/benachrichtigung", "/rueckzug", "/entfernen"} {
		f := ben.Get("/postfach/uebernehmen").Want(200).Form("form[action=/postfach/uebernehmen]")
		if page := ben.PostForm("/postfach/"+threadID(address)+post, "schutz", f.Get("schutz"), "body", "x"); page.Status != 404 {
			t.Errorf("POST %s on a foreign thread is %d", post, page.Status)
		}
	}
	if n := p.count(`select count(*) from mailbox_holdings`); n != 1 {
		t.Errorf("%d threads are held, want 1", n)
	}
}

func TestPostfach_Adopt(t *testing.T) {
	p := newPost(t)
	code := send(t, p.browser(), "plan.pdf")
	other := p.deliver()
	p.settle()
	anna := p.register("anna@post.example")
	page := anna.Get("/postfach/uebernehmen").Want(200)
	answers := map[string]bool{}
	for _, wrong := range []string{"", "hallo", seal.NewToken().Code().String(), strings.Repeat("x", 5000)} {
		got := page.Form("form[action=/postfach/uebernehmen]").Set("code", wrong).Submit().Want(422)
		answers[got.Text("main")] = true
	}
	if len(answers) != 1 {
		t.Errorf("wrong codes have %d different answers", len(answers))
	}
	page = page.Form("form[action=/postfach/uebernehmen]").Set("code", strings.ToLower(code)).Submit().Want(200)
	if !strings.HasPrefix(page.Path, "/postfach/") || !page.Contains("plan.pdf") || page.Text("h1") != "Laterne defekt" {
		t.Errorf("after taking over: %s %s", page.Path, page.Text("main"))
	}
	if open(t, p.browser(), "", code).Text("h1") != "Laterne defekt" {
		t.Error("the code opens nothing any more")
	}
	// The page that a code has opened offers the same.
	page = open(t, anna.Client, "", other.Code.String())
	page = page.Form("form[action=/postfach/uebernehmen" + page.Path[strings.Index(page.Path, "?"):] + "]").Submit().Want(200)
	if anna.Get("/postfach").Count(".ps-msg") != 2 {
		t.Error("the second matter is not in the mailbox")
	}
	// Let go again: with the code, nothing is lost.
	page = page.Click("Aus meinem Postfach entfernen").Want(200)
	if !page.Contains("Abholcode") {
		t.Errorf("page before letting go: %s", page.Text("main"))
	}
	page = page.Form("main form").Submit().Want(200)
	if page.Count(".ps-msg") != 1 || open(t, p.browser(), "", other.Code.String()).Text("h1") == "" {
		t.Errorf("after letting go: %s", page.Text("main"))
	}
	if p.count(`select count(*) from journal_entries where action = 'thread.letgo'`) != 1 {
		t.Error("the journal does not know that it was let go")
	}
}

func TestPostfach_Operator(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	address := p.writeHeld(anna, "Laterne defekt")
	anna.Host = betreiber
	p.enter(anna.Client, anna.mail)
	page := anna.Get("/postfach").Want(200)
	if got := page.Attr(".ps-msg__link", "href"); got != "http://"+musterstadt+address {
		t.Errorf("the operator's list leads to %q", got)
	}
	if !page.Contains("Stadt Musterstadt · Tiefbauamt") {
		t.Errorf("the operator's list shows %s", page.Text("main"))
	}
	anna.Get(address).Want(404)
}

// One account writes to two authorities: each shows its own matter only, the
// operator both, each with its authority and leading there.
func TestPostfach_BothAuthorities(t *testing.T) {
	p := newPost(t, func(p *post) { // both let one account write
		p.exec(`update tenant_tenants set profile = 'vorlage' where id = 'beispielingen'`)
		var err error
		p.Directory, err = tenant.NewDirectory(t.Context(), p.DB, p.log())
		p.must(err)
	})
	anna := p.register("anna@post.example")
	town := p.writeHeld(anna, "Laterne defekt")
	anna.Host = beispielingen
	p.enter(anna.Client, anna.mail)
	page := matter(t, anna.Client, "", "rathaus", "allgemein")
	page = wantPath(t, page.Form("main form").Set("subject", "Hecke im Weg").Set("body", longBody).Submit("aktion=weiter"), "/nachricht/4")
	page = wantPath(t, page.Form("main form").Submit("aktion=weiter"), "/nachricht/5")
	page = wantPath(t, page.Form("main form").Submit(), "/nachricht/gesendet").Want(200)
	village := page.Attr("section[aria-labelledby=postfach] a", "href")
	p.settle()
	for host, want := range map[string][]string{
		musterstadt: {town}, beispielingen: {village}, betreiber: {"http://" + beispielingen + village, "http://" + musterstadt + town},
	} {
		c := p.browser()
		c.Host = host
		p.enter(c, anna.mail)
		list := c.Get("/postfach").Want(200)
		if list.Count(".ps-msg") != len(want) {
			t.Errorf("%s lists %d matters, want %d: %s", host, list.Count(".ps-msg"), len(want), list.Text("main"))
		}
		for _, href := range want {
			if !strings.Contains(list.Body, `href="`+href+`"`) {
				t.Errorf("%s does not lead to %s", host, href)
			}
		}
	}
	anna.Get(town).Want(404) // a matter is read at its own authority
}

func TestPostfach_Notice(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	first, second := p.writeHeld(anna, "Erste Sache"), p.writeHeld(anna, "Zweite Sache")
	mails := func() int {
		n := 0
		for _, m := range p.Mail.Messages() {
			if m.To == anna.mail && strings.Contains(m.Text, "/postfach") {
				n++
				for _, secret := range []string{"Sache", "Tiefbau", "Musterstadt"} {
					if strings.Contains(m.Text, secret) || strings.Contains(m.Subject, secret) {
						t.Errorf("the notice says %q: %s", secret, m.Text)
					}
				}
			}
		}
		return n
	}
	p.answer(first, "Eine Antwort.")
	if mails() != 1 {
		t.Fatalf("%d notices after the first answer", mails())
	}
	p.answer(second, "Noch eine.")
	if mails() != 1 {
		t.Error("a second notice within the hour, and nothing was read since")
	}
	p.advance(2 * time.Hour)
	p.enter(anna.Client, anna.mail)
	p.answer(second, "Und noch eine.")
	if mails() != 2 {
		t.Errorf("%d notices after two hours, want 2", mails())
	}
	page := anna.Get(first).Want(200)
	page.Form("form[action="+first+"/benachrichtigung]").Uncheck("meldung", "ja").Submit().Want(200)
	p.advance(20 * time.Minute)
	anna.Get(first).Want(200).Form("#neu form").Submit().Want(200)
	anna.Get(second).Want(200).Form("#neu form").Submit().Want(200)
	p.answer(first, "Letzte.")
	if mails() != 2 {
		t.Error("a notice about a thread that wants none")
	}
	p.answer(second, "Allerletzte.")
	if mails() != 3 {
		t.Errorf("%d notices after everything was read, want 3", mails())
	}
}
