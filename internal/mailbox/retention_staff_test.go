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

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

const oneDay = 24 * time.Hour

// rule gives the Tiefbauamt a rule, as an authority with the profile streng may
// have one.
func (p *post) rule(days int) {
	p.t.Helper()
	p.must(tenant.SetRetention(p.t.Context(), p.DB, "musterstadt", "tiefbauamt", days))
	p.must(p.Directory.Refresh(p.t.Context()))
}

func (p *post) exec(q string) {
	p.t.Helper()
	p.must(p.DB.Update(p.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(p.t.Context(), q)
		return err
	}))
}

func strict(p *post) {
	p.exec(`update tenant_tenants set profile = 'streng' where id = 'musterstadt'`)
	p.exec(`update tenant_revision set revision = revision + 1`)
	p.must(p.Directory.Refresh(p.t.Context()))
}

// close closes a thread as its clerk does.
func (p *post) close(thread string) {
	p.t.Helper()
	p.signIn(p.Tiefbau).Get(casePath(thread)).Want(200).Form("form[action=" + casePath(thread) + "/abschliessen]").Submit().Want(200)
}

func (p *post) there(thread string) bool {
	p.t.Helper()
	return p.count(`select count(*) from mailbox_threads where id = $1`, thread) == 1
}

// pass moves the clock and runs what is due.
func (p *post) pass(d time.Duration) {
	p.t.Helper()
	p.advance(d)
	p.must(p.Vault.Housekeep(p.t.Context()))
	p.must(p.Deputy.Renew(p.t.Context()))
	for range 3 {
		p.settle()
		p.advance(time.Minute)
	}
}

// From the letter to nothing: rows, files and keys are gone, and the marker is in
// no file of the installation in the clear.
func TestRetention_FromLetterToNothing(t *testing.T) {
	p := newPost(t, strict)
	p.rule(30)
	const marker = "Sumpfdotterblume"
	d := p.deliver(func(l *mailbox.Letter) {
		l.Subject, l.Files = marker, []mailbox.File{{Name: "foto.pdf", Content: pdf}}
	})
	never := p.deliver(func(l *mailbox.Letter) { l.Mailbox, l.Topic = "bauamt", "antrag" })
	p.close(d.Thread)
	b := p.signIn(p.Bau)
	b.Get(casePath(never.Thread)).Want(200).Form("form[action=" + casePath(never.Thread) + "/abschliessen]").Submit().Want(200)
	if got := p.signIn(p.Tiefbau).Get(casePath(d.Thread)).Text("section[aria-labelledby=aufbewahrung]"); !strings.Contains(got, "21.12.2026") && !strings.Contains(got, "21. Dezember 2026") {
		t.Errorf("the office does not read the day of the deletion: %q", got)
	}
	c := p.browser()
	page := c.Get("/abholen").Want(200).Form("main form").Set("code", d.Code.String()).Submit().Want(200)
	if !page.Contains("und wird am 21.12.2026 gelöscht") && !page.Contains("21. Dezember 2026") {
		t.Errorf("the sender does not read the day of the deletion: %q", page.Text("aside"))
	}
	p.pass(30 * oneDay) // the last day of the period
	if !p.there(d.Thread) {
		t.Fatal("deleted too early")
	}
	p.pass(oneDay)
	if p.there(d.Thread) {
		t.Fatal("not deleted")
	}
	for _, q := range []string{"mailbox_messages where thread_id", "mailbox_files where thread_id", "mailbox_intake where thread_id", "mailbox_exceptions where thread_id"} {
		if n := p.count(`select count(*) from `+q+` = $1`, d.Thread); n != 0 {
			t.Errorf("%d rows left in %s", n, q)
		}
	}
	if n := p.files(); n != 0 {
		t.Errorf("%d files left", n)
	}
	states, err := p.Vault.State(t.Context(), "musterstadt", []string{d.Thread, never.Thread})
	p.must(err)
	if !states[d.Thread].Gone || states[never.Thread].Gone {
		t.Errorf("the vault says %+v", states)
	}
	if _, err := p.Service.SeeCollected(t.Context(), "musterstadt", string(d.Code)); !errors.Is(err, fault.Invalid) {
		t.Errorf("the code still opens: %v", err)
	}
	if got := p.text(`select actor from journal_entries where object = $1 and action = 'thread.deleted'`, d.Thread); got != "job:mailbox.retention" {
		t.Errorf("the journal names %q", got)
	}
	// A mailbox without rule is never touched (A47).
	p.pass(400 * oneDay)
	if !p.there(never.Thread) {
		t.Error("a letter of a mailbox without rule is gone")
	}
	p.must(filepath.WalkDir(p.DataDir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), marker) {
			t.Errorf("the marker stands in %s", filepath.Base(path))
		}
		return err
	}))
}

