package app_test

import (
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is a name server on a port, with records as in a zone file.
type zone struct {
	addr string
	mu   sync.Mutex
	rows map[string][]string // "name. TYPE" -> values
}

func newZone(t *testing.T) *zone {
	t.Helper()
	z := &zone{rows: map[string][]string{}}
	on, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z.addr = on.LocalAddr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := on.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if reply := z.answer(buf[:n]); err == nil && reply != nil {
				_, _ = on.WriteTo(reply, from)
			}
		}
	}()
	t.Cleanup(func() { on.Close(); <-done })
	return z
}

func (z *zone) set(name string, values ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.rows[name] = values
}

func (z *zone) answer(question []byte) []byte {
	z.mu.Lock()
	defer z.mu.Unlock()
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	name := strings.ToLower(q.Name.String())
	known := false
	for row := range z.rows {
		known = known || strings.HasPrefix(row, name+" ")
	}
	if !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, value := range z.rows[name+" "+strings.TrimPrefix(q.Type.String(), "Type")] {
		var body dnsmessage.ResourceBody
		switch q.Type {
		case dnsmessage.TypeTXT:
			txt := &dnsmessage.TXTResource{}
			for len(value) > 255 {
				txt.TXT, value = append(txt.TXT, value[:255]), value[255:]
			}
			txt.TXT, body = append(txt.TXT, value), txt
		case dnsmessage.TypeA:
			body = &dnsmessage.AResource{A: [4]byte(net.ParseIP(value).To4())}
		case dnsmessage.TypeMX:
			body = &dnsmessage.MXResource{Pref: 10, MX: dnsmessage.MustNewName(value)}
		case dnsmessage.TypePTR:
			body = &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(value)}
		default:
			continue
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: body})
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// recordIn returns the TXT record that a command printed, and its name.
func recordIn(t *testing.T, out, domain string) (name, value string) {
	t.Helper()
	for line := range strings.SplitSeq(out, "\n") {
		if n, rest, ok := strings.Cut(strings.TrimSpace(line), "._domainkey."+domain+". TXT "); ok {
			return n + "._domainkey." + domain + ".", strings.ReplaceAll(strings.Trim(rest, `"`), `" "`, "")
		}
	}
	t.Fatalf("no record in %q", out)
	return "", ""
}

