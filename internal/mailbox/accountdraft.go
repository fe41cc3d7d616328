package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
)

// This file keeps the drafts that people with an account save on purpose. The
// draft of the assistant, which holds the key of its files, is sealed as a whole
// under a key that the vault keeps under the account's; the files stay sealed as
// they are and are kept by a reference of their own. Nothing else of an unsent
// letter is durable.
//
// A saved draft is a copy: what is opened from it is a draft of the session
// again, and changes it only when it is saved once more. It goes when its letter
// is sent, when its person deletes it or the account, and draftDays after it was
// saved last.

const (
	jobDropDraft    = "mailbox.dropdraft" // draft
	jobExpireDrafts = "mailbox.expiredrafts"

	// draftDays is how long a saved draft stays.
	draftDays = 30
	// maxSaved bounds the drafts of an account.
	maxSaved   = 20
	savedBatch = 50
)

// errSavedFull says that an account has too many drafts.
var errSavedFull = fault.With(fault.TooMany, "mailbox.saved.full", "n", maxSaved)

// saved is what a session knows of the saved copy of its draft.
type saved struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"`
}

func savedOwner(id string) string { return "accountdraft:" + id }

func savedPlace(of tenant.ID, id string) seal.Place {
	return seal.Place{Tenant: string(of), Message: id, Part: "draft"}
}

// saveDraft stores a draft of the assistant for a person with an account, in
// place of what was saved of it before, and returns what is known of the copy.
func (s *Service) saveDraft(ctx context.Context, who account.Citizen, of tenant.ID, d draft) (saved, error) {
	kept := saved{ID: newID(), Account: who.ID}
	if d.Saved != nil && d.Saved.Account == who.ID {
		kept.ID = d.Saved.ID
	}
	if err := s.lostUploads(ctx, d.Files); err != nil {
		return saved{}, fmt.Errorf("mailbox: save draft: %w", err)
	}
	if err := s.roomForSaved(ctx, who, kept.ID); err != nil {
		return saved{}, fmt.Errorf("mailbox: save draft: %w", err)
	}
	k, err := s.Vault.DraftKey(ctx, who.Grant, kept.ID)
	if err != nil {
		return saved{}, fmt.Errorf("mailbox: save draft: %w", err)
	}
	d.Saved, d.Sent, d.Sending, d.Unsure = nil, nil, 0, false
	sealed := seal.Seal(k, savedPlace(of, kept.ID), encode(d))
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		kept.At, kept.Expires = tx.Now, tx.Now.AddDate(0, 0, draftDays)
		mine, err := upsertSaved(ctx, tx, savedRow{
			ID: kept.ID, Account: who.ID, Tenant: of, Sealed: sealed, Updated: kept.At, Expires: kept.Expires,
		})
		if err == nil && !mine {
			err = fault.NotFound
		}
		if err != nil {
			return err
		}
		return s.keepSavedFiles(ctx, tx, of, kept.ID, d.Files)
	})
	if err != nil {
		return saved{}, fmt.Errorf("mailbox: save draft: %w", err)
	}
	s.uploads.release(d.Files) // they count as unsent uploads no longer
	return kept, nil
}

// roomForSaved refuses a further draft of an account that has very many.
func (s *Service) roomForSaved(ctx context.Context, who account.Citizen, id string) error {
	return s.DB.View(ctx, func(tx *db.Tx) error {
		all, mine, err := countSaved(ctx, tx, who.ID, id)
		if err == nil && all >= maxSaved && mine == 0 {
			err = errSavedFull
		}
		return err
	})
}

// keepSavedFiles has a saved draft keep these files and no others.
func (s *Service) keepSavedFiles(ctx context.Context, tx *db.Tx, of tenant.ID, id string, files []upload) error {
	old, err := savedFiles(ctx, tx, of, id)
	if err != nil {
		return err
	}
	for _, b := range old {
		if slices.ContainsFunc(files, func(f upload) bool { return f.Blob == b }) {
			continue
		}
		if err := deleteSavedFile(ctx, tx, of, id, b); err != nil {
			return err
		}
		if err := s.Refs.Release(ctx, tx, string(of), b); err != nil {
			return err
		}
	}
	for _, f := range files {
		if slices.Contains(old, f.Blob) {
			continue
		}
		if err := insertSavedFile(ctx, tx, of, id, f.Blob); err != nil {
			return err
		}
		if err := s.Refs.Attach(ctx, tx, string(of), f.Blob, savedOwner(id), f.Size); err != nil {
			return err
		}
	}
	return nil
}

// openSaved returns a draft of the session made from a saved one. It keeps the
// saved one's message, token and key: if both are sent there is one letter.
func (s *Service) openSaved(ctx context.Context, who account.Citizen, of tenant.ID, id string) (draft, error) {
	if !validDraftID(id) {
		return draft{}, fmt.Errorf("mailbox: open saved draft: %w", fault.NotFound)
	}
	var x savedRow
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		x, err = selectSaved(ctx, tx, who.ID, of, id)
		return err
	})
	if err != nil {
		return draft{}, fmt.Errorf("mailbox: open saved draft: %w", err)
	}
	d, err := s.unsealSaved(ctx, who, x)
	if err != nil {
		return draft{}, fmt.Errorf("mailbox: open saved draft: %w", err)
	}
	d.ID = newID()
	d.Saved = &saved{ID: x.ID, Account: who.ID, At: x.Updated, Expires: x.Expires}
	return d, nil
}