// What is open stays, however old; reopening stops the clock, and the next
// closing starts it anew.
func TestRetention_OpenStays(t *testing.T) {
	p := newPost(t, strict)
	p.rule(30)
	open, again, written := p.deliver(), p.deliver(), p.deliver()
	p.close(again.Thread)
	p.close(written.Thread)
	p.pass(29 * oneDay)
	p.signIn(p.Tiefbau).Get(casePath(again.Thread)).Want(200).Form("aside form[action=" + casePath(again.Thread) + "/oeffnen]").Submit().Want(200)
	p.must(p.Service.WriteAgain(t.Context(), p.stadt(), written.Code, "Es ist noch nicht erledigt, bitte schauen Sie noch einmal."))
	p.pass(300 * oneDay)
	for name, id := range map[string]string{"open": open.Thread, "reopened": again.Thread, "written to again": written.Thread} {
		if !p.there(id) {
			t.Errorf("the %s one is gone", name)
		}
	}
	p.close(again.Thread)
	p.pass(30 * oneDay)
	if !p.there(again.Thread) {
		t.Error("the clock was not started anew")
	}
	p.pass(oneDay)
	if p.there(again.Thread) {
		t.Error("closed again, and not deleted")
	}
}

// A rule that is made later takes nothing at once, and one that is taken back
// takes nothing at all.
func TestRetention_RuleMadeAndTakenBack(t *testing.T) {
	p := newPost(t, strict)
	d := p.deliver()
	p.close(d.Thread)
	p.pass(400 * oneDay)
	p.rule(30)
	p.pass(29 * oneDay)
	if !p.there(d.Thread) {
		t.Fatal("what was closed before the rule is gone at once")
	}
	p.must(tenant.SetRetention(t.Context(), p.DB, "musterstadt", "tiefbauamt", 0)) // by another process
	p.pass(100 * oneDay)
	if !p.there(d.Thread) {
		t.Fatal("deleted by a rule that is no more")
	}
}

