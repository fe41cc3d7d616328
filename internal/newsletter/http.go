package newsletter

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/mail"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// module is the switch that all pages hang on.
const module = string(tenant.Newsletter)

// Routes registers the pages. A path with {token} holds the word of a mail: it is
// logged as this pattern only, and its page sends no address of its own along.
func (s *Service) Routes(rt *web.Router) {
	all := rt.For(web.Public().Of(module))
	all.Handle("GET /newsletter", s.getSignUp)
	all.Handle("POST /newsletter", s.postSignUp)
	all.Handle("GET /newsletter/gesendet", s.getAsked)
	all.Handle("GET /newsletter/bestaetigen/{token}", s.getConfirm)
	all.Handle("POST /newsletter/bestaetigen/{token}", s.postConfirm)
	all.Handle("GET /newsletter/bestaetigt", s.getConfirmed)
	all.Handle("GET /newsletter/abmelden/{token}", s.getLeave)
	// Mail programs post here by themselves, without cookies (RFC 8058).
	all.Handle("POST /newsletter/abmelden/{token}", s.postLeave, web.CrossOrigin(), web.BodyLimit(64<<10))
	all.Handle("GET /newsletter/abgemeldet", s.getLeft)
	all.Handle("GET /newsletter/verwalten", s.getAskLink)
	all.Handle("POST /newsletter/verwalten", s.postAskLink)
	all.Handle("GET /newsletter/verwalten/{token}", s.getManage)
	all.Handle("POST /newsletter/verwalten/{token}", s.postManage)
	all.Handle("GET /newsletter/archiv", s.getArchive)
	all.Handle("GET /newsletter/archiv/feed.xml", s.getFeed)
	all.Handle("GET /newsletter/archiv/{number}", s.getArchived)
	s.deskRoutes(rt)
}

// tenantOf returns the tenant of the host; without the module there is no page.
func (s *Service) tenantOf(r *http.Request) (*tenant.Tenant, error) {
	return s.of(tenant.ID(web.SiteOf(r.Context()).ID))
}

// show renders a public page. Where the address holds the word of a mail it goes
// nowhere else.
func show(w http.ResponseWriter, r *http.Request, status int, v web.View) error {
	v.Section = "newsletter"
	if r.PathValue("token") != "" {
		v.NoIndex = true
		w.Header().Set("Referrer-Policy", "strict-origin")
		w.Header().Set("Cache-Control", "no-store")
	}
	return web.Render(w, r, status, v)
}

// networkOf names the network of a request for the limits, "" if it is not
// counted.
func networkOf(r *http.Request) string {
	if p := web.Network(web.ClientIP(r.Context())); p.IsValid() {
		return p.String()
	}
	return ""
}

func (s *Service) getSignUp(w http.ResponseWriter, r *http.Request) error {
	return s.showSignUp(w, r, http.StatusOK, signUpView{})
}

func (s *Service) showSignUp(w http.ResponseWriter, r *http.Request, status int, v signUpView) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	set, err := s.settings(r.Context(), t)
	if err != nil {
		return err
	}
	v.fill(r.Context(), t, set)
	return show(w, r, status, web.View{Title: v.Title, Body: signUpPage(v), Errors: len(v.Errors)})
}

