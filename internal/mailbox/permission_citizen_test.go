package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/mailbox"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web/webtest"
)

const (
	permitPath  = "/postfach/erlauben"
	permitsPath = "/amt/erlaubnisse"
	begunForm   = "form[enctype=multipart/form-data]"
)

// permit lets a mailbox write to a person first, and returns the page after it.
func (p *post) permit(who *webtest.Client, box, name, reason string) *webtest.Page {
	p.t.Helper()
	f := who.Get(permitPath).Want(200).Form("form[action=" + permitPath + "]")
	page := f.Set("mailbox", box).Set("name", name).Set("wofuer", reason).Submit()
	p.settle()
	return page
}

// permission is the id of the one permission of a mailbox.
func (p *post) permission(box string) string {
	p.t.Helper()
	return p.text(`select id from mailbox_permissions where mailbox_id = '` + box + `'`)
}

func TestPermit(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	page := anna.Get("/postfach").Want(200).Click("Post von dieser Behörde bekommen").Want(200)
	for _, says := range []string{"nur die Beschäftigten der Stelle", "jederzeit zurücknehmen", "Niemand kann hier nach Personen suchen", "darf Ihnen damit Nachrichten", "Sie haben keiner Stelle erlaubt"} {
		if !page.Contains(says) {
			t.Errorf("the page does not say %q: %s", says, page.Text("main"))
		}
	}
	page = wantPath(t, p.permit(anna.Client, "tiefbauamt", "Anna Beispiel", "Aktenzeichen 4711"), permitPath).Want(200)
	if !page.Contains("Ihre Erlaubnis ist gespeichert") || !page.Contains("Anna Beispiel") || !page.Contains("Aktenzeichen 4711") || !page.Contains("Tiefbauamt") || !page.Contains("Erlaubt seit 20.11.2026") {
		t.Errorf("after allowing: %s", page.Text("main"))
	}
	// It is no letter: neither here nor there.
	if list := anna.Get("/postfach").Want(200); list.Has(".ps-msg") {
		t.Errorf("the mailbox lists it: %s", list.Text("main"))
	}
	anna.Get("/postfach/" + p.permission("tiefbauamt")).Want(404)
	staff := p.signIn(p.Tiefbau)
	inbox := staff.Get("/amt/eingang").Want(200)
	staff.Get(casePath(p.permission("tiefbauamt"))).Want(404)
	if strings.Contains(inbox.Body, "/amt/vorgang/") || p.count(`select count(*) from mailbox_threads`) != 0 {
		t.Errorf("the inbox lists it: %s", inbox.Text("main"))
	}
	list := inbox.Click("Erlaubnisse").Want(200)
	if !list.Contains("Anna Beispiel") || !list.Contains("Aktenzeichen 4711") || !list.Contains("20.11.2026") || list.Contains(anna.mail) {
		t.Errorf("list of the office: %s", list.Text("main"))
	}
	page = list.Click("Schreiben").Want(200)
	if !page.Contains("Anna Beispiel hat am 20.11.2026 erlaubt, dass Sie zuerst schreiben") {
		t.Errorf("page of the message: %s", page.Text("main"))
	}
	page = page.Form(begunForm).Set("subject", "").Set("body", "Guten Tag").Submit("aktion=senden").Want(422)
	f := page.Form(begunForm).Set("subject", "Ihr Antrag 4711").Set("body", "Bitte bringen Sie den **Plan** mit.")
	f.File("files", "plan.pdf", "application/pdf", pdfFile("plan"))
	page = f.Submit("aktion=senden").Want(200)
	if !strings.HasPrefix(page.Path, "/amt/vorgang/") || !page.Contains("Anna Beispiel") {
		t.Fatalf("after sending: %s %s", page.Path, page.Text("main"))
	}
	if twice := f.Submit("aktion=senden"); twice.Path != page.Path || p.count(`select count(*) from mailbox_threads`) != 1 {
		t.Errorf("the form sent twice leads to %s", twice.Path)
	}
	p.settle()
	p.advance(time.Minute)
	p.settle() // the settling job agrees
	sent := p.Mail.Messages()
	if len(sent) != 1 || sent[0].To != anna.mail || strings.Contains(sent[0].Text+sent[0].Subject, "4711") || strings.Contains(sent[0].Text, "Tiefbau") {
		t.Errorf("notice of the new message: %+v", sent)
	}
	thread := anna.Get("/postfach").Want(200).Click(".ps-msg--unread .ps-msg__link").Want(200)
	if got := thread.Click("plan.pdf").Want(200).Body; got != string(pdfFile("plan")) {
		t.Errorf("file is %q", got)
	}
	thread.Form(begunForm).Set("body", "Danke, den Plan bringe ich mit.").Submit("aktion=senden").Want(200)
	p.settle()
	if back := staff.Get(page.Path).Want(200); !back.Contains("den Plan bringe ich mit") {
		t.Errorf("the office sees %s", back.Text("main"))
	}
	if got := p.text(`select detail from journal_entries where action = 'permission.given'`); strings.Contains(got, "Anna") || !strings.Contains(got, "tiefbauamt") {
		t.Errorf("the journal says %s", got)
	}
}

