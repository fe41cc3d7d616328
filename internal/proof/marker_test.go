package proof_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"poststelle/internal/account"
	"poststelle/internal/mail"
)

// traces collects everywhere that something may have been left.
func (h *house) traces(m *marks) (hits []string) {
	h.t.Helper()
	ps := m.finder()
	hits = append(hits, findUnder(h.t, ps, h.dir)...)
	hits = append(hits, find(ps, "program's log", h.logs.Bytes())...)
	if h.isPostgres() {
		hits = append(hits, find(ps, "pg_dump", dump(h.t, h.url))...)
		log, files := clusterFiles(h.t, h.url)
		if !m.asked {
			hits = append(hits, find(ps, "cluster's log", log[h.logFrom:])...)
		}
		hits = append(hits, findUnder(h.t, ps, files)...)
	}
	return hits
}

func none(t *testing.T, when string, hits []string) {
	t.Helper()
	for _, hit := range hits {
		t.Errorf("%s: %s", when, hit)
	}
}

// inMail returns where marks stand in a mail, except the address it goes to.
func inMail(ps *finder, m mail.Message) (hits []string) {
	all := fmt.Sprintf("%q %q %q %q %q %v", m.From, m.Subject, m.Text, m.HTML, m.ID, m.Headers)
	return find(ps, "mail to "+m.To, []byte(all))
}

