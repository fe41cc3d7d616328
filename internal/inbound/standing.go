package inbound

import (
	"context"
	"fmt"
	"net"
	"strings"

	"blitiri.com.ar/go/spf"
	"github.com/emersion/go-msgauth/dmarc"

	"poststelle/internal/mail"
)

// Sending is what Standing asks the name service about: mail that leaves from
// here.
type Sending struct {
	// Domain is that of the sender.
	Domain string
	// Keys sign such mail, or wait for their record.
	Keys []mail.SigningKey
	// Relays are names or addresses of the machines that deliver it.
	Relays []string
	// Replies is the domain to which replies and wishes to unsubscribe go, "" for
	// none.
	Replies string
}

// Finding is what others find in the DNS about one record. Good means that it
// stands as it should; Text is a sentence for the operator, in English.
type Finding struct {
	Record string // DKIM, SPF, DMARC, PTR or MX
	Good   bool
	Text   string
}

// Standing asks the name service as a receiver of mail does, and says what it
// finds: DKIM for each key, SPF and PTR for each relay, DMARC, and MX for replies.
func Standing(ctx context.Context, r Resolver, s Sending) []Finding {
	ctx, cancel := context.WithTimeout(ctx, 2*checkTimeout)
	defer cancel()
	w := &standing{ctx: ctx, r: r, s: s}
	for _, k := range s.Keys {
		w.dkim(k)
	}
	if len(s.Keys) == 0 {
		w.say("DKIM", false, "there is no key for %s; poststelle mail dkim makes one", s.Domain)
	}
	addresses := w.addresses()
	w.spf(addresses)
	w.dmarc()
	for _, ip := range addresses {
		w.ptr(ip)
	}
	if s.Replies != "" {
		w.mx()
	}
	return w.found
}

type standing struct {
	ctx   context.Context
	r     Resolver
	s     Sending
	found []Finding
}

func (w *standing) say(record string, good bool, format string, args ...any) {
	w.found = append(w.found, Finding{record, good, fmt.Sprintf(format, args...)})
}

// texts returns the records of a name; why is a sentence when there are none.
func (w *standing) texts(name string) (records []string, why string) {
	records, err := w.r.LookupTXT(w.ctx, name)
	return records, unanswered(name, err, len(records))
}

func unanswered(name string, err error, n int) string {
	if e, ok := err.(*net.DNSError); ok && !e.IsNotFound {
		return "the name service does not answer about " + name
	}
	if err != nil || n == 0 {
		return name + " is not in the DNS"
	}
	return ""
}

func (w *standing) dkim(k mail.SigningKey) {
	records, why := w.texts(k.Name())
	if why != "" {
		w.say("DKIM", false, "%s", why)
		return
	}
	for _, r := range records {
		if tagOf(r, "p") == tagOf(k.Record(), "p") {
			if k.Since.IsZero() {
				w.say("DKIM", true, "%s holds the new key, which does not sign yet", k.Name())
			} else {
				w.say("DKIM", true, "%s holds the key that signs", k.Name())
			}
			return
		}
	}
	w.say("DKIM", false, "%s holds another key than the one here", k.Name())
}

// tagOf returns the value of a tag of a record (RFC 6376, 3.2), without blanks.
func tagOf(record, name string) string {
	for tag := range strings.SplitSeq(record, ";") {
		if n, value, _ := strings.Cut(tag, "="); strings.TrimSpace(n) == name {
			return strings.Join(strings.Fields(value), "")
		}
	}
	return ""
}

// addresses are those of the relays.
func (w *standing) addresses() (out []net.IP) {
	for _, relay := range w.s.Relays {
		if ip := net.ParseIP(relay); ip != nil {
			out = append(out, ip)
			continue
		}
		list, err := w.r.LookupIPAddr(w.ctx, relay)
		if why := unanswered(relay, err, len(list)); why != "" {
			w.say("PTR", false, "%s: nobody knows where your mail comes from", why)
		}
		for _, a := range list {
			out = append(out, a.IP)
		}
	}
	return out
}

