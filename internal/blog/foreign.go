package blog

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"poststelle/internal/fault"
)

// The exports of other programs, read element by element: Disqus XML and
// WordPress WXR 1.0 to 1.2. What they say about persons has no place in the types
// below, except the address that a comment came from, so nothing else of it gets
// any further than the decoder.

// Format is the form of an export.
type Format string

// The formats that can be read.
const (
	Disqus Format = "disqus" // Disqus XML
	WXR    Format = "wxr"    // WordPress eXtended RSS, 1.0 to 1.2
)

// Bounds of an export. XML has no use for a document type here, and a decoder
// that knows none cannot be made to fill the memory by one.
const (
	maxExport    = 64 << 20 // bytes
	maxXMLDepth  = 40
	maxForeign   = 200_000 // comments
	maxMarkup    = 256 << 10
	maxForeigner = 4 * maxComment // characters of a comment that is taken over
)

// Reasons why something of an export is left out.
const (
	leftDeleted    = "deleted"
	leftSpam       = "spam"
	leftUnapproved = "not approved"
	leftPing       = "pingbacks"
	leftEmpty      = "empty"
	leftLong       = "too long"
	leftUndated    = "without time"
)

// foreignThread is what comments stand under elsewhere. Key names it in its
// export for ever. Post is set where the export holds the post itself.
type foreignThread struct {
	Key, Link, Title string
	Slugs            []string // addresses by which it may be known here, likely ones first
	Post             *foreignPost
	Comments         []foreignComment
}

type foreignPost struct {
	Markup, Summary string
	At              time.Time // zero while it was never public
	Public, Open    bool
}

// foreignComment is a comment of an export. Left says why it is not taken over.
type foreignComment struct {
	Key, Parent, Markup, Left string
	At                        time.Time
	From                      netip.Addr
}

// guard hands out the raw tokens of XML, and refuses a document type, deep
// nesting and a file that is too large.
type guard struct {
	in    *xml.Decoder
	depth int
}

func (g *guard) Token() (xml.Token, error) {
	t, err := g.in.RawToken()
	if err != nil {
		return nil, err
	}
	switch t.(type) {
	case xml.Directive:
		return nil, errDoctype
	case xml.StartElement:
		g.depth++
	case xml.EndElement:
		g.depth--
	}
	if g.depth > maxXMLDepth {
		return nil, errDeep
	}
	if g.in.InputOffset() > maxExport {
		return nil, errLarge
	}
	return t, nil
}

var (
	errDoctype = errors.New("it has a document type, which exports do not have")
	errDeep    = fmt.Errorf("its elements are nested more than %d deep", maxXMLDepth)
	errLarge   = fmt.Errorf("it is larger than %d MB", maxExport>>20)
	errMany    = fmt.Errorf("it has more than %d comments", maxForeign)
)

// readExport reads an export, at most maxExport bytes of it. What cannot be read
// is fault.Invalid and says where.
func readExport(in io.Reader, f Format) ([]foreignThread, error) {
	// One byte more than allowed, so that a larger file is not taken for a cut one.
	g := &guard{in: xml.NewDecoder(io.LimitReader(in, maxExport+1))}
	d := xml.NewTokenDecoder(g)
	var all []foreignThread
	var err error
	switch f {
	case Disqus:
		all, err = readDisqus(d)
	case WXR:
		all, err = readWXR(d)
	default:
		err = fmt.Errorf("unknown format %q", f)
	}
	if err != nil {
		line, _ := g.in.InputPos()
		return nil, fmt.Errorf("blog: line %d of the export: %w: %w", line, err, fault.Invalid)
	}
	return all, nil
}

// root finds the outermost element, which must be of that name.
func root(d *xml.Decoder, name string) error {
	for {
		t, err := d.Token()
		if err != nil {
			return fmt.Errorf("no <%s>: %w", name, err)
		}
		if e, ok := t.(xml.StartElement); ok {
			if e.Name.Local != name {
				return fmt.Errorf("<%s> instead of <%s>", e.Name.Local, name)
			}
			return nil
		}
	}
}

