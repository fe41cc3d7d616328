package account

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/i18n"
	"poststelle/internal/journal"
	"poststelle/internal/vault"
	"poststelle/internal/web"
)

// protocolSize is how many lines a page of the protocol shows.
const protocolSize = 50

// exportMost bounds the lines of one export.
const exportMost = 100_000

// protocolRoutes registers the evidence of what staff did, and the pages of roles
// that see no content.
func (a *Accounts) protocolRoutes(rt *web.Router) {
	evidence := rt.For(a.StaffRule(Admin, DPO, Auditor))
	evidence.Handle("GET /amt/protokoll", a.Staff(a.getProtocol))
	evidence.Handle("POST /amt/protokoll/pruefen", a.Staff(a.postVerify))
	evidence.Handle("GET /amt/protokoll/export.csv", a.Staff(a.getProtocolCSV))
	rt.Handle("GET /amt/redaktion", a.Staff(a.getEditorial), web.Under(a.StaffRule(Editor, Admin)))
}

// span is what somebody asks of the protocol, as it stands in the address.
type span struct {
	Vault         bool // of the vault, which counts what was opened; else of the journal
	From, To      string
	Action, After string
}

func spanOf(q url.Values) span {
	s := span{Vault: q.Get("quelle") == "tresor", After: q.Get("nach")}
	for name, to := range map[string]*string{"von": &s.From, "bis": &s.To} {
		if _, err := time.Parse(time.DateOnly, q.Get(name)); err == nil {
			*to = q.Get(name)
		}
	}
	if action := strings.TrimSpace(q.Get("aktion")); len(action) <= 60 && strings.Trim(action, "abcdefghijklmnopqrstuvwxyz.-_") == "" {
		s.Action = action
	}
	return s
}

// times are the moments at which the asked days begin and end.
func (s span) times() (from, to time.Time) {
	if day, err := time.ParseInLocation(time.DateOnly, s.From, i18n.Zone()); err == nil {
		from = day
	}
	return from, lastDay(s.To)
}

