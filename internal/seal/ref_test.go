package seal_test

// This file is a second implementation of docs/format.md, written from that
// page in a straight line. It must not use the package under test; the only
// shared code is the standard library's primitives. Section numbers are those
// of the page.

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

var errRef = errors.New("reference: refused")

// Section 1.

func refMAC(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

func refExpand(prk, info []byte, n int) []byte {
	var out, t []byte
	for i := byte(1); len(out) < n; i++ {
		t = refMAC(prk, t, info, []byte{i})
		out = append(out, t...)
	}
	return out[:n]
}

func refHKDF(key, salt []byte, label string, context []byte, n int) []byte {
	if len(salt) == 0 {
		salt = make([]byte, 32)
	}
	return refExpand(refMAC(salt, key), append(append([]byte(label), 0), context...), n)
}

func refStr(s string) []byte {
	n := len(s)
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, s...)
}

func refGCM(key []byte) cipher.AEAD {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	g, err := cipher.NewGCM(b)
	if err != nil {
		panic(err)
	}
	return g
}

func refDerive(key []byte, label string) []byte {
	return refHKDF(key, nil, "poststelle/seal/1/derive", []byte(label), 32)
}

// Section 2.

type refPlace [3]string // tenant, message, part

func (p refPlace) bytes() []byte {
	return bytes.Join([][]byte{{1, 1}, refStr(p[0]), refStr(p[1]), refStr(p[2])}, nil)
}

func refPad(l int64) int64 {
	if l <= 256 {
		return 256
	}
	e := math.Floor(math.Log2(float64(l)))
	s := math.Floor(math.Log2(e)) + 1
	m := int64(math.Pow(2, e-s))
	return (l + m - 1) / m * m
}

func refHeader(salt []byte) []byte { return append([]byte{1, 1}, salt...) }

func refNonceAD(p refPlace, index uint64, final byte) (nonce, ad []byte) {
	i := binary.BigEndian.AppendUint64(nil, index)
	nonce = append(append(make([]byte, 3), i...), final)
	ad = append(append(p.bytes(), i...), final)
	return nonce, ad
}

func refSealChunk(key, salt []byte, p refPlace, index uint64, final byte, count uint32, payload []byte) []byte {
	sk := refHKDF(key, salt, "poststelle/seal/1/stream", p.bytes(), 32)
	nonce, ad := refNonceAD(p, index, final)
	return refGCM(sk).Seal(nil, nonce, append(binary.BigEndian.AppendUint32(nil, count), payload...), ad)
}

func refSeal(key, salt []byte, p refPlace, text []byte) []byte {
	total := refPad(int64(len(text)))
	padded := append(bytes.Clone(text), make([]byte, total-int64(len(text)))...)
	out := refHeader(salt)
	left := len(text)
	for i := uint64(0); len(padded) > 0; i++ {
		size := min(65536, len(padded))
		real := min(left, size)
		var final byte
		if size == len(padded) {
			final = 1
		}
		out = append(out, refSealChunk(key, salt, p, i, final, uint32(real), padded[:size])...)
		padded, left = padded[size:], left-real
	}
	return out
}

func refOpen(key []byte, p refPlace, sealed []byte) ([]byte, error) {
	if len(sealed) < 18 || sealed[0] != 1 || sealed[1] != 1 {
		return nil, errRef
	}
	g := refGCM(refHKDF(key, sealed[2:18], "poststelle/seal/1/stream", p.bytes(), 32))
	rest := sealed[18:]
	var text []byte
	var payloads int64
	short := false
	for i := uint64(0); ; i++ {
		chunk, final := rest, byte(1)
		if len(rest) > 65556 {
			chunk, final = rest[:65556], 0
		}
		rest = rest[len(chunk):]
		nonce, ad := refNonceAD(p, i, final)
		plain, err := g.Open(nil, nonce, chunk, ad)
		if err != nil || len(plain) < 5 {
			return nil, errRef
		}
		count, payload := int64(binary.BigEndian.Uint32(plain)), plain[4:]
		if count > int64(len(payload)) || short && count != 0 || bytes.Count(payload[count:], []byte{0}) != len(payload)-int(count) {
			return nil, errRef
		}
		text = append(text, payload[:count]...)
		payloads += int64(len(payload))
		short = count < 65536
		if final == 1 {
			if payloads != refPad(int64(len(text))) {
				return nil, errRef
			}
			return text, nil
		}
		if short && payloads >= refPad(int64(len(text))) {
			return nil, errRef
		}
	}
}

