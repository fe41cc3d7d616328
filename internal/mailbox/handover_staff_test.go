package mailbox_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/mailbox"
	"poststelle/internal/vault"
)

func TestForward_MovesAccess(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	old, next := p.signIn(p.Tiefbau), p.signIn(p.Bau)
	path := casePath(d.Thread)
	next.Get(path).Want(404)
	form := old.Get(path + "/weiterleiten").Want(200).Form("")
	page := form.Submit().Want(422)
	if got := page.Texts("#fehler li"); len(got) != 2 {
		t.Errorf("errors: %q, want target and reason", got)
	}
	p.advance(time.Minute)
	form = page.Form("").Set("mailbox", "bauamt").Set("grund", "Gehört zum Bauantrag nebenan")
	page = form.Submit().Want(200)
	if page.Path != "/amt/eingang" || !page.Contains("ist weitergeleitet") {
		t.Errorf("after forwarding at %s", page.Path)
	}
	old.Get(path).Want(404)
	page = next.Get(path).Want(200)
	if !page.Contains("Die Laterne vor Haus 14") || !page.Contains("Gehört zum Bauantrag nebenan") || !page.Contains("Jonas Berg") {
		t.Error("the new office must read the letter, the reason and find itself in the list of members")
	}
	p.settle()
	// By default the sender is told, without content.
	p.wantNotice("kim@example.org", "Bauamt", "Bauantrag", "Laterne")
	seen, err := p.Service.SeeCollected(t.Context(), "musterstadt", string(d.Code))
	p.must(err)
	for _, m := range seen.Messages {
		if strings.Contains(m.Body, "nebenan") {
			t.Error("the sender sees the reason")
		}
	}
	// A letter that was under way to the old office arrives in the new one.
	p.must(p.Service.WriteAgain(t.Context(), p.stadt(), d.Code, "Nachtrag"))
	p.settle()
	if page = next.Get(path).Want(200); !page.Contains("Nachtrag") {
		t.Error("the second letter did not arrive")
	}
}

// wantNotice expects exactly one mail to an address, without any of the words.
func (p *post) wantNotice(to string, without ...string) {
	p.t.Helper()
	n := 0
	for _, m := range p.Mail.Messages() {
		if m.To != to {
			continue
		}
		n++
		for _, w := range without {
			if strings.Contains(m.Subject+m.Text+m.HTML, w) {
				p.t.Errorf("the notice to %s contains %q", to, w)
			}
		}
	}
	if n != 1 {
		p.t.Errorf("%d mails to %s, want 1", n, to)
	}
}

func TestForward_InterruptedIsSettled(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	who := p.actor(p.Tiefbau)
	p.breakAfterVault(func() { p.must(p.Vault.Forward(t.Context(), who.Grant, "musterstadt", d.Thread, "bauamt")) }, d.Thread)
	b := p.signIn(p.Bau)
	b.Get(casePath(d.Thread)).Want(404) // the row still says the old office
	p.settle()
	p.advance(time.Minute)
	p.settle()
	if page := b.Get(casePath(d.Thread)).Want(200); !page.Contains("Die Laterne vor Haus 14") {
		t.Error("the forward was not carried over")
	}
	p.signIn(p.Tiefbau).Get(casePath(d.Thread)).Want(404)
	if n := p.count(`select count(*) from jobs where kind = 'mailbox.settle'`); n != 0 {
		t.Errorf("%d settling jobs left", n)
	}
}

// breakAfterVault stores the settling job of an operation and does its part in
// the vault, as a process that is killed before the last commit.
func (p *post) breakAfterVault(inVault func(), thread string) {
	p.t.Helper()
	p.must(p.Service.EnqueueSettle(p.t.Context(), "musterstadt", thread))
	inVault()
}

