package blog

import (
	"strings"

	"poststelle/internal/markdown"
)

// A picture of the blog stands in a text as scheme and name, "bild:haus.jpg", and
// on the page at path and name.
const (
	pictureScheme = "bild:"
	picturePath   = "/aktuelles/bilder/"
	pictureName   = `[a-z0-9]{1,64}\.(jpg|png)`
)

func newArticle() markdown.Article {
	return markdown.NewArticle(pictureScheme, picturePath, pictureName)
}

// segment is a run of a comment: plain text, or an address that becomes a link.
type segment struct{ Text, Href string }

// segments finds the web addresses in a comment. What stands behind a sentence
// does not belong to them.
func segments(body string) []segment {
	if !strings.Contains(body, "://") { // most comments, without the cost of looking closer
		return []segment{{Text: body}}
	}
	var out []segment
	at := 0
	for _, m := range linkForm.FindAllStringIndex(body, -1) {
		end := m[1] - len(body[m[0]:m[1]]) + len(strings.TrimRight(body[m[0]:m[1]], ".,;:!?)]}"))
		if m[0] > at {
			out = append(out, segment{Text: body[at:m[0]]})
		}
		out = append(out, segment{Text: body[m[0]:end], Href: body[m[0]:end]})
		at = end
	}
	if at < len(body) {
		out = append(out, segment{Text: body[at:]})
	}
	return out
}
