package mail_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"poststelle/internal/db"
	"poststelle/internal/db/dbtest"
	"poststelle/internal/fault"
	"poststelle/internal/mail"
	"poststelle/internal/seal"
)

// ring is a keyring on a real database. Its clock stands still until moved.
type ring struct {
	*mail.Keyring
	t    *testing.T
	url  string
	now  time.Time
	logs bytes.Buffer
	away bool // the vault does not answer
}

func newRing(t *testing.T) *ring {
	t.Helper()
	r := &ring{t: t, now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), url: dbtest.URL(t)}
	d := dbtest.Open(t, db.Config{URL: r.url, Now: func() time.Time { return r.now }})
	if err := d.Migrate(t.Context(), mail.Migrations()); err != nil {
		t.Fatal(err)
	}
	box := map[string]seal.Key{"a": seal.NewKey(), "b": seal.NewKey()}
	r.Keyring = &mail.Keyring{
		DB: d, Own: "Poststelle <post@betreiber.example>", Log: slog.New(slog.NewTextHandler(&r.logs, nil)),
		Key: func(_ context.Context, of string) (seal.Key, error) {
			if r.away {
				return seal.Key{}, fault.Unavailable
			}
			return box[of], nil
		},
	}
	return r
}

func (r *ring) make(of, domain string) mail.SigningKey {
	r.t.Helper()
	k, err := r.Make(r.t.Context(), of, domain, func(*db.Tx, mail.SigningKey) error { return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

func (r *ring) signer(of, from string) *mail.DKIM { return r.Signer(r.t.Context(), of, from) }

// holds reports whether every signature of a message holds with the records that
// are published, and of which selector they are.
func holds(t *testing.T, raw []byte, published ...mail.SigningKey) (ok bool, selectors []string) {
	t.Helper()
	all, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		for _, k := range published {
			if k.Name() == name {
				return []string{k.Record()}, nil
			}
		}
		return nil, errors.New("no such name")
	}})
	if err != nil {
		t.Fatal(err)
	}
	ok = len(all) > 0
	for _, v := range all {
		ok = ok && v.Err == nil
		selectors = append(selectors, v.Domain)
	}
	return ok, selectors
}

func written(t *testing.T, m mail.Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := mail.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Who signs for whom: a tenant for its own domains, anybody for the sender of the
// operator, nobody for a domain of somebody else.
func TestKeyring_Signer(t *testing.T) {
	r := newRing(t)
	own, operators := r.make("a", "Stadt-A.example"), r.make("b", "betreiber.example")
	if own.Domain != "stadt-a.example" || own.Since.IsZero() || !strings.HasPrefix(own.Name(), "ps261122-") {
		t.Errorf("key: %+v", own)
	}
	for _, c := range []struct {
		of, from string
		by       *mail.SigningKey
	}{
		{"a", "Stadt A <news@stadt-a.example>", &own},
		{"a", "news@sub.stadt-a.example", nil},
		{"b", "news@stadt-a.example", nil}, // of another tenant
		{"a", "post@betreiber.example", &operators},
		{"", "Name <post@betreiber.example>", &operators},
		{"a", "chef@betreiber.example", nil}, // not the sender that was configured
		{"a", "niemand", nil},
	} {
		d := r.signer(c.of, c.from)
		if (d == nil) != (c.by == nil) {
			t.Errorf("Signer(%q, %q) = %v", c.of, c.from, d)
		}
		if d == nil {
			continue
		}
		raw := written(t, mail.Message{From: c.from, To: "anna@post.example", Subject: "Grüße", Text: "Guten Tag", HTML: "<p>Guten Tag", ID: "1", At: r.now, DKIM: d})
		if ok, by := holds(t, raw, *c.by); !ok || by[0] != c.by.Domain {
			t.Errorf("mail of %q from %q: holds %v, signed by %v", c.of, c.from, ok, by)
		}
		if ok, _ := holds(t, bytes.Replace(raw, []byte("anna@"), []byte("bnna@"), 1), *c.by); ok {
			t.Error("a changed recipient goes unnoticed")
		}
		if ok, _ := holds(t, append([]byte("From: x@evil.example\r\n"), raw...), *c.by); ok {
			t.Error("a second From goes unnoticed")
		}
	}
}

// A new key waits until it takes over; from then on it alone signs.
func TestKeyring_Rotate(t *testing.T) {
	r := newRing(t)
	old := r.make("a", "stadt-a.example")
	r.now = r.now.AddDate(1, 0, 0)
	fresh := r.make("a", "stadt-a.example")
	m := mail.Message{From: "news@stadt-a.example", To: "anna@post.example", Subject: "x", Text: "x", ID: "1", At: r.now}
	signedBy := func(k mail.SigningKey) bool {
		t.Helper()
		m.DKIM = r.signer("a", m.From)
		ok, _ := holds(t, written(t, m), k)
		return ok
	}
	if !fresh.Since.IsZero() || !signedBy(old) {
		t.Errorf("the new key signs before it took over: %+v", fresh)
	}
	all, err := r.Keys(t.Context(), "a")
	if err != nil || len(all) != 2 || all[0].Selector != old.Selector {
		t.Fatalf("Keys() = %+v, %v", all, err)
	}
	never := errors.New("never")
	if err := r.TakeOver(t.Context(), fresh, func(*db.Tx) error { return never }); !errors.Is(err, never) || !signedBy(old) {
		t.Errorf("TakeOver() = %v, half done", err)
	}
	if err := r.TakeOver(t.Context(), fresh, func(*db.Tx) error { return nil }); err != nil || !signedBy(fresh) {
		t.Errorf("TakeOver() = %v", err)
	}
	if err := r.TakeOver(t.Context(), old, func(*db.Tx) error { return nil }); !errors.Is(err, fault.NotFound) {
		t.Errorf("TakeOver() of a deleted key = %v, want NotFound", err)
	}
	for _, domain := range []string{"", "stadt", "a b.example", "x@y.example", "stadt.example\r\nx"} {
		if _, err := r.Make(t.Context(), "a", domain, nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("Make(%q) = %v, want Invalid", domain, err)
		}
	}
}

// A key that cannot be opened stops no mail; the log says so, without the sender.
func TestKeyring_Unusable(t *testing.T) {
	r := newRing(t)
	r.make("a", "stadt-a.example")
	r.make("b", "stadt-a.example")
	r.away = true
	if d := r.signer("a", "info@stadt-a.example"); d != nil || !strings.Contains(r.logs.String(), "unsigned") || strings.Contains(r.logs.String(), "info@") {
		t.Errorf("Signer() without the vault = %v, log %q", d, r.logs.String())
	}
	r.away = false
	// A key in the row of another tenant opens for nobody.
	err := r.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update mail_dkim set private = (select m.private from mail_dkim m where m.tenant_id = $1) where tenant_id = $2`, "b", "a")
		return err
	})
	if d := r.signer("a", "info@stadt-a.example"); err != nil || d != nil {
		t.Errorf("Signer() of a moved key = %v, %v", d, err)
	}
}

// No private key stands in the database in the clear.
func TestKeyring_Sealed(t *testing.T) {
	r := newRing(t)
	k := r.make("a", "stadt-a.example")
	var private []byte
	err := r.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select private from mail_dkim where tenant_id = $1`, "a").Scan(&private)
	})
	if err != nil || len(private) < 1000 || bytes.Contains(private, k.Public[40:60]) || bytes.Contains(private, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")) {
		t.Errorf("the private key is no ciphertext: %d bytes, %v", len(private), err)
	}
}