func TestPermit_Fields(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	page := p.permit(anna.Client, "", "", strings.Repeat("ß", 201)).Want(422)
	for _, says := range []string{"Wählen Sie die Stelle", "Schreiben Sie Ihren Namen", "höchstens 200 Zeichen"} {
		if !page.Contains(says) {
			t.Errorf("no %q: %s", says, page.Text("main"))
		}
	}
	page = p.permit(anna.Client, "bauamt", strings.Repeat("n", 201), "Antrag").Want(422)
	f := page.Form("form[action=" + permitPath + "]")
	if f.Get("mailbox") != "bauamt" || f.Get("wofuer") != "Antrag" || len(f.Get("name")) != 201 || p.count(`select count(*) from mailbox_permissions`) != 0 {
		t.Errorf("what was typed is lost: %q %q", f.Get("mailbox"), f.Get("wofuer"))
	}
	anna.PostForm(permitPath, "mailbox", "rathaus", "name", "Anna").Want(422) // of another authority
	for _, blank := range []string{"\u200b\u200d", "\u3164", "\u2800", " - "} {
		p.permit(anna.Client, "bauamt", blank, "").Want(422)
	}
	// The form comes back when the session is over, and when the vault is away.
	back := func(name string, want int, lose, after func()) {
		form := anna.Get(permitPath).Want(200).Form("form[action="+permitPath+"]").Set("mailbox", "bauamt").Set("name", "Anna Beispiel").Set("wofuer", "Antrag 7")
		lose()
		defer after()
		page := form.Submit().Want(want)
		f := page.Form("form[action=" + permitPath + "]")
		if f.Get("mailbox") != "bauamt" || f.Get("name") != "Anna Beispiel" || f.Get("wofuer") != "Antrag 7" || !page.Contains("nicht gespeichert") && !page.Contains("nichts gespeichert") {
			t.Errorf("%s: %s", name, page.Text("main"))
		}
	}
	back("away", 503, p.Switch.Off, p.Switch.On)
	back("ended", 403, func() { p.advance(31 * time.Minute) }, func() { p.enter(anna.Client, anna.mail) })
	back("no cookie", 403, anna.ClearCookies, func() {})
	if p.count(`select count(*) from mailbox_permissions`) != 0 {
		t.Error("something was stored")
	}
}

