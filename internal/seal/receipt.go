package seal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

var (
	// ErrReceipt reports text that is no receipt in its one canonical form, or
	// a Receipt or Certificate with a value that such a form cannot hold.
	ErrReceipt = errors.New("seal: not a receipt")
	// ErrSignature reports a receipt that was not signed by its day key: it was
	// changed after signing or made up.
	ErrSignature = errors.New("seal: receipt: bad signature")
	// ErrCertificate reports a day key that the authority did not certify for
	// that tenant and day.
	ErrCertificate = errors.New("seal: receipt: bad certificate")
	// ErrTenant reports a certificate that was issued for another tenant.
	ErrTenant = errors.New("seal: receipt: certificate of another tenant")
	// ErrDay reports a receipt whose instant is not on the certificate's day.
	ErrDay = errors.New("seal: receipt: not on the day of its certificate")
	// ErrAuthority reports a receipt of an authority other than the expected.
	ErrAuthority = errors.New("seal: receipt: unknown authority")
)

// DayTolerance is how far outside its certificate's day (UTC) a receipt may
// lie, so that a submit around midnight does not fail.
const DayTolerance = 15 * time.Minute

// maxFiles bounds the list of files of a receipt.
const maxFiles = 1000

// Receipt is what an authority confirms: that it holds a text and files with
// these hashes since this instant. It names no sender, no content, no file.
type Receipt struct {
	Tenant      string    // id of the authority: printable ASCII without blanks, 1 to 64
	TenantName  string    // as shown
	ARS         string    // Amtlicher Regionalschlüssel, 2 to 12 digits; may be empty
	Mailbox     string    // id of the mailbox, as Tenant
	MailboxName string    // as shown
	Case        string    // case number; may be empty
	At          time.Time // instant of receipt; SignReceipt cuts it to milliseconds, UTC
	Text        [32]byte  // SHA-256 of the text
	Files       []ReceiptFile
}

// ReceiptFile is one file of a Receipt, in the order of sending.
type ReceiptFile struct {
	Size   int64 // bytes
	SHA256 [32]byte
}

// Fingerprint names an authority's long-term key so that people can compare it.
type Fingerprint [20]byte

// FingerprintOf returns the fingerprint of an authority's key.
func FingerprintOf(authority ed25519.PublicKey) Fingerprint {
	sum := sha256.Sum256(append([]byte(labelFinger+"\x00"), authority...))
	return Fingerprint(sum[:20])
}

// String returns ten groups of four hexadecimal digits, with blanks between.
func (f Fingerprint) String() string {
	b := make([]byte, 0, 49)
	for i := 0; i < len(f); i += 2 {
		if i > 0 {
			b = append(b, ' ')
		}
		b = fmt.Appendf(b, "%04X", uint16(f[i])<<8|uint16(f[i+1]))
	}
	return string(b)
}

// ParseFingerprint reads what Fingerprint.String returned, or fails with
// ErrReceipt.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	var raw []byte
	for i := range len(s) {
		if i%5 != 4 {
			raw = append(raw, s[i])
		}
	}
	b, err := hex.DecodeString(string(raw))
	if err != nil || len(b) != len(f) {
		return f, fmt.Errorf("%w: fingerprint", ErrReceipt)
	}
	f = Fingerprint(b)
	if f.String() != s {
		return Fingerprint{}, fmt.Errorf("%w: fingerprint", ErrReceipt)
	}
	return f, nil
}

// Certificate is the authority's word that a day key signs for a tenant on one
// day. It is public.
type Certificate struct {
	Tenant    string
	Day       string            // 2006-01-02, UTC
	Key       ed25519.PublicKey // of the day
	Authority ed25519.PublicKey // long-term
	Signature []byte            // of the authority over the above
}

// signed returns the bytes that the authority signs.
func (c Certificate) signed() []byte {
	b := []byte(labelDay + "\x00")
	b = appendString(b, c.Tenant)
	b = append(b, c.Day...)
	b = append(b, c.Key...)
	return append(b, c.Authority...)
}

// Certify lets the authority's long-term key certify the day key for a tenant
// on a day (2006-01-02, UTC). It fails with ErrReceipt on a malformed tenant,
// day or key.
func Certify(authority ed25519.PrivateKey, tenant, day string, dayKey ed25519.PublicKey) (Certificate, error) {
	if len(authority) != ed25519.PrivateKeySize {
		return Certificate{}, fmt.Errorf("%w: authority's key", ErrReceipt)
	}
	c := Certificate{Tenant: tenant, Day: day, Key: dayKey, Authority: authority.Public().(ed25519.PublicKey)}
	c.Signature = ed25519.Sign(authority, c.signed())
	if err := c.wellFormed(); err != nil {
		return Certificate{}, err
	}
	return c, nil
}

// wellFormed checks the shape of every value, and no signature.
func (c Certificate) wellFormed() error {
	switch {
	case !isID(c.Tenant):
		return fmt.Errorf("%w: certificate's tenant", ErrReceipt)
	case len(c.Key) != ed25519.PublicKeySize, len(c.Authority) != ed25519.PublicKeySize, len(c.Signature) != ed25519.SignatureSize:
		return fmt.Errorf("%w: certificate's keys", ErrReceipt)
	}
	if _, err := time.Parse(time.DateOnly, c.Day); err != nil {
		return fmt.Errorf("%w: certificate's day", ErrReceipt)
	}
	return nil
}

