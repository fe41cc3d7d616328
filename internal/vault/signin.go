package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"poststelle/internal/db"
	"poststelle/internal/fault"
)

// Proof is what a person shows at sign-in.
type Proof struct {
	Tenant, Login, Password string
	OTP                     string // six digits; blanks are ignored; not looked at when the person has no second factor
	Origin                  string // names where the attempt comes from, for the slow-down: a keyed hash of a network prefix, or ""
	Label                   string // of the browser, such as "Firefox, Windows", for the list of sessions
}

// SignIn checks a proof and issues a grant. Every wrong part is fault.Denied and costs the same, unknown logins too. Who fails too
// often must wait, at most 60 s (fault.TooMany; slowSignIn says what counts). So must everybody while the queue for the two argon2
// slots is full, and an origin that has filled its share of it. An OTP is accepted once.
func (v *Vault) SignIn(ctx context.Context, p Proof) (Grant, error) {
	if v.closed.Load() {
		return Grant{}, gone("sign in")
	}
	since := v.grants.mark()
	key := v.loginKey(p.Tenant, p.Login)
	undo, ok := v.slowSignIn("tenant "+p.Tenant, key, p.Origin)
	if !ok {
		return Grant{}, fmt.Errorf("vault: sign in: slowed down: %w", fault.TooMany)
	}
	g, err := v.verify(ctx, p, key, actionSignIn)
	if !errors.Is(err, fault.Denied) {
		undo() // right, or neither right nor wrong
	}
	if err != nil {
		return Grant{}, fmt.Errorf("vault: sign in: %w", err)
	}
	v.slow.succeeded(key, p.Origin)
	v.slow.forget(slowKey("otp", key, ""))
	g.since = since
	return v.beginSession(ctx, *g)
}

// verify does the same for known and unknown logins: one look-up, one argon2, one TOTP. A right proof is audited as action.
func (v *Vault) verify(ctx context.Context, p Proof, key []byte, action string) (*grant, error) {
	var row staffRow
	known := true
	err := v.view(ctx, "look up", func(tx *db.Tx) error {
		var err error
		row, err = selectLogin(ctx, tx, p.Tenant, key)
		return err
	})
	switch {
	case errors.Is(err, fault.NotFound):
		known = false
	case err != nil:
		return nil, err
	}
	phc, seed := v.dummy, make([]byte, totpSeed)
	if known && row.active {
		if phc, err = v.keys.open(row.password, "password", p.Tenant, row.id); err != nil {
			return nil, err
		}
		if row.secondFactor {
			if seed, err = v.keys.open(row.totp, "totp", p.Tenant, row.id); err != nil {
				return nil, err
			}
		}
	} else {
		known = false
	}
	right, err := v.checkPassword(ctx, phc, p.Password, p.Origin)
	if err != nil {
		return nil, err
	}
	now := v.db.Now()
	step, factor := checkTOTP(seed, p.OTP, now, row.totpStep)
	factor = factor || !row.secondFactor
	if !known || !right {
		return nil, fault.Denied
	}
	if row.secondFactor {
		// Only who knows the password comes here, so slowing the account down locks nobody else out. The answer does not tell
		// that the password was right.
		if undo, ok := v.slow.attempt(slowKey("otp", key, ""), slowLogin); !ok {
			return nil, fault.Denied
		} else if factor {
			undo()
		}
	}
	if !factor {
		return nil, fault.Denied
	}
	login, err := v.keys.open(row.login, "login", p.Tenant, row.id)
	if err != nil {
		return nil, err
	}
	err = v.update(ctx, "grant", func(tx *db.Tx) error {
		if row.secondFactor {
			n, err := useTOTP(ctx, tx, p.Tenant, row.id, step)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("otp of person %s used before: %w", row.id, fault.Denied)
			}
		}
		return v.audit(ctx, tx, entry{tenant: p.Tenant, person: row.id, action: action, items: 1})
	})
	if err != nil {
		return nil, err
	}
	return &grant{tenant: p.Tenant, person: row.id, login: string(login), role: row.role, label: p.Label}, nil
}

