package mailbox_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/mailbox"
)

// mailed is a mail as the listener hands it over.
func mailed(change ...func(*mailbox.Mailed)) mailbox.Mailed {
	m := mailbox.Mailed{
		Subject: "Lampe defekt", Body: "Die Lampe vor Haus 14 ist dunkel.", Name: "Erika Muster", Address: "erika@post.example", To: "info@musterstadt.example",
		MessageID: "<1@post.example>", Proof: mailbox.ProofYes, SPF: "pass", DKIM: "none", DMARC: "pass",
		Original: []byte("From: Erika Muster <erika@post.example>\r\n\r\nDie Lampe vor Haus 14 ist dunkel.\r\n"), Mark: []byte("mark-1"),
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

func (p *post) takeMail(change ...func(*mailbox.Mailed)) string {
	p.t.Helper()
	id, known, err := p.Service.TakeMail(p.t.Context(), p.stadt(), mailed(change...))
	p.must(err)
	if known {
		p.t.Fatal("a new mail is known")
	}
	p.settle()
	return id
}

func (p *post) hireFallback() clerk {
	return p.hire("lea.wolf", "Lea Wolf", account.Clerk, "buergerbuero", "tiefbauamt")
}

func TestTakeMail_BecomesALetter(t *testing.T) {
	p := newPost(t)
	b := p.signIn(p.hireFallback())
	p.deliver()
	id := p.takeMail(func(m *mailbox.Mailed) {
		m.Files = []mailbox.File{{Name: "plan.pdf", Content: pdf}, {Name: "lauf.exe", Content: []byte("MZ")}, {Name: "leer.pdf"}}
		m.HTML = true
	})
	if got := p.text(`select mailbox_id from mailbox_threads where id = $1`, id); got != "buergerbuero" {
		t.Errorf("lies in %q", got)
	}
	list := b.Get("/amt/eingang?weg=email").Want(200)
	if !list.Contains("Lampe defekt") || !list.Contains("Erika Muster") || list.Contains("Laterne defekt") {
		t.Error("the list of mails is wrong")
	}
	if all := b.Get("/amt/eingang").Want(200); !all.Contains("Lampe defekt") || !all.Contains("Laterne defekt") {
		t.Error("the whole list lacks a letter")
	}
	page := b.Get(casePath(id)).Want(200)
	for _, want := range []string{
		"kam als gewöhnliche E-Mail", "Bestätigt: Die E-Mail kommt von post.example", "Erika Muster <erika@post.example>", "SPF pass", "Die Lampe vor Haus 14",
		"plan.pdf", "Original-E-Mail.eml", "lauf.exe", "diese Dateiart nimmt das Postfach nicht an", "leer.pdf", "nur ihren Text",
		"Dieses Postfach antwortet nicht per E-Mail",
	} {
		if !page.Contains(want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page.Has("#antwort-form") {
		t.Error("an answer that reaches nobody is offered")
	}
}

func TestTakeMail_SentAgain(t *testing.T) {
	p := newPost(t)
	p.takeMail()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, known, err := p.Service.TakeMail(t.Context(), p.stadt(), mailed()); err != nil || !known {
				t.Errorf("known %v, %v", known, err)
			}
		})
	}
	wg.Wait()
	for range 4 { // a new one over four connections at once
		wg.Go(func() {
			if _, _, err := p.Service.TakeMail(t.Context(), p.stadt(), mailed(func(m *mailbox.Mailed) { m.Mark = []byte("mark-2") })); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := p.count(`select count(*) from mailbox_threads`); n != 2 {
		t.Errorf("%d letters of two mails", n)
	}
	if blobs, objects := p.count(`select count(*) from mailbox_files`), p.files(); blobs != 2 || objects != 2 {
		t.Errorf("%d files, %d objects", blobs, objects)
	}
	p.advance(8 * 24 * time.Hour)
	p.settle()
	if n := p.count(`select count(*) from mailbox_mail_marks`); n != 0 {
		t.Errorf("%d marks are left", n)
	}
}

func TestTakeMail_VaultAway(t *testing.T) {
	p := newPost(t)
	p.Switch.Off()
	id, _, err := p.Service.TakeMail(t.Context(), p.stadt(), mailed())
	p.must(err)
	p.Switch.On()
	p.settle()
	if !p.arrived(id) {
		t.Error("the letter did not reach the vault")
	}
}

func TestTakeMail_Answer(t *testing.T) {
	p := newPost(t)
	b := p.signIn(p.hireFallback())
	id := p.takeMail()
	b.Get(casePath(id)+"/weiterleiten").Want(200).Form("").Set("mailbox", "tiefbauamt").Set("grund", "Laterne").Submit().Want(200)
	p.settle()
	page := b.Get(casePath(id)).Want(200)
	if !page.Contains("Ihre Antwort wird nicht verschlüsselt") || !page.Contains("als gewöhnliche E-Mail an erika@post.example") || page.Has("#antwort-form [name=files]") {
		t.Error("the page does not warn, or takes files")
	}
	answerForm(page, "Danke, wir kommen.").Submit("aktion=senden").Want(200)
	p.settle()
	sent := p.Mail.Messages()
	last := sent[len(sent)-1]
	if last.To != "erika@post.example" || !strings.Contains(last.Text, "Danke, wir kommen.") || strings.Contains(last.Subject, "Lampe") ||
		last.Headers["In-Reply-To"] != "<1@post.example>" || last.Headers["Reply-To"] != "info@musterstadt.example" || strings.Contains(last.Text, "/abholen") {
		t.Errorf("sent %+v", last)
	}
	found, err := p.Service.Bounced(t.Context(), p.text(`select id from mailbox_messages where kind = 'office'`))
	p.must(err)
	if !found || !b.Get(casePath(id)).Want(200).Contains("Der Absender hat sie nicht bekommen") {
		t.Error("the report does not reach the office")
	}
	for _, made := range []string{"", "x", strings.Repeat("a", 26)} {
		if found, err := p.Service.Bounced(t.Context(), made); found || err != nil {
			t.Errorf("made-up id %q: %v, %v", made, found, err)
		}
	}
}

func TestTakeMail_Machine(t *testing.T) {
	p := newPost(t)
	b := p.signIn(p.hireFallback())
	b.Get("/amt/einstellungen").Want(200).Form("").Check("postfach", "buergerbuero").Submit().Want(200)
	id := p.takeMail(func(m *mailbox.Mailed) { m.Machine, m.Proof = true, mailbox.ProofForged })
	p.settle()
	if n := len(p.Mail.Messages()); n != 0 {
		t.Errorf("%d notices about a machine", n)
	}
	page := b.Get(casePath(id)).Want(200)
	if !page.Contains("keinen Absender, dem man antworten kann") || !page.Contains("wahrscheinlich gefälscht") || page.Has("#antwort-form") {
		t.Error("the page does not say that a machine wrote, or that it is forged")
	}
	p.takeMail(func(m *mailbox.Mailed) { m.Mark = []byte("by a person") })
	p.settle()
	if n := len(p.Mail.Messages()); n != 1 {
		t.Errorf("%d notices about a person", n)
	}
}

// Whatever a mail holds, its letter can be shown.
func TestTakeMail_Odd(t *testing.T) {
	p := newPost(t)
	b := p.signIn(p.hireFallback())
	for i, m := range []mailbox.Mailed{
		{Proof: mailbox.ProofUnknown},
		{Subject: "\u202egnp.exe", Name: "<script>alert(1)</script>", Address: "a@b.example", Body: strings.Repeat("ü", 200<<10), Proof: mailbox.ProofNo},
		{Subject: "leer", Body: "", Partial: true, Encrypted: true, Files: []mailbox.File{{Name: "../../etc/passwd\x00.pdf", Content: pdf}}},
	} {
		m.Mark, m.Original = []byte{byte(i)}, []byte("x")
		id, _, err := p.Service.TakeMail(t.Context(), p.stadt(), m)
		p.must(err)
		p.settle()
		page := b.Get(casePath(id)).Want(200)
		if strings.Contains(page.Body, "<script>alert") || strings.Contains(page.Body, "\u202egnp") {
			t.Errorf("mail %d is shown raw", i)
		}
	}
	if page := b.Get("/amt/eingang?weg=email").Want(200); !page.Contains("Ohne Betreff") && !page.Contains("ohne Betreff") {
		t.Log(page.Text("table"))
	}
}

// Nothing of a mail is in the clear: not in the database, not in the files, not
// in the log.
func TestTakeMail_Sealed(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	p := newPost(t, func(p *post) {
		p.logs = slog.NewTextHandler(writer{&log, &mu}, &slog.HandlerOptions{Level: slog.LevelDebug})
	})
	marks := []string{"SUBJECTMARK", "BODYMARK", "NAMEMARK", "addressmark", "ORIGINALMARK", "FILEMARK"}
	p.takeMail(func(m *mailbox.Mailed) {
		m.Subject, m.Body, m.Name, m.Address, m.MessageID = marks[0], marks[1], marks[2], marks[3]+"@x.example", "<"+marks[3]+"@x>"
		m.Original = []byte(marks[4])
		m.Files = []mailbox.File{{Name: marks[5] + ".txt", Content: []byte(marks[5])}, {Name: marks[5] + ".exe", Content: []byte("MZ")}}
	})
	p.must(filepath.WalkDir(p.DataDir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range marks {
			if bytes.Contains(data, []byte(m)) {
				t.Errorf("%s holds %s", filepath.Base(path), m)
			}
		}
		return err
	}))
	for _, m := range marks {
		for table, column := range map[string]string{"mailbox_mail": "facts", "mailbox_messages": "body", "mailbox_files": "card"} {
			if n := p.count(`select count(*) from `+table+` where `+column+` = $1`, []byte(m)); n != 0 {
				t.Errorf("%s holds %s", table, m)
			}
		}
		if strings.Contains(log.String(), m) {
			t.Errorf("the log holds %s", m)
		}
	}
}

type writer struct {
	b  *bytes.Buffer
	mu *sync.Mutex
}

func (w writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}
