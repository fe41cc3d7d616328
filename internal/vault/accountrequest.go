package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

// A request is a wish of somebody who has not proved everything yet: a row that expires. What it waits for is the secret part of a
// link, "<id>.<mac>", a MAC over purpose, realm and id; nothing that opens it is stored, and sending the mail again sends the same
// link. A request holds no word of whether its address has an account: that is asked when a mail is due or the link is used.
const (
	requestRegister  = "register"
	requestRecover   = "recover"
	requestWait      = "wait"      // a new password that takes effect when the wait is over
	requestEnded     = "ended"     // a wait that was cancelled or begun anew
	requestRecovered = "recovered" // a wait that is over, kept for its notice
	requestAddress   = "address"
	requestReplaced  = "replaced" // a new address that was given up, kept for its day to be counted
	requestChanged   = "changed"  // a new address that was confirmed, kept for its notices

	requestTime = 24 * time.Hour
	noticeTime  = 72 * time.Hour // how long a request is kept for its notice
	waitTime    = 72 * time.Hour
	waitLate    = 7 * 24 * time.Hour // how late the job may come that ends a wait

	// maxMails is how many mails of one kind a day one network, or one account, can cause to one address: of each kind, so that who
	// registers with the address of somebody else does not keep them from a recovery. Notices about what has happened are not counted.
	maxMails = 3
	// mostMails is how many all networks together can, so that a stranger alone cannot use up what the owner of an address needs.
	mostMails = 10
	// maxAddresses is how many new addresses a day one account can have written to.
	maxAddresses = 10

	linkConfirm = "confirm"
	linkRecover = "recover"
	linkCancel  = "cancel"
	linkAddress = "address"
)

// registered is what a registration keeps sealed until it is confirmed.
type registered struct {
	PHC     []byte      `json:"phc,omitempty"`
	Passkey *newPasskey `json:"passkey,omitempty"`
}

func (v *Vault) link(purpose, realm, id string) string {
	return id + "." + base64.RawURLEncoding.EncodeToString(mac(v.keys.links, canonical("link", purpose, realm, id)))
}

// readLink returns the id of the request to which a link belongs, fault.Denied when it is not ours, of that realm and purpose.
func (v *Vault) readLink(purpose, realm, link string) (string, error) {
	id, _, ok := strings.Cut(link, ".")
	if !ok || len(link) > 100 || !hmac.Equal([]byte(link), []byte(v.link(purpose, realm, id))) {
		return "", fmt.Errorf("link: %w", fault.Denied)
	}
	return id, nil
}

// openRequest reads the request of a link, fault.Denied when it was used, has expired or is of another kind by now.
func openRequest(ctx context.Context, tx *db.Tx, realm, id, kind string) (requestRow, error) {
	r, err := selectRequest(ctx, tx, id)
	if errors.Is(err, fault.NotFound) || err == nil && (r.kind != kind || r.realm != realm) {
		return r, fmt.Errorf("request %s: %w", id, fault.Denied)
	}
	return r, err
}

// request draws a row with its sealed address.
func (v *Vault) request(kind, realm, tenant, mail, lang string) requestRow {
	r := requestRow{id: rand.Text(), realm: realm, tenant: tenant, kind: kind, lang: lang, mailKey: v.mailKey(realm, mail)}
	r.mail = v.keys.seal([]byte(strings.TrimSpace(mail)), "request.mail", r.id)
	return r
}

// slowWish counts the requests of an origin, right or wrong, so that no network fills the store or other people's inboxes.
func (v *Vault) slowWish(origin string) error {
	if origin == "" {
		return nil
	}
	if _, ok := v.slow.attempt(slowKey("wish", nil, origin), slowOrigin); !ok {
		return fmt.Errorf("slowed down: %w", fault.TooMany)
	}
	return nil
}

func checkWish(realm, tenant, lang string) error {
	if !realmHolds(realm, tenant) || !validLang(lang) {
		return fmt.Errorf("realm, tenant or language: %w", fault.Invalid)
	}
	return nil
}

// putWish stores a request that anybody may make. An address that has had its mails of the day, from this origin or from all, gets no
// further one, and the row is not needed then; answer and work are the same. What an origin has caused is known in memory only.
func (v *Vault) putWish(ctx context.Context, op, origin string, r requestRow) error {
	within := v.slow.today(slowKey("mails."+r.kind, r.mailKey, origin), maxMails)
	return v.update(ctx, op, func(tx *db.Tx) error {
		if err := tenantExists(ctx, tx, r.tenant); err != nil {
			return err
		}
		n, err := countMails(ctx, tx, r.kind, r.realm, r.mailKey, tx.Now.Add(-24*time.Hour))
		if err != nil || n >= mostMails || !within {
			return err
		}
		r.expires = tx.Now.Add(requestTime)
		return insertRequest(ctx, tx, r)
	})
}