// Section 3.

func refUnwrap(kek, wrapped []byte, ad string) ([]byte, error) {
	if len(wrapped) != 60 {
		return nil, errRef
	}
	return refGCM(refHKDF(kek, nil, "poststelle/seal/1/wrap", nil, 32)).Open(nil, wrapped[:12], wrapped[12:], []byte(ad))
}

// Section 4, without crypto/hpke.

func refPrivate(private []byte) (*mlkem.DecapsulationKey768, *ecdh.PrivateKey, error) {
	if len(private) != 33 || private[0] != 1 {
		return nil, nil, errRef
	}
	x := sha3.NewSHAKE256()
	x.Write(private[1:])
	seed := make([]byte, 64)
	x.Read(seed)
	pq, err := mlkem.NewDecapsulationKey768(seed)
	if err != nil {
		return nil, nil, err
	}
	for {
		scalar := make([]byte, 32)
		x.Read(scalar)
		if ec, err := ecdh.P256().NewPrivateKey(scalar); err == nil {
			return pq, ec, nil
		}
	}
}

func refPublic(private []byte) ([]byte, error) {
	pq, ec, err := refPrivate(private)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{{1}, pq.EncapsulationKey().Bytes(), ec.PublicKey().Bytes()}, nil), nil
}

func refOpenBox(private, box []byte, aad string) ([]byte, error) {
	pq, ec, err := refPrivate(private)
	if err != nil || len(box) < 1156+16 || box[0] != 1 {
		return nil, errRef
	}
	ctPQ, ctEC, place, ct := box[1:1089], box[1089:1154], box[1154:1156], box[1156:]
	ssPQ, err := pq.Decapsulate(ctPQ)
	if err != nil {
		return nil, err
	}
	point, err := ecdh.P256().NewPublicKey(ctEC)
	if err != nil {
		return nil, err
	}
	ssEC, err := ec.ECDH(point)
	if err != nil {
		return nil, err
	}
	shared := sha3.Sum256(bytes.Join([][]byte{ssPQ, ssEC, ctEC, ec.PublicKey().Bytes(), []byte("MLKEM768-P256")}, nil))

	suite := []byte("HPKE\x00\x50\x00\x01\xff\xff")
	extract := func(salt []byte, label string, ikm []byte) []byte {
		if salt == nil {
			salt = make([]byte, 32)
		}
		return refMAC(salt, []byte("HPKE-v1"), suite, []byte(label), ikm)
	}
	context := bytes.Join([][]byte{{0}, extract(nil, "psk_id_hash", nil), extract(nil, "info_hash", []byte("poststelle/seal/1/box"))}, nil)
	secret := extract(shared[:], "secret", nil)
	expand := func(secret []byte, label string, info []byte) []byte {
		return refExpand(secret, bytes.Join([][]byte{{0, 32}, []byte("HPKE-v1"), suite, []byte(label), info}, nil), 32)
	}
	key := expand(expand(secret, "exp", context), "sec", place)
	return refGCM(key).Open(nil, make([]byte, 12), ct, []byte(aad))
}

// Section 5.

const refAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func refToken(text string) (code string, submit []byte, err error) {
	if len(text) != 26 || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", nil, errRef
	}
	n := new(big.Int).SetBytes(refHKDF([]byte(text), nil, "poststelle/seal/1/code", nil, 15))
	n.Rsh(n, 5)
	var d [24]int
	for i := 22; i >= 0; i-- {
		d[i] = int(new(big.Int).And(n, big.NewInt(31)).Int64())
		n.Rsh(n, 5)
	}
	for d[23] = 0; refCheck(d) != 0; d[23]++ {
	}
	for _, v := range d {
		code += refAlphabet[v : v+1]
	}
	return code, refHKDF([]byte(text), nil, "poststelle/seal/1/submit", nil, 32), nil
}

