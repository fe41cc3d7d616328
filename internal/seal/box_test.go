package seal_test

import (
	"bytes"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"poststelle/internal/seal"
)

func TestBox_RoundTrip(t *testing.T) {
	p, err := seal.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Bytes()) != 33 || len(p.Public().Bytes()) != 1250 {
		t.Errorf("sizes %d, %d", len(p.Bytes()), len(p.Public().Bytes()))
	}
	again, err := seal.ParsePrivate(p.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	public, err := seal.ParsePublic(p.Public().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		plain, ad := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "plain"), rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "ad")
		box, err := public.SealBox(plain, ad)
		if err != nil || len(box) != len(plain)+1172 {
			t.Fatalf("SealBox: %d bytes, %v", len(box), err)
		}
		if got, err := again.OpenBox(box, ad); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("OpenBox: %v", err)
		}
		if got, err := refOpenBox(p.Bytes(), box, string(ad)); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("reference: %v", err)
		}
		box[rapid.IntRange(0, len(box)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := again.OpenBox(box, ad); err != seal.ErrForged {
			t.Fatalf("OpenBox of a changed box: %v", err)
		}
	})
}

// Boxes that are sealed in the same moment share what costs: enc. Each has a
// key of its own all the same.
func TestBox_SealedTogether(t *testing.T) {
	p, err := seal.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	const n = 40
	public, boxes := p.Public(), make(chan []byte, n)
	seal.Together(public, n, func() {
		box, err := public.SealBox([]byte("Grüß Gott"), []byte("ad"))
		if err != nil {
			t.Error(err)
		}
		boxes <- box
	})
	close(boxes)
	open := p.Opener()
	var first []byte
	seen := map[string]bool{}
	for box := range boxes {
		if first == nil {
			first = box
		}
		if !bytes.Equal(box[:1154], first[:1154]) {
			t.Error("boxes of one moment have different beginnings")
		}
		if rest := string(box[1156:]); seen[rest] {
			t.Error("two boxes have the same key")
		} else {
			seen[rest] = true
		}
		for name, f := range map[string]func(box, ad []byte) ([]byte, error){"Opener": open.OpenBox, "OpenBox": p.OpenBox} {
			if got, err := f(box, []byte("ad")); err != nil || string(got) != "Grüß Gott" {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if got, err := refOpenBox(p.Bytes(), box, "ad"); err != nil || string(got) != "Grüß Gott" {
			t.Errorf("reference: %q, %v", got, err)
		}
		if other := append(bytes.Clone(first[:1156]), box[1156:]...); &box[0] != &first[0] {
			if _, err := open.OpenBox(other, []byte("ad")); err != seal.ErrForged {
				t.Errorf("a box in another's place: %v", err)
			}
		}
	}
	if len(seen) != n {
		t.Errorf("%d boxes", len(seen))
	}
	if box, err := public.SealBox(nil, nil); err != nil || bytes.Equal(box[:1154], first[:1154]) {
		t.Errorf("a box sealed later shares the moment: %v", err)
	}
	if _, err := new(seal.Opener).OpenBox(first, nil); err != seal.ErrKey {
		t.Errorf("zero Opener: %v", err)
	}
}

// A leader that panics keeps nobody waiting, neither those of its round nor
// those after them.
func TestBox_LeaderPanics(t *testing.T) {
	p, err := seal.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	public := p.Public()
	panicked, failed := 0, 0
	seal.TogetherBroken(public, 5, func(seal func() error) {
		defer func() {
			if recover() != nil {
				panicked++
			}
		}()
		if seal() != nil {
			failed++
		}
	})
	if panicked != 1 || failed != 4 {
		t.Errorf("%d panics, %d errors, want 1 and 4", panicked, failed)
	}
	if _, err := public.SealBox(nil, nil); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

// Whoever seals while others encapsulate gets a box that opens.
func TestBox_SealedAtOnce(t *testing.T) {
	p, err := seal.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	public := p.Public()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 50 {
				box, err := public.SealBox([]byte("text"), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := p.OpenBox(box, nil); err != nil || string(got) != "text" {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
}

func TestBox_BadKeys(t *testing.T) {
	p, _ := seal.NewPair()
	pub, priv := p.Public().Bytes(), p.Bytes()
	other := func(b []byte, at int, v byte) []byte { b = bytes.Clone(b); b[at] = v; return b }
	zeroPoint := bytes.Clone(pub)
	clear(zeroPoint[1185:])
	highCoefficient := bytes.Clone(pub)
	copy(highCoefficient[1:], []byte{0xff, 0xff, 0xff})
	for name, b := range map[string][]byte{"empty": nil, "short": pub[:1249], "long": append(bytes.Clone(pub), 0), "suite": other(pub, 0, 2),
		"point": zeroPoint, "compressed": other(pub, 1185, 2), "coefficient": highCoefficient} {
		if _, err := seal.ParsePublic(b); err != seal.ErrKey {
			t.Errorf("ParsePublic(%s): %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"empty": nil, "short": priv[:32], "long": append(bytes.Clone(priv), 0), "suite": other(priv, 0, 0)} {
		if _, err := seal.ParsePrivate(b); err != seal.ErrKey {
			t.Errorf("ParsePrivate(%s): %v", name, err)
		}
	}
	var none seal.Private
	if none.Bytes() != nil || none.Public().Bytes() != nil {
		t.Error("a zero key has bytes")
	}
	if _, err := none.Public().SealBox(nil, nil); err != seal.ErrKey {
		t.Errorf("SealBox with a zero key: %v", err)
	}
	if _, err := none.OpenBox(nil, nil); err != seal.ErrKey {
		t.Errorf("OpenBox with a zero key: %v", err)
	}
}

func TestWrap_RefusesEveryChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kek, k := seal.NewKey(), seal.NewKey()
		ad := rapid.String().Draw(t, "ad")
		w := seal.Wrap(kek, k, ad)
		if len(w) != seal.WrappedSize {
			t.Fatalf("%d bytes", len(w))
		}
		if got, err := seal.Unwrap(kek, w, ad); err != nil || got != k {
			t.Fatalf("Unwrap: %v", err)
		}
		if again := seal.Wrap(kek, k, ad); bytes.Equal(again[:12], w[:12]) {
			t.Fatal("a nonce came twice")
		}
		if got, err := seal.Unwrap(kek, w, ad+"x"); err != seal.ErrForged || got != (seal.Key{}) {
			t.Fatalf("Unwrap with other ad: %v", err)
		}
		w[rapid.IntRange(0, len(w)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if got, err := seal.Unwrap(kek, w, ad); err != seal.ErrForged || got != (seal.Key{}) {
			t.Fatalf("Unwrap of a changed wrap: %v", err)
		}
	})
}