// watch reports every file made in the directories for temporary files while
// the test runs: what was there for a moment only is found as well.
func watch(t *testing.T, dir string) (made func() []string) {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	must(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	_, err = syscall.InotifyAddWatch(fd, dir, syscall.IN_CREATE|syscall.IN_MOVED_TO)
	must(t, err)
	return func() (names []string) {
		buf := make([]byte, 64<<10)
		for {
			n, err := syscall.Read(fd, buf)
			if err != nil || n <= 0 {
				return names
			}
			for at := 0; at < n; {
				e := (*syscall.InotifyEvent)(unsafe.Pointer(&buf[at]))
				name := buf[at+syscall.SizeofInotifyEvent : at+syscall.SizeofInotifyEvent+int(e.Len)]
				names = append(names, string(bytes.TrimRight(name, "\x00")))
				at += syscall.SizeofInotifyEvent + int(e.Len)
			}
		}
	}
}

func TestMarkers_Nowhere(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	made := watch(t, temp)
	m := newMarks()
	h := newHouse(t)
	h.logStatements()
	who := h.hireMarked(m)
	visitor := h.serve()
	office := visitor.Other()
	h.signIn(office, who)

	// What a browser sends along on every request.
	visitor.Header.Set("User-Agent", "Mozilla/5.0 "+m.plant("agent"))
	visitor.Header.Set("X-Marke", m.plant("kopfzeile"))
	visitor.Header.Set("Referer", "http://"+musterstadt+"/abholen?"+m.plant("herkunft"))
	visitor.Header.Set("Accept-Language", "de, "+m.plant("x"))
	visitor.SetCookie(m.plant("plaetzchen"), m.plant("keks"))
	visitor.Get("/nachricht/" + m.plant("schritt"))
	visitor.Get("/?ort=" + m.plant("abfrage"))
	visitor.Get("/abholen/datei/" + m.plant("nachricht") + "/" + m.plant("teil"))
	visitor.PostForm("/abholen", "code", m.plant("code"), m.plant("feldname"), "1")
	// What a clerk looks up reaches the database as a parameter and may stand
	// there in a log of all parameters, but is kept nowhere.
	asked := newMarks()
	asked.asked = true
	office.Get("/amt/vorgang/" + asked.plant("vorgang"))
	office.Get("/amt/eingang?nr=" + asked.plant("nr"))

	// A form that is never sent, with a file.
	p := half(t, visitor.Other(), letter{
		mailbox: "tiefbauamt", topic: "schaden", subject: m.plant("halb"), body: m.plant("halber Text der nie gesendet wird "),
	}).Submit("aktion=weiter").Want(http.StatusOK)
	formTo(t, p, "/nachricht/4").File("files", m.plant("halb")+".txt", "text/plain", []byte(m.plant("halbe Datei "))).Submit("aktion=weiter").Want(http.StatusOK)

	address := m.plant("post") + "@example.org"
	byCode := letter{
		mailbox: "tiefbauamt", topic: "schaden", subject: m.plant("Betreff "), body: m.plant("Ein laengerer Text ueber den Gehweg "),
		name: m.plant("Erika "), address: m.plant("Weg 1, "), email: address,
		files: []file{textFile(m.plant("eins")+".txt", m.plant("Datei "), 150_000), textFile(m.plant("zwei")+".txt", m.plant("Datei "), 900)},
	}
	plainMail := letter{
		mailbox: "tiefbauamt", topic: "schaden", subject: m.plant("Mailbetreff "), body: m.plant("Bitte antworten Sie mir per E-Mail "),
		reply: "email", email: m.plant("mail") + "@example.org",
	}
	code := send(t, visitor, byCode)
	m.hide(code)
	m.hide(strings.ReplaceAll(code, "-", ""))
	thread := h.threadOfNewest()
	h.wantTaken()
	send(t, visitor.Other(), plainMail)
	mailThread := h.otherThread(thread)
	h.wantTaken()
	none(t, "after sending", h.traces(m))

	reply := m.plant("Antwort ")
	answer(t, office, thread, reply, textFile(m.plant("bescheid")+".txt", m.plant("Bescheid "), 80_000)).Want(http.StatusOK)
	mailed := m.plant("Antwort per E-Mail ")
	answer(t, office, mailThread, mailed).Want(http.StatusOK)
	formTo(t, threadPage(office, thread), "/notiz").Set("notiz", m.plant("Notiz ")).Submit().Want(http.StatusOK)
	reader := visitor.Other()
	p = collect(t, reader, code).Want(http.StatusOK)
	if !p.Contains(reply) {
		t.Fatalf("the sender does not see the answer: %q", p.Text("main"))
	}
	for _, path := range links(p, "/abholen/datei/") {
		reader.Get(path).Want(http.StatusOK)
	}
	formTo(t, p, "/abholen/antwort").Set("body", m.plant("Nachtrag ")).File("files", m.plant("nach")+".txt", "text/plain", []byte(m.plant("Nachtrag "))).Submit("aktion=senden").Want(http.StatusOK)
	h.wantTaken()
	f := formTo(t, office.Get("/amt/vorgang/"+thread+"/weiterleiten").Want(http.StatusOK), "/weiterleiten")
	f.Set("mailbox", "buergerbuero").Set("grund", m.plant("Grund ")).Submit().Want(http.StatusOK)
	formTo(t, threadPage(office, thread).Want(http.StatusOK), "/abschliessen").Submit().Want(http.StatusOK)
	// A wrong password is a secret of somebody as well.
	formTo(t, visitor.Other().Get("/amt/anmelden"), "/amt/anmelden").Set("login", m.plant("login")).Set("password", m.plant("falsch")).Submit()
	h.wantMail(m, address, plainMail.email, mailed)
	must(t, h.Access.Flush(t.Context()))
	none(t, "before deletion", h.traces(m))
	none(t, "what was looked up", h.traces(asked))

	office.PostForm("/amt/vorgang/"+thread+"/loeschen", "grund", m.plant("weil")).Want(http.StatusUnprocessableEntity)
	visitor.PostForm("/quittung", "quittung", m.plant("Quittung "))
	remove(t, office, thread).Want(http.StatusOK)
	remove(t, office, mailThread).Want(http.StatusOK)
	none(t, "after deletion", h.traces(m))
	h.close()
	none(t, "after the stop", h.traces(m))
	for _, name := range made() {
		t.Errorf("a temporary file was made: %s", name)
	}
	none(t, "temporary files", findUnder(t, m.finder(), temp))
	h.sabotage(m)
}

// hireMarked adds a clerk whose password is a mark and whose second factor is
// searched for.
func (h *house) hireMarked(m *marks) clerk {
	h.t.Helper()
	c := clerk{login: "ayse.kaya", password: m.plant("Kennwort-"), host: musterstadt}
	e, err := h.Staff.AddStaff(h.t.Context(), account.NewStaff{
		Tenant: "musterstadt", Login: c.login, Name: "Ayşe Kaya", Password: c.password, Role: account.Clerk,
		Mail: "ayse.kaya@musterstadt.example", SecondFactor: true, Notices: true, Mailboxes: mailboxes("tiefbauamt", "buergerbuero"),
	})
	must(h.t, err)
	c.person, c.secret = e.Person, e.TOTPSecret
	m.hide(e.TOTPSecret)
	return c
}

// wantTaken waits until the vault has all keys.
func (h *house) wantTaken() {
	h.t.Helper()
	eventually(h.t, "the vault has the keys", func() bool {
		return h.count(`select count(*) from mailbox_intake where state = 'queued'`) == 0
	})
}

func (h *house) threadOfNewest() string { h.t.Helper(); return h.otherThread("") }

func (h *house) otherThread(than string) string {
	h.t.Helper()
	return h.text(`select id from mailbox_threads where id <> $1 order by received_at desc, id limit 1`, than)
}

// wantMail waits for the mails of the journey and looks into them: nothing but
// addresses, and the answer that was asked for by plain e-mail.
func (h *house) wantMail(m *marks, notice, plain, mailed string) {
	h.t.Helper()
	to := func(address string) (out []mail.Message) {
		for _, x := range h.mail.all() {
			if strings.EqualFold(x.To, address) {
				out = append(out, x)
			}
		}
		return out
	}
	eventually(h.t, "notice, answer by mail and the office's notice are sent", func() bool {
		h.clock.advance(1e9)
		return len(to(notice)) > 0 && len(to(plain)) > 0 && len(to("ayse.kaya@musterstadt.example")) > 0
	})
	ps := m.finder()
	for _, x := range h.mail.all() {
		if strings.EqualFold(x.To, plain) {
			if !strings.Contains(x.Text, mailed) {
				h.t.Errorf("the answer by mail lacks its text: %q", x.Text)
			}
			x.Text = strings.ReplaceAll(x.Text, mailed, "")
			x.HTML = strings.ReplaceAll(x.HTML, mailed, "")
		}
		none(h.t, "outgoing mail", inMail(ps, x))
		x.To = ""
		x.Text += notice
		if len(inMail(ps, x)) == 0 {
			h.t.Error("sabotage: an address in the text of a mail is not found")
		}
	}
}

// sabotage plants one mark in each place that was searched and expects the scan
// to be red for each.
func (h *house) sabotage(m *marks) {
	h.t.Helper()
	red := func(name string, plant func()) {
		h.t.Helper()
		before := len(h.traces(m))
		plant()
		if len(h.traces(m)) <= before {
			h.t.Errorf("sabotage: %s is not found", name)
		}
	}
	for _, name := range []string{"poststelle.log", "blobs/incoming/part", "vault/note", "accesslog/x", m.core} {
		red("a file "+name, func() {
			must(h.t, os.WriteFile(filepath.Join(h.dir, name), []byte("x "+m.core), 0o600))
		})
	}
	red("a line of the log", func() { fmt.Fprintf(h.logs, `{"msg":%q}`, m.core) })
	h.open()
	red("a row", func() {
		h.exec(`insert into mailbox_intake (message_id, tenant_id, mailbox_id, thread_id, day, box, state, created_at)
values ('m', $1, 'b', 't', '2026-01-01', $2, 'taken', 0)`, "musterstadt", []byte(m.core))
	})
	h.close()
}
