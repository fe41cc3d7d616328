package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// PasskeyService is sign-in with passkeys (WebAuthn Level 3) for staff and for accounts. A passkey counts as both factors, because
// every ceremony demands that the person unlocked it. It is discoverable: an offer names nobody, so it tells nothing about who has
// an account.
type PasskeyService interface {
	PasskeyOffer(ctx context.Context, a PasskeyAsk) (PasskeyChallenge, error)
	SignInPasskey(ctx context.Context, a PasskeyAnswer) (Grant, error)
	AddPasskey(ctx context.Context, token string, a PasskeyAnswer) error
	Passkeys(ctx context.Context, token string) ([]Passkey, error)
	RemovePasskey(ctx context.Context, token, id string) error
}

// PasskeyAsk says for what a challenge is drawn. Exactly one of Realm (accounts) and Tenant (staff) is set.
type PasskeyAsk struct {
	Host   string // the RP ID: the host name the person sees, never an IP address
	Origin string // scheme://host[:port] of the page
	Realm  string
	Tenant string
	Token  string // of the signed-in person who adds a passkey or proves themselves; "" at sign-in and registration
	Mail   string // the name shown in the device's list of an account; staff are shown by their login
	New    bool   // a new passkey is made; otherwise an existing one answers
}

// PasskeyChallenge goes to navigator.credentials. It can be answered once, within five minutes.
type PasskeyChallenge struct {
	ID      string
	Options json.RawMessage // PublicKeyCredentialCreationOptionsJSON or ...RequestOptionsJSON, as parse...FromJSON takes them
}

// PasskeyAnswer is what the device gave back.
type PasskeyAnswer struct {
	Challenge string          // PasskeyChallenge.ID
	Response  json.RawMessage // PublicKeyCredential.toJSON()
	Name      string          // the person's name for a new passkey, at most 60 characters; "" is fine
	Origin    string          // hash of the network, as in Proof
	Label     string          // of the browser, as in Proof
}

// Passkey is one row of the list of a person's passkeys.
type Passkey struct {
	ID, Name, Host string
	Created, Used  time.Time // Used is zero before the first sign-in
}

const (
	maxPasskeys    = 10       // of one person
	maxPasskeyName = 60       // characters
	maxPasskeyJSON = 16 << 10 // bytes of an answer
)

// passkeyRow is a stored passkey.
type passkeyRow struct {
	id, owner     string
	sealed        []byte
	created, used int64
}

// newPasskey is a checked passkey that belongs to nobody yet. It may be kept as JSON, sealed, until an account is confirmed.
type newPasskey struct {
	Realm string `json:"realm"` // of the offer; "" for staff
	Owner string `json:"owner"` // of the offer; "" at registration
	Key   sealedPasskey
}

// sealedPasskey is what stands sealed in a row.
type sealedPasskey struct {
	Name, Host string
	Handle     []byte // user handle that the device keeps
	Credential webauthn.Credential
}

func staffOwner(tenant, person string) string { return "staff:" + tenant + ":" + person }

func accountOwner(account string) string { return "account:" + account }

// owner names the person behind a grant as an owner of passkeys; "" for a service.
func (g *grant) owner() string {
	switch {
	case g.staff():
		return staffOwner(g.tenant, g.person)
	case g.citizen():
		return accountOwner(g.person)
	}
	return ""
}

// passkeyFind is how a passkey is found without its credential id standing in the file.
func (v *Vault) passkeyFind(credential []byte) []byte {
	return mac(v.keys.login, canonical("passkey", string(credential)))
}

func (v *Vault) openPasskey(r passkeyRow) (k sealedPasskey, err error) {
	raw, err := v.keys.open(r.sealed, "passkey", r.owner, r.id)
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	return k, err
}

func (v *Vault) sealPasskey(owner, id string, k sealedPasskey) ([]byte, error) {
	raw, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	return v.keys.seal(raw, "passkey", owner, id), nil
}

