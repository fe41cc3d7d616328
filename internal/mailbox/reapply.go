package mailbox

import (
	"context"
	"fmt"

	"poststelle/internal/db"
	"poststelle/internal/jobs"
	"poststelle/internal/tenant"
)

// reapplyBatch is how many threads the vault is asked about at once.
const reapplyBatch = 200

// runReapply removes the rows and files of threads that the vault says are
// deleted: those that an older copy of the database has brought back. Nothing
// opens them any more; this takes them out of the lists too. A thread that the
// vault does not know is left alone, because a vault that was restored itself
// takes it in again.
func (s *Service) runReapply(ctx context.Context, _ jobs.Job) error {
	for _, t := range s.Directory.All() {
		if err := s.reapply(ctx, t.ID); err != nil {
			return fmt.Errorf("mailbox: deletions of %s: %w", t.ID, err)
		}
	}
	return nil
}

func (s *Service) reapply(ctx context.Context, of tenant.ID) error {
	for last := ""; ; {
		var ids []string
		err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
			ids, err = selectThreadIDs(ctx, tx, of, last, reapplyBatch)
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		states, err := s.Vault.State(ctx, string(of), ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if !states[id].Gone {
				continue
			}
			if err := s.removeRows(ctx, of, id, "job:"+jobReapply); err != nil {
				return err
			}
		}
		last = ids[len(ids)-1]
	}
}