// The records that the program prints are those with which it says that all
// stands; without each of them it says so and ends with 1.
func TestMailDNS(t *testing.T) {
	c, z := newConsole(t), newZone(t)
	c.good("tenant", "add", "aachdorf", "--profile", "vorlage", "--name", "Aachdorf", "--ars", "081110000000", "--host", "a.example", "--email", "info@aachdorf.example")
	if code, _, errs := c.run("mail", "dkim", "--tenant", "aachdorf"); code != 2 || !strings.Contains(errs, "--domain") {
		t.Errorf("no sender is known: %d, %q", code, errs)
	}
	where := []string{"--tenant", "aachdorf", "--domain", "aachdorf.example", "--server", z.addr}
	dns := append([]string{"mail", "dns", "--relay", "192.0.2.7"}, where...)
	code, out, _ := c.run(dns...)
	if code != 1 || strings.Count(out, "MISSING") != 5 {
		t.Errorf("an empty zone: %d, %q", code, out)
	}
	dkim := append([]string{"mail", "dkim"}, where...)
	_, out, _ = c.run(dkim...)
	name, value := recordIn(t, out, "aachdorf.example")
	if _, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, "v=DKIM1; k=rsa; p=")); err != nil {
		t.Errorf("record %q: %v", value, err)
	}
	if _, again, _ := c.run(dkim...); again != out {
		t.Errorf("the second time: %q, then %q", out, again)
	}
	z.set(name+" TXT", value)
	z.set("aachdorf.example. TXT", "other=1", "v=spf1 ip4:192.0.2.7 -all")
	z.set("aachdorf.example. MX", "mx.aachdorf.example.")
	z.set("_dmarc.aachdorf.example. TXT", "v=DMARC1; p=quarantine")
	z.set("7.2.0.192.in-addr.arpa. PTR", "relay.aachdorf.example.")
	z.set("relay.aachdorf.example. A", "192.0.2.7")
	if code, out, errs := c.run(dns...); code != 0 || strings.Count(out, "good") != 5 || !strings.Contains(out, `"v=spf1 ip4:192.0.2.7 -all"`) {
		t.Fatalf("everything stands: %d, %q, %q", code, out, errs)
	}
	for _, broken := range []struct{ row, value, says string }{
		{name + " TXT", "v=DKIM1; k=rsa; p=AAAA", "another key"},
		{"aachdorf.example. TXT", "v=spf1 ip4:192.0.2.8 -all", "does not name 192.0.2.7"},
		{"aachdorf.example. TXT", "v=spf1 +all", "everybody"},
		{"_dmarc.aachdorf.example. TXT", "v=DMARC1; p=maybe", "cannot be read"},
		{"_dmarc.aachdorf.example. TXT", "", "no DMARC record"},
		{"7.2.0.192.in-addr.arpa. PTR", "elsewhere.example.", "does not lead back"},
		{"relay.aachdorf.example. A", "192.0.2.9", "does not lead back"},
	} {
		good := z.rows[broken.row]
		z.set(broken.row, broken.value)
		code, out, _ := c.run(dns...)
		if code != 1 || strings.Count(out, "MISSING") != 1 || !strings.Contains(out, broken.says) {
			t.Errorf("%s %q: %d, %q", broken.row, broken.value, code, out)
		}
		z.set(broken.row, good...)
	}
	z.set("aachdorf.example. TXT", "v=spf1 mx -all", "v=spf1 -all")
	if code, out, _ := c.run(dns...); code != 1 || !strings.Contains(out, "2 SPF records") {
		t.Errorf("two SPF records: %d, %q", code, out)
	}
	// A relay that is named is looked up.
	z.set("aachdorf.example. TXT", "v=spf1 a:relay.aachdorf.example -all")
	if code, out, _ := c.run(append([]string{"mail", "dns", "--relay", "relay.aachdorf.example"}, where...)...); code != 0 {
		t.Errorf("a relay by name: %d, %q", code, out)
	}
	// Silence of the name service is not the lack of a record.
	_, out, _ = c.run("mail", "dns", "--relay", "192.0.2.7", "--tenant", "aachdorf", "--domain", "aachdorf.example", "--server", "127.0.0.1:1")
	if strings.Contains(out, "no SPF record") || strings.Count(out, "does not answer") < 4 {
		t.Errorf("a silent name service: %q", out)
	}

	// Rotating: nothing changes before the record of the new key stands.
	rotate := append(dkim, "--rotate")
	_, out, _ = c.run(rotate...)
	if !strings.Contains(out, "waits") || strings.Count(out, "_domainkey") != 2 {
		t.Fatalf("rotate: %q", out)
	}
	_, after, _ := strings.Cut(out, "waits")
	name, value = recordIn(t, after, "aachdorf.example")
	if code, _, errs := c.run(rotate...); code != 1 || !strings.Contains(errs, "not in the DNS; the old key goes on") {
		t.Errorf("taken over unpublished: %d, %q", code, errs)
	}
	z.set(name+" TXT", value)
	if code, out, errs := c.run(rotate...); code != 0 || !strings.Contains(out, "signs mail") {
		t.Errorf("take over: %d, %q, %q", code, out, errs)
	}
	if _, out, _ := c.run(dkim...); strings.Count(out, "_domainkey") != 1 || !strings.Contains(out, strings.SplitN(name, ".", 2)[0]) {
		t.Errorf("after it: %q", out)
	}
	if code, _, errs := c.run("mail", "dns", "--tenant", "zoo"); code != 1 || !strings.Contains(errs, "no tenant") {
		t.Errorf("no tenant: %d, %q", code, errs)
	}
}