// each calls take for the children of the element that d stands in, until it
// ends. What take does not read is passed over.
func each(d *xml.Decoder, take func(e xml.StartElement) (bool, error)) error {
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			taken, err := take(t)
			if err == nil && !taken {
				err = d.Skip()
			}
			if err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

type disqusThread struct {
	ID        string `xml:"http://disqus.com/disqus-internals id,attr"`
	Name      string `xml:"http://disqus.com id"`
	Link      string `xml:"link"`
	Title     string `xml:"title"`
	IsDeleted bool   `xml:"isDeleted"`
}

type disqusRef struct {
	ID string `xml:"http://disqus.com/disqus-internals id,attr"`
}

type disqusPost struct {
	ID         string    `xml:"http://disqus.com/disqus-internals id,attr"`
	Message    string    `xml:"message"`
	CreatedAt  string    `xml:"createdAt"`
	IsDeleted  bool      `xml:"isDeleted"`
	IsSpam     bool      `xml:"isSpam"`
	IsApproved string    `xml:"isApproved"` // absent in exports of today
	IP         string    `xml:"ipAddress"`  // in exports of before 2015
	Thread     disqusRef `xml:"thread"`
	Parent     disqusRef `xml:"parent"`
}

func readDisqus(d *xml.Decoder) ([]foreignThread, error) {
	if err := root(d, "disqus"); err != nil {
		return nil, err
	}
	var all []foreignThread
	at := map[string]int{}
	n := 0
	err := each(d, func(e xml.StartElement) (bool, error) {
		switch e.Name.Local {
		case "thread":
			var x disqusThread
			if err := d.DecodeElement(&x, &e); err != nil {
				return true, err
			}
			if _, twice := at[x.ID]; !x.IsDeleted && x.ID != "" && !twice {
				at[x.ID] = len(all)
				all = append(all, foreignThread{Key: x.ID, Link: x.Link, Title: oneLine(x.Title), Slugs: slugsOf(slugIn(x.Link), slugIn(x.Name), x.Title)})
			}
			return true, nil
		case "post":
			var x disqusPost
			if err := d.DecodeElement(&x, &e); err != nil {
				return true, err
			}
			if n++; n > maxForeign {
				return true, errMany
			}
			if i, ok := at[x.Thread.ID]; ok && x.ID != "" {
				all[i].Comments = append(all[i].Comments, x.comment())
			}
			return true, nil
		}
		return false, nil
	})
	return all, err
}

func (x disqusPost) comment() foreignComment {
	c := foreignComment{Key: x.ID, Parent: x.Parent.ID, Markup: x.Message, At: parseTime(x.CreatedAt), From: parseAddr(x.IP)}
	switch {
	case x.IsDeleted:
		c.Left = leftDeleted
	case x.IsSpam:
		c.Left = leftSpam
	case x.IsApproved == "false" || x.IsApproved == "0":
		c.Left = leftUnapproved
	}
	return c
}

type wxrItem struct {
	ID       string       `xml:"post_id"`
	Title    string       `xml:"title"`
	Links    []wxrText    `xml:"link"`
	Name     string       `xml:"post_name"`
	Type     string       `xml:"post_type"`
	Status   string       `xml:"status"`
	Password string       `xml:"post_password"`
	Open     string       `xml:"comment_status"`
	GMT      string       `xml:"post_date_gmt"`
	Local    string       `xml:"post_date"`
	Texts    []wxrText    `xml:"encoded"` // content and excerpt differ by name space
	Comments []wxrComment `xml:"comment"`
}

type wxrText struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

type wxrComment struct {
	ID       string `xml:"comment_id"`
	IP       string `xml:"comment_author_IP"`
	Local    string `xml:"comment_date"`
	GMT      string `xml:"comment_date_gmt"`
	Content  string `xml:"comment_content"`
	Approved string `xml:"comment_approved"`
	Type     string `xml:"comment_type"`
	Parent   string `xml:"comment_parent"`
}

func readWXR(d *xml.Decoder) (all []foreignThread, err error) {
	if err := root(d, "rss"); err != nil {
		return nil, err
	}
	site, n, found := "", 0, false
	inChannel := func(e xml.StartElement) (bool, error) {
		switch {
		case e.Name.Local == "base_blog_url", e.Name.Local == "link" && e.Name.Space == "" && site == "":
			return true, d.DecodeElement(&site, &e)
		case e.Name.Local == "item":
			var x wxrItem
			if err := d.DecodeElement(&x, &e); err != nil {
				return true, err
			}
			if n += len(x.Comments); n > maxForeign {
				return true, errMany
			}
			if t, ok := x.thread(strings.TrimRight(strings.TrimSpace(site), "/")); ok {
				all = append(all, t)
			}
			return true, nil
		}
		return false, nil
	}
	err = each(d, func(e xml.StartElement) (bool, error) {
		if e.Name.Local != "channel" {
			return false, nil
		}
		found = true
		return true, each(d, inChannel)
	})
	if err == nil && !found {
		err = errors.New("no <channel>")
	}
	return all, err
}

// thread returns a post or a page with its comments; false for what is neither,
// or was thrown away.
func (x wxrItem) thread(site string) (t foreignThread, ok bool) {
	if x.Type != "post" && x.Type != "page" && x.Type != "" || x.Status == "trash" || x.Status == "auto-draft" || x.ID == "" {
		return t, false
	}
	t = foreignThread{Key: site + "#" + x.ID, Title: oneLine(x.Title)}
	for _, l := range x.Links {
		if l.XMLName.Space == "" {
			t.Link = strings.TrimSpace(l.Text)
		}
	}
	t.Slugs = slugsOf(slugIn(x.Name), slugIn(t.Link), x.Title)
	if x.Type == "post" {
		p := &foreignPost{At: firstTime(x.GMT, x.Local), Public: x.Status == "publish" && x.Password == "", Open: x.Open == "open"}
		for _, s := range x.Texts {
			if strings.Contains(s.XMLName.Space, "excerpt") {
				p.Summary = s.Text
			} else {
				p.Markup = s.Text
			}
		}
		t.Post = p
	}
	for _, c := range x.Comments {
		t.Comments = append(t.Comments, c.comment(site))
	}
	return t, true
}

func (x wxrComment) comment(site string) foreignComment {
	c := foreignComment{Key: site + "#c" + x.ID, Markup: x.Content, At: firstTime(x.GMT, x.Local), From: parseAddr(x.IP)}
	if x.Parent != "" && x.Parent != "0" {
		c.Parent = site + "#c" + x.Parent
	}
	switch {
	case x.Approved == "spam":
		c.Left = leftSpam
	case x.Approved == "trash", x.Approved == "post-trashed":
		c.Left = leftDeleted
	case x.Approved != "1" && x.Approved != "approved":
		c.Left = leftUnapproved
	case x.Type != "" && x.Type != "comment":
		c.Left = leftPing
	}
	return c
}

// slugIn is the last part of an address or of a path, without the ending of a
// file; "" where it has none.
func slugIn(link string) string {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil {
		return ""
	}
	path := strings.Trim(u.Path, "/")
	last := path[strings.LastIndexByte(path, '/')+1:]
	for _, ending := range []string{".html", ".htm", ".php"} {
		last = strings.TrimSuffix(last, ending)
	}
	return last
}

// slugsOf are the words as addresses of this blog, each once.
func slugsOf(words ...string) (out []string) {
	for _, w := range words {
		if w = strings.TrimSpace(w); w == "" {
			continue
		}
		s := w
		if len(s) > maxSlug || !slugForm.MatchString(s) || reserved(s) {
			s = slugOf(w)
		}
		if s == noSlug && w != noSlug {
			continue // nothing of the word is left
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// parseTime reads the times of both formats; those of WordPress are UTC. What is
// none is zero.
func parseTime(s string) time.Time {
	s = strings.TrimSpace(s)
	for _, form := range []string{time.RFC3339, time.DateTime} {
		if t, err := time.Parse(form, s); err == nil && t.Year() >= 1990 {
			return t.UTC()
		}
	}
	return time.Time{}
}

// firstTime is the first of two times that is one: drafts have none in UTC.
func firstTime(gmt, local string) time.Time {
	if t := parseTime(gmt); !t.IsZero() {
		return t
	}
	return parseTime(local)
}

func parseAddr(s string) netip.Addr {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// oneLine is a title without blanks at its ends, line breaks and what cannot be
// seen.
func oneLine(s string) string {
	return squeezeSpace(strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s))
}
