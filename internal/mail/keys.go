package mail

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"poststelle/internal/db"
	"poststelle/internal/fault"
	"poststelle/internal/seal"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the tables of this package.
func Migrations() db.Migrations { return db.Migrations{Name: "mail", FS: migrations} }

// SigningKey is a DKIM key of a tenant for one domain that it sends from. Since is
// when it began to sign, zero as long as it waits for its record in the DNS.
type SigningKey struct {
	Tenant, Domain, Selector string
	Public                   []byte // SubjectPublicKeyInfo, DER
	Made, Since              time.Time

	private []byte // sealed PKCS #8
}

// Name is the name in the DNS under which Record is to be published.
func (k SigningKey) Name() string { return k.Selector + "._domainkey." + k.Domain }

// Record is the text of the TXT record (RFC 6376, 3.6.1). It is longer than the
// 255 bytes that one string of a TXT record holds.
func (k SigningKey) Record() string {
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(k.Public)
}

// Keyring keeps the DKIM keys of all tenants: RSA with 2048 bits, which every
// receiver can check (RFC 8301, 3.2). All fields are required but Own.
type Keyring struct {
	DB *db.DB
	// Key returns the key under which the private keys of a tenant are sealed.
	Key func(ctx context.Context, tenant string) (seal.Key, error)
	// Own is the sender that the operator configured for all tenants, with or
	// without a name; its mail is signed with the key of whichever tenant has one
	// for its domain.
	Own string
	Log *slog.Logger
}

// keyBits is the size of keys: a public key of 4096 bits no longer fits into a DNS
// answer over UDP.
const keyBits = 2048

func keyPlace(k SigningKey) seal.Place {
	return seal.Place{Tenant: k.Tenant, Message: "dkim", Part: k.Domain + "/" + k.Selector}
}

// Make draws a key for a domain of a tenant. It signs from now on if it is the
// only one for the domain; otherwise it waits for TakeOver. also runs in the same
// transaction. What is no domain is fault.Invalid.
func (r *Keyring) Make(ctx context.Context, tenant, domain string, also func(*db.Tx, SigningKey) error) (SigningKey, error) {
	a, bad := parseAddress("a@" + domain)
	if bad != "" {
		return SigningKey{}, fmt.Errorf("mail: key for %q: %w", domain, fault.Fields(fault.Field{Name: "domain", Key: "mail.error.domain"}))
	}
	box, err := r.Key(ctx, tenant)
	if err != nil {
		return SigningKey{}, fmt.Errorf("mail: key of %s: %w", tenant, err)
	}
	pair, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return SigningKey{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		return SigningKey{}, err
	}
	k := SigningKey{Tenant: tenant, Domain: string(a[2:])}
	if k.Public, err = x509.MarshalPKIXPublicKey(&pair.PublicKey); err != nil {
		return SigningKey{}, err
	}
	now := r.DB.Now()
	k.Selector = "ps" + now.UTC().Format("060102") + "-" + strings.ToLower(rand.Text()[:4])
	k.private = seal.Seal(box.Derive("dkim"), keyPlace(k), private)
	err = r.DB.Update(ctx, func(tx *db.Tx) error {
		others, err := keysFor(ctx, tx, tenant, k.Domain)
		if err != nil {
			return err
		}
		k.Made, k.Since = tx.Now, tx.Now
		if len(others) > 0 {
			k.Since = time.Time{}
		}
		if err := putKey(ctx, tx, k); err != nil {
			return err
		}
		return also(tx, k)
	})
	if err != nil {
		return SigningKey{}, fmt.Errorf("mail: make key of %s: %w", tenant, err)
	}
	return k, nil
}

