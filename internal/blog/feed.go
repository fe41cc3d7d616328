package blog

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"poststelle/internal/tenant"
)

// feedPosts is how many posts the feed holds.
const feedPosts = 20

// atom is a feed of RFC 4287.
type atom struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Lang    string      `xml:"xml:lang,attr"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  atomAuthor  `xml:"author"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomAuthor struct {
	Name string `xml:"name"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID        string      `xml:"id"`
	Title     string      `xml:"title"`
	Published string      `xml:"published"`
	Updated   string      `xml:"updated"`
	Links     []atomLink  `xml:"link"`
	Summary   string      `xml:"summary,omitempty"`
	Content   atomContent `xml:"content"`
}

type atomContent struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// feed returns the Atom feed of a tenant's posts and when it last changed. Its
// author is the authority: no person is named (RFC 4287, 4.1.1 asks for one).
func (s *Service) feed(t *tenant.Tenant, title string, posts []post) ([]byte, time.Time, error) {
	base := s.BaseURL(t)
	changed := t.Created
	f := atom{
		Lang: "de", ID: tagURI(t, t.Created, "aktuelles"), Title: title, Author: atomAuthor{Name: t.Name},
		Links: []atomLink{
			{Rel: "self", Type: "application/atom+xml", Href: base + "/aktuelles/feed.xml"},
			{Rel: "alternate", Type: "text/html", Href: base + "/aktuelles"},
		},
	}
	for _, p := range posts {
		html, err := s.article.HTML(p.Source)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("blog: feed: %w", err)
		}
		if p.Changed.After(changed) {
			changed = p.Changed
		}
		html = strings.ReplaceAll(html, `src="`+picturePath, `src="`+base+picturePath)
		f.Entries = append(f.Entries, atomEntry{
			ID: tagURI(t, p.Published, "aktuelles/"+p.ID), Title: p.Title, Published: rfc3339(p.Published), Updated: rfc3339(p.Changed),
			Links:   []atomLink{{Rel: "alternate", Type: "text/html", Href: base + postPath(p.Slug)}},
			Summary: p.Summary, Content: atomContent{Type: "html", Text: html},
		})
	}
	f.Updated = rfc3339(changed)
	out, err := xml.MarshalIndent(f, "", " ")
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("blog: feed: %w", err)
	}
	return append([]byte(xml.Header), out...), changed, nil
}

// tagURI is an id that stays when a post gets another address (RFC 4151).
func tagURI(t *tenant.Tenant, at time.Time, what string) string {
	return "tag:" + t.Hosts[0] + "," + at.UTC().Format(time.DateOnly) + ":" + what
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