// Verify checks that the authority signed c. Whether the authority is the
// expected one is for the caller to see. It fails with ErrReceipt or
// ErrCertificate.
func (c Certificate) Verify() error {
	if err := c.wellFormed(); err != nil {
		return err
	}
	if !ed25519.Verify(c.Authority, c.signed(), c.Signature) {
		return ErrCertificate
	}
	return nil
}

// holds reports whether at lies on the certificate's day, with DayTolerance.
func (c Certificate) holds(at time.Time) bool {
	day, err := time.Parse(time.DateOnly, c.Day)
	return err == nil && !at.Before(day.Add(-DayTolerance)) && at.Before(day.AddDate(0, 0, 1).Add(DayTolerance))
}

// covers checks that a receipt with these values may rest on c.
func (c Certificate) covers(r Receipt) error {
	if c.Tenant != r.Tenant {
		return ErrTenant
	}
	if !c.holds(r.At) {
		return ErrDay
	}
	return nil
}

// DaySigner signs the receipts of one tenant on one day. It prints as
// "[secret]".
type DaySigner struct {
	Key         ed25519.PrivateKey
	Certificate Certificate
	verified    bool // NewDaySigner has checked the certificate
}

// NewDaySigner returns a signer whose certificate has been verified, so that
// each receipt need not do it again; ErrCertificate when it does not hold.
// Neither value may be changed afterwards.
func NewDaySigner(key ed25519.PrivateKey, c Certificate) (DaySigner, error) {
	if err := c.Verify(); err != nil {
		return DaySigner{}, err
	}
	if len(key) != ed25519.PrivateKeySize || !c.Key.Equal(key.Public()) {
		return DaySigner{}, fmt.Errorf("%w: not of this day key", ErrCertificate)
	}
	return DaySigner{Key: key, Certificate: c, verified: true}, nil
}

// String returns "[secret]".
func (DaySigner) String() string { return secret }

// GoString returns "[secret]".
func (DaySigner) GoString() string { return secret }

// Format writes "[secret]" whatever the verb.
func (DaySigner) Format(f fmt.State, _ rune) { f.Write([]byte(secret)) }

// LogValue returns "[secret]".
func (DaySigner) LogValue() slog.Value { return slog.StringValue(secret) }

// SignReceipt returns the signed text of r. It fails with ErrReceipt when a
// value does not fit the form, and with ErrTenant, ErrDay or ErrCertificate
// when the signer may not sign r.
func SignReceipt(s DaySigner, r Receipt) (string, error) {
	r.At = r.At.UTC().Truncate(time.Millisecond)
	if err := r.wellFormed(); err != nil {
		return "", err
	}
	if !s.verified {
		if _, err := NewDaySigner(s.Key, s.Certificate); err != nil {
			return "", err
		}
	}
	if err := s.Certificate.covers(r); err != nil {
		return "", err
	}
	p := ParsedReceipt{Receipt: r, Certificate: s.Certificate}
	p.Signature = ed25519.Sign(s.Key, p.signed())
	return p.text(), nil
}

// ParsedReceipt is a receipt that was read. Nothing in it is proven before
// Verify.
type ParsedReceipt struct {
	Receipt
	Certificate Certificate
	Signature   []byte
}

// signed returns the bytes that the day key signs: label and canonical lines.
func (p ParsedReceipt) signed() []byte {
	return append([]byte(labelReceipt+"\x00"), p.body()...)
}

// Verify checks the chain of p from the authority's key down. It fails with
// ErrAuthority, ErrCertificate, ErrTenant, ErrDay or ErrSignature, in this
// order.
func (p ParsedReceipt) Verify(authority ed25519.PublicKey) error {
	if !authority.Equal(p.Certificate.Authority) {
		return ErrAuthority
	}
	if err := p.Certificate.Verify(); err != nil {
		return err
	}
	if err := p.Certificate.covers(p.Receipt); err != nil {
		return err
	}
	if !ed25519.Verify(p.Certificate.Key, p.signed(), p.Signature) {
		return ErrSignature
	}
	return nil
}

// VerifyReceipt parses text and checks it against the authority's long-term
// key, which must come from elsewhere than the receipt. Errors are ErrReceipt
// and those of ParsedReceipt.Verify.
func VerifyReceipt(text string, authority ed25519.PublicKey) (Receipt, error) {
	p, err := ParseReceipt(text)
	if err != nil {
		return Receipt{}, err
	}
	if err := p.Verify(authority); err != nil {
		return Receipt{}, err
	}
	return p.Receipt, nil
}

// VerifyReceiptBy is VerifyReceipt for who knows only the fingerprint of the
// authority's key, for example from its website.
func VerifyReceiptBy(text string, authority Fingerprint) (Receipt, error) {
	p, err := ParseReceipt(text)
	if err != nil {
		return Receipt{}, err
	}
	got := FingerprintOf(p.Certificate.Authority)
	if subtle.ConstantTimeCompare(got[:], authority[:]) != 1 {
		return Receipt{}, ErrAuthority
	}
	if err := p.Verify(p.Certificate.Authority); err != nil {
		return Receipt{}, err
	}
	return p.Receipt, nil
}
