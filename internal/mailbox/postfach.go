package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/mail"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// This file is the mailbox of a person with an account: which threads they
// hold, and how one comes in and goes out. Reading and writing are those of
// collect.go, with the account's key in place of the code's.
//
// A row of mailbox_holdings and the thread's key under the account's key belong
// together. What changes both enqueues the job that settles them first; the
// vault is right (runHold).

const (
	jobHold       = "mailbox.hold"       // tenant:thread:account
	jobTellHolder = "mailbox.tellholder" // message:account
)

// heldPrefix is the beginning of the session keys that hold what is being
// written in threads of the mailbox.
const heldPrefix = "postfach."

// registered reports whether the thread was opened from a person's mailbox, and
// not with a code.
func (c collected) registered() bool { return c.holder.ID != "" }

// key is where the session keeps it.
func (c collected) key() string {
	if c.registered() {
		return heldPrefix + c.Thread
	}
	return collectedPrefix + c.ID
}

// section is the entry of the navigation under which the thread is shown.
func (c collected) section() string {
	if c.registered() {
		return "mailbox"
	}
	return "collect"
}

// start is the page from which the thread was opened.
func (c collected) start() string {
	if c.registered() {
		return "/postfach"
	}
	return "/abholen"
}

// first draws the key of the thread that a letter begins, for the code or for
// the sender's account.
func (l letter) first(of tenant.ID, k letterKeys) vault.First {
	if l.Account != "" {
		return vault.NewFirstFor(l.Account)
	}
	return vault.NewFirst(string(of), k.Thread, k.Token.Code())
}

// commitHeld puts a new letter into its sender's mailbox, in the transaction
// that stores it, and drops the saved draft that it was made from.
func (s *Service) commitHeld(ctx context.Context, tx *db.Tx, th thread, l letter) error {
	if l.Account == "" {
		return nil
	}
	if _, err := insertHolding(ctx, tx, holding{Account: l.Account, Tenant: th.Tenant, Thread: th.ID}); err != nil {
		return err
	}
	return s.spendSaved(ctx, tx, th.Tenant, l)
}

// accountKeys has the vault open messages of a thread for the person who holds
// it.
func (s *Service) accountKeys(ctx context.Context, of tenant.ID, c collected, list []message) (map[string]seal.Key, error) {
	keys, err := s.openBatches(ctx, of, c.Thread, list, func(ids []string) (map[string]seal.Key, error) {
		return s.Vault.AccountOpen(ctx, c.holder.Grant, string(of), c.Thread, ids)
	})
	if err != nil {
		return nil, fmt.Errorf("mailbox: open held %s: %w", c.Thread, err)
	}
	return keys, nil
}

// hold returns the row of a thread in a person's mailbox. One that is not
// theirs, or is being deleted, is NotFound, exactly as one that never was.
func (s *Service) hold(ctx context.Context, who account.Citizen, of tenant.ID, threadID string) (h holding, err error) {
	if !textual(threadID) || len(threadID) > 40 {
		return h, fault.NotFound
	}
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		if h, err = selectHolding(ctx, tx, who.ID, of, threadID); err != nil {
			return err
		}
		_, err = selectReceiving(ctx, tx, of, threadID)
		return err
	})
	return h, err
}

// changeHolding changes what a person sees of a thread.
func (s *Service) changeHolding(ctx context.Context, who account.Citizen, of tenant.ID, threadID string, change func(*holding)) error {
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		h, err := selectHolding(ctx, tx, who.ID, of, threadID)
		if err != nil {
			return err
		}
		old := h
		if change(&h); h == old {
			return nil
		}
		return updateHolding(ctx, tx, h)
	})
	if err != nil {
		return fmt.Errorf("mailbox: change held %s: %w", threadID, err)
	}
	return nil
}

// adopt takes a matter without account into a person's mailbox with its code.
// Whatever is wrong with the code has the same answer and costs the same, as in
// collect.
func (s *Service) adopt(ctx context.Context, who account.Citizen, of tenant.ID, typed string) (thread string, err error) {
	c, err := s.collect(ctx, of, typed)
	if err != nil {
		return "", err
	}
	if err := s.settleHolding(ctx, of, c.Thread, who.ID); err != nil {
		return "", fmt.Errorf("mailbox: take over: %w", err)
	}
	thread, err = s.Vault.Adopt(ctx, who.Grant, string(of), seal.Code(c.Code))
	if err != nil {
		return "", fmt.Errorf("mailbox: take over: %w", err)
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error { return s.putHolding(ctx, tx, of, thread, who.ID) })
	if err != nil {
		return "", fmt.Errorf("mailbox: take over %s: %w", thread, err)
	}
	return thread, nil
}