func (w *standing) spf(addresses []net.IP) {
	records, err := w.r.LookupTXT(w.ctx, w.s.Domain)
	if e, ok := err.(*net.DNSError); ok && !e.IsNotFound {
		w.say("SPF", false, "%s", unanswered(w.s.Domain, err, 0))
		return
	}
	n := 0
	for _, r := range records {
		if policy := strings.ToLower(r); policy == "v=spf1" || strings.HasPrefix(policy, "v=spf1 ") {
			n++
			if strings.Contains(policy, "+all") || strings.HasSuffix(policy, " all") {
				w.say("SPF", false, "%s lets everybody send in its name", w.s.Domain)
				return
			}
		}
	}
	switch {
	case n == 0:
		w.say("SPF", false, "%s has no SPF record", w.s.Domain)
		return
	case n > 1:
		w.say("SPF", false, "%s has %d SPF records; more than one counts as none", w.s.Domain, n)
		return
	case len(addresses) == 0:
		w.say("SPF", true, "%s has an SPF record; whether it names your relay was not looked at, give --relay", w.s.Domain)
		return
	}
	for _, ip := range addresses {
		got, _ := spf.CheckHostWithSender(ip, w.s.Domain, "postmaster@"+w.s.Domain, spf.WithContext(w.ctx), spf.WithResolver(w.r)) // the error explains a pass as well
		if got == spf.Pass {
			w.say("SPF", true, "%s lets %s send in its name", w.s.Domain, ip)
		} else {
			w.say("SPF", false, "%s does not name %s as a sender (%s)", w.s.Domain, ip, got)
		}
	}
}

func (w *standing) dmarc() {
	r, policy, result := (&Server{Config: Config{Resolver: w.r}}).policy(w.ctx, w.s.Domain)
	switch {
	case result == resultTempError:
		w.say("DMARC", false, "the name service does not answer about _dmarc.%s", w.s.Domain)
	case r == nil && result == resultNone:
		w.say("DMARC", false, "%s has no DMARC record, nor has the domain above it", w.s.Domain)
	case r == nil:
		w.say("DMARC", false, "the DMARC record of %s cannot be read", w.s.Domain)
	case policy == string(dmarc.PolicyNone):
		w.say("DMARC", true, "%s has a DMARC record, which asks nobody to refuse forged mail (p=none)", w.s.Domain)
	default:
		w.say("DMARC", true, "%s has a DMARC record that asks to %s forged mail", w.s.Domain, policy)
	}
}

// ptr wants a name for an address that leads back to it, without which many
// receivers refuse mail.
func (w *standing) ptr(ip net.IP) {
	names, err := w.r.LookupAddr(w.ctx, ip.String())
	if why := unanswered("the name of "+ip.String(), err, len(names)); why != "" {
		w.say("PTR", false, "%s", why)
		return
	}
	for _, name := range names {
		name = strings.TrimSuffix(name, ".")
		back, _ := w.r.LookupIPAddr(w.ctx, name) // a name that does not exist leads nowhere
		for _, a := range back {
			if a.IP.Equal(ip) {
				w.say("PTR", true, "%s is called %s, and that leads back to it", ip, name)
				return
			}
		}
	}
	w.say("PTR", false, "%s is called %s, which does not lead back to it", ip, strings.TrimSuffix(names[0], "."))
}

func (w *standing) mx() {
	list, err := w.r.LookupMX(w.ctx, w.s.Replies)
	if why := unanswered("a mail server of "+w.s.Replies, err, len(list)); why != "" {
		w.say("MX", false, "%s: answers and wishes to unsubscribe by mail do not arrive", why)
		return
	}
	w.say("MX", true, "%s takes mail in at %s", w.s.Replies, strings.TrimSuffix(list[0].Host, "."))
}
