package proof_test

import (
	"poststelle/internal/db"
	"poststelle/internal/tenant"
)

// foreignIssue is an issue of the other authority's newsletter; its number is 987654321.
const foreignIssue = "AAAABBBBCCCCDDDDEEEEFFFF"

// publish switches the newsletters of both authorities on, and gives the other
// one an issue that everybody may read there.
func (s *stage) publish() {
	s.t.Helper()
	for _, of := range []tenant.ID{"musterstadt", "beispielingen"} {
		must(s.t, tenant.SetModule(s.t.Context(), s.DB, of, tenant.Newsletter, true))
	}
	must(s.t, s.Directory.Refresh(s.t.Context()))
	must(s.t, s.Newsletter.Prepare(s.t.Context()))
	must(s.t, s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(s.t.Context(), `
insert into newsletter_issues (tenant_id, id, number, state, lang, subject, body, categories, archived, author, version, changed_at, send_at,
  started_at, sent_at, cursor_id, sent, failed)
values ('beispielingen', $1, 987654321, 'sent', 'de', 'Fremdes', 'Fremder Text', '', $2, 'x', 1, $3, $3, $3, $3, '', 0, 0)`,
			foreignIssue, true, db.Millis(tx.Now))
		return err
	}))
}