// One person has one permission for a mailbox, however often the form is sent.
func TestPermit_Twice(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	f := anna.Get(permitPath).Want(200).Form("form[action="+permitPath+"]").Set("mailbox", "tiefbauamt").Set("name", "Anna Beispiel")
	f.Submit().Want(200)
	f.Submit().Want(200)
	p.settle()
	id := p.permission("tiefbauamt")
	p.permit(anna.Client, "tiefbauamt", "Anna Muster", "Neuer Name").Want(200)
	if p.count(`select count(*) from mailbox_permissions`) != 1 || p.permission("tiefbauamt") != id || p.count(`select count(*) from mailbox_intake`) != 1 {
		t.Error("the same permission is stored twice")
	}
	if list := p.signIn(p.Tiefbau).Get(permitsPath).Want(200); !list.Contains("Anna Muster") || !list.Contains("Neuer Name") || list.Contains("Anna Beispiel") {
		t.Errorf("the office sees %s", list.Text("main"))
	}
	if p.count(`select count(*) from journal_entries where action = 'permission.given'`) != 1 || p.count(`select count(*) from journal_entries where action = 'permission.changed'`) != 1 {
		t.Error("the journal counts otherwise")
	}
}

// gone checks that neither rows nor keys of a permission are left.
func (p *post) gone(id string) {
	p.t.Helper()
	if n := p.count(`select count(*) from mailbox_permissions where id = $1`, id) + p.count(`select count(*) from mailbox_intake where thread_id = $1`, id); n != 0 {
		p.t.Errorf("%d rows of the permission are left", n)
	}
	st, err := p.Vault.State(p.t.Context(), "musterstadt", []string{id})
	p.must(err)
	if !st[id].Gone {
		p.t.Errorf("the vault has %+v", st[id])
	}
}

func TestPermit_TakeBack(t *testing.T) {
	p := newPost(t)
	anna, ben := p.register("anna@post.example"), p.register("ben@post.example")
	p.permit(anna.Client, "tiefbauamt", "Anna Beispiel", "")
	id := p.permission("tiefbauamt")
	staff := p.signIn(p.Tiefbau)
	writing := staff.Get(permitsPath+"/"+id+"/neu").Want(200).Form(begunForm).Set("subject", "Frage").Set("body", "Mein langer Text.")
	begun := staff.Get(permitsPath+"/"+id+"/neu").Want(200).Form(begunForm).Set("subject", "").Set("body", "Zweiter Text.").
		File("files", "a.pdf", "application/pdf", pdfFile("a")).Submit("aktion=senden").Want(422).Form(begunForm).Set("subject", "Frage") // its keys are drawn
	never := ben.PostForm(permitPath + "/gibtesnicht/zuruecknehmen").Want(404)
	if theirs := ben.PostForm(permitPath + "/" + id + "/zuruecknehmen").Want(404); theirs.Text("main") != never.Text("main") {
		t.Error("a stranger learns of the permission")
	}
	page := anna.Get(permitPath).Want(200).Form(backForm(id)).Submit().Want(200)
	if !page.Contains("Die Erlaubnis ist zurückgenommen") || page.Contains("Anna Beispiel") {
		t.Errorf("after taking back: %s", page.Text("main"))
	}
	p.gone(id)
	for _, f := range []*webtest.Form{writing, begun} {
		lost := f.Submit("aktion=senden").Want(409)
		if !strings.Contains(lost.Text("textarea"), "Text.") || !lost.Contains("Diese Erlaubnis gibt es nicht oder nicht mehr") || !lost.Contains("Zu den Erlaubnissen") {
			t.Errorf("the clerk's text is lost: %s", lost.Text("main"))
		}
	}
	staff.Get(permitsPath + "/" + id + "/neu").Want(404)
	if list := staff.Get(permitsPath).Want(200); list.Contains("Anna") {
		t.Errorf("the office still sees %s", list.Text("main"))
	}
	anna.PostForm(permitPath + "/" + id + "/zuruecknehmen").Want(404)
	p.advance(10 * time.Hour)
	p.settle()
	if p.count(`select count(*) from mailbox_threads`)+p.count(`select count(*) from mailbox_holdings`) != 0 {
		t.Error("something was sent")
	}
	// It can be given again.
	p.enter(anna.Client, anna.mail)
	p.permit(anna.Client, "tiefbauamt", "Anna Beispiel", "").Want(200)
	if again := p.permission("tiefbauamt"); again == id {
		t.Error("the same id again")
	}
}

