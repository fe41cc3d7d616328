package mailbox

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/i18n"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
)

// folder is a part of the mailbox.
type folder string

const (
	folderOpen   folder = ""
	folderClosed folder = "abgeschlossen"
	folderDrafts folder = "entwuerfe"
)

// chip narrows a folder. What an office expects to be answered is not known,
// only that it has answered; so the chip says that.
type chip string

const (
	chipAll      chip = "alle"
	chipUnread   chip = "ungelesen"
	chipAnswered chip = "beantwortet"
	chipFiles    chip = "anhang"
)

// heldFilter is the state of the list; it is the query of its address.
type heldFilter struct {
	Folder        folder
	Chip          chip
	After, Before cursor
	Size          int
}

const heldSize = 25

func parseHeldFilter(q url.Values) heldFilter {
	f := heldFilter{Chip: chipAll, Size: heldSize}
	if folder(q.Get("ordner")) == folderClosed {
		f.Folder = folderClosed
	}
	switch c := chip(q.Get("nur")); c {
	case chipUnread, chipAnswered, chipFiles:
		f.Chip = c
	}
	f.After = parseCursor(q.Get("nach"))
	if f.After.zero() {
		f.Before = parseCursor(q.Get("vor"))
	}
	return f
}

// query is the address that parseHeldFilter reads.
func (f heldFilter) query() string {
	q := url.Values{}
	if f.Folder != folderOpen {
		q.Set("ordner", string(f.Folder))
	}
	if f.Chip != chipAll {
		q.Set("nur", string(f.Chip))
	}
	if !f.After.zero() {
		q.Set("nach", f.After.String())
	}
	if !f.Before.zero() {
		q.Set("vor", f.Before.String())
	}
	if len(q) == 0 {
		return "/postfach"
	}
	return "/postfach?" + q.Encode()
}

func (f heldFilter) start() heldFilter {
	f.After, f.Before = cursor{}, cursor{}
	return f
}

// heldPage is one page of a mailbox with its cards opened.
type heldPage struct {
	Rows         []heldRow
	Newer, Older cursor
	Counts       heldCounts
}

type heldRow struct {
	held
	Subject, Excerpt string
	Sealed           bool // the letter is on its way to the vault
}

// heldPage reads a page of a mailbox. However long it is, the cost is that of
// the page: one query for the rows, and for each authority on it one for the
// cards and one call to the vault.
func (s *Service) heldPage(ctx context.Context, who account.Citizen, of []tenant.ID, f heldFilter) (page heldPage, err error) {
	cards := map[string][]byte{}
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		rows, err := selectHeld(ctx, tx, who.ID, of, f)
		if err != nil {
			return err
		}
		page = heldPage{}
		page.cut(rows, f)
		if page.Counts, err = countHeld(ctx, tx, who.ID, of); err != nil {
			return err
		}
		for at, ids := range page.cardIDs() {
			got, err := selectCards(ctx, tx, at, ids)
			if err != nil {
				return err
			}
			maps.Copy(cards, got)
		}
		return nil
	})
	if err != nil {
		return heldPage{}, fmt.Errorf("mailbox: page of a mailbox: %w", err)
	}
	if err := s.openHeldCards(ctx, who, page, cards); err != nil {
		return heldPage{}, fmt.Errorf("mailbox: page of a mailbox: %w", err)
	}
	return page, nil
}

// cut takes the one row too many that tells of a further page, and brings a page
// that was read backwards into order.
func (p *heldPage) cut(rows []held, f heldFilter) {
	more := len(rows) > f.Size
	rows = rows[:min(len(rows), f.Size)]
	backwards := !f.Before.zero()
	if backwards {
		slices.Reverse(rows)
	}
	for _, x := range rows {
		p.Rows = append(p.Rows, heldRow{held: x, Sealed: true})
	}
	if len(rows) == 0 {
		return
	}
	edge := func(x held) cursor { return cursor{db.Millis(x.holding.Changed), x.ID} }
	if backwards && more || !backwards && !f.After.zero() {
		p.Newer = edge(rows[0])
	}
	if !backwards && more || backwards {
		p.Older = edge(rows[len(rows)-1])
	}
}

// cardIDs are the messages whose cards a row shows: the first for the subject,
// the newest of the office for the excerpt.
func (x held) cardIDs() []string {
	if x.Last == "" || x.Last == x.First {
		return []string{x.First}
	}
	return []string{x.First, x.Last}
}

// cardIDs are the messages whose cards the page shows, by their authority.
func (p heldPage) cardIDs() map[tenant.ID][]string {
	ids := map[tenant.ID][]string{}
	for _, r := range p.Rows {
		ids[r.thread.Tenant] = append(ids[r.thread.Tenant], r.cardIDs()...)
	}
	return ids
}

// openHeldCards unseals subject and excerpt of the rows.
func (s *Service) openHeldCards(ctx context.Context, who account.Citizen, page heldPage, cards map[string][]byte) error {
	keys := map[string]seal.Key{}
	for of, ids := range page.cardIDs() {
		got, err := s.Vault.AccountCards(ctx, who.Grant, string(of), ids)
		if err != nil {
			return err
		}
		maps.Copy(keys, got)
	}
	rows := page.Rows
	for i := range rows {
		for _, id := range rows[i].cardIDs() {
			k, ok := keys[id]
			if !ok || len(cards[id]) == 0 {
				continue
			}
			c, err := openCard(k, rows[i].thread.Tenant, id, cards[id])
			if err != nil {
				return fmt.Errorf("card of %s: %w", id, err)
			}
			if id == rows[i].First {
				rows[i].Subject, rows[i].Sealed = c.Subject, false
			}
			if id == rows[i].Last {
				rows[i].Excerpt = c.Excerpt
			}
		}
	}
	return nil
}

