package accesslog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Entry is one access: the nine fields that the notice names, no tenth.
type Entry struct {
	// File is the pattern of the route, or the path of an asset. It never
	// holds a query or what stood in the place of a path parameter.
	File string
	// Time is when the request came; kept in UTC with milliseconds.
	Time time.Time
	// Bytes is the size of the response body.
	Bytes int64
	// Success is the status code of the response.
	Success int
	// Browser and OS are values of Browsers and Systems.
	Browser, OS string
	// Referrer is the previous page: the route pattern of an own page, or
	// scheme, host and path of a foreign one.
	Referrer string
	// Provider is the operator of the network, from an offline table. Record
	// fills it in when it is empty.
	Provider string
	// IP is the address of the visitor. Record shortens it where the tenant
	// wants that.
	IP netip.Addr
}

// Fields are the names of the nine fields, in the order of a record.
func Fields() []string {
	return []string{"file", "time", "bytes", "success", "browser", "os", "referrer", "provider", "ip"}
}

// NoRoute is the file name of a request, and of a previous own page, that
// belongs to no route. The path itself is not recorded: what people paste
// into an address line may be anything, a collection code included.
const NoRoute = "/unbekannt"

const (
	maxField = 500                        // bytes of a file name or a previous page
	stamp    = "2006-01-02T15:04:05.000Z" // RFC 3339, UTC, milliseconds
)

// Request is what FromRequest looks at.
type Request struct {
	// Route is the pattern that matched, with or without method and host
	// ("GET /vorgang/{id}"), or the path of an asset; empty when no route
	// matched.
	Route  string
	Time   time.Time
	Bytes  int64
	Status int
	// UserAgent and Referer are the headers as they came.
	UserAgent, Referer string
	IP                 netip.Addr
	// Own reports whether a host name (lower case, without port) is one of
	// ours, whichever tenant's. Nil means that none is.
	Own func(host string) bool
	// RouteOf returns the route pattern of a path on an own host, or "". Nil
	// means that none is known.
	RouteOf func(path string) string
}

// FromRequest reduces a request to an Entry. It is pure, and what it drops is
// recorded nowhere. The provider is left to Record.
func FromRequest(r Request) Entry {
	browser, system := Agent(r.UserAgent)
	return Entry{
		File: route(r.Route), Time: r.Time, Bytes: r.Bytes, Success: r.Status, Browser: browser, OS: system,
		Referrer: referrer(r), IP: r.IP,
	}
}

// route returns the path of a ServeMux pattern without method and host.
func route(pattern string) string {
	i := strings.IndexByte(pattern, '/')
	if i < 0 {
		return NoRoute
	}
	p := pattern[i:]
	if j := strings.IndexAny(p, "?#;"); j >= 0 {
		p = p[:j]
	}
	p = strings.TrimSuffix(p, "{$}")
	return ascii(p)
}

