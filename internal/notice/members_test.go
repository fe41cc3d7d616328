package notice_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"poststelle/internal/tenant"
)

// open sets the networks of the operator's members' area and gives it a mailbox.
func (s *site) open(t *testing.T, networks ...string) {
	t.Helper()
	var list []netip.Prefix
	for _, n := range networks {
		list = append(list, netip.MustParsePrefix(n))
	}
	if err := tenant.SetNetworks(t.Context(), s.db, "betreiber", list); err != nil {
		t.Fatal(err)
	}
	if err := s.dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestMembers(t *testing.T) {
	s := newSite(t)
	s.Host = operator
	box := tenant.Mailbox{Tenant: "betreiber", ID: "datenschutz-extern", Name: "Externer Datenschutzservice", MembersOnly: true, Retention: 90}
	if err := tenant.AddMailbox(t.Context(), s.db, box); err != nil {
		t.Fatal(err)
	}
	// Without a network nobody is inside (fail closed).
	s.open(t)
	s.Get("/mitglieder").Want(http.StatusForbidden)
	s.open(t, "10.0.0.0/8", "2001:db8::/32")
	p := s.Get("/mitglieder").Want(http.StatusForbidden)
	for _, want := range []string{"Landesverwaltungsnetz (LVN)", "fragen Sie die IT-Stelle Ihrer Behörde", "Betreiberverbund Beispiel"} {
		if !p.Contains(want) {
			t.Errorf("the refusal does not say %q:\n%s", want, p.Text("main"))
		}
	}
	if p.Contains("Anfrage stellen") {
		t.Error("the refusal holds what is inside")
	}
	// Headers are not believed: no proxy is trusted here.
	for _, h := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP"} {
		value := "10.1.2.3"
		if h == "Forwarded" {
			value = "for=10.1.2.3"
		}
		s.Header = http.Header{h: {value}}
		s.Get("/mitglieder").Want(http.StatusForbidden)
	}
	s.Header = nil
	s.open(t, "127.0.0.0/8", "::1/128")
	p = s.Get("/mitglieder").Want(http.StatusOK)
	if got := p.Attr("main a.kern-btn", "href"); got != "/nachricht?amt=datenschutz-extern" {
		t.Errorf("the request is made at %q", got)
	}
	if !p.Contains("90 Tage danach löschen wir") {
		t.Error("the page does not say what becomes of a request")
	}
	if got := s.Get("/en/mitglieder").Want(http.StatusOK).Attr("main a.kern-btn", "href"); got != "/en/nachricht?amt=datenschutz-extern" {
		t.Errorf("in English the request is made at %q", got)
	}
	// The contact of everybody does not lead into the members' area.
	s.NoFollow = true
	if p := s.Get("/kontakt").Want(http.StatusSeeOther); p.Header.Get("Location") != "/impressum" {
		t.Errorf("/kontakt leads to %q", p.Header.Get("Location"))
	}
	if err := tenant.SetModule(t.Context(), s.db, "betreiber", tenant.Members, false); err != nil {
		t.Fatal(err)
	}
	s.open(t, "127.0.0.0/8")
	s.Get("/mitglieder").Want(http.StatusNotFound)
	if s.Get("/datenschutz?kapitel=alle").Contains("Externer Datenschutzservice") {
		t.Error("the notice names a module that is off")
	}
	s.Host = town
	s.Get("/mitglieder").Want(http.StatusNotFound)
}

// The link stands in public, for whoever may not go in as well (B5).
func TestMembers_LinkInTheNotice(t *testing.T) {
	s := newSite(t)
	s.Host = operator
	s.open(t)
	p := s.Get("/datenschutz?kapitel=alle").Want(http.StatusOK)
	if !p.Has("main a[href=/mitglieder]") || !strings.Contains(p.Text("main"), "nur aus dem Landesverwaltungsnetz (LVN)") {
		t.Error("the notice does not lead to the members' area")
	}
	s.Host = town
	if s.Get("/datenschutz?kapitel=alle").Has("main a[href=/mitglieder]") {
		t.Error("the notice of an authority without the module leads there")
	}
}