// Register writes down the wish for an account. The request's id is for RequestMail, and for the session of the same browser, with
// which ConfirmAccount needs no password. Fields of fault.Invalid: email, password. Nothing is looked up about the address, so known
// and unknown ones are the same; a network that asks too often is slowed down (fault.TooMany), and an address gets at most three
// mails of the kind a day by one network, and ten in all, silently.
func (v *Vault) Register(ctx context.Context, r Registration) (request string, err error) {
	if v.closed.Load() {
		return "", gone("register")
	}
	if err := checkWish(r.Realm, r.Tenant, r.Lang); err != nil {
		return "", fmt.Errorf("vault: register: %w", err)
	}
	var bad []fault.Field
	if f, wrong := badMail(r.Mail); wrong {
		bad = append(bad, f)
	}
	if r.Passkey == nil || r.Password != "" {
		if f, wrong := badPassword(r.Password, r.Tenant, r.Mail); wrong {
			bad = append(bad, f)
		}
	}
	if err := fault.Fields(bad...); err != nil {
		return "", fmt.Errorf("vault: register: %w", err)
	}
	if err := v.slowWish(r.Origin); err != nil {
		return "", fmt.Errorf("vault: register: %w", err)
	}
	row := v.request(requestRegister, r.Realm, r.Tenant, r.Mail, r.Lang)
	if row.secret, err = v.registration(ctx, r, row.id); err != nil {
		return "", fmt.Errorf("vault: register: %w", err)
	}
	return row.id, v.putWish(ctx, "register", r.Origin, row)
}

// registration seals the verifiers of a registration.
func (v *Vault) registration(ctx context.Context, r Registration, id string) ([]byte, error) {
	var s registered
	if r.Passkey != nil {
		key, err := v.checkNewPasskey(*r.Passkey)
		if err != nil {
			return nil, err
		}
		if key.Realm != r.Realm || key.Owner != "" {
			return nil, fmt.Errorf("passkey of another offer: %w", fault.Denied)
		}
		s.Passkey = &key
	}
	if r.Password != "" {
		var err error
		if s.PHC, err = v.newPassword(ctx, r.Password, r.Origin); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return v.keys.seal(raw, "request.secret", id), nil
}

// ConfirmAccount makes the account of a registration and signs the person in, once and within 24 hours. by must hold the password or
// the request's id (else fault.Invalid with the field "password"), because the link alone shows only that the address is right: it may
// have been typed by somebody else. An address that has got an account meanwhile is fault.Conflict.
func (v *Vault) ConfirmAccount(ctx context.Context, realm, link string, by Confirmation) (Grant, error) {
	if v.closed.Load() {
		return Grant{}, gone("confirm account")
	}
	since := v.grants.mark()
	id, err := v.readLink(linkConfirm, realm, link)
	if err != nil {
		return Grant{}, fmt.Errorf("vault: confirm account: %w", err)
	}
	secret, err := v.mayConfirm(ctx, realm, id, by)
	if err != nil {
		return Grant{}, fmt.Errorf("vault: confirm account: %w", err)
	}
	var row accountRow
	err = v.update(ctx, "confirm account", func(tx *db.Tx) error {
		r, err := openRequest(ctx, tx, realm, id, requestRegister)
		if err != nil {
			return err
		}
		if row, err = v.makeAccount(ctx, tx, r, secret); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: r.tenant, person: auditAccount, action: actionAccountNew, purpose: realm, items: 1})
	})
	if err != nil {
		return Grant{}, err
	}
	return v.beginSession(ctx, newAccountGrant(row, by.Label, since))
}

// mayConfirm opens a registration for whoever made it.
func (v *Vault) mayConfirm(ctx context.Context, realm, id string, by Confirmation) (registered, error) {
	var s registered
	var r requestRow
	err := v.view(ctx, "look up", func(tx *db.Tx) error {
		var err error
		r, err = openRequest(ctx, tx, realm, id, requestRegister)
		return err
	})
	if err != nil {
		return s, err
	}
	raw, err := v.keys.open(r.secret, "request.secret", id)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil || subtle.ConstantTimeCompare([]byte(by.Request), []byte(id)) == 1 {
		return s, err
	}
	if len(s.PHC) == 0 { // a passkey alone: the device's answer went to the browser that registered
		return s, fault.Fields(fault.Field{Name: "password", Key: "vault.account.browser"})
	}
	wrong := fault.Fields(fault.Field{Name: "password", Key: "vault.account.confirm"})
	if by.Password == "" {
		return s, wrong
	}
	undo, ok := v.slow.attempt(slowKey("confirm", []byte(id), ""), slowLogin)
	if !ok {
		return s, fmt.Errorf("slowed down: %w", fault.TooMany)
	}
	right, err := v.checkPassword(ctx, s.PHC, by.Password, by.Origin)
	if right || err != nil {
		undo()
		return s, err
	}
	return s, wrong
}

