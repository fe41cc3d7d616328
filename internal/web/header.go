package web

import (
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The policy of every page, around the scripts that it may run; data: is there
// because KERN draws icons as CSS masks from data: URLs, from which nothing runs.
const (
	cspBefore = "default-src 'none'; script-src "
	cspAfter  = "; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; " +
		"frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	cspNone = cspBefore + "'none'" + cspAfter
)

func csp(nonce string) string { return cspBefore + "'nonce-" + nonce + "'" + cspAfter }

// cspFile is the policy of a file somebody uploaded.
const cspFile = "sandbox; default-src 'none'"

var fixedHeaders = [...][2]string{
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "same-origin"},
	{"X-Frame-Options", "DENY"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Embedder-Policy", "require-corp"},
	{"Permissions-Policy", "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(self), " +
		"geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(self), " +
		"screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=(), browsing-topics=()"},
}

const hsts = "max-age=63072000; includeSubDomains"

func setHeaders(h http.Header, sc *scope) {
	for _, f := range fixedHeaders {
		h[f[0]] = []string{f[1]}
	}
	h.Set("Content-Security-Policy", cspNone)
	h.Set("Cache-Control", "no-store")
	if sc.secure {
		h.Set("Strict-Transport-Security", hsts)
	}
}

// completeHeaders puts back what a handler removed; it may replace but not drop.
func completeHeaders(h http.Header, sc *scope) {
	for _, f := range fixedHeaders {
		if h.Get(f[0]) == "" {
			h.Set(f[0], f[1])
		}
	}
	if h.Get("Content-Security-Policy") == "" {
		h.Set("Content-Security-Policy", cspNone)
	}
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	if sc.secure && h.Get("Strict-Transport-Security") == "" {
		h.Set("Strict-Transport-Security", hsts)
	}
}

// Attachment sets the headers of a file that somebody uploaded: it is
// downloaded under a harmless name (RFC 6266, RFC 8187) and never shown on this
// origin, whatever it is. Size is the length in bytes, negative if unknown. The
// caller writes the content next; an error after that cuts the connection.
func Attachment(w http.ResponseWriter, r *http.Request, name, mediaType string, size int64) {
	h := w.Header()
	h.Set("Content-Type", safeType(mediaType))
	h.Set("Content-Disposition", disposition(name))
	h.Set("Content-Security-Policy", cspFile)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(size, 10))
	}
}

// safeType keeps a well-formed media type and drops parameters. What a browser
// would run as a document goes as unspecific bytes.
func safeType(t string) string {
	base, _, err := mime.ParseMediaType(t)
	if err != nil || !strings.Contains(base, "/") {
		return "application/octet-stream"
	}
	for _, active := range [...]string{"html", "xml", "svg", "script", "multipart/", "mhtml", "x-www-form"} {
		if strings.Contains(base, active) && !strings.Contains(base, "openxmlformats") {
			return "application/octet-stream"
		}
	}
	return base
}

func disposition(name string) string {
	name = FileName(name)
	var ascii strings.Builder
	plain := true
	for _, c := range name {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '%' {
			c, plain = '_', false
		}
		ascii.WriteRune(c)
	}
	out := `attachment; filename="` + ascii.String() + `"`
	if !plain {
		out += "; filename*=UTF-8''" + strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(name))
	}
	return out
}

// maxFileName is the longest file name in bytes; file systems end at 255.
const maxFileName = 200

// FileName makes a name that somebody sent harmless for a download: no
// directories, no control or direction characters, no leading dot or dash, no
// device names of Windows, at most 200 bytes with the extension kept. It never
// returns "". Show the result, not the name that was sent.
func FileName(name string) string { return fileName(name, acts) }

// acts reports a character that reorders or hides what stands beside it.
func acts(c rune) bool {
	return unicode.Is(unicode.Bidi_Control, c) || c == 0x200b || c == 0x2060 || c == 0xfeff
}

// fileName replaces what drop reports, besides what no name may hold.
func fileName(name string, drop func(rune) bool) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsControl(c), drop(c):
			return '_'
		case strings.ContainsRune(`<>:"|?*`, c):
			return '_'
		case unicode.IsSpace(c):
			return ' '
		}
		return c
	}, name)
	name = strings.TrimRight(strings.TrimLeft(name, " .-~"), " .")
	stem, _, _ := strings.Cut(name, ".")
	switch strings.ToLower(strings.TrimRight(stem, " 0123456789")) {
	case "con", "prn", "aux", "nul", "com", "lpt":
		name = "_" + name
	}
	if len(name) > maxFileName {
		ext := path.Ext(name)
		if len(ext) > 20 {
			ext = ""
		}
		cut := maxFileName - len(ext)
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name = name[:cut] + ext
	}
	if name == "" {
		return "datei"
	}
	return name
}
