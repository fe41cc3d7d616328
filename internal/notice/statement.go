package notice

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"poststelle/internal/i18n"
	"poststelle/internal/personal"
	"poststelle/internal/tenant"
)

// activity is what one line of the record of processing would be: everything
// declared under one key.
type activity struct {
	key    string
	stores []personal.Store
}

// statement is the privacy notice of a tenant.
func (n *Notice) statement(ctx context.Context, t *tenant.Tenant, https bool) document {
	public, staff := n.activities(t)
	d := document{title: i18n.T(ctx, "notice.privacy.title"), lead: i18n.T(ctx, "notice.privacy.lead")}
	d.with(n.responsible(ctx, t))
	general := []block{say(i18n.T(ctx, "notice.privacy.lawful")), say(i18n.T(ctx, "notice.privacy.nodecision"))}
	if special(public) {
		general = append(general, say(i18n.T(ctx, "notice.privacy.special")))
	}
	d.with(chapter{"daten", i18n.T(ctx, "notice.privacy.data"), append(general, n.describe(ctx, t, public, personal.Staff)...)})
	d.with(contactChapter(ctx, t))
	d.with(membersChapter(ctx, t))
	d.with(n.recipients(ctx, t))
	d.with(n.cookieChapter(ctx, t, https))
	d.with(n.rightsChapter(ctx, t, public))
	d.with(objection(ctx, t, public))
	d.with(complaint(ctx))
	d.with(security(ctx, t, https))
	d.with(chapter{"beschaeftigte", i18n.T(ctx, "notice.privacy.staff"), n.describe(ctx, t, staff, "")})
	return d
}

// domains are named in this order; the others follow as declared.
var domains = []string{"mailbox", "blob", "vault", "mail", "web", "accesslog", "journal", "jobs"}

// activities sorts the declared stores of a tenant into activities: those that
// the public meets, and those about staff alone. Where there is no mailbox only
// what concerns every visitor remains.
func (n *Notice) activities(t *tenant.Tenant) (public, staff []activity) {
	add := func(to *[]activity, s personal.Store) {
		i := slices.IndexFunc(*to, func(a activity) bool { return a.key == s.Activity })
		if i < 0 {
			i = len(*to)
			*to = append(*to, activity{key: s.Activity})
		}
		(*to)[i].stores = append((*to)[i].stores, s)
	}
	all := slices.Clone(n.Declarations)
	rank := func(d personal.Declaration) int {
		if i := slices.Index(domains, d.Domain); i >= 0 {
			return i
		}
		return len(domains)
	}
	slices.SortStableFunc(all, func(a, b personal.Declaration) int { return cmp.Compare(rank(a), rank(b)) })
	for _, d := range all {
		if !applies(d, t) {
			continue
		}
		for _, s := range d.Stores {
			is := func(r personal.Role) bool {
				return slices.ContainsFunc(s.Subjects, func(sub personal.Subject) bool { return sub.Role == r })
			}
			switch {
			case !s.HasPersonal() || slices.Contains(n.Without, s.Name):
			case is(personal.Staff) && len(s.Subjects) == 1:
				add(&staff, s)
			case is(personal.Visitor) || is(personal.Subscriber) || len(t.Mailboxes) > 0:
				add(&public, s)
			}
		}
	}
	return public, staff
}

// applies reports whether a declaration belongs to the notice of a tenant: that
// of a module which is off does not.
func applies(d personal.Declaration, t *tenant.Tenant) bool {
	return d.Module == "" || t.Has(tenant.Module(d.Module))
}

// special reports whether data of Art. 9 GDPR may be among the content.
func special(all []activity) bool {
	for _, a := range all {
		for _, s := range a.stores {
			if slices.ContainsFunc(s.Personal, func(c personal.Column) bool { return c.Special != personal.SpecialNone }) ||
				slices.ContainsFunc(s.Sealed, func(p personal.Part) bool { return p.Special != personal.SpecialNone }) {
				return true
			}
		}
	}
	return false
}