func (s *Service) unsealSaved(ctx context.Context, who account.Citizen, x savedRow) (draft, error) {
	k, err := s.Vault.DraftKey(ctx, who.Grant, x.ID)
	if err != nil {
		return draft{}, err
	}
	plain, err := seal.Open(k, savedPlace(x.Tenant, x.ID), x.Sealed)
	if err != nil {
		return draft{}, err
	}
	return decodeDraft(plain)
}

// savedDraft is a saved draft as the list shows it. Lost says that its key is
// gone: it can only be deleted.
type savedDraft struct {
	savedRow
	draft draft
	Lost  bool
}

// savedDrafts returns what a person has saved to some authorities.
func (s *Service) savedDrafts(ctx context.Context, who account.Citizen, of []tenant.ID) ([]savedDraft, error) {
	var rows []savedRow
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		rows, err = selectSavedAt(ctx, tx, who.ID, of, savedBatch)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mailbox: saved drafts: %w", err)
	}
	out := make([]savedDraft, 0, len(rows))
	for _, x := range rows {
		d, err := s.unsealSaved(ctx, who, x)
		if kind := fault.KindOf(err); err != nil && (kind == fault.Unavailable || kind == fault.Denied) {
			return nil, fmt.Errorf("mailbox: saved drafts: %w", err)
		}
		out = append(out, savedDraft{savedRow: x, draft: d, Lost: err != nil})
	}
	return out, nil
}

// removeSaved deletes a saved draft: its key first, then the row and the files.
func (s *Service) removeSaved(ctx context.Context, who account.Citizen, of tenant.ID, id string) error {
	if !validDraftID(id) {
		return fmt.Errorf("mailbox: delete saved draft: %w", fault.NotFound)
	}
	err := s.DB.View(ctx, func(tx *db.Tx) error {
		_, err := selectSaved(ctx, tx, who.ID, of, id)
		return err
	})
	if err == nil {
		err = s.Vault.DropDrafts(ctx, who.Grant, []string{id})
	}
	if err == nil {
		err = s.DB.Update(ctx, func(tx *db.Tx) error {
			x, err := selectSaved(ctx, tx, who.ID, of, id)
			if errors.Is(err, fault.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return s.dropSaved(ctx, tx, x, nil)
		})
	}
	if err != nil {
		return fmt.Errorf("mailbox: delete saved draft: %w", err)
	}
	return nil
}

// dropSaved deletes the row of a saved draft and gives its files up, except
// those that a letter takes over.
func (s *Service) dropSaved(ctx context.Context, tx *db.Tx, x savedRow, taken []upload) error {
	files, err := savedFiles(ctx, tx, x.Tenant, x.ID)
	if err != nil {
		return err
	}
	if err := deleteSaved(ctx, tx, x.Tenant, x.ID); err != nil {
		return err
	}
	for _, b := range files {
		if slices.ContainsFunc(taken, func(f upload) bool { return f.Blob == b }) {
			err = s.Refs.Detach(ctx, tx, string(x.Tenant), b, savedOwner(x.ID))
		} else {
			err = s.Refs.Release(ctx, tx, string(x.Tenant), b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// spendSaved drops the saved draft of a letter in the transaction that stores
// the letter, which takes its files over. The key goes with a job.
func (s *Service) spendSaved(ctx context.Context, tx *db.Tx, of tenant.ID, l letter) error {
	if l.Saved == "" {
		return nil
	}
	x, err := selectSaved(ctx, tx, l.Account, of, l.Saved)
	if errors.Is(err, fault.NotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	if err := s.dropSaved(ctx, tx, x, l.Files); err != nil {
		return err
	}
	return s.Jobs.Enqueue(ctx, tx, jobDropDraft, x.ID)
}

// runDropDraft destroys the key of a draft whose letter was sent.
func (s *Service) runDropDraft(ctx context.Context, j jobs.Job) error {
	if err := s.Vault.DropDrafts(ctx, s.Tokens.Retention, []string{j.Ref}); err != nil {
		return fmt.Errorf("mailbox: drop key of sent draft: %w", err)
	}
	return nil
}

// runExpireDrafts deletes what was saved longest ago: keys first, as with
// everything.
func (s *Service) runExpireDrafts(ctx context.Context, _ jobs.Job) error {
	for {
		var due []savedRow
		err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
			due, err = selectExpired(ctx, tx, savedBatch)
			return err
		})
		if err != nil || len(due) == 0 {
			return err
		}
		ids := make([]string, len(due))
		for i, x := range due {
			ids[i] = x.ID
		}
		if err := s.Vault.DropDrafts(ctx, s.Tokens.Retention, ids); err != nil {
			return fmt.Errorf("mailbox: expire drafts: %w", err)
		}
		err = s.DB.Update(ctx, func(tx *db.Tx) error {
			for _, x := range due {
				if err := s.dropSaved(ctx, tx, x, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("mailbox: expire drafts: %w", err)
		}
	}
}
