// Package seal is the envelope: every format in which Poststelle stores or
// hands over something that must stay secret or must be provable.
//
//   - Streams ([NewWriter], [NewReader], [Seal], [Open]) hold the parts of a
//     message: text, card, files. They are cut into chunks of 64 KiB, padded,
//     and bound to their tenant, message and part ([Place]).
//   - Wraps ([Wrap], [Unwrap]) hold one key under another.
//   - Boxes ([Public.SealBox], [Private.OpenBox], [Opener]) carry keys to the
//     vault's day key, so that intake needs no secret.
//   - Collection codes ([NewToken], [Token.Code], [ParseCode]) let a person
//     without an account come back.
//   - Receipts ([SignReceipt], [VerifyReceipt]) prove what was received when.
//
// The byte formats are written down in docs/format.md, exactly enough for a
// second implementation; testdata/vectors.json holds examples of each.
//
// # What it keeps true
//
// Nothing is handed out before its tag is checked. Whatever was changed, cut,
// extended, reordered, doubled or moved to another place gives [ErrForged],
// and so does a wrong key: the package never says which. There is exactly one
// valid encoding of a plaintext under one salt, and a decoder refuses all others. A key is
// used for one purpose only; purposes are told apart by HKDF labels.
//
// # What it does not do
//
// It stores nothing, knows no clock and no person, and does not wipe memory:
// Go may copy a key while moving a stack. It does not hide the size class of a
// stream, only the exact size (Padmé). It does not compress. Streams are not
// key-committing: whoever knows two keys can craft a stream that both open,
// which gains nothing where the key is drawn at random by the sealing side.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
)

// ErrForged reports that sealed bytes are not what was sealed, or that the key
// or the place is another one. Which of these it was is not said.
var ErrForged = errors.New("seal: forged or damaged")

// errPrint reports an attempt to serialise a secret by accident.
var errPrint = errors.New("seal: a secret refuses to be marshalled")

// The format's constants; see docs/format.md.
const (
	suite   = 1 // AES-256-GCM with HKDF-SHA256; boxes: MLKEM768-P256
	version = 1 // of the stream format

	labelDerive  = "poststelle/seal/1/derive"
	labelStream  = "poststelle/seal/1/stream"
	labelWrap    = "poststelle/seal/1/wrap"
	labelBox     = "poststelle/seal/1/box"
	labelCode    = "poststelle/seal/1/code"
	labelSubmit  = "poststelle/seal/1/submit"
	labelLookup  = "poststelle/seal/1/lookup"
	labelCodeKey = "poststelle/seal/1/code-key"
	labelDay     = "poststelle/seal/1/day-certificate"
	labelReceipt = "poststelle/seal/1/receipt"
	labelFinger  = "poststelle/seal/1/fingerprint"

	secret = "[secret]"
)

// Key is a symmetric key of 256 bits. It prints as "[secret]" and refuses to be
// marshalled as text, JSON or gob; code that must store it says so by slicing:
// k[:]. Package fmt leaves two holes that no type can close: it does not ask
// the methods of a value in an unexported field, nor for %p (which vet refuses).
// So a struct that keeps a Key in an unexported field needs a String of its own
// if it may ever be printed.
type Key [32]byte

// NewKey draws a key at random.
func NewKey() Key {
	var k Key
	rand.Read(k[:]) // never fails: crypto/rand ends the process instead
	return k
}

// Derive returns the key that belongs to label under k. Different labels give
// independent keys; from a derived key there is no way back to k.
func (k Key) Derive(label string) Key {
	return Key(derive(k[:], nil, labelDerive, label, 32))
}

// Equal compares in constant time.
func (k Key) Equal(o Key) bool { return subtle.ConstantTimeCompare(k[:], o[:]) == 1 }

// String returns "[secret]".
func (Key) String() string { return secret }

// GoString returns "[secret]".
func (Key) GoString() string { return secret }

// Format writes "[secret]" whatever the verb.
func (Key) Format(f fmt.State, _ rune) { f.Write([]byte(secret)) }

// LogValue returns "[secret]".
func (Key) LogValue() slog.Value { return slog.StringValue(secret) }

// MarshalText always fails.
func (Key) MarshalText() ([]byte, error) { return nil, errPrint }

// GobEncode always fails.
func (Key) GobEncode() ([]byte, error) { return nil, errPrint }

// Place says where a stream belongs. It is not stored in the stream; whoever
// opens it must know it, and a stream moved elsewhere does not open.
type Place struct {
	Tenant, Message, Part string
}

// encode returns suite, version and the three names, each preceded by its
// length, so that no two places share an encoding.
func (p Place) encode() []byte {
	b := make([]byte, 0, 2+3*4+len(p.Tenant)+len(p.Message)+len(p.Part)+9)
	b = append(b, suite, version)
	b = appendString(b, p.Tenant)
	b = appendString(b, p.Message)
	return appendString(b, p.Part)
}

// appendString appends the length of s (uint32, big endian) and s.
func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// derive is HKDF-SHA256 with info = label 0x00 context.
func derive(ikm, salt []byte, label, context string, size int) []byte {
	return must(hkdf.Key(sha256.New, ikm, salt, label+"\x00"+context, size))
}

// newGCM returns AES-256-GCM under key (32 bytes).
func newGCM(key []byte) cipher.AEAD {
	return must(cipher.NewGCM(must(aes.NewCipher(key))))
}

// must turns errors that only a programmer's mistake can cause (a key of the
// wrong length, a forbidden primitive in GODEBUG=fips140=only) into a panic;
// going on with a nil key would be worse.
func must[T any](v T, err error) T {
	if err != nil {
		panic("seal: " + err.Error())
	}
	return v
}
