package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// Recover writes down the wish for a new password. It costs and answers the same for every address; whether it has an account is
// asked when the mail is due. The slow-down and the limit of mails are those of Register.
func (v *Vault) Recover(ctx context.Context, r Recovery) (request string, err error) {
	if v.closed.Load() {
		return "", gone("recover")
	}
	if err := checkWish(r.Realm, r.Tenant, r.Lang); err != nil {
		return "", fmt.Errorf("vault: recover: %w", err)
	}
	if f, bad := badMail(r.Mail); bad {
		return "", fmt.Errorf("vault: recover: %w", fault.Fields(f))
	}
	if err := v.slowWish(r.Origin); err != nil {
		return "", fmt.Errorf("vault: recover: %w", err)
	}
	row := v.request(requestRecover, r.Realm, r.Tenant, r.Mail, r.Lang)
	return row.id, v.putWish(ctx, "recover", r.Origin, row)
}

// RecoverSet takes the new password and begins the wait of 72 hours, at the end of which RecoverFinish installs it; request is for
// RequestMail and RecoverFinish. One recovery of an account waits at a time: a second one takes its place and begins the wait anew,
// and never ends before the first would have. The link works once. The field of fault.Invalid is "password".
func (v *Vault) RecoverSet(ctx context.Context, realm, link, password string) (ready time.Time, request string, err error) {
	if v.closed.Load() {
		return ready, "", gone("recover set")
	}
	id, err := v.readLink(linkRecover, realm, link)
	if err != nil {
		return ready, "", fmt.Errorf("vault: recover set: %w", err)
	}
	var r requestRow
	var mail []byte
	err = v.view(ctx, "recover set", func(tx *db.Tx) error {
		var err error
		if r, err = openRequest(ctx, tx, realm, id, requestRecover); err == nil {
			mail, err = v.keys.open(r.mail, "request.mail", id)
		}
		return err
	})
	if err != nil {
		return ready, "", err
	}
	phc, err := v.accountPHC(ctx, password, r.tenant, string(mail))
	if err != nil {
		return ready, "", fmt.Errorf("vault: recover set: %w", err)
	}
	wait := v.request(requestWait, realm, r.tenant, "", r.lang)
	wait.secret = v.keys.seal(phc, "request.secret", wait.id)
	err = v.update(ctx, "recover set", func(tx *db.Tx) error {
		if r, err = openRequest(ctx, tx, realm, id, requestRecover); err != nil {
			return err
		}
		if wait, err = v.beginWait(ctx, tx, r, wait); err != nil {
			return err
		}
		return v.auditChange(ctx, tx, realm, "recovery")
	})
	if err != nil {
		return ready, "", err
	}
	return wait.ready, wait.id, nil
}

// beginWait puts a wait in the place of the request and of an earlier wait.
func (v *Vault) beginWait(ctx context.Context, tx *db.Tx, r, wait requestRow) (requestRow, error) {
	row, err := accountByMail(ctx, tx, r.realm, r.mailKey)
	if errors.Is(err, fault.NotFound) {
		return wait, fmt.Errorf("request %s: the account is gone: %w", r.id, fault.Denied)
	}
	if err != nil {
		return wait, err
	}
	wait.account, wait.mailKey, wait.ready = row.id, r.mailKey, tx.Now.Add(waitTime)
	old, err := requestsOf(ctx, tx, row.id)
	if err != nil {
		return wait, err
	}
	for _, o := range old {
		if o.kind == requestWait && o.ready.After(wait.ready) {
			wait.ready = o.ready // a clock that was set back shortens nothing
		}
	}
	if err := endWaits(ctx, tx, row.id); err != nil {
		return wait, err
	}
	if err := deleteRequest(ctx, tx, r.id); err != nil {
		return wait, err
	}
	wait.expires = wait.ready.Add(waitLate)
	return wait, insertRequest(ctx, tx, wait)
}

