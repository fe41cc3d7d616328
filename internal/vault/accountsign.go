package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// newAccountGrant is the grant of a citizen who has proved who they are.
func newAccountGrant(r accountRow, label string, since uint64) grant {
	return grant{realm: r.realm, person: r.id, label: label, since: since}
}

// beginSession issues a grant and describes it.
func (v *Vault) beginSession(ctx context.Context, g grant) (Grant, error) {
	token := v.grants.issue(g)
	live, ok := v.grants.use(token)
	if !ok {
		return Grant{}, fault.Denied
	}
	return v.describe(ctx, token, live)
}

// SignInAccount checks address and password of a citizen. Wrong parts are fault.Denied and cost the same as an unknown address: one
// look-up, one argon2. The slow-down is that of SignIn. With a second factor the grant NeedsCode.
func (v *Vault) SignInAccount(ctx context.Context, p AccountProof) (Grant, error) {
	if v.closed.Load() {
		return Grant{}, gone("sign in account")
	}
	since := v.grants.mark()
	key := v.mailKey(p.Realm, p.Mail)
	undo, ok := v.slowSignIn("realm "+p.Realm, key, p.Origin)
	if !ok {
		return Grant{}, fmt.Errorf("vault: sign in account: slowed down: %w", fault.TooMany)
	}
	row, err := v.verifyAccount(ctx, p, key)
	if !errors.Is(err, fault.Denied) {
		undo()
	}
	if err != nil {
		return Grant{}, fmt.Errorf("vault: sign in account: %w", err)
	}
	v.slow.succeeded(key, p.Origin)
	g := newAccountGrant(row, p.Label, since)
	if row.secondFactor {
		g.needsCode = true // guesses of it have a count of their own
		return v.beginSession(ctx, g)
	}
	if err := v.auditSignIn(ctx, row); err != nil {
		return Grant{}, fmt.Errorf("vault: sign in account: %w", err)
	}
	return v.beginSession(ctx, g)
}

func (v *Vault) auditSignIn(ctx context.Context, row accountRow) error {
	return v.update(ctx, "sign in account", func(tx *db.Tx) error {
		return v.audit(ctx, tx, entry{person: auditAccount, action: actionAccountIn, purpose: row.realm, items: 1})
	})
}

// verifyAccount does the same for known and unknown addresses. An account without a password is as good as none.
func (v *Vault) verifyAccount(ctx context.Context, p AccountProof, key []byte) (row accountRow, err error) {
	known := true
	err = v.view(ctx, "look up", func(tx *db.Tx) error {
		var err error
		row, err = accountByMail(ctx, tx, p.Realm, key)
		return err
	})
	switch {
	case errors.Is(err, fault.NotFound):
		known = false
	case err != nil:
		return row, err
	}
	right, err := v.accountPassword(ctx, row, p.Password, p.Origin)
	if err != nil {
		return row, err
	}
	if !known || !right {
		return row, fault.Denied
	}
	return row, nil
}

// accountPassword spends one argon2 in any case; the zero row matches no password.
func (v *Vault) accountPassword(ctx context.Context, row accountRow, password, origin string) (bool, error) {
	phc := v.dummy
	if len(row.password) > 0 {
		var err error
		if phc, err = v.keys.open(row.password, "account.password", row.id); err != nil {
			return false, err
		}
	}
	right, err := v.checkPassword(ctx, phc, password, origin)
	return right && len(row.password) > 0, err
}

// FinishSignIn takes the code of the second factor. A wrong one, one used before and one that comes too soon after wrong ones are
// fault.Invalid with the field "code", all alike: the slow-down is per account, whatever the network, and does not tell that the code
// was right. After five of them, and after five minutes, it is fault.Denied and the password is due again.
func (v *Vault) FinishSignIn(ctx context.Context, token, otp string) (Grant, error) {
	if v.closed.Load() {
		return Grant{}, gone("finish sign-in")
	}
	since := v.grants.mark()
	g, ok := v.grants.use(token)
	if !ok || !g.needsCode || !g.citizen() {
		return Grant{}, fmt.Errorf("vault: finish sign-in: %w", fault.Denied)
	}
	row, err := v.takeCode(ctx, g.person, otp, func(tx *db.Tx, row accountRow) error {
		return v.audit(ctx, tx, entry{person: auditAccount, action: actionAccountIn, purpose: row.realm, items: 1})
	})
	if err != nil {
		if errors.Is(err, fault.Denied) && v.grants.wrongCode(token) {
			err = fault.Fields(fault.Field{Name: "code", Key: "vault.account.code"})
		}
		return Grant{}, fmt.Errorf("vault: finish sign-in: %w", err)
	}
	v.grants.end(token)
	v.slow.forget(slowKey("otp", []byte(g.person), ""))
	return v.beginSession(ctx, newAccountGrant(row, g.label, since))
}