func TestDelete_LeavesNothing(t *testing.T) {
	p := newPost(t)
	keep := p.deliver()
	d := p.deliver(func(l *mailbox.Letter) { l.Files = []mailbox.File{{Name: "foto.pdf", Content: pdf}} })
	p.advance(time.Minute)
	b := p.signIn(p.Tiefbau)
	path := casePath(d.Thread)
	answerForm(b.Get(path), "Erledigt").File("files", "plan.pdf", "application/pdf", pdf).Submit("aktion=abschliessen").Want(200)
	p.settle()
	if n := p.files(); n != 2 {
		t.Fatalf("%d files in the store, want 2", n)
	}
	page := b.Get(path + "/loeschen").Want(200)
	if got := page.Text("main .ps-dl"); !strings.Contains(got, "Antworten2") || !strings.Contains(got, "Dateien2") {
		t.Errorf("what goes: %q", got)
	}
	page = page.Form("").Submit().Want(422)
	if !page.Contains("warum Sie den Vorgang löschen") {
		t.Error("a reason is required")
	}
	form := page.Form("").Set("grund", "erledigt")
	page = form.Submit().Want(200)
	if page.Path != "/amt/eingang" || !page.Contains("ist endgültig gelöscht") {
		t.Errorf("after deleting at %s", page.Path)
	}
	form.Submit().Want(404)
	p.settle()
	for _, q := range []string{"mailbox_threads where id", "mailbox_messages where thread_id", "mailbox_files where thread_id", "mailbox_intake where thread_id"} {
		if n := p.count(`select count(*) from `+q+` = $1`, d.Thread); n != 0 {
			t.Errorf("%d rows left in %s", n, q)
		}
	}
	if n := p.files(); n != 0 {
		t.Errorf("%d files left", n)
	}
	states, err := p.Vault.State(t.Context(), "musterstadt", []string{d.Thread, keep.Thread})
	p.must(err)
	if !states[d.Thread].Gone || states[keep.Thread].Gone {
		t.Errorf("vault says %+v", states)
	}
	if _, err := p.Service.SeeCollected(t.Context(), "musterstadt", string(d.Code)); !errors.Is(err, fault.Invalid) {
		t.Errorf("the code still opens: %v", err)
	}
	b.Get(path).Want(404)
	if got := p.text(`select actor from journal_entries where object = $1 and action = 'thread.deleted'`, d.Thread); got != "staff:"+p.Tiefbau.Person {
		t.Errorf("the journal names %q", got)
	}
	if seen, err := p.Service.SeeCollected(t.Context(), "musterstadt", string(keep.Code)); err != nil || len(seen.Messages) != 1 {
		t.Errorf("the other letter: %v", err)
	}
}

// files counts the objects in the blob store.
func (p *post) files() int {
	p.t.Helper()
	n := 0
	p.must(filepath.WalkDir(p.BlobDir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return err
	}))
	return n
}

func TestDelete_InterruptedIsSettled(t *testing.T) {
	p := newPost(t)
	d := p.deliver(func(l *mailbox.Letter) { l.Files = []mailbox.File{{Name: "foto.pdf", Content: pdf}} })
	who := p.actor(p.Tiefbau)
	p.breakAfterVault(func() { p.must(p.Vault.Shred(t.Context(), who.Grant, "musterstadt", d.Thread)) }, d.Thread)
	if n := p.count(`select count(*) from mailbox_threads`); n != 1 {
		t.Fatal("the row should still be there")
	}
	p.restart()
	p.advance(time.Minute)
	p.settle()
	p.settle()
	if n := p.count(`select count(*) from mailbox_threads`) + p.count(`select count(*) from mailbox_files`) + p.files(); n != 0 {
		t.Errorf("%d rows and files left", n)
	}
}

func TestDelete_BeforeTheVaultHasIt(t *testing.T) {
	p := newPost(t)
	d := p.post()
	b := p.signIn(p.Tiefbau)
	b.Get(casePath(d.Thread)+"/loeschen").Want(200).Form("").Set("grund", "irrtum").Submit().Want(200)
	p.settle()
	if n := p.count(`select count(*) from mailbox_threads`); n != 0 {
		t.Errorf("%d threads left", n)
	}
	if _, err := p.Service.SeeCollected(t.Context(), "musterstadt", string(d.Code)); !errors.Is(err, fault.Invalid) {
		t.Errorf("the code opens: %v", err)
	}
}

