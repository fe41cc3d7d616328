package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"poststelle/internal/seal"
)

func TestReceipt_RoundTrip(t *testing.T) {
	day := signer(t, "musterstadt", "musterstadt", "2026-11-22")
	authority := day.Certificate.Authority
	rapid.Check(t, func(t *rapid.T) {
		r := sampleReceipt()
		r.TenantName = rapid.StringMatching(`[A-ZÄÖÜ][a-zäöüß]{0,20}( [A-Z&()/.]{1,5}){0,3}`).Draw(t, "name")
		r.Case = rapid.StringMatching(`([A-Z]{2}-[0-9]{1,8}/[0-9]{2})?`).Draw(t, "case")
		r.ARS = rapid.StringMatching(`([0-9]{2,12})?`).Draw(t, "ars")
		r.At = time.UnixMilli(rapid.Int64Range(1795305600000, 1795391999999).Draw(t, "at")).UTC()
		r.Files = nil
		for range rapid.IntRange(0, 12).Draw(t, "files") {
			r.Files = append(r.Files, seal.ReceiptFile{Size: rapid.Int64Range(0, math.MaxInt64).Draw(t, "size"), SHA256: [32]byte(fixed("f", 32))})
		}
		text, err := seal.SignReceipt(day, r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := seal.VerifyReceipt(text, authority)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("VerifyReceipt: %+v, %v", got, err)
		}
		got, err = seal.VerifyReceiptBy(text, seal.FingerprintOf(authority))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("VerifyReceiptBy: %+v, %v", got, err)
		}
		if err := refReceipt(text, authority); err != nil {
			t.Fatalf("reference: %v", err)
		}
		// Whatever single byte is changed, the receipt falls.
		b := []byte(text)
		at := rapid.IntRange(0, len(b)-2).Draw(t, "byte")
		b[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if p, err := seal.ParseReceipt(string(b)); err == nil && p.Verify(authority) == nil {
			t.Fatalf("changed byte %d: still good", at)
		}
	})
}

func TestSignReceipt_CutsTheInstant(t *testing.T) {
	day := signer(t, "musterstadt", "musterstadt", "2026-11-22")
	r := sampleReceipt()
	r.At = time.Date(2026, 11, 22, 23, 30, 0, 123456789, time.FixedZone("CET", 3600))
	got, err := seal.VerifyReceipt(sign(t, day, r), day.Certificate.Authority)
	if want := time.Date(2026, 11, 22, 22, 30, 0, 123e6, time.UTC); err != nil || !got.At.Equal(want) || got.At.Location() != time.UTC {
		t.Errorf("At = %v, %v, want %v", got.At, err, want)
	}
}