// takeCode checks a code of the account's second factor, marks it as used and runs then in the same transaction; fault.Denied when
// it is not good. The attempt is counted before it is made and taken back when the code was good.
func (v *Vault) takeCode(ctx context.Context, account, otp string, then func(*db.Tx, accountRow) error) (row accountRow, err error) {
	undo, ok := v.slow.attempt(slowKey("otp", []byte(account), ""), slowLogin)
	if !ok {
		return row, fmt.Errorf("account %s: %w", account, fault.Denied)
	}
	err = v.update(ctx, "code", func(tx *db.Tx) error {
		var err error
		row, err = accountByID(ctx, tx, account)
		if errors.Is(err, fault.NotFound) || err == nil && !row.secondFactor {
			err = fmt.Errorf("account %s: no second factor: %w", account, fault.Denied)
		}
		if err != nil {
			return err
		}
		seed, err := v.keys.open(row.totp, "account.totp", account)
		if err != nil {
			return err
		}
		step, right := checkTOTP(seed, otp, tx.Now, row.totpStep)
		if !right {
			return fmt.Errorf("account %s: code: %w", account, fault.Denied)
		}
		n, err := useAccountTOTP(ctx, tx, account, step)
		if err == nil && n == 0 {
			err = fmt.Errorf("code of account %s used before: %w", account, fault.Denied)
		}
		if err != nil {
			return err
		}
		return then(tx, row)
	})
	if !errors.Is(err, fault.Denied) {
		undo()
	}
	return row, err
}

// proveAccount checks password and, if the account has one, second factor of a signed-in citizen: one argon2, and the code is used up.
// A wrong part is fault.Denied.
func (v *Vault) proveAccount(ctx context.Context, g *grant, password, otp, origin string) error {
	var row accountRow
	err := v.view(ctx, "prove", func(tx *db.Tx) (err error) {
		row, err = v.accountOf(ctx, tx, g)
		return err
	})
	if err != nil {
		return err
	}
	right, err := v.accountPassword(ctx, row, password, origin)
	if err != nil {
		return err
	}
	if !right {
		return fmt.Errorf("account %s: %w", g.person, fault.Denied)
	}
	proved := func(tx *db.Tx, row accountRow) error {
		return v.audit(ctx, tx, entry{person: auditAccount, action: actionProve, purpose: row.realm, items: 1})
	}
	if !row.secondFactor {
		return v.update(ctx, "prove", func(tx *db.Tx) error { return proved(tx, row) })
	}
	_, err = v.takeCode(ctx, g.person, otp, proved)
	return err
}

// Account tells the person about their account.
func (v *Vault) Account(ctx context.Context, token string) (AccountInfo, error) {
	g, err := v.account(token)
	if err != nil {
		return AccountInfo{}, fmt.Errorf("vault: account: %w", err)
	}
	var out AccountInfo
	err = v.view(ctx, "account", func(tx *db.Tx) error {
		row, err := v.accountOf(ctx, tx, g)
		if err != nil {
			return err
		}
		mail, err := v.keys.open(row.mail, "account.mail", row.id)
		if err != nil {
			return err
		}
		out = AccountInfo{ID: row.id, Realm: row.realm, Mail: string(mail), Lang: row.lang, Created: row.created,
			Password: len(row.password) > 0, SecondFactor: row.secondFactor}
		return v.pending(ctx, tx, row.id, &out)
	})
	return out, err
}

// pending adds what waits: a recovery, a new address.
func (v *Vault) pending(ctx context.Context, tx *db.Tx, account string, out *AccountInfo) error {
	rows, err := requestsOf(ctx, tx, account)
	if err != nil {
		return err
	}
	for _, r := range rows {
		switch {
		case r.kind == requestWait:
			out.RecoveryReady = r.ready
		case r.kind == requestAddress && tx.Now.Before(r.expires):
			mail, err := v.keys.open(r.mail, "request.mail", r.id)
			if err != nil {
				return err
			}
			out.PendingMail = string(mail)
		}
	}
	return nil
}

