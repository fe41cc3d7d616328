package seal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"poststelle/internal/seal"
)

var (
	testPlace = seal.Place{Tenant: "musterstadt", Message: "N7QK2", Part: "file/1"}
	errDisk   = errors.New("disk full")
)

// failing fails at the call numbered at, after half of its bytes.
type failing struct {
	at, calls int
	bytes.Buffer
}

func (f *failing) Write(p []byte) (int, error) {
	f.calls++
	if f.calls > f.at {
		n, _ := f.Buffer.Write(p[:len(p)/2])
		return n, errDisk
	}
	return f.Buffer.Write(p)
}

func TestSeal_IsTheReferenceEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := seal.NewKey()
		p := refPlace{rapid.String().Draw(t, "tenant"), rapid.String().Draw(t, "message"), rapid.String().Draw(t, "part")}
		place := seal.Place{Tenant: p[0], Message: p[1], Part: p[2]}
		n := rapid.OneOf(rapid.IntRange(0, 600), rapid.IntRange(65500, 65600), rapid.IntRange(131000, 140000)).Draw(t, "size")
		plain := text(n)

		got := seal.Seal(k, place, plain)
		if want := refSeal(k[:], got[2:18], p, plain); !bytes.Equal(got, want) {
			t.Fatalf("Seal of %d bytes differs from the reference", n)
		}
		if int64(len(got)) != seal.SealedSize(int64(n)) {
			t.Fatalf("SealedSize(%d) = %d, stream has %d", n, seal.SealedSize(int64(n)), len(got))
		}

		var b bytes.Buffer
		w, err := seal.NewWriter(&b, k, place)
		if err != nil {
			t.Fatal(err)
		}
		for rest := plain; len(rest) > 0; {
			size := rapid.IntRange(0, len(rest)).Draw(t, "write")
			if m, err := w.Write(rest[:size]); m != size || err != nil {
				t.Fatalf("Write = %d, %v", m, err)
			}
			if rest = rest[size:]; size == 0 {
				if m, err := w.ReadFrom(iotest.DataErrReader(bytes.NewReader(rest))); m != int64(len(rest)) || err != nil {
					t.Fatalf("Copy = %d, %v", m, err)
				}
				break
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if want := refSeal(k[:], b.Bytes()[2:18], p, plain); !bytes.Equal(b.Bytes(), want) {
			t.Fatalf("Writer's stream of %d bytes differs from the reference", n)
		}
		if opened, err := seal.Open(k, place, b.Bytes()); err != nil || !bytes.Equal(opened, plain) {
			t.Fatalf("Open: %v", err)
		}
	})
}

// TestSeal_ChunksOfPadding: from 4 MiB on, Padmé may add whole chunks.
func TestSeal_ChunksOfPadding(t *testing.T) {
	k := seal.Key(fixed("key", 32))
	p := refPlace{testPlace.Tenant, testPlace.Message, testPlace.Part}
	for _, n := range []int{4<<20 + 1, 4<<20 + 65536, 4<<20 + 65537, 8<<20 + 1} {
		plain := text(n)
		got := seal.Seal(k, testPlace, plain)
		if !bytes.Equal(got, refSeal(k[:], got[2:18], p, plain)) {
			t.Errorf("Seal of %d bytes differs from the reference", n)
		}
		var b bytes.Buffer
		w, _ := seal.NewWriter(&b, k, testPlace)
		w.Write(plain)
		if err := w.Close(); err != nil || !bytes.Equal(b.Bytes(), refSeal(k[:], b.Bytes()[2:18], p, plain)) {
			t.Errorf("Writer's stream of %d bytes differs from the reference, %v", n, err)
		}
	}
}

func TestOpen_RefusesEveryChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := seal.NewKey()
		sealed := seal.Seal(k, testPlace, text(rapid.SampledFrom([]int{0, 5, 65536, 65537}).Draw(t, "size")))
		at := rapid.IntRange(0, len(sealed)-1).Draw(t, "at")
		changed := bytes.Clone(sealed)
		changed[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		for what, b := range map[string][]byte{"flipped": changed, "cut": sealed[:at], "extended": append(bytes.Clone(sealed), sealed[at:]...)} {
			if got, err := seal.Open(k, testPlace, b); err != seal.ErrForged || got != nil {
				t.Fatalf("Open of %s at %d = %d bytes, %v", what, at, len(got), err)
			}
			if got, err := io.ReadAll(seal.NewReader(bytes.NewReader(b), k, testPlace)); err != seal.ErrForged || len(got)%65536 != 0 {
				t.Fatalf("Reader of %s at %d = %d bytes, %v", what, at, len(got), err)
			}
		}
	})
}

