package vault

import (
	"context"
	"time"

	"poststelle/internal/db"
)

// requestRow is a wish of somebody who is not, or not wholly, proved yet.
type requestRow struct {
	id, realm, tenant, kind, account, lang string
	mailKey, mail, secret                  []byte // keyed hash, sealed, sealed
	quiet                                  bool   // no mail: the address has had enough of them today
	expires, ready                         time.Time
}

const selectRequests = `
	select id, realm, tenant, kind, account, lang, mail_key, mail_sealed, secret_sealed, quiet, expires_at, ready_at
	from vault_requests`

func scanRequest(s db.Scanner) (r requestRow, err error) {
	var expires, ready int64
	err = s.Scan(&r.id, &r.realm, &r.tenant, &r.kind, &r.account, &r.lang, &r.mailKey, &r.mail, &r.secret, &r.quiet, &expires, &ready)
	r.expires, r.ready = db.Time(expires), db.Time(ready)
	return r, err
}

// selectRequest is fault.NotFound when there is none, or none any more.
func selectRequest(ctx context.Context, tx *db.Tx, id string) (requestRow, error) {
	return scanRequest(tx.QueryRow(ctx, selectRequests+`
		where id = $1 and expires_at > $2`, id, db.Millis(tx.Now)))
}

func requestsOf(ctx context.Context, tx *db.Tx, account string) ([]requestRow, error) {
	return db.Collect(ctx, tx, scanRequest, selectRequests+`
		where account = $1 and expires_at > $2
		order by id
		limit 1000`, account, db.Millis(tx.Now))
}

func insertRequest(ctx context.Context, tx *db.Tx, r requestRow) error {
	_, err := tx.Exec(ctx, `
		insert into vault_requests (id, realm, tenant, kind, account, mail_key, mail_sealed, secret_sealed, quiet, lang,
			created_at, expires_at, ready_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		r.id, r.realm, r.tenant, r.kind, r.account, r.mailKey, blob(r.mail), blob(r.secret), r.quiet, r.lang,
		db.Millis(tx.Now), db.Millis(r.expires), db.Millis(r.ready))
	return err
}

// blob keeps nil from becoming null.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// countMails counts the requests of a kind since a time for which an address gets a mail.
func countMails(ctx context.Context, tx *db.Tx, kind, realm string, mailKey []byte, since time.Time) (n int, err error) {
	err = tx.QueryRow(ctx, `
		select count(*) from vault_requests
		where realm = $1 and mail_key = $2 and created_at > $3 and not quiet
		and (kind = $4 or kind = 'replaced' and $4 = 'address')`,
		realm, mailKey, db.Millis(since), kind).Scan(&n)
	return n, err
}

// countAddresses counts the new addresses of an account since a time, those that were given up too.
func countAddresses(ctx context.Context, tx *db.Tx, account string, since time.Time) (n int, err error) {
	err = tx.QueryRow(ctx, `
		select count(*) from vault_requests
		where account = $1 and created_at > $2 and kind in ('address', 'replaced', 'changed')`, account, db.Millis(since)).Scan(&n)
	return n, err
}

// replaceAddress gives up the new address of an account that is not confirmed yet. What stays is that there was one, until its day is over.
func replaceAddress(ctx context.Context, tx *db.Tx, account string) error {
	_, err := tx.Exec(ctx, `
		update vault_requests set kind = $2, mail_sealed = $3
		where account = $1 and kind = $4`, account, requestReplaced, []byte{}, requestAddress)
	return err
}

// turnRequest makes a request into what is left of it.
func turnRequest(ctx context.Context, tx *db.Tx, id, kind string, secret []byte, expires time.Time) error {
	_, err := tx.Exec(ctx, `
		update vault_requests set kind = $2, secret_sealed = $3, expires_at = $4
		where id = $1`, id, kind, blob(secret), db.Millis(expires))
	return err
}

// endWaits makes every waiting recovery of an account one that has ended. Its links still know what they belong to.
func endWaits(ctx context.Context, tx *db.Tx, account string) error {
	_, err := tx.Exec(ctx, `
		update vault_requests set kind = $2, secret_sealed = $3
		where account = $1 and kind = $4`, account, requestEnded, []byte{}, requestWait)
	return err
}

func deleteRequest(ctx context.Context, tx *db.Tx, id string) error {
	_, err := tx.Exec(ctx, `delete from vault_requests where id = $1`, id)
	return err
}

// deleteRequestsAs removes the requests of an account of one kind.
func deleteRequestsAs(ctx context.Context, tx *db.Tx, account, kind string) error {
	_, err := tx.Exec(ctx, `delete from vault_requests where account = $1 and kind = $2`, account, kind)
	return err
}

// deleteRequestsOf removes what anybody asked for with an address.
func deleteRequestsOf(ctx context.Context, tx *db.Tx, realm string, mailKey []byte) error {
	_, err := tx.Exec(ctx, `
		delete from vault_requests
		where realm = $1 and mail_key = $2 and account = ''`, realm, mailKey)
	return err
}

func deleteExpiredRequests(ctx context.Context, tx *db.Tx) error {
	_, err := tx.Exec(ctx, `delete from vault_requests where expires_at <= $1`, db.Millis(tx.Now))
	return err
}
