package newsletter

import (
	"time"

	"poststelle/internal/personal"
	"poststelle/internal/tenant"
)

// Personal declares the newsletter. Addresses and evidence are sealed under the
// key of the module; a row is found by the keyed hash of an address.
func Personal() personal.Declaration {
	return personal.Declaration{
		Domain: "newsletter", Module: string(tenant.Newsletter),
		Stores: []personal.Store{subscribers(), evidence(), suppressed(), deferred(), issues(), neutral("newsletter_settings",
			"tenant_id", "title", "title_en", "about", "about_en", "sender", "archive", "next_number", "version"),
			neutral("newsletter_categories", "tenant_id", "id", "name", "name_en", "position", "active"), limits()},
	}
}

// basis: the model notice names Art. 6(1)(b) beside consent (B18). One basis has
// to carry it; with the click that is consent.
func basis() personal.Basis { return personal.Same(personal.Art6a) }

func neutral(name string, columns ...string) personal.Store {
	return personal.Store{Kind: personal.Table, Name: name, Activity: "newsletter.privacy.activity", Purpose: "newsletter.privacy.settings", Neutral: columns}
}

func ofSubscriber(name, purpose, where string, columns []personal.Column, free ...string) personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: name, Activity: "newsletter.privacy.activity", Purpose: purpose, Basis: basis(),
		Subjects: []personal.Subject{{Role: personal.Subscriber, Where: where}}, Personal: columns, Neutral: free,
		Locator: personal.ByAddress,
		Erase:   []personal.Erasure{{Role: personal.Subscriber, Act: personal.Delete}},
	}
}

func subscribers() personal.Store {
	s := ofSubscriber("newsletter_subscribers", "newsletter.privacy.purpose", "tenant_id = $1 and address_key = $2", []personal.Column{
		{Name: "id", Category: personal.Identifier},
		{Name: "address_key", Category: personal.Identifier},
		{Name: "address", Category: personal.Contact},
		{Name: "state", Category: personal.Behaviour},
		{Name: "lang", Category: personal.Contact},
		{Name: "categories", Category: personal.Behaviour},
		{Name: "mailed_at", Category: personal.Behaviour},
		{Name: "bounces", Category: personal.Technical},
		{Name: "requested_at", Category: personal.Behaviour},
		{Name: "confirmed_at", Category: personal.Behaviour},
	}, "tenant_id", "mailed_ref")
	s.Sealed = []personal.Part{{Name: "address", Category: personal.Contact}}
	s.Retention = personal.Retention{Criterion: "newsletter.privacy.retention", ReviewEvery: 365 * 24 * time.Hour}
	s.Export = []personal.Column{
		{Name: "address", Category: personal.Contact}, {Name: "lang", Category: personal.Contact}, {Name: "categories", Category: personal.Behaviour},
		{Name: "requested_at", Category: personal.Behaviour}, {Name: "confirmed_at", Category: personal.Behaviour},
	}
	return s
}

// evidence is the proof of consent (Art. 7(1) GDPR); its parts are the fields of
// Evidence.
func evidence() personal.Store {
	s := ofSubscriber("newsletter_evidence", "newsletter.privacy.evidence", "tenant_id = $1 and address_key = $2", []personal.Column{
		{Name: "id", Category: personal.Identifier},
		{Name: "address_key", Category: personal.Identifier},
		{Name: "record", Category: personal.Evidence},
		{Name: "created_at", Category: personal.Behaviour},
		{Name: "ended_at", Category: personal.Behaviour},
	}, "tenant_id")
	for _, name := range []string{
		"text", "version", "form", "lang", "way", "requested", "mailed", "message_id", "mail_hash", "confirmed", "changes", "withdrawn", "ending", "categories",
	} {
		s.Sealed = append(s.Sealed, personal.Part{Name: name, Category: personal.Evidence})
	}
	s.Sealed = append(s.Sealed, personal.Part{Name: "address", Category: personal.Contact})
	s.Retention = personal.Retention{Criterion: "newsletter.privacy.evidence_retention", ReviewEvery: 365 * 24 * time.Hour}
	s.Erase = []personal.Erasure{{Role: personal.Subscriber, Act: personal.Keep, Reason: "newsletter.privacy.keep"}}
	s.Export = []personal.Column{{Name: "record", Category: personal.Evidence}}
	return s
}

func suppressed() personal.Store {
	s := ofSubscriber("newsletter_suppressed", "newsletter.privacy.suppressed", "tenant_id = $1 and address_key = $2", []personal.Column{
		{Name: "address_key", Category: personal.Identifier}, {Name: "reason", Category: personal.Behaviour}, {Name: "created_at", Category: personal.Behaviour},
	}, "tenant_id")
	s.Retention = personal.Retention{HumanDecides: "newsletter.privacy.suppressed_retention"}
	s.Erase = []personal.Erasure{{Role: personal.Subscriber, Act: personal.Keep, Reason: "newsletter.privacy.keep_suppressed"}}
	return s
}

func deferred() personal.Store {
	s := ofSubscriber("newsletter_deferred", "newsletter.privacy.deferred",
		"tenant_id = $1 and subscriber_id in (select s.id from newsletter_subscribers s where s.tenant_id = $1 and s.address_key = $2)",
		[]personal.Column{
			{Name: "subscriber_id", Category: personal.Identifier}, {Name: "attempts", Category: personal.Technical}, {Name: "due_at", Category: personal.Technical},
		}, "tenant_id", "issue_id")
	s.Retention = personal.Retention{With: "newsletter_subscribers"}
	return s
}

// issues are published words; the person who began one is staff.
func issues() personal.Store {
	return personal.Store{
		Kind: personal.Table, Name: "newsletter_issues", Activity: "newsletter.privacy.desk", Purpose: "newsletter.privacy.issues",
		Basis:    personal.Same(personal.Art6e, personal.LDSG15),
		Subjects: []personal.Subject{{Role: personal.Staff, Where: "tenant_id = $1 and author = $2"}},
		Personal: []personal.Column{{Name: "author", Category: personal.Employment}},
		Neutral: []string{
			"tenant_id", "id", "number", "state", "lang", "subject", "body", "categories", "archived", "version", "changed_at", "send_at", "started_at",
			"sent_at", "cursor_id", "sent", "failed",
		},
		Locator: personal.ByID, Retention: personal.Retention{HumanDecides: "newsletter.privacy.issues_retention"},
		Erase: []personal.Erasure{{Role: personal.Staff, Act: personal.Blank, Columns: []string{"author"}}},
	}
}

// limits are what counts sign-ups: in memory, by network and by a hash that ends
// with the process.
func limits() personal.Store {
	s := ofSubscriber("newsletter_limits", "newsletter.privacy.limits", "", []personal.Column{
		{Name: "network", Category: personal.Technical}, {Name: "address_key", Category: personal.Identifier}, {Name: "ended", Category: personal.Identifier},
	})
	s.Kind, s.Locator, s.Retention = personal.Memory, personal.None, personal.Retention{Session: true}
	return s
}
