package notice_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/notice"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/webtest"
)

const (
	town     = "vps.musterstadt.example"
	village  = "vps.beispielingen.example"
	operator = "betreiber.example"
)

func at() time.Time { return time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC) }

// logbook stands for the access log, a domain this package must not know.
func logbook() personal.Declaration {
	s := personal.Store{
		Kind: personal.LogStream, Name: "accesslog", Activity: "accesslog.privacy.activity", Purpose: "accesslog.privacy.purpose",
		Basis:    personal.Basis{personal.Vorlage: {personal.Art6b}, personal.Streng: {personal.Art6e, personal.LDSG4}},
		Subjects: []personal.Subject{{Role: personal.Visitor}}, Locator: personal.None, Retention: personal.Retention{Period: 30 * 24 * time.Hour},
		Erase: []personal.Erasure{{Role: personal.Visitor, Act: personal.Keep, Reason: "accesslog.privacy.keep"}},
	}
	for _, name := range []string{"file", "time", "bytes", "success", "browser", "os", "referrer", "provider", "ip"} {
		s.Personal = append(s.Personal, personal.Column{Name: name, Category: personal.Technical})
	}
	return personal.Declaration{Domain: "accesslog", Stores: []personal.Store{s}}
}

// letters stands for the mailbox.
func letters() personal.Declaration {
	return personal.Declaration{Domain: "mailbox", Stores: []personal.Store{{
		Kind: personal.Table, Name: "mailbox_threads", Activity: "mailbox.privacy.activity", Purpose: "mailbox.privacy.purpose",
		Basis:    personal.Basis{personal.Vorlage: {personal.Art6b}, personal.Streng: {personal.Art6e, personal.LDSG4}},
		Subjects: []personal.Subject{{Role: personal.Citizen}}, Locator: personal.ByCode,
		Personal:  []personal.Column{{Name: "id", Category: personal.Identifier}},
		Sealed:    []personal.Part{{Name: "body", Category: personal.Content, Special: personal.SpecialPossible}},
		Retention: personal.Retention{HumanDecides: "mailbox.privacy.retention"},
		Erase:     []personal.Erasure{{Role: personal.Citizen, Act: personal.Shred}},
	}}}
}

type site struct {
	*webtest.Client
	db      *db.DB
	dir     *tenant.Directory
	notice  *notice.Notice
	catalog *i18n.Catalog
	cookies *web.Registry
}

// newSite serves the pages for two authorities, one of each profile, and the
// operator. The village has neither e-mail nor phone and no https.
func newSite(t *testing.T, extra ...web.Cookie) *site {
	t.Helper()
	s := &site{}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	d := dbtest.Open(t, db.Config{URL: dbtest.URL(t), Now: at})
	must(d.Migrate(t.Context(), journal.Migrations(), tenant.Migrations()))
	box := []tenant.Mailbox{{ID: "rathaus", Name: "Rathaus", Fallback: true}}
	must(tenant.Add(t.Context(), d,
		tenant.Tenant{
			ID: "musterstadt", Kind: tenant.Authority, Profile: tenant.Vorlage, Name: "Stadt Musterstadt", ARS: "081110000000", Hosts: []string{town},
			Address:   tenant.Address{Street: "Rathausplatz 1", Postcode: "70000", Place: "Musterstadt", Phone: "0711 0000-0", Email: "post@musterstadt.example"},
			Mailboxes: box,
		},
		tenant.Tenant{
			ID: "beispielingen", Kind: tenant.Authority, Profile: tenant.Streng, Name: "Gemeinde Beispielingen", ARS: "081110000001", Hosts: []string{village},
			Address: tenant.Address{Postcode: "71111", Place: "Beispielingen"}, Mailboxes: box,
		},
		tenant.Tenant{ID: "betreiber", Kind: tenant.Operator, Profile: tenant.Vorlage, Name: "Betreiberverbund Beispiel", Hosts: []string{operator}},
	))
	s.db = d
	var err error
	s.dir, err = tenant.NewDirectory(t.Context(), d, log)
	must(err)
	s.catalog, err = i18n.Load()
	must(err)
	s.cookies, err = web.NewRegistry(append(web.OwnCookies(), extra...)...)
	must(err)
	s.notice = notice.New(notice.Config{
		Directory: s.dir, Cookies: s.cookies, Now: at,
		Declarations: []personal.Declaration{journal.Personal(), vault.Personal(), web.Personal(s.cookies), logbook(), letters()},
	})
	rt, err := web.NewRouter(web.Config{
		Has: func(site web.Site, module string) bool {
			t, ok := s.dir.ByID(tenant.ID(site.ID))
			return ok && t.Has(tenant.Module(module))
		},
		Site: func(host string) (web.Site, bool) {
			t, ok := s.dir.ByHost(host)
			if !ok {
				return web.Site{}, false
			}
			scheme := "https://"
			if host == village {
				scheme = "http://"
			}
			return web.Site{ID: string(t.ID), Kind: string(t.Kind), Name: t.Name, Origin: scheme + host}, true
		},
		Layout: func(r *http.Request, v web.View) templ.Component {
			return ui.Layout(ui.Frame{
				Lang: i18n.Lang(r.Context()), Path: r.URL.Path, Now: at(), ProductName: "Poststelle",
				Display: func(name string) string { return web.DisplayState(r, name) },
			}, ui.View{Title: v.Title, Body: v.Body})
		},
		Catalog: s.catalog, Sessions: web.NewSessions(web.SessionConfig{Now: at}), Cookies: s.cookies, Log: log, Now: time.Now,
	})
	must(err)
	s.notice.Routes(rt)
	s.Client = webtest.New(t, rt)
	s.Host = town
	return s
}

