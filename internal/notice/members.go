package notice

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"poststelle/internal/i18n"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
	"poststelle/internal/web"
	"poststelle/internal/web/ui"
)

// membersRule lets visitors from the networks of the members' area through
// (B6). Everybody else gets a page that says why, and whom to ask. Where the
// module is off there is no such page at all (web.Rule.Module).
func (n *Notice) membersRule() web.Rule {
	return web.Rule{Name: "members' networks", Module: string(tenant.Members), Guard: func(h web.Handler) web.Handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			t, err := n.tenantOf(r)
			switch {
			case err != nil:
				return err
			case t.Inside(web.ClientIP(r.Context())):
				return h(w, r)
			}
			d := outside(r.Context(), t)
			return web.Render(w, r, http.StatusForbidden, web.View{Title: d.title, Body: plain(d), NoIndex: true})
		}
	}}
}

// getMembers is the page of the external data protection service.
func (n *Notice) getMembers(w http.ResponseWriter, r *http.Request) error {
	t, err := n.tenantOf(r)
	if err != nil {
		return err
	}
	d := service(r.Context(), t)
	var ask ui.Btn
	if box, ok := t.MembersMailbox(); ok {
		ask = writeTo(r.Context(), box)
		ask.Label = i18n.T(r.Context(), "notice.members.ask")
	}
	return web.Render(w, r, http.StatusOK, web.View{Title: d.title, Body: entry(d, ask), NoIndex: true})
}

// writeTo is the button that begins a message to a mailbox.
func writeTo(ctx context.Context, box tenant.Mailbox) ui.Btn {
	return ui.Btn{Label: i18n.T(ctx, "notice.contact.write"), Href: writePath(box), Icon: "mail"}
}

// writePath begins a message to a mailbox.
func writePath(box tenant.Mailbox) string { return "/nachricht?amt=" + url.QueryEscape(string(box.ID)) }

// service says what the external data protection service is, for whom, and whom
// to ask.
func service(ctx context.Context, t *tenant.Tenant) document {
	d := document{title: i18n.T(ctx, "notice.members.title"), lead: i18n.T(ctx, "notice.members.lead")}
	d.with(chapter{"was", i18n.T(ctx, "notice.members.what"), []block{
		say(i18n.T(ctx, "notice.members.what.text")),
		{items: []string{i18n.T(ctx, "notice.members.what.officer"), i18n.T(ctx, "notice.members.what.advice"), i18n.T(ctx, "notice.members.what.training")}},
	}})
	d.with(chapter{"wer", i18n.T(ctx, "notice.members.who"), []block{say(i18n.T(ctx, "notice.members.who.text"))}})
	if box, ok := t.MembersMailbox(); ok {
		d.with(chapter{"daten", i18n.T(ctx, "notice.contact.data"), []block{{facts: fateOfMessage(ctx, t, box)}}})
	}
	d.with(chapter{"kontakt", i18n.T(ctx, "notice.members.contact"), []block{contact(ctx, t)}})
	return d
}

// outside says why the members' area is closed to a visitor.
func outside(ctx context.Context, t *tenant.Tenant) document {
	d := document{title: i18n.T(ctx, "notice.members.closed.title"), lead: i18n.T(ctx, "notice.members.closed.lead")}
	d.with(chapter{"warum", i18n.T(ctx, "notice.members.closed.why"), []block{say(i18n.T(ctx, "notice.members.closed.why.text"))}})
	d.with(chapter{"was-tun", i18n.T(ctx, "notice.members.closed.do"), []block{{items: []string{
		i18n.T(ctx, "notice.members.closed.do.network"), i18n.T(ctx, "notice.members.closed.do.admin"), i18n.T(ctx, "notice.members.closed.do.operator"),
	}}, contact(ctx, t), {link: link{"/kontakt", i18n.T(ctx, "notice.contact.title")}}}})
	return d
}

// contactPage is the entry of the operator's contact.
func contactPage(ctx context.Context, t *tenant.Tenant, box tenant.Mailbox) document {
	d := document{title: i18n.T(ctx, "notice.contact.title"), lead: i18n.T(ctx, "notice.contact.lead", "operator", t.Name)}
	d.with(chapter{"thema", i18n.T(ctx, "notice.contact.topics"), []block{say(box.Duty(i18n.Lang(ctx))), say(i18n.T(ctx, "notice.contact.authority"))}})
	d.with(chapter{"daten", i18n.T(ctx, "notice.contact.data"), []block{
		{facts: fateOfMessage(ctx, t, box)}, {link: link{"/datenschutz", i18n.T(ctx, "notice.privacy.title")}},
	}})
	return d
}

// fateOfMessage says what a message to a mailbox is used for, on which basis,
// and when it goes.
func fateOfMessage(ctx context.Context, t *tenant.Tenant, box tenant.Mailbox) []fact {
	norm := personal.Art6b
	if t.Profile == tenant.Streng {
		norm = personal.Art6e
	}
	return []fact{
		{i18n.T(ctx, "notice.fact.purpose"), []string{i18n.T(ctx, "mailbox.privacy.purpose")}},
		{i18n.T(ctx, "notice.fact.basis"), []string{i18n.T(ctx, norms[norm])}},
		{i18n.T(ctx, "notice.fact.period"), []string{rule(ctx, box)}},
	}
}

// rule is what becomes of a message to a mailbox (A47; B70, B73, B74).
func rule(ctx context.Context, box tenant.Mailbox) string {
	if box.Retention == 0 {
		return i18n.T(ctx, "mailbox.privacy.retention")
	}
	return i18n.T(ctx, "notice.period.closed", "n", box.Retention)
}

// rules is what becomes of messages to a tenant: one sentence where all
// mailboxes have the same rule, else one for each.
func rules(ctx context.Context, t *tenant.Tenant) string {
	var out []string
	for _, box := range t.Mailboxes {
		out = append(out, rule(ctx, box))
	}
	if same := unique(out); len(same) < 2 {
		return strings.Join(same, "")
	}
	for i, box := range t.Mailboxes {
		out[i] = i18n.T(ctx, "notice.period.mailbox", "mailbox", box.Title(i18n.Lang(ctx)), "period", out[i])
	}
	return strings.Join(out, " ")
}

// membersChapter leads to the members' area in public (B5), and says who may go
// in (B6).
func membersChapter(ctx context.Context, t *tenant.Tenant) chapter {
	c := chapter{"mitglieder", i18n.T(ctx, "notice.members.title"), nil}
	if !t.Has(tenant.Members) {
		return c
	}
	c.blocks = []block{say(i18n.T(ctx, "notice.members.public")), say(i18n.T(ctx, "notice.members.network"))}
	if box, ok := t.MembersMailbox(); ok {
		c.blocks = append(c.blocks, block{facts: fateOfMessage(ctx, t, box)})
	}
	c.blocks = append(c.blocks, block{link: link{"/mitglieder", i18n.T(ctx, "notice.members.title")}})
	return c
}

// contactChapter says what becomes of a message to the operator (B12, B70 to
// B74).
func contactChapter(ctx context.Context, t *tenant.Tenant) chapter {
	c := chapter{"kontakt", i18n.T(ctx, "notice.contact.title"), nil}
	box, ok := publicMailbox(t)
	if t.Kind != tenant.Operator || !ok {
		return c
	}
	c.blocks = []block{say(i18n.T(ctx, "notice.contact.chapter")), {facts: fateOfMessage(ctx, t, box)}, {link: link{"/kontakt", i18n.T(ctx, "notice.contact.title")}}}
	return c
}
