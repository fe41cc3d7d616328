package mailbox_test

import (
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/mailbox"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web/webtest"
)

// halfWritten goes to step 4 of a letter and uploads a file.
func halfWritten(t *testing.T, who person) *webtest.Page {
	t.Helper()
	page := matter(t, who.Client, "", "tiefbauamt", "schaden")
	page = page.Form("main form").Set("subject", "Halb fertig").Set("body", longBody).Submit("aktion=weiter")
	f := wantPath(t, page, "/nachricht/4").Form("main form").File("files", "plan.pdf", "application/pdf", pdfFile("plan"))
	return wantPath(t, f.Submit("aktion=hochladen"), "/nachricht/4")
}

func TestSaved(t *testing.T) {
	p := newPost(t)
	stranger := matter(t, p.browser(), "", "tiefbauamt", "schaden")
	if stranger.Has("button[value=speichern]") {
		t.Error("a stranger may save a draft")
	}
	anna := p.register("anna@post.example")
	page := halfWritten(t, anna)
	if n := p.count(`select count(*) from mailbox_saved_drafts`); n != 0 {
		t.Fatal("a draft is stored before anybody saved it")
	}
	page = page.Form("main form").Submit("aktion=speichern").Want(200)
	if !page.Has("#gespeichert") || !page.Contains("20.12.2026") {
		t.Errorf("after saving: %s", page.Text("main"))
	}
	// Saving once more keeps one draft.
	page.Form("main form").Submit("aktion=speichern").Want(200)
	list := anna.Get("/postfach/entwuerfe").Want(200)
	if list.Count(".ps-msg") != 1 || !list.Contains("Halb fertig") || !list.Contains("Wird am 20.12.2026 gelöscht") || !list.Contains("Tiefbauamt") {
		t.Errorf("drafts: %s", list.Text("main"))
	}
	// The session that wrote it ends; its file stays.
	anna.ClearCookies()
	p.Sessions.Close()
	p.restart()
	anna.Client = p.browser()
	p.enter(anna.Client, anna.mail)
	page = anna.Get("/postfach/entwuerfe").Want(200).Form(".ps-msg form").Submit().Want(200)
	wantPath(t, page, "/nachricht/4")
	if !page.Contains("plan.pdf") {
		t.Errorf("opened draft: %s", page.Text("main"))
	}
	page = wantPath(t, page.Form("main form").Submit("aktion=weiter"), "/nachricht/5")
	page = wantPath(t, page.Form("main form").Submit(), "/nachricht/gesendet").Want(200)
	p.settle()
	if n := p.count(`select count(*) from mailbox_saved_drafts`) + p.count(`select count(*) from mailbox_saved_files`); n != 0 {
		t.Errorf("%d rows of the draft stay after sending", n)
	}
	held := page.Attr("section[aria-labelledby=postfach] a", "href")
	if got := anna.Get(held).Want(200).Click("plan.pdf").Want(200).Body; got != string(pdfFile("plan")) {
		t.Errorf("file of the sent draft is %q", got)
	}
	if p.objects() != 1 {
		t.Errorf("%d objects stored, want 1", p.objects())
	}
}

func TestSaved_Deleted(t *testing.T) {
	p := newPost(t)
	anna, ben := p.register("anna@post.example"), p.register("ben@post.example")
	save := func() string {
		page := halfWritten(t, anna).Form("main form").Submit("aktion=speichern").Want(200)
		anna.Client.ClearCookies()
		p.enter(anna.Client, anna.mail)
		_ = page
		return p.text(`select id from mailbox_saved_drafts limit 1`)
	}
	none := func(what string) {
		t.Helper()
		p.settle()
		if n := p.count(`select count(*) from mailbox_saved_drafts`) + p.count(`select count(*) from mailbox_saved_files`); n != 0 {
			t.Errorf("%s leaves %d rows", what, n)
		}
		if p.count(`select count(*) from blob_refs where owner <> ''`) != 0 {
			t.Errorf("%s leaves a file in use", what)
		}
	}
	id := save()
	token := ben.Get("/postfach/uebernehmen").Want(200).Form("form[action=/postfach/uebernehmen]").Get("schutz")
	for _, act := range []string{"oeffnen", "loeschen"} {
		for _, x := range []string{id, "aaaaaaaaaaaaaaaaaaaaaaaaaa", "x"} {
			if page := ben.PostForm("/postfach/entwuerfe/"+x+"/"+act, "schutz", token); page.Status != 404 {
				t.Errorf("%s %s as another person is %d", act, x, page.Status)
			}
		}
	}
	anna.Get("/postfach/entwuerfe").Want(200).Form("form[action=/postfach/entwuerfe/" + id + "/loeschen]").Submit().Want(200)
	none("deleting")

	save()
	p.advance(29 * 24 * time.Hour)
	p.settle()
	if p.count(`select count(*) from mailbox_saved_drafts`) != 1 {
		t.Error("the draft goes before its day")
	}
	p.advance(25 * time.Hour)
	none("the thirtieth day")

	p.enter(anna.Client, anna.mail)
	save()
	p.must(p.Service.ForgetAccount(t.Context(), anna.id))
	none("deleting the account")
}