func referrer(r Request) string {
	s := r.Referer
	if s == "" || len(s) > 8192 {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" {
		return ""
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if host == "" || strings.ContainsFunc(host, func(c rune) bool {
		return !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' || c == ':')
	}) {
		return ""
	}
	if r.Own != nil && r.Own(host) {
		if r.RouteOf != nil {
			if p := r.RouteOf(u.Path); p != "" {
				return route(p)
			}
		}
		return NoRoute
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if p := u.Port(); p != "" && p != "80" && p != "443" {
		host += ":" + p
	}
	path, _, _ := strings.Cut(u.EscapedPath(), ";") // path parameters carry session ids
	return ascii(u.Scheme + "://" + host + path)
}

// ascii returns s with everything that is not a harmless printable ASCII
// character percent-encoded, cut to maxField bytes without splitting an
// escape. Its result can stand unquoted in JSON and in the Combined Log
// Format, and no terminal interprets it.
func ascii(s string) string {
	const hex = "0123456789ABCDEF"
	clean := len(s) <= maxField
	for i := 0; clean && i < len(s); i++ {
		clean = plain(s[i])
	}
	if clean {
		return s
	}
	b := make([]byte, 0, min(len(s), maxField)+8)
	for i := 0; i < len(s) && len(b) < maxField; i++ {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else if len(b)+3 <= maxField {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			break
		}
	}
	if n := len(b); n >= maxField-2 { // an escape that was in s may be cut
		if i := bytes.LastIndexByte(b, '%'); i >= 0 && i > n-3 {
			b = b[:i]
		}
	}
	return string(b)
}

func plain(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '`'
}

// text cleans a short human-readable name: the provider's.
func text(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s)
	for n := 0; len(s) > 120; {
		_, n = utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}

// Mode says how much of an address is kept.
type Mode uint8

const (
	// Full keeps the whole address, as the notice of the model profile says.
	Full Mode = iota
	// Truncated keeps the first 24 bits of an IPv4 address and the first 48
	// of an IPv6 address.
	Truncated
)

func (m Mode) apply(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if m == Full || !a.IsValid() {
		return a
	}
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}

// normal returns e with every field inside its rules, whoever filled it.
func (e Entry) normal(m Mode) Entry {
	e.File, e.Referrer, e.Provider = ascii(e.File), ascii(e.Referrer), text(e.Provider)
	if e.File == "" {
		e.File = NoRoute
	}
	if e.Provider == "" {
		e.Provider = UnknownProvider
	}
	if !known(browserRules(), e.Browser) {
		e.Browser = Unknown
	}
	if !known(systemRules(), e.OS) {
		e.OS = Unknown
	}
	e.Time, e.IP = e.Time.UTC().Truncate(time.Millisecond), m.apply(e.IP)
	return e
}

func known(rules []rule, name string) bool {
	for _, r := range rules {
		if r.name == name {
			return true
		}
	}
	return false
}

// appendJSON appends e as one line of JSON. The fields must be normal.
func (e Entry) appendJSON(b []byte) []byte {
	str := func(name, v string) {
		b = append(b, name...)
		b = append(b, '"')
		for i := range len(v) {
			if v[i] == '"' || v[i] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, v[i])
		}
		b = append(b, '"')
	}
	str(`{"file":`, e.File)
	b = append(b, `,"time":"`...)
	b = e.Time.AppendFormat(b, stamp)
	b = append(b, `","bytes":`...)
	b = strconv.AppendInt(b, e.Bytes, 10)
	b = append(b, `,"success":`...)
	b = strconv.AppendInt(b, int64(e.Success), 10)
	str(`,"browser":`, e.Browser)
	str(`,"os":`, e.OS)
	str(`,"referrer":`, e.Referrer)
	str(`,"provider":`, e.Provider)
	ip := ""
	if e.IP.IsValid() {
		ip = e.IP.String()
	}
	str(`,"ip":`, ip)
	return append(b, "}\n"...)
}

// appendCombined appends e as one line of the Combined Log Format. Identity
// and user are dashes; method and protocol are the constants that the format
// wants, because neither is recorded; the provider has no place in it.
func (e Entry) appendCombined(b []byte) []byte {
	if e.IP.IsValid() {
		b = e.IP.AppendTo(b)
	} else {
		b = append(b, '-')
	}
	b = append(b, " - - ["...)
	b = e.Time.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "GET `...)
	b = append(b, e.File...)
	b = append(b, ` HTTP/1.1" `...)
	b = strconv.AppendInt(b, int64(e.Success), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, e.Bytes, 10)
	b = append(b, ` "`...)
	if e.Referrer == "" {
		b = append(b, '-')
	}
	b = append(b, e.Referrer...)
	b = append(b, `" "`...)
	b = append(b, synthetic(e.Browser, e.OS)...)
	return append(b, "\"\n"...)
}

// parseEntry reads a line that appendJSON wrote.
func parseEntry(line []byte) (Entry, error) {
	var v struct {
		File     *string    `json:"file"`
		Time     *time.Time `json:"time"`
		Bytes    *int64     `json:"bytes"`
		Success  *int       `json:"success"`
		Browser  *string    `json:"browser"`
		OS       *string    `json:"os"`
		Referrer *string    `json:"referrer"`
		Provider *string    `json:"provider"`
		IP       *string    `json:"ip"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return Entry{}, errors.New("accesslog: not a record")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Entry{}, errors.New("accesslog: more than one record in a line")
	}
	if v.File == nil || v.Time == nil || v.Bytes == nil || v.Success == nil || v.Browser == nil || v.OS == nil ||
		v.Referrer == nil || v.Provider == nil || v.IP == nil {
		return Entry{}, errors.New("accesslog: record without all nine fields")
	}
	e := Entry{File: *v.File, Time: *v.Time, Bytes: *v.Bytes, Success: *v.Success, Browser: *v.Browser, OS: *v.OS,
		Referrer: *v.Referrer, Provider: *v.Provider}
	if *v.IP != "" {
		var err error
		if e.IP, err = netip.ParseAddr(*v.IP); err != nil {
			return Entry{}, errors.New("accesslog: record with a bad address")
		}
	}
	return e.normal(Full), nil
}
