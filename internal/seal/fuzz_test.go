package seal_test

import (
	"bytes"
	"io"
	"testing"

	"poststelle/internal/seal"
)

// FuzzReader: Open, Reader and the reference agree on every input, and what
// opens is the one encoding of its plaintext. sealed is the stream, or with
// raw the plaintext of a single chunk, which the fuzzer could not seal itself.
func FuzzReader(f *testing.F) {
	k := seal.Key(fixed("key", 32))
	p := refPlace{testPlace.Tenant, testPlace.Message, testPlace.Part}
	salt := fixed("salt", 16)
	for _, n := range []int{0, 1, 256, 257, 65536, 65537} {
		f.Add(refSeal(k[:], salt, p, text(n)), false)
	}
	f.Add(append([]byte{0, 0, 0, 3, 'a', 'b', 'c'}, make([]byte, 253)...), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, b []byte, raw bool) {
		if raw {
			if len(b) < 4 || len(b) > 65540 {
				return
			}
			count := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
			b = append(refHeader(salt), refSealChunk(k[:], salt, p, 0, 1, count, b[4:])...)
		}
		want, wantErr := refOpen(k[:], p, b)
		got, err := seal.Open(k, testPlace, b)
		if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) || err != nil && err != seal.ErrForged {
			t.Fatalf("Open: %v, reference: %v", err, wantErr)
		}
		read, readErr := io.ReadAll(seal.NewReader(bytes.NewReader(b), k, testPlace))
		if readErr != err || err == nil && !bytes.Equal(read, want) {
			t.Fatalf("Reader: %v, Open: %v", readErr, err)
		}
		if err == nil && !bytes.Equal(refSeal(k[:], b[2:18], p, got), b) {
			t.Fatal("a second encoding opens")
		}
	})
}

func FuzzParseCode(f *testing.F) {
	for _, v := range loadVectors(f) {
		if v.Kind == "code" {
			f.Add(v.Text)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := seal.ParseCode(s)
		if err != nil {
			if c != "" {
				t.Fatal("a code came with an error")
			}
			return
		}
		if ref, _, _, err := refCode(string(c)); err != nil || ref != string(c) {
			t.Fatalf("ParseCode(%q) = %q, which is not canonical", s, string(c))
		}
		if again, err := seal.ParseCode(c.String()); err != nil || again != c {
			t.Fatalf("%q does not parse back: %v", c.String(), err)
		}
	})
}

func FuzzParseToken(f *testing.F) {
	for _, v := range loadVectors(f) {
		if v.Kind == "token" {
			f.Add(v.Text)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := seal.ParseToken(s)
		code, _, refErr := refToken(s)
		if (err == nil) != (refErr == nil) {
			t.Fatalf("ParseToken(%q): %v, reference: %v", s, err, refErr)
		}
		if err == nil && (string(tok) != s || string(tok.Code()) != code) {
			t.Fatalf("token %q changed or gives another code", s)
		}
	})
}

func FuzzOpenBox(f *testing.F) {
	var private seal.Private
	for _, v := range loadVectors(f) {
		if v.Kind == "box" {
			f.Add(unhex(f, v.Sealed), []byte(v.AD))
			if v.Valid {
				private, _ = seal.ParsePrivate(unhex(f, v.Private))
			}
		}
	}
	f.Fuzz(func(t *testing.T, box, ad []byte) {
		got, err := private.OpenBox(box, ad)
		want, refErr := refOpenBox(private.Bytes(), box, string(ad))
		if (err == nil) != (refErr == nil) || !bytes.Equal(got, want) || err != nil && err != seal.ErrForged {
			t.Fatalf("OpenBox: %v, reference: %v", err, refErr)
		}
		seal.ParsePublic(box)
		seal.ParsePrivate(box)
	})
}

func FuzzUnwrap(f *testing.F) {
	kek := seal.Key(fixed("kek", 32))
	for _, v := range loadVectors(f) {
		if v.Kind == "wrap" {
			f.Add(unhex(f, v.Sealed), v.AD)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, ad string) {
		got, err := seal.Unwrap(kek, b, ad)
		want, refErr := refUnwrap(kek[:], b, ad)
		if (err == nil) != (refErr == nil) || err == nil && !bytes.Equal(got[:], want) || err != nil && err != seal.ErrForged {
			t.Fatalf("Unwrap: %v, reference: %v", err, refErr)
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	for _, v := range loadVectors(f) {
		if v.Kind == "receipt" {
			f.Add(v.Text)
		}
	}
	authority := signer(f, "musterstadt", "musterstadt", "2026-11-22").Certificate.Authority
	f.Fuzz(func(t *testing.T, s string) {
		p, err := seal.ParseReceipt(s)
		if err != nil {
			return
		}
		// What parses is canonical but for paste noise, so the reference, which
		// is lax, must come to the same verdict.
		if err, ref := p.Verify(authority), refReceipt(s, authority); (err == nil) != (ref == nil) {
			t.Fatalf("Verify: %v, reference: %v", err, ref)
		}
	})
}
