package inbound

import (
	"bytes"
	"context"
	"net"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"
	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-msgauth/dmarc"
	"golang.org/x/net/publicsuffix"
)

// Resolver asks the name service. *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

var _ Resolver = (*net.Resolver)(nil)

const (
	// checkTimeout bounds all questions about one mail together.
	checkTimeout = 15 * time.Second
	// maxSignatures is how many signatures of a mail are checked.
	maxSignatures = 5
)

// Results, in the words of RFC 8601.
const (
	resultPass      = "pass"
	resultFail      = "fail"
	resultNone      = "none"
	resultTempError = "temperror"
	resultPermError = "permerror"
)

// Check says what is proven of the sender of a mail: of the domain in From, never
// of the person.
type Check struct {
	// Domain is the domain in From, "" when there is not exactly one.
	Domain string
	// SPF is the result for SPFDomain, the domain of MAIL FROM or of the greeting.
	SPF, SPFDomain string
	DKIM           []Signature
	// DMARC is pass, fail, none (no policy), temperror or permerror; Policy is what
	// the domain asks for: none, quarantine, reject.
	DMARC, Policy string
	// Aligned says that SPF or a signature passed for the domain in From itself.
	Aligned bool
}

// Signature is the result of one DKIM signature.
type Signature struct{ Domain, Result string }

// Trusted reports whether the mail is from the domain that it claims.
func (c Check) Trusted() bool { return c.Aligned }

// Refused reports whether the domain asks that such mail be refused or set aside.
func (c Check) Refused() bool {
	return c.DMARC == resultFail && (c.Policy == "reject" || c.Policy == "quarantine")
}

// Unknown reports whether the name service did not answer, so that nothing can be
// said.
func (c Check) Unknown() bool {
	if c.Aligned {
		return false
	}
	for _, s := range c.DKIM {
		if s.Result == resultTempError {
			return true
		}
	}
	return c.SPF == resultTempError || c.DMARC == resultTempError
}

// Signatures names the results of all signatures: "pass (example.org)".
func (c Check) Signatures() string {
	if len(c.DKIM) == 0 {
		return resultNone
	}
	var out []string
	for _, s := range c.DKIM {
		out = append(out, s.Result+" ("+s.Domain+")")
	}
	return strings.Join(out, ", ")
}

// results are the entries of Authentication-Results (RFC 8601).
func (c Check) results() []string {
	out := []string{"spf=" + c.SPF}
	if c.SPFDomain != "" {
		out[0] += " smtp.mailfrom=" + c.SPFDomain
	}
	for _, s := range c.DKIM {
		out = append(out, "dkim="+s.Result+" header.d="+s.Domain)
	}
	if len(c.DKIM) == 0 {
		out = append(out, "dkim=none")
	}
	last := "dmarc=" + c.DMARC
	if c.Domain != "" {
		last += " header.from=" + c.Domain
	}
	return append(out, last)
}

