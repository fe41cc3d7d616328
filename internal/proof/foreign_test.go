package proof_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/web"
	"poststelle/internal/web/valkey"
	"poststelle/internal/web/valkey/valkeytest"
	"poststelle/internal/web/webtest"
)

// objects are the kinds of path values that name an object, with ids that the
// caller must not learn about: of the other authority, and of a mailbox of which
// nobody asking is a member.
func (s *stage) objects(pattern string) (foreign []string) {
	switch {
	case strings.HasPrefix(pattern, "/amt/vorgang/{id}"):
		return []string{s.foreign.thread, s.beside.thread}
	case strings.HasPrefix(pattern, "/amt/personal/person/{id}"):
		return []string{s.stranger.person}
	case strings.HasPrefix(pattern, "/amt/redaktion/newsletter/{id}"):
		return []string{foreignIssue}
	case strings.HasPrefix(pattern, "/amt/redaktion/beitraege/{id}"):
		return []string{foreignPost}
	case strings.HasPrefix(pattern, "/amt/redaktion/kommentare/{id}"), strings.HasPrefix(pattern, "/amt/redaktion/nachweise/neu/{id}"),
		pattern == "/aktuelles/melden/{id}":
		return []string{foreignComment}
	case strings.HasPrefix(pattern, "/amt/redaktion/meldungen/{id}"):
		return []string{foreignCase}
	case pattern == "/amt/redaktion/nachweise/{id}":
		return []string{s.request}
	case pattern == "/aktuelles/{slug}", pattern == "/aktuelles/{slug}/{part}":
		return []string{foreignSlug}
	case pattern == "/aktuelles/bilder/{name}":
		return []string{foreignPicture}
	case pattern == "/newsletter/archiv/{number}":
		return []string{"987654321"}
	case strings.HasPrefix(pattern, "/amt/erlaubnisse/{id}"), strings.HasPrefix(pattern, "/postfach/erlauben/{id}"):
		return s.permits
	case strings.HasPrefix(pattern, "/postfach/{id}"):
		return []string{s.foreign.thread, s.mine.thread}
	case strings.HasPrefix(pattern, "/postfach/entwuerfe/{draft}"):
		return []string{s.mine.thread}
	}
	return nil
}

// named tells whether a pattern names an object of somebody.
func named(pattern string) bool {
	return strings.Contains(pattern, "{") && !slices.ContainsFunc([]string{"/nachricht/{step}", "/assets/{file...}", "/{token}"}, func(p string) bool {
		return strings.HasSuffix(pattern, p)
	})
}

// TestAccess_ForeignObjects: an object of another authority, or of a mailbox that
// is not the caller's, answers byte for byte like one that never was: to every
// role, to reading and to writing.
func TestAccess_ForeignObjects(t *testing.T) {
	s := newStage(t)
	_, routes := s.routes()
	compared := 0
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		ids := s.objects(pattern)
		if named(pattern) && len(ids) == 0 && !strings.HasPrefix(pattern, "/abholen/") {
			if !strings.HasPrefix(pattern, "/konto/") { // links of mails: the tests of accounts
				t.Errorf("%s: no object of another is tried", route)
			}
			continue
		}
		for _, id := range ids {
			for _, c := range s.callers {
				s.awake(c)
				fields := url.Values{"grund": {"erledigt"}, "rolle": {"admin"}, "aktion": {"faktor"}, "body": {"Ein Text, lang genug."}, "mailbox": {"tiefbauamt"}}
				for name, value := range editorial(pattern) {
					fields.Set(name, value)
				}
				never := rand.Text()
				theirs := s.ask(c, c.host, method, fill(pattern, id, s.foreign), fields)
				s.awake(c)
				none := s.ask(c, c.host, method, fill(pattern, never, s.foreign), fields)
				if a, b := theirs.alike(id), none.alike(never); theirs.status != none.status || a != b {
					t.Errorf("%s as %s: %d and %d, differ at %s", route, c.name, theirs.status, none.status, difference(a, b))
				}
				if theirs.outcome() == "open" && theirs.status == http.StatusOK {
					t.Errorf("%s as %s opens", route, c.name)
				}
				compared++
			}
		}
	}
	if compared < 200 {
		t.Errorf("only %d answers were compared", compared)
	}
	// The same with the session of the one who may: otherwise the comparison shows nothing.
	if p := s.ask(s.caller("clerk"), musterstadt, "GET", "/amt/vorgang/"+s.mine.thread, nil); p.status != http.StatusOK || !strings.Contains(p.body, s.mine.core) {
		t.Errorf("the clerk's own letter: %d", p.status)
	}
}

func fill(pattern, id string, l sealedLetter) string {
	if strings.HasPrefix(pattern, "/aktuelles/") {
		l.parts = []string{"kommentare.json"}
	}
	return strings.NewReplacer("{id}", id, "{draft}", id, "{number}", id, "{slug}", id, "{name}", id, "{message}", l.message, "{part}", strings.TrimPrefix(l.parts[0], "file/")).Replace(pattern)
}

