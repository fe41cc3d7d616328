package web

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"poststelle/internal/i18n"
	"poststelle/internal/web/ui"
)

// refuseAway answers a request whose handler needed a session while the store
// was away; it reports whether the connection must be cut, because the response
// had begun.
func (rt *Router) refuseAway(res *response, r *http.Request, err error) (abort bool) {
	sc := res.sc
	rt.cfg.Log.Error("sessions are away", "id", sc.id, "site", sc.site.ID, "route", sc.route, "err", err)
	if res.status != 0 {
		return true
	}
	rt.errorPage(res, r, http.StatusServiceUnavailable, err)
	return false
}

// body puts the form below the error page: its long texts to read and copy, and
// all of it to send once more.
func (t *typed) body(page templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		if err := page.Render(ctx, w); err != nil {
			return err
		}
		return ui.Again(ui.AgainSpec{
			Title: i18n.T(ctx, "web.session.away.title"), Text: i18n.T(ctx, t.sentence()), Button: i18n.T(ctx, "web.session.away.button"),
			Action: t.action, Fields: t.pairs(), Texts: t.texts(),
		}).Render(ctx, w)
	})
}

func (t *typed) sentence() string {
	if t.files {
		return "web.session.away.files"
	}
	return "web.session.away.text"
}

// pairs are all fields, that of the token first, where it is looked for.
func (t *typed) pairs() (out []ui.Pair) {
	for _, value := range t.fields[ui.GuardField] {
		out = append(out, ui.Pair{Key: ui.GuardField, Text: value})
	}
	for _, name := range slices.Sorted(maps.Keys(t.fields)) {
		for _, value := range t.fields[name] {
			if name != ui.GuardField {
				out = append(out, ui.Pair{Key: name, Text: value})
			}
		}
	}
	return out
}

// texts are the values that somebody has written rather than chosen.
func (t *typed) texts() (out []string) {
	for _, name := range slices.Sorted(maps.Keys(t.fields)) {
		for _, value := range t.fields[name] {
			if name != ui.GuardField && (strings.ContainsAny(value, " \n") || len(value) > 60) {
				out = append(out, value)
			}
		}
	}
	return out
}