func TestAnswer_ByPlainMail(t *testing.T) {
	p := newPost(t)
	d := p.deliver(func(l *mailbox.Letter) { l.Reply = "email" })
	b := p.signIn(p.Tiefbau)
	page := b.Get(casePath(d.Thread)).Want(200)
	if !page.Contains("wird nicht verschlüsselt") {
		t.Error("the clerk is not warned")
	}
	p.advance(time.Minute)
	answerForm(page, "Wir kommen **morgen**.").File("files", "plan.pdf", "application/pdf", pdf).Submit("aktion=senden").Want(200)
	p.settle()
	sent := p.Mail.Messages()
	if len(sent) != 1 || sent[0].To != "kim@example.org" || !strings.Contains(sent[0].Text, "Wir kommen morgen.") || strings.Contains(sent[0].Text, "plan.pdf") {
		t.Fatalf("mails: %+v", sent)
	}
	if strings.Contains(sent[0].Subject, "Laterne") {
		t.Error("the subject of the mail repeats that of the letter")
	}
	p.settle()
	if n := len(p.Mail.Messages()); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

func TestNotices_HoldNoContent(t *testing.T) {
	p := newPost(t)
	b := p.signIn(p.Tiefbau)
	page := b.Get("/amt/einstellungen").Want(200).Form("").Check("postfach", "tiefbauamt").Submit().Want(200)
	if !page.Contains("Ihre Einstellungen sind gespeichert") || !page.Has("input[name=postfach][checked]") {
		t.Error("the choice is not kept")
	}
	d := p.deliver()
	p.wantNotice("ayse.kaya@musterstadt.example", "Laterne", "Kim", "Musterperson", d.Number, d.Thread)
	p.advance(time.Minute)
	p.must(p.Service.Answer(t.Context(), p.actor(p.Tiefbau), mailbox.Reply{Thread: d.Thread, Body: "Vertraulich"}))
	p.settle()
	p.wantNotice("kim@example.org", "Vertraulich", "Laterne", "Tiefbau", d.Number, string(d.Code))
	// Without the wish there is no mail.
	page.Form("").Uncheck("postfach", "tiefbauamt").Submit().Want(200)
	p.advance(time.Hour)
	p.deliver()
	p.wantNotice("ayse.kaya@musterstadt.example")
}

func TestNotice_OfDeletedThreadEndsQuietly(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	p.must(p.Service.Answer(t.Context(), p.actor(p.Tiefbau), mailbox.Reply{Thread: d.Thread, Body: "Guten Tag"}))
	p.must(p.Service.Remove(t.Context(), p.actor(p.Tiefbau), d.Thread, "erledigt"))
	p.settle()
	dead, err := p.Jobs.Dead(t.Context())
	p.must(err)
	if len(dead) != 0 || len(p.Mail.Messages()) != 0 {
		t.Errorf("dead letters %+v, mails %d", dead, len(p.Mail.Messages()))
	}
}

func TestLeaver_LosesAccessAtOnce(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	form := answerForm(b.Get(casePath(d.Thread)).Want(200), "Noch schnell")
	p.must(p.Vault.Leave(t.Context(), p.token(vault.ServiceConsole), "musterstadt", p.Tiefbau.Person, "tiefbauamt"))
	b.Get(casePath(d.Thread)).Want(404)
	form.Submit("aktion=senden").Want(404)
	if got := subjects(b.Get("/amt/eingang").Want(200)); len(got) != 0 {
		t.Errorf("the list still shows %q", got)
	}
	other := p.signIn(p.Bau)
	p.must(p.staff().Disable(t.Context(), "musterstadt", p.Bau.Person))
	if page := other.Get("/amt/eingang").Want(200); page.Path != "/amt/anmelden?weiter=%2Famt%2Feingang" {
		t.Errorf("a disabled person is at %s", page.Path)
	}
}

// The core asks the vault, not its own list: an actor that claims a mailbox
// gets nothing.
func TestLeaver_ClaimedMembershipOpensNothing(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	who := p.actor(p.Bau)
	who.Mailboxes = append(who.Mailboxes, "tiefbauamt")
	for name, err := range map[string]error{
		"read":    second(p.Service.SeeThread(context.Background(), who, d.Thread)),
		"answer":  p.Service.Answer(t.Context(), who, mailbox.Reply{Thread: d.Thread, Body: "x"}),
		"forward": p.Service.Forward(t.Context(), who, d.Thread, "bauamt", "x", false),
		"delete":  p.Service.Remove(t.Context(), who, d.Thread, "irrtum"),
	} {
		if !errors.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want NotFound", name, err)
		}
	}
	if n := p.count(`select count(*) from mailbox_threads where mailbox_id = 'tiefbauamt'`); n != 1 {
		t.Error("the thread is gone or moved")
	}
}

func second[T any](_ T, err error) error { return err }