// PasskeyOffer draws a challenge. Without Token it is for sign-in, or with New and Realm for the registration of an account. With
// Token it is for AddPasskey (New, which needs a fresh proof: ErrProve) or for ProvePasskey. fault.Invalid when Host cannot be an
// RP ID (an IP address) or Origin is not of that host over https; plain http is taken on localhost alone.
func (v *Vault) PasskeyOffer(ctx context.Context, a PasskeyAsk) (PasskeyChallenge, error) {
	out, err := v.passkeyOffer(ctx, a)
	if err != nil {
		return PasskeyChallenge{}, fmt.Errorf("vault: passkey offer: %w", err)
	}
	return out, nil
}

func (v *Vault) passkeyOffer(ctx context.Context, a PasskeyAsk) (PasskeyChallenge, error) {
	if v.closed.Load() {
		return PasskeyChallenge{}, fault.Unavailable
	}
	if (a.Realm == "") == (a.Tenant == "") || !goodOrigin(a.Host, a.Origin) {
		return PasskeyChallenge{}, fmt.Errorf("host or register: %w", fault.Invalid)
	}
	c := ceremony{Host: a.Host, Origin: a.Origin, Realm: a.Realm, Tenant: a.Tenant, New: a.New}
	name := a.Mail
	if a.Token != "" {
		g, err := v.grant(a.Token)
		if err == nil && (g.service != "" || g.realm != a.Realm || g.tenant != a.Tenant) {
			err = fault.Denied
		}
		if err == nil && a.New {
			err = v.proved(g)
		}
		if err != nil {
			return PasskeyChallenge{}, err
		}
		if c.Owner = g.owner(); g.staff() {
			name = g.login
		}
	} else if a.New && a.Realm == "" {
		return PasskeyChallenge{}, fmt.Errorf("staff are not registered by themselves: %w", fault.Denied)
	}
	c.fill(v.cfg.Now())
	if !a.New {
		return v.passkeys.request(c)
	}
	c.Handle = v.passkeyHandle(c.Owner)
	known, err := v.passkeysOf(ctx, c.Owner, c.Host)
	if err != nil {
		return PasskeyChallenge{}, err
	}
	return v.passkeys.creation(c, name, known)
}

// passkeyHandle names a person to their devices. It is random for who has no account yet.
func (v *Vault) passkeyHandle(owner string) []byte {
	if owner == "" {
		owner = "new:" + rand.Text()
	}
	return mac(v.keys.login, canonical("passkey-handle", owner))
}

// passkeysOf lists what the owner has for a host, so that one device is not registered twice.
func (v *Vault) passkeysOf(ctx context.Context, owner, host string) (out []webauthn.Credential, err error) {
	if owner == "" {
		return nil, nil
	}
	var rows []passkeyRow
	err = v.view(ctx, "passkeys", func(tx *db.Tx) (err error) {
		rows, err = selectPasskeys(ctx, tx, owner)
		return err
	})
	for _, r := range rows {
		k, err := v.openPasskey(r)
		if err != nil {
			return nil, err
		}
		if k.Host == host {
			out = append(out, k.Credential)
		}
	}
	return out, err
}

// checkNewPasskey checks the answer to an offer with New and uses its challenge up. Every fault of the answer is fault.Denied.
func (v *Vault) checkNewPasskey(a PasskeyAnswer) (newPasskey, error) {
	if v.closed.Load() {
		return newPasskey{}, fault.Unavailable
	}
	name := strings.TrimSpace(a.Name)
	if utf8.RuneCountInString(name) > maxPasskeyName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return newPasskey{}, fault.Fields(fault.Field{Name: "name", Key: "vault.passkey.name", Args: []any{"max", maxPasskeyName}})
	}
	c, ok := v.passkeys.read(a.Challenge, v.cfg.Now())
	if !ok || !c.New || len(a.Response) > maxPasskeyJSON {
		return newPasskey{}, fmt.Errorf("passkey: no such offer: %w", fault.Denied)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(a.Response)
	if err != nil {
		return newPasskey{}, denied("passkey: answer does not parse", err)
	}
	// Attestation is not asked for; what devices send unasked is the self-made kind.
	if f := parsed.Response.AttestationObject.Format; f != "none" && f != "packed" {
		return newPasskey{}, fmt.Errorf("passkey: attestation was not asked for: %w", fault.Denied)
	}
	rp, err := c.party()
	if err != nil {
		return newPasskey{}, err
	}
	made, err := rp.CreateCredential(passkeyUser{handle: c.Handle}, c.session(), parsed)
	if err != nil {
		return newPasskey{}, denied("passkey: new one refused", err)
	}
	if !v.passkeys.use(a.Challenge, v.cfg.Now()) {
		return newPasskey{}, fmt.Errorf("passkey: challenge used before: %w", fault.Denied)
	}
	made.Attestation = webauthn.CredentialAttestation{} // says which device it is; nobody asks for it again
	made.Authenticator.AAGUID = nil
	return newPasskey{Realm: c.Realm, Owner: c.Owner, Key: sealedPasskey{Name: name, Host: c.Host, Handle: c.Handle, Credential: *made}}, nil
}

