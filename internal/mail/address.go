package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"poststelle/internal/fault"
)

// Address is a mail address that has passed ParseAddress: ASCII only, with
// the domain in lower case and in A-label form.
type Address string

// Sizes of an address (RFC 5321, 4.5.3.1; 254 follows from the 256 octets of
// a path with its angle brackets).
const (
	maxAddress = 254
	maxLocal   = 64
)

// ParseAddress reads what a person typed into the form field named field.
//
// Accepted is the plain form local@domain. The local part is a dot-atom of
// ASCII characters whose case is kept. The domain has at least two labels and
// may be written in any script; it is returned in A-label form (RFC 5891).
//
// Refused are the forms that are legal somewhere and used mainly for tricks:
// quoted local parts, comments, display names, angle brackets, IP literals,
// a second @, and the characters ! and % with which old relays were told to
// forward. Local parts beyond ASCII (RFC 6531) are refused with a sentence of
// their own, because many relays cannot deliver to them.
//
// The error is of kind fault.Invalid and names field with one of the keys
// mail.address.empty, mail.address.long, mail.address.eai and
// mail.address.invalid.
func ParseAddress(field, s string) (Address, error) {
	a, key := parseAddress(s)
	if key != "" {
		return "", fault.Fields(fault.Field{Name: field, Key: key})
	}
	return a, nil
}

func parseAddress(s string) (Address, string) {
	const (
		empty   = "mail.address.empty"
		long    = "mail.address.long"
		eai     = "mail.address.eai"
		invalid = "mail.address.invalid"
	)
	s = strings.Trim(s, " \t\r\n")
	if s == "" {
		return "", empty
	}
	if !utf8.ValidString(s) {
		return "", invalid
	}
	if len(s) > 4*maxAddress { // U-labels may be longer than their A-labels
		return "", long
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.ContainsRune(domain, '@') {
		return "", invalid
	}
	if strings.ContainsFunc(local, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsPrint(r) }) {
		return "", eai
	}
	if local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return "", invalid
	}
	for i := range len(local) {
		if !alnum(local[i]) && strings.IndexByte("#$&'*+-/=?^_`{|}~.", local[i]) < 0 {
			return "", invalid
		}
	}
	if len(local) > maxLocal {
		return "", long
	}
	// Format characters vanish in the mapping of UTS 46; two addresses that
	// look alike should not both be accepted.
	if strings.ContainsFunc(domain, func(r rune) bool {
		return unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
	}) {
		return "", invalid
	}
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true))
	ascii, err := profile.ToASCII(domain)
	if err != nil {
		return "", invalid
	}
	if len(local)+1+len(ascii) > maxAddress {
		return "", long
	}
	labels := strings.Split(ascii, ".")
	if len(labels) < 2 {
		return "", invalid
	}
	for _, l := range labels {
		if !label(l) {
			return "", invalid
		}
	}
	if tld := labels[len(labels)-1]; tld[0] >= '0' && tld[0] <= '9' { // an IPv4 address, for one
		return "", invalid
	}
	return Address(local + "@" + ascii), ""
}

// label reports whether l is a host name label (RFC 1123, 2.1).
func label(l string) bool {
	if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for i := range len(l) {
		if b := l[i]; b != '-' && (!alnum(b) || 'A' <= b && b <= 'Z') {
			return false
		}
	}
	return true
}
