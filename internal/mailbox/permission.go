package mailbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"poststelle/internal/account"
	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/jobs"
	"poststelle/internal/journal"
	"poststelle/internal/seal"
	"poststelle/internal/tenant"
	"poststelle/internal/vault"
)

// This file is the permission to write first (A48): a person with an account asks
// one office for mail. It is no letter and stands in no list of letters. In the
// vault it is a thread with one message that the account holds, so that the
// office opens the name, and begins a thread from it, by the same rules as with
// a letter; taking it back shreds that thread.

// jobUnpermit destroys the keys of a permission that was taken back.
const jobUnpermit = "mailbox.unpermit" // tenant:permission

// Bounds of a permission, in characters.
const (
	maxPermitName   = maxSender
	maxPermitReason = 200
)

// Permit is what a person allows: Mailbox may write to them first, under Name.
// Reason is optional: a file number or a matter.
type Permit struct {
	Mailbox tenant.MailboxID
	Name    string
	Reason  string
}

// check says what is wrong with a permission, in the order of the form. t is the
// tenant as the person may know it.
func (in Permit) check(t *tenant.Tenant) (wrong []fault.Field) {
	if _, ok := t.Mailbox(in.Mailbox); !ok {
		wrong = append(wrong, fault.Field{Name: "mailbox", Key: "mailbox.error.permit.mailbox"})
	}
	switch n := utf8.RuneCountInString(in.Name); {
	case !shows(in.Name):
		wrong = append(wrong, fault.Field{Name: "name", Key: "mailbox.error.permit.name"})
	case n > maxPermitName:
		wrong = append(wrong, fault.Field{Name: "name", Key: "mailbox.error.name.long", Args: []any{"n", maxPermitName}})
	}
	if utf8.RuneCountInString(in.Reason) > maxPermitReason {
		wrong = append(wrong, fault.Field{Name: "wofuer", Key: "mailbox.error.permit.reason", Args: []any{"n", maxPermitReason}})
	}
	return wrong
}

// oneLine makes one line of a text, with single spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// shows tells whether a name shows anything: there are letters that are blank.
func shows(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool {
		return unicode.In(r, unicode.L, unicode.N) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
	})
}

// Permit stores what a person allows and returns after the commit. A person has
// one permission for a mailbox: a second one changes name and reason of the
// first.
func (s *Service) Permit(ctx context.Context, t *tenant.Tenant, who account.Citizen, in Permit) error {
	if wrong := in.check(t); len(wrong) > 0 {
		return fault.Fields(wrong...)
	}
	k := seal.NewKey()
	p := permission{ID: newID(), Tenant: t.ID, Mailbox: in.Mailbox, Account: who.ID, Message: newID()}
	p.card = sealPart(k, t.ID, p.Message, "card", encode(in.card()))
	first := vault.NewFirstFor(who.ID)
	box, err := s.sealBox(t.ID, in.Mailbox, vault.Letter{Thread: p.ID, Message: p.Message, K: k, First: &first}, s.Now())
	if err != nil {
		return fmt.Errorf("mailbox: permit: %w", err)
	}
	fresh := false
	for range 3 { // what is taken back while it changes is given anew
		if fresh, err = s.givePermission(ctx, p, box); err == nil && !fresh {
			err = s.changePermission(ctx, t.ID, who, in)
		}
		if !errors.Is(err, fault.NotFound) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("mailbox: permit: %w", err)
	}
	// The page that follows shows it, if the vault has it by then.
	if _, err := s.takeIn(ctx); err != nil && !errors.Is(err, fault.Unavailable) {
		s.Log.Error("intake queue", "error", err)
	}
	if !fresh {
		return nil
	}
	if kept, err := s.settlePermissions(ctx, t.ID, []permission{p}); err == nil && kept == 0 {
		return fmt.Errorf("mailbox: permit: the account is gone: %w", fault.Denied)
	}
	return nil // an error is of the vault, which is away: the hourly comparison settles it
}

// givePermission stores a permission with its keys, and reports false when the
// person has given this one already.
func (s *Service) givePermission(ctx context.Context, p permission, box intakeRow) (fresh bool, err error) {
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		if fresh, err = insertPermission(ctx, tx, p); err != nil || !fresh {
			return err
		}
		if err := insertIntake(ctx, tx, box); err != nil {
			return err
		}
		tx.AfterCommit(s.wakeIntake)
		return p.record(ctx, tx, "citizen", "permission.given")
	})
	return fresh, err
}

func (in Permit) card() card { return card{Subject: in.Reason, Sender: in.Name} }

func (p permission) record(ctx context.Context, tx *db.Tx, actor, action string) error {
	return journal.Record(ctx, tx, journal.Entry{
		Tenant: string(p.Tenant), Actor: actor, Action: action, Object: p.ID, Detail: map[string]string{"mailbox": string(p.Mailbox)},
	})
}