func TestSignReceipt_Refuses(t *testing.T) {
	long := strings.Repeat("x", 201)
	for name, c := range map[string]struct {
		change func(*seal.DaySigner, *seal.Receipt)
		want   error
	}{
		"tenant empty":        {func(_ *seal.DaySigner, r *seal.Receipt) { r.Tenant = "" }, seal.ErrReceipt},
		"tenant with blank":   {func(_ *seal.DaySigner, r *seal.Receipt) { r.Tenant = "a b" }, seal.ErrReceipt},
		"tenant long":         {func(_ *seal.DaySigner, r *seal.Receipt) { r.Tenant = long[:65] }, seal.ErrReceipt},
		"tenant not ASCII":    {func(_ *seal.DaySigner, r *seal.Receipt) { r.Tenant = "ä" }, seal.ErrReceipt},
		"tenant DEL":          {func(_ *seal.DaySigner, r *seal.Receipt) { r.Tenant = "a\x7f" }, seal.ErrReceipt},
		"name empty":          {func(_ *seal.DaySigner, r *seal.Receipt) { r.TenantName = "" }, seal.ErrReceipt},
		"name with line":      {func(_ *seal.DaySigner, r *seal.Receipt) { r.TenantName = "a\nVorgang: b" }, seal.ErrReceipt},
		"name with separator": {func(_ *seal.DaySigner, r *seal.Receipt) { r.TenantName = "a\u2028b" }, seal.ErrReceipt},
		"name with nbsp":      {func(_ *seal.DaySigner, r *seal.Receipt) { r.TenantName = "a\u00a0b" }, seal.ErrReceipt},
		"name not UTF-8":      {func(_ *seal.DaySigner, r *seal.Receipt) { r.TenantName = "B\xfcro" }, seal.ErrReceipt},
		"name long":           {func(_ *seal.DaySigner, r *seal.Receipt) { r.TenantName = long }, seal.ErrReceipt},
		"name blank at end":   {func(_ *seal.DaySigner, r *seal.Receipt) { r.TenantName = "a " }, seal.ErrReceipt},
		"name two blanks":     {func(_ *seal.DaySigner, r *seal.Receipt) { r.TenantName = "a  b" }, seal.ErrReceipt},
		"ars one digit":       {func(_ *seal.DaySigner, r *seal.Receipt) { r.ARS = "0" }, seal.ErrReceipt},
		"ars long":            {func(_ *seal.DaySigner, r *seal.Receipt) { r.ARS = "0812345678901" }, seal.ErrReceipt},
		"ars letters":         {func(_ *seal.DaySigner, r *seal.Receipt) { r.ARS = "08x1" }, seal.ErrReceipt},
		"mailbox empty":       {func(_ *seal.DaySigner, r *seal.Receipt) { r.Mailbox = "" }, seal.ErrReceipt},
		"mailbox name empty":  {func(_ *seal.DaySigner, r *seal.Receipt) { r.MailboxName = "" }, seal.ErrReceipt},
		"case dash":           {func(_ *seal.DaySigner, r *seal.Receipt) { r.Case = "-" }, seal.ErrReceipt},
		"case with line":      {func(_ *seal.DaySigner, r *seal.Receipt) { r.Case = "a\n" }, seal.ErrReceipt},
		"instant zero":        {func(_ *seal.DaySigner, r *seal.Receipt) { r.At = time.Time{} }, seal.ErrReceipt},
		"instant far":         {func(_ *seal.DaySigner, r *seal.Receipt) { r.At = r.At.AddDate(8000, 0, 0) }, seal.ErrReceipt},
		"files many":          {func(_ *seal.DaySigner, r *seal.Receipt) { r.Files = make([]seal.ReceiptFile, 1001) }, seal.ErrReceipt},
		"file negative":       {func(_ *seal.DaySigner, r *seal.Receipt) { r.Files[0].Size = -1 }, seal.ErrReceipt},
		"other tenant":        {func(_ *seal.DaySigner, r *seal.Receipt) { r.Tenant = "nachbarstadt" }, seal.ErrTenant},
		"day before":          {func(_ *seal.DaySigner, r *seal.Receipt) { r.At = r.At.AddDate(0, 0, -1) }, seal.ErrDay},
		"day after":           {func(_ *seal.DaySigner, r *seal.Receipt) { r.At = r.At.AddDate(0, 0, 1) }, seal.ErrDay},
		"no key":              {func(s *seal.DaySigner, _ *seal.Receipt) { s.Key = nil }, seal.ErrCertificate},
		"key of other day":    {func(s *seal.DaySigner, _ *seal.Receipt) { s.Key = signer(t, "m", "m", "2026-11-23").Key }, seal.ErrCertificate},
		"no certificate":      {func(s *seal.DaySigner, _ *seal.Receipt) { s.Certificate = seal.Certificate{} }, seal.ErrReceipt},
		"certificate day":     {func(s *seal.DaySigner, _ *seal.Receipt) { s.Certificate.Day = "2026-11-23" }, seal.ErrCertificate},
	} {
		s, r := signer(t, "musterstadt", "musterstadt", "2026-11-22"), sampleReceipt()
		c.change(&s, &r)
		if text, err := seal.SignReceipt(s, r); !errors.Is(err, c.want) || text != "" {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	r := sampleReceipt()
	r.Files = make([]seal.ReceiptFile, 1000)
	r.TenantName, r.Tenant = long[:200], long[:64]
	s := signer(t, "musterstadt", r.Tenant, "2026-11-22")
	if _, err := seal.VerifyReceipt(sign(t, s, r), s.Certificate.Authority); err != nil {
		t.Errorf("the longest receipt: %v", err)
	}
}

func TestCertify_Refuses(t *testing.T) {
	a := authorityKey("musterstadt")
	day := authorityKey("day").Public().(ed25519.PublicKey)
	for name, f := range map[string]func() (seal.Certificate, error){
		"authority": func() (seal.Certificate, error) { return seal.Certify(a[:32], "m", "2026-11-22", day) },
		"tenant":    func() (seal.Certificate, error) { return seal.Certify(a, "", "2026-11-22", day) },
		"day":       func() (seal.Certificate, error) { return seal.Certify(a, "m", "2026-02-30", day) },
		"day form":  func() (seal.Certificate, error) { return seal.Certify(a, "m", "2026-2-3", day) },
		"key":       func() (seal.Certificate, error) { return seal.Certify(a, "m", "2026-11-22", day[:31]) },
	} {
		if c, err := f(); !errors.Is(err, seal.ErrReceipt) || c.Signature != nil {
			t.Errorf("Certify with bad %s: %v", name, err)
		}
	}
	c, err := seal.Certify(a, "m", "2026-11-22", day)
	if err != nil || c.Verify() != nil {
		t.Fatalf("Certify: %v, %v", err, c.Verify())
	}
	for name, change := range map[string]func(*seal.Certificate){
		"tenant":    func(c *seal.Certificate) { c.Tenant = "n" },
		"day":       func(c *seal.Certificate) { c.Day = "2026-11-23" },
		"key":       func(c *seal.Certificate) { c.Key = c.Authority },
		"authority": func(c *seal.Certificate) { c.Authority = authorityKey("n").Public().(ed25519.PublicKey) },
		"signature": func(c *seal.Certificate) { c.Signature = bytes.Repeat([]byte{1}, 64) },
	} {
		changed := c
		change(&changed)
		if err := changed.Verify(); err != seal.ErrCertificate {
			t.Errorf("certificate with other %s: %v", name, err)
		}
	}
	c.Signature = c.Signature[:63]
	if err := c.Verify(); !errors.Is(err, seal.ErrReceipt) {
		t.Errorf("certificate with short signature: %v", err)
	}
	c, _ = seal.Certify(a, "m", "2026-11-22", day)
	c.Authority = c.Authority[:31]
	if err := c.Verify(); !errors.Is(err, seal.ErrReceipt) {
		t.Errorf("certificate with short authority: %v", err)
	}
}

// TestVerifyReceipt_SignedByAuthorityForOther: values signed with all the right
// keys but for another tenant or day do not pass. Signing them needs the
// parts, since SignReceipt refuses.
func TestVerifyReceipt_Mismatch(t *testing.T) {
	day := signer(t, "musterstadt", "musterstadt", "2026-11-22")
	p, err := seal.ParseReceipt(sign(t, day, sampleReceipt()))
	if err != nil {
		t.Fatal(err)
	}
	authority := day.Certificate.Authority
	if err := p.Verify(authority); err != nil {
		t.Fatal(err)
	}
	q := p
	q.Certificate = signer(t, "musterstadt", "nachbarstadt", "2026-11-22").Certificate
	if err := q.Verify(authority); err != seal.ErrTenant {
		t.Errorf("certificate of another tenant: %v", err)
	}
	q.Certificate = signer(t, "musterstadt", "musterstadt", "2026-11-24").Certificate
	if err := q.Verify(authority); err != seal.ErrDay {
		t.Errorf("certificate of another day: %v", err)
	}
	q = p
	q.Signature = nil
	if err := q.Verify(authority); err != seal.ErrSignature {
		t.Errorf("no signature: %v", err)
	}
	if err := p.Verify(nil); err != seal.ErrAuthority {
		t.Errorf("no authority: %v", err)
	}
	if _, err := seal.VerifyReceiptBy("x", seal.Fingerprint{}); !errors.Is(err, seal.ErrReceipt) {
		t.Errorf("not a receipt: %v", err)
	}
	text := sign(t, day, sampleReceipt())
	if _, err := seal.VerifyReceiptBy(text, seal.Fingerprint{}); err != seal.ErrAuthority {
		t.Errorf("other fingerprint: %v", err)
	}
	changed := strings.Replace(text, "Bürgerbüro", "Bauamt", 1)
	if _, err := seal.VerifyReceiptBy(changed, seal.FingerprintOf(authority)); err != seal.ErrSignature {
		t.Errorf("changed: %v", err)
	}
}

func TestParseReceipt_Limits(t *testing.T) {
	text := sign(t, signer(t, "musterstadt", "musterstadt", "2026-11-22"), sampleReceipt())
	fill := strings.Repeat("\n", 256<<10-len(text))
	if _, err := seal.ParseReceipt(text + fill); err != nil {
		t.Errorf("256 KiB: %v", err)
	}
	if _, err := seal.ParseReceipt(text + fill + "\n"); !errors.Is(err, seal.ErrReceipt) {
		t.Errorf("256 KiB and a byte: %v", err)
	}
	if _, err := seal.ParseReceipt(strings.Replace(text, "Bürgerbüro", "B\xfcrgerb\xfcro", 1)); !errors.Is(err, seal.ErrReceipt) {
		t.Errorf("not UTF-8: %v", err)
	}
}

func TestFingerprint(t *testing.T) {
	f := seal.FingerprintOf(authorityKey("musterstadt").Public().(ed25519.PublicKey))
	s := f.String()
	if got, err := seal.ParseFingerprint(s); err != nil || got != f || len(s) != 49 {
		t.Errorf("ParseFingerprint(%q) = %v, %v", s, got, err)
	}
	for _, bad := range []string{"", s[:48], s + " ", strings.ToLower(s), strings.ReplaceAll(s, " ", "-"), s[:44], "G" + s[1:]} {
		if _, err := seal.ParseFingerprint(bad); !errors.Is(err, seal.ErrReceipt) {
			t.Errorf("ParseFingerprint(%q): %v", bad, err)
		}
	}
}