// RecoverFinish ends a wait, for the services "retention" and "notifier": the new password holds, second factor, passkeys and all sessions go, and so
// do other wishes of the account. done says that it holds, also when it did before. A request that was cancelled, replaced or
// has expired is false without an error; one that is not ready is fault.Conflict.
func (v *Vault) RecoverFinish(ctx context.Context, token, request string) (done bool, err error) {
	if _, err := v.service(token, ServiceRetention, ServiceNotifier); err != nil {
		return false, fmt.Errorf("vault: recover finish: %w", err)
	}
	err = v.update(ctx, "recover finish", func(tx *db.Tx) error {
		done = false
		r, err := selectRequest(ctx, tx, request)
		switch {
		case errors.Is(err, fault.NotFound):
			return nil
		case err != nil:
			return err
		case r.kind == requestRecovered:
			done = true
			return nil
		case r.kind != requestWait:
			return nil
		case tx.Now.Before(r.ready):
			return fmt.Errorf("request %s waits until %v: %w", request, r.ready, fault.Conflict)
		}
		done = true
		return v.recoverNow(ctx, tx, r)
	})
	return done && err == nil, err
}

func (v *Vault) recoverNow(ctx context.Context, tx *db.Tx, r requestRow) error {
	phc, err := v.keys.open(r.secret, "request.secret", r.id)
	if err != nil {
		return err
	}
	if err := updateAccountPassword(ctx, tx, r.account, v.keys.seal(phc, "account.password", r.account)); err != nil {
		return err
	}
	if err := dropTOTP(ctx, tx, r.account); err != nil {
		return err
	}
	if err := dropPasskeys(ctx, tx, accountOwner(r.account)); err != nil {
		return err
	}
	if err := v.endWishes(ctx, tx, r.account); err != nil {
		return err
	}
	if err := turnRequest(ctx, tx, r.id, requestRecovered, nil, tx.Now.Add(noticeTime)); err != nil {
		return err
	}
	tx.AfterCommit(func() { v.grants.endPerson("", r.account, "") })
	return v.auditChange(ctx, tx, r.realm, "recovered")
}

// endWishes ends what somebody may have begun who had the account, or its mailbox, for a while: a waiting recovery, a new address,
// links to recover.
func (v *Vault) endWishes(ctx context.Context, tx *db.Tx, account string) error {
	row, err := accountByID(ctx, tx, account)
	if err != nil {
		return err
	}
	mail, err := v.keys.open(row.mail, "account.mail", account)
	if err != nil {
		return err
	}
	if err := endWaits(ctx, tx, account); err != nil {
		return err
	}
	if err := replaceAddress(ctx, tx, account); err != nil {
		return err
	}
	return deleteRequestsOf(ctx, tx, row.realm, v.mailKey(row.realm, string(mail)))
}

// RecoverCancel ends whatever recovery of the account waits. link is that of any notice about one, the first too when a second has
// begun since. It may be repeated; when the wait is over already it is fault.Conflict.
func (v *Vault) RecoverCancel(ctx context.Context, realm, link string) error {
	if v.closed.Load() {
		return gone("recover cancel")
	}
	id, err := v.readLink(linkCancel, realm, link)
	if err != nil {
		return fmt.Errorf("vault: recover cancel: %w", err)
	}
	return v.update(ctx, "recover cancel", func(tx *db.Tx) error {
		r, err := selectRequest(ctx, tx, id)
		switch {
		case errors.Is(err, fault.NotFound):
			return fmt.Errorf("request %s: %w", id, fault.Denied)
		case err != nil:
			return err
		case r.kind == requestRecovered:
			return fmt.Errorf("request %s: the recovery is done: %w", id, fault.Conflict)
		}
		return v.cancelWaits(ctx, tx, r.realm, r.account)
	})
}