// changePermission seals name and reason of a permission anew, when they are
// others.
func (s *Service) changePermission(ctx context.Context, of tenant.ID, who account.Citizen, in Permit) error {
	var p permission
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		p, err = selectPermissionOf(ctx, tx, who.ID, of, in.Mailbox)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := s.takeIn(ctx); err != nil { // the one before may be on its way
		return err
	}
	keys, err := s.Vault.AccountCards(ctx, who.Grant, string(of), []string{p.Message})
	if err != nil {
		return err
	}
	k, ok := keys[p.Message]
	if !ok {
		return fmt.Errorf("key of permission %s: %w", p.ID, fault.Unavailable)
	}
	if old, err := openCard(k, of, p.Message, p.card); err != nil || old == in.card() {
		return err
	}
	p.card = seal.Seal(k, place(of, p.Message, "card"), encode(in.card()))
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		there, err := updatePermission(ctx, tx, p)
		if err != nil {
			return err
		}
		if !there {
			return fault.NotFound
		}
		return p.record(ctx, tx, "citizen", "permission.changed")
	})
}

// openPermission is a permission with its card. One whose key has not reached
// the vault is Sealed.
type openPermission struct {
	permission
	Name, Reason string
	Sealed       bool
}

// openPermissions unseals the cards for which there are keys.
func openPermissions(list []permission, keys map[string]seal.Key) ([]openPermission, error) {
	out := make([]openPermission, len(list))
	for i, p := range list {
		out[i] = openPermission{permission: p, Sealed: true}
		k, ok := keys[p.Message]
		if !ok {
			continue
		}
		c, err := openCard(k, p.Tenant, p.Message, p.card)
		if err != nil {
			return nil, fmt.Errorf("permission %s: %w", p.ID, err)
		}
		out[i].Name, out[i].Reason, out[i].Sealed = c.Sender, c.Subject, false
	}
	return out, nil
}

// ownPermissions returns what a person has allowed at some tenants, newest first.
func (s *Service) ownPermissions(ctx context.Context, who account.Citizen, of []tenant.ID) ([]openPermission, error) {
	var list []permission
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		list, err = selectPermissionsAt(ctx, tx, who.ID, of)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mailbox: own permissions: %w", err)
	}
	keys := map[string]seal.Key{}
	for _, at := range of {
		for part := range slices.Chunk(messagesOf(list, at), requeueBatch) {
			got, err := s.Vault.AccountCards(ctx, who.Grant, string(at), part)
			if err != nil {
				return nil, fmt.Errorf("mailbox: own permissions: %w", err)
			}
			for id, k := range got {
				keys[id] = k
			}
		}
	}
	return openPermissions(list, keys)
}

func messagesOf(list []permission, of tenant.ID) (ids []string) {
	for _, p := range list {
		if p.Tenant == of {
			ids = append(ids, p.Message)
		}
	}
	return ids
}

// TakeBack ends what a person has allowed at one of the tenants: row and keys go
// at once, and whoever writes from it at this moment is told so. What is not
// theirs is NotFound, exactly as what never was.
func (s *Service) TakeBack(ctx context.Context, who account.Citizen, of []tenant.ID, id string) error {
	var p permission
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		list, err := selectPermissionsAt(ctx, tx, who.ID, of)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(list, func(p permission) bool { return p.ID == id })
		if at < 0 {
			return fault.NotFound
		}
		p = list[at]
		return s.endPermission(ctx, tx, p, "citizen", "permission.withdrawn")
	})
	if err == nil {
		err = s.shredPermission(ctx, s.Tokens.Retention, p)
	}
	if err != nil {
		return fmt.Errorf("mailbox: take back permission: %w", err)
	}
	return nil
}

// endPermission deletes the row and enqueues the job that destroys the keys. It
// does not wait: an older copy of the database knows nothing of the job.
func (s *Service) endPermission(ctx context.Context, tx *db.Tx, p permission, actor, action string) error {
	gone, err := deletePermission(ctx, tx, p)
	if err != nil || !gone {
		return err
	}
	if err := s.Jobs.Enqueue(ctx, tx, jobUnpermit, string(p.Tenant)+":"+p.ID); err != nil {
		return err
	}
	return p.record(ctx, tx, actor, action)
}

// shredPermission destroys the keys at once. A vault that is away is no failure:
// without the row nobody gets to them, and the job does it later.
func (s *Service) shredPermission(ctx context.Context, token string, p permission) error {
	err := s.Vault.Shred(ctx, token, string(p.Tenant), p.ID)
	if errors.Is(err, fault.Unavailable) {
		return nil
	}
	return err
}

// runUnpermit destroys the keys of a permission that is no more.
func (s *Service) runUnpermit(ctx context.Context, j jobs.Job) error {
	of, id, _ := strings.Cut(j.Ref, ":")
	if err := s.Vault.Shred(ctx, s.Tokens.Retention, of, id); err != nil && !errors.Is(err, fault.NotFound) {
		return fmt.Errorf("mailbox: end permission %s: %w", id, err)
	}
	return nil
}

