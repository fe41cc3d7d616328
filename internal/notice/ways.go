package notice

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
)

// getWays says which electronic ways are open (§ 3a LVwVfG).
func (n *Notice) getWays(w http.ResponseWriter, r *http.Request) error {
	t, err := n.tenantOf(r)
	if err != nil {
		return err
	}
	d := ways(r.Context(), t)
	return web.Render(w, r, http.StatusOK, web.View{Title: d.title, Body: plain(d)})
}

// getContact leads to the assistant with the mailbox for everybody chosen, and
// to the imprint where there is no mailbox. The operator's says first what
// happens with a message (B12, B70 to B74).
func (n *Notice) getContact(w http.ResponseWriter, r *http.Request) error {
	t, err := n.tenantOf(r)
	if err != nil {
		return err
	}
	box, ok := publicMailbox(t)
	if !ok {
		return web.Redirect(w, r, "/impressum")
	}
	if t.Kind == tenant.Operator {
		d := contactPage(r.Context(), t, box)
		return web.Render(w, r, http.StatusOK, web.View{Title: d.title, Body: entry(d, writeTo(r.Context(), box)), Section: "write"})
	}
	return web.Redirect(w, r, writePath(box))
}

// publicMailbox returns the mailbox that the contact of a tenant leads to; the
// members' area has an entry of its own.
func publicMailbox(t *tenant.Tenant) (tenant.Mailbox, bool) {
	return t.SeenFrom(netip.Addr{}).DefaultMailbox()
}

// ways is the opening of electronic access: what may come which way, and what
// happens with a document that cannot be read. It names what the tenant has: its
// mailboxes with their limits, its addresses.
func ways(ctx context.Context, t *tenant.Tenant) document {
	d := document{title: i18n.T(ctx, "notice.ways.title"), lead: i18n.T(ctx, "notice.ways.lead")}
	d.with(open(ctx, t))
	d.with(chapter{"zu", i18n.T(ctx, "notice.ways.closed"), []block{
		say(i18n.T(ctx, "notice.ways.closed.text")), say(i18n.T(ctx, "notice.ways.closed.ask")),
	}})
	post := []string{i18n.T(ctx, "notice.ways.signed.letter"), i18n.T(ctx, "notice.ways.signed.record")}
	d.with(chapter{"schriftform", i18n.T(ctx, "notice.ways.signed"), []block{
		{alert: i18n.T(ctx, "notice.ways.signed.not"), warn: true}, say(i18n.T(ctx, "notice.ways.signed.which")),
		{items: post}, contact(ctx, t),
	}})
	if len(t.Mailboxes) == 0 {
		return d
	}
	d.with(chapter{"dateien", i18n.T(ctx, "notice.ways.files"), append(accepted(ctx, t), say(i18n.T(ctx, "notice.ways.files.open")))})
	d.with(chapter{"unlesbar", i18n.T(ctx, "notice.ways.unreadable"), []block{
		say(i18n.T(ctx, "notice.ways.unreadable.once")), say(i18n.T(ctx, "notice.ways.unreadable.later")), say(i18n.T(ctx, "notice.ways.unreadable.code")),
	}})
	d.with(chapter{"eingang", i18n.T(ctx, "notice.ways.arrival"), []block{say(i18n.T(ctx, "notice.ways.arrival.text"))}})
	return d
}

// open names the ways that a tenant has.
func open(ctx context.Context, t *tenant.Tenant) chapter {
	c := chapter{"offen", i18n.T(ctx, "notice.ways.open"), nil}
	if len(t.Mailboxes) > 0 {
		c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.ways.open.office")), block{link: link{"/nachricht", i18n.T(ctx, "notice.ways.open.write")}})
	}
	if t.Address.Email != "" {
		c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.ways.open.mail", "email", t.Address.Email)))
	}
	if len(c.blocks) == 0 {
		c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.ways.open.none")))
	}
	return c
}

// accepted says which files the mailboxes take: in one sentence where all take
// the same, else under the names of the offices.
func accepted(ctx context.Context, t *tenant.Tenant) []block {
	var facts []fact
	at := map[string]int{}
	for _, m := range t.Mailboxes {
		rule := i18n.T(ctx, "notice.ways.files.rule", "kinds", strings.ToUpper(strings.Join(m.FileKinds, ", ")), "n", m.MaxFiles,
			"each", i18n.Size(ctx, m.MaxFile), "sum", i18n.Size(ctx, m.MaxMessage))
		name := m.Title(i18n.Lang(ctx))
		if i, ok := at[rule]; ok {
			facts[i].name += ", " + name
			continue
		}
		at[rule] = len(facts)
		facts = append(facts, fact{name, []string{rule}})
	}
	if len(facts) == 1 {
		return []block{say(facts[0].values[0])}
	}
	return []block{say(i18n.T(ctx, "notice.ways.files.differ")), {facts: facts}}
}