// SetAccountPassword replaces the password, or sets the first one, and ends the other sessions. A recovery that waits and a new
// address that is not confirmed yet end too: whoever began them may have known the old password only. It demands a fresh proof. tenant
// is the one on whose host the person is: its name is no password.
func (v *Vault) SetAccountPassword(ctx context.Context, token, tenant, password string) error {
	g, err := v.provedAccount(token)
	if err != nil {
		return fmt.Errorf("vault: set account password: %w", err)
	}
	info, err := v.Account(ctx, token)
	if err != nil {
		return err
	}
	phc, err := v.accountPHC(ctx, password, tenant, info.Mail)
	if err != nil {
		return fmt.Errorf("vault: set account password: %w", err)
	}
	return v.update(ctx, "set account password", func(tx *db.Tx) error {
		if err := updateAccountPassword(ctx, tx, g.person, v.keys.seal(phc, "account.password", g.person)); err != nil {
			return err
		}
		if err := v.endWishes(ctx, tx, g.person); err != nil {
			return err
		}
		tx.AfterCommit(func() { v.grants.endPerson("", g.person, token) })
		return v.auditChange(ctx, tx, g.realm, "password")
	})
}

func (v *Vault) auditChange(ctx context.Context, tx *db.Tx, realm, what string) error {
	return v.audit(ctx, tx, entry{person: auditAccount, action: actionAccountChange, object: realm, purpose: what, items: 1})
}

// accountPHC checks a new password of a citizen and hashes it. The field is "password".
func (v *Vault) accountPHC(ctx context.Context, password, tenant, mail string) ([]byte, error) {
	if f, bad := badPassword(password, tenant, mail); bad {
		return nil, fault.Fields(f)
	}
	return v.newPassword(ctx, password, "")
}

// OfferSecondFactor draws a seed. It is in force once TakeSecondFactor has seen a code of it; until then nothing changes. It demands a
// fresh proof.
func (v *Vault) OfferSecondFactor(ctx context.Context, token string) (Enrolment, error) {
	g, err := v.provedAccount(token)
	if err != nil {
		return Enrolment{}, fmt.Errorf("vault: offer second factor: %w", err)
	}
	info, err := v.Account(ctx, token)
	if err != nil {
		return Enrolment{}, err
	}
	seed := make([]byte, totpSeed)
	rand.Read(seed)
	err = v.update(ctx, "offer second factor", func(tx *db.Tx) error {
		return offerTOTP(ctx, tx, g.person, v.keys.seal(seed, "account.totp", g.person))
	})
	if err != nil {
		return Enrolment{}, err
	}
	e := Enrolment{Person: g.person}
	e.TOTPSecret, e.TOTPURL = totpURL(info.Mail, seed)
	return e, nil
}

// TakeSecondFactor puts the offered seed in force when otp is a code of it; the other sessions end. A wrong code is fault.Invalid with
// the field "code", and no offer is fault.Conflict. The code cannot be used again to sign in.
func (v *Vault) TakeSecondFactor(ctx context.Context, token, otp string) error {
	g, err := v.account(token)
	if err != nil {
		return fmt.Errorf("vault: take second factor: %w", err)
	}
	undo, ok := v.slow.attempt(slowKey("otp", []byte(g.person), "new"), slowLogin)
	if !ok {
		return fmt.Errorf("vault: take second factor: %w", fault.TooMany)
	}
	return v.update(ctx, "take second factor", func(tx *db.Tx) error {
		row, err := v.accountOf(ctx, tx, g)
		if err == nil && len(row.totpNext) == 0 {
			err = fmt.Errorf("nothing offered: %w", fault.Conflict)
		}
		if err != nil {
			return err
		}
		seed, err := v.keys.open(row.totpNext, "account.totp", g.person)
		if err != nil {
			return err
		}
		step, right := checkTOTP(seed, otp, tx.Now, 0)
		if !right {
			return fault.Fields(fault.Field{Name: "code", Key: "vault.account.code"})
		}
		if err := takeTOTP(ctx, tx, g.person, row.totpNext, step); err != nil {
			return err
		}
		tx.AfterCommit(func() { undo(); v.grants.endPerson("", g.person, token) })
		return v.auditChange(ctx, tx, g.realm, "factor")
	})
}

// DropSecondFactor takes the second factor away; the other sessions end. It demands a fresh proof and is idempotent.
func (v *Vault) DropSecondFactor(ctx context.Context, token string) error {
	g, err := v.provedAccount(token)
	if err != nil {
		return fmt.Errorf("vault: drop second factor: %w", err)
	}
	return v.update(ctx, "drop second factor", func(tx *db.Tx) error {
		if err := dropTOTP(ctx, tx, g.person); err != nil {
			return err
		}
		tx.AfterCommit(func() { v.grants.endPerson("", g.person, token) })
		return v.auditChange(ctx, tx, g.realm, "nofactor")
	})
}

