package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

type accountRow struct {
	id, realm, lang                         string
	mail, wrapped, password, totp, totpNext []byte // sealed
	secondFactor                            bool
	totpStep                                int64
	created                                 time.Time
}

const selectAccounts = `
	select id, realm, lang, mail_sealed, key_wrapped, password_sealed, totp_sealed, totp_next_sealed, second_factor, totp_step, created_at
	from vault_accounts`

func scanAccount(s db.Scanner) (r accountRow, err error) {
	var at int64
	err = s.Scan(&r.id, &r.realm, &r.lang, &r.mail, &r.wrapped, &r.password, &r.totp, &r.totpNext, &r.secondFactor, &r.totpStep, &at)
	r.created = db.Time(at)
	return r, err
}

// accountByMail is fault.NotFound when no account of the realm has the address.
func accountByMail(ctx context.Context, tx *db.Tx, realm string, mailKey []byte) (accountRow, error) {
	return scanAccount(tx.QueryRow(ctx, selectAccounts+`
		where realm = $1 and mail_key = $2`, realm, mailKey))
}

func accountByID(ctx context.Context, tx *db.Tx, account string) (accountRow, error) {
	return scanAccount(tx.QueryRow(ctx, selectAccounts+`
		where id = $1`, account))
}

func listAccounts(ctx context.Context, tx *db.Tx, accounts []string) ([]accountRow, error) {
	return db.Collect(ctx, tx, scanAccount, selectAccounts+`
		where id in (`+db.In(1, len(accounts))+`)
		order by id
		limit 1000`, args(nil, accounts)...)
}

// selectAccountKeys reads those of the accounts that are there, by their ids.
func selectAccountKeys(ctx context.Context, tx *db.Tx, accounts []string) (map[string]accountRow, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	rows, err := listAccounts(ctx, tx, accounts)
	if err != nil {
		return nil, err
	}
	out := make(map[string]accountRow, len(rows))
	for _, r := range rows {
		out[r.id] = r
	}
	return out, nil
}

func insertAccount(ctx context.Context, tx *db.Tx, mailKey []byte, r accountRow) error {
	_, err := tx.Exec(ctx, `
		insert into vault_accounts (id, realm, mail_key, mail_sealed, key_wrapped, password_sealed, second_factor,
			totp_sealed, totp_next_sealed, totp_step, lang, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0, $9, $10)`,
		r.id, r.realm, mailKey, r.mail, r.wrapped, r.password, false, []byte{}, r.lang, db.Millis(tx.Now))
	return err
}

// updateMail is fault.Conflict when another account of the realm has the address.
func updateMail(ctx context.Context, tx *db.Tx, account string, mailKey, sealed []byte) error {
	n, err := tx.Exec(ctx, `update vault_accounts set mail_key = $2, mail_sealed = $3 where id = $1`, account, mailKey, sealed)
	return foundAccount(n, err, account)
}

func updateAccountPassword(ctx context.Context, tx *db.Tx, account string, sealed []byte) error {
	n, err := tx.Exec(ctx, `update vault_accounts set password_sealed = $2 where id = $1`, account, sealed)
	return foundAccount(n, err, account)
}

func updateLang(ctx context.Context, tx *db.Tx, account, lang string) error {
	n, err := tx.Exec(ctx, `update vault_accounts set lang = $2 where id = $1`, account, lang)
	return foundAccount(n, err, account)
}

// offerTOTP keeps a seed that is not in force yet.
func offerTOTP(ctx context.Context, tx *db.Tx, account string, sealed []byte) error {
	n, err := tx.Exec(ctx, `update vault_accounts set totp_next_sealed = $2 where id = $1`, account, sealed)
	return foundAccount(n, err, account)
}

// takeTOTP puts a seed in force. The step of the code that proved it counts as used.
func takeTOTP(ctx context.Context, tx *db.Tx, account string, sealed []byte, step int64) error {
	n, err := tx.Exec(ctx, `
		update vault_accounts set second_factor = $2, totp_sealed = $3, totp_next_sealed = $4, totp_step = $5
		where id = $1`, account, true, sealed, []byte{}, step)
	return foundAccount(n, err, account)
}

func dropTOTP(ctx context.Context, tx *db.Tx, account string) error {
	n, err := tx.Exec(ctx, `
		update vault_accounts set second_factor = $2, totp_sealed = $3, totp_next_sealed = $3, totp_step = 0
		where id = $1`, account, false, []byte{})
	return foundAccount(n, err, account)
}

// useAccountTOTP marks a step as used; 0 rows when it, or a later one, was used before.
func useAccountTOTP(ctx context.Context, tx *db.Tx, account string, step int64) (int64, error) {
	return tx.Exec(ctx, `
		update vault_accounts set totp_step = $2
		where id = $1 and totp_step < $2 and second_factor`, account, step)
}

func foundAccount(n int64, err error, account string) error {
	if err == nil && n == 0 {
		return fmt.Errorf("account %s: %w", account, fault.Denied)
	}
	return err
}