// putHolding stores the row of a thread that the vault says an account holds.
func (s *Service) putHolding(ctx context.Context, tx *db.Tx, of tenant.ID, threadID, accountID string) error {
	if _, err := selectReceiving(ctx, tx, of, threadID); err != nil {
		return err
	}
	last, err := lastAnswer(ctx, tx, of, threadID)
	if err != nil {
		return err
	}
	fresh, err := insertHolding(ctx, tx, holding{Account: accountID, Tenant: of, Thread: threadID, Last: last})
	if err != nil || !fresh {
		return err
	}
	return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: "citizen", Action: "thread.adopted", Object: threadID})
}

// letGo takes a thread out of a person's mailbox. The office keeps its own.
func (s *Service) letGo(ctx context.Context, who account.Citizen, of tenant.ID, threadID string) error {
	if err := s.settleHolding(ctx, of, threadID, who.ID); err != nil {
		return fmt.Errorf("mailbox: let go of %s: %w", threadID, err)
	}
	if err := s.Vault.LetGo(ctx, who.Grant, string(of), threadID); err != nil {
		return fmt.Errorf("mailbox: let go of %s: %w", threadID, err)
	}
	err := s.DB.Update(ctx, func(tx *db.Tx) error { return s.dropHolding(ctx, tx, of, threadID, who.ID) })
	if err != nil {
		return fmt.Errorf("mailbox: let go of %s: %w", threadID, err)
	}
	return nil
}

func (s *Service) dropHolding(ctx context.Context, tx *db.Tx, of tenant.ID, threadID, accountID string) error {
	gone, err := deleteHolding(ctx, tx, accountID, of, threadID)
	if err != nil || !gone {
		return err
	}
	return journal.Record(ctx, tx, journal.Entry{Tenant: string(of), Actor: "citizen", Action: "thread.letgo", Object: threadID})
}

// settleHolding stores the job that finishes what is about to be done to vault
// and database, should it be interrupted.
func (s *Service) settleHolding(ctx context.Context, of tenant.ID, threadID, accountID string) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error { return s.enqueueHold(ctx, tx, of, threadID, accountID) })
}

func (s *Service) enqueueHold(ctx context.Context, tx *db.Tx, of tenant.ID, threadID, accountID string) error {
	return s.Jobs.Enqueue(ctx, tx, jobHold, string(of)+":"+threadID+":"+accountID, jobs.At(tx.Now.Add(settleSoon)))
}

// runHold brings a row in line with the vault: who has the key has the row.
func (s *Service) runHold(ctx context.Context, j jobs.Job) error {
	of, rest, _ := strings.Cut(j.Ref, ":")
	threadID, accountID, ok := strings.Cut(rest, ":")
	if !ok {
		return jobs.Fatal(fmt.Errorf("mailbox: settle holding: %w", fault.NotFound))
	}
	states, err := s.Vault.State(ctx, of, []string{threadID})
	if err != nil {
		return fmt.Errorf("mailbox: settle holding of %s: %w", threadID, err)
	}
	st, arrived := states[threadID]
	if !arrived {
		return nil // on its way, or long gone
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		if slices.Contains(st.Accounts, accountID) {
			return s.putHolding(ctx, tx, tenant.ID(of), threadID, accountID)
		}
		return s.dropHolding(ctx, tx, tenant.ID(of), threadID, accountID)
	})
	if errors.Is(err, fault.NotFound) {
		return nil // the thread is gone
	}
	return err
}