func TestSeal_NeverTheSameTwice(t *testing.T) {
	k := seal.NewKey()
	a, b := seal.Seal(k, testPlace, nil), seal.Seal(k, testPlace, nil)
	if bytes.Equal(a[2:18], b[2:18]) || bytes.Equal(a[18:], b[18:]) {
		t.Error("two streams of the same part share salt or bytes")
	}
}

func TestSealedSize_OfThePage(t *testing.T) {
	for n, want := range map[int64]int64{0: 294, 256: 294, 257: 310, 65535: 65574, 65536: 65574, 65537: 67642, 131072: 131130, 1000000: 1016146, -1: 294} {
		if got := seal.SealedSize(n); got != want {
			t.Errorf("SealedSize(%d) = %d, want %d", n, got, want)
		}
	}
	for n := int64(257); n < 1<<40; n += n/7 + 1 {
		if over := seal.SealedSize(n) - n; over < 38 || over > n/16+38+20*(n/60000+1) {
			t.Errorf("SealedSize(%d) adds %d", n, over)
		}
	}
}

func TestWriter_EveryWriteMayFail(t *testing.T) {
	k := seal.NewKey()
	plain := text(4<<20 + 1) // header, 64 full chunks, one with padding, one of padding
	for _, at := range []int{0, 1, 2, 64, 65, 66} {
		for _, copying := range []bool{false, true} {
			f := &failing{at: at}
			w, err := seal.NewWriter(f, k, testPlace)
			if err == nil && copying {
				_, err = w.ReadFrom(bytes.NewReader(plain))
			} else if err == nil {
				_, err = w.Write(plain)
			}
			if err == nil {
				err = w.Close()
			}
			if !errors.Is(err, errDisk) {
				t.Errorf("failure at write %d: %v", at, err)
			}
			if (w == nil) != (at == 0) {
				t.Errorf("failure at write %d: NewWriter returned %v", at, w)
			}
			if w == nil {
				continue
			}
			calls := f.calls
			_, errWrite := w.Write([]byte("x"))
			_, errCopy := w.ReadFrom(strings.NewReader("x"))
			for _, err := range []error{errWrite, errCopy, w.Close(), w.Close()} {
				if !errors.Is(err, errDisk) {
					t.Errorf("failure at write %d: later %v", at, err)
				}
			}
			if f.calls != calls {
				t.Errorf("failure at write %d: wrote on", at)
			}
			if _, err := seal.Open(k, testPlace, f.Bytes()); err != seal.ErrForged {
				t.Errorf("failure at write %d: what is there opens: %v", at, err)
			}
		}
	}
}

func TestWriter_WithoutCloseNothingOpens(t *testing.T) {
	k := seal.NewKey()
	for _, n := range []int{0, 10, 65536, 65537} {
		var b bytes.Buffer
		w, _ := seal.NewWriter(&b, k, testPlace)
		w.Write(text(n))
		if _, err := seal.Open(k, testPlace, b.Bytes()); err != seal.ErrForged {
			t.Errorf("%d bytes, not closed: %v", n, err)
		}
	}
}

func TestWriter_Closed(t *testing.T) {
	var b bytes.Buffer
	w, _ := seal.NewWriter(&b, seal.NewKey(), testPlace)
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	size := b.Len()
	if n, err := w.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("Write after Close = %d, %v", n, err)
	}
	if n, err := w.ReadFrom(strings.NewReader("x")); n != 0 || err == nil {
		t.Errorf("ReadFrom after Close = %d, %v", n, err)
	}
	if b.Len() != size {
		t.Error("wrote after Close")
	}
}

func TestWriter_SourceFails(t *testing.T) {
	w, _ := seal.NewWriter(io.Discard, seal.NewKey(), testPlace)
	src := io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(errDisk))
	if n, err := w.ReadFrom(src); n != 3 || err != errDisk {
		t.Errorf("ReadFrom = %d, %v", n, err)
	}
}