func pages() []string {
	return []string{"/datenschutz", "/datenschutz?kapitel=alle", "/cookies", "/impressum", "/barrierefreiheit", "/nutzungsbedingungen", "/zugang"}
}

func TestPages_BothLanguages(t *testing.T) {
	s := newSite(t)
	for _, host := range []string{town, village, operator} {
		s.Host = host
		for _, path := range pages() {
			titles := map[string]bool{}
			for _, prefix := range []string{"", "/en"} {
				p := s.Get(prefix + path).Want(http.StatusOK)
				if p.Count("h1") != 1 {
					t.Errorf("%s%s%s has %d h1", host, prefix, path, p.Count("h1"))
				}
				titles[p.Text("h1")+p.Text(".ps-lead")] = true
				for _, empty := range []string{"dd", "dt", "h2", "h3", "li", "p"} {
					if slices.Contains(p.Texts("main "+empty), "") {
						t.Errorf("%s%s%s has an empty %s", host, prefix, path, empty)
					}
				}
				if s.Cookies() != nil {
					t.Errorf("%s%s%s sets a cookie", host, prefix, path)
				}
			}
			if len(titles) != 2 {
				t.Errorf("%s%s reads the same in both languages", host, path)
			}
		}
	}
}

func TestPrivacy_ContentsLeadToChapters(t *testing.T) {
	s := newSite(t)
	p := s.Get("/datenschutz")
	if n, m := p.Count("nav ol a"), p.Count("details"); n != m || n < 8 {
		t.Fatalf("%d entries in the contents, %d chapters", n, m)
	}
	if p.Count("details[open]") != 1 {
		t.Errorf("%d chapters open at first, want 1", p.Count("details[open]"))
	}
	if got := s.Get("/datenschutz?kapitel=rechte"); !got.Has("details#rechte[open]") || got.Count("details[open]") != 1 {
		t.Error("the chapter of the address is not the one that is open")
	}
	if got := s.Get("/datenschutz?kapitel=alle"); got.Count("details[open]") != p.Count("details") {
		t.Error("not all chapters are open")
	}
	if s.Get("/en/datenschutz").Attr("nav ol a", "href") != "/en/datenschutz?kapitel=verantwortlich#verantwortlich" {
		t.Error("the English contents lead elsewhere")
	}
}

// Both profiles say what they say, and not what the other one says.
func TestPrivacy_Profiles(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		id        tenant.ID
		https     bool
		has, hasn []string
	}{
		{"musterstadt", true, []string{
			"Stadt Musterstadt", "post@musterstadt.example", "Art. 6 Abs. 1 Buchst. b DSGVO", "Betreiberverbund Beispiel", "Ihre IP-Adresse\n",
			"Übertragbarkeit", "Nichts wird automatisch gelöscht", "mit TLS", "30 Tage", "gewöhnliche E-Mails", "jederzeit widersprechen",
			"## Daten der Beschäftigten", "Datenschutz und die Informationsfreiheit Baden-Württemberg",
		}, []string{"gekürzt", "TMG", "Provider", "Widerruf", "nicht verschlüsselt", "mail_demo"}},
		{"beispielingen", false, []string{
			"Art. 6 Abs. 1 Buchst. e DSGVO, § 4 LDSG BW", "Ihre IP-Adresse, gekürzt", "nicht verschlüsselt", "an die Anschrift oben",
		}, []string{"Buchst. b DSGVO", "Buchst. f DSGVO,", "Übertragbarkeit", "mit TLS", "**E-Mail**", "**Telefon**"}},
		{"betreiber", true, []string{"Betreiberverbund Beispiel", "Protokoll der Zugriffe", "Betrieb der Webseite"}, []string{
			"Nachrichten an die Verwaltung", "Tresor)", "in unserem Auftrag", "Abholcode", "## Wer Ihre Daten erhält", "**Anschrift**: \n",
		}},
	} {
		of, _ := s.dir.ByID(c.id)
		text := s.notice.Markdown(t.Context(), of, c.https)
		// A list ends its line as a list of facts does.
		text = strings.ReplaceAll(text, " / ", "\n")
		for _, want := range c.has {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the notice does not say %q:\n%s", c.id, want, text)
			}
		}
		for _, not := range c.hasn {
			if strings.Contains(text, not) {
				t.Errorf("%s: the notice says %q", c.id, not)
			}
		}
	}
}

