package mailbox

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
)

// inboxView is the page of the list.
type inboxView struct {
	Title, Summary, Here, Caption string
	Side                          ui.SideSpec
	Filter                        filter
	Number                        string
	States, Topics, People, Boxes []ui.Option
	Undo                          ui.UndoSpec
	HasUndo                       bool
	Cols                          []ui.Col
	Rows                          []rowView
	Pager                         ui.PagerSpec
	Sizes, Ways                   []ui.NavItem
	Empty                         string
}

// rowView is a line of the list.
type rowView struct {
	ID, Number, From, Subject, Topic, Status, Who, CheckLabel string
	Tone                                                      ui.Tone
	Unread, Files, Withdrawal, Sealed                         bool
	Due                                                       time.Time
	DueState                                                  ui.DueState
	At                                                        time.Time
	AtText                                                    string
}

func viewIcon(v view) string {
	switch v {
	case viewNew:
		return "mail"
	case viewMine:
		return "assignment_turned_in"
	case viewFree:
		return "person_add"
	case viewLate:
		return "schedule"
	case viewLong:
		return "history"
	case viewClosed:
		return "task_alt"
	}
	return "inbox"
}

func statusOf(st state) ui.Tone {
	switch st {
	case stateNew:
		return ui.Info
	case stateWaiting, stateClosed:
		return ui.Good
	}
	return ui.Neutral
}

// dueOf says how near the deadline of a thread is. Once the office has answered
// there is none.
func dueOf(t thread, now time.Time) (time.Time, ui.DueState) {
	switch {
	case !t.owed():
		return time.Time{}, ui.DueFar
	case t.late(now):
		return t.Due, ui.DueLate
	case t.Due.Before(tenant.StartOfDay(now).AddDate(0, 0, 3)):
		return t.Due, ui.DueSoon
	}
	return t.Due, ui.DueFar
}

func (s *Service) inboxView(r *http.Request, t *tenant.Tenant, who account.Actor, f filter, page inboxPage, names map[string]string) inboxView {
	ctx := r.Context()
	v := inboxView{
		Title: i18n.T(ctx, "mailbox.staff.view."+string(f.View)), Filter: f, Number: f.Number, Here: f.query(),
		Summary: i18n.T(ctx, "mailbox.staff.inbox.asof", "time", i18n.Time(ctx, s.Now())),
		Caption: i18n.T(ctx, "mailbox.staff.inbox.caption."+string(f.Order)),
		Empty:   i18n.T(ctx, "mailbox.staff.inbox.empty"),
	}
	v.Side = sideOf(r, t, who, f, page.Counts)
	v.filterChoices(r, t, who, f, names)
	v.Cols = columns(r, f)
	for _, row := range page.Rows {
		v.Rows = append(v.Rows, s.rowView(r, t, row, names))
	}
	v.Pager = pagerOf(r, f, page)
	for _, n := range pageSizes() {
		g := f.start()
		g.Size = n
		v.Sizes = append(v.Sizes, ui.NavItem{Href: g.query(), Label: strconv.Itoa(n), Current: n == f.Size})
	}
	for _, w := range [...]struct{ way, key string }{{"", "mailbox.bymail.chip.all"}, {wayMail, "mailbox.bymail.chip.mail"}} {
		g := f.start()
		g.Way = w.way
		v.Ways = append(v.Ways, ui.NavItem{Href: g.query(), Label: i18n.T(ctx, w.key), Current: f.Way == w.way})
	}
	if u, ok := s.said(r, ""); ok {
		v.HasUndo, v.Undo = true, ui.UndoSpec{Text: undone(r, u)}
		if len(u.Before) > 0 {
			v.Undo.Action = "/amt/eingang"
			v.Undo.Hidden = map[string]string{"aktion": "zurueck", "zurueck": v.Here}
		}
	}
	return v
}