func TestReader_SourceFails(t *testing.T) {
	k := seal.NewKey()
	sealed := seal.Seal(k, testPlace, text(131073))
	for _, failure := range []error{errDisk, io.ErrUnexpectedEOF} {
		for _, at := range []int{0, 5, 17, 18, 100, 18 + 65556, 18 + 65557, 18 + 2*65556, len(sealed) - 1, len(sealed)} {
			src := io.MultiReader(bytes.NewReader(sealed[:at]), iotest.ErrReader(failure))
			got, err := io.ReadAll(seal.NewReader(src, k, testPlace))
			if !errors.Is(err, failure) || errors.Is(err, seal.ErrForged) {
				t.Errorf("source fails at %d with %v: %v", at, failure, err)
			}
			if !bytes.HasPrefix(text(131073), got) || len(got)%65536 != 0 {
				t.Errorf("source fails at %d: %d bytes came out", at, len(got))
			}
		}
	}
}

func TestReader_Calls(t *testing.T) {
	k := seal.NewKey()
	sealed := seal.Seal(k, testPlace, []byte("abc"))
	r := seal.NewReader(bytes.NewReader(sealed), k, testPlace)
	b := make([]byte, 2)
	for i, want := range []string{"", "ab", "c"} {
		n, err := r.Read(b[:min(2, i*2)])
		if string(b[:n]) != want || err != nil {
			t.Errorf("Read %d = %q, %v", i, b[:n], err)
		}
	}
	for range 2 {
		if n, err := r.Read(b); n != 0 || err != io.EOF {
			t.Errorf("Read at end = %d, %v", n, err)
		}
	}
	if n, err := r.WriteTo(io.Discard); n != 0 || err != nil {
		t.Errorf("WriteTo at end = %d, %v", n, err)
	}
	r = seal.NewReader(bytes.NewReader(sealed[:200]), k, testPlace)
	for range 2 {
		if n, err := r.Read(b); n != 0 || err != seal.ErrForged {
			t.Errorf("Read of a cut stream = %d, %v", n, err)
		}
	}
	r = seal.NewReader(bytes.NewReader(sealed), k, testPlace)
	if n, err := r.WriteTo(&failing{}); n != 1 || err != errDisk {
		t.Errorf("WriteTo a full disk = %d, %v", n, err)
	}
}

// TestReader_ReadsNothingEarly: constructing a Reader touches no source, so a
// handler may build it before it decides.
func TestReader_ReadsNothingEarly(t *testing.T) {
	seal.NewReader(nil, seal.NewKey(), testPlace)
}

func TestStreams_FewAllocations(t *testing.T) {
	k, plain := seal.NewKey(), text(1<<20)
	sealed := seal.Seal(k, testPlace, plain)
	run := func() {
		w, _ := seal.NewWriter(io.Discard, k, testPlace)
		w.Write(plain)
		w.Close()
		io.Copy(io.Discard, seal.NewReader(bytes.NewReader(sealed), k, testPlace))
	}
	if n := testing.AllocsPerRun(10, run); n > 80 {
		t.Errorf("%v allocations to seal and open 16 chunks", n)
	}
}

func TestSecrets_NeverPrint(t *testing.T) {
	k := seal.Key(fixed("key", 32))
	private, err := seal.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	day := signer(t, "musterstadt", "musterstadt", "2026-11-22")
	token := seal.NewToken()
	for _, v := range []any{k, &k, private, &private, day} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			if got := fmt.Sprintf(verb, v); got != "[secret]" {
				t.Errorf("%s of %T prints %s", verb, v, got)
			}
		}
		s := v.(interface {
			fmt.Stringer
			fmt.GoStringer
		})
		if s.String()+s.GoString() != "[secret][secret]" {
			t.Errorf("%T has a String that tells", v)
		}
	}
	var log bytes.Buffer
	l := slog.New(slog.NewJSONHandler(&log, nil))
	l.Info("x", "k", k, "p", private, "d", day, "t", token, "c", token.Code())
	if got := strings.Count(log.String(), "[secret]"); got != 5 {
		t.Errorf("log tells: %s", &log)
	}
	for _, v := range []any{k, private, struct{ K seal.Key }{k}} {
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("%T marshals to %s", v, b)
		}
	}
	if _, err := k.GobEncode(); err == nil {
		t.Error("Key encodes as gob")
	}
}

func TestKey(t *testing.T) {
	a, b := seal.NewKey(), seal.NewKey()
	if a == b || a.Equal(b) || !a.Equal(a) || a.Derive("x") == a.Derive("y") || a.Derive("x") == b.Derive("x") || a.Derive("") == a {
		t.Error("keys are not told apart")
	}
}

func TestMust(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an impossible error was ignored")
		}
	}()
	seal.Must(1, nil)
	seal.Must(1, errDisk)
}