// tellHolders shows a new message of the office in the mailboxes that have its
// thread, and enqueues the mail without content to those who want one.
func (s *Service) tellHolders(ctx context.Context, tx *db.Tx, t thread, m message) error {
	last := m.ID
	if m.Kind != fromOffice {
		var err error
		if last, err = lastAnswer(ctx, tx, t.Tenant, t.ID); err != nil {
			return err
		}
	}
	if err := touchHoldings(ctx, tx, t.Tenant, t.ID, last); err != nil {
		return err
	}
	holders, err := selectHolders(ctx, tx, t.Tenant, t.ID)
	if err != nil {
		return err
	}
	for _, h := range holders {
		if !h.Notice {
			continue
		}
		wanted, err := s.Accounts.WantsMail(ctx, tx, h.Account)
		if err == nil && wanted {
			err = s.Jobs.Enqueue(ctx, tx, jobTellHolder, m.ID+":"+h.Account)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// quiet is how long nobody is told again about a mailbox that they have not
// looked at since.
const quiet = time.Hour

// runTellHolder mails a person that something new waits in their mailbox: no
// subject, no name, no office (A70). Who has read it meanwhile gets none, nor
// who was told within the hour and has not looked yet.
func (s *Service) runTellHolder(ctx context.Context, j jobs.Job) error {
	messageID, accountID, _ := strings.Cut(j.Ref, ":")
	t, th, m, err := s.jobMessage(ctx, jobs.Job{Kind: j.Kind, Ref: messageID})
	if err != nil || m.ID == "" {
		return err
	}
	due, err := s.claimNotice(ctx, th, accountID)
	if err != nil || !due {
		return err
	}
	addresses, err := s.Vault.AccountMail(ctx, s.Tokens.Notifier, []string{accountID})
	if err != nil {
		return fmt.Errorf("mailbox: tell holder: %w", err)
	}
	to := addresses[accountID]
	if to.Mail == "" {
		return nil // the account is gone
	}
	if th.Notice { // taken over with its code: the address given then gets a notice of its own
		reach, err := s.reach(ctx, s.Tokens.Notifier, th)
		if err != nil || strings.EqualFold(reach.Email, to.Mail) {
			return err
		}
	}
	in := i18n.In(ctx, to.Lang)
	err = s.post(ctx, mail.Message{
		To: to.Mail, ID: j.ID, Subject: i18n.T(in, "mailbox.mail.postfach.subject"),
		Text: i18n.T(in, "mailbox.mail.postfach.text", "link", s.pageURL(in, t, "/postfach")),
	})
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		return markTold(ctx, tx, holding{Account: accountID, Tenant: th.Tenant, Thread: th.ID})
	})
}

// claimNotice reports whether a person is to be told now.
func (s *Service) claimNotice(ctx context.Context, th thread, accountID string) (due bool, err error) {
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		h, err := selectHolding(ctx, tx, accountID, th.Tenant, th.ID)
		if err != nil || !h.Unread || !h.Notice {
			return err
		}
		wanted, err := s.Accounts.WantsMail(ctx, tx, accountID)
		if err != nil || !wanted {
			return err
		}
		lately, err := toldLately(ctx, tx, h, tx.Now.Add(-quiet))
		due = !lately
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return false, nil // let go of meanwhile
	}
	return due, err
}

// forgetAccount drops what a person who deletes the account has here, in the
// transaction in which it goes. The letters are the office's now, and stay
// under its rule.
func (s *Service) forgetAccount(ctx context.Context, tx *db.Tx, accountID string) error {
	if err := deleteHoldingsOf(ctx, tx, accountID); err != nil {
		return err
	}
	if err := s.forgetPermissions(ctx, tx, accountID); err != nil {
		return err
	}
	for {
		list, err := selectSavedOf(ctx, tx, accountID, savedBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, x := range list {
			if err := s.dropSaved(ctx, tx, x, nil); err != nil {
				return err
			}
		}
	}
}

// realmOf returns the authorities whose letters a person sees on the host of t:
// those of t alone, or, on the operator's host, of all in its realm.
func (s *Service) realmOf(t *tenant.Tenant) []tenant.ID {
	out := []tenant.ID{t.ID}
	if t.Kind != tenant.Operator {
		return out
	}
	for _, x := range s.Directory.All() {
		if x.ID != t.ID && x.Realm() == t.Realm() {
			out = append(out, x.ID)
		}
	}
	return out
}

// UnreadCount returns how many threads of a person's mailbox have something new,
// on the host of t, for the navigation.
func (s *Service) UnreadCount(ctx context.Context, who account.Citizen, t *tenant.Tenant) (int, error) {
	n := 0
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		n, err = countUnread(ctx, tx, who.ID, s.realmOf(t))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("mailbox: count unread: %w", err)
	}
	return n, nil
}

// registerAccountJobs are the jobs for people with an account, and what goes
// with the account.
func (s *Service) registerAccountJobs() {
	s.Jobs.Handle(jobHold, s.runHold)
	s.Jobs.Handle(jobTellHolder, s.runTellHolder, jobs.Lasting(mailFor))
	s.Jobs.Handle(jobUnbegun, s.runUnbegun)
	s.Jobs.Handle(jobUnpermit, s.runUnpermit)
	s.Jobs.Handle(jobDropDraft, s.runDropDraft)
	s.Jobs.Every(jobExpireDrafts, time.Hour, s.runExpireDrafts)
	s.Accounts.OnDelete(s.forgetAccount)
}