func sideOf(r *http.Request, t *tenant.Tenant, who account.Actor, f filter, c count) ui.SideSpec {
	ctx := r.Context()
	side := ui.SideSpec{Label: i18n.T(ctx, "mailbox.staff.side.label")}
	group := ui.SideGroup{Title: i18n.T(ctx, "mailbox.staff.side.views")}
	for _, x := range views() {
		g := filter{View: x, Mailbox: f.Mailbox, Order: f.Order, Size: f.Size}
		item := ui.NavItem{
			Href: g.query(), Label: i18n.T(ctx, "mailbox.staff.side."+string(x)), Icon: viewIcon(x), Current: x == f.View && f.Number == "",
			Count: c.of(x), Quiet: x != viewNew && x != viewLate && x != viewLong,
		}
		if item.Current {
			side.Fold = i18n.T(ctx, "mailbox.staff.side.fold", "view", item.Label)
		}
		group.Items = append(group.Items, item)
	}
	side.Fold = cmp.Or(side.Fold, i18n.T(ctx, "mailbox.staff.side.views"))
	side.Groups = append(side.Groups, group)
	side.Groups = append(side.Groups, ui.SideGroup{Title: i18n.T(ctx, "mailbox.permits.side"), Items: []ui.NavItem{{
		Href: permitsPath, Label: i18n.T(ctx, "mailbox.permits.title"), Icon: "how_to_reg", Current: r.URL.Path == permitsPath,
	}}})
	if len(who.Mailboxes) > 1 && r.URL.Path != permitsPath { // which has its own choice of mailboxes
		side.Groups = append(side.Groups, boxGroup(r, t, who, f))
	}
	return side
}

func boxGroup(r *http.Request, t *tenant.Tenant, who account.Actor, f filter) ui.SideGroup {
	ctx := r.Context()
	group := ui.SideGroup{Title: i18n.T(ctx, "mailbox.staff.side.boxes")}
	add := func(id tenant.MailboxID, label string) {
		g := filter{View: f.View, Mailbox: id, Order: f.Order, Size: f.Size}
		item := ui.NavItem{Href: g.query(), Label: label, Icon: "domain"}
		if id == f.Mailbox {
			item.Attrs = map[string]any{"aria-current": "true"}
		}
		group.Items = append(group.Items, item)
	}
	add("", i18n.T(ctx, "mailbox.staff.side.allboxes"))
	for _, id := range who.Mailboxes {
		if m, ok := t.Mailbox(id); ok {
			add(id, m.Title(i18n.Lang(ctx)))
		}
	}
	return group
}

func (v *inboxView) filterChoices(r *http.Request, t *tenant.Tenant, who account.Actor, f filter, names map[string]string) {
	ctx := r.Context()
	lang := i18n.Lang(ctx)
	for _, st := range []state{stateNew, stateOpen, stateWaiting, stateClosed} {
		v.States = append(v.States, ui.Option{Value: string(st), Label: i18n.T(ctx, "mailbox.staff.status."+string(st)), Selected: st == f.State})
	}
	seen := map[string]bool{}
	for _, id := range who.Mailboxes {
		m, ok := t.Mailbox(id)
		if !ok || f.Mailbox != "" && id != f.Mailbox {
			continue
		}
		for _, topic := range m.Topics {
			if !seen[topic.ID] {
				seen[topic.ID] = true
				v.Topics = append(v.Topics, ui.Option{Value: topic.ID, Label: topic.Title(lang), Selected: topic.ID == f.Topic})
			}
		}
	}
	v.People = []ui.Option{
		{Value: "ich", Label: i18n.T(ctx, "mailbox.staff.who.me"), Selected: f.Assignee == "ich"},
		{Value: "frei", Label: i18n.T(ctx, "mailbox.staff.who.free"), Selected: f.Assignee == "frei"},
	}
	for _, person := range sortedByName(names) {
		if person != who.Person {
			v.People = append(v.People, ui.Option{Value: person, Label: names[person], Selected: person == f.Assignee})
		}
	}
}

func sortedByName(names map[string]string) []string {
	out := make([]string, 0, len(names))
	for p := range names {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(strings.Compare(names[a], names[b]), strings.Compare(a, b)) })
	return out
}

func columns(r *http.Request, f filter) []ui.Col {
	ctx := r.Context()
	received := ui.Col{Label: i18n.T(ctx, "mailbox.staff.col.received"), Class: "ps-w-date"}
	due := ui.Col{Label: i18n.T(ctx, "mailbox.staff.col.due"), Class: "ps-w-due"}
	g := f.start()
	switch f.Order {
	case newestFirst:
		received.Dir = "descending"
		g.Order = oldestFirst
	case oldestFirst:
		received.Dir = "ascending"
		g.Order = newestFirst
	default:
		due.Dir = "ascending"
		g.Order = newestFirst
	}
	received.Sort = g.query()
	g.Order = dueFirst
	due.Sort = g.query()
	return []ui.Col{
		{Check: true, Label: i18n.T(ctx, "mailbox.staff.col.all")},
		{Label: i18n.T(ctx, "mailbox.staff.col.from"), Class: "ps-w-from"}, {Label: i18n.T(ctx, "mailbox.staff.col.subject")},
		{Label: i18n.T(ctx, "mailbox.staff.col.number"), Class: "ps-w-case ps-cell-wide"},
		{Label: i18n.T(ctx, "mailbox.staff.col.topic"), Class: "ps-w-topic ps-cell-wide"},
		{Label: i18n.T(ctx, "mailbox.staff.col.status"), Class: "ps-w-status"}, {Label: i18n.T(ctx, "mailbox.staff.col.who"), Class: "ps-w-who"},
		due, received,
	}
}