// makeAccount turns a registration into an account with a key of its own.
func (v *Vault) makeAccount(ctx context.Context, tx *db.Tx, r requestRow, s registered) (accountRow, error) {
	mail, err := v.keys.open(r.mail, "request.mail", r.id)
	if err != nil {
		return accountRow{}, err
	}
	row := accountRow{id: rand.Text(), realm: r.realm, lang: r.lang, created: tx.Now}
	row.mail = v.keys.seal(mail, "account.mail", row.id)
	row.wrapped = seal.Wrap(v.keys.account, seal.NewKey(), accountAD(row.id))
	row.password = []byte{}
	if len(s.PHC) > 0 {
		row.password = v.keys.seal(s.PHC, "account.password", row.id)
	}
	if err := insertAccount(ctx, tx, r.mailKey, row); err != nil {
		return row, err // fault.Conflict: the address is taken
	}
	if s.Passkey != nil {
		if err := v.putPasskey(ctx, tx, accountOwner(row.id), *s.Passkey); err != nil {
			return row, err
		}
	}
	return row, deleteRequest(ctx, tx, r.id)
}

// ChangeMail writes down the wish for another address of the account, in place of an earlier one; tenant is the one to whose host the
// link leads. The address is changed by ConfirmMail within 24 hours. The field is "email". It demands a fresh proof and does not tell
// whether the new address has an account. It works ten times a day
// (fault.TooMany).
func (v *Vault) ChangeMail(ctx context.Context, token, tenant, newMail, lang string) (request string, err error) {
	g, err := v.provedAccount(token)
	if err != nil {
		return "", fmt.Errorf("vault: change mail: %w", err)
	}
	if err := checkWish(g.realm, tenant, lang); err != nil {
		return "", fmt.Errorf("vault: change mail: %w", err)
	}
	if f, bad := badMail(newMail); bad {
		return "", fmt.Errorf("vault: change mail: %w", fault.Fields(f))
	}
	row := v.request(requestAddress, g.realm, tenant, newMail, lang)
	row.account = g.person
	err = v.update(ctx, "change mail", func(tx *db.Tx) error {
		if err := errors.Join(v.stillThere(ctx, tx, g), tenantExists(ctx, tx, tenant)); err != nil {
			return err
		}
		day := tx.Now.Add(-requestTime)
		n, err := countMails(ctx, tx, row.kind, row.realm, row.mailKey, day)
		if err != nil {
			return err
		}
		wishes, err := countAddresses(ctx, tx, g.person, day)
		if err == nil && wishes >= maxAddresses {
			err = fmt.Errorf("%d wishes today: %w", wishes, fault.TooMany)
		}
		if err != nil {
			return err
		}
		if err := replaceAddress(ctx, tx, g.person); err != nil {
			return err
		}
		row.quiet, row.expires = n >= maxMails, tx.Now.Add(requestTime)
		return insertRequest(ctx, tx, row)
	})
	return row.id, err
}

// ConfirmMail changes the address. token is that of the signed-in person who asked for it: the link alone is opened by whoever owns the
// address, and that may be somebody whose address was typed by mistake or on purpose. A recovery that waits or was asked for with the old address ends. An address that
// has got another account meanwhile is fault.Conflict. The request is for two calls of RequestMail, to "old" and "new"; repeating the
// call returns it again.
func (v *Vault) ConfirmMail(ctx context.Context, realm, link, token string) (request string, err error) {
	g, err := v.account(token)
	if err != nil {
		return "", fmt.Errorf("vault: confirm mail: %w", err)
	}
	id, err := v.readLink(linkAddress, realm, link)
	if err == nil && g.realm != realm {
		err = fault.Denied
	}
	if err != nil {
		return "", fmt.Errorf("vault: confirm mail: %w", err)
	}
	err = v.update(ctx, "confirm mail", func(tx *db.Tx) error {
		row, err := v.accountOf(ctx, tx, g)
		if err != nil {
			return err
		}
		r, err := selectRequest(ctx, tx, id)
		switch {
		case errors.Is(err, fault.NotFound), err == nil && r.account != g.person:
			return fmt.Errorf("request %s: %w", id, fault.Denied)
		case err != nil || r.kind == requestChanged:
			return err
		case r.kind != requestAddress:
			return fmt.Errorf("request %s: %w", id, fault.Denied)
		}
		return v.moveMail(ctx, tx, row, r)
	})
	return id, err
}

func (v *Vault) moveMail(ctx context.Context, tx *db.Tx, row accountRow, r requestRow) error {
	old, err := v.keys.open(row.mail, "account.mail", row.id)
	if err != nil {
		return err
	}
	mail, err := v.keys.open(r.mail, "request.mail", r.id)
	if err != nil {
		return err
	}
	if err := updateMail(ctx, tx, row.id, r.mailKey, v.keys.seal(mail, "account.mail", row.id)); err != nil {
		return err // fault.Conflict: the address is taken
	}
	// The links in the notices of a recovery went to the old address: with the rows goes what they could still stop.
	for _, kind := range []string{requestWait, requestEnded} {
		if err := deleteRequestsAs(ctx, tx, row.id, kind); err != nil {
			return err
		}
	}
	if err := deleteRequestsOf(ctx, tx, row.realm, v.mailKey(row.realm, string(old))); err != nil {
		return err
	}
	kept := v.keys.seal(old, "request.secret", r.id)
	if err := turnRequest(ctx, tx, r.id, requestChanged, kept, tx.Now.Add(noticeTime)); err != nil {
		return err
	}
	return v.auditChange(ctx, tx, row.realm, "mail")
}
