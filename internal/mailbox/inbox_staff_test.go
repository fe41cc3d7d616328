package mailbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
	"poststelle/internal/vault/vaulttest"
	"poststelle/internal/web/webtest"
)

// signIn opens a browser and signs a clerk in through the page.
func (p *post) signIn(c clerk) *webtest.Client {
	p.t.Helper()
	b := p.browser()
	form := b.Get("/amt/anmelden").Want(200).Form("")
	form.Set("login", c.Login).Set("password", c.Password)
	if page := form.Submit(); page.Status != 200 || page.Path != "/amt/eingang" {
		p.t.Fatalf("sign in %s: status %d at %s", c.Login, page.Status, page.Path)
	}
	return b
}

// deliver stores a letter to the Tiefbauamt, or where change says, and hands
// its keys to the vault.
func (p *post) deliver(change ...func(*mailbox.Letter)) mailbox.Delivered {
	p.t.Helper()
	d := p.post(change...)
	p.settle()
	return d
}

// post is deliver without the vault.
func (p *post) post(change ...func(*mailbox.Letter)) mailbox.Delivered {
	p.t.Helper()
	l := mailbox.Letter{
		Mailbox: "tiefbauamt", Topic: "schaden", Subject: "Laterne defekt", Body: "Die Laterne vor Haus 14 ist seit Montag dunkel.",
		Name: "Kim Musterperson", Address: "Lindenstraße 14\n70000 Musterstadt", Email: "kim@example.org",
	}
	for _, f := range change {
		f(&l)
	}
	d, err := p.Service.Deliver(p.t.Context(), p.stadt(), l)
	p.must(err)
	return d
}

// subjects lists the subjects of an inbox page from top to bottom.
func subjects(page *webtest.Page) []string {
	return page.Texts("tbody .ps-cell-subject a")
}

func casePath(id string) string { return "/amt/vorgang/" + id }

func TestInbox_PagingLosesAndDoublesNothing(t *testing.T) {
	p := newPost(t)
	both := p.hire("mira.both", "Mira Both", account.Clerk, "tiefbauamt", "buergerbuero")
	var want []string
	for i := range 120 {
		box, topic := tenant.MailboxID("tiefbauamt"), "schaden"
		if i%3 == 0 {
			box, topic = "buergerbuero", "ausweis"
		}
		subject := fmt.Sprintf("Brief %03d", i)
		want = append(want, subject)
		p.post(func(l *mailbox.Letter) { l.Mailbox, l.Topic, l.Subject = box, topic, subject })
		if i%4 != 0 { // several letters share an instant
			p.advance(17 * time.Minute)
		}
	}
	p.settle()
	b := p.signIn(both)
	for _, order := range []string{"neu", "alt", "frist"} {
		for _, size := range []int{25, 50} {
			page := b.Get(fmt.Sprintf("/amt/eingang?sort=%s&n=%d", order, size)).Want(200)
			var forwards [][]string
			for {
				forwards = append(forwards, subjects(page))
				if !page.Has("a[rel=next]") {
					break
				}
				page = page.Click("a[rel=next]").Want(200)
			}
			all := slices.Concat(forwards...)
			sorted := slices.Sorted(slices.Values(all))
			if !slices.Equal(sorted, want) {
				t.Errorf("%s/%d: %d rows, want each of 120 once", order, size, len(all))
			}
			backwards := [][]string{subjects(page)}
			for page.Has("a[rel=prev]") {
				page = page.Click("a[rel=prev]").Want(200)
				backwards = append([][]string{subjects(page)}, backwards...)
			}
			if got := slices.Concat(backwards...); !slices.Equal(got, all) {
				t.Errorf("%s/%d: backwards %d rows in another order than forwards %d", order, size, len(got), len(all))
			}
		}
	}
	// The order is what it says it is, across the two mailboxes.
	first := subjects(b.Get("/amt/eingang?sort=neu&n=25"))
	last := subjects(b.Get("/amt/eingang?sort=alt&n=25"))
	if first[0] != "Brief 119" || !strings.HasPrefix(last[0], "Brief 00") {
		t.Errorf("newest first begins with %q, oldest first with %q", first[0], last[0])
	}
	only := subjects(b.Get("/amt/eingang?postfach=buergerbuero&n=100"))
	if len(only) != 40 {
		t.Errorf("one mailbox lists %d letters, want 40", len(only))
	}
}

