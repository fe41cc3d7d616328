package accesslog_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"poststelle/internal/accesslog"
)

const small = `start,end,asn,org
1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."
1.0.4.0,1.0.7.255,38803,Wirefreebroadband
1.0.5.0,1.0.5.255,64500,"Inner ""Net"""
16843264,16843519,64501,Numbers
2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64502,Sechs
2001:db8:1::,2001:db8:1::ff,64503,
255.255.255.0,255.255.255.255,64504,Last
`

func TestTable(t *testing.T) {
	tab, err := accesslog.ReadTable(strings.NewReader(small))
	if err != nil {
		t.Fatal(err)
	}
	for ip, want := range map[string]string{
		"0.255.255.255": "unknown", "1.0.0.0": "Cloudflare, Inc.", "1.0.0.255": "Cloudflare, Inc.", "1.0.1.0": "unknown",
		"1.0.4.9": "Wirefreebroadband", "1.0.5.9": `Inner "Net"`, "1.0.6.0": "Wirefreebroadband", "1.0.8.0": "unknown",
		"1.1.2.3": "Numbers", "::ffff:1.0.0.1": "Cloudflare, Inc.", "255.255.255.255": "Last",
		"2001:db8::1": "Sechs", "2001:db8:1::1": "AS64503", "2001:db8:1::100": "Sechs", "2001:db9::": "unknown", "::1": "unknown",
	} {
		if got := tab.Lookup(netip.MustParseAddr(ip)); got != want {
			t.Errorf("Lookup(%s) = %q, want %q", ip, got, want)
		}
	}
	if got := tab.Lookup(netip.Addr{}); got != accesslog.UnknownProvider {
		t.Errorf("Lookup() = %q", got)
	}
}

func TestReadTable_Refuses(t *testing.T) {
	for _, s := range []string{"1.0.0.0,1.0.0.1,1,a\n1.0.0.9,1.0.0.1,2,b\n", "1.0.0.0,::1,1,a\n", "1.0.0.0,1.0.0.1,1,a\nx,y,z,w\n", "1.0.0.0\n"} {
		if _, err := accesslog.ReadTable(strings.NewReader(s)); err == nil {
			t.Errorf("accepted %q", s)
		}
	}
}

// Random overlapping ranges against the rule said plainly.
func TestTable_Overlaps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		type span struct{ from, to int }
		var spans []span
		var b strings.Builder
		used := map[int]bool{}
		for i := range 12 {
			from := r.IntN(200)
			if used[from] { // equal starts: the longer one is outer; tested above
				continue
			}
			used[from] = true
			to := min(255, from+r.IntN(80))
			spans = append(spans, span{from, to})
			fmt.Fprintf(&b, "10.0.0.%d,10.0.0.%d,%d,n%d-%d\n", from, to, i, from, to)
		}
		tab, err := accesslog.ReadTable(strings.NewReader(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		for ip := range 256 {
			want, best := accesslog.UnknownProvider, -1
			for _, s := range spans {
				if s.from <= ip && ip <= s.to && s.from > best {
					want, best = fmt.Sprintf("n%d-%d", s.from, s.to), s.from
				}
			}
			if got := tab.Lookup(netip.AddrFrom4([4]byte{10, 0, 0, byte(ip)})); got != want {
				t.Fatalf("10.0.0.%d = %s, want %s in\n%s", ip, got, want, b.String())
			}
		}
	}
}

func TestOpenProvider(t *testing.T) {
	dir := t.TempDir()
	csv, mmdb := filepath.Join(dir, "asn.csv"), filepath.Join(dir, "asn.mmdb")
	if err := os.WriteFile(csv, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mmdb, tinyMMDB(), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{csv: "unknown", mmdb: "Stadtnetz Beispiel"} {
		p, err := accesslog.OpenProvider(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Lookup(netip.MustParseAddr("203.0.113.9")); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if got := p.Lookup(netip.MustParseAddr("3.3.3.3")); got != "unknown" {
			t.Errorf("%s: %q, want unknown", path, got)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := accesslog.OpenProvider(filepath.Join(dir, "none.mmdb")); err == nil {
		t.Error("missing file accepted")
	}
}

// tinyMMDB writes a database (MaxMind DB format 2.0) of one bit: addresses
// from 128.0.0.0 on belong to one network.
func tinyMMDB() []byte {
	str := func(s string) []byte { return append([]byte{2<<5 | byte(len(s))}, s...) }
	u16 := func(v uint16) []byte { return binary.BigEndian.AppendUint16([]byte{5<<5 | 2}, v) }
	u32 := func(v uint32) []byte { return binary.BigEndian.AppendUint32([]byte{6<<5 | 4}, v) }
	long := func(s string) []byte { return append([]byte{2<<5 | 29, byte(len(s) - 29)}, s...) }
	var b bytes.Buffer
	b.Write([]byte{0, 0, 1, 0, 0, 1 + 16}) // node 0: left nothing, right the first record
	b.Write(make([]byte, 16))
	b.Write([]byte{7<<5 | 2})
	b.Write(str("autonomous_system_number"))
	b.Write(u32(64510))
	b.Write(long("autonomous_system_organization"))
	b.Write(str("Stadtnetz Beispiel"))
	b.WriteString("\xab\xcd\xefMaxMind.com")
	b.Write([]byte{7<<5 | 9})
	for _, kv := range [][2][]byte{
		{str("binary_format_major_version"), u16(2)}, {str("binary_format_minor_version"), u16(0)},
		{str("build_epoch"), append([]byte{4, 9 - 7}, 0, 0, 0, 1)}, {str("database_type"), str("Test-ASN")},
		{str("description"), {7 << 5}}, {str("ip_version"), u16(4)}, {str("languages"), {0, 11 - 7}},
		{str("node_count"), u32(1)}, {str("record_size"), u16(24)},
	} {
		b.Write(kv[0])
		b.Write(kv[1])
	}
	return b.Bytes()
}

// No name is ever looked up: nothing of package net is within reach.
func TestNoDNS(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			if network(path) {
				t.Errorf("%s imports %s, which can reach the network", f, path)
			}
		}
	}
	if !network("net") || !network("net/http") || network("net/netip") {
		t.Error("the check itself is broken")
	}
}

func network(path string) bool {
	switch path {
	case "net/netip", "net/url":
		return false
	}
	return path == "net" || strings.HasPrefix(path, "net/") || path == "syscall" || path == "os/exec" || strings.HasPrefix(path, "golang.org/x/net")
}

func FuzzReadTable(f *testing.F) {
	f.Add(small)
	f.Fuzz(func(t *testing.T, s string) {
		tab, err := accesslog.ReadTable(strings.NewReader(s))
		if err != nil {
			return
		}
		for _, ip := range []string{"0.0.0.0", "1.0.5.5", "255.255.255.255", "::", "2001:db8:1::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
			tab.Lookup(netip.MustParseAddr(ip))
		}
	})
}

func BenchmarkTable_Lookup(b *testing.B) {
	var s strings.Builder
	for i := range 400_000 {
		fmt.Fprintf(&s, "%d,%d,%d,Net %d\n", 16777216+i*8192, 16777216+i*8192+4095, i%80_000, i%80_000)
	}
	tab, err := accesslog.ReadTable(strings.NewReader(s.String()))
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	ips := make([]netip.Addr, 4096)
	for i := range ips {
		ips[i] = netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, r.Uint32())))
	}
	for i := 0; b.Loop(); i++ {
		tab.Lookup(ips[i%len(ips)])
	}
}
