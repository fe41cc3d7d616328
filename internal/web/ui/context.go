package ui

import (
	"context"
	"strings"
	"time"

	"poststelle/internal/i18n"
)

// Kit is what components take from the context.
type Kit struct {
	// Asset maps a file name of package assets ("icons.svg") to the address it is served under.
	Asset func(name string) string
	// Display answers the reader's kept display states by name ("hilfe_betreff"); "" when none is kept.
	Display func(name string) string
	// Now is the time the page is built at; relative dates count from it.
	Now time.Time
	// Path is the address of the page without locale prefix, with query; forms that come back here send it along.
	Path string
}

type kitKey struct{}

// With returns a context that carries k. Layout does this for a whole page.
func With(ctx context.Context, k Kit) context.Context { return context.WithValue(ctx, kitKey{}, k) }

func kitOf(ctx context.Context) Kit {
	k, _ := ctx.Value(kitKey{}).(Kit)
	if k.Asset == nil {
		k.Asset = func(name string) string { return "/assets/" + name }
	}
	if k.Display == nil {
		k.Display = func(string) string { return "" }
	}
	return k
}

// Href gives the address of a path of this site in the language of the page: "/abholen" becomes "/en/abholen" on an
// English page. Addresses of other sites, fragments and relative addresses are returned as they are.
func Href(ctx context.Context, path string) string {
	if i18n.Lang(ctx) != "en" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return path
	}
	if path == "/" {
		return "/en"
	}
	if strings.HasPrefix(path, "/en/") || path == "/en" {
		return path
	}
	return "/en" + path
}

// HelpChoice reads the value of a form field named "hilfe" ("<id>:auf" or "<id>:zu") and gives the name and value of the
// display state to keep. ok is false for anything else; the handler then goes on as usual.
func HelpChoice(value string) (name, state string, ok bool) {
	id, state, found := strings.Cut(value, ":")
	if !found || id == "" || (state != "auf" && state != "zu") {
		return "", "", false
	}
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return "", "", false
		}
	}
	return "hilfe_" + id, state, true
}
