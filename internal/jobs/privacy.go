package jobs

import "poststelle/internal/personal"

// Personal declares the queue. A reference is an id, which stands for a person
// as long as the thing it names does; nothing else here can. Waiting jobs end
// with their success, which deletes them.
func Personal() personal.Declaration {
	return personal.Declaration{
		Domain: "jobs",
		Stores: []personal.Store{{
			Kind:     personal.Queue,
			Name:     "jobs",
			Activity: "jobs.privacy.activity",
			Purpose:  "jobs.privacy.purpose",
			Basis:    personal.Same(personal.Art6e, personal.LDSG4),
			Subjects: []personal.Subject{{Role: personal.Citizen}},
			Personal: []personal.Column{
				{Name: "ref", Category: personal.Identifier},
				{Name: "slot", Category: personal.Identifier},
			},
			Neutral: []string{
				"id", "kind", "state", "attempt", "spared", "run_at", "created_at",
				"finished_at", "expires_at", "error_code", "error_class",
			},
			Locator:   personal.None,
			Retention: personal.Retention{Criterion: "jobs.privacy.retention", ReviewEvery: DeadFor},
			Erase: []personal.Erasure{{
				Role: personal.Citizen, Act: personal.Keep, Reason: "jobs.privacy.keep",
			}},
		}},
	}
}