// backForm selects the form that takes a permission back.
func backForm(id string) string { return "form[action=" + permitPath + "/" + id + "/zuruecknehmen]" }

// A vault that is away when a permission is taken back destroys its keys later.
func TestPermit_TakeBackSettles(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	p.permit(anna.Client, "tiefbauamt", "Anna Beispiel", "")
	id := p.permission("tiefbauamt")
	who := p.citizen(anna)
	p.Switch.Off()
	p.must(p.Service.TakeBack(t.Context(), who, []tenant.ID{"musterstadt"}, id))
	p.Switch.On()
	p.advance(16 * time.Second)
	p.settle()
	p.gone(id)
	// One that the vault has not heard of, too.
	p.Switch.Off()
	p.must(p.Service.Permit(t.Context(), p.stadt(), who, mailbox.Permit{Mailbox: "tiefbauamt", Name: "Anna Beispiel"}))
	p.Switch.On()
	id = p.permission("tiefbauamt")
	p.must(p.Service.TakeBack(t.Context(), who, []tenant.ID{"musterstadt"}, id))
	p.settle()
	p.gone(id)
}

// citizen is a person as the services know them.
func (p *post) citizen(who person) account.Citizen {
	p.t.Helper()
	g, err := p.Vault.SignInAccount(p.t.Context(), vault.AccountProof{Realm: vault.RealmAll, Mail: who.mail, Password: vaulttest.Password(who.mail)})
	p.must(err)
	return account.Citizen{ID: who.id, Grant: g.Token}
}

// Taking back ends writing first for good: what the office has begun stays as it
// is, and nothing begins from it before the person has written in it.
func TestPermit_AfterTakingBack(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	p.permit(anna.Client, "tiefbauamt", "Anna Beispiel", "")
	id := p.permission("tiefbauamt")
	staff := p.signIn(p.Tiefbau)
	one := staff.Get(permitsPath+"/"+id+"/neu").Want(200).Form(begunForm).Set("subject", "Eins").Set("body", "Guten Tag").Submit("aktion=senden").Want(200)
	p.settle()
	if back := anna.Get(permitPath).Want(200).Form(backForm(id)).Submit().Want(200); !back.Contains("bleibt dieser Vorgang mit Ihrem Namen bestehen") {
		t.Errorf("taken back: %s", back.Text("main"))
	}
	if staff.Get(one.Path).Want(200).Contains(one.Path + "/neu") {
		t.Error("the case offers to write anew")
	}
	staff.Get(one.Path + "/neu").Want(409)
	from := strings.TrimPrefix(one.Path, "/amt/vorgang/")
	again := mailbox.Begun{From: from, Mailbox: "tiefbauamt", Subject: "Zwei", Body: "Noch einmal"}
	if _, err := p.Service.Begin(t.Context(), p.actor(p.Tiefbau), again); !errors.Is(err, fault.Conflict) {
		t.Errorf("begun again: %v, want Conflict", err)
	}
	// Who has written may be written to.
	anna.Get("/postfach/"+from).Want(200).Form(begunForm).Set("body", "Ja, gern.").Submit("aktion=senden").Want(200)
	p.settle()
	staff.Get(one.Path + "/neu").Want(200)
	if _, err := p.Service.Begin(t.Context(), p.actor(p.Tiefbau), again); err != nil {
		t.Errorf("begun after a letter: %v", err)
	}
}