func (s *Service) postSignUp(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	v := signUpView{Email: strings.TrimSpace(form.Get("email")), Chosen: form.All("thema")}
	address, err := mail.ParseAddress("email", v.Email)
	if err != nil {
		v.Errors = fault.FieldsOf(err)
		return s.showSignUp(w, r, http.StatusUnprocessableEntity, v)
	}
	err = s.signUp(r.Context(), t, wish{Address: address, Categories: v.Chosen, Network: networkOf(r), Form: "/newsletter"})
	if errors.Is(err, fault.TooMany) {
		v.Errors = []fault.Field{{Name: "email", Key: "newsletter.error.slow"}}
		return s.showSignUp(w, r, http.StatusTooManyRequests, v)
	}
	if v.Errors = fault.FieldsOf(err); len(v.Errors) > 0 {
		return s.showSignUp(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, "/newsletter/gesendet")
}

// formOf reads a form. What had to be repaired in it is no address and no topic.
func formOf(r *http.Request) (*web.Values, error) {
	form, err := web.Form(r)
	if form != nil {
		err = nil
	}
	return form, err
}

func (s *Service) getAsked(w http.ResponseWriter, r *http.Request) error {
	return s.plain(w, r, http.StatusOK, "newsletter.asked.")
}

// plain is a page that says what was done and what happens next; what is the
// beginning of its keys.
func (s *Service) plain(w http.ResponseWriter, r *http.Request, status int, what string) error {
	if _, err := s.tenantOf(r); err != nil {
		return err
	}
	v := doneView{
		Title: i18n.T(r.Context(), what+"title"), Text: i18n.T(r.Context(), what+"text"), Good: status == http.StatusOK,
	}
	return show(w, r, status, web.View{Title: v.Title, Body: donePage(v), FocusH1: true, NoIndex: true})
}

// over answers a link that does nothing any more.
func (s *Service) over(w http.ResponseWriter, r *http.Request, err error) error {
	if !errors.Is(err, errLink) {
		return err
	}
	return s.plain(w, r, http.StatusGone, "newsletter.over.")
}

func (s *Service) getConfirm(w http.ResponseWriter, r *http.Request) error {
	return s.ask(w, r, "newsletter.confirm.", "/newsletter/bestaetigen/")
}

// ask shows a page with one button: opening a link changes nothing, since
// programs open them too.
func (s *Service) ask(w http.ResponseWriter, r *http.Request, what, path string) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	set, err := s.settings(r.Context(), t)
	if err != nil {
		return err
	}
	v := askView{
		Title: i18n.T(r.Context(), what+"title"),
		Text:  i18n.T(r.Context(), what+"text", "title", set.name(i18n.Lang(r.Context())), "authority", t.Name),
		Send:  i18n.T(r.Context(), what+"send"), Action: path + r.PathValue("token"),
	}
	return show(w, r, http.StatusOK, web.View{Title: v.Title, Body: askPage(v)})
}

func (s *Service) postConfirm(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	if err := s.confirm(r.Context(), t, r.PathValue("token")); err != nil {
		return s.over(w, r, err)
	}
	return web.Redirect(w, r, "/newsletter/bestaetigt")
}

func (s *Service) getConfirmed(w http.ResponseWriter, r *http.Request) error {
	return s.plain(w, r, http.StatusOK, "newsletter.confirmed.")
}

func (s *Service) getLeave(w http.ResponseWriter, r *http.Request) error {
	return s.ask(w, r, "newsletter.leave.", leavePath)
}

// postLeave unsubscribes, by the button of the page or by that of a mail program,
// which gets its answer at once and without being sent elsewhere (RFC 8058, 3.2).
func (s *Service) postLeave(w http.ResponseWriter, r *http.Request) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	way, oneClick := WayLink, false
	if form, err := formOf(r); err == nil && form.Get("List-Unsubscribe") == "One-Click" {
		way, oneClick = WayOneClick, true
	}
	if err := s.leave(r.Context(), t, toLeave, r.PathValue("token"), way); err != nil {
		return s.over(w, r, err)
	}
	if oneClick {
		return s.plain(w, r, http.StatusOK, "newsletter.left.")
	}
	return web.Redirect(w, r, "/newsletter/abgemeldet")
}

func (s *Service) getLeft(w http.ResponseWriter, r *http.Request) error {
	return s.plain(w, r, http.StatusOK, "newsletter.left.")
}

func (s *Service) getAskLink(w http.ResponseWriter, r *http.Request) error {
	return s.showAskLink(w, r, http.StatusOK, "", nil)
}

func (s *Service) showAskLink(w http.ResponseWriter, r *http.Request, status int, email string, wrong problems) error {
	if _, err := s.tenantOf(r); err != nil {
		return err
	}
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "newsletter.asklink.title"), Body: askLinkPage(email, wrong), Errors: len(wrong)})
}

func (s *Service) postAskLink(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	email := strings.TrimSpace(form.Get("email"))
	address, err := mail.ParseAddress("email", email)
	if err != nil {
		return s.showAskLink(w, r, http.StatusUnprocessableEntity, email, fault.FieldsOf(err))
	}
	err = s.askLink(r.Context(), t, address, networkOf(r))
	if errors.Is(err, fault.TooMany) {
		return s.showAskLink(w, r, http.StatusTooManyRequests, email, problems{{Name: "email", Key: "newsletter.error.slow"}})
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, "/newsletter/gesendet?link=ja")
}

