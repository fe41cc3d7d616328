package blog

import "time"

// SlugOf is the address that a title becomes.
func SlugOf(title string) string { return slugOf(title) }

// EncodeAnew is what happens to an uploaded picture: its bytes, its name, and the
// key of what is wrong with it.
func EncodeAnew(raw []byte) (data []byte, name string, width, height int, key string) {
	data, p, key := encodeAnew(raw)
	return data, p.Name, p.Width, p.Height, key
}

// Segments are the pieces of a comment: text and links.
func Segments(body string) (out [][2]string) {
	for _, s := range segments(body) {
		out = append(out, [2]string{s.Text, s.Href})
	}
	return out
}

// Proves tells whether a proof of work holds.
func Proves(form, proof string) bool { return proves(form, proof) }

// NewForm is the token of a fresh form.
func (s *Service) NewForm(slug string) string {
	return s.newForm("betreiber", slug, s.Now().Add(-time.Minute))
}