// SetLang sets the language of the mails to the account.
func (v *Vault) SetLang(ctx context.Context, token, lang string) error {
	g, err := v.account(token)
	if err == nil && !validLang(lang) {
		err = fault.Invalid
	}
	if err != nil {
		return fmt.Errorf("vault: set language: %w", err)
	}
	return v.update(ctx, "set language", func(tx *db.Tx) error { return updateLang(ctx, tx, g.person, lang) })
}

// DeleteAccount removes the account at once: its key with the wraps of all threads and drafts, verifiers, passkeys, requests and
// address; its sessions end. Authorities keep their side of each thread. It demands a fresh proof.
func (v *Vault) DeleteAccount(ctx context.Context, token string) error {
	g, err := v.provedAccount(token)
	if err != nil {
		return fmt.Errorf("vault: delete account: %w", err)
	}
	return v.forgetAccount(ctx, g.person)
}

// ForgetAccount is DeleteAccount for the service "retention": the job that finishes a deletion, and an erasure that an authority
// decided. An account that does not exist is fine.
func (v *Vault) ForgetAccount(ctx context.Context, token, account string) error {
	if _, err := v.service(token, ServiceRetention); err != nil {
		return fmt.Errorf("vault: forget account %s: %w", account, err)
	}
	return v.forgetAccount(ctx, account)
}

func (v *Vault) forgetAccount(ctx context.Context, account string) error {
	return v.update(ctx, "delete account", func(tx *db.Tx) error {
		tx.AfterCommit(func() { v.grants.endPerson("", account, "") })
		row, err := accountByID(ctx, tx, account)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		mail, err := v.keys.open(row.mail, "account.mail", account)
		if err != nil {
			return err
		}
		if err := dropPasskeys(ctx, tx, accountOwner(account)); err != nil {
			return err
		}
		if err := deleteAccount(ctx, tx, row, v.mailKey(row.realm, string(mail))); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{person: auditAccount, action: actionAccountDelete, purpose: row.realm, items: 1})
	})
}

// GoneAccounts returns those of at most 200 accounts that do not exist any more, in the order asked, for the services "retention" and
// "notifier": so that others can drop what they still keep of them. Nothing is opened, so nothing is audited.
func (v *Vault) GoneAccounts(ctx context.Context, token string, accounts []string) ([]string, error) {
	if _, err := v.service(token, ServiceRetention, ServiceNotifier); err != nil {
		return nil, fmt.Errorf("vault: gone accounts: %w", err)
	}
	if len(accounts) > maxBatch {
		return nil, fmt.Errorf("vault: gone accounts: %d accounts: %w", len(accounts), fault.TooLarge)
	}
	var gone []string
	err := v.view(ctx, "gone accounts", func(tx *db.Tx) error {
		there, err := selectAccountKeys(ctx, tx, accounts)
		gone = nil
		for _, id := range accounts {
			if _, ok := there[id]; err == nil && !ok {
				gone = append(gone, id)
			}
		}
		return err
	})
	return gone, err
}

// AccountMail returns where mails to at most 200 accounts go, for the service "notifier". Accounts that do not exist are left out.
func (v *Vault) AccountMail(ctx context.Context, token string, accounts []string) (map[string]Address, error) {
	g, err := v.service(token, ServiceNotifier)
	if err != nil {
		return nil, fmt.Errorf("vault: account mail: %w", err)
	}
	if len(accounts) > maxBatch {
		return nil, fmt.Errorf("vault: account mail: %d accounts: %w", len(accounts), fault.TooLarge)
	}
	out := map[string]Address{}
	if len(accounts) == 0 {
		return out, nil
	}
	var rows []accountRow
	err = v.update(ctx, "account mail", func(tx *db.Tx) error {
		var err error
		if rows, err = listAccounts(ctx, tx, accounts); err != nil || len(rows) == 0 {
			return err
		}
		return v.audit(ctx, tx, entry{person: g.actor(), action: actionAccountMail, items: len(rows), purpose: "notify"})
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		mail, err := v.keys.open(r.mail, "account.mail", r.id)
		if err != nil {
			return nil, err
		}
		out[r.id] = Address{Mail: string(mail), Lang: r.lang, Realm: r.realm}
	}
	return out, nil
}