func TestInbox_ViewsFiltersAndCounts(t *testing.T) {
	p := newPost(t)
	a := p.deliver(func(l *mailbox.Letter) { l.Subject = "Alpha" })
	bb := p.deliver(func(l *mailbox.Letter) { l.Subject, l.Topic = "Beta", "baustelle" })
	c := p.deliver(func(l *mailbox.Letter) { l.Subject = "Gamma" })
	who := p.actor(p.Tiefbau)
	p.must(p.Service.Assign(t.Context(), who, bb.Thread, p.Tiefbau.Person))
	p.must(p.Service.CloseThread(t.Context(), who, c.Thread))
	p.must(p.Service.MarkRead(t.Context(), who, bb.Thread))
	b := p.signIn(p.Tiefbau)
	for query, want := range map[string]string{
		"":                            "Beta Alpha",
		"?sicht=neu":                  "Alpha",
		"?sicht=meine":                "Beta",
		"?sicht=frei":                 "Alpha",
		"?sicht=erledigt":             "Gamma",
		"?sicht=ueberfaellig":         "",
		"?status=open":                "Beta",
		"?status=closed":              "Gamma",
		"?thema=baustelle":            "Beta",
		"?wer=ich":                    "Beta",
		"?wer=" + p.Bau.Person:        "",
		"?nr=" + a.Number:             "Alpha",
		"?nr=" + c.Number:             "Gamma",
		"?nr=2026-999999":             "",
		"?sicht=quatsch&sort=x&n=7":   "Beta Alpha",
		"?nach=kaputt&vor=auch":       "Beta Alpha",
		"?sort=frist&status=new":      "Alpha",
		"?sicht=frei&thema=baustelle": "",
	} {
		got := subjects(b.Get("/amt/eingang" + query).Want(200))
		slices.Sort(got)
		wanted := strings.Fields(want)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("inbox%s lists %v, want %v", query, got, wanted)
		}
	}
	if got := b.Get("/amt/eingang").Text(".ps-side__list"); !strings.Contains(got, "Alle offenen2") || !strings.Contains(got, "Meine1") {
		t.Errorf("counts beside the views: %q", got)
	}
	b.Get("/amt/eingang?postfach=bauamt").Want(404)
	b.Get("/amt/eingang?postfach=gibtesnicht").Want(404)
	// Due today is not overdue, due yesterday is; once answered it is neither.
	p.advance(7 * 24 * time.Hour) // Friday, the day on which five working days end
	b = p.signIn(p.Tiefbau)
	if got := subjects(b.Get("/amt/eingang?sicht=ueberfaellig")); len(got) != 0 {
		t.Errorf("overdue on the day it is due: %v", got)
	}
	p.advance(24 * time.Hour)
	b = p.signIn(p.Tiefbau)
	if got := subjects(b.Get("/amt/eingang?sicht=ueberfaellig")); len(got) != 2 {
		t.Errorf("overdue a day later: %v, want two", got)
	}
	p.must(p.Service.Answer(t.Context(), p.actor(p.Tiefbau), mailbox.Reply{Thread: a.Thread, Body: "Wir kommen."}))
	if got := subjects(b.Get("/amt/eingang?sicht=ueberfaellig")); len(got) != 1 || got[0] != "Beta" {
		t.Errorf("overdue after an answer: %v, want Beta alone", got)
	}
}

func TestInbox_BulkAndUndo(t *testing.T) {
	p := newPost(t)
	var ids []string
	for range 3 {
		ids = append(ids, p.deliver().Thread)
	}
	foreign := p.deliver(func(l *mailbox.Letter) { l.Mailbox, l.Topic = "bauamt", "antrag" })
	b := p.signIn(p.Tiefbau)
	form := b.Get("/amt/eingang?sort=alt").Form("main form.ps-form--plain")
	form.Check("vorgang", ids[0]).Check("vorgang", ids[1]).Add("vorgang", foreign.Thread).Add("vorgang", "gibtesnicht")
	page := form.Submit("aktion=abschliessen").Want(200)
	if page.Path != "/amt/eingang?sort=alt" {
		t.Errorf("after closing at %s, want the same list", page.Path)
	}
	if got := page.Text(".ps-undo"); !strings.Contains(got, "2 Vorgänge abgeschlossen") {
		t.Errorf("undo bar says %q", got)
	}
	if n := p.count(`select count(*) from mailbox_threads where state = 'closed'`); n != 2 {
		t.Errorf("%d closed, want 2: the foreign one must stay", n)
	}
	page = page.Form(".ps-undo form").Submit().Want(200)
	if n := p.count(`select count(*) from mailbox_threads where state = 'closed'`); n != 0 {
		t.Errorf("%d closed after undo", n)
	}
	fresh := p.count(`select count(*) from mailbox_threads where state = 'new' and unread`)
	if all := p.count(`select count(*) from mailbox_threads`); fresh != all {
		t.Errorf("%d of %d new and unread after undo", fresh, all)
	}
	if page.Has(".ps-undo form") {
		t.Error("the undo itself offers an undo")
	}
	form = page.Form("main form.ps-form--plain")
	form.Check("vorgang", ids[2])
	page = form.Submit("aktion=mir").Want(200)
	if n := p.count(`select count(*) from mailbox_threads where assignee = $1`, p.Tiefbau.Person); n != 1 {
		t.Errorf("%d assigned, want 1", n)
	}
	page.Form(".ps-undo form").Submit().Want(200)
	if n := p.count(`select count(*) from mailbox_threads where assignee <> ''`); n != 0 {
		t.Errorf("%d assigned after undo", n)
	}
	if n := p.count(`select count(*) from mailbox_threads where state = 'new' and unread`); n != fresh {
		t.Errorf("%d new and unread after undo, want %d", n, fresh)
	}
	b.PostForm("/amt/eingang", "aktion", "quatsch", "vorgang", ids[0]).Want(422)
}