// denied hides the library's error, which may repeat what was sent, behind its kind.
func denied(what string, err error) error {
	var known *protocol.Error
	if errors.As(err, &known) {
		return fmt.Errorf("%s (%s): %w", what, known.Type, fault.Denied)
	}
	return fmt.Errorf("%s: %w", what, fault.Denied)
}

// putPasskey stores a checked passkey for its owner: staffOwner or accountOwner. The caller has looked at Realm and Owner.
// fault.Conflict when the credential is known already or the owner has ten.
func (v *Vault) putPasskey(ctx context.Context, tx *db.Tx, owner string, n newPasskey) error {
	have, err := selectPasskeys(ctx, tx, owner)
	if err != nil {
		return err
	}
	if len(have) >= maxPasskeys {
		return fmt.Errorf("passkey: %d are there already: %w", len(have), fault.Conflict)
	}
	id := rand.Text()
	sealed, err := v.sealPasskey(owner, id, n.Key)
	if err != nil {
		return err
	}
	return insertPasskey(ctx, tx, id, owner, v.passkeyFind(n.Key.Credential.ID), sealed)
}

// AddPasskey stores a new passkey for the signed-in person who asked for the offer. It needs a fresh proof (ErrProve).
// fault.Conflict when the device is known already or the person has ten; fault.Invalid names the field name.
func (v *Vault) AddPasskey(ctx context.Context, token string, a PasskeyAnswer) error {
	g, err := v.personal(token)
	if err == nil {
		err = v.proved(g)
	}
	if err != nil {
		return fmt.Errorf("vault: add passkey: %w", err)
	}
	n, err := v.checkNewPasskey(a)
	if err == nil && n.Owner != g.owner() {
		err = fmt.Errorf("offer is of somebody else: %w", fault.Denied)
	}
	if err != nil {
		return fmt.Errorf("vault: add passkey: %w", err)
	}
	return v.update(ctx, "add passkey", func(tx *db.Tx) error {
		if err := v.stillHere(ctx, tx, g); err != nil {
			return err
		}
		if err := v.putPasskey(ctx, tx, g.owner(), n); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: g.tenant, person: g.actor(), action: actionPasskeyAdd, items: 1})
	})
}

// personal resolves the token of a person, staff or account.
func (v *Vault) personal(token string) (*grant, error) {
	g, err := v.grant(token)
	if err == nil && g.service != "" {
		return nil, fault.Denied
	}
	return g, err
}

// stillHere repeats in the transaction that the person behind the grant is there.
func (v *Vault) stillHere(ctx context.Context, tx *db.Tx, g *grant) error {
	if g.citizen() {
		return v.stillThere(ctx, tx, g)
	}
	return stillActive(ctx, tx, g)
}

// Passkeys lists the passkeys of the signed-in person, oldest first.
func (v *Vault) Passkeys(ctx context.Context, token string) ([]Passkey, error) {
	g, err := v.personal(token)
	if err != nil {
		return nil, fmt.Errorf("vault: passkeys: %w", err)
	}
	var rows []passkeyRow
	err = v.view(ctx, "passkeys", func(tx *db.Tx) error {
		if err := v.stillHere(ctx, tx, g); err != nil {
			return err
		}
		var err error
		rows, err = selectPasskeys(ctx, tx, g.owner())
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]Passkey, 0, len(rows))
	for _, r := range rows {
		k, err := v.openPasskey(r)
		if err != nil {
			return nil, err
		}
		p := Passkey{ID: r.id, Name: k.Name, Host: k.Host, Created: db.Time(r.created)}
		if r.used > 0 {
			p.Used = db.Time(r.used)
		}
		out = append(out, p)
	}
	return out, nil
}

