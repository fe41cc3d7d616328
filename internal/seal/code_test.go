package seal_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"poststelle/internal/seal"
)

// TestCode_NoticesEveryTypo is exhaustive: all single wrong characters and all
// swaps of any two, for a number of codes.
func TestCode_NoticesEveryTypo(t *testing.T) {
	for range 50 {
		code := string(seal.NewToken().Code())
		for i := range code {
			for _, c := range refAlphabet {
				typed := code[:i] + string(c) + code[i+1:]
				if _, err := seal.ParseCode(typed); (err == nil) != (typed == code) {
					t.Fatalf("character %d of %s as %c: %v", i, code, c, err)
				}
			}
			for j := i + 1; j < len(code); j++ {
				b := []byte(code)
				b[i], b[j] = b[j], b[i]
				if _, err := seal.ParseCode(string(b)); (err == nil) != (string(b) == code) {
					t.Fatalf("%s with %d and %d swapped: %v", code, i, j, err)
				}
			}
		}
	}
}

func TestCode_AsTyped(t *testing.T) {
	noise := rapid.SliceOfN(rapid.SampledFrom([]string{"", " ", "-", "–", "—", "‑", "−", "\u00a0", "\u202f", "\u3000", "\t", "\n", "_", "\u200b", "\ufeff", "\u00ad", "\u2060"}), 25, 25)
	rapid.Check(t, func(t *rapid.T) {
		code := seal.NewToken().Code()
		gaps := noise.Draw(t, "gaps")
		small := rapid.Bool().Draw(t, "small")
		typed := gaps[24]
		for i, c := range strings.Split(string(code), "") {
			if small {
				c = strings.NewReplacer("0", "o", "1", "l").Replace(strings.ToLower(c))
			}
			typed += c + gaps[i]
		}
		if got, err := seal.ParseCode(typed); err != nil || got != code {
			t.Fatalf("ParseCode(%q) = %s, %v", typed, string(got), err)
		}
		if got, err := seal.ParseCode(code.String()); err != nil || got != code {
			t.Fatalf("ParseCode(%q): %v", code.String(), err)
		}
		ref, submit, err := refToken("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		if err != nil || seal.Token("ABCDEFGHIJKLMNOPQRSTUVWXYZ").Code() != seal.Code(ref) || len(submit) != 32 {
			t.Fatalf("reference: %s, %v", ref, err)
		}
	})
}

func TestCode_String(t *testing.T) {
	if got := seal.Code("7K2M9QXD0123456789ABCDEF").String(); got != "7K2M-9QXD-0123-4567-89AB-CDEF" {
		t.Errorf("String() = %s", got)
	}
	if got := seal.Code("").String(); got != "" {
		t.Errorf("String() of nothing = %s", got)
	}
}

func TestCode_NotUTF8(t *testing.T) {
	code := string(seal.NewToken().Code())
	for _, s := range []string{"\xff" + code, code[:5] + "\xc2" + code[5:], "\xff" + code[1:]} {
		if _, err := seal.ParseCode(s); err != seal.ErrCode {
			t.Errorf("ParseCode(%q): %v", s, err)
		}
	}
}

func TestCode_LengthLimit(t *testing.T) {
	code := string(seal.NewToken().Code())
	if _, err := seal.ParseCode(code + strings.Repeat(" ", 256-24)); err != nil {
		t.Errorf("256 bytes: %v", err)
	}
	if _, err := seal.ParseCode(code + strings.Repeat(" ", 257-24)); err != seal.ErrCode {
		t.Errorf("257 bytes: %v", err)
	}
}

// TestToken_Independent: what follows from a token or a code does not repeat
// and does not contain the other.
func TestToken_Independent(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		tok := seal.NewToken()
		parsed, err := seal.ParseToken(string(tok))
		if err != nil || parsed != tok {
			t.Fatalf("ParseToken of a new token: %v", err)
		}
		code := tok.Code()
		wrap := code.WrapKey()
		for _, v := range [][]byte{[]byte(tok), []byte(code), tok.SubmitID(), code.LookupID(), wrap[:]} {
			if seen[string(v)] {
				t.Fatal("a value came twice")
			}
			seen[string(v)] = true
		}
		if !bytes.Equal(tok.SubmitID(), parsed.SubmitID()) || parsed.Code() != code {
			t.Fatal("a token gives different values")
		}
	}
}

// TestCode_AllBits: every one of the 24 characters takes every value.
func TestCode_AllBits(t *testing.T) {
	var seen [24]map[byte]bool
	for range 2000 {
		for i, c := range []byte(seal.NewToken().Code()) {
			if seen[i] == nil {
				seen[i] = map[byte]bool{}
			}
			seen[i][c] = true
		}
	}
	for i, s := range seen {
		if len(s) != 32 {
			t.Errorf("character %d takes %d values", i, len(s))
		}
	}
}