// check asks the name service about a mail. It never fails: what cannot be found
// out is temperror.
func (s *Server) check(ctx context.Context, e envelope, h header, raw []byte) Check {
	c := Check{SPF: resultNone, DMARC: resultNone}
	if h.count("from") == 1 {
		_, c.Domain, _ = strings.Cut(fromOf(h).Address, "@")
	}
	if s.Resolver == nil {
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	c.SPF, c.SPFDomain = s.checkSPF(ctx, e)
	c.DKIM = s.checkDKIM(ctx, raw)
	c.DMARC, c.Policy = resultPermError, ""
	if c.Domain != "" {
		s.checkDMARC(ctx, &c)
	}
	return c
}

// checkSPF holds the address of the client against the domain of MAIL FROM, or of
// the greeting where MAIL FROM is empty. Behind a relay of ours there is none.
func (s *Server) checkSPF(ctx context.Context, e envelope) (result, domain string) {
	ip := net.ParseIP(e.remote)
	if ip == nil {
		return resultNone, ""
	}
	_, domain, _ = strings.Cut(e.from, "@")
	if domain == "" {
		domain = e.helo
	}
	domain = plainDomain(domain)
	if domain == "" {
		return resultNone, ""
	}
	sender := e.from
	if sender == "" {
		sender = "postmaster@" + domain
	}
	got, _ := spf.CheckHostWithSender(ip, e.helo, sender, spf.WithContext(ctx), spf.WithResolver(s.Resolver)) // the error explains a pass as well
	if ctx.Err() != nil {
		return resultTempError, domain
	}
	return string(got), domain
}

// plainDomain returns a domain in lower case, "" for what is none.
func plainDomain(d string) string {
	d = strings.ToLower(strings.TrimSuffix(d, "."))
	if len(d) > 253 || !strings.Contains(d, ".") || strings.Trim(d, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return ""
	}
	return d
}

func (s *Server) checkDKIM(ctx context.Context, raw []byte) []Signature {
	found, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{
		MaxVerifications: maxSignatures,
		LookupTXT:        func(name string) ([]string, error) { return s.Resolver.LookupTXT(ctx, name) },
	})
	if err != nil && len(found) == 0 {
		return nil // no header that could be read
	}
	var out []Signature
	for _, v := range found {
		result := resultPass
		switch {
		case v.Err == nil:
		case dkim.IsTempFail(v.Err):
			result = resultTempError
		case dkim.IsPermFail(v.Err):
			result = resultPermError
		default:
			result = resultFail
		}
		if domain := plainDomain(v.Domain); domain != "" {
			out = append(out, Signature{domain, result})
		}
	}
	return out
}

// checkDMARC finds the policy of the domain in From, and whether anything that
// passed belongs to that domain (RFC 7489, 3.1).
func (s *Server) checkDMARC(ctx context.Context, c *Check) {
	record, policy, result := s.policy(ctx, c.Domain)
	strictSPF, strictDKIM := false, false
	if record != nil {
		strictSPF, strictDKIM = record.SPFAlignment == dmarc.AlignmentStrict, record.DKIMAlignment == dmarc.AlignmentStrict
	}
	c.Aligned = c.SPF == resultPass && aligned(c.Domain, c.SPFDomain, strictSPF)
	for _, x := range c.DKIM {
		c.Aligned = c.Aligned || x.Result == resultPass && aligned(c.Domain, x.Domain, strictDKIM)
	}
	c.DMARC, c.Policy = result, policy
	if record == nil {
		return
	}
	c.DMARC = resultFail
	if c.Aligned {
		c.DMARC = resultPass
	} else if c.Unknown() {
		c.DMARC = resultTempError
	}
}

// policy looks the policy up for a domain, then for its organisation. Without a
// record the result says why.
func (s *Server) policy(ctx context.Context, domain string) (r *dmarc.Record, policy, result string) {
	options := &dmarc.LookupOptions{LookupTXT: func(name string) ([]string, error) { return s.Resolver.LookupTXT(ctx, name) }}
	r, err := dmarc.LookupWithOptions(domain, options)
	if err == nil {
		return r, string(r.Policy), ""
	}
	if org := organisation(domain); err == dmarc.ErrNoPolicy && org != domain && org != "" {
		if r, err = dmarc.LookupWithOptions(org, options); err == nil {
			if r.SubdomainPolicy != "" {
				return r, string(r.SubdomainPolicy), ""
			}
			return r, string(r.Policy), ""
		}
	}
	switch {
	case err == dmarc.ErrNoPolicy:
		return nil, "", resultNone
	case dmarc.IsTempFail(err), ctx.Err() != nil:
		return nil, "", resultTempError
	}
	return nil, "", resultPermError
}

// aligned reports whether a proven domain is that in From: the same, or of the
// same organisation.
func aligned(from, proven string, strict bool) bool {
	if from == "" || proven == "" {
		return false
	}
	if from == proven {
		return true
	}
	org := organisation(from)
	return !strict && org != "" && org == organisation(proven)
}

// organisation returns the domain that was registered, "" for a public suffix.
func organisation(domain string) string {
	org, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return ""
	}
	return org
}