// describe says of each activity what Art. 13 asks for. Reasons to keep data
// from a person of the role except are not named.
func (n *Notice) describe(ctx context.Context, t *tenant.Tenant, all []activity, except personal.Role) []block {
	p := personal.Profile(t.Profile)
	var out []block
	for _, a := range all {
		var bases, reasons, fields []string
		clear, sealed := map[personal.Category]bool{}, map[personal.Category]bool{}
		log := false
		for _, s := range a.stores {
			bases = append(bases, basis(ctx, s.Basis, p))
			if s.Kind == personal.LogStream {
				log = true
				fields = append(fields, n.fields(ctx, s, p)...)
			}
			for _, c := range s.Personal {
				clear[c.Category] = clear[c.Category] || s.Kind != personal.LogStream
			}
			for _, part := range s.Sealed {
				clear[part.Category], sealed[part.Category] = true, true
			}
			for _, e := range s.Erase {
				if e.Act == personal.Keep && e.Role != except {
					reasons = append(reasons, i18n.T(ctx, e.Reason))
				}
			}
		}
		facts := append(n.purposes(ctx, t, a),
			fact{i18n.T(ctx, "notice.fact.data"), append(fields, data(ctx, clear)...)},
			fact{i18n.T(ctx, "notice.fact.sealed"), data(ctx, sealed)},
			fact{i18n.T(ctx, "notice.fact.basis"), bases},
			fact{i18n.T(ctx, "notice.fact.kept"), reasons},
		)
		out = append(out, block{heading: i18n.T(ctx, a.key)}, block{facts: facts})
		if log {
			out = append(out, say(i18n.T(ctx, "notice.log.closed")), say(i18n.T(ctx, "notice.log.nobody")))
		}
	}
	return out
}

// purposes says what an activity is for and how long data stays: together,
// where different purposes have different periods.
func (n *Notice) purposes(ctx context.Context, t *tenant.Tenant, a activity) []fact {
	var purposes, periods, lines []string
	for _, s := range a.stores {
		purpose, period := i18n.T(ctx, s.Purpose), n.period(ctx, t, s)
		purposes, periods = append(purposes, purpose), append(periods, period)
		lines = append(lines, i18n.T(ctx, "notice.fact.line", "purpose", purpose, "period", period))
	}
	if len(unique(periods)) > 1 {
		return []fact{{i18n.T(ctx, "notice.fact.each"), lines}}
	}
	return []fact{{i18n.T(ctx, "notice.fact.purpose"), purposes}, {i18n.T(ctx, "notice.fact.period"), periods}}
}

