package accesslog_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"poststelle/internal/accesslog"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123_456_789, time.UTC)

func own(h string) bool { return h == "stadt.example" || h == "gemeinde.example" }

func routeOf(p string) string {
	if strings.HasPrefix(p, "/amt/vorgang/") {
		return "GET /amt/vorgang/{id}"
	}
	if p == "/abholen" {
		return "/abholen"
	}
	return ""
}

func TestFromRequest_File(t *testing.T) {
	for in, want := range map[string]string{
		"GET /abholen":                          "/abholen",
		"GET stadt.example/amt/vorgang/{id}":    "/amt/vorgang/{id}",
		"/assets/app.3f2a.css":                  "/assets/app.3f2a.css",
		"/assets/app.css?v=CANARY":              "/assets/app.css",
		"/a;jsessionid=CANARY":                  "/a",
		"GET /{$}":                              "/",
		"":                                      accesslog.NoRoute,
		"POST":                                  accesslog.NoRoute,
		"/a\r\nb":                               "/a%0D%0Ab",
		"/a\x1b[31m\"b\\\u202e":                 "/a%1B[31m%22b%5C%E2%80%AE",
		"/" + strings.Repeat("x", 600):          "/" + strings.Repeat("x", 499),
		"/" + strings.Repeat("x", 497) + "ä":    "/" + strings.Repeat("x", 497),
		"/" + strings.Repeat("x", 497) + "%41b": "/" + strings.Repeat("x", 497),
	} {
		if got := accesslog.FromRequest(accesslog.Request{Route: in}).File; got != want {
			t.Errorf("File of %q = %q, want %q", in, got, want)
		}
	}
}

func TestFromRequest_Referrer(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "",
		"https://stadt.example/abholen?c=CANARY": "/abholen",
		"https://stadt.example:8443/amt/vorgang/CANARY#x":    "/amt/vorgang/{id}",
		"https://STADT.example./abholen":                     "/abholen",
		"https://gemeinde.example/CANARY":                    accesslog.NoRoute,
		"https://www.suche.example/ergebnis?q=CANARY#CANARY": "https://www.suche.example/ergebnis",
		"https://CANARY:CANARY@www.suche.example/x":          "https://www.suche.example/x",
		"http://WWW.Suche.example:8080/ä b":                  "http://www.suche.example:8080/%C3%A4%20b",
		"https://www.suche.example:443/":                     "https://www.suche.example/",
		"https://www.suche.example/a;sid=CANARY/b":           "https://www.suche.example/a",
		"https://[2001:db8::1]/a":                            "https://[2001:db8::1]/a",
		"https://www.suche.example/a%0d%0ab":                 "https://www.suche.example/a%0d%0ab",
		"https://www.suche.example/\"a\\":                    "https://www.suche.example/%22a%5C",
		"https://www.suche.example/\r\nSet-Cookie: x":        "",
		"https://www.suche.example/\x1b[2J":                  "",
		"https://www.suche.example/\u202etxt":                "https://www.suche.example/%E2%80%AEtxt",
		"https://b\u00fccher.example/":                       "",
		"javascript:alert(1)":                                "",
		"mailto:CANARY@example.org":                          "",
		"data:text/html,CANARY":                              "",
		"https:CANARY":                                       "",
		"/CANARY":                                            "",
		"android-app://com.example/CANARY":                   "",
		"https://x.example/" + strings.Repeat("p", 10000):    "",
		"https://x.example/" + strings.Repeat("p", 1000):     "https://x.example/" + strings.Repeat("p", 482),
	} {
		if got := accesslog.FromRequest(accesslog.Request{Referer: in, Own: own, RouteOf: routeOf}).Referrer; got != want {
			t.Errorf("Referrer of %q = %q, want %q", in, got, want)
		}
	}
}

func FuzzFromRequest(f *testing.F) {
	f.Add("GET /a", "https://x.example/a?b#c", "curl/8")
	f.Add("/\r\n", "https://u:p@x/\x1b", "\x00")
	f.Fuzz(func(t *testing.T, route, ref, ua string) {
		e := accesslog.FromRequest(accesslog.Request{Route: route, Referer: ref, UserAgent: ua, Own: own, RouteOf: routeOf,
			IP: netip.MustParseAddr("192.0.2.7"), Time: noon})
		for _, s := range []string{e.File, e.Referrer} {
			if len(s) > 500 || strings.ContainsAny(s, "?#\"\\ ") {
				t.Errorf("%q", s)
			}
			for i := range len(s) {
				if s[i] <= ' ' || s[i] >= 0x7f {
					t.Errorf("%q", s)
				}
			}
		}
	})
}