// TakeOver lets a key that waited sign from now on, and deletes the others of its
// domain. Their records have to stay in the DNS until the mail that they signed
// has arrived everywhere, a week. also runs in the same transaction.
func (r *Keyring) TakeOver(ctx context.Context, k SigningKey, also func(*db.Tx) error) error {
	err := r.DB.Update(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(ctx, `
update mail_dkim
set since = $4
where tenant_id = $1 and domain = $2 and selector = $3`, k.Tenant, k.Domain, k.Selector, db.Millis(tx.Now))
		if err == nil && n == 0 {
			err = fault.NotFound
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
delete from mail_dkim
where tenant_id = $1 and domain = $2 and selector <> $3`, k.Tenant, k.Domain, k.Selector)
		if err != nil {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return fmt.Errorf("mail: take over key of %s: %w", k.Tenant, err)
	}
	return nil
}

// Keys lists the keys of a tenant by domain, those that sign first.
func (r *Keyring) Keys(ctx context.Context, tenant string) (all []SigningKey, err error) {
	err = r.DB.View(ctx, func(tx *db.Tx) error {
		all, err = db.Collect(ctx, tx, scanKey, selectKey+`
where tenant_id = $1
order by domain, since desc, selector
limit 1000`, tenant)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mail: keys of %s: %w", tenant, err)
	}
	return all, nil
}

// OwnKeys lists the keys for the domain of the sender that the operator
// configured, whichever tenant keeps them.
func (r *Keyring) OwnKeys(ctx context.Context) (all []SigningKey, err error) {
	own, err := parseFrom(r.Own)
	if err != nil {
		return nil, nil // nothing is configured
	}
	err = r.DB.View(ctx, func(tx *db.Tx) error {
		all, err = db.Collect(ctx, tx, scanKey, selectKey+`
where domain = $1
order by since desc, tenant_id, selector
limit 100`, own.Address[strings.LastIndexByte(own.Address, '@')+1:])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mail: keys of the operator: %w", err)
	}
	return all, nil
}

// Signer returns what signs mail of a tenant from that sender, with or without a
// name: the tenant's key for the domain, and for the sender that the operator
// configured anybody's. A tenant never signs for a domain of another one. Nil
// means that mail goes out unsigned, because there is no key or it cannot be used
// at the moment, which the log says.
func (r *Keyring) Signer(ctx context.Context, tenant, from string) *DKIM {
	own, err := parseFrom(from)
	if err != nil {
		return nil
	}
	domain := own.Address[strings.LastIndexByte(own.Address, '@')+1:]
	operators := false
	if configured, err := parseFrom(r.Own); err == nil {
		operators = configured.Address == own.Address
	}
	var k SigningKey
	err = r.DB.View(ctx, func(tx *db.Tx) error {
		if k, err = signingKey(ctx, tx, tenant, domain); errors.Is(err, fault.NotFound) && operators {
			k, err = anySigningKey(ctx, tx, domain)
		}
		return err
	})
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err == nil {
		var d *DKIM
		if d, err = r.open(ctx, k); err == nil {
			return d
		}
	}
	r.Log.Warn("mail goes out unsigned", "tenant", tenant, "error", err)
	return nil
}

// open unseals a key.
func (r *Keyring) open(ctx context.Context, k SigningKey) (*DKIM, error) {
	box, err := r.Key(ctx, k.Tenant)
	if err != nil {
		return nil, err
	}
	plain, err := seal.Open(box.Derive("dkim"), keyPlace(k), k.private)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, errors.New("mail: key does not parse")
	}
	pair, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("mail: key of another kind")
	}
	return NewDKIM(k.Domain, func(err error) { r.Log.Warn("mail goes out unsigned", "tenant", k.Tenant, "error", err) }, DKIMKey{k.Selector, pair})
}

const selectKey = `
select tenant_id, domain, selector, private, public, made_at, since
from mail_dkim`

func scanKey(row db.Scanner) (k SigningKey, err error) {
	var made, since int64
	err = row.Scan(&k.Tenant, &k.Domain, &k.Selector, &k.private, &k.Public, &made, &since)
	k.Made, k.Since = db.Time(made), db.Time(since)
	return k, err
}

func keysFor(ctx context.Context, tx *db.Tx, tenant, domain string) ([]SigningKey, error) {
	return db.Collect(ctx, tx, scanKey, selectKey+`
where tenant_id = $1 and domain = $2
order by selector
limit 100`, tenant, domain)
}

func signingKey(ctx context.Context, tx *db.Tx, tenant, domain string) (SigningKey, error) {
	return scanKey(tx.QueryRow(ctx, selectKey+`
where tenant_id = $1 and domain = $2 and since > 0
order by since desc, selector
limit 1`, tenant, domain))
}

// anySigningKey is of any tenant: it signs for the operator.
func anySigningKey(ctx context.Context, tx *db.Tx, domain string) (SigningKey, error) {
	return scanKey(tx.QueryRow(ctx, selectKey+`
where domain = $1 and since > 0
order by since desc, tenant_id, selector
limit 1`, domain))
}

func putKey(ctx context.Context, tx *db.Tx, k SigningKey) error {
	_, err := tx.Exec(ctx, `
insert into mail_dkim (tenant_id, domain, selector, private, public, made_at, since)
values ($1, $2, $3, $4, $5, $6, $7)`, k.Tenant, k.Domain, k.Selector, k.private, k.Public, db.Millis(k.Made), db.Millis(k.Since))
	return err
}