// forgetPermissions ends all that an account has allowed, in the transaction in
// which it goes.
func (s *Service) forgetPermissions(ctx context.Context, tx *db.Tx, accountID string) error {
	for {
		list, err := selectPermissionsBy(ctx, tx, accountID, savedBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, p := range list {
			if err := s.endPermission(ctx, tx, p, "citizen", "permission.withdrawn"); err != nil {
				return err
			}
		}
	}
}

// permissionsPage is a page of the staff's list.
type permissionsPage struct {
	Rows  []openPermission
	Older cursor
}

const permissionsSize = 25

// permissions returns a page of those who allowed the person's mailboxes to
// write, or one of them. The vault gives the keys of the names.
func (s *Service) permissions(ctx context.Context, who account.Actor, box tenant.MailboxID, after cursor) (page permissionsPage, err error) {
	boxes := who.Mailboxes
	if box != "" {
		if !slices.Contains(boxes, box) {
			return page, fmt.Errorf("mailbox: permissions of %s: %w", box, fault.NotFound)
		}
		boxes = []tenant.MailboxID{box}
	}
	var list []permission
	err = s.DB.View(ctx, func(tx *db.Tx) error {
		list = nil
		for _, b := range boxes {
			part, err := selectPermissionsFor(ctx, tx, who.Tenant, b, after, permissionsSize+1)
			if err != nil {
				return err
			}
			list = append(list, part...)
		}
		return nil
	})
	if err != nil {
		return page, fmt.Errorf("mailbox: permissions: %w", err)
	}
	slices.SortFunc(list, func(a, b permission) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(b.ID, a.ID))
	})
	if len(list) > permissionsSize {
		list = list[:permissionsSize]
		last := list[permissionsSize-1]
		page.Older = cursor{db.Millis(last.Created), last.ID}
	}
	page.Rows, err = s.staffCards(ctx, who, list)
	return page, err
}

func (s *Service) staffCards(ctx context.Context, who account.Actor, list []permission) ([]openPermission, error) {
	keys, err := s.Vault.CardKeys(ctx, who.Grant, string(who.Tenant), messagesOf(list, who.Tenant))
	if err != nil {
		return nil, fmt.Errorf("mailbox: permissions: %w", paused(err))
	}
	return openPermissions(list, keys)
}

// permitted returns a permission as a clerk may see it. One of another tenant or
// mailbox is NotFound, exactly as one that never was, and so is one whose card
// the vault does not open: it knows who is a member.
func (s *Service) permitted(ctx context.Context, who account.Actor, id string) (openPermission, error) {
	var p permission
	err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
		p, err = permissionFor(ctx, tx, who, id)
		return err
	})
	if err != nil {
		return openPermission{}, fmt.Errorf("mailbox: permission: %w", err)
	}
	list, err := s.staffCards(ctx, who, []permission{p})
	if err != nil {
		return openPermission{}, err
	}
	if list[0].Sealed {
		return openPermission{}, fault.NotFound
	}
	return list[0], nil
}

// permissionFor is mine for a permission.
func permissionFor(ctx context.Context, tx *db.Tx, who account.Actor, id string) (permission, error) {
	p, err := selectPermission(ctx, tx, who.Tenant, id)
	if err == nil && !slices.Contains(who.Mailboxes, p.Mailbox) {
		err = fault.NotFound
	}
	return p, err
}

// dropPermission is the deletion of a permission by the office, for good. The
// vault has said before that the clerk is a member.
func (s *Service) dropPermission(ctx context.Context, who account.Actor, id string) error {
	p, err := s.permitted(ctx, who, id)
	if err != nil {
		return err
	}
	err = s.DB.Update(ctx, func(tx *db.Tx) error {
		return s.endPermission(ctx, tx, p.permission, "staff:"+who.Person, "permission.deleted")
	})
	if err == nil {
		err = s.shredPermission(ctx, who.Grant, p.permission)
	}
	if err != nil {
		return fmt.Errorf("mailbox: delete permission: %w", err)
	}
	return nil
}

// reapplyPermissions ends the permissions that an older copy of the database has
// brought back, and those whose account is gone.
func (s *Service) reapplyPermissions(ctx context.Context, of tenant.ID) error {
	for last := ""; ; {
		var rows []permission
		err := s.DB.View(ctx, func(tx *db.Tx) (err error) {
			rows, err = selectPermissions(ctx, tx, of, last, reapplyBatch)
			return err
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		if _, err := s.settlePermissions(ctx, of, rows); err != nil {
			return err
		}
		last = rows[len(rows)-1].ID
	}
}

// settlePermissions ends those of some permissions of a tenant whose keys or
// account the vault knows to be gone, and returns how many are left.
func (s *Service) settlePermissions(ctx context.Context, of tenant.ID, rows []permission) (kept int, err error) {
	ids := make([]string, len(rows))
	for i, p := range rows {
		ids[i] = p.ID
	}
	states, err := s.Vault.State(ctx, string(of), ids)
	if err != nil {
		return 0, err
	}
	for _, p := range rows {
		st, known := states[p.ID]
		if !known || !st.Gone && slices.Contains(st.Accounts, p.Account) {
			kept++
			continue
		}
		err := s.DB.Update(ctx, func(tx *db.Tx) error {
			return s.endPermission(ctx, tx, p, "job:"+jobReapply, "permission.deleted")
		})
		if err != nil {
			return kept, err
		}
	}
	return kept, nil
}