// Without "save", a signed-in person leaves as little behind as anybody.
func TestSaved_NothingElse(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	halfWritten(t, anna)
	anna.CloseBrowser()
	p.Sessions.Close()
	threads, messages, files := p.letters()
	if n := threads + messages + files + p.count(`select count(*) from mailbox_saved_drafts`) + p.objects(); n != 0 {
		t.Errorf("%d things stay of a letter that was neither sent nor saved", n)
	}
}

// A draft that was saved with an account cannot be sent by who is not signed in.
func TestSaved_SignedOut(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	page := halfWritten(t, anna).Form("main form").Submit("aktion=speichern").Want(200)
	page = wantPath(t, page.Form("main form").Submit("aktion=weiter"), "/nachricht/5")
	grants := p.count(`select count(*) from mailbox_threads`)
	p.advance(31 * time.Minute) // the grant has ended; the session of the browser is touched by the post
	page = page.Form("main form").Submit()
	if p.count(`select count(*) from mailbox_threads`) != grants {
		t.Errorf("sent without a sign-in: %d %s", page.Status, page.Text("main"))
	}
}

func TestBegin(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	address := p.writeHeld(anna, "Laterne defekt")
	other := p.deliver()
	p.settle()
	staff := p.signIn(p.Tiefbau)
	if page := staff.Get(casePath(other.Thread)).Want(200); page.Has("a[href="+casePath(other.Thread)+"/neu]") || !page.Contains("Ohne Konto") {
		t.Error("an office may write first to somebody without account")
	}
	if page := staff.Get(casePath(other.Thread) + "/neu"); page.Status != 409 {
		t.Errorf("new message to nobody is %d", page.Status)
	}
	page := staff.Get(casePath(threadID(address))).Want(200)
	if page.Contains(anna.mail) || !page.Contains("Die Person hat ein Konto") {
		t.Errorf("page of the thread: %s", page.Text("aside"))
	}
	page = page.Click("Neue Nachricht an diese Person").Want(200)
	page = page.Form("form[enctype=multipart/form-data]").Set("body", "Guten Tag").Submit("aktion=senden").Want(422)
	f := page.Form("form[enctype=multipart/form-data]").Set("subject", "Sperrung der Lindenstraße").Set("body", "Ab Montag wird **gesperrt**.")
	f.File("files", "lageplan.pdf", "application/pdf", pdfFile("lageplan"))
	page = f.Submit("aktion=senden").Want(200)
	if !strings.HasPrefix(page.Path, "/amt/vorgang/") || page.Text("h1") != "Sperrung der Lindenstraße" {
		t.Fatalf("after sending: %s %s", page.Path, page.Text("main"))
	}
	if twice := f.Submit("aktion=senden"); twice.Path != page.Path {
		t.Errorf("the form sent twice leads to %s", twice.Path)
	}
	p.settle()
	p.advance(time.Minute)
	p.settle() // the settling job agrees
	if n := p.count(`select count(*) from mailbox_threads`); n != 3 {
		t.Errorf("%d threads, want 3", n)
	}
	list := anna.Get("/postfach").Want(200)
	if list.Count(".ps-msg--unread") != 1 || !list.Contains("Ab Montag wird gesperrt.") {
		t.Errorf("mailbox of the person: %s", list.Text("main"))
	}
	if p.count(`select count(*) from journal_entries where action = 'thread.begun'`) != 1 {
		t.Error("the journal does not know that the office wrote first")
	}
	thread := list.Click(".ps-msg--unread .ps-msg__link").Want(200)
	if got := thread.Click("lageplan.pdf").Want(200).Body; got != string(pdfFile("lageplan")) {
		t.Errorf("file is %q", got)
	}
	reply := thread.Form("form[enctype=multipart/form-data]").Set("body", "Danke für die Nachricht.").Submit("aktion=senden").Want(200)
	p.settle()
	if back := staff.Get(page.Path).Want(200); !back.Contains("Danke für die Nachricht.") || reply.Status != 200 {
		t.Errorf("the office sees %s", back.Text("main"))
	}
	// A stranger's clerk cannot.
	if page := p.signIn(p.Bau).Get(casePath(threadID(address)) + "/neu"); page.Status != 404 {
		t.Errorf("a clerk of another mailbox gets %d", page.Status)
	}
}