// The page says what the text says, in the same order.
func TestPrivacy_PageIsText(t *testing.T) {
	s := newSite(t)
	of, _ := s.dir.ByID("musterstadt")
	for prefix, lang := range map[string]string{"": "de", "/en": "en"} {
		page := s.Get(prefix + "/datenschutz?kapitel=alle")
		text := s.notice.Markdown(i18n.With(t.Context(), s.catalog.Localizer(lang)), of, true)
		for line := range strings.Lines(text) {
			line = strings.Trim(strings.TrimSpace(line), "#->[ ")
			line, _, _ = strings.Cut(line, "](")
			line = strings.Replace(line, "**", "", 2)
			name, values, found := strings.Cut(line, ": ")
			if !found {
				name, values = line, ""
			}
			for _, want := range append([]string{strings.Trim(name, "*")}, strings.Split(values, " / ")...) {
				if !page.Contains(want) {
					t.Errorf("%s: the page does not say %q", lang, want)
				}
			}
		}
	}
}

// A declared store appears, with every part of what Art. 13 asks for; the
// provider only where there is a table of providers.
func TestPrivacy_FollowsDeclarations(t *testing.T) {
	s := newSite(t)
	of, _ := s.dir.ByID("musterstadt")
	text := func(change func(*notice.Config)) string {
		c := notice.Config{Directory: s.dir, Cookies: s.cookies, Now: at, Declarations: []personal.Declaration{logbook(), letters()}}
		change(&c)
		return notice.New(c).Markdown(t.Context(), of, true)
	}
	whole := text(func(*notice.Config) {})
	for name, change := range map[string]func(*notice.Config){
		"Provider":         func(c *notice.Config) { c.Provider = true },
		"7 Tage":           func(c *notice.Config) { c.Declarations[0].Stores[0].Retention.Period = 7 * 24 * time.Hour },
		"2 Jahre":          func(c *notice.Config) { c.Declarations[0].Stores[0].Retention.Period = 2 * 365 * 24 * time.Hour },
		"Buchst. c DSGVO":  func(c *notice.Config) { c.Declarations[1].Stores[0].Basis = personal.Same(personal.Art6c) },
		"Widerruf":         func(c *notice.Config) { c.Declarations[1].Stores[0].Basis = personal.Same(personal.Art6a) },
		"Kontaktangaben":   func(c *notice.Config) { c.Declarations[1].Stores[0].Sealed[0].Category = personal.Contact },
		"Angaben zur Anme": func(c *notice.Config) { c.Declarations[1].Stores[0].Personal[0].Category = personal.Credential },
		"Mailserver des B": func(c *notice.Config) {
			c.Declarations[1].Sends = []personal.Recipient{{Name: "mail.privacy.relay", Purpose: "mail.privacy.notify", What: []personal.Category{personal.Contact}, Processor: true}}
		},
	} {
		if strings.Contains(whole, name) {
			t.Errorf("%q stands in the notice before the change", name)
		}
		if got := text(change); !strings.Contains(got, name) {
			t.Errorf("%q does not stand in the notice after the change:\n%s", name, got)
		}
	}
	if got := text(func(c *notice.Config) { c.Without = []string{"accesslog"} }); strings.Contains(got, "Protokoll der Zugriffe") {
		t.Error("a store that the installation does not have is in the notice")
	}
	if got := text(func(c *notice.Config) { c.Declarations = c.Declarations[1:] }); strings.Contains(got, "jederzeit widersprechen") {
		t.Error("the notice offers an objection where no basis gives it")
	}
}

