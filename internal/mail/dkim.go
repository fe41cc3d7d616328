package mail

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// DKIM signs messages for the domain of their sender (RFC 6376), with each of its
// keys: RSA for everybody, Ed25519 (RFC 8463) for who knows it. It is safe for
// use by several goroutines.
//
// A message that cannot be signed goes out without a signature: it is worth more
// than its seal, and SPF may still speak for it.
type DKIM struct {
	domain string
	keys   []DKIMKey
	failed func(error)
}

// DKIMKey is one signing key; its public half stands in the DNS under
// Selector._domainkey.Domain.
type DKIMKey struct {
	Selector string
	Signer   crypto.Signer // *rsa.PrivateKey of at least 2048 bits, or ed25519.PrivateKey
}

// signed are the fields that a signature covers. Those of the list must be among
// them, or a mailbox provider offers no unsubscribing by one click (RFC 8058, 4).
// From stands there twice, so that none can be added (RFC 6376, 8.15).
func signed() []string {
	return []string{
		"From", "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post",
	}
}

// NewDKIM checks the keys. failed is told why a message goes out unsigned; nil
// tells nobody.
func NewDKIM(domain string, failed func(error), keys ...DKIMKey) (*DKIM, error) {
	if _, key := parseAddress("a@" + domain); key != "" || len(keys) == 0 {
		return nil, fmt.Errorf("mail: DKIM needs a domain and a key")
	}
	for _, k := range keys {
		if !fieldName(k.Selector) {
			return nil, fmt.Errorf("mail: bad DKIM selector %q", k.Selector)
		}
		switch key := k.Signer.(type) {
		case ed25519.PrivateKey:
		case *rsa.PrivateKey:
			if key.N.BitLen() < 2048 {
				return nil, fmt.Errorf("mail: the RSA key of DKIM has less than 2048 bits")
			}
		default:
			return nil, fmt.Errorf("mail: DKIM key of another kind")
		}
	}
	if failed == nil {
		failed = func(error) {}
	}
	return &DKIM{domain: domain, keys: slices.Clone(keys), failed: failed}, nil
}

// sign puts the signatures in front of the message that begins at start.
func (d *DKIM) sign(b []byte, start int) []byte {
	return slices.Insert(b, start, []byte(d.fields(b[start:]))...)
}

// fields returns the fields with the signatures of a message, each with its line
// end; of the keys that fail none.
func (d *DKIM) fields(message []byte) string {
	var head strings.Builder
	for _, k := range d.keys {
		field, err := d.field(k, message)
		if err != nil {
			d.failed(fmt.Errorf("mail: sign: %w", err))
			continue
		}
		head.WriteString(field)
	}
	return head.String()
}

func (d *DKIM) field(k DKIMKey, message []byte) (string, error) {
	s, err := dkim.NewSigner(&dkim.SignOptions{
		Domain: d.domain, Selector: k.Selector, Signer: k.Signer, Hash: crypto.SHA256, HeaderKeys: signed(),
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	})
	if err != nil {
		return "", err
	}
	if _, err := bytes.NewReader(message).WriteTo(s); err != nil {
		return "", errors.Join(err, s.Close())
	}
	if err := s.Close(); err != nil {
		return "", err
	}
	return s.Signature(), nil
}