// refCheck is the sum, with the powers of x by table instead of Horner.
func refCheck(d [24]int) int {
	sum := 0
	for i, v := range d {
		for range 23 - i {
			v *= 2
			if v >= 32 {
				v ^= 0b100101
			}
		}
		sum ^= v
	}
	return sum
}

// refCode accepts codes whose separators are blanks, dashes and minus only.
func refCode(typed string) (code string, lookup, wrapkey []byte, err error) {
	s := strings.NewReplacer(" ", "", "-", "", "–", "", "—", "", "‐", "", "‑", "", "−", "", "_", "", "\u00a0", "", "\u202f", "", "\u00ad", "", "\u200b", "",
		"\t", "", "\n", "", "\r", "").Replace(typed)
	var d [24]int
	n := 0
	if len(typed) > 256 {
		return "", nil, nil, errRef
	}
	for _, r := range s {
		if r >= 0xff01 && r <= 0xff5e {
			r = r - 0xff01 + 0x21
		}
		c := strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(string(r)))
		v := strings.Index(refAlphabet, c)
		if v < 0 || n == 24 {
			return "", nil, nil, errRef
		}
		d[n] = v
		code += c
		n++
	}
	if n != 24 || refCheck(d) != 0 {
		return "", nil, nil, errRef
	}
	return code, refHKDF([]byte(code), nil, "poststelle/seal/1/lookup", nil, 32), refHKDF([]byte(code), nil, "poststelle/seal/1/code-key", nil, 32), nil
}

// Sections 6 and 7: opens receipts that are well-formed; what is not canonical
// is the strict parser's business.
func refReceipt(text string, authority []byte) error {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r", "")
	var body strings.Builder
	v := map[string]string{}
	for line := range strings.SplitSeq(strings.Trim(text, " \t\n"), "\n") {
		line = strings.TrimRight(line, " \t")
		if label, value, ok := strings.Cut(line, ": "); ok {
			v[label] = value
		}
		if !strings.HasPrefix(line, "Unterschrift") && !strings.HasPrefix(line, "----- ENDE") {
			body.WriteString(line + "\n")
		}
	}
	bin := func(labels ...string) (b []byte) {
		for _, l := range labels {
			x, _ := hex.DecodeString(v[l])
			b = append(b, x...)
		}
		return b
	}
	if !bytes.Equal(bin("Schluessel der Behoerde"), authority) {
		return errors.New("authority")
	}
	sum := sha256.Sum256(append([]byte("poststelle/seal/1/fingerprint\x00"), authority...))
	finger := ""
	for i := 0; i < 20; i += 2 {
		finger += fmt.Sprintf(" %X", sum[i:i+2])
	}
	if finger != " "+v["Fingerabdruck"] {
		return errors.New("form")
	}
	day := bin("Tagesschluessel")
	cert := bytes.Join([][]byte{[]byte("poststelle/seal/1/day-certificate\x00"), refStr(v["Zertifikat fuer"]), []byte(v["Zertifikat Tag"]), day, authority}, nil)
	if len(day) != 32 || !ed25519.Verify(authority, cert, bin("Zertifikat 1/2", "Zertifikat 2/2")) {
		return errors.New("certificate")
	}
	if v["Zertifikat fuer"] != v["Behoerde Kennung"] {
		return errors.New("tenant")
	}
	at, err1 := time.Parse(time.RFC3339Nano, v["Eingang (UTC)"])
	start, err2 := time.Parse(time.DateOnly, v["Zertifikat Tag"])
	if err1 != nil || err2 != nil {
		return errors.New("form")
	}
	if d := at.Sub(start); d < -15*time.Minute || d >= 24*time.Hour+15*time.Minute {
		return errors.New("day")
	}
	if !ed25519.Verify(day, []byte("poststelle/seal/1/receipt\x00"+body.String()), bin("Unterschrift 1/2", "Unterschrift 2/2")) {
		return errors.New("signature")
	}
	return nil
}
