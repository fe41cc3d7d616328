package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"poststelle/internal/seal"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

const vectorFile = "testdata/vectors.json"

// vector is one entry of vectors.json; docs/format.md section 8 says what the
// fields of each kind mean.
type vector struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Valid bool   `json:"valid"`
	Note  string `json:"note,omitempty"`

	Key   string   `json:"key,omitempty"`
	Salt  string   `json:"salt,omitempty"`
	Place refPlace `json:"place,omitzero"`
	Size  int      `json:"size,omitempty"`

	Chunks []vectorChunk `json:"chunks,omitempty"`
	Pieces [][2]int      `json:"pieces,omitempty"`
	Flip   []int         `json:"flip,omitempty"`
	Append string        `json:"append,omitempty"`

	Sealed       string   `json:"sealed,omitempty"`
	SealedSHA256 string   `json:"sealed_sha256,omitempty"`
	OpenKey      string   `json:"open_key,omitempty"`
	OpenPlace    refPlace `json:"open_place,omitzero"`

	Label     string `json:"label,omitempty"`
	AD        string `json:"ad,omitempty"`
	Out       string `json:"out,omitempty"`
	Private   string `json:"private,omitempty"`
	Public    string `json:"public,omitempty"`
	Text      string `json:"text,omitempty"`
	Code      string `json:"code,omitempty"`
	Submit    string `json:"submit,omitempty"`
	Lookup    string `json:"lookup,omitempty"`
	WrapKey   string `json:"wrapkey,omitempty"`
	Authority string `json:"authority,omitempty"`
	Error     string `json:"error,omitempty"`
}

type vectorChunk struct {
	Index uint64 `json:"index"`
	Final byte   `json:"final"`
	Count uint32 `json:"count"`
	From  int    `json:"from"`
	Real  int    `json:"real"`
	Pad   int    `json:"pad"`
	Fill  byte   `json:"fill,omitempty"`
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatalf("hex: %v", err)
	}
	return b
}

// text is the plaintext of the stream vectors.
func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// build makes the stream of v, with the reference implementation.
func (v vector) build(t testing.TB) []byte {
	t.Helper()
	salt := unhex(t, v.Salt)
	b := refHeader(salt)
	plain := text(max(v.Size, 1<<18) + 1)
	for _, c := range v.Chunks {
		payload := append(bytes.Clone(plain[c.From:c.From+c.Real]), bytes.Repeat([]byte{c.Fill}, c.Pad)...)
		b = append(b, refSealChunk(unhex(t, v.Key), salt, v.Place, c.Index, c.Final, c.Count, payload)...)
	}
	if v.Pieces != nil {
		var joined []byte
		for _, p := range v.Pieces {
			joined = append(joined, b[p[0]:p[1]]...)
		}
		b = joined
	}
	if v.Flip != nil {
		b[v.Flip[0]] ^= byte(v.Flip[1])
	}
	return append(b, unhex(t, v.Append)...)
}

func loadVectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var vs []vector
	if err := d.Decode(&vs); err != nil {
		t.Fatal(err)
	}
	return vs
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	vs := loadVectors(t)
	seen, kinds := map[string]bool{}, map[string]int{}
	for _, v := range vs {
		if seen[v.Name] || !strings.HasPrefix(v.Name, v.Kind+"/") {
			t.Errorf("name %q: double or not of kind %s", v.Name, v.Kind)
		}
		seen[v.Name] = true
		kinds[v.Kind]++
		t.Run(v.Name, func(t *testing.T) { v.check(t) })
	}
	for _, k := range []string{"stream", "derive", "wrap", "box", "token", "code", "receipt"} {
		if kinds[k] == 0 {
			t.Errorf("no vector of kind %s", k)
		}
	}
	if len(vs) < 100 {
		t.Errorf("%d vectors, want at least 100", len(vs))
	}
}

