package mailbox

import (
	"context"
	"fmt"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// reapplyBatch is how many threads the vault is asked about at once.
const reapplyBatch = 200

// runReapply brings all threads in line with the vault. It removes the rows and
// files of those that the vault says are deleted: an older copy of the database
// has brought them back, and though nothing opens them any more, they are to
// leave the lists too. It finishes deletions that were decided, and carries over
// forwards that only the vault knows, so that no thread stays where neither
// office reads it. A thread that the vault does not know is left alone, because
// a vault that was restored itself takes it in again.
func (s *Service) runReapply(ctx context.Context, _ jobs.Job) error {
	for _, t := range s.Directory.All() {
		if err := s.reapply(ctx, t); err != nil {
			return fmt.Errorf("mailbox: compare threads of %s: %w", t.ID, err)
		}
		if err := s.reapplyPermissions(ctx, t.ID); err != nil {
			return fmt.Errorf("mailbox: compare permissions of %s: %w", t.ID, err)
		}
	}
	return nil
}

func (s *Service) reapply(ctx context.Context, of *tenant.Tenant) error {
	for last := ""; ; {
		var rows []thread
		err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
			rows, err = selectThreads(ctx, tx, of.ID, last, reapplyBatch)
			return err
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]string, len(rows))
		for i, t := range rows {
			ids[i] = t.ID
		}
		states, err := s.Vault.State(ctx, string(of.ID), ids)
		if err != nil {
			return err
		}
		for _, t := range rows {
			if err := s.reapplyOne(ctx, of, t, states[t.ID]); err != nil {
				return err
			}
		}
		last = ids[len(ids)-1]
	}
}

// reapplyOne compares one row with what the vault says; a zero state is one that
// it does not know.
func (s *Service) reapplyOne(ctx context.Context, of *tenant.Tenant, t thread, st vault.ThreadState) error {
	switch {
	case st.Gone:
		return s.removeRows(ctx, of.ID, t.ID, "job:"+jobReapply)
	case t.Deleting:
		return s.finishDeletion(ctx, of.ID, t.ID, "job:"+jobReapply)
	case st.Mailbox == "" || st.Mailbox == string(t.Mailbox):
		return nil
	}
	to, known := of.Mailbox(tenant.MailboxID(st.Mailbox))
	if !known {
		return fmt.Errorf("mailbox: settle %s: mailbox %s: %w", t.ID, st.Mailbox, fault.NotFound)
	}
	return s.settleMailbox(ctx, of.ID, t.ID, to)
}
