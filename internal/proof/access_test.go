package proof_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"poststelle/internal/account"
	"poststelle/internal/mailbox"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
	"poststelle/internal/web/webtest"
)

const operatorHost = "betreiber.example"

// caller is somebody who asks for pages: nobody, a citizen, or staff in a role.
type caller struct {
	name  string
	host  string // whose pages are asked for
	staff clerk
	mail  string // of a citizen
	*webtest.Client
}

// stage is an installation with somebody in every role, and with objects that
// some of them may see.
type stage struct {
	*house
	callers []*caller
	raw     *http.Client
	addr    string
	// mine is a letter in the mailbox of the clerk and the lead; beside is one of
	// another mailbox of the same authority, foreign one of the other authority.
	mine, beside, foreign sealedLetter
	// permits are permissions of people who are not asked about: for another
	// mailbox, and at the other authority.
	permits  []string
	victim   clerk  // whom requests of the matrix are about
	stranger clerk  // staff of the other authority
	request  string // to open evidence, at the other authority
}

// person adds somebody in a role. Who may be a member joins the mailboxes.
func (h *house) person(of tenant.ID, host, login string, role account.Role, boxes ...tenant.MailboxID) clerk {
	h.t.Helper()
	c := clerk{login: login, password: "Kennwort-" + login + "-2026", host: host}
	e, err := h.Staff.AddStaff(h.t.Context(), account.NewStaff{
		Tenant: of, Login: login, Name: "Person " + login, Password: c.password, Role: role, Mail: login + "@" + host, Mailboxes: boxes,
	})
	must(h.t, err)
	c.person = e.Person
	return c
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{house: newHouse(t)}
	must(t, s.AddTenants(t.Context(), []tenant.Tenant{{
		ID: "betreiber", Kind: tenant.Operator, Profile: tenant.Vorlage, Name: "Betreiber", Address: tenant.Address{Postcode: "70000", Place: "Ort"},
		Hosts:     []string{operatorHost},
		Mailboxes: []tenant.Mailbox{{ID: "kontakt", Name: "Kontakt", Duties: "Technik", Fallback: true, Topics: []tenant.Topic{{ID: "technik", Name: "Technik"}}}},
	}}))
	staff := map[account.Role]clerk{
		account.Clerk: s.person("musterstadt", musterstadt, "sachbearbeitung", account.Clerk, "tiefbauamt"),
		account.Lead:  s.person("musterstadt", musterstadt, "leitung", account.Lead, "tiefbauamt"),
	}
	s.person("musterstadt", musterstadt, "nebenan", account.Clerk, "buergerbuero")
	s.victim = s.person("musterstadt", musterstadt, "andere", account.Clerk)
	for _, r := range []account.Role{account.Admin, account.Editor, account.DPO, account.Auditor} {
		staff[r] = s.person("musterstadt", musterstadt, "r-"+string(r), r)
	}
	staff[account.Operator] = s.person("betreiber", operatorHost, "betrieb", account.Operator)
	s.stranger = s.person("beispielingen", beispielingen, "fremd", account.Clerk, "rathaus")

	s.publish()

	first := s.browser()
	s.addr = first.Addr()
	s.raw = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	add := func(name, host string) *caller {
		c := &caller{name: name, host: host, Client: first.Other()}
		c.Client.Host = host
		s.callers = append(s.callers, c)
		return c
	}
	add("nobody", musterstadt)
	citizen := add("citizen", musterstadt)
	citizen.mail = "kim@example.org"
	s.register(citizen)
	for _, r := range account.Roles() {
		add(string(r), staff[r].host).staff = staff[r]
	}
	other := add("other tenant", musterstadt)
	other.staff = s.stranger

	s.mine = s.keep(first.Other(), "tiefbauamt", "schaden", "Ahornallee")
	s.beside = s.keep(first.Other(), "buergerbuero", "ausweis", "Birkenhain")
	away := first.Other()
	away.Host = beispielingen
	s.foreign = s.keep(away, "rathaus", "allgemein", "Chaussee")
	s.permits = []string{s.permit("musterstadt", "buergerbuero"), s.permit("beispielingen", "rathaus")}
	return s
}

// permit has somebody with an account let a mailbox write first, and returns the
// id of the permission.
func (s *stage) permit(of tenant.ID, box tenant.MailboxID) string {
	s.t.Helper()
	t, _ := s.Directory.ByID(of)
	who, err := s.Accounts.AddCitizen(s.t.Context(), t, "erlaubt@"+string(of)+".example", citizenPassword)
	must(s.t, err)
	must(s.t, s.Mailboxes.Permit(s.t.Context(), t, who, mailbox.Permit{Mailbox: box, Name: "Dora Dritte", Reason: "Akte 12"}))
	return texts(s.t, s.DB, `select id from mailbox_permissions where tenant_id = '`+string(of)+`'`)[0]
}