// The table is the registry, in both directions.
func TestCookies_TableIsRegistry(t *testing.T) {
	s := newSite(t, web.Cookie{Name: "ps_nichtzaehlen", Class: web.Objection, Purpose: "web.cookie.theme", Values: []string{"1"}, Lifetime: 365 * 24 * time.Hour, Kinds: []string{string(tenant.Authority)}})
	declared := web.Personal(s.cookies).Cookies
	for _, prefix := range []string{"", "/en"} {
		p := s.Get(prefix + "/cookies")
		var names []string
		for _, c := range declared {
			names = append(names, c.Name)
		}
		if got := p.Texts("tbody th"); !slices.Equal(got, names) {
			t.Errorf("the table names %q, the registry %q", got, names)
		}
		if got, want := p.Count("tbody td"), 4*len(names); got != want {
			t.Errorf("%d cells, want %d", got, want)
		}
	}
	p := s.Get("/cookies")
	for i, want := range [][]string{
		{"Technisch notwendig", "Bis Sie den Browser schließen", "zufällige"}, {"Anzeige", "Bis Sie den Browser schließen", "auf, zu"},
		{"Anzeige", "30 Tage", "zu"}, {"Anzeige", "30 Tage", "hell, dunkel, system"}, {"Widerspruch", "365 Tage", "1"},
	} {
		row := strings.Join(p.Texts("tbody td")[4*i:4*i+4], " | ")
		for _, w := range want {
			if !strings.Contains(row, w) {
				t.Errorf("row %d is %q, want %q in it", i, row, w)
			}
		}
	}
	s.Host = village // no https: the browser is sent the name without prefix
	if got := s.Get("/cookies").Text("tbody th"); got != web.SessionCookie {
		t.Errorf("without https the session cookie is named %q", got)
	}
}

func TestCookies_Forget(t *testing.T) {
	s := newSite(t, web.Cookie{Name: "ps_nichtzaehlen", Class: web.Objection, Purpose: "web.cookie.theme", Values: []string{"1"}, Lifetime: time.Hour, Kinds: []string{string(tenant.Authority)}})
	if s.Get("/cookies").Has(`form[action="/cookies/loeschen"]`) {
		t.Error("a button without anything to delete")
	}
	keep := map[string]string{web.SessionCookie: "abc", "ps_nichtzaehlen": "1", "fremd": "1", "ps_hilfe_": "auf"}
	for name, value := range keep {
		s.SetCookie(name, value)
	}
	for name, value := range map[string]string{"ps_darstellung": "dunkel", "ps_hilfe_betreff": "auf", "ps_meldung_x": "veraltet"} {
		s.SetCookie(name, value)
	}
	s.NoFollow = true
	p := s.Get("/en/cookies").Form(`form[action="/en/cookies/loeschen"]`).Submit()
	if p.Status != http.StatusSeeOther || p.Header.Get("Location") != "/en/cookies?geloescht=1" {
		t.Errorf("status %d to %q", p.Status, p.Header.Get("Location"))
	}
	var left []string
	for _, c := range s.Cookies() {
		left = append(left, c.Name)
		if keep[c.Name] != c.Value {
			t.Errorf("cookie %s=%s stays", c.Name, c.Value)
		}
	}
	if len(left) != len(keep) {
		t.Errorf("left are %q", left)
	}
	if got := s.Get("/cookies?geloescht=1"); !got.Has(`[role="status"]`) {
		t.Error("nothing says that the cookies are gone")
	}
}

func TestSecurityTxt(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct{ host, origin, contact string }{
		{town, "https://" + town, "mailto:post@musterstadt.example"}, {village, "http://" + village, "http://" + village + "/impressum"},
	} {
		s.Host = c.host
		p := s.Get("/.well-known/security.txt").Want(http.StatusOK)
		if got := p.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
			t.Errorf("Content-Type %q", got)
		}
		want := fmt.Sprintf("Contact: %s\nExpires: 2027-05-21T00:00:00Z\nPreferred-Languages: de, en\nCanonical: %s/.well-known/security.txt\n", c.contact, c.origin)
		if got := p.Body; got != want {
			t.Errorf("security.txt of %s:\n%s\nwant:\n%s", c.host, got, want)
		}
	}
}

func TestImprintAndTerms(t *testing.T) {
	s := newSite(t)
	p := s.Get("/impressum")
	for _, want := range []string{"Stadt Musterstadt", "Rathausplatz 1, 70000 Musterstadt", "0711 0000-0", "post@musterstadt.example", "Betreiberverbund Beispiel", "§ 5"} {
		if !p.Contains(want) {
			t.Errorf("the imprint does not say %q", want)
		}
	}
	terms := s.Get("/nutzungsbedingungen")
	for _, want := range []string{"auf eigene Gefahr", "Ihrem Gerät", "jederzeit erreichbar", "grob fahrlässig"} {
		if !terms.Contains(want) {
			t.Errorf("the terms do not say %q", want)
		}
	}
	if terms.Contains("Art. 82") {
		t.Error("the model profile says more than its terms")
	}
	s.Host = village
	if !s.Get("/nutzungsbedingungen").Contains("Art. 82 DSGVO") {
		t.Error("the strict profile does not say what stays unaffected")
	}
	s.Host = operator
	if s.Get("/impressum").Contains("Technischer Betrieb") {
		t.Error("the operator works for itself")
	}
	// The terms are no part of the notice (A72).
	s.Host = town
	if s.Get("/datenschutz?kapitel=alle").Contains("auf eigene Gefahr") {
		t.Error("the notice repeats the terms")
	}
}