func (s *Service) rowView(r *http.Request, t *tenant.Tenant, row inboxRow, names map[string]string) rowView {
	ctx := r.Context()
	v := rowView{
		ID: row.ID, Number: row.Number, From: row.Sender, Subject: row.Subject, Who: names[row.Assignee], Sealed: row.Sealed,
		Status: i18n.T(ctx, "mailbox.staff.status."+string(row.State)), Tone: statusOf(row.State), Unread: row.Unread,
		Files: row.thread.Files > 0, Withdrawal: row.Withdrawal, At: row.Received,
		CheckLabel: i18n.T(ctx, "mailbox.staff.col.check", "number", row.Number),
	}
	v.Due, v.DueState = dueOf(row.thread, s.Now())
	v.AtText = dayMonth(ctx, row.Received)
	if !row.Received.Before(tenant.StartOfDay(s.Now())) {
		v.AtText = i18n.Time(ctx, row.Received)
	}
	if m, ok := t.Mailbox(row.Mailbox); ok {
		if topic, ok := m.Topic(row.thread.Topic); ok {
			v.Topic = topic.Title(i18n.Lang(ctx))
		}
	}
	switch {
	case row.Sealed:
		v.From, v.Subject = i18n.T(ctx, "mailbox.staff.row.arriving"), row.Number
	case v.From == "":
		v.From = i18n.T(ctx, "mailbox.staff.row.anonymous")
	}
	if !row.Sealed && v.Subject == "" {
		v.Subject = i18n.T(ctx, "mailbox.staff.row.nosubject")
	}
	return v
}

func pagerOf(r *http.Request, f filter, page inboxPage) ui.PagerSpec {
	p := ui.PagerSpec{Range: i18n.T(r.Context(), "mailbox.staff.inbox.range", "n", len(page.Rows))}
	if !page.Newer.zero() {
		g := f.start()
		g.Before = page.Newer
		p.Newer = g.query()
	}
	if !page.Older.zero() {
		g := f.start()
		g.After = page.Older
		p.Older = g.query()
	}
	if !f.After.zero() || !f.Before.zero() {
		p.First = f.start().query()
	}
	return p
}

// hidden is the part of the state that the filter bar does not show.
func (f filter) hidden() []ui.Pair {
	var out []ui.Pair
	for _, p := range []ui.Pair{
		{Key: "sicht", Text: string(f.View)}, {Key: "postfach", Text: string(f.Mailbox)}, {Key: "sort", Text: string(f.Order)},
		{Key: "weg", Text: f.Way},
		{Key: "n", Text: strconv.Itoa(f.Size)},
	} {
		if p.Text != "" {
			out = append(out, p)
		}
	}
	return out
}

// keyHints is the line of keys below the list.
func keyHints(ctx context.Context) []ui.Pair {
	return []ui.Pair{
		{Key: "J", Text: i18n.T(ctx, "mailbox.staff.key.next")}, {Key: "K", Text: i18n.T(ctx, "mailbox.staff.key.previous")},
		{Key: "X", Text: i18n.T(ctx, "mailbox.staff.key.select")}, {Key: "O", Text: i18n.T(ctx, "mailbox.staff.key.open")},
	}
}

// dayMonth writes a day without its year, as the page's language does.
func dayMonth(ctx context.Context, t time.Time) string {
	return t.In(i18n.Zone()).Format(i18n.T(ctx, "mailbox.staff.date.layout"))
}

// shortName is a name as a narrow column holds it: "M. Keller".
func shortName(name string) string {
	words := strings.Fields(name)
	if len(words) < 2 {
		return name
	}
	return string([]rune(words[0])[:1]) + ". " + words[len(words)-1]
}
