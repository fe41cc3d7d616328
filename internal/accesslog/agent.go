package accesslog

import (
	"strings"
	"sync"
)

// Unknown is the browser or operating system that no rule knows.
const Unknown = "unbekannt"

// The browser types. Versions are not told apart: together with the rest of
// the header they come close to a fingerprint of one device.
const (
	Firefox  = "Firefox"
	Chrome   = "Chrome"
	Edge     = "Edge"
	Safari   = "Safari"
	Opera    = "Opera"
	Samsung  = "Samsung Internet"
	Explorer = "Internet Explorer"
	Textual  = "Textbrowser"
	Bot      = "Bot"
	Program  = "Programm"
)

// The operating systems.
const (
	Windows  = "Windows"
	MacOS    = "macOS"
	IOS      = "iOS"
	Android  = "Android"
	ChromeOS = "ChromeOS"
	Linux    = "Linux"
	BSD      = "BSD"
)

// rule names a type when the header contains one of the marks. The first rule
// that matches decides, so the specific ones stand first: nearly every
// browser also claims to be one or two others.
type rule struct {
	name  string
	marks []string
}

var browserRules = sync.OnceValue(func() []rule {
	return []rule{
		{Bot, []string{"bot/", "Bot/", "bot;", "Bot;", "bot)", "Googlebot", "bingbot", "Bot ", "robot", "Robot",
			"crawler", "Crawler", "spider", "Spider", "Slurp", "facebookexternalhit", "BingPreview", "ia_archiver",
			"Mediapartners-Google", "WhatsApp/", "Site24x7", "UptimeRobot", "HeadlessChrome", "Lighthouse"}},
		{Edge, []string{"Edg/", "EdgA/", "EdgiOS/", "Edge/"}},
		{Opera, []string{"OPR/", "OPT/", "OPiOS/", "Opera"}},
		{Samsung, []string{"SamsungBrowser/"}},
		{Explorer, []string{"MSIE ", "Trident/"}},
		{Firefox, []string{"Firefox/", "FxiOS/", "Focus/", "Iceweasel/", "Seamonkey/"}},
		{Chrome, []string{"Chrome/", "CriOS/", "Chromium/"}},
		{Textual, []string{"Lynx/", "w3m/", "ELinks/", "Links ("}},
		{Program, []string{"curl/", "Wget/", "python-requests/", "Python-urllib/", "Python/", "Go-http-client/", "okhttp/", "Java/",
			"Apache-HttpClient/", "libwww-perl/", "PostmanRuntime/", "HTTPie/", "axios/", "node-fetch/", "Ruby", "PHP/", "Dalvik/", "GoAccess/",
			"CFNetwork/", "WindowsPowerShell/", Program + "/"}},
		{Safari, []string{"Safari/", "(iPhone; CPU", "(iPad; CPU"}}, // apps with a web view leave "Safari" out
	}
})

var systemRules = sync.OnceValue(func() []rule {
	return []rule{
		{Windows, []string{"Windows"}},
		{IOS, []string{"iPhone", "iPad", "iPod"}},
		{Android, []string{"Android"}},
		{ChromeOS, []string{"CrOS "}},
		{MacOS, []string{"Macintosh", "Mac OS X", "Darwin/"}},
		{BSD, []string{"FreeBSD", "OpenBSD", "NetBSD", "DragonFly"}},
		{Linux, []string{"Linux", "linux", "X11;", "Ubuntu"}},
	}
})

// Browsers returns every value that the field browser can have.
func Browsers() []string { return names(browserRules()) }

// Systems returns every value that the field os can have.
func Systems() []string { return names(systemRules()) }

func names(rules []rule) []string {
	out := []string{Unknown}
	for _, r := range rules {
		out = append(out, r.name)
	}
	return out
}

// Agent reduces a User-Agent header to the coarse types of browser and
// operating system. Nothing else of the header survives.
func Agent(header string) (browser, system string) {
	if len(header) > 1024 {
		header = header[:1024]
	}
	return first(browserRules(), header), first(systemRules(), header)
}

func first(rules []rule, s string) string {
	for _, r := range rules {
		for _, m := range r.marks {
			if strings.Contains(s, m) {
				return r.name
			}
		}
	}
	return Unknown
}

// synthetic makes a User-Agent from the coarse types, so that a reader of the
// Combined Log Format finds the same types again. Versions are 0 because none
// is recorded.
func synthetic(browser, system string) string {
	platform := "unknown"
	switch system {
	case Windows:
		platform = "Windows NT 10.0; Win64; x64"
	case MacOS:
		platform = "Macintosh; Intel Mac OS X 10_15"
	case IOS:
		platform = "iPhone; CPU iPhone OS 17_0 like Mac OS X"
	case Android:
		platform = "Linux; Android 10; K"
	case ChromeOS:
		platform = "X11; CrOS x86_64 0.0"
	case BSD:
		platform = "X11; FreeBSD amd64"
	case Linux:
		platform = "X11; Linux x86_64"
	}
	const kit = ") AppleWebKit/537.36 (KHTML, like Gecko) "
	switch browser {
	case Firefox:
		return "Mozilla/5.0 (" + platform + "; rv:0.0) Gecko/20100101 Firefox/0.0"
	case Chrome:
		return "Mozilla/5.0 (" + platform + kit + "Chrome/0.0 Safari/537.36"
	case Edge:
		return "Mozilla/5.0 (" + platform + kit + "Chrome/0.0 Safari/537.36 Edg/0.0"
	case Opera:
		return "Mozilla/5.0 (" + platform + kit + "Chrome/0.0 Safari/537.36 OPR/0.0"
	case Samsung:
		return "Mozilla/5.0 (" + platform + kit + "SamsungBrowser/0.0 Chrome/0.0 Safari/537.36"
	case Safari:
		return "Mozilla/5.0 (" + platform + kit + "Version/0.0 Safari/605.1.15"
	case Explorer:
		return "Mozilla/5.0 (" + platform + "; Trident/7.0; rv:11.0) like Gecko"
	case Textual:
		return "Lynx/0.0 (" + platform + ")"
	case Bot:
		return "bot/0.0 (compatible; " + platform + ")"
	case Program:
		return Program + "/0.0 (" + platform + ")"
	}
	if system == Unknown {
		return "-"
	}
	return "Mozilla/5.0 (" + platform + ")"
}
