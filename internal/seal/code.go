package seal

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"unicode"
)

var (
	// ErrCode reports text that is no collection code. It is the same error
	// for a wrong length, a wrong character and a wrong check character.
	ErrCode = errors.New("seal: not a collection code")
	// ErrToken reports text that is no token.
	ErrToken = errors.New("seal: not a token")
)

const (
	tokenSize = 26 // base32, 130 bits
	codeSize  = 24 // 23 characters of 5 bits and a check character
	crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	// maxCodeInput bounds what ParseCode looks at: a code with a separator of
	// three bytes after each character, and room.
	maxCodeInput = 256
)

// Token is the random value (130 bits) that a check page carries. From it
// follow the collection code and the submit id, so that a repeated submit finds
// the same message and shows the same code. A token is worth the code: it goes
// into a hidden field or the session, never into a URL or a log.
type Token string

// NewToken draws a token at random.
func NewToken() Token { return Token(rand.Text()) }

// ParseToken accepts exactly what NewToken returns: 26 characters A-Z and 2-7.
func ParseToken(s string) (Token, error) {
	if len(s) != tokenSize {
		return "", ErrToken
	}
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return "", ErrToken
		}
	}
	return Token(s), nil
}

// Code returns the collection code that belongs to t.
func (t Token) Code() Code {
	bits := derive([]byte(t), nil, labelCode, "", 15)
	var c [codeSize]byte
	var sum byte
	for i := range codeSize - 1 {
		v := five(bits, i*5)
		sum = times2(sum) ^ v
		c[i] = crockford[v]
	}
	c[codeSize-1] = crockford[times2(sum)]
	return Code(c[:])
}

// SubmitID returns 32 bytes that name the submit: the same for a repeated one,
// and of no help to who seeks the code.
func (t Token) SubmitID() []byte { return derive([]byte(t), nil, labelSubmit, "", 32) }

// LogValue returns "[secret]".
func (Token) LogValue() slog.Value { return slog.StringValue(secret) }

// five returns the five bits of b from bit at, counted from the highest of b[0].
func five(b []byte, at int) byte {
	w := uint16(b[at/8]) << 8
	if at/8+1 < len(b) {
		w |= uint16(b[at/8+1])
	}
	return byte(w>>(11-at%8)) & 31
}

// times2 multiplies by x in GF(32) = GF(2)[x]/(x^5+x^2+1).
func times2(v byte) byte {
	v <<= 1
	return v ^ (v>>5)*0x25
}

// Code is a collection code in its canonical form: 24 characters of Crockford's
// base32, the last of which makes the sum of character i times x^(23-i) in
// GF(32) zero. As x has order 31, all weights differ and none is zero: every
// single wrong character and every swap of two is noticed.
//
// A code opens the thread. It is shown to its owner and nobody else.
type Code string

// ParseCode reads a code as people type it: in any case, with O for 0 and I or
// L for 1, full-width, and with any spaces, dashes and invisible characters
// between. It fails with ErrCode.
func ParseCode(s string) (Code, error) {
	if len(s) > maxCodeInput {
		return "", ErrCode
	}
	var c [codeSize]byte
	var sum byte
	n := 0
	for _, r := range s {
		if separator(r) {
			continue
		}
		v := value(r)
		if v < 0 || n == codeSize {
			return "", ErrCode
		}
		c[n] = crockford[v]
		sum = times2(sum) ^ byte(v)
		n++
	}
	if n != codeSize || sum != 0 {
		return "", ErrCode
	}
	return Code(c[:]), nil
}

// separator reports runes that mean nothing in a code: white space, dashes,
// the minus sign, and what copying leaves behind (soft hyphen, zero width
// marks).
func separator(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf) || r == '\u2212' || r == '_'
}

// value returns the five bits of a typed character, or -1.
func value(r rune) int {
	if r >= 0xFF01 && r <= 0xFF5E { // full-width forms of ASCII
		r -= 0xFF01 - '!'
	}
	if r >= 'a' && r <= 'z' {
		r -= 'a' - 'A'
	}
	switch r {
	case 'O':
		return 0
	case 'I', 'L':
		return 1
	}
	return strings.IndexRune(crockford, r)
}

// String returns the code as it is shown: six groups of four, with dashes.
func (c Code) String() string {
	var b strings.Builder
	for i := range len(c) {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(c[i])
	}
	return b.String()
}

// LogValue returns "[secret]".
func (Code) LogValue() slog.Value { return slog.StringValue(secret) }

// LookupID returns the 32 bytes by which the vault finds the thread. They do
// not lead to the code or to WrapKey.
func (c Code) LookupID() []byte { return derive([]byte(c), nil, labelLookup, "", 32) }

// WrapKey returns the key under which the thread key is wrapped for the holder
// of the code.
func (c Code) WrapKey() Key { return Key(derive([]byte(c), nil, labelCodeKey, "", 32)) }