// register gives a citizen an account and signs them in.
func (s *stage) register(c *caller) {
	s.t.Helper()
	c.Get("/konto/registrieren").Want(200).Form("").Set("email", c.mail).Set("password", "sieben blaue Fahrräder").Submit().Want(200)
	s.settle()
	link := ""
	for _, m := range s.mail.all() {
		if found := regexp.MustCompile(`https?://[^/\s]+(/konto/bestaetigen/\S+)`).FindStringSubmatch(m.Text); found != nil && m.To == c.mail {
			link = found[1]
		}
	}
	if link == "" {
		s.t.Fatalf("no mail to %s", c.mail)
	}
	c.Get(link).Want(200).Form("").Submit().Want(200)
}

// awake signs a caller in again if an earlier request ended the session.
func (s *stage) awake(c *caller) {
	s.t.Helper()
	switch {
	case c.mail != "":
		if p := c.Get("/konto"); strings.HasPrefix(p.Path, "/konto/anmelden") {
			p = p.Form("").Set("email", c.mail).Set("password", "sieben blaue Fahrräder").Submit()
			if p.Status == http.StatusUnprocessableEntity { // the account is gone
				s.register(c)
			}
		}
	case c.name == "other tenant":
		// Signed in at home; the cookie of there is replayed here.
		c.Host = beispielingen
		s.home(c)
		key := c.Cookies()
		c.Host = musterstadt
		for _, k := range key {
			c.SetCookie(k.Name, k.Value)
		}
	case c.staff.login != "":
		s.home(c)
	}
}

func (s *stage) home(c *caller) {
	s.t.Helper()
	if p := c.Get("/amt/tasten"); strings.HasPrefix(p.Path, "/amt/anmelden") {
		formTo(s.t, p, "/amt/anmelden").Set("login", c.staff.login).Set("password", c.staff.password).Submit().Want(200)
	}
}

// response is an answer as it came, redirects not followed.
type response struct {
	status         int
	location, body string
	header         http.Header
}

// ask sends one request of a caller to a host, as a browser there would.
func (s *stage) ask(c *caller, host, method, path string, fields url.Values) response {
	s.t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		if fields == nil {
			fields = url.Values{}
		}
		form := ui.GuardField + "=" + url.QueryEscape(s.token(c, host)) + "&" + fields.Encode()
		body = strings.NewReader(form)
	}
	return s.send(c, host, method, path, body)
}

// send sends a request, with a form as its body if there is one.
func (s *stage) send(c *caller, host, method, path string, form io.Reader) response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.addr+path, form)
	must(s.t, err)
	r.Host = host
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	c.Host = c.host
	for _, k := range c.Cookies() {
		r.AddCookie(k)
	}
	res, err := s.raw.Do(r)
	must(s.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	must(s.t, err)
	return response{res.StatusCode, res.Header.Get("Location"), string(data), res.Header}
}

// token is a form token of the caller's session, as a page of the host draws it.
func (s *stage) token(c *caller, host string) string {
	s.t.Helper()
	page := s.send(c, host, http.MethodGet, "/abholen", nil)
	found := regexp.MustCompile(`name="` + ui.GuardField + `" value="([^"]+)"`).FindStringSubmatch(page.body)
	if found == nil {
		return ""
	}
	return found[1]
}

// outcome sorts an answer: who may not, who has to sign in, what is not there.
// Everything else reached the page.
func (r response) outcome() string {
	switch {
	case r.status >= 500:
		return "broken"
	case r.status == http.StatusNotFound:
		return "404"
	case r.status == http.StatusSeeOther && (strings.HasPrefix(r.location, "/amt/anmelden?weiter") || strings.HasPrefix(r.location, "/konto/anmelden?weiter")):
		return "sign in"
	case r.status == http.StatusForbidden && strings.Contains(r.body, "Mit Ihrer Rolle"):
		return "403"
	case r.status == http.StatusForbidden && strings.Contains(r.body, "Verwaltungsnetz"):
		return "other network"
	case r.status == http.StatusForbidden: // the pages about sessions that have ended or never were
		return "sign in"
	}
	return "open"
}

var varying = regexp.MustCompile(`nonce="[^"]*"|nonce-[A-Za-z0-9+/=_-]+|<input type="hidden" name="` + ui.GuardField + `"[^>]*>|<span class="ps-code">[A-Z0-9]+</span>`)

// alike is an answer without what differs between any two, and without the id
// that was asked for.
func (r response) alike(id string) string {
	var b bytes.Buffer
	h := r.header.Clone()
	h.Del("Date")
	h.Del("Set-Cookie")
	h.Del("Content-Length")
	_ = h.Write(&b)
	text := varying.ReplaceAllString(b.String()+r.body, "")
	for _, form := range []string{id, url.QueryEscape(id)} {
		text = strings.ReplaceAll(text, form, "ID")
	}
	return text
}
