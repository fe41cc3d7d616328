package journal

import (
	"time"

	"poststelle/internal/personal"
)

// Period is how long an entry stays: what was done with a letter can be looked
// up for three years.
const Period = 3 * 365 * 24 * time.Hour

// Personal declares the journal. Who acted, and on what, proves lawful
// processing (Art. 5(2) GDPR) and stays; what was said about it is blanked
// when the object is erased.
func Personal() personal.Declaration {
	return personal.Declaration{
		Domain: "journal",
		Stores: []personal.Store{{
			Kind:     personal.Table,
			Name:     "journal_entries",
			Activity: "journal.privacy.activity",
			Purpose:  "journal.privacy.purpose",
			Basis:    personal.Same(personal.Art6c),
			Subjects: []personal.Subject{
				{Role: personal.Citizen, Where: "tenant = $1 and object = $2"},
				{Role: personal.Staff, Where: "tenant = $1 and actor = $2"},
			},
			Personal: []personal.Column{
				{Name: "at", Category: personal.Behaviour},
				{Name: "actor", Category: personal.Identifier},
				{Name: "action", Category: personal.Evidence},
				{Name: "object", Category: personal.Identifier},
				{Name: "detail", Category: personal.Evidence},
				{Name: "reason", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
			},
			Neutral: []string{
				"id", "tenant", "salt", "commitment", "blanked_by", "seq", "chained_at", "hash",
			},
			Locator:   personal.ByID,
			Retention: personal.Retention{Start: "at", Period: Period},
			Erase: []personal.Erasure{
				{Role: personal.Citizen, Act: personal.Blank, Columns: []string{"detail", "reason"}},
				{Role: personal.Staff, Act: personal.Keep, Reason: "journal.privacy.keep"},
			},
			Export: []personal.Column{
				{Name: "at", Category: personal.Behaviour},
				{Name: "actor", Category: personal.Identifier},
				{Name: "action", Category: personal.Evidence},
				{Name: "detail", Category: personal.Evidence},
				{Name: "reason", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
			},
		}, {
			Kind:     personal.Table,
			Name:     "journal_heads",
			Activity: "journal.privacy.activity",
			Purpose:  "journal.privacy.purpose",
			Neutral:  []string{"tenant", "seq", "hash", "base_seq", "base_hash", "changed_at"},
		}},
	}
}