func (s *Service) getManage(w http.ResponseWriter, r *http.Request) error {
	return s.showManage(w, r, http.StatusOK, nil)
}

func (s *Service) showManage(w http.ResponseWriter, r *http.Request, status int, wrong problems) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	row, err := s.choices(r.Context(), t, r.PathValue("token"))
	if err != nil {
		return s.over(w, r, err)
	}
	set, err := s.settings(r.Context(), t)
	if err != nil {
		return err
	}
	v := manageView{Action: "/newsletter/verwalten/" + r.PathValue("token"), Saved: wrong == nil && r.URL.Query().Get("gespeichert") == "ja", Errors: wrong}
	v.Topics = options(set, i18n.Lang(r.Context()), row.Categories)
	return show(w, r, status, web.View{Title: i18n.T(r.Context(), "newsletter.manage.title"), Body: managePage(v), Errors: len(wrong)})
}

func (s *Service) postManage(w http.ResponseWriter, r *http.Request) error {
	form, err := formOf(r)
	if err != nil {
		return err
	}
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	word := r.PathValue("token")
	if form.Get("tun") == "abmelden" {
		if err := s.leave(r.Context(), t, toManage, word, WayManage); err != nil {
			return s.over(w, r, err)
		}
		return web.Redirect(w, r, "/newsletter/abgemeldet")
	}
	err = s.change(r.Context(), t, word, form.All("thema"))
	if wrong := fault.FieldsOf(err); len(wrong) > 0 {
		return s.showManage(w, r, http.StatusUnprocessableEntity, wrong)
	}
	if err != nil {
		return s.over(w, r, err)
	}
	return web.Redirect(w, r, "/newsletter/verwalten/"+word+"?gespeichert=ja")
}

func (s *Service) getArchive(w http.ResponseWriter, r *http.Request) error {
	t, set, err := s.archive(r)
	if err != nil {
		return err
	}
	issues, err := s.archived(r.Context(), t.ID, false)
	if err != nil {
		return err
	}
	v := archiveView{Title: i18n.T(r.Context(), "newsletter.archive.title", "title", set.name(i18n.Lang(r.Context()))), Issues: issues}
	return show(w, r, http.StatusOK, web.View{Title: v.Title, Body: archivePage(v)})
}

// archive returns whose archive is asked for; NotFound where the tenant has
// chosen to have none.
func (s *Service) archive(r *http.Request) (t *tenant.Tenant, set Settings, err error) {
	if t, err = s.tenantOf(r); err != nil {
		return nil, set, err
	}
	if set, err = s.settings(r.Context(), t); err == nil && !set.Archive {
		err = fault.NotFound
	}
	return t, set, err
}

func (s *Service) getArchived(w http.ResponseWriter, r *http.Request) error {
	t, _, err := s.archive(r)
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(r.PathValue("number"), 10, 32)
	if err != nil {
		return fault.NotFound
	}
	i, err := s.archivedOne(r.Context(), t.ID, number)
	if err != nil {
		return err
	}
	return show(w, r, http.StatusOK, web.View{Title: i.Subject, Body: archivedPage(i)})
}

// atom is a feed (RFC 4287).
type atom struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Title   string      `xml:"title"`
	ID      string      `xml:"id"`
	Updated string      `xml:"updated"`
	Author  string      `xml:"author>name"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	Title   string   `xml:"title"`
	ID      string   `xml:"id"`
	Updated string   `xml:"updated"`
	Link    atomLink `xml:"link"`
	Content struct {
		Type string `xml:"type,attr"`
		Lang string `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
		Text string `xml:",chardata"`
	} `xml:"content"`
}

func (s *Service) getFeed(w http.ResponseWriter, r *http.Request) error {
	t, set, err := s.archive(r)
	if err != nil {
		return err
	}
	issues, err := s.archived(r.Context(), t.ID, true)
	if err != nil {
		return err
	}
	raw, err := s.feed(r.Context(), t, set, issues)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	_, err = w.Write(raw)
	return err
}