// RemovePasskey removes a passkey of the signed-in person. It needs a fresh proof (ErrProve). The last way in stays: the only
// passkey of an account without a password is fault.Conflict. An unknown id is fault.NotFound.
func (v *Vault) RemovePasskey(ctx context.Context, token, id string) error {
	g, err := v.personal(token)
	if err == nil {
		err = v.proved(g)
	}
	if err != nil {
		return fmt.Errorf("vault: remove passkey: %w", err)
	}
	return v.update(ctx, "remove passkey", func(tx *db.Tx) error {
		if err := v.stillHere(ctx, tx, g); err != nil {
			return err
		}
		n, err := deletePasskey(ctx, tx, g.owner(), id)
		if err == nil && n == 0 {
			err = fmt.Errorf("passkey %s: %w", id, fault.NotFound)
		}
		if err == nil && g.citizen() {
			err = wayIn(ctx, tx, g.person)
		}
		if err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: g.tenant, person: g.actor(), action: actionPasskeyRemove, items: 1})
	})
}

// wayIn is fault.Conflict when an account has neither a password nor a passkey left.
func wayIn(ctx context.Context, tx *db.Tx, account string) error {
	row, err := selectWaysIn(ctx, tx, account, accountOwner(account))
	if err == nil && !row.password && row.passkeys == 0 {
		err = fmt.Errorf("account %s: the last way in: %w", account, fault.Conflict)
	}
	return err
}

