package seal_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"poststelle/internal/seal"
)

// fixed returns n bytes that follow from name.
func fixed(name string, n int) []byte {
	return refHKDF([]byte("vector"), nil, name, nil, n)
}

// writeVectors writes vectors.json. It is deterministic as long as the
// standard library uses randomness in the same order.
func writeVectors(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 20261122)
	g := &generator{t: t}
	g.streams()
	g.keys()
	g.codes()
	g.receipts()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteString("[\n")
	for i, v := range g.out {
		if i > 0 {
			b.Truncate(b.Len() - 1)
			b.WriteString(",\n")
		}
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	b.WriteString("]\n")
	if err := os.WriteFile(vectorFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

type generator struct {
	t   *testing.T
	out []vector
}

// chunksOf is the canonical recipe for n bytes.
func chunksOf(n int) []vectorChunk {
	var cs []vectorChunk
	total, at := int(refPad(int64(n))), 0
	for i := uint64(0); total > 0; i++ {
		size := min(total, 65536)
		real := min(n-at, size)
		c := vectorChunk{Index: i, Count: uint32(real), From: at, Real: real, Pad: size - real}
		if total -= size; total == 0 {
			c.Final = 1
		}
		at += real
		cs = append(cs, c)
	}
	return cs
}

// stream adds a vector of n bytes, changed by edit.
func (g *generator) stream(name string, n int, valid bool, edit func(*vector)) {
	v := vector{Name: "stream/" + name, Kind: "stream", Valid: valid, Size: n,
		Key: hex.EncodeToString(fixed("key", 32)), Salt: hex.EncodeToString(fixed("salt "+name, 16)),
		Place: refPlace{"musterstadt", "N7QK2", "file/1"}, Chunks: chunksOf(n)}
	if edit != nil {
		edit(&v)
	}
	b := v.build(g.t)
	sum := sha256.Sum256(b)
	v.SealedSHA256 = hex.EncodeToString(sum[:])
	if len(b) < 700 {
		v.Sealed = hex.EncodeToString(b)
	}
	g.out = append(g.out, v)
}

func (g *generator) streams() {
	const c, s = 65536, 65556 // payload and sealed size of a chunk
	for _, n := range []int{0, 1, 255, 256, 257, 1000, 4096, c - 1, c, c + 1, 2*c - 1, 2 * c, 2*c + 1, 3*c + 5, 4<<20 + 1, 4<<20 + c} {
		g.stream(fmt.Sprintf("size-%d", n), n, true, nil)
	}
	for _, p := range []refPlace{{"", "", ""}, {"ä", "ß-€", "file/18446744073709551615"}} {
		g.stream(fmt.Sprintf("size-10-place-%d", len(p[0])), 10, true, func(v *vector) { v.Place = p })
	}
	edit := func(name string, n int, f func(*vector)) { g.stream(name, n, false, f) }
	pieces := func(p ...[2]int) func(*vector) { return func(v *vector) { v.Pieces = p } }
	flip := func(at, mask int) func(*vector) { return func(v *vector) { v.Flip = []int{at, mask} } }

	edit("header-suite-0", 10, flip(0, 1))
	edit("header-suite-2", 10, flip(0, 3))
	edit("header-version", 10, flip(1, 2))
	edit("header-salt-first", 10, flip(2, 1))
	edit("header-salt-last", 10, flip(17, 0x80))
	edit("header-missing", 10, pieces([2]int{18, 294}))
	edit("header-double", 10, pieces([2]int{0, 18}, [2]int{0, 294}))

	edit("cut-to-nothing", 10, func(v *vector) { v.Pieces = [][2]int{{0, 0}} })
	for _, n := range []int{1, 17, 18, 19, 18 + 4, 18 + 16, 18 + 20, 293} {
		edit(fmt.Sprintf("cut-to-%d", n), 10, pieces([2]int{0, n}))
	}
	big := 2*c + 1 // three chunks
	for _, n := range []int{18, 18 + s - 1, 18 + s, 18 + s + 1, 18 + 2*s - 1, 18 + 2*s, 18 + 2*s + 1, 18 + 2*s + 19} {
		edit(fmt.Sprintf("cut-big-to-%d", n), big, pieces([2]int{0, n}))
	}
	edit("cut-first-byte", 10, pieces([2]int{1, 294}))

	edit("flip-count", 10, flip(18, 1))
	edit("flip-text", 10, flip(22, 1))
	edit("flip-padding", 10, flip(200, 0x80))
	edit("flip-tag", 10, flip(293, 1))
	edit("flip-second-chunk", big, flip(18+s+100, 4))
	edit("flip-second-tag", big, flip(18+2*s-1, 4))
	edit("flip-last-chunk", big, flip(18+2*s, 4))

	end := 18 + 2*s + int(refPad(int64(big))) - 2*c + 20
	edit("swap-first-two", big, pieces([2]int{0, 18}, [2]int{18 + s, 18 + 2*s}, [2]int{18, 18 + s}, [2]int{18 + 2*s, end}))
	edit("double-first", big, pieces([2]int{0, 18 + s}, [2]int{18, end}))
	edit("double-last", big, pieces([2]int{0, end}, [2]int{18 + 2*s, end}))
	edit("drop-first", big, pieces([2]int{0, 18}, [2]int{18 + s, end}))
	edit("drop-middle", big, pieces([2]int{0, 18 + s}, [2]int{18 + 2*s, end}))
	edit("append-zero", 10, func(v *vector) { v.Append = "00" })
	edit("append-zero-full-chunk", c, func(v *vector) { v.Append = "00" })
	edit("append-tag", 10, func(v *vector) { v.Append = strings.Repeat("00", 20) })
	edit("append-stream", 10, pieces([2]int{0, 294}, [2]int{0, 294}))
	edit("append-chunk", c, pieces([2]int{0, 18 + s}, [2]int{18, 18 + s}))
	edit("splice-other-salt", 2*c, func(v *vector) { // chunk 1 of another stream of the same part
		o := *v
		o.Salt = hex.EncodeToString(fixed("another salt", 16))
		b := o.build(g.t)
		v.Pieces = [][2]int{{0, 18 + s}}
		v.Append = hex.EncodeToString(b[18+s : 18+s+100])
	})

	chunk := func(i int, f func(*vectorChunk)) func(*vector) {
		return func(v *vector) { f(&v.Chunks[i]) }
	}
	edit("final-missing", 10, chunk(0, func(c *vectorChunk) { c.Final = 0 }))
	edit("final-missing-full", c, chunk(0, func(c *vectorChunk) { c.Final = 0 }))
	edit("final-two", 10, chunk(0, func(c *vectorChunk) { c.Final = 2 }))
	edit("final-early", 2*c, chunk(0, func(c *vectorChunk) { c.Final = 1 }))
	edit("index-one", 10, chunk(0, func(c *vectorChunk) { c.Index = 1 }))
	edit("index-skipped", 2*c, chunk(1, func(c *vectorChunk) { c.Index = 2 }))
	edit("index-high", 2*c, chunk(1, func(c *vectorChunk) { c.Index = 1 << 63 }))

	edit("pad-not-zero", 10, chunk(0, func(c *vectorChunk) { c.Fill = 1 }))
	edit("pad-not-zero-later", c+1, chunk(1, func(c *vectorChunk) { c.Fill = 0x80 }))
	edit("pad-none", 10, chunk(0, func(c *vectorChunk) { c.Pad = 0 }))
	edit("pad-too-small", 300, chunk(0, func(c *vectorChunk) { c.Pad-- }))
	edit("pad-too-big", 300, chunk(0, func(c *vectorChunk) { c.Pad++ }))
	edit("pad-next-size", 10, chunk(0, func(c *vectorChunk) { c.Pad += 16 }))
	edit("count-too-big", 256, chunk(0, func(c *vectorChunk) { c.Count = 257 }))
	edit("count-max", 256, chunk(0, func(c *vectorChunk) { c.Count = 1<<32 - 1 }))
	edit("form-count-too-small", 256, func(v *vector) { v.Chunks[0].Count = 250; v.Chunks[0].Real = 255; v.Chunks[0].Pad = 1 })
	edit("form-no-payload", 0, chunk(0, func(c *vectorChunk) { c.Pad = 0 }))
	edit("form-no-chunk", 0, func(v *vector) { v.Chunks = nil })
	edit("form-empty-last", c, func(v *vector) {
		v.Chunks[0].Final = 0
		v.Chunks = append(v.Chunks, vectorChunk{Index: 1, Final: 1})
	})
	edit("form-padding-last", c, func(v *vector) {
		v.Chunks[0].Final = 0
		v.Chunks = append(v.Chunks, vectorChunk{Index: 1, Final: 1, Pad: 2048})
	})
	edit("form-short-first", c+10, func(v *vector) {
		v.Chunks = []vectorChunk{{Count: c - 10, Real: c - 10, Pad: 10}, {Index: 1, Final: 1, Count: 20, From: c - 10, Real: 20, Pad: 2028}}
	})
	edit("form-real-after-padding", c+10, func(v *vector) {
		v.Chunks = []vectorChunk{{Pad: c}, {Index: 1, Final: 1, Count: 10, Real: 10, Pad: 2038}}
	})
	edit("form-endless-padding", 10, func(v *vector) {
		v.Chunks = []vectorChunk{{Count: 10, Real: 10, Pad: c - 10}, {Index: 1, Final: 1, Pad: 256}}
	})
	edit("form-early-end", 2*c-1, func(v *vector) { // pad is 2·65536, the padding is missing
		v.Chunks[1].Final, v.Chunks[1].Pad = 1, 0
	})

	// 64 full chunks, one with a real byte, one of padding.
	const huge = 4<<20 + 1
	edit("form-padding-too-short", huge, func(v *vector) { v.Chunks = v.Chunks[:65]; v.Chunks[64].Final = 1 })
	edit("form-padding-too-long", huge, func(v *vector) {
		v.Chunks[65].Final = 0
		v.Chunks = append(v.Chunks, vectorChunk{Index: 66, Final: 1, Pad: c})
	})
	edit("form-padding-then-real", huge, func(v *vector) {
		v.Size++
		v.Chunks[65].Count, v.Chunks[65].From, v.Chunks[65].Real, v.Chunks[65].Pad = 1, huge, 1, c-1
	})
	edit("pad-chunk-not-zero", huge, chunk(65, func(c *vectorChunk) { c.Fill = 1 }))
	edit("cut-chunk-of-padding", huge, pieces([2]int{0, 18 + 65*s}))

	other := func(i int, to string) func(*vector) {
		return func(v *vector) { v.OpenPlace = v.Place; v.OpenPlace[i] = to }
	}
	edit("other-tenant", 10, other(0, "nachbarstadt"))
	edit("other-message", 10, other(1, "N7QK3"))
	edit("other-part", 10, other(2, "file/2"))
	edit("other-border", 10, func(v *vector) { v.OpenPlace = refPlace{"musterstad", "tN7QK2", "file/1"} })
	edit("other-key", 10, func(v *vector) { v.OpenKey = hex.EncodeToString(fixed("other key", 32)) })
	edit("other-part-big", big, other(2, "file/2"))
}

func (g *generator) add(v vector) { g.out = append(g.out, v) }

// bad adds a copy of v that must be refused.
func (g *generator) bad(v vector, name string, f func(*vector)) {
	v.Name, v.Valid = v.Kind+"/"+name, false
	f(&v)
	g.add(v)
}

func flipHex(s string, at int) string {
	b, _ := hex.DecodeString(s)
	b[at] ^= 1
	return hex.EncodeToString(b)
}

func (g *generator) keys() {
	k, kek := seal.Key(fixed("key", 32)), seal.Key(fixed("kek", 32))
	for _, l := range []string{"", "card", "body", "contact", "file/1", "filecard/1"} {
		d := refDerive(k[:], l)
		g.add(vector{Name: "derive/" + strings.ReplaceAll("label-"+l, "/", "-"), Kind: "derive", Valid: true, Key: hex.EncodeToString(k[:]), Label: l, Out: hex.EncodeToString(d)})
	}
	w := vector{Name: "wrap/thread", Kind: "wrap", Valid: true, Key: hex.EncodeToString(kek[:]), AD: "thread/N7QK2",
		Sealed: hex.EncodeToString(seal.Wrap(kek, k, "thread/N7QK2")), Out: hex.EncodeToString(k[:])}
	g.add(w)
	g.add(vector{Name: "wrap/no-ad", Kind: "wrap", Valid: true, Key: w.Key, Sealed: hex.EncodeToString(seal.Wrap(kek, k, "")), Out: w.Out})
	g.bad(w, "other-ad", func(v *vector) { v.AD = "thread/N7QK3" })
	g.bad(w, "other-kek", func(v *vector) { v.Key = flipHex(v.Key, 31) })
	g.bad(w, "flip-nonce", func(v *vector) { v.Sealed = flipHex(v.Sealed, 0) })
	g.bad(w, "flip-key", func(v *vector) { v.Sealed = flipHex(v.Sealed, 12) })
	g.bad(w, "flip-tag", func(v *vector) { v.Sealed = flipHex(v.Sealed, 59) })
	g.bad(w, "short", func(v *vector) { v.Sealed = v.Sealed[:118] })
	g.bad(w, "long", func(v *vector) { v.Sealed += "00" })
	g.bad(w, "empty", func(v *vector) { v.Sealed = "" })

	p, err := seal.ParsePrivate(append([]byte{1}, fixed("private", 32)...))
	if err != nil {
		g.t.Fatal(err)
	}
	for i, text := range []string{"Grüß Gott", ""} {
		box, err := p.Public().SealBox([]byte(text), []byte("musterstadt/2026-11-22"))
		if err != nil {
			g.t.Fatal(err)
		}
		v := vector{Name: fmt.Sprintf("box/text-%d", len(text)), Kind: "box", Valid: true, Private: hex.EncodeToString(p.Bytes()), Public: hex.EncodeToString(p.Public().Bytes()),
			AD: "musterstadt/2026-11-22", Sealed: hex.EncodeToString(box), Out: text}
		g.add(v)
		g.together(v, p.Public())
		if i > 0 {
			continue
		}
		g.bad(v, "other-ad", func(v *vector) { v.AD = "musterstadt/2026-11-23" })
		g.bad(v, "suite", func(v *vector) { v.Sealed = "02" + v.Sealed[2:] })
		g.bad(v, "flip-mlkem", func(v *vector) { v.Sealed = flipHex(v.Sealed, 500) })
		g.bad(v, "flip-point", func(v *vector) { v.Sealed = flipHex(v.Sealed, 1100) })
		g.bad(v, "flip-place", func(v *vector) { v.Sealed = flipHex(v.Sealed, 1155) })
		g.bad(v, "flip-text", func(v *vector) { v.Sealed = flipHex(v.Sealed, 1156) })
		g.bad(v, "flip-tag", func(v *vector) { v.Sealed = flipHex(v.Sealed, len(box)-1) })
		g.bad(v, "short", func(v *vector) { v.Sealed = v.Sealed[:2*len(box)-2] })
		g.bad(v, "too-short", func(v *vector) { v.Sealed = v.Sealed[:2*1171] })
		g.bad(v, "long", func(v *vector) { v.Sealed += "00" })
		g.bad(v, "other-key", func(v *vector) {
			q, _ := seal.ParsePrivate(append([]byte{1}, fixed("other private", 32)...))
			v.Private, v.Public = hex.EncodeToString(q.Bytes()), hex.EncodeToString(q.Public().Bytes())
		})
	}
}

// together adds two boxes with what v holds that were sealed in the same moment.
func (g *generator) together(v vector, p seal.Public) {
	boxes := make(chan []byte, 2)
	seal.Together(p, cap(boxes), func() {
		box, err := p.SealBox([]byte(v.Out), []byte(v.AD))
		if err != nil {
			g.t.Error(err)
		}
		boxes <- box
	})
	a, b := <-boxes, <-boxes
	if a[1155] > b[1155] {
		a, b = b, a
	}
	for i, box := range [][]byte{a, b} {
		w := v
		w.Name, w.Sealed = fmt.Sprintf("%s/together-%d", v.Name, i), hex.EncodeToString(box)
		g.add(w)
	}
}

// sorted yields m by key.
func sorted(m map[string]string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

func (g *generator) codes() {
	for i, s := range []string{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22222222222222222222222222", "POSTSTELLE2345672345672345"} {
		code, submit, err := refToken(s)
		if err != nil {
			g.t.Fatal(err)
		}
		g.add(vector{Name: fmt.Sprintf("token/good-%d", i), Kind: "token", Valid: true, Text: s, Code: code, Submit: hex.EncodeToString(submit)})
	}
	for name, s := range sorted(map[string]string{"short": "ABCDEFGHIJKLMNOPQRSTUVWXY", "long": "ABCDEFGHIJKLMNOPQRSTUVWXYZ2", "small": "aBCDEFGHIJKLMNOPQRSTUVWXYZ",
		"digit": "ABCDEFGHIJKLMNOPQRSTUVWXY1", "digit-8": "ABCDEFGHIJKLMNOPQRSTUVWXY8", "bracket": "ABCDEFGHIJKLMNOPQRSTUVWXY[", "blank": "ABCDEFGHIJKLMNOPQRSTUVWXY ", "empty": ""}) {
		g.add(vector{Name: "token/" + name, Kind: "token", Text: s})
	}
	code, _, _ := refToken("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	good := func(name, typed, code string) {
		_, lookup, wrapkey, err := refCode(code)
		if err != nil {
			g.t.Fatal(err)
		}
		g.add(vector{Name: "code/" + name, Kind: "code", Valid: true, Text: typed, Code: code, Lookup: hex.EncodeToString(lookup), WrapKey: hex.EncodeToString(wrapkey)})
	}
	grouped := seal.Code(code).String()
	wide := ""
	for _, c := range code {
		wide += string(c + 0xFF01 - '!')
	}
	zero, one := "000000000000000000000000", refSumZero("1111111111111111")
	good("plain", code, code)
	good("grouped", grouped, code)
	good("small", strings.ToLower(grouped), code)
	good("dashes", strings.NewReplacer("-", "–").Replace(grouped), code)
	good("all-dashes", code[:4]+"‐"+code[4:8]+"‑"+code[8:12]+"—"+code[12:16]+"−"+code[16:20]+"_"+code[20:], code)
	good("blanks", " "+strings.ReplaceAll(grouped, "-", "\u00a0")+"\u202f\r\n\t", code)
	good("invisible", code[:5]+"\u00ad"+code[5:9]+"\u200b"+code[9:], code)
	good("full-width", wide, code)
	good("o-for-zero", "oOoO-oooo-oooo-oooo-oooo-0000", zero)
	good("i-l-for-one", strings.NewReplacer("1111111111111111", "iIlL1iIlL1iIlL11").Replace(one), one)
	for name, s := range sorted(map[string]string{"empty": "", "blanks-only": " - - ", "short": code[:23], "long": code + "0", "doubled": code + code,
		"letter-u": "U" + code[1:], "umlaut": "Ä" + code[1:], "dot": code[:4] + "." + code[4:], "too-long": code + strings.Repeat(" ", 300)}) {
		g.add(vector{Name: "code/" + name, Kind: "code", Text: s})
	}
	g.add(vector{Name: "code/wrong-character", Kind: "code", Text: code[:10] + next(code[10]) + code[11:]})
	g.add(vector{Name: "code/wrong-check", Kind: "code", Text: code[:23] + next(code[23])})
	g.add(vector{Name: "code/swapped", Kind: "code", Text: code[:3] + string(code[4]) + string(code[3]) + code[5:]})
}

func next(c byte) string {
	i := strings.IndexByte(refAlphabet, c)
	return string(refAlphabet[(i+1)%32])
}

// refSumZero completes a prefix with zeros and the check character.
func refSumZero(prefix string) string {
	s := prefix + strings.Repeat("0", 23-len(prefix))
	for _, c := range refAlphabet {
		if _, _, _, err := refCode(s + string(c)); err == nil {
			return s + string(c)
		}
	}
	panic("no check character")
}

// The parties of the receipt vectors and tests.
func authorityKey(name string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(fixed("authority "+name, 32))
}

func signer(t testing.TB, authority, tenant, day string) seal.DaySigner {
	t.Helper()
	k := ed25519.NewKeyFromSeed(fixed("day "+day, 32))
	c, err := seal.Certify(authorityKey(authority), tenant, day, k.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return seal.DaySigner{Key: k, Certificate: c}
}

func sampleReceipt() seal.Receipt {
	return seal.Receipt{Tenant: "musterstadt", TenantName: "Stadt Musterstadt", ARS: "081234567890", Mailbox: "buergerbuero", MailboxName: "Bürgerbüro",
		Case: "MU-2026-000123", At: time.Date(2026, 11, 22, 8, 12, 3, 450e6, time.UTC), Text: sha256.Sum256([]byte("Grüß Gott")),
		Files: []seal.ReceiptFile{{Size: 0, SHA256: sha256.Sum256(nil)}, {Size: 20 << 20, SHA256: sha256.Sum256([]byte("x"))}}}
}

func sign(t testing.TB, s seal.DaySigner, r seal.Receipt) string {
	t.Helper()
	text, err := seal.SignReceipt(s, r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (g *generator) receipts() {
	authority := authorityKey("musterstadt").Public().(ed25519.PublicKey)
	day := signer(g.t, "musterstadt", "musterstadt", "2026-11-22")
	text := sign(g.t, day, sampleReceipt())
	good := func(name, text string) {
		g.add(vector{Name: "receipt/" + name, Kind: "receipt", Valid: true, Text: text, Authority: hex.EncodeToString(authority)})
	}
	bad := func(kind, name, text string) {
		g.add(vector{Name: "receipt/" + name, Kind: "receipt", Text: text, Authority: hex.EncodeToString(authority), Error: kind})
	}
	edit := func(kind, name, from, to string) {
		if !strings.Contains(text, from) {
			g.t.Fatalf("%s: %q not in receipt", name, from)
		}
		bad(kind, name, strings.Replace(text, from, to, 1))
	}
	bare := sampleReceipt()
	bare.ARS, bare.Case, bare.Files = "", "", nil
	at := func(h, m, s, ms int) string {
		r := sampleReceipt()
		r.At = time.Date(2026, 11, 22, h, m, s, ms*1e6, time.UTC)
		return sign(g.t, day, r)
	}
	good("full", text)
	good("bare", sign(g.t, day, bare))
	good("crlf", strings.ReplaceAll(text, "\n", "\r\n"))
	good("trailing-blanks", strings.ReplaceAll(text, "\n", " \t\n"))
	good("blank-lines-around", "\n\n  "+text+"\n \n")
	good("byte-order-mark", "\ufeff"+text)
	good("no-last-newline", strings.TrimSpace(text))
	good("minutes-before", at(-1, 45, 0, 0))
	good("minutes-after", at(24, 14, 59, 999))

	edit("signature", "other-case", "MU-2026-000123", "MU-2026-000124")
	edit("signature", "other-name", "Bürgerbüro", "Bauamt")
	edit("signature", "other-instant", "08:12:03.450Z", "08:12:03.451Z")
	edit("signature", "other-size", "20971520 Byte", "20971521 Byte")
	edit("signature", "decomposed", "Bürgerbüro", "Bu\u0308rgerbu\u0308ro")
	edit("tenant", "other-tenant", "Kennung: musterstadt", "Kennung: nachbarstadt")
	edit("certificate", "other-certificate-tenant", "Zertifikat fuer: musterstadt", "Zertifikat fuer: nachbarstadt")
	edit("certificate", "other-certificate-day", "Tag: 2026-11-22", "Tag: 2026-11-23")
	edit("day", "other-day", "Eingang (UTC): 2026-11-22", "Eingang (UTC): 2026-11-24")
	edit("day", "too-early", "22T08:12:03.450Z", "21T23:44:59.999Z")
	edit("day", "too-late", "22T08:12:03.450Z", "23T00:15:00.000Z")
	forged := sampleReceipt()
	bad("authority", "other-authority", sign(g.t, signer(g.t, "forger", "musterstadt", "2026-11-22"), forged))
	wrong := signer(g.t, "musterstadt", "musterstadt", "2026-11-23").Certificate.Key
	edit("certificate", "other-day-key", hex.EncodeToString(day.Certificate.Key), hex.EncodeToString(wrong))

	edit("form", "label-order", "Behoerde ARS: 081234567890\nPostfach: Bürgerbüro\n", "Postfach: Bürgerbüro\nBehoerde ARS: 081234567890\n")
	edit("form", "line-missing", "Vorgang: MU-2026-000123\n", "")
	edit("form", "line-extra", "Vorgang:", "Absender: Eva\nVorgang:")
	edit("form", "empty-line-inside", "\nVorgang", "\n\nVorgang")
	edit("form", "blank-before", "\nVorgang", "\n Vorgang")
	edit("form", "capital-hex", hex.EncodeToString(authority)[:62], strings.ToUpper(hex.EncodeToString(authority))[:62])
	edit("form", "short-hex", hex.EncodeToString(authority), hex.EncodeToString(authority)[:62])
	edit("form", "fingerprint", "Fingerabdruck: ", "Fingerabdruck: 0")
	edit("form", "count", "Dateien: 2", "Dateien: 1")
	edit("form", "count-zeros", "Dateien: 2", "Dateien: 02")
	edit("form", "count-plus", "Dateien: 2", "Dateien: +2")
	edit("form", "count-huge", "Dateien: 2", "Dateien: 65535")
	edit("form", "size-negative", "20971520 Byte", "-1 Byte")
	edit("form", "size-zeros", "20971520 Byte", "020971520 Byte")
	edit("form", "size-word", "20971520 Byte", "20971520 Bytes")
	edit("form", "size-overflow", "20971520 Byte", "9223372036854775808 Byte")
	edit("form", "instant-no-millis", "03.450Z", "03Z")
	edit("form", "instant-comma", "03.450Z", "03,450Z")
	edit("form", "instant-zone", "03.450Z", "03.450+00:00")
	edit("form", "certificate-day", "Tag: 2026-11-22", "Tag: 2026-11-31")
	edit("form", "control-character", "Bürgerbüro", "Bürger\x1bbüro")
	edit("form", "bidi", "Bürgerbüro", "Bürger\u202ebüro")
	edit("form", "carriage-return-inside", "Bürgerbüro", "Bürger\rbüro")
	edit("form", "double-blank", "Stadt Musterstadt", "Stadt  Musterstadt")
	edit("form", "ars-letters", "081234567890", "08123456789X")
	edit("form", "text-after", "ENDE EMPFANGSBESTAETIGUNG 1 -----", "ENDE EMPFANGSBESTAETIGUNG 1 ----- x")
	edit("form", "begin", "BESTAETIGUNG 1", "BESTAETIGUNG 2")
	bad("form", "text-before", "x\n"+text)
	bad("form", "line-after", text+"x\n")
	bad("form", "twice", text+text)
	bad("form", "empty", "")
	bad("form", "cut", text[:len(text)/2])
	bad("form", "text-far-after", text+strings.Repeat("\n", 1<<8)+"x")
}