// deleteAccount removes an account with all that opens its threads and drafts.
func deleteAccount(ctx context.Context, tx *db.Tx, r accountRow, mailKey []byte) error {
	for _, q := range []string{
		`delete from vault_account_threads where account = $1`,
		`delete from vault_drafts where account = $1`,
		`delete from vault_requests where account = $1`,
		`delete from vault_accounts where id = $1`,
	} {
		if _, err := tx.Exec(ctx, q, r.id); err != nil {
			return err
		}
	}
	return deleteRequestsOf(ctx, tx, r.realm, mailKey)
}

// Threads of an account.

func putHolding(ctx context.Context, tx *db.Tx, account, tenant, thread string, wrapped []byte) error {
	_, err := tx.Exec(ctx, `
		insert into vault_account_threads (account, tenant, thread, key_wrapped, created_at)
		values ($1, $2, $3, $4, $5)
		on conflict (account, tenant, thread) do nothing`, account, tenant, thread, wrapped, db.Millis(tx.Now))
	return err
}

func deleteHolding(ctx context.Context, tx *db.Tx, account, tenant, thread string) (int64, error) {
	return tx.Exec(ctx, `
		delete from vault_account_threads
		where account = $1 and tenant = $2 and thread = $3`, account, tenant, thread)
}

func holds(ctx context.Context, tx *db.Tx, account, tenant, thread string) (bool, error) {
	var at int64
	err := tx.QueryRow(ctx, `
		select created_at from vault_account_threads
		where account = $1 and tenant = $2 and thread = $3`, account, tenant, thread).Scan(&at)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// selectHolders lists the accounts that hold a thread. More than one is rare: a code that was passed on.
func selectHolders(ctx context.Context, tx *db.Tx, tenant, thread string) ([]accountRow, error) {
	ids, err := db.Collect(ctx, tx, scanText, `
		select account from vault_account_threads
		where tenant = $1 and thread = $2
		order by account
		limit 1000`, tenant, thread)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return listAccounts(ctx, tx, ids)
}

// heldRow is one message with the three wraps above it on the side of an account.
type heldRow struct {
	message, thread string
	k, t, a         []byte
}

const selectHeld = `
	select k.id, k.thread, k.key_wrapped, h.key_wrapped, a.key_wrapped
	from vault_messages k
	join vault_account_threads h on h.tenant = k.tenant and h.thread = k.thread
	join vault_accounts a on a.id = h.account`

func scanHeld(s db.Scanner) (r heldRow, err error) {
	return r, s.Scan(&r.message, &r.thread, &r.k, &r.t, &r.a)
}

func selectHeldKeys(ctx context.Context, tx *db.Tx, account, tenant string, messages []string) ([]heldRow, error) {
	return db.Collect(ctx, tx, scanHeld, selectHeld+`
		where h.account = $1 and k.tenant = $2 and k.id in (`+db.In(3, len(messages))+`)
		order by k.id
		limit 200`, args([]any{account, tenant}, messages)...)
}

func selectHeldThread(ctx context.Context, tx *db.Tx, account, tenant, thread string, messages []string) ([]heldRow, error) {
	return db.Collect(ctx, tx, scanHeld, selectHeld+`
		where h.account = $1 and k.tenant = $2 and k.thread = $3 and k.id in (`+db.In(4, len(messages))+`)
		order by k.id
		limit 200`, args([]any{account, tenant, thread}, messages)...)
}

// Drafts.

func selectDraft(ctx context.Context, tx *db.Tx, account, draft string) (wrapped []byte, err error) {
	err = tx.QueryRow(ctx, `select key_wrapped from vault_drafts where account = $1 and id = $2`, account, draft).Scan(&wrapped)
	return wrapped, err
}

func countDrafts(ctx context.Context, tx *db.Tx, account string) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*) from vault_drafts where account = $1`, account).Scan(&n)
	return n, err
}

func insertDraft(ctx context.Context, tx *db.Tx, account, draft string, wrapped []byte) error {
	_, err := tx.Exec(ctx, `
		insert into vault_drafts (account, id, key_wrapped, created_at)
		values ($1, $2, $3, $4)`, account, draft, wrapped, db.Millis(tx.Now))
	return err
}

func deleteDrafts(ctx context.Context, tx *db.Tx, account string, drafts []string) error {
	_, err := tx.Exec(ctx, `
		delete from vault_drafts
		where account = $1 and id in (`+db.In(2, len(drafts))+`)`, args([]any{account}, drafts)...)
	return err
}

func deleteAnyDrafts(ctx context.Context, tx *db.Tx, drafts []string) error {
	_, err := tx.Exec(ctx, `
		delete from vault_drafts
		where id in (`+db.In(1, len(drafts))+`)`, args(nil, drafts)...)
	return err
}

// memberOf is fault.NotFound when the mailbox does not exist or the person is no member of it, by the same rule as memberThread.
func memberOf(ctx context.Context, tx *db.Tx, tenant, person, mailbox string) error {
	var got string
	return tx.QueryRow(ctx, `
		select t.mailbox
		from (select tenant, id as mailbox from vault_mailboxes) t
		where t.tenant = $1 and t.mailbox = $4 and`+ofMember, tenant, person, db.Millis(tx.Now), mailbox).Scan(&got)
}
