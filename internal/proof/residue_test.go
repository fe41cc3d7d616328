package proof_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"poststelle/internal/web"
	"poststelle/internal/web/webtest"
)

func TestResidue_NothingOfAnUnsentForm(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	made := watch(t, temp)
	m := newMarks()
	h := newHouse(t)
	h.logStatements()
	who := h.hire("musterstadt", "clerk", false, "tiefbauamt")
	kept := send(t, h.browser(), letter{mailbox: "tiefbauamt", topic: "schaden", subject: "Bleibt", body: "Dieser Brief ist gesendet und bleibt.", files: []file{textFile("bleibt.txt", "bleibt", 900)}})
	h.settle()
	sent := h.thread()
	blobs := h.blobCount()

	begin := func() (citizen, reader, office *webtest.Client) {
		t.Helper()
		citizen, reader = h.browser(), h.browser()
		p := half(t, citizen, letter{
			mailbox: "tiefbauamt", topic: "schaden", subject: m.plant("Betreff "), body: m.plant("Ein halber Brief, der nie gesendet wird "),
			name: m.plant("Name "), address: m.plant("Weg "), email: m.plant("post") + "@example.org",
		}).Submit("aktion=weiter").Want(http.StatusOK)
		formTo(t, p, "/nachricht/4").File("files", m.plant("halb")+".txt", "text/plain", textFile("", m.plant("Datei "), 90_000).data).Submit("aktion=weiter").Want(http.StatusOK)
		p = collect(t, reader, kept).Want(http.StatusOK)
		formTo(t, p, "/abholen/antwort").Set("body", m.plant("Nachtrag ")).
			File("files", m.plant("nach")+".txt", "text/plain", []byte(m.plant("Datei "))).
			File("files", "nicht.exe", "text/plain", []byte("MZ")).Submit("aktion=senden").Want(http.StatusUnprocessableEntity)
		office = h.clerkBrowser(who)
		f := formTo(t, threadPage(office, sent).Want(http.StatusOK), "/antwort").Set("body", m.plant("Halbe Antwort "))
		f.File("files", m.plant("amt")+".txt", "text/plain", []byte(m.plant("Datei "))).
			File("files", "nicht.exe", "text/plain", []byte("MZ")).Submit("aktion=senden").Want(http.StatusUnprocessableEntity)
		if got := h.blobCount(); got != blobs+3 {
			t.Fatalf("%d files on disk, want %d and three uploads", got, blobs)
		}
		for _, c := range []*webtest.Client{citizen, reader, office} {
			id := c.Cookie(web.SessionCookie)
			if id == "" {
				t.Fatal("a browser has no session")
			}
			m.hide(id)
		}
		return citizen, reader, office
	}
	gone := func(when string) {
		t.Helper()
		if got := h.blobCount(); got != blobs {
			t.Errorf("%s: %d files on disk, want %d", when, got, blobs)
		}
		none(t, when, h.traces(m))
	}

	citizen, reader, office := begin()
	none(t, "while the forms are open", h.traces(m))
	h.clock.advance(web.SessionIdle + time.Second)
	h.Sessions.Sweep()
	gone("after the sessions expired")
	for name, p := range map[string]*webtest.Page{
		"assistant": citizen.Get("/nachricht/3"), "thread": reader.Get("/abholen/vorgang"), "office": threadPage(office, sent),
	} {
		if strings.Contains(p.Body, m.core) {
			t.Errorf("%s: an expired session shows what was typed", name)
		}
	}
	gone("after asking for the expired pages")

	begin()
	h.crash()
	h.serve()
	none(t, "after a crash and a restart", h.traces(m))
	if got := h.blobCount(); got != blobs+3 {
		t.Errorf("%d files on disk after a restart, want %d and three that nothing opens", got, blobs)
	}
	h.clock.advance(web.SessionMax + time.Hour)
	must(t, h.SweepUploads(t.Context()))
	gone("after the longest session of a crashed process")
	h.close()
	none(t, "after the stop", h.traces(m))
	for _, name := range made() {
		t.Errorf("a temporary file was made: %s", name)
	}
	h.open()
	if !opens(t, h.browser(), kept) {
		t.Error("the letter that was sent is gone as well")
	}
	h.close()
	h.sabotage(m)
}

func TestResidue_SabotageKeptUpload(t *testing.T) {
	h := newHouse(t)
	p := half(t, h.browser(), letter{mailbox: "tiefbauamt", topic: "schaden", subject: "Betreff", body: "Ein halber Brief, der nie gesendet wird."}).Submit("aktion=weiter")
	formTo(t, p, "/nachricht/4").File("files", "a.txt", "text/plain", []byte("Datei")).Submit("aktion=weiter").Want(http.StatusOK)
	if h.blobCount() == 0 {
		t.Error("an upload of an open form is not counted, so one that stays would not be either")
	}
}
