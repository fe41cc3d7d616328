package vault_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"poststelle/internal/vault"
)

// device is a virtual authenticator with one discoverable ES256 passkey, as WebAuthn Level 3 has it: real keys, real signatures.
type device struct {
	t      testing.TB
	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte
	count  uint32
	step   uint32 // how much the counter rises; 0 is a device that does not count
}

// lie changes what the device or the browser in front of it would say. The zero value is honest.
type lie struct {
	origin, rp, kind string
	challenge        string // base64url
	flags            byte   // instead of user present and verified
	handle, id       []byte
	spoil            bool // flips a bit of the signature
	key              *ecdsa.PrivateKey
}

const (
	flagPresent  = 1 << 0
	flagVerified = 1 << 2
	flagAttested = 1 << 6
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newDevice(t testing.TB) *device {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 32)
	rand.Read(id)
	return &device{t: t, key: key, id: id, step: 1}
}

// options are what the device reads of an offer, for both ceremonies.
type options struct {
	Challenge string                    `json:"challenge"`
	RPID      string                    `json:"rpId"`
	RP        struct{ ID string }       `json:"rp"`
	User      struct{ ID, Name string } `json:"user"`
	Verify    string                    `json:"userVerification"`
	Allow     []any                     `json:"allowCredentials"`
	Exclude   []struct{ ID string }     `json:"excludeCredentials"`
	Select    struct {
		Verify   string `json:"userVerification"`
		Resident string `json:"residentKey"`
	} `json:"authenticatorSelection"`
}

func (d *device) options(c vault.PasskeyChallenge) (o options) {
	d.t.Helper()
	if err := json.Unmarshal(c.Options, &o); err != nil {
		d.t.Fatalf("options: %v", err)
	}
	return o
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// client is the browser's part: clientDataJSON.
func client(kind, challenge, origin string, l lie) []byte {
	raw, _ := json.Marshal(map[string]any{
		"type": either(l.kind, kind), "challenge": either(l.challenge, challenge), "origin": either(l.origin, origin), "crossOrigin": false,
	})
	return raw
}

func (d *device) data(rp string, flags byte, l lie) []byte {
	if l.flags != 0 {
		flags = l.flags | flags&flagAttested
	}
	sum := sha256.Sum256([]byte(either(l.rp, rp)))
	out := append(sum[:], flags)
	d.count += d.step
	return binary.BigEndian.AppendUint32(out, d.count)
}

// create answers an offer with New.
func (d *device) create(c vault.PasskeyChallenge, origin string, l lie) vault.PasskeyAnswer {
	d.t.Helper()
	o := d.options(c)
	d.handle, _ = base64.RawURLEncoding.DecodeString(o.User.ID)
	data := d.data(o.RP.ID, flagPresent|flagVerified|flagAttested, l)
	data = append(data, make([]byte, 16)...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(d.id)))
	data = append(append(data, d.id...), d.cose()...)
	object := []byte{0xa3} // CBOR map of three
	object = append(append(object, cborText("fmt")...), cborText("none")...)
	object = append(append(object, cborText("attStmt")...), 0xa0)
	object = append(append(object, cborText("authData")...), cborBytes(data)...)
	return d.answer(c, map[string]any{
		"clientDataJSON": b64(client("webauthn.create", o.Challenge, origin, l)), "attestationObject": b64(object), "transports": []string{"internal"},
	}, d.id)
}

// get answers an offer without New.
func (d *device) get(c vault.PasskeyChallenge, origin string, l lie) vault.PasskeyAnswer {
	d.t.Helper()
	o := d.options(c)
	data := d.data(o.RPID, flagPresent|flagVerified, l)
	said := client("webauthn.get", o.Challenge, origin, l)
	hash := sha256.Sum256(said)
	sum := sha256.Sum256(append(append([]byte(nil), data...), hash[:]...))
	key := d.key
	if l.key != nil {
		key = l.key
	}
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		d.t.Fatal(err)
	}
	if l.spoil {
		sig[len(sig)-1] ^= 1
	}
	handle, id := d.handle, d.id
	if l.handle != nil {
		handle = l.handle
	}
	if l.id != nil {
		id = l.id
	}
	return d.answer(c, map[string]any{
		"clientDataJSON": b64(said), "authenticatorData": b64(data), "signature": b64(sig), "userHandle": b64(handle),
	}, id)
}

func (d *device) answer(c vault.PasskeyChallenge, response map[string]any, id []byte) vault.PasskeyAnswer {
	raw, err := json.Marshal(map[string]any{
		"id": b64(id), "rawId": b64(id), "type": "public-key", "authenticatorAttachment": "platform", "response": response,
		"clientExtensionResults": map[string]any{},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return vault.PasskeyAnswer{Challenge: c.ID, Response: raw}
}

// cose is the public key as COSE_Key: EC2, ES256, P-256, x, y.
func (d *device) cose() []byte {
	point, err := d.key.PublicKey.Bytes() // 4 | x | y
	if err != nil {
		d.t.Fatal(err)
	}
	out := []byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21}
	out = append(append(out, cborBytes(point[1:33])...), 0x22)
	return append(out, cborBytes(point[33:])...)
}

func cborText(s string) []byte { return append([]byte{0x60 + byte(len(s))}, s...) }

func cborBytes(b []byte) []byte {
	if len(b) < 256 {
		return append([]byte{0x58, byte(len(b))}, b...)
	}
	return append(binary.BigEndian.AppendUint16([]byte{0x59}, uint16(len(b))), b...)
}
