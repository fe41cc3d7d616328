package notice_test

import (
	"net/http"
	"strings"
	"testing"

	"poststelle/internal/tenant"
)

// The page names the ways that a tenant has, its limits and its address, and
// promises no other.
func TestWays_FollowTheTenant(t *testing.T) {
	s := newSite(t)
	p := s.Get("/zugang").Want(http.StatusOK)
	for _, want := range []string{
		"§ 3a", "post@musterstadt.example", "Rathausplatz 1, 70000 Musterstadt", "PDF, JPG, PNG, DOCX, ODT, TXT", "Höchstens 10 Dateien", "20 MB", "50 MB",
		"ersetzt keine Unterschrift", "De-Mail", "unverzüglich",
	} {
		if !p.Contains(want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if p.Attr("main a", "href") != "/nachricht" {
		t.Errorf("the way to write leads to %q", p.Attr("main a", "href"))
	}
	s.Host = village // no e-mail
	if p = s.Get("/zugang"); p.Contains("E-Mail an ") || !p.Contains("Über diese Poststelle") {
		t.Error("the village: a way that it does not have, or none")
	}
	s.Host = operator // no mailbox, no e-mail
	if p = s.Get("/zugang"); !p.Contains("kein elektronischer Weg offen") || p.Contains("Dateien ohne Passwort") || p.Contains("/nachricht") {
		t.Error("the operator without mailbox opens a way")
	}
	s.Host = town
	if got := s.Get("/impressum"); !got.Has(`main a[href="/zugang"]`) {
		t.Error("the imprint does not lead to the page")
	}
}

// Offices with their own limits are named with them.
func TestWays_LimitsOfOffices(t *testing.T) {
	s := newSite(t)
	box := tenant.Mailbox{Tenant: "musterstadt", ID: "kasse", Name: "Stadtkasse", NameEN: "Treasury", FileKinds: []string{"csv"}, MaxFile: 5 << 20, MaxMessage: 5 << 20, MaxFiles: 1}
	if err := tenant.AddMailbox(t.Context(), s.db, box); err != nil {
		t.Fatal(err)
	}
	if err := s.dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := s.Get("/en/zugang").Text("main")
	for _, want := range []string{"Treasury", "CSV. At most 1 file of up to 5 MB", "Rathaus", "At most 10 files"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
}

func TestContact(t *testing.T) {
	s := newSite(t)
	s.NoFollow = true
	for host, want := range map[string]string{town: "/nachricht?amt=rathaus", operator: "/impressum"} {
		s.Host = host
		if p := s.Get("/kontakt").Want(http.StatusSeeOther); p.Header.Get("Location") != want {
			t.Errorf("/kontakt of %s leads to %q, want %q", host, p.Header.Get("Location"), want)
		}
	}
	box := tenant.Mailbox{Tenant: "betreiber", ID: "kontakt", Name: "Kontakt"}
	if err := tenant.AddMailbox(t.Context(), s.db, box); err != nil {
		t.Fatal(err)
	}
	if err := s.dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Host = operator
	p := s.Get("/en/kontakt").Want(http.StatusOK)
	if got := p.Attr("main a.kern-btn", "href"); got != "/en/nachricht?amt=kontakt" {
		t.Errorf("/en/kontakt of the operator leads to %q", got)
	}
	for _, want := range []string{"We deal with your request", "Article 6(1)(b)", "Nothing is deleted automatically"} {
		if !p.Contains(want) {
			t.Errorf("/en/kontakt does not say %q before sending:\n%s", want, p.Text("main"))
		}
	}
	if err := tenant.SetRetention(t.Context(), s.db, "betreiber", "kontakt", 90); err != nil {
		t.Fatal(err)
	}
	if err := s.dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/kontakt", "/datenschutz?kapitel=alle"} {
		p := s.Get(path).Want(http.StatusOK)
		if !p.Contains("90 Tage danach löschen wir die Nachricht routinemäßig") || p.Contains("Nichts wird automatisch gelöscht") {
			t.Errorf("%s does not follow the rule of the mailbox", path)
		}
	}
}
