package mailbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// maxUpload bounds the body of an answer with its files. What a mailbox accepts
// is checked file by file; no mailbox may accept more than this.
const maxUpload = 1<<30 + 1<<20

func (s *Service) staffRoutes(all *web.Router) {
	rt := all.For(s.Accounts.StaffRule(account.Readers()...))
	typed := web.Under(s.Accounts.StaffFormRule(account.Readers()...))
	staff := s.Accounts.Staff
	const one = "/amt/vorgang/{id}"
	rt.Handle("GET /amt/eingang", staff(s.getInbox))
	rt.Handle("POST /amt/eingang", staff(s.postInbox))
	rt.Handle("GET "+one, staff(s.getThread))
	rt.Handle("POST "+one+"/antwort", s.keepText("body", s.postAnswer), typed, web.BodyLimit(maxUpload))
	rt.Handle("POST "+one+"/notiz", s.keepText("notiz", s.postNote), typed)
	rt.Handle("POST "+one+"/zuweisen", staff(s.postAssign))
	rt.Handle("POST "+one+"/abschliessen", staff(s.postClose))
	rt.Handle("POST "+one+"/oeffnen", staff(s.postReopen))
	rt.Handle("POST "+one+"/gelesen", staff(s.postRead))
	rt.Handle("GET "+one+"/weiterleiten", staff(s.getForward))
	rt.Handle("POST "+one+"/weiterleiten", s.keepText("grund", s.postForward), typed)
	rt.Handle("GET "+one+"/loeschen", staff(s.getDelete))
	rt.Handle("POST "+one+"/loeschen", staff(s.postDelete))
	rt.Handle("GET "+one+"/aufbewahren", staff(s.getHold))
	rt.Handle("POST "+one+"/aufbewahren", staff(s.postHold))
	rt.Handle("GET "+one+"/neu", staff(fromThread(s.getBeginTo)))
	rt.Handle("POST "+one+"/neu", s.keepText("body", fromThread(s.postBeginTo)), typed, web.BodyLimit(maxUpload))
	rt.Handle("GET "+permitsPath, staff(s.getPermits))
	rt.Handle("GET "+permitsPath+"/{id}/neu", staff(fromPermission(s.getBeginTo)))
	rt.Handle("POST "+permitsPath+"/{id}/neu", s.keepText("body", fromPermission(s.postBeginTo)), typed, web.BodyLimit(maxUpload))
	rt.Handle("GET "+permitsPath+"/{id}/loeschen", staff(s.getDropPermit))
	rt.Handle("POST "+permitsPath+"/{id}/loeschen", staff(s.postDropPermit))
	rt.Handle("GET "+one+"/druck", staff(s.getPrint))
	rt.Handle("GET "+one+"/datei/{message}/{part}", staff(s.getStaffFile))
}

// casePath is the address of a thread for the staff.
func casePath(id string) string { return "/amt/vorgang/" + url.PathEscape(id) }

// parseFilter reads the state of the inbox from its address. What is not a
// known word is as if it were not there.
func parseFilter(q url.Values) filter {
	f := filter{View: viewOpen, Order: newestFirst, Size: 25}
	if v := view(q.Get("sicht")); slices.Contains(views(), v) {
		f.View = v
	}
	switch o := order(q.Get("sort")); o {
	case newestFirst, oldestFirst, dueFirst:
		f.Order = o
	}
	if st := state(q.Get("status")); st.known() {
		f.State = st
	}
	f.Mailbox = tenant.MailboxID(q.Get("postfach"))
	f.Topic, f.Assignee, f.Number = short(q.Get("thema")), short(q.Get("wer")), short(strings.TrimSpace(q.Get("nr")))
	if n, err := strconv.Atoi(q.Get("n")); err == nil && slices.Contains(pageSizes(), n) {
		f.Size = n
	}
	if q.Get("weg") == wayMail {
		f.Way = wayMail
	}
	f.After = parseCursor(q.Get("nach"))
	if f.After.zero() {
		f.Before = parseCursor(q.Get("vor"))
	}
	return f
}

func pageSizes() []int { return []int{25, 50, 100} }