// assertPasskey checks the answer to an offer without New and finds whose it is. Every fault is fault.Denied. The challenge is used
// up and the counter stored in the caller's next transaction, by settle.
func (v *Vault) assertPasskey(ctx context.Context, a PasskeyAnswer) (c ceremony, row passkeyRow, settle func(*db.Tx) error, err error) {
	c, ok := v.passkeys.read(a.Challenge, v.cfg.Now())
	if !ok || c.New || len(a.Response) > maxPasskeyJSON {
		return c, row, nil, fmt.Errorf("passkey: no such offer: %w", fault.Denied)
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(a.Response)
	if err != nil {
		return c, row, nil, denied("passkey: answer does not parse", err)
	}
	find := v.passkeyFind(parsed.RawID)
	err = v.view(ctx, "passkey", func(tx *db.Tx) (err error) {
		row, err = selectPasskey(ctx, tx, find)
		return err
	})
	if errors.Is(err, fault.NotFound) {
		err = fmt.Errorf("passkey: unknown: %w", fault.Denied)
	}
	if err != nil {
		return c, row, nil, err
	}
	key, err := v.openPasskey(row)
	if err != nil {
		return c, row, nil, err
	}
	if !c.fits(row.owner, key.Host) {
		return c, row, nil, fmt.Errorf("passkey: of another register or host: %w", fault.Denied)
	}
	rp, err := c.party()
	if err != nil {
		return c, row, nil, err
	}
	owner := func(_, handle []byte) (webauthn.User, error) {
		if !bytes.Equal(handle, key.Handle) {
			return nil, fault.Denied
		}
		return passkeyUser{handle: key.Handle, keys: []webauthn.Credential{key.Credential}}, nil
	}
	used, err := rp.ValidateDiscoverableLogin(owner, c.session(), parsed)
	if err != nil {
		return c, row, nil, denied("passkey: refused", err)
	}
	if !v.passkeys.use(a.Challenge, v.cfg.Now()) {
		return c, row, nil, fmt.Errorf("passkey: challenge used before: %w", fault.Denied)
	}
	key.Credential.Flags = used.Flags
	return c, row, func(tx *db.Tx) error { return v.countPasskey(ctx, tx, row, key, used.Authenticator.SignCount) }, nil
}

// countPasskey stores the counter of the device. One that does not rise says that there is a copy of the passkey (WebAuthn 6.1.1);
// devices that do not count say 0 always.
func (v *Vault) countPasskey(ctx context.Context, tx *db.Tx, row passkeyRow, key sealedPasskey, count uint32) error {
	now, err := selectPasskeyID(ctx, tx, row.id)
	if errors.Is(err, fault.NotFound) {
		err = fmt.Errorf("passkey %s: removed meanwhile: %w", row.id, fault.Denied)
	}
	if err != nil {
		return err
	}
	stored, err := v.openPasskey(now)
	if err != nil {
		return err
	}
	if last := stored.Credential.Authenticator.SignCount; count <= last && (count != 0 || last != 0) {
		v.cfg.Log.WarnContext(ctx, "vault: counter of a passkey went back", "passkey", row.id)
		return fmt.Errorf("passkey %s: counter went back: %w", row.id, fault.Denied)
	}
	key.Credential.Authenticator.SignCount = count
	key.Name = stored.Name
	sealed, err := v.sealPasskey(row.owner, row.id, key)
	if err != nil {
		return err
	}
	return updatePasskey(ctx, tx, row.id, sealed)
}

// SignInPasskey issues a grant to who answers a sign-in offer. It stands for both factors. Every fault of the answer, of a person
// who was disabled and of another register is fault.Denied alike; many from one network are fault.TooMany. Whoever asked for the
// offer compares Tenant or Realm of the grant with the site's.
func (v *Vault) SignInPasskey(ctx context.Context, a PasskeyAnswer) (Grant, error) {
	if v.closed.Load() {
		return Grant{}, gone("sign in with passkey")
	}
	undo, ok := v.slowPasskey(a.Origin)
	if !ok {
		return Grant{}, fmt.Errorf("vault: sign in with passkey: slowed down: %w", fault.TooMany)
	}
	g, err := v.passkeyGrant(ctx, a)
	if !errors.Is(err, fault.Denied) {
		undo()
	}
	if err != nil {
		return Grant{}, fmt.Errorf("vault: sign in with passkey: %w", err)
	}
	return v.beginSession(ctx, *g)
}

func (v *Vault) slowPasskey(origin string) (undo func(), ok bool) {
	if origin == "" {
		return func() {}, true
	}
	return v.slow.attempt(slowKey("origin", nil, origin), slowOrigin)
}

func (v *Vault) passkeyGrant(ctx context.Context, a PasskeyAnswer) (*grant, error) {
	since := v.grants.mark()
	c, row, settle, err := v.assertPasskey(ctx, a)
	if err != nil {
		return nil, err
	}
	if c.Owner != "" {
		return nil, fmt.Errorf("passkey: offer was for a proof: %w", fault.Denied)
	}
	g := &grant{label: a.Label, since: since}
	err = v.update(ctx, "grant", func(tx *db.Tx) error {
		if err := settle(tx); err != nil {
			return err
		}
		if err := v.ownerGrant(ctx, tx, g, row.owner, c.Realm); err != nil {
			return err
		}
		return v.audit(ctx, tx, entry{tenant: g.tenant, person: g.actor(), action: actionSignIn, purpose: "passkey", items: 1})
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// ownerGrant fills the grant of a passkey's owner; fault.Denied when the person or account is no longer there.
func (v *Vault) ownerGrant(ctx context.Context, tx *db.Tx, g *grant, owner, realm string) error {
	var err error
	if account, ok := strings.CutPrefix(owner, "account:"); ok {
		g.person = account
		if g.realm, err = selectRealm(ctx, tx, account); err == nil && g.realm != realm {
			err = fault.Denied
		}
	} else {
		tenant, person, _ := strings.Cut(strings.TrimPrefix(owner, "staff:"), ":")
		g.tenant, g.person = tenant, person
		var login []byte
		if login, g.role, err = selectActive(ctx, tx, tenant, person); err == nil {
			login, err = v.keys.open(login, "login", tenant, person)
			g.login = string(login)
		}
	}
	if errors.Is(err, fault.NotFound) {
		err = fault.Denied
	}
	if err != nil {
		return fmt.Errorf("owner of passkey: %w", err)
	}
	return nil
}