// verdict checks that an opener accepts exactly the valid vectors and gives want.
func (v vector) verdict(t *testing.T, who string, got, want []byte, err, refusal error) {
	t.Helper()
	if !v.Valid {
		if err == nil {
			t.Errorf("%s: accepted", who)
		} else if refusal != nil && !errors.Is(err, refusal) {
			t.Errorf("%s: error %v, want %v", who, err, refusal)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: refused: %v", who, err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("%s: got %x, want %x", who, got[:min(len(got), 80)], want[:min(len(want), 80)])
	}
}

func (v vector) check(t *testing.T) {
	switch v.Kind {
	case "stream":
		v.checkStream(t)
	case "derive":
		got := seal.Key(unhex(t, v.Key)).Derive(v.Label)
		v.verdict(t, "package", got[:], unhex(t, v.Out), nil, nil)
		v.verdict(t, "reference", refDerive(unhex(t, v.Key), v.Label), unhex(t, v.Out), nil, nil)
	case "wrap":
		got, err := seal.Unwrap(seal.Key(unhex(t, v.Key)), unhex(t, v.Sealed), v.AD)
		v.verdict(t, "package", got[:], unhex(t, v.Out), err, seal.ErrForged)
		ref, err := refUnwrap(unhex(t, v.Key), unhex(t, v.Sealed), v.AD)
		v.verdict(t, "reference", ref, unhex(t, v.Out), err, nil)
	case "box":
		p, err := seal.ParsePrivate(unhex(t, v.Private))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.OpenBox(unhex(t, v.Sealed), []byte(v.AD))
		v.verdict(t, "package", got, []byte(v.Out), err, seal.ErrForged)
		if pub := hex.EncodeToString(p.Public().Bytes()); pub != v.Public {
			t.Errorf("public key %s, want %s", pub, v.Public)
		}
		ref, err := refOpenBox(unhex(t, v.Private), unhex(t, v.Sealed), v.AD)
		v.verdict(t, "reference", ref, []byte(v.Out), err, nil)
		if pub, err := refPublic(unhex(t, v.Private)); err != nil || hex.EncodeToString(pub) != v.Public {
			t.Errorf("reference: public key %x, %v", pub, err)
		}
	case "token":
		tok, err := seal.ParseToken(v.Text)
		v.verdict(t, "package", []byte(tok.Code()), []byte(v.Code), err, seal.ErrToken)
		code, submit, err := refToken(v.Text)
		v.verdict(t, "reference", []byte(code), []byte(v.Code), err, nil)
		if v.Valid {
			v.verdict(t, "submit", tok.SubmitID(), unhex(t, v.Submit), nil, nil)
			v.verdict(t, "reference submit", submit, unhex(t, v.Submit), nil, nil)
		}
	case "code":
		c, err := seal.ParseCode(v.Text)
		v.verdict(t, "package", []byte(c), []byte(v.Code), err, seal.ErrCode)
		ref, lookup, wrapkey, err := refCode(v.Text)
		v.verdict(t, "reference", []byte(ref), []byte(v.Code), err, nil)
		if v.Valid {
			k := c.WrapKey()
			v.verdict(t, "lookup", c.LookupID(), unhex(t, v.Lookup), nil, nil)
			v.verdict(t, "wrap key", k[:], unhex(t, v.WrapKey), nil, nil)
			v.verdict(t, "reference lookup", lookup, unhex(t, v.Lookup), nil, nil)
			v.verdict(t, "reference wrap key", wrapkey, unhex(t, v.WrapKey), nil, nil)
		}
	case "receipt":
		authority := ed25519.PublicKey(unhex(t, v.Authority))
		_, err := seal.VerifyReceipt(v.Text, authority)
		v.verdict(t, "package", nil, nil, err, receiptErrors[v.Error])
		err = refReceipt(v.Text, authority)
		if v.Valid && err != nil || !v.Valid && v.Error != "form" && (err == nil || err.Error() != v.Error) {
			t.Errorf("reference: %v, want %q", err, v.Error)
		}
	default:
		t.Fatalf("unknown kind %q", v.Kind)
	}
}

var receiptErrors = map[string]error{
	"form": seal.ErrReceipt, "authority": seal.ErrAuthority, "certificate": seal.ErrCertificate,
	"tenant": seal.ErrTenant, "day": seal.ErrDay, "signature": seal.ErrSignature,
}

// checkStream opens a stream in every way there is.
func (v vector) checkStream(t *testing.T) {
	sealed, want := v.build(t), text(v.Size)
	if sum := sha256.Sum256(sealed); hex.EncodeToString(sum[:]) != v.SealedSHA256 {
		t.Fatalf("built stream has SHA-256 %x, want %s", sum, v.SealedSHA256)
	}
	if v.Sealed != "" && hex.EncodeToString(sealed) != v.Sealed {
		t.Fatal("built stream differs from sealed")
	}
	rawKey, place := unhex(t, v.Key), v.Place
	if v.OpenKey != "" {
		rawKey = unhex(t, v.OpenKey)
	}
	if v.OpenPlace != (refPlace{}) {
		place = v.OpenPlace
	}
	k, p := seal.Key(rawKey), seal.Place{Tenant: place[0], Message: place[1], Part: place[2]}

	got, err := refOpen(rawKey, place, sealed)
	v.verdict(t, "reference", got, want, err, nil)
	got, err = seal.Open(k, p, sealed)
	v.verdict(t, "Open", got, want, err, seal.ErrForged)
	if err != nil && got != nil {
		t.Error("Open returned plaintext with an error")
	}
	got, err = io.ReadAll(seal.NewReader(bytes.NewReader(sealed), k, p))
	v.verdict(t, "Reader", got, want, err, seal.ErrForged)
	v.partial(t, got, want)
	got, err = io.ReadAll(seal.NewReader(iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(sealed))), k, p))
	v.verdict(t, "Reader of small pieces", got, want, err, seal.ErrForged)
	var b bytes.Buffer
	_, err = io.Copy(&b, seal.NewReader(bytes.NewReader(sealed), k, p))
	v.verdict(t, "WriteTo", b.Bytes(), want, err, seal.ErrForged)
	v.partial(t, b.Bytes(), want)
}

// partial checks that what a Reader gave before its error was whole chunks
// from the beginning of the text.
func (v vector) partial(t *testing.T, got, want []byte) {
	t.Helper()
	if v.Valid {
		return
	}
	full := text(max(v.Size, 1<<18))
	// The chunk with the last real byte is short and good, if what is wrong
	// comes after it.
	short := strings.HasPrefix(v.Name, "stream/form-") || v.Size == 4<<20+1
	if len(got)%65536 != 0 && !short || !bytes.HasPrefix(full, got) {
		t.Errorf("%d bytes came out before the error", len(got))
	}
	if len(got) > len(want) {
		t.Errorf("%d bytes came out, only %d were sealed", len(got), len(want))
	}
}