// fields names the fields of a log one by one: the list is a closed one (A11).
func (n *Notice) fields(ctx context.Context, s personal.Store, p personal.Profile) []string {
	var out []string
	for _, f := range logFields {
		declared := slices.ContainsFunc(s.Personal, func(c personal.Column) bool { return c.Name == f.field })
		switch {
		case !declared || f.field == "provider" && !n.Provider:
		case f.field == "ip" && p == personal.Streng:
			out = append(out, i18n.T(ctx, "notice.log.ip_short"))
		default:
			out = append(out, i18n.T(ctx, f.key))
		}
	}
	return out
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// letters is the store whose period is the rule of each mailbox.
const letters = "mailbox_threads"

// period says how long a store keeps its data.
func (n *Notice) period(ctx context.Context, t *tenant.Tenant, s personal.Store) string {
	r := s.Retention
	switch {
	case r.Period >= year && r.Period%year == 0:
		return i18n.T(ctx, "notice.period.years", "n", int(r.Period/year))
	case r.Period > 0:
		return i18n.T(ctx, "notice.period.days", "n", int(r.Period/day))
	case r.Criterion != "":
		return i18n.T(ctx, r.Criterion)
	case s.Name == letters:
		return rules(ctx, t)
	case r.HumanDecides != "":
		return i18n.T(ctx, r.HumanDecides)
	case r.Session:
		return i18n.T(ctx, "notice.period.memory")
	}
	for _, d := range n.Declarations {
		for _, parent := range d.Stores {
			if r.With != "" && parent.Name == r.With && parent.Retention.With != s.Name {
				return n.period(ctx, t, parent)
			}
		}
	}
	return ""
}

func (n *Notice) responsible(ctx context.Context, t *tenant.Tenant) chapter {
	c := chapter{"verantwortlich", i18n.T(ctx, "notice.privacy.responsible"), []block{
		say(i18n.T(ctx, "notice.privacy.controller")), contact(ctx, t), say(i18n.T(ctx, "notice.privacy.officer")),
	}}
	if o := n.operator(t); o != nil {
		c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.privacy.processor", "operator", o.Name)), say(i18n.T(ctx, "notice.privacy.noaccess")))
	}
	c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.privacy.law")))
	return c
}

// contact is how to reach a tenant; what is not entered is left out.
func contact(ctx context.Context, t *tenant.Tenant) block {
	lines := []string{t.Address.Street, strings.TrimSpace(t.Address.Postcode + " " + t.Address.Place)}
	return block{facts: []fact{
		{i18n.T(ctx, "notice.contact.name"), []string{t.Name}},
		{i18n.T(ctx, "notice.contact.post"), []string{strings.Join(unique(lines), ", ")}},
		{i18n.T(ctx, "notice.contact.phone"), []string{t.Address.Phone}},
		{i18n.T(ctx, "notice.contact.email"), []string{t.Address.Email}},
	}}
}

func (n *Notice) recipients(ctx context.Context, t *tenant.Tenant) chapter {
	var facts []fact
	if len(t.Mailboxes) > 0 {
		for _, d := range n.Declarations {
			if !applies(d, t) {
				continue
			}
			for _, r := range d.Sends {
				has := map[personal.Category]bool{}
				for _, c := range r.What {
					has[c] = true
				}
				f := fact{i18n.T(ctx, r.Name), []string{
					i18n.T(ctx, r.Purpose), i18n.T(ctx, "notice.recipient.gets", "data", strings.Join(data(ctx, has), ", ")),
				}}
				if r.Processor {
					f.values = append(f.values, i18n.T(ctx, "notice.recipient.processor"))
				}
				if r.ThirdCountry != "" {
					f.values = append(f.values, i18n.T(ctx, r.ThirdCountry))
				}
				facts = append(facts, f)
			}
		}
	}
	if o := n.operator(t); o != nil {
		facts = append(facts, fact{o.Name, []string{i18n.T(ctx, "notice.recipient.operator"), i18n.T(ctx, "notice.recipient.processor")}})
	}
	return chapter{"empfaenger", i18n.T(ctx, "notice.privacy.recipients"), []block{{facts: facts}}}
}

func (n *Notice) rightsChapter(ctx context.Context, t *tenant.Tenant, all []activity) chapter {
	has := granted(all, personal.Profile(t.Profile))
	var items []string
	for _, r := range rights {
		if has[r.right] {
			items = append(items, i18n.T(ctx, r.key))
		}
	}
	c := chapter{"rechte", i18n.T(ctx, "notice.privacy.rights"), []block{
		say(i18n.T(ctx, "notice.rights.lead")), {items: items}, say(howTo(ctx, t)), say(i18n.T(ctx, "notice.rights.month")),
	}}
	if len(t.Mailboxes) > 0 {
		c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.rights.find")), say(i18n.T(ctx, "notice.rights.code")))
	}
	return c
}

// howTo says where to send a request: to the authority, in any form.
func howTo(ctx context.Context, t *tenant.Tenant) string {
	if t.Address.Email != "" {
		return i18n.T(ctx, "notice.rights.mail", "email", t.Address.Email)
	}
	return i18n.T(ctx, "notice.rights.post")
}

// granted are the rights that go with the bases of the activities.
func granted(all []activity, p personal.Profile) map[personal.Right]bool {
	has := map[personal.Right]bool{}
	for _, a := range all {
		for _, s := range a.stores {
			for _, r := range s.Basis.Rights(p) {
				has[r] = true
			}
		}
	}
	return has
}

// objection stands apart from the other rights (Art. 21(4) GDPR).
func objection(ctx context.Context, t *tenant.Tenant, all []activity) chapter {
	c := chapter{"widerspruch", i18n.T(ctx, "notice.privacy.objection"), nil}
	if granted(all, personal.Profile(t.Profile))[personal.Objection] {
		c.blocks = []block{{alert: i18n.T(ctx, "notice.objection.text")}, say(howTo(ctx, t))}
	}
	return c
}

func complaint(ctx context.Context) chapter {
	return chapter{"beschwerde", i18n.T(ctx, "notice.privacy.complaint"), []block{
		say(i18n.T(ctx, "notice.complaint.text")), supervisor.facts(ctx), {link: link{supervisor.site, i18n.T(ctx, "notice.complaint.link")}},
	}}
}

func security(ctx context.Context, t *tenant.Tenant, https bool) chapter {
	c := chapter{"sicherheit", i18n.T(ctx, "notice.privacy.security"), nil}
	if https {
		c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.security.tls")))
	} else {
		c.blocks = append(c.blocks, block{alert: i18n.T(ctx, "notice.security.notls"), warn: true})
	}
	if len(t.Mailboxes) > 0 {
		c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.security.sealed")), say(i18n.T(ctx, "notice.security.shredded")))
	}
	c.blocks = append(c.blocks, block{alert: i18n.T(ctx, "notice.security.mail"), warn: true})
	return c
}
