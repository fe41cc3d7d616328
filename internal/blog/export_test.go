package blog

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"time"

	"poststelle/internal/account"
)

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

// Discard deletes a comment for the staff.
func (s *Service) Discard(ctx context.Context, who account.Actor, id string) error {
	return s.discard(ctx, who, id)
}

// GrantEvidence opens an address for the second person.
func (s *Service) GrantEvidence(ctx context.Context, who account.Actor, request string) (string, netip.Addr, error) {
	return s.grantEvidence(ctx, who, request)
}

// ReadExport reads an export as an import does, and checks what it would take over.
func ReadExport(from io.Reader, f Format) error {
	all, err := readExport(from, f)
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for _, t := range all {
		if t.Post != nil {
			if _, err := t.post(PostsPublished); err != nil {
				return nil
			}
		}
		for _, a := range arrivals("betreiber", f, "P", t.Comments, now, map[string]int{}) {
			if a.Body == "" || len(a.Body) > 4*maxForeigner || a.Created.IsZero() || a.Parent == a.ID {
				return fmt.Errorf("took over %+v", a.comment)
			}
		}
	}
	return err
}

// RemovePicture takes a picture out of a post.
func (s *Service) RemovePicture(ctx context.Context, who account.Actor, post, name string) error {
	return s.removePicture(ctx, who, post, name)
}

// Remove deletes a post.
func (s *Service) Remove(ctx context.Context, who account.Actor, id string) error {
	return s.remove(ctx, who, id)
}

// AskEvidence asks for an address.
func (s *Service) AskEvidence(ctx context.Context, who account.Actor, comment, ground, reason string) error {
	return s.askEvidence(ctx, who, comment, ground, reason)
}

// RefuseEvidence ends a request.
func (s *Service) RefuseEvidence(ctx context.Context, who account.Actor, request string) error {
	return s.refuseEvidence(ctx, who, request)
}