// CancelRecovery is RecoverCancel for the signed-in person. It is idempotent.
func (v *Vault) CancelRecovery(ctx context.Context, token string) error {
	g, err := v.account(token)
	if err != nil {
		return fmt.Errorf("vault: cancel recovery: %w", err)
	}
	return v.update(ctx, "cancel recovery", func(tx *db.Tx) error {
		if err := v.stillThere(ctx, tx, g); err != nil {
			return err
		}
		return v.cancelWaits(ctx, tx, g.realm, g.person)
	})
}

func (v *Vault) cancelWaits(ctx context.Context, tx *db.Tx, realm, account string) error {
	if err := endWaits(ctx, tx, account); err != nil {
		return err
	}
	return v.auditChange(ctx, tx, realm, "cancelled")
}

// RequestMail says which mail a request is due now, for the service "notifier". to is "old" or "new" when an address was changed, and
// does not matter otherwise. Nothing is to be sent (To is "") when the request was used or has expired, when an address without an
// account is to be recovered, and when the address had its mails of the day. It changes nothing, so that a job may repeat it; who
// asks is audited.
func (v *Vault) RequestMail(ctx context.Context, token, request, to string) (Outgoing, error) {
	g, err := v.service(token, ServiceNotifier)
	if err != nil {
		return Outgoing{}, fmt.Errorf("vault: mail of request %s: %w", request, err)
	}
	var out Outgoing
	err = v.update(ctx, "request mail", func(tx *db.Tx) error {
		out = Outgoing{}
		r, err := selectRequest(ctx, tx, request)
		if errors.Is(err, fault.NotFound) || err == nil && r.quiet {
			return nil
		}
		if err != nil {
			return err
		}
		if out, err = v.outgoing(ctx, tx, r, to); err != nil || out.To == "" {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: r.tenant, person: g.actor(), action: actionAccountMail, purpose: out.Kind, items: 1})
	})
	return out, err
}

func (v *Vault) outgoing(ctx context.Context, tx *db.Tx, r requestRow, to string) (Outgoing, error) {
	out := Outgoing{Tenant: r.tenant, Lang: r.lang}
	row, err := v.accountNamed(ctx, tx, r)
	known := err == nil
	if err != nil && !errors.Is(err, fault.NotFound) {
		return Outgoing{}, err
	}
	sealed, ad := r.mail, []string{"request.mail", r.id}
	switch {
	case (r.kind == requestRegister || r.kind == requestAddress) && known && row.id != r.account:
		out.Kind = MailKnown
	case r.kind == requestRegister:
		out.Kind, out.Token = MailRegister, v.link(linkConfirm, r.realm, r.id)
	case r.kind == requestAddress:
		out.Kind, out.Token = MailAddress, v.link(linkAddress, r.realm, r.id)
	case r.kind == requestChanged && to == "old":
		out.Kind, sealed, ad = MailAddressDone, r.secret, []string{"request.secret", r.id}
	case r.kind == requestChanged && to == "new":
		out.Kind = MailAddressDone
	case r.kind == requestRecover && known:
		out.Kind, out.Token, out.Lang = MailRecover, v.link(linkRecover, r.realm, r.id), row.lang
	case r.kind == requestWait && known:
		out.Kind, out.Token, out.Ready = MailWaiting, v.link(linkCancel, r.realm, r.id), r.ready
		sealed, ad, out.Lang = row.mail, []string{"account.mail", row.id}, row.lang
	case r.kind == requestRecovered && known:
		out.Kind, sealed, ad, out.Lang = MailRecovered, row.mail, []string{"account.mail", row.id}, row.lang
	default:
		return Outgoing{}, nil
	}
	mail, err := v.keys.open(sealed, ad...)
	out.To = string(mail)
	return out, err
}

// accountNamed finds the account that a request is about: its own, or the one that has its address now.
func (v *Vault) accountNamed(ctx context.Context, tx *db.Tx, r requestRow) (accountRow, error) {
	if r.kind == requestWait || r.kind == requestRecovered {
		return accountByID(ctx, tx, r.account)
	}
	return accountByMail(ctx, tx, r.realm, r.mailKey)
}
