package newsletter

import (
	"context"
	"slices"

	"poststelle/internal/fault"
	"poststelle/internal/i18n"
	"poststelle/internal/tenant"
	"poststelle/internal/web/ui"
)

// problems are the fields of an error as sentences for a page.
type problems []fault.Field

// of returns the sentence of a field, "" when nothing is wrong with it.
func (p problems) of(ctx context.Context, name string) string {
	for _, f := range p {
		if f.Name == name {
			return i18n.T(ctx, f.Key, f.Args...)
		}
	}
	return ""
}

// list returns one line for each error, leading to its field.
func (p problems) list(ctx context.Context) []ui.FieldError {
	var out []ui.FieldError
	for _, f := range p {
		out = append(out, ui.FieldError{ID: f.Name, Text: i18n.T(ctx, f.Key, f.Args...)})
	}
	return out
}

// options are the categories to choose from.
func options(set Settings, lang string, chosen []string) []ui.Option {
	var out []ui.Option
	for _, c := range set.offered() {
		out = append(out, ui.Option{Value: c.ID, Label: c.Title(lang), Selected: slices.Contains(chosen, c.ID)})
	}
	return out
}

type signUpView struct {
	Title, About, Consent, Authority string
	Email                            string
	Chosen                           []string
	Topics                           []ui.Option
	Archive                          bool
	Errors                           problems
}

func (v *signUpView) fill(ctx context.Context, t *tenant.Tenant, set Settings) {
	lang := i18n.Lang(ctx)
	v.Title, v.About, v.Consent, v.Authority = i18n.T(ctx, "newsletter.signup.title", "title", set.name(lang)), set.about(lang), consent(ctx, t, set.name(lang)), t.Name
	v.Archive = set.Archive
	if len(set.offered()) > 1 {
		v.Topics = options(set, lang, v.Chosen)
	}
}

// doneView is a page that says what was done.
type doneView struct {
	Title, Text string
	Good        bool
}

// askView is a page with one button.
type askView struct{ Title, Text, Send, Action string }

type manageView struct {
	Action string
	Topics []ui.Option
	Saved  bool
	Errors problems
}

type archiveView struct {
	Title  string
	Issues []Issue
}