func TestInbox_LetterOnItsWay(t *testing.T) {
	p := newPost(t)
	d := p.post(func(l *mailbox.Letter) { l.Subject = "Geheimer Betreff" })
	b := p.signIn(p.Tiefbau)
	page := b.Get("/amt/eingang").Want(200)
	if !page.Contains("Wird übernommen") || page.Contains("Geheimer Betreff") {
		t.Error("a letter whose keys are not in the vault yet must say so")
	}
	page = b.Get(casePath(d.Thread)).Want(200)
	if !page.Contains("Wird übernommen") || page.Has("#antwort-form") {
		t.Error("its page must say so and offer no answer")
	}
	p.settle()
	if page = b.Get(casePath(d.Thread)).Want(200); page.Text("h1") != "Geheimer Betreff" {
		t.Errorf("h1 = %q", page.Text("h1"))
	}
}

func TestInbox_VaultAway(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	p.Switch.Off()
	for _, path := range []string{"/amt/eingang", casePath(d.Thread), casePath(d.Thread) + "/druck"} {
		page := b.Get(path).Want(503)
		if !page.Contains("Neue Nachrichten nehmen wir weiter an") {
			t.Errorf("%s: page does not say that intake goes on", path)
		}
	}
	p.post() // intake goes on
	p.Switch.On()
	p.settle()
	if got := subjects(b.Get("/amt/eingang").Want(200)); len(got) != 2 {
		t.Errorf("after the vault is back: %v", got)
	}
}

// hireAt hires at another authority.
func (p *post) hireAt(of tenant.ID, login, name string, role account.Role, boxes ...tenant.MailboxID) clerk {
	p.t.Helper()
	c := clerk{Name: name, Login: login, Password: vaulttest.Password(login)}
	e, err := p.staff().AddStaff(p.t.Context(), account.NewStaff{
		Tenant: of, Login: login, Name: name, Password: c.Password, Role: role, Mailboxes: boxes,
	})
	p.must(err)
	c.Person = e.Person
	return c
}

// text returns the one value that a query finds.
func (p *post) text(q string, args ...any) (s string) {
	p.t.Helper()
	p.must(p.DB.View(context.Background(), func(tx *db.Tx) error {
		return tx.QueryRow(context.Background(), q, args...).Scan(&s)
	}))
	return s
}

// What stands in an address may be anything; no database gets to see a part of
// a character, or what it refuses as text.
func TestInbox_AddressesOfAnyText(t *testing.T) {
	p := newPost(t)
	d := p.deliver()
	b := p.signIn(p.Tiefbau)
	for _, bad := range []string{strings.Repeat("a", 59) + "%C3%BC", "%FF", "a%00b", strings.Repeat("%F0%9F%98%80", 30), "1-%C3", "1-a%00"} {
		for _, name := range []string{"thema", "wer", "nr", "nach", "vor", "postfach", "status", "sicht"} {
			if got := b.Get("/amt/eingang?" + name + "=" + bad); got.Status >= 500 {
				t.Errorf("%s=%s: %d", name, bad, got.Status)
			}
		}
	}
	for _, path := range []string{"/amt/vorgang/a%00b", "/amt/vorgang/%FF", casePath(d.Thread) + "/datei/a%00/b", casePath(d.Thread) + "/datei/" + d.Message + "/%FF"} {
		if got := b.Get(path); got.Status >= 500 {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
}
