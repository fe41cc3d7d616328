package proof_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"poststelle/internal/app"
	"poststelle/internal/newsletter"
	"poststelle/internal/tenant"
)

// TestMarkers_Newsletter: addresses of subscribers, and what browsers send along
// with a sign-up, stand nowhere in the clear: not in the database, its log and its
// backups, not in the program's log, the access log or any file.
func TestMarkers_Newsletter(t *testing.T) {
	m := newMarks()
	h := newHouse(t)
	h.logStatements()
	visitor := h.serve()
	must(t, tenant.SetModule(t.Context(), h.DB, "musterstadt", tenant.Newsletter, true))
	must(t, h.Directory.Refresh(t.Context()))
	must(t, h.Newsletter.Prepare(t.Context()))
	visitor.Header.Set("User-Agent", "Mozilla/5.0 "+m.plant("agent"))
	visitor.Header.Set("Referer", "http://"+musterstadt+"/newsletter?"+m.plant("herkunft"))

	asked := m.plant("leserin") + "@example.org"
	formTo(t, visitor.Get("/newsletter").Want(http.StatusOK), "/newsletter").Set("email", asked).Submit().Want(http.StatusOK)
	formTo(t, visitor.Get("/newsletter").Want(http.StatusOK), "/newsletter").Set("email", m.plant("kein ")).Submit().Want(http.StatusUnprocessableEntity)
	formTo(t, visitor.Get("/newsletter/verwalten").Want(http.StatusOK), "/newsletter/verwalten").Set("email", asked).Submit().Want(http.StatusOK)
	for _, path := range []string{"/newsletter/bestaetigen/", "/newsletter/abmelden/", "/newsletter/verwalten/"} {
		visitor.Get(path + m.plant("wort"))
	}
	moved := m.plant("umzug") + "@example.org"
	sum, err := h.Newsletter.Import(t.Context(), "musterstadt", "Umzug", []newsletter.Evidence{{
		Address: moved, Text: m.plant("Ja zum Newsletter "), Version: m.plant("v"), Form: m.plant("Stadtfest "), Confirmed: h.clock.Now().AddDate(0, -1, 0),
	}})
	if must(t, err); sum.Added != 1 {
		t.Fatalf("Import() = %+v", sum)
	}
	none(t, "after sign-up and import", h.traces(m))
	// The owner of the installation reads it back, and leaves nothing behind.
	var out, errs bytes.Buffer
	args := []string{"newsletter", "export", "--tenant", "musterstadt", "--reason", "Prüfung", "--data", h.dir}
	if code := app.Run(t.Context(), args, app.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); code != 0 || !strings.Contains(out.String(), moved) {
		t.Fatalf("newsletter export: %d, %q, %q", code, out.String(), errs.String())
	}
	handled, _, err := h.Newsletter.FromMail(t.Context(), "musterstadt", newsletter.Incoming{From: moved, Aligned: true, Subject: "abmelden"})
	if must(t, err); !handled {
		t.Fatal("the mail that unsubscribes was not taken")
	}
	must(t, h.Access.Flush(t.Context()))
	none(t, "after export and unsubscribing", h.traces(m))
	h.close()
	none(t, "after the stop", h.traces(m))
	h.sabotage(m)
}
