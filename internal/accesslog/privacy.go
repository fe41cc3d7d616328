package accesslog

import (
	"time"

	"poststelle/internal/personal"
)

// Period is how long a record can be read, at the longest: then the vault has
// destroyed the key of its day.
const Period = 30 * 24 * time.Hour

// Personal declares the log: nine fields, all of them together about the
// person who visited.
func Personal() personal.Declaration {
	return personal.Declaration{
		Domain: "accesslog",
		Stores: []personal.Store{{
			Kind:     personal.LogStream,
			Name:     "accesslog",
			Activity: "accesslog.privacy.activity",
			Purpose:  "accesslog.privacy.purpose",
			Basis: personal.Basis{
				personal.Vorlage: {personal.Art6b},
				personal.Streng:  {personal.Art6e, personal.LDSG4},
			},
			Subjects: []personal.Subject{{Role: personal.Visitor}},
			Personal: []personal.Column{
				{Name: "file", Category: personal.Behaviour},
				{Name: "time", Category: personal.Behaviour},
				{Name: "bytes", Category: personal.Technical},
				{Name: "success", Category: personal.Technical},
				{Name: "browser", Category: personal.Technical},
				{Name: "os", Category: personal.Technical},
				{Name: "referrer", Category: personal.Behaviour},
				{Name: "provider", Category: personal.Technical},
				{Name: "ip", Category: personal.Technical},
			},
			Locator:   personal.None,
			Retention: personal.Retention{Period: Period},
			Erase: []personal.Erasure{
				{Role: personal.Visitor, Act: personal.Keep, Reason: "accesslog.privacy.keep"},
			},
		}},
	}
}
