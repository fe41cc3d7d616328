package mailbox

import (
	"context"
	"errors"
	"fmt"

	"poststelle/internal/account"
	"poststelle/internal/blob"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/tenant"
)

// forward hands a thread to another mailbox of the same authority, with a
// reason that only the office reads. The vault re-wraps the thread key, so that
// from that moment the members of the new mailbox can read and those of the old
// one cannot.
func (s *Service) forward(ctx context.Context, who account.Actor, id string, to tenant.Mailbox, reason string, tell bool) error {
	var from tenant.MailboxID
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := mine(ctx, tx, who, id)
		if err != nil {
			return err
		}
		if from = t.Mailbox; from == to.ID {
			return fault.Fields(fault.Field{Name: "mailbox", Key: "mailbox.error.forward.same"})
		}
		return s.Jobs.Enqueue(ctx, tx, jobSettle, string(who.Tenant)+":"+id, jobs.At(tx.Now.Add(settleSoon)))
	})
	if err != nil {
		return fmt.Errorf("mailbox: forward %s: %w", id, err)
	}
	message := newID()
	k, err := s.drawKey(ctx, who, id, message, false)
	if err != nil {
		return fmt.Errorf("mailbox: forward %s: %w", id, err)
	}
	note := encode(eventNote{Event: "forward", From: string(from), To: string(to.ID), Reason: reason, Tell: tell})
	m := sealMessage(who.Tenant, id, message, event, k, string(note), nil)
	m.Author = who.Person
	if err := s.Vault.Forward(ctx, who.Grant, string(who.Tenant), id, string(to.ID)); err != nil {
		return fmt.Errorf("mailbox: forward %s: %w", id, paused(err))
	}
	err = s.updateRetrying(ctx, func(tx *db.Tx) error { return s.commitForward(ctx, tx, who, id, to, m, tell) })
	if err != nil {
		return fmt.Errorf("mailbox: forward %s: %w", id, err)
	}
	return nil
}

// commitForward carries over what the vault has done. Whoever changed the thread
// meanwhile does not hinder it; the settling job may have moved the row already,
// and then only the event is missing.
func (s *Service) commitForward(ctx context.Context, tx *db.Tx, who account.Actor, id string, to tenant.Mailbox, m message, tell bool) error {
	t, err := selectThread(ctx, tx, who.Tenant, id)
	if err != nil {
		return err
	}
	if _, err := insertMessage(ctx, tx, m); err != nil {
		return err
	}
	if err := s.keepKey(ctx, tx, m.ID); err != nil {
		return err
	}
	if tell {
		if err := s.tellCitizen(ctx, tx, t, m); err != nil {
			return err
		}
	}
	if t.Mailbox == to.ID {
		return nil
	}
	return s.moveRow(ctx, tx, t, to, "staff:"+who.Person)
}

// moveRow brings the row of a thread to the mailbox in which the vault has it.
// The new office begins anew: nobody is assigned, and its reply time runs from
// now.
func (s *Service) moveRow(ctx context.Context, tx *db.Tx, t thread, to tenant.Mailbox, actor string) error {
	from := t.Mailbox
	t.Mailbox, t.Assignee, t.Unread = to.ID, "", true
	t.Topic = "" // topics belong to a mailbox
	if t.State == stateClosed {
		t.Closed = tx.Now // a rule of the new office counts from here
	} else {
		t.State = stateNew
	}
	t.Due = tenant.WorkingDays(tx.Now, to.ReplyDays)
	if err := saveThread(ctx, tx, t); err != nil {
		return err
	}
	s.recount(tx, t.Tenant, from, to.ID)
	if err := s.tellOffice(ctx, tx, t); err != nil {
		return err
	}
	return journal.Record(ctx, tx, journal.Entry{
		Tenant: string(t.Tenant), Actor: actor, Action: "thread.forwarded", Object: t.ID,
		Detail: map[string]string{"from": string(from), "mailbox": string(to.ID)},
	})
}

// errDeleting reports that a thread changed since the page on which its deletion
// was decided.
var errDeleting = fault.With(fault.Conflict, "mailbox.staff.delete.changed")

// remove deletes a thread for good, as the person saw it: if its version is
// another one by now it is errDeleting and nothing is done. The order is: the
// record that it was asked, the keys in the vault, the rows, the files. From the
// first step on the thread takes nothing in that would go unread, and what does
// not finish is finished by the settling job; after the second nothing opens the
// letter any more, in no copy of database and files.
func (s *Service) remove(ctx context.Context, who account.Actor, id string, version int, reason string) error {
	if err := s.mayDelete(ctx, who, id); err != nil {
		return fmt.Errorf("mailbox: delete %s: %w", id, paused(err))
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := mine(ctx, tx, who, id)
		if err != nil {
			return err
		}
		if t.Version != version {
			return errDeleting
		}
		if err := unbound(ctx, tx, t); err != nil {
			return err
		}
		return s.decideDeletion(ctx, tx, t, "staff:"+who.Person, reason)
	})
	if err != nil {
		return fmt.Errorf("mailbox: delete %s: %w", id, err)
	}
	if err := s.shred(ctx, who, id); err != nil {
		if kind := fault.KindOf(err); kind == fault.NotFound || kind == fault.Denied {
			err = errors.Join(err, s.keep(ctx, who.Tenant, id))
		}
		return fmt.Errorf("mailbox: delete %s: %w", id, paused(err))
	}
	return s.removeRows(ctx, who.Tenant, id, "staff:"+who.Person)
}