// A permission that was on its way when the account went does not stay.
func TestPermit_AccountGone(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	who := p.citizen(anna)
	wantPath(t, anna.Get("/konto/loeschen").Want(200).Form("form[action=/konto/loeschen]").Check("ja", "ja").Submit(), "/konto/geloescht")
	p.advance(16 * time.Second)
	p.settle()
	err := p.Service.Permit(t.Context(), p.stadt(), who, mailbox.Permit{Mailbox: "tiefbauamt", Name: "Anna Beispiel"})
	if !errors.Is(err, fault.Denied) {
		t.Errorf("permit: %v, want Denied", err)
	}
	if n := p.count(`select count(*) from mailbox_permissions`); n != 0 {
		t.Errorf("%d permissions stay", n)
	}
}

// meanwhile is a vault with which something happens right after it gave keys.
type meanwhile struct {
	vault.Service
	happens func()
}

func (v *meanwhile) AccountCards(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error) {
	keys, err := v.Service.AccountCards(ctx, token, tenant, messages)
	if happens := v.happens; happens != nil {
		v.happens = nil
		happens()
	}
	return keys, err
}

// What is taken back while it is changed is given anew: the person said so last.
func TestPermit_ChangedWhileTakenBack(t *testing.T) {
	p := newPost(t)
	who := p.citizen(p.register("anna@post.example"))
	in := mailbox.Permit{Mailbox: "tiefbauamt", Name: "Anna"}
	p.must(p.Service.Permit(t.Context(), p.stadt(), who, in))
	first := p.permission("tiefbauamt")
	between := &meanwhile{Service: p.Service.Vault}
	between.happens = func() { p.must(p.Service.TakeBack(t.Context(), who, []tenant.ID{"musterstadt"}, first)) }
	p.Service.Vault = between
	in.Name = "Anna Beispiel"
	p.must(p.Service.Permit(t.Context(), p.stadt(), who, in))
	p.settle()
	if p.permission("tiefbauamt") == first || p.count(`select count(*) from journal_entries where action = 'permission.changed'`) != 0 {
		t.Error("a permission that was taken back has changed")
	}
	if !p.signIn(p.Tiefbau).Get(permitsPath).Want(200).Contains("Anna Beispiel") {
		t.Error("the one given last is not there")
	}
}

// One network gives as many permissions as it sends letters.
func TestPermit_TooMany(t *testing.T) {
	p := newPost(t, func(p *post) { p.limits.LettersPerHour = 2 })
	anna := p.register("anna@post.example")
	anna.Header = http.Header{"X-Forwarded-For": {"192.0.2.1"}}
	for n, want := range []int{200, 200, 429, 429} {
		name := fmt.Sprint("Anna ", n)
		page := p.permit(anna.Client, "tiefbauamt", name, "Antrag").Want(want)
		if f := page.Form("form[action=" + permitPath + "]"); want == 429 && (f.Get("name") != name || f.Get("wofuer") != "Antrag") {
			t.Errorf("what was typed is lost: %s", page.Text("main"))
		}
	}
	if p.count(`select count(*) from mailbox_permissions`) != 1 || p.count(`select count(*) from journal_entries where action = 'permission.changed'`) != 1 {
		t.Error("refused and stored all the same")
	}
}

