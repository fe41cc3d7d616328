package proof_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/web/ui"
)

// extraFields are names that no form has, with values that somebody would like.
func (s *stage) extraFields() url.Values {
	return url.Values{
		"tenant": {"beispielingen"}, "tenant_id": {"beispielingen"}, "role": {"operator"}, "verified": {"1"}, "state": {"active"}, "status": {"active"},
		"admin": {"1"}, "person": {s.stranger.person}, "id": {s.stranger.person}, "disabled_at": {"0"}, "mailbox_id": {"rathaus"}, "account_id": {"x"},
		"email_verified": {"1"}, "realm": {"beispielingen"}, "second_factor": {"0"},
	}
}

// rights are the tables, by their beginnings, of who is whose, and what they may.
func rights() []string {
	return []string{"account_staff: ", "account_citizens: ", "tenant", "vault_staff: ", "vault_members: ", "vault_accounts: ", "vault_tenants: "}
}

// rows are the rows of both databases that begin with the name of one of these
// tables and hold one of these words.
func (s *stage) rows(tables []string, holding ...string) string {
	s.t.Helper()
	var b strings.Builder
	for line := range strings.SplitSeq(s.state(), "\n") {
		for _, table := range tables {
			hold := len(holding) == 0
			for _, word := range holding {
				hold = hold || strings.Contains(line, word)
			}
			if strings.HasPrefix(line, table) && hold {
				b.WriteString(line + "\n")
				break
			}
		}
	}
	return b.String()
}

// TestFields_Citizen: extra fields on every form of a citizen's account change
// nothing of any account, staff or authority; the form about notices, which
// changes the account on purpose, is asked once before.
func TestFields_Citizen(t *testing.T) {
	s := newStage(t)
	rt, routes := s.routes()
	c := s.caller("citizen")
	s.awake(c)
	s.ask(c, c.host, http.MethodPost, "/konto/hinweise", nil)
	before, asked := s.rows(rights()), 0
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		if method != http.MethodPost || ends(route) || strings.HasPrefix(rt.Rules()[route], "public") {
			continue
		}
		asked++
		s.awake(c)
		s.ask(c, c.host, method, s.address(pattern), s.extraFields())
		if after := s.rows(rights()); after != before {
			t.Errorf("%s: %s", route, difference(before, after))
			before = after
		}
	}
	if asked < 50 {
		t.Errorf("%d routes were asked", asked)
	}
	s.ask(c, c.host, http.MethodPost, "/konto/hinweise", url.Values{"hinweis": {"ja"}})
	if s.rows(rights()) == before {
		t.Error("sabotage: a change of the account goes unnoticed")
	}
}

// TestFields_Admin: an admin may change their own authority. Extra fields on
// every form carry none of it into another one, and make nobody more than they
// were.
func TestFields_Admin(t *testing.T) {
	s := newStage(t)
	_, routes := s.routes()
	c := s.caller("admin")
	roles := func() string {
		return s.ofVault(func(v *db.DB) string {
			return strings.Join(texts(t, v, `select tenant || ' ' || id || ' ' || role from vault_staff order by 1`), "\n")
		})
	}
	elsewhere := func() string {
		return s.rows(append(rights(), "account_", "mailbox_"), "beispielingen", "betreiber", s.stranger.person)
	}
	s.awake(c)
	before, had, asked := elsewhere(), roles(), 0
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		if method != http.MethodPost || ends(route) {
			continue
		}
		asked++
		s.awake(c)
		s.ask(c, c.host, method, s.address(pattern), s.extraFields())
		if after := elsewhere(); after != before {
			t.Errorf("%s: %s", route, difference(before, after))
			before = after
		}
		if now := roles(); now != had {
			t.Errorf("%s: %s", route, difference(had, now))
			had = now
		}
	}
	if asked < 50 {
		t.Errorf("%d routes were asked", asked)
	}
	s.exec(`update account_staff set name = 'Anders' where id = $1`, s.stranger.person)
	if elsewhere() == before {
		t.Error("sabotage: a changed row of the other authority goes unnoticed")
	}
}

// caller returns who was added under a name.
func (s *stage) caller(name string) *caller {
	s.t.Helper()
	for _, c := range s.callers {
		if c.name == name {
			return c
		}
	}
	s.t.Fatalf("nobody is %q", name)
	return nil
}

// TestLeaver_WithinASecond: the clock of the program stands still from the moment
// a person is disabled, and all their running sessions, in two browsers, are
// refused the letter, its page to answer, and a post. So no cache that lives for a
// while lies between, whatever its time.
func TestLeaver_WithinASecond(t *testing.T) {
	s := newStage(t)
	clerk, admin := s.caller("clerk"), s.caller("admin")
	s.awake(clerk)
	s.awake(admin)
	second := &caller{name: "clerk again", host: clerk.host, staff: clerk.staff, Client: clerk.Other()}
	second.Client.Host = clerk.host
	s.home(second)
	letter := "/amt/vorgang/" + s.mine.thread
	tokens := map[*caller]string{}
	for _, c := range []*caller{clerk, second} {
		if got := s.ask(c, musterstadt, http.MethodGet, letter, nil); got.status != http.StatusOK {
			t.Fatalf("%s before: %d", c.name, got.status)
		}
		tokens[c] = s.token(c, musterstadt)
	}
	notes := s.count(`select count(*) from mailbox_messages`)
	formTo(t, admin.Get("/amt/personal/person/"+clerk.staff.person+"/sperren").Want(http.StatusOK), "/sperren").Submit().Want(http.StatusOK)
	at, real := s.clock.Now(), time.Now()
	for c, token := range tokens {
		for method, path := range map[string]string{http.MethodGet: letter, http.MethodPost: letter + "/antwort"} {
			got := s.ask(c, musterstadt, method, path, url.Values{ui.GuardField: {token}, "body": {"Noch schnell eine Antwort."}, "aktion": {"senden"}})
			if got.outcome() != "sign in" || strings.Contains(got.body, "Ahornallee") {
				t.Errorf("%s %s as %s: %s (%d)", method, path, c.name, got.outcome(), got.status)
			}
		}
	}
	if moved := s.clock.Now().Sub(at); moved >= time.Second {
		t.Errorf("the clock went on by %s", moved)
	}
	if s.count(`select count(*) from mailbox_messages`) != notes {
		t.Error("a leaver's answer was taken")
	}
	t.Logf("four requests refused in %s", time.Since(real))
}