func difference(a, b string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%q and %q", a[max(0, i-60):min(len(a), i+60)], b[max(0, i-60):min(len(b), i+60)])
		}
	}
	return fmt.Sprintf("lengths %d and %d", len(a), len(b))
}

// TestAccess_CookieOfAnotherHost: the session of one authority is none at the
// other, whoever it is of.
func TestAccess_CookieOfAnotherHost(t *testing.T) {
	s := newStage(t)
	rt, routes := s.routes()
	for _, c := range s.callers {
		if c.staff.login == "" || c.host != musterstadt || c.name == "other tenant" {
			continue
		}
		s.awake(c)
		if got := s.ask(c, musterstadt, "GET", "/amt/tasten", nil); got.status != http.StatusOK {
			t.Fatalf("%s is not signed in at home: %d", c.name, got.status)
		}
		for _, route := range routes {
			method, pattern, _ := strings.Cut(route, " ")
			if !strings.HasPrefix(rt.Rules()[route], "staff") {
				continue
			}
			if got := s.ask(c, beispielingen, method, s.address(pattern), nil); got.outcome() != "sign in" {
				t.Errorf("%s with the cookie of %s at the other host: %s (%d)", route, c.name, got.outcome(), got.status)
			}
		}
	}
}

// TestAccess_Leaver: who was disabled by a colleague is out with the next click
// of a session that runs, on every route.
func TestAccess_Leaver(t *testing.T) {
	s := newStage(t)
	clerk, admin := s.caller("clerk"), s.caller("admin")
	s.awake(clerk)
	s.awake(admin)
	if got := s.ask(clerk, musterstadt, "GET", "/amt/vorgang/"+s.mine.thread, nil); got.status != http.StatusOK {
		t.Fatalf("before: %d", got.status)
	}
	path := "/amt/personal/person/" + clerk.staff.person + "/sperren"
	p := admin.Get(path).Want(http.StatusOK)
	for _, says := range []string{"laufenden Sitzungen", "Mitgliedschaften", "Passkeys"} {
		if !p.Contains(says) {
			t.Errorf("the page does not say that %s end", says)
		}
	}
	formTo(t, p, "/sperren").Submit().Want(http.StatusOK)
	rt, routes := s.routes()
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		if strings.HasPrefix(rt.Rules()[route], "staff") {
			if got := s.ask(clerk, musterstadt, method, s.address(pattern), nil); got.outcome() != "sign in" {
				t.Errorf("%s after the end: %s (%d)", route, got.outcome(), got.status)
			}
		}
	}
	c := clerk.Other()
	c.Host = musterstadt
	formTo(t, c.Get("/amt/anmelden"), "/amt/anmelden").Set("login", clerk.staff.login).Set("password", clerk.staff.password).Submit().Want(http.StatusUnprocessableEntity)
}

// TestAccess_SessionsEnded: whose sessions an administrator ended is out with the
// next click, on every route, and comes in again with what they have.
func TestAccess_SessionsEnded(t *testing.T) {
	s := newStage(t)
	clerk, lead, admin := s.caller("clerk"), s.caller("lead"), s.caller("admin")
	for _, c := range []*caller{clerk, lead, admin} {
		s.awake(c)
	}
	if got := s.ask(clerk, musterstadt, "GET", "/amt/vorgang/"+s.mine.thread, nil); got.status != http.StatusOK {
		t.Fatalf("before: %d", got.status)
	}
	path := "/amt/personal/person/" + clerk.staff.person
	if p := formTo(t, admin.Get(path).Want(http.StatusOK), "/sitzungen").Submit().Want(http.StatusOK); !p.Contains("überall abgemeldet") {
		t.Errorf("afterwards: %s", said(p))
	}
	rt, routes := s.routes()
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		if strings.HasPrefix(rt.Rules()[route], "staff") {
			if got := s.ask(clerk, musterstadt, method, s.address(pattern), nil); got.outcome() != "sign in" {
				t.Errorf("%s after the end: %s (%d)", route, got.outcome(), got.status)
			}
		}
	}
	if got := s.ask(lead, musterstadt, "GET", "/amt/vorgang/"+s.mine.thread, nil); got.status != http.StatusOK {
		t.Errorf("a colleague is out as well: %d", got.status)
	}
	if n := s.count(`select count(*) from journal_entries where action = 'staff.sessions' and actor = $1 and object = $2`, "staff:"+admin.staff.person, clerk.staff.person); n != 1 {
		t.Errorf("%d entries in the journal, want 1", n)
	}
	s.signIn(clerk.Client, clerk.staff)
	if got := s.ask(clerk, musterstadt, "GET", "/amt/vorgang/"+s.mine.thread, nil); got.status != http.StatusOK {
		t.Errorf("signed in again: %d", got.status)
	}
}