// A law keeps a thread until its day, against the job and against the office.
func TestRetention_Exception(t *testing.T) {
	p := newPost(t, strict)
	p.rule(30)
	d := p.deliver()
	p.close(d.Thread)
	b := p.signIn(p.Tiefbau)
	path := casePath(d.Thread) + "/aufbewahren"
	for name, c := range map[string]struct{ norm, until, says string }{
		"no norm":  {"", "2027-12-31", "Geben Sie die Rechtsgrundlage"},
		"no law":   {"weil wichtig", "2027-12-31", "Geben Sie die Rechtsgrundlage"},
		"endless":  {"§ 147 AO", "", "bis zu welchem Tag"},
		"past":     {"§ 147 AO", "2026-11-20", "in der Zukunft"},
		"too far":  {"§ 147 AO", "2056-11-21", "höchstens 30 Jahre"},
		"too long": {"§ 147 AO " + strings.Repeat("x", 200), "2027-12-31", "höchstens 200 Zeichen"},
	} {
		page := b.Get(path).Want(200).Form("main form").Set("norm", c.norm).Set("bis", c.until).Submit("aktion=aufbewahren").Want(422)
		if !page.Contains(c.says) || page.Form("main form").Get("norm") != c.norm {
			t.Errorf("%s: the page says %q", name, page.Text("main"))
		}
	}
	page := b.Get(path).Form("main form").Set("norm", "§ 147 AO").Set("bis", "2027-12-31").Submit("aktion=aufbewahren").Want(200)
	if !strings.Contains(page.Text("section[aria-labelledby=aufbewahrung]"), "§ 147 AO") || page.Has("section[aria-labelledby=aufbewahrung] a[href="+casePath(d.Thread)+"/loeschen]") {
		t.Errorf("the thread says %q", page.Text("section[aria-labelledby=aufbewahrung]"))
	}
	if n := p.count(`select count(*) from journal_entries where object = $1 and action = 'thread.excepted'`, d.Thread); n != 1 {
		t.Errorf("%d entries of the journal", n)
	}
	if del := b.Get(casePath(d.Thread) + "/loeschen").Want(200); !del.Has("#aufzubewahren") || del.Has("main select[name=grund]") {
		t.Error("the page of the deletion does not refuse")
	}
	if err := p.Service.Remove(t.Context(), p.actor(p.Tiefbau), d.Thread, "erledigt"); !errors.Is(err, fault.Conflict) {
		t.Errorf("Remove() = %v, want Conflict", err)
	}
	p.pass(405 * oneDay) // 30 December 2027
	if !p.there(d.Thread) {
		t.Fatal("gone in spite of the law")
	}
	p.pass(2 * oneDay)
	if p.there(d.Thread) {
		t.Error("still there after the law has ended")
	}
	// Another one is let go of by hand.
	e := p.deliver()
	p.close(e.Thread)
	b = p.signIn(p.Tiefbau)
	path = casePath(e.Thread) + "/aufbewahren"
	b.Get(path).Form("main form").Set("norm", "Art. 17 Abs. 3 DSGVO").Set("bis", "2040-01-01").Submit("aktion=aufbewahren").Want(200)
	p.pass(60 * oneDay)
	if !p.there(e.Thread) {
		t.Fatal("gone in spite of the exception")
	}
	p.signIn(p.Tiefbau).Get(path).Form("main form").Submit("aktion=aufheben").Want(200)
	p.pass(oneDay)
	if p.there(e.Thread) {
		t.Error("still there without the exception")
	}
	p.signIn(p.Bau).Get(casePath(d.Thread) + "/aufbewahren").Want(404)
}

// unready is a vault whose Shred is away, once, for the job.
type unready struct {
	vault.Service
	away bool
}

func (u *unready) Shred(ctx context.Context, token, of, thread string) error {
	if u.away {
		return fault.Unavailable
	}
	return u.Service.Shred(ctx, token, of, thread)
}

// A crash between the decision and the vault is finished afterwards.
func TestRetention_InterruptedIsFinished(t *testing.T) {
	var u *unready
	p := newPost(t, strict, func(p *post) {
		u = &unready{Service: p.service}
		p.service = u
	})
	p.rule(30)
	d := p.deliver()
	p.close(d.Thread)
	u.away = true
	p.advance(31 * oneDay)
	if _, err := p.Jobs.RunDue(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("the job without the vault = %v", err)
	}
	if !p.there(d.Thread) || p.count(`select count(*) from journal_entries where object = $1 and action = 'thread.deletion'`, d.Thread) != 1 {
		t.Fatal("the deletion is not decided, or is done without the vault")
	}
	p.restart()
	u.away = false
	p.pass(2 * time.Hour)
	if p.there(d.Thread) {
		t.Error("the deletion is not finished")
	}
}

// What is open for more than 90 days is reported until it is closed (B70).
func TestRetention_OpenForLongIsReported(t *testing.T) {
	p := newPost(t)
	old, done := p.deliver(), p.deliver(func(l *mailbox.Letter) { l.Subject = "Erledigt" })
	p.close(done.Thread)
	p.pass(90 * oneDay)
	list := func() []string { return subjects(p.signIn(p.Tiefbau).Get("/amt/eingang?sicht=lange").Want(200)) }
	if got := list(); len(got) != 0 {
		t.Errorf("reported on the last day: %q", got)
	}
	p.pass(oneDay)
	p.deliver(func(l *mailbox.Letter) { l.Subject = "Neu" })
	if got := list(); len(got) != 1 || got[0] != "Laterne defekt" {
		t.Errorf("reported: %q", got)
	}
	p.close(old.Thread)
	if got := list(); len(got) != 0 {
		t.Errorf("reported after closing: %q", got)
	}
}
