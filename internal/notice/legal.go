package notice

import (
	"context"
	"time"

	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
)

// imprint names who offers the pages (§ 5 DDG).
func (n *Notice) imprint(ctx context.Context, t *tenant.Tenant) document {
	d := document{title: i18n.T(ctx, "notice.imprint.title"), lead: i18n.T(ctx, "notice.imprint.lead")}
	d.with(chapter{"anbieter", i18n.T(ctx, "notice.imprint.provider"), []block{contact(ctx, t)}})
	d.with(chapter{"zugang", i18n.T(ctx, "notice.ways.title"), []block{{link: link{"/zugang", i18n.T(ctx, "notice.ways.open.how")}}}})
	if o := n.operator(t); o != nil {
		d.with(chapter{"betrieb", i18n.T(ctx, "notice.imprint.operator"), []block{say(i18n.T(ctx, "notice.imprint.runs")), contact(ctx, o)}})
	}
	if n.ReceiptKey != nil && n.ReceiptKey(t.ID) != "" {
		d.with(chapter{"schluessel", i18n.T(ctx, "notice.imprint.receipt"), []block{
			say(i18n.T(ctx, "notice.imprint.receipt.text")), say(n.ReceiptKey(t.ID)),
		}})
	}
	return d
}

// terms are the terms of use (A71 to A74), apart from the privacy notice. The
// strict profile says what no terms can exclude.
func terms(ctx context.Context, t *tenant.Tenant) document {
	d := document{title: i18n.T(ctx, "notice.terms.title"), lead: i18n.T(ctx, "notice.terms.lead")}
	d.with(chapter{"nutzung", i18n.T(ctx, "notice.terms.use"), []block{
		say(i18n.T(ctx, "notice.terms.risk")), say(i18n.T(ctx, "notice.terms.device")), say(i18n.T(ctx, "notice.terms.uptime")),
	}})
	c := chapter{"haftung", i18n.T(ctx, "notice.terms.liability"), []block{say(i18n.T(ctx, "notice.terms.damages"))}}
	if t.Profile == tenant.Streng {
		c.blocks = append(c.blocks, say(i18n.T(ctx, "notice.terms.unaffected")))
	}
	d.with(c)
	return d
}

// assessed is the day of the last assessment of accessibility that the
// statement names. Whoever assesses anew changes it, and the sentences with it.
func assessed() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

// access is the accessibility statement (§ 10 L-BGG, annex 1 of the L-BGG-DVO).
func (n *Notice) access(ctx context.Context, t *tenant.Tenant) document {
	d := document{title: i18n.T(ctx, "notice.access.title"), lead: i18n.T(ctx, "notice.access.lead")}
	d.with(chapter{"stand", i18n.T(ctx, "notice.access.state"), []block{
		say(i18n.T(ctx, "notice.access.partly")), say(i18n.T(ctx, "notice.access.built")),
	}})
	d.with(chapter{"luecken", i18n.T(ctx, "notice.access.gaps"), []block{{items: []string{
		i18n.T(ctx, "notice.access.leicht"), i18n.T(ctx, "notice.access.dgs"), i18n.T(ctx, "notice.access.files"),
	}}, say(i18n.T(ctx, "notice.access.instead"))}})
	d.with(chapter{"pruefung", i18n.T(ctx, "notice.access.check"), []block{
		say(i18n.T(ctx, "notice.access.self", "date", i18n.DateLong(ctx, assessed()))), say(i18n.T(ctx, "notice.access.outside")),
	}})
	d.with(chapter{"melden", i18n.T(ctx, "notice.access.report"), []block{say(i18n.T(ctx, "notice.access.tell")), contact(ctx, t)}})
	d.with(chapter{"durchsetzung", i18n.T(ctx, "notice.access.enforce"), []block{
		say(i18n.T(ctx, "notice.access.arbitration")), arbitration.facts(ctx), {link: link{arbitration.site, i18n.T(ctx, "notice.access.link")}},
	}})
	return d
}