// A deleted account leaves no permission, and none comes back with an older copy
// of the database.
func TestPermit_AccountDeleted(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	p.permit(anna.Client, "tiefbauamt", "Anna Beispiel", "")
	p.permit(anna.Client, "bauamt", "Anna Beispiel", "")
	ids := []string{p.permission("tiefbauamt"), p.permission("bauamt")}
	writing := p.signIn(p.Tiefbau).Get(permitsPath+"/"+ids[0]+"/neu").Want(200).Form(begunForm).Set("subject", "Frage").Set("body", "Mein langer Text.")
	page := anna.Get("/konto/loeschen").Want(200)
	if !page.Contains("Alle Erlaubnisse, mit denen eine Behörde Ihnen zuerst schreiben darf") {
		t.Errorf("the page does not say it: %s", page.Text("main"))
	}
	row := p.text(`select message_id from mailbox_permissions where mailbox_id = 'tiefbauamt'`)
	wantPath(t, page.Form("form[action=/konto/loeschen]").Check("ja", "ja").Submit(), "/konto/geloescht")
	p.advance(16 * time.Second)
	p.settle()
	for _, id := range ids {
		p.gone(id)
	}
	if lost := writing.Submit("aktion=senden").Want(409); lost.Text("textarea") != "Mein langer Text." {
		t.Errorf("the clerk gets %s", lost.Text("main"))
	}
	p.must(p.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `
insert into mailbox_permissions (id, tenant_id, mailbox_id, account_id, message_id, card, created_at)
values ($1, 'musterstadt', 'tiefbauamt', $2, $3, $4, 1)`, ids[0], anna.id, row, []byte("alt"))
		return err
	}))
	if list := p.signIn(p.Tiefbau).Get(permitsPath).Want(200); list.Contains("Anna") || strings.Contains(list.Body, "/neu\"") {
		t.Errorf("an older copy opens: %s", list.Text("main"))
	}
	p.advance(time.Hour)
	p.settle()
	p.gone(ids[0])
}

// The other mailbox, the other authority and who made an id up get the same
// answers, and nothing finds people.
func TestPermit_Foreign(t *testing.T) {
	p := newPost(t)
	anna := p.register("anna@post.example")
	p.permit(anna.Client, "tiefbauamt", "Anna Beispiel", "")
	id := p.permission("tiefbauamt")
	_, err := p.staff().AddStaff(t.Context(), account.NewStaff{
		Tenant: "beispielingen", Login: "rat.haus", Name: "Rat Haus", Password: vaulttest.Password("rat.haus"), Role: account.Clerk, Mailboxes: []tenant.MailboxID{"rathaus"},
	})
	p.must(err)
	other := p.browser()
	other.Host = beispielingen
	other.Get("/amt/anmelden").Want(200).Form("").Set("login", "rat.haus").Set("password", vaulttest.Password("rat.haus")).Submit().Want(200)
	bau := p.signIn(p.Bau)
	for name, c := range map[string]*webtest.Client{"another mailbox": bau, "another authority": other} {
		if list := c.Get(permitsPath).Want(200); list.Contains("Anna") {
			t.Errorf("%s sees the person: %s", name, list.Text("main"))
		}
		c.Get(permitsPath + "?postfach=tiefbauamt").Want(404)
		for _, path := range []string{"/neu", "/loeschen"} {
			theirs, never := c.Get(permitsPath+"/"+id+path).Want(404), c.Get(permitsPath+"/gibtesnicht"+path).Want(404)
			if theirs.Text("main") != never.Text("main") {
				t.Errorf("%s: %s tells one from the other", name, path)
			}
		}
		c.PostForm(permitsPath + "/" + id + "/loeschen").Want(404)
		theirs := c.PostForm(permitsPath+"/"+id+"/neu", "body", "Mein Text.").Want(409)
		never := c.PostForm(permitsPath+"/gibtesnicht/neu", "body", "Mein Text.").Want(409)
		if theirs.Text("main") != never.Text("main") || theirs.Text("textarea") != "Mein Text." {
			t.Errorf("%s: writing tells one from the other", name)
		}
		for _, find := range []string{"?nr=Anna", "?name=Anna", "?wer=Anna", "?q=Anna+Beispiel"} {
			for _, list := range []string{permitsPath, "/amt/eingang"} {
				if page := c.Get(list + find).Want(200); page.Contains("Beispiel hat") || strings.Contains(page.Body, "/neu\"") {
					t.Errorf("%s: %s%s finds a person", name, list, find)
				}
			}
		}
	}
	// The office itself may delete it, after a question.
	staff := p.signIn(p.Tiefbau)
	page := staff.Get(permitsPath).Want(200).Click("Löschen").Want(200)
	page = page.Form("main form").Submit().Want(200)
	if !strings.HasPrefix(page.Path, permitsPath+"?") || page.Contains("Anna") || !page.Contains("Die Erlaubnis ist gelöscht") {
		t.Errorf("after deleting: %s", page.Text("main"))
	}
	p.gone(id)
	if page := anna.Get(permitPath).Want(200); page.Contains("Anna Beispiel") {
		t.Errorf("the person still sees %s", page.Text("main"))
	}
}