// TestAccess_SessionsEndedOnNodes: the same where two nodes keep sessions on one
// server: an end on one of them counts on the other at once.
func TestAccess_SessionsEndedOnNodes(t *testing.T) {
	h := newHouse(t)
	srv := valkeytest.Start(t)
	node := func() *webtest.Client {
		store, err := valkey.Open(t.Context(), valkey.Config{URL: srv.URL, Now: h.clock.Now})
		must(t, err)
		t.Cleanup(func() { _ = store.Close() })
		h.Sessions = web.NewSessions(web.SessionConfig{Now: h.clock.Now, Store: store})
		return h.browser()
	}
	one, two := node(), node()
	clerk := h.person("musterstadt", musterstadt, "sachbearbeitung", account.Clerk, "tiefbauamt")
	h.signIn(two, clerk)
	moved := one.Other() // the same session, through the other node
	for _, k := range two.Cookies() {
		moved.SetCookie(k.Name, k.Value)
	}
	if p := moved.Get("/amt/eingang").Want(http.StatusOK); p.Path != "/amt/eingang" {
		t.Fatalf("the other node does not know the session: %s", p.Path)
	}
	admin := one.Other()
	h.signIn(admin, h.person("musterstadt", musterstadt, "verwaltung", account.Admin, "buergerbuero"))
	formTo(t, admin.Get("/amt/personal/person/"+clerk.person).Want(http.StatusOK), "/sitzungen").Submit().Want(http.StatusOK)
	for name, b := range map[string]*webtest.Client{"its own node": two, "the other node": moved} {
		if p := b.Get("/amt/eingang").Want(http.StatusOK); !strings.HasPrefix(p.Path, "/amt/anmelden") {
			t.Errorf("the session lives on at %s: %s", name, p.Path)
		}
	}
}

// state is all that the message database and the vault hold, but the evidence of
// looking: the vault notes who looked, as it must.
func (s *stage) state() string {
	s.t.Helper()
	return contents(s.t, s.DB) + s.ofVault(func(v *db.DB) string {
		return contents(s.t, v, "vault_audit", "vault_audit_anchors", "vault_meta", "vault_anchors")
	})
}

// ofVault reads in the database of the vault.
func (s *stage) ofVault(read func(v *db.DB) string) string {
	s.t.Helper()
	v, err := db.Open(s.t.Context(), db.Config{URL: "sqlite:" + s.dir + "/vault/vault.db", Now: s.clock.Now, Log: s.config().Log})
	must(s.t, err)
	defer func() { must(s.t, v.Close()) }()
	return read(v)
}

func contents(t *testing.T, d *db.DB, without ...string) string {
	t.Helper()
	var b strings.Builder
	if d.Engine() == "postgres" {
		for _, table := range texts(t, d, `select table_name::text from information_schema.tables where table_schema = current_schema() order by 1`) {
			for _, row := range texts(t, d, `select x::text from "`+table+`" x order by 1`) {
				b.WriteString(table + ": " + row + "\n")
			}
		}
		return b.String()
	}
	for _, table := range texts(t, d, `select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by 1`) {
		if slices.Contains(without, table) {
			continue
		}
		cols := texts(t, d, `select 'quote("' || name || '")' from pragma_table_info('`+table+`') order by cid`)
		for _, row := range texts(t, d, `select `+strings.Join(cols, ` || '|' || `)+` from "`+table+`" order by 1`) {
			b.WriteString(table + ": " + row + "\n")
		}
	}
	return b.String()
}

// TestAccess_ReadingChangesNothing: no GET of any route, asked as anybody,
// changes a row of the database or of the vault.
func TestAccess_ReadingChangesNothing(t *testing.T) {
	s := newStage(t)
	_, routes := s.routes()
	for _, c := range s.callers {
		s.awake(c)
		before := s.state()
		for _, route := range routes {
			if method, pattern, _ := strings.Cut(route, " "); method == http.MethodGet {
				s.ask(c, c.host, method, s.address(pattern), nil)
			}
		}
		if after := s.state(); after != before {
			t.Errorf("as %s: %s", c.name, difference(before, after))
		}
	}
	before := s.state()
	s.exec(`update account_staff set name = 'Anders' where id = $1`, s.victim.person)
	if s.state() == before {
		t.Error("a changed row goes unnoticed")
	}
}

// TestAccess_ExtraFields: fields that no form has (tenant, role, state, "verified")
// change nobody's tenant, role, access or mailboxes, on any route.
func TestAccess_ExtraFields(t *testing.T) {
	s := newStage(t)
	rt, routes := s.routes()
	extra := s.extraFields()
	for name, v := range map[string]string{"role": "admin", "rolle": "admin", "person": s.victim.person, "mailbox_id": "buergerbuero"} {
		extra.Set(name, v)
	}
	for _, c := range s.callers {
		if !slices.Contains([]string{"nobody", "citizen", "clerk", "lead", "editor", "other tenant"}, c.name) {
			continue
		}
		s.awake(c)
		before := s.rows(rights())
		for _, route := range routes {
			method, pattern, _ := strings.Cut(route, " ")
			if method != http.MethodPost || ends(route) || pattern == "/konto/hinweise" || c.name == "citizen" && strings.HasPrefix(rt.Rules()[route], "public") {
				continue
			}
			s.awake(c)
			s.ask(c, c.host, method, s.address(pattern), extra)
		}
		if after := s.rows(rights()); after != before {
			t.Errorf("as %s: %s", c.name, difference(before, after))
		}
	}
}