// address is where the span stands on a page or in an export.
func (s span) address(path, after string) string {
	q := url.Values{}
	for name, v := range map[string]string{"von": s.From, "bis": s.To, "aktion": s.Action, "nach": after} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if s.Vault {
		q.Set("quelle", "tresor")
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// protocolLine is one deed: ids and words of fixed lists, names of staff, nothing
// that somebody typed.
type protocolLine struct {
	At                          time.Time
	Who, Action, Object, Detail string
}

// lines reads a page of what is asked; next is the place at which the following
// one begins, "" at the end.
func (a *Accounts) lines(ctx context.Context, who Actor, s span, names map[string]string, limit int) (out []protocolLine, next string, err error) {
	from, to := s.times()
	if s.Vault {
		return a.vaultLines(ctx, who, s, vault.AuditFilter{From: from, To: to, Action: s.Action, Limit: limit}, names)
	}
	f := journal.Filter{From: from, To: to, Action: s.Action, Limit: limit}
	if at, id, ok := strings.Cut(s.After, "_"); ok {
		if ms, err := strconv.ParseInt(at, 10, 64); err == nil && ms > 0 && len(id) <= 64 {
			f.After = journal.Place{At: db.Time(ms), ID: id}
		}
	}
	var items []journal.Item
	var more bool
	err = a.DB.View(ctx, func(tx *db.Tx) (err error) {
		items, more, err = journal.Page(ctx, tx, string(who.Tenant), f)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("account: protocol: %w", err)
	}
	for _, i := range items {
		line := protocolLine{At: i.At, Who: i.Actor, Action: i.Action, Object: named(names, i.Object), Detail: detailText(ctx, i.Detail, names)}
		if person, ok := strings.CutPrefix(i.Actor, "staff:"); ok {
			line.Who = named(names, person)
		} else {
			line.Who = whoWord(ctx, i.Actor)
		}
		if i.Blanked {
			line.Detail = i18n.T(ctx, "account.protocol.blanked")
		}
		out = append(out, line)
	}
	if more {
		last := items[len(items)-1]
		next = strconv.FormatInt(db.Millis(last.At), 10) + "_" + last.ID
	}
	return out, next, nil
}

func (a *Accounts) vaultLines(ctx context.Context, who Actor, s span, f vault.AuditFilter, names map[string]string) (out []protocolLine, next string, err error) {
	if n, err := strconv.ParseInt(s.After, 10, 64); err == nil && n > 0 {
		f.Before = n
	}
	page, err := a.Vault.AuditRows(ctx, who.Grant, string(who.Tenant), f)
	if err != nil {
		return nil, "", fmt.Errorf("account: protocol: %w", away(err))
	}
	for _, r := range page.Rows {
		detail := map[string]string{}
		if r.Thread != "" {
			detail["thread"] = r.Thread
		}
		if r.Purpose != "" {
			detail["purpose"] = r.Purpose
		}
		if r.Items > 1 {
			detail["count"] = strconv.Itoa(r.Items)
		}
		by := named(names, r.Person)
		if by == r.Person {
			by = whoWord(ctx, by)
		}
		out = append(out, protocolLine{At: r.At, Who: by, Action: r.Action, Object: named(names, r.Object), Detail: detailText(ctx, detail, names)})
	}
	if page.More {
		next = strconv.FormatInt(page.Rows[len(page.Rows)-1].Seq, 10)
	}
	return out, next, nil
}

// named is the name of a member of staff of this tenant, or what stands there.
func named(names map[string]string, id string) string {
	if name := names[id]; name != "" {
		return name
	}
	return id
}

// detailText writes a detail as words, in a fixed order. Reasons, which people
// type, are left out.
func detailText(ctx context.Context, detail map[string]string, names map[string]string) string {
	keys := make([]string, 0, len(detail))
	for k := range detail {
		if k != journal.Reason {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for i, k := range keys {
		value := named(names, detail[k])
		switch {
		case (k == "role" || k == "purpose") && slices.Contains(Roles(), Role(value)):
			value = roleName(ctx, Role(value))
		case k == "purpose" && slices.Contains(purposes(), value):
			value = i18n.T(ctx, "account.protocol.purpose."+value)
		}
		keys[i] = keyWord(ctx, k) + ": " + value
	}
	return strings.Join(keys, ", ")
}

func (a *Accounts) getProtocol(w http.ResponseWriter, r *http.Request, who Actor) error {
	ctx, s := r.Context(), spanOf(r.URL.Query())
	names, err := a.protocolNames(ctx, who.Tenant)
	if err != nil {
		return err
	}
	v := protocolView{Span: s}
	if v.Lines, v.Next, err = a.lines(ctx, who, s, names, protocolSize); err != nil {
		return err
	}
	recall(r, verifiedKey, &v.Checked)
	return showStaff(w, r, http.StatusOK, web.View{Title: i18n.T(ctx, "account.protocol.title"), Body: protocolPage(v), Section: "protocol"})
}

// verifiedKey is the session value that holds when the chains were last checked
// by this person, and what was found.
const verifiedKey = "staff.verified"

// verified is the outcome of a check.
type verified struct {
	At             time.Time
	Journal, Vault bool // the chain holds
}

// postVerify checks both chains now.
func (a *Accounts) postVerify(w http.ResponseWriter, r *http.Request, who Actor) error {
	ctx := r.Context()
	out := verified{At: a.Now()}
	err := journal.NewChain(a.DB).Verify(ctx, string(who.Tenant))
	if err != nil && !errors.Is(err, journal.ErrBroken) {
		return err
	}
	out.Journal = err == nil
	page, err := a.Vault.AuditRows(ctx, who.Grant, string(who.Tenant), vault.AuditFilter{Limit: 1, Verify: true})
	if err != nil {
		return away(err)
	}
	out.Vault = page.Whole
	if !out.Journal || !out.Vault {
		a.Log.ErrorContext(ctx, "a chain of evidence does not hold", "tenant", who.Tenant, "journal", out.Journal, "vault", out.Vault)
	}
	if err := remember(w, r, verifiedKey, out); err != nil {
		return err
	}
	return web.Redirect(w, r, "/amt/protokoll#pruefung")
}

// getProtocolCSV writes the lines of the span, newest first, as UTF-8 with a byte
// order mark and semicolons, as office programs in Germany read it.
func (a *Accounts) getProtocolCSV(w http.ResponseWriter, r *http.Request, who Actor) error {
	ctx, s := r.Context(), spanOf(r.URL.Query())
	names, err := a.protocolNames(ctx, who.Tenant)
	if err != nil {
		return err
	}
	s.After = ""
	lines, next, err := a.lines(ctx, who, s, names, journal.MaxPage)
	if err != nil {
		return err
	}
	name := "protokoll-journal.csv"
	if s.Vault {
		name = "protokoll-tresor.csv"
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	if _, err := w.Write([]byte("\ufeff")); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.Comma, out.UseCRLF = ';', true
	head := []string{"time", "who", "action", "object", "detail", "code"}
	for i, k := range head {
		head[i] = i18n.T(ctx, "account.protocol."+k)
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for n := 0; ; {
		for _, l := range lines {
			if err := out.Write([]string{i18n.ISO(l.At), cell(l.Who), cell(deedWord(ctx, l.Action)), cell(l.Object), cell(l.Detail), cell(l.Action)}); err != nil {
				return err
			}
		}
		if n += len(lines); next == "" || n >= exportMost {
			break
		}
		s.After = next
		if lines, next, err = a.lines(ctx, who, s, names, journal.MaxPage); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// cell keeps a spreadsheet from taking a text for a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// Desk registers what draws the desk for the website at /amt/redaktion, or
// reports false where the tenant has none: then a page says so.
func (a *Accounts) Desk(f func(http.ResponseWriter, *http.Request, Actor) (bool, error)) { a.desk = f }

func (a *Accounts) getEditorial(w http.ResponseWriter, r *http.Request, who Actor) error {
	if a.desk != nil {
		if done, err := a.desk(w, r, who); done || err != nil {
			return err
		}
	}
	ctx := r.Context()
	return showStaff(w, r, http.StatusOK, web.View{Title: i18n.T(ctx, "account.editorial.title"), Body: editorialPage(), Narrow: true, Section: "editorial"})
}