// A permission belongs to one mailbox; the answer may come from another that the
// clerk is in as well.
func TestPermit_SecondMailbox(t *testing.T) {
	p := newPost(t)
	both := p.hire("beide.aemter", "Beide Ämter", account.Clerk, "tiefbauamt", "bauamt")
	anna, ben := p.register("anna@post.example"), p.register("ben@post.example")
	p.permit(anna.Client, "tiefbauamt", "Anna Beispiel", "")
	p.permit(anna.Client, "bauamt", "Anna B.", "")
	p.advance(time.Second)
	p.permit(ben.Client, "bauamt", "Ben Beispiel", "")
	staff := p.signIn(both)
	list := staff.Get(permitsPath).Want(200)
	if names := list.Texts("tbody th"); !slices.Equal(names[:1], []string{"Ben Beispiel"}) || len(names) != 3 {
		t.Errorf("list of both: %q", names)
	}
	if names := staff.Get(permitsPath + "?postfach=bauamt").Want(200).Texts("tbody th"); !slices.Equal(names, []string{"Ben Beispiel", "Anna B."}) {
		t.Errorf("list of one: %q", names)
	}
	if names := p.signIn(p.Bau).Get(permitsPath).Want(200).Texts("tbody th"); !slices.Equal(names, []string{"Ben Beispiel", "Anna B."}) {
		t.Errorf("list of the building office: %q", names)
	}
	// What one office may, the clerk's other one may not.
	page := staff.Get(permitsPath + "/" + p.permission("tiefbauamt") + "/neu").Want(200)
	if options := page.Texts("select[name=postfach] option"); len(options) != 1 {
		t.Errorf("mailboxes to write from: %q, want that of the permission", options)
	}
	f := page.Form(begunForm).Set("subject", "Frage").Set("body", "Guten Tag")
	page = f.Add("postfach", "bauamt").Submit("aktion=senden").Want(422)
	if !page.Contains("Wählen Sie das Postfach") || !page.Contains("Guten Tag") {
		t.Errorf("another mailbox: %s", page.Text("main"))
	}
	if n := p.count(`select count(*) from mailbox_threads`); n != 0 {
		t.Errorf("%d threads, want none", n)
	}
	_, err := p.Service.Begin(t.Context(), p.actor(both), mailbox.Begun{
		From: p.permission("tiefbauamt"), Permitted: true, Mailbox: "bauamt", Subject: "Frage", Body: "Guten Tag",
	})
	if !errors.Is(err, fault.NotFound) {
		t.Errorf("another mailbox, past the form: %v, want NotFound", err)
	}
	page.Form(begunForm).Submit("aktion=senden").Want(200)
	if got := p.text(`select mailbox_id from mailbox_threads`); got != "tiefbauamt" {
		t.Errorf("the thread is in %q", got)
	}
	if page := anna.Get(permitPath).Want(200); strings.Count(page.Body, "/zuruecknehmen\"") != 2 {
		t.Errorf("own list: %s", page.Text("main"))
	}
}

// believing is a vault that tells the program of a membership that it does not
// know itself; with lent it gives away keys as well, as no vault may.
type believing struct {
	vault.Service
	person, lent string
}

func (v *believing) Check(ctx context.Context, token string) (vault.Grant, error) {
	g, err := v.Service.Check(ctx, token)
	if g.Person == v.person && v.person != "" {
		g.Mailboxes = append(slices.Clone(g.Mailboxes), "tiefbauamt")
	}
	return g, err
}