// A clerk of another mailbox or tenant meets, on every route with an id, the
// page of an id that never was.
func TestForeignThread_LooksLikeNone(t *testing.T) {
	p := newPost(t)
	d := p.deliver(func(l *mailbox.Letter) { l.Files = []mailbox.File{{Name: "foto.pdf", Content: pdf}} })
	part := strings.TrimPrefix(p.text(`select part from mailbox_files`), "file/")
	b := p.signIn(p.Bau)
	b.NoFollow = true
	never := strings.ToLower(strings.Repeat("x", len(d.Thread)))
	tried := 0
	for _, route := range p.Router.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(pattern, "/amt/vorgang/{id}") {
			continue
		}
		tried++
		ask := func(id string) (int, string) {
			path := strings.NewReplacer("{id}", id, "{message}", d.Message, "{part}", part).Replace(pattern)
			page := b.Get(path)
			if method == "POST" {
				page = b.PostForm(path, "person", "ich", "grund", "erledigt", "mailbox", "bauamt", "notiz", "x", "body", "x")
			}
			body := strings.ReplaceAll(page.Body, id, "ID")
			if i := strings.Index(body, "nonce="); i >= 0 {
				for _, n := range []string{page.Attr("script", "nonce")} {
					body = strings.ReplaceAll(body, n, "N")
				}
			}
			if token := page.Attr("input[name=schutz]", "value"); token != "" {
				body = strings.ReplaceAll(body, token, "T")
			}
			return page.Status, body
		}
		gotStatus, got := ask(d.Thread)
		wantStatus, want := ask(never)
		if gotStatus != 404 || gotStatus != wantStatus || got != want {
			t.Errorf("%s: foreign %d, never existing %d, bodies equal: %v", route, gotStatus, wantStatus, got == want)
		}
	}
	if tried < 13 {
		t.Errorf("only %d routes tried", tried)
	}
	if n := p.count(`select count(*) from mailbox_threads where mailbox_id = 'tiefbauamt' and state = 'new'`); n != 1 {
		t.Error("a foreign request changed the thread")
	}
	// A clerk of another authority, on that authority's host.
	far := p.hireAt("beispielingen", "lena.fern", "Lena Fern", account.Clerk, "rathaus")
	c := p.browser()
	c.Host = beispielingen
	c.Get("/amt/anmelden").Form("").Set("login", far.Login).Set("password", far.Password).Submit().Want(200)
	c.Get(casePath(d.Thread)).Want(404)
	c.Get("/amt/eingang").Want(200)
	// Its session is worth nothing on the other host.
	for _, k := range c.Cookies() {
		b2 := p.browser()
		b2.SetCookie(k.Name, k.Value)
		if page := b2.Get("/amt/eingang"); !strings.HasPrefix(page.Path, "/amt/anmelden") {
			t.Errorf("a foreign session is at %s", page.Path)
		}
	}
}

// meddler is a vault during whose Forward something else happens.
type meddler struct {
	vault.Service
	after func()
}

func (m *meddler) Forward(ctx context.Context, token, of, thread, to string) error {
	err := m.Service.Forward(ctx, token, of, thread, to)
	if f := m.after; f != nil {
		m.after = nil
		f()
	}
	return err
}

// Once the vault has moved a thread, neither a letter that comes in at that
// moment nor the settling job keeps the row from following, with its reason.
func TestForward_CompletesWhateverComesBetween(t *testing.T) {
	for name, between := range map[string]func(p *post, d mailbox.Delivered){
		"a letter comes in": func(p *post, d mailbox.Delivered) {
			p.must(p.Service.WriteAgain(p.t.Context(), p.stadt(), d.Code, "Nachtrag"))
		},
		"the settling job runs": func(p *post, _ mailbox.Delivered) {
			p.advance(time.Minute)
			p.settle()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var m *meddler
			p := newPost(t, func(p *post) {
				m = &meddler{Service: p.service}
				p.service = m
			})
			d := p.deliver()
			m.after = func() { between(p, d) }
			p.must(p.Service.Forward(t.Context(), p.actor(p.Tiefbau), d.Thread, "bauamt", "Gehört dorthin", false))
			p.settle()
			page := p.signIn(p.Bau).Get(casePath(d.Thread)).Want(200)
			if !page.Contains("Gehört dorthin") {
				t.Error("the reason is lost")
			}
		})
	}
}