// short keeps what a topic, a person or a case number can be: the beginning of a
// text, whole characters, none that a database refuses.
func short(s string) string {
	if !textual(s) {
		return ""
	}
	for len(s) > 60 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// textual reports whether a database takes s as text: PostgreSQL refuses what is
// not UTF-8, and the zero character.
func textual(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// query is the address that parseFilter reads, without what is so anyway.
func (f filter) query() string {
	q := url.Values{}
	set := func(name, value, normal string) {
		if value != normal {
			q.Set(name, value)
		}
	}
	set("sicht", string(f.View), string(viewOpen))
	set("postfach", string(f.Mailbox), "")
	set("status", string(f.State), "")
	set("thema", f.Topic, "")
	set("wer", f.Assignee, "")
	set("nr", f.Number, "")
	set("weg", f.Way, "")
	set("sort", string(f.Order), string(newestFirst))
	set("n", strconv.Itoa(f.Size), "25")
	set("nach", f.After.String(), "")
	set("vor", f.Before.String(), "")
	if len(q) == 0 {
		return "/amt/eingang"
	}
	return "/amt/eingang?" + q.Encode()
}

// start is the same list at its beginning.
func (f filter) start() filter {
	f.After, f.Before = cursor{}, cursor{}
	return f
}

func (s *Service) getInbox(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	t, err := s.tenantOf(r)
	if err != nil {
		return err
	}
	f := parseFilter(r.URL.Query())
	page, err := s.inbox(r.Context(), who, f)
	if err != nil {
		return err
	}
	names, err := s.Accounts.Names(r.Context(), who.Tenant)
	if err != nil {
		return err
	}
	v := s.inboxView(r, t, who, f, page, names)
	return web.Render(w, r, http.StatusOK, web.View{Title: v.Title, Body: inboxPageBody(v), Staff: true, Section: "inbox"})
}

// undo is what a bulk action leaves for the bar above the list, in the session.
type undo struct {
	Done   string            `json:"done"` // what was done
	N      int               `json:"n"`
	Number string            `json:"number,omitempty"` // case number, when it was one
	Thread string            `json:"thread,omitempty"` // the page it belongs to; "" = the inbox
	Before map[string]before `json:"before,omitempty"` // by thread id
	At     time.Time         `json:"at"`
}

const (
	undoKey = "staff.undo"
	undoFor = 10 * time.Minute
	maxBulk = 100
)

// said returns what the bar of a page says: of the inbox for "", else of a
// thread. It disappears with the next action, or by itself.
func (s *Service) said(r *http.Request, threadID string) (u undo, ok bool) {
	raw, ok := web.SessionOf(r).Get(undoKey)
	if !ok || json.Unmarshal(raw, &u) != nil || u.Thread != threadID || s.Now().Sub(u.At) > undoFor {
		return undo{}, false
	}
	return u, true
}

// remember keeps what was done for the next page.
func (s *Service) remember(r *http.Request, u undo) error {
	u.At = s.Now()
	return web.SessionOf(r).Put(undoKey, encode(u))
}

func (s *Service) postInbox(w http.ResponseWriter, r *http.Request, who account.Actor) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	ids := form.All("vorgang")
	if len(ids) > maxBulk {
		return fault.With(fault.TooLarge, "web.form.many")
	}
	back := parseFilterOf(form.Get("zurueck")).query()
	if form.Get("aktion") == "" { // Enter on a row's box presses no action
		return web.Redirect(w, r, back)
	}
	done, err := s.bulk(r, who, form.Get("aktion"), ids)
	if err != nil {
		return err
	}
	if err := s.remember(r, done); err != nil {
		return err
	}
	return web.Redirect(w, r, back)
}

// parseFilterOf reads the state from an address that came back in a form.
func parseFilterOf(address string) filter {
	u, err := url.Parse(address)
	if err != nil {
		return parseFilter(nil)
	}
	return parseFilter(u.Query())
}

// bulk does one action with many threads. Those which the person cannot see, or
// which somebody else is changing right now, are left out and not counted.
func (s *Service) bulk(r *http.Request, who account.Actor, action string, ids []string) (undo, error) {
	ctx := r.Context()
	u := undo{Done: action, Before: map[string]before{}}
	old, _ := s.said(r, "")
	act := func(id string) error { return s.closeThread(ctx, who, id) }
	switch action {
	case "abschliessen":
	case "mir":
		act = func(id string) error { return s.assign(ctx, who, id, who.Person) }
	case "zurueck":
		ids = ids[:0]
		for id := range old.Before {
			ids = append(ids, id)
		}
		u.Done = "zurueck"
		act = func(id string) error { return s.putBack(ctx, who, id, old.Done, old.Before[id]) }
	default:
		return undo{}, fault.Invalid
	}
	for _, id := range ids {
		t, err := s.head(ctx, who, id)
		if err == nil {
			err = act(id)
		}
		switch kind := fault.KindOf(err); {
		case err == nil:
			u.N++
			u.Before[id] = before{State: t.State, Unread: t.Unread, Assignee: t.Assignee}
		case kind == fault.NotFound, kind == fault.Conflict, kind == fault.Invalid:
		default:
			return undo{}, err
		}
	}
	if u.Done == "zurueck" {
		u.Before = nil
	}
	return u, nil
}

// undone is the sentence of the bar.
func undone(r *http.Request, u undo) string {
	ctx := r.Context()
	switch u.Done {
	case "abschliessen":
		return i18n.T(ctx, "mailbox.staff.done.closed", "n", u.N)
	case "mir":
		return i18n.T(ctx, "mailbox.staff.done.taken", "n", u.N)
	case "zurueck":
		return i18n.T(ctx, "mailbox.staff.done.undone", "n", u.N)
	case "geloescht":
		return i18n.T(ctx, "mailbox.staff.done.deleted", "number", u.Number)
	case "weitergeleitet":
		return i18n.T(ctx, "mailbox.staff.done.forwarded", "number", u.Number)
	case "antwort":
		return i18n.T(ctx, "mailbox.staff.done.answered")
	case "antwort-zu":
		return i18n.T(ctx, "mailbox.staff.done.answeredclosed")
	case "notiz":
		return i18n.T(ctx, "mailbox.staff.done.noted")
	case "zugewiesen":
		return i18n.T(ctx, "mailbox.staff.done.assigned")
	case "gelesen":
		return i18n.T(ctx, "mailbox.staff.done.read")
	case "begonnen":
		return i18n.T(ctx, "mailbox.staff.done.begun")
	case "aufbewahrt":
		return i18n.T(ctx, "mailbox.staff.done.excepted")
	case "aufgehoben":
		return i18n.T(ctx, "mailbox.staff.done.unexcepted")
	case "geschlossen":
		return i18n.T(ctx, "mailbox.staff.done.closedone")
	}
	return i18n.T(ctx, "mailbox.staff.done.reopened")
}