// loginKey is how a login is found without standing in the file.
func (v *Vault) loginKey(tenant, login string) []byte {
	return mac(v.keys.login, canonical(tenant, foldLogin(login)))
}

func foldLogin(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

// Passwords.

// slot waits for one of the two argon2 slots; the caller releases it. 64 MiB each would otherwise be a way to fill the memory. One
// origin has a quarter of the places, so that a single network cannot turn everybody else away; "" is not counted.
func (v *Vault) slot(ctx context.Context, origin string) (release func(), err error) {
	places := v.cfg.SignInQueue + cap(v.argon)
	if v.queued.Add(1) > int64(places) {
		v.queued.Add(-1)
		return nil, fmt.Errorf("argon2 queue is full: %w", fault.TooMany)
	}
	leave := func() { v.slow.leave(origin); v.queued.Add(-1) }
	if !v.slow.enter(origin, max(2, places/4)) {
		v.queued.Add(-1)
		return nil, fmt.Errorf("share of the argon2 queue is full: %w", fault.TooMany)
	}
	select {
	case v.argon <- struct{}{}:
		v.spent.hashes.Add(1)
		return func() { <-v.argon; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

func (v *Vault) checkPassword(ctx context.Context, phc []byte, password, origin string) (bool, error) {
	release, err := v.slot(ctx, origin)
	if err != nil {
		return false, err
	}
	defer release()
	return comparePassword(phc, password)
}

// hashPassword returns a PHC string of argon2id.
func hashPassword(password string, a Argon) ([]byte, error) {
	if a.MemoryKiB < 8 || a.Time < 1 {
		return nil, refuse("argon2 needs at least 8 KiB and one pass")
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password), salt, a.Time, a.MemoryKiB, 1, 32)
	b64 := base64.RawStdEncoding
	return fmt.Appendf(nil, "$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, a.MemoryKiB, a.Time, b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}

func comparePassword(phc []byte, password string) (bool, error) {
	var version int
	var a Argon
	part := strings.Split(string(phc), "$")
	if len(part) != 6 || part[1] != "argon2id" {
		return false, errors.New("vault: verifier is no argon2id string")
	}
	_, err := fmt.Sscanf(part[2]+" "+part[3], "v=%d m=%d,t=%d,p=1", &version, &a.MemoryKiB, &a.Time)
	salt, err1 := base64.RawStdEncoding.DecodeString(part[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(part[5])
	if err := errors.Join(err, err1, err2); err != nil || version != argon2.Version || a.Time < 1 || a.MemoryKiB > 1<<20 {
		return false, fmt.Errorf("vault: verifier does not parse: %w", errors.Join(err, fault.Internal))
	}
	fits := len(password) <= maxPassword
	if !fits {
		password = password[:maxPassword]
	}
	got := argon2.IDKey([]byte(password), salt, a.Time, a.MemoryKiB, 1, uint32(len(sum)))
	return subtle.ConstantTimeCompare(got, sum) == 1 && fits, nil
}

// One-time passwords, RFC 6238: SHA-1, 30 s, six digits, which is what every authenticator app can.

const (
	totpSeed   = 20
	totpPeriod = 30
	totpWindow = 1 // steps before and after
)

func totpAt(seed []byte, step int64) string {
	h := hmac.New(sha1.New, seed)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := h.Sum(nil)
	at := sum[len(sum)-1] & 15
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// checkTOTP compares all steps of the window and accepts one newer than last.
func checkTOTP(seed []byte, otp string, now time.Time, last int64) (step int64, ok bool) {
	otp = strings.ReplaceAll(otp, " ", "")
	for s := now.Unix()/totpPeriod - totpWindow; s <= now.Unix()/totpPeriod+totpWindow; s++ {
		if subtle.ConstantTimeCompare([]byte(totpAt(seed, s)), []byte(otp)) == 1 && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

func totpURL(login string, seed []byte) (secret, link string) {
	secret = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(seed)
	q := url.Values{"secret": {secret}, "issuer": {"Poststelle"}}
	return secret, "otpauth://totp/" + url.PathEscape("Poststelle:"+login) + "?" + q.Encode()
}
