package seal

import (
	"crypto/hpke"
	"errors"
	"fmt"
	"log/slog"
)

// ErrKey reports bytes that are no key of this suite, or a zero Public or
// Private.
var ErrKey = errors.New("seal: not a key of this suite")

const (
	kemEncSize    = 1088 + 65 // ML-KEM-768 ciphertext, P-256 point
	boxOverhead   = 1 + kemEncSize + tagSize
	publicKeySize = 1 + 1184 + 65
)

// Public is a key that seals boxes: HPKE (RFC 9180) with the hybrid KEM
// MLKEM768-P256, HKDF-SHA256 and AES-256-GCM. It stays secret as long as one of
// ML-KEM-768 and P-256 holds. Public and its copies may be used by several
// goroutines at once.
type Public struct{ key hpke.PublicKey }

// Private opens boxes. It prints as "[secret]".
type Private struct{ key hpke.PrivateKey }

// NewPair draws a key pair. The error is that of the system's key generation
// and does not happen in practice.
func NewPair() (Private, error) {
	k, err := hpke.MLKEM768P256().GenerateKey()
	return Private{k}, err
}

// ParsePublic reads what Public.Bytes returned, or fails with ErrKey.
func ParsePublic(b []byte) (Public, error) {
	if len(b) != publicKeySize || b[0] != suite {
		return Public{}, ErrKey
	}
	k, err := hpke.MLKEM768P256().NewPublicKey(b[1:])
	if err != nil {
		return Public{}, ErrKey
	}
	return Public{k}, nil
}

// ParsePrivate reads what Private.Bytes returned, or fails with ErrKey.
func ParsePrivate(b []byte) (Private, error) {
	if len(b) != 1+32 || b[0] != suite {
		return Private{}, ErrKey
	}
	return Private{must(hpke.MLKEM768P256().NewPrivateKey(b[1:]))}, nil // any 32 bytes are a seed
}

// Bytes returns the suite byte and the key (1250 bytes in all); nil for the
// zero value.
func (p Public) Bytes() []byte {
	if p.key == nil {
		return nil
	}
	return append([]byte{suite}, p.key.Bytes()...)
}

// Bytes returns the suite byte and the seed of the key (33 bytes in all), which
// is the secret itself; nil for the zero value.
func (p Private) Bytes() []byte {
	if p.key == nil {
		return nil
	}
	return append([]byte{suite}, must(p.key.Bytes())...)
}

// Public returns the key that seals for p; the zero Public for the zero value.
func (p Private) Public() Public {
	if p.key == nil {
		return Public{}
	}
	return Public{p.key.PublicKey()}
}

// String returns "[secret]".
func (Private) String() string { return secret }

// GoString returns "[secret]".
func (Private) GoString() string { return secret }

// Format writes "[secret]" whatever the verb.
func (Private) Format(f fmt.State, _ rune) { f.Write([]byte(secret)) }

// LogValue returns "[secret]".
func (Private) LogValue() slog.Value { return slog.StringValue(secret) }

// MarshalText always fails.
func (Private) MarshalText() ([]byte, error) { return nil, errPrint }

// SealBox seals plaintext so that only the private key opens it, and only
// together with the same ad. A box says nothing about who sealed it. It is
// 1170 bytes longer than plaintext.
func (p Public) SealBox(plaintext, ad []byte) ([]byte, error) {
	if p.key == nil {
		return nil, ErrKey
	}
	enc, s, err := hpke.NewSender(p.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(labelBox))
	if err != nil {
		return nil, fmt.Errorf("seal: box: %w", err)
	}
	ct := must(s.Seal(ad, plaintext)) // fails only after 2^96 messages
	b := make([]byte, 0, len(plaintext)+boxOverhead)
	b = append(b, suite)
	b = append(b, enc...)
	return append(b, ct...), nil
}

// OpenBox opens a box, or fails with ErrForged (ErrKey for the zero value).
func (p Private) OpenBox(box, ad []byte) ([]byte, error) {
	if p.key == nil {
		return nil, ErrKey
	}
	if len(box) < boxOverhead || box[0] != suite {
		return nil, ErrForged
	}
	r, err := hpke.NewRecipient(box[1:1+kemEncSize], p.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(labelBox))
	if err != nil {
		return nil, ErrForged
	}
	b, err := r.Open(ad, box[1+kemEncSize:])
	if err != nil {
		return nil, ErrForged
	}
	return b, nil
}