func (v *believing) CardKeys(ctx context.Context, token, tenant string, messages []string) (map[string]seal.Key, error) {
	if v.lent != "" {
		token = v.lent
	}
	return v.Service.CardKeys(ctx, token, tenant, messages)
}

// Who may open a permission, and begin from it, is decided by the vault alone: a
// program that believes a clerk to be a member shows neither name nor way. A
// vault that gives keys away would be noticed here.
func TestPermit_VaultDecides(t *testing.T) {
	v := &believing{}
	p := newPost(t, func(p *post) { v.Service, p.service = p.service, v })
	anna := p.register("anna@post.example")
	p.permit(anna.Client, "tiefbauamt", "Anna Beispiel", "")
	id := p.permission("tiefbauamt")
	v.person = p.Bau.Person
	staff := p.signIn(p.Bau)
	seen := func() (name, way bool) {
		list := staff.Get(permitsPath).Want(200)
		if !list.Has("tbody tr") {
			t.Fatal("the program does not believe it: the test shows nothing")
		}
		return list.Contains("Anna Beispiel"), staff.Get(permitsPath+"/"+id+"/neu").Status != 404
	}
	if name, way := seen(); name || way {
		t.Errorf("without keys: name %t, way %t", name, way)
	}
	staff.PostForm(permitsPath+"/"+id+"/neu", "entwurf", strings.Repeat("a", 26), "postfach", "tiefbauamt", "subject", "Frage", "body", "Guten Tag").Want(409)
	staff.PostForm(permitsPath + "/" + id + "/loeschen").Want(404)
	v.lent = p.grant(p.Tiefbau).Token
	if name, way := seen(); !name || !way {
		t.Errorf("sabotage: a vault that gives keys away is not noticed: name %t, way %t", name, way)
	}
	// Even then the vault does not begin a thread.
	f := staff.Get(permitsPath+"/"+id+"/neu").Want(200).Form(begunForm).Set("subject", "Frage").Set("body", "Guten Tag")
	f.Submit("aktion=senden").Want(409)
	if p.count(`select count(*) from mailbox_threads`) != 0 || p.count(`select count(*) from mailbox_permissions`) != 1 {
		t.Error("a clerk of another mailbox wrote or deleted")
	}
}

// A long list comes in pages, merged over the mailboxes, with nobody twice and
// nobody missing.
func TestPermit_Pages(t *testing.T) {
	p := newPost(t)
	both := p.hire("beide.aemter", "Beide Ämter", account.Clerk, "tiefbauamt", "bauamt")
	for i := range 15 {
		g := vaulttest.Citizen(t, p.Vault, vault.RealmAll, "musterstadt", fmt.Sprintf("person-%d@post.example", i))
		p.advance(time.Duration(i%2) * time.Second) // some at the same time
		for n, box := range []tenant.MailboxID{"tiefbauamt", "bauamt"} {
			in := mailbox.Permit{Mailbox: box, Name: fmt.Sprintf("Person %02d", 2*i+n)}
			p.must(p.Service.Permit(t.Context(), p.stadt(), account.Citizen{ID: g.Person, Grant: g.Token}, in))
		}
	}
	staff := p.signIn(both)
	page := staff.Get(permitsPath).Want(200)
	names := page.Texts("tbody th")
	older := regexp.MustCompile(`/amt/erlaubnisse\?nach=[^"]+`).FindString(page.Body)
	if len(names) != 25 || older == "" {
		t.Fatalf("first page has %d people, older %q", len(names), older)
	}
	page = staff.Get(older).Want(200)
	names = append(names, page.Texts("tbody th")...)
	if strings.Contains(page.Body, "?nach=") {
		t.Error("the last page leads further")
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != 30 {
		t.Errorf("%d people in all: %q", len(names), names)
	}
}