// What was begun and never sent leaves no keys.
func TestBegin_Unsent(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	address := p.writeHeld(anna, "Laterne defekt")
	staff := p.signIn(p.Tiefbau)
	f := staff.Get(casePath(threadID(address)) + "/neu").Want(200).Form("form[enctype=multipart/form-data]")
	f.Set("body", "").File("files", "a.pdf", "application/pdf", pdfFile("a")).Submit("aktion=senden").Want(422)
	p.advance(10 * time.Hour)
	p.settle()
	ref := p.text(`select thread_id from mailbox_holdings limit 1`)
	if ref != threadID(address) || p.count(`select count(*) from jobs where kind = 'mailbox.unbegun' and state = 'ready'`) != 0 {
		t.Error("the job that destroys the keys has not run")
	}
}

func TestPostfach_Settles(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	d := p.deliver()
	p.settle()
	g, err := p.Vault.SignInAccount(t.Context(), vault.AccountProof{Realm: vault.RealmAll, Mail: anna.mail, Password: vaulttest.Password(anna.mail)})
	p.must(err)
	who := account.Citizen{ID: anna.id, Grant: g.Token}
	// Interrupted after the vault: the job brings the row.
	p.must(p.Service.SettleHolding(t.Context(), "musterstadt", d.Thread, anna.id))
	_, err = p.Vault.Adopt(t.Context(), g.Token, "musterstadt", d.Code)
	p.must(err)
	p.advance(16 * time.Second)
	p.settle()
	if anna.Get("/postfach").Want(200).Count(".ps-msg") != 1 {
		t.Fatal("taken over in the vault, and not in the mailbox")
	}
	// The other way round.
	p.must(p.Service.SettleHolding(t.Context(), "musterstadt", d.Thread, anna.id))
	p.must(p.Vault.LetGo(t.Context(), g.Token, "musterstadt", d.Thread))
	p.advance(16 * time.Second)
	p.settle()
	if anna.Get("/postfach").Want(200).Count(".ps-msg") != 0 {
		t.Error("let go in the vault, and still in the mailbox")
	}
	p.must(p.Service.LetGo(t.Context(), who, "musterstadt", d.Thread)) // once more is fine
}

func TestPostfach_Gone(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	address := p.writeHeld(anna, "Laterne defekt")
	staff := p.signIn(p.Tiefbau)
	p.must(p.Service.ForgetAccount(t.Context(), anna.id))
	page := staff.Get(casePath(threadID(address))).Want(200)
	if !page.Contains("Die Person hat hier kein Postfach mehr") || !page.Contains("erreicht die Person aber nicht") || page.Has("a[href="+casePath(threadID(address))+"/neu]") {
		t.Errorf("page of the office: %s", page.Text("main"))
	}
	// The office's copy stays, and answering still works.
	p.answer(address, "Ins Leere.", func(*mailbox.Reply) {})
	// Deleting the thread takes it out of a mailbox.
	ben := p.register("ben@post.example")
	address = p.writeHeld(ben, "Zweite")
	p.must(p.Service.Remove(t.Context(), p.actor(p.Tiefbau), threadID(address), "erledigt"))
	p.settle()
	ben.Get(address).Want(404)
	if p.count(`select count(*) from mailbox_holdings`) != 0 {
		t.Error("a deleted thread is still held")
	}
}