// decideDeletion records that a thread is deleted, by whom and on which ground.
// From its commit on the thread takes nothing in, and the settling job finishes
// what does not finish by itself.
func (s *Service) decideDeletion(ctx context.Context, tx *db.Tx, t thread, actor, ground string) error {
	t.Deleting = true
	if err := saveThread(ctx, tx, t); err != nil {
		return err
	}
	if err := s.Jobs.Enqueue(ctx, tx, jobSettle, string(t.Tenant)+":"+t.ID, jobs.At(tx.Now.Add(settleSoon))); err != nil {
		return err
	}
	return journal.Record(ctx, tx, journal.Entry{
		Tenant: string(t.Tenant), Actor: actor, Action: "thread.deletion", Object: t.ID, Detail: map[string]string{"ground": ground},
	})
}

// mayDelete asks the vault whether the person is a member of the mailbox, before
// anything is written: what is written will be carried out.
func (s *Service) mayDelete(ctx context.Context, who account.Actor, id string) error {
	t, err := s.head(ctx, who, id)
	if err != nil {
		return err
	}
	keys, err := s.Vault.CardKeys(ctx, who.Grant, string(who.Tenant), []string{t.First})
	if err != nil || len(keys) > 0 {
		return err
	}
	arrived, err := s.arrived(ctx, who.Tenant, id)
	if err == nil && arrived {
		err = fault.NotFound
	}
	return err
}

// keep takes back a deletion that the vault has refused.
func (s *Service) keep(ctx context.Context, of tenant.ID, id string) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := selectThread(ctx, tx, of, id)
		if err != nil {
			return err
		}
		t.Deleting = false
		return saveThread(ctx, tx, t)
	})
}

// finishDeletion carries out what a clerk has decided and the vault has not
// heard of.
func (s *Service) finishDeletion(ctx context.Context, of tenant.ID, id, actor string) error {
	if err := s.Vault.Shred(ctx, s.Tokens.Retention, string(of), id); err != nil {
		return fmt.Errorf("mailbox: delete %s: %w", id, err)
	}
	return s.removeRows(ctx, of, id, actor)
}

// shred destroys the keys of a thread. One that has not arrived in the vault is
// marked there as deleted by the named service, since nobody is a member of
// anything yet: that the person may is then only what mine has checked.
func (s *Service) shred(ctx context.Context, who account.Actor, id string) error {
	err := s.Vault.Shred(ctx, who.Grant, string(who.Tenant), id)
	if !errors.Is(err, fault.NotFound) {
		return err
	}
	if arrived, stateErr := s.arrived(ctx, who.Tenant, id); stateErr != nil || arrived {
		return errors.Join(stateErr, err)
	}
	return s.Vault.Shred(ctx, s.Tokens.Retention, string(who.Tenant), id)
}

func (s *Service) removeRows(ctx context.Context, of tenant.ID, id, actor string) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		t, err := selectThread(ctx, tx, of, id)
		if errors.Is(err, fault.NotFound) {
			return nil // done before
		}
		if err != nil {
			return err
		}
		blobs, err := removeThread(ctx, tx, of, id)
		if err != nil {
			return err
		}
		for _, b := range blobs {
			if err := s.Refs.Release(ctx, tx, string(of), blob.ID(b)); err != nil {
				return err
			}
		}
		s.recount(tx, of, t.Mailbox)
		return recordDeletion(ctx, tx, of, id, actor)
	})
	if err != nil {
		return fmt.Errorf("mailbox: delete rows of %s: %w", id, err)
	}
	return nil
}

// recordDeletion blanks what the journal says about a thread, and keeps that it
// was deleted, by whom and on what ground: the proof of erasure (Art. 5(2)
// GDPR).
func recordDeletion(ctx context.Context, tx *db.Tx, of tenant.ID, id, actor string) error {
	last, err := journal.List(ctx, tx, string(of), id, 20)
	if err != nil {
		return err
	}
	detail := map[string]string{}
	for _, e := range last {
		if ground := e.Detail["ground"]; e.Action == "thread.deletion" && ground != "" {
			detail["ground"] = ground
			break
		}
	}
	if _, err := journal.BlankObject(ctx, tx, string(of), actor, id); err != nil {
		return err
	}
	return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: actor, Action: "thread.deleted", Object: id, Detail: detail})
}
