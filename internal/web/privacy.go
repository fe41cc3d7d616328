package web

import (
	"time"

	"poststelle/internal/personal"
)

// Personal declares what this package keeps: sessions, in memory only, and the
// cookies of the given registry, so that the cookie table shows what can be set
// and nothing else.
func Personal(cookies *Registry) personal.Declaration {
	d := personal.Declaration{
		Domain: "web",
		Stores: []personal.Store{{
			Kind:     personal.Memory,
			Name:     "web_sessions",
			Activity: "web.privacy.activity",
			Purpose:  "web.privacy.purpose",
			Basis:    personal.Basis{personal.Vorlage: {personal.Art6f, personal.TDDDG25b}, personal.Streng: {personal.Art6e, personal.LDSG4, personal.TDDDG25b}},
			Subjects: []personal.Subject{{Role: personal.Visitor}, {Role: personal.Citizen}, {Role: personal.Staff}},
			Personal: []personal.Column{
				{Name: "id_hash", Category: personal.Identifier},
				{Name: "last_seen", Category: personal.Behaviour},
				{Name: "network", Category: personal.Behaviour}, // counted for a minute, not kept with the session
				{Name: "values", Category: personal.Content, Special: personal.SpecialPossible, Third: true},
			},
			Neutral:   []string{"site", "created"},
			Locator:   personal.None,
			Retention: personal.Retention{Session: true},
			Erase: []personal.Erasure{
				{Role: personal.Visitor, Act: personal.Delete}, {Role: personal.Citizen, Act: personal.Delete}, {Role: personal.Staff, Act: personal.Delete},
			},
		}},
	}
	for _, c := range cookies.All() {
		d.Cookies = append(d.Cookies, c.Declaration())
	}
	return d
}

// Declaration is the cookie in the words of the register, under the name that a
// browser on https shows.
func (c Cookie) Declaration() personal.Cookie {
	return personal.Cookie{Name: c.SentName(true), Class: personal.Necessary, Purpose: c.Purpose, Lifetime: c.Lifetime.Round(time.Second), Values: c.valuesKey()}
}

// valuesKey is the sentence that says what stands in the cookie.
func (c Cookie) valuesKey() string {
	switch c.Class {
	case Technical:
		return "web.cookie.values.random"
	case Display:
		return "web.cookie.values.display"
	}
	return "web.cookie.values.objection"
}