// heldSide is the navigation beside the list.
type heldSide struct{ Items []ui.NavItem }

func (s *Service) heldSide(r *http.Request, t *tenant.Tenant, who account.Citizen, at folder) (heldSide, error) {
	var c heldCounts
	err := s.DB.View(r.Context(), func(tx *db.Tx) (err error) {
		c, err = countHeld(r.Context(), tx, who.ID, s.realmOf(t))
		return err
	})
	if err != nil {
		return heldSide{}, fmt.Errorf("mailbox: folders: %w", err)
	}
	return foldersOf(r.Context(), c, at), nil
}

func foldersOf(ctx context.Context, c heldCounts, at folder) heldSide {
	return heldSide{Items: []ui.NavItem{
		{Href: "/postfach", Label: i18n.T(ctx, "mailbox.postfach.open"), Icon: "inbox", Current: at == folderOpen, Count: c.Unread, CountLabel: i18n.T(ctx, "mailbox.postfach.unread.count")},
		{Href: "/postfach/entwuerfe", Label: i18n.T(ctx, "mailbox.saved.title"), Icon: "draft", Current: at == folderDrafts, Count: c.Drafts, Quiet: true},
		{Href: "/postfach?ordner=abgeschlossen", Label: i18n.T(ctx, "mailbox.postfach.closed"), Icon: "archive", Current: at == folderClosed, Count: c.Closed, Quiet: true},
	}}
}

// postfachView is the list of a mailbox.
type postfachView struct {
	Side             heldSide
	Title, Done      string
	Chips            []ui.NavItem
	Items            []ui.Item
	Pager            ui.PagerSpec
	Filtered, Closed bool
	Everywhere       bool // threads with several authorities
}

func (s *Service) postfachView(r *http.Request, t *tenant.Tenant, f heldFilter, page heldPage) postfachView {
	ctx := r.Context()
	v := postfachView{
		Side: foldersOf(ctx, page.Counts, f.Folder), Title: i18n.T(ctx, "mailbox.postfach.title"), Closed: f.Folder == folderClosed,
		Filtered: f.Chip != chipAll, Everywhere: t.Kind == tenant.Operator && t.Realm() == tenant.Everywhere,
	}
	if v.Closed {
		v.Title = i18n.T(ctx, "mailbox.postfach.closed")
	} else {
		v.Chips = heldChips(ctx, page.Counts, f.Chip)
	}
	if r.URL.Query().Get("getan") == "entfernt" {
		v.Done = i18n.T(ctx, "mailbox.letgo.done")
	}
	for _, row := range page.Rows {
		v.Items = append(v.Items, s.heldItem(r, t, row))
	}
	v.Pager = ui.PagerSpec{Range: i18n.T(ctx, "mailbox.postfach.range", "n", len(page.Rows))}
	g := f.start()
	if !f.After.zero() || !f.Before.zero() {
		v.Pager.First = g.query()
	}
	if !page.Newer.zero() {
		g.Before = page.Newer
		v.Pager.Newer = g.query()
	}
	if !page.Older.zero() {
		g.After, g.Before = page.Older, cursor{}
		v.Pager.Older = g.query()
	}
	return v
}

func heldChips(ctx context.Context, c heldCounts, at chip) []ui.NavItem {
	var out []ui.NavItem
	for _, x := range []struct {
		chip  chip
		label string
		n     int
	}{
		{chipAll, i18n.T(ctx, "mailbox.postfach.chip.all"), c.Open}, {chipUnread, i18n.T(ctx, "mailbox.postfach.chip.unread"), c.Unread},
		{chipAnswered, i18n.T(ctx, "mailbox.postfach.chip.answered"), c.Answered}, {chipFiles, i18n.T(ctx, "mailbox.postfach.chip.files"), c.Files},
	} {
		out = append(out, ui.NavItem{Href: heldFilter{Chip: x.chip}.query(), Label: x.label, Current: x.chip == at, Count: x.n})
	}
	return out
}

func (s *Service) heldItem(r *http.Request, t *tenant.Tenant, row heldRow) ui.Item {
	ctx, lang := r.Context(), i18n.Lang(r.Context())
	it := ui.Item{
		Href: heldPath(row.ID), Subject: row.Subject, Snippet: row.Excerpt, At: row.holding.Changed, Unread: row.holding.Unread, Files: row.Files,
		Notes: []string{i18n.T(ctx, "mailbox.thread.number", "number", row.Number)},
	}
	at, ok := s.Directory.ByID(row.thread.Tenant)
	if !ok {
		at = t
	}
	if box, ok := at.Mailbox(row.Mailbox); ok {
		it.From = box.Title(lang)
	}
	if at.ID != t.ID {
		it.Href = s.pageURL(ctx, at, it.Href)
		it.From = at.Name + " · " + it.From
	}
	it.Status, _, it.Tone = stateOf(ctx, row.thread, it.From)
	if row.First == row.Last && row.State == stateWaiting { // the office wrote first
		it.Status, _, it.Tone = begunState(ctx)
	}
	switch {
	case row.Sealed:
		it.Subject = i18n.T(ctx, "mailbox.postfach.arriving")
	case it.Subject == "":
		it.Subject = i18n.T(ctx, "mailbox.thread.title")
	}
	if row.State == stateNew || row.State == stateOpen {
		it.Notes = append(it.Notes, i18n.T(ctx, "mailbox.postfach.due", "date", i18n.Date(ctx, row.Due)))
	}
	return it
}
