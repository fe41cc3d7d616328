package blog

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// rawHTML shows the Markdown of a post. It is the only place of this package
// where markup passes templ's escaping, and takes nothing but the result of
// render, which bluemonday has cleaned.
func (s *Service) rawHTML(source string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		clean, err := s.render(source)
		if err != nil {
			return err
		}
		return templ.Raw(clean).Render(ctx, w)
	})
}
